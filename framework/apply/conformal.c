/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conformal.c: intervals and sets that hold a new target with a given probability, whatever the run is worth.
 */
#include "calibration.h"

#include <bnn/metrics.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

static int rising(const void *a, const void *b) {
    double s = *(const double *)a, t = *(const double *)b;
    return (s > t) - (s < t);
}

/* The ceil((n+1) level)-th smallest of score[n], which is sorted. Rounding may not take a level such as 0.9 beyond a whole number. */
static bnn_status take_quantile(int n, double *score, double level, double *q) {
    double k = ceil((n + 1.0) * level * (1 - 1e-12));
    if (k > n)
        return bnn_fail(BNN_ERR_DATA, "%d rows are too few for conformal intervals or sets of level %g: %d are needed", n, level,
                        (int)ceil(level / (1 - level) * (1 - 1e-12)));
    for (int i = 0; i < n; i++)
        if (isnan(score[i])) return bnn_fail(BNN_ERR_NUMERIC, "the conformal score of a row is not a number: its prediction is not finite");
    qsort(score, (size_t)n, sizeof *score, rising);
    *q = score[(int)k - 1];
    return BNN_OK;
}

/* ---------------------------------------------------------------- intervals */

bool bnn_calibration_ends(const bnn_calibration *c, double ends[2]) {
    ends[0] = 0.5 * (1 - c->level), ends[1] = 0.5 * (1 + c->level);
    return c->method == BNN_CALIBRATE_SPLIT || c->method == BNN_CALIBRATE_NORMALISED || c->method == BNN_CALIBRATE_CQR;
}

/* Finds where a prediction has the quantiles at the two ends of the interval; false: it does not have both. */
static bool find_quantiles(const bnn_calibration *c, const bnn_prediction *p, int at[2]) {
    double ends[2];
    at[0] = at[1] = -1;
    if (!bnn_calibration_ends(c, ends)) return false;
    for (int k = 0; k < 2; k++)
        for (int l = 0; l < p->n_levels; l++)
            if (fabs(p->levels[l] - ends[k]) < 1e-9) at[k] = l;
    return at[0] >= 0 && at[1] >= 0;
}

static double *quantile_at(const bnn_prediction *p, int cell, int level) {
    return p->quantile + (size_t)cell * (size_t)p->n_levels + (size_t)level;
}

/* The unit of q, and the interval that q widens; at: the quantiles of cqr. */
typedef struct {
    double lo, hi, unit;
} core;

static core core_of(const bnn_calibration *c, const bnn_prediction *p, int cell, const int at[2]) {
    if (c->method == BNN_CALIBRATE_CQR) return (core){*quantile_at(p, cell, at[0]), *quantile_at(p, cell, at[1]), 1};
    return (core){p->mean[cell], p->mean[cell], c->method == BNN_CALIBRATE_NORMALISED ? sqrt(bnn_var_total(p, cell)) : 1};
}

static size_t one_for_each(const bnn_prediction *p) { return (size_t)p->mean_dim; }

static bnn_status fit_intervals(const bnn_prediction *p, const bnn_data *rows, bnn_calibration *c) {
    int at[2];
    if (!find_quantiles(c, p, at) && c->method == BNN_CALIBRATE_CQR)
        return bnn_fail(BNN_ERR_OPTION, "cqr needs predictive quantiles at the ends of the interval of level %g", c->level);
    double *score = malloc((size_t)p->n * sizeof *score);
    bnn_status s = score ? BNN_OK : bnn_oom("scores of %d rows", p->n);
    for (int k = 0; s == BNN_OK && k < p->mean_dim; k++) {
        for (int i = 0; i < p->n; i++) {
            core inner = core_of(c, p, i * p->mean_dim + k, at);
            double y = bnn_target_at(rows, i, k);
            score[i] = fmax(inner.lo - y, y - inner.hi) / inner.unit;
        }
        s = take_quantile(p->n, score, c->level, &c->value[k]);
    }
    c->n = p->mean_dim;
    free(score);
    return s;
}

/* How far an end, so far from the mean, moves out for an error of the mean: as a standard deviation grows by a variance. */
static double move_out(double end, double mean, double error) { return hypot(end - mean, error) - fabs(end - mean); }

/* An interval that q < 0 would turn round is a point. */
static bnn_status apply_intervals(const bnn_calibration *c, const bnn_data *rows, bnn_prediction *p) {
    double z = gsl_cdf_ugaussian_Pinv(0.5 * (1 + c->level));
    int at[2];
    (void)rows;
    if (!find_quantiles(c, p, at)) return BNN_OK;
    for (int i = 0; i < p->n * p->mean_dim; i++) {
        core inner = core_of(c, p, i, at);
        double out = c->value[i % p->mean_dim] * inner.unit, middle = 0.5 * (inner.lo + inner.hi), error = z * p->mean_mcse[i];
        double lo = fmin(inner.lo - out, middle), hi = fmax(inner.hi + out, middle);
        *quantile_at(p, i, at[0]) = lo - move_out(lo, p->mean[i], error);
        *quantile_at(p, i, at[1]) = hi + move_out(hi, p->mean[i], error);
    }
    return BNN_OK;
}

const bnn_calibrator bnn_calibrator_split = {"split", false, true, one_for_each, fit_intervals, apply_intervals};
const bnn_calibrator bnn_calibrator_normalised = {"normalised", false, true, one_for_each, fit_intervals, apply_intervals};
const bnn_calibrator bnn_calibrator_cqr = {"cqr", false, true, one_for_each, fit_intervals, apply_intervals};

/* ---------------------------------------------------------------- sets */

enum { ON_CALIBRATION, ON_NEW }; /* streams of random numbers: a row that has the number of another is not to share its own */

static double uniform_of(const bnn_calibration *c, int stream, int row) {
    bnn_real u;
    bnn_rng rng = bnn_rng_split(bnn_rng_split(bnn_rng_seed(c->seed), BNN_STREAM_SETS), (uint64_t)stream);
    bnn_rng_uniform(rng, (uint64_t)row, 1, 1, &u);
    return (double)u;
}

/* The score of class k in a row of probabilities p[K]: small where it is probable. */
static double score_of(const bnn_calibration *c, const double *p, int K, int k, double u) {
    double before = 0;
    int rank = 1;
    if (c->method == BNN_CALIBRATE_LAC) return 1 - p[k];
    for (int j = 0; j < K; j++)
        if (p[j] > p[k] || (p[j] == p[k] && j < k)) before += p[j], rank++;
    double penalty = c->method == BNN_CALIBRATE_RAPS && rank > c->rank ? c->penalty * (rank - c->rank) : 0;
    return before + u * p[k] + penalty;
}

static size_t one(const bnn_prediction *p) { return (void)p, 1; }

static bnn_status fit_sets(const bnn_prediction *p, const bnn_data *rows, bnn_calibration *c) {
    double *score = malloc((size_t)p->n * sizeof *score);
    if (!score) return bnn_oom("scores of %d rows", p->n);
    for (int i = 0; i < p->n; i++)
        score[i] = score_of(c, p->mean + (size_t)i * (size_t)p->mean_dim, p->mean_dim, (int)rows->y[i],
                            uniform_of(c, ON_CALIBRATION, rows->rows[i]));
    bnn_status s = take_quantile(p->n, score, c->level, &c->value[0]);
    c->n = 1;
    free(score);
    return s;
}

static bnn_status apply_sets(const bnn_calibration *c, const bnn_data *rows, bnn_prediction *p) {
    size_t K = (size_t)p->mean_dim;
    if (!p->set && !(p->set = malloc((size_t)p->n * K + 1))) return bnn_oom("sets of %d rows", p->n);
    for (size_t i = 0; i < (size_t)p->n; i++) {
        double u = uniform_of(c, ON_NEW, rows->rows[i]);
        for (size_t k = 0; k < K; k++) p->set[i * K + k] = score_of(c, p->mean + i * K, p->mean_dim, (int)k, u) <= c->value[0];
    }
    return BNN_OK;
}

const bnn_calibrator bnn_calibrator_lac = {"lac", true, true, one, fit_sets, apply_sets};
const bnn_calibrator bnn_calibrator_aps = {"aps", true, true, one, fit_sets, apply_sets};
const bnn_calibrator bnn_calibrator_raps = {"raps", true, true, one, fit_sets, apply_sets};

/* ---------------------------------------------------------------- what they do */

static void measure_intervals(const bnn_prediction *p, const bnn_data *rows, const int at[2], bnn_conformity *out) {
    double cells = (double)p->n * p->mean_dim;
    for (int i = 0; i < p->n * p->mean_dim; i++) {
        int k = i % p->mean_dim;
        double y = bnn_target_at(rows, i / p->mean_dim, k), lo = *quantile_at(p, i, at[0]), hi = *quantile_at(p, i, at[1]);
        out->coverage += (lo <= y && y <= hi) / cells;
        out->width += (hi - lo) / (p->mean_dim > 1 ? rows->scaling.y_sd[k] : 1) / cells;
    }
}

static void measure_sets(const bnn_prediction *p, const bnn_data *rows, bnn_conformity *out) {
    for (int i = 0; i < p->n; i++) {
        const int8_t *set = p->set + (size_t)i * (size_t)p->mean_dim;
        int size = 0;
        for (int k = 0; k < p->mean_dim; k++) size += set[k];
        out->coverage += (double)set[(int)rows->y[i]] / p->n;
        out->width += (double)size / p->n, out->empty += (size == 0) / (double)p->n;
    }
}

bnn_status bnn_calibration_measure(const bnn_calibration *c, const bnn_prediction *p, const bnn_data *rows, bnn_conformity *out) {
    int at[2];
    *out = (bnn_conformity){.se = bnn_coverage_se(c->level, p->n)};
    if (!p->has_target) return bnn_fail(BNN_ERR_DATA, "coverage is measured on rows with targets");
    if (p->is_class ? !p->set : !find_quantiles(c, p, at))
        return bnn_fail(BNN_ERR_STATE, "the prediction has no conformal %s", p->is_class ? "sets" : "intervals");
    if (p->is_class)
        measure_sets(p, rows, out);
    else
        measure_intervals(p, rows, at, out);
    return BNN_OK;
}
