/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * layout.c: rules of the file as a whole, of links and groups, and of dimensions. What breaks where a rule is broken was tried
 * with netCDF 4.9.0, h5netcdf 1.1.0, xarray 2023.01, h5py 3.7.0, jsfive 0.4.2 and R's readers.
 */
#include "lint.h"

#include <stdlib.h>
#include <string.h>

/* ---- the file ---- */

static void superblock(bnn_lint_walk *w, const bnn_lint_object *root) {
    H5F_info2_t info;
    if (H5Fget_info2(root->id, &info) >= 0 && info.super.version > 0)
        bnn_lint_find(w, "has a superblock of version %u", info.super.version);
}

static void user_block(bnn_lint_walk *w, const bnn_lint_object *root) {
    hsize_t bytes = 0;
    hid_t file = H5Iget_file_id(root->id), creation = H5Fget_create_plist(file);
    if (H5Pget_userblock(creation, &bytes) >= 0 && bytes > 0) bnn_lint_find(w, "has a user block of %llu bytes", (unsigned long long)bytes);
    H5Pclose(creation), H5Fclose(file);
}

static void root_attributes(bnn_lint_walk *w, const bnn_lint_object *root) {
    static const char *const names[] = {"schema", "creation_library", "creation_library_version"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text = bnn_lint_text(w, root->id, names[i]);
        if (!text)
            bnn_lint_find(w, "lacks the text '%s'", names[i]);
        else if (i == 0 && strncmp(text, "bnn-", 4) != 0)
            bnn_lint_find(w, "is of the schema '%s'", text);
        free(text);
    }
    if (bnn_lint_int(root->id, "schema_version") < 1) bnn_lint_find(w, "lacks the number 'schema_version'");
}

/* ---- links and objects ---- */

static void readable(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (o->trouble) bnn_lint_find(w, "%s", o->trouble);
}

static void link_target(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (o->link == H5L_TYPE_SOFT && o->id < 0)
        bnn_lint_find(w, "is a soft link that leads nowhere");
    else if (o->link == H5L_TYPE_EXTERNAL)
        bnn_lint_find(w, "is an external link");
    else if (o->link != H5L_TYPE_HARD && o->link != H5L_TYPE_SOFT)
        bnn_lint_find(w, "is a link of type %d, which only its maker knows", (int)o->link);
}

static void object_name(bnn_lint_walk *w, const bnn_lint_object *o) {
    const char *c = o->name + strspn(o->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:");
    if (*c) bnn_lint_find(w, "has other letters in its name, from '%s' on", c);
}

static void object_kind(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (o->kind == H5I_DATATYPE) bnn_lint_find(w, "is a committed datatype");
}

static void no_cycle(bnn_lint_walk *w, const bnn_lint_object *o) {
    for (int g = o->group; g >= 0; g = w->object[g].group)
        if (w->object[g].info.addr == o->info.addr) bnn_lint_find(w, "is the group %s again, in which it stands", w->object[g].path);
}

static bool is_ordered(unsigned flags) { return (flags & H5P_CRT_ORDER_TRACKED) && (flags & H5P_CRT_ORDER_INDEXED); }

static void link_order(bnn_lint_walk *w, const bnn_lint_object *o) {
    unsigned flags = 0;
    if (H5Pget_link_creation_order(o->creation, &flags) < 0 || !is_ordered(flags)) bnn_lint_find(w, "does not keep the order of its links");
}

static void attribute_order(bnn_lint_walk *w, const bnn_lint_object *o) {
    unsigned flags = 0;
    if (H5Pget_attr_creation_order(o->creation, &flags) < 0 || !is_ordered(flags))
        bnn_lint_find(w, "does not keep the order of its attributes");
}

static void no_times(bnn_lint_walk *w, const bnn_lint_object *o) {
    if (o->info.atime || o->info.mtime || o->info.ctime || o->info.btime) bnn_lint_find(w, "has the time it was made in it");
}

/* InferenceData of ArviZ 0.x makes its groups attributes of an object that has these already. */
static void group_name(bnn_lint_walk *w, const bnn_lint_object *o) {
    static const char *const taken[] = {
        "add_groups",  "assign",  "assign_coords", "attrs",     "chunk",        "compute",  "cumsum", "extend",       "from_netcdf",
        "from_zarr",   "get",     "get_index",     "groups",    "isel",         "items",    "keys",   "load",         "map",
        "max",         "mean",    "median",        "min",       "persist",      "quantile", "rename", "rename_dims",  "rename_vars",
        "reset_index", "sel",     "set_coords",    "set_index", "sortby",       "stack",    "sum",    "to_dataframe", "to_datatree",
        "to_dict",     "to_json", "to_netcdf",     "to_zarr",   "unify_chunks", "unstack",  "values"};
    for (size_t i = 0; o->group == 0 && i < sizeof taken / sizeof *taken; i++)
        if (strcmp(o->name, taken[i]) == 0) bnn_lint_find(w, "is named like a member of ArviZ's InferenceData");
}

/* ---- dimensions ---- */

static const char no_variable[] = "This is a netCDF dimension but not a netCDF variable";

static void scale_name(bnn_lint_walk *w, const bnn_lint_object *o) {
    char *name = bnn_lint_text(w, o->id, "NAME");
    if (!name || (strcmp(name, o->name) != 0 && strncmp(name, no_variable, strlen(no_variable)) != 0))
        bnn_lint_find(w, "has the NAME '%s'", name ? name : "");
    free(name);
}

static void scale_values(bnn_lint_walk *w, const bnn_lint_object *o) {
    H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
    char *name = bnn_lint_text(w, o->id, "NAME");
    H5Dget_space_status(o->id, &status);
    if (o->rank != 1)
        bnn_lint_find(w, "is of rank %d", o->rank);
    else if (name && strncmp(name, no_variable, strlen(no_variable)) == 0)
        bnn_lint_find(w, "is marked as one without values");
    else if (o->extent[0] > 0 && status == H5D_SPACE_STATUS_NOT_ALLOCATED)
        bnn_lint_find(w, "was never written");
    free(name);
}

static void scale_type(bnn_lint_walk *w, const bnn_lint_object *o) {
    H5T_class_t class = H5Tget_class(o->type);
    if (class == H5T_INTEGER && H5Tget_size(o->type) != 8) bnn_lint_find(w, "is of integers of %zu bytes", H5Tget_size(o->type));
}

static bool is_other_scale(const bnn_lint_object *a, const bnn_lint_object *b) { return b->is_scale && a->info.addr != b->info.addr; }

static void dimid_on_all(bnn_lint_walk *w, const bnn_lint_object *o) {
    for (int i = 0; o->dimid < 0 && i < w->n_objects; i++)
        if (is_other_scale(o, &w->object[i]) && w->object[i].dimid >= 0) {
            bnn_lint_find(w, "has no _Netcdf4Dimid, and %s has one", w->object[i].path);
            return;
        }
}

static void dimid_once(bnn_lint_walk *w, const bnn_lint_object *o) {
    for (const bnn_lint_object *p = w->object; o->dimid >= 0 && p < o; p++)
        if (is_other_scale(o, p) && p->dimid == o->dimid) {
            bnn_lint_find(w, "has the _Netcdf4Dimid %d, as %s has", o->dimid, p->path);
            return;
        }
}

static void no_root_dimension(bnn_lint_walk *w, const bnn_lint_object *o) {
    char *schema = o->group == 0 ? bnn_lint_text(w, w->object[0].id, "schema") : NULL;
    if (schema && strcmp(schema, "bnn-data") != 0) bnn_lint_find(w, "stands in the root of a file of schema '%s'", schema);
    free(schema);
}

/* The nearest dimension of this name in a group above the object's, -1: none. */
static int above(const bnn_lint_walk *w, const bnn_lint_object *o) {
    for (int g = w->object[o->group].group; g >= 0; g = w->object[g].group) {
        int i = bnn_lint_member(w, g, o->name);
        if (i >= 0 && w->object[i].is_scale) return i;
    }
    return -1;
}

static void one_meaning(bnn_lint_walk *w, const bnn_lint_object *o) {
    int i = above(w, o);
    if (i >= 0 && !bnn_lint_same_dimension(o, &w->object[i])) bnn_lint_find(w, "differs from %s", w->object[i].path);
}

static void variable_name(bnn_lint_walk *w, const bnn_lint_object *o) {
    int i = above(w, o);
    if (i >= 0) bnn_lint_find(w, "is named like the dimension %s", w->object[i].path);
}

/* ---- axes ---- */

static void one_scale(bnn_lint_walk *w, const bnn_lint_object *o) {
    for (int i = 0; i < o->rank; i++) {
        if (o->n_scales[i] < 0)
            bnn_lint_find(w, "has on axis %d a scale that cannot be found", i);
        else if (o->n_scales[i] != 1)
            bnn_lint_find(w, "has %d scales on axis %d", o->n_scales[i], i);
    }
}

static void scale_place(bnn_lint_walk *w, const bnn_lint_object *o) {
    for (int i = 0; i < o->rank; i++)
        if (o->n_scales[i] > 0 && o->scale[i] < 0) bnn_lint_find(w, "has on axis %d a scale of another group", i);
}

static void scale_extent(bnn_lint_walk *w, const bnn_lint_object *o) {
    for (int i = 0; i < o->rank; i++) {
        const bnn_lint_object *scale = o->scale[i] >= 0 ? &w->object[o->scale[i]] : NULL;
        if (scale && scale->rank == 1 && scale->extent[0] != o->extent[i])
            bnn_lint_find(w, "extends over %llu on axis %d, and %s over %llu", (unsigned long long)o->extent[i], i, scale->path,
                          (unsigned long long)scale->extent[0]);
    }
}

static void scale_once(bnn_lint_walk *w, const bnn_lint_object *o) {
    for (int i = 0; i < o->rank; i++)
        for (int k = 0; k < i; k++)
            if (o->scale[i] >= 0 && o->scale[i] == o->scale[k])
                bnn_lint_find(w, "has %s on axes %d and %d", w->object[o->scale[i]].path, k, i);
}

static const bnn_lint_rule rules[] = {
    {BNN_LINT_FILE, "version 0 is read by the oldest libraries and by jsfive", superblock, NULL},
    {BNN_LINT_FILE, "a file begins with its superblock, or jsfive does not find it", user_block, NULL},
    {BNN_LINT_FILE, "schema (bnn-...), schema_version, creation_library and creation_library_version say what the file is", root_attributes,
     NULL},
    {BNN_LINT_LINK, "all of a file can be read", readable, NULL},
    {BNN_LINT_LINK, "a link leads to an object of the same file", link_target, NULL},
    {BNN_LINT_LINK, "names are of A-Z a-z 0-9 _ . : alone, for hdf5r", object_name, NULL},
    {BNN_LINT_LINK, "objects are groups and datasets", object_kind, NULL},
    {BNN_LINT_GROUP, "no group holds itself, which has no end for ncdump", no_cycle, NULL},
    {BNN_LINT_GROUP, "creation order is tracked and indexed, so that netCDF can append", link_order, NULL},
    {BNN_LINT_OBJECT, "creation order is tracked and indexed, so that attributes may grow beyond 64 KiB", attribute_order, NULL},
    {BNN_LINT_OBJECT, "times are not tracked, so that equal content is equal bytes", no_times, NULL},
    {BNN_LINT_GROUP, "ArviZ can set a top-level group as an attribute", group_name, NULL},
    {BNN_LINT_DIMENSION, "the NAME of a dimension is that of its link", scale_name, NULL},
    {BNN_LINT_DIMENSION, "a dimension is a list of coordinate values", scale_values, NULL},
    {BNN_LINT_DIMENSION, "the coordinates of a dimension are i64, or reals", scale_type, NULL},
    {BNN_LINT_DIMENSION, "all dimensions have one, or none", dimid_on_all, NULL},
    {BNN_LINT_DIMENSION, "each has a number of its own", dimid_once, NULL},
    {BNN_LINT_DIMENSION, "only data files have dimensions there", no_root_dimension, NULL},
    {BNN_LINT_DIMENSION, "in a group and those above it a name means one dimension, or xarray cannot open the tree", one_meaning, NULL},
    {BNN_LINT_VARIABLE, "no variable has the name of a dimension that is not its own", variable_name, NULL},
    {BNN_LINT_VARIABLE, "every axis has one dimension scale", one_scale, NULL},
    {BNN_LINT_VARIABLE, "a dimension stands in the group of its dataset or in one above", scale_place, NULL},
    {BNN_LINT_VARIABLE, "a dataset extends as far as its dimensions", scale_extent, NULL},
    {BNN_LINT_VARIABLE, "a dimension is used once by a dataset", scale_once, NULL},
};

const bnn_lint_rules bnn_lint_layout = {.rule = rules, .n = sizeof rules / sizeof *rules};
