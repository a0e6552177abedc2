/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * convolution.h: what layers share that convolve images, or do the transpose of it.
 *
 *   convolution   x [n,C,H,W]   W [C K K,O]   b [O]   y [n,O,R,Q]     y_orq = b_o + sum over c, i, j of W_cijo x_c,rs+i-p,qs+j-p
 *   transpose     x [n,C,R,Q]   W [C,O K K]   b [O]   y [n,O,H,W]     y_o,rs+i-p,qs+j-p = b_o + sum over c, r, q, i, j of W_coij x_crq
 *
 * K kernel, s stride, p padding; R = (H + 2p - K) / s + 1, rounded down; of the transpose H = (R - 1) s + K - 2p. The transpose is the
 * gradient in x of a convolution from O channels to C.
 */
#ifndef BNN_CONVOLUTION_H
#define BNN_CONVOLUTION_H

#include <bnn/layer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Options of such a layer; its table has bnn_convolution_options as a group. */
typedef struct {
    int channels;                /* O; 0: as many as the likelihood needs */
    int kernel, stride, padding; /* K, s, p */
} bnn_convolution_conf;

extern const bnn_option bnn_convolution_options[]; /* the table of a bnn_convolution_conf */

/* A layer's convolution. */
typedef struct {
    bnn_conv conv;   /* of a transpose the one from y to x */
    bool transposed; /* it is a transpose */
    bnn_shape out;   /* of one row of y */
    int rows, cols;  /* of W */
    int fan_in;      /* weights that a number of y is a sum of */
    double flops;    /* of one row */
} bnn_convolution;

/* For bind: refuses an input that is no image, a kernel that does not fit it, and too many weights. */
bnn_status bnn_convolution_new(const bnn_layer *l, const bnn_convolution_conf *conf, bool transposed, bnn_convolution *out);
/* The same of a layer whose weights are its parameters: plans the blocks kernel (WEIGHT) and, where it has one, bias (BIAS). */
bnn_status bnn_convolution_bind(bnn_layer *l, const bnn_convolution_conf *conf, bool transposed, bool bias);
/* The convolution of a layer that is bound. */
bnn_convolution bnn_convolution_of(const bnn_layer *l, const bnn_convolution_conf *conf, bool transposed);

/* Map n rows: y = ; dx += ; dw, db += , where b, dw and db may be NULL: */
void bnn_convolution_y(const bnn_convolution *g, int n, const bnn_real *x, const bnn_real *w, const bnn_real *b, bnn_real *y);
void bnn_convolution_dx(const bnn_convolution *g, int n, const bnn_real *dy, const bnn_real *w, bnn_real *dx);
void bnn_convolution_dw(const bnn_convolution *g, int n, const bnn_real *x, const bnn_real *dy, bnn_real *dw, bnn_real *db);

#ifdef __cplusplus
}
#endif

#endif
