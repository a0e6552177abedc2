/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * check_layer.h (private): the rules of layers, and what they share. One file for each theme; check_layer.c has the table.
 */
#ifndef BNN_CHECK_LAYER_H
#define BNN_CHECK_LAYER_H

#include "check_numeric.h"
#include "check_pass.h"
#include "checker.h"

/* What one run of a rule is about. Rules of a whole type have the type only, rules of a spec no node, rules of a node no mode. */
typedef struct {
    const bnn_layer_type *type;
    const char *spec;
    const bnn_spec_net *net;
    int node;
    bnn_mode mode;
} bnn_layer_case;

static inline const bnn_layer *bnn_case_layer(const bnn_layer_case *k) { return &k->net->net->node[k->node].layer; }
static inline bool bnn_case_has_cap(const bnn_layer_case *k, uint32_t cap) { return k->type->type.caps & cap; }

/* The case's node over n rows; seeds differ from rule to rule so that no rule repeats another one's numbers. */
static inline bnn_status bnn_case_open(const bnn_layer_case *k, int n, uint64_t seed, bnn_layer_pass *p) {
    return bnn_layer_pass_open(k->net->net, k->node, n, k->mode, bnn_rng_seed(seed), p);
}

/* The first node of type t in a net; -1 if there is none. Sources have no hooks that run and do not count. */
int bnn_first_node(const bnn_net *net, const bnn_layer_type *t);

extern const char *const bnn_mode_names[]; /* by bnn_mode */

enum { BNN_CASE_ROWS = 6 };

typedef bnn_status bnn_layer_rule(bnn_checker *c, const bnn_layer_case *k);

/* check_layer_claims.c: what the vtable and the plan say of the layer */
bnn_layer_rule bnn_rule_metadata, bnn_rule_options, bnn_rule_init, bnn_rule_capabilities, bnn_rule_memory, bnn_rule_flops;
/* Why no rule but metadata can be run: a hook is missing; NULL: they can. */
const char *bnn_layer_unusable(const bnn_layer_type *type);
/* check_layer_text.c: from text to net and back */
bnn_layer_rule bnn_rule_print, bnn_rule_reload, bnn_rule_shapes;
/* The check spec with key=value added to the options of the type's first statement there; caller frees. */
bnn_status bnn_spec_with_option(const bnn_type *type, const char *spec, const char *key, const char *value, char **out);
/* check_layer_memory.c: what hooks read and write */
bnn_layer_rule bnn_rule_bounds, bnn_rule_undefined, bnn_rule_allocations, bnn_rule_finite, bnn_rule_empty;
/* check_layer_calls.c: one call against others */
bnn_layer_rule bnn_rule_state, bnn_rule_threads, bnn_rule_function, bnn_rule_rows, bnn_rule_row_number;
/* check_layer_gradient.c */
bnn_layer_rule bnn_rule_gradient, bnn_rule_adds, bnn_rule_unwanted, bnn_rule_penalty;
/* check_layer_noise.c: where there is noise, and where there is none */
bnn_layer_rule bnn_rule_noise, bnn_rule_keep, bnn_rule_limit;
/* check_layer_moments.c: the distribution of the output and of the gradient */
bnn_layer_rule bnn_rule_moments, bnn_rule_expected_gradient;
/* check_layer_score.c: the score function of what is drawn */
bnn_layer_rule bnn_rule_score;
/* check_layer_kl.c: the value of the penalty */
bnn_layer_rule bnn_rule_kl, bnn_rule_entropy;
/* Gaussian weights are known by the names of their blocks: w ~ N(mu, softplus(rho)^2) for blocks NAME_mu and NAME_rho of equal size, both
 * VARIATIONAL. Where NAME_rho of block b begins in theta; -1 if block b is no NAME_mu. */
int bnn_rho_of(const bnn_layer *l, int b);

#endif
