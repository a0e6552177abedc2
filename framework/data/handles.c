/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * handles.c: tables out of a program's arrays and out of rows, and what programs ask tables and rows for (bnn.h).
 */
#include "spread.h"

#include "base/sized.h"
#include "base/word.h"
#include <stdlib.h>
#include <string.h>

/* ---- a table from arrays ---- */

static bool copy_texts(const char *const *from, int n, char ***out) { return !from || n == 0 || (*out = bnn_texts_copy(from, n)); }

static bnn_status fill(bnn_table *t, const bnn_arrays *a) {
    if (a->title) {
        free(t->title);
        t->title = strdup(a->title);
    }
    if (!t->title || !copy_texts(a->x_names, a->x_size, &t->x_names) || !copy_texts(a->y_names, a->y_dim, &t->y_names) ||
        !copy_texts(a->class_names, a->n_classes, &t->class_names))
        return bnn_oom("the names of a table");
    memcpy(t->x, a->x, (size_t)a->n * (size_t)a->x_size * sizeof(double));
    if (a->y_dim > 0) memcpy(t->y, a->y, (size_t)a->n * (size_t)a->y_dim * sizeof(double));
    if (a->weight && !(t->weight = malloc((size_t)a->n * sizeof(double)))) return bnn_oom("the weights of a table");
    if (a->weight) memcpy(t->weight, a->weight, (size_t)a->n * sizeof(double));
    return bnn_table_check(t);
}

static bnn_status check_arrays(const bnn_arrays *a) {
    if (a->n < 1 || a->x_size < 1 || a->y_dim < 0 || a->n_classes < 0)
        return bnn_fail(BNN_ERR_SHAPE,
                        "arrays of %d rows, %d features, %d targets and %d classes make no table: rows and features are 1 at least", a->n,
                        a->x_size, a->y_dim, a->n_classes);
    if (a->n_classes > 0 && a->y_dim != 1) return bnn_fail(BNN_ERR_SHAPE, "classes are one target, not %d", a->y_dim);
    if (!a->x || (!a->y && a->y_dim > 0)) return bnn_fail(BNN_ERR_DATA, "the array of %s is NULL", a->x ? "targets" : "features");
    return BNN_OK;
}

bnn_status bnn_table_from(const bnn_arrays *arrays, bnn_table **out) {
    bnn_arrays a;
    bnn_table *t;
    *out = NULL;
    BNN_TRY(bnn_sized_read("bnn_arrays", &a, sizeof a, BNN_UP_TO(bnn_arrays, title), arrays));
    BNN_TRY(check_arrays(&a));
    BNN_TRY(bnn_table_new(a.n, bnn_shape_vector(a.x_size), a.y_dim, a.n_classes, &t));
    bnn_status s = fill(t, &a);
    if (s < 0)
        bnn_table_free(t);
    else
        *out = t;
    return s;
}

/* ---- a table from rows ---- */

static bool copy_text(char **to, const char *from) {
    free(*to);
    return (*to = strdup(from)) != NULL;
}

static bnn_status copy_names(const bnn_table *from, bnn_table *t) {
    int width = bnn_shape_size(t->x_shape);
    if (copy_text(&t->title, from->title) && copy_text(&t->source, from->source) && copy_text(&t->license, from->license) &&
        copy_texts((const char *const *)from->x_names, width, &t->x_names) &&
        copy_texts((const char *const *)from->y_names, t->y_dim, &t->y_names) &&
        copy_texts((const char *const *)from->class_names, t->n_classes, &t->class_names) &&
        copy_texts((const char *const *)from->id_names, from->n_ids, &t->id_names)) {
        t->n_ids = from->n_ids;
        return BNN_OK;
    }
    return bnn_oom("the names of a table");
}

static bnn_status copy_ids(const bnn_table *from, const int *rows, bnn_table *t) {
    size_t n = (size_t)t->n;
    if (t->n_ids == 0) return BNN_OK;
    t->ids = calloc((size_t)t->n_ids * n + 1, sizeof *t->ids);
    for (size_t k = 0; t->ids && k < (size_t)t->n_ids; k++)
        for (size_t i = 0; i < n; i++)
            if (!(t->ids[k * n + i] = strdup(from->ids[k * (size_t)from->n + (size_t)rows[i]]))) return bnn_oom("the ids of a table");
    return t->ids ? BNN_OK : bnn_oom("the ids of a table");
}

static bnn_status copy_x(const bnn_table *from, const int *rows, bnn_table *t) {
    const size_t width = (size_t)bnn_shape_size(t->x_shape);
    if (from->x_file.read) return bnn_x_file_read(from, t->n, rows, t->x);
    for (size_t i = 0; i < (size_t)t->n; i++)
        for (size_t k = 0; k < width; k++) t->x[i * width + k] = bnn_table_value(from, (size_t)rows[i] * width + k);
    return BNN_OK;
}

static bnn_status copy_rows(const bnn_table *from, const int *rows, bnn_table *t) {
    BNN_TRY(copy_x(from, rows, t));
    size_t y_dim = (size_t)t->y_dim;
    if (from->weight && !(t->weight = malloc(((size_t)t->n + 1) * sizeof *t->weight))) return bnn_oom("the weights of a table");
    for (size_t i = 0; i < (size_t)t->n; i++) {
        size_t row = (size_t)rows[i];
        if (y_dim > 0) memcpy(t->y + i * y_dim, from->y + row * y_dim, y_dim * sizeof *t->y);
        if (t->weight) t->weight[i] = from->weight[row];
    }
    return BNN_OK;
}

bnn_status bnn_data_table(const bnn_data *data, bnn_table **out) {
    const bnn_table *from = data->table;
    bnn_table *t;
    *out = NULL;
    BNN_TRY(bnn_table_new_images(data->n, from->x_shape, from->y_shape, from->n_classes, &t));
    t->scale = from->scale, t->range = from->range;
    bnn_status s = copy_names(from, t);
    if (s == BNN_OK) s = copy_ids(from, data->rows, t);
    if (s == BNN_OK) s = bnn_table_numbers(t);
    if (s == BNN_OK) s = copy_rows(from, data->rows, t);
    if (s == BNN_OK) s = bnn_schema_copy(from->schema, &t->schema);
    if (s == BNN_OK)
        *out = t;
    else
        bnn_table_free(t);
    return s;
}

/* ---- tables ---- */

static const char *name_at(char *const *names, int n, int i) { return names && i >= 0 && i < n ? names[i] : NULL; }

int bnn_table_splits(const bnn_table *t) { return t->n_splits; }
int bnn_table_rows(const bnn_table *t) { return t->n; }
int bnn_table_features(const bnn_table *t) { return bnn_shape_size(t->x_shape); }
int bnn_table_targets(const bnn_table *t) { return t->y_dim; }
int bnn_table_classes(const bnn_table *t) { return t->n_classes; }
const char *bnn_table_title(const bnn_table *t) { return t->title; }
const bnn_schema *bnn_table_schema(const bnn_table *t) { return t->schema; }
const double *bnn_table_x(const bnn_table *t) { return t->x; }
const uint8_t *bnn_table_pixels(const bnn_table *t) { return t->pixels; }
const double *bnn_table_y(const bnn_table *t) { return t->y; }
const char *bnn_table_feature_name(const bnn_table *t, int i) { return name_at(t->x_names, bnn_shape_size(t->x_shape), i); }
const char *bnn_table_target_name(const bnn_table *t, int i) { return name_at(t->y_names, t->y_dim, i); }
const char *bnn_table_class_name(const bnn_table *t, int i) { return name_at(t->class_names, t->n_classes, i); }

/* ---- rows ---- */

bnn_status bnn_data_range(const bnn_table *table, int from, int to, const bnn_scaling *scaling, bnn_data **out) {
    *out = NULL;
    if (from < 0 || to < from || to > table->n)
        return bnn_fail(BNN_ERR_SHAPE, "rows [%d, %d) were asked for of a table of %d", from, to, table->n);
    int n = to - from, *rows = malloc((size_t)n * sizeof *rows + 1);
    if (!rows) return bnn_oom("%d row numbers", n);
    for (int i = 0; i < n; i++) rows[i] = from + i;
    bnn_status s = bnn_data_new(table, n, rows, scaling, out);
    free(rows);
    return s;
}

bnn_status bnn_data_unscaled(const bnn_table *table, int from, int to, bnn_data **out) {
    bnn_scaling as_it_is;
    BNN_TRY(bnn_scaling_identity(bnn_shape_size(table->x_shape), table->y_dim, &as_it_is));
    bnn_status s = bnn_data_range(table, from, to, &as_it_is, out);
    bnn_scaling_free(&as_it_is);
    return s;
}

int bnn_data_rows(const bnn_data *data) { return data->n; }
const bnn_scaling *bnn_data_scaling(const bnn_data *data) { return &data->scaling; }
const double *bnn_scaling_x_mean(const bnn_scaling *s) { return s->x_mean; }
const double *bnn_scaling_x_sd(const bnn_scaling *s) { return s->x_sd; }
const double *bnn_scaling_y_mean(const bnn_scaling *s) { return s->y_mean; }
const double *bnn_scaling_y_sd(const bnn_scaling *s) { return s->y_sd; }
