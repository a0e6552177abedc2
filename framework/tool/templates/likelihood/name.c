/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @name@: real targets with Laplace noise, whose scale is learned.
 *
 *   -log p(y | f) = sum_k |y_k - f_k| / b_k + log(2 b_k)             f, y [n, y_dim], standardised
 *
 * theta = log b, one for each target, starting at 0.
 *
 * Replace the mathematics, keep the shape of the file: bind, hooks, checks, vtable, plugin. <bnn/likelihood.h> is the whole contract.
 */
#include <bnn/likelihood.h>

#include <math.h>

/* bind, REQUIRED: looks at the data (y_dim, n_classes, y_mean, y_sd) and sets what the network must put out (out_dim), what is told of y
 * (mean_dim, pit_dim), and how many own parameters there are (n_theta). It may fail: `return bnn_fail(BNN_ERR_SHAPE, "sentence", ...)`. */
static bnn_status bind(bnn_likelihood *l) {
    if (l->n_classes > 0) return bnn_fail(BNN_ERR_SHAPE, "needs real targets, but the data have %d classes: use categorical", l->n_classes);
    l->out_dim = l->mean_dim = l->pit_dim = l->n_theta = l->y_dim;
    return BNN_OK;
}

static double scale_of(const bnn_real *theta, int k) { return exp((double)theta[k]); }

/* nll, REQUIRED: the sum over n rows, in nats, with its normaliser. df is set, dtheta is added to, each scale times the gradient; NULL: not
 * wanted. */
static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    int d = l->y_dim;
    double total = 0;
    for (int i = 0; i < n * d; i++) {
        double b = scale_of(theta, i % d), e = (double)y[i] - (double)f[i];
        total += fabs(e) / b + log(2 * b);
        if (df) df[i] = (bnn_real)(scale * ((e < 0) - (e > 0)) / b);
        if (dtheta) dtheta[i % d] += (bnn_real)(scale * (1 - fabs(e) / b));
    }
    return total;
}

/* observe, REQUIRED: what is told of each row: mean and variance of y given f, log p of the y that came (y NULL: none did), and the probability
 * of a smaller one. What is NULL is not wanted. */
static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    int d = l->y_dim;
    for (int i = 0; out->logp && i < n; i++) out->logp[i] = 0;
    for (int i = 0; i < n * d; i++) {
        double b = scale_of(theta, i % d), e = y ? (double)y[i] - (double)f[i] : 0;
        if (out->mean) out->mean[i] = f[i];
        if (out->var) out->var[i] = (bnn_real)(2 * b * b);
        if (out->logp) out->logp[i / d] -= fabs(e) / b + log(2 * b);
        if (out->pit) out->pit[i] = (bnn_real)(e < 0 ? 0.5 * exp(e / b) : 1 - 0.5 * exp(-e / b));
    }
}

/* draw, REQUIRED: y from p(y | f). Row k takes its noise from row row0 + k of the stream, so that rows may be cut anywhere. */
static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    int d = l->y_dim;
    bnn_rng_uniform(rng, row0, n, d, y);
    for (int i = 0; i < n * d; i++) {
        double b = scale_of(theta, i % d), u = (double)y[i] - 0.5;
        y[i] = (bnn_real)((double)f[i] + (u < 0 ? b * log1p(2 * u) : -b * log1p(-2 * u)));
    }
}

/* noise_sd, OPTIONAL: for logs and reports. Other hooks that may be there: init, logp, curvature, marginal, draw_theta, close. */
static double noise_sd(const bnn_likelihood *l, const bnn_real *theta) { return l->y_dim == 1 ? sqrt(2) * scale_of(theta, 0) : NAN; }

/* Specs that `bnn check` runs its rules on: one for each way that the options can take. */
static const char *const checks[] = {"@name@", NULL};

const bnn_likelihood_type bnn_likelihood_@name@ = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = "@name@", .summary = "real targets with Laplace noise of a learned scale",
             .reference = "Laplace 1774", .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .draw = draw,
    .noise_sd = noise_sd,
};

BNN_LIKELIHOOD_PLUGIN(bnn_likelihood_@name@)
