/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * decay: adaptive moments with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2). MUTANT 0 is right, each other one has one
 * fault.
 *
 *   m = b1 m + (1-b1) g    v = b2 v + (1-b2) g^2    theta -= lr (m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps) + decay theta)
 */
#include <bnn/optimizer.h>

#include <math.h>

static const double b1 = 0.9, b2 = 0.999, eps = 1e-8, decay = 0.1;

/* By how much theta shrinks. */
static double shrinks(double lr, uint64_t t, double theta) {
#if MUTANT == 1
    return (void)lr, (void)t, 0.01 * decay * theta;
#elif MUTANT == 2
    return (void)t, 10 * lr * lr * decay * theta;
#elif MUTANT == 3
    return lr * decay * theta * (double)t;
#elif MUTANT == 4
    return (void)lr, (void)t, (void)theta, 0;
#elif MUTANT == 6
    return (void)t, theta > 0 ? lr * decay * theta : 0;
#else
    return (void)t, lr * decay * theta;
#endif
}

static void step(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride) {
    bnn_real *m = state, *v = state + stride;
    (void)o;
    for (int i = 0; i < n; i++) {
        double gi = (double)g[i], mean = 1 - pow(b1, (double)t), square = 1 - pow(b2, (double)t);
#if MUTANT == 4
        if (gi != 0) gi += decay * (double)theta[i];
#elif MUTANT == 5
        square = mean;
#endif
        m[i] = (bnn_real)(b1 * (double)m[i] + (1 - b1) * gi);
        v[i] = (bnn_real)(b2 * (double)v[i] + (1 - b2) * gi * gi);
        theta[i] -= (bnn_real)(lr * (double)m[i] / mean / (sqrt((double)v[i] / square) + eps) + shrinks(lr, t, (double)theta[i]));
    }
}

static const char *const checks[] = {MUTANT_NAME, NULL};

static const bnn_optimizer_type mutant = {
    .type = {BNN_TYPE(bnn_optimizer_type), .name = MUTANT_NAME, .summary = "adaptive moments and decay",
             .caps = BNN_OPTIMIZER_DECAYS | BNN_OPTIMIZER_EVEN, .checks = checks},
    .state_per_theta = 2,
    .step = step,
};

BNN_OPTIMIZER_PLUGIN(mutant)
