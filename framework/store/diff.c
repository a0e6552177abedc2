/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * diff.c: what kind of file it is, and whether two hold the same values.
 */
#include "hdf5.h"

#include <bnn/store.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bnn_status bnn_file_schema(const char *path, char schema[32]) {
    bnn_h5_reader r;
    BNN_TRY(bnn_h5_open(&r, path, NULL));
    char *text = bnn_h5_get_text(&r, "/", "schema");
    snprintf(schema, 32, "%s", text ? text : "");
    free(text);
    return bnn_h5_close(&r);
}

/* ---- one value of two files ---- */

/* Where the walk stands, and the first difference. */
typedef struct {
    char *where;
    size_t size;
    bool same;
    bnn_status status;
    int depth; /* of the object */
} walk;

static void differ(walk *k, const char *object, const char *text) {
    if (!k->same) return;
    k->same = false;
    snprintf(k->where, k->size, "%s: %s", object, text);
}

static void damaged(walk *k, const char *what) {
    if (k->status == BNN_OK) k->status = bnn_fail(BNN_ERR_FILE, "%s cannot be read: out of memory, or the file is damaged", what);
}

static bool equal_reals(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void print_number(hid_t type, const void *v, int digits, char text[40]) {
    double real;
    long long whole;
    if (H5Tget_class(type) == H5T_FLOAT) {
        if (H5Tget_size(type) == sizeof(float))
            real = *(const float *)v;
        else
            memcpy(&real, v, sizeof real);
        bnn_print(text, 40, "%.*g", digits, real);
        return;
    }
    char copy[8] = {0};
    memcpy(copy, v, H5Tget_size(type));
    H5Tconvert(type, H5T_NATIVE_LLONG, 1, copy, NULL, H5P_DEFAULT);
    memcpy(&whole, copy, sizeof whole);
    snprintf(text, 40, "%lld", whole);
}

static bool equal_number(hid_t type, const char *a, const char *b) {
    size_t size = H5Tget_size(type);
    if (H5Tget_class(type) != H5T_FLOAT) return memcmp(a, b, size) == 0;
    double x, y;
    if (size == sizeof(float)) return equal_reals(*(const float *)(const void *)a, *(const float *)(const void *)b);
    memcpy(&x, a, sizeof x), memcpy(&y, b, sizeof y);
    return equal_reals(x, y);
}

static void compare_numbers(walk *k, const char *object, hid_t type, size_t n, const char *a, const char *b) {
    size_t size = H5Tget_size(type);
    for (size_t i = 0; i < n; i++) {
        char x[40], y[40], text[160];
        if (equal_number(type, a + i * size, b + i * size)) continue;
        print_number(type, a + i * size, 9, x), print_number(type, b + i * size, 9, y);
        if (strcmp(x, y) == 0) print_number(type, a + i * size, 17, x), print_number(type, b + i * size, 17, y);
        snprintf(text, sizeof text, "entry %zu of %zu is %s and %s", i, n, x, y);
        differ(k, object, text);
        return;
    }
}

static void compare_texts(walk *k, const char *object, size_t n, char *const *a, char *const *b) {
    char text[256];
    for (size_t i = 0; i < n; i++) {
        const char *x = a[i] ? a[i] : "", *y = b[i] ? b[i] : "";
        if (strcmp(x, y) == 0) continue;
        snprintf(text, sizeof text, "is '%.80s' and '%.80s'", x, y);
        differ(k, object, text);
    }
}

/* A dataset or an attribute: read_value fills a buffer that is freed by the caller. */
typedef struct {
    hid_t id, type, space; /* type: as in memory */
    bool is_attribute;
} value;

static value open_value(hid_t id, bool is_attribute) {
    hid_t stored = is_attribute ? H5Aget_type(id) : H5Dget_type(id);
    value v = {.id = id, .is_attribute = is_attribute, .type = H5Tget_native_type(stored, H5T_DIR_ASCEND)};
    v.space = is_attribute ? H5Aget_space(id) : H5Dget_space(id);
    H5Tclose(stored);
    return v;
}

static void close_value(value *v) {
    if (v->type >= 0) H5Tclose(v->type);
    if (v->space >= 0) H5Sclose(v->space);
}

/* Numbers as C has them, and texts of variable length: what the files of bnn consist of. */
static bool is_comparable(hid_t type) {
    H5T_class_t class = H5Tget_class(type);
    size_t size = H5Tget_size(type);
    if (class == H5T_FLOAT) return size == sizeof(float) || size == sizeof(double);
    return class == H5T_INTEGER ? size <= sizeof(long long) : class == H5T_STRING && H5Tis_variable_str(type) > 0;
}

static void *read_value(walk *k, const value *v, size_t n) {
    void *buffer = calloc(n + 1, H5Tget_size(v->type));
    herr_t failed = -1;
    if (buffer && v->is_attribute)
        failed = H5Aread(v->id, v->type, buffer);
    else if (buffer)
        failed = H5Dread(v->id, v->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer);
    if (failed < 0) damaged(k, "a value");
    if (failed < 0) free(buffer), buffer = NULL;
    return buffer;
}

static void compare_contents(walk *k, const char *object, const value *a, const value *b) {
    size_t n = (size_t)H5Sget_simple_extent_npoints(a->space);
    void *x = read_value(k, a, n), *y = read_value(k, b, n);
    bool text = H5Tget_class(a->type) == H5T_STRING;
    if (x && y && text)
        compare_texts(k, object, n, x, y);
    else if (x && y)
        compare_numbers(k, object, a->type, n, x, y);
    if (text && x) H5Dvlen_reclaim(a->type, a->space, H5P_DEFAULT, x);
    if (text && y) H5Dvlen_reclaim(b->type, b->space, H5P_DEFAULT, y);
    free(x), free(y);
}

/* An attribute of one entry is a scalar here, a vector in what netCDF has copied. */
static bool equal_sizes(const value *a, const value *b) {
    if (a->is_attribute) return H5Sget_simple_extent_npoints(a->space) == H5Sget_simple_extent_npoints(b->space);
    return H5Sextent_equal(a->space, b->space) > 0;
}

static void compare_values(walk *k, const char *object, hid_t a, hid_t b, bool is_attribute) {
    value x = open_value(a, is_attribute), y = open_value(b, is_attribute);
    if (x.type < 0 || y.type < 0 || x.space < 0 || y.space < 0)
        damaged(k, object);
    else if (H5Tequal(x.type, y.type) <= 0)
        differ(k, object, "the types differ");
    else if (!equal_sizes(&x, &y))
        differ(k, object, "the sizes differ");
    else if (!is_comparable(x.type))
        k->status = bnn_fail(BNN_ERR_FORMAT, "%s has a type that no file of bnn has", object);
    else
        compare_contents(k, object, &x, &y);
    close_value(&x), close_value(&y);
}

/* ---- the dimensions of a dataset ---- */

typedef struct {
    int axis; /* of the last name */
    char names[1024];
} dimensions;

/* Appends the path of the scale; those of another axis after a comma. */
static void add_dimension(void *context, int axis, hid_t scale) {
    dimensions *d = context;
    char path[BNN_H5_PATH] = "?";
    size_t used = strlen(d->names);
    if (scale >= 0) H5Iget_name(scale, path, sizeof path);
    snprintf(d->names + used, sizeof d->names - used, "%s%s", used == 0 ? "" : axis == d->axis ? " " : ", ", path);
    d->axis = axis;
}

static void compare_dimensions(walk *k, const char *object, hid_t a, hid_t b) {
    hid_t side[2] = {a, b};
    dimensions d[2] = {0};
    for (int i = 0; i < 2; i++) {
        hid_t space = H5Dget_space(side[i]);
        if (!bnn_h5_scales(side[i], H5Sget_simple_extent_ndims(space), add_dimension, &d[i])) damaged(k, object);
        H5Sclose(space);
    }
    if (H5Aexists(a, "CLASS") != H5Aexists(b, "CLASS")) differ(k, object, "a dimension in one file only");
    if (strcmp(d[0].names, d[1].names) == 0) return;
    char text[sizeof d + 64];
    snprintf(text, sizeof text, "the dimensions are '%s' and '%s'", d[0].names, d[1].names);
    differ(k, object, text);
}

/* ---- the walk ---- */

/* Leaves out what the libraries keep for themselves (compare_dimensions sees its meaning), and what may differ between equal results. */
static bool is_left_out(const char *attribute) {
    return bnn_h5_is_bookkeeping(attribute) || strcmp(attribute, "creation_library_version") == 0;
}

/* Both sides of one object. */
typedef struct {
    walk *k;
    const char *object;
    hid_t a, b;
} place;

static bool goes_on(const walk *k) { return k->same && k->status == BNN_OK; }

static herr_t compare_attribute(hid_t a, const char *name, const H5A_info_t *info, void *context) {
    (void)info;
    const place *p = context;
    char label[2 * BNN_H5_PATH];
    if (is_left_out(name)) return 0;
    snprintf(label, sizeof label, "attribute '%s' of %s", name, p->object);
    hid_t x = H5Aopen(a, name, H5P_DEFAULT), y = H5Aexists(p->b, name) > 0 ? H5Aopen(p->b, name, H5P_DEFAULT) : -1;
    if (x < 0)
        damaged(p->k, label);
    else if (y < 0)
        differ(p->k, label, "only in the first file");
    else
        compare_values(p->k, label, x, y, true);
    if (x >= 0) H5Aclose(x);
    if (y >= 0) H5Aclose(y);
    return !goes_on(p->k);
}

static herr_t find_missing_attribute(hid_t b, const char *name, const H5A_info_t *info, void *context) {
    (void)b, (void)info;
    const place *p = context;
    char label[2 * BNN_H5_PATH];
    snprintf(label, sizeof label, "attribute '%s' of %s", name, p->object);
    if (!is_left_out(name) && H5Aexists(p->a, name) <= 0) differ(p->k, label, "only in the second file");
    return !goes_on(p->k);
}

static void compare_objects(walk *k, const char *object, hid_t a, hid_t b);

static bool is_provenance(const place *p, const char *name) { return strcmp(p->object, "/") == 0 && strcmp(name, "provenance") == 0; }

static herr_t compare_link(hid_t a, const char *name, const H5L_info_t *info, void *context) {
    (void)info;
    const place *p = context;
    char path[BNN_H5_PATH];
    bnn_h5_join(path, p->object, name);
    if (is_provenance(p, name)) return 0;
    hid_t x = H5Oopen(a, name, H5P_DEFAULT), y = H5Lexists(p->b, name, H5P_DEFAULT) > 0 ? H5Oopen(p->b, name, H5P_DEFAULT) : -1;
    if (x < 0)
        damaged(p->k, path);
    else if (y < 0)
        differ(p->k, path, "only in the first file");
    else
        compare_objects(p->k, path, x, y);
    if (x >= 0) H5Oclose(x);
    if (y >= 0) H5Oclose(y);
    return !goes_on(p->k);
}

static herr_t find_missing_link(hid_t b, const char *name, const H5L_info_t *info, void *context) {
    (void)b, (void)info;
    const place *p = context;
    char path[BNN_H5_PATH];
    if (!is_provenance(p, name) && H5Lexists(p->a, name, H5P_DEFAULT) <= 0)
        differ(p->k, bnn_h5_join(path, p->object, name), "only in the second file");
    return !goes_on(p->k);
}

typedef herr_t (*visit)(hid_t, const char *, const H5A_info_t *, void *);
typedef herr_t (*follow)(hid_t, const char *, const H5L_info_t *, void *);

static void each_attribute(place *p, hid_t id, visit call) {
    if (goes_on(p->k) && H5Aiterate2(id, H5_INDEX_NAME, H5_ITER_INC, NULL, call, p) < 0) damaged(p->k, p->object);
}

static void each_link(place *p, hid_t id, follow call) {
    if (goes_on(p->k) && H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, NULL, call, p) < 0) damaged(p->k, p->object);
}

enum { DEEPEST = 16 }; /* groups within groups: a link can lead back */

static void compare_objects(walk *k, const char *object, hid_t a, hid_t b) {
    place p = {.k = k, .object = object, .a = a, .b = b};
    if (H5Iget_type(a) != H5Iget_type(b)) {
        differ(k, object, "a group in one file and a dataset in the other");
        return;
    }
    if (k->depth == DEEPEST) {
        k->status = bnn_fail(BNN_ERR_FORMAT, "%s stands deeper than any group of bnn", object);
        return;
    }
    k->depth++;
    each_attribute(&p, a, compare_attribute);
    each_attribute(&p, b, find_missing_attribute);
    if (H5Iget_type(a) == H5I_DATASET && goes_on(k)) compare_values(k, object, a, b, false);
    if (H5Iget_type(a) == H5I_DATASET && goes_on(k)) compare_dimensions(k, object, a, b);
    if (H5Iget_type(a) == H5I_GROUP) each_link(&p, a, compare_link), each_link(&p, b, find_missing_link);
    k->depth--;
}

static bnn_status compare_files(const bnn_h5_reader *a, const bnn_h5_reader *b, walk *k) {
    hid_t x = H5Oopen(a->file, "/", H5P_DEFAULT), y = H5Oopen(b->file, "/", H5P_DEFAULT);
    compare_objects(k, "/", x, y);
    H5Oclose(x), H5Oclose(y);
    return k->status < 0 ? bnn_note(k->status, "%s or %s", a->path, b->path) : BNN_OK;
}

bnn_status bnn_file_diff(const char *a, const char *b, bool *same, char *where, size_t size) {
    walk k = {.where = where, .size = size, .same = true};
    bnn_h5_reader x, y;
    if (size > 0) where[0] = '\0';
    *same = false;
    BNN_TRY(bnn_h5_open(&x, a, NULL));
    bnn_status s = bnn_h5_open(&y, b, NULL);
    if (s == BNN_OK) {
        s = compare_files(&x, &y, &k);
        bnn_h5_close(&y);
    }
    bnn_h5_close(&x);
    *same = s == BNN_OK && k.same;
    return s;
}
