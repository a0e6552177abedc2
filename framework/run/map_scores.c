/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "map_scores.h"

#include "run/predict/maps.h"
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

static double ratio(double a, double b) { return b > 0 ? a / b : NAN; }

static const double *sums_of(const bnn_prediction *p, int row) {
    return p->map_sums + (size_t)row * bnn_map_sums_length(bnn_prediction_width(p));
}

static double weight_of(const bnn_data *data, int row) { return data->weight ? data->weight[row] : 1; }

/* to += weight times those of an image */
static void add_image(const bnn_prediction *p, int row, double weight, double *to) {
    const double *of = sums_of(p, row);
    for (size_t i = 0; i < bnn_map_sums_length(bnn_prediction_width(p)); i++) to[i] += weight * of[i];
}

static double iou_of(const bnn_map_class *c) { return ratio(c->both, c->is + c->called - c->both); }

/* Means over the classes for which they are defined. */
static void means_over_classes(const bnn_map_sums *s, int classes, bnn_metrics *m) {
    double iou = 0, f1 = 0, recall = 0;
    int defined = 0, there = 0;
    for (int c = 0; c < classes; c++) {
        const bnn_map_class *of = &s->of[c];
        if (of->is + of->called > 0) defined++, iou += iou_of(of), f1 += 2 * of->both / (of->is + of->called);
        if (of->is > 0) there++, recall += of->both / of->is;
    }
    m->iou = ratio(iou, defined), m->f1 = ratio(f1, defined), m->balanced_accuracy = ratio(recall, there);
}

/* certain: levels of entropy below this one. */
static void split_by_entropy(const bnn_map_sums *s, int certain, bnn_metrics *m) {
    double n[2][2] = {{0}}; /* uncertain, right */
    for (int i = 0; i < BNN_MAP_LEVELS; i++)
        for (int right = 0; right < 2; right++) n[i >= certain][right] += s->level[i][right];
    m->p_accurate_certain = ratio(n[0][1], n[0][0] + n[0][1]);
    m->p_uncertain_inaccurate = ratio(n[1][0], n[0][0] + n[1][0]);
    m->pavpu = ratio(n[0][1] + n[1][0], s->pixels);
}

static void score(const bnn_map_sums *s, int classes, int certain, bnn_metrics *m) {
    m->pixels = s->pixels;
    m->ll = ratio(s->ll, s->pixels), m->accuracy = ratio(s->right, s->pixels), m->brier = ratio(s->brier, s->pixels);
    m->mean_entropy = ratio(s->entropy, s->pixels), m->mean_mutual_information = ratio(s->information, s->pixels);
    m->ece = s->pixels > 0 ? 0 : NAN;
    for (int b = 0; b < BNN_ECE_BINS && s->pixels > 0; b++) m->ece += fabs(s->bin[b][1] - s->bin[b][2]) / s->pixels;
    means_over_classes(s, classes, m);
    split_by_entropy(s, certain, m);
}

static void score_class(const bnn_map_class *of, bnn_metrics *m) {
    m->pixels = of->is, m->iou = iou_of(of);
    m->precision = ratio(of->both, of->called), m->recall = ratio(of->both, of->is), m->confidence = ratio(of->confidence, of->called);
    m->f1 = ratio(2 * of->both, of->is + of->called);
}

void bnn_metrics_image(const bnn_prediction *p, int row, bnn_image_scores *out) {
    const bnn_map_sums *s = (const bnn_map_sums *)sums_of(p, row);
    double confidence = 0;
    for (int b = 0; b < BNN_ECE_BINS; b++) confidence += s->bin[b][1];
    *out = (bnn_image_scores){.pixels = s->pixels,
                              .ll = ratio(s->ll, s->pixels),
                              .accuracy = ratio(s->right, s->pixels),
                              .confidence = ratio(confidence, s->pixels),
                              .entropy = ratio(s->entropy, s->pixels),
                              .mutual_information = ratio(s->information, s->pixels)};
}

/* ---- standard errors ---- */

/* A score, and its standard error; of one that has none 0 is behind it. */
static const struct {
    size_t of, se;
} errors[] = {
#define ERROR(name) \
    { offsetof(bnn_metrics, name), offsetof(bnn_metrics, name##_se) }
    ERROR(ll),    ERROR(iou), ERROR(accuracy), ERROR(brier), ERROR(ece), ERROR(p_accurate_certain), ERROR(p_uncertain_inaccurate),
    ERROR(pavpu),
#undef ERROR
};
enum { ERRORS = sizeof errors / sizeof *errors };

static double *number_at(bnn_metrics *m, size_t offset) { return (double *)((char *)m + offset); }

/* The images, with what all of them sum up to. */
typedef struct {
    const bnn_prediction *p;
    const bnn_data *data;
    double *total, *rest; /* [length] rest: scratch */
    double weight;        /* of all images */
    int certain;
} images;

/* Scores of all images but one; of class k, or, where that is below 0, of all together. */
static bnn_metrics without(const images *all, int row, int k) {
    const int classes = bnn_prediction_width(all->p);
    bnn_metrics m = {0};
    for (size_t i = 0; i < bnn_map_sums_length(classes); i++) all->rest[i] = all->total[i];
    add_image(all->p, row, -1, all->rest);
    const bnn_map_sums *s = (const bnn_map_sums *)all->rest;
    if (k < 0)
        score(s, classes, all->certain, &m);
    else
        score_class(&s->of[k], &m);
    return m;
}

/* se^2 = (W-1)/W sum_i w_i (s_i - mean)^2, s_i the score without image i. Images without which there is no score are left out. */
static void jackknife(const images *all, int k, bnn_metrics *m) {
    double sum[ERRORS] = {0}, squares[ERRORS] = {0}, weight[ERRORS] = {0};
    for (int row = 0; row < all->p->n; row++) {
        double w = weight_of(all->data, row);
        bnn_metrics one = without(all, row, k);
        for (int e = 0; e < ERRORS; e++) {
            double d = *number_at(&one, errors[e].of) - *number_at(m, errors[e].of);
            if (w > 0 && !isnan(d)) weight[e] += w, sum[e] += w * d, squares[e] += w * d * d;
        }
    }
    for (int e = 0; e < ERRORS; e++) {
        double W = weight[e], spread = squares[e] - sum[e] * sum[e] / W;
        *number_at(m, errors[e].se) = W > 1 ? sqrt((W - 1) / W * fmax(spread, 0)) : 0;
    }
}

/* ---- all of it ---- */

static bnn_status open_images(const bnn_prediction *p, const bnn_data *data, images *all) {
    const int classes = bnn_prediction_width(p);
    const size_t length = bnn_map_sums_length(classes);
    *all = (images){.p = p, .data = data, .total = calloc(2 * length, sizeof(double))};
    if (!all->total) return bnn_oom("scores of %d maps", p->n);
    all->rest = all->total + length;
    for (int row = 0; row < p->n; row++) add_image(p, row, weight_of(data, row), all->total), all->weight += weight_of(data, row);
    const bnn_map_sums *s = (const bnn_map_sums *)all->total;
    if (s->pixels > 0) all->certain = bnn_map_level(s->entropy / s->pixels, classes);
    if (s->pixels > 0) return BNN_OK;
    free(all->total);
    return bnn_fail(BNN_ERR_DATA, "metrics need at least one pixel that is not void");
}

bnn_status bnn_map_scores(const bnn_prediction *p, const bnn_data *data, bnn_metrics *out) {
    images all;
    BNN_TRY(open_images(p, data, &all));
    *out = (bnn_metrics){.is_class = true, .of = BNN_SCORE_MAPS, .n = p->n, .weight = all.weight};
    score((const bnn_map_sums *)all.total, bnn_prediction_width(p), all.certain, out);
    jackknife(&all, -1, out);
    free(all.total);
    return BNN_OK;
}

bnn_status bnn_map_scores_each(const bnn_prediction *p, const bnn_data *data, bnn_metrics *each) {
    images all;
    BNN_TRY(open_images(p, data, &all));
    for (int k = 0; k < bnn_prediction_width(p); k++) {
        each[k] = (bnn_metrics){.is_class = true, .of = BNN_SCORE_MAP, .n = p->n, .weight = all.weight};
        score_class(&((const bnn_map_sums *)all.total)->of[k], &each[k]);
        jackknife(&all, k, &each[k]);
    }
    free(all.total);
    return BNN_OK;
}
