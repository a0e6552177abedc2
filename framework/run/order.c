/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "order.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- names */

static const char separators[] = "/.";

/* The length of a part without the number at its end and the '_' before that. */
static size_t stem_of(const char *part, size_t length) {
    size_t n = length;
    while (n > 0 && isdigit((unsigned char)part[n - 1])) n--;
    if (n > 0 && n < length && part[n - 1] == '_') n--;
    return n;
}

static int compare_parts(const char *a, size_t a_length, const char *b, size_t b_length) {
    size_t a_stem = stem_of(a, a_length), b_stem = stem_of(b, b_length);
    if (a_stem != b_stem || strncmp(a, b, a_stem) != 0) return 0;
    const char *a_number = a + a_stem + (a[a_stem] == '_'), *b_number = b + b_stem + (b[b_stem] == '_');
    while (*a_number == '0') a_number++;
    while (*b_number == '0') b_number++;
    size_t a_digits = (size_t)(a + a_length - a_number), b_digits = (size_t)(b + b_length - b_number);
    if (a_digits != b_digits) return a_digits < b_digits ? -1 : 1;
    return strncmp(a_number, b_number, a_digits);
}

/* Compares two names by which layer comes first: negative: a, positive: b, 0: nothing. Names are cut at '/' and '.'; the first parts that
 * differ tell the order where they differ in the number at their end alone: "dense" is before "dense_1", "block2/fc" before "block10/fc".
 */
static int compare(const char *a, const char *b) {
    for (;;) {
        size_t a_length = strcspn(a, separators), b_length = strcspn(b, separators);
        if (a_length != b_length || strncmp(a, b, a_length) != 0) return compare_parts(a, a_length, b, b_length);
        if (!a[a_length] || !b[b_length]) return 0;
        a += a_length + 1, b += b_length + 1;
    }
}

/* The number of groups around both. */
static int common_depth(const char *a, const char *b) {
    int depth = 0;
    for (; *a && *a == *b; a++, b++) depth += strchr(separators, *a) != NULL;
    return depth;
}

bool bnn_order_agrees(const bnn_weights *w) {
    for (int i = 0; i < w->n; i++)
        for (int j = i + 1; j < w->n; j++)
            if (compare(w->layer[i].name, w->layer[j].name) > 0) return false;
    return true;
}

bool bnn_order_is_told(const bnn_weights *w) {
    for (int i = 0; i < w->n; i++)
        for (int j = i + 1; j < w->n; j++)
            if (compare(w->layer[i].name, w->layer[j].name) == 0) return false;
    return true;
}

/* ---------------------------------------------------------------- search */

enum { MOST_TRIES = 20000 };

typedef struct {
    const bnn_weights *w;
    const bnn_order_hooks *hooks;
    int *order;
    bool *placed;
    int n, tries;
    bool stop;
} search;

/* None that is left has to come before layer c, and none of them is deeper in the groups of the last one. */
static bool is_next(const search *s, int c) {
    const bnn_weights_layer *layer = s->w->layer;
    const char *last = s->n > 0 ? layer[s->order[s->n - 1]].name : "";
    int depth = common_depth(last, layer[c].name);
    for (int i = 0; i < s->w->n; i++)
        if (i != c && !s->placed[i] && (compare(layer[i].name, layer[c].name) < 0 || common_depth(last, layer[i].name) > depth))
            return false;
    return true;
}

static void extend(search *s) {
    const bnn_weights_layer *layer = s->w->layer, *before = s->n > 0 ? &layer[s->order[s->n - 1]] : NULL;
    if (s->n == s->w->n) {
        s->stop = !s->hooks->found(s->hooks->context, s->order);
        return;
    }
    for (int c = 0; c < s->w->n && !s->stop; c++) {
        if (s->placed[c]) continue;
        if (++s->tries > MOST_TRIES) s->stop = true;
        if (s->stop || !is_next(s, c) || !s->hooks->may(s->hooks->context, s->n, before, &layer[c])) continue;
        s->placed[c] = true, s->order[s->n++] = c;
        extend(s);
        s->placed[c] = false, s->n--;
    }
}

bnn_status bnn_order_search(const bnn_weights *w, const bnn_order_hooks *hooks, bool *all) {
    search s = {.w = w, .hooks = hooks};
    s.order = calloc((size_t)w->n + 1, sizeof *s.order);
    s.placed = calloc((size_t)w->n + 1, sizeof *s.placed);
    bool room = s.order && s.placed;
    if (room) extend(&s);
    *all = s.tries <= MOST_TRIES;
    free(s.order), free(s.placed);
    return room ? BNN_OK : bnn_oom("the order of %d layers", w->n);
}

bnn_status bnn_order_refuse(const bnn_weights *w, const int *order, const char *why) {
    char known[256] = "", example[256] = "", item[128];
    for (int i = 0; i < w->n; i++) {
        const bnn_weights_layer *layer = &w->layer[order ? order[i] : i];
        snprintf(item, sizeof item, "%s%s%s%s", layer->name, layer->given ? " (" : "", layer->given ? layer->given : "",
                 layer->given ? ")" : "");
        bnn_list_add(known, sizeof known, item);
        if (strlen(example) + strlen(layer->name) + 2 < sizeof example) strcat(strcat(example, *example ? "," : ""), layer->name);
    }
    return bnn_fail(BNN_ERR_FORMAT, "%s: the order of its layers %s is not in the file, and %s: name it, such as --order %s", w->path,
                    known, why, example);
}
