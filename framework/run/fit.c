/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/choose.h>
#include <bnn/fit.h>

#include "base/word.h"
#include "base/sized.h"
#include "data/sheet.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- names */

static bnn_status copy_texts(char *const *from, int n, int *count, char ***out) {
    if (!from || n == 0) return BNN_OK;
    if (!(*out = bnn_texts_copy((const char *const *)from, n))) return bnn_oom("the names of columns");
    *count = n;
    return BNN_OK;
}

static bnn_status copy_names(const bnn_table *t, bnn_names *out) {
    if (!t) return BNN_OK;
    BNN_TRY(copy_texts(t->x_names, bnn_shape_size(t->x_shape), &out->n_x, &out->x));
    BNN_TRY(copy_texts(t->y_names, t->y_dim, &out->n_y, &out->y));
    return copy_texts(t->class_names, t->n_classes, &out->n_classes, &out->classes);
}

static bnn_status check_texts(const char *what, char *const *fitted, int n, char *const *given) {
    for (int i = 0; fitted && given && i < n; i++)
        if (strcmp(fitted[i], given[i]) != 0)
            return bnn_fail(BNN_ERR_DATA, "%s %d is '%s', the run was fitted to '%s' there", what, i + 1, given[i], fitted[i]);
    return BNN_OK;
}

bnn_status bnn_run_check_names(const bnn_run *run, const bnn_table *t) {
    const bnn_names *names = &run->names;
    if (names->n_x == bnn_shape_size(t->x_shape)) BNN_TRY(check_texts("feature", names->x, names->n_x, t->x_names));
    if (names->n_y == t->y_dim) BNN_TRY(check_texts("target", names->y, names->n_y, t->y_names));
    return names->n_classes == t->n_classes ? check_texts("class", names->classes, names->n_classes, t->class_names) : BNN_OK;
}

/* ---------------------------------------------------------------- a run */

static bool is_auto(const char *text) { return !text || strcmp(text, "auto") == 0; }

/* Puts a choice in the place of what was left open. Beside an engine that was named stand the network and the prior that most engines take.
 */
static bnn_status fill_choice(bnn_config *config, const bnn_data *data, bnn_choice *choice) {
    bool open = is_auto(config->engine);
    char map[BNN_SHAPE_TEXT];
    if (is_auto(config->net) && bnn_is_map(data->y_shape))
        return bnn_fail(BNN_ERR_OPTION,
                        "no network is chosen for maps of classes: name one that keeps the %s pixels, such as "
                        "'conv2d:16,padding=1; relu; conv2d:kernel=1'",
                        bnn_shape_print(data->y_shape, map));
    if (!open && is_auto(config->net)) config->net = bnn_choose_net(data);
    if (!open) return BNN_OK;
    BNN_TRY(bnn_choose(data, config->budget != 0 ? config->budget : BNN_BUDGET, choice));
    config->engine = choice->engine;
    if (is_auto(config->net)) config->net = choice->net;
    if (!config->prior) config->prior = choice->prior;
    if (!config->likelihood) config->likelihood = choice->likelihood;
    return BNN_OK;
}

bnn_status bnn_run_new(const bnn_config *asked, const bnn_data *data, bnn_run **out) {
    bnn_config config;
    bnn_choice choice = {0};
    BNN_TRY(bnn_sized_read("bnn_config", &config, sizeof config, BNN_UP_TO(bnn_config, context), asked));
    BNN_TRY(fill_choice(&config, data, &choice));
    bnn_texts texts = {.net = config.net,
                       .likelihood = config.likelihood     ? config.likelihood
                                     : data->n_classes > 0 ? "categorical"
                                                           : "gaussian",
                       .prior = config.prior ? config.prior : "gauss"};
    bnn_run *run = calloc(1, sizeof *run);
    if (!run) return bnn_oom("a run");
    run->seed = config.seed;
    run->choice = *choice.reason ? strdup(choice.reason) : NULL;
    bnn_status s = copy_names(data->table, &run->names);
    if (s == BNN_OK && data->table) s = bnn_schema_of(data->table, &run->schema);
    if (s == BNN_OK) s = bnn_engine_new(config.engine, &texts, data, bnn_rng_seed(config.seed), &run->engine);
    if (s == BNN_OK && !(run->engine_text = bnn_object_print(&run->engine->object, false))) s = bnn_oom("a run");
    if (s < 0)
        bnn_run_free(run);
    else
        *out = run;
    return s;
}

void bnn_history_free(bnn_history *h) {
    bnn_texts_free(h->gate, h->n_gates);
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
    bnn_texts_free(run->names.x, run->names.n_x);
    bnn_texts_free(run->names.y, run->names.n_y);
    bnn_texts_free(run->names.classes, run->names.n_classes);
    bnn_schema_free(run->schema);
    free(run->engine_text);
    free(run->calibration);
    free(run->remark);
    free(run->choice);
    free(run);
}

const char *bnn_run_remark(const bnn_run *run) {
    const bnn_engine_type *type = bnn_engine_vtable(run->engine);
    return run->remark ? run->remark : type->remark ? type->remark(run->engine) : NULL;
}

const char *bnn_run_choice(const bnn_run *run) { return run->choice; }

/* ---------------------------------------------------------------- before the first step */

bnn_status bnn_run_doubt(const bnn_run *run, const bnn_data *data, bnn_remarks *remarks) {
    const bnn_model *m = run->engine->model;
    const char *label = NULL;
    int most = 0;
    for (int i = 0; i < m->net->n_nodes; i++) {
        const bnn_layer *layer = &m->net->node[i].layer;
        for (int k = 0; k < layer->plan.n_params; k++)
            if (layer->plan.param[k].fan_in > most) most = layer->plan.param[k].fan_in, label = layer->label;
    }
    if (data->n >= most) return BNN_OK;
    return bnn_remarks_add(remarks, BNN_REMARK_NOTE, "few_rows",
                           "few rows: %d to fit %d parameters; a unit of '%s' alone has %d weights, more than so many rows determine: the "
                           "prior decides the rest",
                           data->n, m->n_theta, label, most);
}

/* ---------------------------------------------------------------- history */

static bool is_gate(const bnn_node *node) { return bnn_layer_vtable(&node->layer)->keep != NULL; }

static bnn_status open_history(bnn_history *h, const bnn_net *net) {
    h->n_gates = bnn_net_gates(net);
    size_t most = BNN_HISTORY_MOST, gates = (size_t)h->n_gates;
    h->stride = 1;
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
    return ok ? BNN_OK : bnn_oom("the history");
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
static void record(bnn_history *h, const bnn_model *m, const bnn_step *step) {
    if (h->n > 1 && h->epoch[h->n - 1] % h->stride != 0) h->n--;
    if (h->n == BNN_HISTORY_MOST) {
        h->stride *= 2;
        int kept = 0;
        for (int i = 0; i < h->n; i++)
            if (i == 0 || h->epoch[i] % h->stride == 0) move_entry(h, kept++, i);
        h->n = kept;
    }
    write_entry(h, h->n++, ++h->epochs, m, step);
}

/* ---------------------------------------------------------------- fit */

static bnn_status check_rows(const bnn_data *train) {
    if (train->n == 0) return bnn_fail(BNN_ERR_DATA, "there are no training rows");
    if (!train->y) return bnn_fail(BNN_ERR_DATA, "the training rows have no targets: they can be predicted, not fitted");
    return BNN_OK;
}

bnn_status bnn_run_step(bnn_run *run, const bnn_data *train, double *share) {
    bnn_step step;
    BNN_TRY(check_rows(train));
    BNN_TRY(bnn_engine_step(run->engine, train, &step));
    if (step.theta) {
        const bnn_model *m = bnn_engine_fitted(run->engine)->model;
        if (!run->history.epoch) BNN_TRY(open_history(&run->history, m->net));
        record(&run->history, m, &step);
    }
    run->cost = run->engine->cost;
    run->steps++;
    run->progress = *share = step.progress;
    run->complete = step.done;
    return BNN_OK;
}

bnn_status bnn_fit(const bnn_config *config, const bnn_data *train, bnn_run **out) {
    bnn_run *run;
    double share;
    BNN_TRY(check_rows(train));
    BNN_TRY(bnn_run_new(config, train, &run));
    bnn_status s = BNN_OK;
    for (bool stop = false; s == BNN_OK && !run->complete && !stop;) {
        s = bnn_run_step(run, train, &share);
        if (s == BNN_OK && config->progress) stop = config->progress(config->context, share);
    }
    if (s < 0)
        bnn_run_free(run);
    else
        *out = run;
    return s;
}

bnn_status bnn_run_begin(bnn_run *run, const bnn_run *from) {
    bnn_engine *to = run->engine;
    const bnn_engine *fitted = bnn_engine_fitted(from->engine);
    bnn_block block[BNN_MAX_BLOCKS];
    if (!bnn_engine_vtable(to)->begin)
        return bnn_fail(BNN_ERR_OPTION, "engine '%s' cannot begin with the parameters of another run", to->object.type->name);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "engine '%s' has not been fitted yet", from->engine->object.type->name);
    if (bnn_engine_vtable(fitted)->member)
        return bnn_fail(BNN_ERR_STATE, "engine '%s' predicts with several parameter vectors: none of them is the one to begin with",
                        fitted->object.type->name);
    if (strcmp(to->texts.net, fitted->texts.net) != 0)
        return bnn_fail(BNN_ERR_SHAPE, "the network is '%s', that of the other run '%s'", to->texts.net, fitted->texts.net);
    if (strcmp(to->texts.likelihood, fitted->texts.likelihood) != 0)
        return bnn_fail(BNN_ERR_SHAPE, "the likelihood is '%s', that of the other run '%s'", to->texts.likelihood,
                        fitted->texts.likelihood);
    bnn_engine_vtable(fitted)->blocks((bnn_engine *)fitted, block); /* only read; the first is the theta that predicts */
    return bnn_engine_vtable(to)->begin(to, block[0].data);
}
