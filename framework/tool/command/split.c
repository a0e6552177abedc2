/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *file, *out;
    int kind, count;
    uint64_t seed;
    bool has_seed;
} request;

static const char *const kinds[] = {[BNN_SPLIT_HOLDOUT] = "holdout", [BNN_SPLIT_KFOLD] = "kfold", [BNN_SPLIT_PBP] = "pbp", NULL};
static const int usual_count[] = {[BNN_SPLIT_HOLDOUT] = 1, [BNN_SPLIT_KFOLD] = 10, [BNN_SPLIT_PBP] = 20};

static const struct argp_option options[] = {
    {"kind", 'k', "KIND", 0, "holdout, kfold or pbp (default: holdout)", 0},
    {"count", 'n', "N", 0, "number of splits or folds (default: 1 holdout, 10 folds, 20 of pbp)", 0},
    {"seed", 's', "SEED", 0, "of the random permutation, not of pbp (default: 0)", 0},
    {"output", 'o', "FILE", 0, "write there (default: into FILE itself)", 0},
    {0}};

static int find_kind(const char *name) {
    for (int k = 0; kinds[k]; k++)
        if (strcmp(kinds[k], name) == 0) return k;
    return -1;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case 'k':
        if ((r->kind = find_kind(arg)) < 0) tool_misuse(state, "--kind: '%s' is none of holdout, kfold, pbp", arg);
        return 0;
    case 'n': r->count = (int)tool_number("--count", arg, 1, 100000); return 0;
    case 's': r->seed = (uint64_t)tool_number("--seed", arg, 0, INT64_MAX), r->has_seed = true; return 0;
    case 'o': r->out = arg; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) return ARGP_ERR_UNKNOWN;
        r->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!r->file) tool_misuse(state, "which data file?");
        if (r->has_seed && r->kind == BNN_SPLIT_PBP) tool_misuse(state, "--seed: the splits of pbp are fixed, they have no seed");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static bnn_status split(const request *r) {
    bnn_table *table;
    const char *out = r->out ? r->out : r->file;
    BNN_TRY(r->out ? tool_output_hdf5(out) : tool_output_ready(out));
    BNN_TRY(bnn_table_load(r->file, &table));
    bnn_status s = bnn_table_split(table, (bnn_split_kind)r->kind, r->count ? r->count : usual_count[r->kind], r->seed);
    if (s < 0) bnn_note(s, "%s", r->file);
    if (s == BNN_OK) s = tool_output_claim_table(out, table);
    if (s == BNN_OK) s = bnn_table_save(table, out);
    if (s == BNN_OK)
        printf("wrote %s: %d splits of %d rows, %d train and %d test in the first (%s)\n", tool_line(out), table->n_splits, table->n,
               bnn_table_count(table, 0, BNN_TRAIN), bnn_table_count(table, 0, BNN_TEST), tool_line(table->split_origin));
    bnn_table_free(table);
    return s;
}

static int run(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_output_children,
        .args_doc = "FILE.h5",
        .doc = "Splits the rows of a data file into training and test rows, in place of the splits it has.\v"
               "holdout: each time 10 % of the rows at random are test rows. kfold: every row is a test row in one of the folds. pbp: the "
               "published "
               "splits of the UCI regression sets (Hernandez-Lobato & Adams 2015), for tables with their rows in the published order.\n\n"
               "Examples:\n  bnn split boston.h5 --kind pbp\n  bnn split my.h5 --kind kfold --count 5 --seed 1 -o folds.h5"};
    request r = {.kind = BNN_SPLIT_HOLDOUT};
    tool_parse(&argp, argc, argv, &r);
    return split(&r) < 0 ? tool_fail() : 0;
}

const command command_split = {.name = "split", .summary = "split a data file into training and test rows", .run = run};
