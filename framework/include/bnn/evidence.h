/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * evidence.h: the marginal likelihood by Laplace's method, and the prior precisions and the noise that maximise it (MacKay 1992).
 *
 *   log p(D) = -nll(var) + sum_b (L_b log prec_b - prec_b |w_b|^2) / 2 - log det(H/var + diag(prec)) / 2        [nats, in the units of y]
 *   nll(var) = nll + squares (1/var - 1) / 2 + noisy log(var) / 2
 *
 * b are the blocks of a curvature, L_b their lengths (the P/2 log 2 pi of prior and Gaussian cancel). var is a factor on the variance of
 * Gaussian noise that the likelihood learns, and a density that the likelihood has for it counts where a maximum is sought; squares is the
 * sum of squared residuals, each over its variance at var = 1, noisy their number. theta stays what it is: these are the hyper-parameters
 * for one mode.
 */
#ifndef BNN_EVIDENCE_H
#define BNN_EVIDENCE_H

#include <bnn/curvature.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which blocks share one precision; the model's prior leaves nothing free. */
typedef enum {
    BNN_PREC_PRIOR,  /* none is free: those of the model's prior */
    BNN_PREC_GLOBAL, /* one for all */
    BNN_PREC_LAYER,  /* one for each node */
    BNN_PREC_GROUP   /* one for each block */
} bnn_prec_sharing;
extern const char *const bnn_prec_sharing_names[]; /* of the rules in their order: prior, global, layer, group */

/* The evidence of one mode as a function of var and prec. Owns its arrays. */
typedef struct {
    bnn_curvature *curvature; /* borrowed */
    double nll;               /* at var = 1, nats */
    double squares;           /* squared residuals over their variances at var = 1, summed */
    double noisy;             /* number of residuals with learned noise */
    double log_unit;          /* of the density of y, from standardised y to its units */
    double *norm2;            /* [n_blocks] |w_b|^2 */
    int *group, n_groups;     /* [n_blocks] which precision is the block's; 0 groups: none is free */
    double var, *prec;        /* [n_blocks] */
    double value;             /* log p(D) */
    double log_noise;         /* log density of the learned noise at var, by the likelihood's own prior */
    bnn_real *noise;          /* [3, n_theta of the likelihood] its parameters at var = 1; room for others and for a gradient */
    double *determined;       /* [n_blocks] see curvature.h; their sum is MacKay's gamma */
    int evaluations;          /* of value, so far */
} bnn_evidence;

/* Refuses what cannot be done with the model's prior: sharing = BNN_PREC_PRIOR where it is not Gaussian, or, for kron, where it is flat. */
bnn_status bnn_evidence_check(const bnn_curvature *curvature, const bnn_real *theta, bnn_prec_sharing sharing);

/* Measures the terms at theta, where the curvature was built on the same data. Precisions begin at those of the model's prior, at 1
 * where it is flat or not Gaussian; var begins at 1. */
bnn_status bnn_evidence_open(bnn_curvature *curvature, const bnn_real *theta, const bnn_data *data, bnn_prec_sharing sharing,
                             bnn_evidence *out);
void bnn_evidence_close(bnn_evidence *e); /* frees what is inside */

/* value and determined at var and prec, for which the curvature's S is made. */
bnn_status bnn_evidence_evaluate(bnn_evidence *e);

/* Moves the precisions of the groups, and var where noise is learned, to a maximum of value + log_noise; then evaluates there. */
bnn_status bnn_evidence_maximise(bnn_evidence *e);

enum { BNN_MOST_HALVINGS = 10 }; /* of S, by bnn_curvature_left_out */

/* After posterior: the factor on S, of 1, 1/2, ... 1/1024, under which rows of the fit, at most 1000 of them, are predicted best when each
 * is left out. For classes: where rows are sure of theirs their curvature at the mode is next to 0, and S is far wider than the posterior,
 * which falls steeply to the side where rows would be wrong. The likelihood needs the hooks curvature and marginal. */
bnn_status bnn_curvature_left_out(const bnn_curvature *curvature, const bnn_real *theta, const bnn_data *data, double *scale);

/* After evaluate or maximise, with the structure full and outputs that are linear in w (bnn_curvature_linear): moves w[n] to where U is
 * least at var and prec, and evaluates there. slope[n], the gradient of nll in w, becomes that of the new place. The maximum over w, var
 * and prec of the value is then that of the evidence itself, which is no approximation where noise is Gaussian. */
bnn_status bnn_evidence_settle(bnn_evidence *e, double *w, double *slope);

#ifdef __cplusplus
}
#endif

#endif
