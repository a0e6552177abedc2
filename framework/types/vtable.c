/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "vtable.h"

#include "base/word.h"

#include <stdlib.h>
#include <string.h>

const char *bnn_kind_name(bnn_kind kind) { return bnn_contracts[kind]->name; }

bool bnn_is_word(const char *text) {
    if (!bnn_is_letter(*text)) return false;
    while (bnn_is_of_word(*text)) text++;
    return !*text;
}

bool bnn_vtable_has(const bnn_type *type, size_t offset) {
    void (*f)(void) = NULL;
    if (offset + sizeof f <= type->size) memcpy(&f, (const char *)type + offset, sizeof f);
    return f != NULL;
}

/* Until this holds no other field can be read. */
static bnn_status check_size(bnn_kind kind, const bnn_type *type) {
    const char *what = bnn_kind_name(kind);
    if (type->abi != BNN_ABI)
        return bnn_fail(BNN_ERR_ABI, "a %s has ABI %u, this library has ABI %d: build it with this library's headers", what, type->abi,
                        BNN_ABI);
    if (type->size < sizeof *type || type->size % sizeof(void *) != 0)
        return bnn_fail(BNN_ERR_ABI,
                        "a %s says that its vtable has %u bytes, which cannot be: does its head begin with BNN_TYPE(bnn_%s_type)?", what,
                        type->size, what);
    return BNN_OK;
}

static bnn_status check_head(bnn_kind kind, const bnn_type *type) {
    const char *what = bnn_kind_name(kind);
    if (!type->name || !*type->name) return bnn_fail(BNN_ERR_ABI, "a %s without a name cannot be added", what);
    if (!bnn_is_word(type->name))
        return bnn_fail(BNN_ERR_NAME, "'%s' cannot be the name of a %s: it takes letters, digits and _", type->name, what);
    if (!type->summary || !type->checks)
        return bnn_fail(BNN_ERR_ABI, "%s '%s' lacks %s", what, type->name, type->summary ? "checks" : "a summary");
    return BNN_OK;
}

/* Looks whether an option before number i has a field that o would read as another type: *other. Two of one kind are safe, if hardly meant:
 * bnn check says so. */
static bool is_shared(const bnn_option *table, int i, const bnn_option *o, bnn_option *other) {
    while (--i >= 0 && bnn_options_at(table, i, other)) {
        bool overlap = o->offset < other->offset + bnn_option_size(other->kind) && other->offset < o->offset + bnn_option_size(o->kind);
        if (overlap && (o->kind != other->kind || o->offset != other->offset)) return true;
    }
    return false;
}

static const char *wrong_with(const bnn_option *o, size_t conf_size) {
    size_t size = bnn_option_size(o->kind);
    if (size == 0) return "an unknown kind";
    if (!o->preset) return "no preset";
    if (o->kind == BNN_OPTION_CHOICE && !o->choices) return "no choices";
    if (o->kind == BNN_OPTION_SPEC && (unsigned)o->of >= BNN_N_KINDS) return "no kind of types that it names";
    return o->offset + size > conf_size ? "its field outside of conf: is conf_size set?" : NULL;
}

/* Says whether groups hold groups deeper than anybody would write: one that holds itself has no end. */
static bool is_deep(const bnn_option *table, int left) {
    for (const bnn_option *o = table; o && o->name; o++)
        if (o->kind == BNN_OPTION_GROUP && (left == 0 || is_deep(o->group, left - 1))) return true;
    return false;
}

static bnn_status check_options(bnn_kind kind, const bnn_type *type) {
    enum { DEEPEST = 6 };
    bnn_option o, other;
    if (is_deep(type->options, DEEPEST))
        return bnn_fail(BNN_ERR_ABI, "%s '%s': groups of options hold each other, or over %d are in one another", bnn_kind_name(kind),
                        type->name, DEEPEST);
    for (int i = 0; bnn_options_at(type->options, i, &o); i++) {
        const char *wrong = wrong_with(&o, type->conf_size);
        if (wrong) return bnn_fail(BNN_ERR_ABI, "%s '%s': option '%s' has %s", bnn_kind_name(kind), type->name, o.name, wrong);
        if (is_shared(type->options, i, &o, &other))
            return bnn_fail(BNN_ERR_ABI, "%s '%s': option '%s' has a part of the field of '%s' in conf", bnn_kind_name(kind), type->name,
                            o.name, other.name);
    }
    return BNN_OK;
}

static bnn_status check_hooks(bnn_kind kind, const bnn_type *type) {
    const bnn_contract *contract = bnn_contracts[kind];
    const char *missing = NULL;
    for (const bnn_hook *h = contract->required; h->name && !missing; h++)
        if (!bnn_vtable_has(type, h->offset)) missing = h->name;
    if (!missing && contract->lacks) missing = contract->lacks(type);
    if (missing) return bnn_fail(BNN_ERR_ABI, "%s '%s' lacks the hook %s", bnn_kind_name(kind), type->name, missing);
    const char *bytes = (const char *)type;
    for (size_t i = contract->size; i < type->size; i++)
        if (bytes[i] != 0)
            return bnn_fail(BNN_ERR_ABI,
                            "%s '%s' has hooks that this library, version " BNN_VERSION ", does not know: it needs a newer one",
                            bnn_kind_name(kind), type->name);
    return BNN_OK;
}

bnn_status bnn_vtable_check(bnn_kind kind, const bnn_type *type) {
    if ((unsigned)kind >= BNN_N_KINDS)
        return bnn_fail(BNN_ERR_ABI, "there is no kind %d of types: 0 to %d are known", (int)kind, BNN_N_KINDS - 1);
    if (!type) return bnn_fail(BNN_ERR_ABI, "a %s without a vtable cannot be added", bnn_kind_name(kind));
    BNN_TRY(check_size(kind, type));
    BNN_TRY(check_head(kind, type));
    BNN_TRY(check_options(kind, type));
    return check_hooks(kind, type);
}

bnn_status bnn_vtable_extend(bnn_kind kind, const bnn_type *type, bnn_type **copy) {
    if (type->size >= bnn_contracts[kind]->size) return BNN_OK;
    *copy = calloc(1, bnn_contracts[kind]->size);
    if (!*copy) return bnn_oom("%s '%s'", bnn_kind_name(kind), type->name);
    memcpy(*copy, type, type->size);
    return BNN_OK;
}
