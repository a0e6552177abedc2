/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * schema.c: the group /schema of data and run files: what the columns of the file that a table came from mean; and the texts that rows are
 * known by.
 */
#include "base/word.h"
#include "store/parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char group[] = "/schema";

enum { N_ROLES = BNN_COLUMN_WEIGHT + 1, N_KINDS = BNN_COLUMN_TEXT + 1 };
static const char roles[] = "feature target id weight", kinds[] = "number levels text"; /* in the order of their enumerators */

static const char *const headers[] = {[BNN_HEADER_GUESS] = "guess", [BNN_HEADER_YES] = "yes", [BNN_HEADER_NO] = "no", NULL};
static const char *const missings[] = {[BNN_MISSING_REFUSE] = "refuse", [BNN_MISSING_DROP] = "drop", [BNN_MISSING_MEAN] = "mean", NULL};

static int count_levels(const bnn_schema *s) {
    int n = 0;
    for (int c = 0; c < s->n; c++) n += s->column[c].n_levels;
    return n;
}

/* ---- writing ---- */

/* Numbers of every column, in the file's types; name, unit and level are borrowed from the schema. */
typedef struct {
    int8_t *role, *kind, *by_size, *indicator;
    int *n_levels, *place;
    double *fill;
    char **name, **unit;
    char **level; /* of all columns, one column after the other */
} columns;

static void columns_free(columns *c) {
    free(c->role), free(c->kind), free(c->by_size), free(c->indicator);
    free(c->n_levels), free(c->place), free(c->fill), free(c->name), free(c->unit), free(c->level);
}

static bool columns_new(const bnn_schema *s, columns *out) {
    size_t n = (size_t)s->n + 1;
    *out = (columns){.role = malloc(n), .kind = malloc(n), .by_size = malloc(n), .indicator = malloc(n)};
    out->n_levels = malloc(n * sizeof *out->n_levels), out->place = malloc(n * sizeof *out->place);
    out->fill = malloc(n * sizeof *out->fill);
    out->name = malloc(n * sizeof *out->name), out->unit = malloc(n * sizeof *out->unit);
    out->level = malloc(((size_t)count_levels(s) + 1) * sizeof *out->level);
    return out->role && out->kind && out->by_size && out->indicator && out->n_levels && out->place && out->fill && out->name && out->unit &&
           out->level;
}

static void fill_columns(const bnn_schema *s, columns *to) {
    char **level = to->level;
    for (int c = 0; c < s->n; c++) {
        const bnn_schema_column *from = &s->column[c];
        to->role[c] = (int8_t)from->role, to->kind[c] = (int8_t)from->kind;
        to->by_size[c] = from->by_size, to->indicator[c] = from->indicator;
        to->n_levels[c] = from->n_levels, to->place[c] = from->place, to->fill[c] = from->fill;
        to->name[c] = from->name, to->unit[c] = from->unit;
        for (int l = 0; l < from->n_levels; l++) *level++ = from->level[l];
    }
}

static void put_code(bnn_h5_writer *w, const char *name, const int8_t *code, int n_meanings, const char *meanings) {
    static const int values[] = {0, 1, 2, 3};
    char path[BNN_H5_PATH];
    bnn_h5_put(w, group, name, BNN_H5_CODE, code, "field");
    bnn_h5_ints(w, bnn_h5_join(path, group, name), "flag_values", n_meanings, values);
    bnn_h5_text(w, path, "flag_meanings", meanings);
}

static void put_truth(bnn_h5_writer *w, const char *name, const int8_t *truth) {
    char path[BNN_H5_PATH];
    bnn_h5_put(w, group, name, BNN_H5_CODE, truth, "field");
    bnn_h5_text(w, bnn_h5_join(path, group, name), "dtype", "bool");
}

static bool has_units(const bnn_schema *s) {
    for (int c = 0; c < s->n; c++)
        if (s->column[c].unit) return true;
    return false;
}

static void put_columns(bnn_h5_writer *w, const bnn_schema *s, const columns *c) {
    int n_levels = count_levels(s);
    bnn_h5_dim(w, group, "field", s->n, BNN_H5_INT, NULL);
    bnn_h5_texts(w, "/schema/field", "labels", s->n, c->name);
    if (has_units(s)) bnn_h5_texts(w, "/schema/field", "column_units", s->n, c->unit);
    put_code(w, "role", c->role, N_ROLES, roles);
    put_code(w, "kind", c->kind, N_KINDS, kinds);
    put_truth(w, "by_size", c->by_size);
    put_truth(w, "indicator", c->indicator);
    bnn_h5_put(w, group, "fill", BNN_H5_DOUBLE, c->fill, "field");
    bnn_h5_put(w, group, "n_levels", BNN_H5_INT, c->n_levels, "field");
    bnn_h5_put(w, group, "place", BNN_H5_INT, c->place, "field");
    if (n_levels == 0) return;
    bnn_h5_dim(w, group, "level", n_levels, BNN_H5_INT, NULL);
    bnn_h5_texts(w, "/schema/level", "labels", n_levels, c->level);
}

/* Attributes that say how the file was read: marks, "" where there is none, and words. */
static void put_reading(bnn_h5_writer *w, const bnn_schema *s) {
    bnn_h5_text(w, group, "decimal", (const char[]){s->decimal, '\0'});
    bnn_h5_text(w, group, "thousands", (const char[]){s->thousands, '\0'});
    bnn_h5_text(w, group, "delimiter", (const char[]){s->delimiter, '\0'});
    bnn_h5_text(w, group, "na", s->na);
    bnn_h5_text(w, group, "comment", s->comment);
    bnn_h5_text(w, group, "header", headers[s->header]);
    bnn_h5_text(w, group, "missing", missings[s->missing]);
    bnn_h5_ints(w, group, "columns", 1, &s->cols);
}

void bnn_store_put_schema(bnn_h5_writer *w, const bnn_schema *s) {
    columns c;
    if (!s) return;
    bnn_h5_group(w, group);
    put_reading(w, s);
    if (columns_new(s, &c)) {
        fill_columns(s, &c);
        put_columns(w, s, &c);
    } else
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for a schema", w->path));
    columns_free(&c);
}

/* ---- reading ---- */

static char *get_text(bnn_h5_reader *r, const char *name) {
    char *text = bnn_h5_get_text(r, group, name);
    if (text && *text) return text;
    free(text);
    return NULL;
}

static char get_mark(bnn_h5_reader *r, const char *name) {
    char *text = get_text(r, name), mark = text ? *text : '\0';
    free(text);
    return mark;
}

/* The number of an attribute's word in a list. */
static int get_word(bnn_h5_reader *r, const char *name, const char *const list[]) {
    char *text = bnn_h5_get_text(r, group, name);
    int i = 0;
    while (text && list[i] && strcmp(list[i], text) != 0) i++;
    if (text && !list[i])
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: attribute '%s' of %s is '%s', not %s, %s or %s", r->path, name, group, text, list[0],
                             list[1], list[2]);
    free(text);
    return r->status < 0 ? 0 : i;
}

static void get_reading(bnn_h5_reader *r, bnn_schema *s) {
    s->decimal = get_mark(r, "decimal"), s->thousands = get_mark(r, "thousands"), s->delimiter = get_mark(r, "delimiter");
    s->na = get_text(r, "na"), s->comment = get_text(r, "comment");
    s->header = (bnn_header)get_word(r, "header", headers), s->missing = (bnn_missing)get_word(r, "missing", missings);
    s->cols = bnn_h5_get_int(r, group, "columns");
}

static void get_numbers(bnn_h5_reader *r, int n, columns *c) {
    const struct {
        const char *path;
        bnn_h5_kind kind;
        size_t size;
        void *out;
    } list[] = {{"/schema/role", BNN_H5_CODE, 1, &c->role},
                {"/schema/kind", BNN_H5_CODE, 1, &c->kind},
                {"/schema/by_size", BNN_H5_CODE, 1, &c->by_size},
                {"/schema/indicator", BNN_H5_CODE, 1, &c->indicator},
                {"/schema/fill", BNN_H5_DOUBLE, sizeof(double), &c->fill},
                {"/schema/n_levels", BNN_H5_INT, sizeof(int), &c->n_levels},
                {"/schema/place", BNN_H5_INT, sizeof(int), &c->place}};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        void *numbers = bnn_h5_room(r, (size_t)n, list[i].size);
        if (numbers) bnn_h5_get(r, list[i].path, list[i].kind, (size_t)n, numbers);
        memcpy(list[i].out, &numbers, sizeof numbers);
    }
}

/* Names a number that no writer writes; NULL: all are right. `left` levels are not yet a column's. */
static const char *wrong_number(const columns *from, int c, int cols, int left) {
    if (from->role[c] < 0 || from->role[c] >= N_ROLES) return "role";
    if (from->kind[c] < 0 || from->kind[c] >= N_KINDS) return "kind";
    if (!isfinite(from->fill[c])) return "fill";
    if (from->place[c] < 0 || from->place[c] > cols) return "place";
    bool fits = from->n_levels[c] >= 0 && from->n_levels[c] <= left;
    return fits && (from->n_levels[c] > 0) == (from->kind[c] == BNN_COLUMN_LEVELS) ? NULL : "n_levels";
}

static void check_column(bnn_h5_reader *r, const columns *from, int c, int cols, int left) {
    const char *wrong = r->status == BNN_OK ? wrong_number(from, c, cols, left) : NULL;
    if (wrong) r->status = bnn_fail(BNN_ERR_FORMAT, "%s: entry %d of /schema/%s is not one that a column can have", r->path, c, wrong);
}

/* Fills column c, whose levels begin at `first`: its texts move into it. */
static void get_column(bnn_h5_reader *r, columns *from, int c, bnn_schema_column *to, int first) {
    to->role = (bnn_column_role)from->role[c], to->kind = (bnn_column_kind)from->kind[c];
    to->by_size = from->by_size[c], to->indicator = from->indicator[c], to->fill = from->fill[c];
    to->place = from->place[c];
    to->name = from->name[c], from->name[c] = NULL;
    if (from->unit && *from->unit[c]) to->unit = from->unit[c], from->unit[c] = NULL;
    to->level = from->n_levels[c] ? bnn_h5_room(r, (size_t)from->n_levels[c], sizeof *to->level) : NULL;
    if (!to->level) return;
    to->n_levels = from->n_levels[c];
    for (int l = 0; l < to->n_levels; l++) to->level[l] = from->level[first + l], from->level[first + l] = NULL;
}

static void get_columns(bnn_h5_reader *r, bnn_schema *s, int n) {
    columns c = {0};
    int used = 0, n_levels = bnn_h5_has(r, "/schema/level") ? bnn_h5_length(r, "/schema/level") : 0;
    get_numbers(r, n, &c);
    c.name = bnn_h5_get_texts(r, "/schema/field", "labels", n);
    if (bnn_h5_has_attribute(r, "/schema/field", "column_units")) c.unit = bnn_h5_get_texts(r, "/schema/field", "column_units", n);
    if (n_levels > 0) c.level = bnn_h5_get_texts(r, "/schema/level", "labels", n_levels);
    s->column = bnn_h5_room(r, (size_t)n, sizeof *s->column);
    for (int i = 0; i < n; i++) {
        check_column(r, &c, i, s->cols, n_levels - used);
        if (r->status < 0) break;
        get_column(r, &c, i, &s->column[s->n++], used);
        used += s->column[i].n_levels;
    }
    if (r->status == BNN_OK && used != n_levels)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: /schema/n_levels has %d levels, /schema/level %d", r->path, used, n_levels);
    bnn_texts_free(c.name, n), bnn_texts_free(c.unit, n), bnn_texts_free(c.level, n_levels);
    c.name = c.unit = c.level = NULL;
    columns_free(&c);
}

bnn_schema *bnn_store_get_schema(bnn_h5_reader *r, int x_size) {
    if (!bnn_h5_has(r, group)) return NULL;
    bnn_schema *s = bnn_h5_room(r, 1, sizeof *s);
    if (!s) return NULL;
    get_reading(r, s);
    get_columns(r, s, bnn_h5_length(r, "/schema/field"));
    int width = bnn_schema_width(s, BNN_COLUMN_FEATURE);
    if (r->status == BNN_OK && width != x_size)
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: /schema makes %d columns of features, the file has %d", r->path, width, x_size);
    if (r->status == BNN_OK) return s;
    bnn_schema_free(s);
    return NULL;
}

bnn_status bnn_schema_load(const char *path, bnn_schema **out) {
    *out = NULL;
    bnn_h5_reader r;
    BNN_TRY(bnn_h5_open(&r, path, "bnn-data|bnn-run|bnn-model"));
    const char *feature = bnn_h5_has(&r, "/scaling/feature") ? "/scaling/feature" : "/feature";
    bnn_schema *s = bnn_h5_has(&r, group) ? bnn_store_get_schema(&r, bnn_h5_length(&r, feature)) : NULL;
    if (r.status == BNN_OK && !s)
        r.status =
            bnn_fail(BNN_ERR_DATA, "%s: does not say what columns of text mean: it was made of other data, or by an older bnn", path);
    bnn_status status = bnn_h5_close(&r);
    if (status < 0)
        bnn_schema_free(s);
    else
        *out = s;
    return status;
}

/* ---- ids ---- */

/* Names of datasets, which hdf5r wants of plain letters; that of the column is their long_name. */
enum { ID_NAME = 24 };

static const char *id_name(int k, char name[ID_NAME]) {
    snprintf(name, ID_NAME, "id_%d", k);
    return name;
}

/* By this attribute of the group xarray takes them for coordinates. */
static void put_coordinates(bnn_h5_writer *w, const char *at, int n) {
    char *text, name[ID_NAME];
    FILE *out = bnn_text_open(&text, NULL);
    for (int k = 0; out && k < n; k++) fprintf(out, "%s%s", k ? " " : "", id_name(k, name));
    if (out && bnn_text_close(out, &text))
        bnn_h5_text(w, at, "coordinates", text);
    else
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for ids", w->path));
    free(text);
}

void bnn_store_put_ids(bnn_h5_writer *w, const char *at, const bnn_table *t, int n, const int *rows) {
    char path[BNN_H5_PATH], name[ID_NAME];
    if (t->n_ids == 0) return;
    char **ids = malloc(((size_t)n + 1) * sizeof *ids);
    if (!ids) {
        bnn_h5_refuse(w, bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for ids", w->path));
        return;
    }
    put_coordinates(w, at, t->n_ids);
    for (int k = 0; k < t->n_ids; k++) {
        char **column = t->ids + (size_t)k * (size_t)t->n;
        for (int i = 0; i < n; i++) ids[i] = column[rows ? rows[i] : i];
        bnn_h5_put_texts(w, at, id_name(k, name), n, ids, "obs_id");
        bnn_h5_text(w, bnn_h5_join(path, at, name), "long_name", t->id_names[k]);
    }
    free(ids);
}

static int count_ids(bnn_h5_reader *r) {
    char name[ID_NAME], path[BNN_H5_PATH];
    int n = 0;
    while (bnn_h5_has(r, bnn_h5_join(path, "/", id_name(n, name)))) n++;
    return n;
}

void bnn_store_get_ids(bnn_h5_reader *r, bnn_table *t) {
    char name[ID_NAME], path[BNN_H5_PATH];
    size_t n = (size_t)t->n;
    int count = count_ids(r);
    if (bnn_h5_has_attribute(r, "/obs_id", "id_names"))
        r->status = bnn_fail(BNN_ERR_FORMAT, "%s: its ids are those of an older bnn: import the table again", r->path);
    if (count == 0) return;
    t->id_names = bnn_h5_room(r, (size_t)count, sizeof *t->id_names);
    t->ids = bnn_h5_room(r, (size_t)count * n, sizeof *t->ids);
    t->n_ids = t->id_names && t->ids ? count : 0;
    for (int k = 0; k < t->n_ids; k++) {
        bnn_h5_join(path, "/", id_name(k, name));
        char **column = bnn_h5_read_texts(r, path, t->n);
        if (column) memcpy(t->ids + (size_t)k * n, column, n * sizeof *column);
        free(column);
        t->id_names[k] = bnn_h5_get_text(r, path, "long_name");
    }
}
