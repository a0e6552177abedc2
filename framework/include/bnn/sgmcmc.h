/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sgmcmc.h: the work that sgld and sghmc share: chains that follow gradients of minibatches with noise of the right size, and reject
 * nothing.
 *
 *   g = dU/dtheta / N on a minibatch;   G = 1 / (eps + sqrt(V)), V the running mean of g^2 from V = 1 on (rmsprop), or 1
 *   v = (1 - friction) v - lr G g + N(0, 2 (friction - noise) lr G T / N);    theta += v
 *
 * U in nats over all N rows, whatever the batch. The chain follows exp(-U/T) up to errors of order lr: of its steps, and of the
 * minibatches, whose noise is added to that of the dynamics. lr is a step size on U/N, as in descent.h: T = 0 is gradient descent with
 * momentum 1 - friction, and a good lr is about one of that. friction = 1 forgets v: Langevin dynamics.
 *
 * V is taken while a chain burns in and stands still while draws are kept. So no correction for the slope of G is needed, the term Gamma
 * that Li et al. 2016 leave out at the price of a bias.
 *
 * cycles > 0 (Zhang et al. 2020): the step size falls from lr to 0 along half a cosine in each cycle; its first `burnin` epochs explore, in
 * the rest draws are kept. They explore without noise, but not where V is taken: gradients at a mode would make G too large for the draws.
 *
 * An engine puts a bnn_sgmcmc_conf into its conf, BNN_SGMCMC_OPTIONS into its option table, the hooks below into its vtable, BNN_EXACT into
 * its caps, and has an open hook that adds friction and noise; its state is a bnn_sgmcmc.
 */
#ifndef BNN_SGMCMC_H
#define BNN_SGMCMC_H

#include <bnn/minibatch.h>
#include <bnn/stored.h>

typedef struct {
    int chains, samples, burnin, thin, batch, cycles, preconditioner;
    double lr, lr_hyper, temperature, decay, eps;
} bnn_sgmcmc_conf;

enum { BNN_PRECONDITIONER_NONE, BNN_PRECONDITIONER_RMSPROP }; /* bnn_sgmcmc_conf.preconditioner */
extern const char *const bnn_preconditioner_names[];

#define BNN_SGMCMC_OPTIONS(conf, field, lr_preset)                                                                               \
    {.name = "chains",                                                                                                           \
     .kind = BNN_OPTION_INT,                                                                                                     \
     .offset = offsetof(conf, field.chains),                                                                                     \
     .preset = "4",                                                                                                              \
     .min = 1,                                                                                                                   \
     .max = 1e4,                                                                                                                 \
     .help = "independent chains, each from its own start"},                                                                     \
        {.name = "samples",                                                                                                      \
         .kind = BNN_OPTION_INT,                                                                                                 \
         .offset = offsetof(conf, field.samples),                                                                                \
         .preset = "100",                                                                                                        \
         .min = 1,                                                                                                               \
         .max = 1e8,                                                                                                             \
         .help = "draws that are kept of each chain"},                                                                           \
        {.name = "burnin",                                                                                                       \
         .kind = BNN_OPTION_INT,                                                                                                 \
         .offset = offsetof(conf, field.burnin),                                                                                 \
         .preset = "1000",                                                                                                       \
         .min = 0,                                                                                                               \
         .max = 1e8,                                                                                                             \
         .help = "epochs before the first of them; of every cycle"},                                                             \
        {.name = "thin",                                                                                                         \
         .kind = BNN_OPTION_INT,                                                                                                 \
         .offset = offsetof(conf, field.thin),                                                                                   \
         .preset = "20",                                                                                                         \
         .min = 1,                                                                                                               \
         .max = 1e8,                                                                                                             \
         .help = "epochs for each draw that is kept"},                                                                           \
        {.name = "batch",                                                                                                        \
         .kind = BNN_OPTION_INT,                                                                                                 \
         .offset = offsetof(conf, field.batch),                                                                                  \
         .preset = "128",                                                                                                        \
         .min = 1,                                                                                                               \
         .max = 1e9,                                                                                                             \
         .help = "rows of a minibatch (at most the training rows)"},                                                             \
        {.name = "lr",                                                                                                           \
         .kind = BNN_OPTION_REAL,                                                                                                \
         .offset = offsetof(conf, field.lr),                                                                                     \
         .preset = lr_preset,                                                                                                    \
         .min = 0,                                                                                                               \
         .max = 1e9,                                                                                                             \
         .help = "step size on U/N"},                                                                                            \
        {.name = "lr_hyper",                                                                                                     \
         .kind = BNN_OPTION_REAL,                                                                                                \
         .offset = offsetof(conf, field.lr_hyper),                                                                               \
         .preset = "0.01",                                                                                                       \
         .min = 0,                                                                                                               \
         .max = 1e9,                                                                                                             \
         .help = "step size of the noise and of the scales of the prior"},                                                       \
        {.name = "temperature",                                                                                                  \
         .kind = BNN_OPTION_REAL,                                                                                                \
         .offset = offsetof(conf, field.temperature),                                                                            \
         .preset = "1",                                                                                                          \
         .min = 0,                                                                                                               \
         .max = 1e9,                                                                                                             \
         .help = "T of exp(-U/T); 0: gradient descent"},                                                                         \
        {.name = "cycles",                                                                                                       \
         .kind = BNN_OPTION_INT,                                                                                                 \
         .offset = offsetof(conf, field.cycles),                                                                                 \
         .preset = "0",                                                                                                          \
         .min = 0,                                                                                                               \
         .max = 1e6,                                                                                                             \
         .help = "cycles of a falling step size, with equal shares of the samples; 0: it is constant"},                          \
        {.name = "preconditioner",                                                                                               \
         .kind = BNN_OPTION_CHOICE,                                                                                              \
         .offset = offsetof(conf, field.preconditioner),                                                                         \
         .preset = "rmsprop",                                                                                                    \
         .choices = bnn_preconditioner_names,                                                                                    \
         .help = "step sizes of the parameters: none, all the same; rmsprop, by their mean squared gradients in burn-in"},       \
        {.name = "decay",                                                                                                        \
         .kind = BNN_OPTION_REAL,                                                                                                \
         .offset = offsetof(conf, field.decay),                                                                                  \
         .preset = "0.99",                                                                                                       \
         .min = 0,                                                                                                               \
         .max = 0.999999,                                                                                                        \
         .help = "of that mean, for each step"},                                                                                 \
    {                                                                                                                            \
        .name = "eps", .kind = BNN_OPTION_REAL, .offset = offsetof(conf, field.eps), .preset = "1e-5", .min = 1e-30, .max = 1e9, \
        .help = "added to its root"                                                                                              \
    }

/* What one chain works with. */
typedef struct {
    bnn_minibatch batch;
    bnn_workspace *ws;
    bnn_real *theta, *grad, *v, *squares, *z; /* [n]; grad of U/N; v: the last change; squares: V; z: noise */
    bnn_terms terms;                          /* mean over the minibatches of the last epoch, as the next two */
    double configurational, kinetic;          /* temperatures: theta dU/dtheta / n, N v^2 / (lr G n), which are T on average where the
                                                 chain follows exp(-U/T) (Wenzel et al. 2020, appendix I) */
} bnn_sgmcmc_chain;

/* Sums over the epochs that draws are kept from; doubles alone, since they are saved as such. */
typedef struct {
    double epochs, configurational, kinetic;
} bnn_sgmcmc_sums;

typedef struct {
    const bnn_sgmcmc_conf *conf;
    double friction, noise;
    const bnn_model *model;
    bnn_rng rng;
    const bnn_data *data; /* set for the time of a step */
    bnn_stored stored;
    bnn_sgmcmc_chain *chain; /* [chains] */
    bnn_sgmcmc_sums sums;    /* over all chains */
    bnn_real *memory;        /* [5, chains, n] what the chains point into: all theta, grad, v, squares, z */
    bnn_range *range;        /* [n_ranges] runs of parameters with one step size */
    int n_ranges;
    uint64_t epochs; /* done */
    char remark[160];
} bnn_sgmcmc;

/* For an engine's open hook: fills the bnn_sgmcmc that is the engine's state. conf is borrowed. 0 < friction <= 1; noise: the part of it
 * that the minibatches make, below friction (Chen et al. 2014, eq. 15: alpha and beta). */
bnn_status bnn_sgmcmc_open(bnn_engine *engine, const bnn_sgmcmc_conf *conf, double friction, double noise, const bnn_data *data);

/* The other hooks of an engine whose state is a bnn_sgmcmc. One step is an epoch of every chain. */
bnn_status bnn_sgmcmc_step(bnn_engine *engine, const bnn_data *data, bnn_step *out);
void bnn_sgmcmc_close(bnn_engine *engine);
bnn_status bnn_sgmcmc_draw(const bnn_engine *engine, int s, bnn_rng rng, bnn_real *theta);
int bnn_sgmcmc_blocks(bnn_engine *engine, bnn_block *out);
int bnn_sgmcmc_n_draws(const bnn_engine *engine);
int bnn_sgmcmc_n_chains(const bnn_engine *engine);
int bnn_sgmcmc_columns(const bnn_engine *engine, bnn_column *out); /* once all draws are there */
const char *bnn_sgmcmc_remark(const bnn_engine *engine);

#endif
