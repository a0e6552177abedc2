/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * weights.c: weights that others wrote, and those of bnn's own runs. Three layouts, looked for in this order:
 *
 *   Keras, older   the root, or /model_weights, has the attribute layer_names; each layer is a group of that name whose attribute
 *                  weight_names holds the paths of its datasets inside it, "dense/kernel:0" (.h5; also the runs of bnn)
 *   Keras 3        /layers/NAME/vars/0, 1, ... (.weights.h5); Keras 2.13 says _layer_checkpoint_dependencies for layers
 *   plain          /NAME/kernel, /NAME/bias, in the root or in /model_weights
 *
 * Names too long for one attribute go on in layer_names0, layer_names1, ... The last two layouts have no list of layers: their order is
 * that of making where the file keeps it, else that of the names, dense_2 before dense_10.
 */
#include "hdf5.h"

#include <bnn/cost.h>
#include <bnn/store.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool out_of_memory(bnn_h5_reader *r, const void *room) {
    if (!room && r->status == BNN_OK) r->status = bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for weights", r->path);
    return !room;
}

/* A path or name of any length, owned; NULL after a failure. */
__attribute__((format(printf, 2, 3))) static char *made(bnn_h5_reader *r, const char *format, ...) {
    char *text = NULL;
    va_list args;
    if (r->status < 0) return NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0) text = NULL;
    va_end(args);
    return out_of_memory(r, text) ? NULL : text;
}

static char *joined(bnn_h5_reader *r, const char *group, const char *name) {
    return made(r, "%s/%s", strcmp(group, "/") == 0 ? "" : group, name);
}

static bool has(bnn_h5_reader *r, const char *group, const char *name, bool as_group) {
    char *path = joined(r, group, name);
    bool found = path && bnn_h5_is_group(r, path) == as_group && bnn_h5_has(r, path);
    free(path);
    return found;
}

/* ---- lists of names ---- */

typedef struct {
    int n;
    char **name; /* [n] */
} names;

static void names_free(names *list) {
    for (int i = 0; i < list->n; i++) free(list->name[i]);
    free(list->name);
}

/* The entries move into the list. */
static void append(bnn_h5_reader *r, names *list, int n, char **more) {
    char **all = more ? realloc(list->name, ((size_t)list->n + (size_t)n + 1) * sizeof *all) : NULL;
    if (all) memcpy(all + list->n, more, (size_t)n * sizeof *all), list->name = all, list->n += n;
    for (int i = 0; !all && more && i < n; i++) free(more[i]);
    free(more);
    out_of_memory(r, all);
}

/* An attribute's texts; one without entries has whatever type. */
static void add_attribute(bnn_h5_reader *r, const char *group, const char *attribute, names *list) {
    int n = bnn_h5_count_attribute(r, group, attribute);
    if (n > 0) append(r, list, n, bnn_h5_get_texts(r, group, attribute, n));
}

static bool has_list(const bnn_h5_reader *r, const char *group, const char *attribute) {
    char first[32];
    snprintf(first, sizeof first, "%s0", attribute);
    return bnn_h5_has_attribute(r, group, attribute) || bnn_h5_has_attribute(r, group, first);
}

static void add_list(bnn_h5_reader *r, const char *group, const char *attribute, names *list) {
    char part[32];
    if (bnn_h5_has_attribute(r, group, attribute)) add_attribute(r, group, attribute, list);
    for (int i = 0; r->status == BNN_OK; i++) {
        snprintf(part, sizeof part, "%s%d", attribute, i);
        if (!bnn_h5_has_attribute(r, group, part)) return;
        add_attribute(r, group, part, list);
    }
}

/* Members of a group that are groups themselves, or that are not. */
static void add_members(bnn_h5_reader *r, const char *group, bool groups, names *list) {
    int n;
    char **all = bnn_h5_members(r, group, &n);
    for (int i = 0, kept = 0; all && i < n; i++) {
        bool keep = has(r, group, all[i], groups);
        if (!keep) free(all[i]);
        if (keep) all[kept++] = all[i];
        if (i == n - 1) n = kept;
    }
    append(r, list, n, all);
}

/* ---- one layer ---- */

/* "dense/kernel:0" -> "kernel" */
static char *short_name(bnn_h5_reader *r, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return made(r, "%.*s", (int)strcspn(name, ":"), name);
}

static void get_shape(bnn_h5_reader *r, const char *path, bnn_shape *s) {
    int rank = bnn_h5_rank(r, path);
    if (r->status == BNN_OK && rank > BNN_MAX_RANK)
        r->status = bnn_fail(BNN_ERR_SHAPE, "%s: dataset %s has %d dimensions, at most %d are known", r->path, path, rank, BNN_MAX_RANK);
    if (r->status < 0) return;
    s->rank = rank;
    bnn_h5_extents(r, path, rank, s->d);
}

static void get_weight(bnn_h5_reader *r, const char *group, const char *name, bnn_weight *w) {
    double count = 1;
    w->path = joined(r, group, name), w->name = short_name(r, name);
    if (r->status == BNN_OK) get_shape(r, w->path, &w->shape);
    for (int i = 0; i < w->shape.rank; i++) count *= w->shape.d[i];
    if (r->status == BNN_OK && (r->status = bnn_memory_check(count * sizeof(double), "the weights", "they are too large")) < 0)
        bnn_note(r->status, "%s: dataset %s", r->path, w->path);
    if ((w->value = bnn_h5_room(r, (size_t)count, sizeof(double)))) bnn_h5_get(r, w->path, BNN_H5_DOUBLE, (size_t)count, w->value);
}

/* Keras 3 numbers the arrays of a layer: a matrix and a vector are the kernel and bias of a dense one. */
static void name_by_place(bnn_h5_reader *r, bnn_weights_layer *layer) {
    static const char *const dense[] = {"kernel", "bias"};
    for (int k = 0; k < layer->n && layer->n <= 2; k++) {
        if (layer->weight[k].shape.rank != 2 - k) return;
        free(layer->weight[k].name);
        layer->weight[k].name = made(r, "%s", dense[k]);
    }
}

/* The arrays of a layer's group, listed or all there are. */
static void get_layer(bnn_h5_reader *r, const char *top, const char *name, bool listed, bnn_weights_layer *layer) {
    names weights = {0};
    char *group = joined(r, top, name), *vars = group ? joined(r, group, "vars") : NULL;
    bool numbered = vars && !listed && bnn_h5_is_group(r, vars);
    const char *where = numbered ? vars : group;
    if (where && listed && !has_list(r, where, "weight_names"))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: lacks group %s with an attribute 'weight_names'", r->path, where);
    else if (where && listed)
        add_list(r, where, "weight_names", &weights);
    else if (where)
        add_members(r, where, false, &weights);
    layer->name = made(r, "%s", name);
    layer->weight = bnn_h5_room(r, (size_t)weights.n, sizeof *layer->weight);
    for (int k = 0; layer->weight && k < weights.n && r->status == BNN_OK; k++)
        get_weight(r, where, weights.name[k], &layer->weight[layer->n++]);
    if (numbered && r->status == BNN_OK) name_by_place(r, layer);
    names_free(&weights);
    free(group), free(vars);
}

/* ---- the file ---- */

static const char *find_top(const bnn_h5_reader *r) {
    static const char *const tops[] = {"/layers", "/_layer_checkpoint_dependencies", "/model_weights"};
    if (has_list(r, "/", "layer_names")) return "/";
    if (has_list(r, "/model_weights", "layer_names")) return "/model_weights";
    for (int i = 0; i < 3; i++)
        if (bnn_h5_is_group(r, tops[i])) return tops[i];
    return "/";
}

/* Other files of bnn have groups, too. */
static void check_schema(bnn_h5_reader *r) {
    if (!bnn_h5_has_attribute(r, "/", "schema") || bnn_h5_is_group(r, "/model_weights")) return;
    char *schema = bnn_h5_get_text(r, "/", "schema");
    if (schema) r->status = bnn_fail(BNN_ERR_FORMAT, "%s: holds '%s', expected weights", r->path, schema);
    free(schema);
}

static void get_layers(bnn_h5_reader *r, bnn_weights *w, const char *top) {
    names layers = {0};
    bool listed = has_list(r, top, "layer_names");
    if (listed)
        add_list(r, top, "layer_names", &layers);
    else
        add_members(r, top, true, &layers);
    w->layer = bnn_h5_room(r, (size_t)layers.n, sizeof *w->layer);
    for (int i = 0; w->layer && i < layers.n && r->status == BNN_OK; i++) {
        bnn_weights_layer layer = {0};
        if (!listed && strcmp(layers.name[i], "scaling") == 0) continue;
        get_layer(r, top, layers.name[i], listed, &layer);
        if (layer.n > 0)
            w->layer[w->n++] = layer;
        else /* an activation, say */
            free(layer.name), free(layer.weight);
    }
    names_free(&layers);
    if (r->status == BNN_OK && w->n == 0)
        r->status =
            bnn_fail(BNN_ERR_FORMAT,
                     "%s: holds no weights: expected Keras's attribute 'layer_names', or groups with datasets kernel and bias", r->path);
}

/* n numbers of /scaling, finite, and positive where they are sd. */
static void get_scale(bnn_h5_reader *r, const char *object, bool sd, int n, double *out) {
    bnn_h5_get(r, object, BNN_H5_DOUBLE, (size_t)n, out);
    for (int i = 0; r->status == BNN_OK && i < n; i++)
        if (!isfinite(out[i]) || (sd && !(out[i] > 0)))
            r->status = bnn_fail(BNN_ERR_DATA, "%s: dataset %s: entry %d of %d is %g, expected a %s number", r->path, object, i, n, out[i],
                                 sd ? "positive" : "finite");
}

static void get_scaling(bnn_h5_reader *r, bnn_scaling *s) {
    if (!bnn_h5_has(r, "/scaling/x_mean")) return;
    int x = bnn_h5_length(r, "/scaling/x_mean"), y = bnn_h5_has(r, "/scaling/y_mean") ? bnn_h5_length(r, "/scaling/y_mean") : 0;
    if (r->status == BNN_OK) r->status = bnn_scaling_identity(x, y, s);
    if (r->status < 0) return;
    get_scale(r, "/scaling/x_mean", false, x, s->x_mean);
    get_scale(r, "/scaling/x_sd", true, x, s->x_sd);
    if (y > 0) get_scale(r, "/scaling/y_mean", false, y, s->y_mean);
    if (y > 0) get_scale(r, "/scaling/y_sd", true, y, s->y_sd);
}

/* A run of bnn knows its noise. */
static void get_likelihood(bnn_h5_reader *r, bnn_weights *w) {
    static const char object[] = "/model_weights/likelihood/hyper";
    if (!bnn_h5_has_attribute(r, "/", "schema") || !bnn_h5_has_attribute(r, "/", "likelihood")) return;
    w->likelihood = bnn_h5_get_text(r, "/", "likelihood");
    if (!bnn_h5_has(r, object)) return;
    int n = bnn_h5_length(r, object);
    if (!(w->hyper = bnn_h5_room(r, (size_t)n, sizeof *w->hyper))) return;
    w->n_hyper = n;
    bnn_h5_get(r, object, BNN_H5_DOUBLE, (size_t)n, w->hyper);
}

bnn_status bnn_weights_load(const char *path, bnn_weights **out) {
    bnn_h5_reader r;
    *out = NULL;
    BNN_TRY(bnn_h5_open_any(&r, path));
    bnn_weights *w = bnn_h5_room(&r, 1, sizeof *w);
    if (w) {
        w->path = made(&r, "%s", path);
        check_schema(&r);
        get_layers(&r, w, find_top(&r));
        get_scaling(&r, &w->scaling);
        get_likelihood(&r, w);
    }
    bnn_status s = bnn_h5_close(&r);
    if (s == BNN_OK) s = bnn_file_sha256(path, w->sha256);
    if (s < 0)
        bnn_weights_free(w);
    else
        *out = w;
    return s;
}
