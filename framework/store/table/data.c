/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * data.c: files of schema "bnn-data".
 */
#include "base/word.h"
#include "data/spread.h"
#include "store/parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const scale_rules[] = {[BNN_SCALE_STANDARD] = "standard", [BNN_SCALE_RANGE] = "range", [BNN_SCALE_CHANNEL] = "channel"};

/* ---- writing ---- */

static bool are_bytes(const double *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!(v[i] >= 0 && v[i] <= 255 && v[i] == floor(v[i]))) return false;
    return true;
}

static bool is_image(const bnn_table *t) { return t->x_shape.rank == 3; }

static void put_x(bnn_h5_writer *w, const bnn_table *t) {
    if (is_image(t)) {
        static const char *const name[] = {"channel", "row", "column"};
        for (int i = 0; i < 3; i++) bnn_h5_dim(w, "/", name[i], t->x_shape.d[i], BNN_H5_INT, NULL);
        bool bytes = !t->pixels && are_bytes(t->x, (size_t)t->n * (size_t)bnn_shape_size(t->x_shape));
        bnn_h5_kind kind = t->pixels ? BNN_H5_PIXELS : bytes ? BNN_H5_BYTES : BNN_H5_DOUBLE;
        bnn_h5_put(w, "/", "x", kind, t->pixels ? (const void *)t->pixels : t->x, "obs_id channel row column");
    } else {
        int width = bnn_shape_size(t->x_shape);
        bnn_h5_dim(w, "/", "feature", width, BNN_H5_INT, NULL);
        if (t->x_names) bnn_h5_texts(w, "/feature", "labels", width, t->x_names);
        bnn_h5_put(w, "/", "x", BNN_H5_DOUBLE, t->x, "obs_id feature");
        bnn_h5_ints(w, "/x", "shape", t->x_shape.rank, t->x_shape.d);
    }
}

/* CF's flag_meanings: names without blanks, joined by blanks. The exact names are in `labels`. */
static void put_meanings(bnn_h5_writer *w, const bnn_table *t) {
    size_t size = 1;
    for (int c = 0; c < t->n_classes; c++) size += strlen(t->class_names[c]) + 1;
    char *text = calloc(size, 1), *end = text;
    for (int c = 0; text && c < t->n_classes; c++) {
        if (c > 0) *end++ = ' ';
        for (const char *from = t->class_names[c]; *from; from++) *end++ = bnn_is_of_word(*from) || strchr("-.+@", *from) ? *from : '_';
    }
    if (text)
        bnn_h5_text(w, "/y", "flag_meanings", text);
    else
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for class names", w->path));
    free(text);
}

enum { MOST_OF_MAP = 128 }; /* classes that a byte with a sign holds */

/* CF wants flag_values in the type of what they are flags of. */
static void put_flag_values(bnn_h5_writer *w, const bnn_table *t) {
    int *values = calloc((size_t)t->n_classes, sizeof *values);
    int8_t codes[MOST_OF_MAP];
    for (int c = 0; values && c < t->n_classes; c++) values[c] = c;
    for (int c = 0; c < MOST_OF_MAP; c++) codes[c] = (int8_t)c;
    if (bnn_is_map(t->y_shape))
        bnn_h5_codes(w, "/y", "flag_values", t->n_classes, codes);
    else if (values)
        bnn_h5_ints(w, "/y", "flag_values", t->n_classes, values);
    else
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %d classes", w->path, t->n_classes));
    free(values);
}

static void put_classes(bnn_h5_writer *w, const bnn_table *t) {
    bnn_h5_ints(w, "/y", "n_classes", 1, &t->n_classes);
    put_flag_values(w, t);
    if (!t->class_names) return;
    put_meanings(w, t);
    bnn_h5_texts(w, "/y", "labels", t->n_classes, t->class_names);
}

/* A class of each pixel; void is the fill value. */
static void put_map(bnn_h5_writer *w, const bnn_table *t) {
    bnn_h5_put(w, "/", "y", BNN_H5_MAP, t->y, "obs_id row column");
    bnn_h5_codes(w, "/y", "_FillValue", 1, (const int8_t[]){-1});
    put_classes(w, t);
}

static void put_y(bnn_h5_writer *w, const bnn_table *t) {
    if (t->y_dim == 0) return;
    if (bnn_is_map(t->y_shape)) {
        put_map(w, t);
        return;
    }
    bnn_h5_dim(w, "/", "output", t->y_dim, BNN_H5_INT, NULL);
    bnn_h5_texts(w, "/output", "labels", t->y_dim, t->y_names);
    bnn_h5_put(w, "/", "y", t->n_classes > 0 ? BNN_H5_CLASSES : BNN_H5_DOUBLE, t->y, "obs_id output");
    if (t->n_classes > 0) put_classes(w, t);
}

static void put_splits(bnn_h5_writer *w, const bnn_table *t) {
    bnn_h5_dim(w, "/", "split", t->n_splits, BNN_H5_INT, NULL);
    bnn_h5_group(w, "/splits");
    bnn_h5_text(w, "/splits", "origin", t->split_origin);
    bnn_h5_put(w, "/splits", "role", BNN_H5_CODE, t->role, "split obs_id");
    bnn_h5_ints(w, "/splits/role", "flag_values", 3, (const int[]){BNN_TRAIN, BNN_VALIDATION, BNN_TEST});
    bnn_h5_text(w, "/splits/role", "flag_meanings", "train validation test");
    bnn_h5_put(w, "/splits", "order", BNN_H5_INT, t->order, "split obs_id");
    bnn_h5_text(w, "/splits/order", "long_name", "row numbers: the training rows in their listed order, then validation, then test");
}

static bnn_status check_map(const bnn_table *t) {
    const int *x = t->x_shape.d, *y = t->y_shape.d;
    if (t->n_classes > MOST_OF_MAP) return bnn_fail(BNN_ERR_SHAPE, "maps of classes are kept with %d classes at most", MOST_OF_MAP);
    if (is_image(t) && t->y_shape.rank == 2 && x[1] == y[0] && x[2] == y[1]) return BNN_OK;
    char a[BNN_SHAPE_TEXT], b[BNN_SHAPE_TEXT];
    return bnn_fail(BNN_ERR_SHAPE, "maps of classes are %s, and rows are %s: there is a class for each pixel",
                    bnn_shape_print(t->y_shape, a), bnn_shape_print(t->x_shape, b));
}

bnn_status bnn_table_save(const bnn_table *t, const char *path) {
    bnn_status checked = t->x || t->pixels ? bnn_table_check(t) : bnn_fail(BNN_ERR_STATE, "the features of the table stay in another file");
    if (checked == BNN_OK && bnn_is_map(t->y_shape)) checked = check_map(t);
    if (checked == BNN_OK && t->y_dim > 0 && !bnn_is_map(t->y_shape) && !t->y_names)
        checked = bnn_fail(BNN_ERR_STATE, "the targets have no names");
    if (checked < 0) return bnn_note(checked, "%s", path);
    bnn_h5_writer w;
    bnn_h5_create(&w, path);
    bnn_h5_schema(&w, "bnn-data");
    bnn_h5_text(&w, "/", "Conventions", "CF-1.8");
    bnn_h5_text(&w, "/", "title", t->title);
    bnn_h5_text(&w, "/", "source", t->source);
    bnn_h5_text(&w, "/", "license", t->license);
    bnn_h5_text(&w, "/", "task", t->y_dim == 0 ? "prediction" : t->n_classes > 0 ? "classification" : "regression");
    bnn_h5_text(&w, "/", "raw_sha256", t->raw_sha256);
    bnn_h5_text(&w, "/", "scale_rule", scale_rules[t->scale]);
    bnn_h5_number(&w, "/", "scale_range", t->range);
    bnn_h5_dim(&w, "/", "obs_id", t->n, BNN_H5_INT, NULL);
    bnn_store_put_ids(&w, "/", t, t->n, NULL);
    put_x(&w, t);
    put_y(&w, t);
    if (t->weight) bnn_h5_put(&w, "/", "weight", BNN_H5_DOUBLE, t->weight, "obs_id");
    if (t->n_splits > 0) put_splits(&w, t);
    bnn_store_put_schema(&w, t->schema);
    return bnn_h5_commit(&w);
}

/* ---- reading ---- */

/* The file of a table whose features stay there. */
typedef struct {
    bnn_h5_reader r;
    int width;
    char path[];
} x_file;

static bnn_status read_x(void *context, int from, int n, double *x) {
    x_file *f = context;
    f->r.status = bnn_h5_begin(f->path);
    if (f->r.status == BNN_OK) bnn_h5_get_part(&f->r, "/x", BNN_H5_DOUBLE, 2, (const int[]){from, 0}, (const int[]){n, f->width}, x);
    bnn_h5_end();
    return f->r.status;
}

static void close_x(void *context) {
    x_file *f = context;
    bnn_h5_begin(f->path);
    bnn_h5_close(&f->r);
    free(f);
}

/* Takes the open file over from the reader, for the table. */
static bnn_status keep_open(bnn_h5_reader *r, bnn_table *t) {
    x_file *f = malloc(sizeof *f + strlen(r->path) + 1);
    if (!f) return r->status = bnn_oom("%s", r->path);
    *f = (x_file){.r = *r, .width = bnn_shape_size(t->x_shape)};
    strcpy(f->path, r->path);
    f->r.path = f->path;
    t->x_file = (bnn_x_file){f, read_x, close_x};
    r->file = -1;
    return BNN_OK;
}

static bool has_targets(bnn_h5_reader *r) { return bnn_h5_has(r, "/y") || bnn_h5_has(r, "/output"); }

/* Rows, shapes and classes, from which the table is made. stays: features that are vectors have no room in it. */
static bnn_table *get_size(bnn_h5_reader *r, bool stays) {
    int images = bnn_h5_has(r, "/channel"), extents[4], y[3] = {0}, n_classes = 0;
    int rank = images && has_targets(r) && bnn_h5_rank(r, "/y") == 3 ? 3 : 2;
    bnn_h5_extents(r, "/x", images ? 4 : 2, extents);
    if (has_targets(r))
        bnn_h5_extents(r, "/y", rank, y);
    else
        y[0] = extents[0];
    if (bnn_h5_has_attribute(r, "/y", "n_classes")) n_classes = bnn_store_get_n_classes(r, "/y");
    bnn_shape shape = bnn_shape_vector(extents[1]);
    if (images) shape = (bnn_shape){.rank = 3, .d = {extents[1], extents[2], extents[3]}};
    if (r->status == BNN_OK && images && (double)extents[1] * extents[2] * extents[3] > INT32_MAX)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: the rows of /x are too long", r->path);
    if (r->status == BNN_OK && y[0] != extents[0])
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: /x has %d rows and /y has %d", r->path, extents[0], y[0]);
    bnn_shape y_shape = rank == 3 ? (bnn_shape){.rank = 2, .d = {y[1], y[2]}} : bnn_shape_vector(y[1]);
    if (r->status == BNN_OK && rank == 3 && (n_classes == 0 || y[1] != extents[2] || y[2] != extents[3]))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: /y is no map of classes of the pixels of /x", r->path);
    bnn_table *t = NULL;
    if (r->status < 0) return NULL;
    r->status = images  ? bnn_table_new_images(extents[0], shape, y_shape, n_classes, &t)
                : stays ? bnn_table_new_without_x(extents[0], shape, y[1], n_classes, &t)
                        : bnn_table_new(extents[0], shape, y[1], n_classes, &t);
    if (r->status == BNN_OK && images && !bnn_h5_has_bytes(r, "/x") && (r->status = bnn_table_numbers(t)) < 0) bnn_table_free(t), t = NULL;
    if (r->status < 0) bnn_note(r->status, "%s", r->path);
    return t;
}

static void get_text(bnn_h5_reader *r, const char *object, const char *name, char **to) {
    char *text = bnn_h5_get_text(r, object, name);
    if (!text) return;
    free(*to);
    *to = text;
}

static void get_root(bnn_h5_reader *r, bnn_table *t) {
    char *raw = NULL, *rule = NULL;
    get_text(r, "/", "title", &t->title);
    get_text(r, "/", "source", &t->source);
    get_text(r, "/", "license", &t->license);
    get_text(r, "/", "raw_sha256", &raw);
    get_text(r, "/", "scale_rule", &rule);
    t->range = bnn_h5_get_number(r, "/", "scale_range");
    if (raw) snprintf(t->raw_sha256, sizeof t->raw_sha256, "%s", raw);
    int found = BNN_SCALE_CHANNEL;
    while (r->status == BNN_OK && found >= 0 && strcmp(rule, scale_rules[found]) != 0) found--;
    if (r->status == BNN_OK && found < 0)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: scale_rule is '%s', not standard, range or channel", r->path, rule);
    if (r->status == BNN_OK) t->scale = (bnn_scale_rule)found;
    if (r->status == BNN_OK && !(t->range > 0 && isfinite(t->range)))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: scale_range is %g, not positive", r->path, t->range);
    free(raw), free(rule);
}

static void get_columns(bnn_h5_reader *r, bnn_table *t) {
    int width = bnn_shape_size(t->x_shape);
    if (t->x || t->pixels)
        bnn_h5_get(r, "/x", t->pixels ? BNN_H5_PIXELS : BNN_H5_DOUBLE, (size_t)t->n * (size_t)width, t->pixels ? (void *)t->pixels : t->x);
    if (bnn_h5_has_attribute(r, "/feature", "labels")) t->x_names = bnn_h5_get_texts(r, "/feature", "labels", width);
    if (t->y_dim > 0) {
        bnn_h5_get(r, "/y", BNN_H5_DOUBLE, (size_t)t->n * (size_t)t->y_dim, t->y);
        if (!bnn_is_map(t->y_shape)) t->y_names = bnn_h5_get_texts(r, "/output", "labels", t->y_dim);
        if (bnn_h5_has_attribute(r, "/y", "labels")) t->class_names = bnn_h5_get_texts(r, "/y", "labels", t->n_classes);
    }
    if (!is_image(t) && bnn_h5_has_attribute(r, "/x", "shape")) bnn_store_get_shape(r, "/x", "shape", width, &t->x_shape);
}

static void get_weight(bnn_h5_reader *r, bnn_table *t) {
    t->weight = bnn_h5_room(r, (size_t)t->n, sizeof *t->weight);
    if (t->weight) bnn_h5_get(r, "/weight", BNN_H5_DOUBLE, (size_t)t->n, t->weight);
    for (int i = 0; r->status == BNN_OK && i < t->n; i++)
        if (!(t->weight[i] >= 0 && isfinite(t->weight[i])))
            r->status = bnn_fail(BNN_ERR_FORMAT, "%s: entry %d of /weight is %g, not a number from 0 on", r->path, i, t->weight[i]);
}

static void get_splits(bnn_h5_reader *r, bnn_table *t) {
    int extents[2], count;
    bnn_h5_extents(r, "/splits/order", 2, extents);
    count = extents[0];
    if (r->status == BNN_OK && extents[1] != t->n)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: /splits/order is for %d rows, /x has %d", r->path, extents[1], t->n);
    size_t cells = (size_t)count * (size_t)t->n;
    int *order = bnn_h5_room(r, cells, sizeof *order);
    int8_t *role = bnn_h5_room(r, cells, sizeof *role);
    char *origin = bnn_h5_get_text(r, "/splits", "origin");
    if (order) bnn_h5_get(r, "/splits/order", BNN_H5_INT, cells, order);
    if (role) bnn_h5_get(r, "/splits/role", BNN_H5_CODE, cells, role);
    if (r->status == BNN_OK && (r->status = bnn_table_set_splits(t, count, order, role, origin)) < 0) bnn_note(r->status, "%s", r->path);
    if (r->status < 0) free(order), free(role);
    free(origin);
}

static bnn_status load(const char *path, bool stays, bnn_table **out) {
    *out = NULL;
    bnn_h5_reader r;
    BNN_TRY(bnn_h5_open(&r, path, "bnn-data"));
    bnn_table *t = get_size(&r, stays);
    if (t) get_root(&r, t);
    if (t) get_columns(&r, t);
    if (t) bnn_store_get_ids(&r, t);
    if (t && bnn_h5_has(&r, "/weight")) get_weight(&r, t);
    if (t && bnn_h5_has(&r, "/splits")) get_splits(&r, t);
    if (t) t->schema = bnn_store_get_schema(&r, bnn_shape_size(t->x_shape));
    if (t && r.status == BNN_OK && !t->x && !t->pixels) keep_open(&r, t);
    bnn_status s = bnn_h5_close(&r);
    if (s == BNN_OK && (s = bnn_table_check(t)) < 0) bnn_note(s, "%s", path);
    if (s == BNN_OK) s = bnn_file_sha256(path, t->sha256);
    if (s < 0)
        bnn_table_free(t);
    else
        *out = t;
    return s;
}

bnn_status bnn_table_load(const char *path, bnn_table **out) { return load(path, false, out); }

bnn_status bnn_table_open(const char *path, bnn_table **out) { return load(path, true, out); }
