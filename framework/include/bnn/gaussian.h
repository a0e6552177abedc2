/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gaussian.h: what layers share whose weights have a mean-field Gaussian posterior (Blundell et al. 2015).
 *
 *   w = mu + sd eps,   sd = BNN_GAUSSIAN_SD_FLOOR + softplus(rho),   eps ~ N(0,1)
 *
 * theta = [mu | rho], each [P] = [kernel | bias]: blocks kernel_mu, bias_mu, kernel_rho, bias_rho, all VARIATIONAL. A layer brings its
 * linear map and gets its hooks from here. Three estimators of the same output distribution in BNN_ROWS; BNN_DRAW always takes one sampled
 * w, BNN_MEAN takes mu:
 *
 *   weight   y = x w                        one w for the pass (Blundell et al. 2015)
 *   local    y = x mu + sqrt(x^2 sd^2) e    e ~ N(0,1) for each row and output (Kingma, Salimans & Welling 2015, eq. 6)
 *   flipout  y = x mu + ((x s) sd eps) r    one eps for the pass, signs s, r for each row (Wen et al. 2018, eq. 4)
 *
 * where x^2 and sd^2 are squares of elements. The signs of an image are those of its channels: of one for each pixel no w would come. For a
 * map in which a weight meets several pixels local is an approximation: it has the variance of every output, and no correlation of pixels.
 *
 * penalty: KL(q || prior) in closed form where the prior has one, else log q(w) - log p(w) at the eps of the pass.
 */
#ifndef BNN_GAUSSIAN_H
#define BNN_GAUSSIAN_H

#include <bnn/layer.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BNN_GAUSSIAN_SD_FLOOR 1e-12 /* finite logarithms and quotients however small softplus(rho) is */

/* The conf of such a layer begins with this; its option table is bnn_gaussian_options, or begins with these as a group. */
typedef struct {
    int units;       /* U; 0: as many as the likelihood needs */
    int estimator;   /* 0 weight, 1 local, 2 flipout */
    int bias;        /* 0 or 1 */
    bnn_prior prior; /* of zeros: the model's prior */
    double sd0;      /* initial sd of a weight times sqrt(fan_in) */
} bnn_gaussian_conf;

extern const bnn_option bnn_gaussian_options[];       /* the table of a bnn_gaussian_conf, for a conf that begins with one */
extern const bnn_option bnn_gaussian_noise_options[]; /* the same without units, for one whose outputs another option counts */

/* The layer as a map that is linear in x, w and b; w [rows,cols], b [cols] or NULL. */
typedef struct {
    void (*y)(const bnn_layer *l, int n, const bnn_real *x, const bnn_real *w, const bnn_real *b, bnn_real *y); /* y = */
    void (*dx)(const bnn_layer *l, int n, const bnn_real *dy, const bnn_real *w, bnn_real *dx);                 /* dx += */
    void (*dw)(const bnn_layer *l, int n, const bnn_real *x, const bnn_real *dy, bnn_real *dw, bnn_real *db); /* dw, db += ; db may be NULL
                                                                                                               */
} bnn_gaussian_map;

/* Plans a kernel of rows x cols whose map takes flops for one row; reads the prior. For bind. */
bnn_status bnn_gaussian_bind(bnn_layer *l, bnn_shape out, int rows, int cols, double flops);
/* The same of a kernel with `biases` biases and a fan_in of its own; its name and role are not read. */
bnn_status bnn_gaussian_bind_kernel(bnn_layer *l, bnn_shape out, const bnn_param *kernel, int biases, double flops);
/* For the hooks of these names; map is the layer's: */
void bnn_gaussian_forward(const bnn_layer *l, bnn_io *io, const bnn_gaussian_map *map);  /* y by the estimator of the conf */
void bnn_gaussian_backward(const bnn_layer *l, bnn_io *io, const bnn_gaussian_map *map); /* gradients of x, mu and rho */

/* Hooks as they are: */
void bnn_gaussian_init(const bnn_layer *l, bnn_rng rng, bnn_real *theta);  /* mu of the kernel ~ N(0, 2/fan_in), of the bias 0; sd =
                                                                              sd0/sqrt(fan_in) */
void bnn_gaussian_prepare(const bnn_layer *l, bnn_io *io);                 /* sd, and eps or w where the estimator samples them once */
void bnn_gaussian_finish(const bnn_layer *l, bnn_io *io);                  /* gradients of w and sd -> dtheta */
double bnn_gaussian_penalty(const bnn_layer *l, bnn_io *io, double scale); /* KL(q || prior) in nats */
void bnn_gaussian_score(const bnn_layer *l, bnn_io *io, double scale);     /* d log q/dmu = eps/sd,  d log q/dsd = (eps^2 - 1)/sd */

#ifdef __cplusplus
}
#endif

#endif
