/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_kernels.c: products against plain loops in double, the two promises of kernels.h (threads, cut of rows) bit by bit, vector functions
 * against libm in ulp.
 */
#include "helpers.h"
#include "kernels/simd.h"
#include <bnn/kernels.h>
#include <bnn/rng.h>
#include <check.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#if BNN_REAL_IS_DOUBLE
#define EPSILON DBL_EPSILON
#define SMALLEST DBL_MIN
#define LARGEST DBL_MAX
typedef long double wide; /* of the reference */
#define WIDE(f) f##l
#else
#define EPSILON FLT_EPSILON
#define SMALLEST FLT_MIN
#define LARGEST FLT_MAX
typedef double wide;
#define WIDE(f) f
#endif

static bnn_real *normals(uint64_t tag, size_t n) {
    bnn_real *p = malloc((n + 1) * sizeof *p); /* one more: a guard */
    ck_assert_ptr_nonnull(p);
    bnn_rng_normal(bnn_rng_split(bnn_rng_seed(21), tag), 0, 1, (int)n, p);
    p[n] = 77;
    return p;
}

/* Operands of one layer. */
typedef struct {
    int n, in, out;
    bnn_real *x, *w, *b, *y, *dy, *dx, *dw, *db;
} layer;

static layer layer_new(int n, int in, int out) {
    layer l = {.n = n, .in = in, .out = out};
    const size_t nx = (size_t)n * (size_t)in, ny = (size_t)n * (size_t)out, nw = (size_t)in * (size_t)out;
    l.x = normals(1, nx), l.dx = normals(2, nx), l.w = normals(3, nw), l.dw = normals(4, nw);
    l.y = normals(5, ny), l.dy = normals(6, ny), l.b = normals(7, (size_t)out), l.db = normals(8, (size_t)out);
    return l;
}

static void layer_run(const layer *l) {
    bnn_affine(l->n, l->in, l->out, l->x, l->w, l->b, l->y);
    bnn_affine_dx(l->n, l->in, l->out, l->dy, l->w, l->dx);
    bnn_affine_dw(l->n, l->in, l->out, l->x, l->dy, l->dw, l->db);
}

static void layer_free(layer l) {
    bnn_real *const all[] = {l.x, l.w, l.b, l.y, l.dy, l.dx, l.dw, l.db};
    for (int i = 0; i < 8; i++) free(all[i]);
}

/* Number of elements of c[m,n] further from init + a b than the rounding bound gamma_(k+2) (|init| + |a| |b|), gamma_k = k u/(1 - k u),
 * which holds for any order of summation (Higham 2002, section 3.1). init[i*ir + j], or NULL. */
static int product_errors(int m, int n, int k, const bnn_real *a, int ar, int ak, const bnn_real *b, int br, int bk, const bnn_real *init,
                          int ir, const bnn_real *c) {
    const double u = (double)EPSILON / 2 * (k + 2), gamma = u / (1 - u);
    int wrong = 0;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            wide sum = init ? (wide)init[i * ir + j] : 0, size = WIDE(fabs)(sum);
            for (int p = 0; p < k; p++) {
                const wide t = (wide)a[i * ar + p * ak] * (wide)b[p * br + j * bk];
                sum += t;
                size += WIDE(fabs)(t);
            }
            wrong += !(WIDE(fabs)((wide)c[i * n + j] - sum) <= (wide)gamma * size);
        }
    return wrong;
}

static void check_products(int n, int in, int out) {
    layer l = layer_new(n, in, out), before = layer_new(n, in, out);
    bnn_real *const one = normals(9, 1);
    layer_run(&l);
    ck_assert_int_eq(product_errors(n, out, in, l.x, in, 1, l.w, out, 1, l.b, 0, l.y), 0);
    ck_assert_int_eq(product_errors(n, in, out, l.dy, out, 1, l.w, 1, out, before.dx, in, l.dx), 0);
    ck_assert_int_eq(product_errors(in, out, n, l.x, 1, in, l.dy, out, 1, before.dw, out, l.dw), 0);
    for (int i = 0; i < n; i++) l.x[i] = 1; /* column sums: a row of ones times dy */
    ck_assert_int_eq(product_errors(1, out, n, l.x, 0, 1, l.dy, out, 1, before.db, 0, l.db), 0);
    ck_assert(l.y[n * out] == 77 && l.dx[n * in] == 77 && l.dw[in * out] == 77 && l.db[out] == 77);
    memcpy(l.x, before.x, (size_t)(n * in) * sizeof *l.x);
    bnn_affine(n, in, out, l.x, l.w, NULL, l.y);
    ck_assert_int_eq(product_errors(n, out, in, l.x, in, 1, l.w, out, 1, NULL, 0, l.y), 0);
    memcpy(l.dw, before.dw, (size_t)(in * out) * sizeof *l.dw);
    memcpy(l.db, before.db, (size_t)out * sizeof *l.db);
    bnn_affine_dw(n, in, out, l.x, l.dy, l.dw, NULL);
    ck_assert_mem_eq(l.db, before.db, (size_t)out * sizeof *l.db);
    bnn_affine_dw(n, in, out, l.x, l.dy, NULL, l.db);
    ck_assert_int_eq(product_errors(in, out, n, l.x, 1, in, l.dy, out, 1, before.dw, out, l.dw), 0);
    free(one);
    layer_free(l);
    layer_free(before);
}

START_TEST(products_equal_plain_loops) {
    static const int n[] = {0, 1, 2, 7, 13, 70}, width[] = {1, 2, 3, 8, 13, 16, 17, 31, 32, 33, 50, 65, 130};
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        for (size_t j = 0; j < sizeof width / sizeof *width; j++)
            for (size_t k = 0; k < sizeof width / sizeof *width; k++) check_products(n[i], width[j], width[k]);
    check_products(300, 5, 7); /* sums longer than a block of the kernels */
    check_products(5, 600, 3);
    check_products(5, 3, 600);
    check_products(600, 40, 1);
    check_products(133, 300, 260); /* wide enough for a library */
    check_products(3, 2100, 257);
}
END_TEST

/* Rows row .. row+n of a batch, computed alone, have the bits that they have in the whole batch. */
static void check_cut(int rows, int in, int out, int step) {
    layer all = layer_new(rows, in, out), part = layer_new(rows, in, out);
    layer_run(&all);
    for (int n = 1; n <= rows; n += step)
        for (int row = 0; row + n <= rows; row += n < rows / 2 ? 1 + n / 2 * step : 1) {
            const size_t x0 = (size_t)(row * in), y0 = (size_t)(row * out), nx = (size_t)(n * in), ny = (size_t)(n * out);
            bnn_real *const dx = normals(2, (size_t)(rows * in));
            bnn_affine(n, in, out, all.x + x0, all.w, all.b, part.y);
            bnn_affine_dx(n, in, out, all.dy + y0, all.w, dx + x0);
            ck_assert_msg(!memcmp(part.y, all.y + y0, ny * sizeof *all.y), "forward %dx%dx%d at row %d of %d", n, in, out, row, rows);
            ck_assert_msg(!memcmp(dx + x0, all.dx + x0, nx * sizeof *all.dx), "dx %dx%dx%d at row %d of %d", n, in, out, row, rows);
            free(dx);
        }
    layer_free(all);
    layer_free(part);
}

START_TEST(rows_do_not_depend_on_the_cut) {
    static const int small[][2] = {{1, 1}, {13, 50}, {50, 1}, {1, 50}, {50, 2}, {17, 33}, {64, 64}, {300, 5}, {5, 300}, {100, 30}};
    for (size_t s = 0; s < sizeof small / sizeof *small; s++) check_cut(41, small[s][0], small[s][1], 1);
    check_cut(150, 256, 256, 7); /* a library's panels */
    check_cut(67, 300, 270, 3);
    check_cut(20, 2100, 256, 1);
}
END_TEST

START_TEST(threads_do_not_change_bits) {
    static const int shape[][3] = {{128, 13, 50},    {20000, 13, 50}, {700, 100, 120}, {133, 784, 400},
                                   {1000, 300, 300}, {3000, 784, 10}, {60000, 100, 1}};
    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++) {
        layer one = layer_new(shape[s][0], shape[s][1], shape[s][2]);
        const size_t nx = (size_t)(one.n * one.in), ny = (size_t)(one.n * one.out), nw = (size_t)(one.in * one.out);
        omp_set_num_threads(1);
        layer_run(&one);
        for (int threads = 2; threads <= 8; threads *= 2) { /* at 8 inside a parallel region of two */
            layer more = layer_new(one.n, one.in, one.out);
            omp_set_num_threads(threads);
            if (threads < 8) {
                layer_run(&more);
            } else {
#pragma omp parallel num_threads(2)
                if (omp_get_thread_num() == 1) layer_run(&more);
            }
            ck_assert_int_eq(omp_get_max_threads(), threads);
            ck_assert_mem_eq(more.y, one.y, ny * sizeof *one.y);
            ck_assert_mem_eq(more.dx, one.dx, nx * sizeof *one.dx);
            ck_assert_mem_eq(more.dw, one.dw, nw * sizeof *one.dw);
            ck_assert_mem_eq(more.db, one.db, (size_t)one.out * sizeof *one.db);
            layer_free(more);
        }
        layer_free(one);
    }
}
END_TEST

/* The same small products on the lesser instruction sets. */
START_TEST(every_instruction_set_is_right) {
    for (int level = 0; level <= bnn_simd_level(); level++)
        for (int m = 1; m < 20; m += 3)
            for (int n = 1; n < 70; n += 4)
                for (int transposed = 0; transposed < 3; transposed++) {
                    const int k = 21;
                    layer l = layer_new(m, k, n);
                    bnn_product g = {
                        .m = m, .n = n, .k = k, .a = l.x, .ar = k, .ak = 1, .b = l.w, .br = n, .bk = 1, .init = l.b, .c = l.y, .cr = n};
                    if (transposed == 1) g.br = 1, g.bk = k;
                    if (transposed == 2) g.ar = 1, g.ak = m;
                    bnn_kernels_simd_of(level)->product(&g);
                    ck_assert_int_eq(product_errors(m, n, k, l.x, (int)g.ar, (int)g.ak, l.w, (int)g.br, (int)g.bk, l.b, 0, l.y), 0);
                    bnn_kernels_simd_of(level)->dot(m, k, l.x, l.w, 3, l.y);
                    ck_assert_int_eq(product_errors(m, 1, k, l.x, k, 1, l.w, 1, 1, (const bnn_real[]){3}, 0, l.y), 0);
                    ck_assert(l.y[m * n] == 77);
                    layer_free(l);
                }
}
END_TEST

/* Products whose operands lie far apart, so that panels of them are copied. */
START_TEST(copied_panels_are_right) {
    const int m = 133, n = 270, k = 300;
    layer l = layer_new(m, k, n);
    for (int level = 0; level <= bnn_simd_level(); level++)
        for (int kind = 0; kind < 4; kind++) {
            bnn_product g = {
                .m = m, .n = n, .k = k, .a = l.x, .ar = k, .ak = 1, .b = l.w, .br = n, .bk = 1, .init = l.b, .c = l.y, .cr = n};
            if (kind & 1) g.br = 1, g.bk = k;
            if (kind & 2) g.ar = 1, g.ak = m;
            bnn_kernels_simd_of(level)->product(&g);
            ck_assert_int_eq(product_errors(m, n, k, l.x, (int)g.ar, (int)g.ak, l.w, (int)g.br, (int)g.bk, l.b, 0, l.y), 0);
        }
    layer_free(l);
}
END_TEST

/* Some columns of x are the same as a matrix of those alone. */
START_TEST(columns_are_picked) {
    static const int shape[][3] = {{1, 1, 1}, {9, 12, 48}, {70, 7, 1}, {13, 5, 33}, {133, 200, 260}, {40, 300, 3}};
    for (size_t s = 0; s < sizeof shape / sizeof *shape; s++) {
        const int n = shape[s][0], in = shape[s][1], out = shape[s][2], width = 2 * in + 1;
        layer l = layer_new(n, in, out);
        bnn_real *const x = normals(3, (size_t)(n * width));
        int *const unit = malloc((size_t)in * sizeof *unit);
        for (int p = 0; p < in; p++) unit[p] = width - 1 - 2 * p;
        for (int i = 0; i < n; i++)
            for (int p = 0; p < in; p++) l.x[i * in + p] = x[i * width + unit[p]];
        bnn_affine_picked(n, in, out, x, width, unit, l.w, l.b, l.y);
        ck_assert_int_eq(product_errors(n, out, in, l.x, in, 1, l.w, out, 1, l.b, 0, l.y), 0);
        ck_assert(l.y[n * out] == 77);
        for (int level = 0; level <= bnn_simd_level(); level++) {
            const bnn_product g = {.m = n,
                                   .n = out,
                                   .k = in,
                                   .a = x,
                                   .ar = width,
                                   .unit = unit,
                                   .b = l.w,
                                   .br = out,
                                   .bk = 1,
                                   .init = l.b,
                                   .c = l.y,
                                   .cr = out};
            bnn_kernels_simd_of(level)->product(&g);
            ck_assert_int_eq(product_errors(n, out, in, l.x, in, 1, l.w, out, 1, l.b, 0, l.y), 0);
        }
        free(unit), free(x);
        layer_free(l);
    }
}
END_TEST

typedef void vec(size_t n, const bnn_real *x, bnn_real *y);
static wide sigmoid(wide x) { return 1 / (1 + WIDE(exp)(-x)); }
static wide normal_cdf(wide x) { return WIDE(erfc)(x * -WIDE(sqrt)((wide)0.5)) / 2; }
static wide softplus(wide x) { return WIDE(fmax)(x, 0) + WIDE(log1p)(WIDE(exp)(-WIDE(fabs)(x))); }

/* Distance in units in the last place of the result; results below the smallest normal number count in its units. */
static double ulps(bnn_real y, wide expected) {
    int e;
    if ((wide)y == expected || (isnan(y) && isnan(expected))) return 0;
    if (!isfinite(y)) return HUGE_VAL;
    WIDE(frexp)(WIDE(fmax)(WIDE(fabs)(expected), (wide)SMALLEST), &e);
    return (double)(WIDE(fabs)((wide)y - expected) / WIDE(ldexp)((wide)EPSILON, e - 1));
}

enum { GRID = 200003 };

/* The worst of f over a grid of [low, high], even in x or, when relative, in log |x|; at every level of this processor. */
static double worst(size_t offset, wide (*f)(wide), double low, double high, bool logarithmic) {
    bnn_real *x = malloc(2 * GRID * sizeof *x), *y = x + GRID;
    double most = 0;
    ck_assert_ptr_nonnull(x);
    for (int i = 0; i < GRID; i++) {
        const double t = (double)i / (GRID - 1);
        x[i] = (bnn_real)(logarithmic ? copysign(fabs(low) * pow(high / low, t), low) : low + (high - low) * t);
    }
    for (int level = 0; level <= bnn_simd_level(); level++) {
        const bnn_kernels_simd *simd = bnn_kernels_simd_of(level);
        vec *const all[] = {simd->exp, simd->log, simd->tanh, simd->sigmoid, simd->softplus, simd->normal_cdf};
        all[offset](GRID, x, y);
        for (int i = 0; i < GRID; i++) most = fmax(most, ulps(y[i], f((wide)x[i])));
    }
    free(x);
    return most;
}

enum { EXP, LOG, TANH, SIGMOID, SOFTPLUS, NORMAL_CDF, FUNCTIONS };
#if BNN_REAL_IS_DOUBLE
#define UNDERFLOW (-708.)
#define OVERFLOW 709.
#else
#define UNDERFLOW (-87.)
#define OVERFLOW 88.
#endif

/* SLEEF's bounds (1.0 or 3.5 ulp) plus one rounding to the reference; sigmoid: exp 1, sum 1/2 (+ 1/2 from it), quotient 1/2, doubled where
 * a binade ends; softplus: exp 1, log 3.5, quotient and product 1/2 each, log1p's own condition, doubled likewise; the normal
 * distribution: the polynomial 1/2, product and exponential 1 each, doubled where a binade ends; in the lower tail the rounding of x^2
 * counts. */
START_TEST(functions_are_accurate) {
    ck_assert_double_le(worst(EXP, WIDE(exp), 1.2 * UNDERFLOW, OVERFLOW, false), 1.5);
    ck_assert_double_le(worst(EXP, WIDE(exp), -1, 1, false), 1.5);
    ck_assert_double_le(worst(LOG, WIDE(log), (double)(SMALLEST * EPSILON), (double)LARGEST, true), 4);
    ck_assert_double_le(worst(LOG, WIDE(log), 0.5, 2, false), 4);
    ck_assert_double_le(worst(TANH, WIDE(tanh), -20, 20, false), 4);
    ck_assert_double_le(worst(TANH, WIDE(tanh), 1e-30, 1, true), 4);
    ck_assert_double_le(worst(TANH, WIDE(tanh), -1e-30, -1, true), 4);
    ck_assert_double_le(worst(SIGMOID, sigmoid, UNDERFLOW, 100, false), 4);
    ck_assert_double_le(worst(SIGMOID, sigmoid, -2, 2, false), 4);
    ck_assert_double_le(worst(SOFTPLUS, softplus, UNDERFLOW, 100, false), 8);
    ck_assert_double_le(worst(SOFTPLUS, softplus, -20, 20, false), 8);
    ck_assert_double_le(worst(SOFTPLUS, softplus, 1, (double)LARGEST, true), 8);
    ck_assert_double_le(worst(NORMAL_CDF, normal_cdf, -1, 10, false), 8);
}
END_TEST

START_TEST(functions_have_exact_limits) {
    const bnn_real inf = (bnn_real)INFINITY, nan = (bnn_real)NAN, big = LARGEST;
    const bnn_real x[] = {inf, -inf, nan, 0, big, -big, 1};
    const wide expected[FUNCTIONS][7] = {
        {inf, 0, nan, 1, inf, 0, WIDE(exp)(1)}, {inf, nan, nan, -inf, WIDE(log)(big), nan, 0},    {1, -1, nan, 0, 1, -1, WIDE(tanh)(1)},
        {1, 0, nan, 0.5, 1, 0, sigmoid(1)},     {inf, 0, nan, WIDE(log)(2), big, 0, softplus(1)}, {1, 0, nan, 0.5, 1, 0, normal_cdf(1)}};
    static vec *const all[] = {bnn_vec_exp, bnn_vec_log, bnn_vec_tanh, bnn_vec_sigmoid, bnn_vec_softplus, bnn_vec_normal_cdf};
    for (int f = 0; f < FUNCTIONS; f++)
        for (int i = 0; i < 7; i++) {
            bnn_real y;
            all[f](1, x + i, &y);
            if (isfinite(expected[f][i]) && expected[f][i] != WIDE(rint)(expected[f][i]))
                ck_assert_double_le(ulps(y, expected[f][i]), 8);
            else
                ck_assert_msg((wide)y == expected[f][i] || (isnan(y) && isnan(expected[f][i])), "function %d of %g is %g", f, (double)x[i],
                              (double)y);
        }
}
END_TEST

/* Every element alone, at any offset and beside wild neighbours, has the bits it has in the whole array; y may be x. */
START_TEST(functions_do_not_see_positions) {
    enum { N = 150 };
    static vec *const all[] = {bnn_vec_exp, bnn_vec_log, bnn_vec_tanh, bnn_vec_sigmoid, bnn_vec_softplus, bnn_vec_normal_cdf};
    bnn_real x[N], y[N], z[N + 1];
    bnn_rng_normal(bnn_rng_seed(22), 0, 1, N, x);
    for (int i = 0; i < N; i++) x[i] = x[i] * (bnn_real)pow(10, i % 5 - 2);
    x[20] = (bnn_real)INFINITY, x[40] = (bnn_real)NAN, x[60] = LARGEST, x[61] = SMALLEST / 4, x[80] = -LARGEST;
    for (int f = 0; f < FUNCTIONS; f++) {
        all[f](N, x, y);
        for (int from = 0; from < N; from++)
            for (int n = 0; from + n <= N; n += from % 3 + 1) {
                z[n] = 77;
                all[f]((size_t)n, x + from, z);
                ck_assert(z[n] == 77);
                ck_assert(!n || !memcmp(z, y + from, (size_t)n * sizeof *z));
            }
        memcpy(z, x, sizeof x);
        all[f](N, z, z);
        ck_assert_mem_eq(z, y, sizeof y);
    }
}
END_TEST

START_TEST(scalars) {
    static const double x[] = {-700, -100, -30, -1, 0, 1e-8, 1, 30, 100, 1e300};
    for (int i = 0; i < 10; i++) {
        ck_assert_double_eq_tol(bnn_softplus(x[i]), (double)(fmaxl(x[i], 0) + log1pl(expl(-fabsl(x[i])))),
                                4 * DBL_EPSILON * fmax(exp(x[i] < 0 ? x[i] : 0), fabs(x[i])));
        ck_assert_double_gt(bnn_softplus(x[i]), 0);
        ck_assert_double_eq_tol(bnn_sigmoid(x[i]), (double)(1 / (1 + expl(-x[i]))), 4 * DBL_EPSILON * bnn_sigmoid(x[i]));
    }
    for (double y = 1e-300; y < 1e300; y *= 1.7)
        ck_assert_double_eq_tol(bnn_softplus(bnn_softplus_inverse(y)) / y, 1, 4 * DBL_EPSILON * (1 + fabs(log(fmin(y, 1)))));
    ck_assert(bnn_logsumexp(0, NULL) == -INFINITY);
    ck_assert(bnn_logsumexp(2, (const double[]){-INFINITY, -INFINITY}) == -INFINITY);
    ck_assert(bnn_logsumexp(2, (const double[]){-INFINITY, 3}) == 3);
    ck_assert(bnn_logsumexp(2, (const double[]){INFINITY, 3}) == INFINITY);
    ck_assert(isnan(bnn_logsumexp(1, (const double[]){NAN})));
    ck_assert(isnan(bnn_logsumexp(3, (const double[]){1, NAN, 3})));
    ck_assert_double_eq_tol(bnn_logsumexp(3, (const double[]){1000, 1000, 1000}), 1000 + log(3), 1000 * DBL_EPSILON);
    ck_assert_double_eq_tol(bnn_logsumexp(2, (const double[]){-1000, -1001}), -1000 + log1p(exp(-1)), 1000 * DBL_EPSILON);
}
END_TEST

static volatile sig_atomic_t ticks;

static void tick(int number) {
    (void)number;
    ticks++;
}

/* A handler runs on the stack of the thread that it interrupts: wherever that stands then, it must be a stack. */
START_TEST(signals_do_no_harm) {
    enum { SIDE = 300, TICKS = 2000 };
    bnn_real *x = normals(1, SIDE), *w = normals(2, SIDE * SIDE), *y = normals(3, SIDE), *first = normals(4, SIDE);
    const struct itimerval often = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100}, never = {0};
    bnn_affine(1, SIDE, SIDE, x, w, NULL, first);
    ck_assert_int_eq(sigaction(SIGALRM, &(struct sigaction){.sa_handler = tick, .sa_flags = SA_RESTART}, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (ticks = 0; ticks < TICKS;) {
        bnn_affine(1, SIDE, SIDE, x, w, NULL, y);
        ck_assert_mem_eq(y, first, SIDE * sizeof *y);
    }
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    free(x), free(w), free(y), free(first);
}
END_TEST

/* Each test has a process of its own, so that this is its first call of the library. */
START_TEST(instructions_are_limited) {
    bnn_kernels_limit("base");
    ck_assert_int_eq(bnn_simd_level(), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("kernels");
    TCase *products = tcase_create("products"), *functions = tcase_create("functions");
    tcase_add_test(products, products_equal_plain_loops);
    tcase_add_test(products, rows_do_not_depend_on_the_cut);
    tcase_add_test(products, threads_do_not_change_bits);
    tcase_add_test(products, every_instruction_set_is_right);
    tcase_add_test(products, copied_panels_are_right);
    tcase_add_test(products, instructions_are_limited);
    tcase_add_test(products, columns_are_picked);
    tcase_add_test(products, signals_do_no_harm);
    tcase_add_test(functions, functions_are_accurate);
    tcase_add_test(functions, functions_have_exact_limits);
    tcase_add_test(functions, functions_do_not_see_positions);
    tcase_add_test(functions, scalars);
    tcase_set_timeout(products, 120);
    tcase_set_timeout(functions, 120);
    suite_add_tcase(suite, products);
    suite_add_tcase(suite, functions);
    return run_suite(suite);
}
