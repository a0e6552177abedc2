/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bernoulli: two classes, from one logit (Bishop 2006, eq. 4.90).
 *
 *   -log p(y | f) = softplus(f) - y f                     f [n] logit of class 1; y [n] class indices 0 or 1
 *   df = sigmoid(f) - y
 */
#include <bnn/kernels.h>
#include <bnn/likelihood.h>

#include <math.h>

static bnn_status bind(bnn_likelihood *l) {
    if (l->n_classes == 0) return bnn_fail(BNN_ERR_SHAPE, "needs class indices as targets, but the data have real ones: use gaussian");
    if (l->n_classes != 2) return bnn_fail(BNN_ERR_SHAPE, "needs two classes, but the data have %d: use categorical", l->n_classes);
    l->out_dim = 1;
    l->mean_dim = 2;
    return BNN_OK;
}

/* -log p(y | f) without cancellation. */
static double surprise(bnn_real f, bnn_real y) { return bnn_softplus(y > 0 ? -(double)f : (double)f); }

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    double total = 0;
    (void)l, (void)theta, (void)dtheta;
    for (int i = 0; i < n; i++) {
        total += surprise(f[i], y[i]);
        if (df) df[i] = (bnn_real)(scale * (y[i] > 0 ? -bnn_sigmoid(-(double)f[i]) : bnn_sigmoid((double)f[i])));
    }
    return total;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    (void)l, (void)theta;
    for (int i = 0; i < n; i++) {
        if (out->mean) out->mean[2 * i] = (bnn_real)bnn_sigmoid(-(double)f[i]), out->mean[2 * i + 1] = (bnn_real)bnn_sigmoid((double)f[i]);
        if (out->var) out->var[2 * i] = out->var[2 * i + 1] = 0;
        if (out->logp) out->logp[i] = -surprise(f[i], y[i]);
    }
}

static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    (void)l, (void)theta;
    bnn_rng_uniform(rng, row0, n, 1, y);
    for (int i = 0; i < n; i++) y[i] = (double)y[i] < bnn_sigmoid((double)f[i]);
}

/* sigmoid(f) sigmoid(-f), by its root. */
static void curvature(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root) {
    (void)l, (void)theta;
    for (int i = 0; i < n; i++) root[i] = (bnn_real)sqrt(bnn_sigmoid((double)f[i]) * bnn_sigmoid(-(double)f[i]));
}

/* The logistic function as a probit one: integral of sigmoid(f) N(f; m, v) = sigmoid(m / sqrt(1 + pi v / 8)) (MacKay 1992b). */
static void marginal(const bnn_likelihood *l, int n, double *mean, double *cov, const bnn_real *y, const bnn_real *theta,
                     const bnn_marginal *out) {
    (void)l, (void)theta;
    for (int i = 0; i < n; i++) {
        double f = mean[i] / sqrt(1 + M_PI / 8 * cov[i]);
        out->mean[2 * i] = bnn_sigmoid(-f), out->mean[2 * i + 1] = bnn_sigmoid(f);
        if (out->logp) out->logp[i] = -bnn_softplus(y[i] > 0 ? -f : f);
    }
}

static const char *const checks[] = {"bernoulli", NULL};

const bnn_likelihood_type bnn_likelihood_bernoulli = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = "bernoulli", .summary = "two classes, from one logit",
             .reference = "Bishop 2006, eq. 4.90", .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .curvature = curvature,
    .marginal = marginal,
    .draw = draw,
};
