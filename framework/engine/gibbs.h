/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gibbs.h (private): updates of scales and noise for a chain that holds them while it moves the weights, and a metric of the weights that
 * follows them (Neal 1996, sections 3.2 and 3.3).
 *
 * theta falls into runs: weights that share a prior, and hyper-parameters. Those whose prior or likelihood can draw them given the rest are
 * drawn. The inverse masses of the others, the same in a whole run, follow from the precision 1/sd^2 of the prior that the scales make and
 * from the curvature of the likelihood:
 *   var = 1 / (1/sd^2 + c),   c = E (dU/dw - w/sd^2)^2                                E: over the run and the transitions of the warm-up
 * At stationarity the expected square of a log density's slope is its expected curvature (Fisher information). No weight goes into var but
 * through c, which stands still after the warm-up: for a trajectory it is a constant.
 *
 * Not centred, the trajectory moves scales, too, with z = w e^(-s/2), whose prior has sd 1 whatever they are:
 *   -log p(z, s) = U(w, s) - n s / 2;   d/dz = dU/dw e^(s/2);   d/ds = dU/ds + (sum_i w_i dU/dw_i - n) / 2            n: of the run
 * Then var = 1 / (1 + c) with c of the slopes in z, and 1 / c for s.
 */
#ifndef BNN_GIBBS_H
#define BNN_GIBBS_H

#include <bnn/model.h>

/* Entries of theta that follow each other. */
typedef struct {
    size_t offset, scale;  /* in theta; of their log variance, 0: they have none (theta begins with weights) */
    int length;            /* of it */
    double prec;           /* of their prior where it has no scales; 0: unknown or flat */
    bool drawn;            /* hyper-parameters that are drawn given the rest */
    bool drawn_given;      /* weights whose scale is drawn given them */
    bnn_prior_block block; /* of weights, as the prior sees it */
} bnn_gibbs_run;

/* The runs of a model, which is borrowed. */
typedef struct bnn_gibbs {
    const bnn_model *model;
    bool noncentred; /* the trajectory moves scales */
    int n;
    bnn_gibbs_run *run; /* [n] */
} bnn_gibbs;

bnn_status bnn_gibbs_open(const bnn_model *model, bool noncentred, bnn_gibbs *out);
void bnn_gibbs_close(bnn_gibbs *g);

/* Draws all that are drawn, one after the other given the rest: first the likelihood's, from one forward pass over the rows in ws, which is
 * one of model/shards.h. */
bnn_status bnn_gibbs_draw(const bnn_gibbs *g, bnn_workspace *ws, const bnn_data *data, bnn_rng rng, bnn_real *theta);

/* Copies what is drawn from theta to q[n_theta]. */
void bnn_gibbs_place(const bnn_gibbs *g, const bnn_real *theta, double *q);

/* c[n of g] += rate (what theta and grad[n_theta] of U say of it - c). */
void bnn_gibbs_learn(const bnn_gibbs *g, double rate, const bnn_real *theta, const double *grad, double *c);

/* var[n_theta] of these scales and this c[n of g], or 1 (c NULL); 0, held, for what is drawn. */
void bnn_gibbs_metric(const bnn_gibbs *g, const double *c, const bnn_real *theta, double *var);

/* From weights w of runs with scales to z = w e^(-s/2) in q[n_theta], and back. */
void bnn_gibbs_leave(const bnn_gibbs *g, double *q);
void bnn_gibbs_return(const bnn_gibbs *g, double *q);
/* The same of q[n_theta] in bnn_real: theta[n_theta], which is returned. */
const bnn_real *bnn_gibbs_theta(const bnn_gibbs *g, const bnn_real *q, bnn_real *theta);
/* Makes of the gradient of U at theta that of -log p(z, s); what that is more than U. */
double bnn_gibbs_pull_back(const bnn_gibbs *g, const bnn_real *theta, bnn_real *grad);

#endif
