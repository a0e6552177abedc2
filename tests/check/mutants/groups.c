/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * groups: Gaussian weights whose log variance s is learned, row by row. MUTANT 0 is right, each other one has one fault.
 *
 *   precision e^-s ~ Gamma of shape a and rate b:   log p(s) = a log b - log Gamma(a) - a s - b e^-s,   the Jacobian e^-s is in it
 */
#include <bnn/prior.h>

#include <math.h>

static const double half_log_2pi = 0.91893853320467274178, a = 2, b = 0.5;

static double logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *z, bnn_real *dz) {
    double total = 0;
    (void)p, (void)block;
    for (int i = 0; i < n; i++) {
        total -= 0.5 * (double)z[i] * (double)z[i] + half_log_2pi;
        if (dz) dz[i] = -z[i];
    }
    return total;
}

static void draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    (void)p, (void)block;
    bnn_rng_normal(rng, 0, 1, n, out);
}

static int n_scales(const bnn_prior *p, const bnn_prior_block *block) {
    (void)p;
#if MUTANT == 3
    return block->rows + 1;
#else
    return block->rows > 0 ? block->rows : 1;
#endif
}

static double logp_scale(const bnn_prior *p, const bnn_prior_block *block, double s, double *ds) {
    (void)p, (void)block;
#if MUTANT == 1
    *ds = b * exp(-s) - (a - 1);
    return a * log(b) - lgamma(a) - (a - 1) * s - b * exp(-s);
#elif MUTANT == 2
    *ds = -b * exp(-s) - a;
    return a * log(b) - lgamma(a) - a * s - b * exp(-s);
#else
    *ds = b * exp(-s) - a;
    return a * log(b) - lgamma(a) - a * s - b * exp(-s);
#endif
}

static double draw_scale_given(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_rng rng) {
    double squares = 0;
    (void)p, (void)block;
#if MUTANT == 6
    for (int i = 0; i < n && i < 64; i++) squares += (double)w[i] * (double)w[i];
#else
    for (int i = 0; i < n; i++) squares += (double)w[i] * (double)w[i];
#endif
#if MUTANT == 4
    return bnn_log_var_draw_given(sqrt(b / a), a, 2 * n, squares, rng);
#elif MUTANT == 5
    return bnn_log_var_draw_given(sqrt(b / a), a, n, 0 * squares, rng);
#else
    return bnn_log_var_draw_given(sqrt(b / a), a, n, squares, rng);
#endif
}

static const char *const checks[] = {MUTANT_NAME, NULL};

static const bnn_prior_type mutant = {
    .type = {BNN_TYPE(bnn_prior_type), .name = MUTANT_NAME, .summary = "Gaussian weights with learned variances", .checks = checks},
    .logp = logp,
    .draw = draw,
    .n_scales = n_scales,
    .logp_scale = logp_scale,
    .draw_scale_given = draw_scale_given,
};

BNN_PRIOR_PLUGIN(mutant)
