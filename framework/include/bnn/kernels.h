/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * kernels.h: the arithmetic that layers are made of, with a fixed order of summation.
 *
 * Two promises. Same bits at any number of threads: work is cut by the size of the problem only. Same bits at any cut of rows: row i of a
 * product, and element i of a vector function, depend on their own inputs and on (columns, depth), never on how many rows the call has or
 * where the row stands. Large products run in parallel inside (unless the caller already is in a parallel region); the rest is serial.
 */
#ifndef BNN_KERNELS_H
#define BNN_KERNELS_H

#include <bnn/real.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Before a static function that only loops over elements: compiled for several instruction sets, the best one chosen when the program is
 * loaded. Its arrays should be restrict, so that the compiler may use vectors. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define BNN_LOOP __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define BNN_LOOP
#endif

/* y[n,out] = x[n,in] w[in,out] + b[out]; b may be NULL. */
void bnn_affine(int n, int in, int out, const bnn_real *x, const bnn_real *w, const bnn_real *b, bnn_real *y);

/* The same of some columns of x[n,width] alone: column unit[i], i < in, stands where column i of x does above. */
void bnn_affine_picked(int n, int in, int out, const bnn_real *x, int width, const int *unit, const bnn_real *w, const bnn_real *b,
                       bnn_real *y);

/* dx[n,in] += dy[n,out] w[in,out]^T */
void bnn_affine_dx(int n, int in, int out, const bnn_real *dy, const bnn_real *w, bnn_real *dx);

/* dw[in,out] += x[n,in]^T dy[n,out]; db[out] += column sums of dy. dw or db may be NULL. The sum over rows runs in row order. */
void bnn_affine_dw(int n, int in, int out, const bnn_real *x, const bnn_real *dy, bnn_real *dw, bnn_real *db);

/* A two-dimensional convolution of images, channels first. A pixel of y reads the K x K pixels of every plane of x that begin at stride
 * times its place less padding; what lies beyond the border of x is 0:
 *   y[o,r,q] = b[o] + sum over c, i, j of w[c,i,j,o] x[c, r stride + i - padding, q stride + j - padding] */
typedef struct {
    int in, height, width; /* planes of x, and their pixels */
    int out;               /* planes of y */
    int kernel;            /* K */
    int stride, padding;   /* padding < K */
    bool by_output;        /* w is [out, in K K] in place of [in K K, out] */
} bnn_conv;

/* Pixels along a side of y where x has `length` of them; 0: the kernel does not fit. */
static inline int bnn_conv_side(const bnn_conv *g, int length) {
    return length + 2 * g->padding < g->kernel ? 0 : (length + 2 * g->padding - g->kernel) / g->stride + 1;
}

/* Convolves n images, each for itself: y[n,out,..] = the convolution of x[n,in,height,width]; b[out] may be NULL. */
void bnn_conv_y(const bnn_conv *g, int n, const bnn_real *x, const bnn_real *w, const bnn_real *b, bnn_real *y);
/* y += that without b. */
void bnn_conv_add(const bnn_conv *g, int n, const bnn_real *x, const bnn_real *w, bnn_real *y);
/* dx += its transpose in x of dy[n,out,..]. */
void bnn_conv_dx(const bnn_conv *g, int n, const bnn_real *dy, const bnn_real *w, bnn_real *dx);
/* dw +=, db += : sums of their own over the pixels of each image, added in the order of the images. Either may be NULL. */
void bnn_conv_dw(const bnn_conv *g, int n, const bnn_real *x, const bnn_real *dy, bnn_real *dw, bnn_real *db);

/* y[i] = f(x[i]) for i < n, y may be x, accurate to a few ulp over the whole range, with exact limits at +-inf: */
void bnn_vec_exp(size_t n, const bnn_real *x, bnn_real *y);      /* exp(x) */
void bnn_vec_log(size_t n, const bnn_real *x, bnn_real *y);      /* log(x) */
void bnn_vec_tanh(size_t n, const bnn_real *x, bnn_real *y);     /* tanh(x) */
void bnn_vec_sigmoid(size_t n, const bnn_real *x, bnn_real *y);  /* 1/(1+exp(-x)), stable for all x */
void bnn_vec_softplus(size_t n, const bnn_real *x, bnn_real *y); /* log(1+exp(x)), stable for all x: no overflow, no collapse to 0 above the
                                                                    smallest normal */
void bnn_vec_normal_cdf(size_t n, const bnn_real *x, bnn_real *y); /* P(Z <= x) of a standard normal Z, to 2 ulp of 1 */

/* Sums over i < n in double, in sixteen interleaved parts, the same bits whatever vectors the processor has: */
double bnn_sum(size_t n, const bnn_real *x);                             /* of x[i] */
double bnn_sum_squares(size_t n, const bnn_real *x);                     /* of x[i]^2 */
double bnn_sum_products(size_t n, const bnn_real *x, const bnn_real *y); /* of x[i] y[i] */

/* Runs n rounds of independent fused multiply-adds and nothing else, or, loading, with as many loads from the first cache beside them as
 * the tiles of products have; returns their number of floating-point operations. What products can be measured against. */
double bnn_fma_flops(int n, bool loading);

/* The version of the library that large products go to (BNN_GEMM) as it is loaded, into text; of our own tiles that of bnn. Returns text.
 */
const char *bnn_gemm_version(char text[32]);

/* Lets the inner loops use no wider instructions than those of this name, "base" or "avx2"; another name changes nothing. To be called
 * before any other call of the library: results differ in rounding from one set to another. */
void bnn_kernels_limit(const char *set);

/* Scalars in double, for hyper-parameters, tests and set-up: */
double bnn_softplus(double x);                /* log(1+exp(x)) */
double bnn_softplus_inverse(double y);        /* the x with softplus(x) = y > 0 */
double bnn_sigmoid(double x);                 /* 1/(1+exp(-x)) */
double bnn_logsumexp(int n, const double *x); /* log sum_i exp(x[i]), i < n, without overflow */

#ifdef __cplusplus
}
#endif

#endif
