/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * predict.h: the predictive distribution by streaming over draws, and what it is worth.
 *
 * Memory does not grow with the number of draws. Everything is in the units of y.
 *   mean = E_s[mu_s]   var_epistemic = Var_s[mu_s] (divisor S)   var_aleatoric = E_s[noise variance]   var_total = their sum
 *   logp_i = logsumexp_s log p(y_i | f_s(x_i)) - log S,   pit_i = E_s P(Y <= y_i | f_s(x_i))
 *   mean_mcse = sqrt(var_epistemic / (S-1)) of independent draws. Those of Markov chains count by their effective number: it is then the
 *   mcse_mean of diagnose.h, for the draws that the prediction takes; of chains of less than 16, which tell nothing, that of independent
 * ones Quantiles, crps and draws of y are asked for. They are of the mixture of p(y | f_s) over all draws, through its distribution
 * function E_s P(Y <= t | f_s), whatever the likelihood: quantiles to 1e-6 predictive sd and the precision of bnn_real, crps to 1e-4
 * predictive sd, and to 5e-3 where there is next to no noise. For them, and for chains, the outputs of all draws are kept, for as many rows
 * at a time as fit into 64 MB, at least one. A mixture (member, engine.h) is predicted member by member, each with its own share of the
 * draws or in closed form, and the predictions are mixed: mean, pit and densities are means over members, var_epistemic is the mean of the
 * members' and the variance of their means (divisor: the members); mean_mcse knows of the draws within the members alone.
 *
 * A row that is a map of classes has `sites` pixels: class c of pixel i stands at mean[row, c, i], what is said of pixels at [row, i].
 */
#ifndef BNN_PREDICT_H
#define BNN_PREDICT_H

#include <bnn/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A predictive distribution on some rows. Owns its arrays. */
struct bnn_prediction {
    int n;                                 /* rows */
    int samples;                           /* S; 0 in closed form */
    int mean_dim;                          /* targets, or classes times sites */
    bnn_mode mode;                         /* the noise that was used */
    uint64_t seed;                         /* of its draws */
    bool has_target;                       /* the data had targets: logp and, for regression, pit are there, else NULL */
    bool is_class;                         /* targets are classes */
    double *mean;                          /* [n, mean_dim] predictive mean, or class probabilities */
    double *var_epistemic, *var_aleatoric; /* [n, mean_dim]; of class probabilities var_epistemic is their variance over draws,
                                              var_aleatoric 0 */
    double *mean_mcse;                     /* [n, mean_dim] Monte Carlo standard error of mean */
    double *logp;                          /* [n, sites] log p(y_i), nats; NaN where y is void */
    double *pit;                           /* [n, mean_dim] P(Y <= y_i), regression only */
    bnn_cost cost;                         /* of this prediction: forwards counts draws, each over all rows */
    double *expected_entropy;              /* [n, sites] E_s H[p_s], classes only; entropy H[mean] and mutual information follow from it */
    double *crps;     /* [n, mean_dim] continuous ranked probability score of the mixture itself, in the units of y; NULL: it was not
                         asked for, there are no targets, or these are classes */
    int n_levels;     /* quantiles of each target; 0: none were asked for, or targets are classes */
    double *levels;   /* [n_levels] their levels */
    double *quantile; /* [n, mean_dim, n_levels] of the mixture itself, in the units of y */
    int drawn;        /* draws of y of each row; 0: none were asked for */
    double *y_drawn;  /* [n, targets, drawn] in the units of y, or indices of classes: [n, sites, drawn] */
    int sites;        /* pixels of a map of classes; of any other y 1, or 0. Of maps both variances and mean_mcse are NULL */
    bool taken;       /* a taker has had the rows: all arrays are NULL */
    int8_t *set;      /* [n, classes] 1: the class is in the conformal set of the row; NULL: there are no such sets (calibrate.h) */
    double *map_sums; /* [n, sums of a map] what scores of maps are made of (metrics.h); NULL: these are no maps, or have no targets */
};

/* Takes rows of a prediction when they are finished, some at a time, in their order. */
struct bnn_taker {
    /* rows: a prediction of the rows [from, from + rows->n) of the data, lent for the call. A failure ends the prediction. NULL: nobody
     * wants them, as where scores are all. */
    bnn_status (*take)(void *context, int from, const bnn_prediction *rows);
    void *context; /* handed to take */
};

/* One draw of the predictive distribution on some rows, for whoever wants to keep it. Of standardised y. */
typedef struct {
    int s;                   /* number of the draw */
    int row;                 /* first row */
    int n;                   /* rows */
    const bnn_real *theta;   /* [n_theta]; where outputs are drawn, that whose noise parameters hold */
    const bnn_workspace *ws; /* after the forward pass of these rows */
    const bnn_real *mean;    /* [n, mean_dim] E[y | f_s] */
    const bnn_real *y;       /* [n, y_dim] a draw from p(y | f_s) */
    const double *logp;      /* [n, sites] log p(y_i | f_s); NULL without targets */
    const bnn_real *f;       /* [n, out_dim] outputs of the network */
} bnn_drawn;

/* Takes the draws, in no order, from the threads that predict, maybe at once. */
struct bnn_sink {
    bnn_status (*take)(void *context, const bnn_drawn *drawn); /* a failure ends the prediction */
    void *context;                                             /* handed to take */
};

/* How many draws a prediction takes where `samples` are asked for: 1 of a point engine; 0 in closed form; of stored draws no more than
 * there are, and as many from each chain, at least one, evenly spaced; of a mixture the sum over its members, which share the samples
 * evenly. */
int bnn_predict_samples(const bnn_engine *engine, int samples);
/* Which of the engine's stored draws draw s of so many is; s itself where it stores none; of a mixture, which one of its member's. */
int bnn_predict_stored(const bnn_engine *engine, int s, int samples);

/* Refuses an engine that predicts without draws of parameters, so that there are none to keep. One that has fitted nothing yet passes. */
bnn_status bnn_predict_keeps(const bnn_engine *engine);

/* data must be scaled by the model's scaling. Parallel over blocks of draws; the same bits at any number of threads. */
bnn_status bnn_predict(const bnn_engine *engine, const bnn_data *data, const bnn_predict_options *options, bnn_prediction **out);

/* Targets, or classes. */
static inline int bnn_prediction_width(const bnn_prediction *p) { return p->sites > 1 ? p->mean_dim / p->sites : p->mean_dim; }
/* var_total of entry i of [n, mean_dim]. */
static inline double bnn_var_total(const bnn_prediction *p, int i) { return p->var_epistemic[i] + p->var_aleatoric[i]; }

#ifdef __cplusplus
}
#endif

#endif
