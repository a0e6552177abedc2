/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/fit.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

bnn_status bnn_run_new(const bnn_config *config, const bnn_data *data, bnn_run **out) {
    bnn_texts texts = {.net = config->net,
                       .likelihood = config->likelihood    ? config->likelihood
                                     : data->n_classes > 0 ? "categorical"
                                                           : "gaussian",
                       .prior = config->prior ? config->prior : "gauss"};
    bnn_run *run = calloc(1, sizeof *run);
    if (!run) return bnn_fail(BNN_ERR_MEMORY, "out of memory for a run");
    run->seed = config->seed;
    bnn_status s = bnn_engine_new(config->engine, &texts, data, bnn_rng_seed(config->seed), &run->engine);
    if (s == BNN_OK && !(run->engine_text = bnn_object_print(&run->engine->object, false)))
        s = bnn_fail(BNN_ERR_MEMORY, "out of memory for a run");
    if (s < 0)
        bnn_run_free(run);
    else
        *out = run;
    return s;
}

void bnn_history_free(bnn_history *h) {
    for (int g = 0; g < h->n_gates; g++) free(h->gate[g]);
    free(h->gate);
    free(h->epoch);
    free(h->nll);
    free(h->prior);
    free(h->kl);
    free(h->noise_sd);
    free(h->p);
}

void bnn_run_free(bnn_run *run) {
    if (!run) return;
    bnn_engine_free(run->engine);
    bnn_history_free(&run->history);
    free(run->engine_text);
    free(run);
}

/* ---------------------------------------------------------------- history */

static bool is_gate(const bnn_node *node) { return bnn_layer_vtable(&node->layer)->keep != NULL; }

static bnn_status open_history(bnn_history *h, const bnn_net *net) {
    h->n_gates = bnn_net_gates(net);
    size_t most = BNN_HISTORY_MOST, gates = (size_t)h->n_gates;
    h->epoch = calloc(most, sizeof *h->epoch);
    h->nll = calloc(most, sizeof *h->nll);
    h->prior = calloc(most, sizeof *h->prior);
    h->kl = calloc(most, sizeof *h->kl);
    h->noise_sd = calloc(most, sizeof *h->noise_sd);
    h->p = calloc(most * gates + 1, sizeof *h->p);
    h->gate = calloc(gates + 1, sizeof *h->gate);
    bool ok = h->epoch && h->nll && h->prior && h->kl && h->noise_sd && h->p && h->gate;
    for (int i = 0, g = 0; ok && i < net->n_nodes; i++)
        if (is_gate(&net->node[i])) ok = (h->gate[g++] = strdup(net->node[i].layer.label)) != NULL;
    return ok ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "out of memory for the history");
}

static void write_entry(bnn_history *h, int at, int epoch, const bnn_model *m, const bnn_step *step) {
    const bnn_likelihood_type *likelihood = bnn_likelihood_vtable(&m->likelihood);
    h->epoch[at] = epoch;
    h->nll[at] = step->terms.nll;
    h->prior[at] = step->terms.prior;
    h->kl[at] = step->terms.kl;
    h->noise_sd[at] = likelihood->noise_sd ? likelihood->noise_sd(&m->likelihood, bnn_model_noise(m, step->theta)) : NAN;
    for (int i = 0, g = 0; i < m->net->n_nodes; i++) {
        bnn_real slope[BNN_MAX_GATE_THETA];
        const bnn_node *node = &m->net->node[i];
        if (is_gate(node))
            h->p[at * h->n_gates + g++] = 1 - bnn_layer_vtable(&node->layer)->keep(&node->layer, step->theta + node->theta, slope);
    }
}

static void move_entry(bnn_history *h, int to, int from) {
    h->epoch[to] = h->epoch[from];
    h->nll[to] = h->nll[from];
    h->prior[to] = h->prior[from];
    h->kl[to] = h->kl[from];
    h->noise_sd[to] = h->noise_sd[from];
    memcpy(h->p + to * h->n_gates, h->p + from * h->n_gates, (size_t)h->n_gates * sizeof *h->p);
}

/* Keeps every stride-th epoch; when the room is full, every second of those, and so on. The last entry is provisional: it is overwritten
 * unless it falls on the stride. */
static void record(bnn_history *h, int *stride, int epoch, const bnn_model *m, const bnn_step *step) {
    if (h->n > 1 && h->epoch[h->n - 1] % *stride != 0) h->n--;
    if (h->n == BNN_HISTORY_MOST) {
        *stride *= 2;
        int kept = 0;
        for (int i = 0; i < h->n; i++)
            if (i == 0 || h->epoch[i] % *stride == 0) move_entry(h, kept++, i);
        h->n = kept;
    }
    write_entry(h, h->n++, epoch, m, step);
}

/* ---------------------------------------------------------------- fit */

static bnn_status advance(bnn_run *run, const bnn_config *config, const bnn_data *train) {
    int epoch = 0, stride = 1;
    for (bnn_step step = {0}; !step.done;) {
        BNN_TRY(bnn_engine_step(run->engine, train, &step));
        if (step.theta) {
            const bnn_model *m = bnn_engine_fitted(run->engine)->model;
            if (epoch == 0) BNN_TRY(open_history(&run->history, m->net));
            record(&run->history, &stride, ++epoch, m, &step);
        }
        if (config->progress && config->progress(config->context, step.progress) && !step.done) return BNN_OK;
    }
    run->complete = true;
    return BNN_OK;
}

bnn_status bnn_fit(const bnn_config *config, const bnn_data *train, bnn_run **out) {
    bnn_run *run;
    if (train->n == 0) return bnn_fail(BNN_ERR_DATA, "there are no training rows");
    if (!train->y) return bnn_fail(BNN_ERR_DATA, "the training rows have no targets: they can be predicted, not fitted");
    BNN_TRY(bnn_run_new(config, train, &run));
    bnn_status s = advance(run, config, train);
    run->cost = run->engine->cost;
    if (s < 0)
        bnn_run_free(run);
    else
        *out = run;
    return s;
}
