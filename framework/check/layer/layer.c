/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * layer.c: the suite of layers: its rules, and the cases that each of them is run on.
 */
#include "layer.h"
#include "check/statics.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TYPE = 0,
    MEAN = 1 << BNN_MEAN,
    ROWS = 1 << BNN_ROWS,
    DRAW = 1 << BNN_DRAW,
    MODES = MEAN | ROWS | DRAW,
    SPEC = 8,
    NODE = 16,
    APART = 32 /* of a node: what COUPLED layers do without training is asked apart */
};

static const struct {
    bnn_rule rule;
    int on; /* once for the type, once for each check spec, for each node, or for each node in these modes */
    bnn_layer_rule *run;
} rules[] = {
    {{"metadata", "name, summary, hooks, capabilities and check specs are there, and what bind plans is possible"},
     TYPE,
     bnn_rule_metadata},
    {{"options", "every option takes its preset and its ends, refuses what is beyond them by name, and leaves the others alone"},
     TYPE,
     bnn_rule_options},
    {{"values", "with each option at three values within its range the layer keeps the rules, and no option changes nothing"},
     TYPE,
     bnn_rule_values},
    {{"print", "the printed network parses to the same network"}, SPEC, bnn_rule_print},
    {{"bounds", "no hook writes outside its arrays or into what it is only lent"}, MODES, bnn_rule_bounds},
    {{"reload", "a network made of the printed text gives the same bits with the same theta"}, SPEC, bnn_rule_reload},
    {{"shapes", "bind refuses an input with a sentence that names node and shape, or the layer works on it"}, SPEC, bnn_rule_shapes},
    {{"init", "initial parameters are all set, finite, the same for the same stream, and where they are drawn others for another one and "
              "for each unit"},
     NODE,
     bnn_rule_init},
    {{"capabilities", "AFFINE is x kernel + bias, CONV a convolution with kernel and bias, and RESHAPE leaves every number"},
     NODE,
     bnn_rule_capabilities},
    {{"undefined", "no hook reads what no hook has written"}, MODES, bnn_rule_undefined},
    {{"allocations", "no hook of a pass allocates"}, MODES, bnn_rule_allocations},
    {{"memory", "of pass, dpass, cache and scratch at least nine tenths are used in some mode"}, NODE, bnn_rule_memory},
    {{"flops", "the declared operations are those of the product, or a plausible number for each unit"}, NODE, bnn_rule_flops},
    {{"finite", "values and gradients are finite at extreme parameters, at huge inputs and for one row"}, MODES, bnn_rule_finite},
    {{"empty", "a call with no rows changes nothing"}, MODES, bnn_rule_empty},
    {{"state", "the same call gives the same bits, whatever was called in between, and a second backward after one forward"},
     MODES,
     bnn_rule_state},
    {{"threads", "1, 2 and 4 threads at once get the bits of one alone"}, MODES, bnn_rule_threads},
    {{"function", "without noise for each row, equal rows give equal outputs"}, MEAN | DRAW, bnn_rule_function},
    {{"rows", "the rows may be cut anywhere and come in any order"}, MODES, bnn_rule_rows},
    {{"sizes", "of 19, 257, 4097 and 100000 rows at once each is as alone, in arrays that have no room for more"}, MODES, bnn_rule_sizes},
    {{"wide", "the rules hold with 131 and 1027 inputs, and with 70 units, too"}, MODES, bnn_rule_wide},
    {{"row_number", "the noise of a row belongs to all 64 bits of its number"}, ROWS, bnn_rule_row_number},
    {{"training", "without training a layer that is not COUPLED does the same"}, MODES, bnn_rule_training},
    {{"noise", "the output depends on the noise where STOCHASTIC says so, and never in MEAN"}, TYPE, bnn_rule_noise},
    {{"gradient", "gradients of sum(c y) + penalty are those of differences; kinks are left out under KINKED only"},
     MODES,
     bnn_rule_gradient},
    {{"adds", "every gradient is added to what is there"}, MODES, bnn_rule_adds},
    {{"unwanted", "gradients that are not wanted do not change the others"}, MODES, bnn_rule_unwanted},
    {{"penalty", "the penalty is not scaled, its gradient is, and it is the same in every mode"}, MODES, bnn_rule_penalty},
    {{"roles", "blocks have the roles of their names, and the penalty is of those whose prior the layer owns"}, NODE, bnn_rule_roles},
    {{"fan_in", "a matrix of weights that the output is linear in says how many of them an output is a sum of"}, NODE, bnn_rule_fan_in},
    {{"quiet", "a layer whose plan says quiet does not depend on the noise"}, ROWS | DRAW, bnn_rule_quiet},
    {{"drawn", "the drawn blocks are those that y in DRAW depends on, and of Gaussian weights the weights"}, NODE, bnn_rule_drawn},
    {{"kl",
      "the penalty of Gaussian weights is the KL of q from the prior, whichever it is: by quadrature, by Monte Carlo, and 0 at the prior; "
      "that of others moves with the prior as what is drawn says"},
     NODE,
     bnn_rule_kl},
    {{"entropy", "the penalty of gates is minus the entropy of K of them, where nearly all drop and where nearly all stay, too"},
     NODE,
     bnn_rule_entropy},
    {{"keep", "keep is the share of units that stay, and has its gradient"}, NODE, bnn_rule_keep},
    {{"limit", "with its noise turned down to nothing the layer is that of MEAN"}, ROWS | DRAW, bnn_rule_limit},
    {{"moments", "mean and variance of the output are the same in ROWS and DRAW, and those that MEAN and the parameters imply"},
     NODE | APART,
     bnn_rule_moments},
    {{"joint", "the noise of rows and of units is shared or their own, that of every bit of the stream, and as wide in ROWS as in DRAW and "
               "as the sd of weights imply, to one percent"},
     NODE | APART,
     bnn_rule_joint},
    {{"expected_gradient", "the mean gradient is the same in ROWS and DRAW"}, NODE | APART, bnn_rule_expected_gradient},
    {{"score", "the score has mean 0, times y it has the mean gradient of y, and of Gaussian weights it is that of their density"},
     NODE,
     bnn_rule_score},
    {{"absorb", "STATE blocks get no gradient, and absorb moves them and nothing else, not for no rows; every row counts, and once it has "
                "seen one batch "
                "only the layer does out of training what it does in training"},
     NODE,
     bnn_rule_absorb},
};

enum { N_RULES = sizeof rules / sizeof *rules };

static const bnn_rule *rule_at(int i) { return i >= 0 && i < N_RULES ? &rules[i].rule : NULL; }

static bnn_status run_case(bnn_checker *c, int i, const bnn_layer_case *k, const char *mode) {
    bnn_checker_begin(c, &rules[i].rule, k->spec ? k->spec : "", mode);
    BNN_TRY(rules[i].run(c, k));
    return bnn_checker_end(c);
}

static bnn_status run_modes(bnn_checker *c, int i, bnn_layer_case *k) {
    static const char *const predicting[] = {"MEAN without training", "ROWS without training", "DRAW without training"};
    if (rules[i].on & NODE) return run_case(c, i, k, k->predicting ? "without training" : "");
    for (k->mode = BNN_MEAN; k->mode <= BNN_DRAW; k->mode++)
        if (rules[i].on & 1 << k->mode) BNN_TRY(run_case(c, i, k, k->predicting ? predicting[k->mode] : bnn_mode_names[k->mode]));
    return BNN_OK;
}

/* Without training, too, where that is another layer. */
static bnn_status run_node(bnn_checker *c, int i, const bnn_layer_case *k) {
    const bool apart = bnn_case_has_cap(k, BNN_COUPLED) && rules[i].on & (APART | MODES);
    for (int predicting = 0; predicting <= apart; predicting++) {
        bnn_layer_case here = *k;
        here.predicting = predicting;
        BNN_TRY(run_modes(c, i, &here));
    }
    return BNN_OK;
}

/* Specs that make no net are left out: metadata tells of them. */
static bnn_status run_spec(bnn_checker *c, int i, const char *spec) {
    bnn_spec_net net;
    bnn_layer_case k = {.type = (const bnn_layer_type *)c->type, .spec = spec, .net = &net, .mode = BNN_ROWS};
    bnn_checker_come_to(c, &rules[i].rule, spec, "");
    bnn_status s = bnn_spec_net_open(spec, &net);
    if (s < 0) return s == BNN_ERR_MEMORY ? s : BNN_OK;
    if (rules[i].on == SPEC) s = run_case(c, i, &k, "");
    for (k.node = 0; rules[i].on != SPEC && k.node < net.net->n_nodes && s == BNN_OK; k.node++)
        if (bnn_layer_vtable(bnn_case_layer(&k)) == k.type && bnn_case_layer(&k)->n_in > 0) s = run_node(c, i, &k);
    bnn_spec_net_close(&net);
    return s;
}

static bnn_status run_rule(bnn_checker *c, int i) {
    if (rules[i].on == TYPE) return run_case(c, i, &(bnn_layer_case){.type = (const bnn_layer_type *)c->type}, "");
    for (int s = 0; c->type->checks[s]; s++) BNN_TRY(run_spec(c, i, c->type->checks[s]));
    return BNN_OK;
}

static int index_of(bnn_layer_rule *run) {
    int i = 0;
    while (rules[i].run != run) i++;
    return i;
}

static bnn_status run_bounds(bnn_checker *c) { return run_rule(c, index_of(bnn_rule_bounds)); }

/* Hooks that write where they should not are not run on other memory than that of bounds. */
static bnn_status run(bnn_checker *c) {
    int last = N_RULES - 1, bounds = index_of(bnn_rule_bounds);
    bool holds;
    BNN_TRY(bnn_checker_holds(c, &rules[bounds].rule, run_bounds, &holds));
    if (!holds) last = bounds, c->stopped = true, c->left = "not run, since bounds is broken";
    for (int i = 0; i <= last; i++)
        if (bnn_checker_wants(c, &rules[i].rule)) BNN_TRY(run_rule(c, i));
    return BNN_OK;
}

/* ---------------------------------------------------------------- all nodes of a type in every mode, for the rules of every kind */

/* Many rows, too: a buffer may be for those alone that a small one has no room for. */
static bnn_status add_pass(const bnn_layer_case *k, int turn, uint64_t *digest) {
    enum { LEAST = 66, MOST = 130 };
    bnn_layer_pass p;
    int rows = turn > 0 ? bnn_case_times(bnn_case_layer(k), LEAST, LEAST, MOST) : BNN_CASE_ROWS;
    BNN_TRY(bnn_case_open(k, rows, (uint64_t)(90 + turn), &p));
    p.undefined = 0; /* what stands in arrays of the pass is asked by `undefined` */
    bnn_layer_pass_gradient(&p);
    if (k->type->score) bnn_layer_pass_score(&p, 0.7);
    if (k->type->absorb) bnn_layer_pass_absorb(&p, p.n);
    bnn_digest_pass(digest, &p);
    bnn_digest_add(digest, p.theta, (size_t)p.l->n_theta * sizeof *p.theta);
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

static bnn_status add_passes(bnn_layer_case k, int turn, uint64_t *digest) {
    bnn_status s = BNN_OK;
    for (k.node = 0; k.node < k.net->net->n_nodes; k.node++)
        for (k.mode = BNN_MEAN; k.mode <= BNN_DRAW && s == BNN_OK; k.mode++)
            if (bnn_layer_vtable(bnn_case_layer(&k)) == k.type && bnn_case_layer(&k)->n_in > 0) s = add_pass(&k, turn, digest);
    return s;
}

static bnn_status exercise(bnn_checker *c, const char *spec, int turn, uint64_t *digest) {
    bnn_spec_net net;
    *digest = BNN_DIGEST;
    BNN_TRY(bnn_spec_net_open(spec, &net));
    bnn_status s = add_passes((bnn_layer_case){.type = (const bnn_layer_type *)c->type, .spec = spec, .net = &net}, turn, digest);
    bnn_spec_net_close(&net);
    return s;
}

static bnn_status call_net(void *of, int turn) {
    uint64_t unused = BNN_DIGEST;
    return add_passes(*(const bnn_layer_case *)of, turn, &unused);
}

static bnn_status share(bnn_checker *c, const char *spec) {
    bnn_spec_net net;
    bnn_owned owned;
    bnn_layer_case k = {.type = (const bnn_layer_type *)c->type, .spec = spec, .net = &net};
    bnn_owned_begin(c);
    BNN_TRY(bnn_spec_net_open(spec, &net));
    bnn_status s = bnn_owned_made(c, &owned);
    if (s == BNN_OK) {
        s = bnn_owned_watch(c, &owned, call_net, &k);
        bnn_owned_free(&owned);
    }
    bnn_spec_net_close(&net);
    return s;
}

static bnn_status open_and_close(const char *text) {
    bnn_spec_net net;
    bnn_status s = bnn_spec_net_open(text, &net);
    if (s == BNN_OK) bnn_spec_net_close(&net);
    return s == BNN_ERR_MEMORY ? s : BNN_OK;
}

static bnn_status attempt(bnn_checker *c, const bnn_suite *suite, const char *spec, const char *key, const char *value) {
    static const char *const inputs[] = {"a = input:6; b = a", "a = input:2x3; b = a", "a = input:2x3x4; b = a",
                                         "a = input:2x3; b = flatten(a)"};
    const bool two = ((const bnn_layer_type *)c->type)->min_in > 1;
    char *text;
    (void)suite;
    if (key) {
        BNN_TRY(bnn_spec_with_option(c->type, spec, key, value, &text));
        bnn_status s = open_and_close(text);
        free(text);
        return s;
    }
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        if (asprintf(&text, "%s; %s%s", inputs[i], c->type->name, two ? "(a, b)" : "(a)") < 0) return bnn_oom("a rule");
        bnn_status s = open_and_close(text);
        free(text);
        if (s < 0) return s;
    }
    return BNN_OK;
}

const bnn_suite bnn_suite_layer = {.rule = rule_at, .run = run, .exercise = exercise, .share = share, .attempt = attempt};
