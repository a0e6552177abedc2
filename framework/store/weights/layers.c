/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * layers.c: arrays of files, one by one, as those of layers.
 */
#include "weights.h"

#include <bnn/cost.h>
#include <stdlib.h>
#include <string.h>

char *bnn_weights_cut(const char *path, const char **array) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    const char *cut = !slash || (dot && dot > slash) ? dot : slash;
    *array = cut ? cut + 1 : path;
    return cut && cut > path ? strndup(path, (size_t)(cut - path)) : strdup("/");
}

static void free_array(bnn_weight *array) { free(array->name), free(array->path), free(array->value); }

/* The layer of this name; NULL: out of memory. */
static bnn_weights_layer *find_layer(bnn_weights *w, const char *name, const char *given) {
    for (int i = w->n - 1; i >= 0; i--)
        if (strcmp(w->layer[i].name, name) == 0) return &w->layer[i];
    bnn_weights_layer *all = realloc(w->layer, ((size_t)w->n + 1) * sizeof *all);
    if (!all) return NULL;
    w->layer = all;
    bnn_weights_layer layer = {.name = strdup(name), .given = given ? strdup(given) : NULL};
    if (layer.name && (layer.given || !given)) return all[w->n] = layer, &all[w->n++];
    free(layer.name), free(layer.given);
    return NULL;
}

/* [out, in] -> [in, out] */
static bnn_status transpose(bnn_weight *array) {
    size_t rows = (size_t)array->shape.d[0], cols = (size_t)array->shape.d[1];
    double *turned = malloc((rows * cols + 1) * sizeof *turned);
    char *name = strdup("kernel");
    if (!turned || !name) return free(turned), free(name), bnn_oom("array %s", array->path);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) turned[j * rows + i] = array->value[i * cols + j];
    free(array->value), free(array->name);
    array->value = turned, array->name = name, array->transposed = true;
    array->shape.d[0] = (int)cols, array->shape.d[1] = (int)rows;
    return BNN_OK;
}

/* [out, in, rows, columns]: which node takes it says how it is turned. */
static bnn_status mark_kernel(bnn_weight *array) {
    char *name = strdup("kernel");
    if (!name) return bnn_oom("array %s", array->path);
    free(array->name);
    array->name = name, array->transposed = true;
    return BNN_OK;
}

bnn_status bnn_weights_add(bnn_weights *w, const char *name, const char *given, bnn_weight *array) {
    bnn_status s = BNN_OK;
    if (array->shape.rank == 2 && strcmp(array->name, "weight") == 0) s = transpose(array);
    if (array->shape.rank == 4 && strcmp(array->name, "weight") == 0) s = mark_kernel(array);
    bnn_weights_layer *layer = s < 0 ? NULL : find_layer(w, name, given);
    bnn_weight *all = layer ? realloc(layer->weight, ((size_t)layer->n + 1) * sizeof *all) : NULL;
    if (!all) return free_array(array), s < 0 ? s : bnn_oom("layer '%s'", name);
    layer->weight = all;
    all[layer->n++] = *array;
    return BNN_OK;
}

bnn_status bnn_weights_add_path(bnn_weights *w, const char *path, bnn_weight *array) {
    const char *last;
    char *layer = bnn_weights_cut(path, &last);
    array->path = strdup(path), array->name = strndup(last, strcspn(last, ":"));
    bnn_status s = layer && array->path && array->name ? BNN_OK : bnn_oom("array %s", path);
    if (s == BNN_OK)
        s = bnn_weights_add(w, layer, NULL, array);
    else
        free_array(array);
    free(layer);
    return s;
}

bnn_status bnn_weights_room(const char *where, bnn_weight *array) {
    double count = 1;
    for (int i = 0; i < array->shape.rank; i++) count *= array->shape.d[i];
    if (count == 0) return bnn_fail(BNN_ERR_SHAPE, "%s: holds no number, as one of its dimensions is 0", where);
    bnn_status s = bnn_memory_check(count * sizeof(double), "the weights", "they are too large");
    if (s < 0) return bnn_note(s, "%s", where);
    array->value = calloc((size_t)count, sizeof *array->value);
    return array->value ? BNN_OK : bnn_oom("%s", where);
}
