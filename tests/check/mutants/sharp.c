/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sharp: Laplace's density, which has a kink at 0. MUTANT 0 is right, the other one has a fault.
 *
 *   log p(w) = sum_i -|w_i| / b - log(2 b)         b = 1/2
 */
#include <bnn/prior.h>

#include <math.h>

static const double b = 0.5;

static double logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    double total = 0;
    (void)p, (void)block;
    for (int i = 0; i < n; i++) {
#if MUTANT == 1
        total -= fabs((double)w[i]) / b + log(b);
#else
        total -= fabs((double)w[i]) / b + log(2 * b);
#endif
        if (dw) dw[i] = (bnn_real)(((w[i] < 0) - (w[i] > 0)) / b);
    }
    return total;
}

static void draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    (void)p, (void)block;
    bnn_rng_uniform(rng, 0, 1, n, out);
    for (int i = 0; i < n; i++) {
        double u = (double)out[i] - 0.5;
        out[i] = (bnn_real)(u < 0 ? b * log1p(2 * u) : -b * log1p(-2 * u));
    }
}

static const char *const checks[] = {MUTANT_NAME, NULL};

static const bnn_prior_type mutant = {
    .type = {BNN_TYPE(bnn_prior_type), .name = MUTANT_NAME, .summary = "Laplace's density", .checks = checks},
    .logp = logp,
    .draw = draw,
};

BNN_PRIOR_PLUGIN(mutant)
