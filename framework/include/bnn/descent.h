/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * descent.h: stochastic gradient descent on U/N, the work that map, mc_dropout and bayes_by_backprop share.
 *
 * An engine puts a bnn_descent_conf into its conf, BNN_DESCENT_OPTIONS into its option table and the hooks below into its vtable; its state
 * is a bnn_descent.
 */
#ifndef BNN_DESCENT_H
#define BNN_DESCENT_H

#include <bnn/engine.h>
#include <bnn/optimizer.h>

typedef struct {
    int epochs, batch;
    double lr, lr_hyper;
    int schedule;    /* 0 constant, 1 cosine */
    char *optimizer; /* spec */
} bnn_descent_conf;

extern const char *const bnn_schedule_names[];

#define BNN_DESCENT_OPTIONS(conf, field, epochs_preset)                                                            \
    {.name = "epochs",                                                                                             \
     .kind = BNN_OPTION_INT,                                                                                       \
     .offset = offsetof(conf, field.epochs),                                                                       \
     .preset = epochs_preset,                                                                                      \
     .min = 1,                                                                                                     \
     .max = 1e9,                                                                                                   \
     .help = "passes over the training rows"},                                                                     \
        {.name = "batch",                                                                                          \
         .kind = BNN_OPTION_INT,                                                                                   \
         .offset = offsetof(conf, field.batch),                                                                    \
         .preset = "128",                                                                                          \
         .min = 1,                                                                                                 \
         .max = 1e9,                                                                                               \
         .help = "rows of a minibatch (at most the training rows)"},                                               \
        {.name = "lr",                                                                                             \
         .kind = BNN_OPTION_REAL,                                                                                  \
         .offset = offsetof(conf, field.lr),                                                                       \
         .preset = "0.001",                                                                                        \
         .min = 0,                                                                                                 \
         .max = 1e9,                                                                                               \
         .help = "step size on U/N"},                                                                              \
        {.name = "lr_hyper",                                                                                       \
         .kind = BNN_OPTION_REAL,                                                                                  \
         .offset = offsetof(conf, field.lr_hyper),                                                                 \
         .preset = "0.01",                                                                                         \
         .min = 0,                                                                                                 \
         .max = 1e9,                                                                                               \
         .help = "step size of dropout probabilities and of the noise"},                                           \
        {.name = "schedule",                                                                                       \
         .kind = BNN_OPTION_CHOICE,                                                                                \
         .offset = offsetof(conf, field.schedule),                                                                 \
         .preset = "constant",                                                                                     \
         .choices = bnn_schedule_names,                                                                            \
         .help = "step size over the epochs: constant, or cosine down to 0"},                                      \
    {                                                                                                              \
        .name = "optimizer", .kind = BNN_OPTION_TEXT, .offset = offsetof(conf, field.optimizer), .preset = "adam", \
        .help = "an optimizer, as name or name{options}"                                                           \
    }

typedef struct {
    const bnn_descent_conf *conf;
    const bnn_model *model;
    bnn_rng rng;
    bnn_mode mode;
    bool geometric_kl; /* weight of KL in minibatch i of B: 2^(B-i)/(2^B - 1) instead of 1/B (Blundell et al. 2015, eq. 9) */
    bnn_estimator estimator;
    bool has_baseline; /* of the score function: a running mean of nll */
    bnn_optimizer optimizer;
    bnn_workspace *ws;
    int batch;    /* rows of a full minibatch */
    int n_ranges; /* runs of parameters with one step size */
    struct bnn_range {
        size_t offset;
        int length;
        bool hyper;
    } * range;
    bnn_real *theta, *grad; /* [n_theta] */
    bnn_real *moments;      /* [state_per_theta, n_theta] of the optimiser */
    bnn_real *x, *y;        /* [batch, in], [batch, y_dim] the gathered minibatch */
    int *order;             /* [n] rows in this epoch's order */
    uint64_t counter[2];    /* epochs done, steps done */
    double baseline[2];     /* running sum of nll, and of its weights */
} bnn_descent;

/* For an engine's open hook: fills the bnn_descent that is the engine's state. conf is borrowed. mode: BNN_MEAN trains without noise,
 * BNN_ROWS with fresh noise for every row. */
bnn_status bnn_descent_open(bnn_engine *engine, const bnn_descent_conf *conf, const bnn_data *data, bnn_mode mode);

/* The other hooks of an engine whose state is a bnn_descent. One step is one epoch; NaN or infinity in U is an error that names epoch and
 * step. */
bnn_status bnn_descent_step(bnn_engine *engine, const bnn_data *data, bnn_step *out);
bnn_status bnn_descent_draw(const bnn_engine *engine, int s, bnn_rng rng, bnn_real *theta);
int bnn_descent_blocks(bnn_engine *engine, bnn_block *out);
void bnn_descent_close(bnn_engine *engine);

#endif
