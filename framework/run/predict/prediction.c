/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "maps.h"
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An array of a prediction, and how many numbers a row has in it: 0 where it is not there. */
typedef struct {
    double **to;
    size_t width;
} column;

enum { COLUMNS = 10 };

static void list_columns(bnn_prediction *p, bool crps, column out[COLUMNS]) {
    size_t k = (size_t)p->mean_dim, real = p->is_class ? 0 : k, sites = (size_t)p->sites, known = p->has_target,
           moments = sites > 1 ? 0 : k;
    const column all[COLUMNS] = {{&p->mean, k},
                                 {&p->var_epistemic, moments},
                                 {&p->var_aleatoric, moments},
                                 {&p->mean_mcse, moments},
                                 {&p->logp, known * sites},
                                 {&p->pit, known * real},
                                 {&p->expected_entropy, p->is_class * sites},
                                 {&p->crps, crps * known * real},
                                 {&p->quantile, real * (size_t)p->n_levels},
                                 {&p->y_drawn, (p->is_class ? sites : k) * (size_t)p->drawn}};
    memcpy(out, all, sizeof all);
}

size_t bnn_prediction_numbers(const bnn_prediction *p) {
    column all[COLUMNS];
    size_t width = 0;
    list_columns((bnn_prediction *)p, p->crps != NULL, all); /* only read */
    for (int i = 0; i < COLUMNS; i++) width += all[i].width;
    return width;
}

static bnn_status copy_levels(bnn_prediction *p, const bnn_predict_options *asked) {
    if (p->is_class || asked->n_levels == 0) return BNN_OK;
    p->levels = malloc((size_t)asked->n_levels * sizeof *p->levels);
    if (!p->levels) return bnn_oom("prediction");
    p->n_levels = asked->n_levels;
    memcpy(p->levels, asked->levels, (size_t)p->n_levels * sizeof *p->levels);
    return BNN_OK;
}

static bnn_status open_map_sums(bnn_prediction *p) {
    p->map_sums = calloc((size_t)p->n * bnn_map_sums_length(bnn_prediction_width(p)) + 1, sizeof(double));
    return p->map_sums ? BNN_OK : bnn_oom("scores of %d maps", p->n);
}

bnn_status bnn_prediction_new(const bnn_model *m, int n, bool has_target, const bnn_predict_options *asked, bnn_prediction **out) {
    column all[COLUMNS];
    size_t width = 0, rows = (size_t)n + 1;
    bnn_prediction *p = calloc(1, sizeof *p);
    if (!p) return bnn_oom("prediction");
    *out = p;
    p->n = n;
    p->mean_dim = m->likelihood.mean_dim;
    p->sites = m->likelihood.sites;
    p->has_target = has_target;
    p->is_class = m->likelihood.n_classes > 0;
    p->taken = asked && asked->taker;
    if (asked && has_target && p->sites > 1) BNN_TRY(open_map_sums(p));
    if (p->taken) return BNN_OK;
    if (asked) p->drawn = asked->drawn;
    if (asked) BNN_TRY(copy_levels(p, asked));
    list_columns(p, asked && asked->crps && m->likelihood.pit_dim > 0, all);
    for (int i = 0; i < COLUMNS; i++) width += all[i].width;
    BNN_TRY(bnn_memory_check((double)rows * (double)width * sizeof(double), "the prediction", "predict fewer rows at a time"));
    for (int i = 0; i < COLUMNS; i++)
        if (all[i].width > 0 && !(*all[i].to = calloc(rows * all[i].width, sizeof(double)))) return bnn_oom("prediction");
    return BNN_OK;
}

void bnn_prediction_place(bnn_prediction *p, int at, const bnn_prediction *one) {
    column to[COLUMNS], from[COLUMNS];
    list_columns(p, p->crps != NULL, to);
    list_columns((bnn_prediction *)one, one->crps != NULL, from); /* only read */
    for (int i = 0; i < COLUMNS && !p->taken; i++)
        if (from[i].width > 0) memcpy(*to[i].to + (size_t)at * to[i].width, *from[i].to, (size_t)one->n * to[i].width * sizeof(double));
    p->cost.gradients = one->cost.gradients, p->cost.forwards = one->cost.forwards; /* each over all rows */
    p->cost.flops += one->cost.flops;
    p->samples = one->samples;
    p->mode = one->mode;
    p->seed = one->seed;
}

void bnn_prediction_free(bnn_prediction *prediction) {
    column all[COLUMNS];
    if (!prediction) return;
    list_columns(prediction, false, all);
    for (int i = 0; i < COLUMNS; i++) free(*all[i].to);
    free(prediction->levels);
    free(prediction->map_sums);
    free(prediction->set);
    free(prediction);
}

double bnn_prediction_log_unit(const bnn_prediction *p, const bnn_scaling *scaling) {
    double sum = 0;
    for (int j = 0; !p->is_class && j < scaling->y_dim; j++) sum += log(scaling->y_sd[j]);
    return sum;
}

double bnn_prediction_entropy(const bnn_prediction *p, int i) {
    const int sites = p->sites > 1 ? p->sites : 1;
    const size_t all = (size_t)p->mean_dim;
    const double *q = p->mean + (size_t)(i / sites) * all + (size_t)(i % sites);
    double h = 0;
    for (size_t c = 0; c < all; c += (size_t)sites)
        if (q[c] > 0) h -= q[c] * log(q[c]);
    return h;
}

double bnn_prediction_mutual_information(const bnn_prediction *p, int i) {
    return fmax(0, bnn_prediction_entropy(p, i) - p->expected_entropy[i]); /* >= 0 by Jensen; rounding may say otherwise */
}
