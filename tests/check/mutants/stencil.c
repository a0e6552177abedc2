/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * stencil: a convolution of 3 x 3 pixels that keeps the size of an image. MUTANT 0 is right, each other one has one fault.
 *
 *   y_oij = b_o + sum_ckl W_cklo x_c,i+k-1,j+l-1          x [n,C,H,W], 0 beyond the border  W [C,3,3,O]  b [O]  y [n,O,H,W]
 *   dx_c,i+k-1,j+l-1 += W_cklo dy_oij    dW_cklo += x_c,i+k-1,j+l-1 dy_oij    db_o += dy_oij
 *
 * Parameters: kernel [9 C, O] WEIGHT, bias [O] BIAS.
 */
#include <bnn/layer.h>

enum { OUT = 2 };

static bnn_status bind(bnn_layer *l) {
    BNN_TRY(bnn_layer_needs_image(l));
    const int *d = l->in[0].d;
    l->plan =
        (bnn_plan){.out = bnn_shape_image(OUT, d[1], d[2]),
                   .n_params = 2,
                   .param = {{.name = "kernel", .role = BNN_WEIGHT, .rows = 9 * d[0], .cols = OUT, .fan_in = MUTANT == 9 ? d[0] : 9 * d[0]},
                             {.name = "bias", .role = BNN_BIAS, .cols = OUT, .fan_in = 9 * d[0]}},
                   .flops_row = 18.0 * (MUTANT == 8 ? d[0] : bnn_layer_size_in(l)) * OUT,
                   .back_flops_row = 36.0 * bnn_layer_size_in(l) * OUT};
    return BNN_OK;
}

/* The channels that a loop in tiles of four reaches. */
static int tiled(const bnn_layer *l) { return l->in[0].d[0] < 4 ? l->in[0].d[0] : l->in[0].d[0] / 4 * 4; }

static int forward_channels(const bnn_layer *l) { return MUTANT == 1 ? tiled(l) : l->in[0].d[0]; }

static int backward_channels(const bnn_layer *l) { return MUTANT == 1 || MUTANT == 2 ? tiled(l) : l->in[0].d[0]; }

/* Where weight (c,k,l,o) stands. */
static size_t weight(int c, int k, int l, int o) {
    int tap = MUTANT == 3 ? (2 - k) * 3 + 2 - l : MUTANT == 4 ? 3 * l + k : 3 * k + l;
    return (size_t)((c * 9 + tap) * OUT + o);
}

/* Rows (or columns) from .. end-1 of y for which row i+k-1 of x is none beyond the border. */
static int from_row(int k) { return k == 0; }
static int end_row(int k, int rows) { return MUTANT == 5 && rows == 1 ? rows : rows - (k == 2); }

/* y [H,W] += w times x, seen from tap (k,l). */
static void add_plane(const int *d, int k, int l, bnn_real w, const bnn_real *x, bnn_real *y) {
    for (int i = from_row(k); i < end_row(k, d[1]); i++)
        for (int j = from_row(l); j < end_row(l, d[2]); j++) y[i * d[2] + j] += w * x[(i + k - 1) * d[2] + j + l - 1];
}

/* dx [H,W] += w times dy, likewise; returns sum of dy x. dx may be NULL. */
static bnn_real add_back(const int *d, int k, int l, bnn_real w, const bnn_real *x, const bnn_real *dy, bnn_real *dx) {
    bnn_real sum = 0;
    for (int i = from_row(k); i < end_row(k, d[1]); i++)
        for (int j = from_row(l); j < end_row(l, d[2]); j++) {
            int from = (i + k - 1) * d[2] + j + l - 1;
            sum += dy[i * d[2] + j] * x[from];
            if (dx && !(MUTANT == 7 && j >= 16)) dx[from] += dy[i * d[2] + j] * w;
        }
    return sum;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const int *d = l->in[0].d, plane = d[1] * d[2];
    const bnn_real *bias = io->theta + 9 * d[0] * OUT;
    for (int p = 0; p < io->n * OUT; p++) {
        const bnn_real *x = io->x[0] + p / OUT * d[0] * plane;
        bnn_real *y = io->y + p * plane;
        for (int i = 0; i < plane; i++) y[i] = MUTANT == 6 ? bias[i % OUT] : bias[p % OUT];
        for (int t = 0; t < 9 * forward_channels(l); t++)
            add_plane(d, t / 3 % 3, t % 3, io->theta[weight(t / 9, t / 3 % 3, t % 3, p % OUT)], x + t / 9 * plane, y);
    }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const int *d = l->in[0].d, plane = d[1] * d[2];
    for (int p = 0; p < io->n * OUT; p++) {
        const bnn_real *dy = io->dy + p * plane;
        for (int i = 0; io->dtheta && i < plane; i++) io->dtheta[9 * d[0] * OUT + (MUTANT == 6 ? i % OUT : p % OUT)] += dy[i];
        for (int t = 0; t < 9 * backward_channels(l); t++) {
            size_t w = weight(t / 9, t / 3 % 3, t % 3, p % OUT), at = (size_t)((p / OUT * d[0] + t / 9) * plane);
            bnn_real dw = add_back(d, t / 3 % 3, t % 3, io->theta[w], io->x[0] + at, dy, io->dx[0] ? io->dx[0] + at : NULL);
            if (io->dtheta) io->dtheta[w] += dw;
        }
    }
}

/* Large images take long without optimisation: those who are wrong there alone have them, and who is right. */
#if MUTANT == 0 || MUTANT == 7
static const char *const checks[] = {"input:4x3x3; " MUTANT_NAME, "input:3x32x32; " MUTANT_NAME, NULL};
#elif MUTANT == 1
static const char *const checks[] = {"input:7x2x3; " MUTANT_NAME, NULL};
#else
static const char *const checks[] = {"input:4x3x3; " MUTANT_NAME, NULL};
#endif

static const bnn_layer_type mutant = {
    .type = {BNN_TYPE(bnn_layer_type), .name = MUTANT_NAME, .summary = "convolution of 3 x 3 pixels", .caps = BNN_CONV, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};

BNN_LAYER_PLUGIN(mutant)
