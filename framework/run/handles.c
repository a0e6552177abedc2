/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * handles.c: what programs ask runs and predictions for (bnn.h).
 */
#include <bnn/fit.h>
#include <bnn/predict.h>

#include <stdlib.h>
#include <string.h>

static double cost_of(const bnn_cost *cost, bnn_cost_item item) {
    switch (item) {
    case BNN_COST_GRADIENTS: return (double)cost->gradients;
    case BNN_COST_FORWARDS: return (double)cost->forwards;
    case BNN_COST_FLOPS: return cost->flops;
    case BNN_COST_SECONDS_WALL: return cost->seconds_wall;
    case BNN_COST_SECONDS_CPU: return cost->seconds_cpu;
    case BNN_COST_PEAK_BYTES: return (double)cost->peak_bytes;
    }
    return 0;
}

/* ---- a run ---- */

bool bnn_run_complete(const bnn_run *run) { return run->complete; }
int bnn_run_steps(const bnn_run *run) { return run->steps; }
double bnn_run_progress(const bnn_run *run) { return run->progress; }
uint64_t bnn_run_seed(const bnn_run *run) { return run->seed; }
const char *bnn_run_net(const bnn_run *run) { return run->engine->texts.net; }
const char *bnn_run_engine(const bnn_run *run) { return run->engine_text; }
const char *bnn_run_likelihood(const bnn_run *run) { return run->engine->texts.likelihood; }
const char *bnn_run_prior(const bnn_run *run) { return run->engine->texts.prior; }
const bnn_scaling *bnn_run_scaling(const bnn_run *run) { return &run->engine->model->scaling; }
const bnn_schema *bnn_run_schema(const bnn_run *run) { return run->schema; }
double bnn_run_cost(const bnn_run *run, bnn_cost_item item) { return cost_of(&run->cost, item); }

int bnn_run_history_rows(const bnn_run *run) { return run->history.n; }
const int *bnn_run_history_epochs(const bnn_run *run) { return run->history.epoch; }

const double *bnn_run_history(const bnn_run *run, bnn_history_item item) {
    switch (item) {
    case BNN_HISTORY_NLL: return run->history.nll;
    case BNN_HISTORY_PRIOR: return run->history.prior;
    case BNN_HISTORY_KL: return run->history.kl;
    case BNN_HISTORY_NOISE_SD: return run->history.noise_sd;
    }
    return NULL;
}

int bnn_run_gates(const bnn_run *run) { return run->history.n_gates; }
const char *bnn_run_gate(const bnn_run *run, int gate) { return gate >= 0 && gate < run->history.n_gates ? run->history.gate[gate] : NULL; }
const double *bnn_run_gate_p(const bnn_run *run) { return run->history.p; }

/* ---- its parameters ---- */

int bnn_run_n_theta(const bnn_run *run) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    return fitted ? fitted->model->n_theta : 0;
}

int bnn_run_n_draws(const bnn_run *run) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    return fitted && bnn_engine_vtable(fitted)->n_draws ? bnn_engine_vtable(fitted)->n_draws(fitted) : 0;
}

bnn_status bnn_run_draw(const bnn_run *run, int s, uint64_t seed, double *theta) {
    int n = bnn_run_n_theta(run);
    bnn_real *drawn = malloc((size_t)n * sizeof *drawn + 1);
    if (!drawn) return bnn_oom("%d parameters", n);
    bnn_status status = bnn_engine_draw(run->engine, s, bnn_rng_seed(seed), drawn);
    for (int i = 0; status == BNN_OK && i < n; i++) theta[i] = (double)drawn[i];
    free(drawn);
    return status;
}

bnn_status bnn_run_set_theta(bnn_run *run, const double *theta) {
    bnn_engine *e = run->engine;
    bnn_block block[BNN_MAX_BLOCKS];
    if (run->steps > 0) return bnn_fail(BNN_ERR_STATE, "parameters can be set before the first step, not after %d", run->steps);
    if (!(e->object.type->caps & (BNN_POINT | BNN_ONE_THETA)) || bnn_engine_vtable(e)->blocks(e, block) < 1 || !block[0].theta ||
        block[0].kind != BNN_BLOCK_REAL || block[0].length != (size_t)e->model->n_theta)
        return bnn_fail(BNN_ERR_OPTION, "engine '%s' does not work on one parameter vector that could be set", e->object.type->name);
    bnn_real *to = block[0].data;
    for (size_t i = 0; i < block[0].length; i++) to[i] = (bnn_real)theta[i];
    return BNN_OK;
}

bool bnn_run_block(const bnn_run *run, int b, const char **node, const char **name, size_t *offset, size_t *length) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    bnn_block_info info;
    if (!fitted || b < 0 || !bnn_model_block(fitted->model, b, &info)) return false;
    *node = info.node, *name = info.name, *offset = info.offset, *length = info.length;
    return true;
}

static double number_at(const bnn_block *block, size_t i) {
    switch (block->kind) {
    case BNN_BLOCK_REAL: return (double)((const bnn_real *)block->data)[i];
    case BNN_BLOCK_DOUBLE: return ((const double *)block->data)[i];
    case BNN_BLOCK_U64: return (double)((const uint64_t *)block->data)[i];
    }
    return 0;
}

size_t bnn_run_state(const bnn_run *run, const char *name, size_t most, double *out) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    bnn_block block[BNN_MAX_BLOCKS];
    int n = fitted ? bnn_engine_vtable(fitted)->blocks((bnn_engine *)fitted, block) : 0; /* only read */
    for (int k = 0; k < n; k++) {
        if (strcmp(block[k].name, name) != 0) continue;
        for (size_t i = 0; i < block[k].length && i < most; i++) out[i] = number_at(&block[k], i);
        return block[k].length;
    }
    return 0;
}

/* ---- predictions ---- */

int bnn_prediction_rows(const bnn_prediction *p) { return p->n; }
int bnn_prediction_dim(const bnn_prediction *p) { return p->mean_dim; }
int bnn_prediction_samples(const bnn_prediction *p) { return p->samples; }
int bnn_prediction_sites(const bnn_prediction *p) { return p->sites; }
bool bnn_prediction_is_class(const bnn_prediction *p) { return p->is_class; }
const double *bnn_prediction_mean(const bnn_prediction *p) { return p->mean; }
const double *bnn_prediction_var_epistemic(const bnn_prediction *p) { return p->var_epistemic; }
const double *bnn_prediction_var_aleatoric(const bnn_prediction *p) { return p->var_aleatoric; }
const double *bnn_prediction_mean_mcse(const bnn_prediction *p) { return p->mean_mcse; }
const double *bnn_prediction_logp(const bnn_prediction *p) { return p->logp; }
const double *bnn_prediction_pit(const bnn_prediction *p) { return p->pit; }
const double *bnn_prediction_crps(const bnn_prediction *p) { return p->crps; }
const double *bnn_prediction_drawn(const bnn_prediction *p) { return p->y_drawn; }

bnn_status bnn_prediction_quantile(const bnn_prediction *p, double level, double *out) {
    int l = 0;
    while (l < p->n_levels && p->levels[l] != level) l++;
    if (l == p->n_levels)
        return bnn_fail(BNN_ERR_OPTION,
                        p->is_class ? "classes have probabilities, no quantile of level %g"
                                    : "a quantile of level %g was not asked for when the rows were predicted",
                        level);
    for (size_t i = 0; i < (size_t)p->n * (size_t)p->mean_dim; i++) out[i] = p->quantile[i * (size_t)p->n_levels + (size_t)l];
    return BNN_OK;
}

double bnn_prediction_cost(const bnn_prediction *p, bnn_cost_item item) { return cost_of(&p->cost, item); }
