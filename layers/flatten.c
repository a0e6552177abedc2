/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * flatten: any shape as a vector, in the order of memory.
 *
 *   y = x                                   x [any shape of D reals]  y [D]
 *   dx += dy
 */
#include <bnn/layer.h>

#include <string.h>

static bnn_status bind(bnn_layer *l) {
    l->plan = (bnn_plan){.out = bnn_shape_vector(bnn_layer_size_in(l))};
    return BNN_OK;
}

static void forward(const bnn_layer *l, bnn_io *io) { memcpy(io->y, io->x[0], (size_t)io->n * bnn_layer_size_in(l) * sizeof *io->y); }

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t n = (size_t)io->n * bnn_layer_size_in(l);
    bnn_real *dx = io->dx[0];
    if (!dx) return;
    for (size_t i = 0; i < n; i++) dx[i] += io->dy[i];
}

static const char *const checks[] = {"input:2x3; flatten; dense:2", "input:5; flatten", "input:2x3x4; flatten", NULL};

const bnn_layer_type bnn_layer_flatten = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "flatten", .summary = "any shape as a vector", .caps = BNN_RESHAPE, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
