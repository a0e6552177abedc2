/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * optimizer.h: the contract of a first-order minimiser, one sweep over a stretch of parameters.
 */
#ifndef BNN_OPTIMIZER_H
#define BNN_OPTIMIZER_H

#include <bnn/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {                              /* bnn_type.caps of an optimiser */
       BNN_OPTIMIZER_DECAYS = 1,    /* the step also shrinks theta, whatever the gradient: decoupled weight decay */
       BNN_OPTIMIZER_BY_BLOCKS = 2, /* a call of step is for one whole block of parameters: it takes norms of them */
       BNN_OPTIMIZER_EVEN = 4,      /* every step along a gradient that stays the same is as long as the step size, from the first on */
       BNN_OPTIMIZER_UNEVEN = 8 /* their lengths rise and fall by design: squares that are not corrected behind a momentum, a look back */
};

/* An optimiser with its options; its state is the caller's. */
typedef struct bnn_optimizer {
    bnn_object object; /* type and options */
} bnn_optimizer;

/* Vtable of an optimiser. */
typedef struct bnn_optimizer_type {
    bnn_type type;       /* name, options, check specs */
    int state_per_theta; /* reals of state for each parameter; zero at the start */

    /* REQUIRED. One step on n parameters, any stretch of theta unless BY_BLOCKS: theta -= ... with gradient g (of U/N) and step size lr;
     * state[state_per_theta][n] lies in planes of length `stride`; t counts steps from 1. */
    void (*step)(const bnn_optimizer *, double lr, uint64_t t, int n, bnn_real *theta, const bnn_real *g, bnn_real *state, size_t stride);
} bnn_optimizer_type;

/* Parses a spec. Free out with bnn_optimizer_free. */
bnn_status bnn_optimizer_new(const char *spec, bnn_optimizer *out);
void bnn_optimizer_free(bnn_optimizer *optimizer); /* frees what is inside */
/* The vtable of an optimiser. */
static inline const bnn_optimizer_type *bnn_optimizer_vtable(const bnn_optimizer *o) { return (const bnn_optimizer_type *)o->object.type; }

#ifdef __cplusplus
}
#endif

#endif
