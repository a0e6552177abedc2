/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * norms.c: the names of what a norm holds. Keras has gamma, beta, moving_mean, moving_variance, PyTorch weight, bias, running_mean,
 * running_var, each without those that the layer was told to do without: a factor is 1 then, a shift 0.
 */
#include "weights.h"

#include <stdlib.h>
#include <string.h>

enum { SCALE, SHIFT, MEAN, VAR, N_NAMES };
static const char *const ours[N_NAMES] = {"scale", "shift", "mean", "var"};
static const char *const keras[N_NAMES] = {"gamma", "beta", "moving_mean", "moving_variance"};
static const char *const pytorch[N_NAMES] = {"weight", "bias", "running_mean", "running_var"};
static const char *const numbers[N_NAMES] = {"0", "1", "2", "3"};

static int find(const char *const names[N_NAMES], const char *name) {
    int k = 0;
    while (k < N_NAMES && strcmp(names[k], name) != 0) k++;
    return k;
}

/* Says whether all arrays are vectors of one length, or nothing but a count of batches. */
static bool are_vectors(const bnn_weights_layer *l) {
    int length = -1;
    for (int k = 0; k < l->n; k++) {
        if (l->weight[k].shape.rank == 0 && strcmp(l->weight[k].name, "num_batches_tracked") == 0) continue;
        if (l->weight[k].shape.rank != 1 || (length >= 0 && l->weight[k].shape.d[0] != length)) return false;
        length = l->weight[k].shape.d[0];
    }
    return length >= 0;
}

/* Says whether the last part of a name is a class of Keras, such as batch_normalization_2. */
static bool is_called(const char *name, const char *class) {
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
    size_t n = strlen(class);
    return strncmp(last, class, n) == 0 && (!last[n] || (last[n] == '_' && strspn(last + n + 1, "0123456789") == strlen(last + n + 1)));
}

/* The names that the arrays have; NULL: it is no norm. */
static const char *const *names_of(const bnn_weights_layer *l) {
    const bool batch = is_called(l->name, "batch_normalization"),
               row = is_called(l->name, "group_normalization") || is_called(l->name, "layer_normalization");
    if (!are_vectors(l)) return NULL;
    if (l->n == (batch ? 4 : row ? 2 : -1) && find(numbers, l->weight[0].name) == 0) return numbers;
    for (int k = 0; k < l->n; k++) {
        if (find(keras, l->weight[k].name) < N_NAMES) return keras;
        if (find(pytorch, l->weight[k].name) < N_NAMES && find(pytorch, l->weight[k].name) != SHIFT) return pytorch;
    }
    return NULL;
}

static bnn_status rename_array(bnn_weight *array, const char *name) {
    char *copy = strdup(name);
    if (!copy) return bnn_oom("array %s", array->path);
    free(array->name);
    array->name = copy;
    return BNN_OK;
}

/* Drops the number of batches that PyTorch counts, which is no weight. */
static void drop_count(bnn_weights_layer *l) {
    for (int k = 0; k < l->n; k++) {
        if (l->weight[k].shape.rank != 0) continue;
        free(l->weight[k].name), free(l->weight[k].path), free(l->weight[k].value);
        memmove(&l->weight[k], &l->weight[k + 1], (size_t)(--l->n - k) * sizeof *l->weight);
        return;
    }
}

/* A factor of 1 or a shift of 0 that the layer does without. */
static bnn_status add_constant(bnn_weights *w, bnn_weights_layer *l, int which) {
    bnn_weight a = {.name = strdup(ours[which]), .path = strdup(l->name), .shape = l->weight[0].shape};
    bnn_status s = a.name && a.path ? bnn_weights_room(l->name, &a) : bnn_oom("layer '%s'", l->name);
    if (s < 0) return free(a.name), free(a.path), s;
    for (int i = 0; i < a.shape.d[0]; i++) a.value[i] = which == SCALE;
    return bnn_weights_add(w, l->name, NULL, &a);
}

static bnn_status name_arrays(bnn_weights *w, bnn_weights_layer *l, const char *const names[N_NAMES]) {
    bool has[N_NAMES] = {false};
    drop_count(l);
    for (int k = 0; k < l->n; k++) {
        int which = find(names, l->weight[k].name);
        if (which == N_NAMES) return BNN_OK;
        has[which] = true;
        BNN_TRY(rename_array(&l->weight[k], ours[which]));
    }
    if (has[VAR]) l->eps = names == pytorch ? 1e-5 : 1e-3;
    for (int which = SCALE; which <= SHIFT; which++)
        if (!has[which]) BNN_TRY(add_constant(w, l, which));
    return BNN_OK;
}

bnn_status bnn_weights_name_norms(bnn_weights *w) {
    for (int i = 0; i < w->n; i++) {
        const char *const *names = names_of(&w->layer[i]);
        if (names) BNN_TRY(name_arrays(w, &w->layer[i], names));
    }
    return BNN_OK;
}
