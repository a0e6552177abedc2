/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conv.c: a convolution of one image, checked and timed by itself.
 */
#include "bench.h"

#include <bnn/kernels.h>
#include <math.h>
#include <stdlib.h>

static size_t size_of_x(const bnn_conv *g) { return (size_t)g->in * (size_t)g->height * (size_t)g->width; }
static size_t size_of_w(const bnn_conv *g) { return (size_t)g->in * (size_t)g->kernel * (size_t)g->kernel * (size_t)g->out; }
static size_t pixels_of_y(const bnn_conv *g) { return (size_t)bnn_conv_side(g, g->height) * (size_t)bnn_conv_side(g, g->width); }

static bnn_real *normals(uint64_t seed, size_t n) {
    bnn_real *v = bnn_reals_new(n);
    if (v) bnn_rng_normal(bnn_rng_seed(seed), 0, 1, (int)n, v);
    return v;
}

bnn_status bench_conv_open(const bnn_conv *g, bench_conv *out) {
    const size_t x = size_of_x(g), w = size_of_w(g), y = pixels_of_y(g);
    *out = (bench_conv){.g = *g,
                        .x = normals(1, x),
                        .w = normals(2, w),
                        .y = normals(3, y * (size_t)g->out),
                        .flops = 2.0 * (double)w * (double)y,
                        .bytes = (double)((x + w + y * (size_t)g->out) * sizeof(bnn_real))};
    out->dx = bnn_reals_new(x), out->dw = bnn_reals_new(w);
    if (out->x && out->w && out->y && out->dx && out->dw) return BNN_OK;
    bench_conv_close(out);
    return bnn_fail(BNN_ERR_MEMORY, "out of memory");
}

void bench_conv_close(bench_conv *c) { free(c->x), free(c->w), free(c->y), free(c->dx), free(c->dw); }

void bench_conv_y(void *of) {
    bench_conv *c = of;
    bnn_conv_y(&c->g, 1, c->x, c->w, NULL, c->y);
}

void bench_conv_dx(void *of) {
    bench_conv *c = of;
    bnn_conv_dx(&c->g, 1, c->y, c->w, c->dx);
}

void bench_conv_dw(void *of) {
    bench_conv *c = of;
    bnn_conv_dw(&c->g, 1, c->x, c->y, c->dw, NULL);
}

static double dot(size_t n, const bnn_real *a, const bnn_real *b) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Pixel (r,q) of plane o of y in plain sums. */
static double plain_pixel(const bench_conv *c, int o, int r, int q) {
    const bnn_conv *g = &c->g;
    double sum = 0;
    for (int plane = 0; plane < g->in; plane++)
        for (int i = 0; i < g->kernel; i++)
            for (int j = 0; j < g->kernel; j++) {
                const int row = r * g->stride + i - g->padding, column = q * g->stride + j - g->padding;
                if (row < 0 || row >= g->height || column < 0 || column >= g->width) continue;
                sum += (double)c->x[(plane * g->height + row) * g->width + column] *
                       (double)c->w[((plane * g->kernel + i) * g->kernel + j) * g->out + o];
            }
    return sum;
}

bnn_status bench_conv_check(const bench_conv *c) {
    const bnn_conv *g = &c->g;
    const int rows = bnn_conv_side(g, g->height), columns = bnn_conv_side(g, g->width);
    const size_t x = size_of_x(g), w = size_of_w(g), y = pixels_of_y(g) * (size_t)g->out;
    double worst = 0, largest = 0;
    bench_conv_y((void *)c), bench_conv_dx((void *)c), bench_conv_dw((void *)c); /* into dx and dw of zeros */
    for (int o = 0; o < g->out; o += 3)
        for (int pixel = 0; pixel < rows * columns; pixel += 37) {
            const double sum = plain_pixel(c, o, pixel / columns, pixel % columns);
            worst = fmax(worst, fabs(sum - (double)c->y[o * rows * columns + pixel])), largest = fmax(largest, fabs(sum));
        }
    /* y is linear in x and in w: <y, y> = <x, dx(y)> = <w, dw(y)> */
    const double square = dot(y, c->y, c->y);
    worst = fmax(worst / largest, fmax(fabs(dot(x, c->x, c->dx) - square), fabs(dot(w, c->w, c->dw) - square)) / square);
    if (worst <= (BNN_REAL_IS_DOUBLE ? 1e-12 : 1e-4)) return BNN_OK;
    return bnn_fail(BNN_ERR_NUMERIC, "a convolution of %dx%dx%d differs from plain sums by %g of the largest", g->in, g->height, g->width,
                    worst);
}
