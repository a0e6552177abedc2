/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * values.c: rules of types, storage and attributes. What breaks where a rule is broken was tried with netCDF 4.9.0, h5netcdf
 * 1.1.0, xarray 2023.01, h5py 3.7.0, h5wasm 0.10.3, Octave 7.3 and R's readers.
 */
#include "lint.h"

#include <bnn/escape.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- types ---- */

static bool is_plain(hid_t type) {
    const hid_t plain[] = {H5T_IEEE_F64LE, H5T_IEEE_F32LE, H5T_STD_I64LE, H5T_STD_I32LE, H5T_STD_I8LE, H5T_STD_U8LE, H5T_STD_U64LE};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (H5Tequal(type, plain[i]) > 0) return true;
    return false;
}

/* Names a type that is not allowed, and the reason. */
static const char *why_not(hid_t type) {
    static const char *const why[H5T_NCLASSES] = {
        [H5T_TIME] = "times of HDF5, which no other tool reads",
        [H5T_BITFIELD] = "bit fields, which netCDF leaves out",
        [H5T_OPAQUE] = "opaque bytes, which netCDF leaves out",
        [H5T_COMPOUND] = "compounds, which netCDF leaves out",
        [H5T_REFERENCE] = "references, which netCDF leaves out and h5netcdf refuses",
        [H5T_ENUM] = "enumerations, which netCDF leaves out (true and false are i8 with dtype 'bool')",
        [H5T_VLEN] = "lists of any length, which netCDF leaves out",
        [H5T_ARRAY] = "arrays, which netCDF leaves out",
    };
    H5T_class_t class = H5Tget_class(type);
    size_t size = H5Tget_size(type);
    if (class == H5T_STRING)
        return H5Tis_variable_str(type) > 0 ? "texts, at which Octave gives up" : "texts of fixed length, on which ncdump crashes";
    if (class == H5T_FLOAT && size > sizeof(double)) return "long doubles, on which ncdump crashes";
    if (class != H5T_FLOAT && class != H5T_INTEGER) return class >= 0 && class < H5T_NCLASSES && why[class] ? why[class] : "unknown";
    if (H5Tget_order(type) == H5T_ORDER_BE) return "big-endian numbers";
    return class == H5T_FLOAT && size == 2 ? "f16, which h5wasm cannot read" : "numbers of another size";
}

/* Ids of rows, which other readers than Octave's `load` want as a coordinate. */
static bool is_id(const bnn_lint_object *o) {
    return strncmp(o->name, "id_", 3) == 0 && isdigit((unsigned char)o->name[3]) && H5Tis_variable_str(o->type) > 0 &&
           H5Tget_cset(o->type) == H5T_CSET_UTF8;
}

static void dataset_type(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (!is_plain(o->type) && !is_id(o)) bnn_lint_find(w, "holds %s", why_not(o->type));
}

static bool is_state(const bnn_lint_walk *w, const bnn_lint_object *o) {
    const char *group = w->object[o->group].path;
    const char *last = strrchr(group, '/');
    return (last && strcmp(last, "/engine_state") == 0) || strncmp(group, "/resume_", strlen("/resume_")) == 0;
}

static void unsigned_dataset(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (H5Tequal(o->type, H5T_STD_U64LE) > 0 && !is_state(w, o)) bnn_lint_find(w, "holds u64");
}

static void dataset_space(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (o->rank < 0) bnn_lint_find(w, "has a null dataspace");
}

/* ---- storage ---- */

static hsize_t bytes_of(const bnn_lint_object *o, const hsize_t *extent) {
    hsize_t bytes = H5Tget_size(o->type);
    for (int i = 0; i < o->rank; i++) bytes *= extent[i];
    return bytes;
}

static void layout(bnn_lint_walk *w, const bnn_lint_object *o) {
    static const char *const names[] = {[H5D_COMPACT] = "is compact", [H5D_VIRTUAL] = "is virtual"};
    H5D_layout_t kind = H5Pget_layout(o->creation);
    if (kind == H5D_COMPACT || kind == H5D_VIRTUAL)
        bnn_lint_find(w, "%s", names[kind]);
    else if (kind == H5D_CONTIGUOUS && H5Pget_external_count(o->creation) > 0)
        bnn_lint_find(w, "is stored in other files");
    else if (kind == H5D_CHUNKED && H5Tdetect_class(o->type, H5T_VLEN) <= 0 && H5Tis_variable_str(o->type) <= 0 &&
             bytes_of(o, o->extent) < BNN_H5_CONTIGUOUS_BYTES)
        bnn_lint_find(w, "is cut into chunks, but has only %llu bytes", (unsigned long long)bytes_of(o, o->extent));
}

static void chunk_size(bnn_lint_walk *w, const bnn_lint_object *o) {
    hsize_t chunk[H5S_MAX_RANK];
    if (H5Pget_layout(o->creation) != H5D_CHUNKED || H5Pget_chunk(o->creation, H5S_MAX_RANK, chunk) != o->rank) return;
    if (bytes_of(o, chunk) > BNN_H5_CHUNK_BYTES) bnn_lint_find(w, "has chunks of %llu bytes", (unsigned long long)bytes_of(o, chunk));
}

static void chunked_texts(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (H5Pget_layout(o->creation) == H5D_CHUNKED && (H5Tdetect_class(o->type, H5T_VLEN) > 0 || H5Tis_variable_str(o->type) > 0))
        bnn_lint_find(w, "is cut into chunks, but holds pointers");
}

static void filters(bnn_lint_walk *w, const bnn_lint_object *o) {
    int n = H5Pget_nfilters(o->creation);
    for (int i = 0; i < n; i++) {
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter = H5Pget_filter2(o->creation, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_FLETCHER32)
            bnn_lint_find(w, "goes through filter number %d", (int)filter);
    }
}

/* ---- attributes ---- */

/* Recognises attributes that dimension scales and netCDF need for themselves. */
static bool is_machinery(const bnn_lint_object *o, const bnn_lint_attribute *a) {
    static const struct {
        const char *name;
        H5T_class_t class;
        H5I_type_t on;
    } known[] = {{"CLASS", H5T_STRING, H5I_DATASET},
                 {"NAME", H5T_STRING, H5I_DATASET},
                 {"DIMENSION_LIST", H5T_VLEN, H5I_DATASET},
                 {"REFERENCE_LIST", H5T_COMPOUND, H5I_DATASET},
                 {"_NCProperties", H5T_STRING, H5I_GROUP}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(a->name, known[i].name) == 0 && H5Tget_class(a->type) == known[i].class && o->kind == known[i].on) return true;
    return false;
}

static bool is_text(const bnn_lint_attribute *a) { return H5Tget_class(a->type) == H5T_STRING; }

static void attribute_type(bnn_lint_walk *w, const bnn_lint_object *o, const bnn_lint_attribute *a) {
    if (!is_text(a) && !is_machinery(o, a) && !is_plain(a->type)) bnn_lint_find(w, "holds %s", why_not(a->type));
}

static void attribute_rank(bnn_lint_walk *w, const bnn_lint_object *o, const bnn_lint_attribute *a) {
    (void)o;
    if (a->rank > 1) bnn_lint_find(w, "is of rank %d", a->rank);
}

static void text_type(bnn_lint_walk *w, const bnn_lint_object *o, const bnn_lint_attribute *a) {
    if (!is_text(a) || is_machinery(o, a)) return;
    if (H5Tis_variable_str(a->type) <= 0)
        bnn_lint_find(w, "is of fixed length");
    else if (H5Tget_cset(a->type) != H5T_CSET_UTF8)
        bnn_lint_find(w, "is marked as ASCII");
}

static void text_contents(bnn_lint_walk *w, const bnn_lint_object *o, const bnn_lint_attribute *a) {
    (void)o;
    if (!is_text(a) || H5Tis_variable_str(a->type) <= 0) return;
    hid_t space = H5Aget_space(a->id);
    char **text = calloc(a->n + 1, sizeof *text);
    if (!bnn_lint_lacks(w, text) && H5Aread(a->id, a->type, text) < 0)
        bnn_lint_find(w, "cannot be read");
    else if (text)
        for (hsize_t i = 0; i < a->n; i++)
            if (!text[i] || !bnn_is_utf8(text[i]))
                bnn_lint_find(w, "entry %llu is %s", (unsigned long long)i, text[i] ? "not UTF-8" : "NULL");
    if (text) H5Dvlen_reclaim(a->type, space, H5P_DEFAULT, text);
    H5Sclose(space);
    free(text);
}

/* Maps of classes say which number is void, in the type that netCDF wants it in. */
static bool is_void(const bnn_lint_object *o, const bnn_lint_attribute *a) {
    return strcmp(a->name, "_FillValue") == 0 && o->kind == H5I_DATASET && H5Aexists(o->id, "flag_values") > 0 &&
           H5Tequal(a->type, H5T_STD_I8LE) > 0;
}

static void reserved_name(bnn_lint_walk *w, const bnn_lint_object *o, const bnn_lint_attribute *a) {
    static const char *const names[] = {"scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned", "coordinates"};
    if (is_void(o, a) || (o->kind == H5I_GROUP && strcmp(a->name, "coordinates") == 0)) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(a->name, names[i]) == 0) bnn_lint_find(w, "is there");
}

static void units(bnn_lint_walk *w, const bnn_lint_object *o, const bnn_lint_attribute *a) {
    static const char *const times[] = {"days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"};
    char *text = o->kind == H5I_DATASET && strcmp(a->name, "units") == 0 ? bnn_lint_text(w, o->id, a->name) : NULL;
    if (!text) return;
    bool time = strstr(text, " since ") != NULL;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) time |= strcmp(text, times[i]) == 0;
    if (time) bnn_lint_find(w, "is '%s'", text);
    free(text);
}

static void dtype(bnn_lint_walk *w, const bnn_lint_object *o, const bnn_lint_attribute *a) {
    if (o->kind != H5I_DATASET || strcmp(a->name, "dtype") != 0) return;
    char *text = bnn_lint_text(w, o->id, a->name);
    if (!text || strcmp(text, "bool") != 0)
        bnn_lint_find(w, "is '%s'", text ? text : "");
    else if (H5Tequal(o->type, H5T_STD_I8LE) <= 0)
        bnn_lint_find(w, "is at a dataset that is not i8");
    free(text);
}

static void unsigned_attribute(bnn_lint_walk *w, const bnn_lint_object *o, const bnn_lint_attribute *a) {
    char name[BNN_H5_PATH];
    if (H5Tequal(a->type, H5T_STD_U64LE) <= 0) return;
    snprintf(name, sizeof name, "%.200s_text", a->name);
    char *text = bnn_lint_text(w, o->id, name);
    if (!text) bnn_lint_find(w, "is u64, and there is no '%s'", name);
    free(text);
}

static const bnn_lint_rule rules[] = {
    {BNN_LINT_DATASET, "datasets hold f64, f32, i64, i32, i8, u8 or u64, little-endian, those of ids UTF-8 text", dataset_type, NULL},
    {BNN_LINT_DATASET, "u64, which R cannot hold, is for the state of engines", unsigned_dataset, NULL},
    {BNN_LINT_DATASET, "a dataset is a number or an array, or netCDF and h5netcdf fail", dataset_space, NULL},
    {BNN_LINT_DATASET, "arrays stand in the file itself, contiguous, and chunked only from 16 KiB on", layout, NULL},
    {BNN_LINT_DATASET, "chunks have 1 MiB at most", chunk_size, NULL},
    {BNN_LINT_DATASET, "texts and lists are contiguous: there is nothing in pointers to compress", chunked_texts, NULL},
    {BNN_LINT_DATASET, "filters are shuffle, deflate and fletcher32, which every build of HDF5 has", filters, NULL},
    {BNN_LINT_ATTRIBUTE, "attributes hold UTF-8 text, f64, f32, i64, i32, i8, u8 or u64, little-endian", NULL, attribute_type},
    {BNN_LINT_ATTRIBUTE, "netCDF cannot open attributes of more than one dimension", NULL, attribute_rank},
    {BNN_LINT_ATTRIBUTE, "texts are of variable length and marked as UTF-8", NULL, text_type},
    {BNN_LINT_ATTRIBUTE, "texts are UTF-8, and \"\" where there is none", NULL, text_contents},
    {BNN_LINT_ATTRIBUTE, "xarray would decode the numbers by it", NULL, reserved_name},
    {BNN_LINT_ATTRIBUTE, "xarray would make times of the numbers: seconds are 's'", NULL, units},
    {BNN_LINT_ATTRIBUTE, "dtype is 'bool', at i8", NULL, dtype},
    {BNN_LINT_ATTRIBUTE, "beside u64 stands the same number as text, for R", NULL, unsigned_attribute},
};

const bnn_lint_rules bnn_lint_values = {.rule = rules, .n = sizeof rules / sizeof *rules};
