/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "map_scores.h"
#include "run/predict/maps.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

double bnn_calibration_level(int i) { return 0.05 * (i + 1); }

double bnn_coverage_se(double level, double rows) { return sqrt(level * (1 - level) / rows); }

static double weight_of(const bnn_data *data, int row) { return data->weight ? data->weight[row] : 1; }

static double total_weight(const bnn_data *data, int n) {
    double total = 0;
    for (int i = 0; i < n; i++) total += weight_of(data, i);
    return total;
}

/* ---------------------------------------------------------------- real targets */

enum { ALL = -1 }; /* targets */

static double coverage(const bnn_prediction *p, const bnn_data *data, int target, double level) {
    double inside = 0, all = 0;
    for (int i = 0; i < p->n * p->mean_dim; i++) {
        if (target != ALL && i % p->mean_dim != target) continue;
        double w = weight_of(data, i / p->mean_dim);
        all += w;
        inside += w * (fabs(p->pit[i] - 0.5) <= 0.5 * level);
    }
    return inside / all;
}

double bnn_metrics_coverage(const bnn_prediction *p, const bnn_data *data, double level) { return coverage(p, data, ALL, level); }

static void intervals(const bnn_prediction *p, const bnn_data *data, int target, bnn_metrics *m) {
    for (int i = 0; i < BNN_CALIBRATION_LEVELS; i++) {
        m->coverage[i] = coverage(p, data, target, bnn_calibration_level(i));
        m->calibration_error += fabs(m->coverage[i] - bnn_calibration_level(i)) / BNN_CALIBRATION_LEVELS;
        m->coverage_error += (m->coverage[i] - bnn_calibration_level(i)) / BNN_CALIBRATION_LEVELS;
    }
}

double bnn_crps_gaussian(double y, double mean, double sd) {
    if (sd == 0) return fabs(y - mean);
    double z = (y - mean) / sd, cdf = 0.5 * erfc(-z * M_SQRT1_2), pdf = exp(-0.5 * z * z) / sqrt(2 * M_PI);
    return sd * (z * (2 * cdf - 1) + 2 * pdf - 1 / sqrt(M_PI));
}

static double target_at(const bnn_data *data, int row, int k) {
    return (double)data->y[row * data->y_dim + k] * data->scaling.y_sd[k] + data->scaling.y_mean[k];
}

/* Variance of a target around its mean. From the first row on, so that of a constant it is 0. */
static double target_variance(const bnn_data *data, int n, int k, double total) {
    double first = target_at(data, 0, k), mean = 0, squares = 0;
    for (int i = 0; i < n; i++) mean += weight_of(data, i) * (target_at(data, i, k) - first) / total;
    for (int i = 0; i < n; i++) squares += weight_of(data, i) * pow(target_at(data, i, k) - first - mean, 2) / total;
    return squares;
}

static void one_target(const bnn_prediction *p, const bnn_data *data, int k, bnn_metrics *m) {
    double squares = 0, epistemic = 0, aleatoric = 0, variance = target_variance(data, p->n, k, m->weight);
    m->crps_gaussian = !p->crps;
    for (int row = 0; row < p->n; row++) {
        int i = row * p->mean_dim + k;
        double y = target_at(data, row, k), error = y - p->mean[i], w = weight_of(data, row);
        squares += w * error * error / m->weight;
        m->mae += w * fabs(error) / m->weight;
        m->crps += w * (p->crps ? p->crps[i] : bnn_crps_gaussian(y, p->mean[i], sqrt(bnn_var_total(p, i)))) / m->weight;
        epistemic += w * p->var_epistemic[i] / m->weight;
        aleatoric += w * p->var_aleatoric[i] / m->weight;
    }
    m->rmse = sqrt(squares);
    m->r2 = variance > 0 ? 1 - squares / variance : NAN;
    m->sd_epistemic = sqrt(epistemic);
    m->sd_aleatoric = sqrt(aleatoric);
}

/* ---------------------------------------------------------------- classes */

/* One row as a class sees it. */
typedef struct {
    double p, weight; /* probability of the class */
    bool is, called;  /* of the class, and its most probable one */
} trial;

int bnn_prediction_class(const double *p, int n) { return bnn_map_class_of(p, n, 1); }

static int by_probability(const void *a, const void *b) {
    const trial *s = a, *t = b;
    return (s->p > t->p) - (s->p < t->p);
}

/* Share of pairs, a row of the class and one of another, in which the first has the larger probability. Sorts the rows. */
static double area(trial *t, int n) {
    double below = 0, of_class = 0, pairs = 0;
    qsort(t, (size_t)n, sizeof *t, by_probability);
    for (int from = 0, to; from < n; from = to) {
        double is = 0, other = 0;
        for (to = from; to < n && t[to].p == t[from].p; to++) *(t[to].is ? &is : &other) += t[to].weight;
        pairs += is * (below + 0.5 * other);
        below += other, of_class += is;
    }
    return of_class > 0 && below > 0 ? pairs / of_class / below : NAN;
}

static double ratio(double a, double b) { return b > 0 ? a / b : NAN; }

/* top[n]: the most probable class of each row; t[n] is scratch. */
static void one_class(const bnn_prediction *p, const bnn_data *data, int k, const int *top, trial *t, bnn_metrics *m) {
    double both = 0, is = 0, called = 0, confidence = 0;
    *m = (bnn_metrics){.is_class = true, .of = BNN_SCORE_CLASS};
    for (int i = 0; i < p->n; i++) {
        t[i] = (trial){.p = p->mean[(size_t)i * (size_t)p->mean_dim + (size_t)k],
                       .weight = weight_of(data, i),
                       .is = (int)data->y[i] == k,
                       .called = top[i] == k};
        m->n += t[i].is;
        is += t[i].is * t[i].weight, called += t[i].called * t[i].weight, both += (t[i].is && t[i].called) * t[i].weight;
        confidence += t[i].called * t[i].weight * t[i].p;
    }
    m->weight = is;
    m->precision = ratio(both, called), m->recall = ratio(both, is), m->confidence = ratio(confidence, called);
    m->f1 = ratio(2 * both, is + called);
    m->auc = area(t, p->n);
}

static bnn_status each_class(const bnn_prediction *p, const bnn_data *data, bnn_metrics *out) {
    int *top = malloc((size_t)p->n * sizeof *top);
    trial *t = malloc((size_t)p->n * sizeof *t);
    for (int i = 0; top && i < p->n; i++) top[i] = bnn_prediction_class(p->mean + (size_t)i * (size_t)p->mean_dim, p->mean_dim);
    for (int k = 0; top && t && k < p->mean_dim; k++) one_class(p, data, k, top, t, &out[k]);
    bnn_status s = top && t ? BNN_OK : bnn_oom("scores of %d rows", p->n);
    free(top), free(t);
    return s;
}

/* Mean over the classes for which it is defined. */
static double mean_of(const bnn_metrics *each, int n, size_t offset) {
    double sum = 0;
    int defined = 0;
    for (int k = 0; k < n; k++) {
        double v = *(const double *)((const char *)&each[k] + offset);
        if (!isnan(v)) sum += v, defined++;
    }
    return defined > 0 ? sum / defined : NAN;
}

static bnn_status means_over_classes(const bnn_prediction *p, const bnn_data *data, bnn_metrics *m) {
    bnn_metrics *each;
    BNN_TRY(bnn_metrics_each(p, data, &each));
    m->balanced_accuracy = mean_of(each, p->mean_dim, offsetof(bnn_metrics, recall));
    m->f1 = mean_of(each, p->mean_dim, offsetof(bnn_metrics, f1));
    m->auc = mean_of(each, p->mean_dim, offsetof(bnn_metrics, auc));
    free(each);
    return BNN_OK;
}

/* The square of the distance between the confidence of a bin and its share of right rows, less what chance adds to it on the average
 * (Kumar, Liang & Ma 2019). One row alone says nothing of its own variance. */
static double debiased_square(double confidence, double right, double rows) {
    double d = confidence - right;
    return rows > 1 ? d * d - right * (1 - right) / (rows - 1) : 0;
}

static void calibration(const bnn_prediction *p, const bnn_data *data, bnn_metrics *m) {
    double confidence[BNN_ECE_BINS] = {0}, right[BNN_ECE_BINS] = {0}, share[BNN_ECE_BINS] = {0};
    for (int i = 0; i < p->n; i++) {
        const double *q = p->mean + (size_t)i * (size_t)p->mean_dim;
        int best = bnn_prediction_class(q, p->mean_dim), bin = (int)(q[best] * BNN_ECE_BINS);
        double w = weight_of(data, i);
        if (bin >= BNN_ECE_BINS) bin = BNN_ECE_BINS - 1;
        share[bin] += w / m->weight;
        confidence[bin] += w * q[best] / m->weight;
        right[bin] += w * (best == (int)data->y[i]) / m->weight;
    }
    for (int b = 0; b < BNN_ECE_BINS; b++) m->ece += fabs(confidence[b] - right[b]);
    double squares = 0;
    for (int b = 0; b < BNN_ECE_BINS; b++)
        if (share[b] > 0) squares += share[b] * debiased_square(confidence[b] / share[b], right[b] / share[b], share[b] * m->weight);
    m->ece_debiased = copysign(sqrt(fabs(squares)), squares);
}

static bnn_status classes(const bnn_prediction *p, const bnn_data *data, bnn_metrics *m) {
    for (int i = 0; i < p->n; i++) {
        const double *q = p->mean + (size_t)i * (size_t)p->mean_dim;
        double w = weight_of(data, i);
        int y = (int)data->y[i];
        m->accuracy += w * (bnn_prediction_class(q, p->mean_dim) == y) / m->weight;
        for (int c = 0; c < p->mean_dim; c++) m->brier += w * (q[c] - (c == y)) * (q[c] - (c == y)) / m->weight;
        m->mean_entropy += w * bnn_prediction_entropy(p, i) / m->weight;
        m->mean_mutual_information += w * bnn_prediction_mutual_information(p, i) / m->weight;
    }
    calibration(p, data, m);
    return means_over_classes(p, data, m);
}

/* ---------------------------------------------------------------- all of them */

static void log_likelihood(const bnn_prediction *p, const bnn_data *data, bnn_metrics *m) {
    double squares = 0;
    for (int i = 0; i < p->n; i++) m->ll += weight_of(data, i) * p->logp[i] / m->weight;
    for (int i = 0; i < p->n; i++) squares += weight_of(data, i) * (p->logp[i] - m->ll) * (p->logp[i] - m->ll);
    m->ll_se = m->weight > 1 ? sqrt(squares / (m->weight - 1) / m->weight) : 0;
}

static bnn_status check(const bnn_prediction *p, const bnn_data *data) {
    if (!p->has_target) return bnn_fail(BNN_ERR_DATA, "metrics need targets, but the prediction was made without them");
    if (p->n == 0) return bnn_fail(BNN_ERR_DATA, "metrics need at least one row");
    if (total_weight(data, p->n) <= 0) return bnn_fail(BNN_ERR_DATA, "metrics need at least one row with a weight above 0");
    return BNN_OK;
}

bnn_status bnn_metrics_compute(const bnn_prediction *p, const bnn_data *data, bnn_metrics *out) {
    BNN_TRY(check(p, data));
    if (p->sites > 1) return bnn_map_scores(p, data, out);
    *out = (bnn_metrics){.is_class = p->is_class, .of = p->is_class ? BNN_SCORE_CLASSES : BNN_SCORE_TARGETS, .n = p->n};
    out->weight = total_weight(data, p->n);
    log_likelihood(p, data, out);
    if (p->is_class) return classes(p, data, out);
    intervals(p, data, ALL, out);
    if (p->mean_dim > 1) return BNN_OK;
    out->of |= BNN_SCORE_TARGET;
    one_target(p, data, 0, out);
    return BNN_OK;
}

bnn_status bnn_metrics_each(const bnn_prediction *p, const bnn_data *data, bnn_metrics **out) {
    *out = NULL;
    BNN_TRY(check(p, data));
    bnn_metrics *each = calloc((size_t)p->mean_dim, sizeof *each);
    if (!each) return bnn_oom("scores of %d targets", p->mean_dim);
    bnn_status s = p->sites > 1 ? bnn_map_scores_each(p, data, each) : p->is_class ? each_class(p, data, each) : BNN_OK;
    for (int k = 0; !p->is_class && k < p->mean_dim; k++) {
        each[k] = (bnn_metrics){.of = BNN_SCORE_TARGET, .n = p->n, .weight = total_weight(data, p->n)};
        intervals(p, data, k, &each[k]);
        one_target(p, data, k, &each[k]);
    }
    if (s < 0)
        free(each);
    else
        *out = each;
    return s;
}

bnn_status bnn_metrics_remark(const bnn_metrics *m, bnn_remarks *remarks) {
    enum { ROWS_OF_A_BIN = 20 };
    if (!(m->of & BNN_SCORE_CLASSES) || m->weight >= ROWS_OF_A_BIN * BNN_ECE_BINS) return BNN_OK;
    return bnn_remarks_add(remarks, BNN_REMARK_WARNING, "few_rows_for_ece",
                           "%d rows are few for the %d bins of the ece, which chance alone raises then: go by ece_debiased, or score %d",
                           m->n, BNN_ECE_BINS, ROWS_OF_A_BIN * BNN_ECE_BINS);
}

/* ---------------------------------------------------------------- scores by name */

enum {
    ANY = BNN_SCORE_TARGETS | BNN_SCORE_CLASSES,
    REAL = BNN_SCORE_TARGETS | BNN_SCORE_TARGET,
    TARGET = BNN_SCORE_TARGET,
    CLASSES = BNN_SCORE_CLASSES,
    EITHER = BNN_SCORE_CLASSES | BNN_SCORE_CLASS,
    CLASS = BNN_SCORE_CLASS,
    MAPS = BNN_SCORE_MAPS,
    MAP = BNN_SCORE_MAP
};

static const bnn_score scores[] = {
#define SCORE(field, of, text) \
    { #field, text, offsetof(bnn_metrics, field), of }
#define COVERAGE(percent)                                                                 \
    {                                                                                     \
        "coverage_" #percent, "share of rows inside the central " #percent " % interval", \
            offsetof(bnn_metrics, coverage) + (percent / 5 - 1) * sizeof(double), REAL    \
    }
    SCORE(ll, ANY | MAPS, "mean log predictive density or probability per row, or per pixel of maps, nats in the units of y"),
    SCORE(ll_se, ANY | MAPS, "standard error of ll over rows"),
    SCORE(rmse, TARGET, "root mean square error of the predictive mean, units of y"),
    SCORE(mae, TARGET, "mean absolute error of the predictive mean, units of y"),
    SCORE(r2, TARGET, "1 - mean square error of the predictive mean / variance of y"),
    SCORE(crps, TARGET, "continuous ranked probability score, units of y"),
    COVERAGE(50),
    COVERAGE(90),
    COVERAGE(95),
    SCORE(calibration_error, REAL, "mean |coverage - level|"),
    SCORE(coverage_error, REAL, "mean coverage - level: below 0 intervals are too narrow, above 0 too wide"),
    SCORE(sd_epistemic, TARGET, "root mean square over rows, units of y"),
    SCORE(sd_aleatoric, TARGET, "root mean square over rows, units of y"),
    SCORE(iou, MAPS | MAP, "intersection over union of pixels of a class and pixels called so, summed over images; mean over classes"),
    SCORE(iou_se, MAPS | MAP, "standard error of iou over images"),
    SCORE(accuracy, CLASSES | MAPS, "share of rows, or of pixels, whose most probable class is right"),
    SCORE(accuracy_se, MAPS, "standard error of accuracy over images"),
    SCORE(balanced_accuracy, CLASSES | MAPS, "mean over classes of the share of its rows, or pixels, that are called so"),
    SCORE(auc, EITHER, "share of pairs of rows, one of a class and one of another, that its probability puts in order"),
    SCORE(f1, EITHER | MAPS | MAP, "harmonic mean of precision and recall"),
    SCORE(brier, CLASSES | MAPS, "Brier score, sum over classes, mean over rows, or pixels"),
    SCORE(brier_se, MAPS, "standard error of brier over images"),
    SCORE(ece, CLASSES | MAPS, "expected calibration error of the largest probability"),
    SCORE(ece_se, MAPS, "standard error of ece over images"),
    SCORE(ece_debiased, CLASSES, "root of the mean square calibration error, less what chance adds; below 0: less than chance"),
    SCORE(mean_entropy, CLASSES | MAPS, "mean entropy of the predictive probabilities, nats"),
    SCORE(mean_mutual_information, CLASSES | MAPS, "mean mutual information of class and parameters, nats"),
    SCORE(p_accurate_certain, MAPS, "share of the certain pixels, of less than the mean entropy, that are right"),
    SCORE(p_accurate_certain_se, MAPS, "its standard error over images"),
    SCORE(p_uncertain_inaccurate, MAPS, "share of the wrong pixels that are uncertain"),
    SCORE(p_uncertain_inaccurate_se, MAPS, "its standard error over images"),
    SCORE(pavpu, MAPS, "share of pixels that are right and certain, or wrong and uncertain"),
    SCORE(pavpu_se, MAPS, "standard error of pavpu over images"),
    SCORE(precision, CLASS | MAP, "share of the rows, or pixels, called so that are of the class"),
    SCORE(recall, CLASS | MAP, "share of the rows, or pixels, of the class that are called so"),
    SCORE(confidence, CLASS | MAP, "mean probability of the class in the rows, or pixels, called so"),
    SCORE(pixels, MAPS | MAP, "pixels that are not void; of a class those that are of it"),
    SCORE(weight, ANY | TARGET | CLASS | MAPS | MAP, "weight of the rows, their number where each weighs 1"),
#undef SCORE
#undef COVERAGE
};
enum { N_SCORES = sizeof scores / sizeof *scores };

const bnn_score *bnn_score_at(int i) { return i >= 0 && i < N_SCORES ? &scores[i] : NULL; }

const bnn_score *bnn_score_find(const char *name) {
    for (int i = 0; i < N_SCORES; i++)
        if (strcmp(scores[i].name, name) == 0) return &scores[i];
    return NULL;
}

double bnn_score_value(const bnn_score *score, const bnn_metrics *metrics) {
    return *(const double *)((const char *)metrics + score->offset);
}

bool bnn_score_is_coverage(const bnn_score *score) {
    size_t from = offsetof(bnn_metrics, coverage);
    return score->offset >= from && score->offset < from + BNN_CALIBRATION_LEVELS * sizeof(double);
}

const char *bnn_score_name(int i) { return i >= 0 && i < N_SCORES ? scores[i].name : NULL; }

static bnn_status find(const bnn_prediction *p, const char *name, const bnn_score **out) {
    *out = bnn_score_find(name);
    if (!*out) return bnn_fail(BNN_ERR_NAME, "there is no score '%s': bnn_score_name lists them", name);
    const unsigned of = p->sites > 1 ? MAPS | MAP : p->is_class ? EITHER : REAL;
    const char *have = p->sites > 1 ? "maps of classes" : p->is_class ? "classes" : "real targets";
    const char *wants = (*out)->of & REAL ? "real targets" : (*out)->of & EITHER ? "classes" : "maps of classes";
    if (((*out)->of & of) == 0) return bnn_fail(BNN_ERR_DATA, "'%s' is a score of %s, the targets are %s", name, wants, have);
    return BNN_OK;
}

bnn_status bnn_prediction_score(const bnn_prediction *prediction, const bnn_data *data, const char *name, double *out) {
    bnn_metrics m;
    const bnn_score *score;
    BNN_TRY(find(prediction, name, &score));
    BNN_TRY(bnn_metrics_compute(prediction, data, &m));
    if ((score->of & m.of) == 0)
        return bnn_fail(BNN_ERR_DATA, "'%s' is a score of one %s of the %d: ask bnn_prediction_score_of for it", name,
                        m.is_class ? "class" : "target", bnn_prediction_width(prediction));
    *out = bnn_score_value(score, &m);
    return BNN_OK;
}

bnn_status bnn_prediction_score_of(const bnn_prediction *prediction, const bnn_data *data, int k, const char *name, double *out) {
    bnn_metrics *each;
    const bnn_score *score;
    const char *one = prediction->is_class ? "class" : "target";
    const int width = bnn_prediction_width(prediction);
    if (k < 0 || k >= width) return bnn_fail(BNN_ERR_SHAPE, "there is no %s %d: they are 0 to %d", one, k, width - 1);
    BNN_TRY(find(prediction, name, &score));
    if ((score->of & (prediction->sites > 1 ? MAP : prediction->is_class ? CLASS : TARGET)) == 0)
        return bnn_fail(BNN_ERR_DATA, "'%s' is a score of all together, not of one %s", name, one);
    BNN_TRY(bnn_metrics_each(prediction, data, &each));
    *out = bnn_score_value(score, &each[k]);
    free(each);
    return BNN_OK;
}
