/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *text;
    size_t length, room;
    bool lost;
} buffer;

/* Remembers a failure: jansson 2.14 does not look at that of an object's key, and goes on behind the gap. */
static int append(const char *bytes, size_t n, void *context) {
    buffer *b = context;
    if (!b->lost && b->length + n + 1 > b->room) {
        size_t room = 2 * (b->length + n + 1);
        char *more = realloc(b->text, room);
        b->lost = !more;
        if (more) b->text = more, b->room = room;
    }
    if (b->lost) return -1;
    memcpy(b->text + b->length, bytes, n);
    b->length += n;
    return 0;
}

char *bnn_json_text(const json_t *value, size_t flags) {
    buffer b = {0};
    if (json_dump_callback(value, append, &b, flags) < 0 || append("", 1, &b) < 0) b.lost = true;
    if (!b.lost) return b.text;
    free(b.text);
    return NULL;
}
