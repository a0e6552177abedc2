/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_last_layer.c: the engine last_layer against linear regression, and against the Gaussian process of its own features, which knows no
 * weights: y ~ N(0, Phi Phi^T/prec + var 1).
 */
#include "files.h"

#include <bnn/fit.h>
#include <bnn/store.h>
#include <gsl/gsl_blas.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>

enum { ROWS = 40, IN = LINEAR - 1, HIDDEN = 4, FEATURES = HIDDEN + 1 };

typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_run *run;
} fitted;

static fitted fit_on(bnn_table *t, const char *engine, const char *net, const char *likelihood, const char *prior) {
    fitted f = {.table = t, .data = data_new(t)};
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine, .likelihood = likelihood, .prior = prior, .seed = 1}, f.data, &f.run));
    return f;
}

static fitted fit(const char *engine, const char *net, const char *likelihood, const char *prior) {
    return fit_on(table_new(ROWS, IN, 0, 1), engine, net, likelihood, prior);
}

static void fitted_free(fitted *f) {
    bnn_run_free(f->run);
    bnn_data_free(f->data);
    bnn_table_free(f->table);
}

static bnn_prediction *predict(const bnn_run *run, const bnn_data *data) {
    bnn_prediction *p;
    OK(bnn_predict(run->engine, data, &(bnn_predict_options){.samples = 1, .seed = 5}, &p));
    return p;
}

static const void *state_of(bnn_engine *e, const char *name) {
    bnn_block block[BNN_MAX_BLOCKS];
    int n = bnn_engine_vtable(e)->blocks(e, block);
    for (int i = 0; i < n; i++)
        if (strcmp(block[i].name, name) == 0) return block[i].data;
    ck_abort_msg("no block '%s'", name);
}

/* ---------------------------------------------------------------- no hidden layers */

/* However short the descent before it was. */
START_TEST(without_hidden_layers_it_is_the_conjugate_posterior) {
    fitted f = fit("last_layer:engine=map{epochs=1},precision=prior", "dense", "gaussian:tau=0.5", "gauss:sd=0.7,bias_sd=1.5");
    double sd = f.data->scaling.y_sd[0], shift = f.data->scaling.y_mean[0];
    linear_posterior want;
    linear_posterior_of(f.data, 0.5 * sd * sd, 1 / (0.7 * 0.7), 1 / (1.5 * 1.5), 0, &want);
    const bnn_real *theta = state_of(f.run->engine, "theta");
    for (int i = 0; i < LINEAR; i++) ck_assert_double_eq_tol((double)theta[i], want.mean[i], ROUNDING);
    bnn_prediction *p = predict(f.run, f.data);
    for (int r = 0; r < ROWS; r++) {
        double mean = 0, var = 0, x[LINEAR] = {[IN] = 1};
        for (int i = 0; i < IN; i++) x[i] = (double)f.data->x[r * IN + i];
        for (int i = 0; i < LINEAR; i++) {
            mean += x[i] * want.mean[i];
            for (int j = 0; j < LINEAR; j++) var += x[i] * want.cov[i * LINEAR + j] * x[j];
        }
        ck_assert_double_eq_tol(p->mean[r], mean * sd + shift, 20 * ROUNDING);
        ck_assert_double_eq_tol(p->var_epistemic[r], var * sd * sd, 20 * ROUNDING);
        ck_assert_double_eq_tol(p->var_aleatoric[r], 1 / 0.5, 20 * ROUNDING);
    }
    bnn_prediction_free(p);
    fitted_free(&f);
}
END_TEST

START_TEST(draws_have_the_moments_of_the_posterior) {
    enum { S = 20000 };
    fitted f = fit("last_layer:engine=map{epochs=1},precision=prior", "dense", "gaussian:tau=0.5", "gauss:sd=0.7,bias_sd=1.5");
    double sd = f.data->scaling.y_sd[0];
    linear_posterior want;
    moments m[LINEAR] = {0};
    bnn_real theta[LINEAR];
    linear_posterior_of(f.data, 0.5 * sd * sd, 1 / (0.7 * 0.7), 1 / (1.5 * 1.5), 0, &want);
    for (uint64_t s = 0; s < S; s++) {
        OK(bnn_engine_draw(f.run->engine, (int)s, bnn_rng_split(bnn_rng_seed(9), s), theta));
        for (int i = 0; i < LINEAR; i++) moments_add(&m[i], (double)theta[i]);
    }
    for (int i = 0; i < LINEAR; i++)
        ck_assert_msg(fabs(moments_z(&m[i], want.mean[i])) < MOST_Z && fabs(moments_var_z(&m[i], want.cov[i * LINEAR + i])) < MOST_Z,
                      "entry %d has z %g of the mean, %g of the variance", i, moments_z(&m[i], want.mean[i]),
                      moments_var_z(&m[i], want.cov[i * LINEAR + i]));
    fitted_free(&f);
}
END_TEST

/* ---------------------------------------------------------------- the Gaussian process of the features */

/* phi[ROWS, FEATURES] of the network "dense:HIDDEN; tanh; dense" at theta: its outputs where the last layer has a single 1. */
static double *features_of(const bnn_engine *e, const bnn_data *data, const bnn_real *theta) {
    const bnn_net *net = e->model->net;
    double *phi = malloc(ROWS * FEATURES * sizeof *phi);
    bnn_real *probe = reals_new((size_t)e->model->n_theta);
    bnn_workspace *ws;
    OK(bnn_workspace_new(net, ROWS, BNN_FORWARD, &ws));
    for (int k = 0; k < FEATURES; k++) {
        memcpy(probe, theta, (size_t)net->n_theta * sizeof *probe);
        for (int i = 0; i < FEATURES; i++) probe[net->n_theta - FEATURES + i] = i == k;
        bnn_net_prepare(net, ws, probe, BNN_MEAN, false, bnn_rng_seed(0));
        const bnn_real *f = bnn_net_forward(net, ws, ROWS, 0, data->x);
        for (int r = 0; r < ROWS; r++) phi[r * FEATURES + k] = (double)f[r];
    }
    bnn_workspace_free(ws);
    reals_free(probe);
    return phi;
}

/* Log density of standardised y under the process; mean[ROWS] and var[ROWS] of f given y, NULL: not wanted. */
static double process(const double *phi, const bnn_data *data, double prec, double noise, double *mean, double *var) {
    double K[ROWS * ROWS], k[ROWS * ROWS], solved[ROWS], log_p = -0.5 * ROWS * log(2 * M_PI);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < ROWS; j++) {
            k[i * ROWS + j] = 0;
            for (int c = 0; c < FEATURES; c++) k[i * ROWS + j] += phi[i * FEATURES + c] * phi[j * FEATURES + c] / prec;
            K[i * ROWS + j] = k[i * ROWS + j] + (i == j) * noise;
        }
    gsl_matrix_view m = gsl_matrix_view_array(K, ROWS, ROWS);
    gsl_linalg_cholesky_decomp1(&m.matrix);
    for (int i = 0; i < ROWS; i++) solved[i] = (double)data->y[i], log_p -= log(K[i * ROWS + i]);
    gsl_vector_view a = gsl_vector_view_array(solved, ROWS);
    gsl_linalg_cholesky_svx(&m.matrix, &a.vector);
    for (int i = 0; i < ROWS; i++) log_p -= 0.5 * (double)data->y[i] * solved[i];
    for (int r = 0; mean && r < ROWS; r++) {
        double row[ROWS];
        gsl_vector_view v = gsl_vector_view_array(row, ROWS);
        memcpy(row, k + r * ROWS, sizeof row);
        gsl_linalg_cholesky_svx(&m.matrix, &v.vector);
        mean[r] = 0, var[r] = k[r * ROWS + r];
        for (int i = 0; i < ROWS; i++) mean[r] += k[r * ROWS + i] * solved[i], var[r] -= k[r * ROWS + i] * row[i];
    }
    return log_p;
}

/* Log density of the noise that the likelihood learns by its presets, up to a constant. */
static double noise_density(double noise) { return -0.25 * (log(noise) + 0.05 * 0.05 / noise); }

static void is_the_process(const char *engine, bool finds_noise) {
    fitted f = fit(engine, "dense:4; tanh; dense", "gaussian", "gauss");
    bnn_engine *e = f.run->engine;
    const bnn_real *theta = state_of(e, "theta");
    double prec = *(const double *)state_of(e, "prior_prec"), noise = exp((double)theta[e->model->net->n_theta]), mean[ROWS], var[ROWS];
    double *phi = features_of(e, f.data, theta), sd = f.data->scaling.y_sd[0], shift = f.data->scaling.y_mean[0], step = exp(0.05);
    double best = process(phi, f.data, prec, noise, mean, var);
    bnn_prediction *p = predict(f.run, f.data);
    ck_assert_double_eq_tol(*(const double *)state_of(e, "log_evidence"), best - ROWS * log(sd), 1e-3);
    for (int r = 0; r < ROWS; r++) {
        ck_assert_double_eq_tol(p->mean[r], mean[r] * sd + shift, 1e-3);
        ck_assert_double_eq_tol(p->var_epistemic[r], var[r] * sd * sd, 1e-3);
    }
    ck_assert_double_gt(best, process(phi, f.data, prec * step, noise, NULL, NULL));
    ck_assert_double_gt(best, process(phi, f.data, prec / step, noise, NULL, NULL));
    for (int k = 0; finds_noise && k < 2; k++) {
        double other = k ? noise * step : noise / step;
        ck_assert_double_gt(best + noise_density(noise), process(phi, f.data, prec, other, NULL, NULL) + noise_density(other));
    }
    bnn_prediction_free(p);
    free(phi);
    fitted_free(&f);
}

START_TEST(features_make_a_gaussian_process_at_its_best) {
    is_the_process("last_layer:engine=map{epochs=30}", false);
    is_the_process("last_layer:engine=map{epochs=30},noise=evidence", true);
    is_the_process("last_layer", false);
}
END_TEST

START_TEST(noise_stays_as_the_engine_has_found_it) {
    fitted a = fit("map:epochs=30", "dense:4; tanh; dense", "gaussian", "gauss"),
           b = fit_on(table_new(ROWS, IN, 0, 1), "last_layer:engine=map{epochs=30}", "dense:4; tanh; dense", "gaussian", "gauss"),
           c = fit_on(table_new(ROWS, IN, 0, 1), "last_layer:engine=map{epochs=30},noise=evidence", "dense:4; tanh; dense", "gaussian",
                      "gauss");
    bnn_run *again;
    OK(bnn_run_new(&(bnn_config){.net = "dense:4; tanh; dense", .engine = "last_layer", .likelihood = "gaussian", .prior = "gauss"}, a.data,
                   &again));
    OK(bnn_run_begin(again, a.run));
    OK(bnn_run_step(again, a.data, &(double){0}));
    ck_assert(again->complete);
    int at = a.run->engine->model->net->n_theta;
    const bnn_real *given = state_of(again->engine, "theta"), *noisy = state_of(a.run->engine, "theta");
    ck_assert_double_eq((double)given[at], (double)noisy[at]);
    ck_assert_double_ne((double)((const bnn_real *)state_of(c.run->engine, "theta"))[at],
                        (double)((const bnn_real *)state_of(b.run->engine, "theta"))[at]);
    bnn_run_free(again);
    fitted_free(&a), fitted_free(&b), fitted_free(&c);
}
END_TEST

START_TEST(a_random_last_layer_becomes_a_plain_one) {
    fitted a = fit("last_layer:engine=map{epochs=30}", "dense:4; tanh; gaussian_dense:bias=no", "gaussian", "gauss"),
           b = fit("last_layer:engine=map{epochs=30}", "dense:4; tanh; dense:bias=no", "gaussian", "gauss");
    ck_assert_str_eq(a.run->engine->texts.net, b.run->engine->texts.net);
    fitted_free(&a), fitted_free(&b);
}
END_TEST

START_TEST(it_predicts_the_same_from_its_file) {
    fitted f = fit("last_layer:engine=map{epochs=30}", "dense:4; tanh; dense", "gaussian", "gauss");
    bnn_run *back;
    OK(bnn_run_save(f.run, NULL, NULL, files_path("run.h5")));
    OK(bnn_run_load(files_path("run.h5"), &back, NULL));
    bnn_prediction *a = predict(f.run, f.data), *b = predict(back, f.data);
    ck_assert_mem_eq(a->mean, b->mean, ROWS * sizeof *a->mean);
    ck_assert_mem_eq(a->var_epistemic, b->var_epistemic, ROWS * sizeof *a->mean);
    bnn_prediction_free(a), bnn_prediction_free(b);
    bnn_run_free(back);
    fitted_free(&f);
    files_remove();
}
END_TEST

START_TEST(what_it_cannot_do_it_says) {
    static const struct {
        const char *engine, *net, *likelihood, *prior, *sentence;
        int n_classes;
    } refused[] = {
        {"last_layer", "dense", "categorical", "gauss",
         "is for real targets with Gaussian noise, not for likelihood 'categorical': laplace:subset", 3},
        {"last_layer", "dense", "heteroscedastic", "gauss", "is for real targets with Gaussian noise, not for likelihood 'heteroscedastic'",
         0},
        {"last_layer", "dense:4; tanh; dense:1; tanh", "gaussian", "gauss", "needs a network that ends with an affine layer without noise",
         0},
        {"last_layer:engine=bayes_by_backprop", "dense", "gaussian", "gauss",
         "'bayes_by_backprop' makes the weights of the last layer random", 0},
        {"last_layer:engine=ensemble", "dense", "gaussian", "gauss",
         "engine 'ensemble' has no one set of features: put it around last_layer", 0},
        {"last_layer:precision=prior", "dense", "gaussian", "scale_mixture", "prior 'scale_mixture' is not Gaussian", 0},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        bnn_table *t = table_new(ROWS, IN, refused[i].n_classes, 1);
        bnn_data *d = data_new(t);
        bnn_run *run;
        SAYS(bnn_fit(
                 &(bnn_config){
                     .net = refused[i].net, .engine = refused[i].engine, .likelihood = refused[i].likelihood, .prior = refused[i].prior},
                 d, &run),
             refused[i].sentence);
        bnn_data_free(d);
        bnn_table_free(t);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {without_hidden_layers_it_is_the_conjugate_posterior,
                                  draws_have_the_moments_of_the_posterior,
                                  features_make_a_gaussian_process_at_its_best,
                                  noise_stays_as_the_engine_has_found_it,
                                  a_random_last_layer_becomes_a_plain_one,
                                  it_predicts_the_same_from_its_file,
                                  what_it_cannot_do_it_says,
                                  NULL};
    return run_tests("last_layer", tests);
}
