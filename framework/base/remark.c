/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/remark.h>

#include <bnn/escape.h>
#include <bnn/number.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_SENTENCE = 1024 };

typedef struct {
    bnn_severity severity;
    char *code, *sentence; /* owned, in one piece that begins with the code */
} remark;

struct bnn_remarks {
    remark *of; /* [n] */
    int n;
};

bnn_status bnn_remarks_new(bnn_remarks **out) {
    *out = calloc(1, sizeof **out);
    return *out ? BNN_OK : bnn_oom("remarks");
}

void bnn_remarks_free(bnn_remarks *remarks) {
    if (!remarks) return;
    for (int i = 0; i < remarks->n; i++) free(remarks->of[i].code);
    free(remarks->of), free(remarks);
}

bnn_status bnn_remarks_add(bnn_remarks *remarks, bnn_severity severity, const char *code, const char *format, ...) {
    if (!remarks) return BNN_OK;
    char text[LONGEST_SENTENCE], line[LONGEST_SENTENCE];
    va_list args;
    va_start(args, format);
    bnn_print_list(text, sizeof text, format, args);
    va_end(args);
    remark *more = realloc(remarks->of, (size_t)(remarks->n + 1) * sizeof *more);
    if (!more) return bnn_oom("a remark");
    remarks->of = more;
    size_t length = strlen(code) + 1;
    bnn_escape(text, line, sizeof line);
    char *piece = malloc(length + strlen(line) + 1);
    if (!piece) return bnn_oom("a remark");
    memcpy(piece, code, length);
    strcpy(piece + length, line);
    more[remarks->n++] = (remark){.severity = severity, .code = piece, .sentence = piece + length};
    return BNN_OK;
}

static const remark *remark_of(const bnn_remarks *remarks, int i) {
    static const remark none = {0};
    return remarks && i >= 0 && i < remarks->n ? &remarks->of[i] : &none;
}

int bnn_remarks_count(const bnn_remarks *remarks) { return remarks ? remarks->n : 0; }

bnn_severity bnn_remark_severity(const bnn_remarks *remarks, int i) { return remark_of(remarks, i)->severity; }

const char *bnn_severity_name(bnn_severity severity) {
    static const char *const name[] = {[BNN_REMARK_NOTE] = "note", [BNN_REMARK_WARNING] = "warning", [BNN_REMARK_BAD] = "bad"};
    return name[severity];
}

const char *bnn_remark_code(const bnn_remarks *remarks, int i) { return remark_of(remarks, i)->code; }

const char *bnn_remark_sentence(const bnn_remarks *remarks, int i) { return remark_of(remarks, i)->sentence; }
