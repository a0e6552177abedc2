/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * schema.c: cells and what they mean -> table.
 */
#include "import.h"
#include "sheet.h"

#include <bnn/number.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_texts(char **texts, int n) {
    for (int i = 0; texts && i < n; i++) free(texts[i]);
    free(texts);
}

void bnn_schema_free(bnn_schema *schema) {
    if (!schema) return;
    for (int k = 0; schema->column && k < schema->n; k++) {
        bnn_schema_column *c = &schema->column[k];
        free_texts(c->level, c->n_levels);
        free(c->name), free(c->unit);
    }
    free(schema->column), free(schema->na);
    free(schema);
}

static bool copy_text(const char *from, char **to) { return !from || (*to = strdup(from)); }

static bool copy_column(const bnn_schema_column *from, bnn_schema_column *to) {
    *to = *from;
    to->name = to->unit = NULL, to->n_levels = 0;
    to->level = calloc((size_t)from->n_levels + 1, sizeof *to->level);
    bool done = to->level && copy_text(from->name, &to->name) && copy_text(from->unit, &to->unit);
    for (; done && to->n_levels < from->n_levels; to->n_levels++)
        if (!(to->level[to->n_levels] = strdup(from->level[to->n_levels]))) return false;
    return done;
}

bnn_status bnn_schema_copy(const bnn_schema *from, bnn_schema **out) {
    *out = NULL;
    if (!from) return BNN_OK;
    bnn_schema *to = calloc(1, sizeof *to);
    bool done = to && (to->column = calloc((size_t)from->n + 1, sizeof *to->column)) && copy_text(from->na, &to->na);
    if (to) to->decimal = from->decimal, to->thousands = from->thousands;
    for (; done && to->n < from->n; to->n++)
        if (!copy_column(&from->column[to->n], &to->column[to->n])) done = false;
    if (!done) {
        bnn_schema_free(to);
        return bnn_oom("a schema");
    }
    *out = to;
    return BNN_OK;
}

/* Columns of x or y that one column makes. */
static int width_of(const bnn_schema_column *c) {
    return c->kind == BNN_COLUMN_LEVELS && c->role == BNN_COLUMN_FEATURE ? c->n_levels + c->indicator : 1 + c->indicator;
}

int bnn_schema_width(const bnn_schema *schema, bnn_column_role role) {
    int width = 0;
    for (int k = 0; k < schema->n; k++)
        if (schema->column[k].role == role) width += width_of(&schema->column[k]);
    return width;
}

/* ---- cells -> table ---- */

typedef struct {
    const bnn_schema *schema;
    const bnn_sheet *sheet;
    bnn_table *table;
} filling;

static const char *cell(const bnn_sheet *s, int row, int c) { return s->cell[(size_t)row * (size_t)s->cols + (size_t)c]; }

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int by_size(const void *a, const void *b) {
    double x = bnn_number_read(*(char *const *)a, NULL), y = bnn_number_read(*(char *const *)b, NULL);
    return (x > y) - (x < y);
}

/* Place of a cell among the levels; -1: it is none. */
static int level_of(const bnn_schema *schema, const bnn_schema_column *c, const char *text) {
    char number[BNN_NUMBER_TEXT];
    double value;
    if (c->by_size && bnn_sheet_number(text, schema->decimal, schema->thousands, &value)) text = bnn_number_print(value + 0.0, number);
    char **found = bsearch(&text, c->level, (size_t)c->n_levels, sizeof *c->level, c->by_size ? by_size : by_text);
    return found ? (int)(found - c->level) : -1;
}

/* One cell as numbers of x or y. */
static bnn_status fill_cell(const filling *f, const bnn_schema_column *c, int row, int from, double *to) {
    const char *text = cell(f->sheet, row, from);
    bool missing = c->indicator && bnn_sheet_missing(text, f->schema->na);
    int level = -1;
    if (missing)
        to[c->kind == BNN_COLUMN_LEVELS ? c->n_levels : 1] = 1;
    else if (c->kind == BNN_COLUMN_LEVELS)
        level = level_of(f->schema, c, text);
    if (c->kind == BNN_COLUMN_LEVELS && level < 0 && !missing)
        return bnn_fail(BNN_ERR_DATA, "%s: row %d, column '%s': '%.40s' is none of its levels", f->sheet->path, row + 1, c->name, text);
    if (c->kind == BNN_COLUMN_NUMBER && missing)
        *to = c->fill;
    else if (c->kind == BNN_COLUMN_NUMBER && !bnn_sheet_number(text, f->schema->decimal, f->schema->thousands, to))
        return bnn_fail(BNN_ERR_DATA, "%s: row %d, column '%s': '%.40s' is not a number", f->sheet->path, row + 1, c->name, text);
    else if (level >= 0 && c->role == BNN_COLUMN_TARGET)
        *to = level;
    else if (level >= 0)
        to[level] = 1;
    return BNN_OK;
}

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

static bnn_status fill_numbers(const filling *f, const bnn_schema_column *c, int from, double *to, int width) {
    for (int row = 0; row < f->sheet->rows; row++) BNN_TRY(fill_cell(f, c, row, from, to + (size_t)row * (size_t)width));
    return BNN_OK;
}

static bool fill_id(const filling *f, const bnn_schema_column *c, int from, int place) {
    bnn_table *t = f->table;
    if (!(t->id_names[place] = strdup(c->name))) return false;
    for (int row = 0; row < t->n; row++)
        if (!(t->ids[(size_t)place * (size_t)t->n + (size_t)row] = strdup(cell(f->sheet, row, from)))) return false;
    return true;
}

static bnn_status fill_weight(const filling *f, const bnn_schema_column *c, int from) {
    bnn_table *t = f->table;
    double sum = 0;
    BNN_TRY(fill_numbers(f, c, from, t->weight, 1));
    for (int row = 0; row < t->n; row++) {
        if (!(t->weight[row] >= 0))
            return bnn_fail(BNN_ERR_DATA, "%s: row %d, column '%s': '%s' is no weight, which is 0 or more", f->sheet->path, row + 1,
                            c->name, cell(f->sheet, row, from));
        sum += t->weight[row];
    }
    return sum > 0 ? BNN_OK : bnn_fail(BNN_ERR_DATA, "%s: column '%s': every weight is 0", f->sheet->path, c->name);
}

static bnn_status make_room(const filling *f) {
    bnn_table *t = f->table;
    t->x_names = calloc((size_t)bnn_shape_size(t->x_shape), sizeof *t->x_names);
    t->y_names = t->y_dim ? calloc((size_t)t->y_dim, sizeof *t->y_names) : NULL;
    t->class_names = t->n_classes ? calloc((size_t)t->n_classes, sizeof *t->class_names) : NULL;
    int ids = bnn_schema_width(f->schema, BNN_COLUMN_ID), weights = bnn_schema_width(f->schema, BNN_COLUMN_WEIGHT);
    t->id_names = ids ? calloc((size_t)ids, sizeof *t->id_names) : NULL;
    t->ids = ids ? calloc((size_t)ids * (size_t)t->n, sizeof *t->ids) : NULL;
    t->n_ids = t->ids && t->id_names ? ids : 0;
    t->weight = weights ? calloc((size_t)t->n, sizeof *t->weight) : NULL;
    bool done = t->x_names && (t->y_names || !t->y_dim) && (t->class_names || !t->n_classes) && t->n_ids == ids && (t->weight || !weights);
    return done ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for names", f->sheet->path);
}

static int find(const bnn_sheet *s, const char *name) {
    int c = 0;
    while (c < s->cols && strcmp(s->name[c], name) != 0) c++;
    return c;
}

static bnn_status fill_table(const filling *f) {
    bnn_table *t = f->table;
    int x_at = 0, y_at = 0, id_at = 0;
    BNN_TRY(make_room(f));
    for (int k = 0; k < f->schema->n; k++) {
        const bnn_schema_column *c = &f->schema->column[k];
        int from = find(f->sheet, c->name), width = bnn_shape_size(t->x_shape);
        bool named = true;
        if (from == f->sheet->cols) return bnn_fail(BNN_ERR_NAME, "%s: has no column '%s'", f->sheet->path, c->name);
        if (c->role == BNN_COLUMN_FEATURE) {
            named = name_feature(c, t->x_names + x_at);
            BNN_TRY(fill_numbers(f, c, from, t->x + x_at, width));
            x_at += width_of(c);
        } else if (c->role == BNN_COLUMN_TARGET) {
            named = name_target(c, y_at, t);
            BNN_TRY(fill_numbers(f, c, from, t->y + y_at++, t->y_dim));
        } else if (c->role == BNN_COLUMN_ID) {
            named = fill_id(f, c, from, id_at++);
        } else {
            BNN_TRY(fill_weight(f, c, from));
        }
        if (!named) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for names", f->sheet->path);
    }
    return bnn_schema_copy(f->schema, &t->schema);
}

bnn_status bnn_schema_apply(const bnn_schema *schema, const bnn_sheet *sheet, const bnn_csv_options *how, bnn_table **out) {
    (void)how;
    int n_classes = 0;
    *out = NULL;
    for (int k = 0; k < schema->n; k++)
        if (schema->column[k].role == BNN_COLUMN_TARGET) n_classes = schema->column[k].n_levels;
    filling f = {.schema = schema, .sheet = sheet};
    BNN_TRY(bnn_table_new(sheet->rows, bnn_shape_vector(bnn_schema_width(schema, BNN_COLUMN_FEATURE)),
                          bnn_schema_width(schema, BNN_COLUMN_TARGET), n_classes, &f.table));
    bnn_status s = fill_table(&f);
    if (s < 0)
        bnn_table_free(f.table);
    else
        *out = f.table;
    return s;
}
