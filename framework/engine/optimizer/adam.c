/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * adam: adaptive moments (Kingma & Ba 2015, algorithm 1).
 *
 *   m = b1 m + (1-b1) g    v = b2 v + (1-b2) g^2    theta -= lr sqrt(1-b2^t)/(1-b1^t) m / (sqrt(v) + eps')
 *
 * eps' = eps sqrt(1-b2^t), so that eps stands where the algorithm (not the faster form of section 2) has it.
 */
#include <bnn/kernels.h>
#include <bnn/optimizer.h>

#include <tgmath.h>

typedef struct {
    double beta1, beta2, eps;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, beta1, "0.9", 0, 0.999999, "decay of the mean of gradients"),
                                     BNN_OPT_REAL(conf, beta2, "0.999", 0, 0.999999, "decay of the mean of squared gradients"),
                                     BNN_OPT_REAL(conf, eps, "1e-8", 1e-30, 1, "added to the root of the squares"),
                                     {0}};

BNN_LOOP static void sweep(int n, bnn_real b1, bnn_real b2, bnn_real rate, bnn_real eps, const bnn_real *restrict g, bnn_real *restrict m,
                           bnn_real *restrict v, bnn_real *restrict theta) {
    const bnn_real one = 1;
    for (int i = 0; i < n; i++) {
        m[i] = b1 * m[i] + (one - b1) * g[i];
        v[i] = b2 * v[i] + (one - b2) * g[i] * g[i];
        theta[i] -= rate * m[i] / (sqrt(v[i]) + eps);
    }
}

static void step(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride) {
    const conf *c = o->object.conf;
    double root = sqrt(1 - pow(c->beta2, (double)t));
    double rate = lr * root / (1 - pow(c->beta1, (double)t));
    sweep(n, (bnn_real)c->beta1, (bnn_real)c->beta2, (bnn_real)rate, (bnn_real)(c->eps * root), g, state, state + stride, theta);
}

static const char *const checks[] = {"adam", "adam:beta1=0.5,eps=1e-7", NULL};

const bnn_optimizer_type bnn_optimizer_adam = {
    .type = {BNN_TYPE(bnn_optimizer_type), .name = "adam", .summary = "adaptive moments", .reference = "Kingma & Ba 2015, algorithm 1",
             .caps = BNN_OPTIMIZER_EVEN, .conf_size = sizeof(conf), .options = options, .checks = checks},
    .state_per_theta = 2,
    .step = step,
};
