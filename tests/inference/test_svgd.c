/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_svgd.c: one step of svgd written out, and where its particles come to rest.
 */
#include "files.h"

#include <bnn/descent.h>
#include <bnn/fit.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 40, IN = 3, BATCH = 16, PARTICLES = 3 };

static bnn_engine *open_engine(const char *spec, const char *net, const char *likelihood, const bnn_data *data) {
    bnn_engine *e;
    OK(bnn_engine_new(spec, &(bnn_texts){net, likelihood, "gauss:sd=0.5"}, data, bnn_rng_seed(4), &e));
    return e;
}

static void fit(bnn_engine *e, const bnn_data *data) {
    bnn_step step = {0};
    while (!step.done) OK(bnn_engine_step(e, data, &step));
}

/* ---------------------------------------------------------------- by hand */

static double kernel_of(size_t n, const bnn_real *a, const bnn_real *b, double h) {
    double square = 0;
    for (size_t k = 0; k < n; k++) square += pow((double)a[k] - (double)b[k], 2);
    return h > 0 ? exp(-square / h) : square;
}

/* theta[PARTICLES, n] after one minibatch: algorithm 1 of Liu & Wang with a plain step, lr of U/N. */
static void step_by_hand(const bnn_engine *e, const bnn_data *data, const int *order, int i, bnn_real *theta) {
    size_t n = (size_t)e->model->n_theta;
    int rows = i < 2 ? BATCH : ROWS - 2 * BATCH;
    bnn_real x[BATCH * IN], y[BATCH], *g = reals_new(PARTICLES * n), *next = reals_new(PARTICLES * n);
    bnn_workspace *ws;
    bnn_objective u = {.n_total = ROWS, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    OK(bnn_workspace_new(e->model->net, BATCH, BNN_TO_THETA, &ws));
    for (int r = 0; r < rows; r++) {
        memcpy(x + r * IN, data->x + order[i * BATCH + r] * IN, IN * sizeof *x);
        y[r] = data->y[order[i * BATCH + r]];
    }
    for (size_t a = 0; a < PARTICLES; a++) bnn_model_u(e->model, ws, &u, bnn_rng_seed(0), theta + a * n, rows, x, y, g + a * n);
    double square[] = {kernel_of(n, theta, theta + n, 0), kernel_of(n, theta, theta + 2 * n, 0), kernel_of(n, theta + n, theta + 2 * n, 0)};
    gsl_sort(square, 1, 3);
    double h = square[1] / log(PARTICLES); /* the median of the distances is that of their squares */
    for (size_t a = 0; a < PARTICLES; a++)
        for (size_t k = 0; k < n; k++) {
            double phi = 0, lr = k + 1 == n ? 0.03 : 0.01; /* the noise stands last */
            for (size_t b = 0; b < PARTICLES; b++) {
                double weight = kernel_of(n, theta + b * n, theta + a * n, h), apart = (double)theta[a * n + k] - (double)theta[b * n + k];
                phi += weight * (-(double)g[b * n + k] + 2 * apart / h) / PARTICLES;
            }
            next[a * n + k] = theta[a * n + k] + (bnn_real)(lr * phi / ROWS);
        }
    memcpy(theta, next, PARTICLES * n * sizeof *theta);
    bnn_workspace_free(ws);
    reals_free(g), reals_free(next);
}

START_TEST(two_epochs_are_those_by_hand) {
    bnn_table *t = table_new(ROWS, IN, 0, 1);
    bnn_data *data = data_new(t);
    bnn_engine *e = open_engine("svgd:particles=3,bandwidth=1,epochs=2,batch=16,lr=0.01,lr_hyper=0.03,schedule=constant,optimizer=sgd{momentum=0}",
                                "dense:4; tanh; dense", "gaussian", data);
    size_t n = (size_t)e->model->n_theta;
    bnn_real *hand = reals_new(PARTICLES * n), *theta = reals_new(n);
    int order[ROWS];
    for (uint64_t a = 0; a < PARTICLES; a++)
        bnn_model_init(e->model, bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_INIT), a), hand + a * n);
    for (int i = 0; i < 6; i++) {
        if (i % 3 == 0) bnn_rng_permutation(bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_SHUFFLE), (uint64_t)(i / 3)), ROWS, order);
        step_by_hand(e, data, order, i % 3, hand);
    }
    fit(e, data);
    for (int a = 0; a < PARTICLES; a++) {
        OK(bnn_engine_draw(e, a, bnn_rng_seed(0), theta));
        for (size_t k = 0; k < n; k++)
            ck_assert_msg(fabs((double)theta[k] - (double)hand[(size_t)a * n + k]) < ROUNDING,
                          "particle %d, parameter %zu is %.9g, by hand %.9g", a, k, (double)theta[k], (double)hand[(size_t)a * n + k]);
    }
    ck_assert_uint_eq(e->cost.gradients, PARTICLES * 6);
    ck_assert_double_eq(e->cost.flops,
                        2 * PARTICLES *
                            (2 * bnn_model_gradient_flops(e->model, BATCH) + bnn_model_gradient_flops(e->model, ROWS - 2 * BATCH)));
    reals_free(hand), reals_free(theta);
    bnn_engine_free(e);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* ---------------------------------------------------------------- at rest */

/* One weight and no bias: its posterior is N(mean, var). */
static void posterior_of(const bnn_data *data, double *mean, double *var) {
    double tau = 0.1 * data->scaling.y_sd[0] * data->scaling.y_sd[0], prec = 1 / (0.5 * 0.5), along = 0;
    for (int i = 0; i < data->n; i++) {
        prec += tau * (double)data->x[i] * (double)data->x[i];
        along += tau * (double)data->x[i] * (double)data->y[i];
    }
    *mean = along / prec, *var = 1 / prec;
}

/* Mean and variance (divisor P) of the particles in units of the posterior's. */
static void at_rest(int particles, const bnn_data *data, double *mean, double *var) {
    char spec[160];
    double centre, square, sum = 0, squares = 0;
    snprintf(spec, sizeof spec, "svgd:particles=%d,bandwidth=1,batch=1000,epochs=6000,lr=0.3,optimizer=sgd{momentum=0.9}", particles);
    bnn_engine *e = open_engine(spec, "dense:bias=no", "gaussian:tau=0.1", data);
    ck_assert_int_eq(e->model->n_theta, 1);
    posterior_of(data, &centre, &square);
    fit(e, data);
    ck_assert_int_eq(bnn_engine_vtable(e)->n_draws(e), particles);
    for (int i = 0; i < particles; i++) {
        bnn_real w;
        OK(bnn_engine_draw(e, i, bnn_rng_seed(0), &w));
        sum += ((double)w - centre) / particles / sqrt(square);
        squares += ((double)w - centre) * ((double)w - centre) / particles / square;
    }
    *mean = sum, *var = squares - sum * sum;
    bnn_engine_free(e);
}

/* One is the mode. Two, at +-a: the median distance is 2a, so k = exp(-log 2) = 1/2 and h = 4 a^2 / log 2; phi = 0 where h = 4, a^2 =
 * log 2. Many have the posterior's variance. */
START_TEST(particles_rest_where_they_should) {
    bnn_table *t = table_new(ROWS, 1, 0, 1);
    bnn_data *data = data_new(t);
    double mean, var, before;
    at_rest(1, data, &mean, &var);
    ck_assert_msg(fabs(mean) < 100 * ROUNDING && fabs(var) < 100 * ROUNDING, "one particle: %g, variance %g", mean, var);
    at_rest(2, data, &mean, &var);
    ck_assert_msg(fabs(mean) < 1e-3 && fabs(var - log(2)) < 1e-3, "two particles: mean %g, variance %g, not %g", mean, var, log(2));
    at_rest(10, data, &mean, &before);
    at_rest(50, data, &mean, &var);
    ck_assert_msg(fabs(var - 1) < fabs(before - 1) && fabs(var - 1) < 0.1 && fabs(mean) < 1e-2,
                  "variance %g of 10, %g of 50 particles, mean %g", before, var, mean);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

START_TEST(what_cannot_be_is_refused) {
    bnn_table *t = table_new(ROWS, IN, 0, 1);
    bnn_data *data = data_new(t);
    bnn_run *run;
    SAYS(bnn_fit(&(bnn_config){.net = "dropout; dense", .engine = "svgd"}, data, &run), "no layer may have noise of its own: leave out");
    SAYS(bnn_fit(&(bnn_config){.net = "dense", .engine = "svgd:lr=1e9,optimizer=sgd"}, data, &run),
         "engine 'svgd': the objective of particle 1 is not finite in epoch ");
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {two_epochs_are_those_by_hand, particles_rest_where_they_should, what_cannot_be_is_refused, NULL};
    omp_set_num_threads(1); /* on rows this few threads would wait for each other, not work */
    return run_tests("svgd", tests);
}
