/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fill.c: cells and what they mean -> table.
 */
#include "data/sheet.h"

#include <bnn/data.h>
#include <bnn/number.h>
#include <bnn/remark.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns of a sheet ---- */

/* A column of the schema and where it stands. */
typedef struct {
    const bnn_schema_column *column;
    int from;      /* column of the sheet; -1: it is not there */
    double *to;    /* its numbers in the first row of x, y or weight */
    size_t stride; /* from row to row */
    double *size;  /* [n_levels] of levels that are numbers */
    int other;     /* level for the unknown ones; -1: there is none */
    int n_unknown; /* of them */
} binding;

typedef struct {
    const bnn_schema *schema;
    const bnn_sheet *sheet;
    const bnn_csv_options *how;
    char decimal, thousands;
    const char *na;
    binding *bound; /* [schema->n] */
    bnn_table *table;
} filling;

/* The numbers of a column that has no texts; NULL: it has them. */
static const bnn_sheet_numbers *numbers_of(const bnn_sheet *s, int c) { return s->numbers && s->numbers[c].number ? &s->numbers[c] : NULL; }

/* The text of a cell; that of a number goes into `number`. */
static const char *cell(const filling *f, int row, int c, char number[BNN_NUMBER_TEXT]) {
    const bnn_sheet *s = f->sheet;
    const bnn_sheet_numbers *numbers = numbers_of(s, c);
    return numbers ? bnn_sheet_print(numbers, row, f->decimal, number) : s->cell[(size_t)row * (size_t)s->cols + (size_t)c];
}

int bnn_sheet_find(const bnn_sheet *s, const char *name) {
    for (int c = 0; c < s->cols; c++)
        if (strcmp(s->name[c], name) == 0) return c;
    return -1;
}

static void find_columns(filling *f) {
    for (int k = 0; k < f->schema->n; k++) {
        const bnn_schema_column *c = &f->schema->column[k];
        f->bound[k] = (binding){.column = c, .from = bnn_sheet_find(f->sheet, c->name), .other = -1};
    }
}

static bnn_status refuse_missing(const filling *f, const bnn_schema_column *c) {
    const bnn_sheet *s = f->sheet;
    char known[512] = "";
    for (int k = 0; k < s->cols; k++) bnn_list_add(known, sizeof known, s->name[k]);
    return bnn_fail(BNN_ERR_NAME, "%s: has no column '%s': there are %s%s", s->path, c->name, known,
                    s->named ? "" : "; the first line does not name them");
}

/* A column of a target that has no values is that of rows to predict. */
static bnn_status leave_empty_target(const filling *f, binding *b) {
    if (b->from < 0 || b->column->role != BNN_COLUMN_TARGET || !bnn_sheet_empty(f->sheet, b->from, f->na)) return BNN_OK;
    b->from = -1;
    return bnn_remarks_add(f->how->remarks, BNN_REMARK_NOTE, "empty_target", "target: column '%s' has no values, and is not known",
                           b->column->name);
}

/* Features must be there; of targets all, or none is taken; ids and weights may be left out. */
static bnn_status check_columns(filling *f) {
    int targets = 0;
    bool none = f->how->targets && strcmp(f->how->targets, "none") == 0;
    const bnn_schema_column *absent = NULL;
    for (int k = 0; k < f->schema->n; k++) {
        binding *b = &f->bound[k];
        bool target = b->column->role == BNN_COLUMN_TARGET;
        if (b->from < 0 && b->column->role == BNN_COLUMN_FEATURE) return refuse_missing(f, b->column);
        if (target && none) b->from = -1;
        BNN_TRY(leave_empty_target(f, b));
        if (target && b->from < 0) absent = b->column;
        targets += target && b->from >= 0;
        if (b->from < 0 && b->column->role == BNN_COLUMN_ID)
            BNN_TRY(bnn_remarks_add(f->how->remarks, BNN_REMARK_NOTE, "no_id", "%s has no column '%s' to name its rows", f->sheet->path,
                                    b->column->name));
    }
    if (!absent || targets == 0) return BNN_OK;
    for (int k = 0; k < f->schema->n; k++)
        if (f->bound[k].column->role == BNN_COLUMN_TARGET) f->bound[k].from = -1;
    return bnn_remarks_add(f->how->remarks, BNN_REMARK_WARNING, "targets_left_out",
                           "%s has no column '%s': the other targets are left out, too", f->sheet->path, absent->name);
}

static bool is_there(const filling *f, int k, bnn_column_role role) { return f->bound[k].from >= 0 && f->bound[k].column->role == role; }

static int width_there(const filling *f, bnn_column_role role) {
    int width = 0;
    for (int k = 0; k < f->schema->n; k++)
        if (is_there(f, k, role)) width += bnn_schema_column_width(f->bound[k].column);
    return width;
}

/* ---- levels ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bnn_status bind_levels(const filling *f, binding *b) {
    const bnn_schema_column *c = b->column;
    if (c->kind != BNN_COLUMN_LEVELS) return BNN_OK;
    for (int l = 0; f->how->other && c->role == BNN_COLUMN_FEATURE && l < c->n_levels; l++)
        if (strcmp(c->level[l], f->how->other) == 0) b->other = l;
    if (!c->by_size) return BNN_OK;
    if (!(b->size = malloc((size_t)c->n_levels * sizeof *b->size + 1))) return bnn_oom("the levels of column '%s'", c->name);
    for (int l = 0; l < c->n_levels; l++) b->size[l] = bnn_number_read(c->level[l], NULL);
    return BNN_OK;
}

/* Place of a text among the levels; -1: it is none. */
static int level_of(const filling *f, const binding *b, const char *text) {
    size_t n = (size_t)b->column->n_levels;
    double value;
    if (!b->size) {
        char **found = bsearch(&text, b->column->level, n, sizeof *b->column->level, by_text);
        return found ? (int)(found - b->column->level) : -1;
    }
    double *found = bnn_sheet_number(text, f->decimal, f->thousands, &value) ? bsearch(&value, b->size, n, sizeof value, by_size) : NULL;
    return found ? (int)(found - b->size) : -1;
}

/* A level that differs from a text in the zeros before it alone, which programs take away where they see a number; NULL: there is none. */
static const char *level_with_zeros(const bnn_schema_column *c, const char *text) {
    const char *digits = text + strspn(text, "0");
    for (int l = 0; l < c->n_levels && *digits; l++)
        if (strcmp(c->level[l] + strspn(c->level[l], "0"), digits) == 0) return c->level[l];
    return NULL;
}

static bnn_status refuse_level(const filling *f, const binding *b, int row, const char *text) {
    const bnn_schema_column *c = b->column;
    char known[512] = "";
    const char *what = c->role == BNN_COLUMN_TARGET ? "class" : "level";
    for (int l = 0; l < c->n_levels; l++) bnn_list_add(known, sizeof known, c->level[l]);
    if (f->how->other && c->role == BNN_COLUMN_FEATURE)
        return bnn_sheet_fail(f->sheet, row, b->from, "'%.40s' is an unknown %s, and '%s' is none of the known ones: %s", text, what,
                              f->how->other, known);
    const char *zeros = level_with_zeros(c, text);
    if (zeros)
        return bnn_sheet_fail(f->sheet, row, b->from,
                              "'%.40s' is an unknown %s, but '%.40s' is known, which differs in the zeros before it", text, what, zeros);
    return bnn_sheet_fail(f->sheet, row, b->from, "'%.40s' is an unknown %s: there are %s", text, what, known);
}

/* ---- cells -> numbers ---- */

static bnn_status fill_level(const filling *f, binding *b, int row, const char *text, double *to) {
    int level = level_of(f, b, text);
    if (level < 0 && b->other < 0) return refuse_level(f, b, row, text);
    if (level < 0) level = b->other, b->n_unknown++;
    if (b->column->role == BNN_COLUMN_TARGET)
        *to = level;
    else
        to[level] = 1;
    return BNN_OK;
}

static bnn_status refuse_gap(const filling *f, const binding *b, int row) {
    if (b->column->role == BNN_COLUMN_TARGET)
        return bnn_sheet_fail(f->sheet, row, b->from,
                              "value is missing: the targets can be left out (--target none), or the row (--missing drop)");
    return bnn_sheet_fail(f->sheet, row, b->from,
                          "value is missing, and the fit knew of none there: its row can be left out (--missing drop)");
}

/* A number of a column that has no texts, as it is; false: there is none, or none that is finite. */
static bool take_number(const bnn_sheet_numbers *n, int row, double *to) {
    size_t at = n ? (size_t)row * n->stride : 0;
    if (!n || !isfinite(n->number[at]) || (n->absent && n->absent[at] != 0)) return false;
    *to = n->number[at];
    return true;
}

/* One cell as numbers of x, y or the weights, which are 0 so far. */
static bnn_status fill_cell(const filling *f, binding *b, int row) {
    const bnn_schema_column *c = b->column;
    char number[BNN_NUMBER_TEXT];
    double *to = b->to + (size_t)row * b->stride;
    bool levels = c->kind == BNN_COLUMN_LEVELS;
    if (!levels && take_number(numbers_of(f->sheet, b->from), row, to)) return BNN_OK;
    const char *text = cell(f, row, b->from, number);
    if (*text && !f->na && !levels && bnn_sheet_number(text, f->decimal, f->thousands, to) && isfinite(*to)) return BNN_OK;
    if (bnn_sheet_missing(text, f->na)) {
        if (!c->indicator) return refuse_gap(f, b, row);
        *to = levels ? 0 : c->fill;
        to[levels ? c->n_levels : 1] = 1;
        return BNN_OK;
    }
    if (levels) return fill_level(f, b, row, text, to);
    if (!bnn_sheet_number(text, f->decimal, f->thousands, to)) return bnn_sheet_refuse_number(f->sheet, row, b->from, text);
    return isfinite(*to) ? BNN_OK : bnn_sheet_fail(f->sheet, row, b->from, "'%.40s' is not a finite number", text);
}

static bnn_status fill_rows(const filling *f) {
    for (int row = 0; row < f->sheet->rows; row++)
        for (int k = 0; k < f->schema->n; k++)
            if (f->bound[k].to) BNN_TRY(fill_cell(f, &f->bound[k], row));
    return BNN_OK;
}

static bnn_status check_weights(const filling *f, const binding *b) {
    const bnn_table *t = f->table;
    char number[BNN_NUMBER_TEXT];
    double sum = 0;
    for (int row = 0; row < t->n; row++) {
        if (!(t->weight[row] >= 0))
            return bnn_sheet_fail(f->sheet, row, b->from, "'%s' is no weight, which is 0 or more", cell(f, row, b->from, number));
        sum += t->weight[row];
    }
    return sum > 0 ? BNN_OK : bnn_fail(BNN_ERR_DATA, "%s: column '%s': every weight is 0", f->sheet->path, b->column->name);
}

/* ---- table ---- */

static bool name_feature(const bnn_schema_column *c, char **names) {
    int at = 0;
    if (c->kind == BNN_COLUMN_NUMBER && !(names[at++] = strdup(c->name))) return false;
    for (int l = 0; l < c->n_levels; l++)
        if (asprintf(&names[at++], "%s=%s", c->name, c->level[l]) < 0) return false;
    return !c->indicator || asprintf(&names[at], "%s=missing", c->name) >= 0;
}

static bool name_target(const bnn_schema_column *c, int place, bnn_table *t) {
    for (int l = 0; l < t->n_classes; l++)
        if (!(t->class_names[l] = strdup(c->level[l]))) return false;
    return (t->y_names[place] = strdup(c->name));
}

static bool fill_id(const filling *f, const binding *b, int place) {
    bnn_table *t = f->table;
    char number[BNN_NUMBER_TEXT];
    if (!(t->id_names[place] = strdup(b->column->name))) return false;
    for (int row = 0; row < t->n; row++)
        if (!(t->ids[(size_t)place * (size_t)t->n + (size_t)row] = strdup(cell(f, row, b->from, number)))) return false;
    return true;
}

static bool make_room(const filling *f) {
    bnn_table *t = f->table;
    size_t rows = (size_t)t->n;
    int ids = width_there(f, BNN_COLUMN_ID), weights = width_there(f, BNN_COLUMN_WEIGHT);
    t->x_names = calloc((size_t)bnn_shape_size(t->x_shape), sizeof *t->x_names);
    t->y_names = t->y_dim ? calloc((size_t)t->y_dim, sizeof *t->y_names) : NULL;
    t->class_names = t->n_classes ? calloc((size_t)t->n_classes, sizeof *t->class_names) : NULL;
    t->id_names = ids ? calloc((size_t)ids, sizeof *t->id_names) : NULL;
    t->ids = ids ? calloc((size_t)ids * rows + 1, sizeof *t->ids) : NULL;
    t->n_ids = t->ids && t->id_names ? ids : 0;
    t->weight = weights ? calloc(rows + 1, sizeof *t->weight) : NULL;
    return t->x_names && (t->y_names || !t->y_dim) && (t->class_names || !t->n_classes) && t->n_ids == ids && (t->weight || !weights);
}

/* Names what the columns make, and lets each know where its numbers go. */
static bool bind_columns(filling *f) {
    bnn_table *t = f->table;
    int x_at = 0, y_at = 0, id_at = 0;
    bool done = make_room(f);
    for (int k = 0; done && k < f->schema->n; k++) {
        binding *b = &f->bound[k];
        if (is_there(f, k, BNN_COLUMN_FEATURE)) {
            done = name_feature(b->column, t->x_names + x_at);
            b->to = t->x + x_at, b->stride = (size_t)bnn_shape_size(t->x_shape);
            x_at += bnn_schema_column_width(b->column);
        } else if (is_there(f, k, BNN_COLUMN_TARGET)) {
            done = name_target(b->column, y_at, t);
            b->to = t->y + y_at++, b->stride = (size_t)t->y_dim;
        } else if (is_there(f, k, BNN_COLUMN_ID)) {
            done = fill_id(f, b, id_at++);
        } else if (is_there(f, k, BNN_COLUMN_WEIGHT)) {
            b->to = t->weight, b->stride = 1;
        }
    }
    return done;
}

static bnn_status remark_unknown(const filling *f, const binding *b) {
    if (b->n_unknown == 0) return BNN_OK;
    return bnn_remarks_add(f->how->remarks, BNN_REMARK_NOTE, "unknown_levels", "column '%s': %d unknown level%s read as '%s'",
                           b->column->name, b->n_unknown, b->n_unknown == 1 ? "" : "s", f->how->other);
}

static bnn_status fill_table(filling *f) {
    int n_classes = 0;
    for (int k = 0; k < f->schema->n; k++)
        if (is_there(f, k, BNN_COLUMN_TARGET)) n_classes = f->bound[k].column->n_levels;
    BNN_TRY(bnn_table_new(f->sheet->rows, bnn_shape_vector(width_there(f, BNN_COLUMN_FEATURE)), width_there(f, BNN_COLUMN_TARGET),
                          n_classes, &f->table));
    if (!bind_columns(f)) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for names", f->sheet->path);
    for (int k = 0; k < f->schema->n; k++) BNN_TRY(bind_levels(f, &f->bound[k]));
    BNN_TRY(fill_rows(f));
    for (int k = 0; k < f->schema->n; k++) {
        if (is_there(f, k, BNN_COLUMN_WEIGHT)) BNN_TRY(check_weights(f, &f->bound[k]));
        BNN_TRY(remark_unknown(f, &f->bound[k]));
    }
    return bnn_schema_copy(f->schema, &f->table->schema);
}

bnn_status bnn_schema_apply(const bnn_schema *schema, const bnn_sheet *sheet, const bnn_csv_options *how, bnn_table **out) {
    filling f = {.schema = schema, .sheet = sheet, .how = how, .na = how->na ? how->na : schema->na};
    f.decimal = how->decimal ? how->decimal : schema->decimal;
    f.thousands = how->thousands ? how->thousands : how->decimal ? '\0' : schema->thousands;
    f.bound = calloc((size_t)schema->n + 1, sizeof *f.bound);
    *out = NULL;
    bnn_status s = f.bound ? BNN_OK : bnn_oom("%d columns", schema->n);
    if (f.bound) find_columns(&f);
    if (s == BNN_OK) s = check_columns(&f);
    if (s == BNN_OK) s = fill_table(&f);
    for (int k = 0; f.bound && k < schema->n; k++) free(f.bound[k].size);
    free(f.bound);
    if (s < 0)
        bnn_table_free(f.table);
    else
        *out = f.table;
    return s;
}
