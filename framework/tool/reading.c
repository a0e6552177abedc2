/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * reading.c: the options of commands that read a table of texts, and what is said of it.
 */
#include "tool.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    TARGET = 256,
    DROP,
    ID,
    WEIGHT,
    CLASSES,
    HEADER,
    NO_HEADER,
    DELIMITER,
    DECIMAL,
    THOUSANDS,
    NA,
    MISSING,
    COMMENT,
    UNKNOWN_LEVEL,
    LEVELS,
    FORMAT
};

#define GROUP 6 /* behind those of commands */
static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Of a table of texts (CSV):", GROUP},
    {"target", TARGET, "COLUMNS", 0,
     "names or numbers (from 1), separated by commas (default: the last column); none: rows to predict, target not known", GROUP},
    {"drop", DROP, "COLUMNS", 0, "columns to leave out, written likewise", GROUP},
    {"id", ID, "COLUMNS", 0, "columns that are carried through to predictions, never features", GROUP},
    {"weight", WEIGHT, "COLUMN", 0, "the column of the rows' weights", GROUP},
    {"classes", CLASSES, NULL, 0, "the target is a class although it is a number; a text always is one", GROUP},
    {"levels", LEVELS, "COLUMNS", 0, "features whose values are categories although they look like numbers: postal codes, kinds", GROUP},
    {"format", FORMAT, "csv|libsvm", 0, "what a text is (default: libsvm where it begins with a row 'label index:value', else csv)", GROUP},
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
    if (strlen(text) != 1) tool_misuse(state, "%s: '%s' is not one character", option, text);
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
    case DECIMAL: csv->decimal = mark_of("--decimal", arg, state); return 0;
    case THOUSANDS: csv->thousands = mark_of("--thousands", arg, state); return 0;
    case NA: csv->na = arg; return 0;
    case MISSING: csv->missing = missing_of(arg, state); return 0;
    case COMMENT:
        if (!*arg) tool_misuse(state, "--comment: every line begins with an empty text");
        csv->comment = arg;
        return 0;
    case UNKNOWN_LEVEL: csv->other = arg; return 0;
    case LEVELS: csv->levels = arg; return 0;
    case FORMAT:
        if (strcmp(arg, "csv") != 0 && strcmp(arg, "libsvm") != 0)
            tool_misuse(state,
                        "--format: '%s' is neither csv nor libsvm; folders of the UCI layout and HDF5 files are told by what they hold",
                        arg);
        csv->format = strcmp(arg, "csv") == 0 ? BNN_TEXT_CSV : BNN_TEXT_LIBSVM;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const char *const names[] = {"--target",    "--drop",          "--id",      "--weight",    "--classes", "--header",
                                    "--no-header", "--delimiter",     "--decimal", "--thousands", "--na",      "--missing",
                                    "--comment",   "--unknown-level", "--levels",  "--format"};

static error_t parse(int key, char *arg, struct argp_state *state) {
    tool_reading *r = state->input;
    if (key == ARGP_KEY_INIT) return r->csv.size = sizeof r->csv, 0;
    if (key == ARGP_KEY_END) return check(&r->csv, state), 0;
    error_t result = parse_option(key, arg, state, &r->csv);
    if (result == 0 && !r->used) r->used = names[key - TARGET];
    return result;
}

const struct argp tool_reading_argp = {.options = options, .parser = parse};

void tool_print_remarks(const bnn_remarks *remarks, FILE *notes) {
    for (int i = 0; i < bnn_remarks_count(remarks); i++) {
        if (bnn_remark_severity(remarks, i) != BNN_REMARK_NOTE)
            fprintf(stderr, "bnn: warning: %s\n", bnn_remark_sentence(remarks, i));
        else
            fprintf(notes, "%s\n", bnn_remark_sentence(remarks, i));
    }
}

void tool_print_table(FILE *out, const char *did, const char *path, const bnn_table *t) {
    char shape[BNN_SHAPE_TEXT];
    fprintf(out, "%s %s: %d row%s, features %s", did, tool_line(path), t->n, t->n == 1 ? "" : "s", bnn_shape_print(t->x_shape, shape));
    if (bnn_is_map(t->y_shape))
        fprintf(out, ", maps of %d classes", t->n_classes);
    else if (t->n_classes)
        fprintf(out, ", target %s with %d classes", tool_line(t->y_names[0]), t->n_classes);
    else
        fprintf(out, ", %starget%s", t->y_dim ? "" : "no ", t->y_dim == 1 ? "" : "s");
    for (int j = 0; !t->n_classes && j < t->y_dim; j++) fprintf(out, " %s", tool_line(t->y_names[j]));
    fprintf(out, ", %d split%s\n", t->n_splits, t->n_splits == 1 ? "" : "s");
}

/* ---- the rows of a command ---- */

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

bool tool_is_hdf5(const char *path) {
    static const char signature[] = "\211HDF\r\n\032\n";
    enum { LENGTH = sizeof signature - 1 };
    char begin[LENGTH];
    struct stat about;
    FILE *f = stat(path, &about) == 0 && S_ISREG(about.st_mode) ? fopen(path, "rb") : NULL;
    bool is = f && fread(begin, 1, LENGTH, f) == LENGTH && memcmp(begin, signature, LENGTH) == 0;
    if (f) fclose(f);
    return is;
}

/* Says whether the table's columns stand as those of the fit did, or have no names to match. */
static bool fits(const bnn_run *run, const bnn_table *t) {
    const bnn_names *known = &run->names;
    if (!t->x_names || !known->x) return true;
    if (bnn_shape_size(t->x_shape) != known->n_x || bnn_run_check_names(run, t) < 0) return false;
    return t->y_dim == 0 || (t->y_dim == known->n_y && t->n_classes == known->n_classes);
}

static bnn_status load_like(const char *path, const bnn_run *like, const tool_reading *reading, bnn_table **out) {
    bnn_table *t;
    BNN_TRY(reading->stays && !like ? bnn_table_open(path, &t) : bnn_table_load(path, &t));
    *out = t;
    if (!like || !like->schema || fits(like, t)) return BNN_OK;
    bnn_status s = bnn_table_like(t, like->schema, &reading->csv, out);
    bnn_table_free(t);
    return s < 0 ? bnn_note(s, "%s", path) : BNN_OK;
}

/* One picture, or a folder without the table of the UCI layout. */
static bool is_pictures(const char *path) {
    char table[4096];
    struct stat about;
    if (!is_folder(path)) return bnn_import_is_picture(path);
    return snprintf(table, sizeof table, "%s/data.txt", path) < (int)sizeof table && stat(table, &about) < 0;
}

/* Pictures of the size, the colours and the classes that a run was fitted to. */
static bnn_status read_pictures(const char *path, const bnn_run *like, tool_reading *reading, bnn_table **out) {
    bnn_picture_folders how = {.size = sizeof how, .folder = path, .remarks = reading->csv.remarks};
    const bnn_shape *x = like ? &like->engine->model->x_shape : NULL;
    char shape[BNN_SHAPE_TEXT];
    if (x && x->rank != 3)
        return bnn_fail(BNN_ERR_SHAPE, "%s: %s, and the run was fitted to rows of shape %s, not to pictures", path,
                        is_folder(path) ? "has no data.txt, as folders of the UCI layout have" : "is a picture",
                        bnn_shape_print(*x, shape));
    if (x) how.channels = x->d[0], how.height = x->d[1], how.width = x->d[2];
    if (x && x->d[0] != 1 && x->d[0] != 3)
        return bnn_fail(BNN_ERR_SHAPE, "%s: pictures have 1 or 3 channels, and the run was fitted to %d", path, x->d[0]);
    if (like && !reading->any_class) how.classes = (const char *const *)like->names.classes, how.n_classes = like->names.n_classes;
    BNN_TRY(bnn_import_pictures(&how, NULL, out));
    reading->text = path;
    return BNN_OK;
}

static bnn_status read_text(const char *path, const bnn_run *like, tool_reading *reading, bnn_table **out) {
    bool pictures = is_pictures(path), folder = is_folder(path);
    const bnn_import_about about = {.size = sizeof about, .remarks = reading->csv.remarks};
    bnn_status s = pictures               ? read_pictures(path, like, reading, out)
                   : folder               ? bnn_import_uci(path, &about, out)
                   : like && like->schema ? bnn_import_like(path, like->schema, &reading->csv, NULL, out)
                                          : bnn_import_csv(path, &reading->csv, NULL, out);
    if (s < 0) return s;
    if (!folder) reading->text = path;
    if (!folder && !pictures && like && !like->schema)
        BNN_TRY(bnn_remarks_add(reading->csv.remarks, BNN_REMARK_NOTE, "columns_unnamed",
                                "columns: taken in the order in which they stand, as those of the fit have no names"));
    memcpy((*out)->sha256, (*out)->raw_sha256, sizeof(*out)->sha256); /* the file that it is known by */
    return BNN_OK;
}

bnn_status tool_reading_table(const char *path, const bnn_run *like, tool_reading *reading, bnn_table **out) {
    *out = NULL;
    if (!reading->csv.remarks) BNN_TRY(bnn_remarks_new(&reading->csv.remarks));
    if (!tool_is_hdf5(path)) return read_text(path, like, reading, out);
    if (reading->used && !like) return bnn_fail(BNN_ERR_OPTION, "%s: is of tables of text, and %s is a data file", reading->used, path);
    return load_like(path, like, reading, out);
}

void tool_reading_say(tool_reading *reading, const bnn_table *table, FILE *notes) {
    tool_print_remarks(reading->csv.remarks, notes);
    if (table && reading->text) tool_print_table(notes, "read", strcmp(reading->text, "-") == 0 ? "standard input" : reading->text, table);
    bnn_remarks_free(reading->csv.remarks);
    reading->csv.remarks = NULL;
}

bnn_status tool_reading_split(const tool_reading *reading, bnn_table *table, int split) {
    if (!reading->text || split < 0) return BNN_OK;
    bnn_status s = bnn_table_split(table, BNN_SPLIT_HOLDOUT, split + 1, 0);
    return s < 0 ? bnn_note(s, "%s", reading->text) : BNN_OK;
}
