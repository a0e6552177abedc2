/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_hmc.c: Hamiltonian dynamics and its chains on densities whose moments are known, then hmc and nuts on posteriors that are.
 *
 * Moments are judged by the means of independent chains: whatever the autocorrelation within a chain, their spread says how far off the
 * mean of all may be.
 */
#include "files.h"

#include <bnn/fit.h>
#include <bnn/sampler.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- densities */

enum { MOST_N = 4 };

/* U = q' A q / 2 with A = [[2, 1], [1, 2]]: variances 2/3, covariance -1/3. */
static double correlated(void *context, const bnn_real *q, bnn_real *grad) {
    double a = (double)q[0], b = (double)q[1];
    (void)context;
    grad[0] = (bnn_real)(2 * a + b);
    grad[1] = (bnn_real)(a + 2 * b);
    return a * a + a * b + b * b;
}

/* A funnel: v = q_0 ~ N(0, 1), q_i | v ~ N(0, e^v). */
enum { FUNNEL = 3 };
static double funnel(void *context, const bnn_real *q, bnn_real *grad) {
    double v = (double)q[0], squares = 0;
    (void)context;
    for (int i = 1; i < FUNNEL; i++) {
        squares += (double)q[i] * (double)q[i];
        grad[i] = (bnn_real)((double)q[i] * exp(-v));
    }
    grad[0] = (bnn_real)(v + 0.5 * (FUNNEL - 1) - 0.5 * squares * exp(-v));
    return 0.5 * (v * v + (FUNNEL - 1) * v + squares * exp(-v));
}

/* 0.3 N(-1.5, 0.7^2) + 0.7 N(1.5, 0.7^2) */
static double two_modes(void *context, const bnn_real *q, bnn_real *grad) {
    static const double share[] = {0.3, 0.7}, at[] = {-1.5, 1.5}, var = 0.7 * 0.7;
    double x = (double)q[0], sum = 0, slope = 0;
    (void)context;
    for (int k = 0; k < 2; k++) {
        double part = share[k] * exp(-0.5 * (x - at[k]) * (x - at[k]) / var);
        sum += part;
        slope += part * (x - at[k]) / var;
    }
    grad[0] = (bnn_real)(slope / sum);
    return -log(sum);
}

/* Nowhere quadratic, all of its four coordinates tied together. */
static double wavy(void *context, const bnn_real *q, bnn_real *grad) {
    double u = 0, total = 0;
    (void)context;
    for (int i = 0; i < 4; i++) total += (double)q[i];
    for (int i = 0; i < 4; i++) {
        double x = (double)q[i];
        u += x * x * x * x / 4 + (i + 1) * sin(x);
        grad[i] = (bnn_real)(x * x * x + (i + 1) * cos(x) + total);
    }
    return u + total * total / 2;
}

/* ---------------------------------------------------------------- leapfrog */

static const double wavy_var[MOST_N] = {1, 0.25, 4, 0.5}, wavy_start[2 * MOST_N] = {0.3, -0.8, 1.1, 0.2, 0.5, 1.5, -0.4, 0.9};

/* state[8]: positions and momenta after `steps` leapfrogs from there. */
static double leap(double *state, double step, int steps) {
    bnn_real theta[MOST_N], grad[MOST_N];
    double g[MOST_N];
    bnn_hamiltonian h = {.n = MOST_N, .u = wavy, .var = wavy_var, .theta = theta, .grad = grad};
    bnn_phase z = {.q = state, .p = state + MOST_N, .g = g};
    bnn_phase_update(&h, &z);
    double before = bnn_phase_energy(&h, &z);
    for (int i = 0; i < steps; i++) bnn_leapfrog(&h, step, &z);
    return bnn_phase_energy(&h, &z) - before;
}

START_TEST(leapfrog_is_reversible) {
    double state[2 * MOST_N], far = 0;
    memcpy(state, wavy_start, sizeof state);
    leap(state, 0.02, 200);
    for (int i = 0; i < MOST_N; i++) far += fabs(state[i] - wavy_start[i]), state[MOST_N + i] *= -1;
    ck_assert_double_gt(far, 0.1);
    leap(state, 0.02, 200);
    for (int i = 0; i < 2 * MOST_N; i++)
        ck_assert_msg(fabs(state[i] - (i < MOST_N ? 1 : -1) * wavy_start[i]) < 1e-11, "coordinate %d comes back to %.12g", i, state[i]);
}
END_TEST

/* Determinant by elimination with pivots. */
static double determinant(int n, double *a) {
    double det = 1;
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[best * n + k])) best = i;
        for (int j = 0; best != k && j < n; j++) {
            double t = a[k * n + j];
            a[k * n + j] = a[best * n + j];
            a[best * n + j] = t;
        }
        det *= best == k ? a[k * n + k] : -a[k * n + k];
        for (int i = k + 1; i < n; i++)
            for (int j = n - 1; j >= k; j--) a[i * n + j] -= a[i * n + k] / a[k * n + k] * a[k * n + j];
    }
    return det;
}

/* det d(q', p') / d(q, p) = 1. In float U's gradient has steps of its rounding, over which the differences must reach. */
START_TEST(leapfrog_keeps_volumes) {
    enum { N = 2 * MOST_N };
    double jacobian[N * N], h = DIFFERENCE_STEP / 4;
    for (int j = 0; j < N; j++) {
        double moved[4][N];
        static const double at[4] = {1, -1, 2, -2};
        for (int k = 0; k < 4; k++) {
            memcpy(moved[k], wavy_start, sizeof moved[k]);
            moved[k][j] += at[k] * h;
            leap(moved[k], 0.1, 10);
        }
        for (int i = 0; i < N; i++) jacobian[i * N + j] = (8 * (moved[0][i] - moved[1][i]) - (moved[2][i] - moved[3][i])) / (12 * h);
    }
    double det = determinant(N, jacobian);
    ck_assert_msg(fabs(det - 1) < GRADIENT_TOLERANCE, "the determinant is %.12g", det);
}
END_TEST

/* Over a fixed time the error of the energy falls with the square of the step. */
START_TEST(energy_error_is_of_second_order) {
    double error[3];
    for (int k = 0; k < 3; k++) {
        double state[2 * MOST_N];
        memcpy(state, wavy_start, sizeof state);
        error[k] = leap(state, 0.04 / (1 << k), 25 << k);
    }
    for (int k = 0; k < 2; k++)
        ck_assert_msg(fabs(error[k] / error[k + 1] - 4) < 0.2, "errors of steps halved: %g, %g", error[k], error[k + 1]);
}
END_TEST

/* ---------------------------------------------------------------- chains on densities */

static void make_hmc(const void *of, bnn_hamiltonian *h, double step, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out) {
    bnn_hmc_transition(h, step, *(const int *)of, rng, z, room, out);
}

static void make_nuts(const void *of, bnn_hamiltonian *h, double step, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out) {
    bnn_nuts_transition(h, step, *(const int *)of, rng, z, room, out);
}

static const int leapfrogs[] = {7}, depths[] = {8}, shallow[] = {2};
static const struct {
    const char *name;
    bnn_transition_rule rule;
} rules[] = {{"hmc", {make_hmc, leapfrogs, MOST_N}},
             {"nuts", {make_nuts, depths, 128 * MOST_N}},
             {"nuts of depth 2", {make_nuts, shallow, 64 * MOST_N}}};
enum { RULES = sizeof rules / sizeof *rules };

static void chains_open(bnn_chains *c, const bnn_chains_conf *conf, bnn_transition_rule rule, bnn_potential u, int n) {
    OK(bnn_chains_open(c, conf, rule, n, bnn_rng_seed(11)));
    for (int k = 0; k < conf->chains; k++) {
        c->h[k].u = u;
        for (int i = 0; i < n; i++) c->z[k].q[i] = 0.1 * (k % 7 - 3);
    }
}

/* Mean of f over all draws against what it should be. */
static void assert_mean(const bnn_chains *c, double (*f)(const bnn_real *q), double expected, const char *what) {
    moments of_chains = {0};
    for (int k = 0; k < c->conf->chains; k++) {
        double mean = 0;
        for (int s = 0; s < c->conf->samples; s++) mean += f(bnn_stored_at(&c->stored, k, s));
        moments_add(&of_chains, mean / c->conf->samples);
    }
    double z = moments_z(&of_chains, expected);
    ck_assert_msg(fabs(z) < MOST_Z, "%s: %g, not %g: z %g", what, of_chains.mean, expected, z);
    ck_assert_msg(sqrt(moments_var(&of_chains) / of_chains.n) < 0.05, "%s: known to %g only", what,
                  sqrt(moments_var(&of_chains) / of_chains.n));
}

static double first(const bnn_real *q) { return (double)q[0]; }
static double first_square(const bnn_real *q) { return (double)q[0] * (double)q[0]; }
static double cross(const bnn_real *q) { return (double)q[0] * (double)q[1]; }
static double second_square(const bnn_real *q) { return (double)q[1] * (double)q[1]; }
static double first_fourth(const bnn_real *q) { return pow((double)q[0], 4); }
static double is_right(const bnn_real *q) { return (double)q[0] > 0; }
static double below_minus_one(const bnn_real *q) { return (double)q[0] < -1; }

static const bnn_chains_conf plenty = {
    .chains = 64, .samples = 1000, .warmup = 200, .thin = 1, .target_accept = 0.8, .step = 1, .jitter = 0.2};

START_TEST(moments_of_a_correlated_gaussian) {
    for (int r = 0; r < RULES; r++) {
        bnn_chains c;
        chains_open(&c, &plenty, rules[r].rule, correlated, 2);
        while (!bnn_chains_done(&c)) OK(bnn_chains_step(&c));
        assert_mean(&c, first, 0, rules[r].name);
        assert_mean(&c, first_square, 2. / 3, rules[r].name);
        assert_mean(&c, second_square, 2. / 3, rules[r].name);
        assert_mean(&c, cross, -1. / 3, rules[r].name);
        assert_mean(&c, first_fourth, 3 * 4. / 9, rules[r].name);
        bnn_chains_close(&c);
    }
}
END_TEST

/* Large steps: what is tested is that rejections and weights make good what leapfrog gets wrong. */
START_TEST(moments_with_steps_that_are_too_large) {
    bnn_chains_conf conf = {.chains = 64, .samples = 1000, .thin = 1, .step = 1.05, .jitter = 0.1};
    for (int r = 0; r < RULES; r++) {
        bnn_chains c;
        chains_open(&c, &conf, rules[r].rule, correlated, 2);
        while (!bnn_chains_done(&c)) OK(bnn_chains_step(&c));
        double accept = 0;
        for (int k = 0; k < conf.chains; k++) accept += c.chain[k].accept / c.chain[k].n / conf.chains;
        ck_assert_msg(accept < 0.9, "%s: accepts %g", rules[r].name, accept);
        assert_mean(&c, first_square, 2. / 3, rules[r].name);
        assert_mean(&c, cross, -1. / 3, rules[r].name);
        assert_mean(&c, first_fourth, 3 * 4. / 9, rules[r].name);
        bnn_chains_close(&c);
    }
}
END_TEST

START_TEST(moments_of_a_funnel) {
    bnn_chains_conf conf = plenty;
    conf.target_accept = 0.95;
    for (int r = 0; r < RULES; r++) {
        bnn_chains c;
        chains_open(&c, &conf, rules[r].rule, funnel, FUNNEL);
        while (!bnn_chains_done(&c)) OK(bnn_chains_step(&c));
        assert_mean(&c, first, 0, rules[r].name);
        assert_mean(&c, first_square, 1, rules[r].name);
        assert_mean(&c, below_minus_one, 0.15865525393145705, rules[r].name);
        bnn_chains_close(&c);
    }
}
END_TEST

START_TEST(moments_of_two_modes) {
    for (int r = 0; r < RULES; r++) {
        bnn_chains c;
        chains_open(&c, &plenty, rules[r].rule, two_modes, 1);
        while (!bnn_chains_done(&c)) OK(bnn_chains_step(&c));
        double tail = 0.5 * erfc(1.5 / 0.7 / sqrt(2));
        assert_mean(&c, first, 0.4 * 1.5, rules[r].name);
        assert_mean(&c, first_square, 1.5 * 1.5 + 0.7 * 0.7, rules[r].name);
        assert_mean(&c, is_right, 0.3 * tail + 0.7 * (1 - tail), rules[r].name);
        bnn_chains_close(&c);
    }
}
END_TEST

/* ---------------------------------------------------------------- tuning */

/* Independent, with standard deviations 10^-2 .. 10^1. */
static double scaled(void *context, const bnn_real *q, bnn_real *grad) {
    double u = 0;
    (void)context;
    for (int i = 0; i < 4; i++) {
        double sd = pow(10, i - 2), z = (double)q[i] / sd;
        u += 0.5 * z * z;
        grad[i] = (bnn_real)(z / sd);
    }
    return u;
}

/* With the metric found, all four coordinates are alike: the step is as large as in four dimensions of one scale. */
START_TEST(warm_up_finds_scales_and_step) {
    bnn_chains_conf conf = plenty;
    conf.chains = 32, conf.warmup = 1000, conf.samples = 1000, conf.step = 1e-6, conf.jitter = 0;
    bnn_chains c;
    chains_open(&c, &conf, rules[1].rule, scaled, 4);
    while (!bnn_chains_done(&c)) OK(bnn_chains_step(&c));
    for (int k = 0; k < conf.chains; k++) {
        for (int i = 0; i < 4; i++) {
            double ratio = c.h[k].var[i] / pow(100, i - 2);
            ck_assert_msg(ratio > 0.7 && ratio < 1.5, "chain %d: variance %d is %g of the true one", k, i, ratio);
        }
        ck_assert_msg(c.chain[k].step > 0.4 && c.chain[k].step < 1.6, "chain %d: step %g", k, c.chain[k].step);
        ck_assert_double_eq(c.chain[k].divergences, 0);
    }
    bnn_chains_close(&c);
}
END_TEST

/* While it is tuned the acceptance is the target on average; the step kept at the end is a mean of logarithms, which leans to the safe
 * side.
 */
START_TEST(warm_up_meets_its_target) {
    for (int i = 0; i < 3; i++) {
        bnn_chains_conf conf = {.chains = 16, .samples = 500, .warmup = 2000, .thin = 1, .metric = BNN_METRIC_UNIT, .step = 100};
        double accept = 0;
        bnn_chains c;
        conf.target_accept = 0.6 + 0.15 * i;
        chains_open(&c, &conf, rules[1].rule, wavy, 4);
        while (!bnn_chains_done(&c)) OK(bnn_chains_step(&c));
        for (int k = 0; k < conf.chains; k++) {
            ck_assert_msg(fabs(c.chain[k].slack) < 0.02, "chain %d misses the target by %g", k, c.chain[k].slack);
            accept += c.chain[k].accept / c.chain[k].n / conf.chains;
        }
        ck_assert_msg(accept > conf.target_accept - 0.03 && accept < conf.target_accept + 0.1, "target %g, acceptance %g",
                      conf.target_accept, accept);
        bnn_chains_close(&c);
    }
}
END_TEST

/* The metric changes where Stan's windows end, and nowhere else. */
START_TEST(windows_are_those_of_stan) {
    static const struct {
        int warmup, ends[6];
    } cases[] = {{1000, {100, 150, 250, 450, 950, 0}}, {200, {100, 150, 0}}, {100, {90, 0}}, {10, {9, 0}}, {0, {0}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bnn_chains_conf conf = {.chains = 1, .samples = 5, .warmup = cases[i].warmup, .thin = 1, .target_accept = 0.8, .step = 1};
        bnn_chains c;
        int seen = 0;
        chains_open(&c, &conf, rules[0].rule, correlated, 2);
        for (double before = 1; !bnn_chains_done(&c); before = c.var[0]) {
            OK(bnn_chains_step(&c));
            if (c.var[0] == before) continue;
            ck_assert_msg(seen < 5 && c.transitions == (uint64_t)cases[i].ends[seen], "warm-up %d: a window ends at %d", cases[i].warmup,
                          (int)c.transitions);
            seen++;
        }
        ck_assert_int_eq(cases[i].ends[seen], 0);
        bnn_chains_close(&c);
    }
}
END_TEST

/* A step beyond the limit of stability throws the trajectory out: counted, and the chain stays where it is. */
START_TEST(divergences_are_counted_and_rejected) {
    bnn_chains_conf conf = {.chains = 2, .samples = 50, .thin = 1, .step = 40};
    for (int r = 0; r < RULES; r++) {
        bnn_chains c;
        chains_open(&c, &conf, rules[r].rule, correlated, 2);
        while (!bnn_chains_done(&c)) OK(bnn_chains_step(&c));
        for (int k = 0; k < 2; k++) {
            ck_assert_double_eq(c.chain[k].divergences, 50);
            ck_assert_double_eq(c.z[k].q[0], 0.1 * (k - 3));
        }
        bnn_chains_close(&c);
    }
}
END_TEST

static double nowhere(void *context, const bnn_real *q, bnn_real *grad) {
    (void)context, (void)q;
    grad[0] = 0;
    return INFINITY;
}

START_TEST(a_start_outside_the_support_is_an_error) {
    bnn_chains c;
    chains_open(&c, &plenty, rules[0].rule, nowhere, 1);
    SAYS(bnn_chains_step(&c), "U is inf where chain 1 starts transition 1");
    bnn_chains_close(&c);
}
END_TEST

/* Thinning changes nothing but what is kept: the last of each `thin` transitions after the warm-up. */
START_TEST(thinned_draws_are_among_all) {
    bnn_chains all, few;
    bnn_chains_conf conf = {.chains = 2, .samples = 12, .warmup = 20, .thin = 1, .target_accept = 0.8, .step = 1, .jitter = 0.2},
                    thin = conf;
    thin.samples = 4, thin.thin = 3;
    chains_open(&all, &conf, rules[0].rule, correlated, 2);
    chains_open(&few, &thin, rules[0].rule, correlated, 2);
    while (!bnn_chains_done(&all)) OK(bnn_chains_step(&all));
    while (!bnn_chains_done(&few)) OK(bnn_chains_step(&few));
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 4; i++)
            ck_assert_msg(memcmp(few.stored.theta + (k * 4 + i) * 2, all.stored.theta + (k * 12 + 3 * i + 2) * 2, 2 * sizeof(bnn_real)) ==
                              0,
                          "chain %d: draw %d is not that of transition %d", k, i, 3 * i + 3);
    bnn_chains_close(&all), bnn_chains_close(&few);
}
END_TEST

/* Sums over transitions, and E-BFMI, from the statistics of the draws. */
START_TEST(sums_are_those_of_the_draws) {
    bnn_chains_conf conf = plenty;
    conf.chains = 2;
    bnn_chains c;
    chains_open(&c, &conf, rules[1].rule, correlated, 2);
    while (!bnn_chains_done(&c)) OK(bnn_chains_step(&c));
    int n = conf.samples;
    for (int k = 0; k < 2; k++) {
        const double *lp = c.stored.stat + k * n, *energy = lp + 2 * n, *accept = energy + 2 * n, *steps = accept + 3 * 2 * n,
                     *depth = steps + 2 * n;
        double mean = 0, squares = 0, jumps = 0, accepts = 0, all_steps = 0;
        for (int s = 0; s < n; s++) {
            const bnn_real *q = bnn_stored_at(&c.stored, k, s);
            bnn_real unused[2];
            mean += energy[s] / n;
            accepts += accept[s];
            all_steps += steps[s];
            ck_assert_double_eq_tol(lp[s], -correlated(NULL, q, unused), ROUNDING);
            ck_assert(energy[s] >= -lp[s] && steps[s] <= exp2(depth[s] + 1) - 1 && steps[s] >= exp2(depth[s]) - 1);
        }
        for (int s = 0; s < n; s++) {
            squares += pow(energy[s] - mean, 2);
            if (s > 0) jumps += pow(energy[s] - energy[s - 1], 2);
        }
        ck_assert_double_eq_tol(bnn_chain_bfmi(&c.chain[k]), jumps / squares, 1e-9);
        ck_assert_double_eq_tol(c.chain[k].accept, accepts, 1e-9);
        ck_assert_double_eq(c.chain[k].leapfrogs, all_steps);
    }
    bnn_chains_close(&c);
}
END_TEST

/* ---------------------------------------------------------------- posteriors */

static const char *const engines[] = {"hmc:steps=10,chains=32,samples=400,warmup=200", "nuts:chains=32,samples=400,warmup=200",
                                      "nuts:chains=32,samples=400,warmup=200,thin=2,metric=unit,target_accept=0.6"};
enum { ENGINES = sizeof engines / sizeof *engines };

static bnn_run *sample(const char *engine, const char *net, const char *likelihood, const char *prior, const bnn_data *data) {
    bnn_run *run;
    OK(bnn_fit(&(bnn_config){.net = net, .engine = engine, .likelihood = likelihood, .prior = prior, .seed = 3}, data, &run));
    ck_assert(run->complete);
    return run;
}

static const bnn_chains *chains_of(const bnn_run *run) { return &((const bnn_sampler *)run->engine->state)->chains; }

static const linear_posterior *line; /* for the functions below */
static int row, column;
static double deviation(const bnn_real *q) { return ((double)q[row] - line->mean[row]) / sqrt(line->cov[row * LINEAR + row]); }
static double product(const bnn_real *q) {
    double sds = sqrt(line->cov[row * LINEAR + row] * line->cov[column * LINEAR + column]);
    return ((double)q[row] - line->mean[row]) * ((double)q[column] - line->mean[column]) / sds;
}

/* Mean and covariance in closed form, in units of the standard deviations. */
START_TEST(linear_regression_has_its_posterior) {
    bnn_table *t = table_new(40, LINEAR - 1, 0, 1);
    bnn_data *data = data_new(t);
    linear_posterior p;
    linear_posterior_of(data, 0.5 * data->scaling.y_sd[0] * data->scaling.y_sd[0], 1 / (0.15 * 0.15), 1 / (0.5 * 0.5), 0, &p);
    line = &p;
    for (int k = 0; k < ENGINES; k++) {
        bnn_run *run = sample(engines[k], "dense", "gaussian:tau=0.5", "gauss:sd=0.15,bias_sd=0.5", data);
        for (row = 0; row < LINEAR; row++) {
            assert_mean(chains_of(run), deviation, 0, engines[k]);
            for (column = 0; column <= row; column++)
                assert_mean(chains_of(run), product,
                            p.cov[row * LINEAR + column] / sqrt(p.cov[row * LINEAR + row] * p.cov[column * LINEAR + column]), engines[k]);
        }
        bnn_run_free(run);
    }
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

static double first_size(const bnn_real *q) { return fabs((double)q[0]); }
static double tanh_at_one(const bnn_real *q) { return (double)q[1] * tanh((double)q[0]); }
static double (*const seen[])(const bnn_real *) = {first, first_size, first_square, second_square, cross, tanh_at_one};
enum { SEEN = sizeof seen / sizeof *seen };

/* E[f] for y = w_1 tanh(w_0 x) + e, e ~ N(0, 1/tau), w ~ N(0, 1), by the trapezoidal rule, which is exact to rounding for such densities.
 */
static void integrate(const bnn_data *data, double tau, double expected[SEEN]) {
    enum { HALF = 120 };
    double mass = 0, h = 0.05;
    for (int f = 0; f < SEEN; f++) expected[f] = 0;
    for (int i = -HALF; i <= HALF; i++)
        for (int j = -HALF; j <= HALF; j++) {
            double a = h * i, b = h * j, u = 0.5 * (a * a + b * b);
            for (int r = 0; r < data->n; r++) u += 0.5 * tau * pow((double)data->y[r] - b * tanh(a * (double)data->x[r]), 2);
            bnn_real q[2] = {(bnn_real)a, (bnn_real)b};
            mass += exp(-u);
            for (int f = 0; f < SEEN; f++) expected[f] += exp(-u) * seen[f](q);
        }
    for (int f = 0; f < SEEN; f++) expected[f] /= mass;
}

/* A network with two weights, against integrals over both. */
START_TEST(a_tiny_network_has_its_posterior) {
    bnn_table *t = table_new(6, 1, 0, 5);
    bnn_data *data = data_new(t);
    double expected[SEEN], tau = 0.05;
    integrate(data, tau * data->scaling.y_sd[0] * data->scaling.y_sd[0], expected);
    for (int k = 0; k < ENGINES; k++) {
        bnn_run *run = sample(engines[k], "dense:1,bias=no; tanh; dense:1,bias=no", "gaussian:tau=0.05", "gauss", data);
        for (int f = 0; f < SEEN; f++) assert_mean(chains_of(run), seen[f], expected[f], engines[k]);
        bnn_run_free(run);
    }
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* Neal's model of a plane through the origin: y = w x + e with log variances s of the noise and t of w, precisions Gamma distributed. theta
 * is (w_1, w_2, s, t). A row has one input that is not 0, so given s and t the weights are normal and independent, and sums over a grid of
 * both have all moments. */
enum { LINE_D = 2, LINE_W = 0, LINE_S = LINE_D, LINE_T, LINE_N };
static double slope_of(const bnn_real *q) { return (double)q[LINE_W]; }
static double slope_square(const bnn_real *q) { return (double)q[LINE_W] * (double)q[LINE_W]; }
static double noise_of(const bnn_real *q) { return (double)q[LINE_S]; }
static double noise_square(const bnn_real *q) { return (double)q[LINE_S] * (double)q[LINE_S]; }
static double scale_of(const bnn_real *q) { return (double)q[LINE_T]; }
static double scale_square(const bnn_real *q) { return (double)q[LINE_T] * (double)q[LINE_T]; }

static double log_gamma(double s, double sd, double shape) { return log(gsl_ran_gamma_pdf(exp(-s), shape, 1 / (shape * sd * sd))) - s; }

static void integrate_line(const bnn_data *data, double expected[6]) {
    double xx[LINE_D] = {0}, xy[LINE_D] = {0}, yy = 0, mass = 0, h = 0.02;
    for (int r = 0; r < data->n; r++) {
        double x = (double)data->x[r * LINE_D + r % LINE_D], y = (double)data->y[r];
        xx[r % LINE_D] += x * x, xy[r % LINE_D] += x * y, yy += y * y;
    }
    memset(expected, 0, 6 * sizeof *expected);
    for (double s = -5; s < 6; s += h)
        for (double t = -6; t < 9; t += h) {
            double noise = exp(-s), mean[LINE_D], var[LINE_D];
            double log_p = log_gamma(s, 0.7, 2) + log_gamma(t, 0.5, 2) - 0.5 * (data->n * s + yy * noise);
            for (int d = 0; d < LINE_D; d++) {
                var[d] = 1 / (xx[d] * noise + exp(-t)), mean[d] = xy[d] * noise * var[d];
                log_p += 0.5 * (log(var[d]) - t + mean[d] * mean[d] / var[d]);
            }
            const double p = exp(log_p), f[] = {mean[0], mean[0] * mean[0] + var[0], s, s * s, t, t * t};
            mass += p;
            for (int k = 0; k < 6; k++) expected[k] += p * f[k];
        }
    for (int k = 0; k < 6; k++) expected[k] /= mass;
}

/* In each of the ways that scales and noise are moved. */
static const char *const moving[] = {"hmc:steps=10,chains=32,samples=400,warmup=200", "nuts:chains=32,samples=400,warmup=200",
                                     "hmc:steps=4,chains=32,samples=400,warmup=100,scales=gibbs",
                                     "hmc:steps=4,chains=32,samples=400,warmup=100,scales=noncentred",
                                     "nuts:chains=32,samples=300,warmup=100,metric=unit,scales=noncentred"};
enum { N_MOVING = sizeof moving / sizeof *moving };

START_TEST(learned_scales_and_noise_have_their_posterior) {
    static double (*const line_seen[])(const bnn_real *) = {slope_of, slope_square, noise_of, noise_square, scale_of, scale_square};
    bnn_table *t = table_new(8, LINE_D, 0, 5);
    bnn_data *data = data_new(t);
    double expected[6];
    for (int i = 0; i < 8 * LINE_D; i++)
        if (i % LINE_D != i / LINE_D % LINE_D) data->x[i] = 0;
    integrate_line(data, expected);
    for (int k = 0; k < N_MOVING; k++) {
        bnn_run *run = sample(moving[k], "dense:bias=no", "gaussian:sd=0.7,shape=2", "hierarchical:sd=0.5,shape=2,scale=none", data);
        ck_assert_int_eq(run->engine->model->n_theta, LINE_N);
        for (int f = 0; f < 6; f++) assert_mean(chains_of(run), line_seen[f], expected[f], moving[k]);
        bnn_run_free(run);
    }
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* Every gradient that is taken is counted: leapfrogs, one where each transition ends, and the search for a step size. */
START_TEST(gradients_are_counted) {
    bnn_table *t = table_new(6, 1, 0, 5);
    bnn_data *data = data_new(t);
    bnn_run *run = sample("hmc:steps=7,chains=3,samples=5,warmup=0,thin=2", "dense", "gaussian:tau=1", "gauss", data);
    ck_assert_uint_eq(run->cost.gradients, 3 * 10 * 8);
    ck_assert_double_eq(run->cost.flops, 3 * 10 * 8 * 6 * 6);
    const char *remark = bnn_engine_vtable(run->engine)->remark(run->engine);
    ck_assert_msg(strstr(remark, "3 chains: mean acceptance ") == remark && strstr(remark, ", 7.0 leapfrogs a transition, "), "%s", remark);
    bnn_run_free(run);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* Draws in the order that prediction and files take them in: chain after chain, also while some are still to come. */
START_TEST(draws_come_chain_after_chain) {
    bnn_table *t = table_new(6, 1, 0, 5);
    bnn_data *data = data_new(t);
    bnn_engine *e;
    bnn_step step;
    bnn_texts texts = {.net = "dense", .likelihood = "gaussian:tau=1", .prior = "gauss"};
    OK(bnn_engine_new("hmc:steps=3,chains=3,samples=5,warmup=2", &texts, data, bnn_rng_seed(1), &e));
    const bnn_engine_type *type = bnn_engine_vtable(e);
    bnn_column columns[BNN_MAX_COLUMNS];
    bnn_real expected[3][5][2], theta[2];
    for (int i = 0; i < 7; i++) {
        ck_assert_int_eq(type->n_draws(e), i < 3 ? 0 : 3 * (i - 2));
        ck_assert_int_eq(type->columns(e, columns), 0);
        OK(bnn_engine_step(e, data, &step));
        for (int k = 0; i >= 2 && k < 3; k++)
            for (int j = 0; j < 2; j++) expected[k][i - 2][j] = (bnn_real)((const bnn_sampler *)e->state)->chains.z[k].q[j];
        for (int s = 0; i >= 2 && s < 3 * (i - 1); s++) {
            OK(bnn_engine_draw(e, s, bnn_rng_seed(0), theta));
            ck_assert(memcmp(theta, expected[s / (i - 1)][s % (i - 1)], sizeof theta) == 0);
        }
    }
    ck_assert(step.done && type->n_chains(e) == 3);
    ck_assert_int_eq(type->columns(e, columns), BNN_N_STATS + 2);
    ck_assert_int_eq(columns[0].length, 15);
    ck_assert_str_eq(columns[BNN_STAT_DIVERGING].name, "diverging");
    ck_assert_int_eq(columns[BNN_N_STATS + 1].length, 3);
    ck_assert_str_eq(columns[BNN_N_STATS + 1].name, "e_bfmi");
    for (int k = 0; k < 3; k++)
        ck_assert_double_eq(columns[BNN_N_STATS + 1].data[k], bnn_chain_bfmi(&((const bnn_sampler *)e->state)->chains.chain[k]));
    bnn_engine_free(e);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {leapfrog_is_reversible,
                                  leapfrog_keeps_volumes,
                                  energy_error_is_of_second_order,
                                  moments_of_a_correlated_gaussian,
                                  moments_with_steps_that_are_too_large,
                                  moments_of_a_funnel,
                                  moments_of_two_modes,
                                  warm_up_finds_scales_and_step,
                                  warm_up_meets_its_target,
                                  windows_are_those_of_stan,
                                  divergences_are_counted_and_rejected,
                                  a_start_outside_the_support_is_an_error,
                                  thinned_draws_are_among_all,
                                  sums_are_those_of_the_draws,
                                  linear_regression_has_its_posterior,
                                  a_tiny_network_has_its_posterior,
                                  learned_scales_and_noise_have_their_posterior,
                                  gradients_are_counted,
                                  draws_come_chain_after_chain,
                                  NULL};
    omp_set_num_threads(1); /* on densities this small threads would wait for each other, not work */
    return run_tests("hmc", tests);
}
