/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * scaling.c: temperature, vector and variance scaling.
 */
#include "calibration.h"

#include <float.h>
#include <gsl/gsl_multimin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void bnn_calibration_set(const bnn_data *rows, bnn_prediction *p, size_t i, const double *q) {
    double information = bnn_prediction_mutual_information(p, (int)i);
    for (int c = 0; c < bnn_prediction_width(p); c++) p->mean[bnn_class_at(p, i, c)] = q[c];
    p->expected_entropy[i] = fmax(0, bnn_prediction_entropy(p, (int)i) - information);
    if (p->has_target && rows->y[i] >= 0) p->logp[i] = log(q[(int)rows->y[i]]);
}

/* Probabilities and what becomes of them: p' ~ p^w exp(b). w and b of each class; step: 0 where one stands for all. */
typedef struct {
    const double *w, *b;
    int step;
} powers;

static void raise(const powers *by, const bnn_prediction *p, size_t i, double *q) {
    const int K = bnn_prediction_width(p);
    double most = -INFINITY, sum = 0;
    for (int c = 0; c < K; c++) {
        q[c] = by->w[c * by->step] * log(fmax(p->mean[bnn_class_at(p, i, c)], DBL_MIN)) + (by->b ? by->b[c] : 0);
        most = fmax(most, q[c]);
    }
    for (int c = 0; c < K; c++) q[c] = exp(q[c] - most), sum += q[c];
    for (int c = 0; c < K; c++) q[c] /= sum;
}

static bnn_status raise_all(const powers *by, const bnn_data *rows, bnn_prediction *p) {
    double *q = malloc((size_t)bnn_prediction_width(p) * sizeof *q);
    for (size_t i = 0; q && i < bnn_observations(p); i++) {
        raise(by, p, i, q);
        bnn_calibration_set(rows, p, i, q);
    }
    free(q);
    return q ? BNN_OK : bnn_oom("probabilities");
}

/* The loss that is minimised over w and b. */
typedef struct {
    const bnn_prediction *p;
    const bnn_data *rows;
    double *q; /* [K] */
} loss;

static bool is_void(const loss *l, size_t i) { return l->rows->y[i] < 0; }
static double weight_of(const loss *l, size_t i) { return bnn_row_weight(l->rows, (int)(i / (size_t)l->rows->y_dim)); }

static double nll_of(const loss *l, const powers *by, size_t i) {
    raise(by, l->p, i, l->q);
    return -weight_of(l, i) * log(fmax(l->q[(int)l->rows->y[i]], DBL_MIN));
}

/* ---- temperature ---- */

static double nll_at(double log_temperature, void *of) {
    const loss *l = of;
    double w = exp(-log_temperature), sum = 0;
    for (size_t i = 0; i < bnn_observations(l->p); i++) sum += is_void(l, i) ? 0 : nll_of(l, &(powers){&w, NULL, 0}, i);
    return sum;
}

static size_t one(const bnn_prediction *p) { return (void)p, 1; }

/* Its minimum in one variable, in which it has no other (it is convex in 1/T); at an end of the range where it falls to there. */
static bnn_status fit_temperature(const bnn_prediction *p, const bnn_data *rows, bnn_calibration *c) {
    enum { STEPS = 200 };
    loss l = {p, rows, malloc((size_t)bnn_prediction_width(p) * sizeof(double))};
    if (!l.q) return bnn_oom("probabilities");
    double low = -log(BNN_HOTTEST), high = log(BNN_HOTTEST);
    for (int i = 0; i < STEPS && high - low > 1e-10; i++) { /* golden section */
        double part = (high - low) * (3 - sqrt(5)) / 2, a = low + part, b = high - part;
        if (nll_at(a, &l) <= nll_at(b, &l))
            high = b;
        else
            low = a;
    }
    free(l.q);
    c->n = 1, c->value[0] = exp((low + high) / 2);
    return BNN_OK;
}

static bnn_status apply_temperature(const bnn_calibration *c, const bnn_data *rows, bnn_prediction *p) {
    double w = 1 / c->value[0];
    return raise_all(&(powers){&w, NULL, 0}, rows, p);
}

const bnn_calibrator bnn_calibrator_temperature = {"temperature", true, false, one, fit_temperature, apply_temperature};

/* ---- vector ---- */

static size_t two_for_each(const bnn_prediction *p) { return 2 * (size_t)bnn_prediction_width(p); }

/* -log likelihood and prior, and where wanted their gradient. */
static double objective(const gsl_vector *at, void *of, gsl_vector *gradient) {
    const loss *l = of;
    int K = bnn_prediction_width(l->p);
    powers by = {at->data, at->data + K, 1};
    double sum = 0;
    for (int c = 0; c < K; c++) sum += 0.5 * (pow(by.w[c] - 1, 2) + pow(by.b[c], 2));
    for (int c = 0; gradient && c < K; c++) gradient->data[c] = by.w[c] - 1, gradient->data[K + c] = by.b[c];
    for (size_t i = 0; i < bnn_observations(l->p); i++) {
        if (is_void(l, i)) continue;
        sum += nll_of(l, &by, i);
        for (int c = 0; gradient && c < K; c++) {
            double d = weight_of(l, i) * (l->q[c] - (c == (int)l->rows->y[i])), p = l->p->mean[bnn_class_at(l->p, i, c)];
            gradient->data[c] += d * log(fmax(p, DBL_MIN)), gradient->data[K + c] += d;
        }
    }
    return sum;
}

static double value_alone(const gsl_vector *at, void *of) { return objective(at, of, NULL); }
static void gradient_alone(const gsl_vector *at, void *of, gsl_vector *gradient) { objective(at, of, gradient); }
static void both(const gsl_vector *at, void *of, double *value, gsl_vector *gradient) { *value = objective(at, of, gradient); }

static bnn_status fit_vector(const bnn_prediction *p, const bnn_data *rows, bnn_calibration *c) {
    enum { STEPS = 500 };
    size_t n = two_for_each(p);
    loss l = {p, rows, malloc(n / 2 * sizeof(double))};
    gsl_multimin_function_fdf f = {value_alone, gradient_alone, both, n, &l};
    gsl_multimin_fdfminimizer *m = gsl_multimin_fdfminimizer_alloc(gsl_multimin_fdfminimizer_vector_bfgs2, n);
    gsl_vector *start = gsl_vector_calloc(n);
    bnn_status s = l.q && m && start ? BNN_OK : bnn_oom("vector scaling");
    for (size_t k = 0; s == BNN_OK && k < n / 2; k++) start->data[k] = 1;
    if (s == BNN_OK) gsl_multimin_fdfminimizer_set(m, &f, start, 0.1, 0.1);
    for (int i = 0; s == BNN_OK && i < STEPS; i++)
        if (gsl_multimin_fdfminimizer_iterate(m) != GSL_SUCCESS || gsl_multimin_test_gradient(m->gradient, 1e-6) == GSL_SUCCESS) break;
    c->n = (int)n;
    for (size_t k = 0; s == BNN_OK && k < n; k++) c->value[k] = m->x->data[k];
    gsl_multimin_fdfminimizer_free(m);
    gsl_vector_free(start);
    free(l.q);
    return s;
}

static bnn_status apply_vector(const bnn_calibration *c, const bnn_data *rows, bnn_prediction *p) {
    return raise_all(&(powers){c->value, c->value + c->dim, 1}, rows, p);
}

const bnn_calibrator bnn_calibrator_vector = {"vector", true, false, two_for_each, fit_vector, apply_vector};

/* ---- variance ---- */

static size_t one_for_each(const bnn_prediction *p) { return (size_t)p->mean_dim; }

static bnn_status fit_variance(const bnn_prediction *p, const bnn_data *rows, bnn_calibration *c) {
    c->n = p->mean_dim;
    for (int k = 0; k < p->mean_dim; k++) {
        double sum = 0, weight = 0;
        for (int i = 0; i < p->n; i++) {
            int at = i * p->mean_dim + k;
            weight += bnn_row_weight(rows, i);
            sum += bnn_row_weight(rows, i) * pow(bnn_target_at(rows, i, k) - p->mean[at], 2) / bnn_var_total(p, at);
        }
        c->value[k] = sqrt(sum / weight);
        if (!(c->value[k] > 0 && c->value[k] < INFINITY))
            return bnn_fail(BNN_ERR_NUMERIC, "errors of target %d are %g predictive sd: a distribution cannot be stretched so", k + 1,
                            c->value[k]);
    }
    return BNN_OK;
}

static bnn_status apply_variance(const bnn_calibration *c, const bnn_data *rows, bnn_prediction *p) {
    (void)rows;
    for (int i = 0; i < p->n * p->mean_dim; i++) {
        double s = c->value[i % p->mean_dim], mean = p->mean[i];
        double *quantile = p->quantile + (size_t)i * (size_t)p->n_levels, *drawn = p->y_drawn + (size_t)i * (size_t)p->drawn;
        p->var_epistemic[i] *= s * s, p->var_aleatoric[i] *= s * s;
        for (int l = 0; l < p->n_levels; l++) quantile[l] = mean + s * (quantile[l] - mean);
        for (int j = 0; j < p->drawn; j++) drawn[j] = mean + s * (drawn[j] - mean);
    }
    return BNN_OK;
}

const bnn_calibrator bnn_calibrator_variance = {"variance", false, false, one_for_each, fit_variance, apply_variance};
