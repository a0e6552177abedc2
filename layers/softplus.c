/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * softplus: smooth rectified units (Dugas et al. 2001).
 *
 *   y = log(1 + exp(x))                     any shape
 *   dx += dy / (1 + exp(-x))
 */
#include <bnn/layer.h>

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0], .scratch_row = d, .flops_row = 20.0 * d, .back_flops_row = 12.0 * d};
    return BNN_OK;
}

static void forward(const bnn_layer *l, bnn_io *io) { bnn_vec_softplus((size_t)io->n * bnn_layer_size_in(l), io->x[0], io->y); }

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t n = (size_t)io->n * bnn_layer_size_in(l);
    const bnn_real *dy = io->dy;
    bnn_real *dx = io->dx[0], *slope = io->scratch;
    if (!dx) return;
    bnn_vec_sigmoid(n, io->x[0], slope);
    for (size_t i = 0; i < n; i++) dx[i] += dy[i] * slope[i];
}

static const char *const checks[] = {"input:5; dense:4; softplus", "input:2x3; softplus", NULL};

const bnn_layer_type bnn_layer_softplus = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "softplus", .summary = "smooth rectified units, log(1 + exp(x))",
             .reference = "Dugas et al. 2001", .caps = BNN_ELEMENTWISE, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
