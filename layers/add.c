/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * add: the sum of two or more inputs of equal shape (He et al. 2016).
 *
 *   y = sum_k x_k                           any shape, the same for all
 *   dx_k += dy
 */
#include <bnn/layer.h>

#include <string.h>

static bnn_status bind(bnn_layer *l) {
    char here[BNN_SHAPE_TEXT], first[BNN_SHAPE_TEXT];
    for (int k = 1; k < l->n_in; k++)
        if (!bnn_shape_equal(l->in[k], l->in[0]))
            return bnn_fail(BNN_ERR_SHAPE, "input %d has shape %s, cannot be added to %s", k, bnn_shape_print(l->in[k], here),
                            bnn_shape_print(l->in[0], first));
    double d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0], .flops_row = (l->n_in - 1) * d, .back_flops_row = l->n_in * d};
    return BNN_OK;
}

static void accumulate(size_t n, const bnn_real *from, bnn_real *to) {
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t n = (size_t)io->n * bnn_layer_size_in(l);
    memcpy(io->y, io->x[0], n * sizeof *io->y);
    for (int k = 1; k < l->n_in; k++) accumulate(n, io->x[k], io->y);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t n = (size_t)io->n * bnn_layer_size_in(l);
    for (int k = 0; k < l->n_in; k++)
        if (io->dx[k]) accumulate(n, io->dy, io->dx[k]);
}

static const char *const checks[] = {"a = input:4; b = tanh(a); add(a, b)", "a = input:2x3; b = tanh(a); c = softplus(a); add(a, b, c)",
                                     "a = input:3; add(a, a)", NULL};

const bnn_layer_type bnn_layer_add = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "add", .summary = "sum of inputs of equal shape", .reference = "He et al. 2016, eq. 1",
             .checks = checks},
    .min_in = 2,
    .max_in = 16,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
