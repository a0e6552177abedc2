/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sgld: draws by stochastic-gradient Langevin dynamics (Welling & Teh 2011).
 *
 *   theta -= lr G dU/dtheta / N + N(0, 2 lr G T / N)          U on a minibatch, in nats over all N rows
 *
 * Welling & Teh's epsilon_t is 2 lr / N. Their step sizes fall to 0, here they are constant (Vollmer, Zygalakis & Teh 2016), or fall in
 * cycles (Zhang et al. 2020). With preconditioner=rmsprop G is that of Li et al. 2016, taken during burn-in.
 *
 * On a quadratic U/N with curvature a and all rows in the batch, the chain has the variance T / (N a (1 - lr a / 2)): too wide by that
 * factor, and unstable from lr a = 2 on.
 */
#include <bnn/sgmcmc.h>

typedef struct {
    bnn_sgmcmc_conf sgmcmc;
} conf;

static const bnn_option options[] = {BNN_SGMCMC_OPTIONS(conf, sgmcmc, "0.001"), {0}};

static bnn_status open(bnn_engine *e, const bnn_data *data) {
    return bnn_sgmcmc_open(e, &((const conf *)e->object.conf)->sgmcmc, 1, 0, data);
}

static const char *const checks[] = {"sgld:chains=3,samples=4,burnin=5,thin=2,batch=16",
                                     "sgld:chains=2,samples=4,burnin=4,thin=1,batch=16,cycles=2,preconditioner=none", NULL};

static const bnn_claim claims[] = {{"sgld:chains=32,samples=150,burnin=1000,thin=20,lr=0.03,preconditioner=none", BNN_FINDS_POSTERIOR, 0.1},
                                   {NULL, 0, 0}};

const bnn_engine_type bnn_engine_sgld = {
    .type = {BNN_TYPE(bnn_engine_type), .name = "sgld", .summary = "draws by Langevin dynamics on minibatches",
             .reference = "Welling & Teh 2011; Li et al. 2016; Zhang et al. 2020", .caps = BNN_EXACT | BNN_WEIGHS | BNN_TAKES,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    BNN_SGMCMC_HOOKS,
    .open = open,
    .claims = claims,
    .fails = BNN_SGMCMC_FAILS,
};
