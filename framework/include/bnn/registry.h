/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * registry.h: the types of each kind, by name.
 *
 * Every vtable begins with a bnn_type, so one registry and one parser (option.h) serve layers, engines, likelihoods, priors and optimisers
 * alike.
 */
#ifndef BNN_REGISTRY_H
#define BNN_REGISTRY_H

#include <bnn/option.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The head of every vtable. Static storage: a type is never freed. */
struct bnn_type {
    uint32_t abi;              /* BNN_ABI */
    uint32_t size;             /* of the whole vtable, whose hooks are appended only: see bnn_types_add */
    const char *name;          /* REQUIRED: as in spec texts, unique within the kind */
    const char *summary;       /* REQUIRED: one line for `bnn list` */
    const char *reference;     /* paper and equation */
    uint32_t caps;             /* bits, by kind */
    size_t conf_size;          /* bytes of the struct that options are read into */
    const bnn_option *options; /* its table; NULL: there are none */
    const char *const *checks; /* REQUIRED: specs to test this type with, NULL-terminated */
};

/* The first two fields of a vtable's head. */
#define BNN_TYPE(vtable) .abi = BNN_ABI, .size = sizeof(vtable)

const char *bnn_kind_name(bnn_kind kind); /* "layer", "engine", ... */

bool bnn_is_word(const char *text); /* of the network language, as every name: a letter or _, then letters, digits and _ */

/* Finds a type by name; the failure's sentence lists the names there are. */
bnn_status bnn_type_find(bnn_kind kind, const char *name, const bnn_type **out);

/* Walks the types of a kind in registration order: NULL begins, NULL ends. */
const bnn_type *bnn_type_next(bnn_kind kind, const bnn_type *after);

/* A type with its kind. */
typedef struct {
    bnn_kind kind;        /* says what the vtable is */
    const bnn_type *type; /* head of the vtable */
} bnn_entry;

/* Adds types: all, or none. Refused are a name that the kind has already or that is no word of the network language, another ABI, and what
 * is missing: summary, check specs, a REQUIRED hook; and options outside of conf. A vtable that is shorter than this library's, of an older
 * header, has none of the later hooks: what is registered then is a copy of full length, so that nobody else looks at size. One that is
 * longer, of a newer header, is taken if it uses none of the hooks that this library would not call. Types are borrowed for ever: they are
 * never removed. Not thread-safe. */
bnn_status bnn_types_add(int n, const bnn_entry *entries);
bnn_status bnn_type_add(bnn_kind kind, const bnn_type *type); /* one of them */

/* Lets another vtable stand in for a registered type of the same name from now on: for programs that look at what passes between the library
 * and the type. One of each kind may stand in at a time: the next takes its place. Objects that were made before keep the type that they have.
 * Both are borrowed; not thread-safe. */
void bnn_type_stand_in(bnn_kind kind, const bnn_type *type, const bnn_type *stand_in);

#ifdef __cplusplus
}
#endif

#endif
