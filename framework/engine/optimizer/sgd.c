/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sgd: gradient descent with momentum (Polyak 1964; Sutskever et al. 2013, eq. 1 and 2, with the step size outside the velocity).
 *
 *   v = momentum v + g    theta -= lr v
 */
#include <bnn/optimizer.h>

typedef struct {
    double momentum;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, momentum, "0.9", 0, 0.999999, "share of the last step's velocity that is kept"),
                                     {0}};

static void step(const bnn_optimizer *o, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride) {
    const conf *c = o->object.conf;
    const bnn_real momentum = (bnn_real)c->momentum, rate = (bnn_real)lr;
    (void)t, (void)stride;
    for (int i = 0; i < n; i++) {
        state[i] = momentum * state[i] + g[i];
        theta[i] -= rate * state[i];
    }
}

static const char *const checks[] = {"sgd", "sgd:momentum=0", NULL};

const bnn_optimizer_type bnn_optimizer_sgd = {
    .type = {BNN_TYPE(bnn_optimizer_type), .name = "sgd", .summary = "gradient descent with momentum",
             .reference = "Polyak 1964; Sutskever et al. 2013, eq. 1", .conf_size = sizeof(conf), .options = options, .checks = checks},
    .state_per_theta = 1,
    .step = step,
};
