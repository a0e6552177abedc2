/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * schema.c: what the columns of a table mean, as an object.
 */
#include "base/word.h"
#include "sheet.h"

#include <bnn/data.h>
#include <stdlib.h>
#include <string.h>

void bnn_schema_free(bnn_schema *schema) {
    if (!schema) return;
    for (int k = 0; schema->column && k < schema->n; k++) {
        bnn_schema_column *c = &schema->column[k];
        bnn_texts_free(c->level, c->n_levels);
        free(c->name), free(c->unit);
    }
    free(schema->column), free(schema->na), free(schema->comment);
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
    bool done = to && (to->column = calloc((size_t)from->n + 1, sizeof *to->column)) && copy_text(from->na, &to->na) &&
                copy_text(from->comment, &to->comment);
    if (to) to->decimal = from->decimal, to->thousands = from->thousands, to->delimiter = from->delimiter;
    if (to) to->header = from->header, to->missing = from->missing, to->cols = from->cols;
    for (; done && to->n < from->n; to->n++)
        if (!copy_column(&from->column[to->n], &to->column[to->n])) done = false;
    if (!done) {
        bnn_schema_free(to);
        return bnn_oom("a schema");
    }
    *out = to;
    return BNN_OK;
}

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static bool same_column(const bnn_schema_column *a, const bnn_schema_column *b) {
    bool same = same_text(a->name, b->name) && a->role == b->role && a->kind == b->kind && a->n_levels == b->n_levels;
    for (int l = 0; same && l < a->n_levels; l++) same = same_text(a->level[l], b->level[l]);
    return same && a->indicator == b->indicator && a->fill == b->fill;
}

bool bnn_schema_same(const bnn_schema *a, const bnn_schema *b) {
    if (!a || !b) return a == b;
    bool same = a->n == b->n && a->decimal == b->decimal && a->thousands == b->thousands && a->missing == b->missing;
    for (int k = 0; same && k < a->n; k++) same = same_column(&a->column[k], &b->column[k]);
    return same && same_text(a->na, b->na) && same_text(a->comment, b->comment);
}

int bnn_schema_column_width(const bnn_schema_column *c) {
    return c->kind == BNN_COLUMN_LEVELS && c->role == BNN_COLUMN_FEATURE ? c->n_levels + c->indicator : 1 + c->indicator;
}

int bnn_schema_width(const bnn_schema *schema, bnn_column_role role) {
    int width = 0;
    for (int k = 0; k < schema->n; k++)
        if (schema->column[k].role == role) width += bnn_schema_column_width(&schema->column[k]);
    return width;
}

/* ---- schema of names ---- */

static bool name_column(bnn_schema *s, const char *name, bnn_column_role role) {
    bnn_schema_column *c = &s->column[s->n++];
    *c = (bnn_schema_column){.name = strdup(name), .role = role};
    return c->name;
}

/* Classes by their names, or by their numbers. */
static bool name_levels(bnn_schema_column *c, const bnn_table *t) {
    c->kind = BNN_COLUMN_LEVELS, c->by_size = !t->class_names;
    c->level = calloc((size_t)t->n_classes, sizeof *c->level);
    bool done = c->level;
    for (; done && c->n_levels < t->n_classes; c->n_levels++) {
        char number[BNN_NUMBER_TEXT];
        const char *text = t->class_names ? t->class_names[c->n_levels] : bnn_number_print(c->n_levels, number);
        if (!(c->level[c->n_levels] = strdup(text))) return false;
    }
    return done;
}

bnn_status bnn_schema_of(const bnn_table *t, bnn_schema **out) {
    *out = NULL;
    if (t->schema || !t->x_names || (t->y_dim > 0 && !t->y_names)) return bnn_schema_copy(t->schema, out);
    int width = bnn_shape_size(t->x_shape);
    bnn_schema *s = calloc(1, sizeof *s);
    bool done = s && (s->column = calloc((size_t)width + (size_t)t->y_dim, sizeof *s->column));
    if (s) s->decimal = '.';
    for (int i = 0; done && i < width; i++) done = name_column(s, t->x_names[i], BNN_COLUMN_FEATURE);
    for (int j = 0; done && j < t->y_dim; j++) done = name_column(s, t->y_names[j], BNN_COLUMN_TARGET);
    if (done && t->n_classes > 0 && t->y_dim == 1) done = name_levels(&s->column[width], t);
    if (!done) {
        bnn_schema_free(s);
        return bnn_oom("a schema");
    }
    *out = s;
    return BNN_OK;
}
