/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/word.h"
#include <bnn/cost.h>
#include <bnn/data.h>

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

/* A table with neither x nor pixels; pixel: bytes of a number of x to come. */
static bnn_status new_table(int n, bnn_shape x_shape, bnn_shape y_shape, int n_classes, size_t pixel, bnn_table **out) {
    *out = NULL;
    size_t width = (size_t)bnn_shape_size(x_shape), rows = (size_t)n;
    int y_dim = bnn_shape_size(y_shape);
    if (n < 0 || width == 0 || y_dim < 0) return bnn_fail(BNN_ERR_SHAPE, "a table needs at least one feature");
    if (n_classes <= 0 && bnn_is_map(y_shape)) return bnn_fail(BNN_ERR_SHAPE, "a map is of classes, and there are none");
    if (n_classes > 0 && y_dim != 1 && !bnn_is_map(y_shape))
        return bnn_fail(BNN_ERR_SHAPE, "a table of classes has one target column, not %d", y_dim);
    if (n_classes > BNN_MOST_CLASSES) return bnn_fail(BNN_ERR_SHAPE, "a table has %d classes at most, not %d", BNN_MOST_CLASSES, n_classes);
    BNN_TRY(
        bnn_memory_check((double)rows * ((double)width * (double)pixel + y_dim * (double)sizeof(double)), "the table", "take fewer rows"));
    bnn_table *t = calloc(1, sizeof *t);
    if (!t) return bnn_oom("a table");
    *t = (bnn_table){.n = n, .x_shape = x_shape, .y_dim = y_dim, .n_classes = n_classes, .range = 1, .y_shape = y_shape};
    t->title = strdup(""), t->source = strdup(""), t->license = strdup(""), t->split_origin = strdup("");
    t->y = y_dim ? calloc(rows * (size_t)y_dim + 1, sizeof(double)) : NULL;
    *out = t;
    if (!t->title || !t->source || !t->license || !t->split_origin || (y_dim && !t->y)) return bnn_oom("a table of %d rows", n);
    return BNN_OK;
}

/* Hands out what was made, or frees it. */
static bnn_status give(bnn_status s, bnn_table *made, bnn_table **out) {
    *out = s < 0 ? NULL : made;
    if (s < 0) bnn_table_free(made);
    return s;
}

bnn_status bnn_table_new(int n, bnn_shape x_shape, int y_dim, int n_classes, bnn_table **out) {
    bnn_table *t;
    bnn_status s = new_table(n, x_shape, bnn_shape_vector(y_dim), n_classes, sizeof(double), &t);
    if (s == BNN_OK && !(t->x = calloc((size_t)n * (size_t)bnn_shape_size(x_shape) + 1, sizeof(double))))
        s = bnn_oom("a table of %d rows", n);
    return give(s, t, out);
}

bnn_status bnn_table_new_images(int n, bnn_shape x_shape, bnn_shape y_shape, int n_classes, bnn_table **out) {
    bnn_table *t;
    bnn_status s = new_table(n, x_shape, y_shape, n_classes, 1, &t);
    if (s == BNN_OK && !(t->pixels = calloc((size_t)n * (size_t)bnn_shape_size(x_shape) + 1, 1))) s = bnn_oom("a table of %d images", n);
    return give(s, t, out);
}

bnn_status bnn_table_numbers(bnn_table *t) {
    if (!t->pixels) return BNN_OK;
    const size_t cells = (size_t)t->n * (size_t)bnn_shape_size(t->x_shape);
    BNN_TRY(bnn_memory_check((double)cells * sizeof *t->x, "images as numbers", "take fewer rows"));
    double *x = malloc((cells + 1) * sizeof *x);
    if (!x) return bnn_oom("%d images as numbers", t->n);
    for (size_t i = 0; i < cells; i++) x[i] = t->pixels[i];
    free(t->pixels);
    t->x = x, t->pixels = NULL;
    return BNN_OK;
}

void bnn_table_free(bnn_table *t) {
    if (!t) return;
    bnn_texts_free(t->x_names, bnn_shape_size(t->x_shape));
    bnn_texts_free(t->y_names, t->y_dim);
    bnn_texts_free(t->class_names, t->n_classes);
    bnn_texts_free(t->id_names, t->n_ids);
    for (int k = 0; t->ids && k < t->n_ids; k++)
        for (int row = 0; row < t->n; row++) free(t->ids[(size_t)k * (size_t)t->n + (size_t)row]);
    bnn_schema_free(t->schema);
    free(t->ids), free(t->weight), free(t->pixels);
    free(t->title), free(t->source), free(t->license), free(t->split_origin);
    free(t->x), free(t->y), free(t->order), free(t->role);
    free(t);
}

enum { COLUMN_TEXT = 64 };

/* The name of column i of x, for messages; of images [channel,row,column]. */
static const char *column_name(const bnn_table *t, int i, char text[COLUMN_TEXT]) {
    const bnn_shape *s = &t->x_shape;
    if (t->x_names)
        snprintf(text, COLUMN_TEXT, "'%s'", t->x_names[i]);
    else if (s->rank == 3)
        snprintf(text, COLUMN_TEXT, "[%d,%d,%d]", i / (s->d[1] * s->d[2]), i / s->d[2] % s->d[1], i % s->d[2]);
    else
        snprintf(text, COLUMN_TEXT, "%d", i + 1);
    return text;
}

static const char *target_name(const bnn_table *t, int j) { return t->y_names ? t->y_names[j] : "target"; }

static bnn_status check_row(const bnn_table *t, int row) {
    char text[COLUMN_TEXT];
    if (t->weight && !(t->weight[row] >= 0 && isfinite(t->weight[row])))
        return bnn_fail(BNN_ERR_DATA, "row %d: the weight %g is not a finite number from 0 on", row + 1, t->weight[row]);
    int width = bnn_shape_size(t->x_shape);
    const double *x = t->x ? t->x + (size_t)row * (size_t)width : NULL, *y = t->y_dim ? t->y + (size_t)row * (size_t)t->y_dim : NULL;
    const int least = bnn_is_map(t->y_shape) ? -1 : 0;
    for (int i = 0; x && i < width; i++)
        if (!isfinite(x[i]))
            return bnn_fail(BNN_ERR_DATA, "row %d, column %s: %g is not a finite number", row + 1, column_name(t, i, text), x[i]);
    for (int j = 0; j < t->y_dim; j++) {
        if (!isfinite(y[j]))
            return bnn_fail(BNN_ERR_DATA, "row %d, column '%s': %g is not a finite number", row + 1, target_name(t, j), y[j]);
        if (t->n_classes > 0 && !(y[j] >= least && y[j] < t->n_classes && y[j] == floor(y[j])))
            return bnn_fail(BNN_ERR_DATA, "row %d, column '%s': %g is not a class from 0 to %d", row + 1, target_name(t, j), y[j],
                            t->n_classes - 1);
    }
    return BNN_OK;
}

bnn_status bnn_table_check(const bnn_table *t) {
    for (int row = 0; row < t->n; row++) BNN_TRY(check_row(t, row));
    return BNN_OK;
}

/* ---- scaling ---- */

static bnn_status scaling_new(int x_size, int y_dim, bnn_scaling *s) {
    *s = (bnn_scaling){.x_size = x_size, .y_dim = y_dim};
    double *all = calloc(2 * (size_t)(x_size + y_dim), sizeof(double)); /* one block: freed through x_mean */
    if (!all) return bnn_oom("a scaling");
    s->x_mean = all, s->x_sd = all + x_size, s->y_mean = all + 2 * x_size, s->y_sd = all + 2 * x_size + y_dim;
    return BNN_OK;
}

bnn_status bnn_scaling_identity(int x_size, int y_dim, bnn_scaling *out) {
    BNN_TRY(scaling_new(x_size, y_dim, out));
    for (int i = 0; i < x_size; i++) out->x_sd[i] = 1;
    for (int j = 0; j < y_dim; j++) out->y_sd[j] = 1;
    return BNN_OK;
}

bnn_status bnn_scaling_copy(const bnn_scaling *from, bnn_scaling *to) {
    BNN_TRY(scaling_new(from->x_size, from->y_dim, to));
    size_t x = (size_t)from->x_size * sizeof(double), y = (size_t)from->y_dim * sizeof(double);
    memcpy(to->x_mean, from->x_mean, x), memcpy(to->x_sd, from->x_sd, x);
    memcpy(to->y_mean, from->y_mean, y), memcpy(to->y_sd, from->y_sd, y);
    return BNN_OK;
}

void bnn_scaling_free(bnn_scaling *s) {
    free(s->x_mean);
    *s = (bnn_scaling){0};
}

static double weight_of(const bnn_table *t, int row) { return t->weight ? t->weight[row] : 1; }

/* Neighbouring columns of x or of y, with one mean and one sd. */
typedef struct {
    const double *v;       /* [n, width], or NULL */
    const uint8_t *pixels; /* [n, width], where v is NULL */
    int width, from, many; /* the columns [from, from+many) */
} columns;

static double value_of(const columns *c, int row, int k) {
    size_t at = (size_t)row * (size_t)c->width + (size_t)(c->from + k);
    return c->v ? c->v[at] : c->pixels[at];
}

/* Mean and sd (divisor: the weight of the rows) of some columns. An sd of the size of rounding errors is that of a constant, which keeps
 * sd 1. Row `first` has a weight. */
static void moments(const bnn_table *t, int n, const int *rows, int first, const columns *c, double *mean, double *sd) {
    double sum = 0, squares = 0, all = 0, at_first = value_of(c, first, 0);
    bool constant = true;
    for (int i = 0; i < n; i++) {
        double w = weight_of(t, rows[i]);
        for (int k = 0; k < c->many; k++) {
            double value = value_of(c, rows[i], k);
            all += w;
            sum += w * value;
            constant = constant && (value == at_first || w == 0);
        }
    }
    *mean = constant ? at_first : sum / all;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < c->many; k++) {
            double d = value_of(c, rows[i], k) - *mean;
            squares += weight_of(t, rows[i]) * d * d;
        }
    *sd = sqrt(squares / all);
    if (*sd <= (double)n * c->many * DBL_EPSILON * fabs(*mean)) *sd = 1;
}

/* Columns of x that have a scale in common: those of a channel, or each its own. */
static int together(const bnn_table *t) { return t->scale == BNN_SCALE_CHANNEL ? bnn_shape_size(t->x_shape) / t->x_shape.d[0] : 1; }

static bnn_status measure_x(const bnn_table *t, int n, const int *rows, int first, bnn_scaling *s) {
    char text[COLUMN_TEXT];
    if (t->scale == BNN_SCALE_CHANNEL && t->x_shape.rank != 3)
        return bnn_fail(BNN_ERR_SHAPE, "the scale rule 'channel' is for images, and a row is a vector");
    const int many = together(t);
    for (int i = 0; i < s->x_size; i++) {
        const columns c = {.v = t->x, .pixels = t->pixels, .width = s->x_size, .from = i, .many = many};
        if (t->scale == BNN_SCALE_RANGE)
            s->x_mean[i] = 0, s->x_sd[i] = t->range;
        else if (i % many == 0)
            moments(t, n, rows, first, &c, &s->x_mean[i], &s->x_sd[i]);
        else
            s->x_mean[i] = s->x_mean[i - 1], s->x_sd[i] = s->x_sd[i - 1];
        if (!isfinite(s->x_mean[i]) || !isfinite(s->x_sd[i]))
            return bnn_fail(BNN_ERR_DATA, "column %s: its values are too large to be standardised", column_name(t, i, text));
    }
    return BNN_OK;
}

static bnn_status measure_y(const bnn_table *t, int n, const int *rows, int first, bnn_scaling *s) {
    for (int j = 0; j < s->y_dim; j++) {
        if (t->n_classes > 0)
            s->y_mean[j] = 0, s->y_sd[j] = 1;
        else
            moments(t, n, rows, first, &(columns){.v = t->y, .width = s->y_dim, .from = j, .many = 1}, &s->y_mean[j], &s->y_sd[j]);
        if (!isfinite(s->y_mean[j]) || !isfinite(s->y_sd[j]))
            return bnn_fail(BNN_ERR_DATA, "column '%s': its values are too large to be standardised", target_name(t, j));
    }
    return BNN_OK;
}

static bnn_status make_scaling(const bnn_table *t, int n, const int *rows, const bnn_scaling *given, bnn_scaling *out) {
    int width = bnn_shape_size(t->x_shape);
    if (given && t->y_dim == 0 && given->x_size != width)
        return bnn_fail(BNN_ERR_SHAPE, "the data have %d feature columns, those of the fit had %d", width, given->x_size);
    if (given && t->y_dim > 0 && (given->x_size != width || given->y_dim != t->y_dim))
        return bnn_fail(BNN_ERR_SHAPE, "the data have %d feature and %d target columns, the scaling has %d and %d", width, t->y_dim,
                        given->x_size, given->y_dim);
    if (given) return bnn_scaling_copy(given, out);
    if (t->y_dim == 0)
        return bnn_fail(BNN_ERR_DATA, "the rows have no targets, so they can only be predicted with the scaling of a fitted run");
    if (n == 0) return bnn_fail(BNN_ERR_DATA, "no rows to take means and standard deviations from");
    int k = 0;
    while (k < n && weight_of(t, rows[k]) == 0) k++;
    if (k == n) return bnn_fail(BNN_ERR_DATA, "no row has a weight above 0: there are no means and standard deviations to take");
    BNN_TRY(scaling_new(width, t->y_dim, out));
    BNN_TRY(measure_x(t, n, rows, rows[k], out));
    return measure_y(t, n, rows, rows[k], out);
}

/* ---- standardised rows ---- */

static bnn_status not_finite(const bnn_data *d, int row, int column, double v) {
    char text[COLUMN_TEXT];
    return bnn_fail(BNN_ERR_DATA, "row %d, column %s: %g is not finite once standardised", row + 1, column_name(d->table, column, text), v);
}

static bnn_status standardise_x(bnn_data *d) {
    const bnn_scaling *s = &d->scaling;
    for (int i = 0; i < d->n; i++) {
        const double *x = d->table->x + (size_t)d->rows[i] * (size_t)s->x_size;
        bnn_real *to = d->x + (size_t)i * (size_t)s->x_size;
        for (int k = 0; k < s->x_size; k++) {
            to[k] = (bnn_real)((x[k] - s->x_mean[k]) / s->x_sd[k]);
            if (!isfinite(to[k])) return not_finite(d, d->rows[i], k, x[k]);
        }
    }
    return BNN_OK;
}

/* Bytes are finite once standardised where the least and the largest are. */
static bnn_status check_pixels(const bnn_data *d) {
    const bnn_scaling *s = &d->scaling;
    for (int k = 0; d->n > 0 && k < s->x_size; k++)
        for (double v = 0; v <= 255; v += 255)
            if (!isfinite((bnn_real)((v - s->x_mean[k]) / s->x_sd[k]))) return not_finite(d, d->rows[0], k, v);
    return BNN_OK;
}

static bnn_status standardise_y(bnn_data *d) {
    const bnn_scaling *s = &d->scaling;
    for (int i = 0; d->y && i < d->n; i++) {
        const double *y = d->table->y + (size_t)d->rows[i] * (size_t)s->y_dim;
        bnn_real *to = d->y + (size_t)i * (size_t)s->y_dim;
        for (int k = 0; k < s->y_dim; k++) {
            to[k] = (bnn_real)((y[k] - s->y_mean[k]) / s->y_sd[k]);
            if (!isfinite(to[k]))
                return bnn_fail(BNN_ERR_DATA, "row %d, column '%s': %g is not finite once standardised", d->rows[i] + 1,
                                target_name(d->table, k), y[k]);
        }
    }
    return BNN_OK;
}

static bnn_status fill(bnn_data *d, const int *rows, const bnn_scaling *scaling) {
    const bnn_table *t = d->table;
    size_t n = (size_t)d->n, x = t->pixels ? 0 : (size_t)bnn_shape_size(t->x_shape), y = (size_t)t->y_dim;
    BNN_TRY(bnn_memory_check((double)n * (double)(x + y) * sizeof(bnn_real), "standardising the rows", "take fewer rows"));
    d->rows = malloc((n + 1) * sizeof *d->rows);
    d->x = t->pixels ? NULL : malloc((n * x + 1) * sizeof *d->x), d->y = t->y_dim ? malloc((n * y + 1) * sizeof *d->y) : NULL;
    d->weight = t->weight ? malloc((n + 1) * sizeof *d->weight) : NULL;
    if (!d->rows || (!t->pixels && !d->x) || (t->y_dim && !d->y) || (t->weight && !d->weight)) return bnn_oom("%d standardised rows", d->n);
    for (int i = 0; i < d->n; i++) {
        if (rows[i] < 0 || rows[i] >= t->n) return bnn_fail(BNN_ERR_DATA, "row number %d is not from 0 to %d", rows[i], t->n - 1);
        d->rows[i] = rows[i];
        if (d->weight) d->weight[i] = t->weight[rows[i]];
    }
    BNN_TRY(make_scaling(t, d->n, rows, scaling, &d->scaling));
    BNN_TRY(t->pixels ? check_pixels(d) : standardise_x(d));
    return standardise_y(d);
}

/* ---- rows that are bytes ---- */

size_t bnn_data_room(const bnn_data *d, int rows) {
    return __atomic_load_n(&d->x, __ATOMIC_ACQUIRE) ? 0 : (size_t)rows * (size_t)bnn_shape_size(d->x_shape);
}

const bnn_real *bnn_data_take(const bnn_data *d, int from, int n, bnn_real *room) {
    const bnn_scaling *s = &d->scaling;
    const size_t in = (size_t)s->x_size;
    const bnn_real *x = __atomic_load_n(&d->x, __ATOMIC_ACQUIRE);
    if (x) return x + (size_t)from * in;
    for (size_t i = 0; i < (size_t)n; i++) {
        const uint8_t *pixel = d->table->pixels + (size_t)d->rows[(size_t)from + i] * in;
        for (size_t k = 0; k < in; k++) room[i * in + k] = (bnn_real)((pixel[k] - s->x_mean[k]) / s->x_sd[k]);
    }
    return room;
}

static pthread_mutex_t filling = PTHREAD_MUTEX_INITIALIZER;

static bnn_status fill_x(bnn_data *data) {
    size_t size = bnn_data_room(data, data->n);
    if (size == 0) return BNN_OK;
    BNN_TRY(bnn_memory_check((double)size * sizeof(bnn_real), "standardising all images", "take fewer rows"));
    bnn_real *x = malloc(size * sizeof *x);
    if (!x) return bnn_oom("%d standardised images", data->n);
    bnn_data_take(data, 0, data->n, x);
    __atomic_store_n(&data->x, x, __ATOMIC_RELEASE);
    return BNN_OK;
}

bnn_status bnn_data_fill(const bnn_data *data) {
    pthread_mutex_lock(&filling);
    bnn_status s = fill_x((bnn_data *)data);
    pthread_mutex_unlock(&filling);
    return s;
}

/* ---- views ---- */

bnn_status bnn_data_new(const bnn_table *table, int n, const int *rows, const bnn_scaling *scaling, bnn_data **out) {
    *out = NULL;
    bnn_data *d = calloc(1, sizeof *d);
    if (!d) return bnn_oom("data");
    *d = (bnn_data){
        .table = table, .n = n, .x_shape = table->x_shape, .y_dim = table->y_dim, .n_classes = table->n_classes, .y_shape = table->y_shape};
    bnn_status s = fill(d, rows, scaling);
    if (s < 0)
        bnn_data_free(d);
    else
        *out = d;
    return s;
}

static bnn_status every_row(const bnn_table *t, const bnn_scaling *scaling, bnn_data **out) {
    int *rows = malloc(((size_t)t->n + 1) * sizeof(int));
    if (!rows) return bnn_oom("%d row numbers", t->n);
    for (int i = 0; i < t->n; i++) rows[i] = i;
    bnn_status s = bnn_data_new(t, t->n, rows, scaling, out);
    free(rows);
    return s;
}

double bnn_data_weight(const bnn_data *data) {
    double all = data->weight ? 0 : data->n;
    for (int i = 0; data->weight && i < data->n; i++) all += data->weight[i];
    return all;
}

int bnn_table_count(const bnn_table *t, int split, bnn_split_role role) {
    int n = 0;
    for (int i = 0; i < t->n; i++) n += t->role[(size_t)split * (size_t)t->n + (size_t)i] == (int8_t)role;
    return n;
}

bnn_status bnn_data_split(const bnn_table *t, int split, bnn_split_role role, const bnn_scaling *scaling, bnn_data **out) {
    *out = NULL;
    if (split < 0) return every_row(t, scaling, out);
    if (t->n_splits == 0) return bnn_fail(BNN_ERR_DATA, "there is no split %d: the data have no splits yet", split);
    if (split >= t->n_splits) return bnn_fail(BNN_ERR_DATA, "there is no split %d: the data have splits 0 to %d", split, t->n_splits - 1);
    const int *order = t->order + (size_t)split * (size_t)t->n;
    for (bnn_split_role before = BNN_TRAIN; before < role; before++) order += bnn_table_count(t, split, before);
    return bnn_data_new(t, bnn_table_count(t, split, role), order, scaling, out);
}

bnn_status bnn_data_slice(const bnn_data *data, int from, int to, const bnn_scaling *scaling, bnn_data **out) {
    *out = NULL;
    if (from < 0 || to < from || to > data->n)
        return bnn_fail(BNN_ERR_DATA, "rows %d to %d are not among the %d rows of the data", from, to, data->n);
    return bnn_data_new(data->table, to - from, data->rows + from, scaling, out);
}

void bnn_data_free(bnn_data *d) {
    if (!d) return;
    bnn_scaling_free(&d->scaling);
    free(d->rows), free(d->x), free(d->y), free(d->weight);
    free(d);
}
