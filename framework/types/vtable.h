/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vtable.h (private): what each kind of type demands of its vtables, and vtables that come from outside, made of another version of the headers maybe.
 */
#ifndef BNN_VTABLE_H
#define BNN_VTABLE_H

#include <bnn/registry.h>

/* A hook by its place in the vtable. */
typedef struct {
    const char *name; /* NULL ends a list */
    size_t offset;
} bnn_hook;

#define BNN_HOOK(vtable, hook) \
    { #hook, offsetof(vtable, hook) }

/* The rules of a kind. Each stands in the room of its contract, meson puts their list together. */
typedef struct {
    const char *name;                           /* of the kind */
    size_t size;                                /* of this library's vtable */
    const bnn_hook *required;                   /* hooks that every type has */
    const char *(*lacks)(const bnn_type *type); /* a hook that is missing without or beside others; may be NULL */
} bnn_contract;
extern const bnn_contract *const bnn_contracts[BNN_N_KINDS];

/* Says whether a vtable, of any size, has a hook. */
bool bnn_vtable_has(const bnn_type *type, size_t offset);

/* Says whether this library can call the vtable (registry.h, bnn_types_add); the sentence says what is missing. */
bnn_status bnn_vtable_check(bnn_kind kind, const bnn_type *type);

/* Extends a vtable that is shorter than this library's: *copy, owned, has NULL for the hooks that it lacks. Else *copy stays. */
bnn_status bnn_vtable_extend(bnn_kind kind, const bnn_type *type, bnn_type **copy);

/* bnn_types_add, of types that come from somewhere: origin, borrowed for ever, is told where a name is taken. in_place: none is; a type takes
 * the place of the one of its name. */
bnn_status bnn_types_add_from(const char *origin, bool in_place, int n, const bnn_entry *entries);

#endif
