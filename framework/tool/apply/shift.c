/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

typedef struct {
    const char *file, *out;
    bnn_shift how;
    int asked; /* shifts */
} request;

enum { FIRST = 256, SHARE = FIRST + BNN_SHIFT_MISSING + 1 };

static const struct argp_option options[] = {
    {"rotate", FIRST + BNN_SHIFT_ROTATE, "DEGREES", 0, "images, against the clock", 0},
    {"roll", FIRST + BNN_SHIFT_ROLL, "PIXELS", 0, "images, to the right; what goes out comes in again", 0},
    {"blur", FIRST + BNN_SHIFT_BLUR, "SD", 0, "images, by a Gaussian of so many pixels", 0},
    {"noise", FIRST + BNN_SHIFT_NOISE, "SD", 0, "Gaussian noise: of images in shares of their range, of tables in sd of each column", 0},
    {"missing", FIRST + BNN_SHIFT_MISSING, "COLUMN", 0, "a feature of a table, as if it had not been measured", 0},
    {"share", SHARE, "P", 0, "share of the rows that lack it (default: 1)", 0},
    {"seed", 's', "N", 0, "of noise, and of rows that are drawn (default: 1)", 0},
    {"output", 'o', "FILE.h5", 0, "the data file to write (required)", 0},
    {0}};

static double number(const struct argp_state *state, const char *option, const char *text) {
    double x;
    if (!bnn_number_parse(text, &x) || !isfinite(x)) tool_misuse(state, "--%s: '%s' is not a number", option, text);
    return x;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    if (key >= FIRST && key < SHARE) {
        r->how.kind = (bnn_shift_kind)(key - FIRST);
        if (r->asked++ > 0) tool_misuse(state, "one shift at a time: shift the file that is written once more");
        if (r->how.kind == BNN_SHIFT_MISSING)
            r->how.column = arg;
        else
            r->how.strength = number(state, bnn_shift_names[r->how.kind], arg);
        return 0;
    }
    switch (key) {
    case SHARE: r->how.strength = number(state, "share", arg); return 0;
    case 's': r->how.seed = (uint64_t)tool_number("--seed", arg, 0, INT64_MAX); return 0;
    case 'o': r->out = arg; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) return ARGP_ERR_UNKNOWN;
        r->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!r->file) tool_misuse(state, "which data file?");
        if (r->asked == 0) tool_misuse(state, "which shift: --rotate, --roll, --blur, --noise or --missing?");
        if (!r->out) tool_misuse(state, "--output: where to? The file itself stays as it is");
        if (r->how.kind == BNN_SHIFT_MISSING && r->how.strength == 0) r->how.strength = 1;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static bnn_status shift(const request *r) {
    bnn_table *table;
    BNN_TRY(tool_output_hdf5(r->out));
    BNN_TRY(tool_output_apart(r->out, r->file, "the data file"));
    if (access(r->file, R_OK) == 0 && !tool_is_hdf5(r->file))
        return bnn_fail(BNN_ERR_FORMAT, "%s: is no data file: `bnn import csv FILE --like RUN.h5 -o DATA.h5` makes one of a table",
                        r->file);
    BNN_TRY(bnn_table_load(r->file, &table));
    bnn_status s = bnn_table_shift(table, &r->how);
    if (s < 0) bnn_note(s, "%s", r->file);
    if (s == BNN_OK) s = tool_output_claim_table(r->out, table);
    if (s == BNN_OK) s = bnn_table_save(table, r->out);
    if (s == BNN_OK) tool_print_table(stdout, "wrote", r->out, table);
    bnn_table_free(table);
    return s;
}

static int run(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .children = tool_output_children,
        .args_doc = "FILE.h5",
        .doc = "Shifts the rows of a data file, as they might come from another place or time, to see what a run says of them.\v"
               "Its title says what was done; `bnn evaluate --also` scores a run on several such files.\n\n"
               "Examples:\n  bnn shift test.h5 --rotate 30 -o rotated.h5\n  bnn shift boston.h5 --missing rm -o no_rooms.h5\n  "
               "bnn evaluate run.h5 --data test.h5 --also rotated.h5"};
    request r = {.how = {.size = sizeof r.how, .seed = 1}};
    tool_parse(&argp, argc, argv, &r);
    return shift(&r) < 0 ? tool_fail() : 0;
}

const command command_shift = {.name = "shift", .summary = "rotate, blur, make noisy or incomplete the rows of a data file", .run = run};
