/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/word.h"
#include "spread.h"
#include <bnn/cost.h>

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

bnn_status bnn_table_new_without_x(int n, bnn_shape x_shape, int y_dim, int n_classes, bnn_table **out) {
    bnn_table *t;
    bnn_status s = new_table(n, x_shape, bnn_shape_vector(y_dim), n_classes, 0, &t);
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
    if (t->x_file.close) t->x_file.close(t->x_file.context);
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

static bnn_status check_x(const bnn_table *t, int row, const double *x) {
    char text[COLUMN_TEXT];
    for (int i = 0; i < bnn_shape_size(t->x_shape); i++)
        if (!isfinite(x[i]))
            return bnn_fail(BNN_ERR_DATA, "row %d, column %s: %g is not a finite number", row + 1, column_name(t, i, text), x[i]);
    return BNN_OK;
}

static bnn_status check_row(const bnn_table *t, int row) {
    if (t->weight && !(t->weight[row] >= 0 && isfinite(t->weight[row])))
        return bnn_fail(BNN_ERR_DATA, "row %d: the weight %g is not a finite number from 0 on", row + 1, t->weight[row]);
    const double *y = t->y_dim ? t->y + (size_t)row * (size_t)t->y_dim : NULL;
    const int least = bnn_is_map(t->y_shape) ? -1 : 0;
    if (t->x) BNN_TRY(check_x(t, row, t->x + (size_t)row * (size_t)bnn_shape_size(t->x_shape)));
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

/* Rows whose moments are taken, in the listed order. Of those whose features stay in a file each rank has a stretch. */
typedef struct {
    const bnn_table *table;
    int n, first;          /* rows; the first of them that has a weight */
    const int *rows;       /* [n] of the table */
    const double *stretch; /* [to - from, width] features that were read; NULL: they are the table's */
    int from, to;          /* of this rank, or all */
} sample;

static bool is_spread(const sample *s) { return s->to - s->from < s->n; }

/* Neighbouring columns of x or of y, with one mean and one sd. */
typedef struct {
    const double *v;       /* [rows of the table, or of the stretch, width], or NULL */
    const uint8_t *pixels; /* [rows of the table, width], where v is NULL */
    int width, from, many; /* the columns [from, from+many) */
    double at_first;       /* what stands in the first of them, in the first row that has a weight */
} columns;

static double value_of(const sample *s, const columns *c, int i, int k) {
    size_t row = (size_t)(s->stretch ? i - s->from : s->rows[i]), at = row * (size_t)c->width + (size_t)(c->from + k);
    return c->v ? c->v[at] : c->pixels[at];
}

/* Adds weights, weighted values, and weights of values unlike the first one. */
static void add_values(const sample *s, const columns *c, double sums[3]) {
    double all = sums[0], sum = sums[1], unlike = sums[2];
    for (int i = s->from; i < s->to; i++) {
        double w = weight_of(s->table, s->rows[i]);
        for (int k = 0; k < c->many; k++) {
            double value = value_of(s, c, i, k);
            all += w;
            sum += w * value;
            if (value != c->at_first) unlike += w;
        }
    }
    sums[0] = all, sums[1] = sum, sums[2] = unlike;
}

static double add_squares(const sample *s, const columns *c, double mean, double sum) {
    for (int i = s->from; i < s->to; i++)
        for (int k = 0; k < c->many; k++) {
            double d = value_of(s, c, i, k) - mean;
            sum += weight_of(s->table, s->rows[i]) * d * d;
        }
    return sum;
}

/* Mean and sd (divisor: the weight of the rows) of some columns. An sd of the size of rounding errors is that of a constant, which keeps
 * sd 1. Sums over stretches go on from rank to rank, so that they are added in the order of the rows. */
static void moments(const sample *s, const columns *c, double *mean, double *sd) {
    double sums[3] = {0}, squares = 0;
    if (is_spread(s)) bnn_sums_receive(3, sums);
    add_values(s, c, sums);
    if (is_spread(s)) bnn_sums_hand_on(3, sums);
    *mean = sums[2] == 0 ? c->at_first : sums[1] / sums[0];
    if (is_spread(s)) bnn_sums_receive(1, &squares);
    squares = add_squares(s, c, *mean, squares);
    if (is_spread(s)) bnn_sums_hand_on(1, &squares);
    *sd = sqrt(squares / sums[0]);
    if (*sd <= (double)s->n * c->many * DBL_EPSILON * fabs(*mean)) *sd = 1;
}

/* Columns of x that have a scale in common: those of a channel, or each its own. */
static int together(const bnn_table *t) { return t->scale == BNN_SCALE_CHANNEL ? bnn_shape_size(t->x_shape) / t->x_shape.d[0] : 1; }

/* x of the first row that has a weight; owned. */
static bnn_status read_first(const sample *s, double **out) {
    const bnn_table *t = s->table;
    const size_t width = (size_t)bnn_shape_size(t->x_shape), row = (size_t)s->rows[s->first];
    double *x = malloc(width * sizeof *x);
    if (!x) return bnn_oom("a scaling");
    bnn_status status = s->stretch ? bnn_x_file_read(t, 1, &s->rows[s->first], x) : BNN_OK;
    for (size_t i = 0; i < width && !s->stretch; i++) x[i] = bnn_table_value(t, row * width + i);
    if (status < 0) free(x), x = NULL;
    *out = x;
    return status;
}

static bnn_status measure_x(const sample *of, const double *at_first, bnn_scaling *s) {
    char text[COLUMN_TEXT];
    const bnn_table *t = of->table;
    if (t->scale == BNN_SCALE_CHANNEL && t->x_shape.rank != 3)
        return bnn_fail(BNN_ERR_SHAPE, "the scale rule 'channel' is for images, and a row is a vector");
    const int many = together(t);
    for (int i = 0; i < s->x_size; i++) {
        const columns c = {of->stretch ? of->stretch : t->x, t->pixels, .width = s->x_size, .from = i, .many = many,
                           .at_first = at_first[i]};
        if (t->scale == BNN_SCALE_RANGE)
            s->x_mean[i] = 0, s->x_sd[i] = t->range;
        else if (i % many == 0)
            moments(of, &c, &s->x_mean[i], &s->x_sd[i]);
        else
            s->x_mean[i] = s->x_mean[i - 1], s->x_sd[i] = s->x_sd[i - 1];
        if (!isfinite(s->x_mean[i]) || !isfinite(s->x_sd[i]))
            return bnn_fail(BNN_ERR_DATA, "column %s: its values are too large to be standardised", column_name(t, i, text));
    }
    return BNN_OK;
}

/* All ranks have all of y. */
static bnn_status measure_y(const sample *of, bnn_scaling *s) {
    const bnn_table *t = of->table;
    const sample whole = {.table = t, .n = of->n, .rows = of->rows, .to = of->n};
    for (int j = 0; j < s->y_dim; j++) {
        const double at_first = t->y[(size_t)of->rows[of->first] * (size_t)s->y_dim + (size_t)j];
        if (t->n_classes > 0)
            s->y_mean[j] = 0, s->y_sd[j] = 1;
        else
            moments(&whole, &(columns){t->y, .width = s->y_dim, .from = j, .many = 1, .at_first = at_first}, &s->y_mean[j], &s->y_sd[j]);
        if (!isfinite(s->y_mean[j]) || !isfinite(s->y_sd[j]))
            return bnn_fail(BNN_ERR_DATA, "column '%s': its values are too large to be standardised", target_name(t, j));
    }
    return BNN_OK;
}

/* The scaling of the rows by their own moments. */
static bnn_status measure(sample *of, bnn_scaling *out) {
    const bnn_table *t = of->table;
    double *at_first = NULL;
    if (t->y_dim == 0)
        return bnn_fail(BNN_ERR_DATA, "the rows have no targets, so they can only be predicted with the scaling of a fitted run");
    if (of->n == 0) return bnn_fail(BNN_ERR_DATA, "no rows to take means and standard deviations from");
    while (of->first < of->n && weight_of(t, of->rows[of->first]) == 0) of->first++;
    if (of->first == of->n)
        return bnn_fail(BNN_ERR_DATA, "no row has a weight above 0: there are no means and standard deviations to take");
    BNN_TRY(scaling_new(bnn_shape_size(t->x_shape), t->y_dim, out));
    BNN_TRY(read_first(of, &at_first));
    bnn_status s = measure_x(of, at_first, out);
    free(at_first);
    return s < 0 ? s : measure_y(of, out);
}

static bnn_status make_scaling(sample *of, const bnn_scaling *given, bnn_scaling *out) {
    const bnn_table *t = of->table;
    int width = bnn_shape_size(t->x_shape);
    if (given && t->y_dim == 0 && given->x_size != width)
        return bnn_fail(BNN_ERR_SHAPE, "the data have %d feature columns, those of the fit had %d", width, given->x_size);
    if (given && t->y_dim > 0 && (given->x_size != width || given->y_dim != t->y_dim))
        return bnn_fail(BNN_ERR_SHAPE, "the data have %d feature and %d target columns, the scaling has %d and %d", width, t->y_dim,
                        given->x_size, given->y_dim);
    return given ? bnn_scaling_copy(given, out) : measure(of, out);
}

/* ---- standardised rows ---- */

static bnn_status not_finite(const bnn_data *d, int row, int column, double v) {
    char text[COLUMN_TEXT];
    return bnn_fail(BNN_ERR_DATA, "row %d, column %s: %g is not finite once standardised", row + 1, column_name(d->table, column, text), v);
}

/* The rows of the view from `from` on to to[n, width]; x: [n, width] of them, or NULL: they stand in the table. */
static bnn_status standardise_x(const bnn_data *d, int from, int n, const double *x, bnn_real *to) {
    const bnn_scaling *s = &d->scaling;
    for (int i = 0; i < n; i++, to += s->x_size) {
        const int row = d->rows[from + i];
        const double *value = x ? x + (size_t)i * (size_t)s->x_size : d->table->x + (size_t)row * (size_t)s->x_size;
        for (int k = 0; k < s->x_size; k++) {
            to[k] = (bnn_real)((value[k] - s->x_mean[k]) / s->x_sd[k]);
            if (!isfinite(to[k])) return not_finite(d, row, k, value[k]);
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

/* Features of some rows of the view, which stay in a file: owned, checked. */
static bnn_status read_stretch(const bnn_data *d, int from, int n, double **out) {
    const size_t width = (size_t)bnn_shape_size(d->x_shape), cells = (size_t)n * width;
    BNN_TRY(bnn_memory_check((double)cells * (sizeof **out + sizeof(bnn_real)), "reading the rows", "take fewer rows, or more ranks"));
    double *x = malloc((cells + 1) * sizeof *x);
    if (!x) return bnn_oom("%d rows", n);
    bnn_status s = bnn_x_file_read(d->table, n, d->rows + from, x);
    for (int i = 0; s == BNN_OK && i < n; i++) s = check_x(d->table, d->rows[from + i], x + (size_t)i * width);
    if (s < 0) free(x), x = NULL;
    *out = x;
    return s;
}

static bnn_status fill_rows(bnn_data *d, const int *rows) {
    const bnn_table *t = d->table;
    for (int i = 0; i < d->n; i++) {
        if (rows[i] < 0 || rows[i] >= t->n) return bnn_fail(BNN_ERR_DATA, "row number %d is not from 0 to %d", rows[i], t->n - 1);
        d->rows[i] = rows[i];
        if (d->weight) d->weight[i] = t->weight[rows[i]];
    }
    return BNN_OK;
}

/* The features of the rows [from, to) alone, where they stay in a file, else of all. */
static bnn_status fill(bnn_data *d, const int *rows, const bnn_scaling *scaling, int from, int to) {
    const bnn_table *t = d->table;
    size_t n = (size_t)d->n, x = t->pixels ? 0 : (size_t)bnn_shape_size(t->x_shape), y = (size_t)t->y_dim, own = (size_t)(to - from);
    double *read = NULL;
    BNN_TRY(bnn_memory_check(((double)own * (double)x + (double)n * (double)y) * sizeof(bnn_real), "standardising the rows",
                             "take fewer rows"));
    d->rows = malloc((n + 1) * sizeof *d->rows);
    bnn_real *to_x = t->pixels ? NULL : malloc((own * x + 1) * sizeof *to_x);
    *(own < n ? &d->stretch : &d->x) = to_x;
    d->y = t->y_dim ? malloc((n * y + 1) * sizeof *d->y) : NULL;
    d->weight = t->weight ? malloc((n + 1) * sizeof *d->weight) : NULL;
    if (!d->rows || (!t->pixels && !to_x) || (t->y_dim && !d->y) || (t->weight && !d->weight)) return bnn_oom("%d standardised rows", d->n);
    BNN_TRY(fill_rows(d, rows));
    if (t->x_file.read) BNN_TRY(read_stretch(d, from, to - from, &read));
    bnn_status s =
        make_scaling(&(sample){.table = t, .n = d->n, .rows = rows, .stretch = read, .from = from, .to = to}, scaling, &d->scaling);
    if (s == BNN_OK) s = t->pixels ? check_pixels(d) : standardise_x(d, from, to - from, read, to_x);
    free(read);
    return s < 0 ? s : standardise_y(d);
}

/* ---- features to come ---- */

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
    BNN_TRY(bnn_memory_check((double)size * sizeof(bnn_real), "standardising all rows", "take fewer rows"));
    bnn_real *x = malloc(size * sizeof *x);
    if (!x) return bnn_oom("%d standardised rows", data->n);
    double *read = NULL;
    bnn_status s = data->stretch ? read_stretch(data, 0, data->n, &read) : BNN_OK;
    if (s == BNN_OK && read) s = standardise_x(data, 0, data->n, read, x);
    if (!data->stretch) bnn_data_take(data, 0, data->n, x);
    free(read);
    if (s < 0)
        free(x);
    else
        __atomic_store_n(&data->x, x, __ATOMIC_RELEASE);
    return s;
}

bnn_status bnn_data_fill(const bnn_data *data) {
    pthread_mutex_lock(&filling);
    bnn_status s = fill_x((bnn_data *)data);
    pthread_mutex_unlock(&filling);
    return s;
}

/* ---- views ---- */

static bnn_status make(const bnn_table *table, int n, const int *rows, const bnn_scaling *scaling, int from, int to, bnn_data **out) {
    *out = NULL;
    bnn_data *d = calloc(1, sizeof *d);
    if (!d) return bnn_oom("data");
    *d = (bnn_data){.table = table,
                    .n = n,
                    .x_shape = table->x_shape,
                    .y_dim = table->y_dim,
                    .n_classes = table->n_classes,
                    .y_shape = table->y_shape,
                    .first = from,
                    .n_stretch = to - from};
    bnn_status s = fill(d, rows, scaling, from, to);
    if (s < 0)
        bnn_data_free(d);
    else
        *out = d;
    return s;
}

bnn_status bnn_data_new(const bnn_table *table, int n, const int *rows, const bnn_scaling *scaling, bnn_data **out) {
    return make(table, n, rows, scaling, 0, n, out);
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

/* Rows of a table: as they are listed for a role in one of its splits, or all. */
typedef struct {
    int n;
    const int *rows; /* [n] of the table's own list, or `all` */
    int *all;        /* owned, or NULL */
} listing;

static bnn_status list_rows(const bnn_table *t, int split, bnn_split_role role, listing *l) {
    *l = (listing){.n = t->n};
    if (split >= 0 && t->n_splits == 0) return bnn_fail(BNN_ERR_DATA, "there is no split %d: the data have no splits yet", split);
    if (split >= 0 && split >= t->n_splits)
        return bnn_fail(BNN_ERR_DATA, "there is no split %d: the data have splits 0 to %d", split, t->n_splits - 1);
    if (split >= 0) {
        l->n = bnn_table_count(t, split, role);
        l->rows = t->order + (size_t)split * (size_t)t->n;
        for (bnn_split_role before = BNN_TRAIN; before < role; before++) l->rows += bnn_table_count(t, split, before);
        return BNN_OK;
    }
    l->rows = l->all = malloc(((size_t)t->n + 1) * sizeof *l->all);
    if (!l->all) return bnn_oom("%d row numbers", t->n);
    for (int i = 0; i < t->n; i++) l->all[i] = i;
    return BNN_OK;
}

bnn_status bnn_data_split(const bnn_table *t, int split, bnn_split_role role, const bnn_scaling *scaling, bnn_data **out) {
    listing l;
    *out = NULL;
    BNN_TRY(list_rows(t, split, role, &l));
    bnn_status s = bnn_data_new(t, l.n, l.rows, scaling, out);
    free(l.all);
    return s;
}

bnn_status bnn_data_spread(const bnn_table *t, int split, const bnn_scaling *scaling, bnn_data **out) {
    listing l;
    *out = NULL;
    BNN_TRY(list_rows(t, split, BNN_TRAIN, &l));
    int from = 0, to = l.n;
    if (t->x_file.read && l.n > BNN_SHARD_ROWS) bnn_shards_own(l.n, bnn_ranks_used(), &from, &to);
    bnn_status s = make(t, l.n, l.rows, scaling, from, to, out);
    free(l.all);
    return s;
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
    free(d->rows), free(d->x), free(d->stretch), free(d->y), free(d->weight);
    free(d);
}
