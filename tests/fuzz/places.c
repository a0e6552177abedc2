/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "places.h"

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_place(places *p, const char *object, const char *name) {
    p->at = realloc(p->at, (size_t)(p->n + 1) * sizeof *p->at);
    place *last = &p->at[p->n++];
    snprintf(last->object, sizeof last->object, "%s%s", *object == '/' ? "" : "/", strcmp(object, ".") == 0 ? "" : object);
    snprintf(last->name, sizeof last->name, "%s", name);
}

typedef struct {
    places *found;
    const char *object;
} visitor;

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context) {
    (void)object, (void)info;
    const visitor *v = context;
    /* what HDF5 keeps for itself */
    if (strcmp(name, "DIMENSION_LIST") != 0 && strcmp(name, "REFERENCE_LIST") != 0 && strcmp(name, "CLASS") != 0 &&
        strcmp(name, "NAME") != 0)
        add_place(v->found, v->object, name);
    return 0;
}

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *info, void *context) {
    (void)info;
    hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    if (strcmp(name, ".") != 0) add_place(context, name, "");
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &(visitor){context, name});
    H5Oclose(object);
    return 0;
}

places places_find(const char *path) {
    places found = {0};
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_int_ge(H5Ovisit(file, H5_INDEX_NAME, H5_ITER_INC, visit_object, &found), 0);
    H5Fclose(file);
    return found;
}

static hid_t text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    return type;
}

static void new_attribute(hid_t file, const place *p, hid_t type, int n, const void *value) {
    if (H5Aexists_by_name(file, p->object, p->name, H5P_DEFAULT) > 0) H5Adelete_by_name(file, p->object, p->name, H5P_DEFAULT);
    hid_t space = n ? H5Screate_simple(1, (const hsize_t[]){(hsize_t)n}, NULL) : H5Screate(H5S_SCALAR);
    hid_t a = H5Acreate_by_name(file, p->object, p->name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(H5Awrite(a, type, value), 0);
    H5Aclose(a), H5Sclose(space);
}

static void new_number(hid_t file, const place *p, hid_t type, double value) {
    new_attribute(file, p, type, 0, H5Tequal(type, H5T_NATIVE_INT) ? (const void *)&(int){(int)value} : &value);
}

static void new_text(hid_t file, const place *p, const char *value) {
    hid_t type = text_type();
    new_attribute(file, p, type, 0, &value);
    H5Tclose(type);
}

/* Change `which` of an attribute; false: there are no more. */
static bool change_attribute(hid_t file, const place *p, int which) {
    static const double numbers[] = {-1, 0, 1, 2, 1000000, INT32_MAX, INT32_MIN};
    static const double reals[] = {NAN, INFINITY, -1, 0, 1e300};
    static const char *const texts[] = {"", "x", "map:epochs=0", "dense:3; tanh; dense", "a\xff", "categorical", "complete", "partial"};
    enum { INTS = sizeof numbers / sizeof *numbers, REALS = sizeof reals / sizeof *reals, TEXTS = sizeof texts / sizeof *texts };
    if (which == 0) return H5Adelete_by_name(file, p->object, p->name, H5P_DEFAULT) >= 0;
    if (which < 1 + INTS) return new_number(file, p, H5T_NATIVE_INT, numbers[which - 1]), true;
    if (which < 1 + INTS + REALS) return new_number(file, p, H5T_NATIVE_DOUBLE, reals[which - 1 - INTS]), true;
    if (which < 1 + INTS + REALS + TEXTS) return new_text(file, p, texts[which - 1 - INTS - REALS]), true;
    if (which > 1 + INTS + REALS + TEXTS) return false;
    return new_attribute(file, p, H5T_NATIVE_INT, 3, (const int[]){1, -3, 1 << 30}), true;
}

/* Every number of a dataset becomes this one, as far as its type can hold it. */
static void fill(hid_t file, const char *object, double value) {
    hid_t d = H5Dopen2(file, object, H5P_DEFAULT), space = H5Dget_space(d);
    size_t n = (size_t)H5Sget_simple_extent_npoints(space);
    double *v = malloc((n + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++) v[i] = value;
    H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, v);
    free(v);
    H5Sclose(space), H5Dclose(d);
}

/* Another dataset of this name, never written. */
static void replace(hid_t file, const char *object, hid_t type, int rank, const hsize_t *extent) {
    H5Ldelete(file, object, H5P_DEFAULT);
    hid_t space = rank ? H5Screate_simple(rank, extent, NULL) : H5Screate(H5S_SCALAR), list = H5Pcreate(H5P_DATASET_CREATE);
    if (rank) H5Pset_chunk(list, rank, (const hsize_t[]){1, 1, 1, 1});
    H5Dclose(H5Dcreate2(file, object, type, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Sclose(space), H5Pclose(list);
}

static bool change_dataset(hid_t file, const char *object, int which) {
    static const double numbers[] = {NAN, INFINITY, -1, 0, 1, 1e300, -1e300, 1e9};
    static const struct {
        int rank;
        hsize_t extent[4];
    } sizes[] = {{0, {0}},
                 {1, {0}},
                 {1, {1}},
                 {1, {INT32_MAX}},
                 {1, {1ULL << 40}},
                 {2, {3, 0}},
                 {2, {1 << 20, 1 << 20}},
                 {2, {1ULL << 40, 1}},
                 {4, {1, 1 << 30, 1 << 30, 1 << 30}}};
    enum { NUMBERS = sizeof numbers / sizeof *numbers, SIZES = sizeof sizes / sizeof *sizes };
    if (which == 0) return H5Ldelete(file, object, H5P_DEFAULT) >= 0;
    if (which < 1 + NUMBERS) return fill(file, object, numbers[which - 1]), true;
    if (which < 1 + NUMBERS + SIZES)
        return replace(file, object, H5T_NATIVE_DOUBLE, sizes[which - 1 - NUMBERS].rank, sizes[which - 1 - NUMBERS].extent), true;
    if (which > 1 + NUMBERS + SIZES) return false;
    hid_t type = text_type();
    replace(file, object, type, 1, (const hsize_t[]){2});
    H5Tclose(type);
    return true;
}

/* A group goes, or leads back to its file's root. */
static bool change_group(hid_t file, const char *object, int which) {
    if (which > 1) return false;
    H5Ldelete(file, object, H5P_DEFAULT);
    if (which == 1) H5Lcreate_hard(file, "/", file, object, H5P_DEFAULT, H5P_DEFAULT);
    return true;
}

bool places_change(const char *path, const place *p, int which) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), object = H5Oopen(file, p->object, H5P_DEFAULT);
    if (object < 0) return H5Fclose(file), false; /* an earlier change took it away */
    bool is_group = H5Iget_type(object) == H5I_GROUP;
    H5Oclose(object);
    bool changed = *p->name   ? change_attribute(file, p, which)
                   : is_group ? change_group(file, p->object, which)
                              : change_dataset(file, p->object, which);
    H5Fclose(file);
    return changed;
}

/* Whether H5Aread and its like move plain bytes of this type: no texts of variable length, and no references, whose bytes are addresses. */
static bool is_plain(hid_t type) {
    return !H5Tdetect_class(type, H5T_VLEN) && !H5Tis_variable_str(type) && !H5Tdetect_class(type, H5T_REFERENCE);
}

typedef herr_t move(hid_t id, hid_t type, void *bytes);
static herr_t read_attribute(hid_t id, hid_t type, void *bytes) { return H5Aread(id, type, bytes); }
static herr_t write_attribute(hid_t id, hid_t type, void *bytes) { return H5Awrite(id, type, bytes); }
static herr_t read_dataset(hid_t id, hid_t type, void *bytes) { return H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes); }
static herr_t write_dataset(hid_t id, hid_t type, void *bytes) { return H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes); }

static void overwrite(hid_t id, hid_t type, hid_t space, move *get, move *put, const void *value, size_t n) {
    size_t size = H5Tget_size(type) * (size_t)H5Sget_simple_extent_npoints(space);
    char *v = calloc(size + 1, 1);
    if (is_plain(type) && get(id, type, v) >= 0) {
        memcpy(v, value, n < size ? n : size);
        put(id, type, v);
    }
    free(v);
}

static void overwrite_attribute(hid_t file, const place *p, const void *value, size_t n) {
    hid_t a = H5Aopen_by_name(file, p->object, p->name, H5P_DEFAULT, H5P_DEFAULT);
    if (a < 0) return;
    hid_t type = H5Aget_type(a), space = H5Aget_space(a);
    bool is_text = H5Tget_class(type) == H5T_STRING;
    if (!is_text) overwrite(a, type, space, read_attribute, write_attribute, value, n);
    H5Tclose(type), H5Sclose(space), H5Aclose(a);
    char *text = strndup(value, n);
    if (is_text) new_text(file, p, text);
    free(text);
}

static void overwrite_dataset(hid_t file, const char *object, const void *value, size_t n) {
    hid_t d = H5Dopen2(file, object, H5P_DEFAULT);
    if (d < 0) return;
    hid_t type = H5Dget_type(d), space = H5Dget_space(d);
    overwrite(d, type, space, read_dataset, write_dataset, value, n);
    H5Tclose(type), H5Sclose(space), H5Dclose(d);
}

void places_overwrite(const char *path, const place *p, const void *value, size_t n) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    *p->name ? overwrite_attribute(file, p, value, n) : overwrite_dataset(file, p->object, value, n);
    H5Fclose(file);
}
