/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/memory.h"

#include <bnn/holder.h>
#include <bnn/metrics.h>

#include <stdlib.h>

bnn_status bnn_holdout_open(const bnn_data *data, double share, bnn_holdout *out) {
    int kept = data->n - (int)(share * data->n);
    if (kept < 1 || kept >= data->n)
        return bnn_fail(BNN_ERR_DATA, "%d training rows cannot be cut into a part to fit and a part to score", data->n);
    BNN_TRY(bnn_data_slice(data, 0, kept, NULL, &out->fit));
    return bnn_data_slice(data, kept, data->n, &out->fit->scaling, &out->score);
}

void bnn_holdout_close(bnn_holdout *holdout) {
    bnn_data_free(holdout->fit);
    bnn_data_free(holdout->score);
}

bnn_status bnn_holder_open_text(const char *spec, const bnn_texts *texts, const bnn_data *data, bnn_rng rng, int together,
                                bnn_engine **out) {
    double before;
    BNN_TRY(bnn_memory_enter(together, &before));
    bnn_status s = bnn_engine_new(spec, texts, data, rng, out);
    bnn_memory_leave(before);
    return s;
}

void bnn_holder_count(bnn_engine *outer, const bnn_engine *inner, const bnn_cost *before) {
    outer->cost.gradients += inner->cost.gradients - before->gradients;
    outer->cost.forwards += inner->cost.forwards - before->forwards;
    outer->cost.flops += inner->cost.flops - before->flops;
}

bnn_status bnn_holder_step(bnn_engine *outer, bnn_engine *inner, const bnn_data *data, bnn_step *out) {
    bnn_cost before = inner->cost;
    BNN_TRY(bnn_engine_step(inner, data, out));
    bnn_holder_count(outer, inner, &before);
    return BNN_OK;
}

bnn_status bnn_holder_score(bnn_engine *inner, const bnn_data *rows, int samples, uint64_t seed, double *ll) {
    bnn_predict_options how = {.samples = samples, .seed = seed};
    bnn_prediction *prediction;
    bnn_metrics metrics;
    BNN_TRY(bnn_predict(inner, rows, &how, &prediction));
    bnn_status s = bnn_metrics_compute(prediction, rows, &metrics);
    inner->cost.forwards += prediction->cost.forwards;
    inner->cost.flops += prediction->cost.flops;
    bnn_prediction_free(prediction);
    *ll = s == BNN_OK ? metrics.ll : 0;
    return s;
}

bnn_status bnn_holder_adapt(const bnn_object *inner, bnn_netspec *net) {
    const bnn_engine_type *type = (const bnn_engine_type *)inner->type;
    return type->adapt ? type->adapt(inner->conf, net) : BNN_OK;
}

bnn_status bnn_holder_open(const bnn_engine *outer, const bnn_object *inner, const bnn_data *data, bnn_rng rng, int together,
                           bnn_engine **out) {
    bnn_texts texts = {.net = outer->plain_net, .likelihood = outer->texts.likelihood, .prior = outer->texts.prior};
    char *spec = bnn_object_print(inner, false);
    bnn_status s = spec ? bnn_holder_open_text(spec, &texts, data, rng, together, out) : bnn_oom("an engine");
    free(spec);
    return s;
}
