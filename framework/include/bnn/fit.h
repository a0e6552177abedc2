/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fit.h: from texts and data to a fitted engine, with its history and cost.
 */
#ifndef BNN_FIT_H
#define BNN_FIT_H

#include <bnn/engine.h>
#include <bnn/schema.h>

#ifdef __cplusplus
extern "C" {
#endif

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
struct bnn_run {
    char *engine_text;   /* canonical, as asked for */
    uint64_t seed;       /* of all its randomness */
    bnn_engine *engine;  /* owned */
    bnn_history history; /* its course */
    bnn_names names;     /* of the columns it was fitted to */
    bnn_schema *schema;  /* of the file they came from; NULL: they came from none */
    bnn_cost cost;       /* of the fit so far */
    int steps;           /* of the engine, so far */
    double progress;     /* share of the whole work done after the last step, 0..1 */
    bool complete;       /* the engine has made its last step */
    char *choice;        /* why its engine was chosen; NULL: it was named */
    char *remark;        /* of a run that was not fitted, or that was loaded: a sentence about how it came to be; else NULL */
    /* Puts its predictions right; one block, which free() frees; NULL: nothing does. */
    bnn_calibration *calibration;
};

/* Remarks on what should be known before a run is fitted to rows: a note "few_rows" where there are fewer of them than weights of one unit
 * of the network. That unit is a linear model of its inputs, which so few rows leave open whatever the other layers do; more parameters
 * than rows are no doubt by themselves, since the prior is there for them. */
bnn_status bnn_run_doubt(const bnn_run *run, const bnn_data *data, bnn_remarks *remarks);

#ifdef __cplusplus
}
#endif

#endif
