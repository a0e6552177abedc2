/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_conv.c: convolutions against plain loops in double, with each instruction set; the promises of kernels.h (threads, cut of rows) bit
 * by bit; what convolutions have in common with products, and with themselves elsewhere in the image.
 */
#include "helpers.h"
#include "kernels/simd.h"
#include <bnn/kernels.h>
#include <check.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#if BNN_REAL_IS_DOUBLE
#define EPSILON DBL_EPSILON
typedef long double wide; /* of the reference */
#else
#define EPSILON FLT_EPSILON
typedef double wide;
#endif

static bnn_real *normals(uint64_t tag, size_t n) {
    bnn_real *p = malloc((n + 1) * sizeof *p); /* one more: a guard */
    ck_assert_ptr_nonnull(p);
    bnn_rng_normal(bnn_rng_split(bnn_rng_seed(22), tag), 0, 1, (int)n, p);
    p[n] = 77;
    return p;
}

/* Operands of one layer, and their numbers. */
typedef struct {
    bnn_conv g;
    int n, rows, columns;
    size_t x_row, y_row, weights;
    bnn_real *x, *w, *b, *y, *dy, *dx, *dw, *db;
} layer;

static layer layer_new(bnn_conv g, int n) {
    layer l = {.g = g, .n = n, .rows = bnn_conv_side(&g, g.height), .columns = bnn_conv_side(&g, g.width)};
    l.x_row = (size_t)(g.in * g.height * g.width), l.y_row = (size_t)(g.out * l.rows * l.columns);
    l.weights = (size_t)(g.in * g.kernel * g.kernel * g.out);
    const size_t nx = (size_t)n * l.x_row, ny = (size_t)n * l.y_row;
    l.x = normals(1, nx), l.dx = normals(2, nx), l.w = normals(3, l.weights), l.dw = normals(4, l.weights);
    l.y = normals(5, ny), l.dy = normals(6, ny), l.b = normals(7, (size_t)g.out), l.db = normals(8, (size_t)g.out);
    return l;
}

/* Images first .. first + n. */
static void layer_run(const layer *l, int first, int n) {
    const size_t x = (size_t)first * l->x_row, y = (size_t)first * l->y_row;
    bnn_conv_y(&l->g, n, l->x + x, l->w, l->b, l->y + y);
    bnn_conv_dx(&l->g, n, l->dy + y, l->w, l->dx + x);
    bnn_conv_dw(&l->g, n, l->x + x, l->dy + y, l->dw, l->db);
}

static void layer_free(layer l) {
    bnn_real *const all[] = {l.x, l.w, l.b, l.y, l.dy, l.dx, l.dw, l.db};
    for (int i = 0; i < 8; i++) free(all[i]);
}

static void assert_equal(const layer *a, const layer *b) {
    ck_assert_mem_eq(a->y, b->y, (size_t)a->n * a->y_row * sizeof *a->y);
    ck_assert_mem_eq(a->dx, b->dx, (size_t)a->n * a->x_row * sizeof *a->dx);
    ck_assert_mem_eq(a->dw, b->dw, a->weights * sizeof *a->dw);
    ck_assert_mem_eq(a->db, b->db, (size_t)a->g.out * sizeof *a->db);
}

/* ---------------------------------------------------------------- against plain loops */

/* Sums of the reference: values, sums of the absolute values of their terms, numbers of terms. */
typedef struct {
    wide *value, *size;
    int *terms;
} sums;

static sums sums_new(size_t n, const bnn_real *from) {
    sums s = {calloc(n, sizeof *s.value), calloc(n, sizeof *s.size), calloc(n, sizeof *s.terms)};
    for (size_t i = 0; i < n && from; i++) s.value[i] = from[i], s.size[i] = fabs((double)from[i]);
    return s;
}

static void add(sums *s, size_t at, wide term) { s->value[at] += term, s->size[at] += term < 0 ? -term : term, s->terms[at]++; }

/* Frees the sums; c[n] must be as near as the bound for any order of summation says (Higham 2002, section 3.1), with nothing written behind
 * it. */
static void assert_near(sums s, size_t n, const bnn_real *c, const char *what, const bnn_conv *g) {
    for (size_t i = 0; i < n; i++) {
        const wide error = (wide)c[i] - s.value[i], bound = (wide)EPSILON / 2 * (s.terms[i] + 3) * s.size[i];
        ck_assert_msg((error < 0 ? -error : error) <= bound, "%s[%zu] of %dx%dx%d -> %d, kernel %d, stride %d, padding %d: %g, not %g",
                      what, i, g->in, g->height, g->width, g->out, g->kernel, g->stride, g->padding, (double)c[i], (double)s.value[i]);
    }
    ck_assert(c[n] == 77);
    free(s.value), free(s.size), free(s.terms);
}

static size_t place_of_weight(const bnn_conv *g, int o, int c, int i, int j) {
    const int tap = (c * g->kernel + i) * g->kernel + j;
    return (size_t)(g->by_output ? o * g->in * g->kernel * g->kernel + tap : tap * g->out + o);
}

/* Adds what the weights of planes c and o do at pixel (r,q) of an image. */
static void add_pixel(const layer *l, int image, int o, int c, int r, int q, sums *y, sums *dx, sums *dw) {
    const bnn_conv *g = &l->g;
    const size_t to = (size_t)image * l->y_row + (size_t)((o * l->rows + r) * l->columns + q);
    for (int i = 0; i < g->kernel; i++)
        for (int j = 0; j < g->kernel; j++) {
            const int row = r * g->stride + i - g->padding, column = q * g->stride + j - g->padding;
            if (row < 0 || row >= g->height || column < 0 || column >= g->width) continue;
            const size_t from = (size_t)image * l->x_row + (size_t)((c * g->height + row) * g->width + column),
                         w = place_of_weight(g, o, c, i, j);
            add(y, to, (wide)l->w[w] * (wide)l->x[from]);
            add(dx, from, (wide)l->w[w] * (wide)l->dy[to]);
            add(dw, w, (wide)l->x[from] * (wide)l->dy[to]);
        }
}

static void check_against_loops(bnn_conv g, int n) {
    layer l = layer_new(g, n);
    sums y = sums_new((size_t)n * l.y_row, NULL), dx = sums_new((size_t)n * l.x_row, l.dx), dw = sums_new(l.weights, l.dw),
         db = sums_new((size_t)g.out, l.db);
    for (int image = 0; image < n; image++)
        for (int o = 0; o < g.out; o++)
            for (int pixel = 0; pixel < l.rows * l.columns; pixel++) {
                const size_t to = (size_t)image * l.y_row + (size_t)(o * l.rows * l.columns + pixel);
                add(&y, to, (wide)l.b[o]);
                add(&db, (size_t)o, (wide)l.dy[to]);
                for (int c = 0; c < g.in; c++) add_pixel(&l, image, o, c, pixel / l.columns, pixel % l.columns, &y, &dx, &dw);
            }
    layer_run(&l, 0, n);
    assert_near(y, (size_t)n * l.y_row, l.y, "y", &g);
    assert_near(dx, (size_t)n * l.x_row, l.dx, "dx", &g);
    assert_near(dw, l.weights, l.dw, "dw", &g);
    assert_near(db, (size_t)g.out, l.db, "db", &g);
    layer_free(l);
}

static const int channels[] = {1, 3, 7, 13, 16}, outputs[] = {1, 7, 12, 13, 33}, kernels[] = {1, 2, 3, 5};
static const int sides[][2] = {{5, 5}, {1, 9}, {9, 1}, {6, 19}, {11, 35}};
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

/* All kernels, strides and paddings, on images of many sides; channels and outputs take turns. */
START_TEST(equal_plain_loops) {
    bnn_kernels_limit(bnn_simd_names[_i]);
    int turn = 0;
    for (int k = 0; k < COUNT(kernels); k++)
        for (int s = 0; s < COUNT(sides); s++)
            for (int padding = 0; padding < kernels[k]; padding++)
                for (int stride = 1; stride <= 3; stride++, turn++) {
                    bnn_conv g = {.in = channels[turn % COUNT(channels)],
                                  .height = sides[s][0],
                                  .width = sides[s][1],
                                  .out = outputs[turn / 2 % COUNT(outputs)],
                                  .kernel = kernels[k],
                                  .stride = stride,
                                  .padding = padding,
                                  .by_output = turn % 3 == 0};
                    if (bnn_conv_side(&g, g.height) > 0 && bnn_conv_side(&g, g.width) > 0) check_against_loops(g, 1 + turn % 2);
                }
}
END_TEST

/* Images and kernels that are worked on in several pieces. */
START_TEST(large_ones_equal_plain_loops) {
    bnn_kernels_limit(bnn_simd_names[_i]);
    check_against_loops((bnn_conv){.in = 3, .height = 70, .width = 130, .out = 5, .kernel = 3, .stride = 1, .padding = 1}, 1);
    check_against_loops((bnn_conv){.in = 150, .height = 9, .width = 12, .out = 70, .kernel = 3, .stride = 1, .padding = 1}, 1);
    check_against_loops((bnn_conv){.in = 2, .height = 3, .width = 1500, .out = 3, .kernel = 3, .stride = 2, .padding = 2}, 1);
    check_against_loops((bnn_conv){.in = 1, .height = 140, .width = 150, .out = 2, .kernel = 128, .stride = 5, .padding = 3}, 1);
    check_against_loops((bnn_conv){.in = 40, .height = 30, .width = 31, .out = 17, .kernel = 1, .stride = 1, .padding = 0}, 1);
}
END_TEST

/* ---------------------------------------------------------------- promises */

static const bnn_conv some[] = {
    {.in = 3, .height = 30, .width = 41, .out = 32, .kernel = 3, .stride = 1, .padding = 1},
    {.in = 13, .height = 12, .width = 11, .out = 7, .kernel = 5, .stride = 2, .padding = 4},
    {.in = 24, .height = 48, .width = 60, .out = 12, .kernel = 3, .stride = 1, .padding = 1},
    {.in = 48, .height = 24, .width = 30, .out = 11, .kernel = 1, .stride = 1, .padding = 0},
    {.in = 20, .height = 12, .width = 15, .out = 9, .kernel = 2, .stride = 2, .padding = 0, .by_output = true},
};

START_TEST(threads_do_not_change_bits) {
    for (int s = 0; s < COUNT(some); s++) {
        layer one = layer_new(some[s], 5);
        omp_set_num_threads(1);
        layer_run(&one, 0, 5);
        for (int threads = 2; threads <= 4; threads *= 2) {
            layer more = layer_new(some[s], 5);
            omp_set_num_threads(threads);
            layer_run(&more, 0, 5);
            assert_equal(&more, &one);
            layer_free(more);
        }
        layer_free(one);
    }
}
END_TEST

START_TEST(images_may_be_cut_anywhere) {
    for (int s = 0; s < COUNT(some); s++) {
        layer whole = layer_new(some[s], 5);
        layer_run(&whole, 0, 5);
        for (int first = 1; first < 5; first++) {
            layer parts = layer_new(some[s], 5);
            layer_run(&parts, 0, first);
            layer_run(&parts, first, 5 - first);
            assert_equal(&parts, &whole);
            layer_free(parts);
        }
        layer_free(whole);
    }
}
END_TEST

/* ---------------------------------------------------------------- what convolutions are */

static double dot(size_t n, const bnn_real *a, const bnn_real *b) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* <conv(x), dy> = <x, dx(dy)> = <w, dw(x, dy)>. */
START_TEST(gradients_are_adjoint) {
    for (int s = 0; s < COUNT(some); s++) {
        layer l = layer_new(some[s], 2);
        memset(l.dx, 0, 2 * l.x_row * sizeof *l.dx), memset(l.dw, 0, l.weights * sizeof *l.dw),
            memset(l.b, 0, (size_t)l.g.out * sizeof *l.b);
        layer_run(&l, 0, 2);
        const double y = dot(2 * l.y_row, l.y, l.dy),
                     slack = 200 * (double)EPSILON * sqrt(dot(2 * l.y_row, l.y, l.y) * dot(2 * l.y_row, l.dy, l.dy));
        ck_assert_double_eq_tol(dot(2 * l.x_row, l.x, l.dx), y, slack);
        ck_assert_double_eq_tol(dot(l.weights, l.w, l.dw), y, slack);
        layer_free(l);
    }
}
END_TEST

/* An image shifted by one pixel gives y shifted by one pixel, bit for bit, wherever the border is not seen. */
START_TEST(shifts_are_seen_bit_for_bit) {
    layer l = layer_new(some[0], 2);
    const int h = l.g.height, w = l.g.width;
    for (int k = 0; k < l.g.in * h; k++)
        for (int q = 0; q < w; q++) {
            const int r = k % h, from = (k - 1) * w + q - 1;
            l.x[l.x_row + (size_t)(k * w + q)] = r > 0 && q > 0 ? l.x[from] : 0;
        }
    layer_run(&l, 0, 2);
    for (int o = 0; o < l.g.out; o++)
        for (int r = 2; r < h - 1; r++)
            for (int q = 2; q < w - 1; q++) ck_assert(l.y[l.y_row + (size_t)((o * h + r) * w + q)] == l.y[(o * h + r - 1) * w + q - 1]);
    layer_free(l);
}
END_TEST

/* A kernel as large as the image is an affine map of the image as a vector. */
START_TEST(kernels_of_the_size_of_the_image_are_affine) {
    layer l = layer_new((bnn_conv){.in = 3, .height = 5, .width = 5, .out = 14, .kernel = 5, .stride = 1}, 3);
    layer_run(&l, 0, 3);
    bnn_real *const y = normals(5, 3 * l.y_row);
    bnn_affine(3, (int)l.x_row, l.g.out, l.x, l.w, l.b, y);
    for (size_t i = 0; i < 3 * l.y_row; i++) ck_assert_double_eq_tol((double)l.y[i], (double)y[i], 300 * (double)EPSILON);
    free(y);
    layer_free(l);
}
END_TEST

/* A kernel of one pixel is an affine map of each pixel. */
START_TEST(kernels_of_one_pixel_are_affine) {
    enum { PIXELS = 6 * 7, IN = 5, OUT = 9 };
    layer l = layer_new((bnn_conv){.in = IN, .height = 6, .width = 7, .out = OUT, .kernel = 1, .stride = 1}, 1);
    layer_run(&l, 0, 1);
    for (int pixel = 0; pixel < PIXELS; pixel++) {
        bnn_real x[IN], y[OUT];
        for (int c = 0; c < IN; c++) x[c] = l.x[c * PIXELS + pixel];
        bnn_affine(1, IN, OUT, x, l.w, l.b, y);
        for (int o = 0; o < OUT; o++) ck_assert_double_eq_tol((double)l.y[o * PIXELS + pixel], (double)y[o], 50 * (double)EPSILON);
    }
    layer_free(l);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("conv");
    TCase *sums_are = tcase_create("sums"), *promises = tcase_create("promises");
    tcase_add_loop_test(sums_are, equal_plain_loops, 0, 3);
    tcase_add_loop_test(sums_are, large_ones_equal_plain_loops, 0, 3);
    tcase_add_test(promises, threads_do_not_change_bits);
    tcase_add_test(promises, images_may_be_cut_anywhere);
    tcase_add_test(promises, gradients_are_adjoint);
    tcase_add_test(promises, shifts_are_seen_bit_for_bit);
    tcase_add_test(promises, kernels_of_the_size_of_the_image_are_affine);
    tcase_add_test(promises, kernels_of_one_pixel_are_affine);
    tcase_set_timeout(sums_are, 120);
    tcase_set_timeout(promises, 120);
    suite_add_tcase(suite, sums_are);
    suite_add_tcase(suite, promises);
    return run_suite(suite);
}
