/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_kind(bnn_kind kind) {
    printf("%ss\n", bnn_kind_name(kind));
    for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));) printf("  %-20s %s\n", t->name, t->summary);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    const char **want = state->input;
    if (key != ARGP_KEY_ARG || state->arg_num > 0) return ARGP_ERR_UNKNOWN;
    *want = arg;
    return 0;
}

static int run(int argc, char **argv) {
    const char *want = NULL;
    const struct argp argp = {.parser = parse,
                              .args_doc = "[layers|engines|likelihoods|priors|optimizers]",
                              .doc = "Lists the types that networks and inference are made of, one line each.\v"
                                     "`bnn show NAME` tells all of one type.\n\nExamples:\n  bnn list\n  bnn list engines"};
    tool_parse(&argp, argc, argv, &want);
    bool found = false;
    for (bnn_kind kind = 0; kind < BNN_N_KINDS; kind++) {
        size_t n = strlen(bnn_kind_name(kind));
        if (want && (strncmp(want, bnn_kind_name(kind), n) != 0 || strcmp(want + n, "s") != 0)) continue;
        print_kind(kind);
        found = true;
    }
    return found ? 0 : tool_refuse("list: '%s' is not one of layers, engines, likelihoods, priors, optimizers", want);
}

const command command_list = {.name = "list", .summary = "list layers, engines, likelihoods, priors, optimizers", .run = run};
