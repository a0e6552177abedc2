/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * case.h (private): what one run of a rule of layers is about, and what the rules share.
 */
#ifndef BNN_CHECK_CASE_H
#define BNN_CHECK_CASE_H

#include "check/numeric.h"
#include "check/pass.h"
#include "check/checker.h"

/* Subject of one run of a rule. Rules of a whole type have the type only, rules of a spec no node, rules of a node no mode. */
typedef struct {
    const bnn_layer_type *type;
    const char *spec;
    const bnn_spec_net *net;
    int node;
    bnn_mode mode;
    bool predicting;  /* without training: what COUPLED layers do there is asked apart, of others it is the same */
    bool far;         /* a slope that changes within the step of the differences is left out */
    int most_entries; /* of an array whose gradients are looked at; 0: as many as there is time for */
} bnn_layer_case;

static inline const bnn_layer *bnn_case_layer(const bnn_layer_case *k) { return &k->net->net->node[k->node].layer; }
static inline bool bnn_case_has_cap(const bnn_layer_case *k, uint32_t cap) { return k->type->type.caps & cap; }

/* The case's node over n rows; seeds differ from rule to rule so that no rule repeats another one's numbers. */
static inline bnn_status bnn_case_open(const bnn_layer_case *k, int n, uint64_t seed, bnn_layer_pass *p) {
    BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, n, k->mode, bnn_rng_seed(seed), p));
    p->io.train = !k->predicting;
    return BNN_OK;
}

/* Two that are equal, both of them or none. */
static inline bnn_status bnn_case_open_both(const bnn_layer_case *k, int n, uint64_t seed, bnn_layer_pass *a, bnn_layer_pass *b) {
    BNN_TRY(bnn_case_open(k, n, seed, a));
    bnn_status s = bnn_case_open(k, n, seed, b);
    if (s < 0) bnn_layer_pass_close(a);
    return s;
}

/* Rows interact: COUPLED, and in training. */
static inline bool bnn_case_is_coupled(const bnn_layer_case *k) { return bnn_case_has_cap(k, BNN_COUPLED) && !k->predicting; }

/* How often, of `most` times, a rule makes a pass forward over this many rows: fewer where that takes long, as of images, but not below
 * `least`. */
int bnn_case_times(const bnn_layer *l, int rows, int least, int most);
/* Number j of m that stand for the numbers below n: all of them if m = n, else spread over them, with both ends. */
int bnn_case_pick(int j, int m, int n);

/* The first node of type t in a net; -1 if there is none. Sources have no hooks that run and do not count. */
int bnn_first_node(const bnn_net *net, const bnn_layer_type *t);

extern const char *const bnn_mode_names[]; /* by bnn_mode */

enum { BNN_CASE_ROWS = 6 };

typedef bnn_status bnn_layer_rule(bnn_checker *c, const bnn_layer_case *k);

/* Asks a rule within another one: the open verdict is broken if that rule is, else it stays. */
bnn_status bnn_case_ask(bnn_checker *c, const bnn_layer_case *k, bnn_layer_rule *rule);

/* The check spec with key=value added to the options of the type's first statement there; caller frees. */
bnn_status bnn_spec_with_option(const bnn_type *type, const char *spec, const char *key, const char *value, char **out);

#endif
