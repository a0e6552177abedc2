/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * kernels.c: products of a layer, cut into fixed panels; vector functions. The inner loops are in kernels_simd.c or in a library.
 *
 * A product runs in our own register tiles, in which no bit of a row depends on the other rows; a big one is cut into panels of the result
 * that run in parallel. With BNN_GEMM_ONEDNN (float only) layers at least 256 wide on both sides go to oneDNN instead, one single-threaded
 * call a panel, but for dx = dy W^T, at which it is slower. There the bits of a row depend on the number of rows in the call (other code
 * below 16), so every call has PANEL_ROWS rows, the last ones padded. OpenBLAS is no choice: its float rows depend on their place in the
 * call as well, and nothing restores the promise.
 */
#include <bnn/jobs.h>
#include <bnn/kernels.h>

#include "simd.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#ifdef BNN_GEMM_ONEDNN
#if BNN_REAL_IS_DOUBLE
#error "oneDNN has no double precision"
#endif
#include <dnnl.h>
#include <omp.h>
#include <signal.h>
#endif

#define OWN_PANEL 128
#define PARALLEL_FLOPS 8e6 /* below, sharing costs as much as it saves */

static int smaller(int a, int b) { return a < b ? a : b; }

static bool in_parallel(const bnn_product *g) { return 2.0 * g->m * g->n * g->k >= PARALLEL_FLOPS && !bnn_jobs_inside(); }

/* Panel i of the result when it is cut into panels of rows x columns. */
static bnn_product panel_of(const bnn_product *g, int i, int rows, int columns) {
    const int across = (g->n + columns - 1) / columns, row = i / across * rows, column = i % across * columns;
    bnn_product part = *g;
    part.m = smaller(rows, g->m - row);
    part.n = smaller(columns, g->n - column);
    part.a += row * g->ar;
    part.b += column * g->bk;
    part.c += row * g->cr + column;
    if (g->init) part.init += row * g->ir + column;
    return part;
}

static int panel_count(const bnn_product *g, int rows, int columns) { return (g->m + rows - 1) / rows * ((g->n + columns - 1) / columns); }

/* The width of a panel, `most` at most, if panels of n are to be as wide as each other, in whole vectors. */
static int even(int n, int most) {
    const int across = (n + most - 1) / most, vector = 16;
    return ((n + across - 1) / across + vector - 1) / vector * vector;
}

/* A product in panels of rows x columns. */
typedef struct {
    const bnn_product *whole;
    int rows, columns;
    bool rows_alike;
} cut;

static void run_panels(const cut *c, void (*panels)(void *context, int from, int count)) {
    const bnn_product *g = c->whole;
    const int n = panel_count(g, c->rows, c->columns);
    bnn_parts_run(n, in_parallel(g) ? 1 : n, panels, (void *)c);
}

static void own_panels(void *context, int from, int count) {
    const cut *c = context;
    for (int i = from; i < from + count; i++) {
        const bnn_product part = panel_of(c->whole, i, c->rows, c->columns);
        bnn_kernels_simd_of(bnn_simd_level())->product(&part);
    }
}

/* In our own tiles; no bit depends on the cut, so a serial product is not cut. */
static void own(const bnn_product *g) {
    if (in_parallel(g))
        run_panels(&(cut){.whole = g, .rows = OWN_PANEL, .columns = even(g->n, OWN_PANEL)}, own_panels);
    else
        bnn_kernels_simd_of(bnn_simd_level())->product(g);
}

#ifdef BNN_GEMM_ONEDNN

/* Kernels of oneDNN keep other things than the stack in the stack pointer: a signal that is handled on this thread meanwhile is handled on
 * top of the heap (seen with 2.6: "corrupted size vs. prev_size"). So signals wait. */
static void hold_signals(sigset_t *before) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

#define PANEL_ROWS 64 /* rows of the batch */
#define DW_ROWS 128   /* rows of a kernel's gradient, at most */
#define PANEL_COLUMNS 256
#define DEPTH 512 /* of the buffer in which rows are padded; longer sums are cut there */

/* c[m,n] += a[m,k] b[k,n], one thread. */
static void library(const bnn_product *g) {
    const bool ta = g->ar == 1 && g->ak != 1, tb = g->bk != 1;
    const ptrdiff_t lda = ta ? g->ak : g->ar, ldb = tb ? g->bk : g->br;
    dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', g->m, g->n, g->k, 1, g->a, lda, g->b, ldb, 1, g->c, g->cr);
}

/* The last m < PANEL_ROWS rows, padded. */
static void library_padded(const bnn_product *g) {
    bnn_real a[PANEL_ROWS * DEPTH], c[PANEL_ROWS * PANEL_COLUMNS];
    memset(a, 0, sizeof a);
    memset(c, 0, sizeof c);
    for (int i = 0; i < g->m; i++) {
        memcpy(a + i * g->k, g->a + i * g->ar, (size_t)g->k * sizeof *a);
        memcpy(c + i * g->n, g->c + i * g->cr, (size_t)g->n * sizeof *c);
    }
    bnn_product padded = *g;
    padded.m = PANEL_ROWS;
    padded.a = a;
    padded.ar = g->k;
    padded.c = c;
    padded.cr = g->n;
    library(&padded);
    for (int i = 0; i < g->m; i++) memcpy(g->c + i * g->cr, c + i * g->n, (size_t)g->n * sizeof *c);
}

/* One panel of the result. */
static void library_panel(const bnn_product *g, bool rows_alike) {
    if (g->init != g->c)
        for (int i = 0; i < g->m; i++) {
            bnn_real *c = g->c + i * g->cr;
            if (g->init)
                memcpy(c, g->init + i * g->ir, (size_t)g->n * sizeof *c);
            else
                memset(c, 0, (size_t)g->n * sizeof *c);
        }
    for (int p = 0; p < g->k; p += DEPTH) {
        bnn_product part = *g;
        part.k = smaller(DEPTH, g->k - p);
        part.a += p * g->ak;
        part.b += p * g->br;
        if (g->m < PANEL_ROWS && rows_alike)
            library_padded(&part);
        else
            library(&part);
    }
}

static void library_panels(void *context, int from, int count) {
    const cut *c = context;
    const int threads = omp_get_max_threads();
    sigset_t before;
    omp_set_num_threads(1); /* oneDNN's own threading would cut by their number */
    hold_signals(&before);
    for (int i = from; i < from + count; i++) {
        const bnn_product part = panel_of(c->whole, i, c->rows, c->columns);
        library_panel(&part, c->rows_alike);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    omp_set_num_threads(threads);
}

static void large(const bnn_product *g, bool rows_alike) {
    const int rows = rows_alike ? PANEL_ROWS : even(g->m, DW_ROWS);
    run_panels(&(cut){.whole = g, .rows = rows, .columns = even(g->n, PANEL_COLUMNS), .rows_alike = rows_alike}, library_panels);
}

#endif

/* rows_alike: rows of a are rows of the batch; else the sum runs over them. The path depends on the sides of the layer, never on the rows.
 */
static void multiply(const bnn_product *g, bool rows_alike) {
#ifdef BNN_GEMM_ONEDNN
    if ((rows_alike ? g->k : g->m) >= 256 && g->n >= 256) {
        large(g, rows_alike);
        return;
    }
#else
    (void)rows_alike;
#endif
    own(g);
}

void bnn_affine(int n, int in, int out, const bnn_real *x, const bnn_real *w, const bnn_real *b, bnn_real *y) {
    if (out == 1) {
        bnn_kernels_simd_of(bnn_simd_level())->dot(n, in, x, w, b ? *b : 0, y);
        return;
    }
    const bnn_product g = {
        .m = n, .n = out, .k = in, .a = x, .ar = in, .ak = 1, .b = w, .br = out, .bk = 1, .init = b, .ir = 0, .c = y, .cr = out};
    multiply(&g, true);
}

void bnn_affine_picked(int n, int in, int out, const bnn_real *x, int width, const int *unit, const bnn_real *w, const bnn_real *b,
                       bnn_real *y) {
    const bnn_product g = {
        .m = n, .n = out, .k = in, .a = x, .ar = width, .ak = 1, .unit = unit, .b = w, .br = out, .bk = 1, .init = b, .c = y, .cr = out};
    own(&g);
}

void bnn_affine_dx(int n, int in, int out, const bnn_real *dy, const bnn_real *w, bnn_real *dx) {
    const bnn_product g = {
        .m = n, .n = in, .k = out, .a = dy, .ar = out, .ak = 1, .b = w, .br = 1, .bk = out, .init = dx, .ir = in, .c = dx, .cr = in};
    own(&g);
}

void bnn_affine_dw(int n, int in, int out, const bnn_real *x, const bnn_real *dy, bnn_real *dw, bnn_real *db) {
    if (db) bnn_kernels_simd_of(bnn_simd_level())->column_sums(n, out, dy, db);
    if (!dw) return;
    bnn_product g = {
        .m = in, .n = out, .k = n, .a = x, .ar = 1, .ak = in, .b = dy, .br = out, .bk = 1, .init = dw, .ir = out, .c = dw, .cr = out};
    if (out == 1) /* transposed, dw[1,in] += dy[n,1]^T x[n,in], to have vectors along in */
        g = (bnn_product){
            .m = 1, .n = in, .k = n, .a = dy, .ar = 1, .ak = 1, .b = x, .br = in, .bk = 1, .init = dw, .ir = in, .c = dw, .cr = in};
    multiply(&g, false);
}

void bnn_vec_exp(size_t n, const bnn_real *x, bnn_real *y) { bnn_kernels_simd_of(bnn_simd_level())->exp(n, x, y); }

void bnn_vec_log(size_t n, const bnn_real *x, bnn_real *y) { bnn_kernels_simd_of(bnn_simd_level())->log(n, x, y); }

void bnn_vec_tanh(size_t n, const bnn_real *x, bnn_real *y) { bnn_kernels_simd_of(bnn_simd_level())->tanh(n, x, y); }

void bnn_vec_sigmoid(size_t n, const bnn_real *x, bnn_real *y) { bnn_kernels_simd_of(bnn_simd_level())->sigmoid(n, x, y); }

void bnn_vec_softplus(size_t n, const bnn_real *x, bnn_real *y) { bnn_kernels_simd_of(bnn_simd_level())->softplus(n, x, y); }

void bnn_vec_normal_cdf(size_t n, const bnn_real *x, bnn_real *y) { bnn_kernels_simd_of(bnn_simd_level())->normal_cdf(n, x, y); }

double bnn_softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }

double bnn_softplus_inverse(double y) { return y + log(-expm1(-y)); }

double bnn_sigmoid(double x) {
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}

double bnn_logsumexp(int n, const double *x) {
    double top = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++)
        if (x[i] > top || isnan(x[i])) top = x[i];
    if (!isfinite(top)) return top;
    for (int i = 0; i < n; i++) sum += exp(x[i] - top);
    return top + log(sum);
}

/* ---------------------------------------------------------------- sums */

#define PARTS 16

static double sum_parts(double s[PARTS]) {
    for (int width = PARTS / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) s[i] += s[i + width];
    return s[0];
}

/* name(n, ...) = sum over i of term */
#define DEFINE_SUM(name, parameters, term)                   \
    BNN_LOOP double name parameters {                        \
        double s[PARTS] = {0};                               \
        size_t whole = n / PARTS * PARTS, i = 0;             \
        for (; i < whole; i += PARTS)                        \
            for (size_t j = 0; j < PARTS; j++) {             \
                size_t at = i + j;                           \
                s[j] += term;                                \
            }                                                \
        for (size_t at = i; at < n; at++) s[at - i] += term; \
        return sum_parts(s);                                 \
    }
DEFINE_SUM(bnn_sum, (size_t n, const bnn_real *x), (double)x[at])
DEFINE_SUM(bnn_sum_squares, (size_t n, const bnn_real *x), (double)x[at] * (double)x[at])
DEFINE_SUM(bnn_sum_products, (size_t n, const bnn_real *x, const bnn_real *y), (double)x[at] * (double)y[at])

double bnn_fma_flops(int n, bool loading) { return bnn_kernels_simd_of(bnn_simd_level())->fma(n, loading); }

const char *bnn_gemm_version(char text[32]) {
#ifdef BNN_GEMM_ONEDNN
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, 32, "%d.%d.%d", v->major, v->minor, v->patch);
#else
    snprintf(text, 32, "%s", BNN_VERSION);
#endif
    return text;
}
