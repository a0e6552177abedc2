/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * channel_affine: a factor and a shift for each channel.
 *
 *   y_cj = scale_c x_cj + shift_c           x, y [n,C,...]
 *   dx_cj += scale_c dy_cj    dscale_c += sum dy_cj x_cj    dshift_c += sum dy_cj
 *
 * This is what is left of a batch norm whose statistics are frozen: of one trained elsewhere with mean m, variance v, gamma and beta,
 * scale = gamma / sqrt(v + eps) and shift = beta - scale m. Its rows do not interact, so every engine takes it.
 *
 * Parameters: scale [C] BIAS, which begins at 1, shift [C] BIAS.
 */
#include <bnn/norm.h>

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = bnn_norm_plan(l);
    l->plan.flops_row = 2.0 * d, l->plan.back_flops_row = 5.0 * d;
    return BNN_OK;
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    (void)rng;
    bnn_norm_init(l, theta);
}

static const bnn_norm as_it_is = {.mean = 0, .factor = 1};

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t n = bnn_norm_plane(l), channels = (size_t)bnn_norm_channels(l);
    const bnn_real *x = io->x[0], *scale = io->theta, *shift = scale + channels;
    bnn_real *y = io->y;
    for (int r = 0; r < io->n; r++)
        for (size_t c = 0; c < channels; c++, x += n, y += n) bnn_norm_forward(as_it_is, n, x, scale[c], shift[c], y);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t n = bnn_norm_plane(l), channels = (size_t)bnn_norm_channels(l);
    for (size_t p = 0; p < (size_t)io->n * channels; p++) {
        const bnn_real *x = io->x[0] + p * n, *dy = io->dy + p * n;
        size_t c = p % channels;
        if (io->dx[0]) bnn_norm_backward(as_it_is, n, NULL, dy, io->theta[c], 0, 0, io->dx[0] + p * n);
        if (!io->dtheta) continue;
        io->dtheta[c] += (bnn_real)bnn_sum_products(n, dy, x);
        io->dtheta[channels + c] += (bnn_real)bnn_sum(n, dy);
    }
}

static const char *const checks[] = {"input:3x2x4; channel_affine", "input:13x1x2; channel_affine; flatten; dense:2",
                                     "input:5; channel_affine; tanh; dense:3", NULL};

const bnn_layer_type bnn_layer_channel_affine = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "channel_affine", .summary = "a factor and a shift for each channel", .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
};
