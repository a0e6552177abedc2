/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * doubts.c: what should be known of a table before anything is fitted to it: what was guessed, what became of columns, what looks wrong.
 */
#include "base/word.h"
#include "infer.h"

#include <bnn/remark.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST = 300, SHOWN = 12 };

#define NOTE(code, ...) bnn_remarks_add(in->how->remarks, BNN_REMARK_NOTE, code, __VA_ARGS__)
#define WARN(code, ...) bnn_remarks_add(in->how->remarks, BNN_REMARK_WARNING, code, __VA_ARGS__)

static bool is_feature(const bnn_inference *in, int c) { return in->role[c] == BNN_COLUMN_FEATURE; }

/* ---- what became of columns ---- */

static bnn_status tell_levels(const bnn_inference *in, const bnn_schema_column *column) {
    char list[LIST] = "";
    bool target = column->role == BNN_COLUMN_TARGET;
    for (int l = 0; l < column->n_levels && l < SHOWN; l++) bnn_list_add(list, sizeof list, column->level[l]);
    if (column->n_levels > SHOWN) bnn_list_add(list, sizeof list, "...");
    return NOTE(target ? "classes" : "categories", "%s: '%s' holds %d: %s", target ? "classes" : "categories", column->name,
                column->n_levels, list);
}

static bnn_status tell_target(const bnn_inference *in) {
    const char *targets = in->how->targets;
    if (targets || in->n_targets == 0) return BNN_OK;
    return NOTE("target", "target: '%s', the last column (guessed)", in->sheet->name[in->target[0]]);
}

static bnn_status tell_numbers(const bnn_inference *in, int c) {
    const bnn_column_facts *f = &in->facts[c];
    const char *name = in->sheet->name[c];
    char least[BNN_NUMBER_TEXT], greatest[BNN_NUMBER_TEXT];
    if (f->marked > 0)
        BNN_TRY(NOTE("marked_numbers", "marks: %d number%s of column '%s' read with the marks asked for, from %s to %s", f->marked,
                     f->marked == 1 ? "" : "s", name, bnn_number_print(f->least, least), bnn_number_print(f->greatest, greatest)));
    if (in->how->missing == BNN_MISSING_MEAN && f->missing > 0)
        BNN_TRY(NOTE("missing", "missing: %d value%s of column '%s', which column '%s=missing' tells", f->missing,
                     f->missing == 1 ? "" : "s", name, name));
    return BNN_OK;
}

/* ---- what looks wrong ---- */

static int by_letters(const void *a, const void *b) {
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = bnn_letters_compare(x, y);
    return order ? order : strcmp(x, y);
}

/* Numbers among words, which may be what they are mixed up with. */
static bnn_status doubt_numbers(const bnn_inference *in, const bnn_schema_column *column) {
    int c = column->place - 1;
    const bnn_column_facts *f = &in->facts[c];
    if (f->texts == 0 || f->numbers == 0 || in->levels[c] || (in->how->classes && column->role == BNN_COLUMN_TARGET)) return BNN_OK;
    return WARN("numbers_among_texts", "column '%s' holds %d number%s among texts such as '%.40s': all are %s", column->name, f->numbers,
                f->numbers == 1 ? "" : "s", bnn_sheet_cell(in->sheet, f->first_text, c),
                column->role == BNN_COLUMN_TARGET ? "classes" : "categories");
}

static bnn_status doubt_levels(const bnn_inference *in, const bnn_schema_column *column) {
    size_t n = (size_t)column->n_levels;
    char **sorted = malloc(n * sizeof *sorted);
    if (!sorted) return bnn_oom("%zu levels", n);
    memcpy(sorted, column->level, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_letters);
    bnn_status s = BNN_OK;
    for (size_t l = 1; s == BNN_OK && l < n; l++)
        if (bnn_letters_compare(sorted[l - 1], sorted[l]) == 0)
            s = WARN("levels_differ_in_case", "column '%s': '%s' and '%s' differ only in case, and are two values", column->name,
                     sorted[l - 1], sorted[l]);
    free(sorted);
    int rows = in->sheet->rows;
    bool many = s == BNN_OK && rows >= 10 && 2 * column->n_levels > rows;
    if (many && column->role == BNN_COLUMN_TARGET)
        s = WARN("many_classes", "the target '%s' has %d classes in %d rows: too few of each to learn from%s", column->name,
                 column->n_levels, rows, in->how->classes ? "; without --classes it is taken as a number" : "");
    else if (many)
        s = WARN("looks_like_id",
                 "column '%s' looks like a name or an id, with %d different texts in %d rows: leave it out (--drop) or carry it "
                 "through (--id)",
                 column->name, column->n_levels, rows);
    return s;
}

/* How to have a column that is no feature: by options, which the lists of a folder have in place of. */
static const char *way_out(const bnn_inference *in) {
    return in->sheet->listed ? "leave it out of index_features.txt" : "leave it out (--drop) or carry it through (--id)";
}

/* Codes of more digits than a number keeps: what is read of them says nothing about them. */
static bool has_long_codes(const bnn_column_facts *f) { return f->first_code >= 0 && f->greatest > 0x1p53; }

/* 0, 1, 2, ... in the order of the rows, or in another; or called so. */
static bool looks_like_index(const bnn_inference *in, int c) {
    static const char *const names[] = {"id", "index", "idx", "row", "rowid", "row_id", "row_number", "nr", "no", "no.", "#", "unnamed: 0"};
    const bnn_column_facts *f = &in->facts[c];
    int rows = in->sheet->rows;
    if (f->texts > 0 || !f->whole || rows < 3 || f->numbers < rows || has_long_codes(f)) return false;
    if (f->steps) return true;
    double middle = (f->least + f->greatest) / 2;
    if ((f->least == 0 || f->least == 1) && f->greatest - f->least == rows - 1 && f->sum == rows * middle && rows >= 10) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bnn_letters_compare(in->sheet->name[c], names[i]) == 0) return true;
    return false;
}

/* A text that is read as another number than it shows. */
static bnn_status doubt_codes(const bnn_inference *in, int c, const char *what, const char *way) {
    const bnn_column_facts *f = &in->facts[c];
    char number[BNN_NUMBER_TEXT + 40];
    double value = 0;
    if (f->first_code < 0 || f->texts > 0 || in->levels[c] || in->how->classes) return BNN_OK;
    const char *text = bnn_sheet_cell(in->sheet, f->first_code, c);
    bnn_sheet_number(text, in->how->decimal, in->how->thousands, &value);
    bnn_print(number, sizeof number, "%.0f", value);
    return WARN("looks_like_code", "%s '%s' holds codes such as '%.40s', which is read as the number %s: %s", what, in->sheet->name[c],
                text, number, way);
}

static const char *date_name(unsigned dates) {
    return dates & (BNN_DATE_DAY | BNN_DATE_MONTH) ? "dates"
           : dates & BNN_DATE_SECONDS              ? "times in seconds since 1970"
                                                   : "times in milliseconds since 1970";
}

/* A number of nines below 0, where all others are not: what often stands for a missing value. */
static bnn_status doubt_nines(const bnn_inference *in, int c) {
    const bnn_column_facts *f = &in->facts[c];
    char least[BNN_NUMBER_TEXT], above[BNN_NUMBER_TEXT];
    bool nines = f->least == -99 || f->least == -999 || f->least == -9999 || f->least == -99999;
    if (f->texts > 0 || !nines || !(f->above >= 0 && isfinite(f->above))) return BNN_OK;
    bnn_number_print(f->least, least), bnn_number_print(f->above, above);
    return WARN("looks_missing", "column '%s' holds %s beside numbers from %s on: if it stands for a missing value%s%s", in->sheet->name[c],
                least, above, in->sheet->listed ? ", leave its rows out" : ", say --na ", in->sheet->listed ? "" : least);
}

static bnn_status doubt_feature(const bnn_inference *in, int c) {
    const char *name = in->sheet->name[c];
    const bnn_column_facts *f = &in->facts[c];
    if (looks_like_index(in, c))
        BNN_TRY(WARN("looks_like_index", "column '%s' looks like an index or row numbers, and is a feature: %s", name, way_out(in)));
    else
        BNN_TRY(doubt_codes(in, c, "column", "make categories of it (--levels), leave it out (--drop) or carry it through (--id)"));
    if (f->dates && f->texts == 0 && in->sheet->rows > 1)
        BNN_TRY(WARN("looks_like_date",
                     "column '%s' looks like %s, such as %.0f, and is read as numbers: split it into year, month and day, or %s", name,
                     date_name(f->dates), f->first, way_out(in)));
    return BNN_OK;
}

/* Ids that name two rows alike. */
static bnn_status doubt_id(const bnn_inference *in, int c) {
    bnn_text_set set = {0};
    int row = 0, n;
    bool done = true, again = false;
    for (; done && !again && row < in->sheet->rows; row++) {
        size_t before = set.used;
        done = bnn_text_set_add(&set, bnn_sheet_cell(in->sheet, row, c));
        again = done && set.used == before;
    }
    char **ids = bnn_text_set_take(&set, &n);
    bnn_texts_free(ids, n);
    if (!done) return bnn_oom("the ids of %d rows", in->sheet->rows);
    if (!again) return BNN_OK;
    return NOTE("repeated_id", "ids: column '%s' names several rows alike, the first of them '%.40s' in row %d", in->sheet->name[c],
                bnn_sheet_cell(in->sheet, row - 1, c), row);
}

static bool is_constant(const bnn_inference *in, int c) {
    const bnn_column_facts *f = &in->facts[c];
    if (f->missing > 0 || in->sheet->rows < 2) return false;
    if (f->texts == 0) return f->greatest - f->least <= in->sheet->rows * DBL_EPSILON * fabs(f->least);
    for (int row = 1; row < in->sheet->rows; row++)
        if (strcmp(bnn_sheet_cell(in->sheet, row, c), bnn_sheet_cell(in->sheet, 0, c)) != 0) return false;
    return true;
}

static bnn_status doubt_constants(const bnn_inference *in) {
    char list[LIST] = "";
    for (int c = 0; c < in->sheet->cols; c++)
        if (is_feature(in, c) && is_constant(in, c) && !has_long_codes(&in->facts[c])) bnn_list_add(list, sizeof list, in->sheet->name[c]);
    return *list ? WARN("constant", "constant columns, of which nothing can be learned: %s", list) : BNN_OK;
}

/* Equal columns stand side by side when sorted. */
typedef struct {
    uint64_t hash;
    int column;
} mark;

static int by_hash(const void *a, const void *b) {
    const mark *p = a, *q = b;
    return p->hash != q->hash ? (p->hash > q->hash) - (p->hash < q->hash) : p->column - q->column;
}

static bnn_status compare_columns(const bnn_inference *in, const mark *sorted, int n) {
    char list[LIST] = "";
    for (int i = 1; i < n; i++) {
        int a = sorted[i - 1].column, b = sorted[i].column;
        if (sorted[i - 1].hash != sorted[i].hash) continue;
        bool feature_a = is_feature(in, a), feature_b = is_feature(in, b);
        if (feature_a != feature_b && in->sheet->rows > 2)
            return bnn_fail(BNN_ERR_DATA,
                            "%s: the target is among the features: columns '%s' and '%s' hold the same values: leave one out%s",
                            in->sheet->path, in->sheet->name[a], in->sheet->name[b], in->sheet->listed ? "" : " (--drop)");
        char text[LIST];
        snprintf(text, sizeof text, "'%s' and '%s'", in->sheet->name[a], in->sheet->name[b]);
        bnn_list_add(list, sizeof list, text);
    }
    return *list ? WARN("duplicate_columns", "columns that hold the same values: %s", list) : BNN_OK;
}

static bnn_status doubt_duplicates(const bnn_inference *in) {
    mark *sorted = malloc((size_t)in->sheet->cols * sizeof *sorted);
    if (!sorted) return bnn_oom("%d columns", in->sheet->cols);
    int n = 0;
    for (int c = 0; c < in->sheet->cols; c++)
        if ((is_feature(in, c) || in->role[c] == BNN_COLUMN_TARGET) && !is_constant(in, c) && in->sheet->rows > 1)
            sorted[n++] = (mark){in->facts[c].hash, c};
    qsort(sorted, (size_t)n, sizeof *sorted, by_hash);
    bnn_status s = compare_columns(in, sorted, n);
    free(sorted);
    return s;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bnn_status doubt_target(const bnn_inference *in, int c) {
    const bnn_column_facts *f = &in->facts[c];
    const char *name = in->sheet->name[c];
    char list[LIST] = "", number[BNN_NUMBER_TEXT];
    if (is_constant(in, c)) return WARN("constant_target", "the target '%s' is constant: there is nothing to learn", name);
    bool few = f->n_few <= BNN_FEW && 2 * f->n_few <= in->sheet->rows;
    if (in->how->classes || f->texts > 0 || !f->whole || !few) return BNN_OK;
    double sorted[BNN_FEW];
    memcpy(sorted, f->few, sizeof sorted);
    qsort(sorted, (size_t)f->n_few, sizeof *sorted, by_size);
    for (int k = 0; k < f->n_few; k++) bnn_list_add(list, sizeof list, bnn_number_print(sorted[k], number));
    return WARN("few_values", "the target '%s' holds only the whole numbers %s: they are taken as numbers (regression); for classes %s",
                name, list, in->sheet->listed ? "import data.txt as csv with --classes" : "say --classes");
}

static bnn_status doubt_size(const bnn_inference *in) {
    int rows = in->sheet->rows, features = bnn_schema_width(in->schema, BNN_COLUMN_FEATURE);
    if (in->n_targets == 0) return BNN_OK;
    if (rows == 1) return WARN("one_row", "the table has one row: nothing can be learned from it");
    if (rows < features) return WARN("few_rows", "the table has %d rows, fewer than its %d features", rows, features);
    return BNN_OK;
}

bnn_status bnn_inference_doubts(const bnn_inference *in) {
    BNN_TRY(tell_target(in));
    for (int c = 0; c < in->sheet->cols; c++) BNN_TRY(tell_numbers(in, c));
    for (int k = 0; k < in->schema->n; k++)
        if (in->schema->column[k].kind == BNN_COLUMN_LEVELS) BNN_TRY(tell_levels(in, &in->schema->column[k]));
    for (int k = 0; k < in->schema->n; k++)
        if (in->schema->column[k].kind == BNN_COLUMN_LEVELS) {
            BNN_TRY(doubt_numbers(in, &in->schema->column[k]));
            BNN_TRY(doubt_levels(in, &in->schema->column[k]));
        }
    for (int c = 0; c < in->sheet->cols; c++)
        if (is_feature(in, c)) BNN_TRY(doubt_feature(in, c));
    for (int c = 0; c < in->sheet->cols; c++)
        if (in->role[c] == BNN_COLUMN_ID) BNN_TRY(doubt_id(in, c));
    for (int c = 0; c < in->sheet->cols; c++)
        if (is_feature(in, c) || in->role[c] == BNN_COLUMN_TARGET) BNN_TRY(doubt_nines(in, c));
    BNN_TRY(doubt_constants(in));
    BNN_TRY(doubt_duplicates(in));
    for (int k = 0; k < in->n_targets; k++) {
        BNN_TRY(doubt_target(in, in->target[k]));
        BNN_TRY(doubt_codes(in, in->target[k], "the target", "for classes say --classes"));
    }
    return doubt_size(in);
}
