/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "builtin.h"
#include "vtable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ADDED 256

/* The registry. With the list of plugins it is the only global state of the library. */
static struct {
    const bnn_type *type;
    bnn_type *copy;     /* owned; NULL: type is borrowed */
    const char *origin; /* borrowed; NULL: added by the program */
} added[BNN_N_KINDS][MOST_ADDED];
static int n_added[BNN_N_KINDS];

static const bnn_type *const *const builtin[BNN_N_KINDS] = {bnn_builtin_layers, bnn_builtin_engines, bnn_builtin_likelihoods,
                                                            bnn_builtin_priors, bnn_builtin_optimizers};

static int count_builtin(bnn_kind kind) {
    int n = 0;
    while (builtin[kind][n]) n++;
    return n;
}

static struct {
    const bnn_type *type, *stand_in;
} replaced[BNN_N_KINDS];

void bnn_type_stand_in(bnn_kind kind, const bnn_type *type, const bnn_type *stand_in) {
    replaced[kind].type = type;
    replaced[kind].stand_in = stand_in;
}

static const bnn_type *type_at(bnn_kind kind, int i) {
    int n = count_builtin(kind);
    const bnn_type *type = i < n ? builtin[kind][i] : i - n < n_added[kind] ? added[kind][i - n].type : NULL;
    return type && type == replaced[kind].type ? replaced[kind].stand_in : type;
}

const bnn_type *bnn_type_next(bnn_kind kind, const bnn_type *after) {
    if (!after) return type_at(kind, 0);
    for (int i = 0; type_at(kind, i); i++)
        if (type_at(kind, i) == after) return type_at(kind, i + 1);
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
    return bnn_fail(BNN_ERR_NAME, "%s '%s' exists already%s%s", bnn_kind_name(kind), twin->name, origin ? ", in " : "", origin ? origin : "");
}

static bnn_status add(bnn_kind kind, const bnn_type *type, const char *origin) {
    BNN_TRY(bnn_vtable_check(kind, type));
    const bnn_type *twin = lookup(kind, type->name);
    if (twin) return refuse_twin(kind, twin);
    int n = n_added[kind];
    if (n == MOST_ADDED)
        return bnn_fail(BNN_ERR_STATE, "no room for %s '%s': %d are added already", bnn_kind_name(kind), type->name, MOST_ADDED);
    added[kind][n].copy = NULL;
    BNN_TRY(bnn_vtable_extend(kind, type, &added[kind][n].copy));
    added[kind][n].type = added[kind][n].copy ? added[kind][n].copy : type;
    added[kind][n].origin = origin;
    n_added[kind]++;
    return BNN_OK;
}

static void remove_last(bnn_kind kind) { free(added[kind][--n_added[kind]].copy); }

bnn_status bnn_types_add_from(const char *origin, int n, const bnn_entry *entries) {
    bnn_status s = BNN_OK;
    int done = 0;
    while (done < n && (s = add(entries[done].kind, entries[done].type, origin)) == BNN_OK) done++;
    while (s < 0 && done > 0) remove_last(entries[--done].kind);
    return s;
}

bnn_status bnn_types_add(int n, const bnn_entry *entries) { return bnn_types_add_from(NULL, n, entries); }

bnn_status bnn_type_add(bnn_kind kind, const bnn_type *type) { return bnn_types_add(1, &(bnn_entry){kind, type}); }
