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

BNN_LOOP static void rectify(size_t n, const bnn_real *restrict x, bnn_real *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : 0;
}

BNN_LOOP static void rectify_back(size_t n, const bnn_real *restrict y, const bnn_real *restrict dy, bnn_real *restrict dx) {
    for (size_t i = 0; i < n; i++) dx[i] += y[i] > 0 ? dy[i] : 0;
}

static void forward(const bnn_layer *l, bnn_io *io) { rectify((size_t)io->n * (size_t)bnn_layer_size_in(l), io->x[0], io->y); }

static void backward(const bnn_layer *l, bnn_io *io) {
    if (io->dx[0]) rectify_back((size_t)io->n * (size_t)bnn_layer_size_in(l), io->y, io->dy, io->dx[0]);
}

static const char *const checks[] = {"input:5; dense:4; relu", "input:2x3; relu", NULL};

const bnn_layer_type bnn_layer_relu = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "relu", .summary = "rectified linear units, max(x, 0)", .reference = "Nair & Hinton 2010",
             .caps = BNN_KINKED | BNN_ELEMENTWISE, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
