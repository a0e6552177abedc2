/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/tool.h"

#include <bnn/import.h>
#include <stdio.h>
#include <string.h>

#define MOST_FILES 5 /* the format, and up to four files */

typedef struct {
    const char *arg[MOST_FILES], *out;
    int n_args;
    bnn_csv_options csv;
    bool csv_used;
    bnn_import_about about;
} request;

enum { CLASSES = 256, HEADER, DROP, TITLE, SOURCE, LICENSE };

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "the data file to write (required)", 0},
    {NULL, 0, NULL, 0, "Of csv:", 1},
    {"target", 't', "COLUMNS", 0,
     "names or numbers (from 1), separated by commas (default: the last column); "
     "none: rows to predict, target not known",
     1},
    {"drop", DROP, "COLUMNS", 0, "columns to leave out, written likewise", 1},
    {"classes", CLASSES, NULL, 0, "the target is a class although it is a number; a text always is one", 1},
    {"header", HEADER, "yes|no", 0, "whether the first row holds names (default: guessed)", 1},
    {NULL, 0, NULL, 0, "Kept in the file:", 2},
    {"title", TITLE, "TEXT", 0, "(default: the file's name)", 2},
    {"source", SOURCE, "TEXT", 0, "where the data come from", 2},
    {"license", LICENSE, "TEXT", 0, "SPDX name of their licence", 2},
    {0}};

static error_t parse_csv(int key, char *arg, struct argp_state *state, request *r) {
    r->csv_used = true;
    switch (key) {
    case 't': r->csv.targets = arg; return 0;
    case DROP: r->csv.drop = arg; return 0;
    case CLASSES: r->csv.classes = true; return 0;
    default:
        if (strcmp(arg, "yes") != 0 && strcmp(arg, "no") != 0) tool_misuse(state, "--header: '%s' is neither yes nor no", arg);
        r->csv.header = strcmp(arg, "yes") == 0 ? BNN_HEADER_YES : BNN_HEADER_NO;
        return 0;
    }
}

static bool fits(const request *r) {
    if (strcmp(r->arg[0], "idx") == 0) return r->n_args == 3 || r->n_args == 5;
    return r->n_args == 2;
}

static void check(const request *r, struct argp_state *state) {
    if (r->n_args == 0) tool_misuse(state, "which format: csv, uci or idx?");
    const char *format = r->arg[0];
    if (strcmp(format, "csv") != 0 && strcmp(format, "uci") != 0 && strcmp(format, "idx") != 0)
        tool_misuse(state, "'%s' is none of the formats csv, uci, idx", format);
    if (!fits(r))
        tool_misuse(state, "%s takes %s", format,
                    strcmp(format, "idx") == 0   ? "two files, or four"
                    : strcmp(format, "uci") == 0 ? "one folder"
                                                 : "one file");
    if (r->csv_used && strcmp(format, "csv") != 0)
        tool_misuse(state, "--target, --drop, --classes and --header are for csv, not for %s", format);
    if (r->csv.classes && r->csv.targets && strcmp(r->csv.targets, "none") == 0)
        tool_misuse(state, "--classes: with --target none there is no target");
    if (!r->out) tool_misuse(state, "--output: where shall the data file go?");
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case 'o': r->out = arg; return 0;
    case 't':
    case DROP:
    case CLASSES:
    case HEADER: return parse_csv(key, arg, state, r);
    case TITLE: r->about.title = arg; return 0;
    case SOURCE: r->about.source = arg; return 0;
    case LICENSE: r->about.license = arg; return 0;
    case ARGP_KEY_ARG:
        if (r->n_args == MOST_FILES) return ARGP_ERR_UNKNOWN;
        r->arg[r->n_args++] = arg;
        return 0;
    case ARGP_KEY_END: check(r, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static bnn_status read_table(const request *r, bnn_table **out) {
    if (strcmp(r->arg[0], "csv") == 0) return bnn_import_csv(r->arg[1], &r->csv, &r->about, out);
    if (strcmp(r->arg[0], "uci") == 0) return bnn_import_uci(r->arg[1], &r->about, out);
    bnn_idx_files files = {.images = r->arg[1], .labels = r->arg[2], .test_images = r->arg[3], .test_labels = r->arg[4]};
    return bnn_import_idx(&files, &r->about, out);
}

static void print_table(const char *path, const bnn_table *t) {
    char shape[BNN_SHAPE_TEXT];
    printf("wrote %s: %d rows, features %s", tool_line(path), t->n, bnn_shape_print(t->x_shape, shape));
    if (t->n_classes)
        printf(", target %s with %d classes", tool_line(t->y_names[0]), t->n_classes);
    else
        printf(", %starget%s", t->y_dim ? "" : "no ", t->y_dim == 1 ? "" : "s");
    for (int j = 0; !t->n_classes && j < t->y_dim; j++) printf(" %s", tool_line(t->y_names[j]));
    printf(", %d split%s\n", t->n_splits, t->n_splits == 1 ? "" : "s");
}

static bnn_status import(const request *r) {
    bnn_table *table;
    BNN_TRY(tool_output_ready(r->out));
    for (int i = 1; i < r->n_args; i++) BNN_TRY(tool_output_apart(r->out, r->arg[i], "what is imported"));
    BNN_TRY(read_table(r, &table));
    bnn_status s = bnn_table_save(table, r->out);
    if (s == BNN_OK) print_table(r->out, table);
    bnn_table_free(table);
    return s;
}

static int run(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "csv FILE -o OUT.h5\nuci FOLDER -o OUT.h5\nidx IMAGES LABELS [TEST_IMAGES TEST_LABELS] -o OUT.h5",
        .doc = "Makes a data file out of text (csv), a folder of the published UCI sets (uci) or images (idx, plain or gzipped).\v"
               "csv: fields are separated by commas, semicolons, tabs or blanks, which is guessed, and may be quoted. A column of texts "
               "becomes one column for each value, a target of "
               "texts becomes classes in the order of their names. Missing values (empty, NA, ?, nan) are refused by row and column; rows "
               "are counted from 1, without the header. "
               "New rows to predict have no target (--target none); their "
               "columns must be those of the fit, in the same order, and a column of texts must hold the same values.\n\n"
               "Examples:\n  bnn import csv boston.csv --target medv -o boston.h5\n  bnn import csv iris.csv --target species -o iris.h5\n"
               "  bnn import csv new.csv --target none -o new.h5\n"
               "  bnn import uci UCI_Datasets/yacht/data -o yacht.h5\n"
               "  bnn import idx train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz "
               "-o mnist.h5"};
    request r = {0};
    tool_parse(&argp, argc, argv, &r);
    return import(&r) < 0 ? tool_fail() : 0;
}

const command command_import = {.name = "import", .summary = "make a data file out of csv, uci or idx files", .run = run};
