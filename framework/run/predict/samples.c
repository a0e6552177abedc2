/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * samples.c: how an engine predicts, with how many draws, and which of those that it has stored.
 */
#include "parts.h"

int bnn_predict_share(const bnn_engine *engine, int samples) {
    int members = 0;
    while (bnn_engine_member(engine, members)) members++;
    return samples < members ? 1 : samples / members;
}

bnn_predictive bnn_predict_how(const bnn_engine *engine) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    bnn_predictive how = type->predictive ? type->predictive(engine) : (bnn_predictive){.by = BNN_BY_THETA};
    if (how.by == BNN_BY_MARGINAL && !bnn_likelihood_vtable(&engine->model->likelihood)->marginal) how.by = BNN_BY_OUTPUTS;
    return how;
}

bool bnn_predict_is_closed(const bnn_engine *engine) {
    return bnn_predict_how(engine).by == BNN_BY_MARGINAL && engine->model->likelihood.n_classes == 0;
}

int bnn_predict_samples(const bnn_engine *engine, int samples) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    int sum = 0;
    for (int k = 0; bnn_engine_member(engine, k); k++)
        sum += bnn_predict_samples(bnn_engine_member(engine, k), bnn_predict_share(engine, samples));
    if (type->member) return sum;
    if (type->type.caps & BNN_POINT) return 1;
    if (bnn_predict_is_closed(engine)) return 0;
    if (!type->n_draws) return samples;
    int chains = bnn_engine_chains(engine), stored = type->n_draws(engine);
    if (stored < samples) samples = stored;
    return samples < chains ? chains : samples / chains * chains;
}

int bnn_predict_stored(const bnn_engine *engine, int s, int samples) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    for (int k = 0; type->member; k++) { /* members stand behind each other */
        int taken = bnn_predict_samples(bnn_engine_member(engine, k), bnn_predict_share(engine, samples));
        if (s < taken) return bnn_predict_stored(bnn_engine_member(engine, k), s, taken);
        s -= taken;
    }
    if (!type->n_draws) return s;
    int chains = bnn_engine_chains(engine), length = type->n_draws(engine) / chains, taken = samples / chains;
    return s / taken * length + (int)((int64_t)(s % taken) * length / taken);
}
