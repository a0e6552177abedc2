/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * shapes.c: samplers on posteriors that are no Gaussians, by closed forms of Gamma variables and by quadrature.
 */
#include "engine.h"
#include "check/numeric.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_psi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEEN = 10, DRAWS = 4000 };

/* Some number of a draw: what it is called, its value, and its mean and sd under the posterior. */
typedef struct {
    const char *name;
    double (*of)(const bnn_real *theta);
    double mean, sd;
} observable;

/* ---------------------------------------------------------------- judgement */

static void judge_one(bnn_checker *c, const bnn_engine *e, int draws, const double *values, double error, const observable *o) {
    bnn_case_estimate is = bnn_case_mean(bnn_case_chains(e), draws, values);
    double most = error * o->sd + is.chance + 10 * ROUNDING;
    if (!(fabs(is.mean - o->mean) <= most))
        bnn_checker_break(c, "%s is %.4g on average, where %.4g (sd %.4g) is right, and by the claim and by chance it may be %.2g off",
                          o->name, is.mean, o->mean, o->sd, most);
    if (is.error > 0.25 * o->sd)
        bnn_checker_break(c, "%s has the mean %.4g +- %.2g with an sd of %.4g: the draws are too few, do not move, or run away", o->name,
                          is.mean, is.error, o->sd);
}

static bnn_status judge(bnn_checker *c, const bnn_engine_case *k, const bnn_engine *e, int n_seen, const observable *seen) {
    int draws = bnn_case_draws(e, DRAWS);
    size_t n = (size_t)e->model->n_theta;
    bnn_real *theta = calloc((size_t)draws * n + 1, sizeof *theta);
    double *values = calloc((size_t)draws + 1, sizeof *values);
    bnn_status s = theta && values ? BNN_OK : bnn_oom("a rule");
    for (int i = 0; i < draws && s == BNN_OK; i++) s = bnn_engine_draw(e, i, bnn_case_stream(i), theta + (size_t)i * n);
    for (int f = 0; f < n_seen && s == BNN_OK; f++) {
        for (int i = 0; i < draws; i++) values[i] = seen[f].of(theta + (size_t)i * n);
        judge_one(c, e, draws, values, k->claim->error, &seen[f]);
    }
    free(theta), free(values);
    return s;
}

static bool claims_shape(bnn_checker *c, const bnn_engine_case *k) {
    if (k->claim->finds == BNN_FINDS_POSTERIOR) return true;
    bnn_checker_skip(c, "does not claim posteriors of other shapes than a Gaussian's");
    return false;
}

static bnn_status fit_and_judge(bnn_checker *c, const bnn_engine_case *k, const bnn_texts *texts, const bnn_data *data, int n_seen,
                                const observable *seen) {
    bnn_engine *e;
    BNN_TRY(bnn_case_fit(k->spec, texts, data, 9, &e));
    bnn_status s = judge(c, k, bnn_engine_fitted(e), n_seen, seen);
    bnn_engine_free(e);
    return s;
}

/* ---------------------------------------------------------------- a funnel */

/* Three weights w with one log variance s: theta = (w, s), and rows that say nothing. The precision e^-s has the Gamma distribution of
 * shape a and rate b = a sd^2 (prior.h), so E s = log b - psi(a), Var s = psi_1(a), and w has Student's t distribution of 2 a degrees of
 * freedom.
 */
enum { SCALE = BNN_CASE_IN };
static const double shape = 2;
static double log_scale(void) { return log(shape) - gsl_sf_psi(shape); }
static double log_scale_sd(void) { return sqrt(gsl_sf_psi_1(shape)); }

static double funnel_z(const bnn_real *q) { return ((double)q[SCALE] - log_scale()) / log_scale_sd(); }
static double funnel_z2(const bnn_real *q) { return funnel_z(q) * funnel_z(q); }
static double funnel_low(const bnn_real *q) { return funnel_z(q) < -1; }
static double funnel_size(const bnn_real *q) { return fabs((double)q[0]); }
static double funnel_ratio(const bnn_real *q) { return (double)q[1] * (double)q[1] * exp(-(double)q[SCALE]); }

bnn_status bnn_rule_funnel(bnn_checker *c, const bnn_engine_case *k) {
    bnn_case_rows rows;
    bnn_texts texts = {
        .net = "dense:bias=no", .likelihood = "gaussian:tau=1e-9", .prior = "hierarchical:sd=1,bias_sd=1,shape=2,scale=none"};
    if (!claims_shape(c, k)) return BNN_OK;
    double low = gsl_cdf_gamma_Q(exp(-log_scale() + log_scale_sd()), shape, 1 / shape);
    /* E |t| = 1 of 4 degrees of freedom, its second moment 2; of z^2 and w^2 / e^s the sd is that of squares of about normal numbers */
    const observable seen[] = {{"the log variance, standardised,", funnel_z, 0, 1},
                               {"its square", funnel_z2, 1, M_SQRT2},
                               {"P(it is below -1)", funnel_low, low, sqrt(low * (1 - low))},
                               {"|w|", funnel_size, 1, 1},
                               {"w^2 / variance", funnel_ratio, 1, M_SQRT2}};
    BNN_TRY(bnn_case_rows_open(4, 1, 0, &rows));
    bnn_status s = fit_and_judge(c, k, &texts, rows.data, sizeof seen / sizeof *seen, seen);
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- one tanh unit */

/* y = v tanh(a x + b) + e: theta = (a, b, v), or (a, v) without bias; all N(0, 1) before the data. Changing all signs changes nothing, so
 * there are two modes. */
enum { POINTS = 10 };
static double tau_of(const bnn_data *data, double tau) { return tau * data->scaling.y_sd[0] * data->scaling.y_sd[0]; }

static bnn_status unit_rows(bnn_case_rows *out) {
    bnn_real noise[POINTS * 2];
    bnn_rng_normal(bnn_rng_seed(72), 0, POINTS, 2, noise);
    *out = (bnn_case_rows){0};
    BNN_TRY(bnn_table_new(POINTS, bnn_shape_vector(1), 1, 0, &out->table));
    for (int i = 0; i < POINTS; i++) {
        out->table->x[i] = (double)noise[2 * i];
        out->table->y[i] = 2 * tanh(1.5 * (double)noise[2 * i]) + (double)noise[2 * i + 1];
    }
    bnn_status s = bnn_data_split(out->table, -1, BNN_TRAIN, NULL, &out->data);
    if (s < 0) bnn_case_rows_close(out);
    return s;
}

/* Given a and b, v is N(mean, var); *log_mass: log of the integral of exp(-U) over v, constants apart. */
static void output_weight(const bnn_data *data, double tau, double a, double b, double *mean, double *var, double *log_mass) {
    double tt = 0, ty = 0;
    for (int r = 0; r < data->n; r++) {
        double t = tanh(a * (double)data->x[r] + b);
        tt += t * t, ty += t * (double)data->y[r];
    }
    *var = 1 / (1 + tau * tt);
    *mean = *var * tau * ty;
    *log_mass = 0.5 * (*mean * *mean / *var + log(*var) - a * a - b * b);
}

/* Sums over a grid of a and b, which for such smooth densities are exact to rounding; over v by three points of Gauss and Hermite, exact
 * for what is of fifth degree in v. */
static void integrate(const bnn_data *data, double tau, bool bias, int n_seen, observable *seen) {
    enum { HALF = 60 };
    const double h = 0.1, node[] = {-1.7320508075688772, 0, 1.7320508075688772}, weight[] = {1. / 6, 2. / 3, 1. / 6};
    double mass = 0, squares[MOST_SEEN] = {0};
    for (int f = 0; f < n_seen; f++) seen[f].mean = 0;
    for (int i = -HALF; i <= HALF; i++)
        for (int j = bias ? -HALF : 0; j <= (bias ? HALF : 0); j++) {
            double mean, var, log_mass;
            output_weight(data, tau, h * i, h * j, &mean, &var, &log_mass);
            mass += exp(log_mass);
            for (int k = 0; k < 3; k++) {
                bnn_real q[3] = {(bnn_real)(h * i), (bnn_real)(h * j)}, v = (bnn_real)(mean + node[k] * sqrt(var));
                q[bias ? 2 : 1] = v;
                for (int f = 0; f < n_seen; f++) {
                    double value = seen[f].of(q), p = weight[k] * exp(log_mass);
                    seen[f].mean += p * value, squares[f] += p * value * value;
                }
            }
        }
    for (int f = 0; f < n_seen; f++) {
        seen[f].mean /= mass;
        seen[f].sd = sqrt(squares[f] / mass - seen[f].mean * seen[f].mean);
    }
}

static double first(const bnn_real *q) { return (double)q[0]; }
static double first_size(const bnn_real *q) { return fabs((double)q[0]); }
static double first_square(const bnn_real *q) { return (double)q[0] * (double)q[0]; }
static double second(const bnn_real *q) { return (double)q[1]; }
static double second_square(const bnn_real *q) { return (double)q[1] * (double)q[1]; }
static double third_square(const bnn_real *q) { return (double)q[2] * (double)q[2]; }
static double first_by_second(const bnn_real *q) { return (double)q[0] * (double)q[1]; }
static double is_right(const bnn_real *q) { return q[0] > 0 ? 1 : q[0] < 0 ? 0 : 0.5; }
static double at_one(const bnn_real *q) { return (double)q[1] * tanh((double)q[0]); }
static double at_one_with_bias(const bnn_real *q) { return (double)q[2] * tanh((double)q[0] + (double)q[1]); }

static bnn_status judge_unit(bnn_checker *c, const bnn_engine_case *k, bool bias, double tau, int n_seen, observable *seen) {
    bnn_case_rows rows;
    char likelihood[64];
    bnn_print(likelihood, sizeof likelihood, "gaussian:tau=%g", tau);
    bnn_texts texts = {.net = bias ? "dense:1; tanh; dense:1,bias=no" : "dense:1,bias=no; tanh; dense:1,bias=no",
                       .likelihood = likelihood,
                       .prior = "gauss"};
    if (!claims_shape(c, k)) return BNN_OK;
    BNN_TRY(unit_rows(&rows));
    integrate(rows.data, tau_of(rows.data, tau), bias, n_seen, seen);
    bnn_status s = fit_and_judge(c, k, &texts, rows.data, n_seen, seen);
    bnn_case_rows_close(&rows);
    return s;
}

bnn_status bnn_rule_two_modes(bnn_checker *c, const bnn_engine_case *k) {
    observable seen[] = {{"a", first, 0, 0},           {"P(a > 0)", is_right, 0, 0},   {"|a|", first_size, 0, 0},
                         {"v^2", second_square, 0, 0}, {"a v", first_by_second, 0, 0}, {"f(1)", at_one, 0, 0}};
    return judge_unit(c, k, false, 0.2, sizeof seen / sizeof *seen, seen);
}

bnn_status bnn_rule_tiny(bnn_checker *c, const bnn_engine_case *k) {
    observable seen[] = {{"a^2", first_square, 0, 0},    {"b", second, 0, 0},
                         {"b^2", second_square, 0, 0},   {"v^2", third_square, 0, 0},
                         {"a b", first_by_second, 0, 0}, {"f(1)", at_one_with_bias, 0, 0}};
    return judge_unit(c, k, true, 0.1, sizeof seen / sizeof *seen, seen);
}
