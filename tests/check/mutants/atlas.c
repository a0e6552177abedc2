/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * atlas: a map of classes, from logits. MUTANT 0 is right, each other one has one fault.
 *
 *   -log p(y | f) = sum over sites that are not void of log sum_c exp(f_c) - f_y                 f [n, C, sites]; y [n, sites] or -1
 */
#include <bnn/likelihood.h>

#include <math.h>

static bnn_status bind(bnn_likelihood *l) {
    if (l->n_classes < 2) return bnn_fail(BNN_ERR_SHAPE, "needs class indices as targets, but the data have real ones");
    l->sites = l->y_dim;
    l->out_dim = l->mean_dim = l->n_classes * l->sites;
#if MUTANT != 5
    if (l->y_shape.rank == 2 && l->sites > 1) l->out = (bnn_shape){.rank = 3, .d = {l->n_classes, l->y_shape.d[0], l->y_shape.d[1]}};
#endif
    return BNN_OK;
}

/* Class c of site i of all sites. */
static int at(const bnn_likelihood *l, int i, int c) {
#if MUTANT == 2
    return i * l->n_classes + c;
#else
    return (i / l->sites * l->n_classes + c) * l->sites + i % l->sites;
#endif
}

static double log_sum(const bnn_likelihood *l, int i, const bnn_real *f) {
    double top = -INFINITY, sum = 0;
    for (int c = 0; c < l->n_classes; c++) top = fmax(top, (double)f[at(l, i, c)]);
    for (int c = 0; c < l->n_classes; c++) sum += exp((double)f[at(l, i, c)] - top);
    return top + log(sum);
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    double total = 0;
    (void)theta, (void)dtheta;
    for (int i = 0; i < n * l->sites; i++) {
        double all = log_sum(l, i, f);
        bool known = y[i] >= 0;
#if MUTANT == 1
        total += all - (double)f[at(l, i, known ? (int)y[i] : 0)];
#else
        if (known) total += all - (double)f[at(l, i, (int)y[i])];
#endif
        for (int c = 0; df && c < l->n_classes; c++) {
            double slope = exp((double)f[at(l, i, c)] - all) - (c == (int)y[i]);
            df[at(l, i, c)] = (bnn_real)(known || MUTANT == 4 ? scale * slope : 0);
        }
    }
    return total;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    (void)theta;
    for (int i = 0; i < n * l->sites; i++) {
        double all = log_sum(l, i, f);
        for (int c = 0; c < l->n_classes; c++) {
            if (out->mean) out->mean[at(l, i, c)] = (bnn_real)exp((double)f[at(l, i, c)] - all);
            if (out->var) out->var[at(l, i, c)] = 0;
        }
        if (out->logp) out->logp[i] = y[i] >= 0 ? (double)f[at(l, i, (int)y[i])] - all : MUTANT == 3 ? 0 : NAN;
    }
}

/* The largest of f + Gumbel noise. */
static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    uint64_t first = row0 * (uint64_t)l->sites;
    (void)theta;
    for (int i = 0; i < n * l->sites; i++) {
        double best = -INFINITY;
        for (int c = 0; c < l->n_classes; c++) {
            bnn_real u;
            bnn_rng_uniform(bnn_rng_split(rng, (uint64_t)c), first + (uint64_t)i, 1, 1, &u);
            double score = (double)f[at(l, i, c)] - log(-log((double)u));
            if (score > best) best = score, y[i] = (bnn_real)c;
        }
    }
}

static const char *const checks[] = {MUTANT_NAME, NULL};

static const bnn_likelihood_type mutant = {
    .type = {BNN_TYPE(bnn_likelihood_type), .name = MUTANT_NAME, .summary = "a map of classes, from logits", .checks = checks},
    .bind = bind,
    .nll = nll,
    .observe = observe,
    .draw = draw,
};

BNN_LIKELIHOOD_PLUGIN(mutant)
