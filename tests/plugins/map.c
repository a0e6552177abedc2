/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * map: hyperbolic tangent units under the name of an engine, which texts may say without meaning the layer.
 *
 *   y = tanh(x)                             any shape
 *   dx += dy (1 - y^2)
 */
#include <bnn/layer.h>

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0], .flops_row = 10.0 * d, .back_flops_row = 4.0 * d};
    return BNN_OK;
}

static void forward(const bnn_layer *l, bnn_io *io) { bnn_vec_tanh((size_t)io->n * bnn_layer_size_in(l), io->x[0], io->y); }

BNN_LOOP static void add_slopes(size_t n, const bnn_real *restrict y, const bnn_real *restrict dy, bnn_real *restrict dx) {
    for (size_t i = 0; i < n; i++) dx[i] += dy[i] * (1 - y[i]) * (1 + y[i]);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    if (io->dx[0]) add_slopes((size_t)io->n * bnn_layer_size_in(l), io->y, io->dy, io->dx[0]);
}

static const char *const checks[] = {"input:5; dense:4; tanh", "input:2x3; tanh", NULL};

const bnn_layer_type bnn_layer_map = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "map", .summary = "hyperbolic tangent units", .caps = BNN_ELEMENTWISE, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};

BNN_LAYER_PLUGIN(bnn_layer_map)
