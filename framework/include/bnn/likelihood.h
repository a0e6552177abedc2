/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * likelihood.h: the contract of an observation model p(y | f), f = output of the network for one row.
 *
 * A likelihood works on standardised targets; its options are in the units of y where they have units, and bind converts them with y_mean
 * and y_sd.
 *
 * A row may be several observations, its sites: the pixels of a map of classes. f is then [n, C, sites], channels first, y [n, sites] and
 * whatever is said of single observations [n, sites]. A target of -1 is void: nobody knows, and it counts nowhere.
 */
#ifndef BNN_LIKELIHOOD_H
#define BNN_LIKELIHOOD_H

#include <bnn/prior.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {                      /* bnn_type.caps of a likelihood */
       BNN_LOG_VARIANCE = 1 /* its parameters are log variances of Gaussian noise, one for each output of the network */
};

/* The targets, as the data have them. */
typedef struct {
    bnn_shape shape;    /* of one row: [columns], or [H,W] of a map of classes */
    int n_classes;      /* 0: y is real; else y holds class indices 0..n_classes-1, or -1 */
    const double *mean; /* [size of shape] mean of y on the training rows, which was taken from y */
    const double *sd;   /* [size of shape] standard deviation, by which it was divided */
} bnn_targets;

/* An observation model bound to data. */
typedef struct bnn_likelihood {
    bnn_object object; /* type and options */
    /* Facts of the data, set before bind; see bnn_targets: */
    bnn_shape y_shape;    /* of one row of y */
    int y_dim;            /* numbers in it */
    int n_classes;        /* 0: y is real */
    const double *y_mean; /* [y_dim] */
    const double *y_sd;   /* [y_dim] */

    /* Filled by bind: */
    bnn_shape out;  /* of one row of f, with which the network must end; left alone: the vector [out_dim] */
    int out_dim;    /* its size */
    int sites;      /* observations in a row; left alone: 1 */
    int n_theta;    /* own parameters, role HYPER, laid behind those of the network */
    int mean_dim;   /* length of one predictive mean: y_dim, or n_classes probabilities of each site */
    int pit_dim;    /* y_dim where a continuous cdf exists, else 0 */
    double data[4]; /* what bind precomputes */
    void *own;      /* what needs more room than that; freed by close */
} bnn_likelihood;

/* Outputs that the predictive loop needs for n rows under one draw of the parameters. NULL entries are not wanted. */
typedef struct {
    bnn_real *mean; /* [n, mean_dim] E[y | f] */
    bnn_real *var;  /* [n, mean_dim] Var[y | f]; inf or NaN: the density has none; 0 for class probabilities */
    double *logp;   /* [n, sites] log p(y | f) in nats, of standardised y; NaN where it is void; y must be given */
    bnn_real *pit;  /* [n, pit_dim] P(Y <= y | f); quantiles of predictions are found by asking for it alone, at points of their choice */
} bnn_observation;

/* The same where the network's outputs are Gaussian themselves, in double, of standardised y. All but the mean may be NULL: not wanted. */
typedef struct {
    double *mean;                          /* [n, mean_dim] E[y], or class probabilities */
    double *var_epistemic, *var_aleatoric; /* [n, mean_dim] Var E[y | f], E Var[y | f]; not of classes */
    double *logp;                          /* [n, sites] */
    double *pit;                           /* [n, pit_dim] */
} bnn_marginal;

/* Vtable of a likelihood. Hooks but bind may be called from several threads at once; NULL: the optional hook is not there. */
typedef struct bnn_likelihood_type {
    bnn_type type; /* name, options, capabilities, check specs */

    /* REQUIRED: fits y_shape and n_classes, or says why not. */
    bnn_status (*bind)(bnn_likelihood *);

    /* REQUIRED. Sum over n rows of -log p(y | f) in nats, of standardised y. df[n,out_dim] is set to scale times the gradient;
     * dtheta[n_theta] += scale times the gradient. Both may be NULL. */
    double (*nll)(const bnn_likelihood *, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, double scale, bnn_real *df,
                  bnn_real *dtheta);

    /* REQUIRED: everything the predictive loop wants, row by row. y may be NULL. */
    void (*observe)(const bnn_likelihood *, int n, const bnn_real *f, const bnn_real *y, const bnn_real *theta, const bnn_observation *out);

    /* REQUIRED. y[n, y_dim] is set to a draw from p(y | f), standardised, or the index of a class; row k takes its noise from row row0 + k
     * of the stream. */
    void (*draw)(const bnn_likelihood *, int n, const bnn_real *f, const bnn_real *theta, bnn_rng rng, uint64_t row0, bnn_real *y);

    /* OPTIONAL: initial theta, default 0. */
    void (*init)(const bnn_likelihood *, bnn_real *theta);

    /* OPTIONAL: the standard deviation of the noise in standardised y, where it is one number; for logs and reports. */
    double (*noise_sd)(const bnn_likelihood *, const bnn_real *theta);

    /* OPTIONAL: log prior density of its own theta in nats, default 0 (flat); dtheta[n_theta] (NULL: not wanted) += scale times its
     * gradient. */
    double (*logp)(const bnn_likelihood *, const bnn_real *theta, double scale, bnn_real *dtheta);

    /* OPTIONAL: root[n, out_dim, out_dim], a square root of the curvature: sum_c root[i,c,a] root[i,c,b] = d2(-log p)/df_a df_b of row i,
     * or, where that depends on y and can be negative, its expectation over y | f (Fisher information). */
    void (*curvature)(const bnn_likelihood *, int n, const bnn_real *f, const bnn_real *theta, bnn_real *root);

    /* OPTIONAL: p(y) = integral of p(y | f) N(f; mean, cov) of n rows, exact for real y, to the probit approximation for classes. mean[n,
     * out_dim] and cov[n, out_dim, out_dim] are used up; y may be NULL. */
    void (*marginal)(const bnn_likelihood *, int n, double *mean, double *cov, const bnn_real *y, const bnn_real *theta,
                     const bnn_marginal *out);

    /* OPTIONAL, of one with own theta: theta[n_theta] is set to a draw from the density of logp. Fails where that is flat; without it, it
     * is. */
    bnn_status (*draw_theta)(const bnn_likelihood *, bnn_rng rng, bnn_real *theta);

    /* OPTIONAL, of one with own theta, where it can be drawn from: theta[n_theta] is set to a draw from its density given n rows, f[n,
     * out_dim] and y[n, y_dim], which is that of logp times exp(-nll). */
    void (*draw_theta_given)(const bnn_likelihood *, int n, const bnn_real *f, const bnn_real *y, bnn_rng rng, bnn_real *theta);

    /* OPTIONAL: frees own; also called after a bind that failed. */
    void (*close)(bnn_likelihood *);

    /* OPTIONAL: as draw_theta_given, of rows with the weights weight[n]. */
    void (*draw_theta_weighted)(const bnn_likelihood *, int n, const double *weight, const bnn_real *f, const bnn_real *y, bnn_rng rng,
                                bnn_real *theta);

    /* OPTIONAL: before bind, of a fit: sets the options that its rows decide, y[n, y_dim], as written, with the weights weight[n] (NULL:
     * 1). What is printed, saved and opened again are the options that it has set. */
    bnn_status (*settle)(bnn_likelihood *, int n, const bnn_real *y, const double *weight);
} bnn_likelihood_type;

/* Parses a spec and binds it. Fails where it does not fit the data. Mean and sd of y are borrowed and must outlive the likelihood. */
bnn_status bnn_likelihood_new(const char *spec, const bnn_targets *y, bnn_likelihood *out);
/* The same for the rows of a fit, y[n, size of the shape] with the weights weight[n] (NULL: 1), which options may ask. */
bnn_status bnn_likelihood_new_for(const char *spec, const bnn_targets *targets, int n, const bnn_real *y, const double *weight,
                                  bnn_likelihood *out);
void bnn_likelihood_free(bnn_likelihood *likelihood); /* frees what is inside */
/* The hook nll of rows with the weights weight[n]: a row's -log p and its gradients count weight times. NULL: once. */
double bnn_likelihood_nll(const bnn_likelihood *likelihood, int n, const double *weight, const bnn_real *f, const bnn_real *y,
                          const bnn_real *theta, double scale, bnn_real *df, bnn_real *dtheta);
/* The hook curvature, which must be there, likewise. */
void bnn_likelihood_roots(const bnn_likelihood *likelihood, int n, const double *weight, const bnn_real *f, const bnn_real *theta,
                          bnn_real *root);
/* The own parameters at which nll - log prior of f[n, out_dim] and y[n, y_dim], of these weights (NULL: 1), is least: theta[n_theta]. Fails
 * where it has no least value, as where f is y without any error. */
bnn_status bnn_likelihood_fit(const bnn_likelihood *likelihood, int n, const double *weight, const bnn_real *f, const bnn_real *y,
                              bnn_real *theta);
/* Refuses maps of classes, for `what`, the first words of the sentence, which is about rows with one class or real targets. */
bnn_status bnn_refuse_maps(int sites, const char *what);
/* The vtable of a likelihood. */
static inline const bnn_likelihood_type *bnn_likelihood_vtable(const bnn_likelihood *l) {
    return (const bnn_likelihood_type *)l->object.type;
}

#ifdef __cplusplus
}
#endif

#endif
