/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * levels.c: sets of texts.
 */
#include "infer.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_text(const char *text) {
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *text; text++) h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return h ^ h >> 32;
}

/* Where a text is, or would be: at or behind the place of its hash. The size is a power of two, and half of the slots are free. */
static char **slot_of(const bnn_text_set *set, const char *text) {
    size_t i = (size_t)hash_text(text) & (set->size - 1);
    while (set->slot[i] && strcmp(set->slot[i], text) != 0) i = (i + 1) & (set->size - 1);
    return &set->slot[i];
}

static bool grow(bnn_text_set *set) {
    bnn_text_set more = {.size = set->size ? 2 * set->size : 64, .used = set->used};
    if (!(more.slot = calloc(more.size, sizeof *more.slot))) return false;
    for (size_t i = 0; i < set->size; i++)
        if (set->slot[i]) *slot_of(&more, set->slot[i]) = set->slot[i];
    free(set->slot);
    *set = more;
    return true;
}

bool bnn_text_set_add(bnn_text_set *set, const char *text) {
    if (2 * set->used >= set->size && !grow(set)) return false;
    char **slot = slot_of(set, text);
    if (!*slot && (*slot = strdup(text))) set->used++;
    return *slot;
}

char **bnn_text_set_take(bnn_text_set *set, int *n) {
    char **texts = set->slot;
    *n = 0;
    for (size_t i = 0; i < set->size; i++)
        if (texts[i]) texts[(*n)++] = texts[i];
    *set = (bnn_text_set){0};
    return texts;
}
