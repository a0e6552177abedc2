/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * likelihood.h (private): the rules of likelihoods, and what they share. likelihood.c has the table.
 */
#ifndef BNN_CHECK_LIKELIHOOD_H
#define BNN_CHECK_LIKELIHOOD_H

#include "check/hooks.h"
#include <bnn/likelihood.h>

typedef struct {
    const char *name; /* the mode of its verdicts */
    int y_dim, n_classes;
} bnn_data_kind;

enum { BNN_MOST_TARGETS = 4 };

enum {
    BNN_NLL,
    BNN_OBSERVE,
    BNN_DRAW_Y,
    BNN_INIT,
    BNN_NOISE_SD,
    BNN_LOGP,
    BNN_CURVATURE,
    BNN_MARGINAL,
    BNN_DRAW_THETA,
    BNN_N_LIKELIHOOD_HOOKS
};

/* A likelihood on one kind of data. f and own parameters are random, y, too; y_mean and y_sd are those of the case. */
typedef struct {
    const bnn_likelihood_type *type;
    const char *spec;
    const bnn_data_kind *data;
    bnn_likelihood l;
    bool is_class;
    double y_mean[BNN_MOST_TARGETS], y_sd[BNN_MOST_TARGETS];
    int n, out, dim; /* rows; out_dim and mean_dim */
    /* rows from .. to are what the hooks are called on; row 0 has the number row0. */
    int from, to;
    uint64_t row0;
    bool far; /* a slope that changes within the step of the differences is left out */
    double scale;
    bnn_real *f, *y, *theta;           /* lent */
    bnn_real *df, *dtheta, *initial;   /* of nll and logp; of init and draw_theta_given */
    bnn_real *mean, *var, *pit;        /* of observe */
    double *logp;                      /* of observe */
    bnn_real *drawn, *root;            /* of draw; of curvature */
    double *f_mean, *f_cov, *averages; /* of marginal: used up; [n, 4 dim + 1] mean, var_epistemic, var_aleatoric, pit, logp */
    bnn_hooks hooks;
} bnn_likelihood_case;

/* What these data say of y. */
bnn_targets bnn_data_targets(const bnn_data_kind *data, const double *y_mean, const double *y_sd);
/* Failures other than BNN_ERR_MEMORY mean that bind refuses these data. */
bnn_status bnn_likelihood_case_open(const bnn_likelihood_type *type, const char *spec, const bnn_data_kind *data,
                                    const double y_sd[BNN_MOST_TARGETS], uint64_t seed, bnn_likelihood_case *out);
void bnn_likelihood_case_close(bnn_likelihood_case *k);
/* Correlated outputs for marginal: means f, covariances c (I/5 + 3 u u^T), u_a = (a+1)/out, c wider from row to row. */
void bnn_case_fill_outputs(bnn_likelihood_case *k);
bool bnn_likelihood_call(void *k, int hook);
/* [n, dim] each, in `averages`; [n] for logp. */
bnn_marginal bnn_case_marginal(const bnn_likelihood_case *k);

/* log p of row `row` at y[y_dim] and the row's f. */
double bnn_case_logp(const bnn_likelihood_case *k, int row, const bnn_real *y);
/* exp(-nll) of a class in row 0. */
static inline double bnn_class_probability(const bnn_likelihood_case *k, int y) {
    return exp(bnn_case_logp(k, 0, (bnn_real[]){(bnn_real)y}));
}
/* Density exp(-nll) of row 0 in one real target; with two targets the other is integrated over. */
typedef struct {
    const bnn_likelihood_case *k;
    int d;
} bnn_target;
double bnn_target_density(double y, void *of);

typedef bnn_status bnn_case_rule(bnn_checker *c, void *k);
/* density.c: nll as a density */
bnn_case_rule bnn_likelihood_density, bnn_likelihood_gradient, bnn_likelihood_scale, bnn_likelihood_adds, bnn_likelihood_units,
    bnn_likelihood_hyperprior, bnn_likelihood_theta_drawn, bnn_likelihood_theta_given, bnn_likelihood_curvature, bnn_likelihood_far;
/* Breaks the verdict unless the gradient of nll to the own parameters is that of differences. */
bnn_case_rule bnn_likelihood_own_gradient;
/* observe.c: what the other hooks say, against that density */
bnn_case_rule bnn_likelihood_observe, bnn_likelihood_moments, bnn_likelihood_pit, bnn_likelihood_draws, bnn_likelihood_noise,
    bnn_likelihood_marginal;
/* joint.c: many rows at once, several targets together */
bnn_case_rule bnn_likelihood_neighbours, bnn_likelihood_together, bnn_likelihood_sizes;
/* y[n, y_dim]: draws of rows 0 .. n-1 with the outputs of row 0. */
bnn_status bnn_case_draw_many(const bnn_likelihood_case *k, uint64_t stream, int n, bnn_real *y);
/* Median and half of the quartiles' distance of target d, over draws y[n, y_dim]. a[n]: room. */
void bnn_case_place(const bnn_likelihood_case *k, int d, int n, const bnn_real *y, double *a, double *centre, double *scale);
/* A product of two entries of the score of row 0, weighed with its density: over y it integrates to the Fisher information. */
typedef struct {
    bnn_likelihood_case *k;
    int a, b;
} bnn_score_product;
double bnn_score_product_at(double y, void *of);
/* The same of row 0 as curvature says it, from `root`. */
double bnn_square_of_root(const bnn_likelihood_case *k, int a, int b);
/* outlying.c: the density elsewhere, measured from the middle of draws */
bnn_case_rule bnn_likelihood_outlying;
/* settle.c: options that the rows of a fit decide */
bnn_case_rule bnn_likelihood_settle;
/* maps.c */
bnn_status bnn_likelihood_maps(bnn_checker *c);

#endif
