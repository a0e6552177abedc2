/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * normalization.c: Keras's layer Normalization, whose arrays mean, variance and count (of the rows that it was adapted to) are no weights
 * but a scaling of the inputs: (x - mean) / max(sqrt(variance), 1e-7).
 */
#include "weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_SD 1e-7 /* Keras's epsilon */

enum { MEAN, VARIANCE, COUNT, N_ARRAYS };

/* Says whether the last part of a name is "normalization", or that with a number. */
static bool is_named_so(const char *name) {
    static const char word[] = "normalization";
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
    size_t n = sizeof word - 1;
    if (strncmp(last, word, n) != 0) return false;
    return !last[n] || (last[n] == '_' && strspn(last + n + 1, "0123456789") == strlen(last + n + 1));
}

static bool is_normalization(const bnn_weights_layer *l) {
    static const char *const names[] = {"mean", "variance", "count"}, *const numbers[] = {"0", "1", "2"};
    const char *const *expected = is_named_so(l->name) && l->n > 0 && strcmp(l->weight[0].name, numbers[0]) == 0 ? numbers : names;
    if (l->n != VARIANCE + 1 && l->n != N_ARRAYS) return false;
    for (int k = 0; k < l->n; k++)
        if (strcmp(l->weight[k].name, expected[k]) != 0) return false;
    return l->weight[MEAN].shape.rank <= 1 && bnn_shape_equal(l->weight[MEAN].shape, l->weight[VARIANCE].shape);
}

static bnn_status check_place(const bnn_weights *w, int i) {
    if (w->normalization)
        return bnn_fail(BNN_ERR_FORMAT, "%s: has two layers of normalization, '%s' and '%s': one, of all inputs, can be read", w->path,
                        w->normalization, w->layer[i].name);
    if (i == 0 || w->by_name) return BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT,
                    "%s: layer '%s' normalises what comes from '%s': only that of the inputs can be read; put it into the weights of the "
                    "layer behind it: kernel / sd, and bias - (mean / sd) @ kernel",
                    w->path, w->layer[i].name, w->layer[i - 1].name);
}

/* The scaling of the inputs, on top of the one that the file may say besides. */
static bnn_status take_scaling(bnn_weights *w, const bnn_weights_layer *l) {
    const double *mean = l->weight[MEAN].value, *variance = l->weight[VARIANCE].value;
    int n = l->weight[MEAN].shape.rank == 0 ? 1 : bnn_shape_size(l->weight[MEAN].shape);
    bnn_scaling *s = &w->scaling;
    if (s->x_size == 0) BNN_TRY(bnn_scaling_identity(n, 0, s));
    if (s->x_size != n)
        return bnn_fail(BNN_ERR_SHAPE, "%s: layer '%s' normalises %d columns, /scaling is of %d", w->path, l->name, n, s->x_size);
    for (int i = 0; i < n; i++) {
        if (!isfinite(mean[i]) || !isfinite(variance[i]) || variance[i] < 0)
            return bnn_fail(BNN_ERR_DATA, "%s: layer '%s': mean %g and variance %g of column %d cannot scale it", w->path, l->name, mean[i],
                            variance[i], i + 1);
        s->x_mean[i] += s->x_sd[i] * mean[i];
        s->x_sd[i] *= fmax(sqrt(variance[i]), LEAST_SD);
    }
    return BNN_OK;
}

/* Takes layer i off the list; its name stays. */
static void take_off(bnn_weights *w, int i) {
    bnn_weights_layer *l = &w->layer[i];
    w->normalization = l->name;
    for (int k = 0; k < l->n; k++) free(l->weight[k].name), free(l->weight[k].path), free(l->weight[k].value);
    free(l->weight), free(l->given);
    memmove(l, l + 1, (size_t)(--w->n - i) * sizeof *l);
}

bnn_status bnn_weights_normalize(bnn_weights *w) {
    for (int i = 0; i < w->n;) {
        if (!is_normalization(&w->layer[i])) {
            i++;
            continue;
        }
        BNN_TRY(check_place(w, i));
        BNN_TRY(take_scaling(w, &w->layer[i]));
        take_off(w, i);
    }
    return BNN_OK;
}
