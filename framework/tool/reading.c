/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * reading.c: the options of commands that read a table of texts, and what is said of it.
 */
#include "tool.h"

#include <stdio.h>
#include <string.h>

enum { TARGET = 256, DROP, ID, WEIGHT, CLASSES, HEADER, NO_HEADER, DELIMITER, DECIMAL, THOUSANDS, NA, MISSING, COMMENT, UNKNOWN_LEVEL };

#define GROUP 3
static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Of a table of texts (CSV):", GROUP},
    {"target", TARGET, "COLUMNS", 0,
     "names or numbers (from 1), separated by commas (default: the last column); none: rows to predict, target not known", GROUP},
    {"drop", DROP, "COLUMNS", 0, "columns to leave out, written likewise", GROUP},
    {"id", ID, "COLUMNS", 0, "columns that are carried through to predictions, never features", GROUP},
    {"weight", WEIGHT, "COLUMN", 0, "the column of the rows' weights", GROUP},
    {"classes", CLASSES, NULL, 0, "the target is a class although it is a number; a text always is one", GROUP},
    {"header", HEADER, "yes|no", 0, "whether the first line names the columns (default: guessed)", GROUP},
    {"no-header", NO_HEADER, NULL, 0, "the same as --header no", GROUP},
    {"delimiter", DELIMITER, "MARK", 0, "what ends a field: one character, tab, or blank for any number of them (default: guessed)", GROUP},
    {"decimal", DECIMAL, "MARK", 0, "mark of decimals in numbers: . (default) or ,", GROUP},
    {"thousands", THOUSANDS, "MARK", 0, "mark between thousands in numbers: one character, or blank (default: none)", GROUP},
    {"na", NA, "TEXTS", 0,
     "texts that stand for a missing value, separated by commas, beside NA, N/A, #N/A, ?, nan, null and the empty one", GROUP},
    {"missing", MISSING, "HOW", 0,
     "what is done about missing values: refuse (default); drop: leave their rows out; mean: put the mean, and a column that tells, for "
     "those of features",
     GROUP},
    {"comment", COMMENT, "TEXT", 0, "lines that begin with it are left out (default: #, in a file that begins with it)", GROUP},
    {"unknown-level", UNKNOWN_LEVEL, "LEVEL", 0, "the level to take for one that the fit did not know, where it knew this one", GROUP},
    {0}};

static char mark_of(const char *option, const char *text, const struct argp_state *state) {
    if (strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0) return '\t';
    if (strcmp(text, "blank") == 0 || strcmp(text, "space") == 0) return ' ';
    if (strlen(text) != 1 || strchr("\"\n\r", *text)) tool_misuse(state, "%s: '%s' is not one character", option, text);
    return *text;
}

static bnn_missing missing_of(const char *text, const struct argp_state *state) {
    static const char *const names[] = {"refuse", "drop", "mean"};
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) return (bnn_missing)i;
    tool_misuse(state, "--missing: '%s' is none of refuse, drop, mean", text);
}

static void check(const bnn_csv_options *csv, const struct argp_state *state) {
    bool none = csv->targets && strcmp(csv->targets, "none") == 0;
    if (csv->classes && none) tool_misuse(state, "--classes: with --target none there is no target");
    if (csv->thousands && csv->thousands == (csv->decimal ? csv->decimal : '.'))
        tool_misuse(state, "--thousands: '%c' is the mark of decimals", csv->thousands);
}

static error_t parse_number_mark(int key, const char *arg, const struct argp_state *state, bnn_csv_options *csv) {
    char mark = mark_of(key == DECIMAL ? "--decimal" : "--thousands", arg, state);
    if (key == DECIMAL && mark != '.' && mark != ',') tool_misuse(state, "--decimal: '%s' is neither . nor ,", arg);
    if (strchr("0123456789+-eE\t", mark)) tool_misuse(state, "--thousands: '%s' cannot stand between thousands", arg);
    *(key == DECIMAL ? &csv->decimal : &csv->thousands) = mark;
    return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state, bnn_csv_options *csv) {
    switch (key) {
    case TARGET: csv->targets = arg; return 0;
    case DROP: csv->drop = arg; return 0;
    case ID: csv->id = arg; return 0;
    case WEIGHT: csv->weight = arg; return 0;
    case CLASSES: csv->classes = true; return 0;
    case HEADER:
        if (strcmp(arg, "yes") != 0 && strcmp(arg, "no") != 0) tool_misuse(state, "--header: '%s' is neither yes nor no", arg);
        csv->header = strcmp(arg, "yes") == 0 ? BNN_HEADER_YES : BNN_HEADER_NO;
        return 0;
    case NO_HEADER: csv->header = BNN_HEADER_NO; return 0;
    case DELIMITER: csv->delimiter = mark_of("--delimiter", arg, state); return 0;
    case DECIMAL:
    case THOUSANDS: return parse_number_mark(key, arg, state, csv);
    case NA: csv->na = arg; return 0;
    case MISSING: csv->missing = missing_of(arg, state); return 0;
    case COMMENT:
        if (!*arg) tool_misuse(state, "--comment: every line begins with an empty text");
        csv->comment = arg;
        return 0;
    case UNKNOWN_LEVEL: csv->other = arg; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const char *const names[] = {"--target",    "--drop",    "--id",        "--weight", "--classes", "--header",  "--no-header",
                                    "--delimiter", "--decimal", "--thousands", "--na",     "--missing", "--comment", "--unknown-level"};

static error_t parse(int key, char *arg, struct argp_state *state) {
    tool_reading *r = state->input;
    if (key == ARGP_KEY_INIT) return r->csv.size = sizeof r->csv, 0;
    if (key == ARGP_KEY_END) return check(&r->csv, state), 0;
    error_t result = parse_option(key, arg, state, &r->csv);
    if (result == 0 && !r->used) r->used = names[key - TARGET];
    return result;
}

const struct argp tool_reading_argp = {.options = options, .parser = parse};

void tool_print_remarks(const bnn_remarks *remarks, bool notes) {
    for (int i = 0; i < bnn_remarks_count(remarks); i++) {
        if (bnn_remark_severity(remarks, i) != BNN_REMARK_NOTE)
            fprintf(stderr, "bnn: warning: %s\n", bnn_remark_sentence(remarks, i));
        else if (notes)
            printf("%s\n", bnn_remark_sentence(remarks, i));
    }
}
