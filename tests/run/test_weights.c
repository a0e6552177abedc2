/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_weights.c: runs made of weights trained elsewhere: what they predict, which noise they get, and every refusal.
 */
#include "files.h"

#include <bnn/predict.h>
#include <bnn/store.h>
#include <hdf5_hl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 40, IN = 3 };

/* ---------------------------------------------------------------- weights in memory */

/* An array of this name and shape whose entries are 0.01, 0.02, ... */
static bnn_weight array(const char *name, int rank, int rows, int cols) {
    int n = rank == 2 ? rows * cols : rows;
    bnn_weight w = {.name = strdup(name), .shape = {.rank = rank, .d = {rows, cols}}, .value = calloc((size_t)n + 1, sizeof *w.value)};
    for (int i = 0; i < n; i++) w.value[i] = 0.01 * (i + 1);
    ck_assert_int_gt(asprintf(&w.path, "/d/%s", name), 0);
    return w;
}

static bnn_weights *weights_new(void) {
    bnn_weights *w = calloc(1, sizeof *w);
    w->path = strdup("w.h5");
    return w;
}

/* Adds a layer of n arrays. */
static void add_layer(bnn_weights *w, const char *name, int n, ...) {
    va_list arrays;
    w->layer = realloc(w->layer, (size_t)(w->n + 1) * sizeof *w->layer);
    bnn_weights_layer *l = &w->layer[w->n++];
    *l = (bnn_weights_layer){.name = strdup(name), .n = n, .weight = calloc((size_t)n, sizeof *l->weight)};
    va_start(arrays, n);
    for (int k = 0; k < n; k++) l->weight[k] = va_arg(arrays, bnn_weight);
    va_end(arrays);
}

static void add_dense(bnn_weights *w, const char *name, int in, int out) {
    add_layer(w, name, 2, array("kernel", 2, in, out), array("bias", 1, out, 0));
}

static bnn_weights *two_dense(void) {
    bnn_weights *w = weights_new();
    add_dense(w, "one", IN, 4);
    add_dense(w, "two", 4, 1);
    return w;
}

static bnn_run *run_of(const bnn_weights *w, const char *net, const char *engine, const bnn_data *data) {
    bnn_run *run;
    OK(bnn_weights_run(w, &(bnn_config){.net = net, .engine = engine}, data, &run));
    ck_assert(run->complete);
    return run;
}

static bnn_prediction *prediction_of(const bnn_run *run, const bnn_data *data) {
    bnn_prediction *p;
    OK(bnn_predict(run->engine, data, &(bnn_predict_options){.samples = 20, .seed = 3}, &p));
    return p;
}

/* ---------------------------------------------------------------- what is predicted */

START_TEST(a_missing_bias_is_zero) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_weights *w = weights_new();
    add_layer(w, "one", 1, array("kernel", 2, IN, 4));
    add_dense(w, "two", 4, 1);
    bnn_run *run = run_of(w, "dense:4; relu; dense", "map", r.data);
    bnn_prediction *p = prediction_of(run, r.data);
    for (int i = 0; i < ROWS; i++) {
        double y = 0.01;
        for (int u = 0; u < 4; u++) {
            double h = 0;
            for (int k = 0; k < IN; k++) h += (double)r.data->x[i * IN + k] * 0.01 * (4 * k + u + 1);
            y += fmax(h, 0) * 0.01 * (u + 1);
        }
        y = y * r.data->scaling.y_sd[0] + r.data->scaling.y_mean[0];
        ck_assert_msg(fabs(p->mean[i] - y) < 10 * ROUNDING, "row %d: %.9g, not %.9g", i, p->mean[i], y);
    }
    bnn_prediction_free(p), bnn_run_free(run), bnn_weights_free(w);
    test_rows_free(&r);
}
END_TEST

/* The residuals' mean square, of one target and of the noise-free pass even where the engine has gates; the prior's half row is with them.
 */
START_TEST(noise_is_that_of_the_residuals) {
    static const char *const engines[] = {"map", "mc_dropout:p=0.4"};
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_weights *w = two_dense();
    bnn_run *map = run_of(w, "dense:4; relu; dense", "map", r.data);
    bnn_prediction *p = prediction_of(map, r.data);
    double squares = 0;
    for (int i = 0; i < ROWS; i++) squares += pow(p->mean[i] - r.table->y[r.data->rows[i]], 2);
    squares = (squares + 0.5 * pow(0.05 * r.data->scaling.y_sd[0], 2)) / (ROWS + 0.5);
    for (int e = 0; e < 2; e++) {
        bnn_run *run = run_of(w, "dense:4; relu; dense", engines[e], r.data);
        bnn_prediction *q = prediction_of(run, r.data);
        ck_assert_msg(fabs(q->var_aleatoric[0] / squares - 1) < 1e-4, "%s: %.9g, not %.9g", engines[e], q->var_aleatoric[0], squares);
        ck_assert_uint_eq(run->cost.forwards, 1);
        ck_assert_uint_eq(run->cost.gradients, 0);
        bnn_prediction_free(q), bnn_run_free(run);
    }
    char noise[64];
    snprintf(noise, sizeof noise, "; noise sd %.4g, from the residuals of 40 training rows", sqrt(squares));
    ck_assert_msg(strstr(map->remark, noise) != NULL, "'%s' lacks '%s'", map->remark, noise);
    ck_assert_ptr_nonnull(strstr(map->remark, "weights of w.h5: dense_1 from 'one', dense_2 from 'two'; "));
    bnn_prediction_free(p), bnn_run_free(map), bnn_weights_free(w);
    test_rows_free(&r);
}
END_TEST

/* Width and targets of the weights, columns as they are. */
static bnn_data *made_rows(const bnn_weights *w, const char *net, const char *likelihood, bnn_table **table) {
    bnn_scaling scaling;
    bnn_data *data;
    OK(bnn_weights_table(w, &(bnn_config){.net = net, .likelihood = likelihood}, table));
    OK(bnn_scaling_identity(bnn_shape_size((*table)->x_shape), (*table)->y_dim, &scaling));
    OK(bnn_data_new(*table, 0, NULL, &scaling, &data));
    bnn_scaling_free(&scaling);
    return data;
}

START_TEST(without_targets_the_noise_is_one_sd) {
    bnn_weights *w = two_dense();
    bnn_table *made;
    bnn_data *none = made_rows(w, "dense:4; relu; dense", NULL, &made);
    bnn_run *run = run_of(w, "dense:4; relu; dense", "map", none);
    ck_assert_ptr_nonnull(strstr(run->remark, "; noise sd 1, which was not learned: there are no targets"));
    ck_assert_uint_eq(run->cost.forwards, 0);
    bnn_run_free(run), bnn_data_free(none), bnn_table_free(made), bnn_weights_free(w);
}
END_TEST

START_TEST(tables_are_as_wide_as_the_weights) {
    static const struct {
        const char *net, *likelihood;
        int units, y_dim, n_classes;
    } cases[] = {{"dense", NULL, 4, 4, 0},
                 {"dense", "categorical", 4, 1, 4},
                 {"dense", "bernoulli", 1, 1, 2},
                 {"dense", "heteroscedastic", 4, 2, 0},
                 {"dense", "gaussian:tau=2", 1, 1, 0}};
    bnn_table *t;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bnn_weights *w = weights_new();
        add_dense(w, "d", 6, cases[c].units);
        OK(bnn_weights_table(w, &(bnn_config){.net = cases[c].net, .likelihood = cases[c].likelihood}, &t));
        ck_assert(bnn_shape_equal(t->x_shape, bnn_shape_vector(6)));
        ck_assert_int_eq(t->y_dim, cases[c].y_dim);
        ck_assert_int_eq(t->n_classes, cases[c].n_classes);
        bnn_table_free(t);
        OK(bnn_weights_table(w, &(bnn_config){.net = "input:1x2x3; flatten; dense", .likelihood = cases[c].likelihood}, &t));
        ck_assert(bnn_shape_equal(t->x_shape, (bnn_shape){.rank = 3, .d = {1, 2, 3}}));
        bnn_table_free(t), bnn_weights_free(w);
    }
}
END_TEST

START_TEST(scaling_of_the_file_may_leave_targets_alone) {
    bnn_weights *w = two_dense();
    bnn_table *t = table_new(5, IN, 0, 1);
    bnn_scaling s;
    OK(bnn_scaling_identity(IN, 0, &w->scaling));
    for (int k = 0; k < IN; k++) w->scaling.x_mean[k] = k + 1, w->scaling.x_sd[k] = k + 2;
    OK(bnn_weights_scaling(w, t, &s));
    ck_assert_mem_eq(s.x_mean, w->scaling.x_mean, IN * sizeof(double));
    ck_assert_mem_eq(s.x_sd, w->scaling.x_sd, IN * sizeof(double));
    ck_assert_double_eq(s.y_mean[0], 0);
    ck_assert_double_eq(s.y_sd[0], 1);
    bnn_scaling_free(&s), bnn_table_free(t), bnn_weights_free(w);
}
END_TEST

/* ---------------------------------------------------------------- runs of bnn */

/* The weights of a saved run make a run that predicts the same bits, with the data and without them. */
static void comes_back(const bnn_data *data, const char *net, const char *engine, const char *likelihood) {
    bnn_run *run;
    bnn_weights *w;
    bnn_table *made;
    bnn_scaling scaling;
    bnn_data *none;
    bnn_config config = {.net = net, .engine = engine, .likelihood = likelihood};
    OK(bnn_fit(&config, data, &run));
    OK(bnn_run_save(run, NULL, NULL, files_path("run.h5")));
    OK(bnn_weights_load(files_path("run.h5"), &w));
    OK(bnn_weights_table(w, &config, &made));
    OK(bnn_weights_scaling(w, made, &scaling));
    OK(bnn_data_new(made, 0, NULL, &scaling, &none));
    bnn_prediction *p = prediction_of(run, data);
    for (int with_data = 0; with_data < 2; with_data++) {
        bnn_run *again = run_of(w, net, engine, with_data ? data : none);
        bnn_prediction *q = prediction_of(again, data);
        size_t n = (size_t)(p->n * p->mean_dim) * sizeof(double);
        ck_assert_str_eq(again->engine->texts.likelihood, run->engine->texts.likelihood);
        ck_assert_msg(memcmp(p->mean, q->mean, n) == 0 && memcmp(p->var_aleatoric, q->var_aleatoric, n) == 0 &&
                          memcmp(p->logp, q->logp, (size_t)p->n * sizeof(double)) == 0,
                      "%s: other predictions", engine);
        bnn_prediction_free(q), bnn_run_free(again);
    }
    bnn_prediction_free(p), bnn_run_free(run), bnn_scaling_free(&scaling);
    bnn_data_free(none), bnn_table_free(made), bnn_weights_free(w);
}

START_TEST(runs_of_bnn_come_back) {
    test_rows r = test_rows_new(ROWS, IN, 0), classes = test_rows_new(ROWS, IN, 3), two = test_rows_new(ROWS, IN, 2);
    comes_back(r.data, "dense:4; tanh; dense", "map:epochs=5", NULL);
    comes_back(r.data, "dense:4; tanh; dense", "map:epochs=5", "heteroscedastic");
    comes_back(r.data, "dense:4,bias=no; tanh; dense", "mc_dropout:p=0.3,epochs=5", NULL);
    comes_back(r.data, "dense:4; tanh; dense", "mc_dropout:gates=concrete,epochs=5", NULL);
    comes_back(r.data, "dense:4; tanh; dense", "bayes_by_backprop:epochs=5", NULL);
    comes_back(classes.data, "a = dense:4; relu; b = dense:4; add(a, b); dense", "mc_dropout:epochs=5", NULL);
    comes_back(two.data, "dense:4; tanh; dense", "map:epochs=5", "bernoulli");
    test_rows_free(&r), test_rows_free(&classes), test_rows_free(&two);
    files_remove();
}
END_TEST

START_TEST(remarks_come_back) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_weights *w = two_dense();
    bnn_run *run = run_of(w, "dense:4; relu; dense", "map", r.data), *back;
    OK(bnn_run_save(run, NULL, &(bnn_provenance){.weights_path = "w.h5", .split = -1}, files_path("run.h5")));
    OK(bnn_run_load(files_path("run.h5"), &back, NULL));
    ck_assert(back->complete);
    ck_assert_str_eq(back->remark, run->remark);
    bnn_run_free(run), bnn_run_free(back), bnn_weights_free(w);
    test_rows_free(&r);
    files_remove();
}
END_TEST

/* ---------------------------------------------------------------- the order of layers */

/* Layers of these names, IN x 4, 4 x 4 (all between) and 4 x 1, in a file without an order. */
static bnn_weights *unordered(int n, const char *const *names, const int *place) {
    bnn_weights *w = weights_new();
    w->by_name = true;
    for (int i = 0; i < n; i++) add_dense(w, names[i], place[i] == 0 ? IN : 4, place[i] == n - 1 ? 1 : 4);
    return w;
}

START_TEST(names_and_shapes_tell_one_order) {
    static const struct {
        int n;
        const char *names[4], *said;
        int place[4];
    } cases[] = {
        {2, {"a", "b"}, "dense_1 from 'b', dense_2 from 'a', the only order that fits; ", {1, 0}},
        {2, {"x2", "y1"}, "dense_1 from 'x2', dense_2 from 'y1', the only order that fits; ", {0, 1}},
        {3, {"dense", "dense_1", "dense_2"}, "dense_1 from 'dense', dense_2 from 'dense_1', dense_3 from 'dense_2'; ", {0, 1, 2}},
        {3, {"fc10", "fc2", "fc1"}, "dense_1 from 'fc1', dense_2 from 'fc2', dense_3 from 'fc10'; ", {2, 1, 0}},
        {4, {"x", "y.1", "y.2", "z"}, "dense_1 from 'x', dense_2 from 'y.1', dense_3 from 'y.2', dense_4 from 'z', the only", {0, 1, 2, 3}},
        {4,
         {"d/a", "d/b", "e/a", "e/b"},
         "dense_1 from 'e/b', dense_2 from 'e/a', dense_3 from 'd/a', dense_4 from 'd/b', the only",
         {2, 3, 1, 0}},
    };
    static const char *const nets[] = {[2] = "dense:4; dense", [3] = "dense:4; dense:4; dense", [4] = "dense:4; dense:4; dense:4; dense"};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bnn_weights *w = unordered(cases[c].n, cases[c].names, cases[c].place);
        bnn_table *made;
        bnn_data *none = made_rows(w, nets[cases[c].n], NULL, &made);
        ck_assert_int_eq(made->x_shape.d[0], IN);
        ck_assert_int_eq(made->y_dim, 1);
        bnn_run *run = run_of(w, nets[cases[c].n], "map", none);
        ck_assert_msg(strstr(run->remark, cases[c].said) != NULL, "'%s' lacks '%s'", run->remark, cases[c].said);
        bnn_run_free(run), bnn_data_free(none), bnn_table_free(made), bnn_weights_free(w);
    }
}
END_TEST

START_TEST(several_orders_are_refused) {
    static const char *const names[] = {"in", "mid", "more", "out"};
    static const int place[] = {0, 1, 2, 3}, ends[] = {1, 1};
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_table *made;
    bnn_run *run;
    bnn_weights *w = unordered(4, names, place);
    const bnn_config config = {.net = "dense:4; dense:4; dense:4; dense", .engine = "map"};
    REFUSED(bnn_weights_run(w, &config, r.data, &run),
            "w.h5: the order of its layers in, mid, more, out is not in the file, and the network takes several: name it, such as --order "
            "in,mid,more,out");
    OK(bnn_weights_order(w, "in,more,mid,out"));
    OK(bnn_weights_run(w, &config, r.data, &run));
    ck_assert_ptr_nonnull(strstr(run->remark, "dense_1 from 'in', dense_2 from 'more', dense_3 from 'mid', dense_4 from 'out'; "));
    bnn_run_free(run), bnn_weights_free(w);
    w = unordered(2, names, ends); /* 4 x 1 both: neither is as wide as the other's outputs */
    REFUSED(bnn_weights_table(w, &config, &made),
            "w.h5: the order of its layers in, mid is not in the file, and several would do: name it, such as --order in,mid");
    bnn_weights_free(w);
    w = weights_new();
    w->by_name = true;
    for (int i = 0; i < 200; i++) { /* too many ways to try */
        char name[16];
        snprintf(name, sizeof name, "%c%cx", 'a' + i / 20, 'a' + i % 20);
        add_dense(w, name, 4, 4);
    }
    SAYS(bnn_weights_table(w, &config, &made), "is not in the file, and several would do");
    bnn_weights_free(w);
    test_rows_free(&r);
}
END_TEST

/* ---------------------------------------------------------------- weights that do not fit */

static void refused(bnn_weights *w, const char *net, const char *engine, const char *sentence) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_run *run;
    REFUSED(bnn_weights_run(w, &(bnn_config){.net = net, .engine = engine}, r.data, &run), sentence);
    ck_assert_ptr_null(run);
    bnn_weights_free(w);
    test_rows_free(&r);
}

START_TEST(layers_without_a_node_are_refused) {
    bnn_weights *w = two_dense();
    add_layer(w, "batch_normalization", 4, array("gamma", 1, 4, 0), array("beta", 1, 4, 0), array("moving_mean", 1, 4, 0),
              array("moving_variance", 1, 4, 0));
    refused(
        w, "dense:4; relu; dense", "map",
        "w.h5: layer 'batch_normalization' holds gamma [4], beta [4], moving_mean [4], moving_variance [4]: no node of the network takes "
        "that; 'dense_1' (dense) takes kernel [3x4], bias [4]");
    w = weights_new();
    add_layer(w, "conv2d", 2, (bnn_weight){.name = strdup("kernel"), .shape = {.rank = 4, .d = {3, 3, 1, 8}}}, array("bias", 1, 8, 0));
    refused(
        w, "dense", "map",
        "w.h5: layer 'conv2d' holds kernel [3x3x1x8], bias [8]: no node of the network takes that; 'dense_1' (dense) takes kernel [3x1], "
        "bias [1]");
    refused(two_dense(), "dense:4,bias=no; relu; dense:bias=no", "map",
            "w.h5: layer 'one' holds kernel [3x4], bias [4]: no node of the network takes that; 'dense_1' (dense) takes kernel [3x4]");
    refused(two_dense(), "dense:4; relu; dense", "bayes_by_backprop",
            "w.h5: layer 'one' holds kernel [3x4], bias [4]: no node of the network takes that; 'gaussian_dense_1' (gaussian_dense) takes "
            "kernel_mu [3x4], bias_mu [4], kernel_rho [3x4], bias_rho [4]");
    w = weights_new();
    add_layer(w, "twice", 2, array("kernel", 2, 3, 1), array("kernel", 2, 3, 1));
    refused(
        w, "dense", "map",
        "w.h5: layer 'twice' holds kernel [3x1], kernel [3x1]: no node of the network takes that; 'dense_1' (dense) takes kernel [3x1], "
        "bias [1]");
}
END_TEST

START_TEST(networks_without_weights_are_refused) {
    bnn_weights *w = two_dense();
    bnn_table *t = table_new(ROWS, 1, 0, 1);
    bnn_data *d = data_new(t);
    bnn_run *run;
    REFUSED(bnn_weights_run(w, &(bnn_config){.net = "relu", .engine = "map"}, d, &run),
            "w.h5: layer 'one' holds kernel [3x4], bias [4], but no node of the network has weights");
    bnn_data_free(d), bnn_table_free(t), bnn_weights_free(w);
}
END_TEST

START_TEST(other_numbers_of_layers_are_refused) {
    refused(two_dense(), "dense", "map", "w.h5: 2 layers hold weights (one, two), but 1 node of the network takes them (dense_1)");
    bnn_weights *w = weights_new();
    add_dense(w, "one", IN, 1);
    refused(w, "dense:4; relu; b = dense:3; dense", "mc_dropout",
            "w.h5: 1 layer holds weights (one), but 3 nodes of the network take them (dense_1, b, dense_2)");
    w = weights_new();
    for (int i = 0; i < 60; i++) add_dense(w, "a_long_name", IN, 1);
    refused(w, "dense", "map",
            "w.h5: 60 layers hold weights (a_long_name, a_long_name, a_long_name, a_long_name, a_long_name, a_long_name, a_long_name, "
            "a_long_name, a_long_name, a_long_name, a_long_name, a_long_name, a_long_name, a_long_name, a_long_name, a_long_name, "
            "a_long_name, a_long_name, a_long_name, ...), but 1 node of the network takes them (dense_1)");
}
END_TEST

START_TEST(other_shapes_are_refused) {
    bnn_weights *w = weights_new();
    add_layer(w, "one", 1, array("kernel", 2, 4, IN));
    add_dense(w, "two", 4, 1);
    refused(w, "dense:4; relu; dense", "map",
            "w.h5: dataset /d/kernel has shape [4x3], but node 'dense_1' (dense) takes [3x4]: transposed it would fit");
    refused(two_dense(), "dense:5; relu; dense", "map", "w.h5: dataset /d/kernel has shape [3x4], but node 'dense_1' (dense) takes [3x5]");
    w = weights_new();
    add_layer(w, "one", 2, array("kernel", 2, IN, 1), array("bias", 1, 2, 0));
    refused(w, "dense", "map", "w.h5: dataset /d/bias has shape [2], but node 'dense_1' (dense) takes [1]");
}
END_TEST

START_TEST(weights_that_are_not_finite_are_refused) {
    bnn_weights *w = two_dense();
    w->layer[0].weight[0].value[7] = NAN;
    refused(w, "dense:4; relu; dense", "map", "w.h5: dataset /d/kernel: entry 7 of 12 is nan, not a finite number");
    w = two_dense();
    w->layer[1].weight[1].value[0] = INFINITY;
    refused(w, "dense:4; relu; dense", "map", "w.h5: dataset /d/bias: entry 0 of 1 is inf, not a finite number");
#if !BNN_REAL_IS_DOUBLE
    w = two_dense();
    w->layer[0].weight[0].value[0] = 1e300;
    refused(w, "dense:4; relu; dense", "map", "w.h5: dataset /d/kernel: entry 0 of 12 is 1e+300, too large for a float");
#endif
}
END_TEST

START_TEST(engines_that_have_to_fit_are_refused) {
    refused(
        two_dense(), "dense:4; relu; dense", "grid_search",
        "engine 'grid_search' has to fit before it can predict; weights trained elsewhere are taken by map, mc_dropout, bayes_by_backprop, "
        "held_out_dropout");
}
END_TEST

/* A network that is right to the last bit tells no noise. */
START_TEST(noise_that_rows_do_not_tell_is_refused) {
    bnn_weights *w = weights_new();
    bnn_table *t = table_new(ROWS, IN, 0, 1);
    bnn_scaling s;
    bnn_data *d;
    bnn_run *run;
    add_dense(w, "one", IN, 1);
    memset(w->layer[0].weight[0].value, 0, IN * sizeof(double)), w->layer[0].weight[1].value[0] = 0.5;
    for (int i = 0; i < ROWS; i++) t->y[i] = 0.5;
    OK(bnn_scaling_identity(IN, 1, &s));
    OK(bnn_data_split(t, -1, BNN_TRAIN, &s, &d));
    REFUSED(bnn_weights_run(w, &(bnn_config){.net = "dense", .engine = "map", .likelihood = "gaussian:shape=0"}, d, &run),
            "likelihood 'gaussian': 40 rows do not tell its noise, as where the network fits them without error: fix it");
    OK(bnn_weights_run(w, &(bnn_config){.net = "dense", .engine = "map", .likelihood = "gaussian:tau=100"}, d, &run));
    bnn_run_free(run), bnn_data_free(d), bnn_scaling_free(&s), bnn_table_free(t), bnn_weights_free(w);
}
END_TEST

START_TEST(shapes_and_scalings_that_do_not_fit_are_refused) {
    bnn_weights *w = two_dense();
    bnn_table *t = table_new(5, 2, 0, 1), *made;
    bnn_scaling s;
    REFUSED(bnn_weights_scaling(w, t, &s), "w.h5: has no group /scaling with x_mean and x_sd");
    OK(bnn_scaling_identity(IN, 1, &w->scaling));
    REFUSED(bnn_weights_scaling(w, t, &s), "w.h5: /scaling is of 3 feature and 1 target columns, the data have 2 and 1");
    REFUSED(bnn_weights_table(w, &(bnn_config){.net = "dense", .likelihood = "categorical"}, &made),
            "likelihood 'categorical' does not go with a network that ends with 1 unit");
    SAYS(bnn_weights_table(w, &(bnn_config){.net = "dense", .likelihood = "gauss"}, &made), "unknown likelihood 'gauss': there are ");
    SAYS(bnn_weights_table(w, &(bnn_config){.net = "input:x; dense"}, &made), "option 'shape'");
    bnn_weights_free(w);
    w = weights_new();
    add_layer(w, "norm", 1, array("gamma", 1, 4, 0));
    REFUSED(bnn_weights_table(w, &(bnn_config){.net = "dense"}, &made),
            "w.h5: holds no kernel [in, out] that would say how many features there are");
    bnn_table_free(t), bnn_weights_free(w);
}
END_TEST

/* ---------------------------------------------------------------- files that are not right */

static void put(hid_t file, const char *path, int rank, const hsize_t *extent) {
    double values[64] = {0};
    hid_t list = H5Pcreate(H5P_LINK_CREATE), space = H5Screate_simple(rank, extent, NULL);
    H5Pset_create_intermediate_group(list, 1);
    hid_t d = H5Dcreate2(file, path, H5T_IEEE_F64LE, space, list, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(d), H5Sclose(space), H5Pclose(list);
}

static void nothing(hid_t file) { put(file, "/optimizer/vars/0", 2, (const hsize_t[]){2, 2}); }
static void listed(hid_t file) { H5LTset_attribute_string(file, "/", "layer_names", "dense"); }
static void unnamed(hid_t file) {
    listed(file);
    put(file, "/dense/kernel", 2, (const hsize_t[]){2, 2});
}
static void lacking(hid_t file) {
    unnamed(file);
    H5LTset_attribute_string(file, "/dense", "weight_names", "dense/kernel:0");
}
static void numbered(hid_t file) { H5LTset_attribute_int(file, "/", "layer_names", (const int[]){1, 2}, 2); }
static void deep(hid_t file) { put(file, "/conv3d/kernel", 5, (const hsize_t[]){1, 1, 1, 2, 2}); }
static void texts(hid_t file) {
    H5Gclose(H5Gcreate2(file, "/dense", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5LTmake_dataset_string(file, "/dense/kernel", "text");
}
static void flat(hid_t file) {
    put(file, "/dense/kernel", 2, (const hsize_t[]){2, 2});
    put(file, "/scaling/x_mean", 1, (const hsize_t[]){2});
    put(file, "/scaling/x_sd", 1, (const hsize_t[]){2});
}
static void half(hid_t file) {
    put(file, "/dense/kernel", 2, (const hsize_t[]){2, 2});
    put(file, "/scaling/x_mean", 1, (const hsize_t[]){2});
}

START_TEST(files_without_weights_are_refused) {
    static const struct {
        void (*write)(hid_t file);
        const char *sentence;
    } cases[] = {
        {nothing,
         "w.h5: holds no weights: expected Keras's attribute 'layer_names', or layers with arrays kernel [in, out] or weight [out, in], "
         "and bias"},
        {listed, "w.h5: lacks group /dense with an attribute 'weight_names'"},
        {unnamed, "w.h5: lacks group /dense with an attribute 'weight_names'"},
        {lacking, "w.h5: lacks dataset /dense/dense/kernel:0"},
        {numbered, "w.h5: attribute 'layer_names' of / does not hold 2 text(s)"},
        {deep, "w.h5: dataset /conv3d/kernel has 5 dimensions, at most 4 are known"},
        {texts, "w.h5: dataset /dense/kernel does not hold numbers"},
        {flat, "w.h5: dataset /scaling/x_sd: entry 0 of 2 is 0, expected a positive number"},
        {half, "w.h5: lacks dataset /scaling/x_sd"},
    };
    bnn_weights *w;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        hid_t file = H5Fcreate(files_path("w.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        cases[c].write(file);
        H5Fclose(file);
        REFUSED(bnn_weights_load(files_path("w.h5"), &w), cases[c].sentence);
        ck_assert_ptr_null(w);
    }
    REFUSED(bnn_weights_load(files_path("none.h5"), &w), "none.h5: No such file or directory");
    REFUSED(bnn_weights_load(files_write("w.h5", "kernel"), &w), "w.h5: is not an HDF5 file");
    files_remove();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_missing_bias_is_zero,
                                  noise_is_that_of_the_residuals,
                                  without_targets_the_noise_is_one_sd,
                                  tables_are_as_wide_as_the_weights,
                                  scaling_of_the_file_may_leave_targets_alone,
                                  runs_of_bnn_come_back,
                                  remarks_come_back,
                                  names_and_shapes_tell_one_order,
                                  several_orders_are_refused,
                                  layers_without_a_node_are_refused,
                                  networks_without_weights_are_refused,
                                  other_numbers_of_layers_are_refused,
                                  other_shapes_are_refused,
                                  weights_that_are_not_finite_are_refused,
                                  engines_that_have_to_fit_are_refused,
                                  noise_that_rows_do_not_tell_is_refused,
                                  shapes_and_scalings_that_do_not_fit_are_refused,
                                  files_without_weights_are_refused,
                                  NULL};
    return run_tests("weights", tests);
}
