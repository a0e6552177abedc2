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
 * An engine puts a bnn_sgmcmc_conf into its conf, BNN_SGMCMC_OPTIONS into its option table, BNN_SGMCMC_HOOKS into its vtable, BNN_EXACT
 * into its caps, and has an open hook that adds friction and noise; its state is a bnn_sgmcmc.
 */
#ifndef BNN_SGMCMC_H
#define BNN_SGMCMC_H

#include <bnn/minibatch.h>
#include <bnn/stored.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Options of such chains, read by BNN_SGMCMC_OPTIONS, which says what they are. */
typedef struct {
    int chains;         /* independent chains */
    int samples;        /* draws kept of each */
    int burnin;         /* epochs before the first of them; of every cycle; -1: by minibatches */
    int thin;           /* epochs for each draw; 0: by minibatches */
    int batch;          /* rows of a minibatch */
    int cycles;         /* of the step size; 0: it is constant */
    int preconditioner; /* BNN_PRECONDITIONER_... */
    double lr;          /* step size on U/N */
    double lr_hyper;    /* of the role HYPER */
    double temperature; /* T */
    double decay;       /* of V, for each step */
    double eps;         /* added to the root of V */
} bnn_sgmcmc_conf;

/* bnn_sgmcmc_conf.preconditioner */
enum {
    BNN_PRECONDITIONER_NONE,   /* G = 1 */
    BNN_PRECONDITIONER_RMSPROP /* G from mean squared gradients */
};

extern const bnn_option bnn_sgmcmc_options[]; /* the table of a bnn_sgmcmc_conf */

/* The entry of an option table for the bnn_sgmcmc_conf `field` of a conf; the preset as text. */
#define BNN_SGMCMC_OPTIONS(conf, field, lr_preset) BNN_OPT_GROUP(conf, field, bnn_sgmcmc_options, BNN_PRESETS("lr", lr_preset))

/* Position, buffers and temperatures of one chain. */
typedef struct {
    bnn_minibatch batch;    /* the rows of a step */
    bnn_workspace *ws;      /* for a minibatch, with gradients */
    bnn_real *theta, *grad; /* [n] position; gradient of U/N */
    bnn_real *v, *squares;  /* [n] last change of theta; V */
    bnn_real *z;            /* [n] standard normal noise of the step */
    bnn_terms terms;        /* mean over the minibatches of the last epoch, as the next two */
    double configurational; /* temperature: theta dU/dtheta / n, T on average where a chain follows exp(-U/T) (Wenzel et al. 2020, appendix
                               I) */
    double kinetic;         /* temperature: N v^2 / (lr G n), likewise; 0 without momentum */
} bnn_sgmcmc_chain;

/* Sums over the epochs of all chains that draws are kept from; doubles alone, since they are saved as such. */
typedef struct {
    double epochs;                   /* their number */
    double configurational, kinetic; /* sums of the temperatures */
} bnn_sgmcmc_sums;

/* The state of an engine whose chains follow minibatches. */
typedef struct {
    const bnn_sgmcmc_conf *conf; /* borrowed */
    double friction, noise;      /* as bnn_sgmcmc_open has them */
    const bnn_model *model;      /* the engine's */
    bnn_rng rng;                 /* the engine's root stream */
    const bnn_data *data;        /* borrowed for the time of a step */
    bnn_stored stored;           /* the draws, with lp, step size and temperatures of each */
    bnn_sgmcmc_chain *chain;     /* [chains] */
    bnn_sgmcmc_sums sums;        /* for the remark */
    bnn_real *memory;            /* [5, chains, n] what the chains point into: all theta, grad, v, squares, z */
    bnn_range *range;            /* [n_ranges] runs of parameters with one step size */
    int n_ranges;                /* their number */
    uint64_t epochs[3];          /* done; before the first draw of a cycle; for each draw: the last two with the data known */
    char remark[160];            /* "" before the end */
} bnn_sgmcmc;

/* For an engine's open hook: fills the bnn_sgmcmc that is the engine's state. conf is borrowed. 0 < friction <= 1; noise: the part of it
 * that the minibatches make, below friction (Chen et al. 2014, eq. 15: alpha and beta). */
bnn_status bnn_sgmcmc_open(bnn_engine *engine, const bnn_sgmcmc_conf *conf, double friction, double noise, const bnn_data *data);

/* The other hooks of an engine whose state is a bnn_sgmcmc. One step is an epoch of every chain. */
bnn_status bnn_sgmcmc_step(bnn_engine *engine, const bnn_data *data, bnn_step *out);
void bnn_sgmcmc_close(bnn_engine *engine);                                                 /* hook close */
bnn_status bnn_sgmcmc_draw(const bnn_engine *engine, int s, bnn_rng rng, bnn_real *theta); /* hook draw */
int bnn_sgmcmc_blocks(bnn_engine *engine, bnn_block *out);                                 /* hook blocks */
int bnn_sgmcmc_n_draws(const bnn_engine *engine);                                          /* hook n_draws */
int bnn_sgmcmc_n_chains(const bnn_engine *engine);                                         /* hook n_chains */
int bnn_sgmcmc_columns(const bnn_engine *engine, bnn_column *out);                         /* hook columns: once all draws are there */
/* Hook doubts: "temperature_off" where a temperature is further than BNN_TEMPERATURE_OFF of itself from what was asked for. */
bnn_status bnn_sgmcmc_doubts(const bnn_engine *engine, bnn_remarks *verdicts);
#define BNN_TEMPERATURE_OFF 0.3                          /* a spread is off by half of that */
const char *bnn_sgmcmc_remark(const bnn_engine *engine); /* hook remark: the temperatures */

/* All of them in a vtable, with the size of the state. */
#define BNN_SGMCMC_HOOKS                                                                                                    \
    .state_size = sizeof(bnn_sgmcmc), .step = bnn_sgmcmc_step, .close = bnn_sgmcmc_close, .blocks = bnn_sgmcmc_blocks,      \
    .draw = bnn_sgmcmc_draw, .n_draws = bnn_sgmcmc_n_draws, .n_chains = bnn_sgmcmc_n_chains, .columns = bnn_sgmcmc_columns, \
    .doubts = bnn_sgmcmc_doubts, .remark = bnn_sgmcmc_remark

/* Where such engines are known to fail (bnn_engine_type.fails). */
#define BNN_SGMCMC_FAILS                                                                                                          \
    "wrong by their step size and by the noise of their minibatches; chains on networks seldom meet. Seen as: temperatures away " \
    "from 1 in the remark, chains_apart."

#ifdef __cplusplus
}
#endif

#endif
