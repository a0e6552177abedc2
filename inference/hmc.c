/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * hmc: draws from the posterior by Hamiltonian Monte Carlo (Duane et al. 1987; for networks Neal 1995).
 *
 *   p ~ N(0, M);   `steps` leapfrogs of H = U(theta) + p M^-1 p / 2;   accept with probability min(1, exp(H before - H after))
 *
 * Every leapfrog takes the gradient of U over all rows. Long trajectories are the point: a walk of L steps goes about as far as L^2 random
 * ones. Step sizes are jittered, since trajectories of one fixed length may be periods of the motion. Scales and noise are
 * parameters like all others (on a log scale), and one trajectory moves them along with the weights (Choo 2000); or they are drawn given
 * the weights between trajectories (scales=gibbs, Neal's own way); or both (scales=noncentred, sampler.h).
 */
#include <bnn/sampler.h>

typedef struct {
    int steps;
    bnn_sampler_conf sampler;
} conf;

static const bnn_option options[] = {BNN_OPT_INT(conf, steps, "100", 1, 1e9, "leapfrogs of a trajectory, one gradient each"),
                                     BNN_SAMPLER_OPTIONS(conf, sampler, "250", "250", "0.2"),
                                     {0}};

static void transition(const void *of, bnn_hamiltonian *h, double step, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out) {
    bnn_hmc_transition(h, step, ((const conf *)of)->steps, rng, z, room, out);
}

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    BNN_TRY(bnn_sampler_open(e, &c->sampler, (bnn_transition_rule){transition, c, bnn_hmc_room(e->model->n_theta)}, data));
    bnn_sampler_expect(e, &c->sampler, c->steps, data);
    return BNN_OK;
}

static const char *const checks[] = {"hmc:steps=5,chains=3,samples=4,warmup=25",
                                     "hmc:steps=3,chains=2,samples=3,warmup=0,thin=2,jitter=0.2,scales=gibbs",
                                     "hmc:steps=3,chains=2,samples=3,warmup=20,scales=noncentred", NULL};

static const bnn_claim claims[] = {{"hmc:steps=8,chains=32,samples=200,warmup=150", BNN_FINDS_POSTERIOR, 0}, {NULL, 0, 0}};

const bnn_engine_type bnn_engine_hmc = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "hmc", .summary = "draws from the posterior by Hamiltonian Monte Carlo",
             .reference = "Neal 1995; Neal 2011", .caps = BNN_EXACT | BNN_WEIGHS | BNN_SPREADS,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    BNN_SAMPLER_HOOKS,
    .open = open,
    .claims = claims,
    .fails = BNN_SAMPLER_FAILS,
};
