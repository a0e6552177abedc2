/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <stdio.h>

typedef struct {
    const char *file[2];
} request;

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 1) return ARGP_ERR_UNKNOWN;
        r->file[state->arg_num] = arg;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2) tool_misuse(state, "which two files?");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int run(int argc, char **argv) {
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "A.h5 B.h5",
        .doc = "Compares two files by value: datasets, their sizes and types, attributes. Left out is what equal work does not share: "
               "provenance (command, machine, times) and the version of the writer. Exit status 0: equal, 1: different, 2: a file cannot "
               "be read.\v"
               "Examples:\n  bnn fit -d boston.h5 --net 'dense:50; relu; dense' --engine map -o a.h5\n  bnn fit -d boston.h5 --net "
               "'dense:50; relu; dense' --engine map -o b.h5\n  bnn diff a.h5 b.h5"};
    request r = {0};
    bool same;
    char where[512];
    tool_parse(&argp, argc, argv, &r);
    if (bnn_file_diff(r.file[0], r.file[1], &same, where, sizeof where) < 0) return tool_fail();
    if (same)
        printf("%s and %s are equal, provenance apart\n", tool_line(r.file[0]), tool_line(r.file[1]));
    else
        printf("%s and %s differ: %s\n", tool_line(r.file[0]), tool_line(r.file[1]), tool_line(where));
    return same ? 0 : 1;
}

const command command_diff = {.name = "diff", .summary = "compare two files by value", .run = run};
