/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * concat: inputs one behind the other: vectors, or channels of equal height and width (Huang et al. 2017).
 *
 *   y = [x_0, x_1, ..]                      x_k [C_k] or [C_k, ..]  y [sum C_k] or [sum C_k, ..]
 *   dx_k += its part of dy
 */
#include <bnn/layer.h>

#include <string.h>

/* Equal in all but the first extent. */
static bool stacks(bnn_shape a, bnn_shape b) {
    a.d[0] = b.d[0];
    return bnn_shape_equal(a, b);
}

static bnn_status bind(bnn_layer *l) {
    char here[BNN_SHAPE_TEXT], first[BNN_SHAPE_TEXT];
    bnn_shape out = l->in[0];
    for (int k = 1; k < l->n_in; k++) {
        if (!stacks(l->in[k], out))
            return bnn_fail(BNN_ERR_SHAPE, "input %d has shape %s, does not stack on %s", k, bnn_shape_print(l->in[k], here),
                            bnn_shape_print(l->in[0], first));
        out.d[0] += l->in[k].d[0];
    }
    l->plan = (bnn_plan){.out = out};
    return BNN_OK;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t out = (size_t)bnn_layer_size_out(l), at = 0;
    for (int k = 0; k < l->n_in; k++) {
        size_t d = (size_t)bnn_shape_size(l->in[k]);
        for (size_t r = 0; r < (size_t)io->n; r++) memcpy(io->y + r * out + at, io->x[k] + r * d, d * sizeof *io->y);
        at += d;
    }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t out = (size_t)bnn_layer_size_out(l), at = 0;
    for (int k = 0; k < l->n_in; k++) {
        size_t d = (size_t)bnn_shape_size(l->in[k]);
        bnn_real *dx = io->dx[k];
        for (size_t r = 0; dx && r < (size_t)io->n; r++)
            for (size_t i = 0; i < d; i++) dx[r * d + i] += io->dy[r * out + at + i];
        at += d;
    }
}

static const char *const checks[] = {"a = input:4; b = dense:3; concat(a, b)", "a = input:2x3; b = tanh(a); concat(a, b, a)",
                                     "a = input:1x2x2; b = tanh(a); concat(b, a)", NULL};

const bnn_layer_type bnn_layer_concat = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "concat", .summary = "inputs one behind the other, by channel",
             .reference = "Huang et al. 2017, eq. 2", .checks = checks},
    .min_in = 2,
    .max_in = 16,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
