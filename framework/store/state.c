/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * state.c: the state of engines.
 *
 * Of the one that predicts: parameter vectors in /model_weights/<node>/<block> (Keras's legacy layout; several vectors, as of an ensemble,
 * along a first dimension draw), everything else in /engine_state; of a mixture likewise those of its members, in /member_0, /member_1,
 * ..., each with the texts that it is made of. Of an engine that holds others, while it is at work: its own state and theirs, flat, in
 * /resume_0, /resume_1, ...: holder first, then what it holds, in order.
 */
#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parameter vectors by layer ---- */

/* The first vector of an engine goes to /model_weights, others beside it. */
static void weights_group(char group[BNN_H5_PATH], const char *at, int vector, const char *block) {
    if (vector == 0)
        snprintf(group, BNN_H5_PATH, "%s/model_weights", at);
    else
        snprintf(group, BNN_H5_PATH, "%s/model_weights_%s", at, block);
}

/* count parameter vectors, one after the other: theta[count, n_theta]. */
typedef struct {
    const bnn_model *model;
    bnn_real *theta;
    int count;
} vectors;

static bool is_vector(const bnn_block *b, const bnn_model *m) { return b->theta && b->length > 0 && b->length % (size_t)m->n_theta == 0; }

static vectors as_vectors(const bnn_block *b, const bnn_model *m) {
    return (vectors){.model = m, .theta = b->data, .count = (int)(b->length / (size_t)m->n_theta)};
}

/* Between the flat vectors and one contiguous array of a parameter block, [count, length]. */
static void gather(const vectors *v, const bnn_block_info *b, bnn_real *to) {
    for (int d = 0; d < v->count; d++)
        memcpy(to + (size_t)d * b->length, v->theta + (size_t)d * (size_t)v->model->n_theta + b->offset, b->length * sizeof *to);
}
static void scatter(const vectors *v, const bnn_block_info *b, const bnn_real *from) {
    for (int d = 0; d < v->count; d++)
        memcpy(v->theta + (size_t)d * (size_t)v->model->n_theta + b->offset, from + (size_t)d * b->length, b->length * sizeof *from);
}

/* Sizes of the dimensions `in` and `out` of a layer's group; 0: not made yet. */
typedef struct {
    int in, out;
} layer_dims;

/* Appends to dims the dimension of this size: `in` or `out`, or one of the block's own where that has another size. */
static void use_dim(bnn_h5_writer *w, const char *group, const char *base, const char *block, int size, int *known, char *dims,
                    size_t room) {
    char own[BNN_H5_PATH];
    snprintf(own, sizeof own, "%s_%s", block, base);
    const char *name = *known == 0 || *known == size ? base : own;
    if (*known != size) bnn_h5_dim(w, group, name, size, BNN_H5_INT, NULL);
    if (*known == 0) *known = size;
    size_t used = strlen(dims);
    snprintf(dims + used, room - used, "%s%s", used ? " " : "", name);
}

static void put_block(bnn_h5_writer *w, const char *group, const vectors *v, const bnn_block_info *b, layer_dims *d) {
    char dims[2 * BNN_H5_PATH] = "";
    bnn_real *values = malloc((size_t)v->count * b->length * sizeof *values);
    if (!values) {
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for weights", w->path));
        return;
    }
    gather(v, b, values);
    if (v->count > 1) snprintf(dims, sizeof dims, "draw");
    if (b->rows > 0) use_dim(w, group, "in", b->name, b->rows, &d->in, dims, sizeof dims);
    use_dim(w, group, "out", b->name, b->cols, &d->out, dims, sizeof dims);
    bnn_h5_put(w, group, b->name, BNN_H5_REAL, values, dims);
    free(values);
}

static void open_layer(bnn_h5_writer *w, const char *group, const vectors *v, const bnn_block_info *b) {
    bnn_h5_group(w, group);
    if (v->count > 1) bnn_h5_dim(w, group, "draw", v->count, BNN_H5_INT, NULL);
    if (b->index < 0) return;
    const bnn_layer *layer = &v->model->net->node[b->index].layer;
    char *names[BNN_MAX_PARAMS];
    for (int k = 0; k < layer->plan.n_params; k++) names[k] = (char *)layer->plan.param[k].name;
    bnn_h5_text(w, group, "class", layer->object.type->name);
    bnn_h5_texts(w, group, "weight_names", layer->plan.n_params, names);
    if (layer->object.type->caps & BNN_AFFINE && layer->plan.param[0].rows > 0)
        bnn_h5_text(w, group, "layout", "y = x @ kernel + bias; kernel is (in, out)");
}

static void put_layer_names(bnn_h5_writer *w, const char *group, const bnn_net *net) {
    char **names = calloc((size_t)net->n_nodes, sizeof *names);
    int n = 0;
    for (int i = 0; names && i < net->n_nodes; i++)
        if (net->node[i].layer.plan.n_params > 0) names[n++] = (char *)net->node[i].layer.label;
    if (!names)
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for layer names", w->path));
    else if (n > 0)
        bnn_h5_texts(w, group, "layer_names", n, names);
    free(names);
}

static void put_vectors(bnn_h5_writer *w, const char *group, const vectors *v) {
    bnn_h5_group(w, group);
    put_layer_names(w, group, v->model->net);
    bnn_h5_text(w, group, "backend", "bnn");
    bnn_h5_text(w, group, "keras_version", "2");
    const char *node = "";
    char layer[BNN_H5_PATH];
    layer_dims dims = {0};
    bnn_block_info b;
    for (int i = 0; bnn_model_block(v->model, i, &b); i++) {
        if (strcmp(b.node, node) != 0) {
            open_layer(w, bnn_h5_join(layer, group, b.node), v, &b);
            node = b.node, dims = (layer_dims){0};
        }
        put_block(w, layer, v, &b, &dims);
    }
}

static void get_vectors(bnn_h5_reader *r, const char *group, const vectors *v) {
    bnn_block_info b;
    char layer[BNN_H5_PATH], path[BNN_H5_PATH];
    for (int i = 0; r->status == BNN_OK && bnn_model_block(v->model, i, &b); i++) {
        size_t count = (size_t)v->count * b.length;
        bnn_real *values = bnn_h5_room(r, count, sizeof *values);
        if (values) bnn_h5_get(r, bnn_h5_join(path, bnn_h5_join(layer, group, b.node), b.name), BNN_H5_REAL, count, values);
        if (r->status == BNN_OK) scatter(v, &b, values);
        free(values);
    }
}

/* ---- blocks ---- */

static bnn_h5_kind block_kind(const bnn_block *b) {
    return b->kind == BNN_BLOCK_U64 ? BNN_H5_U64 : b->kind == BNN_BLOCK_DOUBLE ? BNN_H5_DOUBLE : BNN_H5_REAL;
}

static void put_block_flat(bnn_h5_writer *w, const char *group, const bnn_block *b) {
    char dim[BNN_H5_PATH] = "";
    if (b->length == 0) return;
    if (b->length > 1) {
        snprintf(dim, sizeof dim, "%s_index", b->name);
        bnn_h5_dim(w, group, dim, (int)b->length, BNN_H5_INT, NULL);
    }
    bnn_h5_put(w, group, b->name, block_kind(b), b->data, dim);
}

static void get_block_flat(bnn_h5_reader *r, const char *group, const bnn_block *b) {
    char path[BNN_H5_PATH];
    if (b->length > 0) bnn_h5_get(r, bnn_h5_join(path, group, b->name), block_kind(b), b->length, b->data);
}

/* Block i of the engine as it stands now: the blocks before it may have changed its length. */
static bool next_block(bnn_h5_reader *r, bnn_engine *engine, int i, bnn_block *out) {
    bnn_block block[BNN_MAX_BLOCKS];
    if (r->status < 0 || i >= bnn_engine_vtable(engine)->blocks(engine, block)) return false;
    *out = block[i];
    if (out->length > 0 && !out->data) r->status = bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %s", r->path, out->name);
    return r->status == BNN_OK;
}

/* ---- the engine that predicts ---- */

static const char *member_group(char group[BNN_H5_PATH], const char *at, int k) {
    snprintf(group, BNN_H5_PATH, "%.*s/member_%d", BNN_H5_PATH / 2, at, k);
    return group;
}

/* at: the group of a member, "" of the engine of the run. */
static void put_engine(bnn_h5_writer *w, const char *at, const bnn_engine *engine) {
    bnn_block block[BNN_MAX_BLOCKS];
    char group[BNN_H5_PATH], state[BNN_H5_PATH];
    int n = bnn_engine_vtable(engine)->blocks((bnn_engine *)engine, block), vector = 0; /* its blocks are only read here */
    bnn_h5_group(w, bnn_h5_join(state, at, "engine_state"));
    for (int i = 0; i < n; i++) {
        if (is_vector(&block[i], engine->model)) {
            vectors v = as_vectors(&block[i], engine->model);
            weights_group(group, at, vector++, block[i].name);
            put_vectors(w, group, &v);
        } else
            put_block_flat(w, state, &block[i]);
    }
    const bnn_engine *member;
    for (int k = 0; (member = bnn_engine_member(engine, k)); k++) {
        char *text = bnn_object_print(&member->object, false);
        bnn_h5_group(w, member_group(group, at, k));
        bnn_h5_text(w, group, "engine", text);
        bnn_h5_text(w, group, "net", member->texts.net);
        bnn_h5_text(w, group, "likelihood", member->texts.likelihood);
        bnn_h5_text(w, group, "prior", member->texts.prior);
        if (!text) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for texts", w->path));
        free(text);
        put_engine(w, group, member);
    }
}

void bnn_store_put_engine(bnn_h5_writer *w, const bnn_engine *engine) { put_engine(w, "", engine); }

/* A member made of its texts, in the shapes and the scaling of its mixture; NULL, with the reader's status, if there is none. */
static bnn_engine *new_member(bnn_h5_reader *r, const char *group, const bnn_engine *mixture) {
    const bnn_model *m = mixture->model;
    bnn_data data = {.x_shape = m->x_shape,
                     .y_dim = m->likelihood.y_dim,
                     .n_classes = m->likelihood.n_classes,
                     .scaling = m->scaling,
                     .y_shape = m->likelihood.y_shape};
    char *engine = bnn_h5_get_text(r, group, "engine"), *net = bnn_h5_get_text(r, group, "net");
    char *likelihood = bnn_h5_get_text(r, group, "likelihood"), *prior = bnn_h5_get_text(r, group, "prior");
    bnn_engine *made = NULL;
    bnn_texts texts = {.net = net, .likelihood = likelihood, .prior = prior};
    if (r->status == BNN_OK && (r->status = bnn_engine_new(engine, &texts, &data, mixture->rng, &made)) < 0)
        bnn_note(r->status, "%s: %s", r->path, group);
    free(engine), free(net), free(likelihood), free(prior);
    return made;
}

static void get_engine(bnn_h5_reader *r, const char *at, bnn_engine *engine) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    char group[BNN_H5_PATH], state[BNN_H5_PATH];
    bnn_block block;
    bnn_h5_join(state, at, "engine_state");
    for (int i = 0, vector = 0; next_block(r, engine, i, &block); i++) {
        if (is_vector(&block, engine->model)) {
            vectors v = as_vectors(&block, engine->model);
            weights_group(group, at, vector++, block.name);
            get_vectors(r, group, &v);
        } else
            get_block_flat(r, state, &block);
    }
    bnn_engine **place;
    for (int k = 0; r->status == BNN_OK && type->member && (place = type->member(engine, k)); k++) {
        *place = new_member(r, member_group(group, at, k), engine);
        if (*place) get_engine(r, group, *place);
    }
}

void bnn_store_get_engine(bnn_h5_reader *r, bnn_engine *engine) { get_engine(r, "", engine); }

/* ---- an engine and those that it holds ---- */

static const char *resume_group(char group[BNN_H5_PATH], int k) {
    snprintf(group, BNN_H5_PATH, "/resume_%d", k);
    return group;
}

/* Writes the texts that one engine was made of, and its counts, which its holder's counts contain. */
static void put_counts(bnn_h5_writer *w, const char *group, const bnn_engine *engine) {
    bnn_h5_text(w, group, "engine", engine->object.type->name);
    bnn_h5_text(w, group, "net", engine->texts.net);
    bnn_h5_text(w, group, "likelihood", engine->texts.likelihood);
    bnn_h5_text(w, group, "prior", engine->texts.prior);
    bnn_h5_u64(w, group, "gradients", engine->cost.gradients);
    bnn_h5_u64(w, group, "forwards", engine->cost.forwards);
    bnn_h5_number(w, group, "flops", engine->cost.flops);
}

static void get_counts(bnn_h5_reader *r, const char *group, bnn_engine *engine) {
    char *name = bnn_h5_get_text(r, group, "engine");
    if (name && strcmp(name, engine->object.type->name) != 0)
        r->status =
            bnn_fail(BNN_ERR_FORMAT, "%s: %s holds the state of '%s', expected '%s'", r->path, group, name, engine->object.type->name);
    free(name);
    engine->cost.gradients = bnn_h5_get_u64(r, group, "gradients");
    engine->cost.forwards = bnn_h5_get_u64(r, group, "forwards");
    engine->cost.flops = bnn_h5_get_number(r, group, "flops");
}

static void put_tree(bnn_h5_writer *w, bnn_engine *engine, int *k) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    char group[BNN_H5_PATH];
    bnn_block block[BNN_MAX_BLOCKS];
    int n = type->blocks(engine, block);
    bnn_h5_group(w, resume_group(group, (*k)++));
    put_counts(w, group, engine);
    for (int i = 0; i < n; i++) put_block_flat(w, group, &block[i]);
    bnn_engine *inner;
    for (int i = 0; type->held && (inner = type->held(engine, i, &(const bnn_data *){NULL})); i++) put_tree(w, inner, k);
}

/* The engine's own hook, once its blocks are there. */
static void go_on(bnn_h5_reader *r, bnn_engine *engine, const bnn_data *data) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    if (r->status == BNN_OK && type->resume && (r->status = type->resume(engine, data)) < 0) bnn_note(r->status, "%s", r->path);
}

static void get_tree(bnn_h5_reader *r, bnn_engine *engine, const bnn_data *data, int *k) {
    const bnn_engine_type *type = bnn_engine_vtable(engine);
    char group[BNN_H5_PATH];
    bnn_block block;
    get_counts(r, resume_group(group, (*k)++), engine);
    for (int i = 0; next_block(r, engine, i, &block); i++) get_block_flat(r, group, &block);
    go_on(r, engine, data);
    bnn_engine *inner;
    const bnn_data *rows = data;
    for (int i = 0; r->status == BNN_OK && type->held && (inner = type->held(engine, i, &rows)); i++, rows = data)
        get_tree(r, inner, rows, k);
}

void bnn_store_put_held(bnn_h5_writer *w, const bnn_engine *engine) {
    int k = 0;
    if (bnn_engine_vtable(engine)->held) put_tree(w, (bnn_engine *)engine, &k); /* only read here */
}

void bnn_store_get_resumed(bnn_h5_reader *r, bnn_engine *engine, const bnn_data *data) {
    int k = 0;
    if (bnn_engine_vtable(engine)->held) {
        get_tree(r, engine, data, &k);
        return;
    }
    bnn_store_get_engine(r, engine);
    go_on(r, engine, data);
}
