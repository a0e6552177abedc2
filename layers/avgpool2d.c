/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * avgpool2d: the mean of each window of a channel (LeCun et al. 1998, section II.B, without its weights).
 *
 *   y_cvu = 1/m_vu sum x_cij over the m_vu pixels (i,j) of window (v,u)       x [n,C,H,W]  y [n,C,V,U], see window.h
 *   dx_cij += dy_cvu / m_vu
 *
 * Pixels beyond the border are no zeros: they do not count, so that a constant image stays what it is.
 */
#include <bnn/window.h>

#include <string.h>

static bnn_status bind(bnn_layer *l) {
    bnn_windows w;
    BNN_TRY(bnn_windows_bind(l, &w));
    double taps = (double)w.channels * w.rows * w.columns * w.taps;
    l->plan = (bnn_plan){
        .out = bnn_shape_image(w.channels, w.rows, w.columns), .scratch_pass = w.columns, .flops_row = taps, .back_flops_row = taps};
    return BNN_OK;
}

BNN_LOOP static void add_pixels(size_t n, size_t stride, const bnn_real *restrict x, bnn_real *restrict y) {
    if (stride == 2)
        for (size_t i = 0; i < n; i++) y[i] += x[2 * i];
    else
        for (size_t i = 0; i < n; i++) y[i] += x[i * stride];
}

BNN_LOOP static void spread(size_t n, size_t stride, const bnn_real *restrict share, bnn_real *restrict dx) {
    for (size_t i = 0; i < n; i++) dx[i * stride] += share[i];
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const bnn_windows w = bnn_windows_of(l);
    size_t plane = (size_t)w.height * (size_t)w.width, columns = (size_t)w.columns;
    const bnn_real *x = io->x[0];
    bnn_real *y = io->y;
    for (size_t p = 0; p < (size_t)io->n * (size_t)w.channels; p++, x += plane)
        for (int v = 0; v < w.rows; v++, y += columns) {
            memset(y, 0, columns * sizeof *y);
            for (int t = 0; t < w.taps; t++) {
                bnn_window_tap tap = bnn_windows_tap(&w, v, t);
                add_pixels((size_t)tap.n, (size_t)w.stride, x + tap.at, y + tap.first);
            }
            for (int u = 0; u < w.columns; u++) y[u] /= (bnn_real)bnn_windows_count(&w, v, u);
        }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const bnn_windows w = bnn_windows_of(l);
    size_t plane = (size_t)w.height * (size_t)w.width, columns = (size_t)w.columns;
    const bnn_real *dy = io->dy;
    bnn_real *dx = io->dx[0], *share = io->scratch;
    for (size_t p = 0; dx && p < (size_t)io->n * (size_t)w.channels; p++, dx += plane)
        for (int v = 0; v < w.rows; v++, dy += columns) {
            for (int u = 0; u < w.columns; u++) share[u] = dy[u] / (bnn_real)bnn_windows_count(&w, v, u);
            for (int t = 0; t < w.taps; t++) {
                bnn_window_tap tap = bnn_windows_tap(&w, v, t);
                spread((size_t)tap.n, (size_t)w.stride, share + tap.first, dx + tap.at);
            }
        }
}

static const char *const checks[] = {"input:3x4x6; avgpool2d", "input:2x5x7; avgpool2d:3,stride=2,padding=1",
                                     "input:7x1x5; avgpool2d:3,1,2", "input:2x3x4; avgpool2d:0; flatten; dense:2", NULL};

const bnn_layer_type bnn_layer_avgpool2d = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "avgpool2d", .summary = "the mean of each window of a channel",
             .reference = "LeCun et al. 1998, section II.B", .conf_size = sizeof(bnn_window), .options = bnn_window_options,
             .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
