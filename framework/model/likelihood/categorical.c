/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * categorical: one of C classes, from C logits (Bishop 2006, eq. 4.104).
 *
 *   -log p(y | f) = logsumexp(f) - f_y                    f [n,C]; y [n] class indices 0 .. C-1
 *   df_c = exp(f_c - logsumexp(f)) - [c = y]
 */
#include <bnn/kernels.h>
#include <bnn/likelihood.h>

#include <math.h>

static bnn_status bind(bnn_likelihood *l) {
    if (l->n_classes < 2) return bnn_fail(BNN_ERR_SHAPE, "needs class indices as targets, but the data have real ones: use gaussian");
    l->out_dim = l->mean_dim = l->n_classes;
    return BNN_OK;
}

/* logsumexp of f[C]; e[C] (NULL: not wanted) = scale softmax(f). */
static double softmax(int classes, const bnn_real *f, double scale, bnn_real *e) {
    double top = f[0], sum = 0;
    for (int c = 1; c < classes; c++) top = fmax(top, (double)f[c]);
    for (int c = 0; c < classes; c++) {
        double term = exp((double)f[c] - top);
        sum += term;
        if (e) e[c] = (bnn_real)term;
    }
    const bnn_real part = (bnn_real)(scale / sum);
    for (int c = 0; e && c < classes; c++) e[c] *= part;
    return top + log(sum);
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    int classes = l->n_classes;
    double total = 0;
    (void)theta, (void)dtheta;
    for (int i = 0; i < n; i++, f += classes) {
        int target = (int)y[i];
        total += softmax(classes, f, scale, df) - (double)f[target];
        if (!df) continue;
        df[target] -= (bnn_real)scale;
        df += classes;
    }
    return total;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    int classes = l->n_classes;
    (void)theta;
    for (int i = 0; i < n; i++, f += classes) {
        double all = softmax(classes, f, 1, out->mean ? out->mean + (size_t)i * classes : NULL);
        for (int c = 0; out->var && c < classes; c++) out->var[(size_t)i * classes + c] = 0;
        if (out->logp) out->logp[i] = (double)f[(int)y[i]] - all;
    }
}

/* The largest of f + Gumbel noise is a draw from softmax(f) (Gumbel 1954): no probabilities are needed. */
static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    (void)theta;
    for (int i = 0; i < n; i++, f += l->n_classes) {
        double best = -INFINITY;
        for (int c = 0; c < l->n_classes; c++) {
            bnn_real u;
            bnn_rng_uniform(rng, (row0 + (uint64_t)i) * (uint64_t)l->n_classes + (uint64_t)c, 1, 1, &u);
            double score = (double)f[c] - log(-log((double)u));
            if (score > best) best = score, y[i] = (bnn_real)c;
        }
    }
}

/* diag(p) - p p^T = sum_c p_c (e_c - p) (e_c - p)^T. */
static void curvature(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root) {
    int classes = l->n_classes;
    (void)theta;
    for (int i = 0; i < n; i++, f += classes, root += classes * classes) {
        softmax(classes, f, 1, root); /* p, in the first row; which is overwritten last */
        for (int c = classes - 1; c >= 0; c--) {
            double share = sqrt((double)root[c]);
            for (int k = classes - 1; k >= 0; k--) root[c * classes + k] = (bnn_real)(share * ((c == k) - (double)root[k]));
        }
    }
}

/* log p_c of one row, up to a constant. Every pair of classes as in two-class probit (MacKay 1992b), with the variance of the difference of
 * their logits (Lu, Ie & Sha 2020): p_c is proportional to 1 / sum_k exp(-(m_c - m_k) / sqrt(1 + pi Var(f_c - f_k) / 8)) */
static double log_odds(int classes, int c, const double *mean, const double *cov) {
    double sum = 0, top = 0;
    for (int k = 0; k < classes; k++) {
        double var = cov[c * classes + c] + cov[k * classes + k] - 2 * cov[c * classes + k];
        double z = (mean[k] - mean[c]) / sqrt(1 + M_PI / 8 * fmax(var, 0));
        if (z > top) sum *= exp(top - z), top = z;
        sum += exp(z - top);
    }
    return -top - log(sum);
}

static void marginal(const bnn_likelihood *l, int n, double *mean, double *cov, const bnn_real *y, const bnn_real *theta,
                     const bnn_marginal *out) {
    int classes = l->n_classes;
    (void)theta;
    for (int i = 0; i < n; i++, mean += classes, cov += classes * classes) {
        double *p = out->mean + (size_t)i * classes;
        for (int c = 0; c < classes; c++) p[c] = log_odds(classes, c, mean, cov);
        double all = bnn_logsumexp(classes, p);
        if (out->logp) out->logp[i] = p[(int)y[i]] - all;
        for (int c = 0; c < classes; c++) p[c] = exp(p[c] - all);
    }
}

static const char *const checks[] = {"categorical", NULL};

const bnn_likelihood_type bnn_likelihood_categorical = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = "categorical", .summary = "one of several classes, from logits",
             .reference = "Bishop 2006, eq. 4.104", .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .curvature = curvature,
    .marginal = marginal,
    .draw = draw,
};
