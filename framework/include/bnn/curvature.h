/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * curvature.h: the generalised Gauss-Newton matrix of -log p(D | theta), and the Gaussian that it makes with a Gaussian prior.
 *
 *   H = sum_i J_i^T L_i J_i             J_i = df(x_i)/dw [out_dim, P],  L_i [out_dim, out_dim] the likelihood's curvature in f
 *   S = (H / var + diag(prec))^-1       covariance of w
 *
 * w are the entries of the WEIGHT and BIAS blocks of all nodes, or of the last node that has any. Noise of the layers stands at its mean.
 * Sums are in double, over all rows of the training set.
 *   full   H itself
 *   diag   its diagonal
 *   kron   for each AFFINE node A (x) B, A = sum_i a_i a_i^T / N, B = sum_i g_i g_i^T, with inputs a = [x, 1] and g the gradients of
 *          L_i^1/2 f in the node's outputs (Martens & Grosse 2015; Ritter et al. 2018); nothing between nodes
 */
#ifndef BNN_CURVATURE_H
#define BNN_CURVATURE_H

#include <bnn/cost.h>
#include <bnn/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Parts of H that are kept; see above. */
typedef enum {
    BNN_DIAG, /* its diagonal */
    BNN_KRON, /* Kronecker factors by node */
    BNN_FULL  /* all of it */
} bnn_structure;
extern const char *const bnn_structure_names[]; /* of the structures in their order: diag, kron, full */

/* A block of parameters that w has. */
typedef struct {
    int number;          /* of bnn_model_block */
    bnn_block_info info; /* where it stands in theta */
    size_t at;           /* its first entry in w */
    double prec;         /* of its prior in S */
} bnn_curvature_block;

/* Curvature at one theta. Owns its arrays. */
typedef struct {
    const bnn_model *model;     /* borrowed */
    bnn_structure structure;    /* of H and S */
    int n_blocks;               /* that w has */
    bnn_curvature_block *block; /* [n_blocks] */
    size_t n;                   /* P, entries of w */
    struct bnn_kron *kron;      /* of structure kron: by node */
    size_t n_factor, n_h;       /* lengths of factor and h */
    double *factor;             /* [n_factor] S, in the form that prediction needs */
    double *h;                  /* [n_h] H and room to work on it, from build on */
} bnn_curvature;

/* Room for S; refuses what does not fit into memory, naming what would. */
bnn_status bnn_curvature_open(const bnn_model *model, bnn_structure structure, bool last_layer, bnn_curvature *out);
void bnn_curvature_close(bnn_curvature *c); /* frees what is inside */

/* H at theta over the rows of data (their targets are not used). What it takes is added to cost. */
bnn_status bnn_curvature_build(bnn_curvature *c, const bnn_real *theta, const bnn_data *data, bnn_cost *cost);

/* After build: S of var and prec[n_blocks]. A precision of 0 (flat) is raised to the least that rounding can tell from it; kron has none.
 * *log_det is that of S^-1; determined[n_blocks] (NULL: not wanted) = sum over entries of 1 - prec S_jj, the well-determined parameters
 * of MacKay 1992. d log_det / d log prec = length - determined, d log_det / d log var = -sum of determined. */
bnn_status bnn_curvature_posterior(bnn_curvature *c, double var, const double *prec, double *log_det, double *determined);

/* After posterior, of structure full: v[n] becomes S v. */
void bnn_curvature_solve(const bnn_curvature *c, double *v);

/* The outputs of the network are linear in w: w is of one node alone, an affine map without noise at the end of the network. */
bool bnn_curvature_linear(const bnn_curvature *c);

/* Adds a draw from N(0, S) to theta[n_theta]. Thread-safe. */
bnn_status bnn_curvature_draw(const bnn_curvature *c, bnn_rng rng, bnn_real *theta);

/* The outputs of the network linearised at theta, f ~ N(mean, cov): mean[n, out_dim], cov[n, out_dim, out_dim] = J S J^T. ws has room for
 * the rows, with gradients. Thread-safe. */
bnn_status bnn_curvature_outputs(const bnn_curvature *c, bnn_workspace *ws, const bnn_real *theta, int n, const bnn_real *x, double *mean,
                                 double *cov);

#ifdef __cplusplus
}
#endif

#endif
