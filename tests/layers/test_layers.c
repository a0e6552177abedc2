/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_layers.c: what particular layers promise by their mathematics. What the contract promises of every layer is in conform.c.
 */
#include "helpers.h"

#include <bnn/gaussian.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const mode_names[] = {"MEAN", "ROWS", "DRAW"};

START_TEST(refusals_name_node_and_shapes) {
    static const struct {
        const char *net, *sentence;
    } refused[] = {
        {"a = input:2x3; b = upper: (a)", "unknown layer 'upper'"},
        {"a = input:6; b = dense:4; concat(a, b); c = concat(a)", "node 'c' (concat): takes from 2 to 16 inputs, not 1"},
        {"a = input:6; b = dense:4; c = add(a, b)", "node 'c' (add): input 1 has shape [4], cannot be added to [6]"},
        {"a = input:2x4; b = flatten; c = concat(a, b)", "node 'c' (concat): input 1 has shape [8], does not stack on [2x4]"},
        {"input:2x4; gaussian_dense:3", "node 'gaussian_dense_1' (gaussian_dense): takes a vector, but its input has shape [2x4]"},
        {"input:4; gaussian_dense; tanh", "option 'units' may be left out only at the end of a network"},
        {"input:4; gaussian_dense:3,prior=laplace", "node 'gaussian_dense_1' (gaussian_dense): option 'prior': unknown prior 'laplace'"},
        {"input:4; gaussian_dense:3,prior=gauss{sd=-1}", "option 'sd': '-1' is not a number from"},
        {"input:4; concrete_dropout:2", "node 'concrete_dropout_1' (concrete_dropout): option 'p': '2' is not a number from 0 to 1"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        test_net_refused(refused[i].net);
        ck_assert_msg(strstr(bnn_error(), refused[i].sentence), "'%s' is refused with: %s", refused[i].net, bnn_error());
    }
}
END_TEST

/* ---------------------------------------------------------------- gates */

/* y of x = 1 in many rows. */
static void fill_gates(const char *net, int rows, bnn_layer_pass *p, bnn_spec_net *t) {
    test_net_open(net, t);
    layer_pass_open(t->net, 1, rows, BNN_ROWS, bnn_rng_seed(12), p);
    bnn_net_init(t->net, bnn_rng_seed(12), p->theta);
    for (size_t i = 0; i < (size_t)rows * p->d_in[0]; i++) p->x[0][i] = 1;
    bnn_layer_pass_forward(p, rows);
}

/* E[z] as published (temperature shifts it), P(z > 1/2) = p for every temperature. */
START_TEST(concrete_gates_have_their_moments) {
    static const struct {
        double p, t, mean; /* mean 0: not published */
    } gates[] = {{.05, .1, .0507},    {.1, .1, .1012},     {.2, .1, .2016}, {.05, 2. / 3, .0826},
                 {.1, 2. / 3, .1453}, {.2, 2. / 3, .2489}, {.3, 2, 0},      {.9, .5, 0}};
    for (size_t g = 0; g < sizeof gates / sizeof *gates; g++) {
        char net[96];
        bnn_layer_pass p;
        bnn_spec_net t;
        moments z = {0}, dropped = {0};
        snprintf(net, sizeof net, "input:10; concrete_dropout:p=%.17g,temperature=%.17g", gates[g].p, gates[g].t);
        fill_gates(net, 20000, &p, &t);
        for (size_t i = 0; i < 200000; i++) {
            double here = 1 - (double)p.y[i] * (1 - gates[g].p);
            moments_add(&z, here);
            moments_add(&dropped, here > 0.5);
        }
        double tolerance = MOST_Z * sqrt(moments_var(&z) / z.n) + 5e-5; /* the published figures are rounded */
        ck_assert_msg(gates[g].mean == 0 || fabs(z.mean - gates[g].mean) < tolerance, "p=%g t=%g: E[z] is %g", gates[g].p, gates[g].t,
                      z.mean);
        ck_assert_msg(fabs(moments_z(&dropped, gates[g].p)) < MOST_Z, "p=%g t=%g: P(z > 1/2) is %g", gates[g].p, gates[g].t, dropped.mean);
        layer_pass_close(&p);
        bnn_spec_net_close(&t);
    }
}
END_TEST

/* E[z] = 1 and Var z = alpha = p/(1-p). */
START_TEST(factors_have_their_moments) {
    static const struct {
        const char *net;
        double var;
    } gates[] = {{"input:10; dropout:0.3", 0.3 / 0.7}, {"input:10; gaussian_dropout:0.3", 0.3}};
    for (size_t g = 0; g < sizeof gates / sizeof *gates; g++) {
        bnn_layer_pass p;
        bnn_spec_net t;
        moments z = {0}, squares = {0};
        fill_gates(gates[g].net, 20000, &p, &t);
        for (size_t i = 0; i < 200000; i++) {
            double away = (double)p.y[i] - 1;
            moments_add(&z, away);
            moments_add(&squares, away * away);
        }
        ck_assert_msg(fabs(moments_z(&z, 0)) < MOST_Z && fabs(moments_z(&squares, gates[g].var)) < MOST_Z, "%s: E[z] - 1 is %g, Var z %g",
                      gates[g].net, z.mean, squares.mean);
        layer_pass_close(&p);
        bnn_spec_net_close(&t);
    }
}
END_TEST

/* -K H(p), the entropy written out. */
START_TEST(gates_pay_their_entropy) {
    static const char *const nets[] = {"input:7; dropout:0.2", "input:7; concrete_dropout:0.2", "input:7x2x3; spatial_dropout:0.2",
                                       "input:7x2x3; spatial_concrete_dropout:0.2"};
    double entropy = -0.2 * log(0.2) - 0.8 * log(0.8);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        bnn_layer_pass p;
        bnn_spec_net t;
        fill_gates(nets[i], 1, &p, &t);
        ck_assert_double_eq_tol(p.penalty, -7 * entropy, 10 * ROUNDING);
        layer_pass_close(&p);
        bnn_spec_net_close(&t);
    }
}
END_TEST

/* All pixels of a channel are kept or dropped together, and channels are dropped on their own. */
START_TEST(a_channel_is_dropped_as_a_whole) {
    enum { IMAGES = 2000, CHANNELS = 5, PIXELS = 12 };
    static const char *const nets[] = {"input:5x3x4; spatial_dropout:0.3", "input:5x3x4; spatial_concrete_dropout:0.3"};
    for (size_t n = 0; n < sizeof nets / sizeof *nets; n++) {
        bnn_layer_pass p;
        bnn_spec_net t;
        moments dropped = {0}, both = {0};
        fill_gates(nets[n], IMAGES, &p, &t);
        for (const bnn_real *y = p.y; y < p.y + IMAGES * CHANNELS * PIXELS; y += CHANNELS * PIXELS) {
            const double half = 0.5 / 0.7; /* a relaxed gate above 1/2 drops */
            for (int i = 0; i < CHANNELS * PIXELS; i++) ck_assert(y[i] == y[i / PIXELS * PIXELS]);
            for (int k = 0; k < CHANNELS; k++) moments_add(&dropped, (double)y[k * PIXELS] < half);
            moments_add(&both, (double)y[0] < half && (double)y[PIXELS] < half);
        }
        ck_assert_msg(fabs(moments_z(&dropped, 0.3)) < MOST_Z && fabs(moments_z(&both, 0.09)) < MOST_Z, "%s", nets[n]);
        layer_pass_close(&p);
        bnn_spec_net_close(&t);
    }
}
END_TEST

/* Gates of channels are those of units on a vector, bit for bit. */
START_TEST(channels_of_a_vector_are_its_units) {
    enum { ROWS = 50, UNITS = 6 };
    static const char *const pairs[][2] = {
        {"input:6; dropout:0.3", "input:6; spatial_dropout:0.3"},
        {"input:6; concrete_dropout:0.3,temperature=0.5", "input:6; spatial_concrete_dropout:0.3,temperature=0.5"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bnn_layer_pass units, channels;
        bnn_spec_net t, u;
        fill_gates(pairs[i][0], ROWS, &units, &t);
        fill_gates(pairs[i][1], ROWS, &channels, &u);
        ck_assert_msg(memcmp(units.y, channels.y, ROWS * UNITS * sizeof *units.y) == 0, "%s", pairs[i][1]);
        ck_assert(units.penalty == channels.penalty);
        layer_pass_close(&units), layer_pass_close(&channels);
        bnn_spec_net_close(&t), bnn_spec_net_close(&u);
    }
}
END_TEST

/* ---------------------------------------------------------------- Gaussian weights */

enum { IN = 3, OUT = 2, WEIGHTS = IN * OUT + OUT };
static const char *const estimators[] = {"weight", "local", "flipout"};

static void open_gaussian(const char *options, int n, bnn_mode mode, bnn_spec_net *t, bnn_layer_pass *p) {
    char net[128];
    snprintf(net, sizeof net, "input:%d; gaussian_dense:%d,%s", IN, OUT, options);
    test_net_open(net, t);
    layer_pass_open(t->net, 1, n, mode, bnn_rng_seed(13), p);
    for (int i = 0; i < WEIGHTS; i++) p->theta[WEIGHTS + i] += 2; /* wide enough to be seen */
    for (int r = 1; r < n; r++) memcpy(p->x[0] + r * IN, p->x[0], IN * sizeof(bnn_real));
}

/* Mean and variance of output u for the x of row 0, from the parameters: y ~ N(x mu + b, x^2 sd^2 + sd_b^2). */
static double output_mean(const bnn_layer_pass *p, int u) {
    double m = p->theta[IN * OUT + u];
    for (int d = 0; d < IN; d++) m += (double)p->x[0][d] * (double)p->theta[d * OUT + u];
    return m;
}

static double sd_of(const bnn_layer_pass *p, int i) { return BNN_GAUSSIAN_SD_FLOOR + bnn_softplus((double)p->theta[WEIGHTS + i]); }

static double output_var(const bnn_layer_pass *p, int u) {
    double v = pow(sd_of(p, IN * OUT + u), 2);
    for (int d = 0; d < IN; d++) v += pow((double)p->x[0][d] * sd_of(p, d * OUT + u), 2);
    return v;
}

/* The outputs of two equal rows share their noise where they share the weights (estimator weight, DRAW) and are uncorrelated elsewhere. */
START_TEST(rows_share_their_weights_where_stated) {
    for (int e = 0; e < 3; e++)
        for (int mode = BNN_ROWS; mode <= BNN_DRAW; mode++) {
            bnn_spec_net t;
            bnn_layer_pass p;
            moments product = {0};
            open_gaussian(estimators[e], 2, (bnn_mode)mode, &t, &p);
            double mean = output_mean(&p, 0), var = output_var(&p, 0);
            for (uint64_t s = 0; s < 40000; s++) {
                p.io.rng = bnn_rng_split(bnn_rng_seed(14), s);
                bnn_layer_pass_forward(&p, 2);
                moments_add(&product, ((double)p.y[0] - mean) * ((double)p.y[OUT] - mean));
            }
            double z = moments_z(&product, mode == BNN_DRAW || e == 0 ? var : 0);
            ck_assert_msg(fabs(z) < MOST_Z, "%s in %s: z of the covariance of two rows %g", estimators[e], mode_names[mode], z);
            layer_pass_close(&p);
            bnn_spec_net_close(&t);
        }
}
END_TEST

/* E[ sum y^2 / 2 ] = sum (m^2 + v) / 2, so dmu = m x and drho = sd x^2 sigmoid(rho) in expectation; a bias has x = 1. */
static void check_expected_gradient(const bnn_layer_pass *p, const moments *g, const char *estimator) {
    for (int i = 0; i < WEIGHTS; i++) {
        double x = i < IN * OUT ? p->x[0][i / OUT] : 1, m = output_mean(p, i % OUT), rho = p->theta[WEIGHTS + i];
        double z_mu = moments_z(&g[i], m * x), z_rho = moments_z(&g[WEIGHTS + i], sd_of(p, i) * x * x * bnn_sigmoid(rho));
        ck_assert_msg(fabs(z_mu) < MOST_Z && fabs(z_rho) < MOST_Z, "%s: weight %d: z of dmu %g, of drho %g", estimator, i, z_mu, z_rho);
    }
}

START_TEST(estimators_have_equal_expected_gradients) {
    for (int e = 0; e < 3; e++) {
        bnn_spec_net t;
        bnn_layer_pass p;
        moments g[2 * WEIGHTS] = {0};
        open_gaussian(estimators[e], 1, BNN_ROWS, &t, &p);
        p.scale = 0;
        for (uint64_t s = 0; s < 20000; s++) {
            p.io.rng = bnn_rng_split(bnn_rng_seed(15), s);
            bnn_layer_pass_forward(&p, 1);
            memcpy(p.c, p.y, OUT * sizeof(bnn_real)); /* dJ/dy = y */
            bnn_layer_pass_zero_gradients(&p);
            bnn_layer_pass_gradient(&p);
            for (int i = 0; i < 2 * WEIGHTS; i++) moments_add(&g[i], (double)p.dtheta[i]);
        }
        check_expected_gradient(&p, g, estimators[e]);
        layer_pass_close(&p);
        bnn_spec_net_close(&t);
    }
}
END_TEST

START_TEST(the_mean_of_gaussian_weights_is_dense) {
    for (int e = 0; e < 3; e++) {
        bnn_spec_net t;
        bnn_layer_pass p;
        bnn_real y[5 * OUT];
        open_gaussian(estimators[e], 5, BNN_MEAN, &t, &p);
        bnn_layer_pass_forward(&p, 5);
        bnn_affine(5, IN, OUT, p.x[0], p.theta, p.theta + IN * OUT, y);
        ck_assert_mem_eq(p.y, y, sizeof y);
        layer_pass_close(&p);
        bnn_spec_net_close(&t);
    }
}
END_TEST

/* A mixture with one component is a Gaussian, but has no closed form: the mean of what it is sampled to, and of its gradient, is that of
 * the closed form. */
START_TEST(sampled_kl_has_the_mean_of_the_closed_form) {
    bnn_spec_net t_sampled, t_closed;
    bnn_layer_pass sampled, closed;
    moments kl = {0}, g[2 * WEIGHTS] = {0};
    open_gaussian("local,scale_mixture{pi=1,sd1=0.7}", 1, BNN_ROWS, &t_sampled, &sampled);
    open_gaussian("local,gauss{sd=0.7,bias_sd=0.7}", 1, BNN_ROWS, &t_closed, &closed);
    for (int i = 0; i < OUT; i++) closed.c[i] = sampled.c[i] = 0;
    bnn_layer_pass_gradient(&closed);
    for (uint64_t s = 0; s < 20000; s++) {
        sampled.io.rng = bnn_rng_split(bnn_rng_seed(16), s);
        bnn_layer_pass_zero_gradients(&sampled);
        bnn_layer_pass_gradient(&sampled);
        moments_add(&kl, sampled.penalty);
        for (int i = 0; i < 2 * WEIGHTS; i++) moments_add(&g[i], (double)sampled.dtheta[i]);
    }
    ck_assert_double_gt(closed.penalty, 0);
    ck_assert_double_lt(fabs(moments_z(&kl, closed.penalty)), MOST_Z);
    for (int i = 0; i < 2 * WEIGHTS; i++)
        ck_assert_msg(fabs(moments_z(&g[i], (double)closed.dtheta[i])) < MOST_Z, "gradient %d: z %g", i,
                      moments_z(&g[i], (double)closed.dtheta[i]));
    layer_pass_close(&sampled);
    layer_pass_close(&closed);
    bnn_spec_net_close(&t_sampled);
    bnn_spec_net_close(&t_closed);
}
END_TEST

/* sum log(s/sd) + (sd^2 + mu^2)/(2 s^2) - 1/2, with another s for the bias. */
START_TEST(kernel_and_bias_have_their_own_priors) {
    bnn_spec_net t;
    bnn_layer_pass p;
    double kl = 0;
    open_gaussian("prior=gauss{sd=0.7,bias_sd=3}", 1, BNN_MEAN, &t, &p);
    for (int i = 0; i < WEIGHTS; i++) {
        double s = i < IN * OUT ? 0.7 : 3, sd = sd_of(&p, i), mu = (double)p.theta[i];
        kl += log(s / sd) + (sd * sd + mu * mu) / (2 * s * s) - 0.5;
    }
    bnn_layer_pass_forward(&p, 1);
    ck_assert_double_eq_tol(p.penalty, kl, ROUNDING * kl);
    layer_pass_close(&p);
    bnn_spec_net_close(&t);
}
END_TEST

START_TEST(gaussian_weights_start_as_stated) {
    bnn_spec_net t;
    moments mu = {0};
    test_net_open("input:100; gaussian_dense:50,sd0=0.2", &t);
    bnn_real *theta = reals_new((size_t)t.net->n_theta);
    bnn_net_init(t.net, bnn_rng_seed(17), theta);
    for (int i = 0; i < 5000; i++) moments_add(&mu, (double)theta[i]);
    ck_assert_double_lt(fabs(moments_z(&mu, 0)), MOST_Z);
    ck_assert_double_lt(fabs(moments_var_z(&mu, 2.0 / 100)), MOST_Z);
    for (int i = 5000; i < 5050; i++) ck_assert(theta[i] == 0);
    for (int i = 5050; i < 10100; i++) ck_assert_double_eq_tol(bnn_softplus((double)theta[i]), 0.02, ROUNDING);
    reals_free(theta);
    bnn_spec_net_close(&t);
}
END_TEST

/* Mean and variance of the kernel of 'TYPE', and how far its weights go; a bias begins at 0. */
static void starts_with(const char *type, double var, double most) {
    enum { D = 100, U = 50 };
    bnn_spec_net t;
    moments w = {0};
    double largest = 0;
    char net[96];
    snprintf(net, sizeof net, "input:%d; %s", D, type);
    test_net_open(net, &t);
    bnn_real *theta = reals_new((size_t)t.net->n_theta);
    bnn_net_init(t.net, bnn_rng_seed(18), theta);
    for (int i = 0; i < D * U; i++) {
        moments_add(&w, (double)theta[i]);
        largest = fmax(largest, fabs((double)theta[i]));
    }
    /* the kurtosis is at most that of a Gaussian: so is the error of the variance */
    ck_assert_msg(fabs(moments_z(&w, 0)) < MOST_Z && fabs(moments_var_z(&w, var)) < MOST_Z && largest <= most,
                  "%s: mean %g, variance %g where %g is stated, largest %g", type, w.mean, moments_var(&w), var, largest);
    for (int i = D * U; i < D * U + U; i++) ck_assert(theta[i] == 0);
    reals_free(theta);
    bnn_spec_net_close(&t);
}

/* He: N(0, 2/D), which is also what a layer without an init hook gets. Glorot: uniform on (-a, a), a^2 = 6/(D+U), so its variance is a^2/3.
 */
START_TEST(weights_start_as_stated) {
    static bnn_layer_type plain;
    const bnn_type *dense;
    ck_assert_int_eq(bnn_type_find(BNN_LAYER, "dense", &dense), BNN_OK);
    plain = *(const bnn_layer_type *)dense;
    plain.type.name = "plain", plain.init = NULL;
    ck_assert_int_eq(bnn_type_add(BNN_LAYER, &plain.type), BNN_OK);
    starts_with("dense:50", 2.0 / 100, INFINITY);
    starts_with("plain:50", 2.0 / 100, INFINITY);
    starts_with("dense:50,init=glorot", 2.0 / 150, sqrt(6.0 / 150));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {refusals_name_node_and_shapes,
                                  concrete_gates_have_their_moments,
                                  factors_have_their_moments,
                                  gates_pay_their_entropy,
                                  a_channel_is_dropped_as_a_whole,
                                  channels_of_a_vector_are_its_units,
                                  rows_share_their_weights_where_stated,
                                  estimators_have_equal_expected_gradients,
                                  the_mean_of_gaussian_weights_is_dense,
                                  sampled_kl_has_the_mean_of_the_closed_form,
                                  kernel_and_bias_have_their_own_priors,
                                  gaussian_weights_start_as_stated,
                                  weights_start_as_stated,
                                  NULL};
    return run_tests("layers", tests);
}
