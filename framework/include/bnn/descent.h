/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * descent.h: stochastic gradient descent on U/N, the work that map, mc_dropout and bayes_by_backprop share.
 *
 * An engine puts a bnn_descent_conf into its conf, BNN_DESCENT_OPTIONS into its option table and BNN_DESCENT_HOOKS into its vtable; its
 * state is a bnn_descent.
 */
#ifndef BNN_DESCENT_H
#define BNN_DESCENT_H

#include <bnn/engine.h>
#include <bnn/minibatch.h>
#include <bnn/optimizer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Options of descent, read by BNN_DESCENT_OPTIONS. */
typedef struct {
    int epochs;              /* passes over the training rows; 0: as many as `steps` take */
    int steps;               /* minibatches; in no fewer than BNN_LEAST_EPOCHS epochs */
    int batch;               /* rows of a minibatch */
    double lr;               /* step size on U/N */
    double lr_hyper;         /* of the role HYPER, without the noise */
    double lr_noise;         /* of the likelihood's own parameters */
    int schedule;            /* BNN_CONSTANT or BNN_COSINE */
    int level;               /* epochs of a window: descent ends where U is level from one to the next; 0: never */
    bnn_optimizer optimizer; /* of the steps */
    char *augment;           /* how images are changed (bnn_minibatch_augment); NULL: not at all */
} bnn_descent_conf;

#define BNN_LEVEL 0.01          /* nats a row: where U moves by less it is level */
enum { BNN_LEAST_WINDOW = 10 }; /* epochs */

/* bnn_descent_conf.schedule */
enum {
    BNN_CONSTANT, /* step sizes stay */
    BNN_COSINE    /* they fall to 0 along half a cosine */
};

extern const char *const bnn_descent_schedules[]; /* their names, NULL behind the last */
/* Share of the step size that holds where `progress` of the steps are done, 0..1. */
double bnn_descent_factor(int schedule, double progress);

extern const bnn_option bnn_descent_options[]; /* its table */

/* The entry of an option table for the bnn_descent_conf `field` of a conf; the preset as text. */
#define BNN_DESCENT_OPTIONS(conf, field, steps_preset) BNN_OPT_GROUP(conf, field, bnn_descent_options, BNN_PRESETS("steps", steps_preset))

/* The state of an engine that descends. */
typedef struct {
    const bnn_descent_conf *conf; /* borrowed */
    const bnn_model *model;       /* the engine's */
    int epochs;                   /* of the whole descent */
    bnn_rng rng;                  /* the engine's root stream */
    bnn_mode mode;                /* of the training passes */
    bool geometric_kl;            /* weight of KL in minibatch i of B: 2^(B-i)/(2^B - 1) instead of 1/B (Blundell et al. 2015, eq. 9) */
    bnn_estimator estimator;      /* of the gradient */
    bool has_baseline;            /* of the score function: a running mean of nll */
    bnn_workspace *ws;            /* for a minibatch, with gradients */
    bnn_minibatch batch;          /* the rows of a step */
    int n_ranges;                 /* runs of parameters with one step size */
    bnn_range *range;             /* [n_ranges] */
    double span, end;             /* the schedule runs over this share of the steps (1), from then on step sizes are this share (0) */
    bnn_real *theta, *grad;       /* [n_theta] */
    bnn_real *moments;            /* [state_per_theta, n_theta] of the optimiser */
    uint64_t counter[2];          /* epochs done, steps done */
    double baseline[2];           /* running sum of nll, and of its weights */
    double window[4];             /* U per row: sum and sum of squares in this window; mean and its squared error in the one before */
} bnn_descent;

/* For an engine's open hook: fills the bnn_descent that is the engine's state. conf is borrowed. mode: BNN_MEAN trains without noise,
 * BNN_ROWS with fresh noise for every row. */
bnn_status bnn_descent_open(bnn_engine *engine, const bnn_descent_conf *conf, const bnn_data *data, bnn_mode mode);

/* The other hooks of an engine whose state is a bnn_descent: */
bnn_status bnn_descent_step(bnn_engine *engine, const bnn_data *data, bnn_step *out); /* one epoch; a U that is not finite is a failure that
                                                                                         names epoch and step */
bnn_status bnn_descent_draw(const bnn_engine *engine, int s, bnn_rng rng, bnn_real *theta); /* every draw is theta as it stands */
int bnn_descent_blocks(bnn_engine *engine, bnn_block *out);                                 /* theta, moments, counters */
void bnn_descent_close(bnn_engine *engine);                                                 /* frees what hangs on the state */

/* All of them in a vtable, with the size of the state. */
#define BNN_DESCENT_HOOKS                                                                                              \
    .state_size = sizeof(bnn_descent), .step = bnn_descent_step, .close = bnn_descent_close, .draw = bnn_descent_draw, \
    .blocks = bnn_descent_blocks

#ifdef __cplusplus
}
#endif

#endif
