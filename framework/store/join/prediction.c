/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * prediction.c: files that hold stretches of the rows of one prediction, joined: what lies on the dimension obs_id stands one behind the
 * other, everything else must be the same in all files.
 */
#include "base/word.h"
#include "store/parts.h"

#include <bnn/file.h>
#include <hdf5_hl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int n;
    bnn_h5_reader *r; /* [n] in the order of the rows */
    bnn_h5_writer w;
} joiner;

static const char rows_dim[] = "obs_id";

/* The first failure of a file becomes the writer's. */
static bool is_fine(joiner *j) {
    for (int i = 0; i < j->n; i++) bnn_h5_refuse(&j->w, j->r[i].status);
    return j->w.status == BNN_OK;
}

/* ---- attributes ---- */

/* Those that the libraries keep for themselves, and those that the joined file gets otherwise. */
static bool is_own(const char *object, const char *name) {
    static const char *const of_root[] = {"schema", "schema_version", "creation_library", "creation_library_version", "part"};
    for (size_t i = 0; strcmp(object, "/") == 0 && i < sizeof of_root / sizeof *of_root; i++)
        if (strcmp(name, of_root[i]) == 0) return true;
    return bnn_h5_is_bookkeeping(name);
}

typedef struct {
    H5T_class_t class;
    size_t size; /* bytes of a number */
    int count;
} attribute_form;

static attribute_form form_of(const bnn_h5_reader *r, const char *object, const char *name) {
    hid_t id = H5Aopen_by_name(r->file, object, name, H5P_DEFAULT, H5P_DEFAULT), type = H5Aget_type(id), space = H5Aget_space(id);
    attribute_form form = {.class = H5Tget_class(type), .size = H5Tget_size(type), .count = (int)H5Sget_simple_extent_npoints(space)};
    H5Sclose(space), H5Tclose(type), H5Aclose(id);
    return form;
}

/* "seed_text" beside the 64 bits of "seed". */
static bool is_text_of_number(bnn_h5_reader *r, const char *object, const char *name) {
    char base[BNN_H5_PATH];
    if (!bnn_ends_with(name, "_text")) return false;
    snprintf(base, sizeof base, "%.*s", (int)(strlen(name) - strlen("_text")), name);
    return bnn_h5_has_attribute(r, object, base) && form_of(r, object, base).class == H5T_INTEGER;
}

/* An attribute as one text, for comparison; owned, NULL after a failure. */
static char *print_attribute(bnn_h5_reader *r, const char *object, const char *name, attribute_form form) {
    char *text;
    FILE *out = bnn_text_open(&text, NULL);
    if (!out) return NULL;
    char **texts = form.class == H5T_STRING ? bnn_h5_get_texts(r, object, name, form.count) : NULL;
    for (int i = 0; texts && i < form.count; i++) fprintf(out, "%s%s", i ? ", " : "", texts[i]);
    bnn_texts_free(texts, form.count);
    int *ints = form.class == H5T_INTEGER && form.size <= sizeof(int) ? bnn_h5_room(r, (size_t)form.count, sizeof *ints) : NULL;
    if (ints) bnn_h5_get_ints(r, object, name, form.count, ints);
    for (int i = 0; ints && i < form.count; i++) fprintf(out, "%s%d", i ? ", " : "", ints[i]);
    free(ints);
    if (form.class == H5T_INTEGER && form.size > sizeof(int)) fprintf(out, "%llu", (unsigned long long)bnn_h5_get_u64(r, object, name));
    if (form.class == H5T_FLOAT) bnn_print_to(out, "%.17g", bnn_h5_get_number(r, object, name));
    return bnn_text_close(out, &text);
}

static void write_ints(joiner *j, const char *object, const char *name, attribute_form form, const int *v) {
    if (form.size > 1) {
        bnn_h5_ints(&j->w, object, name, form.count, v);
        return;
    }
    int8_t *codes = bnn_h5_room(&j->r[0], (size_t)form.count, 1);
    for (int i = 0; codes && i < form.count; i++) codes[i] = (int8_t)v[i];
    if (codes) bnn_h5_codes(&j->w, object, name, form.count, codes);
    free(codes);
}

static void write_attribute(joiner *j, const char *object, const char *name, attribute_form form) {
    bnn_h5_reader *r = &j->r[0];
    hid_t id = H5Aopen_by_name(r->file, object, name, H5P_DEFAULT, H5P_DEFAULT), space = H5Aget_space(id);
    bool scalar = H5Sget_simple_extent_type(space) == H5S_SCALAR;
    H5Sclose(space), H5Aclose(id);
    if (form.class == H5T_STRING && scalar) {
        char *text = bnn_h5_get_text(r, object, name);
        bnn_h5_text(&j->w, object, name, text);
        free(text);
    } else if (form.class == H5T_STRING) {
        char **texts = bnn_h5_get_texts(r, object, name, form.count);
        if (texts) bnn_h5_texts(&j->w, object, name, form.count, texts);
        bnn_texts_free(texts, form.count);
    } else if (form.class == H5T_INTEGER && form.size <= sizeof(int)) {
        int *ints = bnn_h5_room(r, (size_t)form.count, sizeof *ints);
        if (ints) bnn_h5_get_ints(r, object, name, form.count, ints);
        if (is_fine(j)) write_ints(j, object, name, form, ints);
        free(ints);
    } else if (form.class == H5T_INTEGER)
        bnn_h5_u64(&j->w, object, name, bnn_h5_get_u64(r, object, name));
    else
        bnn_h5_number(&j->w, object, name, bnn_h5_get_number(r, object, name));
}

/* An attribute must be the same in all files. */
static void agree(joiner *j, const char *object, const char *name, attribute_form form) {
    char *first = print_attribute(&j->r[0], object, name, form);
    for (int i = 1; i < j->n && is_fine(j); i++) {
        bool known = bnn_h5_has_attribute(&j->r[i], object, name);
        char *other = known ? print_attribute(&j->r[i], object, name, form_of(&j->r[i], object, name)) : NULL;
        bnn_h5_refuse(&j->w, bnn_store_must_agree(j->r[0].path, j->r[i].path, name, first, other));
        free(other);
    }
    free(first);
}

typedef struct {
    joiner *j;
    const char *object;
    bool write; /* else it is only looked whether all agree */
} place;

static herr_t visit_attribute(hid_t id, const char *name, const H5A_info_t *info, void *context) {
    (void)id, (void)info;
    const place *p = context;
    joiner *j = p->j;
    if (is_own(p->object, name) || is_text_of_number(&j->r[0], p->object, name)) return 0;
    attribute_form form = form_of(&j->r[0], p->object, name);
    agree(j, p->object, name, form);
    if (p->write && is_fine(j)) write_attribute(j, p->object, name, form);
    return j->w.status < 0;
}

static void visit_attributes(joiner *j, const char *object, bool write) {
    place p = {j, object, write};
    if (is_fine(j) && H5Aiterate_by_name(j->r[0].file, object, H5_INDEX_CRT_ORDER, H5_ITER_INC, NULL, visit_attribute, &p, H5P_DEFAULT) < 0)
        bnn_h5_refuse(&j->w, bnn_fail(BNN_ERR_FILE, "%s: the attributes of %s cannot be read", j->r[0].path, object));
}

/* ---- datasets ---- */

typedef struct {
    bnn_h5_kind kind;
    size_t size; /* bytes of a number in memory */
    int rank;
    hsize_t extent[H5S_MAX_RANK];
    bool is_dim, on_rows, is_text;
    char dims[4 * BNN_H5_PATH]; /* names of the dimensions, with blanks between them */
} dataset_form;

static void add_dim(void *context, int axis, hid_t scale) {
    dataset_form *f = context;
    char path[BNN_H5_PATH] = "?";
    size_t used = strlen(f->dims);
    if (scale >= 0) H5Iget_name(scale, path, sizeof path);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (axis == 0) f->on_rows = strcmp(name, rows_dim) == 0;
    snprintf(f->dims + used, sizeof f->dims - used, "%s%s", used ? " " : "", name);
}

/* How a number is read, and so written again. */
static void find_kind(dataset_form *f, hid_t type) {
    size_t size = H5Tget_size(type);
    bool real = H5Tget_class(type) == H5T_FLOAT, bits = !real && H5Tget_sign(type) == H5T_SGN_NONE;
    f->kind = real        ? size == sizeof(float) ? BNN_H5_SINGLE : BNN_H5_DOUBLE
              : f->is_dim ? BNN_H5_INT
              : size == 1 ? bits ? BNN_H5_PIXELS : BNN_H5_CODE
              : size == 4 ? BNN_H5_INT
              : bits      ? BNN_H5_U64
                          : BNN_H5_COUNT;
    f->size = f->kind == BNN_H5_INT ? sizeof(int) : size == 1 ? 1 : sizeof(double);
}

static dataset_form look(bnn_h5_reader *r, const char *object, const char *name) {
    dataset_form f = {0};
    hid_t id = H5Dopen2(r->file, object, H5P_DEFAULT), type = H5Dget_type(id), space = H5Dget_space(id);
    f.is_dim = H5DSis_scale(id) > 0;
    f.is_text = H5Tget_class(type) == H5T_STRING;
    f.rank = H5Sget_simple_extent_ndims(space);
    if (f.rank >= 0) H5Sget_simple_extent_dims(space, f.extent, NULL);
    find_kind(&f, type);
    if (f.is_dim)
        f.on_rows = strcmp(name, rows_dim) == 0;
    else if (!bnn_h5_scales(id, f.rank, add_dim, &f))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: the dimensions of %s cannot be read", r->path, object);
    H5Sclose(space), H5Tclose(type), H5Dclose(id);
    return f;
}

static size_t count_of(const dataset_form *f) {
    size_t count = 1;
    for (int i = 0; i < f->rank; i++) count *= (size_t)f->extent[i];
    return count;
}

/* All files hold the dataset with the same type, and, rows apart, the same extents. */
static bool look_at_all(joiner *j, const char *object, const char *name, dataset_form *f, size_t *count) {
    *count = 0;
    for (int i = 0; i < j->n && is_fine(j); i++) {
        if (!bnn_h5_has(&j->r[i], object)) {
            j->r[i].status =
                bnn_fail(BNN_ERR_STATE, "%s and %s do not go together: %s is in the first alone", j->r[0].path, j->r[i].path, object);
            break;
        }
        dataset_form one = look(&j->r[i], object, name);
        if (i == 0) *f = one;
        bool same = one.kind == f->kind && one.is_text == f->is_text && one.rank == f->rank && strcmp(one.dims, f->dims) == 0;
        for (int k = f->on_rows; same && k < f->rank; k++) same = one.extent[k] == f->extent[k];
        if (!same)
            j->r[i].status =
                bnn_fail(BNN_ERR_STATE, "%s and %s do not go together: %s has another size", j->r[0].path, j->r[i].path, object);
        *count += i == 0 || f->on_rows ? count_of(&one) : 0;
    }
    return is_fine(j);
}

/* The numbers of all files one behind the other, or those that all have alike; owned. */
static char *gather(joiner *j, const char *object, const char *name, const dataset_form *f, size_t count) {
    char *all = bnn_h5_room(&j->r[0], f->on_rows ? count : 2 * count, f->size), *at = all;
    for (int i = 0; all && i < j->n && is_fine(j); i++) {
        dataset_form one = look(&j->r[i], object, name);
        char *to = f->on_rows || i == 0 ? at : all + count * f->size;
        bnn_h5_get(&j->r[i], object, f->kind, count_of(&one), to);
        if (f->on_rows || i == 0)
            at += count_of(&one) * f->size;
        else if (memcmp(all, to, count * f->size) != 0)
            j->r[i].status = bnn_fail(BNN_ERR_STATE, "%s and %s do not go together: %s differs", j->r[0].path, j->r[i].path, object);
    }
    return all;
}

/* Maps of all rows, in chunks of a row. */
static void put_maps(joiner *j, const char *group, const char *name, const dataset_form *f, size_t count, const char *v) {
    int start[H5S_MAX_RANK] = {0}, extent[H5S_MAX_RANK];
    extent[0] = (int)count;
    for (int i = 1; i < f->rank; i++) extent[i] = (int)f->extent[i], extent[0] /= extent[i] > 0 ? extent[i] : 1;
    bnn_h5_put_maps(&j->w, group, name, f->kind, f->dims);
    bnn_h5_put_part(&j->w, group, name, f->kind, f->rank, start, extent, v);
}

/* Texts stand on the rows. */
static void join_texts(joiner *j, const char *group, const char *name, const char *object, size_t count) {
    char **all = bnn_h5_room(&j->r[0], count, sizeof *all);
    size_t at = 0;
    for (int i = 0; all && i < j->n && is_fine(j); i++) {
        const dataset_form f = look(&j->r[i], object, name);
        size_t n = count_of(&f);
        char **one = bnn_h5_read_texts(&j->r[i], object, (int)n);
        if (one) memcpy(all + at, one, n * sizeof *all), at += n;
        free(one);
    }
    if (all && is_fine(j)) bnn_h5_put_texts(&j->w, group, name, (int)count, all, rows_dim);
    bnn_texts_free(all, (int)at);
}

static void join_numbers(joiner *j, const char *group, const char *name, const char *object, const dataset_form *f, size_t count) {
    char *v = gather(j, object, name, f, count);
    if (is_fine(j) && v) {
        if (f->is_dim)
            bnn_h5_dim(&j->w, group, name, (int)count, f->kind, v);
        else if (strstr(f->dims, " row column"))
            put_maps(j, group, name, f, count, v);
        else
            bnn_h5_put(&j->w, group, name, f->kind, v, f->dims);
    }
    free(v);
}

static void join_dataset(joiner *j, const char *group, const char *name) {
    char object[BNN_H5_PATH];
    dataset_form f;
    size_t count;
    bnn_h5_join(object, group, name);
    if (!look_at_all(j, object, name, &f, &count)) return;
    if (f.is_text)
        join_texts(j, group, name, object, count);
    else
        join_numbers(j, group, name, object, &f, count);
    visit_attributes(j, object, true);
}

/* Dimensions first: datasets are on them. */
static void join_group(joiner *j, const char *group) {
    int n;
    char **name = is_fine(j) ? bnn_h5_members(&j->r[0], group, &n) : NULL;
    if (!name) return;
    if (strcmp(group, "/") != 0) bnn_h5_group(&j->w, group);
    visit_attributes(j, group, true);
    for (int i = 0; i < n && is_fine(j); i++) {
        char path[BNN_H5_PATH];
        bnn_h5_join(path, group, name[i]);
        if (strcmp(path, "/provenance") == 0 || strcmp(path, "/cost") == 0) continue;
        if (bnn_h5_is_group(&j->r[0], path))
            join_group(j, path);
        else
            join_dataset(j, group, name[i]);
    }
    bnn_texts_free(name, n);
}

/* ---- cost and provenance ---- */

/* Passes are as many over fewer rows; what they cost adds up. */
static bnn_cost join_costs(joiner *j) {
    bnn_cost all = {0};
    for (int i = 0; i < j->n && is_fine(j); i++) {
        bnn_cost one;
        bnn_store_get_cost(&j->r[i], "/cost", "/provenance", 1, &one);
        all.gradients = one.gradients, all.forwards = one.forwards;
        all.flops += one.flops, all.seconds_cpu += one.seconds_cpu, all.seconds_wall += one.seconds_wall;
        if (one.peak_bytes > all.peak_bytes) all.peak_bytes = one.peak_bytes;
    }
    return all;
}

static char *agreed_text(joiner *j, const char *name) {
    char *first = bnn_h5_get_text(&j->r[0], "/provenance", name);
    for (int i = 1; i < j->n && is_fine(j); i++) {
        char *other = bnn_h5_get_text(&j->r[i], "/provenance", name);
        bnn_h5_refuse(&j->w, bnn_store_must_agree(j->r[0].path, j->r[i].path, name, first, other));
        free(other);
    }
    return first;
}

static void put_provenance(joiner *j, const bnn_provenance *now) {
    bnn_provenance p = *now;
    char *data = bnn_h5_get_text(&j->r[0], "/provenance", "data_path"), *run = bnn_h5_get_text(&j->r[0], "/provenance", "run_path");
    char *data_sha256 = agreed_text(j, "data_sha256"), *run_sha256 = agreed_text(j, "run_sha256");
    p.data_path = data, p.data_sha256 = data_sha256, p.run_path = run, p.run_sha256 = run_sha256;
    if (is_fine(j)) bnn_store_put_provenance(&j->w, &p);
    free(data), free(run), free(data_sha256), free(run_sha256);
    bnn_cost cost = join_costs(j);
    bnn_h5_group(&j->w, "/cost");
    bnn_store_put_cost(&j->w, "/cost", "/provenance", 1, &cost, "");
}

/* ---- the files ---- */

static bnn_status open_all(joiner *j, int n, char *const *paths) {
    for (; j->n < n; j->n++) BNN_TRY(bnn_h5_open(&j->r[j->n], paths[j->n], "bnn-prediction"));
    return BNN_OK;
}

static void close_all(joiner *j) {
    for (int i = 0; i < j->n; i++) bnn_h5_close(&j->r[i]);
    free(j->r);
}

bnn_status bnn_prediction_merge(int n, char *const *paths, const bnn_provenance *provenance, const char *path) {
    joiner j = {.r = calloc((size_t)n, sizeof *j.r)};
    bnn_status s = j.r ? open_all(&j, n, paths) : bnn_oom("predictions");
    if (s == BNN_OK) {
        bnn_h5_create(&j.w, path);
        bnn_h5_schema(&j.w, "bnn-prediction");
        put_provenance(&j, provenance);
        join_group(&j, "/");
        is_fine(&j);
        s = bnn_h5_commit(&j.w);
    }
    close_all(&j);
    return s;
}

/* Puts a file into the place of its part. */
static bnn_status place_file(char *const *paths, int i, int part, int *file) {
    bool same;
    char where[256];
    if (file[part] < 0) return file[part] = i, BNN_OK;
    BNN_TRY(bnn_file_diff(paths[file[part]], paths[i], &same, where, sizeof where));
    return same ? BNN_OK
                : bnn_fail(BNN_ERR_STATE, "%s and %s do not go together: they are the same part, but %s", paths[file[part]], paths[i],
                           where);
}

/* Looks, before anything is written, whether the files are of one run, data and request. */
static bnn_status check(int n, char *const *paths) {
    joiner j = {.r = calloc((size_t)n, sizeof *j.r)};
    bnn_status s = j.r ? open_all(&j, n, paths) : bnn_oom("predictions");
    if (s == BNN_OK) {
        free(agreed_text(&j, "data_sha256")), free(agreed_text(&j, "run_sha256"));
        visit_attributes(&j, "/", false);
        visit_attributes(&j, "/prediction", false);
        s = is_fine(&j) ? BNN_OK : j.w.status;
    }
    close_all(&j);
    return s;
}

bnn_status bnn_prediction_parts(int n, char *const *paths, int *n_parts, int **file, bnn_makers **makers) {
    bnn_status s = BNN_OK;
    *n_parts = 0, *file = NULL, *makers = NULL;
    for (int i = 0; s == BNN_OK && i < n; i++) {
        bnn_h5_reader r;
        int part[2] = {1, 1};
        if ((s = bnn_h5_open(&r, paths[i], "bnn-prediction")) < 0) break;
        if (bnn_h5_has_attribute(&r, "/", "part")) bnn_h5_get_ints(&r, "/", "part", 2, part);
        bnn_store_add_maker(&r, makers);
        if (r.status == BNN_OK && (part[0] < 1 || part[0] > part[1] || part[1] > BNN_MOST_PARTS))
            r.status = bnn_fail(BNN_ERR_FORMAT, "%s: is part %d of %d", paths[i], part[0], part[1]);
        if (r.status == BNN_OK && *n_parts > 0 && part[1] != *n_parts)
            r.status =
                bnn_fail(BNN_ERR_STATE, "%s and %s do not go together: parts of %d and of %d", paths[0], paths[i], *n_parts, part[1]);
        if ((s = bnn_h5_close(&r)) < 0) break;
        if (!*file && !(*file = malloc((size_t)part[1] * sizeof **file))) s = bnn_oom("predictions");
        for (; s == BNN_OK && *n_parts < part[1]; ++*n_parts) (*file)[*n_parts] = -1;
        if (s == BNN_OK) s = place_file(paths, i, part[0] - 1, *file);
    }
    if (s == BNN_OK) s = check(n, paths);
    if (s == BNN_OK) return BNN_OK;
    free(*file), bnn_makers_free(*makers);
    *file = NULL, *makers = NULL;
    return s;
}
