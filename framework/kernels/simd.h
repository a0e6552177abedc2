/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * simd.h (private): the inner loops that are compiled once per instruction set, and the choice among them at run time.
 *
 * rng_simd.c and kernels_simd.c are compiled several times with -DBNN_ISA=avx512|avx2|base and the matching -march; each time they define
 * the tables bnn_rng_simd_<isa> and bnn_kernels_simd_<isa>. So the library runs on any processor and uses the vectors it finds there.
 */
#ifndef BNN_SIMD_H
#define BNN_SIMD_H

#include <bnn/rng.h>

/* Fills of rng.h, same arguments; threshold: a word below it is dropped (0 .. 2^32). */
typedef struct {
    void (*words)(bnn_rng r, uint64_t row0, int rows, int n, uint32_t *out);
    void (*uniform)(bnn_rng r, uint64_t row0, int rows, int n, bnn_real *out);
    void (*normal)(bnn_rng r, uint64_t row0, int rows, int n, bnn_real *out);
    void (*mask)(bnn_rng r, uint64_t row0, int rows, int n, uint64_t threshold, bnn_real on, bnn_real *out);
} bnn_rng_simd;

/* c[m,n] = init[m,n] + a[m,k] b[k,n]. Element (i,p) of a is a[i*ar + p*ak], or a[i*ar + unit[p]] where unit is not NULL; b[p*br + j*bk]
 * with one of br, bk being 1, or, where shift is not NULL, b[shift[p] + j], with n a multiple of 16; init has the row stride ir (0: one row
 * for all) or is NULL (zeros), and may be c. c[i*cr + j]. Sums run over p in order, whatever m and n. */
typedef struct {
    int m, n, k;
    const bnn_real *a, *b, *init;
    const int *unit, *shift;
    bnn_real *c;
    ptrdiff_t ar, ak, br, bk, ir, cr;
} bnn_product;

/* c[i*cr + j*cc] += sum over q of a[i*ar + q] b[shift[j] + q], i < m, j < n, q < k, a multiple of 64. In lanes, which are added last. */
typedef struct {
    int m, n, k;
    const bnn_real *a, *b;
    const int *shift;
    bnn_real *c;
    ptrdiff_t ar, cr, cc;
} bnn_dots;

typedef struct {
    void (*product)(const bnn_product *g);
    void (*shifted)(const bnn_product *g); /* one with unit and shift */
    void (*dots)(const bnn_dots *g);
    void (*dot)(int n, int in, const bnn_real *x, const bnn_real *w, bnn_real b, bnn_real *y); /* y[n] = x[n,in] w[in] + b */
    void (*column_sums)(int n, int out, const bnn_real *x, bnn_real *y);                       /* y[out] += x[n,out], row after row */
    void (*exp)(size_t n, const bnn_real *x, bnn_real *y);
    void (*log)(size_t n, const bnn_real *x, bnn_real *y);
    void (*tanh)(size_t n, const bnn_real *x, bnn_real *y);
    void (*sigmoid)(size_t n, const bnn_real *x, bnn_real *y);
    void (*softplus)(size_t n, const bnn_real *x, bnn_real *y);
    void (*normal_cdf)(size_t n, const bnn_real *x, bnn_real *y);
    double (*fma)(int n, bool loading);
} bnn_kernels_simd;

extern const bnn_rng_simd bnn_rng_simd_base;
extern const bnn_kernels_simd bnn_kernels_simd_base;
#ifdef __x86_64__
extern const bnn_rng_simd bnn_rng_simd_avx2, bnn_rng_simd_avx512;
extern const bnn_kernels_simd bnn_kernels_simd_avx2, bnn_kernels_simd_avx512;
#endif

/* Level of this processor: 0 base, 1 AVX2 with FMA, 2 AVX-512; no higher than bnn_kernels_limit said before the first
 * call. */
int bnn_simd_level(void);
extern const char *const bnn_simd_names[]; /* of the levels */

static inline const bnn_rng_simd *bnn_rng_simd_of(int level) {
#ifdef __x86_64__
    if (level > 0) return level > 1 ? &bnn_rng_simd_avx512 : &bnn_rng_simd_avx2;
#endif
    (void)level;
    return &bnn_rng_simd_base;
}

static inline const bnn_kernels_simd *bnn_kernels_simd_of(int level) {
#ifdef __x86_64__
    if (level > 0) return level > 1 ? &bnn_kernels_simd_avx512 : &bnn_kernels_simd_avx2;
#endif
    (void)level;
    return &bnn_kernels_simd_base;
}

#endif
