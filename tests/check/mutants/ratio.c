/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ratio: steps of a block as long as the block (You et al. 2020, without moments). ratio_0 is right, each other type has one fault:
 * has(o, k) in its step.
 *
 *   m = b1 m + (1-b1) g    r = m / (1-b1^t)    theta -= lr |theta| / (|r| + eps) r        norms over a block, 1 in place of |theta| = 0
 */
#include <bnn/optimizer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double eps;
    double kept; /* of fault 6 */
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, eps, "1e-20", 0, INFINITY, "added to the norm of the gradient"), {0}};
static const double b1 = 0.9;

static bool has(const bnn_optimizer *o, int fault) { return atoi(strrchr(o->object.type->name, '_') + 1) == fault; }

/* Of the entries that are counted. */
static double norm_of(const bnn_optimizer *o, int n, const bnn_real *a) {
    double sum = 0;
    if (has(o, 2) && n > 1000) n = 1000;
    for (int i = 0; i < n; i++) sum += (double)a[i] * (double)a[i];
    return sqrt(sum);
}

static void step(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride) {
    conf *c = o->object.conf;
    (void)stride;
    for (int i = 0; i < n; i++) state[i] = (bnn_real)(b1 * (double)state[i] + (1 - b1) * (double)g[i]);
    double size = norm_of(o, n, theta), share = 1 - pow(b1, (double)t), length = norm_of(o, n, state) / share;
    if (size == 0 && !has(o, 1)) size = 1;
    double rate = has(o, 4) ? 1 / (size * length + 1e-20) : has(o, 3) ? size : size / (length + (has(o, 5) ? 1e-20 : c->eps));
    if (has(o, 6)) c->kept = rate, rate = c->kept;
    for (int i = 0; i < n && length > 0; i++) theta[i] -= (bnn_real)(lr * rate * (double)state[i] / share);
}

#define MUTANT(k)                                                                                                       \
    static const char *const checks_##k[] = {"ratio_" #k, NULL};                                                        \
    static const bnn_optimizer_type ratio_##k = {                                                                       \
        .type = {BNN_TYPE(bnn_optimizer_type), .name = "ratio_" #k, .summary = "steps as long as the block",            \
                 .caps = BNN_OPTIMIZER_BY_BLOCKS, .conf_size = sizeof(conf), .options = options, .checks = checks_##k}, \
        .state_per_theta = 1,                                                                                           \
        .step = step,                                                                                                   \
    };

MUTANT(0)
MUTANT(1)
MUTANT(2)
MUTANT(3) MUTANT(4) MUTANT(5) MUTANT(6)

#define ENTRY(k) BNN_OPTIMIZER_ENTRY(ratio_##k)
    BNN_PLUGIN("ratio", ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6))
