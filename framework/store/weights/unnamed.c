/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * unnamed.c: arrays whose names are no layer's, as np.savez makes of a list: matrices, each with the vector that has its number ("W1",
 * "b1"), or, of all matrices before all vectors ("arr_0" to "arr_5" of three layers), its place, or that stands behind it ("arr_0",
 * "arr_1"). Whether a matrix is [in, out] or [out, in] is what the lengths of the vectors say, which have one entry for each output.
 */
#include "weights.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool has_layer_names(const bnn_weights_layer *all) {
    for (int k = 0; k < all->n; k++)
        if (strcmp(all->weight[k].name, "kernel") == 0 || strcmp(all->weight[k].name, "bias") == 0) return true;
    return false;
}

static const char *number_of(const char *name) {
    const char *at = name + strlen(name);
    while (at > name && isdigit((unsigned char)at[-1])) at--;
    return at;
}

/* As many matrices, and then as many vectors, as scikit-learn has them in coefs_ and intercepts_. */
static bool has_halves(const bnn_weights_layer *all) {
    for (int k = 0; k < all->n; k++)
        if (all->weight[k].shape.rank != (2 * k < all->n ? 2 : 1)) return false;
    return all->n % 2 == 0;
}

/* The vector that belongs to matrix k; -1: none. */
static int find_vector(const bnn_weights_layer *all, int k) {
    const char *number = number_of(all->weight[k].name);
    for (int i = 0; i < all->n; i++)
        if (*number && all->weight[i].shape.rank == 1 && strcmp(number_of(all->weight[i].name), number) == 0) return i;
    if (has_halves(all)) return k + all->n / 2;
    return k + 1 < all->n && all->weight[k + 1].shape.rank == 1 ? k + 1 : -1;
}

/* Fills vector[all->n]; false: some array is neither a matrix nor the vector of one. */
static bool pair(const bnn_weights_layer *all, int *vector) {
    int used = 0;
    for (int k = 0; k < all->n; k++) {
        vector[k] = all->weight[k].shape.rank == 2 ? find_vector(all, k) : -1;
        used += all->weight[k].shape.rank == 2 ? 1 + (vector[k] >= 0) : 0;
        for (int i = 0; i < k; i++)
            if (vector[k] >= 0 && vector[i] == vector[k]) return false;
    }
    return used == all->n;
}

/* Says whether the matrices are [out, in]. Fails where no vector tells, or two tell different things. */
static bnn_status find_direction(const bnn_weights *w, const bnn_weights_layer *all, const int *vector, bool *turned) {
    bool in_out = false, out_in = false;
    for (int k = 0; k < all->n; k++) {
        const int *d = all->weight[k].shape.d;
        if (vector[k] < 0 || d[0] == d[1]) continue;
        int outputs = all->weight[vector[k]].shape.d[0];
        in_out = in_out || outputs == d[1], out_in = out_in || outputs == d[0];
    }
    *turned = out_in;
    if (in_out != out_in) return BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT,
                    "%s: nothing says whether array '%s' and those like it are [in, out] or [out, in]: name them LAYER.kernel [in, out] or "
                    "LAYER.weight [out, in], and LAYER.bias",
                    w->path, all->weight[0].name);
}

/* Adds arrays k and, if there is one, its vector as a layer. They leave `all`. */
static bnn_status add_layer(bnn_weights *w, bnn_weights_layer *all, int k, int vector, bool turned) {
    bnn_weight matrix = all->weight[k], bias = {0};
    char *layer = matrix.name;
    all->weight[k] = (bnn_weight){0};
    if (vector >= 0) bias = all->weight[vector], all->weight[vector] = (bnn_weight){0}, free(bias.name), bias.name = strdup("bias");
    matrix.name = strdup(turned ? "weight" : "kernel");
    bnn_status s = matrix.name && (bias.name || vector < 0) ? BNN_OK : bnn_oom("layer '%s'", layer);
    if (s == BNN_OK)
        s = bnn_weights_add(w, layer, NULL, &matrix);
    else
        free(matrix.name), free(matrix.path), free(matrix.value);
    if (s == BNN_OK && vector >= 0)
        s = bnn_weights_add(w, layer, NULL, &bias);
    else
        free(bias.name), free(bias.path), free(bias.value);
    free(layer);
    return s;
}

bnn_status bnn_weights_pair(bnn_weights *w) {
    if (w->n != 1 || strcmp(w->layer[0].name, "/") != 0 || has_layer_names(&w->layer[0])) return BNN_OK;
    bnn_weights_layer all = w->layer[0];
    bool turned;
    int *vector = calloc((size_t)all.n + 1, sizeof *vector);
    if (!vector) return bnn_oom("%s", w->path);
    bool pairs = pair(&all, vector);
    bnn_status s = pairs ? find_direction(w, &all, vector, &turned) : BNN_OK;
    if (pairs && s == BNN_OK) {
        w->n = 0;
        for (int k = 0; s == BNN_OK && k < all.n; k++)
            if (all.weight[k].shape.rank == 2) s = add_layer(w, &all, k, vector[k], turned);
        for (int k = 0; k < all.n; k++) free(all.weight[k].name), free(all.weight[k].path), free(all.weight[k].value);
        free(all.name), free(all.given), free(all.weight);
    }
    free(vector);
    return s;
}
