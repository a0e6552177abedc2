/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/norm.h>

bnn_plan bnn_norm_plan(const bnn_layer *l) {
    int channels = bnn_norm_channels(l);
    return (bnn_plan){.out = l->in[0],
                      .n_params = 2,
                      .param = {{.name = "scale", .role = BNN_BIAS, .cols = channels, .fan_in = 1},
                                {.name = "shift", .role = BNN_BIAS, .cols = channels, .fan_in = 1}}};
}

void bnn_norm_init(const bnn_layer *l, bnn_real *theta) {
    int channels = bnn_norm_channels(l);
    for (int c = 0; c < channels; c++) theta[c] = 1, theta[channels + c] = 0;
}

BNN_LOOP static void shift_and_scale(size_t n, const bnn_real *x, bnn_real mean, bnn_real factor, bnn_real scale, bnn_real shift,
                                     bnn_real *y) {
    for (size_t i = 0; i < n; i++) y[i] = scale * ((x[i] - mean) * factor) + shift;
}

void bnn_norm_forward(bnn_norm m, size_t n, const bnn_real *x, bnn_real scale, bnn_real shift, bnn_real *y) {
    shift_and_scale(n, x, (bnn_real)m.mean, (bnn_real)m.factor, scale, shift, y);
}

BNN_LOOP static void add_scaled(size_t n, const bnn_real *restrict dy, bnn_real slope, bnn_real *restrict dx) {
    for (size_t i = 0; i < n; i++) dx[i] += slope * dy[i];
}

BNN_LOOP static void add_centred(size_t n, const bnn_real *restrict h, const bnn_real *restrict dy, bnn_real slope, bnn_real a, bnn_real b,
                                 bnn_real *restrict dx) {
    for (size_t i = 0; i < n; i++) dx[i] += slope * dy[i] - (a + b * h[i]);
}

void bnn_norm_backward(bnn_norm m, size_t n, const bnn_real *h, const bnn_real *dy, bnn_real scale, double a, double b, bnn_real *dx) {
    const bnn_real factor = (bnn_real)m.factor, slope = factor * scale;
    if (a == 0 && b == 0)
        add_scaled(n, dy, slope, dx);
    else
        add_centred(n, h, dy, slope, (bnn_real)(a * (double)factor), (bnn_real)(b * (double)factor), dx);
}
