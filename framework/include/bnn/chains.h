/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * chains.h: Markov chains of Hamiltonian transitions on any smooth density, tuned while they warm up.
 *
 * Warm-up, as in Stan: the step size by dual averaging towards target_accept (Hoffman & Gelman 2014, section 3.2), from where a doubling
 * or halving of `step` crosses acceptance 1/2; the metric from the variances of the positions in windows of doubling length, each of which
 * starts the step size again. After it both stand still, as a Markov chain must.
 */
#ifndef BNN_CHAINS_H
#define BNN_CHAINS_H

#include <bnn/hamiltonian.h>
#include <bnn/option.h>
#include <bnn/stored.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Options of chains, read by bnn_chains_options, which says what they are. */
typedef struct {
    int chains;           /* independent chains */
    int samples;          /* draws kept of each */
    int warmup;           /* transitions before them */
    int thin;             /* transitions for each draw */
    int metric;           /* BNN_METRIC_... */
    double target_accept; /* mean probability of acceptance that warm-up aims at */
    double step;          /* size before it is tuned */
    double jitter;        /* relative half-width of the random step size */
} bnn_chains_conf;

/* bnn_chains_conf.metric */
enum {
    BNN_METRIC_DIAGONAL, /* inverse masses tuned to the variances */
    BNN_METRIC_UNIT      /* all 1 */
};

extern const bnn_option bnn_chains_options[]; /* the table of a bnn_chains_conf */

/* How a chain makes a transition: hamiltonian.h has two. */
typedef struct {
    /* Moves z, an updated phase, as bnn_hmc_transition does. */
    void (*transition)(const void *conf, bnn_hamiltonian *h, double step, bnn_rng rng, bnn_phase *z, double *room, bnn_transition *out);
    const void *conf; /* handed to transition; borrowed */
    size_t room;      /* doubles that it needs, at least n */
} bnn_transition_rule;

typedef struct bnn_chains bnn_chains;
/* Step before each transition of a chain: may move z[chain].q in a way that keeps the density, or change to other coordinates, which
 * `after` changes back; it updates the phase, and sets the chain's var, which may depend on what the transition holds (var 0) alone.
 * Windows are left out then. tuning: transitions of the warm-up made before this one; -1 behind it. */
typedef bnn_status (*bnn_chains_move)(bnn_chains *c, int chain, bnn_rng rng, int tuning);
typedef void (*bnn_chains_after)(bnn_chains *c, int chain); /* back to the coordinates of the draws */

/* State of one chain besides its position and its metric; doubles alone, since it is saved as such. */
typedef struct {
    double step;                             /* of the leapfrog */
    double anchor, slack, log_mean, n_tuned; /* of dual averaging, in this order mu, H-bar, log epsilon-bar, m */
    double n_window;                         /* positions in the window's variances */
    double accept, leapfrogs, divergences;   /* sums after the warm-up */
    double energy, jumps, n, mean, squares;  /* after it: last energy; sum of squared changes; number, mean, squared deviations */
} bnn_chain_state;

/* Columns that are kept beside each draw. */
enum {
    BNN_STAT_LP,        /* -U, nats */
    BNN_STAT_ENERGY,    /* H, nats */
    BNN_STAT_ACCEPT,    /* probability of acceptance */
    BNN_STAT_DIVERGING, /* 1: the trajectory diverged */
    BNN_STAT_STEP,      /* step size */
    BNN_STAT_LEAPFROGS, /* leapfrogs taken */
    BNN_STAT_DEPTH,     /* doublings (nuts) */
    BNN_N_STATS         /* their number */
};

/* Chains at work. Fields are read by whoever holds them and written by the functions below alone, but for q before the first step. */
struct bnn_chains {
    const bnn_chains_conf *conf; /* borrowed */
    bnn_transition_rule rule;    /* how they move */
    int n;                       /* parameters */
    bnn_rng rng;                 /* split by chain, then by transition */
    bnn_hamiltonian *h;          /* [chains] the density, one context for each */
    bnn_chain_state *chain;      /* [chains] */
    double *q, *var;             /* [chains, n] positions; inverse masses */
    double *mean, *squares;      /* [chains, n] of the positions in the window, about their mean */
    bnn_stored stored;           /* draws with BNN_N_STATS statistics */
    uint64_t transitions;        /* of each chain, so far */
    bnn_phase *z;                /* [chains] where they stand: q in the array above */
    bnn_chains_move move;        /* what they do before each transition, or NULL */
    bnn_chains_after after;      /* behind each transition, or NULL */
    void *context;               /* handed to move */
    double *room;                /* [chains, 2 n + rule.room] */
    bnn_real *scratch;           /* [chains, 2 n] */
};

/* Bytes of chains of n parameters: for bnn_memory_check before they are opened, together with what else a transition needs. */
double bnn_chains_bytes(const bnn_chains_conf *conf, bnn_transition_rule rule, int n);

/* Chains of n parameters at position 0 with a metric of ones. conf and rule.conf are borrowed; streams follow from rng alone. The caller
 * sets u and context of every h, and the positions. */
bnn_status bnn_chains_open(bnn_chains *c, const bnn_chains_conf *conf, bnn_transition_rule rule, int n, bnn_rng rng);
void bnn_chains_close(bnn_chains *c); /* frees what is inside */
/* Lets every chain stand at theta[n]; U is asked for anew there. */
void bnn_chains_place(bnn_chains *c, const bnn_real *theta);
/* One transition of every chain, in parallel. U that is not finite where a chain stands is an error that names the chain. */
bnn_status bnn_chains_step(bnn_chains *c);
/* Likewise of the chains first, first + every, ... alone; the others are taken for moved, by whoever has them. */
bnn_status bnn_chains_step_some(bnn_chains *c, int first, int every);
bool bnn_chains_done(const bnn_chains *c);       /* all draws are there */
double bnn_chains_progress(const bnn_chains *c); /* share of all transitions that is made, 0..1 */
/* Draws kept so far of each chain. */
int bnn_chains_kept(const bnn_chains *c);
/* Estimated share of the energy's variance that momenta bring anew in one transition; below 0.3 a chain hardly reaches the tails
 * (Betancourt 2017, section 6.1). */
double bnn_chain_bfmi(const bnn_chain_state *s);

#ifdef __cplusplus
}
#endif

#endif
