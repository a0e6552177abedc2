/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/pieces/part.h"

#include "base/word.h"
#include "tool/tool.h"

#include <bnn/store.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

tool_part tool_part_parse(const char *text) {
    tool_part part;
    char end;
    if (sscanf(text, "%d/%d%c", &part.i, &part.n, &end) == 2 && isdigit((unsigned char)*text) && part.i >= 1 && part.i <= part.n &&
        part.n <= BNN_MOST_PARTS)
        return part;
    exit(tool_refuse("--part: '%s' is not I/N, the I-th of N parts, such as 2/7", text));
}

bnn_status tool_part_check(const char *data, const char *sha256) {
    if (*sha256) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "%s: whether all parts have the same rows cannot be told: write them to a file", data);
}

void tool_part_range(tool_part part, int pieces, int *from, int *end) {
    *from = part.n ? (int)((long long)pieces * (part.i - 1) / part.n) : 0;
    *end = part.n ? (int)((long long)pieces * part.i / part.n) : pieces;
}

int tool_part_of(int n, int pieces, int k) {
    int from, end, i = 0;
    do tool_part_range((tool_part){++i, n}, pieces, &from, &end);
    while (k >= end);
    return i;
}

/* ---- command lines ---- */

/* The length of the word at `at`, marks of quotation included. */
static size_t word_length(const char *at) {
    size_t n = 0;
    for (bool quoted = false; at[n] && (quoted || at[n] != ' '); n++) {
        if (at[n] == '\'') quoted = !quoted;
        if (at[n] == '\\' && !quoted && at[n + 1]) n++;
    }
    return n;
}

static bool is_word(const char *at, size_t n, const char *word) { return strlen(word) == n && strncmp(at, word, n) == 0; }

/* Words that an option takes of a command line: 0, where it is none of those that are left out. */
static int words_of(const char *at, size_t n, const char *const *without) {
    if (is_word(at, n, "-o")) return 2;
    if (n > 2 && strncmp(at, "-o", 2) == 0) return 1;
    for (int i = 0; without[i]; i++) {
        size_t name = strcspn(without[i], "=");
        if (n >= name && strncmp(at, without[i], name) == 0 && (n == name || at[name] == '=')) return n == name && without[i][name] ? 2 : 1;
    }
    return 0;
}

void tool_part_command(FILE *out, const char *line, const char *const *without) {
    int skip = 0;
    for (const char *at = line, *blank = ""; *at; blank = " ") {
        size_t n = word_length(at);
        if (skip == 0) skip = words_of(at, n, without);
        if (skip == 0) fprintf(out, "%s%.*s", blank, (int)n, at);
        if (skip > 0) skip--;
        at += n;
        at += strspn(at, " ");
    }
}

/* ---- names ---- */

char *tool_part_name(const char *path, int of, int i) {
    char number[16], *name = NULL;
    int length = snprintf(number, sizeof number, "%d", of);
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *found = NULL;
    for (const char *at = base; (at = strstr(at, number)); at++)
        if ((at == base || !isdigit((unsigned char)at[-1])) && !isdigit((unsigned char)at[length])) found = at;
    const char *ending = bnn_ending(path);
    bool made = found ? asprintf(&name, "%.*s%d%s", (int)(found - path), path, i, found + length) >= 0
                      : asprintf(&name, "%.*s.%d%s", (int)(ending - path), path, i, ending) >= 0;
    return made ? name : NULL;
}
