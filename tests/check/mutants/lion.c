/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * lion: steps of equal length against the sign of a mean gradient (Chen et al. 2023). MUTANT 0 is right, the other one has a fault.
 *
 *   theta -= lr sign(b1 m + (1-b1) g)    m = b2 m + (1-b2) g         b1 = 0.9, b2 = 0.99
 */
#include <bnn/optimizer.h>

static void step(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride) {
    const bnn_real rate = (bnn_real)lr;
    (void)o, (void)t, (void)stride;
    for (int i = 0; i < n; i++) {
        double mean = 0.9 * (double)state[i] + 0.1 * (double)g[i];
#if MUTANT == 1
        theta[i] -= mean < 0 ? -rate : rate;
#else
        theta[i] -= mean < 0 ? -rate : mean > 0 ? rate : 0;
#endif
        state[i] = (bnn_real)(0.99 * (double)state[i] + 0.01 * (double)g[i]);
    }
}

static const char *const checks[] = {MUTANT_NAME, NULL};

static const bnn_optimizer_type mutant = {
    .type = {BNN_TYPE(bnn_optimizer_type), .name = MUTANT_NAME, .summary = "steps of equal length", .checks = checks},
    .state_per_theta = 1,
    .step = step,
};

BNN_OPTIMIZER_PLUGIN(mutant)
