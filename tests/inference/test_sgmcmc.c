/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_sgmcmc.c: sgld and sghmc on linear regression, where the chain that they make is a linear recursion: its stationary covariance is
 * known to rounding, errors of the step size and noise of the minibatches included.
 *
 * Moments are judged by the means of independent chains, as in test_hmc.c.
 */
#include "files.h"

#include <bnn/fit.h>
#include <bnn/sgmcmc.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 40, W = LINEAR };

static const char line_prior[] = "gauss:sd=0.15,bias_sd=0.5", line_noise[] = "gaussian:tau=0.5";
static const double prec_w = 1 / (0.15 * 0.15), prec_b = 1 / (0.5 * 0.5);

static double tau_of(const bnn_data *data) { return 0.5 * data->scaling.y_sd[0] * data->scaling.y_sd[0]; }

static bnn_run *sample(const char *engine, const char *net, const bnn_data *data) {
    bnn_run *run;
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine, .likelihood = line_noise, .prior = line_prior, .seed = 3}, data, &run));
    ck_assert(run->complete);
    return run;
}

static const bnn_sgmcmc *state_of(const bnn_run *run) { return run->engine->state; }
static const bnn_sgmcmc *state_of_engine(const bnn_engine *e) { return e->state; }

/* ---------------------------------------------------------------- linear recursions */

enum { MOST = 2 * W };

/* x' = F x + e, e ~ N(0, Q), of n numbers. */
typedef struct {
    int n;
    double f[MOST * MOST], q[MOST * MOST];
} recursion;

static void multiply(int n, const double *a, const double *b, bool transposed, double *out) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++) sum += a[i * n + k] * (transposed ? b[j * n + k] : b[k * n + j]);
            out[i * n + j] = sum;
        }
}

/* cov = sum_k F^k Q F^k', by doubling. */
static void stationary(const recursion *r, double *cov) {
    double f[MOST * MOST], g[MOST * MOST], more[MOST * MOST];
    size_t bytes = (size_t)(r->n * r->n) * sizeof *f;
    memcpy(f, r->f, bytes), memcpy(cov, r->q, bytes);
    for (int k = 0; k < 40; k++) {
        multiply(r->n, f, cov, false, g), multiply(r->n, g, f, true, more);
        for (int i = 0; i < r->n * r->n; i++) cov[i] += more[i];
        multiply(r->n, f, f, false, g), memcpy(f, g, bytes);
    }
}

/* One step from (theta, v): theta' = theta + v', v' = keep v - rate A theta + noise of variance var. */
static void fill(recursion *r, int n, const double *a, double keep, const double *rate, const double *var) {
    *r = (recursion){.n = 2 * n};
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double pull = -rate[i] * a[i * n + j];
            r->f[i * 2 * n + j] = pull + (i == j), r->f[(n + i) * 2 * n + j] = pull;
            if (i != j) continue;
            r->f[i * 2 * n + n + j] = r->f[(n + i) * 2 * n + n + j] = keep;
            r->q[i * 2 * n + j] = r->q[i * 2 * n + n + j] = r->q[(n + i) * 2 * n + j] = r->q[(n + i) * 2 * n + n + j] = var[i];
        }
}

/* ---------------------------------------------------------------- all rows in the batch */

static const struct {
    const char *spec;
    double lr, friction, temperature;
    bool far; /* from the posterior, so that it shows */
} whole[] = {
    {"sgld:preconditioner=none,chains=32,samples=600,burnin=200,thin=4,lr=0.05", 0.05, 1, 1, true},
    {"sgld:preconditioner=none,chains=32,samples=600,burnin=1000,thin=20,lr=0.005", 0.005, 1, 1, false},
    {"sgld:preconditioner=none,chains=32,samples=600,burnin=200,thin=4,lr=0.05,temperature=4", 0.05, 1, 4, true},
    {"sgld:chains=32,samples=600,burnin=300,thin=4,lr=0.02,preconditioner=rmsprop", 0.02, 1, 1, true},
    {"sghmc:preconditioner=none,chains=32,samples=600,burnin=200,thin=4,lr=0.05,friction=0.5", 0.05, 0.5, 1, true},
    {"sghmc:preconditioner=none,chains=32,samples=600,burnin=400,thin=10,lr=0.002,friction=0.1", 0.002, 0.1, 1, false},
    {"sghmc:preconditioner=none,chains=32,samples=1200,burnin=200,thin=10,lr=0.05,friction=0.1,temperature=0.25", 0.05, 0.1, 0.25, true},
    {"sghmc:chains=32,samples=600,burnin=300,thin=10,lr=0.02,friction=0.1,preconditioner=rmsprop", 0.02, 0.1, 1, true},
};

/* G of parameter i of chain k. */
static double metric_of(const bnn_sgmcmc *s, int k, int i) {
    return s->conf->preconditioner ? 1 / (1e-5 + sqrt((double)s->chain[k].squares[i])) : 1;
}

/* Stationary covariance of (theta, v) of chain k. */
static void expect(const bnn_run *run, int spec, int k, const linear_posterior *p, double *cov) {
    const bnn_sgmcmc *s = state_of(run);
    double a[W * W], rate[W], var[W];
    recursion r;
    for (int i = 0; i < W * W; i++) a[i] = p->precision[i] / ROWS;
    for (int i = 0; i < W; i++) {
        rate[i] = whole[spec].lr * metric_of(s, k, i);
        var[i] = 2 * whole[spec].friction * rate[i] * whole[spec].temperature / ROWS;
    }
    fill(&r, W, a, 1 - whole[spec].friction, rate, var);
    stationary(&r, cov);
}

typedef struct {
    moments against, posterior; /* excess over the recursion's and over the posterior's value */
} verdict;

static void judge(const verdict *v, const char *spec, const char *what, int i, int j) {
    double z = moments_z(&v->against, 0), se = sqrt(moments_var(&v->against) / v->against.n);
    ck_assert_msg(fabs(z) < MOST_Z, "%s: %s (%d, %d) is off by %g posterior variances, z %g", spec, what, i, j, v->against.mean, z);
    ck_assert_msg(se < 0.05, "%s: %s (%d, %d) is known to %g only", spec, what, i, j, se);
}

/* Second moments about the posterior's mean, in units of its sd; and the two temperatures. */
static bool has_its_covariance(const bnn_run *run, int spec, const linear_posterior *p) {
    const bnn_sgmcmc *s = state_of(run);
    verdict v[W][W] = {0}, mean[W] = {0}, warm[2] = {0};
    bool momentum = whole[spec].friction < 1;
    for (int k = 0; k < s->conf->chains; k++) {
        double cov[MOST * MOST], sum[W][W] = {0}, first[W] = {0}, heat[2] = {0}, expected[2] = {0};
        int n = s->conf->samples;
        expect(run, spec, k, p, cov);
        for (int t = 0; t < n; t++) {
            const bnn_real *theta = bnn_stored_at(&s->stored, k, t);
            for (int i = 0; i < W; i++) {
                first[i] += ((double)theta[i] - p->mean[i]) / n;
                for (int j = 0; j < W; j++) sum[i][j] += ((double)theta[i] - p->mean[i]) * ((double)theta[j] - p->mean[j]) / n;
            }
            for (int h = 0; h < 1 + momentum; h++) heat[h] += s->stored.stat[((2 + h) * s->conf->chains + k) * n + t] / n;
        }
        for (int i = 0; i < W; i++) {
            moments_add(&mean[i].against, first[i] / sqrt(p->cov[i * W + i]));
            for (int j = 0; j < W; j++) {
                double unit = sqrt(p->cov[i * W + i] * p->cov[j * W + j]) * whole[spec].temperature;
                moments_add(&v[i][j].against, (sum[i][j] - cov[i * MOST + j]) / unit);
                moments_add(&v[i][j].posterior, sum[i][j] / unit - p->cov[i * W + j] * whole[spec].temperature / unit);
                expected[0] += p->precision[i * W + j] * cov[i * MOST + j] / W;
            }
        }
        moments_add(&warm[0].against, (heat[0] - expected[0]) / whole[spec].temperature);
        for (int i = 0; i < W && momentum; i++)
            expected[1] += ROWS * cov[(W + i) * MOST + W + i] / (whole[spec].lr * metric_of(s, k, i) * W);
        moments_add(&warm[1].against, (heat[1] - expected[1]) / whole[spec].temperature);
    }
    bool far = false;
    for (int i = 0; i < W; i++) {
        judge(&mean[i], whole[spec].spec, "mean", i, i);
        for (int j = 0; j <= i; j++) judge(&v[i][j], whole[spec].spec, "covariance", i, j);
        far |= fabs(moments_z(&v[i][i].posterior, 0)) > MOST_Z;
    }
    judge(&warm[0], whole[spec].spec, "configurational temperature", 0, 0);
    if (momentum) judge(&warm[1], whole[spec].spec, "kinetic temperature", 0, 0);
    return far;
}

START_TEST(whole_batches_have_the_covariance_of_their_recursion) {
    bnn_table *t = table_new(ROWS, W - 1, 0, 1);
    bnn_data *data = data_new(t);
    linear_posterior p;
    linear_posterior_of(data, tau_of(data), prec_w, prec_b, 0, &p);
    for (int k = 0; k < (int)(sizeof whole / sizeof *whole); k++) {
        bnn_run *run = sample(whole[k].spec, "dense", data);
        ck_assert_msg(has_its_covariance(run, k, &p) == whole[k].far, "%s: %s from the posterior", whole[k].spec,
                      whole[k].far ? "cannot be told" : "far");
        bnn_run_free(run);
    }
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* The recursion's covariance is the posterior's for short steps: its excess falls in proportion. */
START_TEST(short_steps_lead_to_the_posterior) {
    const double a = 3, friction[] = {1, 0.2};
    for (int f = 0; f < 2; f++) {
        double excess[3];
        for (int k = 0; k < 3; k++) {
            double lr = 0.01 / (1 << k), var = 2 * friction[f] * lr / ROWS, cov[4];
            recursion r;
            fill(&r, 1, &a, 1 - friction[f], &lr, &var);
            stationary(&r, cov);
            excess[k] = cov[0] * ROWS * a - 1;
            if (f == 0) ck_assert_double_eq_tol(cov[0] * ROWS * a, 1 / (1 - lr * a / 2), 1e-12);
        }
        for (int k = 0; k < 2; k++)
            ck_assert_msg(fabs(excess[k] / excess[k + 1] - 2) < 0.05 && excess[k] > 0, "friction %g: excess %g, then %g", friction[f],
                          excess[k], excess[k + 1]);
    }
}
END_TEST

/* ---------------------------------------------------------------- minibatches */

/* The feature is constant, so standardised it is 0: U is a function of the bias b and of a weight that only the prior knows. A minibatch of
 * M rows pulls b with tau (b - its mean of y) + prec b / N. Batches of an epoch share out the rows: means of two have covariance -S^2/N, of
 * one variance S^2 (1/M - 1/N), S^2 with divisor N - 1. */
enum { BATCH = 8, BATCHES = ROWS / BATCH };

/* rows: 1; 0 leaves their noise out. */
static double bias_variance(const bnn_data *data, double rows, double lr, double friction, double noise) {
    double tau = tau_of(data), square = 0, a = tau + prec_b / ROWS, var = 2 * (friction - noise) * lr / ROWS;
    double power[BATCHES + 1][4] = {{1, 0, 0, 1}}, cov[4];
    recursion one, epoch = {.n = 2};
    for (int i = 0; i < ROWS; i++) square += rows * (double)data->y[i] * (double)data->y[i] / (ROWS - 1); /* their mean is 0 */
    fill(&one, 1, &a, 1 - friction, &lr, &var);
    for (int k = 0; k < BATCHES; k++) multiply(2, one.f, power[k], false, power[k + 1]);
    memcpy(epoch.f, power[BATCHES], sizeof power[0]);
    for (int j = 0; j < BATCHES; j++)
        for (int k = 0; k < BATCHES; k++) {
            double shared = lr * tau * lr * tau * (j == k ? square * (1. / BATCH - 1. / ROWS) : -square / ROWS) + (j == k ? var : 0);
            for (int i = 0; i < 4; i++) {
                const double *f = power[j] + i / 2 * 2, *g = power[k] + i % 2 * 2; /* rows of F^j, F^k on (1, 1) */
                epoch.q[i] += shared * (f[0] + f[1]) * (g[0] + g[1]);
            }
        }
    stationary(&epoch, cov);
    return cov[0];
}

START_TEST(minibatches_add_the_variance_that_they_should) {
    static const struct {
        const char *spec;
        double lr, friction, noise;
    } cases[] = {
        {"sgld:preconditioner=none,chains=64,samples=500,burnin=50,thin=2,batch=8,lr=0.1", 0.1, 1, 0},
        {"sghmc:preconditioner=none,chains=64,samples=500,burnin=100,thin=4,batch=8,lr=0.05,friction=0.3", 0.05, 0.3, 0},
        {"sghmc:preconditioner=none,chains=64,samples=500,burnin=100,thin=4,batch=8,lr=0.05,friction=0.3,noise=0.2", 0.05, 0.3, 0.2}};
    bnn_table *t = table_new(ROWS, 1, 0, 1);
    for (int i = 0; i < ROWS; i++) t->x[i] = 7;
    bnn_data *data = data_new(t);
    double prec = ROWS * tau_of(data) + prec_b;
    for (int k = 0; k < 3; k++) {
        bnn_run *run = sample(cases[k].spec, "dense", data);
        const bnn_sgmcmc *s = state_of(run);
        double expected = bias_variance(data, 1, cases[k].lr, cases[k].friction, cases[k].noise) * prec;
        moments of_chains = {0};
        for (int c = 0; c < s->conf->chains; c++) {
            double sum = 0;
            for (int i = 0; i < s->conf->samples; i++) {
                double b = (double)bnn_stored_at(&s->stored, c, i)[1];
                sum += b * b / s->conf->samples;
            }
            moments_add(&of_chains, sum * prec);
        }
        double z = moments_z(&of_chains, expected), se = sqrt(moments_var(&of_chains) / of_chains.n);
        ck_assert_msg(fabs(z) < MOST_Z && se < 0.02 * expected, "%s: %g (se %g) posterior variances, not %g: z %g", cases[k].spec,
                      of_chains.mean, se, expected, z);
        double without = bias_variance(data, 0, cases[k].lr, cases[k].friction, cases[k].noise) * prec;
        ck_assert_msg(expected - without > 10 * se, "%s: %g with the noise of the rows, %g without", cases[k].spec, expected, without);
        bnn_run_free(run);
    }
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* ---------------------------------------------------------------- by hand */

enum { CHAINS = 2, BURNIN = 3, EACH = 4, THIN = 2, CYCLE = BURNIN + EACH / 2 * THIN, EPOCHS = 2 * CYCLE, IN = 3, STEPS = 3 };

typedef struct {
    const bnn_engine *e;
    bnn_workspace *ws;
    const bnn_data *data;
    bnn_real *theta, *v, *squares;
} hand;

static bool is_hyper(const bnn_model *m, size_t at) {
    bnn_block_info b;
    for (int k = 0; bnn_model_block(m, k, &b); k++)
        if (at >= b.offset && at < b.offset + b.length) return b.role == BNN_HYPER;
    ck_abort_msg("no block holds parameter %zu", at);
}

/* Step i of epoch t of chain k: N/M, the whole prior in each batch, a step size for HYPER, the cosine; no noise before draws are kept, but
 * where V is taken. */
static void step_by_hand(hand *h, int k, int t, int i, const int *order) {
    const bnn_model *m = h->e->model;
    size_t n = (size_t)m->n_theta;
    bnn_real x[16 * IN], y[16], *g = reals_new(n), *z = reals_new(n);
    int rows = i < 2 ? 16 : ROWS - 32;
    for (int r = 0; r < rows; r++) {
        memcpy(x + r * IN, h->data->x + order[i * 16 + r] * IN, IN * sizeof *x);
        y[r] = h->data->y[order[i * 16 + r]];
    }
    bnn_objective u = {.n_total = ROWS, .scale = 1, .kl_weight = 1, .mode = BNN_MEAN};
    bnn_model_u(m, h->ws, &u, bnn_rng_seed(0), h->theta, rows, x, y, g);
    bool burnin = t % CYCLE < BURNIN, adaptive = state_of_engine(h->e)->conf->preconditioner;
    double factor = 0.5 * (1 + cos(M_PI * (t % CYCLE + i / (double)STEPS) / CYCLE));
    bnn_rng rng = bnn_rng_split(h->e->rng, BNN_STREAM_STEP);
    rng = bnn_rng_split(bnn_rng_split(bnn_rng_split(rng, (uint64_t)k), (uint64_t)t), (uint64_t)i);
    for (size_t j = 0; j < n; j++) {
        double slope = (double)g[j] / ROWS, lr = factor * (is_hyper(m, j) ? 0.004 : 0.01);
        if (burnin && adaptive) h->squares[j] = (bnn_real)(0.9 * (double)h->squares[j] + 0.1 * slope * slope);
        double metric = adaptive ? 1 / (1e-3 + sqrt((double)h->squares[j])) : 1;
        bnn_rng_normal(rng, is_hyper(m, j) ? j : 0, 1, (int)(is_hyper(m, j) ? 1 : j + 1), z);
        double noise = burnin && !adaptive ? 0 : sqrt(2 * (0.3 - 0.1) * lr * metric * 0.7 / ROWS) * (double)z[is_hyper(m, j) ? 0 : j];
        h->v[j] = (bnn_real)(0.7 * (double)h->v[j] - lr * metric * slope + noise);
        h->theta[j] += h->v[j];
    }
    reals_free(g), reals_free(z);
}

#define HAND "sghmc:friction=0.3,noise=0.1,chains=2,samples=4,burnin=3,thin=2,batch=16,lr=0.01,lr_hyper=0.004,temperature=0.7,cycles=2"
static const char *const hand_specs[] = {HAND ",preconditioner=rmsprop,decay=0.9,eps=0.001", HAND ",preconditioner=none"};

static void chain_is_that_by_hand(const bnn_run *run, const bnn_data *data, int k) {
    const bnn_sgmcmc *s = state_of(run);
    const bnn_model *m = run->engine->model;
    size_t n = (size_t)m->n_theta;
    hand h = {.e = run->engine, .data = data, .theta = reals_new(n), .v = reals_new(n), .squares = reals_new(n)};
    int order[ROWS], kept = 0;
    bnn_rng shuffle = bnn_rng_split(bnn_rng_split(run->engine->rng, BNN_STREAM_SHUFFLE), (uint64_t)k);
    for (size_t j = 0; j < n; j++) h.squares[j] = 1;
    OK(bnn_workspace_new(m->net, 16, BNN_TO_THETA, &h.ws));
    bnn_model_init(m, bnn_rng_split(bnn_rng_split(run->engine->rng, BNN_STREAM_INIT), (uint64_t)k), h.theta);
    for (int t = 0; t < EPOCHS; t++) {
        bnn_rng_permutation(bnn_rng_split(shuffle, (uint64_t)t), ROWS, order);
        for (int i = 0; i < STEPS; i++) step_by_hand(&h, k, t, i, order);
        if (t % CYCLE < BURNIN || (t % CYCLE - BURNIN) % THIN != THIN - 1) continue;
        for (size_t j = 0; j < n; j++) {
            double is = (double)bnn_stored_at(&s->stored, k, kept)[j];
            ck_assert_msg(fabs(is - (double)h.theta[j]) < 100 * ROUNDING, "chain %d, draw %d, parameter %zu is %.9g, by hand %.9g", k, kept,
                          j, is, (double)h.theta[j]);
        }
        double step = s->stored.stat[(1 * CHAINS + k) * EACH + kept++];
        ck_assert_double_eq_tol(step, 0.01 * 0.5 * (1 + cos(M_PI * (t % CYCLE) / CYCLE)), 1e-12);
    }
    ck_assert_int_eq(kept, EACH);
    bnn_workspace_free(h.ws);
    reals_free(h.theta), reals_free(h.v), reals_free(h.squares);
}

START_TEST(cycles_are_those_by_hand) {
    bnn_table *t = table_new(ROWS, IN, 0, 1);
    bnn_data *data = data_new(t);
    for (int spec = 0; spec < 2; spec++) {
        bnn_config config = {
            .net = "dense:4; tanh; dense", .engine = hand_specs[spec], .likelihood = "gaussian", .prior = line_prior, .seed = 9};
        bnn_run *run;
        OK(bnn_fit(&config, data, &run));
        for (int k = 0; k < CHAINS; k++) chain_is_that_by_hand(run, data, k);
        double flops = 2 * bnn_model_gradient_flops(run->engine->model, 16) + bnn_model_gradient_flops(run->engine->model, ROWS - 32);
        ck_assert_uint_eq(run->cost.gradients, CHAINS * EPOCHS * STEPS);
        ck_assert_double_eq(run->cost.flops, CHAINS * EPOCHS * flops);
        bnn_run_free(run);
    }
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* No temperature, no noise: all chains run into the mode. */
START_TEST(at_temperature_zero_it_is_gradient_descent) {
    static const char *const specs[] = {"sgld:preconditioner=none,chains=2,samples=1,burnin=2000,lr=0.05,temperature=0",
                                        "sghmc:preconditioner=none,chains=2,samples=1,burnin=2000,lr=0.05,temperature=0"};
    bnn_table *t = table_new(ROWS, W - 1, 0, 1);
    bnn_data *data = data_new(t);
    linear_posterior p;
    linear_posterior_of(data, tau_of(data), prec_w, prec_b, 0, &p);
    for (int k = 0; k < 2; k++) {
        bnn_run *run = sample(specs[k], "dense", data);
        for (int c = 0; c < 2; c++)
            for (int i = 0; i < W; i++)
                ck_assert_double_eq_tol((double)bnn_stored_at(&state_of(run)->stored, c, 0)[i], p.mean[i], 10 * ROUNDING);
        bnn_run_free(run);
    }
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* ---------------------------------------------------------------- what is kept, what is refused */

/* Draws chain after chain, also while some are still to come. */
START_TEST(draws_come_chain_after_chain) {
    bnn_table *t = table_new(ROWS, 1, 0, 5);
    bnn_data *data = data_new(t);
    bnn_engine *e;
    bnn_step step;
    bnn_column columns[BNN_MAX_COLUMNS];
    bnn_real expected[3][5][2], theta[2];
    bnn_texts texts = {.net = "dense", .likelihood = line_noise, .prior = line_prior};
    OK(bnn_engine_new("sgld:chains=3,samples=5,burnin=2,thin=1", &texts, data, bnn_rng_seed(1), &e));
    const bnn_engine_type *type = bnn_engine_vtable(e);
    const bnn_sgmcmc *s = e->state;
    for (int i = 0; i < 7; i++) {
        ck_assert_int_eq(type->n_draws(e), i < 3 ? 0 : 3 * (i - 2));
        ck_assert_int_eq(type->columns(e, columns), 0);
        ck_assert_ptr_null(type->remark(e));
        OK(bnn_engine_step(e, data, &step));
        for (int k = 0; i >= 2 && k < 3; k++) memcpy(expected[k][i - 2], s->chain[k].theta, sizeof theta);
        for (int d = 0; i >= 2 && d < 3 * (i - 1); d++) {
            OK(bnn_engine_draw(e, d, bnn_rng_seed(0), theta));
            ck_assert(memcmp(theta, expected[d / (i - 1)][d % (i - 1)], sizeof theta) == 0);
        }
    }
    ck_assert(step.done && type->n_chains(e) == 3);
    ck_assert_int_eq(type->columns(e, columns), 3);
    ck_assert_str_eq(columns[2].name, "configurational_temperature");
    ck_assert_msg(strstr(type->remark(e), "3 chains of 5 draws: configurational temperature ") == type->remark(e), "%s", type->remark(e));
    bnn_engine_free(e);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

START_TEST(what_cannot_be_is_refused) {
    bnn_table *t = table_new(ROWS, 1, 0, 5);
    bnn_data *data = data_new(t);
    bnn_run *run;
#define REFUSES(spec, network, sentence) SAYS(bnn_fit(&(bnn_config){.net = network, .engine = spec}, data, &run), sentence)
    REFUSES("sgld:samples=10,cycles=3", "dense", "engine 'sgld': 10 samples do not fall evenly on 3 cycles");
    REFUSES("sgld:burnin=0", "dense", "the preconditioner is made during burn-in: burnin must be at least 1");
    REFUSES("sghmc:friction=0.1,noise=0.1", "dense", "engine 'sghmc': noise is 0.1, it must be below friction, which is 0.1");
    REFUSES("sghmc", "dropout; dense", "no layer may have noise of its own: leave out 'dropout_1'");
    REFUSES("sgld:lr=1e9,preconditioner=none", "dense", "engine 'sgld': the objective of chain 1 is not finite in epoch ");
    REFUSES("sgld:samples=100000000,chains=10000", "dense", "GB are free; keep fewer draws, or run fewer chains");
    bnn_stored stored;
    SAYS(bnn_stored_open(&stored, 10000, 1000000, 0, 0), "10000 chains of 1000000 draws are more than 2147483647 draws: keep fewer");
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {whole_batches_have_the_covariance_of_their_recursion,
                                  short_steps_lead_to_the_posterior,
                                  minibatches_add_the_variance_that_they_should,
                                  cycles_are_those_by_hand,
                                  at_temperature_zero_it_is_gradient_descent,
                                  draws_come_chain_after_chain,
                                  what_cannot_be_is_refused,
                                  NULL};
    omp_set_num_threads(1); /* on rows this few threads would wait for each other, not work */
    return run_tests("sgmcmc", tests);
}
