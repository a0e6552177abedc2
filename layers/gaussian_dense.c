/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gaussian_dense: an affine map with a Gaussian posterior over its weights, Bayes by Backprop (Blundell et al. 2015, section 3.2).
 *
 *   y = x W + b,   W ~ N(mu, sd^2) element by element, b likewise            x [n,D]  W [D,U]  b [U]  y [n,U]
 *   sd = 1e-12 + softplus(rho)
 *
 * Estimators weight, local, flipout, the penalty and the layout of the memory: bnn/gaussian.h. In DRAW all three sample W, so y is a
 * function of x. Initially mu ~ N(0, 2/D), sd = sd0/sqrt(D): with sd0 = 0.1 a fourteenth of the spread of mu, so training starts nearly
 * deterministic and sd grows to what the data leave open (Blundell et al. start at sd near 1 in every layer, which drowns the signal of
 * wide ones). KINKED: in local a unit with one input and no bias has y = x mu + |x| sd e.
 *
 * Parameters: kernel_mu [D,U], bias_mu [U], kernel_rho [D,U], bias_rho [U], all VARIATIONAL.
 */
#include <bnn/gaussian.h>

static bnn_status bind(bnn_layer *l) {
    const bnn_gaussian_conf *c = l->object.conf;
    BNN_TRY(bnn_layer_needs_vector(l));
    int in = bnn_layer_size_in(l), out = c->units > 0 ? c->units : l->out_hint;
    if (out == 0) return bnn_fail(BNN_ERR_OPTION, "option 'units' may be left out only at the end of a network");
    return bnn_gaussian_bind(l, bnn_shape_vector(out), in, out, 2.0 * in * out);
}

static void map_y(const bnn_layer *l, int n, const bnn_real *x, const bnn_real *w, const bnn_real *b, bnn_real *y) {
    bnn_affine(n, bnn_layer_size_in(l), bnn_layer_size_out(l), x, w, b, y);
}

static void map_dx(const bnn_layer *l, int n, const bnn_real *dy, const bnn_real *w, bnn_real *dx) {
    bnn_affine_dx(n, bnn_layer_size_in(l), bnn_layer_size_out(l), dy, w, dx);
}

static void map_dw(const bnn_layer *l, int n, const bnn_real *x, const bnn_real *dy, bnn_real *dw, bnn_real *db) {
    bnn_affine_dw(n, bnn_layer_size_in(l), bnn_layer_size_out(l), x, dy, dw, db);
}

static const bnn_gaussian_map map = {map_y, map_dx, map_dw};

static void forward(const bnn_layer *l, bnn_io *io) { bnn_gaussian_forward(l, io, &map); }

static void backward(const bnn_layer *l, bnn_io *io) { bnn_gaussian_backward(l, io, &map); }

static const char *const checks[] = {
    "input:5; gaussian_dense:3",
    "input:4; gaussian_dense:3,weight",
    "input:4; gaussian_dense:3,flipout,prior=gauss{sd=0.5}",
    "input:3; gaussian_dense:2,bias=no,sd0=1; tanh; gaussian_dense:1,weight,prior=scale_mixture{pi=0.25,sd2=0.3}",
    "input:4; gaussian_dense:3,local,scale_mixture{sd2=0.1}",
    "input:70; gaussian_dense:9,flipout",
    NULL};

const bnn_layer_type bnn_layer_gaussian_dense = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "gaussian_dense", .summary = "affine map with a Gaussian posterior over its weights",
             .reference = "Blundell et al. 2015, section 3.2", .caps = BNN_STOCHASTIC | BNN_KINKED, .conf_size = sizeof(bnn_gaussian_conf),
             .options = bnn_gaussian_options, .checks = checks},
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
