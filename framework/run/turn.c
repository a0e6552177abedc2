/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "turn.h"

#include <string.h>

size_t bnn_turn_place(const bnn_turn *t, size_t i) {
    size_t at = 0;
    for (int k = 3; k >= 0; k--) at += i % (size_t)t->extent[k] * t->stride[k], i /= (size_t)t->extent[k];
    return at;
}

static bnn_turn as_it_is(const bnn_weight *array) {
    int n = 1;
    for (int k = 0; k < array->shape.rank; k++) n *= array->shape.d[k];
    return (bnn_turn){.shape = array->shape, .extent = {1, 1, 1, n}, .stride = {0, 0, 0, 1}};
}

/* The steps in an array [d0, d1, d2, d3]. */
static void steps_of(const int d[4], size_t step[4]) {
    step[3] = 1;
    for (int k = 3; k > 0; k--) step[k - 1] = step[k] * (size_t)d[k];
}

/* Digit k of the block is dimension order[k] of the array. */
static bnn_turn turned_by(const bnn_weight *array, const int order[4]) {
    size_t step[4];
    bnn_turn t = {.turned = true};
    steps_of(array->shape.d, step);
    for (int k = 0; k < 4; k++) t.extent[k] = array->shape.d[order[k]], t.stride[k] = step[order[k]];
    return t;
}

bnn_turn bnn_turn_of(const bnn_weight *array, const bnn_layer *l, const bnn_param *p) {
    enum { ROWS, COLUMNS, IN, OUT };
    if (array->shape.rank != 4 || !(l->object.type->caps & BNN_CONV) || strcmp(p->name, "kernel") != 0) return as_it_is(array);
    const int *d = array->shape.d, in = l->in[0].d[0], out = l->plan.out.d[0];
    const bool widens = p->rows == in && p->cols != out, torch = array->transposed;
    if (torch ? d[2] != d[3] : d[0] != d[1]) return as_it_is(array); /* kernels are square here */
    /* Digits of the block: (c, row, column, o), of a transposed convolution (c, o, row, column). */
    static const int keras[2][4] = {{IN, ROWS, COLUMNS, OUT}, {OUT, IN, ROWS, COLUMNS}}, pytorch[2][4] = {{1, 2, 3, 0}, {0, 1, 2, 3}};
    bnn_turn t = turned_by(array, torch ? pytorch[widens] : keras[widens]);
    const int *n = t.extent;
    t.shape = (bnn_shape){.rank = 2, .d = {widens ? n[0] : n[0] * n[1] * n[2], widens ? n[1] * n[2] * n[3] : n[3]}};
    return t;
}

/* The image that a flatten before a node makes a vector; rank 0: there is none. */
static bnn_shape flattened(const bnn_net *net, int node) {
    const bnn_node *n = &net->node[node];
    while (n->layer.n_in == 1) {
        n = &net->node[n->in[0]];
        if (n->layer.n_in == 1 && n->layer.in[0].rank == 3 && n->layer.plan.out.rank == 1)
            return n->layer.object.type->caps & BNN_RESHAPE ? n->layer.in[0] : (bnn_shape){0};
        if (n->layer.plan.n_params > 0 && !bnn_layer_vtable(&n->layer)->keep) return (bnn_shape){0};
    }
    return (bnn_shape){0};
}

static bool has_channels_last(const bnn_weights *w) {
    for (int i = 0; i < w->n; i++)
        for (int k = 0; k < w->layer[i].n; k++)
            if (w->layer[i].weight[k].shape.rank == 4 && !w->layer[i].weight[k].transposed) return true;
    return false;
}

bnn_turn bnn_turn_in(const bnn_weights *w, const bnn_weight *array, const bnn_net *net, int node, const bnn_param *p) {
    const bnn_layer *l = &net->node[node].layer;
    const bnn_shape image = flattened(net, node);
    if (array->shape.rank != 2 || strcmp(p->name, "kernel") != 0 || image.rank != 3 || !has_channels_last(w) ||
        array->shape.d[0] != bnn_shape_size(image))
        return bnn_turn_of(array, l, p);
    const int channels = image.d[0], pixels = image.d[1] * image.d[2], units = array->shape.d[1];
    return (bnn_turn){.shape = array->shape,
                      .extent = {channels, pixels, 1, units},
                      .stride = {(size_t)units, (size_t)channels * (size_t)units, 0, 1},
                      .turned = channels > 1 && pixels > 1};
}
