/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fit.h: from texts and data to a fitted engine, with its history and cost.
 */
#ifndef BNN_FIT_H
#define BNN_FIT_H

#include <bnn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a run is made of. Texts are borrowed for the call. */
typedef struct {
    const char *net, *engine, *likelihood, *prior; /* likelihood and prior may be NULL: gaussian or categorical as the data say; gauss */
    uint64_t seed;                                 /* of all its randomness */
    /* Called after every step in the fitting thread, with the share done, 0..1; may be NULL. A return of true asks to stop: the run so far
     * is kept, with complete = false. */
    bool (*progress)(void *context, double share);
    void *context; /* handed to progress */
} bnn_config;

#define BNN_HISTORY_MOST 250 /* epochs of a history */

/* The course of a fit: at most BNN_HISTORY_MOST epochs, evenly spaced, the last one always. */
typedef struct {
    int n;                    /* recorded epochs */
    int *epoch;               /* [n] counted from 1 */
    double *nll, *prior, *kl; /* [n] parts of U, nats over the training set */
    double *noise_sd;         /* [n] of the likelihood in standardised y; NaN where it has none */
    int n_gates;              /* nodes with a probability of dropping */
    char **gate;              /* [n_gates] labels of the nodes with a drop probability */
    double *p;                /* [n, n_gates] probability of dropping */
    int epochs, stride;       /* epochs so far; every stride-th is kept */
} bnn_history;
void bnn_history_free(bnn_history *history); /* frees what is inside */

/* The names of the columns that a run was fitted to: what new rows must have, and what predictions are called. NULL where the data had
 * none. */
typedef struct {
    int n_x, n_y, n_classes;  /* lengths of x, y and classes */
    char **x, **y, **classes; /* of features, targets, classes; owned */
} bnn_names;

/* A fit, on its way or complete. */
typedef struct {
    char *engine_text;   /* canonical, as asked for */
    uint64_t seed;       /* of all its randomness */
    bnn_engine *engine;  /* owned */
    bnn_history history; /* its course */
    bnn_names names;     /* of the columns it was fitted to */
    bnn_cost cost;       /* of the fit so far */
    int steps;           /* of the engine, so far */
    double progress;     /* share of the whole work done after the last step, 0..1 */
    bool complete;       /* the engine has made its last step */
    char *remark;        /* of a run that was not fitted, or that was loaded: a sentence about how it came to be; else NULL */
} bnn_run;

/* The run's remark, else its engine's; NULL: none. */
const char *bnn_run_remark(const bnn_run *run);

/* Steps a new run to its end. Refuses no rows, and rows without targets. The caller owns *out. */
bnn_status bnn_fit(const bnn_config *config, const bnn_data *train, bnn_run **out);
void bnn_run_free(bnn_run *run); /* frees it with all it owns; NULL is allowed */

/* bnn_fit in pieces: a new run is opened but not stepped; with data that have no rows it can only be filled from a file (store.h). */
bnn_status bnn_run_new(const bnn_config *config, const bnn_data *data, bnn_run **out);
/* One step of the engine; *share is how much of the work is done, 0..1, and run->complete says that it was the last. */
bnn_status bnn_run_step(bnn_run *run, const bnn_data *train, double *share);

/* Before its first step: lets a run begin with the parameters that another one, complete or not, predicts with. Network and likelihood must
 * be the same, and the training rows scaled as those of the other. */
bnn_status bnn_run_begin(bnn_run *run, const bnn_run *from);

/* Refuses rows whose columns, or classes, have other names than those the run was fitted to, or another order. */
bnn_status bnn_run_check_names(const bnn_run *run, const bnn_table *table);

#ifdef __cplusplus
}
#endif

#endif
