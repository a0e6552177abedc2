/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * nuts: draws from the posterior by the no-U-turn sampler (Hoffman & Gelman 2014), which finds the length of each trajectory itself.
 *
 *   p ~ N(0, M);   leapfrogs of H = U(theta) + p M^-1 p / 2 forwards or backwards in time, twice as many each time, until an end of the
 *   trajectory stops going away from the other: p_end M^-1 (sum of all p) <= 0;   theta drawn from the trajectory with weights exp(-H)
 *
 * Weights in place of the paper's slice, and sums of momenta in place of the distance of the ends, are of Betancourt 2017, appendix A.
 * Every leapfrog takes the gradient of U over all rows.
 */
#include <bnn/sampler.h>

typedef struct {
    int max_depth;
    bnn_sampler_conf sampler;
} conf;

static const bnn_option options[] = {
    BNN_OPT_INT(conf, max_depth, "10", 1, 30, "doublings at most: 2^max_depth - 1 leapfrogs, one gradient each"),
    BNN_SAMPLER_OPTIONS(conf, sampler, "250", "500", "0"),
    {0}};

static void transition(const void *of, bnn_hamiltonian *h, double step, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out) {
    bnn_nuts_transition(h, step, ((const conf *)of)->max_depth, rng, z, room, out);
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    BNN_TRY(bnn_sampler_open(e, &c->sampler, (bnn_transition_rule){transition, c, bnn_nuts_room(e->model->n_theta, c->max_depth)}, data));
    bnn_sampler_expect(e, &c->sampler, 1, data); /* at least: how many there will be is not known */
    return BNN_OK;
}

static const char *const checks[] = {"nuts:max_depth=4,chains=2,samples=4,warmup=25", NULL};

static const bnn_claim claims[] = {{"nuts:chains=32,samples=200,warmup=150", BNN_FINDS_POSTERIOR, 0}, {NULL, 0, 0}};

const bnn_engine_type bnn_engine_nuts = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "nuts", .summary = "draws from the posterior by the no-U-turn sampler",
             .reference = "Hoffman & Gelman 2014; Betancourt 2017", .caps = BNN_EXACT | BNN_WEIGHS | BNN_SPREADS,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    BNN_SAMPLER_HOOKS,
    .open = open,
    .claims = claims,
    .fails = BNN_SAMPLER_FAILS,
};
