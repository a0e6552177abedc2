/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * relu: rectified linear units (Nair & Hinton 2010).
 *
 *   y = max(x, 0)                           any shape
 *   dx += dy [y > 0]
 */
#include <bnn/layer.h>

static bnn_status bind(bnn_layer *l) {
    l->plan = (bnn_plan){.out = l->in[0], .flops_row = bnn_layer_size_in(l), .back_flops_row = bnn_layer_size_in(l)};
    return BNN_OK;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t n = (size_t)io->n * bnn_layer_size_in(l);
    const bnn_real *x = io->x[0];
    for (size_t i = 0; i < n; i++) io->y[i] = x[i] > 0 ? x[i] : 0;
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t n = (size_t)io->n * bnn_layer_size_in(l);
    bnn_real *dx = io->dx[0];
    if (!dx) return;
    for (size_t i = 0; i < n; i++) dx[i] += io->y[i] > 0 ? io->dy[i] : 0;
}

static const char *const checks[] = {"input:5; dense:4; relu", "input:2x3; relu", NULL};

const bnn_layer_type bnn_layer_relu = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "relu", .summary = "rectified linear units, max(x, 0)", .reference = "Nair & Hinton 2010", .caps = BNN_KINKED,
             .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
