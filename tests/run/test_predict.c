/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_predict.c: the predictive distribution against stored draws, closed forms and itself.
 */
#include "files.h"

#include <bnn/fit.h>
#include <bnn/metrics.h>
#include <bnn/predict.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { IN = 3, SEED = 9 };

typedef struct {
    bnn_table *table;
    bnn_data *data;
    bnn_engine *engine; /* opened, not fitted: parameters are set by hand */
    bnn_real *theta;    /* its own: writing here sets them */
} predictor;

static void predictor_open_on(bnn_table *table, const char *engine, const char *net, const char *likelihood, predictor *p) {
    bnn_block block[BNN_MAX_BLOCKS];
    *p = (predictor){.table = table, .data = data_new(table)};
    OK(bnn_engine_new(engine, &(bnn_texts){net, likelihood, "gauss"}, p->data, bnn_rng_seed(1), &p->engine));
    bnn_engine_vtable(p->engine)->blocks(p->engine, block);
    ck_assert(block[0].theta);
    p->theta = block[0].data;
    bnn_real *noise = reals_new(block[0].length);
    bnn_rng_normal(bnn_rng_seed(2), 0, 1, (int)block[0].length, noise);
    for (size_t i = 0; i < block[0].length; i++) p->theta[i] += (bnn_real)0.3 * noise[i];
    reals_free(noise);
}

static void predictor_open(int n, int n_classes, const char *engine, const char *net, const char *likelihood, predictor *p) {
    predictor_open_on(table_new(n, IN, n_classes, 1), engine, net, likelihood, p);
}

static void predictor_close(predictor *p) {
    bnn_engine_free(p->engine);
    bnn_data_free(p->data);
    bnn_table_free(p->table);
}

static const double levels[] = {0.05, 0.4, 0.975};
enum { LEVELS = sizeof levels / sizeof *levels, DRAWN = 7 };

/* With all that can be asked for. */
static bnn_prediction *predict(const predictor *p, const bnn_data *data, int samples, bnn_mode mode) {
    bnn_prediction *out;
    OK(bnn_predict(p->engine, data,
                   &(bnn_predict_options){.size = sizeof(bnn_predict_options),
                                          .samples = samples,
                                          .mode = mode,
                                          .seed = SEED,
                                          .n_levels = LEVELS,
                                          .levels = levels,
                                          .crps = true,
                                          .drawn = DRAWN},
                   &out));
    return out;
}

static const struct {
    const char *engine, *net, *likelihood;
    int n_classes;
} cases[] = {
    {"mc_dropout", "dropout:0.3; dense:5; tanh; dropout:0.2; dense", "gaussian", 0},
    {"mc_dropout:gates=concrete", "dense:5; relu; dense", "heteroscedastic", 0},
    {"bayes_by_backprop", "dense:5; tanh; dense", "gaussian:tau=0.3", 0},
    {"bayes_by_backprop:flipout", "dropout:0.3; dense:5; tanh; dense", "categorical", 3},
    {"mc_dropout:p=0.4", "dense:5; tanh; dense", "bernoulli", 2},
};
enum { CASES = sizeof cases / sizeof *cases };

static void open_case(int i, int n, predictor *p) {
    predictor_open(n, cases[i].n_classes, cases[i].engine, cases[i].net, cases[i].likelihood, p);
}

/* ---------------------------------------------------------------- against stored draws */

/* What S draws say of n rows, k = mean_dim, in standardised y. */
typedef struct {
    int samples, n, k;
    bnn_real *mean, *var, *pit; /* [S, n, k] */
    double *logp;               /* [S, n] */
} draws;

static draws draw_by_hand(const predictor *p, int samples, bnn_mode mode) {
    const bnn_model *m = p->engine->model;
    draws d = {.samples = samples, .n = p->data->n, .k = m->likelihood.mean_dim};
    size_t one = (size_t)d.n * (size_t)d.k, all = (size_t)samples * one;
    d.mean = reals_new(all), d.var = reals_new(all), d.pit = reals_new(all);
    d.logp = calloc((size_t)samples * (size_t)d.n, sizeof *d.logp);
    bnn_workspace *ws;
    OK(bnn_workspace_new(m->net, d.n, BNN_FORWARD, &ws));
    for (int s = 0; s < samples; s++) {
        size_t at = (size_t)s * one;
        bnn_net_prepare(m->net, ws, p->theta, mode, false,
                        bnn_rng_split(bnn_rng_split(bnn_rng_seed(SEED), BNN_STREAM_PREDICT), (uint64_t)s));
        const bnn_real *f = bnn_net_forward(m->net, ws, d.n, 0, p->data->x);
        bnn_observation seen = {d.mean + at, d.var + at, d.logp + (size_t)s * (size_t)d.n, m->likelihood.pit_dim ? d.pit + at : NULL};
        bnn_likelihood_vtable(&m->likelihood)->observe(&m->likelihood, d.n, f, p->data->y, bnn_model_noise(m, p->theta), &seen);
    }
    bnn_workspace_free(ws);
    return d;
}

static void draws_free(draws *d) {
    reals_free(d->mean), reals_free(d->var), reals_free(d->pit);
    free(d->logp);
}

static double mean_at(const draws *d, const bnn_real *a, int i) {
    long double sum = 0;
    for (int s = 0; s < d->samples; s++) sum += (long double)a[(size_t)s * (size_t)(d->n * d->k) + (size_t)i];
    return (double)(sum / d->samples);
}

static double var_at(const draws *d, int i) {
    long double sum = 0, mean = mean_at(d, d->mean, i);
    for (int s = 0; s < d->samples; s++) {
        long double e = (long double)d->mean[(size_t)s * (size_t)(d->n * d->k) + (size_t)i] - mean;
        sum += e * e;
    }
    return (double)(sum / d->samples);
}

static double logp_at(const draws *d, int i) {
    long double top = -INFINITY, sum = 0;
    for (int s = 0; s < d->samples; s++) top = fmaxl(top, d->logp[(size_t)s * (size_t)d->n + (size_t)i]);
    for (int s = 0; s < d->samples; s++) sum += expl(d->logp[(size_t)s * (size_t)d->n + (size_t)i] - top);
    return (double)(top + logl(sum / d->samples));
}

static double entropy(const double *p, int k) {
    double h = 0;
    for (int c = 0; c < k; c++) h -= p[c] > 0 ? p[c] * log(p[c]) : 0;
    return h;
}

static double expected_entropy_at(const draws *d, int row) {
    double sum = 0, p[8];
    for (int s = 0; s < d->samples; s++) {
        for (int c = 0; c < d->k; c++) p[c] = (double)d->mean[((size_t)s * (size_t)d->n + (size_t)row) * (size_t)d->k + (size_t)c];
        sum += entropy(p, d->k) / d->samples;
    }
    return sum;
}

/* Sums in double of numbers that are the same on both sides. */
static void assert_equal(double a, double b, double size, const char *what, int i, const char *of) {
    ck_assert_msg(fabs(a - b) <= 1e-11 * (size + fabs(b)), "%s: %s[%d] is %.15g, not %.15g", of, what, i, a, b);
}

static void compare_moments(const bnn_prediction *p, const draws *d, const bnn_scaling *scaling, const char *of) {
    double sd = p->is_class ? 1 : scaling->y_sd[0], shift = p->is_class ? 0 : scaling->y_mean[0];
    for (int i = 0; i < d->n * d->k; i++) {
        double var = var_at(d, i) * sd * sd;
        assert_equal(p->mean[i], mean_at(d, d->mean, i) * sd + shift, 1, "mean", i, of);
        assert_equal(p->var_epistemic[i], var, 1, "var_epistemic", i, of);
        assert_equal(p->var_aleatoric[i], mean_at(d, d->var, i) * sd * sd, 1, "var_aleatoric", i, of);
        assert_equal(p->mean_mcse[i], sqrt(var / (d->samples - 1)), 1e3, "mean_mcse", i, of);
        ck_assert(bnn_var_total(p, i) == p->var_epistemic[i] + p->var_aleatoric[i]);
        if (p->pit) assert_equal(p->pit[i], mean_at(d, d->pit, i), 1, "pit", i, of);
    }
}

static void compare_rows(const bnn_prediction *p, const draws *d, const bnn_scaling *scaling, const char *of) {
    for (int i = 0; i < d->n; i++) {
        assert_equal(p->logp[i], logp_at(d, i) - (p->is_class ? 0 : log(scaling->y_sd[0])), 1, "logp", i, of);
        if (!p->is_class) continue;
        const double *q = p->mean + i * d->k;
        double sum = 0, information = entropy(q, d->k) - expected_entropy_at(d, i);
        for (int c = 0; c < d->k; c++) sum += q[c];
        ck_assert_msg(fabs(sum - 1) < ROUNDING, "%s: probabilities of row %d sum to %.9g", of, i, sum);
        assert_equal(p->expected_entropy[i], expected_entropy_at(d, i), 1, "expected_entropy", i, of);
        assert_equal(bnn_prediction_entropy(p, i), entropy(q, d->k), 1, "entropy", i, of);
        ck_assert_double_ge(bnn_prediction_mutual_information(p, i), 0);
        assert_equal(bnn_prediction_mutual_information(p, i), information, 1, "information", i, of);
    }
}

/* 37 draws in 16 blocks of two or three: running moments, merged, are those of two passes over what is stored. */
START_TEST(streamed_moments_are_those_of_stored_draws) {
    static const int samples[] = {2, 16, 37};
    for (int i = 0; i < CASES; i++)
        for (int mode = BNN_ROWS; mode <= BNN_DRAW; mode++)
            for (int k = 0; k < 3; k++) {
                predictor p;
                const int n = k == 0 ? 300 : 40; /* 300: rows come in pieces of 256 */
                open_case(i, n, &p);
                bnn_prediction *q = predict(&p, p.data, samples[k], (bnn_mode)mode);
                draws d = draw_by_hand(&p, samples[k], (bnn_mode)mode);
                ck_assert(q->n == n && q->samples == samples[k] && q->mean_dim == d.k && q->mode == (bnn_mode)mode && q->has_target);
                ck_assert(q->is_class == (cases[i].n_classes > 0) && !q->pit == q->is_class && !q->expected_entropy == !q->is_class);
                compare_moments(q, &d, &p.data->scaling, cases[i].net);
                compare_rows(q, &d, &p.data->scaling, cases[i].net);
                draws_free(&d);
                bnn_prediction_free(q);
                predictor_close(&p);
            }
}
END_TEST

/* Targets so far off that every exp(log p) is 0; outputs that are infinite. */
START_TEST(log_densities_are_summed_in_logs) {
    predictor p;
    open_case(2, 10, &p);
    int out = p.engine->model->n_theta - 7; /* bias_mu of the last layer, before kernel_rho [5] and bias_rho [1] */
    p.theta[out] = 1000;
    bnn_prediction *q = predict(&p, p.data, 20, BNN_DRAW);
    draws d = draw_by_hand(&p, 20, BNN_DRAW);
    ck_assert_double_lt(q->logp[0], -1e5);
    compare_rows(q, &d, &p.data->scaling, cases[2].net);
    draws_free(&d);
    bnn_prediction_free(q);
    p.theta[out] = (bnn_real)INFINITY;
    q = predict(&p, p.data, 40, BNN_DRAW); /* two and more in each block */
    for (int i = 0; i < 10; i++) ck_assert_msg(q->logp[i] == -INFINITY, "log p of an infinite output is %g", q->logp[i]);
    bnn_prediction_free(q);
    predictor_close(&p);
}
END_TEST

/* ---------------------------------------------------------------- quantiles and scores of the mixture itself */

/* The mixture of Gaussians in cell i, in standardised y. */
static double mixture_cdf(const draws *d, int i, double y) {
    double sum = 0;
    for (int s = 0; s < d->samples; s++) {
        size_t at = (size_t)s * (size_t)(d->n * d->k) + (size_t)i;
        sum += 0.5 * erfc(((double)d->mean[at] - y) / sqrt(2 * (double)d->var[at])) / d->samples;
    }
    return sum;
}

static double mixture_quantile(const draws *d, int i, double level) {
    double low = -1e6, high = 1e6;
    for (int k = 0; k < 100; k++) {
        double middle = (low + high) / 2;
        if (mixture_cdf(d, i, middle) < level)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

/* E |N(mean, var)| */
static double absolute(double mean, double var) {
    double sd = sqrt(var), z = mean / sd;
    return mean * erf(z / sqrt(2)) + sd * sqrt(2 / M_PI) * exp(-0.5 * z * z);
}

/* crps = E|Y - y| - E|Y - Y'|/2 over all pairs of draws (Grimit et al. 2006, eq. 5). */
static double mixture_crps(const draws *d, int i, double y) {
    size_t one = (size_t)(d->n * d->k), S = (size_t)d->samples;
    double sum = 0;
    for (size_t s = 0; s < S; s++) {
        double m = (double)d->mean[s * one + (size_t)i], v = (double)d->var[s * one + (size_t)i];
        sum += absolute(m - y, v) / (double)S;
        for (size_t r = 0; r < S; r++)
            sum -= absolute(m - (double)d->mean[r * one + (size_t)i], v + (double)d->var[r * one + (size_t)i]) / (double)(2 * S * S);
    }
    return sum;
}

static void compare_curve(const predictor *p, const bnn_prediction *q, const draws *d, double crps_error, const char *of) {
    double y_sd = p->data->scaling.y_sd[0], y_mean = p->data->scaling.y_mean[0];
    for (int i = 0; i < d->n * d->k; i++) {
        double sd = sqrt(bnn_var_total(q, i)), crps = mixture_crps(d, i, (double)p->data->y[i]) * y_sd;
        for (int l = 0; l < LEVELS; l++) {
            double is = q->quantile[i * LEVELS + l], should = mixture_quantile(d, i, levels[l]) * y_sd + y_mean;
            ck_assert_msg(fabs(is - should) <= 3e-6 * sd + 3 * ROUNDING * y_sd, "%s: quantile %g[%d] is %.9g, not %.9g, of sd %g", of,
                          levels[l], i, is, should, sd);
        }
        ck_assert_msg(fabs(q->crps[i] - crps) <= crps_error * sd, "%s: crps[%d] of %d draws is %.9g, not %.9g, of mean %g, sd %g, y %g", of,
                      i, q->samples, q->crps[i], crps, q->mean[i], sd, (double)p->data->y[i] * y_sd + y_mean);
    }
}

START_TEST(quantiles_and_scores_are_those_of_the_mixture) {
    for (int i = 0; i < CASES; i++)
        for (int mode = BNN_ROWS; mode <= BNN_DRAW; mode++) {
            predictor p;
            open_case(i, 30, &p);
            bnn_prediction *q = predict(&p, p.data, 37, (bnn_mode)mode);
            draws d = draw_by_hand(&p, 37, (bnn_mode)mode);
            if (q->is_class)
                ck_assert(q->n_levels == 0 && !q->quantile && !q->crps);
            else
                compare_curve(&p, q, &d, 1e-4, cases[i].net);
            draws_free(&d);
            bnn_prediction_free(q);
            predictor_close(&p);
        }
}
END_TEST

/* Next to no noise: the distribution function of 37 draws, or of 2, is a staircase, with steps far apart. */
START_TEST(quantiles_and_scores_of_staircases) {
    static const int samples[] = {1, 2, 37};
    for (int k = 0; k < 3; k++) {
        predictor p;
        predictor_open(30, 0, "mc_dropout", "dropout:0.3; dense:5; tanh; dropout:0.2; dense", "gaussian:tau=1e7", &p);
        bnn_prediction *q = predict(&p, p.data, samples[k], BNN_DRAW);
        draws d = draw_by_hand(&p, samples[k], BNN_DRAW);
        compare_curve(&p, q, &d, 5e-3, "staircase");
        draws_free(&d);
        bnn_prediction_free(q);
        predictor_close(&p);
    }
}
END_TEST

/* A draw of y for every draw of the outputs is the one that a sink sees; of fewer there are those of some. */
static bnn_status keep_y(void *context, const bnn_drawn *drawn) {
    bnn_real *y = context;
    memcpy(y + drawn->s * 30 + drawn->row, drawn->y, (size_t)drawn->n * sizeof *y);
    return BNN_OK;
}

START_TEST(draws_of_y_are_those_of_the_draws) {
    enum { S = 20, ROWS = 30 };
    for (int i = 0; i < CASES; i++) {
        predictor p;
        bnn_prediction *q;
        bnn_real y[S * ROWS];
        bnn_sink sink = {keep_y, y};
        open_case(i, ROWS, &p);
        OK(bnn_predict(p.engine, p.data,
                       &(bnn_predict_options){sizeof(bnn_predict_options), .samples = S, .drawn = S, .seed = SEED, .sink = &sink}, &q));
        double sd = q->is_class ? 1 : p.data->scaling.y_sd[0], mean = q->is_class ? 0 : p.data->scaling.y_mean[0];
        ck_assert_int_eq(q->drawn, S);
        for (int r = 0; r < ROWS; r++)
            for (int s = 0; s < S; s++) ck_assert(q->y_drawn[r * S + s] == (double)y[s * ROWS + r] * sd + mean);
        bnn_prediction_free(q);
        predictor_close(&p);
    }
}
END_TEST

typedef struct {
    int calls;
    double last;
} reported;

/* From the threads that work. */
static void report(void *context, double share) {
    reported *r = context;
#pragma omp critical(report)
    {
        r->calls++;
        if (share > r->last) r->last = share;
    }
}

START_TEST(the_share_of_draws_is_reported) {
    static const char *const engines[] = {"mc_dropout", "ensemble:engine=mc_dropout,members=3"};
    for (int i = 0; i < 2; i++) {
        bnn_table *t = table_new(30, IN, 0, 1);
        bnn_data *d = data_new(t);
        bnn_engine *e;
        bnn_prediction *p;
        reported r = {0};
        OK(bnn_engine_new(engines[i], &(bnn_texts){"dropout:0.3; dense", "gaussian", "gauss"}, d, bnn_rng_seed(1), &e));
        OK(bnn_predict(e, d, &(bnn_predict_options){.size = sizeof(bnn_predict_options), .samples = 60, .progress = report, .context = &r},
                       &p));
        ck_assert_int_eq(r.calls, 60);
        ck_assert_double_eq(r.last, 1);
        bnn_prediction_free(p), bnn_engine_free(e), bnn_data_free(d), bnn_table_free(t);
    }
}
END_TEST

/* Outputs of all draws of 3500 rows are more than 64 MB: they come in ranges, which no row knows of. */
START_TEST(ranges_of_rows_do_not_change_bits) {
    enum { ROWS = 3500, S = 2500, SOME = 3 };
    static const int rows[SOME] = {1, 3400, ROWS - 1};
    const bnn_predict_options how = {sizeof how, .samples = S, .seed = SEED, .n_levels = 1, .levels = levels};
    predictor p;
    bnn_data *some;
    bnn_prediction *all, *few;
    predictor_open(ROWS, 0, "mc_dropout:p=0.3", "dense", "heteroscedastic", &p);
    OK(bnn_data_new(p.table, SOME, rows, &p.data->scaling, &some));
    OK(bnn_predict(p.engine, p.data, &how, &all));
    OK(bnn_predict(p.engine, some, &how, &few));
    for (int i = 0; i < SOME; i++) {
        int r = rows[i];
        ck_assert(all->mean[r] == few->mean[i] && all->pit[r] == few->pit[i] && all->quantile[r] == few->quantile[i]);
    }
    ck_assert_uint_eq(all->cost.forwards, S);
    bnn_prediction_free(all), bnn_prediction_free(few);
    bnn_data_free(some);
    predictor_close(&p);
}
END_TEST

START_TEST(what_cannot_be_asked_is_refused) {
    predictor p;
    bnn_prediction *q;
    const double no = 1;
    open_case(2, 10, &p);
    SAYS(bnn_predict(p.engine, p.data, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = 2, .n_levels = 1, .levels = &no}, &q),
         "a quantile of level 1 was asked for: levels are between 0 and 1");
    predictor_close(&p);
}
END_TEST

/* ---------------------------------------------------------------- against closed forms */

/* f = b + sum_d x_d w_d z_d / keep: mean b + x w, variance sum (x w)^2 (1-keep)/keep; *fourth: central moment, from the cumulants of z. */
static double dropout_var(const predictor *p, int row, double keep, double *mean, double *fourth) {
    double var = 0, cumulant = 0;
    *mean = (double)p->theta[IN];
    for (int d = 0; d < IN; d++) {
        double a = (double)p->data->x[row * IN + d] * (double)p->theta[d] / keep, v = keep * (1 - keep);
        *mean += a * keep;
        var += a * a * v;
        cumulant += a * a * a * a * v * (1 - 6 * v);
    }
    *fourth = cumulant + 3 * var * var;
    return var;
}

START_TEST(one_layer_of_dropout_has_its_moments) {
    enum { S = 4000, ROWS = 10 };
    for (int mode = BNN_ROWS; mode <= BNN_DRAW; mode++) {
        predictor p;
        predictor_open(ROWS, 0, "mc_dropout:p=0.3", "dense", "gaussian:tau=0.3", &p);
        bnn_prediction *q = predict(&p, p.data, S, (bnn_mode)mode);
        double sd = p.data->scaling.y_sd[0];
        for (int i = 0; i < ROWS; i++) {
            double mean, fourth, var = dropout_var(&p, i, 0.7, &mean, &fourth);
            double z = ((q->mean[i] - p.data->scaling.y_mean[0]) / sd - mean) / sqrt(var / S);
            double z_var = (q->var_epistemic[i] / (sd * sd) - var) / sqrt((fourth - var * var) / S);
            ck_assert_msg(fabs(z) < MOST_Z && fabs(z_var) < MOST_Z, "mode %d, row %d: z of the mean %g, of the variance %g", mode, i, z,
                          z_var);
            ck_assert_double_eq_tol(q->var_aleatoric[i], 1 / 0.3, 1e-5);
        }
        bnn_prediction_free(q);
        predictor_close(&p);
    }
}
END_TEST

/* Two draws, one with the gate open, one with it shut: p = softmax(2 x w) or 1/2, 1/2. */
START_TEST(information_of_two_draws_is_known) {
    bnn_table *t = table_new(6, 1, 2, 1);
    predictor p;
    predictor_open_on(t, "mc_dropout:p=0.5", "dense", "categorical", &p);
    static const bnn_real theta[] = {1, -1, 0, 0};
    memcpy(p.theta, theta, sizeof theta);
    int found = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        bnn_prediction *q;
        OK(bnn_predict(p.engine, p.data, &(bnn_predict_options){.samples = 2, .seed = seed}, &q));
        for (int i = 0; i < 6 && q->var_epistemic[0] > 0; i++) {
            double open = 1 / (1 + exp(-4 * (double)p.data->x[i])), both = (open + 0.5) / 2;
            double h = entropy((double[]){both, 1 - both}, 2), expected = (entropy((double[]){open, 1 - open}, 2) + log(2)) / 2;
            ck_assert_double_eq_tol(q->mean[2 * i], both, ROUNDING);
            ck_assert_double_eq_tol(bnn_prediction_entropy(q, i), h, ROUNDING);
            ck_assert_double_eq_tol(bnn_prediction_mutual_information(q, i), h - expected, ROUNDING);
            found++;
        }
        bnn_prediction_free(q);
    }
    ck_assert_int_gt(found, 0);
    predictor_close(&p);
}
END_TEST

/* ---------------------------------------------------------------- against itself */

static bool same(size_t n, const double *a, const double *b) { return !a == !b && (!a || memcmp(a, b, n * sizeof *a) == 0); }

/* Row i of p and row j of q, bit for bit. */
static bool same_row(const bnn_prediction *p, int i, const bnn_prediction *q, int j) {
    size_t k = (size_t)p->mean_dim, a = (size_t)i * k, b = (size_t)j * k;
    return same(k, p->mean + a, q->mean + b) && same(k, p->var_epistemic + a, q->var_epistemic + b) &&
           same(k, p->var_aleatoric + a, q->var_aleatoric + b) && same(k, p->mean_mcse + a, q->mean_mcse + b) &&
           same(1, p->logp + i, q->logp + j) && same(k, p->pit ? p->pit + a : NULL, q->pit ? q->pit + b : NULL) &&
           same(1, p->expected_entropy ? p->expected_entropy + i : NULL, q->expected_entropy ? q->expected_entropy + j : NULL) &&
           same(k, p->crps ? p->crps + a : NULL, q->crps ? q->crps + b : NULL) &&
           same(k * LEVELS, p->quantile ? p->quantile + a * LEVELS : NULL, q->quantile ? q->quantile + b * LEVELS : NULL);
}

START_TEST(threads_do_not_change_bits) {
    for (int i = 0; i < CASES; i++)
        for (int mode = BNN_ROWS; mode <= BNN_DRAW; mode++) {
            predictor p;
            bnn_prediction *q[3];
            open_case(i, 300, &p);
            for (int k = 0; k < 3; k++) {
                omp_set_num_threads(1 << k);
                q[k] = predict(&p, p.data, 21, (bnn_mode)mode);
            }
            for (int r = 0; r < 300; r++)
                ck_assert_msg(same_row(q[0], r, q[1], r) && same_row(q[0], r, q[2], r), "'%s', row %d", cases[i].net, r);
            for (int k = 0; k < 3; k++) bnn_prediction_free(q[k]);
            predictor_close(&p);
        }
}
END_TEST

/* In DRAW a row's prediction does not know of the other rows: every third one, from the last, also across the stretches that memory is cut
 * into. */
START_TEST(rows_are_predicted_alike_in_any_company) {
    for (int i = 0; i < CASES; i++) {
        int n = i == 0 ? 8500 : 300, *rows = malloc((size_t)n * sizeof *rows), m = 0;
        predictor p;
        bnn_data *some;
        open_case(i, n, &p);
        for (int r = n - 1; r >= 0; r -= 3) rows[m++] = r;
        OK(bnn_data_new(p.table, m, rows, &p.data->scaling, &some));
        bnn_prediction *all = predict(&p, p.data, 5, BNN_MEAN), *few = predict(&p, some, 5, BNN_DRAW);
        ck_assert(all->mode == BNN_DRAW && few->n == m);
        for (int k = 0; k < m; k++) ck_assert_msg(same_row(all, rows[k], few, k), "'%s', row %d", cases[i].net, rows[k]);
        bnn_prediction_free(all), bnn_prediction_free(few);
        bnn_data_free(some);
        predictor_close(&p);
        free(rows);
    }
}
END_TEST

START_TEST(equal_rows_have_equal_draws) {
    static const int twice[] = {4, 4};
    for (int i = 0; i < CASES; i++) {
        predictor p;
        bnn_data *pair;
        open_case(i, 10, &p);
        OK(bnn_data_new(p.table, 2, twice, &p.data->scaling, &pair));
        bnn_prediction *shared = predict(&p, pair, 9, BNN_DRAW), *own = predict(&p, pair, 9, BNN_ROWS);
        ck_assert_msg(same_row(shared, 0, shared, 1), "'%s': equal rows differ in DRAW", cases[i].net);
        ck_assert_msg(!same_row(own, 0, own, 1), "'%s': equal rows share their noise in ROWS", cases[i].net);
        bnn_prediction_free(shared), bnn_prediction_free(own);
        bnn_data_free(pair);
        predictor_close(&p);
    }
}
END_TEST

/* y -> 5 y - 300 leaves standardised y, and so all that is fitted, as they are: predictions move along. */
START_TEST(predictions_are_in_the_units_of_y) {
    predictor p, q;
    bnn_table *moved = table_new(40, IN, 0, 1);
    for (int i = 0; i < 40; i++) moved->y[i] = 5 * moved->y[i] - 300;
    predictor_open(40, 0, "mc_dropout:p=0.2", "dense:5; tanh; dense", "gaussian", &p);
    predictor_open_on(moved, "mc_dropout:p=0.2", "dense:5; tanh; dense", "gaussian", &q);
    bnn_step step;
    for (int s = 0; s < 20; s++) {
        OK(bnn_engine_step(p.engine, p.data, &step));
        OK(bnn_engine_step(q.engine, q.data, &step));
    }
    bnn_prediction *a = predict(&p, p.data, 10, BNN_DRAW), *b = predict(&q, q.data, 10, BNN_DRAW);
    for (int i = 0; i < 40; i++) {
        ck_assert_double_eq_tol(b->mean[i], 5 * a->mean[i] - 300, 1e3 * ROUNDING);
        ck_assert_double_eq_tol(b->var_epistemic[i], 25 * a->var_epistemic[i], 1e3 * ROUNDING);
        ck_assert_double_eq_tol(b->var_aleatoric[i], 25 * a->var_aleatoric[i], 1e3 * ROUNDING * a->var_aleatoric[i]);
        ck_assert_double_eq_tol(b->mean_mcse[i], 5 * a->mean_mcse[i], 1e3 * ROUNDING);
        ck_assert_double_eq_tol(b->logp[i], a->logp[i] - log(5), 1e3 * ROUNDING);
        ck_assert_double_eq_tol(b->pit[i], a->pit[i], 1e2 * ROUNDING);
    }
    bnn_prediction_free(a), bnn_prediction_free(b);
    predictor_close(&p), predictor_close(&q);
}
END_TEST

START_TEST(a_point_takes_one_pass) {
    predictor p;
    predictor_open(10, 0, "map", "dropout:0.5; dense:4; tanh; gaussian_dense", "gaussian:tau=0.3", &p);
    bnn_prediction *q = predict(&p, p.data, 100, BNN_ROWS);
    draws d = draw_by_hand(&p, 1, BNN_MEAN);
    ck_assert(q->samples == 1 && q->mode == BNN_MEAN && q->cost.forwards == 1);
    ck_assert_double_eq(q->cost.flops, bnn_model_forward_flops(p.engine->model, 10));
    for (int i = 0; i < 10; i++) {
        ck_assert(q->var_epistemic[i] == 0 && q->mean_mcse[i] == 0);
        assert_equal(q->mean[i], (double)d.mean[i] * p.data->scaling.y_sd[0] + p.data->scaling.y_mean[0], 1, "mean", i, "map");
    }
    draws_free(&d);
    bnn_prediction_free(q);
    predictor_close(&p);
}
END_TEST

START_TEST(new_rows_are_predicted_like_known_ones) {
    for (int i = 0; i < CASES; i++) {
        predictor p;
        bnn_table *t;
        bnn_data *d;
        bnn_metrics m;
        bnn_run *run;
        open_case(i, 20, &p);
        OK(bnn_table_new(20, bnn_shape_vector(IN), 0, 0, &t));
        memcpy(t->x, p.table->x, 20 * IN * sizeof *t->x);
        OK(bnn_data_split(t, -1, BNN_TEST, &p.data->scaling, &d));
        bnn_prediction *known = predict(&p, p.data, 7, BNN_ROWS), *q = predict(&p, d, 7, BNN_ROWS);
        size_t cells = (size_t)(q->n * q->mean_dim);
        ck_assert(!q->has_target && !q->logp && !q->pit && q->is_class == known->is_class && q->mean_dim == known->mean_dim);
        ck_assert_mem_eq(q->mean, known->mean, cells * sizeof *q->mean);
        ck_assert_mem_eq(q->var_epistemic, known->var_epistemic, cells * sizeof *q->mean);
        ck_assert_mem_eq(q->var_aleatoric, known->var_aleatoric, cells * sizeof *q->mean);
        if (q->is_class) ck_assert_mem_eq(q->expected_entropy, known->expected_entropy, 20 * sizeof *q->mean);
        SAYS(bnn_metrics_compute(q, d, &m), "metrics need targets, but the prediction was made without them");
        bnn_config config = {.net = "dense", .engine = "map"};
        SAYS(bnn_fit(&config, d, &run), "the training rows have no targets: they can be predicted, not fitted");
        bnn_prediction_free(known), bnn_prediction_free(q);
        bnn_data_free(d), bnn_table_free(t);
        predictor_close(&p);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_refused) {
    predictor p, wide, classes;
    bnn_prediction *q;
    bnn_data *none;
    open_case(0, 10, &p);
    predictor_open_on(table_new(10, IN + 1, 0, 1), "map", "dense", "gaussian", &wide);
    open_case(3, 10, &classes);
    const bnn_predict_options how = {.samples = 2};
    SAYS(bnn_predict(p.engine, p.data, &(bnn_predict_options){0}, &q), "0 samples were asked for: at least 1 is needed");
    SAYS(bnn_predict(p.engine, wide.data, &how, &q), "the data's rows have shape [4], the model was fitted to [3]");
    SAYS(bnn_predict(p.engine, classes.data, &how, &q), "the data have 3 classes, the model was fitted to 0");
    OK(bnn_data_slice(p.data, 0, 0, &p.data->scaling, &none));
    OK(bnn_predict(p.engine, none, &how, &q));
    ck_assert_int_eq(q->n, 0);
    bnn_prediction_free(q);
    bnn_data_free(none);
    predictor_close(&p), predictor_close(&wide), predictor_close(&classes);
}
END_TEST

/* ---------------------------------------------------------------- maps of classes */

enum { CLASSES = 3, SITES = 5 };

/* Rows that are outputs already, [classes, sites], and maps of classes; the network has gates alone. */
typedef struct {
    bnn_real *x, *y;
    bnn_data data;
    bnn_engine *engine;
} atlas;

static void atlas_open(int n, int classes, int sites, const char *engine, const char *net, atlas *a) {
    *a = (atlas){.x = reals_new((size_t)(n * classes * sites)), .y = reals_new((size_t)(n * sites))};
    bnn_rng_normal(bnn_rng_seed(1), 0, n, classes * sites, a->x);
    for (int i = 0; i < n * sites; i++) a->y[i] = (bnn_real)(i % (classes + 1) - 1); /* -1 is void */
    a->data = (bnn_data){.n = n,
                         .x_shape = {.rank = 2, .d = {classes, sites}},
                         .y_dim = sites,
                         .n_classes = classes,
                         .x = a->x,
                         .y = a->y,
                         .y_shape = {.rank = 1, .d = {sites}}};
    OK(bnn_scaling_identity(classes * sites, sites, &a->data.scaling));
    OK(bnn_engine_new(engine, &(bnn_texts){net, "categorical", "gauss"}, &a->data, bnn_rng_seed(1), &a->engine));
}

static void atlas_close(atlas *a) {
    bnn_engine_free(a->engine);
    bnn_scaling_free(&a->data.scaling);
    reals_free(a->x), reals_free(a->y);
}

/* Rows [from, to) of it, borrowed. */
static bnn_data some_maps(const atlas *a, int from, int to) {
    bnn_data d = a->data;
    d.n = to - from, d.x += from * bnn_shape_size(d.x_shape), d.y += from * d.y_dim;
    return d;
}

START_TEST(maps_are_learned) {
    enum { MAPS = 6 };
    atlas a;
    bnn_step step;
    double nll = 0;
    atlas_open(MAPS, CLASSES, SITES, "map:epochs=1", "concrete_dropout", &a);
    for (int i = 0; i < MAPS * SITES; i++) {
        const bnn_real *f = a.x + i / SITES * CLASSES * SITES + i % SITES;
        if (a.y[i] < 0) continue;
        nll += log(exp((double)f[0]) + exp((double)f[SITES]) + exp((double)f[2 * SITES])) - (double)f[(int)a.y[i] * SITES];
    }
    OK(bnn_engine_step(a.engine, &a.data, &step));
    ck_assert_double_eq_tol(step.terms.nll, nll, 10 * ROUNDING * nll);
    atlas_close(&a);
}
END_TEST

/* 37 draws in 16 blocks, merged, say of each pixel what they say one by one. */
START_TEST(maps_are_those_of_their_draws) {
    enum { MAPS = 4, S = 37, OUT = CLASSES * SITES };
    atlas a;
    bnn_prediction *q;
    bnn_workspace *ws;
    double p[MAPS * OUT] = {0}, entropies[MAPS * SITES] = {0}, density[MAPS * SITES] = {0};
    atlas_open(MAPS, CLASSES, SITES, "mc_dropout", "dropout:0.4", &a);
    const bnn_model *m = a.engine->model;
    OK(bnn_workspace_new(m->net, MAPS, BNN_FORWARD, &ws));
    for (int s = 0; s < S; s++) {
        bnn_rng noise = bnn_rng_split(bnn_rng_split(bnn_rng_seed(SEED), BNN_STREAM_PREDICT), (uint64_t)s);
        bnn_net_prepare(m->net, ws, a.x, BNN_DRAW, false, noise); /* the network has no parameters */
        const bnn_real *f = bnn_net_forward(m->net, ws, MAPS, 0, a.x);
        for (int i = 0; i < MAPS * SITES; i++) {
            const int at = i / SITES * OUT + i % SITES;
            double sum = 0, q_c[CLASSES];
            for (int c = 0; c < CLASSES; c++) sum += exp((double)f[at + c * SITES]);
            for (int c = 0; c < CLASSES; c++) p[at + c * SITES] += (q_c[c] = exp((double)f[at + c * SITES]) / sum) / S;
            entropies[i] += entropy(q_c, CLASSES) / S;
            if (a.y[i] >= 0) density[i] += q_c[(int)a.y[i]] / S;
        }
    }
    OK(bnn_predict(a.engine, &a.data, &(bnn_predict_options){.samples = S, .seed = SEED}, &q));
    ck_assert(q->sites == SITES && q->mean_dim == OUT && !q->var_epistemic && !q->var_aleatoric && !q->mean_mcse && !q->pit);
    for (int i = 0; i < MAPS * OUT; i++) ck_assert_double_eq_tol(q->mean[i], p[i], 10 * ROUNDING);
    for (int i = 0; i < MAPS * SITES; i++) {
        double of_mean[CLASSES];
        for (int c = 0; c < CLASSES; c++) of_mean[c] = p[i / SITES * OUT + i % SITES + c * SITES];
        ck_assert_double_eq_tol(q->expected_entropy[i], entropies[i], 10 * ROUNDING);
        ck_assert_double_eq_tol(bnn_prediction_entropy(q, i), entropy(of_mean, CLASSES), 10 * ROUNDING);
        ck_assert(a.y[i] < 0 ? isnan(q->logp[i]) : fabs(q->logp[i] - log(density[i])) < 20 * ROUNDING);
    }
    bnn_workspace_free(ws);
    bnn_prediction_free(q);
    atlas_close(&a);
}
END_TEST

/* What a taker gets, put behind each other. */
typedef struct {
    double *mean, *logp, *expected_entropy;
    int next;
} taken;

static bnn_status take_rows(void *context, int from, const bnn_prediction *rows) {
    taken *t = context;
    size_t n = (size_t)rows->n * (size_t)rows->sites;
    ck_assert_int_eq(from, t->next);
    memcpy(t->mean + (size_t)from * (size_t)rows->mean_dim, rows->mean, (size_t)rows->n * (size_t)rows->mean_dim * sizeof(double));
    memcpy(t->logp + (size_t)from * (size_t)rows->sites, rows->logp, n * sizeof(double));
    memcpy(t->expected_entropy + (size_t)from * (size_t)rows->sites, rows->expected_entropy, n * sizeof(double));
    t->next += rows->n;
    return BNN_OK;
}

static void assert_same_maps(const bnn_prediction *all, int from, const bnn_prediction *some) {
    size_t k = (size_t)all->mean_dim, sites = (size_t)all->sites, n = (size_t)some->n, row = (size_t)from;
    ck_assert_mem_eq(all->mean + row * k, some->mean, n * k * sizeof(double));
    ck_assert_mem_eq(all->logp + row * sites, some->logp, n * sites * sizeof(double));
    ck_assert_mem_eq(all->expected_entropy + row * sites, some->expected_entropy, n * sites * sizeof(double));
}

/* Maps so large that tallies are for one row at a time, and ranges for some: neither company, nor threads, nor a taker changes bits. */
START_TEST(large_maps_have_the_same_bits_in_any_company) {
    enum { MAPS = 8, MANY = 11, WIDE = 20000, CUT = 3 };
    static const int threads[] = {1, 2, 4};
    const bnn_predict_options how = {sizeof how, .samples = 6, .seed = SEED};
    atlas a;
    bnn_prediction *all, *some, *none;
    atlas_open(MAPS, MANY, WIDE, "mc_dropout", "dropout:0.4", &a);
    OK(bnn_predict(a.engine, &a.data, &how, &all));
    for (int t = 0; t < 3; t++) {
        omp_set_num_threads(threads[t]);
        for (int k = 0; k < 2; k++) {
            bnn_data part = some_maps(&a, k ? CUT : 0, k ? MAPS : CUT);
            OK(bnn_predict(a.engine, &part, &how, &some));
            assert_same_maps(all, k ? CUT : 0, some);
            bnn_prediction_free(some);
        }
    }
    taken t = {calloc((size_t)MAPS * MANY * WIDE, sizeof(double)), calloc((size_t)MAPS * WIDE, sizeof(double)),
               calloc((size_t)MAPS * WIDE, sizeof(double)), 0};
    bnn_taker taker = {take_rows, &t};
    bnn_predict_options streamed = how;
    streamed.taker = &taker;
    OK(bnn_predict(a.engine, &a.data, &streamed, &none));
    ck_assert(t.next == MAPS && none->n == MAPS && !none->mean && !none->logp && none->cost.forwards == 6);
    assert_same_maps(all, 0, &(bnn_prediction){.n = MAPS, .mean = t.mean, .logp = t.logp, .expected_entropy = t.expected_entropy});
    ck_assert_double_eq(none->cost.flops, all->cost.flops);
    bnn_metrics m[2];
    OK(bnn_metrics_compute(all, &a.data, &m[0]));
    OK(bnn_metrics_compute(none, &a.data, &m[1]));
    ck_assert_mem_eq(&m[0], &m[1], sizeof m[0]);
    free(t.mean), free(t.logp), free(t.expected_entropy);
    bnn_prediction_free(all), bnn_prediction_free(none);
    atlas_close(&a);
}
END_TEST

static bnn_status refuse_rows(void *context, int from, const bnn_prediction *rows) {
    (void)context, (void)rows;
    return bnn_fail(BNN_ERR_FILE, "no room for row %d", from);
}

START_TEST(a_taker_can_end_a_prediction) {
    predictor p;
    bnn_prediction *q;
    bnn_taker taker = {refuse_rows, NULL}, nobody = {NULL, NULL};
    bnn_predict_options how = {sizeof how, .samples = 2, .taker = &taker};
    open_case(3, 10, &p);
    SAYS(bnn_predict(p.engine, p.data, &how, &q), "no room for row 0");
    how.taker = &nobody;
    OK(bnn_predict(p.engine, p.data, &how, &q));
    ck_assert(!q->mean && q->samples == 2);
    bnn_prediction_free(q);
    how.drawn = 1;
    SAYS(bnn_predict(p.engine, p.data, &how, &q), "draws of y are of the whole prediction: ask for them without a taker");
    predictor_close(&p);
}
END_TEST

/* Two members' maps are mixed; draws of y are classes of pixels. */
START_TEST(mixtures_of_maps_and_draws_of_them) {
    enum { MAPS = 3, S = 8 };
    atlas a;
    bnn_prediction *q;
    bnn_step step;
    atlas_open(MAPS, CLASSES, SITES, "ensemble:members=2,engine=map{epochs=1}", "dropout:0.4", &a);
    OK(bnn_engine_step(a.engine, &a.data, &step));
    while (!step.done) OK(bnn_engine_step(a.engine, &a.data, &step));
    OK(bnn_predict(a.engine, &a.data, &(bnn_predict_options){sizeof(bnn_predict_options), .samples = S, .seed = SEED, .drawn = 4}, &q));
    ck_assert_int_eq(q->samples, 2);
    for (int i = 0; i < MAPS * SITES; i++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++) sum += q->mean[i / SITES * CLASSES * SITES + i % SITES + c * SITES];
        ck_assert_double_eq_tol(sum, 1, ROUNDING);
        ck_assert(isnan(q->logp[i]) == (a.y[i] < 0));
        for (int j = 0; j < 4; j++) ck_assert(q->y_drawn[i * 4 + j] >= 0 && q->y_drawn[i * 4 + j] < CLASSES);
    }
    bnn_prediction_free(q);
    atlas_close(&a);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {streamed_moments_are_those_of_stored_draws,
                                  log_densities_are_summed_in_logs,
                                  quantiles_and_scores_are_those_of_the_mixture,
                                  quantiles_and_scores_of_staircases,
                                  draws_of_y_are_those_of_the_draws,
                                  the_share_of_draws_is_reported,
                                  ranges_of_rows_do_not_change_bits,
                                  what_cannot_be_asked_is_refused,
                                  one_layer_of_dropout_has_its_moments,
                                  information_of_two_draws_is_known,
                                  threads_do_not_change_bits,
                                  rows_are_predicted_alike_in_any_company,
                                  equal_rows_have_equal_draws,
                                  predictions_are_in_the_units_of_y,
                                  a_point_takes_one_pass,
                                  new_rows_are_predicted_like_known_ones,
                                  what_does_not_fit_is_refused,
                                  maps_are_learned,
                                  maps_are_those_of_their_draws,
                                  large_maps_have_the_same_bits_in_any_company,
                                  a_taker_can_end_a_prediction,
                                  mixtures_of_maps_and_draws_of_them,
                                  NULL};
    return run_tests("predict", tests);
}
