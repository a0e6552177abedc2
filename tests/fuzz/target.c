/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "target.h"

#include "files.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Stand in for what Check's assertions call (-Wl,--wrap), which wants a test around them. */
void __wrap__mark_point(const char *file, int line);
void __wrap__ck_assert_failed(const char *file, int line, const char *expression, const char *message, ...);

void __wrap__mark_point(const char *file, int line) { (void)file, (void)line; }

void __wrap__ck_assert_failed(const char *file, int line, const char *expression, const char *message, ...) {
    (void)message;
    fprintf(stderr, "%s:%d: %s\n", file, line, expression);
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    omp_set_num_threads(1); /* an input does the same each time */
    atexit(files_remove);
    return 0;
}

unsigned target_byte(target_input *in) { return in->n > 0 ? (in->n--, *in->at++) : 0; }

target_input target_part(target_input *in) {
    const uint8_t *end = in->n ? memchr(in->at, '\f', in->n) : NULL;
    target_input part = {in->at, end ? (size_t)(end - in->at) : in->n};
    size_t taken = part.n + (end != NULL);
    in->at += taken, in->n -= taken;
    return part;
}

char *target_text(target_input *in) {
    target_input part = target_part(in);
    char *text = strndup(part.n ? (const char *)part.at : "", part.n);
    if (!text) abort();
    return text;
}

const char *target_file(const char *name, const target_input *in) {
    return files_write_bytes(name, in->n ? (const void *)in->at : "", in->n);
}

int target_told(bnn_status s) {
    if (s == BNN_OK) return 1;
    if (*bnn_error() && !strchr(bnn_error(), '\n')) return 0;
    fprintf(stderr, "a failure without a sentence: '%s'\n", bnn_error());
    abort();
}

void target_table(bnn_status s, bnn_table *t) {
    if (!target_told(s) ? t != NULL : !target_told(bnn_table_check(t))) abort();
    bnn_table_free(t);
}
