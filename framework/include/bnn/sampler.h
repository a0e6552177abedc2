/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sampler.h: the work that hmc and nuts share: chains (chains.h) on the posterior exp(-U) of a model.
 *
 * An engine puts a bnn_sampler_conf into its conf, BNN_SAMPLER_OPTIONS into its option table, BNN_SAMPLER_HOOKS into its vtable, BNN_EXACT
 * into its caps, and has an open hook that adds the rule of its transition; its state is a bnn_sampler. Every evaluation of U takes all
 * rows.
 */
#ifndef BNN_SAMPLER_H
#define BNN_SAMPLER_H

#include <bnn/chains.h>
#include <bnn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Options of a sampler, read by BNN_SAMPLER_OPTIONS. */
typedef struct {
    bnn_chains_conf chains; /* of its chains */
    int scales;             /* BNN_SCALES_... */
} bnn_sampler_conf;

/* bnn_sampler_conf.scales: how the scales of a hierarchical prior and the noise move. What cannot be drawn given the rest, for want of a
 * hook of its prior or likelihood, moves on the trajectory in each case. */
enum {
    BNN_SCALES_JOINT,     /* with the weights, on one trajectory (Choo 2000) */
    BNN_SCALES_GIBBS,     /* drawn given the weights before each trajectory, which holds them (Neal 1996, section 3.2) */
    BNN_SCALES_NONCENTRED /* drawn so, too; then the trajectory holds the noise and moves scales s with z = w e^(-s/2), whose prior they are
                             not in (Papaspiliopoulos et al. 2007; both in turns: Yu & Meng 2011) */
};

extern const bnn_option bnn_sampler_options[]; /* the table of a bnn_sampler_conf */

/* The entry of an option table for the bnn_sampler_conf `field` of a conf; presets as texts. */
#define BNN_SAMPLER_OPTIONS(conf, field, samples_preset, warmup_preset, jitter_preset) \
    BNN_OPT_GROUP(conf, field, bnn_sampler_options,                                    \
                  BNN_PRESETS("samples", samples_preset, "warmup", warmup_preset, "jitter", jitter_preset))

/* Objective of one chain, with its buffers. */
typedef struct {
    const bnn_model *model;             /* the engine's */
    const bnn_data *data;               /* set for the time of a step */
    bnn_workspace *ws;                  /* the chain's own */
    bnn_terms terms;                    /* of the last evaluation */
    const struct bnn_gibbs *noncentred; /* not NULL: the weights that it is asked for are in units of their scales */
    bnn_real *theta;                    /* [n_theta] those that they make */
} bnn_posterior;

/* The state of an engine that samples. */
typedef struct {
    bnn_chains chains;        /* on theta */
    bnn_posterior *posterior; /* [chains] */
    bnn_real *theta;          /* [n_theta] where the first chain stands */
    char remark[192];         /* a sentence about the chains; "": none */
    struct bnn_gibbs *gibbs;  /* of scales=gibbs and noncentred; else NULL */
    double *curvature;        /* [chains, n of gibbs] of the likelihood, learned by the warm-up */
    double *of_chain;         /* [2, chains] divergences and E-BFMI behind the warm-up: what `columns` makes of the chains' states */
} bnn_sampler;

/* For an engine's open hook: fills the bnn_sampler that is the engine's state. */
bnn_status bnn_sampler_open(bnn_engine *engine, const bnn_sampler_conf *conf, bnn_transition_rule rule, const bnn_data *data);
/* For the same hook: bnn_engine_expect of so many leapfrogs a transition. */
void bnn_sampler_expect(bnn_engine *engine, const bnn_sampler_conf *conf, double leapfrogs, const bnn_data *data);

/* The other hooks of an engine whose state is a bnn_sampler: */
bnn_status bnn_sampler_step(bnn_engine *engine, const bnn_data *data, bnn_step *out);       /* one transition of every chain */
void bnn_sampler_close(bnn_engine *engine);                                                 /* frees what hangs on the state */
bnn_status bnn_sampler_draw(const bnn_engine *engine, int s, bnn_rng rng, bnn_real *theta); /* stored draw s, chain after chain */
int bnn_sampler_blocks(bnn_engine *engine, bnn_block *out);              /* draws, positions, metrics, tuning, statistics */
int bnn_sampler_n_draws(const bnn_engine *engine);                       /* kept so far, of all chains */
int bnn_sampler_n_chains(const bnn_engine *engine);                      /* of the conf */
int bnn_sampler_columns(const bnn_engine *engine, bnn_column *out);      /* the statistics, once all draws are there */
const char *bnn_sampler_remark(const bnn_engine *engine);                /* divergences and the like */
bnn_status bnn_sampler_place(bnn_engine *engine, const bnn_real *theta); /* of every chain */

/* All of them in a vtable, with the size of the state. */
#define BNN_SAMPLER_HOOKS                                                                                                       \
    .state_size = sizeof(bnn_sampler), .step = bnn_sampler_step, .close = bnn_sampler_close, .blocks = bnn_sampler_blocks,      \
    .draw = bnn_sampler_draw, .n_draws = bnn_sampler_n_draws, .n_chains = bnn_sampler_n_chains, .columns = bnn_sampler_columns, \
    .remark = bnn_sampler_remark, .place = bnn_sampler_place

/* Where such engines are known to fail (bnn_engine_type.fails). */
#define BNN_SAMPLER_FAILS                                                                                                           \
    "every gradient takes all rows: dear from some ten thousand on. Networks have many modes, so chains on them may not meet, and " \
    "the answer is then a mixture over those that were found; narrow places of learned scales make it diverge. Seen as: "           \
    "chains_apart, divergent, saturated, slow_energy."

#ifdef __cplusplus
}
#endif

#endif
