/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * norm.h: what layers share that shift and scale the channels of their input.
 *
 *   y_cj = scale_c h_cj + shift_c,   h = (x - mean) factor        x, y [n,C,...]: every channel is a plane of numbers
 *
 * Parameters: scale [C] BIAS, shift [C] BIAS, in this order, the first of the layer. Their prior is that of biases, not of weights: they
 * are few, and no sum over inputs.
 */
#ifndef BNN_NORM_H
#define BNN_NORM_H

#include <bnn/layer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For bind: a plan with the two blocks and the shape of the input, to which the caller adds its own. */
bnn_plan bnn_norm_plan(const bnn_layer *l);
/* C and the numbers of a plane: */
static inline int bnn_norm_channels(const bnn_layer *l) { return l->in[0].d[0]; }
static inline size_t bnn_norm_plane(const bnn_layer *l) { return (size_t)(bnn_layer_size_in(l) / l->in[0].d[0]); }
/* For init: scale 1 and shift 0. */
void bnn_norm_init(const bnn_layer *l, bnn_real *theta);

/* How a plane is shifted and scaled, rounded to bnn_real before it is used. */
typedef struct {
    double mean;   /* subtracted first */
    double factor; /* 1 over a standard deviation */
} bnn_norm;

/* y[n] = scale h + shift; y may be x. */
void bnn_norm_forward(bnn_norm m, size_t n, const bnn_real *x, bnn_real scale, bnn_real shift, bnn_real *y);
/* dx[n] += factor (scale dy - a - b h): the gradient where mean and factor stay (a = b = 0), and where they are those of the numbers that h
 * stands for; there a and b are the means of scale dy and scale dy h. h and b = 0: h is not read and may be NULL. */
void bnn_norm_backward(bnn_norm m, size_t n, const bnn_real *h, const bnn_real *dy, bnn_real scale, double a, double b, bnn_real *dx);

#ifdef __cplusplus
}
#endif

#endif
