/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_swag.c: swag's Gaussian against the parameters that were passed, and these against the stationary distribution that descent on a
 * quadratic has.
 */
#include "files.h"

#include <bnn/descent.h>
#include <bnn/fit.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 40, W = LINEAR, MOST = 100 };

static const bnn_texts texts = {.net = "dense", .likelihood = "gaussian:tau=0.5", .prior = "gauss:sd=0.15,bias_sd=0.5"};
static const double prec_b = 1 / (0.5 * 0.5);

static double tau_of(const bnn_data *data) { return 0.5 * data->scaling.y_sd[0] * data->scaling.y_sd[0]; }

static bnn_engine *open_engine(const char *spec, const bnn_data *data, uint64_t seed) {
    bnn_engine *e;
    OK(bnn_engine_new(spec, &texts, data, bnn_rng_seed(seed), &e));
    return e;
}

static const bnn_real *theta_of(const bnn_engine *e) { return ((const bnn_descent *)e->state)->theta; }

/* ---------------------------------------------------------------- the Gaussian */

static const struct {
    const char *spec;
    int rank, every;
    double scale;
} cases[] = {{"swag:epochs=30,batch=8,swa_lr=0.02,optimizer=sgd,rank=4,start=0.4", 4, 1, 1},
             {"swag:epochs=30,batch=8,swa_lr=0.02,optimizer=sgd,rank=0,start=0.4", 0, 1, 1},
             {"swag:epochs=30,batch=8,swa_lr=0.02,optimizer=sgd,rank=50,start=0.4,every=2", 50, 2, 1},
             {"swag:epochs=30,batch=8,swa_lr=0.02,optimizer=sgd,rank=4,start=0.4,scale=2.25", 4, 1, 2.25}};

/* Steps to the end; mean and covariance of the Gaussian from the parameters after each epoch, as Maddox et al. have it: algorithm 1, with
 * mean squares. */
static void by_hand(bnn_engine *e, const bnn_data *data, int k, double mean[W], double cov[W][W]) {
    double square[W] = {0}, deviation[MOST][W];
    int n = 0;
    bnn_step step = {0};
    for (int i = 0; i < W; i++) mean[i] = 0;
    for (int epoch = 1; !step.done; epoch++) {
        OK(bnn_engine_step(e, data, &step));
        if (epoch <= 12 || (epoch - 12) % cases[k].every != 0) continue;
        for (int i = 0; i < W; i++) {
            double theta = (double)theta_of(e)[i];
            mean[i] = (n * mean[i] + theta) / (n + 1);
            square[i] = (n * square[i] + theta * theta) / (n + 1);
            deviation[n][i] = theta - mean[i];
        }
        n++;
    }
    int columns = cases[k].rank < n ? cases[k].rank : n;
    for (int i = 0; i < W; i++)
        for (int j = 0; j < W; j++) {
            double low = 0, diagonal = i == j ? square[i] - mean[i] * mean[i] : 0;
            for (int c = n - columns; c < n; c++) low += deviation[c][i] * deviation[c][j] / (columns - 1);
            cov[i][j] = cases[k].scale * (columns > 0 ? 0.5 * (low + diagonal) : diagonal);
        }
}

START_TEST(draws_have_the_moments_of_what_was_passed) {
    enum { DRAWS = 40000 };
    bnn_table *t = table_new(ROWS, W - 1, 0, 1);
    bnn_data *data = data_new(t);
    for (int k = 0; k < (int)(sizeof cases / sizeof *cases); k++) {
        bnn_engine *e = open_engine(cases[k].spec, data, 1);
        double mean[W], cov[W][W];
        moments first[W] = {0}, second[W][W] = {0};
        bnn_real theta[W];
        by_hand(e, data, k, mean, cov);
        for (int s = 0; s < DRAWS; s++) {
            OK(bnn_engine_draw(e, s, bnn_rng_split(bnn_rng_seed(7), (uint64_t)s), theta));
            for (int i = 0; i < W; i++) {
                moments_add(&first[i], (double)theta[i]);
                for (int j = 0; j <= i; j++) moments_add(&second[i][j], ((double)theta[i] - mean[i]) * ((double)theta[j] - mean[j]));
            }
        }
        for (int i = 0; i < W; i++) {
            ck_assert_msg(fabs(moments_z(&first[i], mean[i])) < MOST_Z, "%s: mean of %d", cases[k].spec, i);
            for (int j = 0; j <= i; j++)
                ck_assert_msg(fabs(moments_z(&second[i][j], cov[i][j])) < MOST_Z, "%s: covariance (%d, %d) is %g, not %g: z %g",
                              cases[k].spec, i, j, second[i][j].mean, cov[i][j], moments_z(&second[i][j], cov[i][j]));
        }
        bnn_engine_free(e);
    }
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* The files' /model_weights is the mean. */
START_TEST(the_first_block_is_the_mean) {
    bnn_table *t = table_new(ROWS, W - 1, 0, 1);
    bnn_data *data = data_new(t);
    bnn_engine *e = open_engine(cases[0].spec, data, 1);
    double mean[W], cov[W][W];
    bnn_block block[BNN_MAX_BLOCKS];
    by_hand(e, data, 0, mean, cov);
    ck_assert_int_eq(bnn_engine_vtable(e)->blocks(e, block), 7);
    ck_assert(block[0].theta && block[0].length == W);
    for (int i = 0; i < W; i++) ck_assert_double_eq_tol((double)((bnn_real *)block[0].data)[i], mean[i], ROUNDING);
    bnn_engine_free(e);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* ---------------------------------------------------------------- step sizes */

/* Descent without momentum on all rows: the change of theta is -lr times the gradient where it stood. */
START_TEST(step_sizes_fall_to_swa_lr_and_stay) {
    static const char *const specs[] = {"swag:epochs=20,batch=40,lr=0.01,swa_lr=0.002,optimizer=sgd{momentum=0},schedule=constant",
                                        "swag:epochs=20,batch=40,lr=0.01,swa_lr=0.002,optimizer=sgd{momentum=0},schedule=cosine,start=0.8"};
    bnn_table *t = table_new(ROWS, W - 1, 0, 1);
    bnn_data *data = data_new(t);
    for (int k = 0; k < 2; k++) {
        bnn_engine *e = open_engine(specs[k], data, 1);
        bnn_workspace *ws;
        OK(bnn_workspace_new(e->model->net, ROWS, BNN_TO_THETA, &ws));
        for (int epoch = 0; epoch < 20; epoch++) {
            bnn_real before[W], g[W];
            bnn_step step;
            bnn_objective u = {.n_total = ROWS, .scale = 1.0 / ROWS, .kl_weight = 1, .mode = BNN_MEAN};
            memcpy(before, theta_of(e), sizeof before);
            bnn_model_u(e->model, ws, &u, bnn_rng_seed(0), before, ROWS, data->x, data->y, g);
            OK(bnn_engine_step(e, data, &step));
            double lr = k == 0 ? (epoch < 10 ? 0.01 : 0.002) : epoch < 16 ? 0.002 + 0.008 * 0.5 * (1 + cos(M_PI * epoch / 16)) : 0.002;
            for (int i = 0; i < W; i++)
                ck_assert_msg(fabs((double)before[i] - lr * (double)g[i] - (double)theta_of(e)[i]) < ROUNDING, "%s: epoch %d", specs[k],
                              epoch);
        }
        bnn_workspace_free(ws);
        bnn_engine_free(e);
    }
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* ---------------------------------------------------------------- a quadratic */

/* Variance of the bias b after an epoch, where the feature is constant, so that standardised it is 0: descent without momentum is
 * b' = (1 - lr a) b + lr tau e, e the mean of a minibatch's y. Minibatches share out the rows: e has variance S^2 (1/M - 1/N), two of them
 * covariance -S^2/N, S^2 with divisor N - 1. */
enum { BATCH = 8, BATCHES = ROWS / BATCH };
static double bias_variance(const bnn_data *data, double lr) {
    double tau = tau_of(data), f = 1 - lr * (tau + prec_b / ROWS), square = 0, sum = 0;
    for (int i = 0; i < ROWS; i++) square += (double)data->y[i] * (double)data->y[i] / (ROWS - 1);
    for (int j = 0; j < BATCHES; j++)
        for (int k = 0; k < BATCHES; k++) sum += pow(f, j + k) * square * (j == k ? 1. / BATCH - 1. / ROWS : -1. / ROWS);
    return lr * lr * tau * tau * sum / (1 - pow(f, 2 * BATCHES));
}

START_TEST(on_a_quadratic_it_has_the_stationary_variance_of_descent) {
    bnn_table *t = table_new(ROWS, 1, 0, 1);
    for (int i = 0; i < ROWS; i++) t->x[i] = 7;
    bnn_data *data = data_new(t);
    double expected = bias_variance(data, 0.1);
    moments var = {0}, mean = {0};
    for (uint64_t seed = 0; seed < 30; seed++) {
        bnn_engine *e = open_engine("swag:epochs=2000,start=0.1,batch=8,swa_lr=0.1,rank=0,optimizer=sgd{momentum=0}", data, seed);
        bnn_block block[BNN_MAX_BLOCKS];
        bnn_step step = {0};
        while (!step.done) OK(bnn_engine_step(e, data, &step));
        bnn_engine_vtable(e)->blocks(e, block);
        moments_add(&mean, (double)((bnn_real *)block[0].data)[1] / sqrt(expected));
        moments_add(&var, (double)((bnn_real *)block[2].data)[1] / 1800 / expected);
        bnn_engine_free(e);
    }
    ck_assert_msg(fabs(moments_z(&var, 1)) < MOST_Z, "%g of the stationary variance, z %g", var.mean, moments_z(&var, 1));
    ck_assert_msg(sqrt(moments_var(&var) / var.n) < 0.02, "known to %g only", sqrt(moments_var(&var) / var.n));
    ck_assert_msg(fabs(moments_z(&mean, 0)) < MOST_Z, "mean %g", mean.mean);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

START_TEST(what_makes_no_gaussian_is_refused) {
    bnn_table *t = table_new(ROWS, W - 1, 0, 1);
    bnn_data *data = data_new(t);
    bnn_engine *e;
    bnn_step step;
    bnn_real theta[W];
#define REFUSES(spec, sentence) SAYS(bnn_engine_new(spec, &texts, data, bnn_rng_seed(1), &e), sentence)
    REFUSES("swag:rank=1", "engine 'swag': rank is 1: a covariance takes at least 2 deviations (0: variances alone)");
    REFUSES("swag:epochs=10,start=0.9", "engine 'swag': start, every and epochs leave 1 parameters that count, at least 2 are needed");
    REFUSES("swag:lr=0", "engine 'swag': lr is 0");
    e = open_engine("swag:epochs=10", data, 1);
    for (int i = 0; i < 6; i++) OK(bnn_engine_step(e, data, &step));
    SAYS(bnn_engine_draw(e, 0, bnn_rng_seed(1), theta), "engine 'swag' has no Gaussian before two parameters count");
    OK(bnn_engine_step(e, data, &step));
    OK(bnn_engine_draw(e, 0, bnn_rng_seed(1), theta));
    bnn_engine_free(e);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {draws_have_the_moments_of_what_was_passed, the_first_block_is_the_mean,
                                  step_sizes_fall_to_swa_lr_and_stay,        on_a_quadratic_it_has_the_stationary_variance_of_descent,
                                  what_makes_no_gaussian_is_refused,         NULL};
    omp_set_num_threads(1); /* on rows this few threads would wait for each other, not work */
    return run_tests("swag", tests);
}
