/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * level: real targets with Gaussian noise that is learned. level_0 is right, each other type has one fault: has(l, k) in its hooks.
 *
 *   -log p(y | f) = sum_k (y_k - f_k)^2 e^-s_k / 2 + s_k / 2 + log(2 pi)/2       f, y [n, y_dim], theta = s [y_dim]
 *
 * e^-s has a Gamma distribution (bnn_log_var_logp).
 */
#include <bnn/likelihood.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4 };
static const double half_log_2pi = 0.91893853320467274178, sd = 0.7, shape = 2, least = -7;

static bool has(const bnn_likelihood *l, int fault) { return atoi(strrchr(l->object.type->name, '_') + 1) == fault; }

static bnn_status bind(bnn_likelihood *l) {
    if (l->n_classes > 0) return bnn_fail(BNN_ERR_SHAPE, "needs real targets, but the data have %d classes", l->n_classes);
    if (l->y_dim > MOST) return bnn_fail(BNN_ERR_SHAPE, "takes up to %d targets, but the data have %d", MOST, l->y_dim);
    l->out_dim = l->mean_dim = l->n_theta = l->y_dim;
    return BNN_OK;
}

/* With fault 1 there is a least noise, of which the gradient does not know. */
static double log_var(const bnn_likelihood *l, bnn_real s) { return has(l, 1) ? fmax((double)s, least) : (double)s; }

static double nll(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta) {
    int d = l->y_dim;
    double sum = 0;
    for (int i = 0; i < n * d; i++) {
        double s = log_var(l, theta[i % d]), e = (double)f[i] - (double)y[i], slope = e * exp(-s);
        sum += (e * slope + s) / 2 + half_log_2pi;
        if (df) df[i] = (bnn_real)(scale * slope);
        if (dtheta) dtheta[i % d] += (bnn_real)(scale * (1 - e * slope) / 2);
    }
    return sum;
}

static void observe(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta,
                    const bnn_observation *out) {
    int d = l->y_dim;
    for (int i = 0; i < n * d; i++) {
        if (out->mean) out->mean[i] = f[i];
        if (out->var) out->var[i] = (bnn_real)exp(log_var(l, theta[i % d]));
    }
    for (int i = 0; out->logp && i < n; i++) out->logp[i] = -nll(l, 1, f + i * d, y + i * d, theta, 1, NULL, NULL);
}

static void draw(const bnn_likelihood *l, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y) {
    int d = l->y_dim;
    bnn_rng_normal(rng, row0, n, d, y);
    for (int i = 0; i < n * d; i++) y[i] = f[i] + (bnn_real)exp(log_var(l, theta[i % d]) / 2) * y[i];
}

static double logp(const bnn_likelihood *l, const bnn_real *theta, double scale, bnn_real *dtheta) {
    double sum = 0;
    for (int k = 0; k < l->n_theta; k++) {
        double ds;
        sum += bnn_log_var_logp(sd, shape, (double)theta[k], &ds);
        if (dtheta) dtheta[k] += (bnn_real)(scale * ds);
    }
    return sum;
}

static bnn_status draw_theta(const bnn_likelihood *l, bnn_rng rng, bnn_real *theta) {
    for (int k = 0; k < l->n_theta; k++) {
        double s = bnn_log_var_draw(has(l, 2) ? 1.02 * sd : sd, shape, bnn_rng_split(rng, has(l, 3) ? 0 : (uint64_t)k));
        theta[k] = (bnn_real)(has(l, 4) ? exp(s) : s);
    }
    return BNN_OK;
}

static void draw_theta_weighted(const bnn_likelihood *l, int n, const double *weight, const bnn_real *f, const bnn_real *y, bnn_rng rng,
                                bnn_real *theta) {
    int d = l->y_dim;
    for (int k = 0; k < d; k++) {
        double squares = 0, rows = 0;
        for (int i = 0; i < n; i++) {
            double e = (double)f[i * d + k] - (double)y[i * d + k], w = weight ? weight[i] : 1;
            squares += w * e * e, rows += has(l, 5) ? 1 : w;
        }
        theta[k] = (bnn_real)bnn_log_var_draw_given(sd, shape, rows, squares, bnn_rng_split(rng, (uint64_t)k));
    }
}

#define MUTANT(k)                                                                                                 \
    static const char *const checks_##k[] = {"level_" #k, NULL};                                                  \
    static const bnn_likelihood_type level_##k = {                                                                \
        .type = {BNN_TYPE(bnn_likelihood_type), .name = "level_" #k, .summary = "Gaussian noise that is learned", \
                 .caps = BNN_LOG_VARIANCE, .checks = checks_##k},                                                 \
        .bind = bind,                                                                                             \
        .nll = nll,                                                                                               \
        .observe = observe,                                                                                       \
        .draw = draw,                                                                                             \
        .logp = logp,                                                                                             \
        .draw_theta = draw_theta,                                                                                 \
        .draw_theta_weighted = draw_theta_weighted,                                                               \
    };

MUTANT(0)
MUTANT(1)
MUTANT(2)
MUTANT(3) MUTANT(4) MUTANT(5)

#define ENTRY(k) BNN_LIKELIHOOD_ENTRY(level_##k)
    BNN_PLUGIN("level", ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5))
