/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * optimizer.h (private): what the rules of optimisers are run on. optimizer.c has the table and the rules on single calls, course.c those
 * on a course of steps.
 */
#ifndef BNN_CHECK_OPTIMIZER_H
#define BNN_CHECK_OPTIMIZER_H

#include "check/hooks.h"

#include <bnn/optimizer.h>
#include <bnn/rng.h>

enum { BNN_OPTIMIZER_CASE = 7, BNN_OPTIMIZER_STRIDE = 16 }; /* parameters, and their room in a plane of state */

typedef struct {
    const bnn_optimizer_type *type;
    bnn_optimizer o;
    double lr;
    uint64_t t;
    int planes, n, stride;
    bool decays;                 /* theta shrinks without a gradient: DECAYS says it, or some option that may be 0 turns it off then */
    bnn_real *theta, *g, *state; /* [n], [n] lent, [planes, stride] of which n are used */
    bnn_hooks hooks;
} bnn_optimizer_case;

/* Zero state, t = 1; theta and its gradient are normal, and stand again behind every seventh parameter. */
bnn_status bnn_optimizer_case_sized(const bnn_optimizer_type *type, const char *spec, int n, int stride, bnn_optimizer_case *out);
static inline bnn_status bnn_optimizer_case_open(const bnn_optimizer_type *type, const char *spec, bnn_optimizer_case *out) {
    return bnn_optimizer_case_sized(type, spec, BNN_OPTIMIZER_CASE, BNN_OPTIMIZER_STRIDE, out);
}
void bnn_optimizer_case_close(bnn_optimizer_case *k);
/* The state is zero again, t is 1. */
void bnn_optimizer_case_restart(bnn_optimizer_case *k);
void bnn_optimizer_case_gradient(bnn_optimizer_case *k); /* another one for every t */
static inline void bnn_optimizer_case_step(bnn_optimizer_case *k) {
    k->type->step(&k->o, k->lr, k->t, k->n, k->theta, k->g, k->state, (size_t)k->stride);
}
static inline bool bnn_optimizer_case_says(const bnn_optimizer_case *k, uint32_t cap) { return k->type->type.caps & cap; }

/* U = sum a_i (theta_i - i)^2 / 2, a_i from `least` to 2 in equal ratios; its gradient goes into g. Where weights decay its minimum is at
 * 0, where decay has nothing to add. Of seven parameters. */
double bnn_optimizer_case_quadratic(bnn_optimizer_case *k, double least);

/* Rules on a course of steps. */
typedef bnn_status bnn_optimizer_rule(bnn_checker *c, void *of);
bnn_optimizer_rule bnn_rule_decoupled, bnn_rule_mirror, bnn_rule_tails, bnn_rule_constant, bnn_rule_small, bnn_rule_converges;
/* blocks.c: of those that take whole blocks */
bnn_optimizer_rule bnn_rule_blocks;
bnn_status bnn_rule_effect(bnn_checker *c);

#endif
