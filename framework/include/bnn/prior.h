/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * prior.h: the contract of a prior over weights.
 *
 * A prior is a density over one block of parameters at a time; blocks are independent. Weights are in the units of the standardised data.
 */
#ifndef BNN_PRIOR_H
#define BNN_PRIOR_H

#include <bnn/registry.h>
#include <bnn/rng.h>

/* Who owns the prior of a block of parameters: the model for WEIGHT and BIAS, the layer (through its penalty) for the others. */
typedef enum { BNN_WEIGHT, BNN_BIAS, BNN_VARIATIONAL, BNN_HYPER } bnn_role;

typedef struct {
    const char *name; /* "kernel", "bias", ...: also the name in files; static storage */
    bnn_role role;
    int rows, cols; /* rows*cols reals, row-major; a vector has rows = 0 and cols entries */
    int fan_in;     /* inputs of one unit: scales initial values and priors */
} bnn_param;

/* Number of reals in a block. */
static inline int bnn_param_size(const bnn_param *p) { return (p->rows > 0 ? p->rows : 1) * p->cols; }

typedef struct bnn_prior {
    bnn_object object;
} bnn_prior;

typedef struct bnn_prior_type {
    bnn_type type;

    /* REQUIRED. log density of w[n] in nats, normaliser included; dw[n] (NULL: not wanted) is set to its gradient, not added to. weight:
     * the block holds weights (true) or biases. */
    double (*logp)(const bnn_prior *, bool weight, int fan_in, int n, const bnn_real *w, bnn_real *dw);

    /* REQUIRED. out[n] = a draw from the prior. */
    void (*draw)(const bnn_prior *, bool weight, int fan_in, bnn_rng rng, int n, bnn_real *out);

    /* OPTIONAL: sum of KL( N(mean, sd^2) || prior ) in nats in closed form; dmean[n], dsd[n] are set (NULL: not wanted). Without it Monte
     * Carlo takes its place. */
    double (*kl_gaussian)(const bnn_prior *, bool weight, int fan_in, int n, const bnn_real *mean, const bnn_real *sd, bnn_real *dmean,
                          bnn_real *dsd);
} bnn_prior_type;

bnn_status bnn_prior_new(const char *spec, bnn_prior *out);
void bnn_prior_free(bnn_prior *prior);
static inline const bnn_prior_type *bnn_prior_vtable(const bnn_prior *p) { return (const bnn_prior_type *)p->object.type; }

#endif
