/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * claims.c: what the vtable says of the engine, and what adapt makes of networks.
 */
#include "engine.h"
#include "check/type.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_ROWS = 20 };

/* ---------------------------------------------------------------- metadata */

/* The hooks that only make sense together. */
static void check_hooks(bnn_checker *c, const bnn_engine_type *t) {
    if (t->outputs && !t->predictive) bnn_checker_break(c, "there is a hook outputs, but no predictive that says when to use it");
    if (t->predictive && !t->outputs) bnn_checker_break(c, "there is a hook predictive, but no outputs that it speaks of");
    if (t->type.caps & (BNN_POINT | BNN_ONE_THETA) && t->n_draws)
        bnn_checker_break(c, "%s, but there is a hook n_draws: one parameter vector needs none",
                          t->type.caps & BNN_POINT ? "POINT" : "ONE_THETA");
    if (t->type.caps & BNN_POINT && t->type.caps & BNN_EXACT)
        bnn_checker_break(c, "both POINT and EXACT: one point is no sample of a posterior");
}

/* A spec names this type, and opens. */
static bnn_status check_spec(bnn_checker *c, const char *what, const char *spec) {
    bnn_object object;
    if (bnn_checker_broken(c)) return BNN_OK;
    c->now.spec = spec;
    bnn_status s = bnn_object_parse(BNN_ENGINE, spec, &object);
    if (s < 0) {
        if (s != BNN_ERR_MEMORY) bnn_checker_break(c, "the %s is refused: %s", what, bnn_error());
        return s == BNN_ERR_MEMORY ? s : BNN_OK;
    }
    if (object.type != c->type) bnn_checker_break(c, "the %s names '%s'", what, object.type->name);
    bnn_object_free(&object);
    return BNN_OK;
}

static void check_blocks(bnn_checker *c, bnn_engine *e) {
    const bnn_engine_type *t = bnn_engine_vtable(e);
    bnn_block block[BNN_MAX_BLOCKS];
    int n = t->blocks(e, block);
    if (n < 0 || n > BNN_MAX_BLOCKS) {
        bnn_checker_break(c, "there are %d blocks, 0 to %d are possible", n, BNN_MAX_BLOCKS);
        return;
    }
    for (int i = 0; i < n && !bnn_checker_broken(c); i++) {
        if (!block[i].name || !bnn_is_name(block[i].name))
            bnn_checker_break(c, "block %d has the name '%s', not one of small letters, digits and _", i,
                              block[i].name ? block[i].name : "");
        for (int j = 0; j < i && !bnn_checker_broken(c); j++)
            if (strcmp(block[i].name, block[j].name) == 0) bnn_checker_break(c, "two blocks have the name '%s'", block[i].name);
        if (block[i].theta && (block[i].kind != BNN_BLOCK_REAL || block[i].length % (size_t)e->model->n_theta != 0))
            bnn_checker_break(c, "block '%s' is to hold parameter vectors, but its %zu numbers are no reals of %d each", block[i].name,
                              block[i].length, e->model->n_theta);
    }
    bool one = t->type.caps & (BNN_POINT | BNN_ONE_THETA);
    if (one && (n < 1 || !block[0].theta || block[0].length != (size_t)e->model->n_theta))
        bnn_checker_break(c, "%s, but the first block is not the parameter vector", t->type.caps & BNN_POINT ? "POINT" : "ONE_THETA");
}

/* Opens on the network of the rules. An engine that makes one pass, and that without noise, must not put noise into it. */
static bnn_status check_open(bnn_checker *c, const bnn_engine_type *t, const char *spec, const bnn_data *data) {
    bnn_texts texts = bnn_case_texts(t, false);
    bnn_engine *e;
    if (bnn_checker_broken(c)) return BNN_OK;
    bnn_status s = bnn_engine_new(spec, &texts, data, bnn_rng_seed(1), &e);
    if (s < 0) {
        if (s != BNN_ERR_MEMORY) bnn_checker_break(c, "does not open on '%s': %s", texts.net, bnn_error());
        return s == BNN_ERR_MEMORY ? s : BNN_OK;
    }
    check_blocks(c, e);
    const bnn_net *net = e->model->net;
    if (t->type.caps & BNN_POINT && net->first_stochastic < net->n_nodes)
        bnn_checker_break(c, "POINT, but adapt makes noise: '%s'", e->texts.net);
    bnn_engine_free(e);
    return BNN_OK;
}

static bnn_status check_specs(bnn_checker *c, const bnn_engine_type *t, const bnn_data *data) {
    const bnn_claim *claims = t->claims;
    for (int i = 0; t->type.checks[i]; i++) {
        BNN_TRY(check_spec(c, "check spec", t->type.checks[i]));
        BNN_TRY(check_open(c, t, t->type.checks[i], data));
    }
    if (t->type.caps & BNN_EXACT && !(claims && claims[0].spec))
        bnn_checker_break(c, "EXACT, but without a claim: where the posterior is known nothing is held to it");
    for (int i = 0; claims && claims[i].spec; i++) {
        BNN_TRY(check_spec(c, "spec of a claim", claims[i].spec));
        if (claims[i].finds > BNN_FINDS_MODE || !(claims[i].error >= 0 && claims[i].error < 1))
            bnn_checker_break(c, "finds %d with an error of %g: errors from 0 to 1 are possible", (int)claims[i].finds, claims[i].error);
        if (t->type.caps & BNN_EXACT && claims[i].finds != BNN_FINDS_POSTERIOR)
            bnn_checker_break(c, "EXACT, but what it claims to find is not the posterior");
    }
    return BNN_OK;
}

bnn_status bnn_rule_engine_metadata(bnn_checker *c, const bnn_engine_case *k) {
    const bnn_engine_type *t = k->type;
    bnn_case_rows rows;
    bnn_check_head(c, BNN_POINT | BNN_ONE_THETA | BNN_EXACT | BNN_ABSORBS | BNN_WEIGHS | BNN_TAKES | BNN_SPREADS);
    if (bnn_checker_broken(c)) return BNN_OK;
    check_hooks(c, t);
    BNN_TRY(bnn_case_rows_open(FEW_ROWS, 1, 0, &rows));
    bnn_status s = check_specs(c, t, rows.data);
    bnn_case_rows_close(&rows);
    return s;
}

/* ---------------------------------------------------------------- options and texts */

/* "name:options" of the first check spec, with one option more. */
static bnn_status is_named_with_engine(bnn_checker *c, const char *key, const char *value) {
    char engine[96], option[96], *text;
    const char *spec = c->now.spec = c->type->checks[0];
    bnn_object object;
    snprintf(engine, sizeof engine, "engine '%s'", c->type->name);
    snprintf(option, sizeof option, "option '%s'", key);
    if (asprintf(&text, "%s%s%s=%s", spec, strchr(spec, ':') ? "," : ":", key, value) < 0) return bnn_oom("a rule");
    if (bnn_object_parse(BNN_ENGINE, text, &object) == BNN_OK) {
        bnn_checker_break(c, "'%s' is taken", text);
        bnn_object_free(&object);
    } else if (!strstr(bnn_error(), engine) || !strstr(bnn_error(), option)) {
        bnn_checker_break(c, "'%s' is refused without engine and option: %s", text, bnn_error());
    }
    free(text);
    return BNN_OK;
}

bnn_status bnn_rule_engine_options(bnn_checker *c, const bnn_engine_case *k) {
    (void)k;
    return bnn_check_option_table(c, is_named_with_engine);
}

/* Both notations. */
static bnn_status print_again(bnn_checker *c, const bnn_object *object, bool braces) {
    bnn_object again;
    char *once = bnn_object_print(object, braces), *twice = NULL;
    if (once && bnn_object_parse(BNN_ENGINE, once, &again) < 0) {
        bnn_checker_break(c, "prints as '%s', which is refused: %s", once, bnn_error());
        free(once);
        return BNN_OK;
    }
    if (once) {
        twice = bnn_object_print(&again, braces);
        bnn_object_free(&again);
    }
    if (twice && strcmp(once, twice) != 0) bnn_checker_break(c, "prints as '%s', which prints as '%s'", once, twice);
    bool ok = twice != NULL;
    free(once), free(twice);
    return ok ? BNN_OK : bnn_oom("a text");
}

/* Checks that the options of an opened engine print as they were asked for: open does not change them. */
static bnn_status check_opened(bnn_checker *c, const bnn_engine_case *k, const bnn_object *object, const bnn_data *data) {
    bnn_texts texts = bnn_case_texts(k->type, false);
    bnn_engine *e;
    BNN_TRY(bnn_engine_new(k->spec, &texts, data, bnn_rng_seed(1), &e));
    char *asked = bnn_object_print(object, false), *opened = bnn_object_print(&e->object, false);
    bool ok = asked && opened;
    if (ok && strcmp(asked, opened) != 0) bnn_checker_break(c, "is '%s', and once it is open '%s'", asked, opened);
    free(asked), free(opened);
    bnn_engine_free(e);
    return ok ? BNN_OK : bnn_oom("a text");
}

bnn_status bnn_rule_engine_print(bnn_checker *c, const bnn_engine_case *k) {
    bnn_object object;
    bnn_case_rows rows;
    BNN_TRY(bnn_object_parse(BNN_ENGINE, k->spec, &object));
    bnn_status s = print_again(c, &object, false);
    if (s == BNN_OK) s = print_again(c, &object, true);
    if (s == BNN_OK && (s = bnn_case_rows_open(FEW_ROWS, 1, 0, &rows)) == BNN_OK) {
        s = check_opened(c, k, &object, rows.data);
        bnn_case_rows_close(&rows);
    }
    bnn_object_free(&object);
    return s;
}

/* ---------------------------------------------------------------- adapt */

/* Texts with labels that adapt might want, branches, and noise that is there already. */
static const char *const nets[] = {
    "dense",
    "dense:6; tanh; dense",
    "x = input; dense:3; a = tanh; b = add(a, x); concat(a, b, x); dense",
    "dropout_1 = dense:3; gaussian_dense_1 = tanh; dense_2 = dense:3(dropout_1); add(dense_2, gaussian_dense_1); flatten; dense",
    /* from here on with noise */
    "dropout:0.3; dense:4; relu; concrete_dropout; dense:4; gaussian_dropout; gaussian_dense",
};
enum { N_NETS = sizeof nets / sizeof *nets, N_QUIET = N_NETS - 1 };

static bnn_status adapted(const bnn_engine_type *t, const void *conf, const char *net, char **out) {
    bnn_netspec spec;
    *out = NULL;
    BNN_TRY(bnn_netspec_parse(net, &spec));
    bnn_status s = t->adapt(conf, &spec);
    if (s == BNN_OK && !(*out = bnn_netspec_print(&spec))) s = bnn_oom("a network");
    bnn_netspec_free(&spec);
    return s;
}

static bnn_status adapt_net(bnn_checker *c, const bnn_engine_case *k, const void *conf, const bnn_data *data, const char *net) {
    char *once, *twice, note[BNN_DIFFERENCE_TEXT];
    bnn_engine *e;
    snprintf(note, sizeof note, "of '%.150s'", net);
    c->note = note;
    BNN_TRY(adapted(k->type, conf, net, &once));
    bnn_status s = adapted(k->type, conf, once, &twice);
    if (s == BNN_OK && strcmp(once, twice) != 0) bnn_checker_break(c, "adapt makes '%s', and of that '%s'", once, twice);
    if (s == BNN_OK && !bnn_checker_broken(c)) {
        bnn_texts texts = {.net = once, .likelihood = "gaussian", .prior = "gauss"};
        s = bnn_engine_new(k->spec, &texts, data, bnn_rng_seed(1), &e);
        if (s == BNN_OK) bnn_engine_free(e);
        if (s < 0 && s != BNN_ERR_MEMORY) bnn_checker_break(c, "adapt makes '%s', which is refused: %s", once, bnn_error()), s = BNN_OK;
    }
    free(once), free(twice);
    c->note = NULL;
    return s;
}

bnn_status bnn_rule_adapt(bnn_checker *c, const bnn_engine_case *k) {
    bnn_object object;
    bnn_case_rows rows;
    if (!k->type->adapt) {
        bnn_checker_skip(c, "there is no adapt hook: the network stays as it is");
        return BNN_OK;
    }
    BNN_TRY(bnn_object_parse(BNN_ENGINE, k->spec, &object));
    bnn_status s = bnn_case_rows_open(FEW_ROWS, 1, 0, &rows);
    if (s == BNN_OK) {
        int n = k->type->type.caps & BNN_EXACT ? N_QUIET : N_NETS;
        for (int i = 0; i < n && s == BNN_OK; i++) s = adapt_net(c, k, object.conf, rows.data, nets[i]);
        bnn_case_rows_close(&rows);
    }
    bnn_object_free(&object);
    return s;
}
