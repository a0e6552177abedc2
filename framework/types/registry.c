/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "builtin.h"
#include "vtable.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ADDED 256

/* The registry. With the list of plugins it is the only global state of the library. */
static struct {
    const bnn_type *type;
    bnn_type *copy;            /* owned; NULL: type is borrowed */
    const char *origin;        /* borrowed; NULL: added by the program */
    const bnn_type *displaced; /* the one of its name that it takes the place of; NULL: none */
} added[BNN_N_KINDS][MOST_ADDED];
static int n_added[BNN_N_KINDS];

static const bnn_type *const *const builtin[BNN_N_KINDS] = {bnn_builtin_layers, bnn_builtin_engines, bnn_builtin_likelihoods,
                                                            bnn_builtin_priors, bnn_builtin_optimizers};

static struct { const bnn_type *type, *stand_in; } replaced[BNN_N_KINDS];

void bnn_type_stand_in(bnn_kind kind, const bnn_type *type, const bnn_type *stand_in) {
    replaced[kind].type = type;
    replaced[kind].stand_in = stand_in;
}

static bool is_displaced(bnn_kind kind, const bnn_type *type) {
    for (int i = 0; i < n_added[kind]; i++)
        if (added[kind][i].displaced == type) return true;
    return false;
}

/* Passes over what is displaced; true: this one comes after the one that *past waits for. */
static bool comes_next(bnn_kind kind, const bnn_type *after, bool *past, const bnn_type **type) {
    if (is_displaced(kind, *type)) return false;
    if (*type == replaced[kind].type) *type = replaced[kind].stand_in;
    if (*past) return true;
    *past = *type == after;
    return false;
}

const bnn_type *bnn_type_next(bnn_kind kind, const bnn_type *after) {
    const bnn_type *type;
    bool past = !after;
    for (int i = 0; (type = builtin[kind][i]); i++)
        if (comes_next(kind, after, &past, &type)) return type;
    for (int i = 0; i < n_added[kind]; i++)
        if (type = added[kind][i].type, comes_next(kind, after, &past, &type)) return type;
    return NULL;
}

static const bnn_type *lookup(bnn_kind kind, const char *name) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));)
        if (strcmp(t->name, name) == 0) return t;
    return NULL;
}

bnn_status bnn_type_find(bnn_kind kind, const char *name, const bnn_type **out) {
    *out = lookup(kind, name);
    if (*out) return BNN_OK;
    char known[768] = "";
    for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));) bnn_list_add(known, sizeof known, t->name);
    return bnn_fail(BNN_ERR_NAME, "unknown %s '%s': there are %s", bnn_kind_name(kind), name, known);
}

/* Where a type that was added came from; NULL: it is the library's own, or the program's. */
static const char *origin_of(bnn_kind kind, const bnn_type *type) {
    for (int i = 0; i < n_added[kind]; i++)
        if (added[kind][i].type == type) return added[kind][i].origin;
    return NULL;
}

static bnn_status refuse_twin(bnn_kind kind, const bnn_type *twin) {
    const char *origin = origin_of(kind, twin);
    return bnn_fail(BNN_ERR_NAME, "%s '%s' exists already%s%s", bnn_kind_name(kind), twin->name, origin ? ", in " : "",
                    origin ? origin : "");
}

static bnn_status add(bnn_kind kind, const bnn_type *type, const char *origin, bool in_place) {
    BNN_TRY(bnn_vtable_check(kind, type));
    const bnn_type *twin = lookup(kind, type->name);
    if (twin && !(in_place && origin_of(kind, twin) != origin)) return refuse_twin(kind, twin);
    int n = n_added[kind];
    if (n == MOST_ADDED)
        return bnn_fail(BNN_ERR_STATE, "no room for %s '%s': %d are added already", bnn_kind_name(kind), type->name, MOST_ADDED);
    added[kind][n].copy = NULL;
    BNN_TRY(bnn_vtable_extend(kind, type, &added[kind][n].copy));
    added[kind][n].type = added[kind][n].copy ? added[kind][n].copy : type;
    added[kind][n].origin = origin;
    added[kind][n].displaced = twin;
    n_added[kind]++;
    return BNN_OK;
}

static void remove_last(bnn_kind kind) { free(added[kind][--n_added[kind]].copy); }

bnn_status bnn_types_add_from(const char *origin, bool in_place, int n, const bnn_entry *entries) {
    bnn_status s = BNN_OK;
    int done = 0;
    while (done < n && (s = add(entries[done].kind, entries[done].type, origin, in_place)) == BNN_OK) done++;
    while (s < 0 && done > 0) remove_last(entries[--done].kind);
    return s;
}

bnn_status bnn_types_add(int n, const bnn_entry *entries) { return bnn_types_add_from(NULL, false, n, entries); }

bnn_status bnn_type_add(bnn_kind kind, const bnn_type *type) { return bnn_types_add(1, &(bnn_entry){kind, type}); }
