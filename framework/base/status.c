/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "commit.h"

#include <bnn/escape.h>
#include <bnn/number.h>
#include <bnn/real.h>
#include <bnn/status.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_MAX 1024

static _Thread_local char sentence[SENTENCE_MAX];

const char *bnn_version(void) { return BNN_VERSION; }

const char *bnn_commit(void) { return BNN_COMMIT; }

const char *bnn_status_text(bnn_status s) {
    switch (s) {
#define CASE(name, value, text) \
    case name: return text;
        BNN_STATUS_LIST(CASE)
#undef CASE
    }
    return "unknown status";
}

const char *bnn_error(void) { return sentence; }

bnn_status bnn_fail(bnn_status code, const char *format, ...) {
    char text[SENTENCE_MAX]; /* the arguments may point into the old sentence */
    va_list args;
    va_start(args, format);
    bnn_print_list(text, sizeof text, format, args);
    va_end(args);
    bnn_escape(text, sentence, sizeof sentence); /* names of data may hold anything, a sentence is one line */
    return code;
}

bnn_status bnn_oom(const char *what, ...) {
    char text[SENTENCE_MAX];
    va_list args;
    va_start(args, what);
    bnn_print_list(text, sizeof text, what, args);
    va_end(args);
    return bnn_fail(BNN_ERR_MEMORY, "out of memory for %s", text);
}

bnn_status bnn_note(bnn_status code, const char *format, ...) {
    char text[SENTENCE_MAX];
    va_list args;
    va_start(args, format);
    int used = bnn_print_list(text, sizeof text, format, args);
    va_end(args);
    if (used >= 0 && used < SENTENCE_MAX) snprintf(text + used, sizeof text - (size_t)used, ": %.*s", SENTENCE_MAX - used - 3, sentence);
    bnn_escape(text, sentence, sizeof sentence);
    return code;
}

void bnn_list_add(char *list, size_t size, const char *item) {
    static const char dots[] = ", ...";
    size_t used = strlen(list), end = sizeof dots - 1;
    if (used + strlen(item) + 2 + end < size)
        snprintf(list + used, size - used, "%s%s", used ? ", " : "", item);
    else if (used < end || strcmp(list + used - end, dots) != 0)
        snprintf(list + used, size - used, "%s", dots);
}
