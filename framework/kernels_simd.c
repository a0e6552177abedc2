/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * kernels_simd.c: small matrix products in register tiles, and elementary functions of vectors. Compiled once per instruction set (see
 * simd.h).
 *
 * Every element of a product is one chain of fused multiply-adds over p = 0, 1, .. in order, in whatever tile it falls; so its bits depend
 * neither on its position nor on m and n.
 */
#include "simd.h"
#include "simd_vector.h"
#include <stdalign.h>

/* The tile of the result kept in registers: MR rows x 2 vectors. */
#define MR (VB == 64 ? 8 : 6) /* of 32 or 16 registers, 16 or 12 hold the result */
#define NR (2 * VL)
#define KC 256 /* depth of a panel of b: KC x NR fit the first cache */

INLINE vreal load_last(const bnn_real *p, int last) { return last == VL ? load(p) : load_part(p, last); }

/* c[mr, (nv-1) VL + last] = init + a[mr,k] b[k, same]; mr and nv are constants after inlining, so that acc lives in registers. */
INLINE void tile(const int mr, const int nv, int last, int k, const bnn_real *a, ptrdiff_t ar, ptrdiff_t ak, const bnn_real *b,
                 ptrdiff_t br, const bnn_real *init, ptrdiff_t ir, bnn_real *c, ptrdiff_t cr) {
    vreal acc[MR][2] = {0};
    if (init)
        for (int i = 0; i < mr; i++) {
            if (nv == 2) acc[i][0] = load(init + i * ir);
            acc[i][nv - 1] = load_last(init + i * ir + (nv - 1) * VL, last);
        }
    for (int p = 0; p < k; p++, a += ak, b += br) {
        vreal first = load_last(b, nv == 2 ? VL : last), second = nv == 2 ? load_last(b + VL, last) : first;
        for (int i = 0; i < mr; i++) {
            vreal x = splat(a[i * ar]);
            acc[i][0] += x * first;
            if (nv == 2) acc[i][1] += x * second;
        }
    }
    for (int i = 0; i < mr; i++) {
        if (nv == 2) store(c + i * cr, acc[i][0]);
        store_part(c + i * cr + (nv - 1) * VL, acc[i][nv - 1], last);
    }
}

/* Rows of one panel of at most NR columns of the result; one of ar, ak is the constant 1. */
INLINE void rows(const int nv, int last, int m, int k, const bnn_real *a, ptrdiff_t ar, ptrdiff_t ak, const bnn_real *b, ptrdiff_t br,
                 const bnn_real *init, ptrdiff_t ir, bnn_real *c, ptrdiff_t cr) {
    int i = 0;
#define ROWS(mr) \
    for (; i + (mr) <= m; i += (mr)) tile(mr, nv, last, k, a + i * ar, ar, ak, b, br, init ? init + i * ir : NULL, ir, c + i * cr, cr)
    ROWS(MR);
    ROWS(MR / 2);
    ROWS(1);
#undef ROWS
}

/* v[VL][VL] to its transpose: each perfect shuffle of all elements turns the bits (row, column) of their addresses by one. */
INLINE void transpose(vreal v[VL]) {
    for (int turns = 1; turns < VL; turns *= 2) {
        vreal t[VL];
        for (int i = 0; i < VL / 2; i++) {
            t[2 * i] = zip_low(v[i], v[i + VL / 2]);
            t[2 * i + 1] = zip_high(v[i], v[i + VL / 2]);
        }
        for (int i = 0; i < VL; i++) v[i] = t[i];
    }
}

/* packed[k][NR]: columns 0 .. n-1 are the rows of b, which have k reals each at stride bk; columns up to the next multiple of VL are zeros.
 */
static void pack_transposed(int n, int k, const bnn_real *b, ptrdiff_t bk, bnn_real *packed) {
    for (int j = 0; j < n; j += VL)
        for (int p = 0; p < k; p += VL) {
            vreal v[VL];
            const int count = k - p < VL ? k - p : VL;
            for (int i = 0; i < VL; i++) v[i] = j + i < n ? load_last(b + (j + i) * bk + p, count) : (vreal){0};
            transpose(v);
            for (int i = 0; i < VL; i++) store(packed + (p + i) * NR + j, v[i]);
        }
}

INLINE void panel(const int nv, int last, int m, int k, const bnn_real *a, ptrdiff_t ar, ptrdiff_t ak, const bnn_real *b, ptrdiff_t br,
                  const bnn_real *init, ptrdiff_t ir, bnn_real *c, ptrdiff_t cr) {
    if (ak == 1)
        rows(nv, last, m, k, a, ar, 1, b, br, init, ir, c, cr);
    else
        rows(nv, last, m, k, a, 1, ak, b, br, init, ir, c, cr);
}

static void product(const bnn_product *g) {
    alignas(VB) bnn_real packed[KC * NR];
    for (int j = 0; j < g->n; j += NR) {
        const int columns = g->n - j < NR ? g->n - j : NR, nv = columns > VL ? 2 : 1, last = columns - (nv - 1) * VL;
        const bnn_real *init = g->init ? g->init + j : NULL;
        ptrdiff_t ir = g->ir;
        int p = 0;
        do { /* once even when k is 0: c = init */
            const int k = g->k - p < KC ? g->k - p : KC;
            const bnn_real *a = g->a + p * g->ak, *b = g->b + p * g->br + j * g->bk;
            ptrdiff_t br = g->br;
            if (g->bk != 1) {
                pack_transposed(columns, k, b, g->bk, packed);
                b = packed;
                br = NR;
            }
            if (nv == 2 && last == VL)
                panel(2, VL, g->m, k, a, g->ar, g->ak, b, br, init, ir, g->c + j, g->cr);
            else if (nv == 2)
                panel(2, last, g->m, k, a, g->ar, g->ak, b, br, init, ir, g->c + j, g->cr);
            else
                panel(1, last, g->m, k, a, g->ar, g->ak, b, br, init, ir, g->c + j, g->cr);
            init = g->c + j;
            ir = g->cr;
            p += k;
        } while (p < g->k);
    }
}

INLINE bnn_real sum(vreal v) {
    bnn_real s[VL];
    store(s, v);
    for (int width = VL / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) s[i] += s[i + width];
    return s[0];
}

/* Lane i of the result is the sum of v[i], its halves added, then their halves, and so on: vectors i and i + VL/2 are folded into one. */
INLINE vreal sums(vreal v[VL]) {
    for (int half = VL / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) v[i] = zip_low(v[i], v[i + half]) + zip_high(v[i], v[i + half]);
    return v[0];
}

static void dot(int n, int in, const bnn_real *x, const bnn_real *w, bnn_real b, bnn_real *y) {
    const int whole = in / VL * VL, rest = in - whole;
    const vreal w_rest = rest ? load_part(w + whole, rest) : (vreal){0};
    for (int i = 0; i < n; i += VL, x += VL * in, y += VL) {
        const int rows_here = n - i < VL ? n - i : VL;
        vreal acc[VL] = {0};
        for (int r = 0; r < rows_here; r++) {
            const bnn_real *row = x + r * in;
            if (rest) acc[r] = load_part(row + whole, rest) * w_rest;
            for (int k = 0; k < whole; k += VL) acc[r] += load(row + k) * load(w + k);
        }
        store_part(y, sums(acc) + b, rows_here);
    }
}

/* Columns at, at + VL, .., nv of them, the last one `last` wide. */
INLINE void columns(const int nv, int last, int n, int out, const bnn_real *x, bnn_real *y) {
    vreal acc[4];
    for (int j = 0; j < nv; j++) acc[j] = load_last(y + j * VL, j + 1 < nv ? VL : last);
    for (int i = 0; i < n; i++, x += out)
        for (int j = 0; j < nv; j++) acc[j] += load_last(x + j * VL, j + 1 < nv ? VL : last);
    for (int j = 0; j < nv; j++) store_part(y + j * VL, acc[j], j + 1 < nv ? VL : last);
}

static void column_sums(int n, int out, const bnn_real *x, bnn_real *y) {
    int j = 0;
    for (; j + 4 * VL <= out; j += 4 * VL) columns(4, VL, n, out, x + j, y + j);
    const int rest = out - j, nv = (rest + VL - 1) / VL, last = rest - (nv - 1) * VL;
    if (nv == 4) columns(4, last, n, out, x + j, y + j);
    if (nv == 3) columns(3, last, n, out, x + j, y + j);
    if (nv == 2) columns(2, last, n, out, x + j, y + j);
    if (nv == 1) columns(1, last, n, out, x + j, y + j);
}

DEFINE_UNARY(exp1, exp, _u10)
DEFINE_UNARY(log1, log, LOG_BOUND)
DEFINE_UNARY(tanh1, tanh, _u35)

INLINE vreal minus_abs(vreal x) { return (vreal)((vbits)x | SIGN_BIT); }

/* 1/(1+e^-x), and e^x/(1+e^x) for x < 0: the exponential never overflows. */
INLINE vreal sigmoid1(vreal x) {
    vreal e = exp1(minus_abs(x));
    return choose((vbits)(x < 0), e, splat(1)) / (1 + e);
}

/* log(1 + e) for 0 <= e <= 1: the rounding of u = 1 + e is undone by the factor e/(u - 1), u - 1 being exact (Kahan; Goldberg 1991, Theorem
 * 4). Half the time of SLEEF's log1p. */
INLINE vreal log1p1(vreal e) {
    vreal u = 1 + e, d = u - 1;
    return choose((vbits)(d == 0), e, log1(u) * (e / d));
}

/* max(x,0) + log(1 + e^-|x|); not a number stays so through the exponential. */
INLINE vreal softplus1(vreal x) { return choose((vbits)(x > 0), x, (vreal){0}) + log1p1(exp1(minus_abs(x))); }

/* The tail is computed in a full vector, so a value does not depend on its position. */
#define DEFINE_MAP(name, f)                                                              \
    static void name(size_t n, const bnn_real *x, bnn_real *y) {                         \
        for (; n >= (size_t)VL; n -= (size_t)VL, x += VL, y += VL) store(y, f(load(x))); \
        if (n) store_part(y, f(load_part(x, (int)n)), (int)n);                           \
    }
DEFINE_MAP(map_exp, exp1)
DEFINE_MAP(map_log, log1)
DEFINE_MAP(map_tanh, tanh1)
DEFINE_MAP(map_sigmoid, sigmoid1)
DEFINE_MAP(map_softplus, softplus1)

/* Twelve chains of vectors: enough to hide the latency of two units. */
static double fma_flops(int n) {
    enum { CHAINS = 12 };
    vreal acc[CHAINS], x = splat((bnn_real)0.999), y = splat((bnn_real)1e-3);
    for (int c = 0; c < CHAINS; c++) acc[c] = splat((bnn_real)c);
    for (int i = 0; i < n; i++)
        for (int c = 0; c < CHAINS; c++) acc[c] = acc[c] * x + y;
    volatile bnn_real kept = 0; /* so that the loop is not thrown away */
    for (int c = 0; c < CHAINS; c++) kept = kept + sum(acc[c]);
    return 2.0 * CHAINS * VL * n;
}

const bnn_kernels_simd PASTE(bnn_kernels_simd_, BNN_ISA) = {product,  dot,         column_sums,  map_exp,  map_log,
                                                            map_tanh, map_sigmoid, map_softplus, fma_flops};
