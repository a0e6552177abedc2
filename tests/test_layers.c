/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_layers.c: what the contract promises, for every registered layer, every one of its check specs and every mode; then what each family
 * promises by its mathematics.
 */
#include "helpers.h"

#include <bnn/gaussian.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- every layer */

typedef struct {
    const bnn_type *type;
    const char *spec;
    const test_net *net;
    int node;
    bnn_mode mode;
} layer_case;

static const char *const mode_names[] = {"MEAN", "ROWS", "DRAW"};
#define ASSERT_CASE(condition, k, format, ...) \
    ck_assert_msg(condition, "%s, '%s' in %s: " format, (k)->type->name, (k)->spec, mode_names[(k)->mode], __VA_ARGS__)

/* Calls property for each node of type t in its check specs; `input` has no hooks that run. */
static void for_cases_of(const bnn_type *t, void (*property)(const layer_case *)) {
    for (int s = 0; t->checks[s]; s++) {
        test_net net;
        test_net_open(t->checks[s], &net);
        for (int i = 1; i < net.net->n_nodes; i++)
            for (int mode = BNN_MEAN; mode <= BNN_DRAW; mode++)
                if (net.net->node[i].layer.object.type == t) property(&(layer_case){t, t->checks[s], &net, i, (bnn_mode)mode});
        test_net_close(&net);
    }
}

static void for_all_cases(void (*property)(const layer_case *)) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_LAYER, t));) for_cases_of(t, property);
}

enum { ROWS = 6 };

static void open_case(const layer_case *k, int n, uint64_t seed, layer_pass *p) {
    layer_pass_open(k->net->net, k->node, n, k->mode, bnn_rng_seed(seed), p);
}

static void compare_with_differences(const layer_case *k, layer_pass *p, const char *name, int n, bnn_real *at, const bnn_real *gradient) {
    double *slope = calloc((size_t)n + 1, sizeof *slope), largest = 0;
    bool *kinked = calloc((size_t)n + 1, sizeof *kinked);
    for (int i = 0; i < n; i++) {
        slope[i] = difference(layer_pass_value, p, &at[i], &kinked[i]);
        largest = fmax(largest, fabs(slope[i]));
    }
    for (int i = 0; i < n; i++) {
        if (kinked[i] && k->type->caps & BNN_KINKED) continue;
        ASSERT_CASE(fabs((double)gradient[i] - slope[i]) <= GRADIENT_TOLERANCE * largest, k, "%s[%d]: gradient %.9g, differences %.9g",
                    name, i, (double)gradient[i], slope[i]);
    }
    free(slope);
    free(kinked);
}

static void has_right_gradients(const layer_case *k) {
    layer_pass p;
    open_case(k, ROWS, 1, &p);
    layer_pass_gradient(&p);
    compare_with_differences(k, &p, "dtheta", p.l->n_theta, p.theta, p.dtheta);
    for (int i = 0; i < p.l->n_in; i++) compare_with_differences(k, &p, "dx", ROWS * (int)p.d_in[i], p.x[i], p.dx[i]);
    layer_pass_close(&p);
}

START_TEST(gradients_are_those_of_differences) { for_all_cases(has_right_gradients); }
END_TEST

static void all_close(const layer_case *k, const char *name, size_t n, const bnn_real *a, const bnn_real *b, double offset) {
    for (size_t i = 0; i < n; i++)
        ASSERT_CASE(fabs((double)a[i] - (double)b[i] - offset) <= ROUNDING * (1 + fabs((double)a[i])) * 10, k,
                    "%s[%zu] is %.9g, not %.9g + %g", name, i, (double)a[i], (double)b[i], offset);
}

static void prefill(bnn_real *a, size_t n) {
    for (size_t i = 0; i < n; i++) a[i] += 2;
}

/* Only += : gradients on top of 2 are 2 more. dpass is prefilled too, and finish passes that on, so here it stays 0. */
static void adds_gradients(const layer_case *k) {
    layer_pass p, q;
    open_case(k, ROWS, 2, &p);
    open_case(k, ROWS, 2, &q);
    layer_pass_gradient(&p);
    prefill(q.dtheta, (size_t)q.l->n_theta);
    for (int i = 0; i < q.l->n_in; i++) prefill(q.dx[i], ROWS * q.d_in[i]);
    layer_pass_gradient(&q);
    all_close(k, "dtheta", (size_t)q.l->n_theta, q.dtheta, p.dtheta, 2);
    for (int i = 0; i < q.l->n_in; i++) all_close(k, "dx", ROWS * q.d_in[i], q.dx[i], p.dx[i], 2);
    layer_pass_zero_gradients(&q);
    prefill(q.dpass, (size_t)q.l->plan.dpass);
    layer_pass_gradient(&q);
    all_close(k, "dpass", (size_t)q.l->plan.dpass, q.dpass, p.dpass, 2);
    layer_pass_close(&p);
    layer_pass_close(&q);
}

START_TEST(gradients_are_added) { for_all_cases(adds_gradients); }
END_TEST

/* dtheta NULL or dx NULL: the other one is the same. */
static void takes_null_gradients(const layer_case *k) {
    layer_pass p, q;
    open_case(k, ROWS, 3, &p);
    open_case(k, ROWS, 3, &q);
    bnn_real *kept[16];
    layer_pass_gradient(&p);
    for (int i = 0; i < q.l->n_in; i++) kept[i] = q.dx[i], q.dx[i] = NULL;
    layer_pass_gradient(&q);
    ASSERT_CASE(memcmp(p.dtheta, q.dtheta, (size_t)p.l->n_theta * sizeof(bnn_real)) == 0, k, "dtheta %s",
                "depends on whether dx is wanted");
    bnn_real *dtheta = q.dtheta;
    q.dtheta = NULL;
    for (int i = 0; i < q.l->n_in; i++) q.dx[i] = kept[i];
    layer_pass_gradient(&q);
    q.dtheta = dtheta;
    for (int i = 0; i < q.l->n_in; i++) all_close(k, "dx", ROWS * q.d_in[i], q.dx[i], p.dx[i], 0);
    layer_pass_close(&p);
    layer_pass_close(&q);
}

START_TEST(gradients_may_be_unwanted) { for_all_cases(takes_null_gradients); }
END_TEST

/* A, B, A: the same bits; inputs unchanged. */
static void has_no_memory(const layer_case *k) {
    layer_pass a, again, b, fresh;
    open_case(k, ROWS, 4, &a);
    open_case(k, ROWS, 4, &again);
    open_case(k, ROWS, 5, &b);
    layer_pass_gradient(&a);
    layer_pass_gradient(&b);
    layer_pass_gradient(&again);
    size_t y = ROWS * a.d_out * sizeof(bnn_real), theta = (size_t)a.l->n_theta * sizeof(bnn_real);
    ASSERT_CASE(memcmp(a.y, again.y, y) == 0 && a.penalty == again.penalty, k, "%s", "the same call gives other values");
    ASSERT_CASE(memcmp(a.dtheta, again.dtheta, theta) == 0, k, "%s", "the same call gives another dtheta");
    open_case(k, ROWS, 4, &fresh);
    ASSERT_CASE(memcmp(a.theta, fresh.theta, theta) == 0 && memcmp(a.c, fresh.c, y) == 0, k, "%s", "a hook changed theta or dy");
    for (int i = 0; i < a.l->n_in; i++) {
        size_t x = ROWS * a.d_in[i] * sizeof(bnn_real);
        ASSERT_CASE(memcmp(a.x[i], fresh.x[i], x) == 0, k, "a hook changed x[%d]", i);
    }
    layer_pass_close(&a);
    layer_pass_close(&b);
    layer_pass_close(&again);
    layer_pass_close(&fresh);
}

START_TEST(layers_have_no_memory) { for_all_cases(has_no_memory); }
END_TEST

static int n_noisy[3]; /* check specs whose output depends on the noise, by mode */

static void count_noise(const layer_case *k) {
    layer_pass a, b;
    open_case(k, ROWS, 6, &a);
    open_case(k, ROWS, 6, &b);
    b.io.rng = bnn_rng_seed(7);
    layer_pass_forward(&a, ROWS);
    layer_pass_forward(&b, ROWS);
    bool noisy = memcmp(a.y, b.y, ROWS * a.d_out * sizeof(bnn_real)) != 0;
    ASSERT_CASE(!noisy || (k->type->caps & BNN_STOCHASTIC && k->mode != BNN_MEAN), k, "%s", "the output depends on the noise");
    n_noisy[k->mode] += noisy;
    layer_pass_close(&a);
    layer_pass_close(&b);
}

START_TEST(noise_is_where_the_caps_say) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_LAYER, t));) {
        memset(n_noisy, 0, sizeof n_noisy);
        for_cases_of(t, count_noise);
        bool stochastic = t->caps & BNN_STOCHASTIC;
        ck_assert_msg((n_noisy[BNN_ROWS] > 0) == stochastic && (n_noisy[BNN_DRAW] > 0) == stochastic, "%s: caps and noise disagree",
                      t->name);
    }
}
END_TEST

static void draws_a_function(const layer_case *k) {
    layer_pass p;
    if (k->mode != BNN_DRAW) return;
    open_case(k, ROWS, 8, &p);
    for (int i = 0; i < p.l->n_in; i++)
        for (size_t r = 1; r < ROWS; r++) memcpy(p.x[i] + r * p.d_in[i], p.x[i], p.d_in[i] * sizeof(bnn_real));
    layer_pass_forward(&p, ROWS);
    for (size_t r = 1; r < ROWS; r++)
        ASSERT_CASE(memcmp(p.y + r * p.d_out, p.y, p.d_out * sizeof(bnn_real)) == 0, k, "equal rows 0 and %zu differ", r);
    layer_pass_close(&p);
}

START_TEST(a_draw_is_a_function_of_x) { for_all_cases(draws_a_function); }
END_TEST

static void is_cut_anywhere(const layer_case *k) {
    if (k->type->caps & BNN_COUPLED) return;
    for (int n = 0; n <= 19; n += n ? 18 : 1) {
        layer_pass whole, cut;
        open_case(k, n, 9, &whole);
        open_case(k, n, 9, &cut);
        layer_pass_forward(&whole, n);
        for (int at = 0; at <= n; at++) {
            layer_pass_forward(&cut, at);
            ASSERT_CASE(memcmp(whole.y, cut.y, (size_t)n * cut.d_out * sizeof(bnn_real)) == 0, k, "%d rows cut at row %d give other bits",
                        n, at);
        }
        layer_pass_close(&whole);
        layer_pass_close(&cut);
    }
}

START_TEST(rows_may_be_cut_anywhere) { for_all_cases(is_cut_anywhere); }
END_TEST

static void assert_finite(const layer_case *k, const char *name, double value, size_t n, const bnn_real *a) {
    for (size_t i = 0; i < n; i++) ASSERT_CASE(isfinite(a[i]), k, "%s[%zu] is %g with all own parameters %g", name, i, (double)a[i], value);
}

static void stays_finite(const layer_case *k) {
    for (double value = -1e3; value <= 1e3; value += 2e3) {
        layer_pass p;
        open_case(k, ROWS, 10, &p);
        for (int i = 0; i < p.l->n_theta; i++) p.theta[i] = (bnn_real)value;
        for (int i = 0; i < p.l->n_in; i++) memset(p.x[i], 0, p.d_in[i] * sizeof(bnn_real)); /* a row that relu has emptied */
        layer_pass_gradient(&p);
        assert_finite(k, "y", value, ROWS * p.d_out, p.y);
        assert_finite(k, "dtheta", value, (size_t)p.l->n_theta, p.dtheta);
        for (int i = 0; i < p.l->n_in; i++) assert_finite(k, "dx", value, ROWS * p.d_in[i], p.dx[i]);
        ASSERT_CASE(isfinite(p.penalty), k, "the penalty is %g at parameters %g", p.penalty, value);
        layer_pass_close(&p);
    }
}

START_TEST(extreme_parameters_stay_finite) { for_all_cases(stays_finite); }
END_TEST

static void keeps_its_gradient(const layer_case *k) {
    const bnn_layer *l = &k->net->net->node[k->node].layer;
    if (!bnn_layer_vtable(l)->keep) return;
    for (double at = -3; at <= 3; at += 1.5) {
        bnn_real theta[BNN_MAX_GATE_THETA], dkeep[BNN_MAX_GATE_THETA], unused[BNN_MAX_GATE_THETA];
        for (int i = 0; i < l->n_theta; i++) theta[i] = (bnn_real)at;
        double keep = bnn_layer_vtable(l)->keep(l, theta, dkeep);
        ASSERT_CASE(keep > 0 && keep <= 1, k, "keep is %g", keep);
        for (int i = 0; i < l->n_theta; i++) {
            const double h = 1e-3;
            theta[i] = (bnn_real)(at + h);
            double up = bnn_layer_vtable(l)->keep(l, theta, unused), above = theta[i];
            theta[i] = (bnn_real)(at - h);
            double slope = (up - bnn_layer_vtable(l)->keep(l, theta, unused)) / (above - (double)theta[i]);
            theta[i] = (bnn_real)at;
            ASSERT_CASE(fabs(slope - (double)dkeep[i]) < 1e-6, k, "dkeep[%d] is %.9g, differences %.9g", i, (double)dkeep[i], slope); /* h^2/6
                                                                                                                                       */
        }
    }
}

START_TEST(keep_has_its_gradient) { for_all_cases(keeps_its_gradient); }
END_TEST

START_TEST(printing_parses_to_the_same) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_LAYER, t));)
        for (int s = 0; t->checks[s]; s++) {
            test_net first, second;
            test_net_open(t->checks[s], &first);
            char *once = bnn_net_print(first.net);
            test_net_open(once, &second);
            char *twice = bnn_net_print(second.net);
            ck_assert_str_eq(once, twice);
            ck_assert_int_eq(first.net->n_theta, second.net->n_theta);
            free(once);
            free(twice);
            test_net_close(&first);
            test_net_close(&second);
        }
}
END_TEST

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
        {"input:4; gaussian_dense:3,prior=laplace", "node 'gaussian_dense_1' (gaussian_dense): unknown prior 'laplace'"},
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

/* With its noise turned off, a gate is the identity. */
START_TEST(gates_that_never_drop_are_the_identity) {
    static const char *const nets[] = {"input:4; dropout:0", "input:4; gaussian_dropout:0", "input:4; concrete_dropout:0"};
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        for (int mode = BNN_ROWS; mode <= BNN_DRAW; mode++) {
            test_net t;
            layer_pass p;
            test_net_open(nets[i], &t);
            layer_pass_open(t.net, 1, 50, (bnn_mode)mode, bnn_rng_seed(11), &p);
            bnn_net_init(t.net, bnn_rng_seed(11), p.theta);
            layer_pass_forward(&p, 50);
            for (size_t j = 0; j < 200; j++)
                ck_assert_msg(fabs((double)p.y[j] / (double)p.x[0][j] - 1) < ROUNDING, "%s: %g became %g", nets[i], (double)p.x[0][j],
                              (double)p.y[j]);
            layer_pass_close(&p);
            test_net_close(&t);
        }
}
END_TEST

/* y of x = 1 in many rows. */
static void fill_gates(const char *net, int rows, layer_pass *p, test_net *t) {
    test_net_open(net, t);
    layer_pass_open(t->net, 1, rows, BNN_ROWS, bnn_rng_seed(12), p);
    bnn_net_init(t->net, bnn_rng_seed(12), p->theta);
    for (size_t i = 0; i < (size_t)rows * p->d_in[0]; i++) p->x[0][i] = 1;
    layer_pass_forward(p, rows);
}

/* E[z] as published (temperature shifts it), P(z > 1/2) = p for every temperature. */
START_TEST(concrete_gates_have_their_moments) {
    static const struct {
        double p, t, mean; /* mean 0: not published */
    } gates[] = {{.05, .1, .0507},    {.1, .1, .1012},     {.2, .1, .2016}, {.05, 2. / 3, .0826},
                 {.1, 2. / 3, .1453}, {.2, 2. / 3, .2489}, {.3, 2, 0},      {.9, .5, 0}};
    for (size_t g = 0; g < sizeof gates / sizeof *gates; g++) {
        char net[96];
        layer_pass p;
        test_net t;
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
        test_net_close(&t);
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
        layer_pass p;
        test_net t;
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
        test_net_close(&t);
    }
}
END_TEST

/* -K H(p), the entropy written out. */
START_TEST(gates_pay_their_entropy) {
    static const char *const nets[] = {"input:7; dropout:0.2", "input:7; concrete_dropout:0.2"};
    double entropy = -0.2 * log(0.2) - 0.8 * log(0.8);
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        layer_pass p;
        test_net t;
        fill_gates(nets[i], 1, &p, &t);
        ck_assert_double_eq_tol(p.penalty, -7 * entropy, 10 * ROUNDING);
        layer_pass_close(&p);
        test_net_close(&t);
    }
}
END_TEST

/* ---------------------------------------------------------------- Gaussian weights */

enum { IN = 3, OUT = 2, WEIGHTS = IN * OUT + OUT };
static const char *const estimators[] = {"weight", "local", "flipout"};

static void open_gaussian(const char *options, int n, bnn_mode mode, test_net *t, layer_pass *p) {
    char net[128];
    snprintf(net, sizeof net, "input:%d; gaussian_dense:%d,%s", IN, OUT, options);
    test_net_open(net, t);
    layer_pass_open(t->net, 1, n, mode, bnn_rng_seed(13), p);
    for (int i = 0; i < WEIGHTS; i++) p->theta[WEIGHTS + i] += 2; /* wide enough to be seen */
    for (int r = 1; r < n; r++) memcpy(p->x[0] + r * IN, p->x[0], IN * sizeof(bnn_real));
}

/* Mean and variance of output u for the x of row 0, from the parameters: y ~ N(x mu + b, x^2 sd^2 + sd_b^2). */
static double output_mean(const layer_pass *p, int u) {
    double m = p->theta[IN * OUT + u];
    for (int d = 0; d < IN; d++) m += (double)p->x[0][d] * (double)p->theta[d * OUT + u];
    return m;
}

static double sd_of(const layer_pass *p, int i) { return BNN_GAUSSIAN_SD_FLOOR + bnn_softplus((double)p->theta[WEIGHTS + i]); }

static double output_var(const layer_pass *p, int u) {
    double v = pow(sd_of(p, IN * OUT + u), 2);
    for (int d = 0; d < IN; d++) v += pow((double)p->x[0][d] * sd_of(p, d * OUT + u), 2);
    return v;
}

/* Every estimator has the output distribution of plain weight sampling; two equal rows share their noise (weight, DRAW) or are
 * uncorrelated. */
START_TEST(estimators_have_the_moments_of_weight_sampling) {
    for (int e = 0; e < 3; e++)
        for (int mode = BNN_ROWS; mode <= BNN_DRAW; mode++) {
            test_net t;
            layer_pass p;
            moments y[OUT] = {0}, product = {0};
            open_gaussian(estimators[e], 2, (bnn_mode)mode, &t, &p);
            double mean = output_mean(&p, 0), var = output_var(&p, 0);
            for (uint64_t s = 0; s < 40000; s++) {
                p.io.rng = bnn_rng_split(bnn_rng_seed(14), s);
                layer_pass_forward(&p, 2);
                for (int u = 0; u < OUT; u++) moments_add(&y[u], (double)p.y[u]);
                moments_add(&product, ((double)p.y[0] - mean) * ((double)p.y[OUT] - mean));
            }
            for (int u = 0; u < OUT; u++) {
                double z = moments_z(&y[u], output_mean(&p, u)), z_var = moments_var_z(&y[u], output_var(&p, u));
                ck_assert_msg(fabs(z) < MOST_Z && fabs(z_var) < MOST_Z, "%s in %s: z of the mean %g, of the variance %g", estimators[e],
                              mode_names[mode], z, z_var);
            }
            double z_shared = moments_z(&product, mode == BNN_DRAW || e == 0 ? var : 0);
            ck_assert_msg(fabs(z_shared) < MOST_Z, "%s in %s: z of the covariance of two rows %g", estimators[e], mode_names[mode],
                          z_shared);
            layer_pass_close(&p);
            test_net_close(&t);
        }
}
END_TEST

/* E[ sum y^2 / 2 ] = sum (m^2 + v) / 2, so dmu = m x and drho = sd x^2 sigmoid(rho) in expectation; a bias has x = 1. */
static void check_expected_gradient(const layer_pass *p, const moments *g, const char *estimator) {
    for (int i = 0; i < WEIGHTS; i++) {
        double x = i < IN * OUT ? p->x[0][i / OUT] : 1, m = output_mean(p, i % OUT), rho = p->theta[WEIGHTS + i];
        double z_mu = moments_z(&g[i], m * x), z_rho = moments_z(&g[WEIGHTS + i], sd_of(p, i) * x * x * bnn_sigmoid(rho));
        ck_assert_msg(fabs(z_mu) < MOST_Z && fabs(z_rho) < MOST_Z, "%s: weight %d: z of dmu %g, of drho %g", estimator, i, z_mu, z_rho);
    }
}

START_TEST(estimators_have_equal_expected_gradients) {
    for (int e = 0; e < 3; e++) {
        test_net t;
        layer_pass p;
        moments g[2 * WEIGHTS] = {0};
        open_gaussian(estimators[e], 1, BNN_ROWS, &t, &p);
        p.scale = 0;
        for (uint64_t s = 0; s < 20000; s++) {
            p.io.rng = bnn_rng_split(bnn_rng_seed(15), s);
            layer_pass_forward(&p, 1);
            memcpy(p.c, p.y, OUT * sizeof(bnn_real)); /* dJ/dy = y */
            layer_pass_zero_gradients(&p);
            layer_pass_gradient(&p);
            for (int i = 0; i < 2 * WEIGHTS; i++) moments_add(&g[i], (double)p.dtheta[i]);
        }
        check_expected_gradient(&p, g, estimators[e]);
        layer_pass_close(&p);
        test_net_close(&t);
    }
}
END_TEST

START_TEST(gaussian_weights_without_spread_are_dense) {
    for (int e = 0; e < 3; e++)
        for (int mode = BNN_MEAN; mode <= BNN_DRAW; mode++) {
            test_net t;
            layer_pass p;
            open_gaussian(estimators[e], 5, (bnn_mode)mode, &t, &p);
            for (int i = 0; i < WEIGHTS; i++) p.theta[WEIGHTS + i] = -1000;
            layer_pass_forward(&p, 5);
            bnn_real *y = reals_new(5 * OUT);
            bnn_affine(5, IN, OUT, p.x[0], p.theta, p.theta + IN * OUT, y);
            for (int i = 0; i < 5 * OUT; i++) /* what is left is the floor of sd */
                ck_assert_msg(fabs((double)(p.y[i] - y[i])) <=
                                  4 * (double)(BNN_REAL_IS_DOUBLE ? DBL_EPSILON : FLT_EPSILON) + 100 * BNN_GAUSSIAN_SD_FLOOR,
                              "%s in %s: %g, not %g", estimators[e], mode_names[mode], (double)p.y[i], (double)y[i]);
            reals_free(y);
            layer_pass_close(&p);
            test_net_close(&t);
        }
}
END_TEST

/* A mixture with one component is a Gaussian, but has no closed form: the mean of what it is sampled to, and of its gradient, is that of
 * the closed form. */
START_TEST(sampled_kl_has_the_mean_of_the_closed_form) {
    test_net t_sampled, t_closed;
    layer_pass sampled, closed;
    moments kl = {0}, g[2 * WEIGHTS] = {0};
    open_gaussian("local,scale_mixture{pi=1,sd1=0.7}", 1, BNN_ROWS, &t_sampled, &sampled);
    open_gaussian("local,gauss{sd=0.7,bias_sd=0.7}", 1, BNN_ROWS, &t_closed, &closed);
    for (int i = 0; i < OUT; i++) closed.c[i] = sampled.c[i] = 0;
    layer_pass_gradient(&closed);
    for (uint64_t s = 0; s < 20000; s++) {
        sampled.io.rng = bnn_rng_split(bnn_rng_seed(16), s);
        layer_pass_zero_gradients(&sampled);
        layer_pass_gradient(&sampled);
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
    test_net_close(&t_sampled);
    test_net_close(&t_closed);
}
END_TEST

/* sum log(s/sd) + (sd^2 + mu^2)/(2 s^2) - 1/2, with another s for the bias. */
START_TEST(kernel_and_bias_have_their_own_priors) {
    test_net t;
    layer_pass p;
    double kl = 0;
    open_gaussian("prior=gauss{sd=0.7,bias_sd=3}", 1, BNN_MEAN, &t, &p);
    for (int i = 0; i < WEIGHTS; i++) {
        double s = i < IN * OUT ? 0.7 : 3, sd = sd_of(&p, i), mu = (double)p.theta[i];
        kl += log(s / sd) + (sd * sd + mu * mu) / (2 * s * s) - 0.5;
    }
    layer_pass_forward(&p, 1);
    ck_assert_double_eq_tol(p.penalty, kl, ROUNDING * kl);
    layer_pass_close(&p);
    test_net_close(&t);
}
END_TEST

START_TEST(gaussian_weights_start_as_stated) {
    test_net t;
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
    test_net_close(&t);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {gradients_are_those_of_differences,
                                  gradients_are_added,
                                  gradients_may_be_unwanted,
                                  layers_have_no_memory,
                                  noise_is_where_the_caps_say,
                                  a_draw_is_a_function_of_x,
                                  rows_may_be_cut_anywhere,
                                  extreme_parameters_stay_finite,
                                  keep_has_its_gradient,
                                  printing_parses_to_the_same,
                                  refusals_name_node_and_shapes,
                                  gates_that_never_drop_are_the_identity,
                                  concrete_gates_have_their_moments,
                                  factors_have_their_moments,
                                  gates_pay_their_entropy,
                                  estimators_have_the_moments_of_weight_sampling,
                                  estimators_have_equal_expected_gradients,
                                  gaussian_weights_without_spread_are_dense,
                                  sampled_kl_has_the_mean_of_the_closed_form,
                                  kernel_and_bias_have_their_own_priors,
                                  gaussian_weights_start_as_stated,
                                  NULL};
    return run_tests("layers", tests);
}
