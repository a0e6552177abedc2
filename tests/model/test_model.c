/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_model.c: the objective U: its gradient, its scale, and that it is what the papers on dropout minimise.
 */
#include "files.h"

#include <bnn/model.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 12, IN = 3 };

typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_model *m;
    bnn_workspace *ws;
    bnn_objective objective;
    bnn_rng rng;
    int n; /* rows of the batch, the first ones */
    bnn_real *theta, *grad;
} problem;

static void problem_open(const char *net, const char *likelihood, const char *prior, int n_classes, problem *p) {
    *p = (problem){.table = table_new(ROWS, IN, n_classes, 1), .rng = bnn_rng_seed(2), .n = ROWS};
    p->data = data_new(p->table);
    OK(bnn_model_new(&(bnn_texts){net, likelihood, prior}, p->data, &p->m));
    OK(bnn_workspace_new(p->m->net, ROWS, BNN_TO_THETA, &p->ws));
    p->objective = (bnn_objective){.n_total = ROWS, .scale = 1, .kl_weight = 1, .mode = BNN_ROWS};
    size_t n = (size_t)p->m->n_theta;
    p->theta = reals_new(n), p->grad = reals_new(n);
    bnn_real *noise = reals_new(n);
    bnn_model_init(p->m, bnn_rng_seed(3), p->theta);
    bnn_rng_normal(bnn_rng_seed(4), 0, 1, (int)n, noise);
    for (size_t i = 0; i < n; i++) p->theta[i] += (bnn_real)0.3 * noise[i];
    reals_free(noise);
}

static void problem_close(problem *p) {
    reals_free(p->theta), reals_free(p->grad);
    bnn_workspace_free(p->ws);
    bnn_model_free(p->m);
    bnn_data_free(p->data);
    bnn_table_free(p->table);
}

/* U on rows from .. from+n of the data. */
static bnn_terms u_of(problem *p, int from, bnn_real *grad) {
    return bnn_model_u(p->m, p->ws, &p->objective, p->rng, p->theta, p->n, p->data->x + from * IN, p->data->y + from, grad);
}

static void assert_close(double a, double b, double size, const char *what, int i) {
    ck_assert_msg(fabs(a - b) <= 10 * ROUNDING * size, "%s[%d] is %.12g, not %.12g", what, i, a, b);
}

static double largest(size_t n, const bnn_real *a) {
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, fabs((double)a[i]));
    return most;
}

/* ---------------------------------------------------------------- gradient and scale */

static const struct {
    const char *net, *likelihood, *prior;
    int n_classes;
} models[] = {
    {"dropout:0.3; dense:4; tanh; dropout:0.2; dense", "gaussian:shape=0", "gauss:sd=0.7,bias_sd=2", 0},
    {"concrete_dropout:0.2,temperature=0.5; dense:4; softplus; concrete_dropout:0.1,0.5; dense", "gaussian:tau=0.4",
     "scale_mixture:pi=0.25,sd1=1,sd2=0.3", 0},
    {"gaussian_dropout:0.3; dense:3,bias=no; tanh; gaussian_dense", "heteroscedastic", "gauss:sd=2,scale=fan_in", 0},
    {"g = concrete_dropout:0.3,0.5; a = dense:4(g); b = dense:4(g); add(a, b); tanh; concrete_dropout:0.2,0.5; flatten; dense",
     "categorical", "gauss", 3},
    {"x = input; a = gaussian_dense:4,weight; tanh; b = gaussian_dense:3,flipout; concat(a, x, b); dense:units=1", "bernoulli",
     "scale_mixture:pi=0.5,sd1=1,sd2=0.5", 2},
    {"concrete_dropout:0.2,0.5; dense:4; tanh; dropout:0.2; dense", "gaussian:sd=0.3,shape=2", "hierarchical:shape=2", 0},
    {"dense:4; tanh; dense", "categorical", "hierarchical:groups=inputs,shape=1", 3},
};
enum { MODELS = sizeof models / sizeof *models };

static void open_model(int i, problem *p) { problem_open(models[i].net, models[i].likelihood, models[i].prior, models[i].n_classes, p); }

static double value(void *of) {
    problem *p = of;
    return p->objective.scale * bnn_terms_u(u_of(p, 0, NULL));
}

static void check_gradient(problem *p, int model) {
    u_of(p, 0, p->grad);
    double size = largest((size_t)p->m->n_theta, p->grad);
    for (int i = 0; i < p->m->n_theta; i++) {
        double slope = bnn_difference(value, p, &p->theta[i], NULL);
        ck_assert_msg(fabs((double)p->grad[i] - slope) <= GRADIENT_TOLERANCE * size,
                      "'%s' in mode %d: gradient %d is %.9g, differences %.9g", models[model].net, (int)p->objective.mode, i,
                      (double)p->grad[i], slope);
    }
}

/* Of every parameter: weights, biases, spreads, drop probabilities (by the noise, their KL and the prior behind the gate), noise. */
START_TEST(gradients_are_those_of_differences) {
    for (int i = 0; i < MODELS; i++)
        for (int mode = BNN_MEAN; mode <= BNN_DRAW; mode++) {
            problem p;
            open_model(i, &p);
            p.objective = (bnn_objective){.n_total = 30, .scale = 0.37, .kl_weight = 0.6, .mode = (bnn_mode)mode};
            check_gradient(&p, i);
            problem_close(&p);
        }
}
END_TEST

/* What stood in the gradient before is gone, of parameters with a prior (large ones have several parts) and of those that pay a KL. */
START_TEST(nothing_is_left_in_a_gradient) {
    static const struct {
        const char *net, *prior;
    } cases[] = {{"dense:9000; tanh; concrete_dropout:0.3; dense", "hierarchical:shape=2"}, {"gaussian_dense:9000; tanh; dense", "gauss"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        problem p;
        problem_open(cases[i].net, "gaussian", cases[i].prior, 0, &p);
        size_t n = (size_t)p.m->n_theta;
        bnn_real *first = reals_new(n);
        p.objective.mode = BNN_MEAN;
        ck_assert_uint_gt(n, 1 << 15);
        u_of(&p, 0, p.grad);
        memcpy(first, p.grad, n * sizeof *first);
        for (size_t k = 0; k < n; k++) p.grad[k] = 1e6;
        u_of(&p, 0, p.grad);
        ck_assert_mem_eq(p.grad, first, n * sizeof *first);
        reals_free(first);
        problem_close(&p);
    }
}
END_TEST

/* Average of U and its gradient over all minibatches of `size` rows. */
static bnn_terms average(problem *p, int size, double *grad) {
    bnn_terms sum = {0};
    int batches = ROWS / size;
    p->n = size;
    memset(grad, 0, (size_t)p->m->n_theta * sizeof *grad);
    for (int b = 0; b < batches; b++) {
        bnn_terms t = u_of(p, b * size, p->grad);
        sum.nll += t.nll / batches, sum.prior += t.prior / batches, sum.kl += t.kl / batches;
        for (int i = 0; i < p->m->n_theta; i++) grad[i] += (double)p->grad[i] / batches;
    }
    return sum;
}

START_TEST(minibatches_average_to_the_whole) {
    static const int sizes[] = {1, 2, 3, 4, 6};
    for (int i = 0; i < MODELS; i++) {
        problem p;
        open_model(i, &p);
        p.objective.mode = BNN_MEAN;
        size_t n = (size_t)p.m->n_theta;
        double *whole = calloc(n, sizeof *whole), *parts = calloc(n, sizeof *parts);
        bnn_terms u = average(&p, ROWS, whole);
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            bnn_terms v = average(&p, sizes[k], parts);
            assert_close(v.nll, u.nll, fabs(u.nll), "nll of size", sizes[k]);
            assert_close(v.prior, u.prior, fabs(u.prior), "prior of size", sizes[k]);
            assert_close(v.kl, u.kl, fabs(u.kl), "kl of size", sizes[k]);
            for (size_t j = 0; j < n; j++) assert_close(parts[j], whole[j], 1 + fabs(u.nll), "gradient", (int)j);
        }
        free(whole), free(parts);
        problem_close(&p);
    }
}
END_TEST

/* N, M and kl_weight stand where the formula has them, and nowhere else. */
START_TEST(each_term_has_its_own_scale) {
    for (int i = 0; i < MODELS; i++) {
        problem p;
        open_model(i, &p);
        bnn_terms u = u_of(&p, 0, NULL);
        p.objective.n_total = 5 * ROWS;
        bnn_terms more_rows = u_of(&p, 0, NULL);
        assert_close(more_rows.nll, 5 * u.nll, fabs(5 * u.nll), "nll of model", i);
        ck_assert(more_rows.prior == u.prior && more_rows.kl == u.kl);
        p.objective.kl_weight = 0.25, p.objective.n_total = ROWS, p.objective.scale = 7;
        bnn_terms lighter = u_of(&p, 0, p.grad);
        ck_assert(lighter.nll == u.nll && lighter.prior == 0.25 * u.prior && lighter.kl == 0.25 * u.kl);
        problem_close(&p);
    }
}
END_TEST

/* sum over blocks of log p(w), by the prior itself; slope[n_theta] as well. */
static double log_prior(const problem *p, bnn_real *slope) {
    bnn_block_info b;
    double total = 0;
    for (int k = 0; bnn_model_block(p->m, k, &b); k++) {
        bnn_prior_block block = {.weight = b.role == BNN_WEIGHT, .fan_in = b.rows > 0 ? b.rows : IN};
        if (!block.weight && b.role != BNN_BIAS) continue;
        total += bnn_prior_vtable(&p->m->prior)->logp(&p->m->prior, &block, (int)b.length, p->theta + b.offset, slope + b.offset);
    }
    return total;
}

START_TEST(without_rows_u_is_the_prior) {
    for (int rows = 0; rows <= ROWS; rows += ROWS) {
        problem p;
        problem_open("dense:4; tanh; dense", "gaussian:shape=0", "gauss:sd=0.7,bias_sd=2", 0, &p);
        bnn_real *slope = reals_new((size_t)p.m->n_theta);
        p.objective.n_total = 0, p.n = rows;
        bnn_terms u = u_of(&p, 0, p.grad);
        ck_assert(u.nll == 0 && u.kl == 0);
        assert_close(u.prior, -log_prior(&p, slope), fabs(u.prior), "prior of rows", rows);
        for (int i = 0; i < p.m->n_theta; i++) assert_close((double)p.grad[i], -(double)slope[i], 1, "gradient", i);
        reals_free(slope);
        problem_close(&p);
    }
}
END_TEST

static double log_normal(double x, double var) { return -0.5 * (x * x / var + log(2 * M_PI * var)); }

/* log p of a log variance whose precision is Gamma distributed: gsl's density, and the Jacobian e^-s. */
static double log_gamma(double s, double sd, double shape) { return log(gsl_ran_gamma_pdf(exp(-s), shape, 1 / (shape * sd * sd))) - s; }

/* Neal's hierarchical model written out: each group normal under its own variance, variances and noise with their hyperpriors. */
START_TEST(u_is_the_hierarchical_model_of_neal) {
    enum { H = 4, P = IN * H + 2 * H + 1 };
    static const int from[] = {0, IN * H, IN * H + H, IN * H + 2 * H, P}; /* groups; their sds are 0.3 / sqrt(fan_in) and 0.6 */
    static const double sd[] = {0.3 / 1.7320508075688772, 0.6, 0.15, 0.6};
    for (int inputs = 0; inputs <= 1; inputs++) {
        problem p;
        problem_open("dense:4; tanh; dense", "gaussian:sd=0.7,shape=1.5",
                     inputs ? "hierarchical:sd=0.3,bias_sd=0.6,shape=2.5,groups=inputs" : "hierarchical:sd=0.3,bias_sd=0.6,shape=2.5", 0,
                     &p);
        const bnn_real *s = p.theta + P + 1;
        double expected = log_gamma((double)p.theta[P], 0.7, 1.5);
        ck_assert_int_eq(p.m->n_theta, P + 1 + (inputs ? IN + 1 + H + 1 : 4));
        for (int g = 0; g < 4; g++)
            for (int i = from[g]; i < from[g + 1]; i++) {
                int length = inputs && g == 0 ? H : inputs && g == 2 ? 1 : from[g + 1] - from[g];
                expected += log_normal((double)p.theta[i], exp((double)*s));
                if ((i + 1 - from[g]) % length == 0) expected += log_gamma((double)*s++, sd[g], 2.5);
            }
        bnn_terms u = u_of(&p, 0, NULL);
        assert_close(u.prior, -expected, fabs(expected), "prior with groups of inputs", inputs);
        problem_close(&p);
    }
}
END_TEST

/* The scales stand behind all else, named after their blocks. */
START_TEST(scales_are_blocks_of_their_own) {
    static const char *const names[] = {"dense_1_kernel", "dense_1_bias", "dense_2_kernel", "dense_2_bias"};
    static const int length[] = {IN, 1, 4, 1};
    problem p;
    problem_open("dense:4; tanh; dense", "gaussian", "hierarchical:groups=inputs", 0, &p);
    bnn_block_info b;
    size_t at = (size_t)p.m->net->n_theta + 1;
    for (int i = 0; i < 4; i++) {
        ck_assert(bnn_model_block(p.m, 5 + i, &b));
        ck_assert_str_eq(b.node, "prior");
        ck_assert_str_eq(b.name, names[i]);
        ck_assert(b.role == BNN_HYPER && b.offset == at && b.length == (size_t)length[i]);
        at += b.length;
    }
    ck_assert(!bnn_model_block(p.m, 9, &b));
    ck_assert_uint_eq(at, (size_t)p.m->n_theta);
    bnn_model_init(p.m, bnn_rng_seed(3), p.theta);
    for (int i = 0; i < IN + 1 + 4 + 1; i++) /* inputs of a unit begin at order one: variances at 1/fan_in */
        assert_close((double)p.theta[p.m->net->n_theta + 1 + i], -log(i < IN + 1 ? IN : 4), 1, "scale", i);
    bnn_model *m;
    SAYS(bnn_model_new(&(bnn_texts){"gaussian_dense", "gaussian", "hierarchical"}, p.data, &m),
         "random weights have no place for the scales of prior 'hierarchical'");
    problem_close(&p);
}
END_TEST

START_TEST(blocks_cover_theta_in_order) {
    problem p;
    problem_open("concrete_dropout; dense:4; gaussian_dense", "gaussian", "gauss", 0, &p);
    static const char *const names[][2] = {
        {"concrete_dropout_1", "p_logit"}, {"dense_1", "kernel"},           {"dense_1", "bias"},
        {"gaussian_dense_1", "kernel_mu"}, {"gaussian_dense_1", "bias_mu"}, {"gaussian_dense_1", "kernel_rho"},
        {"gaussian_dense_1", "bias_rho"},  {"likelihood", "hyper"}};
    size_t at = 0;
    int n = 0;
    for (bnn_block_info b; bnn_model_block(p.m, n, &b); n++) {
        ck_assert_str_eq(b.node, names[n][0]);
        ck_assert_str_eq(b.name, names[n][1]);
        ck_assert_uint_eq(b.offset, at);
        at += b.length;
    }
    ck_assert_int_eq(n, 8);
    ck_assert_uint_eq(at, (size_t)p.m->n_theta);
    problem_close(&p);
}
END_TEST

/* Two searches through all nodes for each of them would take this test beyond its time. Made-up numbers step over the labels of the text.
 */
START_TEST(long_texts_are_built_in_linear_time) {
    enum { PAIRS = 10000 };
    char *text = NULL, *printed;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; i < PAIRS; i++) fprintf(out, "%sdense:2; tanh; ", i == 5 ? "dense_3 = " : "");
    fputs("dense", out);
    fclose(out);
    problem p;
    problem_open(text, "gaussian", "gauss", 0, &p);
    bnn_block_info b;
    int n = 0, ranges;
    bnn_range *range;
    while (bnn_model_block(p.m, n, &b)) n++;
    ck_assert_int_eq(n, 2 * (PAIRS + 1) + 1);
    ck_assert(bnn_model_block(p.m, n - 2, &b));
    ck_assert_str_eq(b.node, "dense_10001");
    ck_assert_str_eq(p.m->net->node[11].layer.label, "dense_3");
    OK(bnn_model_ranges(p.m, false, &ranges, &range));
    ck_assert_int_eq(ranges, 2);
    ck_assert(!range[0].hyper && range[1].hyper && range[1].noise);
    ck_assert_ptr_nonnull(printed = bnn_net_print(p.m->net));
    free(printed), free(range), free(text);
    problem_close(&p);
}
END_TEST

/* ---------------------------------------------------------------- dropout, by hand */

enum { UNITS = 4, W1 = 0, B1 = W1 + IN * UNITS, W2 = B1 + UNITS, B2 = W2 + UNITS, WEIGHTS = B2 + 1, LAYERS = 2, GATE_1 = 1, GATE_2 = 4 };
static const double tau = 0.4, length_scale = 1.3;

/* One row, two layers: f = b2 + (h z2) W2, h = tanh(b1 + (x z1) W1); the gates z are 0 or `on`. */
typedef struct {
    double keep[LAYERS], on[LAYERS];
    bnn_real z1[ROWS * IN], z2[ROWS * UNITS]; /* 0 or 1: those of the model */
} gates;

static void draw_gates(bnn_rng rng, gates *g) {
    bnn_rng_mask(bnn_rng_split(rng, GATE_1), 0, ROWS, IN, 1 - g->keep[0], 1, g->z1);
    bnn_rng_mask(bnn_rng_split(rng, GATE_2), 0, ROWS, UNITS, 1 - g->keep[1], 1, g->z2);
}

static double hidden(const problem *p, const gates *g, int row, const double *w, int u) {
    double a = w[B1 + u];
    for (int d = 0; d < IN; d++) a += (double)p->data->x[row * IN + d] * g->on[0] * (double)g->z1[row * IN + d] * w[W1 + d * UNITS + u];
    return tanh(a);
}

/* (y - f)^2 of one row; dw[WEIGHTS] += its gradient. */
static double square(const problem *p, const gates *g, int row, const double *w, double *dw) {
    double f = w[B2], h[UNITS];
    for (int u = 0; u < UNITS; u++) f += (h[u] = hidden(p, g, row, w, u)) * g->on[1] * (double)g->z2[row * UNITS + u] * w[W2 + u];
    double error = f - (double)p->data->y[row];
    dw[B2] += 2 * error;
    for (int u = 0; u < UNITS; u++) {
        double gate = g->on[1] * (double)g->z2[row * UNITS + u], da = 2 * error * gate * w[W2 + u] * (1 - h[u] * h[u]);
        dw[W2 + u] += 2 * error * gate * h[u];
        dw[B1 + u] += da;
        for (int d = 0; d < IN; d++)
            dw[W1 + d * UNITS + u] += da * (double)p->data->x[row * IN + d] * g->on[0] * (double)g->z1[row * IN + d];
    }
    return error * error;
}

/* factor * sum of squares of w[from, to), and its gradient. */
static double decay(double factor, int from, int to, const double *w, double *dw) {
    double sum = 0;
    for (int i = from; i < to; i++) {
        sum += factor * w[i] * w[i];
        dw[i] += 2 * factor * w[i];
    }
    return sum;
}

static int layer_of(int i) { return i >= W2; }
static bool is_bias(int i) { return (i >= B1 && i < W2) || i >= B2; }

/* Gal & Ghahramani 2016, eq. 7 in nats and their M: 1/N sum (y-f)^2/2 + sum_i keep_i l^2/(2 tau N) ||M_i||^2 + l^2/(2 tau N) ||m_i||^2.
 * Gates are 0 or 1; y is standardised, tau goes with it. dm: gradient. */
static double paper_cost(const problem *p, const gates *g, double tau_here, const double *m, double *dm) {
    double cost = 0, l2 = length_scale * length_scale / (2 * tau_here * ROWS);
    memset(dm, 0, WEIGHTS * sizeof *dm);
    for (int r = 0; r < ROWS; r++) cost += square(p, g, r, m, dm) / (2 * ROWS);
    for (int i = 0; i < WEIGHTS; i++) dm[i] /= 2 * ROWS;
    cost += decay(g->keep[0] * l2, W1, B1, m, dm) + decay(g->keep[1] * l2, W2, B2, m, dm);
    return cost + decay(l2, B1, W2, m, dm) + decay(l2, B2, WEIGHTS, m, dm);
}

/* The published script for the UCI tables (2018): Keras dropout (gates 0 or 1/keep), MSE of standardised y, l^2 keep / (2 N tau) ||W||^2
 * with tau in the units of y, biases free. */
static double script_cost(const problem *p, const gates *g, const double *w, double *dw) {
    double cost = 0, l2 = length_scale * length_scale / (2 * ROWS * tau);
    memset(dw, 0, WEIGHTS * sizeof *dw);
    for (int r = 0; r < ROWS; r++) cost += square(p, g, r, w, dw) / ROWS;
    for (int i = 0; i < WEIGHTS; i++) dw[i] /= ROWS;
    return cost + decay(l2 * g->keep[0], W1, B1, w, dw) + decay(l2 * g->keep[1], W2, B2, w, dw);
}

/* Another theta for the same masks. */
static void move(problem *p) {
    for (int i = 0; i < WEIGHTS; i++) p->theta[i] += (bnn_real)(0.1 * (i % 5 - 2));
}

static double stored_per_mean(const gates *g, int i) { return is_bias(i) ? 1 : g->keep[layer_of(i)]; }

START_TEST(u_is_the_objective_of_mc_dropout) {
    problem p;
    gates g = {.keep = {0.7, 0.8}, .on = {1, 1}};
    double m[WEIGHTS], dm[WEIGHTS], u[2], cost[2];
    char prior[96];
    snprintf(prior, sizeof prior, "gauss:sd=%.17g,bias_sd=%.17g", 1 / length_scale, 1 / length_scale);
    problem_open("dropout:0.3; dense:4; tanh; dropout:0.2; dense", "gaussian:tau=0.4", prior, 0, &p);
    double tau_here = tau * p.data->scaling.y_sd[0] * p.data->scaling.y_sd[0], factor = ROWS * tau_here;
    draw_gates(p.rng, &g);
    ck_assert_int_eq(p.m->n_theta, WEIGHTS);
    for (int k = 0; k < 2; k++, move(&p)) {
        for (int i = 0; i < WEIGHTS; i++) m[i] = (double)p.theta[i] / stored_per_mean(&g, i);
        cost[k] = paper_cost(&p, &g, tau_here, m, dm);
        u[k] = bnn_terms_u(u_of(&p, 0, p.grad)) / factor;
        for (int i = 0; i < WEIGHTS; i++) assert_close((double)p.grad[i] / factor, dm[i] / stored_per_mean(&g, i), 1, "gradient", i);
    }
    assert_close(u[1] - u[0], cost[1] - cost[0], 1, "difference", 0);
    problem_close(&p);
}
END_TEST

static double y_sd_of_problem(void) {
    bnn_table *t = table_new(ROWS, IN, 0, 1);
    bnn_data *d = data_new(t);
    double sd = d->scaling.y_sd[0];
    bnn_data_free(d);
    bnn_table_free(t);
    return sd;
}

/* With prior sd = sqrt(2) / (l keep sd(y)) and flat biases U is N tau sd(y)^2 / 2 times the script's loss, up to a constant. */
START_TEST(u_is_the_loss_of_the_published_script) {
    problem p;
    gates g = {.keep = {0.7, 0.7}, .on = {1 / 0.7, 1 / 0.7}};
    double w[WEIGHTS], dw[WEIGHTS], u[2], cost[2], y_sd = y_sd_of_problem(), factor = ROWS * tau * y_sd * y_sd / 2;
    char prior[96];
    snprintf(prior, sizeof prior, "gauss:sd=%.17g,bias_sd=inf", sqrt(2) / (length_scale * 0.7 * y_sd));
    problem_open("dropout:0.3; dense:4; tanh; dropout:0.3; dense", "gaussian:tau=0.4", prior, 0, &p);
    draw_gates(p.rng, &g);
    for (int k = 0; k < 2; k++, move(&p)) {
        for (int i = 0; i < WEIGHTS; i++) w[i] = (double)p.theta[i];
        cost[k] = script_cost(&p, &g, w, dw);
        u[k] = bnn_terms_u(u_of(&p, 0, p.grad)) / factor;
        for (int i = 0; i < WEIGHTS; i++) assert_close((double)p.grad[i] / factor, dw[i], 1, "gradient", i);
    }
    assert_close(u[1] - u[0], cost[1] - cost[0], 1, "difference", 0);
    problem_close(&p);
}
END_TEST

/* E_z[-log p(M z)] over all 2^IN states of the gates in front of a layer of IN x 1 weights w = keep M, and a bias. */
static double expected_prior(const problem *p, const bnn_real *w, double k) {
    const bnn_prior_type *type = bnn_prior_vtable(&p->m->prior);
    double total = -type->logp(&p->m->prior, &(bnn_prior_block){.fan_in = IN}, 1, w + IN, NULL);
    for (int state = 0; state < 1 << IN; state++) {
        bnn_real gated[IN];
        double chance = 1;
        for (int d = 0; d < IN; d++) {
            bool on = state >> d & 1;
            gated[d] = on ? (bnn_real)((double)w[d] / k) : 0;
            chance *= on ? k : 1 - k;
        }
        total -= chance * type->logp(&p->m->prior, &(bnn_prior_block){.weight = true, .fan_in = IN}, IN, gated, NULL);
    }
    return total;
}

START_TEST(a_prior_behind_a_gate_is_expected_over_its_states) {
    static const char *const nets[] = {"dropout:0.3; dense", "dropout:0.3; flatten; dense", "concrete_dropout:0.3; dense",
                                       "dropout:0; dense"};
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        problem p;
        problem_open(nets[i], "gaussian:tau=1", "scale_mixture:pi=0.25,sd1=1,sd2=0.05", 0, &p);
        bool learned = p.m->n_theta > IN + 1;
        double k = learned ? 1 / (1 + exp((double)p.theta[0])) : strstr(nets[i], "0.3") ? 0.7 : 1;
        double prior = u_of(&p, 0, NULL).prior;
        assert_close(prior, expected_prior(&p, p.theta + learned, k), fabs(prior), nets[i], 0);
        problem_close(&p);
    }
}
END_TEST

/* A factor z of mean 1 and variance alpha makes the square of a Gaussian weight w^2 (1 + alpha) on average. */
START_TEST(a_prior_behind_gaussian_factors_is_expected_over_them) {
    const double alpha = 0.3, sd = 0.7, bias_sd = 2;
    problem p;
    problem_open("gaussian_dropout:0.3; dense", "gaussian:tau=1", "gauss:sd=0.7,bias_sd=2", 0, &p);
    double expected = -log_normal((double)p.theta[IN], bias_sd * bias_sd);
    for (int i = 0; i < IN; i++)
        expected += 0.5 * (double)p.theta[i] * (double)p.theta[i] * (1 + alpha) / (sd * sd) + 0.5 * log(2 * M_PI * sd * sd);
    assert_close(u_of(&p, 0, NULL).prior, expected, fabs(expected), "prior", 0);
    problem_close(&p);
}
END_TEST

/* ---------------------------------------------------------------- what a prior sees */

static bnn_prior_block seen[8];
static int n_seen;

static double witness_logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    (void)p, (void)w;
    if (n_seen < 8) seen[n_seen++] = *block;
    for (int i = 0; dw && i < n; i++) dw[i] = 0;
    return 0;
}

static void witness_draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    (void)p, (void)block, (void)rng;
    for (int i = 0; i < n; i++) out[i] = 0;
}

static const char *const witness_checks[] = {"witness", NULL};
static const bnn_prior_type witness = {
    .type = {BNN_TYPE(bnn_prior_type), .name = "witness", .summary = "writes down what it is asked about", .checks = witness_checks},
    .logp = witness_logp,
    .draw = witness_draw,
};

START_TEST(a_prior_sees_which_block_it_is_asked_about) {
    static const bnn_prior_block expected[] = {{"first", "dense", "kernel", true, IN, 4, IN, IN},
                                               {"first", "dense", "bias", false, 0, 4, IN, 0},
                                               {"gaussian_dense_1", "gaussian_dense", "kernel", true, 4, 1, 4, 4},
                                               {"gaussian_dense_1", "gaussian_dense", "bias", false, 0, 1, 4, 0}};
    problem p;
    OK(bnn_type_add(BNN_PRIOR, &witness.type));
    problem_open("first = dense:4; tanh; gaussian_dense", "gaussian", "witness", 0, &p);
    n_seen = 0;
    u_of(&p, 0, p.grad);
    ck_assert_int_eq(n_seen, 4);
    for (int i = 0; i < 4; i++) {
        const bnn_prior_block *a = &seen[i], *b = &expected[i];
        ck_assert_str_eq(a->node, b->node);
        ck_assert_str_eq(a->layer, b->layer);
        ck_assert_str_eq(a->name, b->name);
        ck_assert(a->weight == b->weight && a->rows == b->rows && a->cols == b->cols && a->fan_in == b->fan_in && a->inputs == b->inputs);
    }
    problem_close(&p);
}
END_TEST

/* What the slope of the nll in an input is taken of. */
typedef struct {
    problem *p;
    bnn_workspace *ws;
    bnn_real *x, *dx;
} exposed;

static double nll_of_x(void *of) {
    const exposed *e = of;
    return bnn_model_input_gradient(e->p->m, e->ws, BNN_DRAW, e->p->rng, e->p->theta, ROWS, e->x, e->p->data->y, e->dx);
}

START_TEST(inputs_have_the_slope_of_their_nll) {
    static const struct {
        const char *likelihood;
        int n_classes;
    } cases[] = {{"gaussian", 0}, {"categorical", 3}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        problem p;
        bnn_real slope[ROWS * IN], dx[ROWS * IN], x[ROWS * IN];
        problem_open("dropout:0.3; dense:5; tanh; dense", cases[k].likelihood, "gauss", cases[k].n_classes, &p);
        exposed e = {.p = &p, .x = x, .dx = dx};
        memcpy(x, p.data->x, sizeof x);
        OK(bnn_workspace_new(p.m->net, ROWS, BNN_TO_X, &e.ws));
        double nll = nll_of_x(&e);
        p.objective.mode = BNN_DRAW;
        assert_close(nll, u_of(&p, 0, NULL).nll, 1 + fabs(nll), "nll", (int)k);
        memcpy(slope, dx, sizeof slope);
        for (int i = 0; i < ROWS * IN; i++) {
            double told = bnn_difference(nll_of_x, &e, &x[i], NULL),
                   error = GRADIENT_TOLERANCE + 16 * REAL_EPSILON * fabs(nll) / DIFFERENCE_STEP;
            ck_assert_msg(fabs((double)slope[i] - told) <= error * (1 + fabs(told)), "%s: dx[%d] is %.9g, differences say %.9g",
                          cases[k].likelihood, i, (double)slope[i], told);
        }
        bnn_workspace_free(e.ws);
        problem_close(&p);
    }
}
END_TEST

/* Noise of rows, and noise that they share, whose gradients are summed before they reach theta. */
START_TEST(gradients_of_rows_add_up) {
    static const struct {
        const char *net, *likelihood;
        bnn_mode mode;
        int n_classes;
    } cases[] = {{"dropout:0.3; dense:5; tanh; dense", "gaussian", BNN_ROWS, 0},
                 {"gaussian_dense:4; tanh; dense", "gaussian", BNN_DRAW, 0},
                 {"dense:5; concrete_dropout; tanh; dense", "categorical", BNN_DRAW, 3}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        problem p;
        problem_open(cases[k].net, cases[k].likelihood, "gauss", cases[k].n_classes, &p);
        size_t n = (size_t)p.m->n_theta;
        bnn_real *rows = reals_new(ROWS * n);
        p.objective.mode = cases[k].mode, p.objective.kl_weight = 0;
        u_of(&p, 0, p.grad);
        bnn_model_row_gradients(p.m, p.ws, cases[k].mode, p.rng, p.theta, ROWS, p.data->x, p.data->y, rows);
        for (size_t i = 0; i < n; i++) {
            double sum = 0, size = 0;
            for (size_t r = 0; r < ROWS; r++) sum += (double)rows[r * n + i], size += fabs((double)rows[r * n + i]);
            assert_close((double)p.grad[i], sum, 1 + size, cases[k].net, (int)i);
        }
        ck_assert(rows[0] != rows[n]);
        reals_free(rows);
        problem_close(&p);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {inputs_have_the_slope_of_their_nll,
                                  gradients_of_rows_add_up,
                                  a_prior_sees_which_block_it_is_asked_about,
                                  gradients_are_those_of_differences,
                                  nothing_is_left_in_a_gradient,
                                  minibatches_average_to_the_whole,
                                  each_term_has_its_own_scale,
                                  without_rows_u_is_the_prior,
                                  u_is_the_hierarchical_model_of_neal,
                                  scales_are_blocks_of_their_own,
                                  blocks_cover_theta_in_order,
                                  long_texts_are_built_in_linear_time,
                                  u_is_the_objective_of_mc_dropout,
                                  u_is_the_loss_of_the_published_script,
                                  a_prior_behind_a_gate_is_expected_over_its_states,
                                  a_prior_behind_gaussian_factors_is_expected_over_them,
                                  NULL};
    return run_tests("model", tests);
}
