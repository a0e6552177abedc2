/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "parts.h"

#include <math.h>

/* Numbers the draws of a member behind those of the members before it. */
typedef struct {
    const bnn_sink *sink;
    int before;
} behind;

static bnn_status take_behind(void *context, const bnn_drawn *drawn) {
    const behind *b = context;
    bnn_drawn numbered = *drawn;
    numbered.s += b->before;
    return b->sink->take(b->sink->context, &numbered);
}

static double log_of_sum(double a, double b) {
    double top = fmax(a, b);
    return isfinite(top) ? top + log(exp(a - top) + exp(b - top)) : top;
}

/* Adds member k (from 0) to the sums of those before it. The variance of the mixture is the mean of the members' variances and the variance
 * of their means; the latter is epistemic. */
static void add_member(bnn_prediction *p, const bnn_prediction *one, int k) {
    size_t n = (size_t)p->n, all = n * (size_t)p->mean_dim;
    for (size_t i = 0; i < all; i++) {
        double delta = one->mean[i] - p->mean[i];
        p->mean[i] += delta / (k + 1);
        if (!p->var_epistemic) continue;
        p->var_epistemic[i] += one->var_epistemic[i] + delta * (one->mean[i] - p->mean[i]);
        p->var_aleatoric[i] += one->var_aleatoric[i];
        p->mean_mcse[i] = hypot(p->mean_mcse[i], one->mean_mcse[i]);
        if (p->pit) p->pit[i] += one->pit[i];
    }
    for (size_t i = 0; i < n * (size_t)p->sites; i++) {
        if (p->logp) p->logp[i] = k == 0 ? one->logp[i] : log_of_sum(p->logp[i], one->logp[i]);
        if (p->is_class) p->expected_entropy[i] += one->expected_entropy[i];
    }
    p->samples += one->samples;
    p->mode = one->mode;
    bnn_cost_add(&p->cost, &one->cost);
}

static void finish_mixture(bnn_prediction *p, int members) {
    size_t n = (size_t)p->n, all = n * (size_t)p->mean_dim;
    for (size_t i = 0; p->var_epistemic && i < all; i++) {
        p->var_epistemic[i] /= members;
        p->var_aleatoric[i] /= members;
        p->mean_mcse[i] /= members;
        if (p->pit) p->pit[i] /= members;
    }
    for (size_t i = 0; i < n * (size_t)p->sites; i++) {
        if (p->logp) p->logp[i] -= log(members);
        if (p->is_class) p->expected_entropy[i] /= members;
    }
}

/* Members one after the other: each is parallel inside, and only one prediction beside the sums is there at a time. */
bnn_status bnn_predict_mixture(const bnn_engine *e, const bnn_data *data, const bnn_predict_options *options, const bnn_predict_part *range,
                               bnn_prediction **out) {
    const bnn_engine *member;
    bnn_prediction *p = NULL;
    bnn_predict_part share = *range;
    int members = 0;
    while (bnn_engine_member(e, members)) members++;
    share.weight = range->weight / members;
    if (options->samples < 1) return bnn_fail(BNN_ERR_OPTION, "%d samples were asked for: at least 1 is needed", options->samples);
    bnn_status s = bnn_prediction_new(e->model, range->end - range->from, data->y != NULL, NULL, &p);
    for (int k = 0; s == BNN_OK && (member = bnn_engine_member(e, k)); k++) {
        behind numbers = {options->sink, p->samples};
        bnn_sink sink = {take_behind, &numbers};
        bnn_predict_options how = *options;
        bnn_prediction *one;
        how.samples = bnn_predict_share(e, options->samples);
        how.seed = bnn_rng_split(bnn_rng_seed(options->seed), (uint64_t)k).key;
        if (options->sink) how.sink = &sink;
        if ((s = bnn_predict_range(member, data, &how, &share, &one)) < 0) break;
        add_member(p, one, k);
        bnn_prediction_free(one);
    }
    if (s < 0) {
        bnn_prediction_free(p);
        return s;
    }
    finish_mixture(p, members);
    *out = p;
    return BNN_OK;
}
