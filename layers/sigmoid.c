/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sigmoid: logistic units.
 *
 *   y = 1 / (1 + exp(-x))                   any shape
 *   dx += dy y (1 - y)
 */
#include <bnn/layer.h>

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0], .flops_row = 12.0 * d, .back_flops_row = 4.0 * d};
    return BNN_OK;
}

static void forward(const bnn_layer *l, bnn_io *io) { bnn_vec_sigmoid((size_t)io->n * (size_t)bnn_layer_size_in(l), io->x[0], io->y); }

BNN_LOOP static void add_slopes(size_t n, const bnn_real *restrict y, const bnn_real *restrict dy, bnn_real *restrict dx) {
    for (size_t i = 0; i < n; i++) dx[i] += dy[i] * y[i] * (1 - y[i]);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    if (io->dx[0]) add_slopes((size_t)io->n * (size_t)bnn_layer_size_in(l), io->y, io->dy, io->dx[0]);
}

static const char *const checks[] = {"input:5; dense:4; sigmoid", "input:2x3; sigmoid", NULL};

const bnn_layer_type bnn_layer_sigmoid = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "sigmoid", .summary = "logistic units, 1/(1 + exp(-x))", .caps = BNN_ELEMENTWISE,
             .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
