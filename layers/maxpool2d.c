/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * maxpool2d: the largest pixel of each window of a channel (Riesenhuber & Poggio 1999).
 *
 *   y_cvu = max x_cij over the pixels (i,j) of window (v,u)       x [n,C,H,W]  y [n,C,V,U], see window.h
 *   dx_cij += dy_cvu                        where x_cij is the first of the largest, row by row
 *
 * Pixels beyond the border are never the largest.
 */
#include <bnn/window.h>

#include <math.h>
#include <string.h>

static bnn_status bind(bnn_layer *l) {
    bnn_windows w;
    BNN_TRY(bnn_windows_bind(l, &w));
    double taps = (double)w.channels * w.rows * w.columns * w.taps;
    l->plan = (bnn_plan){
        .out = bnn_shape_image(w.channels, w.rows, w.columns), .scratch_pass = w.columns, .flops_row = taps, .back_flops_row = 2 * taps};
    return BNN_OK;
}

BNN_LOOP static void take_larger(size_t n, size_t stride, const bnn_real *restrict x, bnn_real *restrict y) {
    if (stride == 2)
        for (size_t i = 0; i < n; i++) y[i] = x[2 * i] > y[i] ? x[2 * i] : y[i];
    else
        for (size_t i = 0; i < n; i++) y[i] = x[i * stride] > y[i] ? x[i * stride] : y[i];
}

/* Hands what is left of dy over where x is the largest. */
BNN_LOOP static void hand_over(size_t n, size_t stride, const bnn_real *restrict x, const bnn_real *restrict y, bnn_real *restrict left,
                               bnn_real *restrict dx) {
    for (size_t i = 0; i < n; i++) {
        bool largest = x[i * stride] == y[i];
        dx[i * stride] += largest ? left[i] : 0;
        left[i] = largest ? 0 : left[i];
    }
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const bnn_windows w = bnn_windows_of(l);
    size_t plane = (size_t)w.height * (size_t)w.width, columns = (size_t)w.columns;
    const bnn_real *x = io->x[0];
    bnn_real *y = io->y;
    for (size_t p = 0; p < (size_t)io->n * (size_t)w.channels; p++, x += plane)
        for (int v = 0; v < w.rows; v++, y += columns) {
            for (size_t u = 0; u < columns; u++) y[u] = -(bnn_real)INFINITY;
            for (int t = 0; t < w.taps; t++) {
                bnn_window_tap tap = bnn_windows_tap(&w, v, t);
                take_larger((size_t)tap.n, (size_t)w.stride, x + tap.at, y + tap.first);
            }
        }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const bnn_windows w = bnn_windows_of(l);
    size_t plane = (size_t)w.height * (size_t)w.width, columns = (size_t)w.columns;
    const bnn_real *x = io->x[0], *y = io->y, *dy = io->dy;
    bnn_real *dx = io->dx[0], *left = io->scratch;
    for (size_t p = 0; dx && p < (size_t)io->n * (size_t)w.channels; p++, x += plane, dx += plane)
        for (int v = 0; v < w.rows; v++, y += columns, dy += columns) {
            memcpy(left, dy, columns * sizeof *left);
            for (int t = 0; t < w.taps; t++) {
                bnn_window_tap tap = bnn_windows_tap(&w, v, t);
                hand_over((size_t)tap.n, (size_t)w.stride, x + tap.at, y + tap.first, left + tap.first, dx + tap.at);
            }
        }
}

static const char *const checks[] = {"input:3x4x6; maxpool2d", "input:2x5x7; maxpool2d:3,stride=2,padding=1",
                                     "input:7x1x5; maxpool2d:3,1,2", "input:2x3x4; maxpool2d:0; flatten; dense:2", NULL};

const bnn_layer_type bnn_layer_maxpool2d = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "maxpool2d", .summary = "the largest pixel of each window of a channel",
             .reference = "Riesenhuber & Poggio 1999", .caps = BNN_KINKED, .conf_size = sizeof(bnn_window), .options = bnn_window_options,
             .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
