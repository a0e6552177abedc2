/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_engines.c: engines against closed forms, what every engine promises, and the searches against the fits they are made of.
 */
#include "files.h"

#include <bnn/descent.h>
#include <bnn/fit.h>
#include <bnn/holder.h>
#include <bnn/metrics.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, IN = 3 };

/* Strong enough to be seen beside the data: see the closed forms. */
static const char prior_text[] = "gauss:sd=0.15,bias_sd=0.5";
static const double prec_w = 1 / (0.15 * 0.15), prec_b = 1 / (0.5 * 0.5);

static bnn_run *fit(const char *engine, const char *net, uint64_t seed, const bnn_data *data) {
    bnn_run *run;
    OK(bnn_fit(
        &(bnn_config){
            .net = net, .engine = engine, .likelihood = data->n_classes ? NULL : "gaussian:tau=0.5", .prior = prior_text, .seed = seed},
        data, &run));
    ck_assert(run->complete);
    return run;
}

static bnn_engine *open_engine(const char *spec, const char *net, bnn_rng rng, const bnn_data *data) {
    bnn_engine *e;
    OK(bnn_engine_new(spec, &(bnn_texts){net, data->n_classes ? "categorical" : "gaussian:tau=0.5", prior_text}, data, rng, &e));
    return e;
}

static bnn_step steps(bnn_engine *e, const bnn_data *data, int n) {
    bnn_step step = {0};
    for (int i = 0; i < n; i++) OK(bnn_engine_step(e, data, &step));
    return step;
}

static size_t theta_of(const bnn_engine *e, bnn_real **theta) {
    size_t n = (size_t)bnn_engine_fitted(e)->model->n_theta;
    *theta = reals_new(n);
    OK(bnn_engine_draw(e, 0, bnn_rng_seed(0), *theta));
    return n;
}

static bool same_theta(const bnn_engine *a, const bnn_engine *b) {
    bnn_real *x, *y;
    size_t n = theta_of(a, &x);
    bool same = n == theta_of(b, &y) && memcmp(x, y, n * sizeof *x) == 0;
    reals_free(x), reals_free(y);
    return same;
}

static const char plain_net[] = "dense:6; tanh; dense";

/* ---------------------------------------------------------------- linear regression in closed form */

enum { W = LINEAR }; /* weights and bias, as theta has them */
_Static_assert(W == IN + 1, "the closed form is of these data");

static double tau_of(const bnn_data *data) { return 0.5 * data->scaling.y_sd[0] * data->scaling.y_sd[0]; }

/* Without noise the engines find the ridge solution; gates that never drop are no noise. */
START_TEST(point_estimates_are_ridge_regression) {
    static const char *const engines[] = {"map:epochs=1500,lr=0.05,optimizer=sgd{momentum=0.9}",
                                          "mc_dropout:p=0,epochs=1500,lr=0.05,optimizer=sgd{momentum=0.9}",
                                          "map:epochs=3000,lr=0.02,schedule=cosine"};
    test_rows r = test_rows_new(ROWS, IN, 0);
    linear_posterior p;
    linear_posterior_of(r.data, tau_of(r.data), prec_w, prec_b, 0, &p);
    for (size_t k = 0; k < sizeof engines / sizeof *engines; k++) {
        bnn_run *run = fit(engines[k], "dense", 1, r.data);
        bnn_real *theta;
        ck_assert_uint_eq(theta_of(run->engine, &theta), W);
        for (int i = 0; i < W; i++)
            ck_assert_msg(fabs((double)theta[i] - p.mean[i]) < (k == 2 ? 1e-4 : 10 * ROUNDING), "%s: weight %d is %.9g, not %.9g",
                          engines[k], i, (double)theta[i], p.mean[i]);
        reals_free(theta);
        bnn_run_free(run);
    }
    test_rows_free(&r);
}
END_TEST

/* What an engine without options makes of linear regression, against the posterior: mean of the outputs, in its sd; their spread, as a
 * share of its. */
static void compare_with_posterior(const char *engine, const bnn_data *data, const linear_posterior *p, double *off, double *spread) {
    bnn_run *run = fit(engine, "dense", 1, data);
    bnn_prediction *q;
    double exact = 0, found = 0;
    OK(bnn_run_predict(run, data, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 1000, .seed = 1}, &q));
    *off = 0;
    for (int i = 0; i < data->n; i++) {
        double x[W] = {[W - 1] = 1}, mean = 0, var = 0;
        for (int a = 0; a < IN; a++) x[a] = (double)data->x[i * IN + a];
        for (int a = 0; a < W; a++) mean += x[a] * p->mean[a];
        for (int a = 0; a < W; a++)
            for (int b = 0; b < W; b++) var += x[a] * p->cov[a * W + b] * x[b];
        double sd = data->scaling.y_sd[0];
        *off += pow(q->mean[i] - data->scaling.y_mean[0] - sd * mean, 2) / (var * sd * sd) / data->n;
        exact += var * sd * sd, found += q->var_epistemic[i];
    }
    *off = sqrt(*off), *spread = sqrt(found / exact);
    bnn_prediction_free(q), bnn_run_free(run);
}

/* Presets run for as long as it takes, on few rows and on many. Particles are known to stand too close together. */
START_TEST(presets_reach_what_they_claim) {
    static const struct {
        const char *engine;
        double off, least, most;
    } claims[] = {{"map", 0.1, 0, 0},
                  {"bayes_by_backprop", 0.15, 0.85, 1.15},
                  {"laplace:precision=prior", 0.02, 0.97, 1.03},
                  {"last_layer:precision=prior", 0.02, 0.97, 1.03},
                  {"sgld", 0.2, 0.85, 1.2},
                  {"sghmc", 0.2, 0.85, 1.2},
                  {"svgd", 0.2, 0.8, 1.1},
                  {"mc_dropout:p=0", 0.1, 0, 0}};
    omp_set_num_threads(1); /* steps as short as these are not worth a meeting of threads */
    for (int n = 40; n <= 400; n *= 10) {
        bnn_table *t = table_new(n, IN, 0, 3);
        bnn_data *d = data_new(t);
        linear_posterior p;
        linear_posterior_of(d, tau_of(d), prec_w, prec_b, 0, &p);
        for (size_t k = 0; k < sizeof claims / sizeof *claims; k++) {
            double off, spread;
            compare_with_posterior(claims[k].engine, d, &p, &off, &spread);
            ck_assert_msg(off < claims[k].off && spread >= claims[k].least && spread <= claims[k].most,
                          "%s on %d rows: its mean is %.3f sd off, its spread is %.3f of the posterior's", claims[k].engine, n, off,
                          spread);
        }
        bnn_data_free(d);
        bnn_table_free(t);
    }
}
END_TEST

/* So many minibatches, in whole epochs, and no fewer than twenty of these. */
START_TEST(steps_are_counted_in_epochs) {
    static const struct {
        const char *engine;
        int epochs;
    } cases[] = {{"map:steps=100,batch=16", 34},
                 {"map:steps=40,batch=16", 20},
                 {"map:epochs=3,steps=100,batch=16", 3},
                 {"svgd:steps=70,batch=16", 24},
                 {"swag:steps=99,batch=16", 33}};
    test_rows r = test_rows_new(ROWS, IN, 0); /* three minibatches of sixteen */
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        bnn_run *run = fit(cases[k].engine, "dense", 1, r.data);
        ck_assert_msg(run->history.epochs == cases[k].epochs, "%s: %d epochs", cases[k].engine, run->history.epochs);
        bnn_run_free(run);
    }
    test_rows_free(&r);
}
END_TEST

/* Where U is level descent has found what the whole length finds; where it falls, or is too noisy to tell, it goes on. */
START_TEST(descent_ends_where_u_is_level) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    linear_posterior p;
    linear_posterior_of(r.data, tau_of(r.data), prec_w, prec_b, 0, &p);
    bnn_run *run = fit("map:epochs=20000,lr=0.05,batch=100,level=100,schedule=constant", "dense", 1, r.data);
    bnn_real *theta;
    ck_assert_msg(run->complete && run->progress == 1 && run->history.epochs > 200 && run->history.epochs < 2000 &&
                      run->history.epochs % 100 == 0,
                  "it ended after %d epochs", run->history.epochs);
    theta_of(run->engine, &theta);
    for (int i = 0; i < W; i++) ck_assert_double_eq_tol((double)theta[i], p.mean[i], 0.02);
    reals_free(theta), bnn_run_free(run);
    static const char *const whole[] = {"map:epochs=400,lr=0.0001,batch=100,level=100,schedule=constant",
                                        "mc_dropout:p=0.5,epochs=400,lr=1e-9,batch=16,level=10,schedule=constant"};
    for (int k = 0; k < 2; k++) {
        run = fit(whole[k], "dense", 1, r.data);
        ck_assert_msg(run->history.epochs == 400, "%s ended after %d epochs", whole[k], run->history.epochs);
        bnn_run_free(run);
    }
    bnn_run *none;
    SAYS(bnn_fit(&(bnn_config){.net = "dense", .engine = "map:level=9"}, r.data, &none), "windows of 9 epochs tell nothing, 10 are needed");
    SAYS(bnn_fit(&(bnn_config){.net = "dense", .engine = "swag:level=20"}, r.data, &none),
         "takes the parameters of all epochs: leave it out");
    test_rows_free(&r);
}
END_TEST

/* The mean of the gradient over the noise is zero at theta. */
static void is_stationary(const char *spec, const bnn_data *data, const bnn_real *theta) {
    enum { DRAWS = 4000 };
    bnn_engine *e = open_engine(spec, "dense", bnn_rng_seed(1), data);
    bnn_workspace *ws;
    int n = e->model->n_theta;
    bnn_real *g = reals_new((size_t)n);
    moments *mean = calloc((size_t)n, sizeof *mean);
    OK(bnn_workspace_new(e->model->net, data->n, BNN_TO_THETA, &ws));
    bnn_objective u = {.n_total = data->n, .scale = 1, .kl_weight = 1, .mode = BNN_ROWS};
    for (uint64_t s = 0; s < DRAWS; s++) {
        bnn_model_u(e->model, ws, &u, bnn_rng_split(bnn_rng_seed(2), s), theta, data->n, data->x, data->y, g);
        for (int i = 0; i < n; i++) moments_add(&mean[i], (double)g[i]);
    }
    for (int i = 0; i < n; i++)
        ck_assert_msg(fabs(moments_z(&mean[i], 0)) < MOST_Z, "%s: gradient %d is %g on average, z %g", spec, i, mean[i].mean,
                      moments_z(&mean[i], 0));
    free(mean);
    reals_free(g);
    bnn_workspace_free(ws);
    bnn_engine_free(e);
}

/* Gates in front of a linear model add p/(1-p) x^2 w^2 to its squares and make the prior keep/2 (w/keep)^2 / sd^2: ridge regression again.
 */
START_TEST(dropout_on_linear_regression_is_stationary_where_it_should) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    linear_posterior p;
    bnn_real theta[W];
    linear_posterior_of(r.data, tau_of(r.data), prec_w / 0.7, prec_b, 0.3 / 0.7, &p);
    for (int i = 0; i < W; i++) theta[i] = (bnn_real)p.mean[i];
    is_stationary("mc_dropout:p=0.3", r.data, theta);
    test_rows_free(&r);
}
END_TEST

static const char *const estimators[] = {"weight", "local", "flipout"};

/* The mean-field optimum has the mean of the posterior and variances 1 / Precision_ii. */
START_TEST(mean_field_is_stationary_where_it_should) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    linear_posterior p;
    bnn_real theta[2 * W];
    linear_posterior_of(r.data, tau_of(r.data), prec_w, prec_b, 0, &p);
    for (int i = 0; i < W; i++)
        theta[i] = (bnn_real)p.mean[i], theta[W + i] = (bnn_real)bnn_softplus_inverse(1 / sqrt(p.precision[i * W + i]));
    for (int k = 0; k < 3; k++) {
        char spec[64];
        snprintf(spec, sizeof spec, "bayes_by_backprop:estimator=%s", estimators[k]);
        is_stationary(spec, r.data, theta);
    }
    test_rows_free(&r);
}
END_TEST

/* And there its fit ends, which has noise of its own: without it the minimum of U would be elsewhere. */
START_TEST(mc_dropout_finds_the_ridge_regression_of_dropout) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    linear_posterior noisy, plain;
    bnn_real *theta;
    linear_posterior_of(r.data, tau_of(r.data), prec_w / 0.7, prec_b, 0.3 / 0.7, &noisy);
    linear_posterior_of(r.data, tau_of(r.data), prec_w / 0.7, prec_b, 0, &plain);
    bnn_run *run = fit("mc_dropout:p=0.3,epochs=4000,lr=0.02,schedule=cosine", "dense", 1, r.data);
    ck_assert_uint_eq(theta_of(run->engine, &theta), W);
    double excess = 0, apart = 0; /* nats of U above its minimum */
    for (int i = 0; i < W; i++)
        for (int j = 0; j < W; j++) {
            excess += 0.5 * ((double)theta[i] - noisy.mean[i]) * noisy.precision[i * W + j] * ((double)theta[j] - noisy.mean[j]);
            apart += 0.5 * (plain.mean[i] - noisy.mean[i]) * noisy.precision[i * W + j] * (plain.mean[j] - noisy.mean[j]);
        }
    ck_assert_msg(excess < 0.02 && apart > 0.1, "%g nats above the closed form; that without noise is %g above", excess, apart);
    reals_free(theta);
    bnn_run_free(run);
    test_rows_free(&r);
}
END_TEST

/* What E_q[U] of q = N(mu, diag sd^2) has above its minimum, in nats. */
static double excess(const linear_posterior *p, const bnn_real *theta) {
    double total = 0;
    for (int i = 0; i < W; i++) {
        double sd = bnn_softplus((double)theta[W + i]), ratio = sd * sd * p->precision[i * W + i];
        total += 0.5 * (ratio - 1 - log(ratio));
        for (int j = 0; j < W; j++)
            total += 0.5 * ((double)theta[i] - p->mean[i]) * p->precision[i * W + j] * ((double)theta[j] - p->mean[j]);
    }
    return total;
}

START_TEST(bayes_by_backprop_finds_the_mean_field_posterior) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    linear_posterior p;
    linear_posterior_of(r.data, tau_of(r.data), prec_w, prec_b, 0, &p);
    for (int k = 0; k < 4; k++) {
        char spec[96];
        bnn_real *theta;
        snprintf(spec, sizeof spec, "bayes_by_backprop:estimator=%s,epochs=%d,lr=0.02,schedule=cosine", k < 3 ? estimators[k] : "score",
                 k < 3 ? 4000 : 16000); /* the score function has the larger variance */
        bnn_run *run = fit(spec, "dense", 1, r.data);
        ck_assert_uint_eq(theta_of(run->engine, &theta), 2 * W);
        ck_assert_msg(excess(&p, theta) < 0.02, "%s: %g nats above the closed form", spec, excess(&p, theta));
        reals_free(theta);
        bnn_run_free(run);
    }
    test_rows_free(&r);
}
END_TEST

/* ---------------------------------------------------------------- descent */

/* Shares of KL in three minibatches are 4/7, 2/7, 1/7; times 3, as weights of the one term. */
enum { EPOCHS = 2, BATCH = 16, BATCHES = 3 };

static bool is_hyper(const bnn_model *m, size_t at) {
    bnn_block_info b;
    for (int k = 0; bnn_model_block(m, k, &b); k++)
        if (at >= b.offset && at < b.offset + b.length) return b.role == BNN_HYPER;
    ck_abort_msg("no block holds parameter %zu", at);
}

/* theta after one minibatch of the epoch's order, step t (from 0). */
static void step_by_hand(const bnn_engine *e, bnn_workspace *ws, const bnn_data *data, const int *order, int i, int t, bnn_real *theta) {
    static const double share[] = {4. / 7, 2. / 7, 1. / 7};
    const bnn_model *m = e->model;
    bnn_real x[BATCH * IN], y[BATCH], *g = reals_new((size_t)m->n_theta);
    int n = i < 2 ? BATCH : ROWS - 2 * BATCH;
    for (int k = 0; k < n; k++) {
        int row = order[i * BATCH + k];
        memcpy(x + k * IN, data->x + row * IN, IN * sizeof *x);
        y[k] = data->y[row];
    }
    bnn_objective u = {.n_total = ROWS, .scale = 1.0 / ROWS, .kl_weight = 3 * share[i], .mode = BNN_ROWS};
    bnn_model_u(m, ws, &u, bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_STEP), (uint64_t)t), theta, n, x, y, g);
    for (size_t k = 0; k < (size_t)m->n_theta; k++)
        theta[k] -= (bnn_real)((is_hyper(m, k) ? 0.03 : 0.01) * 0.5 * (1 + cos(M_PI * t / (EPOCHS * BATCHES)))) * g[k];
    reals_free(g);
}

/* Order, noise, N/M, share of KL, two step sizes and their schedule: two epochs written out. */
START_TEST(two_epochs_are_those_by_hand) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_engine *e =
        open_engine("bayes_by_backprop:kl=geometric,epochs=2,batch=16,lr=0.01,lr_hyper=0.03,schedule=cosine,optimizer=sgd{momentum=0}",
                    "concrete_dropout:0.2,0.5; dense:4; tanh; dense", bnn_rng_seed(5), r.data);
    bnn_workspace *ws;
    bnn_real *hand, *theta;
    int order[ROWS];
    OK(bnn_workspace_new(e->model->net, BATCH, BNN_TO_THETA, &ws));
    size_t n = theta_of(e, &hand);
    for (int t = 0; t < EPOCHS * BATCHES; t++) {
        if (t % BATCHES == 0)
            bnn_rng_permutation(bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_SHUFFLE), (uint64_t)(t / BATCHES)), ROWS, order);
        step_by_hand(e, ws, r.data, order, t % BATCHES, t, hand);
    }
    ck_assert(steps(e, r.data, EPOCHS).done);
    theta_of(e, &theta);
    for (size_t k = 0; k < n; k++)
        ck_assert_msg(fabs((double)theta[k] - (double)hand[k]) < ROUNDING, "parameter %zu is %.9g, by hand %.9g", k, (double)theta[k],
                      (double)hand[k]);
    reals_free(hand), reals_free(theta);
    bnn_workspace_free(ws);
    bnn_engine_free(e);
    test_rows_free(&r);
}
END_TEST

/* With lr = 0 KL stands still: the mean over the minibatches is KL itself, however it is shared out. */
START_TEST(kl_weights_sum_to_one) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    double kl[2];
    for (int k = 0; k < 2; k++) {
        bnn_engine *e = open_engine(k ? "bayes_by_backprop:kl=geometric,batch=3,lr=0" : "bayes_by_backprop:kl=uniform,batch=1000,lr=0",
                                    plain_net, bnn_rng_seed(1), r.data);
        kl[k] = steps(e, r.data, 1).terms.kl;
        bnn_engine_free(e);
    }
    ck_assert_double_gt(kl[0], 0);
    ck_assert_double_eq_tol(kl[1] / kl[0], 1, 1e-12);
    test_rows_free(&r);
}
END_TEST

/* 2 3 4 + 2 4 1 multiply-adds forward and twice that back, for each row; gates add a product for each of their units. */
START_TEST(the_ledger_is_exact) {
    static const struct {
        const char *engine;
        int forward, back;
    } cases[] = {{"map:epochs=5,batch=16", 32, 64}, {"mc_dropout:epochs=5,batch=16", 39, 71}};
    test_rows r = test_rows_new(ROWS, IN, 0);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        bnn_run *run = fit(cases[k].engine, "dense:4; dense", 1, r.data);
        bnn_prediction *p;
        OK(bnn_predict(run->engine, r.data, &(bnn_predict_options){.samples = 7}, &p));
        int samples = k == 0 ? 1 : 7;
        ck_assert_uint_eq(run->cost.gradients, 5 * 3);
        ck_assert_uint_eq(run->cost.forwards, 0);
        ck_assert_double_eq(run->cost.flops, 5.0 * ROWS * (cases[k].forward + cases[k].back));
        ck_assert_double_gt(run->cost.seconds_wall, 0);
        ck_assert_uint_gt(run->cost.peak_bytes, 0);
        ck_assert_uint_eq(p->cost.forwards, (unsigned)samples);
        ck_assert_double_eq(p->cost.flops, (double)samples * ROWS * cases[k].forward);
        bnn_prediction_free(p);
        bnn_run_free(run);
    }
    test_rows_free(&r);
}
END_TEST

START_TEST(an_objective_that_is_not_finite_is_an_error) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_run *run;
    bnn_engine *e = open_engine("map:batch=16", plain_net, bnn_rng_seed(1), r.data);
    bnn_block block[BNN_MAX_BLOCKS];
    bnn_step step;
    steps(e, r.data, 2);
    bnn_engine_vtable(e)->blocks(e, block);
    ((bnn_real *)block[0].data)[0] = (bnn_real)NAN;
    uint64_t before = e->cost.gradients;
    SAYS(bnn_engine_step(e, r.data, &step), "engine 'map': the objective is not finite in epoch 3, step 1 (nll ");
    ck_assert_uint_eq(e->cost.gradients, before + 1);
    ck_assert_int_eq(bnn_fit(&(bnn_config){.net = plain_net, .engine = "mc_dropout:lr=1e9,optimizer=sgd"}, r.data, &run), BNN_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(bnn_error(), "engine 'mc_dropout': the objective is not finite in epoch "));
    bnn_engine_free(e);
    test_rows_free(&r);
}
END_TEST

START_TEST(what_does_not_fit_is_refused) {
    char path_out[] = "use a smaller batch";
    bnn_table *t = table_new(100000, 1, 0, 1);
    bnn_data *d = data_new(t);
    bnn_run *run;
    OK(bnn_memory_check(1, "nothing", path_out));
    SAYS(bnn_memory_check(1e18, "the moon", path_out), "the moon needs 1e+09 GB, ");
    SAYS(bnn_memory_check(1e18, "the moon", path_out), " GB are free; use a smaller batch");
    ck_assert_int_eq(bnn_fit(&(bnn_config){.net = "dense:1000000; relu; dense", .engine = "map:batch=100000"}, d, &run), BNN_ERR_MEMORY);
    ck_assert_ptr_nonnull(strstr(bnn_error(), "engine 'map': training needs "));
    SAYS(bnn_fit(&(bnn_config){.net = "dense:100000; dense:100000; dense", .engine = "map"}, d, &run),
         "node 'dense_2' (dense): has more than 2^30 parameters or units");
    OK(bnn_time_check(3e9, "nothing", path_out));
    SAYS(bnn_time_check(1e18, "the moon", path_out), "the moon takes about 3.17e+10 years of one core, ");
    static const char *const endless[] = {"ensemble:engine=map{epochs=1000000000,batch=1},members=20",
                                          "early_stopping:engine=ensemble{engine=map{epochs=1000000000,batch=1},members=20}",
                                          "grid_search:engine=map{epochs=1000000000,batch=1},grid={lr=1|2|3|4|5,lr_noise=1|2|3|4}",
                                          "hmc:steps=1000000000,thin=1000",
                                          "sgld:burnin=100000000,batch=1,chains=100",
                                          "svgd:epochs=1000000000,batch=1"};
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++)
        SAYS(bnn_run_new(&(bnn_config){.net = "dense", .engine = endless[i]}, d, &run), " years of one core, ");
    bnn_engine *one = open_engine("map:epochs=10", "dense", bnn_rng_seed(1), d),
               *three = open_engine("ensemble:engine=map{epochs=10},members=3", "dense", bnn_rng_seed(1), d);
    ck_assert_double_gt(bnn_engine_seconds(one), 10 * 782 * 4e-6); /* minibatches of 128 rows */
    ck_assert_double_eq_tol(bnn_engine_seconds(three), 3 * bnn_engine_seconds(one), 1e-12);
    bnn_engine_free(one), bnn_engine_free(three);
    bnn_data_free(d);
    bnn_table_free(t);
}
END_TEST

/* ---------------------------------------------------------------- every engine */

/* Calls property for every check spec of every engine. */
static void for_all_engines(void (*property)(const char *spec, const bnn_engine_type *type)) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_ENGINE, t));)
        for (int s = 0; t->checks[s]; s++) property(t->checks[s], (const bnn_engine_type *)t);
}

/* Products large enough to be cut. */
START_TEST(threads_do_not_change_bits_of_large_nets) {
    bnn_table *t = table_new(300, 50, 0, 1);
    bnn_data *d = data_new(t);
    bnn_run *run[3];
    for (int k = 0; k < 3; k++) {
        omp_set_num_threads(1 << k);
        run[k] = fit("mc_dropout:epochs=2,batch=300", "dense:400; relu; dense:300; relu; dense", 1, d);
    }
    ck_assert(same_theta(run[0]->engine, run[1]->engine) && same_theta(run[0]->engine, run[2]->engine));
    for (int k = 0; k < 3; k++) bnn_run_free(run[k]);
    bnn_data_free(d);
    bnn_table_free(t);
}
END_TEST

/* An engine that says so predicts with what is put into its first block, never stepped. */
static void predicts_with_its_first_block(const char *spec, const bnn_engine_type *type) {
    if (!(type->type.caps & (BNN_POINT | BNN_ONE_THETA))) return;
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_engine *e = open_engine(spec, plain_net, bnn_rng_seed(1), r.data);
    bnn_block block[BNN_MAX_BLOCKS];
    size_t n = (size_t)e->model->n_theta;
    bnn_real *theta = reals_new(n);
    type->blocks(e, block);
    ck_assert_msg(block[0].theta && block[0].length == n && !type->n_draws, "%s: the first block is not one parameter vector", spec);
    for (size_t i = 0; i < n; i++) ((bnn_real *)block[0].data)[i] = (bnn_real)i;
    for (int s = 0; s < 3; s++) {
        OK(bnn_engine_draw(e, s, bnn_rng_seed((uint64_t)s), theta));
        ck_assert_msg(memcmp(theta, block[0].data, n * sizeof *theta) == 0, "%s: draw %d is not the first block", spec, s);
    }
    reals_free(theta);
    bnn_engine_free(e);
    test_rows_free(&r);
}

START_TEST(one_theta_is_every_draw) { for_all_engines(predicts_with_its_first_block); }
END_TEST

static const char *const nets[] = {
    "dense",
    plain_net,
    "x = input; dense:3; a = tanh; b = add(a, x); concat(a, b, x); dense",
    "dropout_1 = dense:3; gaussian_dense_1 = tanh; dense_2 = dense:3(dropout_1); add(dense_2, gaussian_dense_1); flatten; dense",
    /* from here on with noise */
    "dropout:0.3; dense:4; relu; concrete_dropout; dense:4; gaussian_dropout; gaussian_dense",
};

enum { WITHOUT_NOISE = 4 };

/* NULL, with a sentence, where noise meets an engine that can have none. */
static bnn_engine *open_if_taken(const bnn_type *type, const char *spec, const char *net, const bnn_data *data) {
    bnn_engine *e = NULL;
    bnn_status s = bnn_engine_new(spec, &(bnn_texts){net, "gaussian:tau=0.5", prior_text}, data, bnn_rng_seed(1), &e);
    bool refused = s == BNN_ERR_OPTION && type->caps & BNN_EXACT && strstr(bnn_error(), "no layer may have noise of its own: leave out '");
    ck_assert_msg(s == BNN_OK || refused, "%s on '%s': %s", spec, net, bnn_error());
    return e;
}

/* Plain, and as any other engine has adapted and printed it. */
static void takes_every_net(const char *spec, const bnn_engine_type *type) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        bnn_engine *first = open_if_taken(&type->type, spec, nets[i], r.data);
        ck_assert((first != NULL) == (i < WITHOUT_NOISE || !(type->type.caps & BNN_EXACT)));
        if (!first) continue;
        for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_ENGINE, t));) {
            bnn_engine *second = open_if_taken(t, t->checks[0], first->texts.net, r.data);
            if (second) steps(second, r.data, 1);
            bnn_engine_free(second);
        }
        bnn_engine *again = open_engine(spec, first->texts.net, bnn_rng_seed(1), r.data);
        ck_assert_str_eq(again->texts.net, first->texts.net);
        bnn_engine_free(first), bnn_engine_free(again);
    }
    test_rows_free(&r);
}

START_TEST(every_engine_takes_every_net) { for_all_engines(takes_every_net); }
END_TEST

/* ---------------------------------------------------------------- fits */

START_TEST(long_histories_are_thinned_evenly) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_run *run = fit("mc_dropout:gates=concrete,epochs=1207", "dense", 1, r.data);
    const bnn_history *h = &run->history;
    ck_assert(h->n > BNN_HISTORY_MOST / 2 && h->n <= BNN_HISTORY_MOST && h->epoch[0] == 1 && h->epoch[h->n - 1] == 1207);
    for (int i = 2; i < h->n - 1; i++) ck_assert_int_eq(h->epoch[i] - h->epoch[i - 1], 8);
    ck_assert_int_eq(h->n_gates, 1);
    ck_assert_str_eq(h->gate[0], "concrete_dropout_1");
    bnn_real *theta;
    theta_of(run->engine, &theta);
    ck_assert_double_eq_tol(h->p[h->n - 1], bnn_sigmoid((double)theta[0]), ROUNDING);
    ck_assert_double_eq_tol(h->noise_sd[0], 1 / sqrt(tau_of(r.data)), ROUNDING);
    reals_free(theta);
    bnn_run_free(run);
    test_rows_free(&r);
}
END_TEST

static bool stop_at_third(void *context, double share) {
    (void)share;
    return ++*(int *)context == 3;
}

START_TEST(a_fit_stops_when_asked) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_run *run;
    int calls = 0;
    OK(bnn_fit(&(bnn_config){.net = plain_net, .engine = "map", .progress = stop_at_third, .context = &calls}, r.data, &run));
    ck_assert(!run->complete && run->history.n == 3);
    bnn_run_free(run);
    test_rows_free(&r);
}
END_TEST

/* ---------------------------------------------------------------- searches */

enum { KEPT = 30, SAMPLES = 20, CELL_STREAM = 0, REFIT_STREAM = 1 }; /* 3/4 of the rows; streams inside BNN_STREAM_INNER */

static bnn_rng inner_stream(uint64_t tag) { return bnn_rng_split(bnn_rng_split(bnn_rng_seed(1), BNN_STREAM_INNER), tag); }

typedef struct {
    bnn_data *fit, *score;
} halves;

static halves cut(const bnn_data *data) {
    halves h;
    OK(bnn_data_slice(data, 0, KEPT, NULL, &h.fit));
    OK(bnn_data_slice(data, KEPT, ROWS, &h.fit->scaling, &h.score));
    return h;
}

static void halves_free(halves *h) {
    bnn_data_free(h->fit);
    bnn_data_free(h->score);
}

static double score(const bnn_engine *e, const bnn_data *data) {
    bnn_prediction *p;
    bnn_metrics m;
    OK(bnn_predict(e, data, &(bnn_predict_options){.samples = SAMPLES, .seed = bnn_rng_seed(1).key}, &p));
    OK(bnn_metrics_compute(p, data, &m));
    bnn_prediction_free(p);
    return m.ll;
}

enum { CELLS = 6, KEYS = 2 };
static const char grid_spec[] =
    "grid_search:engine=mc_dropout{epochs=10,batch=16},grid={p=0.05|0.2|0.5,lr=0.001|0.05},validation=last,share=0.25,samples=20";
static const char *const p_values[] = {"0.05", "0.2", "0.5"}, *const lr_values[] = {"0.001", "0.05"};

static void cell_spec(int i, char spec[96]) {
    snprintf(spec, 96, "mc_dropout:epochs=10,batch=16,p=%s,lr=%s", p_values[i / 2], lr_values[i % 2]);
}

/* Every cell is a fit of its options to the first rows, scored on the others; the best one is fitted again to all. */
START_TEST(a_grid_is_its_cells) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    halves h = cut(r.data);
    bnn_run *run = fit(grid_spec, plain_net, 1, r.data);
    bnn_column c[BNN_MAX_COLUMNS];
    static const char *const names[] = {"p", "lr", "validation_ll", "gradients"};
    ck_assert_int_eq(bnn_engine_vtable(run->engine)->columns(run->engine, c), KEYS + 2);
    int best = 0;
    char spec[96], sentence[256];
    for (int k = 0; k < KEYS + 2; k++) {
        ck_assert_str_eq(c[k].name, names[k]);
        ck_assert_int_eq(c[k].length, CELLS);
    }
    for (int i = 0; i < CELLS; i++) {
        cell_spec(i, spec);
        bnn_engine *e = open_engine(spec, plain_net, inner_stream(CELL_STREAM), h.fit);
        ck_assert(steps(e, h.fit, 10).done);
        ck_assert_msg(c[2].data[i] == score(e, h.score), "cell %d", i);
        ck_assert(c[0].data[i] == atof(p_values[i / 2]) && c[1].data[i] == atof(lr_values[i % 2]) && c[3].data[i] == 10 * 2);
        if (c[2].data[i] > c[2].data[best]) best = i;
        bnn_engine_free(e);
    }
    cell_spec(best, spec);
    bnn_engine *refit = open_engine(spec, plain_net, inner_stream(REFIT_STREAM), r.data);
    ck_assert(steps(refit, r.data, 10).done && same_theta(run->engine, refit));
    snprintf(sentence, sizeof sentence,
             "searched 6 cells: p (3), the same in all 2 gates x lr (2); with one p for each gate there would be 18; chose p=%s lr=%s, "
             "validation log-likelihood %.4f",
             p_values[best / 2], lr_values[best % 2], c[2].data[best]);
    ck_assert_str_eq(bnn_engine_vtable(run->engine)->remark(run->engine), sentence);
    /* gates 3 + 6, products 2 18 + 2 6, tanh 10 6; back: the gates, twice the products, tanh 4 6 */
    const double forward = 9 + 48 + 60, both = forward + 9 + 96 + 24;
    ck_assert_uint_eq(run->cost.gradients, CELLS * 10 * 2 + 10 * 3);
    ck_assert_uint_eq(run->cost.forwards, CELLS * SAMPLES);
    ck_assert_double_eq(run->cost.flops, CELLS * (10 * KEPT * both + SAMPLES * (ROWS - KEPT) * forward) + 10 * ROWS * both);
    bnn_engine_free(refit);
    bnn_run_free(run);
    halves_free(&h);
    test_rows_free(&r);
}
END_TEST

START_TEST(a_grid_has_the_same_bits_at_any_number_of_threads) {
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_run *run[3];
    bnn_column c[3][BNN_MAX_COLUMNS];
    for (int k = 0; k < 3; k++) {
        omp_set_num_threads(1 << k);
        run[k] = fit(grid_spec, plain_net, 1, r.data);
        bnn_engine_vtable(run[k]->engine)->columns(run[k]->engine, c[k]);
    }
    for (int k = 1; k < 3; k++) {
        ck_assert(same_theta(run[0]->engine, run[k]->engine));
        for (int j = 0; j < KEYS + 2; j++) ck_assert_mem_eq(c[0][j].data, c[k][j].data, CELLS * sizeof(double));
    }
    for (int k = 0; k < 3; k++) bnn_run_free(run[k]);
    test_rows_free(&r);
}
END_TEST

/* Keys of the likelihood, the prior and a labelled layer reach them; the model of the refit has the chosen values. */
START_TEST(a_grid_reaches_every_owner) {
    static const char *const keys[] = {"likelihood.tau", "prior.sd", "d.p", "temperature"};
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_run *run = fit("grid_search:engine=mc_dropout{epochs=3,gates=concrete},grid={likelihood.tau=0.1|5,prior.sd=0.25|4;d.p=0.125|0.375, "
                       "temperature=0.5},samples=3",
                       "d = dropout:0.3; dense:3; tanh; dense", 1, r.data);
    const bnn_engine *chosen = bnn_engine_fitted(run->engine);
    bnn_column c[BNN_MAX_COLUMNS];
    char text[4][64];
    ck_assert_int_eq(bnn_engine_vtable(run->engine)->columns(run->engine, c), 6);
    int best = 0;
    for (int i = 0; i < 8; i++)
        if (c[4].data[i] > c[4].data[best]) best = i;
    for (int k = 0; k < 4; k++) ck_assert_str_eq(c[k].name, keys[k]);
    snprintf(text[0], sizeof text[0], "tau=%g", c[0].data[best]);
    snprintf(text[1], sizeof text[1], "sd=%g,", c[1].data[best]);
    snprintf(text[2], sizeof text[2], "d = dropout:p=%g;", c[2].data[best]);
    snprintf(text[3], sizeof text[3], "temperature=%g;", c[3].data[best]);
    ck_assert_ptr_nonnull(strstr(chosen->texts.likelihood, text[0]));
    ck_assert_ptr_nonnull(strstr(chosen->texts.prior, text[1]));
    ck_assert_ptr_nonnull(strstr(chosen->texts.net, text[2]));
    ck_assert_ptr_nonnull(strstr(chosen->texts.net, text[3]));
    bnn_run_free(run);
    test_rows_free(&r);
}
END_TEST

/* Wherever they stand: not finite while it is fitted, or only once it predicts. */
START_TEST(diverging_cells_are_out_of_the_race) {
    static const char *const specs[] = {"grid_search:engine=map{epochs=10,optimizer=sgd},grid={lr=1e9|1e-6},samples=2",
                                        "grid_search:engine=map{epochs=10,optimizer=sgd},grid={lr=1e-6|1e9},samples=2",
                                        "grid_search:engine=mc_dropout{epochs=1,optimizer=sgd},grid={lr=1e9|1e-6},samples=4"};
    test_rows r = test_rows_new(ROWS, IN, 0);
    bnn_run *run;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        bnn_column c[BNN_MAX_COLUMNS];
        run = fit(specs[i], "dense:4; dense:4; dense:4; dense:4; dense:4; dense", 1, r.data);
        bnn_engine_vtable(run->engine)->columns(run->engine, c);
        int good = i != 1;
        ck_assert_msg(isfinite(c[1].data[good]) && c[1].data[!good] < -1e9, "cell %d has %g, the other %g", good, c[1].data[good],
                      c[1].data[!good]);
        ck_assert_ptr_nonnull(strstr(bnn_engine_vtable(run->engine)->remark(run->engine), "chose lr=1e-6,"));
        bnn_run_free(run);
    }
    SAYS(bnn_fit(&(bnn_config){.net = plain_net, .engine = "grid_search:engine=map{optimizer=sgd},grid={lr=1e9},samples=2"}, r.data, &run),
         "engine 'grid_search': no cell of the grid has a finite validation log-likelihood");
    test_rows_free(&r);
}
END_TEST

START_TEST(grids_are_refused_with_the_key) {
    static const char *const refused[][2] = {
        {"grid={q=1}", "engine 'grid_search': grid: engine 'mc_dropout': unknown option 'q': there are p, gates, temperature, epochs, "},
        {"grid={likelihood.q=1}", "grid: likelihood 'gaussian': unknown option 'q': there are tau"},
        {"grid={prior.q=1}", "grid: prior 'gauss': unknown option 'q': there are sd, bias_sd, scale"},
        {"grid={h.p=1}", "grid: 'h' is neither likelihood, prior nor the label of a layer"},
        {"grid={p=0.1|2}", "grid: engine 'mc_dropout': option 'p': '2' is not a number from 0 to 0.999"},
        {"grid={p=0.1|}", "grid: value '' of 'p' is not a number"},
        {"grid={p=0.1|low}", "grid: value 'low' of 'p' is not a number"},
        {"grid={p}", "grid: 'p' is not of the form key=value|value"},
        {"grid={}", "grid: '' is not of the form key=value|value"},
        {"grid=p=0.1", "grid: 'p=0.1' is not of the form {key=value|value, ...}"},
        {"engine=mc_drop", "unknown engine 'mc_drop': there are "},
        {"engine=mc_dropout{p=2}", "engine 'mc_dropout': option 'p': '2' is not a number from 0 to 0.999"},
    };
    test_rows r = test_rows_new(ROWS, IN, 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char spec[96];
        bnn_run *run;
        snprintf(spec, sizeof spec, "grid_search:%s", refused[i][0]);
        SAYS(bnn_fit(&(bnn_config){.net = plain_net, .engine = spec}, r.data, &run), refused[i][1]);
    }
    bnn_run *run;
    SAYS(bnn_fit(&(bnn_config){.net = plain_net, .engine = "early_stopping:engine=grid_search"}, r.data, &run),
         "'grid_search' cannot be scored on its way");
    test_rows_free(&r);
}
END_TEST

START_TEST(searches_need_rows_to_cut) {
    bnn_table *t = table_new(1, IN, 0, 1);
    bnn_data *d = data_new(t);
    bnn_run *run;
    SAYS(bnn_fit(&(bnn_config){.net = "dense", .engine = "grid_search"}, d, &run),
         "engine 'grid_search': 1 training rows cannot be cut into a part to fit and a part to score");
    SAYS(bnn_fit(&(bnn_config){.net = "dense", .engine = "early_stopping"}, d, &run),
         "engine 'early_stopping': 1 training rows cannot be cut");
    bnn_data_free(d);
    bnn_table_free(t);
}
END_TEST

/* The probe run again by hand, scored every 5 steps until 3 scores in a row are no better or its 200 epochs are over. */
static int best_step_by_hand(const char *inner, const test_rows *r, int *n_scores, double *ll) {
    halves h = cut(r->data);
    bnn_engine *e = open_engine(inner, "dense:20; tanh; dense", inner_stream(CELL_STREAM), h.fit);
    int best = -1;
    for (*n_scores = 0; *n_scores < 40 && *n_scores - best <= 3; ++*n_scores) {
        steps(e, h.fit, 5);
        ll[*n_scores] = score(e, h.score);
        if (best < 0 || ll[*n_scores] > ll[best]) best = *n_scores;
    }
    bnn_engine_free(e);
    halves_free(&h);
    return best;
}

START_TEST(early_stopping_is_its_probe_and_its_refit) {
    static const char inner[] = "mc_dropout{gates=concrete,epochs=200,batch=16,lr=0.01}";
    test_rows r = test_rows_new(ROWS, IN, 0);
    char spec[160], sentence[160];
    double ll[64];
    int n, best = best_step_by_hand(inner, &r, &n, ll);
    snprintf(spec, sizeof spec, "early_stopping:engine=%s,validation=last,share=0.25,every=5,samples=20,patience=3", inner);
    bnn_run *run = fit(spec, "dense:20; tanh; dense", 1, r.data);
    bnn_column c[BNN_MAX_COLUMNS];
    ck_assert_int_eq(bnn_engine_vtable(run->engine)->columns(run->engine, c), 2);
    ck_assert_int_eq(c[0].length, n);
    ck_assert_int_eq(c[1].length, n);
    ck_assert_msg(best > 0 && n < 40, "nothing to stop: best of %d scores is %d", n, best);
    for (int i = 0; i < n; i++) ck_assert_msg(c[0].data[i] == 5 * (i + 1) && c[1].data[i] == ll[i], "score %d", i);
    snprintf(sentence, sizeof sentence, "stopped after %d steps: validation log-likelihood %.4f was best at step %d of %d", 5 * (best + 1),
             ll[best], 5 * (best + 1), 5 * n);
    ck_assert_str_eq(bnn_engine_vtable(run->engine)->remark(run->engine), sentence);
    bnn_engine *refit = open_engine(inner, "dense:20; tanh; dense", inner_stream(REFIT_STREAM), r.data);
    steps(refit, r.data, 5 * (best + 1));
    ck_assert(same_theta(run->engine, refit));
    ck_assert_uint_eq(run->cost.gradients, 5 * (unsigned)n * 2 + 5 * (unsigned)(best + 1) * 3);
    ck_assert_uint_eq(run->cost.forwards, (unsigned)n * SAMPLES);
    bnn_engine_free(refit);
    bnn_run_free(run);
    test_rows_free(&r);
}
END_TEST

/* Counts the rows of a class among some data. */
static int of_class(const bnn_data *d, int class) {
    int n = 0;
    for (int i = 0; i < d->n; i++) n += (int)d->y[i] == class;
    return n;
}

static int last_rows(const bnn_data *d, int from) {
    int n = 0;
    for (int i = 0; i < d->n; i++) n += d->rows[i] >= from;
    return n;
}

/* Rows that are listed by class, or by target, are cut into parts that are alike. */
START_TEST(validation_rows_are_drawn_by_the_seed_of_each_class_its_share) {
    enum { N = 100, CLASSES = 3, FIRST = 60, SECOND = 33 };
    static const int size[CLASSES] = {FIRST, SECOND, N - FIRST - SECOND};
    const bnn_holdout_conf conf = {.share = 0.25};
    bnn_table *t = table_new(N, IN, CLASSES, 1);
    for (int i = 0; i < N; i++) t->y[i] = i < FIRST ? 0 : i < FIRST + SECOND ? 1 : 2;
    bnn_data *d = data_new(t);
    bnn_holdout by_seed[3];
    for (int i = 0; i < 3; i++) OK(bnn_holdout_open(d, &conf, bnn_rng_seed((uint64_t)i / 2), &by_seed[i]));
    for (int c = 0; c < CLASSES; c++) {
        ck_assert_int_le(abs(4 * of_class(by_seed[0].score, c) - size[c]), 4);
        ck_assert_int_eq(of_class(by_seed[0].score, c) + of_class(by_seed[0].fit, c), size[c]);
    }
    ck_assert_int_eq(by_seed[0].score->n, N / 4);
    ck_assert_int_lt(last_rows(by_seed[0].score, N - N / 4), N / 4);
    ck_assert_mem_eq(by_seed[0].score->rows, by_seed[1].score->rows, N / 4 * sizeof(int));
    ck_assert_mem_ne(by_seed[0].score->rows, by_seed[2].score->rows, N / 4 * sizeof(int));
    bnn_holdout last;
    OK(bnn_holdout_open(d, &(bnn_holdout_conf){.validation = BNN_VALIDATION_LAST, .share = 0.25}, bnn_rng_seed(1), &last));
    ck_assert_int_eq(last_rows(last.score, N - N / 4), N / 4);
    for (int i = 0; i < 3; i++) bnn_holdout_close(&by_seed[i]);
    bnn_holdout_close(&last);
    bnn_data_free(d);
    bnn_table_free(t);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {point_estimates_are_ridge_regression,
                                  presets_reach_what_they_claim,
                                  steps_are_counted_in_epochs,
                                  descent_ends_where_u_is_level,
                                  dropout_on_linear_regression_is_stationary_where_it_should,
                                  mc_dropout_finds_the_ridge_regression_of_dropout,
                                  mean_field_is_stationary_where_it_should,
                                  bayes_by_backprop_finds_the_mean_field_posterior,
                                  two_epochs_are_those_by_hand,
                                  kl_weights_sum_to_one,
                                  the_ledger_is_exact,
                                  an_objective_that_is_not_finite_is_an_error,
                                  what_does_not_fit_is_refused,
                                  threads_do_not_change_bits_of_large_nets,
                                  one_theta_is_every_draw,
                                  every_engine_takes_every_net,
                                  long_histories_are_thinned_evenly,
                                  a_fit_stops_when_asked,
                                  a_grid_is_its_cells,
                                  a_grid_has_the_same_bits_at_any_number_of_threads,
                                  a_grid_reaches_every_owner,
                                  diverging_cells_are_out_of_the_race,
                                  grids_are_refused_with_the_key,
                                  searches_need_rows_to_cut,
                                  validation_rows_are_drawn_by_the_seed_of_each_class_its_share,
                                  early_stopping_is_its_probe_and_its_refit,
                                  NULL};
    return run_tests("engines", tests);
}
