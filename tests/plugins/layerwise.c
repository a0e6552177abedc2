/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * layerwise: a plugin with two optimisers whose weights decay, both on the adaptive moments of adam.
 *
 *   m = b1 m + (1-b1) g    v = b2 v + (1-b2) g^2    r = m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps) + decay theta
 *
 *   adamw    theta -= lr r                       (Loshchilov & Hutter 2019, algorithm 2)
 *   lamb     theta -= lr |theta|/|r| r           norms over a block, ratio 1 where one is 0 (You et al. 2020, algorithm 2)
 */
#include <bnn/optimizer.h>

#include <math.h>

typedef struct {
    double decay;
} conf;

static const bnn_option options[] = {{.name = "decay",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, decay),
                                      .preset = "0.01",
                                      .min = 0,
                                      .max = 1,
                                      .help = "of a parameter, in a step of size 1"},
                                     {0}};

static const double b1 = 0.9, b2 = 0.999, eps = 1e-8;

static void follow(int n, const bnn_real *g, bnn_real *m, bnn_real *v) {
    for (int i = 0; i < n; i++) {
        m[i] = (bnn_real)(b1 * (double)m[i] + (1 - b1) * (double)g[i]);
        v[i] = (bnn_real)(b2 * (double)v[i] + (1 - b2) * (double)g[i] * (double)g[i]);
    }
}

/* r of one parameter. */
static double direction(const bnn_optimizer *o, uint64_t t, double theta, double m, double v) {
    double mean = m / (1 - pow(b1, (double)t)), square = v / (1 - pow(b2, (double)t));
    return mean / (sqrt(square) + eps) + ((const conf *)o->object.conf)->decay * theta;
}

static void step(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride) {
    follow(n, g, state, state + stride);
    for (int i = 0; i < n; i++) theta[i] -= (bnn_real)(lr * direction(o, t, (double)theta[i], (double)state[i], (double)state[stride + i]));
}

static void step_block(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state,
                       size_t stride) {
    double size = 0, length = 0;
    follow(n, g, state, state + stride);
    for (int i = 0; i < n; i++) {
        double r = direction(o, t, (double)theta[i], (double)state[i], (double)state[stride + i]);
        size += (double)theta[i] * (double)theta[i], length += r * r;
    }
    double rate = size > 0 && length > 0 ? lr * sqrt(size / length) : lr;
    for (int i = 0; i < n; i++)
        theta[i] -= (bnn_real)(rate * direction(o, t, (double)theta[i], (double)state[i], (double)state[stride + i]));
}

static const char *const adamw_checks[] = {"adamw", "adamw:decay=0", "adamw:decay=0.3", NULL}, *const lamb_checks[] = {"lamb", NULL};

static const bnn_optimizer_type adamw = {
    .type = {BNN_TYPE(bnn_optimizer_type), .name = "adamw", .summary = "adam with decoupled weight decay",
             .reference = "Loshchilov & Hutter 2019, algorithm 2", .caps = BNN_OPTIMIZER_EVEN,
             /* that it decays its option tells */ .conf_size = sizeof(conf), .options = options, .checks = adamw_checks},
    .state_per_theta = 2,
    .step = step,
};

static const bnn_optimizer_type lamb = {
    .type = {BNN_TYPE(bnn_optimizer_type), .name = "lamb", .summary = "adamw with steps of a block as long as the block",
             .reference = "You et al. 2020, algorithm 2", .caps = BNN_OPTIMIZER_DECAYS | BNN_OPTIMIZER_BY_BLOCKS, .conf_size = sizeof(conf),
             .options = options, .checks = lamb_checks},
    .state_per_theta = 2,
    .step = step_block,
};

BNN_PLUGIN("layerwise", BNN_OPTIMIZER_ENTRY(adamw), BNN_OPTIMIZER_ENTRY(lamb))
