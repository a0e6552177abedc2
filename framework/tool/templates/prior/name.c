/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @name@: weights with Laplace's density.
 *
 *   log p(w) = -|w| / b - log(2 b)
 *
 * Replace the mathematics, keep the shape of the file: options, hooks, checks, vtable, plugin. <bnn/prior.h> is the whole contract.
 */
#include <bnn/kernels.h>
#include <bnn/prior.h>

#include <math.h>

/* Options, read from texts such as `@name@:scale=0.5`. The framework parses, checks and prints them by this table. */
typedef struct {
    double scale;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, scale, "1", 0.001, 1000, "mean of |w|"), {0}};

/* logp, REQUIRED: log density of any n numbers of a block, in nats, with its normaliser; dw (NULL: not wanted) is SET to its gradient. The block
 * says whose numbers they are: layer, weights or biases, fan_in. */
static double logp(const bnn_prior *p, const bnn_prior_block *block, int n, const bnn_real *w, bnn_real *dw) {
    const conf *c = p->object.conf;
    double total = 0;
    (void)block;
    for (int i = 0; i < n; i++) {
        total -= fabs((double)w[i]) / c->scale + log(2 * c->scale);
        if (dw) dw[i] = (bnn_real)(((w[i] < 0) - (w[i] > 0)) / c->scale);
    }
    return total;
}

/* draw, REQUIRED: n numbers from that density, all of whose noise is that of the stream. */
static void draw(const bnn_prior *p, const bnn_prior_block *block, bnn_rng rng, int n, bnn_real *out) {
    const conf *c = p->object.conf;
    (void)block;
    bnn_rng_uniform(rng, 0, 1, n, out);
    for (int i = 0; i < n; i++) {
        double u = (double)out[i] - 0.5;
        out[i] = (bnn_real)(u < 0 ? c->scale * log1p(2 * u) : -c->scale * log1p(-2 * u));
    }
}

/* OPTIONAL: kl_gaussian, without which Monte Carlo takes its place; sd, of a Gaussian; n_scales and logp_scale for scales that are learned. */

/* Specs that `bnn check` runs its rules on: one for each way that the options can take. */
static const char *const checks[] = {"@name@", "@name@:scale=0.3", NULL};

const bnn_prior_type bnn_prior_@name@ = {
    .type = {BNN_TYPE(bnn_prior_type), .name = "@name@", .summary = "Laplace's density", .reference = "Laplace 1774",
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .logp = logp,
    .draw = draw,
};

BNN_PRIOR_PLUGIN(bnn_prior_@name@)
