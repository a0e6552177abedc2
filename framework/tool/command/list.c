/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_kind(bnn_kind kind) {
    printf("%ss\n", bnn_kind_name(kind));
    for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));) {
        const bnn_plugin *from = bnn_plugin_of(t);
        printf("  %-20s %s", t->name, t->summary);
        if (from) printf(" (plugin %s %s)", from->name, from->version);
        putchar('\n');
    }
}

static void print_plugins(void) {
    const bnn_plugin *p;
    printf("plugins\n");
    for (int i = 0; (p = bnn_plugin_at(i)); i++) {
        printf("  %-20s %s, %s:", p->name, p->version, tool_line(p->path));
        for (int k = 0; k < p->n; k++) printf("%s %s %s", k ? "," : "", bnn_kind_name(p->types[k].kind), p->types[k].type->name);
        printf("\n  %-20s sha256 %s\n", "", p->sha256);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    const char **want = state->input;
    if (key != ARGP_KEY_ARG || state->arg_num > 0) return ARGP_ERR_UNKNOWN;
    *want = arg;
    return 0;
}

static bool is_wanted(const char *want, const char *singular) {
    size_t n = strlen(singular);
    return !want || (strncmp(want, singular, n) == 0 && strcmp(want + n, "s") == 0);
}

static int run(int argc, char **argv) {
    const char *want = NULL;
    const struct argp argp = {.parser = parse,
                              .args_doc = "[layers|engines|likelihoods|priors|optimizers|plugins]",
                              .doc = "Lists the types that networks and inference are made of, one line each; and the plugins that some "
                                     "of them come from.\v"
                                     "`bnn show NAME` tells all of one type.\n\nExamples:\n  bnn list\n  bnn list engines"};
    tool_parse(&argp, argc, argv, &want);
    bool plugins = is_wanted(want, "plugin"), found = plugins;
    for (bnn_kind kind = 0; kind < BNN_N_KINDS; kind++) {
        if (!is_wanted(want, bnn_kind_name(kind))) continue;
        print_kind(kind);
        found = true;
    }
    if (plugins && (want || bnn_plugin_at(0))) print_plugins();
    return found ? 0 : tool_refuse("list: '%s' is not one of layers, engines, likelihoods, priors, optimizers, plugins", want);
}

const command command_list = {.name = "list", .summary = "list layers, engines, likelihoods, priors, optimizers", .run = run};
