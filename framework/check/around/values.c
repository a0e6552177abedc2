/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * values.c: options at values within their ranges, where the check specs leave them at their presets.
 */
#include "check/layer/layer.h"
#include "check/type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- what a network does */

static void add_state(uint64_t *digest, bnn_layer_pass *p) {
    const bnn_layer_type *type = bnn_layer_vtable(p->l);
    bnn_real dkeep[BNN_MAX_GATE_THETA] = {0};
    if (type->keep) {
        double keep = type->keep(p->l, p->theta, dkeep);
        bnn_digest_add(digest, &keep, sizeof keep);
        bnn_digest_add(digest, dkeep, sizeof dkeep);
    }
    if (!type->absorb) return;
    bnn_layer_pass_absorb(p, p->n);
    bnn_digest_add(digest, p->theta, (size_t)p->l->n_theta * sizeof *p->theta);
}

/* A number that tells what the node does in every mode, in training and without; networks that differ have others. */
static bnn_status fingerprint(const bnn_layer_case *k, uint64_t *out) {
    const bnn_layer *l = bnn_case_layer(k);
    const bnn_plan *plan = &l->plan;
    const int sizes[] = {bnn_layer_size_out(l), l->n_theta, plan->pass, plan->cache_row, plan->scratch_row, plan->scratch_pass};
    *out = BNN_DIGEST;
    bnn_digest_add(out, sizes, sizeof sizes);
    for (int i = 0; i < 6; i++) {
        bnn_layer_pass p;
        BNN_TRY(bnn_layer_pass_open(k->net->net, k->node, BNN_CASE_ROWS, (bnn_mode)(i % 3), bnn_rng_seed(140), &p));
        p.io.train = i < 3;
        bnn_layer_pass_zero_gradients(&p);
        bnn_layer_pass_gradient(&p);
        bnn_digest_pass(out, &p);
        if (i == 0) add_state(out, &p);
        bnn_layer_pass_close(&p);
    }
    return BNN_OK;
}

/* ---------------------------------------------------------------- one value */

/* Runs on the node of this type in a network of this text; *taken: there is one. */
typedef bnn_status on_network(bnn_checker *c, const bnn_layer_case *k, void *of);
static bnn_status with_network(bnn_checker *c, const bnn_layer_case *k, const char *text, on_network *run, void *of, bool *taken) {
    bnn_spec_net net;
    bnn_layer_case there = *k;
    *taken = false;
    bnn_status s = bnn_spec_net_open(text, &net);
    if (s < 0) return s == BNN_ERR_MEMORY ? s : BNN_OK;
    there.net = &net, there.mode = BNN_ROWS, there.most_entries = 12;
    there.node = bnn_first_node(net.net, k->type);
    if (there.node >= 0) *taken = true, s = run(c, &there, of);
    bnn_spec_net_close(&net);
    return s;
}

static bnn_status take_fingerprint(bnn_checker *c, const bnn_layer_case *k, void *of) {
    (void)c;
    return fingerprint(k, of);
}

/* What holds of a layer with any options. */
static bnn_status works(bnn_checker *c, const bnn_layer_case *k, void *of) {
    static bnn_layer_rule *const in_modes[] = {bnn_rule_gradient, bnn_rule_rows, bnn_rule_training, bnn_rule_quiet, bnn_rule_bounds};
    static bnn_layer_rule *const once[] = {bnn_rule_roles, bnn_rule_drawn, bnn_rule_keep, bnn_rule_entropy, bnn_check_kl_by_quadrature};
    bnn_layer_case here = *k;
    (void)of;
    const bnn_mode last = bnn_case_has_cap(k, BNN_STOCHASTIC) ? BNN_DRAW : BNN_MEAN; /* without noise the modes are one */
    for (here.mode = BNN_MEAN; here.mode <= last; here.mode++)
        for (size_t i = 0; i < sizeof in_modes / sizeof *in_modes && !bnn_checker_broken(c); i++)
            BNN_TRY(bnn_case_ask(c, &here, in_modes[i]));
    for (size_t i = 0; i < sizeof once / sizeof *once && !bnn_checker_broken(c); i++) BNN_TRY(bnn_case_ask(c, k, once[i]));
    return BNN_OK;
}

/* ---------------------------------------------------------------- an option's values */

/* What is seen of one option: the values that some check spec takes, and whether any of them makes another network. */
typedef struct {
    const bnn_option *option;
    int taken;
    bool matters;
} seen;

/* The first check spec that takes the option at this value. full: the rules are asked, too. */
static bnn_status at_value(bnn_checker *c, const bnn_layer_case *k, const char *value, bool full, seen *of) {
    bool taken = false, before;
    uint64_t preset, here;
    char note[128];
    for (int i = 0; k->type->type.checks[i] && !taken; i++) {
        char *text;
        BNN_TRY(bnn_spec_with_option(&k->type->type, k->type->type.checks[i], of->option->name, value, &text));
        snprintf(note, sizeof note, "with option '%s' at %s", of->option->name, value);
        c->note = note, c->now.spec = k->type->type.checks[i];
        bnn_status s = with_network(c, k, text, take_fingerprint, &here, &taken);
        if (s == BNN_OK && taken && full) s = with_network(c, k, text, works, NULL, &taken);
        if (s == BNN_OK && taken) s = with_network(c, k, k->type->type.checks[i], take_fingerprint, &preset, &before);
        free(text);
        c->note = NULL;
        if (s < 0) return s;
        if (taken) of->taken++, of->matters |= !before || here != preset;
    }
    return BNN_OK;
}

static bnn_status at_values(bnn_checker *c, const bnn_layer_case *k, const bnn_option *o) {
    seen of = {.option = o};
    char text[BNN_NUMBER_TEXT];
    for (int i = 0; i < BNN_MOST_VALUES && !bnn_checker_broken(c); i++) {
        const char *value = bnn_option_value(o, i, text);
        if (value) BNN_TRY(at_value(c, k, value, true, &of));
    }
    for (int above = 0; above < 2 && !of.matters && !bnn_checker_broken(c) && isfinite(above ? o->max : o->min); above++)
        BNN_TRY(at_value(c, k, bnn_number_print(above ? o->max : o->min, text), false, &of));
    if (!bnn_checker_broken(c) && of.taken > 1 && !of.matters)
        bnn_checker_break(c, "option '%s' changes nothing at any of %d values: is it read?", o->name, of.taken);
    return BNN_OK;
}

bnn_status bnn_rule_values(bnn_checker *c, const bnn_layer_case *k) {
    bnn_option o;
    if (k->type->max_in == 0 || !bnn_options_at(k->type->type.options, 0, &o)) {
        bnn_checker_skip(c, "there are no options, or no inputs");
        return BNN_OK;
    }
    for (int i = 0; bnn_options_at(k->type->type.options, i, &o) && !bnn_checker_broken(c); i++) BNN_TRY(at_values(c, k, &o));
    if (!bnn_checker_broken(c)) c->now.spec = "";
    return BNN_OK;
}
