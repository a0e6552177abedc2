/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_estimators.c: gradients along the path and by the score function have the means and the variances that are known exactly (Mohamed,
 * Rosca, Figurnov & Mnih 2020, figures 2 and 3, and a relaxed Bernoulli variable).
 *
 * "Loss" f(w) of one random weight w ~ N(1, 1): a network of one weight on the input 1, under likelihoods whose nll is f. BNN_DRAWS sets
 * the number of draws: the long suite takes 1e7.
 */
#include "files.h"

#include <bnn/descent.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- f as a likelihood */

typedef struct {
    double k;
} conf;

static const bnn_option options[] = {
    {.name = "k", .kind = BNN_OPTION_REAL, .offset = offsetof(conf, k), .preset = "1", .min = -100, .max = 100, .help = "of f"}, {0}};

static bnn_status bind(bnn_likelihood *l) {
    l->out_dim = l->mean_dim = 1;
    return BNN_OK;
}

static double square(double k, double w) { return (w - k) * (w - k); }
static double square_slope(double k, double w) { return 2 * (w - k); }
static double bump(double k, double w) { return exp(-k * w * w); }
static double bump_slope(double k, double w) { return -2 * k * w * exp(-k * w * w); }
static double wave(double k, double w) { return cos(k * w); }
static double wave_slope(double k, double w) { return -k * sin(k * w); }

static double k_of(const bnn_likelihood *l) { return ((const conf *)l->object.conf)->k; }

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    (void)l, (void)n, (void)f, (void)y, (void)theta, (void)out; /* nothing is predicted here */
}

static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    (void)l, (void)n, (void)f, (void)theta, (void)rng, (void)row0, (void)y;
}

static const char *const checks[] = {"loss", NULL};

#define LOSS(loss)                                                                                                                      \
    static double nll_##loss(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, \
                             bnn_real *df, bnn_real *dtheta) {                                                                          \
        (void)n, (void)y, (void)theta, (void)dtheta;                                                                                    \
        if (df) df[0] = (bnn_real)(scale * loss##_slope(k_of(l), (double)f[0]));                                                        \
        return loss(k_of(l), (double)f[0]);                                                                                             \
    }                                                                                                                                   \
    static const bnn_likelihood_type likelihood_##loss = {.type = {BNN_TYPE(bnn_likelihood_type), .name = #loss,                        \
                                                                   .summary = "a loss of one weight", .conf_size = sizeof(conf),        \
                                                                   .options = options, .checks = checks},                               \
                                                          .bind = bind,                                                                 \
                                                          .nll = nll_##loss,                                                            \
                                                          .observe = observe,                                                           \
                                                          .draw = draw};
LOSS(square)
LOSS(bump)
LOSS(wave)

/* ---------------------------------------------------------------- a Bernoulli variable as a layer */

typedef struct {
    double t;
} unit_conf;

static const bnn_option unit_options[] = {{.name = "t",
                                           .kind = BNN_OPTION_REAL,
                                           .offset = offsetof(unit_conf, t),
                                           .preset = "0",
                                           .min = 0,
                                           .max = 10,
                                           .help = "temperature of the relaxation; 0: none"},
                                          {0}};

/* y = b ~ Bernoulli(sigmoid(logit)), or relaxed, y = sigmoid((logit + logit u)/t); whatever x is. */
static bnn_status unit_bind(bnn_layer *l) {
    l->plan =
        (bnn_plan){.out = l->in[0], .n_params = 1, .param = {{.name = "logit", .role = BNN_VARIATIONAL, .cols = 1}}, .pass = 1, .dpass = 1};
    return BNN_OK;
}

static void unit_prepare(const bnn_layer *l, bnn_io *io) {
    double t = ((const unit_conf *)l->object.conf)->t, logit = (double)io->theta[0], u;
    bnn_rng_uniform(io->rng, 0, 1, 1, io->pass);
    u = (double)io->pass[0];
    io->pass[0] = (bnn_real)(t > 0 ? bnn_sigmoid((logit + log(u) - log1p(-u)) / t) : u < bnn_sigmoid(logit));
}

static void unit_forward(const bnn_layer *l, bnn_io *io) {
    (void)l;
    for (int i = 0; i < io->n; i++) io->y[i] = io->pass[0];
}

static void unit_backward(const bnn_layer *l, bnn_io *io) {
    (void)l;
    for (int i = 0; io->dtheta && i < io->n; i++) io->dpass[0] += io->dy[i];
}

static void unit_finish(const bnn_layer *l, bnn_io *io) {
    double t = ((const unit_conf *)l->object.conf)->t, y = (double)io->pass[0];
    if (t > 0) io->dtheta[0] += (bnn_real)((double)io->dpass[0] * y * (1 - y) / t);
}

static void unit_score(const bnn_layer *l, bnn_io *io, double scale) {
    (void)l;
    io->dtheta[0] += (bnn_real)(scale * ((double)io->pass[0] - bnn_sigmoid((double)io->theta[0])));
}

static const char *const unit_checks[] = {"input:1; unit", NULL};

static const bnn_layer_type layer_unit = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "unit", .summary = "a Bernoulli variable, maybe relaxed", .caps = BNN_STOCHASTIC,
             .conf_size = sizeof(unit_conf), .options = unit_options, .checks = unit_checks},
    .min_in = 1,
    .max_in = 1,
    .bind = unit_bind,
    .forward = unit_forward,
    .backward = unit_backward,
    .prepare = unit_prepare,
    .finish = unit_finish,
    .score = unit_score,
};

/* ---------------------------------------------------------------- sampled gradients */

static long draws(void) { return getenv("BNN_DRAWS") ? atol(getenv("BNN_DRAWS")) : 40000; }

typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_model *m;
    bnn_workspace *ws;
    bnn_real *theta, *grad;
} problem;

static void problem_open(const char *net, const char *loss, double k, problem *p) {
    char likelihood[64], number[BNN_NUMBER_TEXT];
    snprintf(likelihood, sizeof likelihood, "%s:%s", loss, bnn_number_print(k, number));
    p->table = table_new(4, 1, 0, 1);
    p->data = data_new(p->table);
    OK(bnn_model_new(&(bnn_texts){net, likelihood, "gauss"}, p->data, &p->m));
    OK(bnn_workspace_new(p->m->net, 1, BNN_TO_THETA, &p->ws));
    p->theta = reals_new((size_t)p->m->n_theta), p->grad = reals_new((size_t)p->m->n_theta);
}

static void problem_close(problem *p) {
    reals_free(p->theta), reals_free(p->grad);
    bnn_workspace_free(p->ws);
    bnn_model_free(p->m);
    bnn_data_free(p->data);
    bnn_table_free(p->table);
}

/* Of the gradient times unit of parameter i, whose exact mean and variance are these: |z| stays below MOST_Z, and at 1e7 draws the variance
 * is met to one in a hundred. */
static void check_moments(problem *p, bnn_estimator estimator, double baseline, int i, double unit, double mean, double var,
                          const char *what) {
    const bnn_objective objective = {.n_total = 1, .scale = 1, .mode = BNN_DRAW, .estimator = estimator, .baseline = baseline};
    const bnn_real x = 1, y = 0;
    moments m = {0}, m2 = {0};
    for (long s = 0; s < draws(); s++) {
        bnn_model_u(p->m, p->ws, &objective, bnn_rng_split(bnn_rng_seed(7), (uint64_t)s), p->theta, 1, &x, &y, p->grad);
        double g = unit * (double)p->grad[i];
        moments_add(&m, g);
        moments_add(&m2, (g - mean) * (g - mean));
    }
    ck_assert_msg(fabs(m.mean - mean) <= MOST_Z * sqrt(var / m.n) + ROUNDING, "%s: the mean is %.6g, not %.6g", what, m.mean, mean);
    ck_assert_msg(fabs(m2.mean - var) <= MOST_Z * sqrt(moments_var(&m2) / m2.n) + ROUNDING, "%s: the variance is %.6g, not %.6g", what,
                  m2.mean, var);
    if (m.n >= 1e7) ck_assert_msg(fabs(m2.mean / var - 1) <= 0.01, "%s: the variance is %.6g, not %.6g", what, m2.mean, var);
}

/* ---------------------------------------------------------------- N(1, 1) */

typedef double function(double k, double w);

/* E[g] of w ~ N(1, 1). Score functions: e to mu, e^2 - 1 to sd, where e = w - 1. */
typedef struct {
    function *f, *slope;
    double k, baseline;
    bool sd;
    enum { GRADIENT, PATH, SCORED, SCORE_SQUARE, F_SCORE_SQUARE } what;
} moment;

static double integrand(double w, void *of) {
    const moment *m = of;
    double e = w - 1, score = m->sd ? e * e - 1 : e, path = m->slope(m->k, w) * (m->sd ? e : 1);
    double f = m->f(m->k, w), scored = (f - m->baseline) * score;
    const double g[] = {path, path * path, scored * scored, score * score, f * score * score};
    return g[m->what] * gsl_ran_ugaussian_pdf(e);
}

static double expected(moment m, int what) {
    m.what = what;
    return bnn_integral(integrand, &m, -11, 13);
}

/* As published: of f, by mu and by sd, the gradient, and its variance by the score function, by that with the best constant baseline, and
 * along the path; 0 where it is not printed. */
static const struct {
    const char *loss;
    function *f, *slope;
    double k, mu[4], sd[4];
} published[] = {
    {"square", square, square_slope, -3, {8, 495, 134, 4}, {2, 1546, 664, 72}},
    {"square", square, square_slope, 0, {2, 30, 14, 4}, {2, 136, 64, 12}},
    {"square", square, square_slope, 1, {0, 15, 6, 4}, {2, 74, 24, 8}},
    {"square", square, square_slope, 3, {-4, 87, 38, 4}, {2, 346, 184, 24}},
    {"bump", bump, bump_slope, 0.1, {-0.13998, 0.5635, 0.0405, 0.0163}, {0}},
    {"bump", bump, bump_slope, 1, {-0.27579, 0.1758, 0.0722, 0.2117}, {0}},
    {"bump", bump, bump_slope, 10, {-0.12909, 0.0769, 0.0602, 0.9416}, {0}},
    {"wave", wave, wave_slope, 0.5, {-0.2115, 0.455, 0.118, 0.039}, {0}},
    {"wave", wave, wave_slope, 1, {-0.5104, 0.324, 0.324, 0.268}, {0}},
    {"wave", wave, wave_slope, 5, {0, 0.5, 0.5, 12.5}, {0}},
};
enum { PUBLISHED = sizeof published / sizeof *published };

/* Half a unit of the last printed digit, of three. */
static void is_printed_as(double exact, double printed, const char *what) {
    ck_assert_msg(fabs(exact - printed) <= 0.5e-2 * fmax(fabs(exact), 0.1), "%s: published as %g, exactly %.6g", what, printed, exact);
}

static void check_loss(int i, bool sd) {
    const double *printed = sd ? published[i].sd : published[i].mu;
    moment m = {.f = published[i].f, .slope = published[i].slope, .k = published[i].k, .sd = sd};
    problem p;
    char what[96];
    problem_open("gaussian_dense:1,weight,bias=no,sd0=1", published[i].loss, m.k, &p);
    p.theta[0] = 1, p.theta[1] = (bnn_real)bnn_softplus_inverse(1);
    double mean = expected(m, GRADIENT), unit = sd ? 1 / bnn_sigmoid((double)p.theta[1]) : 1;
    double best = expected(m, F_SCORE_SQUARE) / expected(m, SCORE_SQUARE);
    for (int e = 0; e < 3; e++) {
        m.baseline = e == 1 ? best : 0;
        double var = expected(m, e == 2 ? PATH : SCORED) - mean * mean;
        snprintf(what, sizeof what, "%s, k = %g, by %s, %s", published[i].loss, m.k, sd ? "sd" : "mu",
                 e == 0   ? "score"
                 : e == 1 ? "score with baseline"
                          : "path");
        if (printed[1] > 0) is_printed_as(var, printed[1 + e], what), is_printed_as(mean, printed[0], what);
        check_moments(&p, e == 2 ? BNN_PATHWISE : BNN_SCORE_FUNCTION, m.baseline, sd, unit, mean, var, what);
    }
    problem_close(&p);
}

START_TEST(variances_are_those_published) {
    OK(bnn_type_add(BNN_LIKELIHOOD, &likelihood_square.type));
    OK(bnn_type_add(BNN_LIKELIHOOD, &likelihood_bump.type));
    OK(bnn_type_add(BNN_LIKELIHOOD, &likelihood_wave.type));
    check_loss(_i, false);
    check_loss(_i, true);
}
END_TEST

/* ---------------------------------------------------------------- Bernoulli */

/* g and g^2 along the path, of l ~ logistic, f = (y - 0.45)^2. */
typedef struct {
    double logit, t;
    int power;
} relaxed;

static double relaxed_integrand(double l, void *of) {
    const relaxed *r = of;
    double y = bnn_sigmoid((r->logit + l) / r->t), g = 2 * (y - 0.45) * y * (1 - y) / r->t;
    return pow(g, r->power) * bnn_sigmoid(l) * bnn_sigmoid(-l);
}

/* p; then t (0: not relaxed, by the score function), mean and variance as published. */
static const struct {
    double p, t, mean, var;
} bernoulli[] = {
    {0.5, 0, 0.0250, 0.01594},      {0.5, 0.1, 0.0248, 0.0862},  {0.5, 0.5, 0.0215, 0.0142},
    {0.5, 2.0 / 3, 0.0198, 0.0095}, {0.5, 1, 0.0167, 0.0048},    {0.1, 0, 0.0090, 0.0077},
    {0.1, 0.1, 0.0019, 0.0305},     {0.1, 0.5, -0.0220, 0.0056}, {0.1, 2.0 / 3, -0.0277, 0.0039},
};
enum { BERNOULLI = sizeof bernoulli / sizeof *bernoulli };

START_TEST(relaxed_gates_are_biased_as_published) {
    double q = bernoulli[_i].p, t = bernoulli[_i].t, mean, var;
    char net[64], number[BNN_NUMBER_TEXT];
    problem p;
    OK(bnn_type_add(BNN_LIKELIHOOD, &likelihood_square.type));
    OK(bnn_type_add(BNN_LAYER, &layer_unit.type));
    snprintf(net, sizeof net, "unit:t=%s", bnn_number_print(t, number));
    problem_open(net, "square", 0.45, &p);
    double logit = log(q / (1 - q));
    p.theta[0] = (bnn_real)logit;
    if (t > 0) {
        relaxed r = {logit, t, 1};
        mean = bnn_integral(relaxed_integrand, &r, -40, 40);
        r.power = 2;
        var = bnn_integral(relaxed_integrand, &r, -40, 40) - mean * mean;
    } else {
        double f0 = 0.45 * 0.45, f1 = 0.55 * 0.55;
        mean = q * (1 - q) * (f1 - f0);
        var = q * pow(f1 * (1 - q), 2) + (1 - q) * pow(f0 * q, 2) - mean * mean;
    }
    ck_assert_msg(fabs(mean - bernoulli[_i].mean) <= 0.6e-4 && fabs(var - bernoulli[_i].var) <= 0.6e-4, "p = %g, t = %g: %.6g, %.6g", q, t,
                  mean, var);
    check_moments(&p, t > 0 ? BNN_PATHWISE : BNN_SCORE_FUNCTION, 0, 0, 1, mean, var, net);
    problem_close(&p);
}
END_TEST

/* ---------------------------------------------------------------- networks */

/* Of a network with weights of both kinds: the random ones get the score, the others, before and behind them, what they had along the path.
 */
START_TEST(other_parameters_keep_their_gradients) {
    const bnn_objective path = {.n_total = 20, .scale = 0.3, .kl_weight = 1, .mode = BNN_DRAW};
    bnn_objective scored = path;
    bnn_table *t = table_new(6, 3, 0, 3);
    bnn_data *data = data_new(t);
    bnn_model *m;
    bnn_workspace *ws;
    bnn_block_info block;
    OK(bnn_model_new(&(bnn_texts){"dense:4; tanh; gaussian_dense:3; tanh; concrete_dropout:0.2; dense", "gaussian", "gauss"}, data, &m));
    OK(bnn_workspace_new(m->net, 6, BNN_TO_THETA, &ws));
    size_t n = (size_t)m->n_theta;
    bnn_real *theta = reals_new(n), *a = reals_new(n), *b = reals_new(n), *c = reals_new(n);
    bnn_model_init(m, bnn_rng_seed(1), theta);
    bnn_model_u(m, ws, &path, bnn_rng_seed(5), theta, 6, data->x, data->y, a);
    scored.estimator = BNN_SCORE_FUNCTION;
    double nll = bnn_model_u(m, ws, &scored, bnn_rng_seed(5), theta, 6, data->x, data->y, b).nll;
    scored.baseline = nll; /* nothing of the score is left: only KL */
    bnn_model_u(m, ws, &scored, bnn_rng_seed(5), theta, 6, data->x, data->y, c);
    for (int k = 0; bnn_model_block(m, k, &block); k++)
        for (size_t i = block.offset; i < block.offset + block.length; i++) {
            if (block.role != BNN_VARIATIONAL) ck_assert(a[i] == b[i] && a[i] == c[i]);
            if (block.role == BNN_VARIATIONAL) ck_assert(a[i] != b[i] && b[i] != c[i]);
        }
    reals_free(theta), reals_free(a), reals_free(b), reals_free(c);
    bnn_workspace_free(ws);
    bnn_model_free(m);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

/* Of U/N at theta, with the minibatch and the noise of step k, from 0. */
static void gradient_of(const bnn_engine *e, int k, double baseline, const bnn_real *theta, bnn_real *grad) {
    const bnn_descent *d = e->state;
    int n = d->batch.rows;
    const bnn_objective objective = {
        .n_total = n, .scale = 1.0 / n, .kl_weight = 1, .mode = BNN_DRAW, .estimator = BNN_SCORE_FUNCTION, .baseline = baseline};
    bnn_rng noise = bnn_rng_split(bnn_rng_split(e->rng, BNN_STREAM_STEP), (uint64_t)k);
    bnn_model_u(e->model, d->ws, &objective, noise, theta, n, d->batch.x, d->batch.y, grad);
}

/* Weights 0.1 0.9^i of the steps before, made to sum to 1: from the second step on the baseline is of the size of nll. */
START_TEST(baseline_is_the_mean_of_past_steps) {
    enum { N = 20, STEPS = 3 };
    bnn_table *t = table_new(N, 2, 0, 3);
    bnn_data *data = data_new(t);
    bnn_engine *e;
    double nll[STEPS];
    const bnn_texts texts = {"dense", "gaussian:tau=1", "gauss"};
    OK(bnn_engine_new("bayes_by_backprop:estimator=score,baseline=mean,epochs=3,batch=20,optimizer=sgd{momentum=0}", &texts, data,
                      bnn_rng_seed(2), &e));
    size_t n = (size_t)e->model->n_theta;
    bnn_real *theta = reals_new(n), *grad = reals_new(n);
    const bnn_descent *d = e->state;
    for (int k = 0; k < STEPS; k++) {
        const double baseline[STEPS] = {0, nll[0], (0.9 * nll[0] + nll[1]) / 1.9};
        bnn_step step = {0};
        memcpy(theta, d->theta, n * sizeof *theta);
        OK(bnn_engine_step(e, data, &step));
        nll[k] = step.terms.nll;
        memcpy(grad, d->grad, n * sizeof *grad);
        gradient_of(e, k, baseline[k], theta, d->grad);
        for (size_t i = 0; i < n; i++) ck_assert_double_eq_tol((double)grad[i], (double)d->grad[i], 1e-4 * (1 + fabs((double)grad[i])));
    }
    reals_free(theta), reals_free(grad);
    bnn_engine_free(e);
    bnn_data_free(data);
    bnn_table_free(t);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("estimators");
    TCase *exact = tcase_create("exact"), *networks = tcase_create("networks");
    tcase_set_timeout(exact, 60);
    tcase_add_loop_test(exact, variances_are_those_published, 0, PUBLISHED);
    tcase_add_loop_test(exact, relaxed_gates_are_biased_as_published, 0, BERNOULLI);
    tcase_add_test(networks, other_parameters_keep_their_gradients);
    tcase_add_test(networks, baseline_is_the_mean_of_past_steps);
    suite_add_tcase(suite, exact);
    suite_add_tcase(suite, networks);
    return run_suite(suite);
}
