/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * prior.h: the contract of a prior over weights.
 *
 * A prior is a density over one block of parameters at a time; blocks are independent. Weights are in the units of the standardised data.
 *
 * A hierarchical prior has scales: runs of a block share one variance e^s, which has a density of its own. The model appends all s to theta
 * (role HYPER), hands the prior z = w e^(-s/2) in place of w, and does what this change of variable asks for:
 *   log p(w, s) = logp(z) - n s / 2 + logp_scale(s)
 */
#ifndef BNN_PRIOR_H
#define BNN_PRIOR_H

#include <bnn/plugin.h>
#include <bnn/rng.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who owns the prior of a block of parameters: the model for WEIGHT and BIAS, the layer (through its penalty) for VARIATIONAL and HYPER. A
 * STATE has none: it stands in theta, so that files, draws and resumed runs have it, but has no gradient, and nothing moves it but the
 * layer's hook absorb. */
typedef enum {
    BNN_WEIGHT,      /* weights */
    BNN_BIAS,        /* biases */
    BNN_VARIATIONAL, /* means and spreads of random weights */
    BNN_HYPER,       /* probabilities of dropping, noise, scales */
    BNN_STATE        /* what a layer remembers of batches: running statistics */
} bnn_role;

/* One block of parameters. */
typedef struct {
    const char *name; /* "kernel", "bias", ...: also the name in files; static storage */
    bnn_role role;    /* who owns its prior */
    int rows, cols;   /* rows*cols reals, row-major; a vector has rows = 0 and cols entries */
    int fan_in;       /* inputs of one unit: scales initial values and priors */
} bnn_param;

/* Number of reals in a block. */
static inline int bnn_param_size(const bnn_param *p) { return (p->rows > 0 ? p->rows : 1) * p->cols; }

/* A block of parameters as a prior sees it: those of a whole kernel, or the biases of a layer. */
typedef struct {
    const char *node;  /* label of its layer in the network */
    const char *layer; /* type of that layer: "dense" */
    const char *name;  /* of the block: "kernel", "bias" */
    bool weight;       /* it holds weights (true) or biases */
    int rows, cols;    /* as in bnn_param */
    int fan_in;        /* inputs of one unit */
    int inputs;        /* equal runs of a kernel, each of the weights of one input: rows, or the channels of an image; of biases 0 */
} bnn_prior_block;

/* A prior with its options. */
typedef struct bnn_prior {
    bnn_object object; /* type and options */
} bnn_prior;

/* Vtable of a prior. Hooks may be called from several threads at once; NULL: the optional hook is not there. */
typedef struct bnn_prior_type {
    bnn_type type; /* name, options, check specs */

    /* REQUIRED. log density of w[n], any n numbers of a block, in nats, normaliser included; dw[n] (NULL: not wanted) is set to its
     * gradient, not added to. */
    double (*logp)(const bnn_prior *, const bnn_prior_block *, int n, const bnn_real *w, bnn_real *dw);

    /* REQUIRED. out[n] = a draw from the prior. */
    void (*draw)(const bnn_prior *, const bnn_prior_block *, bnn_rng rng, int n, bnn_real *out);

    /* OPTIONAL: sum of KL( N(mean, sd^2) || prior ) in nats in closed form; dmean[n], dsd[n] are set (NULL: not wanted). Without it Monte
     * Carlo takes its place. */
    double (*kl_gaussian)(const bnn_prior *, const bnn_prior_block *, int n, const bnn_real *mean, const bnn_real *sd, bnn_real *dmean,
                          bnn_real *dsd);

    /* OPTIONAL, both or none: */
    int (*n_scales)(const bnn_prior *, const bnn_prior_block *); /* equal runs of the block, each with a log variance s of its own */
    double (*logp_scale)(const bnn_prior *, const bnn_prior_block *, double s, double *ds); /* log density of one s in nats, normaliser
                                                                                             *included; ds = its slope */

    /* OPTIONAL, of a prior N(0, sd^2): its sd; inf: flat. */
    double (*sd)(const bnn_prior *, const bnn_prior_block *);

    /* OPTIONAL, with logp_scale: a draw of one s from its density. */
    double (*draw_scale)(const bnn_prior *, const bnn_prior_block *, bnn_rng rng);

    /* OPTIONAL, with logp_scale, where it can be drawn from: a draw of the s of a run from its density given the weights of the run, w[n],
     *   log p(s | w) = logp(w e^(-s/2)) - n s / 2 + logp_scale(s) + const */
    double (*draw_scale_given)(const bnn_prior *, const bnn_prior_block *, int n, const bnn_real *w, bnn_rng rng);
} bnn_prior_type;

/* Parses a spec. Free out with bnn_prior_free. */
bnn_status bnn_prior_new(const char *spec, bnn_prior *out);
void bnn_prior_free(bnn_prior *prior); /* frees what is inside */

/* log density of s = log variance, *ds its slope, where the precision e^-s has the Gamma distribution of this shape and mean 1/sd^2, the
 * hyperprior of Neal 1996, section 3.2.1 (his alpha is twice the shape):
 *   a log(a sd^2) - log Gamma(a) - a s - a sd^2 e^-s          a = shape; the Jacobian d precision / ds is in it */
double bnn_log_var_logp(double sd, double shape, double s, double *ds);
double bnn_log_var_draw(double sd, double shape, bnn_rng rng); /* a draw of s from it */
/* A draw of s given numbers N(0, e^s) of weight n, each 1 or another, with this sum of squares: the precision has the Gamma distribution of
 * shape a + n/2 and rate a sd^2
 * + squares/2 (Neal 1996, section 3.2.3). a = 0, flat in s, is allowed where n > 0. */
double bnn_log_var_draw_given(double sd, double shape, double n, double squares, bnn_rng rng);

/* The vtable of a prior. */
static inline const bnn_prior_type *bnn_prior_vtable(const bnn_prior *p) { return (const bnn_prior_type *)p->object.type; }

#ifdef __cplusplus
}
#endif

#endif
