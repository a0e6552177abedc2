/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * heteroscedastic: real targets whose noise the network predicts, row by row (Nix & Weigend 1994; Kendall & Gal 2017, eq. 8).
 *
 *   -log p(y | f) = sum_k ( exp(-s_k) (y_k - m_k)^2 + s_k + log(2 pi) ) / 2              f = [m | s] [n, 2 y_dim], y [n, y_dim]
 *
 * s is the log variance of standardised y. It acts as if cut to [-30, 30], so the density is finite (its maximum without a cut is not).
 */
#include <bnn/kernels.h>
#include <bnn/likelihood.h>

#include <math.h>
#include <string.h>

static const double half_log_2pi = 0.91893853320467274178, widest = 30;

static bnn_status bind(bnn_likelihood *l) {
    if (l->n_classes > 0) return bnn_fail(BNN_ERR_SHAPE, "needs real targets, but the data have %d classes: use categorical", l->n_classes);
    l->out_dim = 2 * l->y_dim;
    l->mean_dim = l->pit_dim = l->y_dim;
    return BNN_OK;
}

static double log_var(bnn_real s) { return fmin(fmax((double)s, -widest), widest); }

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    int d = l->y_dim;
    double total = 0;
    (void)theta, (void)dtheta;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < d; k++) {
            int at = 2 * i * d + k;
            double s = log_var(f[at + d]), prec = exp(-s), e = (double)f[at] - (double)y[i * d + k], z2 = prec * e * e;
            total += 0.5 * (z2 + s) + half_log_2pi;
            if (!df) continue;
            df[at] = (bnn_real)(scale * prec * e);
            df[at + d] = fabs((double)f[at + d]) > widest ? 0 : (bnn_real)(0.5 * scale * (1 - z2));
        }
    return total;
}

BNN_LOOP static void find_scores(int d, int n, const bnn_real *restrict f, const bnn_real *restrict y, bnn_real *restrict z) {
    for (int i = 0; i < n; i++)
        for (int k = 0; k < d; k++) z[i * d + k] *= y[i * d + k] - f[2 * i * d + k];
}

BNN_LOOP static void find_exponents(int d, int n, const bnn_real *restrict f, bnn_real *restrict z) {
    const bnn_real most = (bnn_real)(0.5 * widest);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < d; k++) {
            bnn_real e = (bnn_real)-0.5 * f[2 * i * d + d + k];
            z[i * d + k] = e < -most ? -most : e > most ? most : e;
        }
}

/* Asked again and again where a quantile is looked for, so it goes by vectors. */
static void find_pit(int d, int n, const bnn_real *f, const bnn_real *y, bnn_real *pit) {
    find_exponents(d, n, f, pit);
    bnn_vec_exp((size_t)(n * d), pit, pit);
    find_scores(d, n, f, y, pit);
    bnn_vec_normal_cdf((size_t)(n * d), pit, pit);
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    int d = l->y_dim;
    (void)theta;
    for (int i = 0; (out->mean || out->var || out->logp) && i < n; i++) {
        if (out->logp) out->logp[i] = 0;
        for (int k = 0; k < d; k++) {
            int at = i * d + k;
            double m = f[2 * i * d + k], s = log_var(f[2 * i * d + d + k]), z = out->logp ? ((double)y[at] - m) * exp(-0.5 * s) : 0;
            if (out->mean) out->mean[at] = (bnn_real)m;
            if (out->var) out->var[at] = (bnn_real)exp(s);
            if (out->logp) out->logp[i] -= 0.5 * (z * z + s) + half_log_2pi;
        }
    }
    if (out->pit) find_pit(d, n, f, y, out->pit);
}

static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    int d = l->y_dim;
    (void)theta;
    bnn_rng_normal(rng, row0, n, d, y);
    for (int i = 0; i < n * d; i++) {
        const bnn_real *at = f + 2 * (i / d) * d + i % d; /* mean; the log variance stands d further */
        y[i] = at[0] + (bnn_real)exp(0.5 * log_var(at[d])) * y[i];
    }
}

/* The Hessian in (m, s) is indefinite wherever y is not m (its determinant is -(y - m)^2 exp(-2 s) / 2), so this is its expectation,
 * diag(exp(-s), 1/2). */
static void curvature(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root) {
    int d = l->y_dim, out = 2 * d;
    (void)theta;
    memset(root, 0, (size_t)n * (size_t)(out * out) * sizeof *root);
    for (int i = 0; i < n; i++, f += out, root += out * out)
        for (int k = 0; k < d; k++) {
            root[k * out + k] = (bnn_real)exp(-0.5 * log_var(f[d + k]));
            root[(d + k) * out + d + k] = fabs((double)f[d + k]) > widest ? 0 : (bnn_real)sqrt(0.5);
        }
}

static const char *const checks[] = {"heteroscedastic", NULL};

const bnn_likelihood_type bnn_likelihood_heteroscedastic = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = "heteroscedastic",
             .summary = "real targets whose noise the network predicts, row by row",
             .reference = "Nix & Weigend 1994; Kendall & Gal 2017, eq. 8", .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .curvature = curvature,
    .draw = draw,
};
