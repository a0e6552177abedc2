/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * look.c: what rules share: how they say what they find, and how they look at attributes and dimensions.
 */
#include "lint.h"

#include <bnn/escape.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool bnn_lint_lacks(bnn_lint_walk *w, const void *room) {
    if (!room && w->status == BNN_OK) w->status = bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its lint", w->file);
    return !room;
}

static void add_finding(bnn_lint_walk *w, char *sentence) {
    bnn_lint *l = w->lint;
    char **more = sentence ? realloc(l->finding, (size_t)(l->n_findings + 1) * sizeof *more) : NULL;
    if (bnn_lint_lacks(w, more)) {
        free(sentence);
        return;
    }
    l->finding = more;
    l->finding[l->n_findings++] = sentence;
}

/* Names may hold anything; a finding is one line. Frees sentence; NULL: out of memory. */
static char *in_one_line(char *sentence) {
    size_t room = sentence ? 4 * strlen(sentence) + 1 : 0;
    char *line = sentence ? malloc(room) : NULL;
    if (line) bnn_escape(sentence, line, room);
    free(sentence);
    return line;
}

void bnn_lint_find(bnn_lint_walk *w, const char *format, ...) {
    char *found = NULL, *sentence = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&found, format, args) < 0) found = NULL;
    va_end(args);
    if (found && asprintf(&sentence, "%s: %s: %s", w->where, found, w->rule->text) < 0) sentence = NULL;
    free(found);
    add_finding(w, in_one_line(sentence));
}

void bnn_lint_close(bnn_lint_attribute *a) {
    if (a->type >= 0) H5Tclose(a->type);
    if (a->id >= 0) H5Aclose(a->id);
}

bool bnn_lint_open(hid_t object, const char *name, bnn_lint_attribute *a) {
    *a = (bnn_lint_attribute){.name = name, .id = H5Aopen(object, name, H5P_DEFAULT), .type = -1};
    hid_t space = a->id < 0 ? -1 : H5Aget_space(a->id);
    hssize_t n = -1;
    if (space >= 0) n = H5Sget_simple_extent_npoints(space), a->rank = H5Sget_simple_extent_ndims(space), H5Sclose(space);
    if (n >= 0) a->n = (hsize_t)n, a->type = H5Aget_type(a->id);
    if (a->type < 0) bnn_lint_close(a);
    return a->type >= 0;
}

static char *read_text(bnn_lint_walk *w, hid_t attribute, hid_t type) {
    char *text = NULL;
    if (H5Tis_variable_str(type) > 0) return H5Aread(attribute, type, &text) < 0 ? NULL : text; /* HDF5 allocates it with malloc */
    text = calloc(H5Tget_size(type) + 1, 1);
    if (!bnn_lint_lacks(w, text) && H5Aread(attribute, type, text) >= 0) return text;
    free(text);
    return NULL;
}

/* An attribute of one entry of this class; closed by the caller if there is one. */
static bool open_one(hid_t object, const char *name, H5T_class_t class, bnn_lint_attribute *a) {
    if (H5Aexists(object, name) <= 0 || !bnn_lint_open(object, name, a)) return false;
    if (a->n == 1 && H5Tget_class(a->type) == class) return true;
    bnn_lint_close(a);
    return false;
}

char *bnn_lint_text(bnn_lint_walk *w, hid_t object, const char *attribute) {
    bnn_lint_attribute a;
    if (!open_one(object, attribute, H5T_STRING, &a)) return NULL;
    char *text = read_text(w, a.id, a.type);
    bnn_lint_close(&a);
    return text;
}

int bnn_lint_int(hid_t object, const char *attribute) {
    bnn_lint_attribute a;
    int value;
    if (!open_one(object, attribute, H5T_INTEGER, &a)) return -1;
    if (H5Aread(a.id, H5T_NATIVE_INT, &value) < 0) value = -1;
    bnn_lint_close(&a);
    return value;
}

int bnn_lint_member(const bnn_lint_walk *w, int group, const char *name) {
    const bnn_lint_object *g = &w->object[group];
    for (int i = g->first; i < g->first + g->members; i++)
        if (strcmp(w->object[i].name, name) == 0) return i;
    return -1;
}

/* Values from .. from + n of a 1-D dataset. */
static bool read_part(const bnn_lint_object *o, hsize_t from, hsize_t n, double *out) {
    hid_t file = H5Dget_space(o->id), memory = H5Screate_simple(1, &n, NULL);
    bool read = !bnn_h5_leads_out(o->id) && H5Sselect_hyperslab(file, H5S_SELECT_SET, &from, NULL, &n, NULL) >= 0 &&
                H5Dread(o->id, H5T_NATIVE_DOUBLE, memory, file, H5P_DEFAULT, out) >= 0;
    H5Sclose(file), H5Sclose(memory);
    return read;
}

bool bnn_lint_same_dimension(const bnn_lint_object *a, const bnn_lint_object *b) {
    enum { PART = 1024, MOST = 1 << 24 };
    if (a->rank != 1 || b->rank != 1 || a->extent[0] != b->extent[0]) return false;
    if (a->info.addr == b->info.addr || a->extent[0] > MOST) return true;
    for (hsize_t from = 0; from < a->extent[0]; from += PART) {
        double x[PART], y[PART];
        hsize_t n = a->extent[0] - from < PART ? a->extent[0] - from : PART;
        if (!read_part(a, from, n, x) || !read_part(b, from, n, y) || memcmp(x, y, n * sizeof *x) != 0) return false;
    }
    return true;
}
