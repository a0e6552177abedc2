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

/* The tile of the result kept in registers: at most MOST vectors wide, and as many rows as leave room for the vectors of b. In the
 * sixteen short registers of old x86 processors two are as fast as four. */
#if defined __x86_64__ && VB == 16
#define MOST 2
#else
#define MOST 4
#endif
#define MR(nv) (VB == 64 ? ((nv) == 4 ? 6 : 8) : (nv) == 4 ? 3 : (nv) == 3 ? 4 : 6)
#define KC (VB == 64 ? 160 : 256) /* depth of a panel of b: with three vectors it fits the first cache */

INLINE vreal load_last(const bnn_real *p, int last) { return last == VL ? load(p) : load_part(p, last); }
INLINE void store_last(bnn_real *p, vreal v, int last) {
    if (last == VL)
        store(p, v);
    else
        store_part(p, v, last);
}

enum { BLOCK = 128 }; /* rows of a that are copied together */

/* Arguments that all tiles of a panel of the result share. */
typedef struct {
    int k;
    const bnn_real *a, *b, *init;
    const int *unit, *shift;
    bnn_real *c;
    ptrdiff_t ar, ak, br, ir, cr;
} panel_of;

/* How a row of the tile finds its numbers in a: side by side (ak = 1), below each other (ar = 1), or where unit says; in the last case
 * shift says where the rows of b are. */
typedef enum { ALONG, ACROSS, PICKED, SHIFTED } walk;

/* The compiler would keep a pointer for each row, more than there are registers. With one for three rows the others are at one and two
 * strides from it, which an address can say. */
#define KEEP(pointer) __asm__("" : "+r"(pointer))

/* Rows i .. i+mr of a panel nv vectors wide, the last of them with `last` columns; whole: in b it has all. mr, nv and how are constants
 * after inlining, so that acc lives in registers. */
INLINE void tile(const int mr, const int nv, int last, const bool whole, const walk how, const panel_of *g, int i) {
    vreal acc[MR(2)][MOST] = {0};
    const ptrdiff_t ar = how == ACROSS ? 1 : g->ar, step = how == ALONG ? 1 : how == ACROSS ? g->ak : 0;
    const bnn_real *b = g->b, *first = g->a + i * g->ar, *a[3] = {first, first + 3 * ar, first + 6 * ar};
    bnn_real *c = g->c + i * g->cr;
    if (g->init) UNROLL(8)
    for (int r = 0; r < mr; r++) UNROLL(4)
    for (int v = 0; v < nv; v++) acc[r][v] = load_last(g->init + (i + r) * g->ir + v * VL, v + 1 < nv ? VL : last);
    for (int p = 0; p < g->k; p++, b += how == SHIFTED ? 0 : g->br) {
        const ptrdiff_t at = how >= PICKED ? g->unit[p] : 0;
        vreal y[MOST];
        if (how == SHIFTED) b = g->b + g->shift[p];
        UNROLL(4)
        for (int v = 0; v < nv; v++) y[v] = whole || v + 1 < nv ? load(b + v * VL) : load_part(b + v * VL, last);
        UNROLL(8)
        for (int r = 0; r < mr; r++) {
            const vreal x = splat(a[r / 3][at + r % 3 * ar]);
            UNROLL(4)
            for (int v = 0; v < nv; v++) acc[r][v] += x * y[v];
        }
        UNROLL(3)
        for (int q = 0; 3 * q < mr; q++) {
            a[q] += step;
            KEEP(a[q]);
        }
    }
    UNROLL(8)
    for (int r = 0; r < mr; r++) UNROLL(4)
    for (int v = 0; v < nv; v++) store_last(c + r * g->cr + v * VL, acc[r][v], v + 1 < nv ? VL : last);
}

/* All rows of a panel. Each a function of its own: the inner loop wants all registers. */
#define DEFINE_PANEL(name, nv, whole, how)                                                          \
    static __attribute__((noinline)) void name(const panel_of *of, int m, int last) {               \
        const panel_of g = *of;                                                                     \
        int i = 0;                                                                                  \
        for (; i + MR(nv) <= m; i += MR(nv)) tile(MR(nv), nv, last, whole, how, &g, i);             \
        for (; i + MR(nv) / 2 <= m; i += MR(nv) / 2) tile(MR(nv) / 2, nv, last, whole, how, &g, i); \
        for (; i < m; i++) tile(1, nv, last, whole, how, &g, i);                                    \
    }
#define DEFINE_PANELS(nv)                             \
    DEFINE_PANEL(along_##nv, nv, false, ALONG)        \
    DEFINE_PANEL(across_##nv, nv, false, ACROSS)      \
    DEFINE_PANEL(picked_##nv, nv, false, PICKED)      \
    DEFINE_PANEL(whole_along_##nv, nv, true, ALONG)   \
    DEFINE_PANEL(whole_across_##nv, nv, true, ACROSS) \
    DEFINE_PANEL(whole_picked_##nv, nv, true, PICKED) \
    DEFINE_PANEL(shifted_##nv, nv, true, SHIFTED)
DEFINE_PANELS(1)
DEFINE_PANELS(2)
#if MOST > 2
DEFINE_PANELS(3)
DEFINE_PANELS(4)
#endif

typedef void panel(const panel_of *g, int m, int last);
/* [vectors - 1][whole][walk] */
#define PANELS(nv)                                                                                                       \
    {                                                                                                                    \
        {along_##nv, across_##nv, picked_##nv}, { whole_along_##nv, whole_across_##nv, whole_picked_##nv, shifted_##nv } \
    }
static panel *const panels[MOST][2][4] = {
    PANELS(1),
    PANELS(2),
#if MOST > 2
    PANELS(3),
    PANELS(4),
#endif
};

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

/* packed[k][width]: columns 0 .. n-1 are the rows of b, which have k reals each at stride bk; columns up to the next multiple of VL are
 * zeros. */
static void pack_transposed(int n, int k, const bnn_real *b, ptrdiff_t bk, int width, bnn_real *packed) {
    for (int j = 0; j < n; j += VL)
        for (int p = 0; p < k; p += VL) {
            vreal v[VL];
            const int count = k - p < VL ? k - p : VL;
            for (int i = 0; i < VL; i++) v[i] = j + i < n ? load_last(b + (j + i) * bk + p, count) : (vreal){0};
            transpose(v);
            for (int i = 0; i < count; i++) store(packed + (p + i) * width + j, v[i]);
        }
}

/* The same of rows at stride br. */
static void pack_rows(int n, int k, const bnn_real *b, ptrdiff_t br, int width, bnn_real *packed) {
    for (int p = 0; p < k; p++, b += br)
        for (int j = 0; j < n; j += VL) store(packed + p * width + j, load_last(b + j, n - j < VL ? n - j : VL));
}

/* Vectors in the next panel of a result that has so many left. Three make the best use of the loads; a lonely fourth goes with them. */
static int panel_width(int vectors) { return vectors <= MOST ? vectors : MOST < 3 ? MOST : 3; }

/* A stretch of the depth from p on, k long, of m rows from i on: c += a b. The first stretch begins with init. */
static void stretch(const bnn_product *g, const panel_of *of, int i, int m, int p, bool packed_rows) {
    alignas(VB) bnn_real packed[KC * MOST * VL];
    const walk how = of->unit ? PICKED : of->ak == 1 ? ALONG : ACROSS;
    const bool pack = g->bk != 1 || packed_rows || (m >= 64 && g->br >= 256);
    int j = 0;
    for (int left = (g->n + VL - 1) / VL, nv; left > 0; left -= nv, j += nv * VL) {
        nv = panel_width(left);
        const int columns = g->n - j < nv * VL ? g->n - j : nv * VL;
        const bnn_real *b = g->b + p * g->br + j * g->bk;
        panel_of part = *of;
        part.b = pack ? packed : b;
        part.br = pack ? nv * VL : g->br;
        part.c = g->c + i * g->cr + j;
        part.cr = g->cr;
        part.init = p > 0 ? part.c : g->init ? g->init + i * g->ir + j : NULL;
        part.ir = p > 0 ? g->cr : g->ir;
        if (g->bk != 1)
            pack_transposed(columns, of->k, b, g->bk, nv * VL, packed);
        else if (pack)
            pack_rows(columns, of->k, b, g->br, nv * VL, packed);
        panels[nv - 1][pack || columns == nv * VL][how](&part, m, columns - (nv - 1) * VL);
    }
}

/* Copies a block of a whose rows or columns lie far apart: they would push each other out of the cache. */
static void pack_block(int m, panel_of *of, bnn_real *packed) {
    const bool along = of->ak == 1;
    const size_t length = (size_t)(along ? of->k : m) * sizeof *packed;
    const int width = along ? KC : BLOCK;
    for (int i = 0; i < (along ? m : of->k); i++) memcpy(packed + i * width, of->a + i * (along ? of->ar : of->ak), length);
    of->a = packed;
    of->ar = along ? KC : 1;
    of->ak = along ? 1 : BLOCK;
}

static void product(const bnn_product *g) {
    alignas(VB) bnn_real packed[KC * BLOCK];
    const bool pack = !g->unit && g->m >= 16 && g->n >= 4 * MOST * VL && (g->ak == 1 ? g->ar : g->ak) >= 256;
    const int block = pack ? BLOCK : g->m;
    for (int i = 0, p = 0; i < g->m; p += KC) {
        const int m = g->m - i < block ? g->m - i : block;
        panel_of of = {.k = g->k - p < KC ? g->k - p : KC, .unit = g->unit ? g->unit + p : NULL, .ar = g->ar, .ak = g->ak};
        of.a = g->a + i * g->ar + (g->unit ? 0 : p * g->ak);
        if (pack) pack_block(m, &of, packed);
        stretch(g, &of, i, m, p, pack);
        if (p + KC >= g->k) i += block, p = -KC;
    }
}

static void shifted(const bnn_product *g) {
    for (int left = g->n / VL, j = 0, nv; left > 0; left -= nv, j += nv * VL) {
        nv = panel_width(left);
        const panel_of part = {.k = g->k,
                               .a = g->a,
                               .ar = g->ar,
                               .unit = g->unit,
                               .b = g->b + j,
                               .shift = g->shift,
                               .init = g->init ? g->init + j : NULL,
                               .ir = g->ir,
                               .c = g->c + j,
                               .cr = g->cr};
        panels[nv - 1][true][SHIFTED](&part, g->m, VL);
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
    UNROLL(4)
    for (int half = VL / 2; half > 0; half /= 2) UNROLL(8)
    for (int i = 0; i < half; i++) v[i] = zip_low(v[i], v[i + half]) + zip_high(v[i], v[i + half]);
    return v[0];
}

/* Rows .. of a product with one column: `rows` is a constant after inlining where it is VL, so that acc lives in registers. */
INLINE void dot_rows(const int rows, int in, const bnn_real *x, const bnn_real *w, bnn_real b, bnn_real *y) {
    const int whole = in / VL * VL, rest = in - whole;
    const vreal w_rest = rest ? load_part(w + whole, rest) : (vreal){0};
    vreal acc[VL] = {0};
    if (rest) UNROLL(16)
    for (int r = 0; r < rows; r++) acc[r] = load_part(x + r * in + whole, rest) * w_rest;
    for (int k = 0; k < whole; k += VL) {
        const vreal w_k = load(w + k);
        UNROLL(16)
        for (int r = 0; r < rows; r++) acc[r] += load(x + r * in + k) * w_k;
    }
    store_part(y, sums(acc) + b, rows);
}

static void dot(int n, int in, const bnn_real *x, const bnn_real *w, bnn_real b, bnn_real *y) {
    for (; n >= VL; n -= VL, x += VL * in, y += VL) dot_rows(VL, in, x, w, b, y);
    if (n > 0) dot_rows(n, in, x, w, b, y);
}

/* The compiler would load a vector again for each product that it is a factor of, and there is one such load in a cycle. */
#ifdef __x86_64__
#define LOAD_ONCE(vector) __asm__("" : "+v"(vector))
#else
#define LOAD_ONCE(vector)
#endif

enum { MOST_DOTS = 3 * 8 };

/* total[i] = the sum of v[i], i < n. A function of its own: the loop before it wants all registers. */
static __attribute__((noinline)) void fold(int n, const vreal *v, bnn_real *total) {
    for (int t = 0; t < n; t += VL) {
        vreal part[VL];
        UNROLL(16)
        for (int i = 0; i < VL; i++) part[i] = t + i < n ? v[t + i] : (vreal){0};
        store(total + t, sums(part));
    }
}

/* Rows i .. i+mr and columns j .. j+nr of bnn_dots; mr and nr are constants after inlining, so that acc lives in registers. */
INLINE void dots_tile(const int mr, const int nr, const bnn_dots *g, int i, int j) {
    vreal acc[8][3] = {0}, kept[MOST_DOTS];
    bnn_real total[MOST_DOTS + VL];
    const bnn_real *a = g->a + i * g->ar, *b[3];
    for (int s = 0; s < nr; s++) b[s] = g->b + g->shift[j + s];
    for (int q = 0; q < g->k; q += VL) {
        vreal y[3];
        UNROLL(3)
        for (int s = 0; s < nr; s++) y[s] = load(b[s] + q);
        UNROLL(8)
        for (int r = 0; r < mr; r++) {
            vreal x = load(a + r * g->ar + q);
            LOAD_ONCE(x);
            UNROLL(3)
            for (int s = 0; s < nr; s++) acc[r][s] += x * y[s];
        }
    }
    UNROLL(8)
    for (int r = 0; r < mr; r++) UNROLL(3)
    for (int s = 0; s < nr; s++) kept[r * nr + s] = acc[r][s];
    fold(mr * nr, kept, total);
    bnn_real *c = g->c + i * g->cr + j * g->cc;
    for (int r = 0; r < mr; r++)
        for (int s = 0; s < nr; s++) c[r * g->cr + s * g->cc] += total[r * nr + s];
}

/* Columns j .. j+nr. */
#define DEFINE_DOTS(nr)                                                                     \
    static __attribute__((noinline)) void dots_##nr(const bnn_dots *of, int j) {            \
        const bnn_dots g = *of;                                                             \
        int i = 0;                                                                          \
        for (; i + MR(nr) <= g.m; i += MR(nr)) dots_tile(MR(nr), nr, &g, i, j);             \
        for (; i + MR(nr) / 2 <= g.m; i += MR(nr) / 2) dots_tile(MR(nr) / 2, nr, &g, i, j); \
        for (; i < g.m; i++) dots_tile(1, nr, &g, i, j);                                    \
    }
DEFINE_DOTS(1)
DEFINE_DOTS(2)
DEFINE_DOTS(3)

static void dots(const bnn_dots *g) {
    int j = 0;
    for (; j + 3 <= g->n; j += 3) dots_3(g, j);
    if (g->n - j == 2) dots_2(g, j);
    if (g->n - j == 1) dots_1(g, j);
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

INLINE vreal minus_abs(vreal x) { return (vreal)((vbits)x | SIGN_BIT); }

DEFINE_UNARY(log1, log, LOG_BOUND)

#if BNN_REAL_IS_DOUBLE

DEFINE_UNARY(exp1, exp, _u10)
DEFINE_UNARY(tanh1, tanh, _u35)
#define exp_below exp1

#else

/* In float exp and tanh are written out: a call of SLEEF's for every vector costs as much as the function (docs/performance.md). */

/* e^x = 2^n e^r with n the integer nearest to x / log 2, log 2 in two parts of which the first has few bits (Cody & Waite 1980), and the
 * polynomial of Cephes' expf (Moshier 1989). Returns e^r. Adding `shift` rounds. */
INLINE vreal exp_reduced(vreal x, vbits *whole) {
    const bnn_real shift = 0x1.8p23f;
    const vreal t = x * 0x1.715476p0f + shift, n = t - shift, r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    vreal p = 1.9875691500e-4f * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    *whole = (vbits)t - (vbits)splat(shift);
    return p * (r * r) + r + 1;
}

/* 2^n in two factors, so that the ends of the range are reached. */
INLINE vreal exp1(vreal x) {
    vbits n, half;
    x = less(x, splat(-105), splat(-105), x);
    const vreal p = exp_reduced(less(splat(90), x, splat(90), x), &n);
    half = n >> 1;
    return p * (vreal)((half + 127) << 23) * (vreal)((n - half + 127) << 23);
}

/* x <= 0. Below the logarithm of the smallest normal number it is 0: numbers below take the processor a hundred cycles each, and concrete
 * gates of a small p make many. */
INLINE vreal exp_below(vreal x) {
    const vreal least = splat(-87.3365402f);
    vbits n;
    const vreal p = exp_reduced(less(x, least, least, x), &n);
    return less(x, least, (vreal){0}, p * (vreal)((n + 127) << 23));
}

/* x + x^3 P(x^2) for |x| < 0.625 with the polynomial of Cephes' tanhf, and (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x beyond. */
INLINE vreal tanh1(vreal x) {
    const vreal below = minus_abs(x), e = exp_below(2 * below), s = x * x, far = (1 - e) / (1 + e);
    vreal p = s * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * s + -5.37397155531e-2f;
    p = p * s + 1.33314422036e-1f;
    p = p * s + -3.33332819422e-1f;
    return less(splat(-0.625f), below, x + x * (s * p), (vreal)((vbits)far | ((vbits)x & SIGN_BIT)));
}

#endif

/* 1/(1+e^-x), and e^x/(1+e^x) for x < 0: the exponential never overflows. */
INLINE vreal sigmoid1(vreal x) {
    vreal e = exp_below(minus_abs(x));
    return less(x, (vreal){0}, e, splat(1)) / (1 + e);
}

/* log(1 + e) for 0 <= e <= 1: the rounding of u = 1 + e is undone by the factor e/(u - 1), u - 1 being exact (Kahan; Goldberg 1991, Theorem
 * 4). Half the time of SLEEF's log1p. */
INLINE vreal log1p1(vreal e) {
    vreal u = 1 + e, d = u - 1;
    return choose((vbits)(d == 0), e, log1(u) * (e / d));
}

/* max(x,0) + log(1 + e^-|x|); not a number stays so through the exponential. */
INLINE vreal softplus1(vreal x) { return less((vreal){0}, x, x, (vreal){0}) + log1p1(exp_below(minus_abs(x))); }

#if BNN_REAL_IS_DOUBLE

DEFINE_UNARY(erfc1, erfc, _u15)
INLINE vreal normal_cdf1(vreal x) { return 0.5 * erfc1(x * -0.70710678118654752440); }

#else

/* Below 0 it is e^(-x^2/2) t Q(t) / 2, t = 1 / (1 + 0.4 |x| / sqrt(2)), where t Q(t) is the scaled complementary error function: Q of
 * degree 10 fitted on 0 < t < 1, with relative error 6e-9. A fifth of the time of SLEEF's erfc. */
INLINE vreal normal_cdf1(vreal x) {
    const vreal below = minus_abs(x), t = 1 / (1 - below * 0.28284271f);
    vreal q = t * -0.02921754719f + 0.14045897496f;
    q = q * t + -0.23555355924f;
    q = q * t + 0.13759266742f;
    q = q * t + -0.04691759294f;
    q = q * t + 0.08392631005f;
    q = q * t + 0.11900567360f;
    q = q * t + 0.17173966656f;
    q = q * t + 0.20761370578f;
    q = q * t + 0.22567586000f;
    q = q * t + 0.22567583483f;
    q = 0.5f * (q * t) * exp_below(-0.5f * (x * x));
    return less(x, (vreal){0}, q, 1 - q);
}

#endif

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
DEFINE_MAP(map_normal_cdf, normal_cdf1)

/* Chains of vectors, enough to hide the latency of two units, `loads` of which take a factor from the first cache in each turn. */
#define CHAINS (VB == 64 ? 24 : 12)
INLINE double multiply_adds(int n, const int loads) {
    alignas(VB) static const bnn_real ones[24 * VL] = {1};
    const bnn_real *from = ones;
    vreal acc[CHAINS], x = splat((bnn_real)0.999), y = splat((bnn_real)1e-3);
    for (int c = 0; c < CHAINS; c++) acc[c] = splat((bnn_real)c);
    for (int i = 0; i < n; i++) {
        KEEP(from); /* the loads stay in the loop */
        UNROLL(24)
        for (int c = 0; c < CHAINS; c++) acc[c] = acc[c] * (c * loads % CHAINS < loads ? load(from + c * VL) : x) + y;
    }
    volatile bnn_real kept = 0; /* so that the loop is not thrown away */
    for (int c = 0; c < CHAINS; c++) kept = kept + sum(acc[c]);
    return 2.0 * CHAINS * VL * n;
}

/* The tile of 8 rows by 3 vectors loads 11 vectors for 24 multiply-adds. */
static double fma_flops(int n, bool loading) { return loading ? multiply_adds(n, CHAINS * 11 / 24) : multiply_adds(n, 0); }

const bnn_kernels_simd PASTE(bnn_kernels_simd_, BNN_ISA) = {product, shifted,  dots,        dot,          column_sums,    map_exp,
                                                            map_log, map_tanh, map_sigmoid, map_softplus, map_normal_cdf, fma_flops};
