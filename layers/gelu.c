/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gelu: Gaussian error linear units (Hendrycks & Gimpel 2016, section 2), without their approximations.
 *
 *   y = x P(Z <= x),   Z ~ N(0,1)           any shape
 *   dx += dy (P(Z <= x) + x exp(-x^2/2) / sqrt(2 pi))
 */
#include <bnn/layer.h>

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0], .scratch_pass = 2 * d, .flops_row = 20.0 * d, .back_flops_row = 36.0 * d};
    return BNN_OK;
}

BNN_LOOP static void multiply(size_t n, const bnn_real *restrict x, bnn_real *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] *= x[i];
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t n = (size_t)io->n * (size_t)bnn_layer_size_in(l);
    bnn_vec_normal_cdf(n, io->x[0], io->y);
    multiply(n, io->x[0], io->y);
}

BNN_LOOP static void halve_squares(size_t n, const bnn_real *restrict x, bnn_real *restrict power) {
    for (size_t i = 0; i < n; i++) power[i] = -(x[i] * x[i]) / 2;
}

BNN_LOOP static void add_slopes(size_t n, const bnn_real *restrict x, const bnn_real *restrict cdf, const bnn_real *restrict bell,
                                const bnn_real *restrict dy, bnn_real *restrict dx) {
    const bnn_real height = (bnn_real)0.39894228040143267794; /* 1/sqrt(2 pi) */
    for (size_t i = 0; i < n; i++) dx[i] += dy[i] * (cdf[i] + height * x[i] * bell[i]);
}

/* Row by row, so that the scratch does not grow with them. */
static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    const bnn_real *x = io->x[0], *dy = io->dy;
    bnn_real *dx = io->dx[0], *cdf = io->scratch, *bell = cdf + d;
    for (int r = 0; dx && r < io->n; r++, x += d, dy += d, dx += d) {
        bnn_vec_normal_cdf(d, x, cdf);
        halve_squares(d, x, bell);
        bnn_vec_exp(d, bell, bell);
        add_slopes(d, x, cdf, bell, dy, dx);
    }
}

static const char *const checks[] = {"input:5; dense:4; gelu", "input:2x3; gelu", NULL};

const bnn_layer_type bnn_layer_gelu = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "gelu", .summary = "Gaussian error linear units, x P(Z <= x)",
             .reference = "Hendrycks & Gimpel 2016, section 2", .caps = BNN_ELEMENTWISE, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
