/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ample: one real target whose Gaussian noise the network predicts. ample_0 is right, each other type has one fault: has(l, k) in its
 * hooks. Each is as ample_0 where outputs are as large as they begin.
 *
 *   -log p(y | f) = (y - m)^2 e^(-2 s) / 2 + s + log(2 pi)/2          f = [m | s] [n, 2], s as if cut to [-15, 15]
 */
#include <bnn/likelihood.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double half_log_2pi = 0.91893853320467274178, widest = 15;

static bool has(const bnn_likelihood *l, int fault) { return atoi(strrchr(l->object.type->name, '_') + 1) == fault; }

/* What it refuses it has made room for already. */
static bnn_status bind(bnn_likelihood *l) {
    l->own = calloc(1, sizeof(double));
    if (!l->own) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    bool fits = l->n_classes == 0 && l->y_dim == 1;
    if (!fits && has(l, 6)) l->own = NULL;
    if (!fits) return bnn_fail(BNN_ERR_SHAPE, "needs one real target, but the data have %d and %d classes", l->y_dim, l->n_classes);
    l->out_dim = 2;
    l->mean_dim = l->pit_dim = 1;
    return BNN_OK;
}

static void close(bnn_likelihood *l) { free(l->own); }

static double log_sd(bnn_real s) { return fmin(fmax((double)s, -widest), widest); }

static double logp_of(const bnn_likelihood *l, const bnn_real f[2], double y) {
    double s = log_sd(f[1]), z = (y - (double)f[0]) * exp(-s);
    return -z * z / 2 - (has(l, 1) ? fmin(s, 4) : s) - half_log_2pi;
}

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    double sum = 0, *kept = l->own;
    (void)theta, (void)dtheta;
    for (int i = 0; i < n; i++) {
        double s = log_sd(f[2 * i + 1]), z = ((double)y[i] - (double)f[2 * i]) * exp(-s), pull = -z * exp(-s);
        if (has(l, 2) && fabs(z) > 30) pull /= 2;
        if (has(l, 7)) *kept = pull, pull = *kept;
        bool flat = fabs((double)f[2 * i + 1]) > widest;
        if (df) df[2 * i] = (bnn_real)(scale * pull);
        if (df) df[2 * i + 1] = flat ? 0 : (bnn_real)(scale * ((has(l, 1) && s > 4 ? 0 : 1) - z * z));
        sum -= logp_of(l, f + 2 * i, (double)y[i]);
    }
    return sum;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    (void)theta;
    for (int i = 0; i < n; i++) {
        double s = log_sd(f[2 * i + 1]), z = y ? ((double)y[i] - (double)f[2 * i]) * exp(-s) : 0;
        if (out->mean) out->mean[i] = f[2 * i];
        if (out->var) out->var[i] = (bnn_real)exp(2 * (has(l, 3) ? fmin(s, 3) : s));
        if (out->pit) out->pit[i] = (bnn_real)((has(l, 4) && z < -1.5 ? 0.45 : 0.5) * erfc(-z / sqrt(2)));
        if (out->logp) out->logp[i] = logp_of(l, f + 2 * i, (double)y[i]);
    }
}

static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    (void)theta;
    bnn_rng_normal(rng, row0, n, 1, y);
    for (int i = 0; i < n; i++) {
        double s = log_sd(f[2 * i + 1]);
        y[i] = (bnn_real)((double)f[2 * i] + exp(has(l, 5) ? fmin(s, 2.5) : s) * (double)y[i]);
    }
}

/* Fisher information: e^(-2 s) of m, 2 of s. */
static void curvature(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root) {
    (void)theta;
    for (int i = 0; i < n; i++, f += 2, root += 4) {
        double s = log_sd(f[1]);
        root[0] = (bnn_real)exp(-(has(l, 8) ? fmax(s, -2) : s));
        root[1] = root[2] = 0;
        root[3] = fabs((double)f[1]) > widest ? 0 : (bnn_real)sqrt(2);
    }
}

#define MUTANT(k)                                                                                                                    \
    static const char *const checks_##k[] = {"ample_" #k, NULL};                                                                     \
    static const bnn_likelihood_type ample_##k = {                                                                                   \
        .type = {BNN_TYPE(bnn_likelihood_type), .name = "ample_" #k, .summary = "Gaussian noise of any size", .checks = checks_##k}, \
        .bind = bind,                                                                                                                \
        .nll = nll,                                                                                                                  \
        .observe = observe,                                                                                                          \
        .draw = draw,                                                                                                                \
        .curvature = curvature,                                                                                                      \
        .close = close,                                                                                                              \
    };

MUTANT(0)
MUTANT(1)
MUTANT(2)
MUTANT(3)
MUTANT(4)
MUTANT(5) MUTANT(6) MUTANT(7) MUTANT(8)

#define ENTRY(k) BNN_LIKELIHOOD_ENTRY(ample_##k)
    BNN_PLUGIN("ample", ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6), ENTRY(7), ENTRY(8))
