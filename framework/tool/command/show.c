/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void print_range(const bnn_option *o) {
    char low[BNN_NUMBER_TEXT], high[BNN_NUMBER_TEXT];
    if (o->kind == BNN_OPTION_CHOICE) {
        for (int i = 0; o->choices[i]; i++) printf("%s%s", i ? "|" : " (", o->choices[i]);
        putchar(')');
    } else if ((o->kind == BNN_OPTION_INT || o->kind == BNN_OPTION_REAL) && (o->min != 0 || o->max != 0)) {
        printf(" (%s .. %s)", bnn_number_print(o->min, low), bnn_number_print(o->max, high));
    }
}

static void print_type(bnn_kind kind, const bnn_type *t) {
    printf("%s %s: %s\n", bnn_kind_name(kind), t->name, t->summary);
    const bnn_plugin *from = bnn_plugin_of(t);
    if (from) printf("  plugin: %s %s, %s\n", from->name, from->version, tool_line(from->path));
    if (t->reference) printf("  reference: %s\n", t->reference);
    if (t->options) printf("  options, in this order or as key=value:\n");
    bnn_option o;
    for (int i = 0; bnn_options_at(t->options, i, &o); i++) {
        printf("    %-12s = %s", o.name, *o.preset ? o.preset : "(empty)");
        print_range(&o);
        printf("\n        %s\n", o.help);
    }
    for (int i = 0; t->checks[i]; i++) printf("%s%s\n", i ? "            " : "  examples: ", t->checks[i]);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    const char **want = state->input;
    if (key == ARGP_KEY_NO_ARGS) tool_misuse(state, "a NAME is needed: `bnn list` prints those there are");
    if (key != ARGP_KEY_ARG || state->arg_num > 0) return ARGP_ERR_UNKNOWN;
    *want = arg;
    return 0;
}

static int run(int argc, char **argv) {
    const char *want = NULL;
    const struct argp argp = {.parser = parse,
                              .args_doc = "NAME",
                              .doc = "Tells all of a layer, engine, likelihood, prior or optimizer: what it is, where it comes from, its "
                                     "options with defaults and ranges.\v"
                                     "Examples:\n  bnn show concrete_dropout\n  bnn show mc_dropout"};
    tool_parse(&argp, argc, argv, &want);
    bool found = false;
    for (bnn_kind kind = 0; kind < BNN_N_KINDS; kind++)
        for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));)
            if (strcmp(t->name, want) == 0) {
                print_type(kind, t);
                found = true;
            }
    return found ? 0
                 : tool_refuse("show: there is no layer, engine, likelihood, prior or optimizer '%s': `bnn list` prints those there are",
                               want);
}

const command command_show = {.name = "show", .summary = "all of one type: options, defaults, reference", .run = run};
