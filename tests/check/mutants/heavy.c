/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * heavy: real targets with Student's t noise whose scale the network predicts. MUTANT 0 is right, each other one has one fault.
 *
 *   y = m + e^s t,   t with nu degrees of freedom             f = [m | s] [n, 2 y_dim], y [n, y_dim]
 *   -log p(y | f) = sum_k (nu + 1)/2 log(1 + z_k^2 / nu) + s_k - log Gamma((nu+1)/2) + log Gamma(nu/2) + log(nu pi)/2
 *
 * s acts as if cut to [-30, 30].
 */
#include <bnn/likelihood.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <string.h>

typedef struct {
    double nu;
} conf;

static const bnn_option options[] = {{.name = "nu",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, nu),
                                      .preset = "3",
                                      .min = 2.1,
                                      .max = 1e3,
                                      .help = "degrees of freedom"},
                                     {0}};

static bnn_status bind(bnn_likelihood *l) {
    double nu = ((const conf *)l->object.conf)->nu;
    if (l->n_classes > 0) return bnn_fail(BNN_ERR_SHAPE, "needs real targets, but the data have %d classes", l->n_classes);
    l->out_dim = 2 * l->y_dim;
    l->mean_dim = l->pit_dim = l->y_dim;
    l->data[0] = gsl_sf_lngamma(0.5 * (nu + 1)) - gsl_sf_lngamma(0.5 * nu) - 0.5 * log(nu * M_PI);
    return BNN_OK;
}

static double log_scale(bnn_real s) { return fmin(fmax((double)s, -30), 30); }

static double logp_of(const bnn_likelihood *l, double z, double s) {
    double nu = ((const conf *)l->object.conf)->nu;
    return l->data[0] - s - 0.5 * (nu + 1) * log1p(z * z / nu);
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    double total = 0, nu = ((const conf *)l->object.conf)->nu;
    int d = l->y_dim;
    (void)theta, (void)dtheta;
    for (int i = 0; i < n * d; i++) {
        int at = 2 * (i / d) * d + i % d;
        double s = log_scale(f[at + d]), z = ((double)y[i] - (double)f[at]) * exp(-s), pull = (nu + 1) * z / (nu + z * z);
        total -= logp_of(l, z, s);
        if (!df) continue;
        df[at] = (bnn_real)(-scale * pull * exp(-s));
        df[at + d] = fabs((double)f[at + d]) > 30 ? 0 : (bnn_real)(scale * (1 - pull * z));
    }
    return total;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    double nu = ((const conf *)l->object.conf)->nu;
    int d = l->y_dim;
    (void)theta;
    for (int i = 0; out->logp && i < n; i++) out->logp[i] = 0;
    for (int i = 0; i < n * d; i++) {
        int at = 2 * (i / d) * d + i % d;
        double s = log_scale(f[at + d]), z = y ? ((double)y[i] - (double)f[at]) * exp(-s) : 0;
        if (out->mean) out->mean[i] = f[at];
#if MUTANT == 1
        if (out->var) out->var[i] = (bnn_real)exp(2 * s);
#else
        if (out->var) out->var[i] = (bnn_real)(exp(2 * s) * nu / (nu - 2));
#endif
        if (out->logp) out->logp[i / d] += logp_of(l, z, s);
        if (out->pit) out->pit[i] = (bnn_real)gsl_cdf_tdist_P(z, nu);
    }
}

static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    double nu = ((const conf *)l->object.conf)->nu;
    int d = l->y_dim;
    (void)theta;
    bnn_rng_uniform(rng, row0, n, d, y);
    for (int i = 0; i < n * d; i++) {
        const bnn_real *at = f + 2 * (i / d) * d + i % d;
        y[i] = (bnn_real)((double)at[0] + exp(log_scale(at[d])) * gsl_cdf_tdist_Pinv((double)y[i], nu));
    }
}

/* Fisher information: e^(-2 s) (nu + 1)/(nu + 3) of m, 2 nu / (nu + 3) of s. */
static void curvature(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root) {
    double nu = ((const conf *)l->object.conf)->nu;
    int d = l->y_dim, out = 2 * d;
    (void)theta;
    memset(root, 0, (size_t)n * (size_t)(out * out) * sizeof *root);
    for (int i = 0; i < n; i++, f += out, root += out * out)
        for (int k = 0; k < d; k++) {
#if MUTANT == 2
            root[k * out + k] = (bnn_real)exp(-log_scale(f[d + k]));
#else
            root[k * out + k] = (bnn_real)(sqrt((nu + 1) / (nu + 3)) * exp(-log_scale(f[d + k])));
#endif
            root[(d + k) * out + d + k] = fabs((double)f[d + k]) > 30 ? 0 : (bnn_real)sqrt(2 * nu / (nu + 3));
        }
}

static const char *const checks[] = {MUTANT_NAME, MUTANT_NAME ":nu=2.5", NULL};

static const bnn_likelihood_type mutant = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = MUTANT_NAME, .summary = "real targets with Student's t noise",
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .draw = draw,
    .curvature = curvature,
};

BNN_LIKELIHOOD_PLUGIN(mutant)
