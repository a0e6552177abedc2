/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * store_run.c: files of schema "bnn-run" and "bnn-prediction".
 *
 * What predicts is saved: the fitted engine with its network as adapted. Parameter vectors go to /model_weights/<node>/<block> (Keras's
 * legacy layout; several vectors, as of an ensemble, along a first dimension draw), everything else of the engine's state to /engine_state.
 */
#include "store_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parameter vectors by layer ---- */

/* The first vector of an engine goes to /model_weights, others beside it. */
static void weights_group(char group[BNN_H5_PATH], int vector, const char *block) {
    if (vector == 0)
        snprintf(group, BNN_H5_PATH, "/model_weights");
    else
        snprintf(group, BNN_H5_PATH, "/model_weights_%s", block);
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

static const bnn_layer *find_layer(const bnn_net *net, const char *label) {
    for (int i = 0; i < net->n_nodes; i++)
        if (strcmp(net->node[i].layer.label, label) == 0) return &net->node[i].layer;
    return NULL;
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

static void open_layer(bnn_h5_writer *w, const char *group, const vectors *v, const char *label) {
    const bnn_layer *layer = find_layer(v->model->net, label);
    bnn_h5_group(w, group);
    if (v->count > 1) bnn_h5_dim(w, group, "draw", v->count, BNN_H5_INT, NULL);
    if (!layer) return;
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
            open_layer(w, bnn_h5_join(layer, group, b.node), v, b.node);
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

/* ---- the engine's state ---- */

static bnn_h5_kind block_kind(const bnn_block *b) { return b->kind == BNN_BLOCK_U64 ? BNN_H5_U64 : BNN_H5_REAL; }

static void put_state_block(bnn_h5_writer *w, const bnn_block *b) {
    char dim[BNN_H5_PATH] = "";
    if (b->length > 1) {
        snprintf(dim, sizeof dim, "%s_index", b->name);
        bnn_h5_dim(w, "/engine_state", dim, (int)b->length, BNN_H5_INT, NULL);
    }
    bnn_h5_put(w, "/engine_state", b->name, block_kind(b), b->data, dim);
}

static void put_state(bnn_h5_writer *w, const bnn_engine *engine) {
    bnn_block block[BNN_MAX_BLOCKS];
    int n = bnn_engine_vtable(engine)->blocks((bnn_engine *)engine, block), vector = 0; /* its blocks are only read here */
    bnn_h5_group(w, "/engine_state");
    for (int i = 0; i < n; i++) {
        char group[BNN_H5_PATH];
        if (is_vector(&block[i], engine->model)) {
            vectors v = as_vectors(&block[i], engine->model);
            weights_group(group, vector++, block[i].name);
            put_vectors(w, group, &v);
        } else if (block[i].length > 0)
            put_state_block(w, &block[i]);
    }
}

static void get_state(bnn_h5_reader *r, bnn_engine *engine) {
    bnn_block block[BNN_MAX_BLOCKS];
    int n = bnn_engine_vtable(engine)->blocks(engine, block), vector = 0;
    for (int i = 0; i < n; i++) {
        char path[BNN_H5_PATH];
        if (is_vector(&block[i], engine->model)) {
            vectors v = as_vectors(&block[i], engine->model);
            weights_group(path, vector++, block[i].name);
            get_vectors(r, path, &v);
        } else if (block[i].length > 0)
            bnn_h5_get(r, bnn_h5_join(path, "/engine_state", block[i].name), block_kind(&block[i]), block[i].length, block[i].data);
    }
}

/* ---- saving a run ---- */

static void put_root(bnn_h5_writer *w, const bnn_run *run, const bnn_engine *fitted, const bnn_provenance *p) {
    char *engine = bnn_object_print(&fitted->object, false);
    int split = p ? p->split : -1;
    bnn_h5_text(w, "/", "engine", run->engine_text);
    bnn_h5_text(w, "/", "engine_fitted", engine);
    bnn_h5_text(w, "/", "net", fitted->texts.net);
    bnn_h5_text(w, "/", "net_plain", fitted->plain_net);
    bnn_h5_text(w, "/", "likelihood", fitted->texts.likelihood);
    bnn_h5_text(w, "/", "prior", fitted->texts.prior);
    bnn_h5_u64(w, "/", "seed", run->seed);
    bnn_h5_ints(w, "/", "split", 1, &split);
    bnn_h5_text(w, "/", "status", run->complete ? "complete" : "partial");
    if (!engine) bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for the engine's text", w->path));
    free(engine);
}

static void put_scaling(bnn_h5_writer *w, const bnn_model *m) {
    bnn_h5_group(w, "/scaling");
    bnn_h5_ints(w, "/scaling", "x_shape", m->x_shape.rank, m->x_shape.d);
    bnn_h5_ints(w, "/scaling", "n_classes", 1, &m->likelihood.n_classes);
    bnn_h5_text(w, "/scaling", "formula", "(value - mean) / sd, over the training rows, divisor n");
    bnn_h5_dim(w, "/scaling", "feature", m->scaling.x_size, BNN_H5_INT, NULL);
    bnn_h5_dim(w, "/scaling", "output", m->scaling.y_dim, BNN_H5_INT, NULL);
    bnn_h5_put(w, "/scaling", "x_mean", BNN_H5_DOUBLE, m->scaling.x_mean, "feature");
    bnn_h5_put(w, "/scaling", "x_sd", BNN_H5_DOUBLE, m->scaling.x_sd, "feature");
    bnn_h5_put(w, "/scaling", "y_mean", BNN_H5_DOUBLE, m->scaling.y_mean, "output");
    bnn_h5_put(w, "/scaling", "y_sd", BNN_H5_DOUBLE, m->scaling.y_sd, "output");
}

static void put_columns(bnn_h5_writer *w, const bnn_engine *engine) {
    bnn_column column[BNN_MAX_COLUMNS];
    int n = bnn_engine_vtable(engine)->columns ? bnn_engine_vtable(engine)->columns(engine, column) : 0;
    if (n == 0 || column[0].length == 0) return;
    bnn_h5_group(w, "/engine_columns");
    bnn_h5_dim(w, "/engine_columns", "cell", column[0].length, BNN_H5_INT, NULL);
    for (int i = 0; i < n; i++) bnn_h5_put(w, "/engine_columns", column[i].name, BNN_H5_DOUBLE, column[i].data, "cell");
}

static const char *remark_of(const bnn_engine *engine) {
    return bnn_engine_vtable(engine)->remark ? bnn_engine_vtable(engine)->remark(engine) : NULL;
}

bnn_status bnn_run_save(const bnn_run *run, const bnn_prediction *prediction, const bnn_data *data, const bnn_metrics *metrics,
                        const bnn_provenance *provenance, const char *path) {
    const bnn_engine *fitted = bnn_engine_fitted(run->engine);
    if (!fitted) return bnn_fail(BNN_ERR_STATE, "%s: engine '%s' has fitted nothing yet that could be saved", path, run->engine_text);
    if (prediction && !data) return bnn_fail(BNN_ERR_STATE, "%s: a prediction is saved together with its data", path);
    bnn_h5_writer w;
    bnn_h5_create(&w, path, "bnn-run");
    put_root(&w, run, fitted, provenance);
    bnn_h5_text(&w, "/", "remark", remark_of(run->engine));
    put_scaling(&w, fitted->model);
    put_state(&w, fitted);
    put_columns(&w, run->engine);
    bnn_store_put_history(&w, "/metrics", &run->history);
    bnn_store_put_provenance(&w, provenance);
    bnn_h5_group(&w, "/cost");
    bnn_store_put_cost(&w, "/cost", "/provenance", 1, &run->cost, "");
    if (metrics) {
        bnn_h5_group(&w, "/summary");
        bnn_store_put_metrics(&w, "/summary", 1, metrics, "");
    }
    if (prediction) bnn_store_put_prediction(&w, "/predictions", prediction, data);
    return bnn_h5_commit(&w);
}

bnn_status bnn_prediction_save(const bnn_prediction *prediction, const bnn_data *data, const bnn_provenance *provenance, const char *path) {
    bnn_h5_writer w;
    bnn_h5_create(&w, path, "bnn-prediction");
    bnn_store_put_provenance(&w, provenance);
    bnn_store_put_prediction(&w, "/predictions", prediction, data);
    return bnn_h5_commit(&w);
}

/* ---- loading a run ---- */

/* What a run is rebuilt from. */
typedef struct {
    char *engine, *fitted, *net, *plain, *likelihood, *prior;
    bnn_data data; /* without rows */
} recipe;

static void recipe_free(recipe *c) {
    free(c->engine), free(c->fitted), free(c->net), free(c->plain), free(c->likelihood), free(c->prior);
    free(c->data.scaling.x_mean), free(c->data.scaling.x_sd), free(c->data.scaling.y_mean), free(c->data.scaling.y_sd);
}

static double *get_scale(bnn_h5_reader *r, const char *object, int n) {
    double *v = bnn_h5_room(r, (size_t)n, sizeof *v);
    if (v) bnn_h5_get(r, object, BNN_H5_DOUBLE, (size_t)n, v);
    return v;
}

static void get_scaling(bnn_h5_reader *r, bnn_data *d) {
    int rank = bnn_h5_count_attribute(r, "/scaling", "x_shape"), x = bnn_h5_length(r, "/scaling/feature"),
        y = bnn_h5_length(r, "/scaling/output");
    if (r->status == BNN_OK && rank > BNN_MAX_RANK)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: x_shape has %d numbers, expected 1 to %d", r->path, rank, BNN_MAX_RANK);
    if (r->status < 0) return;
    d->x_shape.rank = rank;
    bnn_h5_get_ints(r, "/scaling", "x_shape", rank, d->x_shape.d);
    d->n_classes = bnn_h5_get_int(r, "/scaling", "n_classes");
    if (r->status == BNN_OK && bnn_shape_size(d->x_shape) != x)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: x_shape does not make %d features", r->path, x);
    d->y_dim = y;
    d->scaling = (bnn_scaling){.x_size = x,
                               .y_dim = y,
                               .x_mean = get_scale(r, "/scaling/x_mean", x),
                               .x_sd = get_scale(r, "/scaling/x_sd", x),
                               .y_mean = get_scale(r, "/scaling/y_mean", y),
                               .y_sd = get_scale(r, "/scaling/y_sd", y)};
}

static void get_recipe(bnn_h5_reader *r, recipe *c) {
    c->engine = bnn_h5_get_text(r, "/", "engine");
    c->fitted = bnn_h5_get_text(r, "/", "engine_fitted");
    c->net = bnn_h5_get_text(r, "/", "net");
    c->plain = bnn_h5_get_text(r, "/", "net_plain");
    c->likelihood = bnn_h5_get_text(r, "/", "likelihood");
    c->prior = bnn_h5_get_text(r, "/", "prior");
    get_scaling(r, &c->data);
}

/* The texts move into the run. */
static void set_texts(bnn_run *run, recipe *c) {
    free(run->engine_text), free(run->engine->plain_net);
    run->engine_text = c->engine, run->engine->plain_net = c->plain;
    c->engine = c->plain = NULL;
}

static bnn_run *make_run(bnn_h5_reader *r, recipe *c) {
    bnn_run *run = NULL;
    uint64_t seed = bnn_h5_get_u64(r, "/", "seed");
    bnn_config config = {.net = c->net, .engine = c->fitted, .likelihood = c->likelihood, .prior = c->prior, .seed = seed};
    if (r->status == BNN_OK && (r->status = bnn_run_new(&config, &c->data, &run)) < 0) bnn_note(r->status, "%s", r->path);
    if (r->status < 0) return NULL;
    set_texts(run, c);
    return run;
}

static void fill_run(bnn_h5_reader *r, bnn_run *run) {
    char *status = bnn_h5_get_text(r, "/", "status");
    run->complete = status && strcmp(status, "complete") == 0;
    free(status);
    get_state(r, run->engine);
    bnn_store_get_history(r, "/metrics", &run->history);
    bnn_store_get_cost(r, "/cost", "/provenance", 1, &run->cost);
    run->engine->cost = run->cost;
}

static void get_origin(bnn_h5_reader *r, bnn_origin *o) {
    *o = (bnn_origin){.data_path = bnn_h5_get_text(r, "/provenance", "data_path"),
                      .data_sha256 = bnn_h5_get_text(r, "/provenance", "data_sha256"),
                      .split = bnn_h5_get_int(r, "/", "split")};
    if (o->data_path && !*o->data_path) free(o->data_path), o->data_path = NULL;
    if (o->data_sha256 && !*o->data_sha256) free(o->data_sha256), o->data_sha256 = NULL;
}

void bnn_origin_free(bnn_origin *o) {
    free(o->data_path), free(o->data_sha256);
    *o = (bnn_origin){.split = -1};
}

bnn_status bnn_run_load(const char *path, bnn_run **out, bnn_origin *origin) {
    *out = NULL;
    if (origin) *origin = (bnn_origin){.split = -1};
    bnn_h5_reader r;
    BNN_TRY(bnn_h5_open(&r, path, "bnn-run"));
    recipe c = {0};
    get_recipe(&r, &c);
    bnn_run *run = make_run(&r, &c);
    if (run) fill_run(&r, run);
    if (origin && r.status == BNN_OK) get_origin(&r, origin);
    recipe_free(&c);
    bnn_status s = bnn_h5_close(&r);
    if (s < 0)
        bnn_run_free(run);
    else
        *out = run;
    if (s < 0 && origin) bnn_origin_free(origin);
    return s;
}
