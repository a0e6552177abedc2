/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/shards.h"
#include "types/vtable.h"

#include <bnn/engine.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Something has to answer a prediction. */
static const char *lacks(const bnn_type *type) {
    bool answers = bnn_vtable_has(type, offsetof(bnn_engine_type, draw)) || bnn_vtable_has(type, offsetof(bnn_engine_type, fitted)) ||
                   bnn_vtable_has(type, offsetof(bnn_engine_type, member));
    return answers ? NULL : "draw (or fitted, or member)";
}

static const bnn_hook hooks[] = {BNN_HOOK(bnn_engine_type, open),
                                 BNN_HOOK(bnn_engine_type, step),
                                 BNN_HOOK(bnn_engine_type, close),
                                 BNN_HOOK(bnn_engine_type, blocks),
                                 {0}};

const bnn_contract bnn_contract_engine = {.name = "engine", .size = sizeof(bnn_engine_type), .required = hooks, .lacks = lacks};

/* texts.net becomes the canonical text of what adapt made of the plain one. */
static bnn_status adapt(bnn_engine *e, const char *plain, char **out) {
    const bnn_engine_type *type = bnn_engine_vtable(e);
    bnn_netspec spec;
    BNN_TRY(bnn_netspec_parse(plain, &spec));
    bnn_status s = type->adapt ? type->adapt(e->object.conf, &spec) : BNN_OK;
    if (s == BNN_OK && !(*out = bnn_netspec_print(&spec))) s = bnn_oom("an engine");
    bnn_netspec_free(&spec);
    return s;
}

/* With noise in the layers -U is a sample of a bound, not the log of a density. */
static bnn_status check_layers(const bnn_engine *e) {
    const bnn_net *net = e->model->net;
    if (!(e->object.type->caps & BNN_EXACT) || net->first_stochastic == net->n_nodes) return BNN_OK;
    const bnn_layer *l = &net->node[net->first_stochastic].layer;
    return bnn_fail(BNN_ERR_OPTION,
                    "engine '%s' samples the weights themselves, so no layer may have noise of its own: leave out '%s' (%s)",
                    e->object.type->name, l->label, l->object.type->name);
}

/* Memory of batches would stay as it begins; engines around engines leave that to those. */
static bnn_status check_state(const bnn_engine *e) {
    const bnn_engine_type *type = bnn_engine_vtable(e);
    int i = bnn_net_stateful(e->model->net);
    if (i < 0 || type->type.caps & BNN_ABSORBS || type->fitted || type->member) return BNN_OK;
    const bnn_layer *l = &e->model->net->node[i].layer;
    return bnn_fail(BNN_ERR_OPTION, "engine '%s' does not train layers that remember batches: leave out '%s' (%s)", type->type.name,
                    l->label, l->object.type->name);
}

/* An engine that does not know of weights would count each row once; engines around engines leave that to those. */
static bnn_status check_weights(const bnn_engine *e, const bnn_data *data) {
    const bnn_engine_type *type = bnn_engine_vtable(e);
    if (!data->weight || type->type.caps & BNN_WEIGHS || type->fitted || type->member) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "engine '%s' does not know weights of rows: fit another engine, or data without weights",
                    type->type.name);
}

/* An engine that reads x itself finds it; engines around engines leave that to those, unless rows are to be divided among these. */
static bnn_status fill_rows(const bnn_engine *e, const bnn_data *data) {
    const bnn_engine_type *type = bnn_engine_vtable(e);
    if (data->stretch) return type->type.caps & BNN_SPREADS && bnn_shards_may_cut(e->model->net) ? BNN_OK : bnn_data_fill(data);
    return type->type.caps & BNN_TAKES || type->fitted || type->member ? BNN_OK : bnn_data_fill(data);
}

void bnn_engine_expect(bnn_engine *e, double gradients, int rows, double flops) {
    double each = BNN_SECONDS_A_PASS + bnn_model_gradient_flops(e->model, rows) / BNN_FLOPS_A_SECOND;
    e->seconds += gradients * each + flops / BNN_FLOPS_A_SECOND;
}

double bnn_engine_seconds(const bnn_engine *e) {
    const bnn_engine_type *type = bnn_engine_vtable(e);
    const bnn_data *rows = NULL;
    const bnn_engine *one;
    double sum = e->seconds;
    for (int i = 0; type->held && (one = type->held((bnn_engine *)e, i, &rows)); i++) sum += bnn_engine_seconds(one);
    return sum;
}

static bnn_status build(bnn_engine *e, const char *spec, const bnn_texts *texts, const bnn_data *data) {
    BNN_TRY(bnn_object_parse(BNN_ENGINE, spec, &e->object));
    char *adapted = NULL;
    BNN_TRY(adapt(e, texts->net, &adapted));
    bnn_status s = bnn_model_new(&(bnn_texts){.net = adapted, .likelihood = texts->likelihood, .prior = texts->prior}, data, &e->model);
    free(adapted);
    BNN_TRY(s);
    BNN_TRY(check_layers(e));
    BNN_TRY(check_state(e));
    BNN_TRY(check_weights(e, data));
    BNN_TRY(fill_rows(e, data));
    e->plain_net = strdup(texts->net);
    e->texts.net = bnn_net_print(e->model->net);
    e->texts.likelihood = bnn_object_print(&e->model->likelihood.object, false);
    e->texts.prior = bnn_object_print(&e->model->prior.object, false);
    e->state = calloc(1, bnn_engine_vtable(e)->state_size);
    if (!e->plain_net || !e->texts.net || !e->texts.likelihood || !e->texts.prior || !e->state) return bnn_oom("an engine");
    s = bnn_engine_vtable(e)->open(e, data);
    if (s == BNN_OK) s = bnn_time_check(bnn_engine_seconds(e), "the fit", "ask for fewer steps, draws, chains or members");
    return s < 0 ? bnn_note(s, "engine '%s'", e->object.type->name) : BNN_OK;
}

bnn_status bnn_engine_new(const char *spec, const bnn_texts *texts, const bnn_data *data, bnn_rng rng, bnn_engine **out) {
    bnn_engine *e = calloc(1, sizeof *e);
    if (!e) return bnn_oom("an engine");
    e->rng = rng;
    bnn_status s = build(e, spec, texts, data);
    if (s < 0)
        bnn_engine_free(e);
    else
        *out = e;
    return s;
}

bnn_status bnn_engine_step(bnn_engine *engine, const bnn_data *data, bnn_step *out) {
    bnn_stopwatch since = bnn_stopwatch_start();
    *out = (bnn_step){0};
    bnn_status s = fill_rows(engine, data);
    if (s == BNN_OK) s = bnn_engine_vtable(engine)->step(engine, data, out);
    bnn_stopwatch_stop(since, &engine->cost);
    return s < 0 ? bnn_note(s, "engine '%s'", engine->object.type->name) : BNN_OK;
}

void bnn_engine_free(bnn_engine *engine) {
    if (!engine) return;
    if (engine->state) bnn_engine_vtable(engine)->close(engine);
    free(engine->state);
    bnn_model_free(engine->model);
    free((char *)engine->texts.net);
    free((char *)engine->texts.likelihood);
    free((char *)engine->texts.prior);
    free(engine->plain_net);
    bnn_object_free(&engine->object);
    free(engine);
}

static bnn_engine *member(const bnn_engine *engine, int k) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    bnn_engine **place = type->member ? type->member(engine, k) : NULL;
    return place ? *place : NULL;
}

const bnn_engine *bnn_engine_fitted(const bnn_engine *engine) {
    while (engine && bnn_engine_vtable(engine)->fitted) engine = bnn_engine_vtable(engine)->fitted(engine);
    if (!engine || !bnn_engine_vtable(engine)->member) return engine;
    for (int k = 0; bnn_engine_vtable(engine)->member(engine, k); k++)
        if (!bnn_engine_fitted(member(engine, k))) return NULL;
    return engine;
}

const bnn_engine *bnn_engine_member(const bnn_engine *engine, int k) { return bnn_engine_fitted(member(engine, k)); }

static bnn_status draw_of_mixture(const bnn_engine *e, int s, bnn_rng rng, bnn_real *theta) {
    int n = 0;
    while (bnn_engine_member(e, n)) n++;
    const bnn_engine *one = bnn_engine_member(e, s % n);
    if (one->model->n_theta != e->model->n_theta)
        return bnn_fail(BNN_ERR_SHAPE, "member %d has %d parameters, engine '%s' has %d", s % n + 1, one->model->n_theta,
                        e->object.type->name, e->model->n_theta);
    const bnn_engine_type *type = bnn_engine_vtable(one);
    int stored = type->n_draws ? type->n_draws(one) : INT_MAX;
    if (stored < 1) return bnn_fail(BNN_ERR_STATE, "engine '%s' has no draws yet", type->type.name);
    return bnn_engine_draw(one, s / n % stored, rng, theta);
}

bnn_status bnn_engine_draw(const bnn_engine *engine, int s, bnn_rng rng, bnn_real *theta) {
    const bnn_engine *fitted = bnn_engine_fitted(engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "engine '%s' has not been fitted yet", engine->object.type->name);
    if (bnn_engine_vtable(fitted)->member) return draw_of_mixture(fitted, s, rng, theta);
    return bnn_engine_vtable(fitted)->draw(fitted, s, rng, theta);
}
