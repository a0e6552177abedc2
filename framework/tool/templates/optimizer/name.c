/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @name@: gradient descent with Nesterov's momentum (Nesterov 1983; Sutskever et al. 2013).
 *
 *   v = momentum v + g    theta -= lr (momentum v + g)
 *
 * Replace the mathematics, keep the shape of the file: options, step, checks, vtable, plugin. <bnn/optimizer.h> is the whole contract.
 */
#include <bnn/optimizer.h>

/* Options, read from texts such as `@name@:momentum=0.5`. The framework parses, checks and prints them by this table. */
typedef struct {
    double momentum;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, momentum, "0.9", 0, 0.9999, "share of the velocity that is kept"), {0}};

/* step, REQUIRED: one step of size lr on n parameters, any stretch of theta; g is the gradient of U/N, t counts from 1. What is to be
 * remembered stands in state: state_per_theta planes, `stride` apart, zero at the start. */
static void step(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride) {
    const conf *c = o->object.conf;
    const bnn_real momentum = (bnn_real)c->momentum, rate = (bnn_real)lr;
    (void)t, (void)stride; /* for types that count steps, or have a second plane */
    for (int i = 0; i < n; i++) {
        state[i] = momentum * state[i] + g[i];
        theta[i] -= rate * (momentum * state[i] + g[i]);
    }
}

/* Specs that `bnn check` runs its rules on: one for each way that the options can take. */
static const char *const checks[] = {"@name@", "@name@:momentum=0", NULL};

/* Capabilities (.caps): BNN_OPTIMIZER_DECAYS, weights shrink where the gradient is 0; BNN_OPTIMIZER_BY_BLOCKS, a call is for one block. */
const bnn_optimizer_type bnn_optimizer_@name@ = {
    .type = {BNN_TYPE(bnn_optimizer_type), .name = "@name@", .summary = "gradient descent with Nesterov's momentum",
             .reference = "Nesterov 1983", .conf_size = sizeof(conf), .options = options, .checks = checks},
    .state_per_theta = 1,
    .step = step,
};

BNN_OPTIMIZER_PLUGIN(bnn_optimizer_@name@)
