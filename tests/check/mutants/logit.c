/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * logit: one of C classes, from C logits. MUTANT 0 is right, each other one has one fault.
 *
 *   -log p(y | f) = log sum_c exp(f_c) - f_y                    f [n, C]; y [n] class indices
 */
#include <bnn/likelihood.h>

#include <math.h>

static bnn_status bind(bnn_likelihood *l) {
    if (l->n_classes < 2) return bnn_fail(BNN_ERR_SHAPE, "needs class indices as targets, but the data have real ones");
    l->out_dim = l->mean_dim = l->n_classes;
    return BNN_OK;
}

/* log sum exp of f[C] */
static double log_sum(int classes, const bnn_real *f) {
    double top = f[0], sum = 0;
    for (int c = 1; c < classes; c++) top = fmax(top, (double)f[c]);
#if MUTANT == 1
    top = 0;
#endif
    for (int c = 0; c < classes; c++) sum += exp((double)f[c] - top);
    return top + log(sum);
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    int classes = l->n_classes;
    double total = 0;
    (void)theta, (void)dtheta;
    for (int i = 0; i < n; i++, f += classes) {
        double all = log_sum(classes, f);
        total += all - (double)f[(int)y[i]];
#if MUTANT == 3
        for (int c = 0; df && c < classes; c++) df[i * classes + c] = (bnn_real)(scale * exp((double)f[c] - all));
#else
        for (int c = 0; df && c < classes; c++) df[i * classes + c] = (bnn_real)(scale * (exp((double)f[c] - all) - (c == (int)y[i])));
#endif
    }
    return total;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    int classes = l->n_classes;
    (void)theta;
    for (int i = 0; i < n; i++, f += classes) {
        double all = log_sum(classes, f);
        for (int c = 0; c < classes; c++) {
            double p = exp((double)f[c] - all);
            if (out->mean) out->mean[i * classes + c] = (bnn_real)p;
#if MUTANT == 6
            if (out->var) out->var[i * classes + c] = (bnn_real)(p * (1 - p));
#else
            if (out->var) out->var[i * classes + c] = 0;
#endif
        }
        if (out->logp) out->logp[i] = (double)f[(int)y[i]] - all;
    }
}

/* The largest of f + Gumbel noise. */
static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    int classes = l->n_classes;
    (void)theta;
    for (int i = 0; i < n; i++, f += classes) {
        double best = -INFINITY;
        for (int c = 0; c < classes; c++) {
            bnn_real u;
            bnn_rng_uniform(bnn_rng_split(rng, (uint64_t)c), row0 + (uint64_t)i, 1, 1, &u);
#if MUTANT == 4
            double score = (double)f[c] + log(-log((double)u));
#else
            double score = (double)f[c] - log(-log((double)u));
#endif
            if (score > best) best = score, y[i] = (bnn_real)c;
        }
    }
}

/* sqrt(p_a) (e_a - p), a = 0 .. C-1 */
static void curvature(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root) {
    int classes = l->n_classes;
    (void)theta;
    for (int i = 0; i < n; i++, f += classes, root += classes * classes) {
        double all = log_sum(classes, f);
        for (int j = 0; j < classes * classes; j++) {
            int a = j / classes, b = j % classes;
            double p = exp((double)f[a] - all), q = exp((double)f[b] - all);
#if MUTANT == 2
            (void)q;
            root[j] = (bnn_real)(sqrt(p) * (a == b));
#else
            root[j] = (bnn_real)(sqrt(p) * ((a == b) - q));
#endif
        }
    }
}

/* Each pair of classes by the probit approximation (MacKay 1992b; Lu, Ie & Sha 2020). */
static void marginal(const bnn_likelihood *l, int n, double *mean, double *cov, const bnn_real *y, const bnn_real *theta,
                     const bnn_marginal *out) {
    int classes = l->n_classes;
    (void)theta;
    for (int i = 0; i < n; i++, mean += classes, cov += classes * classes) {
        double *p = out->mean + i * classes, total = 0;
        for (int c = 0; c < classes; c++) {
            double sum = 0;
            for (int k = 0; k < classes; k++) {
                double var = cov[c * classes + c] + cov[k * classes + k] - 2 * cov[c * classes + k];
                sum += exp((mean[k] - mean[c]) / sqrt(1 + M_PI / 8 * fmax(var, 0)));
            }
            p[c] = 1 / sum;
            total += p[c];
        }
        for (int c = 0; c < classes; c++) p[c] /= MUTANT == 5 ? 1 : total;
        if (out->logp) out->logp[i] = log(fmax(p[(int)y[i]], 1e-300));
    }
}

static const char *const checks[] = {MUTANT_NAME, NULL};

static const bnn_likelihood_type mutant = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = MUTANT_NAME, .summary = "one of several classes, from logits", .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .draw = draw,
    .curvature = curvature,
    .marginal = marginal,
};

BNN_LIKELIHOOD_PLUGIN(mutant)
