/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_held_out.c: gates and noise that follow rows held out, where the published objective loses both.
 */
#include "files.h"

#include <bnn/fit.h>
#include <bnn/metrics.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#define NET "dense:30; relu; dense"
enum { NINETY = 17 }; /* of bnn_metrics.coverage */
#define GATES "held_out_dropout:steps=3000,lr=0.02"

/* Rows of y = exp(a) + b sin(2 b) + sd e, a and b uniform on [-2, 2], and one feature that says nothing; the noise has this sd, twice that
 * where a > 0. With few rows a network of thirty units can learn them by heart. */
static bnn_table *curve(int n, double sd, uint64_t seed) {
    bnn_table *t;
    bnn_real u[3], e;
    OK(bnn_table_new(n, bnn_shape_vector(3), 1, 0, &t));
    for (int r = 0; r < n; r++) {
        bnn_rng_uniform(bnn_rng_seed(seed), (uint64_t)r, 1, 3, u);
        bnn_rng_normal(bnn_rng_seed(seed + 1), (uint64_t)r, 1, 1, &e);
        double a = 4 * (double)u[0] - 2, b = 4 * (double)u[1] - 2;
        t->x[3 * r] = a, t->x[3 * r + 1] = b, t->x[3 * r + 2] = (double)u[2];
        t->y[r] = exp(a) + b * sin(2 * b) + (a > 0 ? 2 : 1) * sd * (double)e;
    }
    return t;
}

typedef struct {
    bnn_table *table;
    bnn_data *train, *test;
} rows;

static rows rows_open(int n, int n_test, double sd) {
    rows r = {.table = curve(n + n_test, sd, 11)};
    bnn_data *all = data_new(r.table);
    OK(bnn_data_slice(all, 0, n, NULL, &r.train));
    OK(bnn_data_slice(all, n, n + n_test, &r.train->scaling, &r.test));
    bnn_data_free(all);
    return r;
}

static void rows_close(rows *r) {
    bnn_data_free(r->train);
    bnn_data_free(r->test);
    bnn_table_free(r->table);
}

static bnn_run *fit(const char *engine, const char *likelihood, const bnn_data *train) {
    bnn_run *run;
    bnn_config config = {sizeof config, .net = NET, .engine = engine, .likelihood = likelihood, .seed = 3};
    OK(bnn_fit(&config, train, &run));
    return run;
}

static bnn_metrics scores_of(const bnn_run *run, const bnn_data *test) {
    bnn_prediction *prediction;
    bnn_metrics m;
    OK(bnn_run_predict(run, test, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 300, .seed = 1}, &prediction));
    OK(bnn_metrics_compute(prediction, test, &m));
    bnn_prediction_free(prediction);
    return m;
}

static double last_p(const bnn_run *run, int gate) {
    return bnn_run_gate_p(run)[(bnn_run_history_rows(run) - 1) * bnn_run_gates(run) + gate];
}

/* On eighty rows the published bound loses p and the noise, and its intervals miss every second target; rows held out keep both. */
START_TEST(nothing_collapses_on_few_rows) {
    rows r = rows_open(80, 400, 0.3);
    bnn_run *published = fit("mc_dropout:gates=concrete,epochs=3000,lr=0.01,schedule=constant", "gaussian:shape=0", r.train);
    bnn_run *ours = fit(GATES, NULL, r.train);
    bnn_metrics theirs = scores_of(published, r.test), m = scores_of(ours, r.test);
    ck_assert_double_lt(theirs.coverage[NINETY], 0.6); /* or the rows are none where anything collapses */
    ck_assert_msg(m.coverage[NINETY] >= 0.82 && m.coverage[NINETY] <= 0.96, "90 %% intervals hold %.3f", m.coverage[NINETY]);
    ck_assert_msg(m.ll > theirs.ll + 1.5, "log-likelihood %.3f, that of the published bound is %.3f", m.ll, theirs.ll);
    for (int g = 0; g < 2; g++) ck_assert_double_gt(last_p(ours, g), 5 * last_p(published, g));
    bnn_run_free(published);
    bnn_run_free(ours);
    rows_close(&r);
}
END_TEST

/* The search spares what a grid costs, not what it finds: within its standard error, at a tenth of its gradients. */
START_TEST(a_tenth_of_the_gradients_of_a_grid) {
    rows r = rows_open(120, 300, 0.3);
    bnn_run *grid = fit("grid_search:engine=mc_dropout{epochs=6000,lr=0.003,schedule=cosine},samples=200", NULL, r.train);
    bnn_run *ours = fit("held_out_dropout:steps=3000,lr=0.02", NULL, r.train);
    bnn_metrics theirs = scores_of(grid, r.test), m = scores_of(ours, r.test);
    ck_assert_double_eq(bnn_run_cost(ours, BNN_COST_GRADIENTS), 3000);
    ck_assert_double_le(3000, 0.1 * bnn_run_cost(grid, BNN_COST_GRADIENTS));
    ck_assert_msg(m.ll > theirs.ll - theirs.ll_se, "log-likelihood %.3f, that of the grid is %.3f (%.3f)", m.ll, theirs.ll, theirs.ll_se);
    bnn_run_free(grid);
    bnn_run_free(ours);
    rows_close(&r);
}
END_TEST

/* Many steps do not have p rise to where gates stand for the noise and nothing is fitted, which it does along its slope at fixed weights.
 */
START_TEST(p_does_not_run_away) {
    rows r = rows_open(80, 400, 0.3);
    bnn_run *run = fit("held_out_dropout:steps=20000", NULL, r.train);
    bnn_metrics m = scores_of(run, r.test);
    for (int g = 0; g < 2; g++) ck_assert_msg(last_p(run, g) < 0.2, "p of gate %d is %.4f", g + 1, last_p(run, g));
    ck_assert_msg(m.coverage[NINETY] >= 0.82 && m.coverage[NINETY] <= 0.97, "90 %% intervals hold %.3f", m.coverage[NINETY]);
    bnn_run_free(run);
    rows_close(&r);
}
END_TEST

/* Where noise is next to nothing gates are in the way of the fit, and rows held out say so: p falls from where it began. */
START_TEST(p_falls_where_gates_are_in_the_way) {
    rows r = rows_open(300, 5, 0.01);
    bnn_run *run = fit("held_out_dropout:steps=4000,p=0.05", NULL, r.train);
    for (int g = 0; g < 2; g++) ck_assert_msg(last_p(run, g) < 0.012, "p of gate %d is %.4f", g + 1, last_p(run, g));
    bnn_run_free(run);
    rows_close(&r);
}
END_TEST

/* Linear targets with noise of a known sd: the noise is that, whatever the unit of y. */
START_TEST(the_noise_is_that_of_the_targets) {
    enum { N = 400 };
    bnn_table *t = table_new(N, 3, 0, 5); /* noise 3 * 2/5 */
    bnn_data *data = data_new(t);
    bnn_run *run;
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = GATES, .seed = 2}, data, &run));
    double sd = run->history.noise_sd[run->history.n - 1] * data->scaling.y_sd[0];
    ck_assert_msg(fabs(sd / 1.2 - 1) < 0.15, "noise of sd %.3f where it is 1.2", sd);
    bnn_run_free(run);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* Of a dozen rows half are held out: there is a noise still, and a prediction. Of one nothing can be. */
START_TEST(a_dozen_rows_are_enough) {
    for (int n = 2; n <= 12; n += 5) {
        rows r = rows_open(n, 200, 0.3);
        bnn_run *run = fit(GATES, NULL, r.train);
        bnn_metrics m = scores_of(run, r.test);
        char held[64];
        snprintf(held, sizeof held, "p and noise learned on %d rows held out of %d", n / 2, n);
        ck_assert_msg(strstr(bnn_run_remark(run), held) != NULL, "the remark is: %s", bnn_run_remark(run));
        ck_assert(isfinite(m.ll) && run->history.noise_sd[run->history.n - 1] > 1e-3);
        bnn_run_free(run);
        rows_close(&r);
    }
    rows one = rows_open(1, 5, 0.3);
    bnn_run *run;
    SAYS(bnn_fit(&(bnn_config){.net = NET, .engine = GATES}, one.train, &run),
         "engine 'held_out_dropout': 1 training rows cannot be cut into a part to fit and a part to score");
    rows_close(&one);
}
END_TEST

/* Classes have no noise, a fixed one is left alone, and a net with gates of its own keeps them: what is there is learned, and said. */
START_TEST(what_is_there_to_learn_is_learned) {
    static const struct {
        int classes;
        const char *net, *likelihood, *says;
    } cases[] = {{3, NET, NULL, "p learned on"},
                 {2, NET, "bernoulli", "p learned on"},
                 {0, NET, "gaussian:tau=0.5", "p learned on"},
                 {0, NET, "heteroscedastic", "p learned on"},
                 {0, "dropout:0.02; dense:9; tanh; dropout:0.02; dense", NULL, "noise learned on"},
                 {0, "dropout:0.02; dense", "gaussian:tau=0.5", "nothing learned on"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bnn_table *t = table_new(120, 3, cases[i].classes, 7);
        bnn_data *data = data_new(t);
        bnn_run *run;
        bnn_config config = {sizeof config, .net = cases[i].net, .engine = "held_out_dropout:steps=900", .likelihood = cases[i].likelihood};
        OK(bnn_fit(&config, data, &run));
        ck_assert_msg(strncmp(bnn_run_remark(run), cases[i].says, strlen(cases[i].says)) == 0, "case %zu: %s", i, bnn_run_remark(run));
        bnn_metrics m = scores_of(run, data);
        if (cases[i].classes > 0) ck_assert_double_gt(m.ll, 0.7 * -log(cases[i].classes));
        bnn_run_free(run);
        bnn_data_free(data);
        bnn_table_free(t);
    }
}
END_TEST

/* What no rows decide follows U: the scales of a prior, which stand right behind the noise, leave the place where they begin. Large tables
 * have eight epochs at least. */
START_TEST(scales_follow_u_and_rows_are_seen_eight_times) {
    rows r = rows_open(600, 5, 0.3);
    bnn_config config = {sizeof config, .net = NET, .engine = "held_out_dropout:steps=100,batch=8", .prior = "hierarchical"};
    bnn_run *run;
    OK(bnn_fit(&config, r.train, &run));
    ck_assert_double_eq(bnn_run_cost(run, BNN_COST_GRADIENTS), 8 * 600 / 8);
    const bnn_model *m = run->engine->model;
    bnn_real *begin = reals_new((size_t)m->n_theta), *theta = reals_new((size_t)m->n_theta);
    bnn_model_init(m, bnn_rng_seed(1), begin);
    OK(bnn_engine_draw(run->engine, 0, bnn_rng_seed(1), theta));
    ck_assert_int_gt(m->n_scaled, 0);
    for (int k = 0; k < m->n_scaled; k++) ck_assert(theta[m->scaled[k].offset] != begin[m->scaled[k].offset]);
    reals_free(begin);
    reals_free(theta);
    bnn_run_free(run);
    rows_close(&r);
}
END_TEST

/* A state with more cycles than minibatches is none. */
START_TEST(counts_that_contradict_each_other_are_refused) {
    rows r = rows_open(40, 5, 0.3);
    bnn_engine *e;
    bnn_block block[BNN_MAX_BLOCKS];
    OK(bnn_engine_new(GATES, &(bnn_texts){.net = NET, .likelihood = "gaussian", .prior = "gauss"}, r.train, bnn_rng_seed(1), &e));
    OK(bnn_engine_vtable(e)->resume(e, r.train));
    for (int b = bnn_engine_vtable(e)->blocks(e, block) - 1; b >= 0; b--)
        if (strcmp(block[b].name, "counter") == 0) ((uint64_t *)block[b].data)[0] = 1;
    SAYS(bnn_engine_vtable(e)->resume(e, r.train), "the counts of cycles, steps and gradients contradict each other");
    bnn_engine_free(e);
    rows_close(&r);
}
END_TEST

/* Each target has its noise, and the log-likelihood of the remark is in the units of y. */
START_TEST(targets_have_their_own_noise) {
    static const double sd[2] = {0.1, 40};
    bnn_table *t;
    bnn_real x[3], e[2];
    OK(bnn_table_new(300, bnn_shape_vector(3), 2, 0, &t));
    for (int r = 0; r < 300; r++) {
        bnn_rng_normal(bnn_rng_seed(21), (uint64_t)r, 1, 3, x);
        bnn_rng_normal(bnn_rng_seed(22), (uint64_t)r, 1, 2, e);
        for (int k = 0; k < 3; k++) t->x[3 * r + k] = (double)x[k];
        for (int k = 0; k < 2; k++) t->y[2 * r + k] = (k ? 100 : 1) * (double)x[k] + sd[k] * (double)e[k];
    }
    bnn_data *data = data_new(t);
    bnn_run *run;
    OK(bnn_fit(&(bnn_config){.net = "dense", .engine = GATES, .seed = 2}, data, &run));
    const bnn_engine *engine = bnn_engine_fitted(run->engine);
    bnn_real *theta = reals_new((size_t)engine->model->n_theta);
    OK(bnn_engine_draw(engine, 0, bnn_rng_seed(1), theta));
    for (int k = 0; k < 2; k++) {
        double now = exp(0.5 * (double)bnn_model_noise(engine->model, theta)[k]) * data->scaling.y_sd[k];
        ck_assert_msg(fabs(now / sd[k] - 1) < 0.25, "target %d: noise %.4g where it is %g", k, now, sd[k]);
    }
    const char *ll = strstr(bnn_run_remark(run), "log-likelihood there ");
    ck_assert_double_eq_tol(bnn_number_read(ll + strlen("log-likelihood there "), NULL), -log(0.1) - log(40) - 2 * (log(2 * M_PI) + 1) / 2,
                            0.3);
    reals_free(theta);
    bnn_run_free(run);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {nothing_collapses_on_few_rows,
                                  a_tenth_of_the_gradients_of_a_grid,
                                  p_does_not_run_away,
                                  p_falls_where_gates_are_in_the_way,
                                  the_noise_is_that_of_the_targets,
                                  a_dozen_rows_are_enough,
                                  what_is_there_to_learn_is_learned,
                                  targets_have_their_own_noise,
                                  scales_follow_u_and_rows_are_seen_eight_times,
                                  counts_that_contradict_each_other_are_refused,
                                  NULL};
    omp_set_num_threads(1); /* on rows this few threads would wait for each other, not work */
    return run_tests("held_out", tests);
}
