/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * model.h: network + likelihood + prior, and the one objective that every engine works on.
 *
 *   U(theta) = (N/M) sum_{i in batch} -w_i log p(y_i | f(x_i; theta, noise)) - log prior(theta) + sum_layers KL
 *
 * in nats over the whole training set of N rows, from a batch of M rows; w_i is 1 where rows have no weights. The prior covers WEIGHT and
 * BIAS blocks; weights behind a gate that keeps a unit with probability k count as k (-log p(w/k)) + (1-k) (-log p(0)), the expectation
 * under q(W) = M diag(z), stored as w = k M (Gal & Ghahramani 2016, with inverted scaling). It also covers the hyper-parameters: the
 * logarithmic variances of a hierarchical prior (prior.h), and those of the likelihood where it has a density for them.
 */
#ifndef BNN_MODEL_H
#define BNN_MODEL_H

#include <bnn/cost.h>
#include <bnn/data.h>
#include <bnn/likelihood.h>
#include <bnn/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A block of weights whose prior has scales. */
typedef struct {
    char *name;             /* "dense_1_kernel" */
    const bnn_param *param; /* of the net */
    size_t offset;          /* of its logarithmic variances in theta */
    int n;                  /* of them */
} bnn_scaled;

/* A model of data of one shape. Owns everything; immutable but for bnn_model_set_prior_prec. */
typedef struct {
    bnn_net *net;              /* owned */
    bnn_likelihood likelihood; /* bound to the data */
    bnn_prior prior;           /* of all blocks but those of block_prior */
    bnn_scaling scaling;       /* of the rows it was made for: predictions go back to the units of y through it */
    bnn_shape x_shape;         /* of one row of x */
    int n_theta;               /* the net's parameters, then the likelihood's, then the prior's scales, block after block */
    int n_scaled;              /* blocks whose prior has scales */
    bnn_scaled *scaled;        /* [n_scaled] in the order of the blocks */
    bnn_prior *block_prior;    /* [blocks of the net] that take the place of `prior` where they have a type; NULL: none does */
} bnn_model;

/* The texts that make a model, as a user writes them. */
typedef struct {
    const char *net;        /* network text (netspec.h) */
    const char *likelihood; /* spec */
    const char *prior;      /* spec */
} bnn_texts;

/* Binds the texts to the data's shapes and scaling (copied: the model outlives the data). */
bnn_status bnn_model_new(const bnn_texts *texts, const bnn_data *data, bnn_model **out);
void bnn_model_free(bnn_model *model);                                     /* frees it with all it owns; NULL is allowed */
void bnn_model_init(const bnn_model *model, bnn_rng rng, bnn_real *theta); /* initial theta[n_theta]; the same bits for the same stream */
/* theta[n_theta] from the prior: scales first, weights given them, the likelihood's own parameters. Refuses, by name, what has no density
 * to draw from: flat priors, a flat noise; and layers with noise, whose weights have none but an expected one. */
bnn_status bnn_model_draw(const bnn_model *model, bnn_rng rng, bnn_real *theta);
/* The likelihood's own parameters inside theta. */
static inline const bnn_real *bnn_model_noise(const bnn_model *m, const bnn_real *theta) { return theta + m->net->n_theta; }

/* Sets the likelihood's part of theta to where the nll of the rows, less its log prior, is least, the net's part as it is and without
 * noise. Needs targets; counts one forward pass. */
bnn_status bnn_model_fit_likelihood(const bnn_model *model, const bnn_data *data, bnn_real *theta, bnn_cost *cost);

/* A block of parameters. */
typedef struct {
    const char *node; /* label of the node, "likelihood" or "prior" */
    const char *name; /* of the block */
    bnn_role role;    /* who owns its prior */
    int rows, cols;   /* as in bnn_param */
    size_t offset;    /* in theta */
    size_t length;    /* of it, in bnn_reals */
    int index;        /* of the node in the net; -1: none */
} bnn_block_info;

/* Block b, counted over all nodes in order, then the likelihood's, then the prior's; false behind the last. */
bool bnn_model_block(const bnn_model *model, int b, bnn_block_info *out);

/* Runs of parameters that follow each other and move alike: those of the likelihood, others of the role HYPER, and the rest have each a
 * step size of their own. STATE is in none of them. */
typedef struct {
    size_t offset; /* in theta */
    int length;    /* of it */
    bool hyper;    /* of the role HYPER */
    bool noise;    /* of those the likelihood's own */
} bnn_range;
/* All of them in order, (*out)[*n], by_block one for each block; free(*out), also after a failure. */
bnn_status bnn_model_ranges(const bnn_model *model, bool by_block, int *n, bnn_range **out);

/* Second derivative of -log prior in each entry of block b at theta: 1/sd^2, behind a gate 1/(keep sd^2). NAN: the prior is not Gaussian.
 */
double bnn_model_prior_prec(const bnn_model *model, int b, const bnn_real *theta);
/* Gives block b a Gaussian prior with this second derivative, finite and above 0. Not saved with the model. */
bnn_status bnn_model_set_prior_prec(bnn_model *model, int b, const bnn_real *theta, double prec);

/* The parts of U, in nats over the whole training set. */
typedef struct {
    double nll;   /* (N/M) sum -w log p(y|f) */
    double prior; /* -log prior */
    double kl;    /* KL of the layers */
} bnn_terms;
/* U, their sum. */
static inline double bnn_terms_u(bnn_terms t) { return t.nll + t.prior + t.kl; }

/* How the gradient of E[nll] over the noise is estimated. Both ways are unbiased, the second one for every baseline that does not depend on
 * the noise of the pass. KL and prior keep their own gradients. */
typedef enum {
    BNN_PATHWISE,      /* along the path theta -> noise -> f (Kingma & Welling 2014) */
    BNN_SCORE_FUNCTION /* for layers with a score hook: (nll - baseline) d log q(noise | theta)/dtheta (Williams 1992; Mohamed et al. 2020,
                          sections 4 and 5) */
} bnn_estimator;

/* How U is evaluated. */
typedef struct {
    int n_total;             /* N */
    double scale;            /* the gradient is of scale * U: 1 over the weight of all rows for optimisers, 1 for samplers */
    double kl_weight;        /* factor on KL and prior in this batch; 1 in U itself */
    bnn_mode mode;           /* where the noise of the layers comes from */
    bnn_estimator estimator; /* BNN_SCORE_FUNCTION: in BNN_DRAW only */
    double baseline;         /* of the score function, in nats of terms.nll */
    const double *weight;    /* [m] of the rows of this batch; NULL: each weighs 1 */
} bnn_objective;

/* A workspace for U and its gradient on up to `rows` rows, and for nothing else. Where a row is much work on few parameters, as an image in a
 * network of convolutions, rows go side by side in it, and their gradients are added in the order of rows, in place of one sum over all of
 * them. More than 4224 rows are cut into shards, each with a gradient of its own, which are added in double over a tree; unless layers see
 * several rows. Not for BNN_SCORE_FUNCTION. */
bnn_status bnn_model_workspace_new(const bnn_model *model, int rows, bnn_workspace **out);
size_t bnn_model_workspace_bytes(const bnn_model *model, int rows); /* bytes that it takes */

/* U on m rows x[m, in], y[m, y_dim], m <= rows of the workspace; grad[n_theta] is set (NULL: not wanted). */
bnn_terms bnn_model_u(const bnn_model *model, bnn_workspace *ws, const bnn_objective *objective, bnn_rng rng, const bnn_real *theta, int m,
                      const bnn_real *x, const bnn_real *y, bnn_real *grad);

/* Likewise on all rows of the data, whose weights the objective has. Where there are several ranks and more rows than a shard has, each
 * needs those of its stretch alone (bnn_data_spread). */
bnn_terms bnn_model_u_data(const bnn_model *model, bnn_workspace *ws, const bnn_objective *objective, bnn_rng rng, const bnn_real *theta,
                           const bnn_data *data, bnn_real *grad);

/* Sum over n rows x[n, in], y[n, y_dim] of -log p(y | f(x)) in nats, one pass in this mode without the statistics of training; dx[n, in] is
 * set to its gradient. Rows have their own: dx of a row is that of its own nll, since no row sees another. ws: BNN_TO_X, of n rows or more.
 */
double bnn_model_input_gradient(const bnn_model *model, bnn_workspace *ws, bnn_mode mode, bnn_rng rng, const bnn_real *theta, int n,
                                const bnn_real *x, const bnn_real *y, bnn_real *dx);

/* Gradients of -log p(y | f(x)) in nats, row by row: grad[n, n_theta] is set for n rows x[n, in], y[n, y_dim], in this mode without the
 * statistics of training. They add up to the gradient of the nll of all rows. ws: BNN_TO_THETA, of one row or more. */
void bnn_model_row_gradients(const bnn_model *model, bnn_workspace *ws, bnn_mode mode, bnn_rng rng, const bnn_real *theta, int n,
                             const bnn_real *x, const bnn_real *y, bnn_real *grad);

/* Floating-point operations on m rows, counted from shapes: */
double bnn_model_gradient_flops(const bnn_model *model, int m); /* of one gradient */
double bnn_model_forward_flops(const bnn_model *model, int m);  /* of one forward pass */

#ifdef __cplusplus
}
#endif

#endif
