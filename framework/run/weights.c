/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/weights.h>

#include <bnn/file.h>
#include "base/sized.h"
#include "order.h"
#include "turn.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bnn_weights_free(bnn_weights *w) {
    if (!w) return;
    for (int i = 0; i < w->n; i++) {
        bnn_weights_layer *layer = &w->layer[i];
        for (int k = 0; k < layer->n; k++) free(layer->weight[k].name), free(layer->weight[k].path), free(layer->weight[k].value);
        free(layer->weight), free(layer->name), free(layer->given);
    }
    bnn_scaling_free(&w->scaling);
    free(w->layer), free(w->path), free(w->likelihood), free(w->hyper), free(w->normalization);
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

static bool has_block(const bnn_layer *l, const char *name) {
    for (int b = 0; b < l->plan.n_params; b++)
        if (strcmp(l->plan.param[b].name, name) == 0) return true;
    return false;
}

/* Says whether a node takes the factor and the shift that are left of a batch norm that learns no more: it has nothing else, and keeps
 * nothing of a row, as a norm does. */
static bool takes_frozen(const bnn_layer *l, const bnn_weights_layer *layer) {
    return layer->eps > 0 && find_weight(layer, "mean") && find_weight(layer, "var") && has_block(l, "scale") && has_block(l, "shift") &&
           l->plan.n_params == 2 && l->plan.cache_row == 0;
}

/* Every weight has a block of its name and rank; only a bias may have no weight. */
static bool takes(const bnn_layer *l, const bnn_weights_layer *layer) {
    int found = takes_frozen(l, layer) ? 2 : 0;
    for (int b = 0; b < l->plan.n_params; b++) {
        const bnn_param *p = &l->plan.param[b];
        const bnn_weight *w = find_weight(layer, p->name);
        if (w ? bnn_turn_of(w, l, p).shape.rank != shape_of(p).rank : p->role != BNN_BIAS) return false;
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
    return bnn_fail(BNN_ERR_SHAPE, "%s: layer '%s' holds %s: no node of the network takes that; '%s' (%s) takes %s%s", w->path, layer->name,
                    held, first->label, first->object.type->name, taken,
                    strcmp(layer->name, "/") == 0
                        ? ": name the arrays by their layers, such as fc1.weight [out, in] or fc1.kernel [in, out], and "
                          "fc1.bias"
                        : "");
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
static bnn_status match_in_order(const bnn_weights *w, const bnn_net *net, int *node) {
    int at = 0;
    for (int i = 0; i < w->n; i++) {
        while (at < net->n_nodes && !takes(&net->node[at].layer, &w->layer[i]) && !has_weights(&net->node[at].layer)) at++;
        if (at == net->n_nodes || !takes(&net->node[at].layer, &w->layer[i])) return no_match(w, net);
        node[i] = at++;
    }
    for (; at < net->n_nodes; at++)
        if (has_weights(&net->node[at].layer)) return no_match(w, net);
    return BNN_OK;
}

/* Says whether the node takes each array of the layer as it is. */
static bool fits(const bnn_layer *l, const bnn_weights_layer *layer) {
    for (int b = 0; b < l->plan.n_params; b++) {
        const bnn_weight *w = find_weight(layer, l->plan.param[b].name);
        if (w && !bnn_shape_equal(bnn_turn_of(w, l, &l->plan.param[b]).shape, shape_of(&l->plan.param[b]))) return false;
    }
    return takes(l, layer);
}

/* The nodes that have weights, and the orders of layers found for them. */
typedef struct {
    const bnn_net *net;
    const bnn_weights *w;
    int n, found;
    int *node; /* [n] */
    int *of;   /* [layers] node of each, in the first order found */
    int *first;
} places;

static bool may_take(void *context, int k, const bnn_weights_layer *before, const bnn_weights_layer *layer) {
    const places *p = context;
    (void)before;
    return fits(&p->net->node[p->node[k]].layer, layer);
}

static bool found_order(void *context, const int *order) {
    places *p = context;
    for (int k = 0; p->found == 0 && k < p->n; k++) p->of[order[k]] = p->node[k], p->first[k] = order[k];
    return ++p->found < 2;
}

/* As match_in_order where the file has no order: the only one that fits; *found false: none does. */
static bnn_status match_by_name(const bnn_weights *w, const bnn_net *net, int *node, bool *found) {
    places p = {.net = net, .w = w, .of = node};
    bool all = true;
    p.node = calloc((size_t)net->n_nodes + 1, sizeof *p.node), p.first = calloc((size_t)w->n + 1, sizeof *p.first);
    for (int i = 0; p.node && i < net->n_nodes; i++)
        if (has_weights(&net->node[i].layer)) p.node[p.n++] = i;
    bnn_status s = p.node && p.first ? BNN_OK : bnn_oom("the order of %d layers", w->n);
    if (s == BNN_OK && p.n == w->n) s = bnn_order_search(w, &(bnn_order_hooks){may_take, found_order, &p}, &all);
    if (s == BNN_OK && (p.found > 1 || !all)) s = bnn_order_refuse(w, p.found ? p.first : NULL, "the network takes several");
    *found = p.found == 1;
    free(p.node), free(p.first);
    return s;
}

static bnn_status match(const bnn_weights *w, const bnn_net *net, int *node) {
    bool found = false;
    for (int i = 0; i < w->n; i++) BNN_TRY(check_layer(w, &w->layer[i], net));
    if (w->by_name) BNN_TRY(match_by_name(w, net, node, &found));
    return found ? BNN_OK : match_in_order(w, net, node);
}

/* ---------------------------------------------------------------- layers whose arrays have no names */

static bool is_numbered(const bnn_weights_layer *layer) {
    for (int k = 0; k < layer->n; k++)
        if (strspn(layer->weight[k].name, "0123456789") != strlen(layer->weight[k].name)) return false;
    return true;
}

/* Says whether the arrays are a matrix, or a kernel of a convolution, and, where there is a second one, a vector. */
static bool may_have_kernel(const bnn_weights_layer *layer) {
    const bool kernel = layer->weight[0].shape.rank == 2 || layer->weight[0].shape.rank == 4;
    return is_numbered(layer) && layer->n <= 2 && kernel && (layer->n == 1 || layer->weight[1].shape.rank == 1);
}

bnn_status bnn_weights_layer_dense(bnn_weights_layer *layer) {
    static const char *const names[] = {"kernel", "bias"};
    for (int k = 0, n = may_have_kernel(layer) ? layer->n : 0; k < n; k++) {
        char *name = strdup(names[k]);
        if (!name) return bnn_oom("layer '%s'", layer->name);
        free(layer->weight[k].name);
        layer->weight[k].name = name;
    }
    return BNN_OK;
}

static bnn_status check_names(const bnn_weights *w) {
    for (int i = 0; i < w->n; i++) {
        const bnn_weights_layer *layer = &w->layer[i];
        char held[LIST_TEXT] = "";
        if (!is_numbered(layer)) continue;
        for (int k = 0; k < layer->n; k++) add_block(held, layer->weight[k].name, layer->weight[k].shape);
        return bnn_fail(BNN_ERR_SHAPE, "%s: layer '%s' holds arrays that the file only numbers (%s), and is not dense by its name: %s",
                        w->path, layer->name, held,
                        may_have_kernel(layer) ? "if it is, name the layers in their order (--order)" : "no other kind is known");
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- an order by name */

/* A name, the user's own, or the last part of a name; of several it is none. -1: none, -2: several. */
static int find_layer(const bnn_weights *w, const char *name) {
    for (int i = 0; i < w->n; i++)
        if (strcmp(w->layer[i].name, name) == 0) return i;
    int found = -1;
    for (int i = 0; i < w->n; i++) {
        const bnn_weights_layer *layer = &w->layer[i];
        size_t shorter = strlen(layer->name) > strlen(name) ? strlen(layer->name) - strlen(name) : 0;
        bool ends = shorter > 0 && strchr("/.", layer->name[shorter - 1]) && strcmp(layer->name + shorter, name) == 0;
        if (!ends && !(layer->given && strcmp(layer->given, name) == 0)) continue;
        if (found >= 0) return -2;
        found = i;
    }
    return found;
}

/* One entry of the list: its layer moves to place k. */
static bnn_status place(bnn_weights *w, int k, const char *name) {
    int i = find_layer(w, name);
    if (i == -2) return bnn_fail(BNN_ERR_NAME, "%s: the order names '%s', which is the end of several layers' names", w->path, name);
    if (i < 0) return bnn_fail(BNN_ERR_NAME, "%s: the order names '%s', which is no layer with weights", w->path, name);
    if (i < k) return bnn_fail(BNN_ERR_NAME, "%s: the order names '%s' twice", w->path, w->layer[i].name);
    bnn_weights_layer layer = w->layer[i];
    memmove(&w->layer[k + 1], &w->layer[k], (size_t)(i - k) * sizeof layer);
    w->layer[k] = layer;
    return bnn_weights_layer_dense(&w->layer[k]);
}

bnn_status bnn_weights_order(bnn_weights *w, const char *names) {
    char *list = strdup(names), *rest = list;
    bnn_status s = list ? BNN_OK : bnn_oom("an order of layers");
    int k = 0;
    for (char *name; s == BNN_OK && (name = strsep(&rest, ",")); k++) s = place(w, k, name + strspn(name, " "));
    if (s == BNN_OK && k < w->n) s = bnn_fail(BNN_ERR_NAME, "%s: the order does not name layer '%s'", w->path, w->layer[k].name);
    if (s == BNN_OK) w->by_name = false;
    free(list);
    return s;
}

/* ---------------------------------------------------------------- weights -> theta */

static bnn_status check_shape(const bnn_weights *w, const bnn_weight *from, const bnn_turn *turn, const bnn_layer *l,
                              bnn_shape takes_shape) {
    char has[BNN_SHAPE_TEXT], takes_text[BNN_SHAPE_TEXT];
    const bnn_shape *s = &turn->shape;
    if (bnn_shape_equal(*s, takes_shape)) return BNN_OK;
    bool transposed = s->rank == 2 && s->d[0] == takes_shape.d[1] && s->d[1] == takes_shape.d[0] && !turn->turned;
    return bnn_fail(BNN_ERR_SHAPE, "%s: dataset %s%s has shape %s, but node '%s' (%s) takes %s%s", w->path, from->path,
                    turn->turned       ? " (turned)"
                    : from->transposed ? " (transposed)"
                                       : "",
                    bnn_shape_print(*s, has), l->label, l->object.type->name, bnn_shape_print(takes_shape, takes_text),
                    !transposed        ? ""
                    : from->transposed ? ": as it is it would fit, under the name kernel"
                                       : ": transposed it would fit");
}

/* One layer of the file on its way to a node. */
typedef struct {
    const bnn_weights *w;
    const bnn_weights_layer *layer;
    const bnn_net *net;
    int node;
} filling;

/* Number i of a block, out of that of the array. */
static double number_of(const filling *f, const bnn_param *p, double value, int i) {
    if (!takes_frozen(&f->net->node[f->node].layer, f->layer)) return value;
    const double factor = find_weight(f->layer, "scale")->value[i] / sqrt(find_weight(f->layer, "var")->value[i] + f->layer->eps);
    return strcmp(p->name, "scale") == 0 ? factor : value - find_weight(f->layer, "mean")->value[i] * factor;
}

static bnn_status fill_block(const filling *f, const bnn_param *p, bnn_real *to) {
    const bnn_weight *from = find_weight(f->layer, p->name);
    int n = bnn_param_size(p);
    if (!from) return memset(to, 0, (size_t)n * sizeof *to), BNN_OK;
    const bnn_turn turn = bnn_turn_in(f->w, from, f->net, f->node, p);
    BNN_TRY(check_shape(f->w, from, &turn, &f->net->node[f->node].layer, shape_of(p)));
    for (int i = 0; i < n; i++) {
        const double value = from->value[bnn_turn_place(&turn, (size_t)i)];
        to[i] = (bnn_real)number_of(f, p, value, i);
        if (!isfinite(to[i]))
            return bnn_fail(BNN_ERR_DATA, "%s: dataset %s: entry %d of %d is %g, %s", f->w->path, from->path, i, n, value,
                            isfinite(value) ? "too large for a float" : "not a finite number");
    }
    return BNN_OK;
}

static bnn_status fill(const bnn_weights *w, const bnn_net *net, const int *node, bnn_real *theta) {
    for (int i = 0; i < w->n; i++) {
        const filling f = {.w = w, .layer = &w->layer[i], .net = net, .node = node[i]};
        const bnn_layer *l = &net->node[node[i]].layer;
        bnn_real *to = theta + net->node[node[i]].theta;
        for (int b = 0; b < l->plan.n_params; b++) {
            BNN_TRY(fill_block(&f, &l->plan.param[b], to));
            to += bnn_param_size(&l->plan.param[b]);
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

static bool has_transposed(const bnn_weights *w) {
    for (int i = 0; i < w->n; i++)
        for (int k = 0; k < w->layer[i].n; k++)
            if (w->layer[i].weight[k].transposed && w->layer[i].weight[k].shape.rank == 2) return true;
    return false;
}

static bool has_turned(const bnn_weights *w, const bnn_net *net, int i, int node) {
    const bnn_layer *l = &net->node[node].layer;
    bool turned = false;
    for (int b = 0; b < l->plan.n_params; b++) {
        const bnn_weight *from = find_weight(&w->layer[i], l->plan.param[b].name);
        turned |= from && bnn_turn_in(w, from, net, node, &l->plan.param[b]).turned;
    }
    return turned;
}

/* Says what was done to the arrays of layer i beside copying them. A node with statistics has an eps of its own. */
static void write_change(const bnn_weights *w, const bnn_net *net, int i, int node, FILE *remark) {
    const bnn_layer *l = &net->node[node].layer;
    bnn_option eps;
    if (has_turned(w, net, i, node)) fputs(" (turned: channels first)", remark);
    if (w->layer[i].eps == 0) return;
    if (takes_frozen(l, &w->layer[i]))
        fprintf(remark, " (statistics frozen, with eps=%s)", w->layer[i].eps < 1e-4 ? "1e-5" : "1e-3");
    else if (bnn_options_find(l->object.type->options, "eps", &eps) &&
             *(const double *)((const char *)l->object.conf + eps.offset) != w->layer[i].eps)
        fprintf(remark, " (whose eps is that of the network; %s is the preset of its maker)", w->layer[i].eps < 1e-4 ? "1e-5" : "1e-3");
}

static void write_layers(const bnn_weights *w, const bnn_net *net, const int *node, FILE *remark) {
    const char *between = "";
    fprintf(remark, "weights of %s: ", w->path);
    for (int at = 0; at < net->n_nodes; at++)
        for (int i = 0; i < w->n; i++) {
            if (node[i] != at) continue;
            fprintf(remark, "%s%s from '%s'", between, net->node[at].layer.label, w->layer[i].name), between = ", ";
            write_change(w, net, i, at, remark);
        }
    if (w->by_name && !bnn_order_is_told(w)) fputs(", the only order that fits", remark);
    if (w->normalization) fprintf(remark, "%sinputs scaled by '%s'", between, w->normalization);
    if (has_transposed(w)) fputs(", matrices [out, in] transposed", remark);
}

static bnn_status fill_run(const bnn_weights *w, bnn_run *run, const bnn_data *data) {
    const bnn_net *net = run->engine->model->net;
    bnn_block block[BNN_MAX_BLOCKS];
    bnn_engine_vtable(run->engine)->blocks(run->engine, block);
    int *node = calloc((size_t)w->n + 1, sizeof *node);
    FILE *remark = bnn_text_open(&run->remark, NULL);
    bnn_status s = node && remark ? match(w, net, node) : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for a run", w->path);
    if (s == BNN_OK) s = fill(w, net, node, block[0].data);
    if (s == BNN_OK) write_layers(w, net, node, remark);
    if (s == BNN_OK) s = set_noise(w, run, data, block[0].data, remark);
    if (remark && !bnn_text_close(remark, &run->remark) && s == BNN_OK)
        s = bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for a run", w->path);
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
    BNN_TRY(check_names(w));
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

/* The first and last array of two dimensions, which say how wide inputs and outputs are. */
typedef struct {
    const bnn_weights *w;
    const bnn_weight *first, *last;
    bool several;
} ends;

static const bnn_weight *kernel_of(const bnn_weights_layer *layer) {
    for (int k = 0; k < layer->n; k++)
        if (layer->weight[k].shape.rank == 2) return &layer->weight[k];
    return NULL;
}

static bool may_follow(void *context, int k, const bnn_weights_layer *before, const bnn_weights_layer *layer) {
    (void)context, (void)k;
    return !before || kernel_of(before)->shape.d[1] == kernel_of(layer)->shape.d[0];
}

static bool found_ends(void *context, const int *order) {
    ends *e = context;
    const bnn_weight *first = kernel_of(&e->w->layer[order[0]]), *last = kernel_of(&e->w->layer[order[e->w->n - 1]]);
    e->several = e->first && (e->first->shape.d[0] != first->shape.d[0] || e->last->shape.d[1] != last->shape.d[1]);
    e->first = first, e->last = last;
    return !e->several;
}

/* Where the file has no order: those of the orders in which each layer is as wide as the one before it. */
static bnn_status find_ends(ends *e) {
    bool all;
    for (int i = 0; i < e->w->n; i++)
        if (!kernel_of(&e->w->layer[i])) return BNN_OK; /* which is refused by name */
    BNN_TRY(bnn_order_search(e->w, &(bnn_order_hooks){may_follow, found_ends, e}, &all));
    if (e->first && !e->several && all) return BNN_OK;
    if (!e->first && bnn_order_is_told(e->w)) return BNN_OK;
    return bnn_order_refuse(e->w, NULL, "several would do");
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
    ends e = {.w = w};
    bnn_object known;
    bnn_shape x;
    int y_dim = 0, n_classes = 0;
    *out = NULL;
    BNN_TRY(check_names(w));
    for (int i = 0; i < w->n; i++)
        for (int k = 0; k < w->layer[i].n; k++)
            if (w->layer[i].weight[k].shape.rank == 4)
                return bnn_fail(BNN_ERR_SHAPE,
                                "%s: layer '%s' is a convolution, which does not say how large images are: name some (--data)", w->path,
                                w->layer[i].name);
    if (w->by_name) BNN_TRY(find_ends(&e));
    for (int i = 0; i < w->n && !e.first; i++) e.first = kernel_of(&w->layer[i]);
    for (int i = w->n - 1; i >= 0 && !e.last; i--) e.last = kernel_of(&w->layer[i]);
    if (!e.first) return bnn_fail(BNN_ERR_SHAPE, "%s: holds no kernel [in, out] that would say how many features there are", w->path);
    BNN_TRY(input_shape(config->net, &x));
    if (x.rank == 0) x = bnn_shape_vector(e.first->shape.d[0]);
    BNN_TRY(bnn_object_parse(BNN_LIKELIHOOD, likelihood, &known));
    bnn_object_free(&known);
    BNN_TRY(targets_of(likelihood, e.last->shape.d[1], &y_dim, &n_classes));
    return bnn_table_new(0, x, y_dim, n_classes, out);
}

/* Columns side by side that one number of the scaling is of; 0: it does not fit. */
static int columns_of_each(const bnn_weights *w, const bnn_shape *x) {
    int size = bnn_shape_size(*x), n = w->scaling.x_size;
    if (n == size) return 1;
    bool channels = x->rank == 3 && n == x->d[0];
    return w->normalization && (n == 1 || channels) ? size / n : 0;
}

bnn_status bnn_weights_scaling(const bnn_weights *w, const bnn_table *table, bnn_scaling *out) {
    const bnn_scaling *s = &w->scaling;
    int x_size = bnn_shape_size(table->x_shape), each = columns_of_each(w, &table->x_shape);
    if (s->x_size == 0) return bnn_fail(BNN_ERR_FORMAT, "%s: has no group /scaling with x_mean and x_sd", w->path);
    if (each == 0 && w->normalization)
        return bnn_fail(BNN_ERR_SHAPE, "%s: layer '%s' normalises %d columns, the data have %d", w->path, w->normalization, s->x_size,
                        x_size);
    if (each == 0 || (s->y_dim > 0 && s->y_dim != table->y_dim))
        return bnn_fail(BNN_ERR_SHAPE, "%s: /scaling is of %d feature and %d target columns, the data have %d and %d", w->path, s->x_size,
                        s->y_dim, x_size, table->y_dim);
    if (s->y_dim == table->y_dim && each == 1) return bnn_scaling_copy(s, out);
    BNN_TRY(bnn_scaling_identity(x_size, table->y_dim, out));
    for (int i = 0; i < x_size; i++) out->x_mean[i] = s->x_mean[i / each], out->x_sd[i] = s->x_sd[i / each];
    for (int j = 0; j < s->y_dim; j++) out->y_mean[j] = s->y_mean[j], out->y_sd[j] = s->y_sd[j];
    return BNN_OK;
}
