/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gaussian: real targets with one noise level.
 *
 *   -log p(y | f) = sum_k (y_k - f_k)^2 tau / 2 - log(tau) / 2 + log(2 pi) / 2             f, y [n, y_dim]
 *
 * tau > 0 fixes the precision, in the units of y (a single target only, since it has a unit); in standardised y it is tau y_sd^2. tau = 0,
 * the default, learns the noise: theta = log variance s of standardised y, one for each target, starting at 0 (the noise explains all). The
 * precision e^-s has the Gamma distribution of this shape and mean 1/sd^2 (Neal 1996, section 3.2.1; bnn_log_var_logp):
 *
 *   log p(s) = -shape (s + sd^2 e^-s) + const
 *
 * The presets are Neal's own: noise around a twentieth of the spread of y, its logarithm known to two (a factor of eight); against n rows
 * it weighs as half a row. shape = 0 is flat in s. Under that a network that can meet all targets has no posterior, since the noise
 * vanishes: as soon as there are more parameters than rows.
 */
#include <bnn/kernels.h>
#include <bnn/likelihood.h>

#include <math.h>
#include <string.h>

typedef struct {
    double tau, sd, shape;
} conf;

static const bnn_option options[] = {
    BNN_OPT_REAL(conf, tau, "0", 0, 1e30, "precision 1/variance of the noise, in the units of y; 0: learned"),
    BNN_OPT_REAL(conf, sd, "0.05", 1e-6, 1e6,
                 "of learned noise: the one that belongs to the prior's mean precision, as a share of the sd of y"),
    BNN_OPT_REAL(conf, shape, "0.25", 0, 1e6, "of the Gamma prior of a learned precision (Neal's alpha/2); 0: flat in the log variance"),
    {0}};

static const double half_log_2pi = 0.91893853320467274178;

static bnn_status bind(bnn_likelihood *l) {
    const conf *c = l->object.conf;
    if (l->n_classes > 0) return bnn_fail(BNN_ERR_SHAPE, "needs real targets, but the data have %d classes: use categorical", l->n_classes);
    if (c->tau > 0 && l->y_dim > 1) return bnn_fail(BNN_ERR_OPTION, "option 'tau': one fixed precision cannot serve %d targets", l->y_dim);
    l->out_dim = l->mean_dim = l->pit_dim = l->y_dim;
    l->n_theta = c->tau > 0 ? 0 : l->y_dim;
    l->data[0] = -log(c->tau) - 2 * log(l->y_sd[0]); /* log variance of standardised y, where tau fixes it */
    return BNN_OK;
}

static double log_var(const bnn_likelihood *l, const bnn_real *theta, int k) { return l->n_theta ? theta[k] : l->data[0]; }

/* Sums the squares of the residuals of target k, by weight (NULL: 1). */
static double sum_squares(const bnn_likelihood *l, int n, const double *weight, const bnn_real *f, const bnn_real *y, int k) {
    double squares = 0;
    for (int row = 0; row < n; row++) {
        int i = row * l->y_dim + k;
        double square = (double)(f[i] - y[i]) * (double)(f[i] - y[i]);
        squares += weight ? weight[row] * square : square;
    }
    return squares;
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    int d = l->y_dim;
    double total = 0;
    for (int k = 0; k < d; k++) {
        double s = log_var(l, theta, k), prec = exp(-s), squares = sum_squares(l, n, NULL, f, y, k);
        bnn_real slope = (bnn_real)(scale * prec);
        for (int i = k; df && i < n * d; i += d) df[i] = slope * (f[i] - y[i]);
        total += 0.5 * prec * squares + n * (0.5 * s + half_log_2pi);
        if (dtheta && l->n_theta) dtheta[k] += (bnn_real)(scale * 0.5 * (n - prec * squares));
    }
    return total;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    int d = l->y_dim;
    for (int i = 0; out->logp && i < n; i++) out->logp[i] = 0;
    for (int k = 0; k < d; k++) {
        double s = log_var(l, theta, k), prec = exp(-s), var = 1 / prec;
        bnn_real root = (bnn_real)sqrt(prec);
        for (int i = 0; out->mean && i < n; i++) out->mean[i * d + k] = f[i * d + k];
        for (int i = 0; out->var && i < n; i++) out->var[i * d + k] = (bnn_real)var;
        for (int i = 0; out->logp && i < n; i++) {
            double e = (double)(y[i * d + k] - f[i * d + k]);
            out->logp[i] -= 0.5 * (e * e * prec + s) + half_log_2pi;
        }
        for (int i = 0; out->pit && i < n; i++) out->pit[i * d + k] = (y[i * d + k] - f[i * d + k]) * root;
    }
    if (out->pit) bnn_vec_normal_cdf((size_t)(n * d), out->pit, out->pit);
}

static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    int d = l->y_dim;
    bnn_rng_normal(rng, row0, n, d, y);
    for (int i = 0; i < n * d; i++) y[i] = f[i] + (bnn_real)exp(0.5 * log_var(l, theta, i % d)) * y[i];
}

static double noise_sd(const bnn_likelihood *l, const bnn_real *theta) { return l->y_dim == 1 ? exp(0.5 * log_var(l, theta, 0)) : NAN; }

static double logp(const bnn_likelihood *l, const bnn_real *theta, double scale, bnn_real *dtheta) {
    const conf *c = l->object.conf;
    double total = 0, slope;
    for (int k = 0; c->shape > 0 && k < l->n_theta; k++) {
        total += bnn_log_var_logp(c->sd, c->shape, (double)theta[k], &slope);
        if (dtheta) dtheta[k] += (bnn_real)(scale * slope);
    }
    return total;
}

static bnn_status draw_theta(const bnn_likelihood *l, bnn_rng rng, bnn_real *theta) {
    const conf *c = l->object.conf;
    if (l->n_theta > 0 && c->shape == 0)
        return bnn_fail(BNN_ERR_OPTION,
                        "the noise has a flat density, from which nothing can be drawn: give it one (shape=2), or fix it (tau=1)");
    for (int k = 0; k < l->n_theta; k++) theta[k] = (bnn_real)bnn_log_var_draw(c->sd, c->shape, bnn_rng_split(rng, (uint64_t)k));
    return BNN_OK;
}

static void draw_theta_weighted(const bnn_likelihood *l, int n, const double *weight, const bnn_real *f, const bnn_real *y, bnn_rng rng,
                                bnn_real *theta) {
    const conf *c = l->object.conf;
    double all = weight ? 0 : n;
    for (int i = 0; weight && i < n; i++) all += weight[i];
    for (int k = 0; k < l->n_theta; k++)
        theta[k] =
            (bnn_real)bnn_log_var_draw_given(c->sd, c->shape, all, sum_squares(l, n, weight, f, y, k), bnn_rng_split(rng, (uint64_t)k));
}

static void draw_theta_given(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, bnn_rng rng, bnn_real *theta) {
    draw_theta_weighted(l, n, NULL, f, y, rng, theta);
}

static void curvature(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root) {
    int d = l->y_dim;
    (void)f;
    memset(root, 0, (size_t)n * (size_t)(d * d) * sizeof *root);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < d; k++) root[(i * d + k) * d + k] = (bnn_real)exp(-0.5 * log_var(l, theta, k));
}

/* log N(r; 0, cov) of one row, target by target given those before it: r and cov become their conditional residual and covariance. A
 * variance is never below its noise, whatever rounding makes of it. */
static double log_normal(const bnn_likelihood *l, const bnn_real *theta, double *r, double *cov) {
    int d = l->y_dim;
    double total = 0;
    for (int k = 0; k < d; k++) {
        double var = fmax(cov[k * d + k], exp(log_var(l, theta, k)));
        total -= 0.5 * (r[k] * r[k] / var + log(var)) + half_log_2pi;
        for (int j = k + 1; j < d; j++) {
            double slope = cov[j * d + k] / var;
            r[j] -= slope * r[k];
            for (int i = k + 1; i <= j; i++) cov[j * d + i] -= slope * cov[i * d + k];
        }
    }
    return total;
}

/* y ~ N(mean, cov + diag noise). */
static void marginal(const bnn_likelihood *l, int n, double *mean, double *cov, const bnn_real *y, const bnn_real *theta,
                     const bnn_marginal *out) {
    int d = l->y_dim;
    for (int i = 0; i < n; i++, mean += d, cov += d * d) {
        for (int k = 0; k < d; k++) {
            int at = i * d + k;
            double noise = exp(log_var(l, theta, k)), var = cov[k * d + k];
            out->mean[at] = mean[k];
            if (out->var_epistemic) out->var_epistemic[at] = var;
            if (out->var_aleatoric) out->var_aleatoric[at] = noise;
            if (out->pit) out->pit[at] = 0.5 * erfc((mean[k] - (double)y[at]) / sqrt(2 * (var + noise)));
            cov[k * d + k] += noise;
            if (y) mean[k] = (double)y[at] - mean[k];
        }
        if (out->logp) out->logp[i] = log_normal(l, theta, mean, cov);
    }
}

static const char *const checks[] = {"gaussian", "gaussian:tau=0.5", "gaussian:sd=0.3,shape=2", "gaussian:shape=0", NULL};

const bnn_likelihood_type bnn_likelihood_gaussian = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = "gaussian", .summary = "real targets with one noise level, learned or fixed",
             .reference = "Bishop 2006, eq. 5.12", .caps = BNN_LOG_VARIANCE, .conf_size = sizeof(conf), .options = options,
             .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .draw = draw,
    .noise_sd = noise_sd,
    .logp = logp,
    .draw_theta = draw_theta,
    .curvature = curvature,
    .marginal = marginal,
    .draw_theta_given = draw_theta_given,
    .draw_theta_weighted = draw_theta_weighted,
};
