/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/weights.h>

#include "base/sized.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bnn_weights_free(bnn_weights *w) {
    if (!w) return;
    for (int i = 0; i < w->n; i++) {
        bnn_weights_layer *layer = &w->layer[i];
        for (int k = 0; k < layer->n; k++) free(layer->weight[k].name), free(layer->weight[k].path), free(layer->weight[k].value);
        free(layer->weight), free(layer->name);
    }
    bnn_scaling_free(&w->scaling);
    free(w->layer), free(w->path), free(w->likelihood), free(w->hyper);
    free(w);
}

/* ---------------------------------------------------------------- lists for messages */

enum { LIST_TEXT = 256 };

static void add_block(char list[LIST_TEXT], const char *name, bnn_shape shape) {
    char item[LIST_TEXT / 2], text[BNN_SHAPE_TEXT];
    snprintf(item, sizeof item, "%s %s", name, bnn_shape_print(shape, text));
    bnn_list_add(list, LIST_TEXT, item);
}

/* ---------------------------------------------------------------- which node takes which layer */

static bnn_shape shape_of(const bnn_param *p) {
    return p->rows > 0 ? (bnn_shape){.rank = 2, .d = {p->rows, p->cols}} : bnn_shape_vector(p->cols);
}

static const bnn_weight *find_weight(const bnn_weights_layer *layer, const char *name) {
    for (int k = 0; k < layer->n; k++)
        if (strcmp(layer->weight[k].name, name) == 0) return &layer->weight[k];
    return NULL;
}

/* Every weight has a block of its name and rank; only a bias may have no weight. */
static bool takes(const bnn_layer *l, const bnn_weights_layer *layer) {
    int found = 0;
    for (int b = 0; b < l->plan.n_params; b++) {
        const bnn_param *p = &l->plan.param[b];
        const bnn_weight *w = find_weight(layer, p->name);
        if (w ? w->shape.rank != shape_of(p).rank : p->role != BNN_BIAS) return false;
        found += w != NULL;
    }
    return found == layer->n;
}

/* Has parameters that training finds; those of gates may stay as they begin. */
static bool has_weights(const bnn_layer *l) {
    for (int b = 0; b < l->plan.n_params; b++)
        if (l->plan.param[b].role != BNN_HYPER) return true;
    return false;
}

static bnn_status check_layer(const bnn_weights *w, const bnn_weights_layer *layer, const bnn_net *net) {
    char held[LIST_TEXT] = "", taken[LIST_TEXT] = "";
    const bnn_layer *first = NULL;
    for (int i = 0; i < net->n_nodes; i++) {
        const bnn_layer *l = &net->node[i].layer;
        if (takes(l, layer)) return BNN_OK;
        if (!first && has_weights(l)) first = l;
    }
    for (int k = 0; k < layer->n; k++) add_block(held, layer->weight[k].name, layer->weight[k].shape);
    if (!first)
        return bnn_fail(BNN_ERR_SHAPE, "%s: layer '%s' holds %s, but no node of the network has weights", w->path, layer->name, held);
    for (int b = 0; b < first->plan.n_params; b++) add_block(taken, first->plan.param[b].name, shape_of(&first->plan.param[b]));
    return bnn_fail(BNN_ERR_SHAPE, "%s: layer '%s' holds %s: no node of the network takes that; '%s' (%s) takes %s", w->path, layer->name,
                    held, first->label, first->object.type->name, taken);
}

static bnn_status no_match(const bnn_weights *w, const bnn_net *net) {
    char layers[LIST_TEXT] = "", nodes[LIST_TEXT] = "";
    int n = 0;
    for (int i = 0; i < w->n; i++) bnn_list_add(layers, LIST_TEXT, w->layer[i].name);
    for (int i = 0; i < net->n_nodes; i++)
        if (has_weights(&net->node[i].layer)) n++, bnn_list_add(nodes, LIST_TEXT, net->node[i].layer.label);
    return bnn_fail(BNN_ERR_SHAPE, "%s: %d layer%s hold%s weights (%s), but %d node%s of the network take%s them (%s)", w->path, w->n,
                    w->n == 1 ? "" : "s", w->n == 1 ? "s" : "", layers, n, n == 1 ? "" : "s", n == 1 ? "s" : "", nodes);
}

/* node[w->n]: of each layer, in order; nodes without one are passed over where nothing is lost. */
static bnn_status match(const bnn_weights *w, const bnn_net *net, int *node) {
    int at = 0;
    for (int i = 0; i < w->n; i++) BNN_TRY(check_layer(w, &w->layer[i], net));
    for (int i = 0; i < w->n; i++) {
        while (at < net->n_nodes && !takes(&net->node[at].layer, &w->layer[i]) && !has_weights(&net->node[at].layer)) at++;
        if (at == net->n_nodes || !takes(&net->node[at].layer, &w->layer[i])) return no_match(w, net);
        node[i] = at++;
    }
    for (; at < net->n_nodes; at++)
        if (has_weights(&net->node[at].layer)) return no_match(w, net);
    return BNN_OK;
}

/* ---------------------------------------------------------------- weights -> theta */

static bnn_status check_shape(const bnn_weights *w, const bnn_weight *from, const bnn_layer *l, bnn_shape takes_shape) {
    char has[BNN_SHAPE_TEXT], takes_text[BNN_SHAPE_TEXT];
    const bnn_shape *s = &from->shape;
    if (bnn_shape_equal(*s, takes_shape)) return BNN_OK;
    bool transposed = s->rank == 2 && s->d[0] == takes_shape.d[1] && s->d[1] == takes_shape.d[0];
    return bnn_fail(BNN_ERR_SHAPE, "%s: dataset %s has shape %s, but node '%s' (%s) takes %s%s", w->path, from->path,
                    bnn_shape_print(*s, has), l->label, l->object.type->name, bnn_shape_print(takes_shape, takes_text),
                    transposed ? ": transposed it would fit" : "");
}

static bnn_status fill_block(const bnn_weights *w, const bnn_weight *from, const bnn_layer *l, const bnn_param *p, bnn_real *to) {
    int n = bnn_param_size(p);
    if (!from) return memset(to, 0, (size_t)n * sizeof *to), BNN_OK;
    BNN_TRY(check_shape(w, from, l, shape_of(p)));
    for (int i = 0; i < n; i++) {
        to[i] = (bnn_real)from->value[i];
        if (!isfinite(to[i]))
            return bnn_fail(BNN_ERR_DATA, "%s: dataset %s: entry %d of %d is %g, %s", w->path, from->path, i, n, from->value[i],
                            isfinite(from->value[i]) ? "too large for a float" : "not a finite number");
    }
    return BNN_OK;
}

static bnn_status fill(const bnn_weights *w, const bnn_net *net, const int *node, bnn_real *theta) {
    for (int i = 0; i < w->n; i++) {
        const bnn_layer *l = &net->node[node[i]].layer;
        bnn_real *to = theta + net->node[node[i]].theta;
        for (int b = 0; b < l->plan.n_params; b++) {
            const bnn_param *p = &l->plan.param[b];
            BNN_TRY(fill_block(w, find_weight(&w->layer[i], p->name), l, p, to));
            to += bnn_param_size(p);
        }
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- noise */

/* " sd 2.93" in the units of y, "" where the noise is not one number. */
static const char *noise_text(const bnn_model *m, const bnn_real *theta, char text[64]) {
    const bnn_likelihood_type *type = bnn_likelihood_vtable(&m->likelihood);
    double sd = type->noise_sd ? type->noise_sd(&m->likelihood, bnn_model_noise(m, theta)) : NAN;
    *text = '\0';
    if (isfinite(sd)) bnn_print(text, 64, " sd %.4g", sd * m->scaling.y_sd[0]);
    return text;
}

static bnn_status set_noise(const bnn_weights *w, bnn_run *run, const bnn_data *data, bnn_real *theta, FILE *remark) {
    const bnn_model *m = run->engine->model;
    int n = m->likelihood.n_theta;
    bool known = w->n_hyper == n && w->likelihood && strcmp(w->likelihood, run->engine->texts.likelihood) == 0;
    char text[64];
    if (n == 0) return BNN_OK;
    for (int i = 0; known && i < n; i++) theta[m->net->n_theta + i] = (bnn_real)w->hyper[i];
    if (!known && data->y && data->n > 0) BNN_TRY(bnn_model_fit_likelihood(m, data, theta, &run->cost));
    fprintf(remark, "; noise%s, ", noise_text(m, theta, text));
    if (known)
        fputs("as that file has it", remark);
    else if (data->y && data->n > 0)
        fprintf(remark, "from the residuals of %d training rows", data->n);
    else
        fputs("which was not learned: there are no targets", remark);
    return BNN_OK;
}

/* ---------------------------------------------------------------- the run */

static bool from_one_theta(const bnn_type *engine) { return engine->caps & (BNN_POINT | BNN_ONE_THETA); }

/* Refuses an engine that would have to fit, before it is opened. */
static bnn_status check_engine(const char *spec) {
    bnn_object engine;
    char list[LIST_TEXT] = "";
    BNN_TRY(bnn_object_parse(BNN_ENGINE, spec, &engine));
    const bnn_type *type = engine.type;
    bnn_object_free(&engine);
    if (from_one_theta(type)) return BNN_OK;
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_ENGINE, t));)
        if (from_one_theta(t)) bnn_list_add(list, LIST_TEXT, t->name);
    return bnn_fail(BNN_ERR_OPTION, "engine '%s' has to fit before it can predict; weights trained elsewhere are taken by %s", type->name,
                    list);
}

static void write_layers(const bnn_weights *w, const bnn_net *net, const int *node, FILE *remark) {
    fprintf(remark, "weights of %s: ", w->path);
    for (int i = 0; i < w->n; i++) fprintf(remark, "%s%s from '%s'", i ? ", " : "", net->node[node[i]].layer.label, w->layer[i].name);
}

static bnn_status fill_run(const bnn_weights *w, bnn_run *run, const bnn_data *data) {
    const bnn_net *net = run->engine->model->net;
    bnn_block block[BNN_MAX_BLOCKS];
    size_t size;
    bnn_engine_vtable(run->engine)->blocks(run->engine, block);
    int *node = calloc((size_t)w->n + 1, sizeof *node);
    FILE *remark = open_memstream(&run->remark, &size);
    bnn_status s = node && remark ? match(w, net, node) : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for a run", w->path);
    if (s == BNN_OK) s = fill(w, net, node, block[0].data);
    if (s == BNN_OK) write_layers(w, net, node, remark);
    if (s == BNN_OK) s = set_noise(w, run, data, block[0].data, remark);
    if (remark && fclose(remark) != 0 && s == BNN_OK) s = bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for a run", w->path);
    free(node);
    run->engine->cost = run->cost;
    run->complete = true;
    return s;
}

bnn_status bnn_weights_run(const bnn_weights *w, const bnn_config *config, const bnn_data *data, bnn_run **out) {
    bnn_config all;
    bnn_run *run;
    *out = NULL;
    BNN_TRY(bnn_sized_read("bnn_config", &all, sizeof all, BNN_UP_TO(bnn_config, context), config));
    if (!all.likelihood) all.likelihood = w->likelihood;
    BNN_TRY(check_engine(all.engine));
    BNN_TRY(bnn_run_new(&all, data, &run));
    bnn_status s = fill_run(w, run, data);
    if (s < 0)
        bnn_run_free(run);
    else
        *out = run;
    return s;
}

/* ---------------------------------------------------------------- shapes and scaling */

/* The shape that the text's `input` statement has; rank 0: none. */
static bnn_status input_shape(const char *net, bnn_shape *out) {
    bnn_netspec spec;
    bnn_object input;
    bnn_option shape;
    char *text = NULL;
    *out = (bnn_shape){0};
    BNN_TRY(bnn_netspec_parse(net, &spec));
    bool given = strcmp(spec.s[0].type, "input") == 0;
    bnn_status s = given && asprintf(&text, "input:%s", spec.s[0].options) < 0 ? bnn_fail(BNN_ERR_MEMORY, "out of memory") : BNN_OK;
    bnn_netspec_free(&spec);
    if (s == BNN_OK && given) s = bnn_object_parse(BNN_LAYER, text, &input);
    free(text);
    if (s < 0 || !given) return s;
    if (bnn_options_find(input.type->options, "shape", &shape)) memcpy(out, (const char *)input.conf + shape.offset, sizeof *out);
    bnn_object_free(&input);
    return BNN_OK;
}

/* The first or last array of two dimensions. */
static const bnn_weight *find_kernel(const bnn_weights *w, bool last) {
    const bnn_weight *found = NULL;
    for (int i = 0; i < w->n; i++)
        for (int k = 0; k < w->layer[i].n; k++)
            if (w->layer[i].weight[k].shape.rank == 2 && (last || !found)) found = &w->layer[i].weight[k];
    return found;
}

/* Targets and classes with which a likelihood needs this many units. */
static bnn_status targets_of(const char *spec, int units, int *y_dim, int *n_classes) {
    const struct { int y_dim, n_classes; } kinds[] = {{units, 0}, {1, units}, {1, 2}, {units / 2, 0}};
    double *unscaled = calloc(2 * (size_t)units, sizeof *unscaled); /* means of 0, then sds of 1 */
    if (!unscaled) return bnn_oom("%d targets", units);
    for (int j = 0; j < units; j++) unscaled[units + j] = 1;
    bool found = false;
    for (size_t k = 0; !found && k < sizeof kinds / sizeof *kinds; k++) {
        bnn_likelihood l;
        bnn_targets y = {bnn_shape_vector(kinds[k].y_dim), kinds[k].n_classes, unscaled, unscaled + units};
        if (kinds[k].y_dim == 0 || bnn_likelihood_new(spec, &y, &l) < 0) continue;
        found = l.out_dim == units;
        *y_dim = l.y_dim, *n_classes = l.n_classes;
        bnn_likelihood_free(&l);
    }
    free(unscaled);
    return found ? BNN_OK
                 : bnn_fail(BNN_ERR_SHAPE, "likelihood '%s' does not go with a network that ends with %d unit%s", spec, units,
                            units == 1 ? "" : "s");
}

bnn_status bnn_weights_table(const bnn_weights *w, const bnn_config *config, bnn_table **out) {
    const char *likelihood = config->likelihood ? config->likelihood : w->likelihood ? w->likelihood : "gaussian";
    const bnn_weight *first = find_kernel(w, false), *last = find_kernel(w, true);
    bnn_object known;
    bnn_shape x;
    int y_dim = 0, n_classes = 0;
    *out = NULL;
    if (!first) return bnn_fail(BNN_ERR_SHAPE, "%s: holds no kernel [in, out] that would say how many features there are", w->path);
    BNN_TRY(input_shape(config->net, &x));
    if (x.rank == 0) x = bnn_shape_vector(first->shape.d[0]);
    BNN_TRY(bnn_object_parse(BNN_LIKELIHOOD, likelihood, &known));
    bnn_object_free(&known);
    BNN_TRY(targets_of(likelihood, last->shape.d[1], &y_dim, &n_classes));
    return bnn_table_new(0, x, y_dim, n_classes, out);
}

bnn_status bnn_weights_scaling(const bnn_weights *w, const bnn_table *table, bnn_scaling *out) {
    const bnn_scaling *s = &w->scaling;
    int x_size = bnn_shape_size(table->x_shape);
    if (s->x_size == 0) return bnn_fail(BNN_ERR_FORMAT, "%s: has no group /scaling with x_mean and x_sd", w->path);
    if (s->x_size != x_size || (s->y_dim > 0 && s->y_dim != table->y_dim))
        return bnn_fail(BNN_ERR_SHAPE, "%s: /scaling is of %d feature and %d target columns, the data have %d and %d", w->path, s->x_size,
                        s->y_dim, x_size, table->y_dim);
    if (s->y_dim == table->y_dim) return bnn_scaling_copy(s, out);
    BNN_TRY(bnn_scaling_identity(x_size, table->y_dim, out));
    memcpy(out->x_mean, s->x_mean, (size_t)x_size * sizeof(double));
    memcpy(out->x_sd, s->x_sd, (size_t)x_size * sizeof(double));
    return BNN_OK;
}
