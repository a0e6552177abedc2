/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * double_exponential: a plugin of three types, all with the density exp(-|z| / b) / (2 b) (Laplace 1774).
 *
 *   prior double_exponential       of weights, b an option
 *   likelihood double_exponential  of targets around the output of the network; theta = log b of each, in standardised y
 *   optimizer sign                 the steepest descent in the maximum norm: theta -= lr sign(g) (Bernstein et al. 2018)
 */
#define BNN_PLUGIN_VERSION "2.1-rc1"
#include <bnn/likelihood.h>
#include <bnn/optimizer.h>

#include <math.h>

static double sign(double x) { return (double)((x > 0) - (x < 0)); }

/* A draw by its cumulative distribution; u in (0, 1) from a normal number. */
static double quantile(double u) { return u < 0.5 ? log(2 * u) : -log(2 * (1 - u)); }

static void fill(bnn_rng rng, uint64_t row0, int n, int d, bnn_real *out) {
    bnn_rng_normal(rng, row0, n, d, out);
    for (int i = 0; i < n * d; i++) out[i] = (bnn_real)quantile(0.5 * erfc(-(double)out[i] / sqrt(2)));
}

/* ---------------------------------------------------------------- prior */

typedef struct {
    double b;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, b, "0.7", 1e-6, 1e6, "mean of |w|"), {0}};

static double logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    double b = ((const conf *)p->object.conf)->b, sum = 0;
    (void)block;
    for (int i = 0; i < n; i++) sum -= fabs((double)w[i]) / b;
    for (int i = 0; dw && i < n; i++) dw[i] = (bnn_real)(-sign((double)w[i]) / b);
    return sum - n * log(2 * b);
}

static void draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    bnn_real b = (bnn_real)((const conf *)p->object.conf)->b;
    (void)block;
    fill(rng, 0, 1, n, out);
    for (int i = 0; i < n; i++) out[i] *= b;
}

static const char *const prior_checks[] = {"double_exponential", "double_exponential:b=2", NULL};

static const bnn_prior_type prior = {
    .type = {BNN_TYPE(bnn_prior_type), .name = "double_exponential", .summary = "independent weights with density exp(-|w| / b) / (2 b)",
             .reference = "Tibshirani 1996", .conf_size = sizeof(conf), .options = options, .checks = prior_checks},
    .logp = logp,
    .draw = draw,
};

/* ---------------------------------------------------------------- likelihood */

static bnn_status bind(bnn_likelihood *l) {
    if (l->n_classes > 0) return bnn_fail(BNN_ERR_SHAPE, "needs real targets, but the data have %d classes: use categorical", l->n_classes);
    l->out_dim = l->mean_dim = l->pit_dim = l->n_theta = l->y_dim;
    return BNN_OK;
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    double total = 0;
    for (int i = 0; i < n * l->y_dim; i++) {
        int k = i % l->y_dim;
        double b = exp((double)theta[k]), r = (double)f[i] - (double)y[i];
        total += fabs(r) / b + log(2 * b);
        if (df) df[i] = (bnn_real)(scale * sign(r) / b);
        if (dtheta) dtheta[k] += (bnn_real)(scale * (1 - fabs(r) / b));
    }
    return total;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    for (int i = 0; out->logp && i < n; i++) out->logp[i] = 0;
    for (int i = 0; i < n * l->y_dim; i++) {
        double b = exp((double)theta[i % l->y_dim]), z = y ? ((double)y[i] - (double)f[i]) / b : 0, tail = 0.5 * exp(-fabs(z));
        if (out->mean) out->mean[i] = f[i];
        if (out->var) out->var[i] = (bnn_real)(2 * b * b);
        if (out->logp) out->logp[i / l->y_dim] -= fabs(z) + log(2 * b);
        if (out->pit) out->pit[i] = (bnn_real)(z < 0 ? tail : 1 - tail);
    }
}

static void draw_y(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    fill(rng, row0, n, l->y_dim, y);
    for (int i = 0; i < n * l->y_dim; i++) y[i] = f[i] + (bnn_real)exp((double)theta[i % l->y_dim]) * y[i];
}

static const char *const likelihood_checks[] = {"double_exponential", NULL};

static const bnn_likelihood_type likelihood = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = "double_exponential", .summary = "real targets with density exp(-|y - f| / b) / (2 b)",
             .reference = "Laplace 1774", .checks = likelihood_checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .draw = draw_y,
};

/* ---------------------------------------------------------------- optimizer */

static void step(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride) {
    (void)o, (void)t, (void)state, (void)stride;
    for (int i = 0; i < n; i++) theta[i] -= (bnn_real)(lr * sign((double)g[i]));
}

static const char *const optimizer_checks[] = {"sign", NULL};

static const bnn_optimizer_type optimizer = {
    .type = {BNN_TYPE(bnn_optimizer_type), .name = "sign", .summary = "steps of one length against the sign of the gradient",
             .reference = "Bernstein et al. 2018", .checks = optimizer_checks},
    .step = step,
};

BNN_PLUGIN("laplace_1774", BNN_PRIOR_ENTRY(prior), BNN_LIKELIHOOD_ENTRY(likelihood), BNN_OPTIMIZER_ENTRY(optimizer))
