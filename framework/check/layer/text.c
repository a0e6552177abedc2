/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * text.c: from text to net and back, and what bind does with inputs of other shapes.
 */
#include "layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bnn_status bnn_rule_print(bnn_checker *c, const bnn_layer_case *k) {
    bnn_spec_net again;
    bnn_status s = BNN_OK;
    char *once = bnn_net_print(k->net->net);
    if (!once) return bnn_oom("a network's text");
    if (bnn_spec_net_open(once, &again) < 0) {
        bnn_checker_break(c, "prints as '%s', which is refused: %s", once, bnn_error());
    } else {
        char *twice = bnn_net_print(again.net);
        if (!twice)
            s = bnn_oom("a network's text");
        else if (strcmp(once, twice) != 0)
            bnn_checker_break(c, "prints as '%s', which prints as '%s'", once, twice);
        else if (k->net->net->n_theta != again.net->n_theta)
            bnn_checker_break(c, "prints as '%s', which has %d parameters in place of %d", once, again.net->n_theta, k->net->net->n_theta);
        free(twice);
        bnn_spec_net_close(&again);
    }
    free(once);
    return s;
}

/* ---------------------------------------------------------------- saved and loaded */

/* f[rows, out] of a net in a mode. */
static bnn_status evaluate(const bnn_net *net, bnn_mode mode, const bnn_real *theta, int rows, const bnn_real *x, bnn_real *f) {
    bnn_workspace *ws;
    BNN_TRY(bnn_workspace_new(net, rows, BNN_FORWARD, &ws));
    bnn_net_prepare(net, ws, theta, mode, false, bnn_rng_seed(31));
    memcpy(f, bnn_net_forward(net, ws, rows, 0, x), (size_t)rows * bnn_layer_size_out(&net->node[net->n_nodes - 1].layer) * sizeof *f);
    bnn_workspace_free(ws);
    return BNN_OK;
}

enum { RELOAD_ROWS = 5 };

/* As a run file does it: the text and theta are kept, a net is made of the text. */
static bnn_status compare(bnn_checker *c, const bnn_net *saved, const char *text, bnn_real *theta, bnn_real *x, bnn_real *f,
                          bnn_real *again) {
    size_t out = (size_t)bnn_layer_size_out(&saved->node[saved->n_nodes - 1].layer);
    bnn_net_init(saved, bnn_rng_seed(30), theta);
    bnn_rng_normal(bnn_rng_seed(32), 0, RELOAD_ROWS, bnn_shape_size(saved->node[0].layer.plan.out), x);
    for (bnn_mode mode = BNN_MEAN; mode <= BNN_DRAW; mode++) {
        bnn_spec_net loaded;
        BNN_TRY(evaluate(saved, mode, theta, RELOAD_ROWS, x, f));
        if (bnn_spec_net_open(text, &loaded) < 0 || loaded.net->n_theta != saved->n_theta) return BNN_OK; /* print tells of it */
        bnn_status s = evaluate(loaded.net, mode, theta, RELOAD_ROWS, x, again);
        bnn_spec_net_close(&loaded);
        if (s < 0) return s;
        for (size_t i = 0; i < RELOAD_ROWS * out && !bnn_checker_broken(c); i++)
            if (memcmp(&f[i], &again[i], sizeof *f) != 0) {
                c->now.mode = bnn_mode_names[mode];
                bnn_checker_break(c, "output %zu is %.9g, and %.9g from the net made of its printed text", i, (double)f[i],
                                  (double)again[i]);
            }
    }
    return BNN_OK;
}

bnn_status bnn_rule_reload(bnn_checker *c, const bnn_layer_case *k) {
    const bnn_net *net = k->net->net;
    size_t out = (size_t)bnn_layer_size_out(&net->node[net->n_nodes - 1].layer), in = (size_t)bnn_shape_size(net->node[0].layer.plan.out);
    bnn_real *theta = bnn_guarded_new((size_t)net->n_theta), *x = bnn_guarded_new(RELOAD_ROWS * in);
    bnn_real *f = bnn_guarded_new(RELOAD_ROWS * out), *again = bnn_guarded_new(RELOAD_ROWS * out);
    char *text = bnn_net_print(net);
    bnn_status s = bnn_oom("a rule");
    if (theta && x && f && again && text) s = compare(c, net, text, theta, x, f, again);
    bnn_real *const arrays[] = {theta, x, f, again};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) bnn_guarded_free(arrays[i]);
    free(text);
    return s;
}

/* ---------------------------------------------------------------- other shapes */

/* An input that is taken must be worked on: y is finite, gradients are right and rows may be cut. The arrays are of the shapes that bind
 * was told, so a layer that assumes others reads NaN or spoils the rows. */
static bnn_status works(bnn_checker *c, const bnn_layer_case *k) {
    static bnn_layer_rule *const rules[] = {bnn_rule_finite, bnn_rule_rows, bnn_rule_gradient, bnn_rule_bounds};
    for (size_t i = 0; i < sizeof rules / sizeof *rules && !bnn_checker_broken(c); i++) BNN_TRY(bnn_case_ask(c, k, rules[i]));
    return BNN_OK;
}

/* Says whether the layer works on its own check spec; if not, other rules tell of it. */
static bnn_status works_as_it_is(bnn_checker *c, const bnn_layer_case *k, bool *works_here) {
    bnn_layer_case own = *k;
    own.node = bnn_first_node(k->net->net, k->type);
    if (own.node >= 0) BNN_TRY(works(c, &own));
    *works_here = !bnn_checker_broken(c);
    bnn_checker_begin(c, c->now.rule, c->now.spec, c->now.mode);
    return BNN_OK;
}

static bool is_in_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
}

/* A shape stands in brackets, or as a word of its own, such as the number of units of a vector. */
static bool names_shape(const char *sentence, const char *shape) {
    char word[32];
    size_t n = (size_t)snprintf(word, sizeof word, "%.*s", (int)strlen(shape) - 2, shape + 1);
    for (const char *at = sentence; (at = strstr(at, word)); at++) {
        bool begins = at == sentence || !is_in_word(at[-1]);
        if (begins && (at[n] == '.' || !is_in_word(at[n]))) return true;
    }
    return false;
}

/* A refusal names the node and the shape of one of its inputs. */
static void check_refusal(bnn_checker *c, const char *text, const char *const shapes[]) {
    char node[96];
    bool named = false;
    snprintf(node, sizeof node, "(%s): ", c->type->name);
    for (int i = 0; shapes[i]; i++) named |= names_shape(bnn_error(), shapes[i]);
    if (!strstr(bnn_error(), node)) bnn_checker_break(c, "'%s' is refused without the node: %s", text, bnn_error());
    if (!named) bnn_checker_break(c, "'%s' is refused without the shape %s: %s", text, shapes[0], bnn_error());
}

static bnn_status try_text(bnn_checker *c, const bnn_layer_case *k, const char *text, const char *const shapes[]) {
    bnn_spec_net net;
    char note[256];
    if (bnn_checker_broken(c)) return BNN_OK;
    bnn_status s = bnn_spec_net_open(text, &net);
    if (s < 0) {
        if (s == BNN_ERR_MEMORY) return s;
        check_refusal(c, text, shapes);
        return BNN_OK;
    }
    snprintf(note, sizeof note, "'%.200s' is taken", text);
    c->note = note;
    int node = bnn_first_node(net.net, k->type);
    if (bnn_layer_size_out(&net.net->node[node].layer) < 1)
        bnn_checker_break(c, "its output has no reals");
    else
        s = works(c, &(bnn_layer_case){.type = k->type, .spec = text, .net = &net, .node = node, .mode = BNN_ROWS});
    c->note = NULL;
    bnn_spec_net_close(&net);
    return s;
}

/* One input after another of these shapes, images of one row and of an odd number of channels among them; options: those of the check spec,
 * ":..." or "". */
static bnn_status try_one_input(bnn_checker *c, const bnn_layer_case *k, const char *options) {
    static const struct {
        const char *input, *shape;
    } tried[] = {{"1", "[1]"},         {"6", "[6]"},         {"2x3", "[2x3]"},       {"3x1", "[3x1]"},        {"2x3x4", "[2x3x4]"},
                 {"3x1x5", "[3x1x5]"}, {"2x5x1", "[2x5x1]"}, {"13x3x3", "[13x3x3]"}, {"1x2x3x2", "[1x2x3x2]"}};
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        char text[256];
        snprintf(text, sizeof text, "input:%s; %s%s", tried[i].input, k->type->type.name, options);
        BNN_TRY(try_text(c, k, text, (const char *const[]){tried[i].shape, NULL}));
    }
    return BNN_OK;
}

/* Two inputs that differ in rank, or in an extent; and as many equal ones as the type allows, up to four. */
static bnn_status try_two_inputs(bnn_checker *c, const bnn_layer_case *k, const char *options) {
    static const struct {
        const char *input, *second, *shapes[3];
    } tried[] = {{"4", "concat(a, a)", {"[4]", "[8]"}},
                 {"2x3", "concat(a, a)", {"[2x3]", "[4x3]"}},
                 {"2x3", "flatten(a)", {"[2x3]", "[6]"}},
                 {"2x1x3", "flatten(a)", {"[2x1x3]", "[6]"}}};
    for (size_t i = 0; k->type->min_in <= 2 && i < sizeof tried / sizeof *tried; i++)
        for (int swapped = 0; swapped < 2; swapped++) {
            char text[256];
            snprintf(text, sizeof text, "a = input:%s; b = %s; %s%s(%s)", tried[i].input, tried[i].second, k->type->type.name, options,
                     swapped ? "b, a" : "a, b");
            BNN_TRY(try_text(c, k, text, tried[i].shapes));
        }
    for (int n = k->type->min_in; n <= k->type->max_in && n <= 4; n++) {
        char text[256];
        int used = snprintf(text, sizeof text, "a = input:5; %s%s(", k->type->type.name, options);
        for (int i = 0; i < n; i++) used += snprintf(text + used, sizeof text - (size_t)used, i ? ", a" : "a");
        snprintf(text + used, sizeof text - (size_t)used, ")");
        BNN_TRY(try_text(c, k, text, (const char *const[]){"[5]", NULL}));
    }
    return BNN_OK;
}

bnn_status bnn_rule_shapes(bnn_checker *c, const bnn_layer_case *k) {
    bnn_netspec spec;
    char options[128] = "";
    bool works_here;
    if (k->type->max_in < 1) {
        bnn_checker_skip(c, "takes no inputs");
        return BNN_OK;
    }
    BNN_TRY(works_as_it_is(c, k, &works_here));
    if (!works_here) {
        bnn_checker_skip(c, "does not work on its check spec, so other shapes say nothing");
        return BNN_OK;
    }
    BNN_TRY(bnn_netspec_parse(k->spec, &spec));
    int i = 0;
    while (i < spec.n - 1 && strcmp(spec.s[i].type, k->type->type.name) != 0) i++;
    if (*spec.s[i].options) snprintf(options, sizeof options, ":%s", spec.s[i].options);
    bnn_netspec_free(&spec);
    return k->type->max_in == 1 ? try_one_input(c, k, options) : try_two_inputs(c, k, options);
}
