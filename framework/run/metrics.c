/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/metrics.h>

#include <math.h>
#include <stddef.h>
#include <string.h>

double bnn_calibration_level(int i) { return 0.05 * (i + 1); }

double bnn_metrics_coverage(const bnn_prediction *p, double level) {
    int inside = 0, n = p->n * p->mean_dim;
    for (int i = 0; i < n; i++) inside += fabs(p->pit[i] - 0.5) <= 0.5 * level;
    return (double)inside / n;
}

double bnn_crps_gaussian(double y, double mean, double sd) {
    if (sd == 0) return fabs(y - mean);
    double z = (y - mean) / sd, cdf = 0.5 * erfc(-z * M_SQRT1_2), pdf = exp(-0.5 * z * z) / sqrt(2 * M_PI);
    return sd * (z * (2 * cdf - 1) + 2 * pdf - 1 / sqrt(M_PI));
}

static double target(const bnn_data *data, int i) {
    int k = i % data->y_dim;
    return (double)data->y[i] * data->scaling.y_sd[k] + data->scaling.y_mean[k];
}

static void regression(const bnn_prediction *p, const bnn_data *data, bnn_metrics *m) {
    int n = p->n * p->mean_dim;
    double squares = 0, epistemic = 0, aleatoric = 0;
    for (int i = 0; i < n; i++) {
        double y = target(data, i), error = y - p->mean[i];
        squares += error * error / n;
        m->crps += bnn_crps_gaussian(y, p->mean[i], sqrt(bnn_var_total(p, i))) / n;
        epistemic += p->var_epistemic[i] / n;
        aleatoric += p->var_aleatoric[i] / n;
    }
    m->rmse = sqrt(squares);
    m->sd_epistemic = sqrt(epistemic);
    m->sd_aleatoric = sqrt(aleatoric);
    for (int i = 0; i < BNN_CALIBRATION_LEVELS; i++) {
        m->coverage[i] = bnn_metrics_coverage(p, bnn_calibration_level(i));
        m->calibration_error += fabs(m->coverage[i] - bnn_calibration_level(i)) / BNN_CALIBRATION_LEVELS;
    }
}

static int most_probable(const double *p, int k) {
    int best = 0;
    for (int c = 1; c < k; c++)
        if (p[c] > p[best]) best = c;
    return best;
}

static void classes(const bnn_prediction *p, const bnn_data *data, bnn_metrics *m) {
    double confidence[BNN_ECE_BINS] = {0}, right[BNN_ECE_BINS] = {0};
    for (int i = 0; i < p->n; i++) {
        const double *q = p->mean + (size_t)i * (size_t)p->mean_dim;
        int y = (int)data->y[i], best = most_probable(q, p->mean_dim), bin = (int)(q[best] * BNN_ECE_BINS);
        if (bin >= BNN_ECE_BINS) bin = BNN_ECE_BINS - 1;
        confidence[bin] += q[best] / p->n;
        right[bin] += (double)(best == y) / p->n;
        m->accuracy += (double)(best == y) / p->n;
        for (int c = 0; c < p->mean_dim; c++) m->brier += (q[c] - (c == y)) * (q[c] - (c == y)) / p->n;
        m->mean_entropy += bnn_prediction_entropy(p, i) / p->n;
        m->mean_mutual_information += bnn_prediction_mutual_information(p, i) / p->n;
    }
    for (int b = 0; b < BNN_ECE_BINS; b++) m->ece += fabs(confidence[b] - right[b]);
}

static void log_likelihood(const bnn_prediction *p, bnn_metrics *m) {
    double squares = 0;
    for (int i = 0; i < p->n; i++) m->ll += p->logp[i] / p->n;
    for (int i = 0; i < p->n; i++) squares += (p->logp[i] - m->ll) * (p->logp[i] - m->ll);
    m->ll_se = p->n > 1 ? sqrt(squares / (p->n - 1) / p->n) : 0;
}

bnn_status bnn_metrics_compute(const bnn_prediction *prediction, const bnn_data *data, bnn_metrics *out) {
    if (!prediction->has_target) return bnn_fail(BNN_ERR_DATA, "metrics need targets, but the prediction was made without them");
    if (prediction->n == 0) return bnn_fail(BNN_ERR_DATA, "metrics need at least one row");
    *out = (bnn_metrics){.is_class = prediction->is_class, .n = prediction->n};
    log_likelihood(prediction, out);
    if (prediction->is_class)
        classes(prediction, data, out);
    else
        regression(prediction, data, out);
    return BNN_OK;
}

/* ---------------------------------------------------------------- scores by name */

enum { BOTH, REAL, CLASSES };
static const struct {
    const char *name;
    size_t offset; /* in bnn_metrics */
    int of;        /* targets that it is a score of */
} scores[] = {{"ll", offsetof(bnn_metrics, ll), BOTH},
              {"ll_se", offsetof(bnn_metrics, ll_se), BOTH},
              {"rmse", offsetof(bnn_metrics, rmse), REAL},
              {"crps", offsetof(bnn_metrics, crps), REAL},
              {"calibration_error", offsetof(bnn_metrics, calibration_error), REAL},
              {"sd_epistemic", offsetof(bnn_metrics, sd_epistemic), REAL},
              {"sd_aleatoric", offsetof(bnn_metrics, sd_aleatoric), REAL},
              {"accuracy", offsetof(bnn_metrics, accuracy), CLASSES},
              {"brier", offsetof(bnn_metrics, brier), CLASSES},
              {"ece", offsetof(bnn_metrics, ece), CLASSES},
              {"mean_entropy", offsetof(bnn_metrics, mean_entropy), CLASSES},
              {"mean_mutual_information", offsetof(bnn_metrics, mean_mutual_information), CLASSES}};
enum { N_SCORES = sizeof scores / sizeof *scores };

const char *bnn_score_name(int i) { return i >= 0 && i < N_SCORES ? scores[i].name : NULL; }

bnn_status bnn_prediction_score(const bnn_prediction *prediction, const bnn_data *data, const char *name, double *out) {
    bnn_metrics m;
    int k = 0;
    while (k < N_SCORES && strcmp(scores[k].name, name) != 0) k++;
    if (k == N_SCORES) return bnn_fail(BNN_ERR_NAME, "there is no score '%s': metrics.h has the list", name);
    if (scores[k].of != BOTH && (scores[k].of == CLASSES) != prediction->is_class)
        return bnn_fail(BNN_ERR_DATA, "'%s' is a score of %s, the targets are %s", name, prediction->is_class ? "real targets" : "classes",
                        prediction->is_class ? "classes" : "real");
    BNN_TRY(bnn_metrics_compute(prediction, data, &m));
    memcpy(out, (const char *)&m + scores[k].offset, sizeof *out);
    return BNN_OK;
}
