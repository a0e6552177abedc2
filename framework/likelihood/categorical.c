/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * categorical: one of C classes, from C logits (Bishop 2006, eq. 4.104).
 *
 *   -log p(y | f) = logsumexp(f) - f_y                    f [n,C]; y [n] class indices 0 .. C-1
 *   df_c = exp(f_c - logsumexp(f)) - [c = y]
 */
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

static const char *const checks[] = {"categorical", NULL};

const bnn_likelihood_type bnn_likelihood_categorical = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = "categorical", .summary = "one of several classes, from logits",
             .reference = "Bishop 2006, eq. 4.104", .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .draw = draw,
};
