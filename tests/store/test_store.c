/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_store.c: HDF5 files: round trips, equal bytes, every refusal, and what a full disk leaves.
 */
#include "files.h"

#include <bnn/import.h>
#include <bnn/store.h>
#include <hdf5.h>
#include <hdf5_hl.h>
#include <math.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- data ---- */

static bnn_table *small_table(void) {
    bnn_table *t;
    const char *path = files_write(
        "small.csv",
        "a,colour,y\n1.5,red,10\n2.25,blue,20\n-3,red,0.1\n4,blue,40\n5,red,50\n6,blue,61\n7,red,1e-300\n8,blue,8\n9,red,9\n10,blue,10\n");
    OK(bnn_import_csv(path, &(bnn_csv_options){0},
                      &(bnn_import_about){.title = "small \xC3\xA9", .source = "made up", .license = "CC0-1.0"}, &t));
    return t;
}

static bnn_table *image_table(void) {
    bnn_table *t;
    OK(bnn_table_new(60, (bnn_shape){.rank = 3, .d = {1, 20, 20}}, 1, 3, &t));
    t->scale = BNN_SCALE_RANGE, t->range = 255;
    t->y_names = calloc(1, sizeof *t->y_names), t->class_names = calloc(3, sizeof *t->class_names);
    t->y_names[0] = strdup("label");
    for (int c = 0; c < 3; c++) t->class_names[c] = strdup(((const char *[]){"T-shirt/top", "a b", "c"})[c]);
    for (int i = 0; i < 60 * 400; i++) t->x[i] = i % 256;
    for (int i = 0; i < 60; i++) t->y[i] = i % 3;
    return t;
}

/* Two pictures of 3x4 pixels in two colours, with a class of each pixel, of which some are void. */
static bnn_table *map_table(void) {
    bnn_table *t;
    OK(bnn_table_new_images(2, (bnn_shape){.rank = 3, .d = {2, 3, 4}}, (bnn_shape){.rank = 2, .d = {3, 4}}, 2, &t));
    t->scale = BNN_SCALE_CHANNEL;
    t->class_names = calloc(2, sizeof *t->class_names);
    t->class_names[0] = strdup("sky"), t->class_names[1] = strdup("road");
    for (int i = 0; i < 48; i++) t->pixels[i] = (uint8_t)(i * 11);
    for (int i = 0; i < 24; i++) t->y[i] = i % 3 - 1;
    return t;
}

static double x_of(const bnn_table *t, size_t i) { return t->pixels ? t->pixels[i] : t->x[i]; }

static void assert_equal_tables(const bnn_table *a, const bnn_table *b) {
    size_t n = (size_t)a->n, width = (size_t)bnn_shape_size(a->x_shape), cells = (size_t)a->n_splits * n;
    ck_assert_int_eq(a->n, b->n);
    ck_assert(bnn_shape_equal(a->x_shape, b->x_shape));
    ck_assert_int_eq(a->y_dim, b->y_dim);
    ck_assert_int_eq(a->n_classes, b->n_classes);
    ck_assert(bnn_shape_equal(a->y_shape, b->y_shape));
    for (size_t i = 0; i < n * width; i++) ck_assert(x_of(a, i) == x_of(b, i));
    if (a->y_dim) ck_assert_mem_eq(a->y, b->y, n * (size_t)a->y_dim * sizeof *a->y);
    ck_assert_str_eq(a->title, b->title);
    ck_assert_str_eq(a->source, b->source);
    ck_assert_str_eq(a->license, b->license);
    ck_assert_str_eq(a->raw_sha256, b->raw_sha256);
    ck_assert_str_eq(a->split_origin, b->split_origin);
    ck_assert_int_eq(a->scale, b->scale);
    ck_assert_double_eq(a->range, b->range);
    ck_assert_int_eq(a->n_splits, b->n_splits);
    if (cells) ck_assert_mem_eq(a->order, b->order, cells * sizeof *a->order);
    if (cells) ck_assert_mem_eq(a->role, b->role, cells);
    ck_assert_int_eq(!a->x_names, !b->x_names);
    for (size_t i = 0; a->x_names && i < width; i++) ck_assert_str_eq(a->x_names[i], b->x_names[i]);
    for (int i = 0; a->y_names && i < a->y_dim; i++) ck_assert_str_eq(a->y_names[i], b->y_names[i]);
    for (int i = 0; i < a->n_classes; i++) ck_assert_str_eq(a->class_names[i], b->class_names[i]);
}

/* Saves, loads and saves again: equal tables, equal bytes, no other file left. */
static void round_trip(bnn_table *t) {
    bnn_table *back;
    const char *a = files_path("a.h5"), *b = files_path("b.h5");
    char hex[65];
    OK(bnn_table_save(t, a));
    OK(bnn_table_load(a, &back));
    assert_equal_tables(t, back);
    OK(bnn_file_sha256(a, hex));
    ck_assert_str_eq(back->sha256, hex);
    OK(bnn_table_save(back, b));
    ck_assert(files_equal(a, b));
    bnn_table_free(back);
}

START_TEST(tables_come_back) {
    bnn_table *t = small_table(), *images = image_table();
    round_trip(t);
    OK(bnn_table_split(t, BNN_SPLIT_PBP, 3, 0));
    t->role[t->order[8]] = BNN_VALIDATION; /* of the first split */
    round_trip(t);
    round_trip(images);
    struct stat s;
    ck_assert_int_eq(stat(files_path("a.h5"), &s), 0);
    ck_assert_int_lt(s.st_size, 20000); /* 24,000 pixels as bytes, deflated */
    images->x[5] = 0.5;
    round_trip(images);
    ck_assert_int_eq(files_count(), 3); /* small.csv, a.h5, b.h5 */
    bnn_table_free(t), bnn_table_free(images);
    files_remove();
}
END_TEST

/* What a reader of classes, such as xarray, wants to know of a map is in its own type. */
START_TEST(maps_come_back) {
    bnn_table *t = map_table(), *back;
    int8_t fill = 0, values[2];
    round_trip(t);
    OK(bnn_table_load(files_path("a.h5"), &back));
    ck_assert_ptr_null(back->x);
    ck_assert_mem_eq(back->pixels, t->pixels, 48);
    hid_t file = H5Fopen(files_path("a.h5"), H5F_ACC_RDONLY, H5P_DEFAULT), y = H5Dopen2(file, "/y", H5P_DEFAULT), type = H5Dget_type(y);
    ck_assert_int_eq(H5Tequal(type, H5T_STD_I8LE), 1);
    ck_assert_int_eq(H5LTget_attribute_char(file, "/y", "_FillValue", (char *)&fill), 0);
    ck_assert_int_eq(H5LTget_attribute_char(file, "/y", "flag_values", (char *)values), 0);
    ck_assert(fill == -1 && values[0] == 0 && values[1] == 1);
    H5Tclose(type), H5Dclose(y), H5Fclose(file);
    t->y_shape.d[0] = 2, t->y_shape.d[1] = 6;
    REFUSED(bnn_table_save(t, files_path("b.h5")),
            "b.h5: maps of classes are [2x6], and rows are [2x3x4]: there is a class for each pixel");
    bnn_table_free(t), bnn_table_free(back);
    files_remove();
}
END_TEST

START_TEST(rows_to_predict_come_back) {
    bnn_table *t, *known = small_table();
    bnn_data *train, *d;
    bnn_prediction *p;
    bnn_run *run;
    OK(bnn_import_csv(files_path("small.csv"), &(bnn_csv_options){.targets = "none", .drop = "y"}, &(bnn_import_about){0}, &t));
    round_trip(t);
    OK(bnn_data_split(known, -1, BNN_TRAIN, NULL, &train));
    bnn_config config = {.net = "dense", .engine = "mc_dropout:epochs=2"};
    OK(bnn_fit(&config, train, &run));
    OK(bnn_data_split(t, -1, BNN_TEST, &train->scaling, &d));
    OK(bnn_predict(run->engine, d, &(bnn_predict_options){.samples = 5}, &p));
    OK(bnn_prediction_save(run, &(bnn_results){.data = d, .prediction = p}, NULL, files_path("p.h5")));
    hid_t file = H5Fopen(files_path("p.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_int_gt(H5Lexists(file, "/prediction/mean", H5P_DEFAULT), 0);
    static const char *const absent[] = {"/prediction/y", "/prediction/logp", "/prediction/pit"};
    for (int i = 0; i < 3; i++) ck_assert_int_eq(H5Lexists(file, absent[i], H5P_DEFAULT), 0);
    H5Fclose(file);
    bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(d), bnn_data_free(train);
    bnn_table_free(t), bnn_table_free(known);
    files_remove();
}
END_TEST

START_TEST(sha256_is_right) {
    char hex[65];
    OK(bnn_file_sha256(files_write("abc", "abc"), hex)); /* FIPS 180-2, B.1 */
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    REFUSED(bnn_file_sha256("/nowhere/x", hex), "/nowhere/x: No such file or directory");
    files_remove();
}
END_TEST

/* ---- runs ---- */

#define PLAIN_NET "dense:4; tanh; dense"

static bnn_run *fit(const bnn_data *train, const char *net, const char *engine) {
    bnn_run *run;
    bnn_config config = {.net = net, .engine = engine, .seed = UINT64_MAX};
    OK(bnn_fit(&config, train, &run));
    return run;
}

static void predict(const bnn_run *run, const bnn_data *data, bnn_prediction **out, bnn_metrics *metrics) {
    OK(bnn_predict(run->engine, data, &(bnn_predict_options){.samples = 20, .seed = 3}, out));
    OK(bnn_metrics_compute(*out, data, metrics));
}

static void assert_equal_histories(const bnn_history *a, const bnn_history *b) {
    ck_assert_int_eq(a->n, b->n);
    ck_assert_int_eq(a->n_gates, b->n_gates);
    ck_assert_mem_eq(a->epoch, b->epoch, (size_t)a->n * sizeof(int));
    ck_assert_mem_eq(a->nll, b->nll, (size_t)a->n * sizeof(double));
    ck_assert_mem_eq(a->prior, b->prior, (size_t)a->n * sizeof(double));
    ck_assert_mem_eq(a->kl, b->kl, (size_t)a->n * sizeof(double));
    if (a->n_gates) ck_assert_mem_eq(a->p, b->p, (size_t)(a->n * a->n_gates) * sizeof(double));
    for (int g = 0; g < a->n_gates; g++) ck_assert_str_eq(a->gate[g], b->gate[g]);
}

/* A run saved, loaded and saved again predicts the same bits. */
static void run_round_trip(const bnn_data *data, const char *net, const char *engine) {
    bnn_run *run = fit(data, net, engine), *back;
    bnn_prediction *p, *q;
    bnn_metrics m, n;
    bnn_origin origin;
    bool same;
    char where[256];
    const char *a = files_path("run.h5"), *b = files_path("again.h5"), *c = files_path("back.h5");
    bnn_provenance provenance = {
        .command = "test", .data_path = "small.h5", .data_sha256 = "00ff", .split = 7, .threads = 2, .started_at = "2026-01-01T00:00:00Z"};
    predict(run, data, &p, &m);
    OK(bnn_run_save(run, &(bnn_results){.data = data, .prediction = p, .metrics = &m}, &provenance, a));
    OK(bnn_run_save(run, &(bnn_results){.data = data, .prediction = p, .metrics = &m}, &provenance, b));
    ck_assert(files_equal(a, b));
    OK(bnn_run_load(a, &back, &origin));
    ck_assert_str_eq(origin.data_path, "small.h5");
    ck_assert_str_eq(origin.data_sha256, "00ff");
    ck_assert_int_eq(origin.split, 7);
    ck_assert_str_eq(run->engine_text, back->engine_text);
    ck_assert_uint_eq(back->seed, UINT64_MAX);
    ck_assert(back->complete);
    ck_assert_uint_eq(run->cost.gradients, back->cost.gradients);
    ck_assert_double_eq(run->cost.seconds_wall, back->cost.seconds_wall);
    assert_equal_histories(&run->history, &back->history);
    predict(back, data, &q, &n);
    ck_assert_mem_eq(p->mean, q->mean, (size_t)(p->n * p->mean_dim) * sizeof(double));
    ck_assert_mem_eq(p->logp, q->logp, (size_t)p->n * sizeof(double));
    OK(bnn_run_save(back, &(bnn_results){.data = data, .prediction = q, .metrics = &n}, &(bnn_provenance){.split = 7, .command = "another"},
                    c));
    OK(bnn_file_diff(a, c, &same, where, sizeof where));
    ck_assert_msg(same || strstr(engine, "grid_search"), "%s", where); /* the cells of a grid stay with the engine that searched */
    bnn_prediction_free(p), bnn_prediction_free(q);
    bnn_run_free(run), bnn_run_free(back);
    bnn_origin_free(&origin);
}

START_TEST(runs_come_back) {
    bnn_table *t = small_table();
    bnn_data *data;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    run_round_trip(data, PLAIN_NET, "map:epochs=5,batch=4");
    run_round_trip(data, PLAIN_NET, "map:epochs=5,batch=4,optimizer=sgd");
    run_round_trip(data, PLAIN_NET, "mc_dropout:gates=concrete,epochs=5,batch=4");
    run_round_trip(data, PLAIN_NET, "bayes_by_backprop:epochs=5,batch=4");
    run_round_trip(data, PLAIN_NET, "hmc:steps=3,chains=2,samples=6,warmup=4"); /* many parameter vectors */
    run_round_trip(data, PLAIN_NET, "grid_search:engine=mc_dropout{epochs=2},grid={p=0.05|0.2}");
    run_round_trip(data, "dense:3; relu; dense:5; dense", "map:epochs=2");
    bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

START_TEST(class_runs_come_back) {
    bnn_table *t = image_table();
    bnn_data *data;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    run_round_trip(data, "flatten; dense:4; relu; dense", "mc_dropout:epochs=2");
    bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

static bool stop_at_once(void *context, double share) {
    (void)context, (void)share;
    return true;
}

START_TEST(a_stopped_run_says_so) {
    bnn_table *t = small_table();
    bnn_data *data;
    bnn_run *run, *back;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    OK(bnn_fit(&(bnn_config){.net = PLAIN_NET, .engine = "map:epochs=50", .progress = stop_at_once}, data, &run));
    OK(bnn_run_save(run, NULL, NULL, files_path("part.h5")));
    OK(bnn_run_load(files_path("part.h5"), &back, NULL));
    ck_assert(!back->complete);
    bnn_run_free(back), bnn_run_free(run);
    bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

START_TEST(equal_runs_are_equal_provenance_apart) {
    bnn_table *t = small_table();
    bnn_data *data;
    bool same;
    char where[256];
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    bnn_run *a = fit(data, PLAIN_NET, "map:epochs=5"), *b = fit(data, PLAIN_NET, "map:epochs=5");
    OK(bnn_run_save(a, NULL, &(bnn_provenance){.command = "one", .split = -1}, files_path("one.h5")));
    OK(bnn_run_save(b, NULL, &(bnn_provenance){.command = "two", .split = -1}, files_path("two.h5")));
    OK(bnn_file_diff(files_path("one.h5"), files_path("two.h5"), &same, where, sizeof where));
    ck_assert_msg(same, "%s", where);
    b->history.nll[3] = -1;
    OK(bnn_run_save(b, NULL, NULL, files_path("two.h5")));
    OK(bnn_file_diff(files_path("one.h5"), files_path("two.h5"), &same, where, sizeof where));
    ck_assert(!same);
    ck_assert_ptr_nonnull(strstr(where, "/metrics/nll: entry 3 of 5 is "));
    bnn_run_free(a), bnn_run_free(b), bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

/* A fit with kept draws at this number of threads, saved without what is measured. */
static void fit_to(const char *path, const bnn_data *data, const char *engine, int threads) {
    bnn_draws *draws;
    bnn_prediction *p;
    bnn_metrics m;
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    bnn_run *run = fit(data, PLAIN_NET, engine);
    bnn_predict_options how = {.samples = 40, .seed = 3};
    OK(bnn_draws_open(path, BNN_KEEP_POSTERIOR | BNN_KEEP_PREDICTIVE, run->engine, data, &how, &draws));
    how.sink = bnn_draws_sink(draws);
    OK(bnn_predict(run->engine, data, &how, &p));
    OK(bnn_metrics_compute(p, data, &m));
    run->cost.seconds_wall = run->cost.seconds_cpu = 0, run->cost.peak_bytes = 0;
    OK(bnn_run_save(run, &(bnn_results){.data = data, .prediction = p, .metrics = &m, .draws = draws}, &(bnn_provenance){.split = -1},
                    path));
    bnn_prediction_free(p), bnn_run_free(run);
    omp_set_num_threads(before);
}

/* Every byte of the file, those of HDF5 itself, too: only provenance may differ. */
START_TEST(equal_work_is_equal_bytes_at_any_number_of_threads) {
    static const char *const engines[] = {"mc_dropout:gates=concrete,epochs=5,batch=4", "bayes_by_backprop:epochs=5,batch=4",
                                          "hmc:steps=3,chains=2,samples=30,warmup=5"};
    bnn_table *t = small_table();
    bnn_data *data;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
        fit_to(files_path("one.h5"), data, engines[i], 1);
        for (int threads = 1; threads <= 3; threads++) {
            fit_to(files_path("two.h5"), data, engines[i], threads);
            ck_assert_msg(files_equal(files_path("one.h5"), files_path("two.h5")), "%s at %d threads", engines[i], threads);
        }
    }
    bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

/* ---- predictions and comparisons ---- */

static bnn_comparison *two_engines(const bnn_data *data) {
    bnn_comparison *c = calloc(1, sizeof *c);
    *c = (bnn_comparison){.title = strdup("two"),
                          .net = strdup("n"),
                          .likelihood = strdup("l"),
                          .prior = strdup("p"),
                          .data_path = strdup("d.h5"),
                          .seed = 1,
                          .n_engines = 2,
                          .n_splits = 3,
                          .reference = 1};
    c->split = malloc(3 * sizeof *c->split), c->engine = calloc(2, sizeof *c->engine);
    memcpy(c->split, (const int[]){4, 5, 9}, 3 * sizeof *c->split);
    for (int e = 0; e < 2; e++) {
        bnn_contestant *k = &c->engine[e];
        bnn_run *run = fit(data, PLAIN_NET, e ? "mc_dropout:gates=concrete,epochs=3" : "map:epochs=3");
        *k = (bnn_contestant){.label = strdup(run->engine_text),
                              .remark = strdup(e ? "" : "a remark"),
                              .spec_json = strdup("{}"),
                              .history = run->history,
                              .n_points = 2 + e};
        run->history = (bnn_history){0}; /* moved */
        k->metrics = calloc(3, sizeof *k->metrics), k->cost = calloc(3, sizeof *k->cost), k->distance = calloc(3, sizeof *k->distance);
        for (int s = 0; s < 3; s++) {
            k->metrics[s] = (bnn_metrics){
                .of = BNN_SCORE_TARGETS | BNN_SCORE_TARGET, .n = 10 + s, .ll = -e - s, .rmse = 0.5 * s, .calibration_error = 0.1};
            k->distance[s] = (bnn_distance){.agreement = NAN, .total_variation = NAN, .wasserstein = 0.25 * s * (1 - e)};
            k->metrics[s].coverage[18] = 0.9 + 0.01 * s;
            k->cost[s] = (bnn_cost){.gradients = (uint64_t)s, .flops = 1e9 * e, .seconds_wall = s + 0.5, .peak_bytes = 1 << 20};
        }
        k->sd = calloc((size_t)k->n_points, sizeof(double)), k->error = calloc((size_t)k->n_points, sizeof(double));
        k->sd[1] = 3, k->error[0] = -2;
        k->target = calloc(6, sizeof *k->target);
        for (int i = 0; i < 6; i++) k->target[i] = (bnn_metrics){.of = BNN_SCORE_TARGET, .n = 10, .rmse = i, .r2 = i == 2 ? NAN : 0.1 * e};
        bnn_run_free(run);
    }
    c->n_targets = 2, c->target = calloc(2, sizeof *c->target);
    c->target[0] = strdup("u"), c->target[1] = strdup("v");
    return c;
}

START_TEST(comparisons_come_back) {
    bnn_table *t = small_table();
    bnn_data *data;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    bnn_comparison *c = two_engines(data), *back;
    bnn_provenance provenance = {.data_path = "d.h5", .split = -1};
    OK(bnn_comparison_save(c, &provenance, files_path("c.h5")));
    OK(bnn_comparison_load(files_path("c.h5"), &back));
    ck_assert_int_eq(back->n_engines, 2);
    ck_assert_mem_eq(back->split, c->split, 3 * sizeof *c->split);
    ck_assert_str_eq(back->data_path, "d.h5");
    ck_assert(!back->is_class && back->reference == 1);
    for (int e = 0; e < 2; e++) {
        const bnn_contestant *k = &c->engine[e], *l = &back->engine[e];
        ck_assert_str_eq(k->label, l->label);
        ck_assert_str_eq(k->remark, l->remark);
        ck_assert_str_eq(k->spec_json, l->spec_json);
        ck_assert_int_eq(k->n_points, l->n_points);
        ck_assert_mem_eq(k->sd, l->sd, (size_t)k->n_points * sizeof(double));
        ck_assert_mem_eq(k->error, l->error, (size_t)k->n_points * sizeof(double));
        for (int s = 0; s < 3; s++) {
            ck_assert_int_eq(l->metrics[s].n, 10 + s);
            ck_assert_double_eq(l->metrics[s].ll, -e - s);
            ck_assert_double_eq(l->metrics[s].rmse, 0.5 * s);
            ck_assert_mem_eq(k->metrics[s].coverage, l->metrics[s].coverage, sizeof k->metrics[s].coverage);
            ck_assert_mem_eq(&k->cost[s], &l->cost[s], sizeof k->cost[s]);
            ck_assert_double_eq(l->distance[s].wasserstein, 0.25 * s * (1 - e));
            ck_assert(isnan(l->distance[s].agreement) && isnan(l->distance[s].total_variation));
        }
        for (int i = 0; i < 6; i++) {
            ck_assert(l->target[i].of == BNN_SCORE_TARGET && l->target[i].n == 10 && l->target[i].rmse == i);
            ck_assert(i == 2 ? isnan(l->target[i].r2) : l->target[i].r2 == 0.1 * e);
        }
        assert_equal_histories(&k->history, &l->history);
    }
    ck_assert_int_eq(back->n_targets, 2);
    ck_assert_str_eq(back->target[1], "v");
    OK(bnn_comparison_save(back, &provenance, files_path("d.h5")));
    ck_assert(files_equal(files_path("c.h5"), files_path("d.h5")));
    for (int e = 0; e < 2; e++) free(back->engine[e].distance), back->engine[e].distance = NULL;
    bnn_comparison *without;
    OK(bnn_comparison_save(back, &provenance, files_path("e.h5")));
    OK(bnn_comparison_load(files_path("e.h5"), &without));
    ck_assert_ptr_null(without->engine[0].distance);
    bnn_comparison_free(without);
    back->n_splits = 0;
    REFUSED(bnn_comparison_save(back, &provenance, files_path("d.h5")), "d.h5: a comparison needs an engine and a split");
    bnn_comparison_free(c), bnn_comparison_free(back), bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

/* Of a comparison that was stopped before its first fit was done, too. */
START_TEST(scores_of_each_class_come_back) {
    bnn_table *t = small_table();
    bnn_data *data;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    bnn_comparison *c = two_engines(data), *back;
    bnn_provenance provenance = {.data_path = "d.h5", .split = -1};
    c->is_class = c->partial = true;
    for (int e = 0; e < 2; e++) {
        for (int s = 0; s < 3; s++)
            c->engine[e].metrics[s] = (bnn_metrics){.is_class = true, .of = BNN_SCORE_CLASSES, .n = 9, .accuracy = .5};
        for (int i = 0; i < 6; i++)
            c->engine[e].target[i] =
                (bnn_metrics){.is_class = true, .of = BNN_SCORE_CLASS, .n = i, .precision = .1 * i, .auc = i == 2 ? NAN : (double)e};
    }
    c->engine[0].metrics[0] = c->engine[0].target[0] = c->engine[0].target[1] = (bnn_metrics){.n = 0};
    OK(bnn_comparison_save(c, &provenance, files_path("c.h5")));
    OK(bnn_comparison_load(files_path("c.h5"), &back));
    ck_assert(back->is_class && back->partial && back->n_targets == 2);
    ck_assert_str_eq(back->target[1], "v");
    ck_assert_int_eq(back->engine[0].metrics[0].n, 0);
    ck_assert_double_eq(back->engine[1].metrics[2].accuracy, .5);
    for (int e = 0; e < 2; e++)
        for (int i = 2 * (e == 0); i < 6; i++) {
            const bnn_metrics *m = &back->engine[e].target[i];
            ck_assert(m->is_class && m->of == BNN_SCORE_CLASS && m->n == i && m->precision == .1 * i);
            ck_assert(i == 2 ? isnan(m->auc) : m->auc == e);
        }
    OK(bnn_comparison_save(back, &provenance, files_path("d.h5")));
    ck_assert(files_equal(files_path("c.h5"), files_path("d.h5")));
    bnn_comparison_free(c), bnn_comparison_free(back), bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

START_TEST(a_run_with_predictions_is_a_comparison_of_one) {
    bnn_table *t = small_table();
    bnn_data *data;
    bnn_prediction *p;
    bnn_metrics m;
    bnn_comparison *c;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    bnn_run *run = fit(data, PLAIN_NET, "map:epochs=5");
    predict(run, data, &p, &m);
    OK(bnn_run_save(run, &(bnn_results){.data = data, .prediction = p, .metrics = &m}, &(bnn_provenance){.split = 2},
                    files_path("run.h5")));
    OK(bnn_comparison_load(files_path("run.h5"), &c));
    ck_assert_int_eq(c->n_engines * c->n_splits, 1);
    ck_assert_int_eq(c->split[0], 2);
    ck_assert_double_eq(c->engine[0].metrics[0].rmse, m.rmse);
    ck_assert_int_eq(c->engine[0].n_points, 10);
    for (int i = 0; i < 10; i++) {
        ck_assert_double_eq(c->engine[0].error[i], t->y[i] - p->mean[i]);
        ck_assert_double_eq(c->engine[0].sd[i], sqrt(bnn_var_total(p, i)));
    }
    bnn_comparison_free(c);
    char schema[32];
    OK(bnn_prediction_save(run, &(bnn_results){.data = data, .prediction = p}, &(bnn_provenance){.split = -1}, files_path("p.h5")));
    OK(bnn_file_schema(files_path("p.h5"), schema));
    ck_assert_str_eq(schema, "bnn-prediction");
    OK(bnn_run_save(run, NULL, NULL, files_path("run.h5")));
    OK(bnn_comparison_load(files_path("run.h5"), &c));
    ck_assert_int_eq(c->engine[0].metrics[0].n, 0);
    ck_assert_int_eq(c->engine[0].n_points, 0);
    ck_assert(isnan(c->engine[0].metrics[0].ll));
    bnn_comparison_free(c);
    data->n = 9;
    REFUSED(bnn_prediction_save(run, &(bnn_results){.data = data, .prediction = p}, &(bnn_provenance){.split = -1}, files_path("q.h5")),
            "q.h5: 10 rows were predicted, the data have 9");
    ck_assert_int_lt(access(files_path("q.h5"), F_OK), 0);
    bnn_prediction_free(p), bnn_run_free(run), bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

/* ---- refusals ---- */

/* Changes a copy of a data file by HDF5 itself, and loads it. */
static void spoilt(void (*spoil)(hid_t file), const char *sentence) {
    bnn_table *t = small_table(), *back;
    OK(bnn_table_split(t, BNN_SPLIT_PBP, 2, 0));
    OK(bnn_table_save(t, files_path("bad.h5")));
    bnn_table_free(t);
    hid_t file = H5Fopen(files_path("bad.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    spoil(file);
    ck_assert_int_ge(H5Fclose(file), 0);
    REFUSED(bnn_table_load(files_path("bad.h5"), &back), sentence);
    ck_assert_ptr_null(back);
    files_remove();
}

static void write_int_attribute(hid_t file, const char *object, const char *name, int value) {
    hid_t a = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(a, H5T_NATIVE_INT, &value);
    H5Aclose(a);
}
static void write_cell(hid_t file, const char *object, hsize_t at, double value) {
    hid_t d = H5Dopen2(file, object, H5P_DEFAULT), space = H5Dget_space(d), one = H5Screate(H5S_SCALAR);
    hsize_t position[2] = {0, at};
    H5Sselect_elements(space, H5S_SELECT_SET, 1, position);
    H5Dwrite(d, H5T_NATIVE_DOUBLE, one, space, H5P_DEFAULT, &value);
    H5Sclose(one), H5Sclose(space), H5Dclose(d);
}
static void scalar_in_place_of(hid_t file, const char *name, hid_t type) {
    H5Ldelete(file, name, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR);
    H5Dclose(H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
}
/* Never written: extents that nothing stands behind. */
static void table_in_place_of(hid_t file, const char *name, hsize_t rows, hsize_t cols, hid_t type) {
    H5Ldelete(file, name, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, (const hsize_t[]){rows, cols}, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(list, 2, (const hsize_t[]){1, 1});
    H5Dclose(H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Sclose(space), H5Pclose(list);
}
static void new_int_attribute(hid_t file, const char *object, const char *name, int value) {
    hid_t space = H5Screate(H5S_SCALAR);
    H5Aclose(H5Acreate_by_name(file, object, name, H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    write_int_attribute(file, object, name, value);
}

static void no_schema(hid_t f) { H5Adelete(f, "schema"); }
static void version_2(hid_t f) { write_int_attribute(f, "/", "schema_version", 2); }
static void no_x(hid_t f) { H5Ldelete(f, "x", H5P_DEFAULT); }
static void scalar_x(hid_t f) { scalar_in_place_of(f, "x", H5T_NATIVE_DOUBLE); }
static void no_title(hid_t f) { H5Adelete(f, "title"); }
static void other_title(hid_t f) { H5Adelete(f, "title"), H5Arename(f, "scale_range", "title"); }
static void other_order(hid_t f) {
    H5Ldelete(f, "/splits/order", H5P_DEFAULT), H5Lmove(f, "/y", f, "/splits/order", H5P_DEFAULT, H5P_DEFAULT),
        H5Lcreate_hard(f, "/splits/order", f, "/y", H5P_DEFAULT, H5P_DEFAULT);
}
static void nan_x(hid_t f) { write_cell(f, "/x", 1, NAN); }
static void wild_order(hid_t f) { write_cell(f, "/splits/order", 3, 10); }
static void no_order(hid_t f) { H5Ldelete(f, "/splits/order", H5P_DEFAULT); }

static void inf_y(hid_t f) { write_cell(f, "/y", 0, INFINITY); }
static void long_x(hid_t f) { table_in_place_of(f, "x", 1ULL << 40, 3, H5T_NATIVE_DOUBLE); }
static void hollow_x(hid_t f) { table_in_place_of(f, "x", 1 << 30, 3, H5T_NATIVE_DOUBLE); }
static void no_features(hid_t f) { table_in_place_of(f, "x", 10, 0, H5T_NATIVE_DOUBLE); }
static void text_y(hid_t f) {
    hid_t text = H5Tcopy(H5T_C_S1), d;
    H5Tset_size(text, 4);
    table_in_place_of(f, "y", 10, 1, text);
    H5Dwrite(d = H5Dopen2(f, "y", H5P_DEFAULT), text, H5S_ALL, H5S_ALL, H5P_DEFAULT, (const char[40]){"a"});
    H5Dclose(d), H5Tclose(text);
}
static void turned_shape(hid_t f) { H5Adelete_by_name(f, "/x", "shape", H5P_DEFAULT), new_int_attribute(f, "/x", "shape", -3); }
static void three_classes(hid_t f) { new_int_attribute(f, "/y", "n_classes", 3); }
static void many_classes(hid_t f) { new_int_attribute(f, "/y", "n_classes", 2000000); }
static void no_classes(hid_t f) { new_int_attribute(f, "/y", "n_classes", -1); }

START_TEST(spoilt_files_are_refused) {
    spoilt(inf_y, "bad.h5: row 1, column 'y': inf is not a finite number");
    spoilt(long_x, "bad.h5: dataset /x is too long");
    spoilt(hollow_x, "bad.h5: dataset /x claims more numbers than its bytes can hold");
    spoilt(no_features, "bad.h5: a table needs at least one feature");
    spoilt(text_y, "bad.h5: dataset /y does not hold numbers");
    spoilt(turned_shape, "bad.h5: attribute 'shape' of /x does not make 3 numbers");
    spoilt(three_classes, "bad.h5: row 1, column 'y': 10 is not a class from 0 to 2");
    spoilt(many_classes, "bad.h5: n_classes of /y is 2000000, not 0 to 1000000");
    spoilt(no_classes, "bad.h5: n_classes of /y is -1, not 0 to 1000000");
    spoilt(no_schema, "bad.h5: is an HDF5 file, but not one of bnn: it has no attribute 'schema'; tables come as CSV, weights by `bnn "
                      "import-weights`");
    spoilt(version_2, "bad.h5: has schema_version 2, this bnn reads 1");
    spoilt(no_x, "bad.h5: lacks dataset /x");
    spoilt(scalar_x, "bad.h5: dataset /x has 0 dimensions, expected 2");
    spoilt(no_title, "bad.h5: / lacks attribute 'title'");
    spoilt(other_title, "bad.h5: attribute 'title' of / does not hold 1 text(s)");
    spoilt(no_order, "bad.h5: lacks dataset /splits/order");
    spoilt(other_order, "bad.h5: /splits/order is for 1 rows, /x has 10");
    spoilt(nan_x, "bad.h5: row 1, column 'colour=blue': nan is not a finite number");
    spoilt(wild_order, "bad.h5: split 0: row number 10 is not from 0 to 9");
}
END_TEST

/* Changes a copy of a run's file by HDF5 itself, and loads it. */
static void spoilt_run(void (*spoil)(hid_t file), const char *sentence) {
    bnn_table *t = small_table();
    bnn_data *data;
    bnn_run *back;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    bnn_run *run = fit(data, PLAIN_NET, "mc_dropout:epochs=2");
    OK(bnn_run_save(run, NULL, NULL, files_path("bad.h5")));
    hid_t file = H5Fopen(files_path("bad.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    spoil(file);
    ck_assert_int_ge(H5Fclose(file), 0);
    REFUSED(bnn_run_load(files_path("bad.h5"), &back, NULL), sentence);
    ck_assert_ptr_null(back);
    bnn_run_free(run), bnn_data_free(data), bnn_table_free(t);
    files_remove();
}

static void write_first(hid_t file, const char *object, double value) {
    hid_t d = H5Dopen2(file, object, H5P_DEFAULT), space = H5Dget_space(d), one = H5Screate(H5S_SCALAR);
    H5Sselect_elements(space, H5S_SELECT_SET, 1, (const hsize_t[]){0});
    H5Dwrite(d, H5T_NATIVE_DOUBLE, one, space, H5P_DEFAULT, &value);
    H5Sclose(one), H5Sclose(space), H5Dclose(d);
}

static void no_sd(hid_t f) { write_first(f, "/scaling/x_sd", 0); }
static void nan_mean(hid_t f) { write_first(f, "/scaling/y_mean", NAN); }
static void other_status(hid_t f) { H5Adelete(f, "status"), H5Arename(f, "remark", "status"); }
static void fewer_steps(hid_t f) { write_int_attribute(f, "/", "steps", 1); }
static void no_kernel(hid_t f) { H5Ldelete(f, "/model_weights/dense_1/kernel", H5P_DEFAULT); }
static void other_labels(hid_t f) {
    H5Adelete_by_name(f, "/scaling/feature", "labels", H5P_DEFAULT), new_int_attribute(f, "/scaling/feature", "labels", 1);
}

START_TEST(spoilt_runs_are_refused) {
    spoilt_run(version_2, "bad.h5: has schema_version 2, this bnn reads 1");
    spoilt_run(no_sd, "bad.h5: entry 0 of /scaling/x_sd is 0, not a positive number");
    spoilt_run(nan_mean, "bad.h5: entry 0 of /scaling/y_mean is nan, not a finite number");
    spoilt_run(other_status, "bad.h5: status is '', not complete or partial");
    spoilt_run(fewer_steps, "bad.h5: has 1 steps for the 2 epochs of /metrics");
    spoilt_run(no_kernel, "bad.h5: lacks dataset /model_weights/dense_1/kernel");
    spoilt_run(other_labels, "bad.h5: attribute 'labels' of /scaling/feature has 1 entries, expected 3 texts");
}
END_TEST

START_TEST(other_files_are_refused) {
    bnn_table *t = small_table(), *back;
    bnn_run *run;
    bnn_comparison *c;
    bool same;
    char where[64];
    const char *data = files_path("data.h5");
    OK(bnn_table_save(t, data));
    REFUSED(bnn_table_load("/nowhere/x.h5", &back), "/nowhere/x.h5: No such file or directory");
    REFUSED(bnn_table_load(files_write("text.h5", "a,b\n1,2\n"), &back), "text.h5: is not an HDF5 file");
    REFUSED(bnn_run_load(data, &run, NULL), "data.h5: holds 'bnn-data', expected 'bnn-run'");
    REFUSED(bnn_comparison_load(data, &c), "data.h5: holds 'bnn-data', expected 'bnn-comparison'");
    REFUSED(bnn_file_diff(data, files_path("none.h5"), &same, where, sizeof where), "none.h5: No such file or directory");
    ck_assert(!same);
    ck_assert_int_eq(truncate(data, 4000), 0);
    REFUSED(bnn_table_load(data, &back),
            "data.h5: is truncated, damaged or being written: it has 4000 bytes, by its head 18030 belong to HDF5");
    bnn_table_free(t);
    files_remove();
}
END_TEST

START_TEST(bad_tables_are_not_written) {
    bnn_table *t = small_table();
    t->x[1] = NAN;
    REFUSED(bnn_table_save(t, files_path("a.h5")), "a.h5: row 1, column 'colour=blue': nan is not a finite number");
    t->x[1] = 0;
    REFUSED(bnn_table_save(t, files_path("nowhere/a.h5")), "nowhere/a.h5: cannot be written: No such file or directory");
    ck_assert_int_eq(mkdir(files_path("folder"), 0777), 0);
    REFUSED(bnn_table_save(t, files_path("folder")), "folder: is not a plain file, and stays");
    if (geteuid() != 0) {
        ck_assert_int_eq(chmod(files_path("folder"), 0555), 0);
        REFUSED(bnn_table_save(t, files_path("folder/a.h5")), "folder/a.h5: cannot be written: Permission denied");
    }
    ck_assert_int_eq(files_count(), 2); /* small.csv and the folder: no temporary file */
    bnn_table_free(t);
    files_remove();
}
END_TEST

/* A disk that is full after `bytes`: the old file stays, nothing else is left, and the process goes on. */
START_TEST(a_full_disk_leaves_the_old_file) {
    static const rlim_t bytes[] = {0, 100, 1000, 3000, 6000, 12000, 20000};
    bnn_table *t = small_table(), *images = image_table(), *back;
    struct rlimit old;
    OK(bnn_table_save(t, files_path("a.h5")));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    images->x[5] = 0.5; /* not bytes: 192,000 bytes in the file */
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes[i], old.rlim_max});
        bnn_status s = bnn_table_save(images, files_path("a.h5"));
        setrlimit(RLIMIT_FSIZE, &old);
        ck_assert_int_eq(s, BNN_ERR_FILE);
        ck_assert_msg(strncmp(files_sentence(), "a.h5: ", 6) == 0 && strstr(bnn_error(), "File too large"), "%s", bnn_error());
        ck_assert_int_eq(files_count(), 2);
        OK(bnn_table_load(files_path("a.h5"), &back));
        assert_equal_tables(t, back);
        bnn_table_free(back);
    }
    OK(bnn_table_save(images, files_path("a.h5")));
    bnn_table_free(t), bnn_table_free(images);
    files_remove();
}
END_TEST

/* Cut anywhere, a file is refused with a sentence and nothing worse. */
START_TEST(truncated_runs_are_refused) {
    bnn_table *t = small_table();
    bnn_data *data;
    bnn_run *back;
    struct stat s;
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    bnn_run *run = fit(data, PLAIN_NET, "map:epochs=2");
    OK(bnn_run_save(run, NULL, NULL, files_path("run.h5")));
    ck_assert_int_eq(stat(files_path("run.h5"), &s), 0);
    for (off_t cut = s.st_size - 1; cut > 0; cut -= s.st_size / 50) {
        ck_assert_int_eq(truncate(files_path("run.h5"), cut), 0);
        ck_assert_int_lt(bnn_run_load(files_path("run.h5"), &back, NULL), 0);
        ck_assert_ptr_null(back);
    }
    bnn_run_free(run), bnn_data_free(data), bnn_table_free(t);
    files_remove();
}
END_TEST

START_TEST(diff_says_where) {
    bnn_table *t = small_table();
    bool same;
    char where[256];
    const char *a = files_path("a.h5"), *b = files_path("b.h5");
    OK(bnn_table_save(t, a));
    t->x[4] += 1;
    OK(bnn_table_save(t, b));
    OK(bnn_file_diff(a, b, &same, where, sizeof where));
    ck_assert(!same);
    ck_assert_str_eq(where, "/x: entry 4 of 30 is 1 and 2");
    t->x[4] -= 1;
    OK(bnn_table_split(t, BNN_SPLIT_KFOLD, 2, 0));
    OK(bnn_table_save(t, b));
    OK(bnn_file_diff(a, b, &same, where, sizeof where));
    ck_assert_str_eq(where, "/split: only in the second file");
    OK(bnn_file_diff(b, a, &same, where, sizeof where));
    ck_assert_str_eq(where, "/split: only in the first file");
    OK(bnn_table_split(t, BNN_SPLIT_KFOLD, 3, 0));
    OK(bnn_table_save(t, a));
    OK(bnn_file_diff(a, b, &same, where, sizeof where));
    ck_assert_str_eq(where, "/split: the sizes differ");
    free(t->title);
    t->title = strdup("t");
    OK(bnn_table_save(t, b));
    OK(bnn_file_diff(a, b, &same, where, sizeof where));
    ck_assert_str_eq(where, "attribute 'title' of /: is 'small \xC3\xA9' and 't'");
    bnn_table_free(t);
    files_remove();
}
END_TEST

/* One change of any kind is found, in either order of the files. */
static void is_found(void (*change)(hid_t file), const char *sentence) {
    bnn_table *t = small_table();
    bool same;
    char where[512];
    const char *a = files_path("a.h5"), *b = files_path("b.h5");
    OK(bnn_table_split(t, BNN_SPLIT_KFOLD, 2, 0));
    OK(bnn_table_save(t, a));
    OK(bnn_table_save(t, b));
    hid_t file = H5Fopen(b, H5F_ACC_RDWR, H5P_DEFAULT);
    change(file);
    ck_assert_int_ge(H5Fclose(file), 0);
    OK(bnn_file_diff(a, b, &same, where, sizeof where));
    ck_assert_msg(!same, "not found: %s", sentence);
    ck_assert_str_eq(where, sentence);
    OK(bnn_file_diff(b, a, &same, where, sizeof where));
    ck_assert_msg(!same, "not found the other way round: %s", sentence);
    bnn_table_free(t);
    files_remove();
}

static void no_y(hid_t f) { H5Ldelete(f, "/y", H5P_DEFAULT); }
static void group_in_place_of_y(hid_t f) { no_y(f), H5Gclose(H5Gcreate2(f, "/y", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)); }
static void last_bit(hid_t f) { write_cell(f, "/y", 0, nextafter(10, 11)); }
static void other_number(hid_t f) { write_first(f, "/obs_id", -1); }
static void nan_y(hid_t f) { write_cell(f, "/y", 0, NAN); }
static void float_y(hid_t f) { table_in_place_of(f, "y", 10, 1, H5T_IEEE_F32LE); }
static void wide_y(hid_t f) { table_in_place_of(f, "y", 10, 2, H5T_IEEE_F64LE); }
static void flat_y(hid_t f) { scalar_in_place_of(f, "y", H5T_IEEE_F64LE); }
static void more_attributes(hid_t f) { new_int_attribute(f, "/splits/role", "more", 1); }
static void fewer_attributes(hid_t f) { H5Adelete_by_name(f, "/splits/role", "flag_meanings", H5P_DEFAULT); }
static void other_range(hid_t f) { H5Adelete(f, "scale_range"), new_int_attribute(f, "/", "scale_range", 1); }
static void without_a_dimension(hid_t f) {
    hid_t x = H5Dopen2(f, "/x", H5P_DEFAULT), scale = H5Dopen2(f, "/feature", H5P_DEFAULT);
    H5DSdetach_scale(x, scale, 1);
    H5Dclose(x), H5Dclose(scale);
}
static void on_another_dimension(hid_t f) {
    without_a_dimension(f);
    hid_t x = H5Dopen2(f, "/x", H5P_DEFAULT), scale = H5Dopen2(f, "/split", H5P_DEFAULT);
    H5DSattach_scale(x, scale, 1);
    H5Dclose(x), H5Dclose(scale);
}
static void no_dimension(hid_t f) { H5Adelete_by_name(f, "/split", "CLASS", H5P_DEFAULT); }

START_TEST(diff_finds_every_kind_of_difference) {
    is_found(no_y, "/y: only in the first file");
    is_found(group_in_place_of_y, "/y: a group in one file and a dataset in the other");
    is_found(last_bit, "/y: entry 0 of 10 is 10 and 10.000000000000002");
    is_found(other_number, "/obs_id: entry 0 of 10 is 0 and -1");
    is_found(nan_y, "/y: entry 0 of 10 is 10 and nan");
    is_found(float_y, "/y: the types differ");
    is_found(wide_y, "/y: the sizes differ");
    is_found(flat_y, "/y: the sizes differ");
    is_found(more_attributes, "attribute 'more' of /splits/role: only in the second file");
    is_found(fewer_attributes, "attribute 'flag_meanings' of /splits/role: only in the first file");
    is_found(other_range, "attribute 'scale_range' of /: the types differ");
    is_found(without_a_dimension, "/x: the dimensions are '/obs_id, /feature' and '/obs_id'");
    is_found(on_another_dimension, "/x: the dimensions are '/obs_id, /feature' and '/obs_id, /split'");
    is_found(no_dimension, "/split: a dimension in one file only");
}
END_TEST

/* Writes the number of an attribute again as a vector of one, as nccopy does; and leaves netCDF's own mark. */
static void like_netcdf(hid_t file, double range) {
    const hsize_t one = 1;
    hid_t vector = H5Screate_simple(1, &one, NULL), scalar = H5Screate(H5S_SCALAR);
    H5Adelete(file, "scale_range");
    hid_t a = H5Acreate2(file, "scale_range", H5T_IEEE_F64LE, vector, H5P_DEFAULT, H5P_DEFAULT);
    hid_t mark = H5Acreate2(file, "_NCProperties", H5T_NATIVE_INT, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(a, H5T_NATIVE_DOUBLE, &range);
    H5Aclose(a), H5Aclose(mark), H5Sclose(vector), H5Sclose(scalar);
}

START_TEST(what_netcdf_has_copied_is_equal) {
    bnn_table *t = small_table();
    bool same;
    char where[256];
    const char *a = files_path("a.h5"), *b = files_path("b.h5");
    OK(bnn_table_save(t, a));
    for (int other = 0; other < 2; other++) {
        OK(bnn_table_save(t, b));
        hid_t file = H5Fopen(b, H5F_ACC_RDWR, H5P_DEFAULT);
        like_netcdf(file, t->range + other);
        ck_assert_int_ge(H5Fclose(file), 0);
        OK(bnn_file_diff(a, b, &same, where, sizeof where));
        ck_assert_msg(same == !other, "%s", where);
    }
    bnn_table_free(t);
    files_remove();
}
END_TEST

/* Types and links that no file of bnn has, in both files. */
static void diff_refuses(void (*spoil)(hid_t file), const char *sentence) {
    bnn_table *t = small_table();
    bool same;
    char where[256];
    const char *path[] = {files_path("a.h5"), files_path("b.h5")};
    for (int i = 0; i < 2; i++) {
        OK(bnn_table_save(t, path[i]));
        hid_t file = H5Fopen(path[i], H5F_ACC_RDWR, H5P_DEFAULT);
        spoil(file);
        H5Fclose(file);
    }
    REFUSED(bnn_file_diff(path[0], path[1], &same, where, sizeof where), sentence);
    ck_assert(!same);
    bnn_table_free(t);
    files_remove();
}

static void opaque(hid_t f) {
    hid_t type = H5Tcreate(H5T_OPAQUE, 300);
    scalar_in_place_of(f, "x", type);
    H5Tclose(type);
}
static void fixed_text(hid_t f) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 8);
    scalar_in_place_of(f, "x", type);
    H5Tclose(type);
}
static void circle(hid_t f) { H5Lcreate_hard(f, "/", f, "/a", H5P_DEFAULT, H5P_DEFAULT); }
static void dead_end(hid_t f) { H5Lcreate_soft("/nowhere", f, "/a", H5P_DEFAULT, H5P_DEFAULT); }

START_TEST(diff_refuses_what_it_cannot_compare) {
    diff_refuses(opaque, "a.h5 or b.h5: /x has a type that no file of bnn has");
    diff_refuses(fixed_text, "a.h5 or b.h5: /x has a type that no file of bnn has");
    diff_refuses(circle, "a.h5 or b.h5: /a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a stands deeper than any group of bnn");
    diff_refuses(dead_end, "a.h5 or b.h5: /a cannot be read: out of memory, or the file is damaged");
}
END_TEST

int main(void) {
    return run_tests("store", (const TTest *const[]){tables_come_back,
                                                     maps_come_back,
                                                     rows_to_predict_come_back,
                                                     sha256_is_right,
                                                     runs_come_back,
                                                     class_runs_come_back,
                                                     a_stopped_run_says_so,
                                                     equal_runs_are_equal_provenance_apart,
                                                     equal_work_is_equal_bytes_at_any_number_of_threads,
                                                     comparisons_come_back,
                                                     scores_of_each_class_come_back,
                                                     a_run_with_predictions_is_a_comparison_of_one,
                                                     spoilt_files_are_refused,
                                                     spoilt_runs_are_refused,
                                                     other_files_are_refused,
                                                     bad_tables_are_not_written,
                                                     a_full_disk_leaves_the_old_file,
                                                     truncated_runs_are_refused,
                                                     diff_says_where,
                                                     diff_finds_every_kind_of_difference,
                                                     diff_refuses_what_it_cannot_compare,
                                                     what_netcdf_has_copied_is_equal,
                                                     NULL});
}
