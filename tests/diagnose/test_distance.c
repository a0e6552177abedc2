/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_distance.c: distances of predictive distributions against closed forms, and that they do not depend on threads.
 */
#include "files.h"

#include <bnn/distance.h>
#include <bnn/fit.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- an engine whose draws a test writes */

/* The net is a bias alone ('dense' whose weights are 0): draw s of so many predicts bias[s] in every row. */
enum { MOST = 4000 };
static double bias[MOST];
static int n_bias;

static bnn_status made_open(bnn_engine *e, const bnn_data *data) { return (void)e, (void)data, BNN_OK; }
static bnn_status made_step(bnn_engine *e, const bnn_data *data, bnn_step *out) { return (void)e, (void)data, out->done = true, BNN_OK; }
static void made_close(bnn_engine *e) { (void)e; }
static int made_blocks(bnn_engine *e, bnn_block *out) { return (void)e, (void)out, 0; }
static int made_n_draws(const bnn_engine *e) { return (void)e, n_bias; }
static bnn_status made_draw(const bnn_engine *e, int s, bnn_rng rng, bnn_real *theta) {
    (void)rng;
    for (int i = 0; i < e->model->n_theta; i++) theta[i] = 0;
    theta[e->model->net->n_theta - 1] = (bnn_real)bias[s];
    return BNN_OK;
}

static const char *const made_checks[] = {"made", NULL};
static const bnn_engine_type made_type = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "made", .summary = "draws of a test", .reference = "none", .checks = made_checks},
    .state_size = 1,
    .open = made_open,
    .step = made_step,
    .close = made_close,
    .blocks = made_blocks,
    .draw = made_draw,
    .n_draws = made_n_draws,
};

/* ---------------------------------------------------------------- real y */

static bnn_table *table;
static bnn_data *rows;

static void open_rows(int classes) {
    OK(bnn_type_add(BNN_ENGINE, &made_type.type)); /* every test runs in its own process */
    table = table_new(30, 2, classes, 5);
    rows = data_new(table);
}

static void close_rows(void) { bnn_data_free(rows), bnn_table_free(table); }

/* With noise of this sd, in units of y. */
static bnn_run *run_of(double noise_sd) {
    bnn_run *run;
    char likelihood[64];
    snprintf(likelihood, sizeof likelihood, "gaussian:tau=%.12g", 1 / (noise_sd * noise_sd));
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = "made", .likelihood = likelihood}, rows, &run));
    return run;
}

static bnn_marginals *marginals_of(const bnn_run *run, const bnn_data *of, int samples) {
    bnn_predict_options how = {.samples = samples, .seed = 4};
    bnn_marginals *m;
    bnn_prediction *p;
    OK(bnn_marginals_open(run->engine, of, &how, &m));
    how.sink = bnn_marginals_sink(m);
    OK(bnn_predict(run->engine, of, &how, &p));
    OK(bnn_marginals_finish(m, p));
    bnn_prediction_free(p);
    return m;
}

/* Half of the draws on either side. */
static void set_bias(int n, double at, double apart) {
    n_bias = n;
    for (int s = 0; s < n; s++) bias[s] = at + (s % 2 ? apart : -apart);
}

static bnn_marginals *made_marginals(double noise_sd, int samples) {
    bnn_run *run = run_of(noise_sd);
    bnn_marginals *m = marginals_of(run, rows, samples);
    bnn_run_free(run);
    return m;
}

static double distance_of(bnn_marginals *a, bnn_marginals *b) {
    double d = bnn_marginals_distance(a, b).wasserstein;
    ck_assert(d == bnn_marginals_distance(b, a).wasserstein);
    ck_assert(isnan(bnn_marginals_distance(a, b).agreement) && isnan(bnn_marginals_distance(a, b).total_variation));
    bnn_marginals_free(a), bnn_marginals_free(b);
    return d;
}

START_TEST(distances_of_gaussians_are_those_known) {
    open_rows(0);
    double y_sd = rows->scaling.y_sd[0];
    set_bias(1, 0.3, 0);
    bnn_marginals *a = made_marginals(0.5, 1);
    set_bias(1, -0.1, 0);
    ck_assert_double_eq_tol(distance_of(a, made_marginals(0.5, 1)), 0.4 * y_sd, 1e-5 * y_sd); /* shifted by 0.4 in standardised y */
    a = made_marginals(0.5, 1);
    double d = distance_of(a, made_marginals(0.8, 1)), known = 0.3 * sqrt(2 / M_PI);
    ck_assert_msg(fabs(d - known) < MOST_Z * 0.3 * sqrt((1 - 2 / M_PI) / (30 * BNN_MARGINAL_DRAWS)), "W1 is %g, not %g", d, known);
    ck_assert(distance_of(made_marginals(0.5, 1), made_marginals(0.5, 1)) == 0);
    close_rows();
}
END_TEST

/* Two points at -a and a are at the distance a from one at 0, whatever the number of draws that say so. */
START_TEST(mixtures_are_as_far_as_their_parts) {
    static const int draws[] = {2, 10, 1000, 1500, 4000};
    open_rows(0);
    double y_sd = rows->scaling.y_sd[0];
    for (size_t i = 0; i < sizeof draws / sizeof *draws; i++) {
        set_bias(1, 0.2, 0);
        bnn_marginals *point = made_marginals(1e-3, 1);
        set_bias(draws[i], 0.2, 0.7);
        double d = distance_of(point, made_marginals(1e-3, draws[i]));
        ck_assert_msg(fabs(d / y_sd - 0.7) < 0.01, "of %d draws W1 is %g sd, not 0.7", draws[i], d / y_sd);
    }
    close_rows();
}
END_TEST

/* The order in which draws come says nothing. */
START_TEST(draws_in_another_order_are_the_same) {
    open_rows(0);
    set_bias(1000, 0.2, 0.7);
    bnn_marginals *a = made_marginals(1e-3, 1000);
    for (int s = 0; s < 1000; s++) bias[s] = s < 500 ? -0.5 : 0.9;
    ck_assert_double_lt(distance_of(a, made_marginals(1e-3, 1000)) / rows->scaling.y_sd[0], 0.01);
    close_rows();
}
END_TEST

/* In closed form the same normal numbers stand in for those of the likelihood. */
START_TEST(closed_forms_meet_draws) {
    open_rows(0);
    set_bias(1, 0.4, 0);
    bnn_run *run = run_of(0.5);
    bnn_predict_options how = {.samples = 1, .seed = 4};
    bnn_prediction *p;
    bnn_marginals *closed;
    OK(bnn_predict(run->engine, rows, &how, &p));
    p->samples = 0;
    OK(bnn_marginals_open(run->engine, rows, &how, &closed));
    OK(bnn_marginals_finish(closed, p));
    bnn_prediction_free(p);
    ck_assert_double_lt(distance_of(marginals_of(run, rows, 1), closed), 1e-5);
    bnn_run_free(run);
    close_rows();
}
END_TEST

/* Between two fits to two targets, the second of which is in units of 1/scale. */
static double of_two_targets(double scale) {
    enum { N = 20 };
    static double x[N], y[2 * N];
    bnn_table *t;
    bnn_data *data;
    bnn_marginals *m[2];
    for (int i = 0; i < N; i++) x[i] = sin(i), y[2 * i] = cos(2 * i), y[2 * i + 1] = scale * (x[i] + 0.1 * cos(5 * i));
    OK(bnn_table_from(&(bnn_arrays){sizeof(bnn_arrays), .n = N, .x_size = 1, .y_dim = 2, .x = x, .y = y}, &t));
    OK(bnn_data_split(t, -1, BNN_TRAIN, NULL, &data));
    for (int e = 0; e < 2; e++) {
        bnn_run *run;
        OK(bnn_fit(&(bnn_config){.net = "dense", .engine = e ? "laplace:engine=map{epochs=50}" : "map:epochs=10", .seed = 1}, data, &run));
        m[e] = marginals_of(run, data, 10);
        bnn_run_free(run);
    }
    double d = distance_of(m[0], m[1]);
    bnn_data_free(data), bnn_table_free(t);
    return d;
}

/* A mean over targets in their own units would be that of the largest. */
START_TEST(distances_of_several_targets_have_no_unit) {
    double d = of_two_targets(1);
    ck_assert(d > 0 && d < 10);
    ck_assert_double_eq_tol(of_two_targets(1e6), d, 1e-3 * d);
}
END_TEST

START_TEST(threads_do_not_move_distances) {
    open_rows(0);
    bnn_run *run[2];
    bnn_marginals *m[2][3];
    static const char *const engine[] = {"hmc:steps=3,chains=2,samples=40,warmup=5", "mc_dropout:p=0.3,epochs=3"};
    for (int e = 0; e < 2; e++) {
        OK(bnn_fit(&(bnn_config){.net = "dense:3; tanh; dense", .engine = engine[e]}, rows, &run[e]));
        for (int i = 0; i < 3; i++) {
            omp_set_num_threads(1 << i);
            m[e][i] = marginals_of(run[e], rows, 300);
        }
        bnn_run_free(run[e]);
    }
    omp_set_num_threads(1);
    double d = bnn_marginals_distance(m[0][0], m[1][0]).wasserstein;
    ck_assert(d > 0);
    for (int i = 1; i < 3; i++) ck_assert(bnn_marginals_distance(m[0][i], m[1][i]).wasserstein == d);
    for (int i = 0; i < 6; i++) bnn_marginals_free(m[i / 3][i % 3]);
    close_rows();
}
END_TEST

/* ---------------------------------------------------------------- classes */

static bnn_marginals *of_probabilities(const bnn_run *run, const double *mean) {
    bnn_predict_options how = {.samples = 1, .seed = 1};
    bnn_marginals *m;
    OK(bnn_marginals_open(run->engine, rows, &how, &m));
    ck_assert_ptr_null(bnn_marginals_sink(m));
    OK(bnn_marginals_finish(m, &(bnn_prediction){.n = 30, .mean_dim = 3, .samples = 1, .is_class = true, .mean = (double *)mean}));
    return m;
}

/* Of 30 rows 12 are the same, 9 keep their class, in 9 it changes. */
START_TEST(distances_of_classes_are_those_by_hand) {
    static double p[30 * 3], q[30 * 3];
    static const double kinds[3][2][3] = {
        {{0.2, 0.5, 0.3}, {0.2, 0.5, 0.3}}, {{0.6, 0.3, 0.1}, {0.5, 0.1, 0.4}}, {{0.1, 0.2, 0.7}, {0.5, 0.4, 0.1}}};
    open_rows(3);
    bnn_run *run;
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = "made"}, rows, &run));
    for (int i = 0; i < 30; i++)
        for (int c = 0; c < 3; c++) {
            int kind = i < 12 ? 0 : i < 21 ? 1 : 2;
            p[3 * i + c] = kinds[kind][0][c], q[3 * i + c] = kinds[kind][1][c];
        }
    bnn_marginals *a = of_probabilities(run, p), *b = of_probabilities(run, q);
    bnn_distance d = bnn_marginals_distance(a, b);
    ck_assert_double_eq_tol(d.agreement, 21 / 30.0, 1e-12);
    ck_assert_double_eq_tol(d.total_variation, (9 * 0.3 + 9 * 0.6) / 30, 1e-12);
    ck_assert(isnan(d.wasserstein));
    bnn_marginals_free(a), bnn_marginals_free(b), bnn_run_free(run);
    close_rows();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {distances_of_gaussians_are_those_known,    mixtures_are_as_far_as_their_parts,
                                  draws_in_another_order_are_the_same,       closed_forms_meet_draws,
                                  distances_of_several_targets_have_no_unit, threads_do_not_move_distances,
                                  distances_of_classes_are_those_by_hand,    NULL};
    omp_set_num_threads(1);
    return run_tests("distance", tests);
}
