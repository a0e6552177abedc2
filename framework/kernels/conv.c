/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conv.c: convolutions of images, plane by plane. Images are worked on in parallel, their gradients added in order.
 */
#include <bnn/jobs.h>
#include <bnn/kernels.h>

#include <string.h>

/* One call on all images. */
typedef struct {
    const bnn_conv *g;
    int n, rows, columns; /* images; pixels of y */
    const bnn_real *x, *w, *b, *dy;
    bnn_real *y, *dx, *dw;
} call;

static call call_of(const bnn_conv *g, int n) {
    return (call){.g = g, .n = n, .rows = bnn_conv_side(g, g->height), .columns = bnn_conv_side(g, g->width)};
}

static size_t plane_of_x(const call *a) { return (size_t)a->g->height * (size_t)a->g->width; }
static size_t plane_of_y(const call *a) { return (size_t)a->rows * (size_t)a->columns; }

/* The place in w of the weight between the planes c and o at pixel (i,j) of the kernel. */
static size_t place_of(const bnn_conv *g, int c, int i, int j, int o) {
    const size_t at = ((size_t)c * (size_t)g->kernel + (size_t)i) * (size_t)g->kernel + (size_t)j,
                 taps = (size_t)g->kernel * (size_t)g->kernel;
    return g->by_output ? (size_t)o * (size_t)g->in * taps + at : at * (size_t)g->out + (size_t)o;
}

/* Pixels from .. end of a row (or column) of y whose pixel j of the kernel lies inside x. */
static void find_inside(const bnn_conv *g, int j, int length, int most, int *from, int *end) {
    const int before = g->padding - j, behind = length + before; /* pixel q reads q stride - before */
    *from = before > 0 ? (before + g->stride - 1) / g->stride : 0;
    *end = behind > 0 ? (behind + g->stride - 1) / g->stride : 0;
    if (*end > most) *end = most;
}

/* y += w x, at every `stride` of x. */
BNN_LOOP static void add_row(int n, bnn_real w, const bnn_real *restrict x, int stride, bnn_real *restrict y) {
    for (int q = 0; q < n; q++) y[q] += w * x[(ptrdiff_t)q * stride];
}

/* x += w y, at every `stride` of x. */
BNN_LOOP static void spread_row(int n, bnn_real w, const bnn_real *restrict y, int stride, bnn_real *restrict x) {
    for (int q = 0; q < n; q++) x[(ptrdiff_t)q * stride] += w * y[q];
}

static bnn_real dot_row(int n, const bnn_real *x, int stride, const bnn_real *y) {
    bnn_real sum = 0;
    for (int q = 0; q < n; q++) sum += x[(ptrdiff_t)q * stride] * y[q];
    return sum;
}

/* What a pixel of the kernel does with a row: x and w to y, dy and w to dx, or x and dy to one number of dw. */
typedef bnn_real row_work(const call *a, int n, size_t w, size_t x, size_t y);

static bnn_real row_to_y(const call *a, int n, size_t w, size_t x, size_t y) {
    add_row(n, a->w[w], a->x + x, a->g->stride, a->y + y);
    return 0;
}

static bnn_real row_to_dx(const call *a, int n, size_t w, size_t x, size_t y) {
    spread_row(n, a->w[w], a->dy + y, a->g->stride, a->dx + x);
    return 0;
}

static bnn_real row_to_dw(const call *a, int n, size_t w, size_t x, size_t y) {
    (void)w;
    return dot_row(n, a->x + x, a->g->stride, a->dy + y);
}

/* Runs over the rows of planes c of x and o of y of an image at pixel (i,j) of the kernel; returns the sum of what the work returns. */
static bnn_real run_rows(const call *a, int image, int c, int o, int i, int j, row_work *work) {
    const bnn_conv *g = a->g;
    int top, bottom, left, right;
    bnn_real sum = 0;
    find_inside(g, i, g->height, a->rows, &top, &bottom);
    find_inside(g, j, g->width, a->columns, &left, &right);
    const size_t w = place_of(g, c, i, j, o), from = ((size_t)image * (size_t)g->in + (size_t)c) * plane_of_x(a),
                 to = ((size_t)image * (size_t)g->out + (size_t)o) * plane_of_y(a);
    for (int r = top; r < bottom && left < right; r++) {
        const size_t x = from + (size_t)(r * g->stride + i - g->padding) * (size_t)g->width + (size_t)(left * g->stride + j - g->padding);
        sum += work(a, right - left, w, x, to + (size_t)r * (size_t)a->columns + (size_t)left);
    }
    return sum;
}

/* All weights of an image, in the order of their sums. */
static void run_image(const call *a, int image, row_work *work) {
    const bnn_conv *g = a->g;
    for (int o = 0; o < g->out; o++)
        for (int c = 0; c < g->in; c++)
            for (int i = 0; i < g->kernel; i++)
                for (int j = 0; j < g->kernel; j++) {
                    const bnn_real sum = run_rows(a, image, c, o, i, j, work);
                    if (a->dw) a->dw[place_of(g, c, i, j, o)] += sum;
                }
}

static void images_to_y(void *context, int first, int n) {
    const call *a = context;
    for (int image = first; image < first + n; image++) {
        for (size_t o = 0; o < (size_t)a->g->out; o++) {
            bnn_real *plane = a->y + ((size_t)image * (size_t)a->g->out + o) * plane_of_y(a);
            for (size_t k = 0; k < plane_of_y(a); k++) plane[k] = a->b ? a->b[o] : 0;
        }
        run_image(a, image, row_to_y);
    }
}

static void images_to_dx(void *context, int first, int n) {
    for (int image = first; image < first + n; image++) run_image(context, image, row_to_dx);
}

void bnn_conv_y(const bnn_conv *g, int n, const bnn_real *x, const bnn_real *w, const bnn_real *b, bnn_real *y) {
    call a = call_of(g, n);
    a.x = x, a.w = w, a.b = b, a.y = y;
    bnn_parts_run(n, 1, images_to_y, &a);
}

void bnn_conv_dx(const bnn_conv *g, int n, const bnn_real *dy, const bnn_real *w, bnn_real *dx) {
    call a = call_of(g, n);
    a.dy = dy, a.w = w, a.dx = dx;
    bnn_parts_run(n, 1, images_to_dx, &a);
}

void bnn_conv_dw(const bnn_conv *g, int n, const bnn_real *x, const bnn_real *dy, bnn_real *dw, bnn_real *db) {
    call a = call_of(g, n);
    a.x = x, a.dy = dy, a.dw = dw;
    for (int image = 0; image < n; image++) {
        if (dw) run_image(&a, image, row_to_dw);
        for (int o = 0; db && o < g->out; o++)
            db[o] += (bnn_real)bnn_sum(plane_of_y(&a), dy + ((size_t)image * (size_t)g->out + (size_t)o) * plane_of_y(&a));
    }
}
