/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sghmc: draws by stochastic-gradient Hamiltonian Monte Carlo with friction (Chen, Fox & Guestrin 2014).
 *
 *   v = (1 - friction) v - lr G dU/dtheta / N + N(0, 2 (friction - noise) lr G T / N);    theta += v          U on a minibatch
 *
 * Their eq. 15 with eta = lr G / N, alpha = friction, beta = noise: gradient descent with momentum 1 - friction, and noise. `noise` is the
 * part of the friction that the noise of the minibatches already pays for, lr N Var(g) / (2 T) where Var(g) is the variance of a gradient
 * of U/N; 0, as is usual, takes it to be small. With preconditioner=rmsprop G is taken during burn-in (as the scale adaption of
 * Springenberg et al. 2016 is); cycles are those of Zhang et al. 2020.
 */
#include <bnn/sgmcmc.h>

typedef struct {
    double friction, noise;
    bnn_sgmcmc_conf sgmcmc;
} conf;

static const bnn_option options[] = {
    BNN_OPT_REAL(conf, friction, "0.1", 1e-6, 1, "share of the velocity that is lost in a step: 1 - momentum"),
    BNN_OPT_REAL(conf, noise, "0", 0, 1, "part of the friction that the minibatches' own noise makes up for, below it"),
    BNN_SGMCMC_OPTIONS(conf, sgmcmc, "0.0003"),
    {0}};

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    const conf *c = e->object.conf;
    return bnn_sgmcmc_open(e, &c->sgmcmc, c->friction, c->noise, data);
}

static const char *const checks[] = {"sghmc:chains=3,samples=4,burnin=5,thin=2,batch=16",
                                     "sghmc:chains=2,samples=4,burnin=4,thin=1,batch=16,cycles=2,preconditioner=none", NULL};

static const bnn_claim claims[] = {
    {"sghmc:chains=32,samples=150,burnin=1000,thin=20,lr=0.01,preconditioner=none", BNN_FINDS_POSTERIOR, 0.1}, {NULL, 0, 0}};

const bnn_engine_type bnn_engine_sghmc = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "sghmc", .summary = "draws by Hamiltonian dynamics with friction on minibatches",
             .reference = "Chen, Fox & Guestrin 2014; Springenberg et al. 2016; Zhang et al. 2020",
             .caps = BNN_EXACT | BNN_WEIGHS | BNN_TAKES, .conf_size = sizeof(conf), .options = options, .checks = checks},
    BNN_SGMCMC_HOOKS,
    .open = open,
    .claims = claims,
    .fails = BNN_SGMCMC_FAILS,
};
