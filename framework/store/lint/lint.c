/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * lint.c: bnn_file_lint: gathers what is in a file and takes one rule after the other to it.
 */
#include "lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is in the file ---- */

static herr_t try_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context) {
    (void)info, (void)context;
    bnn_lint_attribute a;
    if (!bnn_lint_open(object, name, &a)) return -1;
    bnn_lint_close(&a);
    return 0;
}

static bool describe_dataset(bnn_lint_walk *w, bnn_lint_object *o) {
    hid_t space = H5Dget_space(o->id);
    o->creation = H5Dget_create_plist(o->id), o->type = H5Dget_type(o->id);
    if (space < 0 || o->creation < 0 || o->type < 0) {
        if (space >= 0) H5Sclose(space);
        return false;
    }
    o->rank = H5Sget_simple_extent_type(space) == H5S_NULL ? -1 : H5Sget_simple_extent_dims(space, o->extent, NULL);
    H5Sclose(space);
    char *class = bnn_lint_text(w, o->id, "CLASS");
    o->is_scale = class && strcmp(class, "DIMENSION_SCALE") == 0;
    free(class);
    o->dimid = bnn_lint_int(o->id, "_Netcdf4Dimid");
    return true;
}

static bool describe(bnn_lint_walk *w, bnn_lint_object *o) {
    o->kind = H5Iget_type(o->id);
    if (H5Oget_info2(o->id, &o->info, H5O_INFO_BASIC | H5O_INFO_TIME) < 0) return false;
    if (o->kind == H5I_DATASET) return describe_dataset(w, o);
    if (o->kind == H5I_GROUP) return (o->creation = H5Gget_create_plist(o->id)) >= 0;
    return true;
}

/* Ends the way of a soft link that goes through a link to another file. */
static herr_t stay(const char *parent, const char *group, const char *child, const char *object, unsigned *flags, hid_t access,
                   void *context) {
    (void)parent, (void)group, (void)child, (void)object, (void)flags, (void)access, (void)context;
    return -1;
}

static void open_object(bnn_lint_walk *w, bnn_lint_object *o, hid_t group, const char *name) {
    hid_t access = H5Pcreate(H5P_LINK_ACCESS);
    o->id = access >= 0 && H5Pset_elink_cb(access, stay, NULL) >= 0 ? H5Oopen(group, name, access) : -1;
    if (access >= 0) H5Pclose(access);
    if (o->id < 0)
        o->trouble = o->link == H5L_TYPE_HARD ? "cannot be opened" : NULL; /* what a soft link lacks is for its own rule */
    else if (!describe(w, o))
        o->trouble = "cannot be read", o->kind = H5I_BADID;
    else if (H5Aiterate2(o->id, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, try_attribute, NULL) < 0)
        o->trouble = "has attributes that cannot be read";
}

static void close_object(bnn_lint_object *o) {
    if (o->type >= 0) H5Tclose(o->type);
    if (o->creation >= 0) H5Pclose(o->creation);
    if (o->id >= 0) H5Oclose(o->id);
    free(o->path);
}

static bool add_object(bnn_lint_walk *w, int group, hid_t from, const char *name, H5L_type_t link) {
    bnn_lint_object *more = realloc(w->object, (size_t)(w->n_objects + 1) * sizeof *more);
    if (bnn_lint_lacks(w, more)) return false;
    w->object = more;
    bnn_lint_object *o = &more[w->n_objects];
    *o = (bnn_lint_object){.group = group, .link = link, .id = -1, .creation = -1, .type = -1, .kind = H5I_BADID, .dimid = -1, .rank = -1};
    if (asprintf(&o->path, "%s/%s", group > 0 ? more[group].path : "", group < 0 ? "" : name) < 0) o->path = NULL;
    if (bnn_lint_lacks(w, o->path)) return false;
    o->name = o->path + strlen(o->path) - (group < 0 ? 0 : strlen(name));
    w->n_objects++;
    if (link == H5L_TYPE_HARD || link == H5L_TYPE_SOFT) open_object(w, o, from, name);
    return true;
}

/* A group whose links are being gathered. */
typedef struct {
    bnn_lint_walk *w;
    int group;
} place;

static herr_t add_member(hid_t group, const char *name, const H5L_info_t *info, void *context) {
    const place *p = context;
    if (!add_object(p->w, p->group, group, name, info->type)) return 1;
    p->w->object[p->group].members++;
    return 0;
}

/* A group that another link leads to, too, is gone through once: what holds itself would have no end. */
static void add_members(bnn_lint_walk *w, int group) {
    for (int i = 0; i < group; i++)
        if (w->object[i].kind == H5I_GROUP && w->object[i].info.addr == w->object[group].info.addr) return;
    w->object[group].first = w->n_objects;
    if (H5Literate(w->object[group].id, H5_INDEX_NAME, H5_ITER_INC, NULL, add_member, &(place){w, group}) < 0)
        w->object[group].trouble = "holds links that cannot be read";
}

static int find_scale(const bnn_lint_walk *w, int group, haddr_t address) {
    for (int g = group; g >= 0; g = w->object[g].group)
        for (int i = w->object[g].first; i < w->object[g].first + w->object[g].members; i++)
            if (w->object[i].is_scale && w->object[i].info.addr == address) return i;
    return -1;
}

/* A dataset whose scales are being gathered. */
typedef struct {
    const bnn_lint_walk *w;
    bnn_lint_object *o;
} variable;

static void add_scale(void *context, int axis, hid_t scale) {
    const variable *v = context;
    bnn_lint_object *o = v->o;
    H5O_info_t info;
    bool found = scale >= 0 && H5Oget_info2(scale, &info, H5O_INFO_BASIC) >= 0;
    o->n_scales[axis] = found && o->n_scales[axis] >= 0 ? o->n_scales[axis] + 1 : -1;
    if (found && o->scale[axis] < 0) o->scale[axis] = find_scale(v->w, o->group, info.addr);
}

static void add_scales(const bnn_lint_walk *w, bnn_lint_object *o) {
    for (int i = 0; i < o->rank; i++) o->scale[i] = -1;
    bool read = bnn_h5_scales(o->id, o->rank, add_scale, &(variable){w, o});
    for (int i = 0; !read && i < o->rank; i++) o->n_scales[i] = -1;
}

static void gather(bnn_lint_walk *w, hid_t file) {
    if (!add_object(w, -1, file, "/", H5L_TYPE_HARD)) return;
    for (int i = 0; i < w->n_objects && w->status == BNN_OK; i++)
        if (w->object[i].kind == H5I_GROUP) add_members(w, i);
    for (int i = 0; i < w->n_objects; i++)
        if (w->object[i].kind == H5I_DATASET && !w->object[i].is_scale) add_scales(w, &w->object[i]);
}

/* ---- the rules ---- */

static bool is_about(const bnn_lint_rule *rule, const bnn_lint_object *o) {
    switch (rule->of) {
    case BNN_LINT_FILE: return o->group < 0 && o->kind == H5I_GROUP;
    case BNN_LINT_LINK: return true;
    case BNN_LINT_OBJECT: return o->kind == H5I_GROUP || o->kind == H5I_DATASET;
    case BNN_LINT_GROUP: return o->kind == H5I_GROUP;
    case BNN_LINT_DATASET: return o->kind == H5I_DATASET;
    case BNN_LINT_DIMENSION: return o->is_scale;
    case BNN_LINT_VARIABLE: return o->kind == H5I_DATASET && !o->is_scale;
    case BNN_LINT_ATTRIBUTE: break;
    }
    return false;
}

static const bnn_lint_rules *const tables[] = {&bnn_lint_layout, &bnn_lint_values, &bnn_lint_inferencedata};
enum { N_TABLES = sizeof tables / sizeof *tables };

static void check_attribute(bnn_lint_walk *w, const bnn_lint_object *o, const bnn_lint_attribute *a) {
    for (int i = 0; i < N_TABLES; i++)
        for (int k = 0; k < tables[i]->n; k++)
            if ((w->rule = &tables[i]->rule[k])->of == BNN_LINT_ATTRIBUTE) w->rule->check_attribute(w, o, a);
}

/* An object whose attributes are looked at. */
typedef struct {
    bnn_lint_walk *w;
    const bnn_lint_object *object;
} owner;

static herr_t take_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context) {
    (void)info;
    const owner *of = context;
    char *where;
    bnn_lint_attribute a;
    if (!bnn_lint_open(object, name, &a)) return 0; /* was found when it was tried */
    if (asprintf(&where, "attribute '%s' of %s", name, of->object->path) < 0) where = NULL;
    if (!bnn_lint_lacks(of->w, where)) {
        of->w->where = where;
        check_attribute(of->w, of->object, &a);
    }
    free(where);
    bnn_lint_close(&a);
    return of->w->status < 0;
}

static void check_object(bnn_lint_walk *w, const bnn_lint_object *o) {
    w->where = o->path;
    for (int i = 0; i < N_TABLES; i++)
        for (int k = 0; k < tables[i]->n; k++)
            if (is_about(w->rule = &tables[i]->rule[k], o)) w->rule->check(w, o);
    if (o->id >= 0) H5Aiterate2(o->id, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, take_attribute, &(owner){w, o});
}

void bnn_lint_free(bnn_lint *lint) {
    if (!lint) return;
    for (int i = 0; i < lint->n_findings; i++) free(lint->finding[i]);
    free(lint->finding);
    free(lint);
}

bnn_status bnn_file_lint(const char *path, bnn_lint **out) {
    bnn_h5_reader r;
    *out = NULL;
    BNN_TRY(bnn_h5_open_unchecked(&r, path));
    bnn_lint_walk w = {.file = path, .lint = calloc(1, sizeof *w.lint)};
    if (!bnn_lint_lacks(&w, w.lint)) gather(&w, r.file);
    for (int i = 0; w.status == BNN_OK && i < w.n_objects; i++) check_object(&w, &w.object[i]);
    for (int i = 0; w.lint && i < N_TABLES; i++) w.lint->n_rules += tables[i]->n;
    if (w.lint) w.lint->n_objects = w.n_objects;
    for (int i = w.n_objects - 1; i >= 0; i--) close_object(&w.object[i]);
    free(w.object);
    bnn_h5_close(&r);
    if (w.status < 0)
        bnn_lint_free(w.lint);
    else
        *out = w.lint;
    return w.status;
}
