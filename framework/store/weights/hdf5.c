/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hdf5.c: weights in HDF5. Two layouts, looked for in this order:
 *
 *   Keras, older   the root, or /model_weights, has the attribute layer_names; each layer is a group of that name whose attribute
 *                  weight_names holds the paths of its datasets inside it, "dense/kernel:0" (.h5; also the runs of bnn)
 *   groups         all datasets in all groups of /model_weights, or of the root: /NAME/kernel, /NAME.weight, and, as Keras 3 has it,
 *                  /layers/NAME/vars/0, 1, ..., models inside a model as /layers/NAME/layers/...
 *
 * Names too long for one attribute go on in layer_names0, layer_names1, ... The second layout has no list of layers: their order is that of
 * Keras's description of the model where there is one, that of making where the file keeps it, else that of the names.
 */
#include "store/hdf5.h"

#include "run/order.h"
#include "weights.h"
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

static bool has_list(bnn_h5_reader *r, const char *group, const char *attribute) {
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

/* ---- one array ---- */

/* "kernel:0" -> "kernel" */
static char *without_number(bnn_h5_reader *r, const char *name) { return made(r, "%.*s", (int)strcspn(name, ":"), name); }

static void get_shape(bnn_h5_reader *r, const char *path, bnn_shape *s) {
    int rank = bnn_h5_rank(r, path);
    if (r->status == BNN_OK && rank > BNN_MAX_RANK)
        r->status = bnn_fail(BNN_ERR_SHAPE, "%s: dataset %s has %d dimensions, at most %d are known", r->path, path, rank, BNN_MAX_RANK);
    if (r->status < 0) return;
    s->rank = rank;
    bnn_h5_extents(r, path, rank, s->d);
}

/* Two bytes that are the upper half of a float. HDF5 has no such type: Keras 3 says it in an attribute, older files in the model. */
static bool is_bfloat16(bnn_h5_reader *r, const char *path) {
    static const char attribute[] = "dtype", model[] = "model_config";
    if (bnn_h5_opaque_bytes(r, path) != 2) return false;
    bool own = bnn_h5_has_attribute(r, path, attribute);
    if (!own && !bnn_h5_has_attribute(r, "/", model)) return false;
    char *text = bnn_h5_get_text(r, own ? path : "/", own ? attribute : model);
    bool is = text && (own ? strcmp(text, "bfloat16") == 0 : strstr(text, "\"bfloat16\"") != NULL);
    free(text);
    return is;
}

static void get_bfloat16(bnn_h5_reader *r, const char *path, size_t n, double *out) {
    unsigned char *bytes = bnn_h5_room(r, n, 2);
    if (bytes) bnn_h5_get_bytes(r, path, n, 2, bytes);
    for (size_t i = 0; bytes && i < n; i++) out[i] = bnn_weights_number_at((bnn_weights_number){'b', 2, false}, bytes + 2 * i);
    free(bytes);
}

/* Adds the dataset of this path as an array of a layer. */
static void add_dataset(bnn_h5_reader *r, bnn_weights *w, const char *path, const char *array, const char *layer, const char *given) {
    bnn_weight a = {.path = made(r, "%s", path), .name = without_number(r, array)};
    size_t count = 1;
    if (r->status == BNN_OK) get_shape(r, path, &a.shape);
    for (int i = 0; i < a.shape.rank; i++) count *= (size_t)a.shape.d[i];
    if (r->status == BNN_OK) r->status = bnn_weights_room(a.path, &a);
    if (r->status == BNN_OK && is_bfloat16(r, path))
        get_bfloat16(r, path, count, a.value);
    else if (r->status == BNN_OK)
        bnn_h5_get(r, path, BNN_H5_DOUBLE, count, a.value);
    if (r->status == BNN_OK)
        r->status = bnn_weights_add(w, layer, given, &a);
    else
        free(a.path), free(a.name), free(a.value);
}

/* ---- layers that are listed ---- */

/* "backbone/dense/kernel:0" of the layer "backbone": "backbone/dense". Of a layer all of whose arrays lie together: the layer. */
static char *inner_layer(bnn_h5_reader *r, const char *layer, const names *weights, int k) {
    size_t length = strlen(layer);
    const char *path = weights->name[k], *slash = strrchr(path, '/');
    int inside = slash ? (int)(slash - path) : 0;
    bool together = true;
    for (int i = 0; i < weights->n; i++) {
        const char *other = strrchr(weights->name[i], '/');
        together =
            together && (other ? (int)(other - weights->name[i]) : 0) == inside && strncmp(weights->name[i], path, (size_t)inside) == 0;
    }
    if (together) return made(r, "%s", layer);
    bool begins = strncmp(path, layer, length) == 0 && path[length] == '/';
    return begins ? made(r, "%.*s", inside, path) : made(r, "%s/%.*s", layer, inside, path);
}

static void add_listed_layer(bnn_h5_reader *r, bnn_weights *w, const char *top, const char *layer) {
    names weights = {0};
    char *group = joined(r, top, layer);
    if (group && !has_list(r, group, "weight_names"))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: lacks group %s with an attribute 'weight_names'", r->path, group);
    else if (group)
        add_list(r, group, "weight_names", &weights);
    for (int k = 0; k < weights.n && r->status == BNN_OK; k++) {
        const char *slash = strrchr(weights.name[k], '/');
        char *path = joined(r, group, weights.name[k]), *inner = inner_layer(r, layer, &weights, k);
        if (path && inner) add_dataset(r, w, path, slash ? slash + 1 : weights.name[k], inner, NULL);
        free(path), free(inner);
    }
    names_free(&weights);
    free(group);
}

static void add_listed(bnn_h5_reader *r, bnn_weights *w, const char *top) {
    names layers = {0};
    add_list(r, top, "layer_names", &layers);
    for (int i = 0; i < layers.n && r->status == BNN_OK; i++) add_listed_layer(r, w, top, layers.name[i]);
    names_free(&layers);
}

/* ---- layers in groups ---- */

enum { MOST_DEPTH = 32, MOST_GROUPS = 100000 };

typedef struct {
    bnn_h5_reader *r;
    bnn_weights *w;
    int groups; /* looked into so far */
} walk;

static bool is_one_of(const char *name, const char *const *list) {
    for (; *list; list++)
        if (strcmp(name, *list) == 0) return true;
    return false;
}

/* Groups that stand between a layer and what is in it, and those that hold no weights: what training and random numbers need, and /scaling,
 * which is read apart. */
static bool is_shelf(const char *name) {
    return is_one_of(name, (const char *const[]){"layers", "_layer_checkpoint_dependencies", "vars", NULL});
}
static bool is_passed_over(const char *group, const char *name) {
    if (strcmp(name, "seed_generator") == 0) return true;
    return strcmp(group, "/") == 0 && is_one_of(name, (const char *const[]){"optimizer", "optimizer_weights", "scaling", NULL});
}

/* The name of a layer that its maker gave it, on /layers/dense/vars; NULL: none, or the one that the file uses. */
static char *get_given(bnn_h5_reader *r, const char *vars, const char *layer) {
    if (!bnn_h5_has_attribute(r, vars, "name")) return NULL;
    char *given = bnn_h5_get_text(r, vars, "name");
    const char *slash = strrchr(layer, '/');
    if (!given || (strcmp(given, slash ? slash + 1 : layer) != 0 && *given)) return given;
    free(given);
    return NULL;
}

/* A dataset of a group that belongs to this layer, "" for none. */
static void add_member(walk *k, const char *group, const char *name, const char *layer) {
    const char *array;
    char *path = joined(k->r, group, name);
    char *whole = made(k->r, "%s%s%s", layer, *layer ? "/" : "", name), *of = whole ? bnn_weights_cut(whole, &array) : NULL;
    bool numbered = strlen(group) > 5 && strcmp(group + strlen(group) - 5, "/vars") == 0;
    char *given = of && numbered ? get_given(k->r, group, layer) : NULL;
    if (path && !out_of_memory(k->r, whole) && !out_of_memory(k->r, of)) add_dataset(k->r, k->w, path, array, of, given);
    free(path), free(whole), free(of), free(given);
}

static void walk_group(walk *k, const char *group, const char *layer, int depth, const json_t *model);

static void walk_member(walk *k, const char *group, const char *name, const char *layer, int depth, const json_t *model) {
    char *path = joined(k->r, group, name);
    char *inner = is_shelf(name) ? made(k->r, "%s", layer) : made(k->r, "%s%s%s", layer, *layer ? "/" : "", name);
    if (path && inner && bnn_h5_is_group(k->r, path)) {
        if (!is_passed_over(group, name)) walk_group(k, path, inner, depth + 1, model);
    } else if (path && inner && bnn_h5_has(k->r, path))
        add_member(k, group, name, layer);
    free(path), free(inner);
}

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* "MyDense" -> "my_dense", as Keras names groups after classes. */
static void snake(const char *class, char out[128]) {
    size_t n = 0;
    for (const char *c = class; *c && n < 125; c++) {
        if (!is_upper(*c) && !is_lower(*c) && !is_digit(*c) && *c != '_') continue;
        if (c > class && is_upper(*c) && (is_lower(c[1]) || is_lower(c[-1]))) out[n++] = '_';
        out[n++] = is_upper(*c) ? (char)(*c - 'A' + 'a') : *c;
    }
    out[n] = '\0';
}

/* The number of layers before the one at i that are of its class. */
static int same_class(const json_t *layers, size_t i, const char *class) {
    int n = 0;
    for (size_t j = 0; j < i; j++) {
        const char *other = json_string_value(json_object_get(json_array_get(layers, j), "class_name"));
        n += other && strcmp(other, class) == 0;
    }
    return n;
}

/* The group of layer i of a description: its class, and behind that the number of layers of this class before it; "" where it has none. */
static void group_of(const json_t *layers, size_t i, char out[160]) {
    const char *class = json_string_value(json_object_get(json_array_get(layers, i), "class_name"));
    char stem[128] = "";
    int before = class ? same_class(layers, i, class) : 0;
    if (class) snake(class, stem);
    snprintf(out, 160, before > 0 ? "%s_%d" : "%s", stem, before);
}

/* Says whether a description has all that is in the group. */
static bool describes(walk *k, const char *group, const json_t *layers) {
    int n;
    bool all = true;
    char **members = bnn_h5_members(k->r, group, &n);
    for (int m = 0; m < n; m++) {
        char name[160] = "";
        for (size_t i = 0; i < json_array_size(layers) && strcmp(name, members[m]) != 0; i++) group_of(layers, i, name);
        all = all && strcmp(name, members[m]) == 0;
        free(members[m]);
    }
    free(members);
    return all;
}

/* The groups of the layers that Keras's description of a model lists, in its order. */
static void walk_model(walk *k, const char *group, const char *layer, int depth, const json_t *layers) {
    for (size_t i = 0; i < json_array_size(layers) && k->r->status == BNN_OK; i++) {
        char name[160];
        group_of(layers, i, name);
        if (*name) walk_member(k, group, name, layer, depth, json_object_get(json_array_get(layers, i), "config"));
    }
}

/* model: Keras's description of what is in the group; NULL: none. */
static void walk_group(walk *k, const char *group, const char *layer, int depth, const json_t *model) {
    int n;
    const char *name = strrchr(group, '/');
    const json_t *layers = name && strcmp(name, "/layers") == 0 ? json_object_get(model, "layers") : NULL;
    if (depth > MOST_DEPTH || ++k->groups > MOST_GROUPS)
        k->r->status =
            bnn_fail(BNN_ERR_FORMAT, "%s: group %s is too deep, in a circle, or one of more than %d", k->r->path, group, MOST_GROUPS);
    if (layers && describes(k, group, layers)) {
        walk_model(k, group, layer, depth, layers);
        return;
    }
    bool ordered = bnn_h5_is_ordered(k->r, group);
    char **all = bnn_h5_members(k->r, group, &n);
    bool parts = name && !layers && (strcmp(name, "/vars") == 0 || json_object_get(model, "layers"));
    if (n > 1 && !ordered && !parts) k->w->by_name = true;
    for (int i = 0; i < n; i++) {
        if (k->r->status == BNN_OK) walk_member(k, group, all[i], layer, depth, is_shelf(all[i]) ? model : NULL);
        free(all[i]);
    }
    free(all);
}

/* ---- the file ---- */

/* Other files of bnn have groups, too. */
static void check_schema(bnn_h5_reader *r) {
    if (!bnn_h5_has_attribute(r, "/", "schema") || bnn_h5_is_group(r, "/model_weights")) return;
    char *schema = bnn_h5_get_text(r, "/", "schema");
    if (schema) r->status = bnn_fail(BNN_ERR_FORMAT, "%s: holds '%s', expected weights", r->path, schema);
    free(schema);
}

static void get_layers(bnn_h5_reader *r, bnn_weights *w, const json_t *model) {
    static const char runs[] = "/model_weights";
    bool by_list = has_list(r, "/", "layer_names") || has_list(r, runs, "layer_names");
    const char *top = !has_list(r, "/", "layer_names") && bnn_h5_is_group(r, runs) ? runs : "/";
    if (r->status < 0) return;
    if (by_list)
        add_listed(r, w, top);
    else
        walk_group(&(walk){.r = r, .w = w}, top, "", 0, model);
    if (r->status == BNN_OK && !by_list && !model && !bnn_order_agrees(w)) w->by_name = true;
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

bnn_status bnn_weights_read_hdf5(bnn_weights *w, const char *path, const void *bytes, size_t size, const json_t *architecture) {
    bnn_h5_reader r;
    if (bytes)
        BNN_TRY(bnn_h5_open_image(&r, path, bytes, size));
    else
        BNN_TRY(bnn_h5_open_any(&r, path));
    check_schema(&r);
    get_layers(&r, w, architecture);
    get_scaling(&r, &w->scaling);
    get_likelihood(&r, w);
    return bnn_h5_close(&r);
}
