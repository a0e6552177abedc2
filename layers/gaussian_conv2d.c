/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gaussian_conv2d: a convolution of images with a Gaussian posterior over its weights (Blundell et al. 2015, section 3.2).
 *
 *   y = conv2d(x; W, b),   W ~ N(mu, sd^2) element by element, b likewise            x [n,C,..]  W [C,K,K,O]  b [O]  y [n,O,..]
 *   sd = 1e-12 + softplus(rho)
 *
 * Estimators, the penalty and the layout of the memory: bnn/gaussian.h. In weight and DRAW one W is sampled for a pass; in flipout (preset)
 * each row has signs of its own for the channels of x and y, which is the distribution of weight for each row (Wen et al. 2018,
 * section 3.2). local is an approximation unless y is one pixel: every y has its variance, but pixels that share W are as if each had one
 * of its own. Means and standard deviations start as those of gaussian_dense, with fan_in C K K. KINKED: in local an output with one input
 * and no bias has y = x mu + |x| sd e.
 *
 * Parameters: kernel_mu [C K K,O], bias_mu [O], kernel_rho [C K K,O], bias_rho [O], all VARIATIONAL.
 */
#include <bnn/convolution.h>
#include <bnn/gaussian.h>

typedef struct {
    bnn_gaussian_conf gaussian;
    bnn_convolution_conf convolution;
} conf;

static const bnn_option options[] = {BNN_OPT_GROUP(conf, convolution, bnn_convolution_options, NULL),
                                     BNN_OPT_GROUP(conf, gaussian, bnn_gaussian_noise_options, BNN_PRESETS("estimator", "flipout")),
                                     {0}};

static bnn_status bind(bnn_layer *l) {
    const conf *c = l->object.conf;
    bnn_convolution g;
    BNN_TRY(bnn_convolution_new(l, &c->convolution, false, &g));
    return bnn_gaussian_bind_kernel(l, g.out, &(bnn_param){.rows = g.rows, .cols = g.cols, .fan_in = g.fan_in}, g.out.d[0], g.flops);
}

static bnn_convolution convolution_of(const bnn_layer *l) {
    return bnn_convolution_of(l, &((const conf *)l->object.conf)->convolution, false);
}

static void map_y(const bnn_layer *l, int n, const bnn_real *x, const bnn_real *w, const bnn_real *b, bnn_real *y) {
    const bnn_convolution g = convolution_of(l);
    bnn_convolution_y(&g, n, x, w, b, y);
}

static void map_dx(const bnn_layer *l, int n, const bnn_real *dy, const bnn_real *w, bnn_real *dx) {
    const bnn_convolution g = convolution_of(l);
    bnn_convolution_dx(&g, n, dy, w, dx);
}

static void map_dw(const bnn_layer *l, int n, const bnn_real *x, const bnn_real *dy, bnn_real *dw, bnn_real *db) {
    const bnn_convolution g = convolution_of(l);
    bnn_convolution_dw(&g, n, x, dy, dw, db);
}

static const bnn_gaussian_map map = {map_y, map_dx, map_dw};

static void forward(const bnn_layer *l, bnn_io *io) { bnn_gaussian_forward(l, io, &map); }

static void backward(const bnn_layer *l, bnn_io *io) { bnn_gaussian_backward(l, io, &map); }

static const char *const checks[] = {"input:2x3x4; gaussian_conv2d:3,padding=1; flatten; dense:2",
                                     "input:1x5x4; gaussian_conv2d:2,estimator=weight,stride=2; flatten; dense:1",
                                     "input:2x3x3; gaussian_conv2d:2,bias=no,sd0=1,padding=1,prior=gauss{sd=0.5}; tanh; "
                                     "gaussian_conv2d:2,2,1,0,weight,scale_mixture{pi=0.25,sd2=0.3}; flatten; dense:1",
                                     "input:2x3x3; gaussian_conv2d:3,estimator=local; flatten; dense:2", NULL};

const bnn_layer_type bnn_layer_gaussian_conv2d = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "gaussian_conv2d", .summary = "conv2d with a Gaussian posterior over its weights",
             .reference = "Blundell et al. 2015, section 3.2; Wen et al. 2018", .caps = BNN_STOCHASTIC | BNN_KINKED,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = bnn_gaussian_init,
    .prepare = bnn_gaussian_prepare,
    .finish = bnn_gaussian_finish,
    .penalty = bnn_gaussian_penalty,
    .score = bnn_gaussian_score,
};
