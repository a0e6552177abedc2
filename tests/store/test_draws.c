/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_draws.c: the draws that a file keeps are those that the prediction beside them was made of, and their weights give their means.
 */
#include "files.h"

#include <bnn/diagnose.h>
#include <bnn/store.h>
#include <bnn/store.h>
#include <hdf5.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* The numbers of a dataset; their count in *n. */
static double *read_numbers(const char *path, const char *object, size_t *n) {
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), d = H5Dopen2(file, object, H5P_DEFAULT), space = H5Dget_space(d);
    ck_assert_msg(d >= 0, "%s is not there", object);
    *n = (size_t)H5Sget_simple_extent_npoints(space);
    double *v = malloc((*n + 1) * sizeof *v);
    ck_assert_int_ge(H5Dread(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v), 0);
    H5Sclose(space), H5Dclose(d), H5Fclose(file);
    return v;
}

static double *read_exactly(const char *path, const char *object, size_t n) {
    size_t found;
    double *v = read_numbers(path, object, &found);
    ck_assert_msg(found == n, "%s has %zu numbers, expected %zu", object, found, n);
    return v;
}

static bool has(const char *path, const char *object) {
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    H5E_auto2_t print;
    void *context;
    H5Eget_auto2(H5E_DEFAULT, &print, &context);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    bool there = H5Oexists_by_name(file, object, H5P_DEFAULT) > 0;
    H5Eset_auto2(H5E_DEFAULT, print, context);
    H5Fclose(file);
    return there;
}

/* A run whose draws on its own rows are kept in a file. */
typedef struct {
    bnn_data *rows;
    bnn_run *run;
    bnn_prediction *p;
    const char *path;
} kept;

static kept keep(const bnn_table *t, const char *net, const char *engine, int samples) {
    kept k = {.rows = data_new(t), .path = files_path("kept.h5")};
    bnn_draws *draws;
    bnn_predict_options how = {.samples = samples, .seed = 3};
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine, .seed = 1}, k.rows, &k.run));
    OK(bnn_draws_open(k.path, BNN_KEEP_POSTERIOR | BNN_KEEP_PREDICTIVE, k.run->engine, k.rows, &how, &draws));
    how.sink = bnn_draws_sink(draws);
    OK(bnn_predict(k.run->engine, k.rows, &how, &k.p));
    OK(bnn_run_save(k.run, &(bnn_results){.data = k.rows, .prediction = k.p, .draws = draws}, NULL, k.path));
    return k;
}

static void kept_free(kept *k) {
    bnn_prediction_free(k->p), bnn_run_free(k->run), bnn_data_free(k->rows);
    files_remove();
}

/* ---- what the predictive draws add up to ---- */

static void assert_close(double a, double b, double scale, const char *what) {
    ck_assert_msg(fabs(a - b) <= 1e-9 * scale, "%s: %.12g and %.12g", what, a, b);
}

/* Mean and variance over draws of each entry, and the log of the mean density of each row. */
static void assert_moments(const kept *k) {
    size_t S = (size_t)k->p->samples, n = (size_t)k->p->n, width = (size_t)k->p->mean_dim;
    double *mean = read_exactly(k->path, "/posterior_predictive/mean", S * n * width);
    double *logp = read_exactly(k->path, "/log_likelihood/y", S * n);
    for (size_t i = 0; i < n * width; i++) {
        moments m = {0};
        for (size_t s = 0; s < S; s++) moments_add(&m, mean[s * n * width + i]);
        double scale = 1 + fabs(m.mean);
        assert_close(m.mean, k->p->mean[i], scale, "mean");
        assert_close(m.squares / m.n, k->p->var_epistemic[i], scale * scale, "var_epistemic");
    }
    for (size_t i = 0; i < n; i++) {
        double most = -INFINITY, sum = 0;
        for (size_t s = 0; s < S; s++) most = fmax(most, logp[s * n + i]);
        for (size_t s = 0; s < S; s++) sum += exp(logp[s * n + i] - most);
        assert_close(most + log(sum / (double)S), k->p->logp[i], 1 + fabs(k->p->logp[i]), "logp");
    }
    free(mean), free(logp);
}

/* Regression: y - mean is the likelihood's noise. */
static void assert_noise(const kept *k) {
    size_t cells = (size_t)k->p->samples * (size_t)k->p->n;
    double *mean = read_exactly(k->path, "/posterior_predictive/mean", cells), *y = read_exactly(k->path, "/posterior_predictive/y", cells);
    moments m = {0};
    for (size_t i = 0; i < cells; i++) moments_add(&m, (y[i] - mean[i]) / sqrt(k->p->var_aleatoric[i % (size_t)k->p->n]));
    ck_assert_double_lt(fabs(moments_z(&m, 0)), MOST_Z);
    ck_assert_double_lt(fabs(moments_var_z(&m, 1)), MOST_Z);
    free(mean), free(y);
}

/* Classes: each comes as often as its probability says. */
static void assert_frequencies(const kept *k) {
    size_t S = (size_t)k->p->samples, n = (size_t)k->p->n, width = (size_t)k->p->mean_dim;
    double *y = read_exactly(k->path, "/posterior_predictive/y", S * n),
           *p = read_exactly(k->path, "/posterior_predictive/mean", S * n * width);
    for (size_t c = 0; c < width; c++) {
        double surplus = 0, var = 0;
        for (size_t i = 0; i < S * n; i++) {
            double q = p[i * width + c];
            surplus += (y[i] == (double)c) - q;
            var += q * (1 - q);
        }
        ck_assert_double_lt(fabs(surplus) / sqrt(var), MOST_Z);
    }
    for (size_t i = 0; i < S * n; i++) ck_assert(y[i] >= 0 && y[i] < (double)width && y[i] == floor(y[i]));
    free(y), free(p);
}

static void assert_features(const kept *k, const bnn_table *t) {
    size_t n = (size_t)t->n * (size_t)bnn_shape_size(t->x_shape);
    double *x = read_exactly(k->path, "/constant_data/x", n);
    ck_assert_mem_eq(x, t->x, n * sizeof *x);
    free(x);
}

/* Rows are predicted in stretches of 8192 at most. */
START_TEST(draws_of_many_rows) {
    static const int rows[] = {20, 8192, 8193, 20000};
    for (int i = 0; i < 4; i++) {
        bnn_table *t = table_new(rows[i], 2, 0, 1);
        kept k = keep(t, "dense:4; tanh; dense", "mc_dropout:epochs=2,p=0.2", 3);
        assert_moments(&k), assert_noise(&k), assert_features(&k, t);
        kept_free(&k), bnn_table_free(t);
    }
}
END_TEST

START_TEST(draws_of_classes) {
    bnn_table *t = table_new(500, 2, 3, 1);
    kept k = keep(t, "dense:4; tanh; dense", "bayes_by_backprop:epochs=5", 6);
    assert_moments(&k), assert_frequencies(&k), assert_features(&k, t);
    kept_free(&k), bnn_table_free(t);
}
END_TEST

START_TEST(draws_of_images) {
    bnn_table *t;
    OK(bnn_table_new(70, (bnn_shape){.rank = 3, .d = {2, 3, 4}}, 1, 2, &t));
    t->scale = BNN_SCALE_RANGE, t->range = 255;
    for (int i = 0; i < 70 * 24; i++) t->x[i] = i * 7 % 256;
    for (int i = 0; i < 70; i++) t->y[i] = i % 2;
    kept k = keep(t, "flatten; dense:4; relu; dense", "mc_dropout:epochs=2,p=0.3", 5);
    assert_moments(&k), assert_frequencies(&k), assert_features(&k, t);
    kept_free(&k), bnn_table_free(t);
}
END_TEST

START_TEST(a_point_has_one_draw) {
    bnn_table *t = table_new(400, 2, 0, 1);
    kept k = keep(t, "dense:4; tanh; dense", "map:epochs=5", 100);
    ck_assert_int_eq(k.p->samples, 1);
    assert_moments(&k), assert_noise(&k);
    kept_free(&k), bnn_table_free(t);
}
END_TEST

/* ---- what the draws of the weights predict ---- */

/* Draw s of a block of node i: kept as it differs between draws, or else the run's own. */
static double *weights(const kept *k, int s, const char *node, const char *block, size_t n) {
    char draws[128], own[128];
    snprintf(draws, sizeof draws, "/posterior/%s_%s", node, block);
    snprintf(own, sizeof own, "/model_weights/%s/%s", node, block);
    if (!has(k->path, draws)) return read_exactly(k->path, own, n);
    double *all = read_exactly(k->path, draws, (size_t)k->p->samples * n), *one = malloc(n * sizeof *one);
    for (size_t i = 0; i < n; i++) one[i] = all[(size_t)s * n + i];
    free(all);
    return one;
}

/* dense:4; tanh; dense, by hand, on a row of standardised x. */
static double by_hand(const kept *k, int s, const char *layer, const bnn_real *x) {
    char first[64], last[64];
    snprintf(first, sizeof first, "%s_1", layer), snprintf(last, sizeof last, "%s_2", layer);
    double *w = weights(k, s, first, "kernel", 8), *b = weights(k, s, first, "bias", 4), *v = weights(k, s, last, "kernel", 4),
           *c = weights(k, s, last, "bias", 1), f = c[0];
    for (int j = 0; j < 4; j++) f += v[j] * tanh(b[j] + (double)x[0] * w[j] + (double)x[1] * w[4 + j]);
    free(w), free(b), free(v), free(c);
    return f;
}

START_TEST(kept_weights_predict) {
    static const char *const engines[][2] = {
        {"map:epochs=3", "dense"}, {"mc_dropout:epochs=3,p=0.3", "dense"}, {"bayes_by_backprop:epochs=3", "gaussian_dense"}};
    for (int e = 0; e < 3; e++) {
        bnn_table *t = table_new(30, 2, 0, 1);
        kept k = keep(t, "dense:4; tanh; dense", engines[e][0], 5);
        const bnn_scaling *scaling = &k.rows->scaling;
        double *mean = read_exactly(k.path, "/posterior_predictive/mean", (size_t)k.p->samples * 30);
        for (int s = 0; s < k.p->samples; s++)
            for (int i = 0; i < 30; i += 7) {
                double f = by_hand(&k, s, engines[e][1], k.rows->x + 2 * i) * scaling->y_sd[0] + scaling->y_mean[0];
                ck_assert_msg(fabs(f - mean[s * 30 + i]) < 10 * ROUNDING * (1 + fabs(f)), "%s, draw %d, row %d: %g by hand, kept %g",
                              engines[e][0], s, i, f, mean[s * 30 + i]);
            }
        free(mean);
        kept_free(&k), bnn_table_free(t);
    }
}
END_TEST

/* Fewer draws than are stored are spread evenly over each chain, and have the numbers that they have there. */
START_TEST(stored_draws_are_spread_and_numbered) {
    enum { CHAINS = 2, STORED = 10, KEPT = 4, N = 8 };
    static const int number[KEPT] = {0, 2, 5, 7}; /* i STORED / KEPT, rounded down */
    bnn_table *t = table_new(12, 2, 0, 1);
    kept k = keep(t, "dense:4; tanh; dense", "hmc:steps=3,chains=2,samples=10,warmup=5", CHAINS * KEPT + 1);
    ck_assert_int_eq(k.p->samples, CHAINS * KEPT);
    double *at = read_exactly(k.path, "/posterior/draw", KEPT), *w = read_exactly(k.path, "/posterior/dense_1_kernel", CHAINS * KEPT * N);
    bnn_real *theta = reals_new((size_t)k.run->engine->model->n_theta);
    for (int s = 0; s < CHAINS * KEPT; s++) {
        ck_assert_double_eq(at[s % KEPT], number[s % KEPT]);
        OK(bnn_engine_draw(k.run->engine, s / KEPT * STORED + number[s % KEPT], bnn_rng_seed(0), theta));
        for (int i = 0; i < N; i++) ck_assert_double_eq(w[s * N + i], (double)theta[i]);
    }
    free(at), free(w), reals_free(theta);
    kept_free(&k), bnn_table_free(t);
}
END_TEST

/* ---- between calls ---- */

typedef struct {
    const bnn_run *run;
    const bnn_data *rows;
    bnn_draws *draws;
} opening;

static void *open_draws(void *context) {
    opening *o = context;
    OK(bnn_draws_open(files_path("kept.h5"), BNN_KEEP_PREDICTIVE, o->run->engine, o->rows, &(bnn_predict_options){.samples = 2},
                      &o->draws));
    return NULL;
}

/* A thread that has opened draws holds up no other one, and anyone may give them up. */
START_TEST(other_threads_use_files_meanwhile) {
    bnn_table *t, *back;
    bnn_run *run;
    pthread_t opener;
    OK(bnn_import_csv(files_write("t.csv", "a,b,y\n1,2,3\n2,2,5\n3,1,4\n"), &(bnn_csv_options){0}, &(bnn_import_about){0}, &t));
    opening o = {.rows = data_new(t)};
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = "map:epochs=1"}, o.rows, &run));
    o.run = run;
    ck_assert_int_eq(pthread_create(&opener, NULL, open_draws, &o), 0);
    pthread_join(opener, NULL);
    alarm(20);
    OK(bnn_table_save(t, files_path("t.h5")));
    bnn_draws_free(o.draws);
    OK(bnn_table_load(files_path("t.h5"), &back));
    alarm(0);
    ck_assert_int_eq(files_count(), 2);
    bnn_run_free(run), bnn_data_free((bnn_data *)o.rows), bnn_table_free(back), bnn_table_free(t);
    files_remove();
}
END_TEST

int main(void) {
    return run_tests("draws", (const TTest *const[]){draws_of_many_rows, draws_of_classes, draws_of_images, a_point_has_one_draw,
                                                     kept_weights_predict, stored_draws_are_spread_and_numbered,
                                                     other_threads_use_files_meanwhile, NULL});
}
