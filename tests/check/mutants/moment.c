/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * moment: adaptive moments (Kingma & Ba 2015, algorithm 1). MUTANT 0 is right, each other one has one fault.
 *
 *   m = b1 m + (1-b1) g    v = b2 v + (1-b2) g^2    theta -= lr m / (1-b1^t) / (sqrt(v / (1-b2^t)) + eps)
 */
#include <bnn/optimizer.h>

#include <math.h>
#include <stdlib.h>

typedef struct {
    double b1, b2, unused;
} conf;

#if MUTANT == 12
#define B2_AT offsetof(conf, b1)
#else
#define B2_AT offsetof(conf, b2)
#endif

static const bnn_option options[] = {{.name = "b1",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, b1),
                                      .preset = "0.9",
                                      .min = 0,
                                      .max = 0.999999,
                                      .help = "decay of the mean of gradients"},
                                     {.name = "b2",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = B2_AT,
                                      .preset = "0.999",
                                      .min = 0,
                                      .max = 0.999999,
                                      .help = "decay of the mean of squared gradients"},
#if MUTANT == 13
                                     {.name = "b1",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, unused),
                                      .preset = "0.5",
                                      .min = 0,
                                      .max = 0.999999,
                                      .help = "a name that is taken"},
#endif
                                     {0}};

/* The share that a decaying mean begun with 0 has after t steps. */
static double share(double decay, uint64_t t, bool corrected) {
#if MUTANT == 16
    t++;
#endif
    return corrected ? 1 - pow(decay, (double)t) : 1;
}

/* The new mean of squares. */
static double mean_square(const conf *c, double v, double g) {
#if MUTANT == 21
    return (void)c, 0.999 * v + 0.001 * g * g;
#elif MUTANT == 24
    return c->b2 * v + g * g;
#else
    return c->b2 * v + (1 - c->b2) * g * g;
#endif
}

#if MUTANT == 11
static const double eps = 0;
#elif MUTANT == 17
static const double eps = 1e-2;
#else
static const double eps = 1e-8;
#endif

static void step(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride) {
    const conf *c = o->object.conf;
    double norm = 1;
#if MUTANT == 2
    static uint64_t calls;
    t = ++calls;
#elif MUTANT == 3
    stride = (size_t)n;
#elif MUTANT == 4
    theta[n] = 0;
#elif MUTANT == 5
    t--;
#elif MUTANT == 25
    if (t > 2000) t -= 2000;
#elif MUTANT == 6
    lr *= lr;
#elif MUTANT == 9
    for (int i = 0; i < n; i++) norm += fabs((double)g[i]);
#elif MUTANT == 10
    void *volatile room = malloc(8);
    free(room);
#endif
    const double mean_share = share(c->b1, t, MUTANT != 15 && MUTANT != 18),
                 square_share = share(MUTANT == 21 ? 0.999 : c->b2, t, MUTANT != 15);
#if MUTANT == 19
    if (n > 8) n -= n % 8;
#elif MUTANT == 20
    if (n > 1000) n = 1000;
#endif
    bnn_real *m = state, *v = state + stride;
    for (int i = 0; i < n; i++) {
        double gi = (double)g[i] / norm, root;
#if MUTANT == 22
        gi = fmin(gi, 1);
#elif MUTANT == 23
        v = n > 64 && i >= 64 ? m : state + stride;
#endif
#if MUTANT == 7
        m[i] = (bnn_real)((double)m[i] + (1 - c->b1) * gi);
#else
        m[i] = (bnn_real)(c->b1 * (double)m[i] + (1 - c->b1) * gi);
#endif
        v[i] = (bnn_real)mean_square(c, (double)v[i], gi);
        root = sqrt((double)v[i] / square_share);
        double move = lr * (double)m[i] / mean_share / (root + eps);
#if MUTANT == 1
        theta[i] += (bnn_real)move;
#elif MUTANT == 8
        theta[i] -= (bnn_real)(move + lr * 0.01 * (double)theta[i]);
#else
        theta[i] -= (bnn_real)move;
#endif
    }
}

static const char *const checks[] = {MUTANT_NAME, MUTANT_NAME ":b2=0.99", NULL};

static const bnn_optimizer_type mutant = {
    .type = {BNN_TYPE(bnn_optimizer_type), .name = MUTANT_NAME, .summary = "adaptive moments", .conf_size = sizeof(conf),
             .options = options, .checks = checks},
#if MUTANT == 14
    .state_per_theta = -1,
#else
    .state_per_theta = 2,
#endif
    .step = step,
};

BNN_OPTIMIZER_PLUGIN(mutant)
