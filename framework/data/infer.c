/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * infer.c: cells -> schema: what each column is for, and how its texts are read.
 */
#include "import.h"
#include "sheet.h"

#include <bnn/number.h>
#include <bnn/remark.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY_LEVELS 100 /* a text column with more values, most of them different, is an identifier and not a feature */

enum { UNASKED = -1, DROPPED = -2 };

/* What one pass over the rows finds in a column. */
typedef struct {
    int numbers, missing;
    int first_text, first_missing, first_infinite; /* rows; -1: there is none */
    double sum;                                    /* of the numbers */
} facts;

typedef struct {
    bnn_sheet *sheet;
    const bnn_csv_options *how;
    int *role;    /* [cols] a bnn_column_role, UNASKED or DROPPED */
    int *target;  /* [n_targets] columns, in the order asked for */
    facts *facts; /* [cols] */
    int n_targets;
    bnn_schema *schema;
} inference;

static char *cell(const bnn_sheet *s, int row, int c) { return s->cell[(size_t)row * (size_t)s->cols + (size_t)c]; }

static bnn_status no_memory(const inference *in) { return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its columns", in->sheet->path); }

/* Fails with the cell and a sentence behind it. */
#define CELL_FAIL(in, row, c, format, ...)                                                   \
    bnn_fail(BNN_ERR_DATA, "%s: row %d, column '%s': " format, (in)->sheet->path, (row) + 1, \
             (in)->sheet->name[c] __VA_OPT__(, ) __VA_ARGS__)

/* ---- which column is what ---- */

static const char *option_of(int role) {
    return role == DROPPED ? "left-out" : role == BNN_COLUMN_TARGET ? "target" : role == BNN_COLUMN_ID ? "id" : "weight";
}

static bnn_status find_column(const inference *in, const char *wanted, int *out) {
    const bnn_sheet *s = in->sheet;
    for (*out = 0; *out < s->cols; ++*out)
        if (strcmp(s->name[*out], wanted) == 0) {
            int twin = s->twin[*out], low = twin < *out ? twin : *out, high = twin < *out ? *out : twin;
            return twin < 0 ? BNN_OK
                            : bnn_fail(BNN_ERR_NAME,
                                       "%s: columns %d and %d are both called '%s': name one by its number, and leave the other out by "
                                       "--drop",
                                       s->path, low + 1, high + 1, s->name[low]);
        }
    double number;
    if (bnn_import_number(wanted, &number) && number == floor(number) && number >= 1 && number <= s->cols) {
        *out = (int)number - 1;
        return BNN_OK;
    }
    char known[512] = "";
    for (int c = 0; c < s->cols; c++) bnn_list_add(known, sizeof known, s->name[c]);
    return bnn_fail(BNN_ERR_NAME, "%s: has no column '%s': there are %s", s->path, wanted, known);
}

static bnn_status set_role(inference *in, const char *wanted, int role) {
    int c;
    BNN_TRY(find_column(in, wanted, &c));
    if (in->role[c] != UNASKED)
        return bnn_fail(BNN_ERR_NAME, "%s: column '%s' is named twice: among %s and %s columns", in->sheet->path, in->sheet->name[c],
                        option_of(in->role[c]), option_of(role));
    in->role[c] = role;
    if (role == BNN_COLUMN_TARGET) in->target[in->n_targets++] = c;
    return BNN_OK;
}

/* Cuts the next name off a list: names with commas stand in quotes, as in the file. */
static char *next_name(char **rest) {
    char *name = *rest, *to = name, *from = name;
    bool quoted = false;
    if (!name) return NULL;
    for (; *from && (quoted || *from != ','); from++) {
        if (*from == '"' && !(quoted && from[1] == '"'))
            quoted = !quoted;
        else
            from += *from == '"', *to++ = *from;
    }
    *rest = *from ? from + 1 : NULL;
    *to = '\0';
    return name;
}

/* Roles of a list of columns, which may also be one name, commas and all. */
static bnn_status set_roles(inference *in, const char *list, int role) {
    if (!list) return BNN_OK;
    for (int c = 0; c < in->sheet->cols; c++)
        if (strcmp(in->sheet->name[c], list) == 0) return set_role(in, list, role);
    char *copy = strdup(list), *rest = copy;
    bnn_status status = copy ? BNN_OK : no_memory(in);
    for (char *name; status == BNN_OK && (name = next_name(&rest));) status = set_role(in, name, role);
    free(copy);
    return status;
}

/* The last column, if nobody asks for another. */
static bnn_status take_last(inference *in) {
    const bnn_sheet *s = in->sheet;
    int c = s->cols - 1;
    while (c > 0 && in->role[c] != UNASKED) c--;
    if (in->role[c] != UNASKED) return BNN_OK;
    return set_role(in, s->name[c], BNN_COLUMN_TARGET);
}

static bnn_status leave_row_names(inference *in) {
    if (in->role[0] != UNASKED) return BNN_OK;
    in->role[0] = DROPPED;
    return bnn_remarks_add(in->how->remarks, BNN_REMARK_NOTE, "row_names",
                           "row names: the first column, which the header does not name, is left out (--id row_name carries it through)");
}

static bnn_status choose_roles(inference *in) {
    const bnn_csv_options *how = in->how;
    const bnn_sheet *s = in->sheet;
    bool none = how->targets && strcmp(how->targets, "none") == 0;
    if (s->cols < 2 && !none) return bnn_fail(BNN_ERR_FORMAT, "%s: has one column, a table needs features and a target", s->path);
    BNN_TRY(set_roles(in, how->drop, DROPPED));
    BNN_TRY(set_roles(in, how->id, BNN_COLUMN_ID));
    if (how->weight) BNN_TRY(set_role(in, how->weight, BNN_COLUMN_WEIGHT));
    if (!none) BNN_TRY(how->targets ? set_roles(in, how->targets, BNN_COLUMN_TARGET) : take_last(in));
    if (s->row_names) BNN_TRY(leave_row_names(in));
    int features = 0;
    for (int c = 0; c < s->cols; c++) {
        if (in->role[c] == UNASKED) in->role[c] = BNN_COLUMN_FEATURE;
        features += in->role[c] == BNN_COLUMN_FEATURE;
    }
    return features ? BNN_OK : bnn_fail(BNN_ERR_DATA, "%s: no column is left as a feature", s->path);
}

/* ---- what stands in the columns ---- */

static void find_facts(inference *in) {
    const bnn_sheet *s = in->sheet;
    for (int c = 0; c < s->cols; c++) in->facts[c] = (facts){.first_text = -1, .first_missing = -1, .first_infinite = -1};
    for (int row = 0; row < s->rows; row++)
        for (int c = 0; c < s->cols; c++) {
            facts *f = &in->facts[c];
            const char *text = cell(s, row, c);
            double value;
            if (in->role[c] == DROPPED || in->role[c] == BNN_COLUMN_ID) continue;
            bool number = bnn_sheet_number(text, in->how->decimal, in->how->thousands, &value);
            if (number && isfinite(value))
                f->numbers++, f->sum += value;
            else if (bnn_sheet_missing(text, in->how->na))
                f->first_missing = f->missing++ ? f->first_missing : row;
            else if (number)
                f->first_infinite = f->first_infinite < 0 ? row : f->first_infinite;
            else
                f->first_text = f->first_text < 0 ? row : f->first_text;
        }
}

static bool takes_indicator(const inference *in, int c) {
    return in->how->missing == BNN_MISSING_MEAN && in->role[c] == BNN_COLUMN_FEATURE && in->facts[c].missing > 0;
}

static bnn_status check_missing(const inference *in) {
    int c = -1;
    for (int k = 0; k < in->sheet->cols; k++) {
        int row = in->facts[k].first_missing;
        if (row >= 0 && !takes_indicator(in, k) && (c < 0 || row < in->facts[c].first_missing)) c = k;
    }
    if (c < 0 || in->how->missing == BNN_MISSING_DROP) return BNN_OK;
    return CELL_FAIL(in, in->facts[c].first_missing, c, "value is missing");
}

static bool has_decimal_comma(const char *text) {
    size_t whole = strspn(text, "+-0123456789"), part = whole && text[whole] == ',' ? strspn(text + whole + 1, "0123456789") : 0;
    return part && !text[whole + 1 + part];
}

/* Numbers, or texts; a few texts among numbers are mistakes and not values of their own. */
static bnn_status check_kind(const inference *in, int c) {
    const facts *f = &in->facts[c];
    if (f->first_infinite >= 0)
        return CELL_FAIL(in, f->first_infinite, c, "'%s' is not a finite number", cell(in->sheet, f->first_infinite, c));
    if (f->first_text < 0) return BNN_OK;
    const char *text = cell(in->sheet, f->first_text, c);
    if (has_decimal_comma(text)) return CELL_FAIL(in, f->first_text, c, "'%s' has a decimal comma, numbers need a point", text);
    if (2 * f->numbers > in->sheet->rows || in->role[c] == BNN_COLUMN_WEIGHT)
        return CELL_FAIL(in, f->first_text, c, "'%.40s' is not a number", text);
    return BNN_OK;
}

/* Takes rows out that lack a value. */
static bnn_status drop_rows(inference *in) {
    bnn_sheet *s = in->sheet;
    int kept = 0, all = s->rows;
    for (int row = 0; row < all; row++) {
        bool whole = true;
        for (int c = 0; whole && c < s->cols; c++)
            whole = in->role[c] == DROPPED || in->role[c] == BNN_COLUMN_ID || !bnn_sheet_missing(cell(s, row, c), in->how->na);
        if (!whole) continue;
        s->line[kept] = s->line[row];
        memmove(&s->cell[(size_t)kept++ * (size_t)s->cols], &s->cell[(size_t)row * (size_t)s->cols], (size_t)s->cols * sizeof *s->cell);
    }
    s->rows = kept;
    if (kept == all) return BNN_OK;
    if (kept == 0) return bnn_fail(BNN_ERR_DATA, "%s: a value is missing in every row", s->path);
    return bnn_remarks_add(in->how->remarks, BNN_REMARK_NOTE, "rows_left_out", "rows left out: %d of %d, for a missing value", all - kept,
                           all);
}

/* ---- levels ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int by_size(const void *a, const void *b) {
    double x = bnn_number_read(*(char *const *)a, NULL), y = bnn_number_read(*(char *const *)b, NULL);
    return (x > y) - (x < y);
}

/* The different texts of a column. */
typedef struct {
    char **slot; /* [size] owned texts, at or behind the place of their hash; size is a power of two, and twice what is there */
    size_t size, used;
} text_set;

static size_t hash_text(const char *text) {
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *text; text++) h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 32);
}

static char **slot_of(const text_set *set, const char *text) {
    size_t i = hash_text(text) & (set->size - 1);
    while (set->slot[i] && strcmp(set->slot[i], text) != 0) i = (i + 1) & (set->size - 1);
    return &set->slot[i];
}

static bool grow(text_set *set) {
    text_set more = {.size = set->size ? 2 * set->size : 64, .used = set->used};
    if (!(more.slot = calloc(more.size, sizeof *more.slot))) return false;
    for (size_t i = 0; i < set->size; i++)
        if (set->slot[i]) *slot_of(&more, set->slot[i]) = set->slot[i];
    free(set->slot);
    *set = more;
    return true;
}

static bool add_text(text_set *set, const char *text) {
    if (2 * set->used >= set->size && !grow(set)) return false;
    char **slot = slot_of(set, text);
    if (!*slot) *slot = strdup(text), set->used++;
    return *slot;
}

/* A level as it is kept: a number is written in one way, as 9 where the file has 9.0. */
static const char *level_text(const inference *in, const bnn_schema_column *column, const char *text, char number[BNN_NUMBER_TEXT]) {
    double value;
    if (!column->by_size || !bnn_sheet_number(text, in->how->decimal, in->how->thousands, &value)) return text;
    return bnn_number_print(value + 0.0, number);
}

static bnn_status find_levels(const inference *in, int c, bnn_schema_column *column) {
    text_set set = {0};
    char number[BNN_NUMBER_TEXT];
    bool done = true;
    for (int row = 0; done && row < in->sheet->rows; row++) {
        const char *text = cell(in->sheet, row, c);
        if (!bnn_sheet_missing(text, in->how->na)) done = add_text(&set, level_text(in, column, text, number));
    }
    column->level = set.slot; /* packed, in order */
    for (size_t i = 0; i < set.size; i++)
        if (set.slot[i]) column->level[column->n_levels++] = set.slot[i];
    if (column->n_levels) qsort(column->level, (size_t)column->n_levels, sizeof *column->level, column->by_size ? by_size : by_text);
    if (!done) return no_memory(in);
    if (column->n_levels > MANY_LEVELS && 2 * column->n_levels > in->sheet->rows)
        return bnn_fail(BNN_ERR_DATA, "%s: column '%s' has %d different values in %d rows: leave it out, or make it a number",
                        in->sheet->path, column->name, column->n_levels, in->sheet->rows);
    return BNN_OK;
}

/* ---- schema ---- */

static bnn_status set_target_kind(const inference *in, bnn_schema_column *column, bool text) {
    column->kind = text || in->how->classes ? BNN_COLUMN_LEVELS : BNN_COLUMN_NUMBER;
    column->by_size = !text && in->how->classes;
    if (column->kind == BNN_COLUMN_LEVELS && in->n_targets > 1)
        return bnn_fail(BNN_ERR_DATA, "%s: column '%s' holds classes: it must be the only target", in->sheet->path, column->name);
    return BNN_OK;
}

static bnn_status set_column(const inference *in, int c, bnn_schema_column *column) {
    const facts *f = &in->facts[c];
    *column = (bnn_schema_column){.name = strdup(in->sheet->name[c]), .role = (bnn_column_role)in->role[c]};
    if (!column->name) return no_memory(in);
    if (column->role == BNN_COLUMN_ID) return column->kind = BNN_COLUMN_TEXT, BNN_OK;
    column->kind = f->first_text >= 0 ? BNN_COLUMN_LEVELS : BNN_COLUMN_NUMBER;
    if (column->role == BNN_COLUMN_TARGET) BNN_TRY(set_target_kind(in, column, f->first_text >= 0));
    column->indicator = takes_indicator(in, c);
    if (column->indicator && f->numbers > 0) column->fill = f->sum / f->numbers;
    if (column->kind == BNN_COLUMN_LEVELS) BNN_TRY(find_levels(in, c, column));
    if (column->role == BNN_COLUMN_TARGET && column->n_levels == 1)
        return bnn_fail(BNN_ERR_DATA, "%s: column '%s' holds a single class, '%s'", in->sheet->path, column->name, column->level[0]);
    return BNN_OK;
}

static bnn_status make_schema(inference *in) {
    const bnn_sheet *s = in->sheet;
    bnn_schema *schema = in->schema = calloc(1, sizeof *schema);
    if (!schema || !(schema->column = calloc((size_t)s->cols, sizeof *schema->column))) return no_memory(in);
    schema->decimal = in->how->decimal, schema->thousands = in->how->thousands;
    if (in->how->na && !(schema->na = strdup(in->how->na))) return no_memory(in);
    for (int c = 0; c < s->cols; c++)
        if (in->role[c] != DROPPED && in->role[c] != BNN_COLUMN_TARGET) BNN_TRY(set_column(in, c, &schema->column[schema->n++]));
    for (int k = 0; k < in->n_targets; k++) BNN_TRY(set_column(in, in->target[k], &schema->column[schema->n++]));
    return BNN_OK;
}

static bnn_status infer(inference *in) {
    if (!in->role || !in->target || !in->facts) return no_memory(in);
    for (int c = 0; c < in->sheet->cols; c++) in->role[c] = UNASKED;
    BNN_TRY(choose_roles(in));
    find_facts(in);
    BNN_TRY(check_missing(in));
    for (int c = 0; c < in->sheet->cols; c++) BNN_TRY(check_kind(in, c));
    if (in->how->missing == BNN_MISSING_DROP) BNN_TRY(drop_rows(in));
    return make_schema(in);
}

bnn_status bnn_schema_infer(bnn_sheet *sheet, const bnn_csv_options *how, bnn_schema **out) {
    bnn_csv_options filled = *how;
    if (!filled.decimal) filled.decimal = '.';
    size_t cols = (size_t)sheet->cols;
    inference in = {.sheet = sheet,
                    .how = &filled,
                    .role = malloc(cols * sizeof *in.role),
                    .target = malloc(cols * sizeof *in.target),
                    .facts = calloc(cols, sizeof *in.facts)};
    bnn_status s = infer(&in);
    free(in.role), free(in.target), free(in.facts);
    if (s < 0) bnn_schema_free(in.schema), in.schema = NULL;
    *out = in.schema;
    return s;
}
