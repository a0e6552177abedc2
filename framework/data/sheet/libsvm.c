/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * libsvm.c: sparse rows "label index:value index:value ..." -> cells: a column for each index, 0 where a row has none, and the label last.
 */
#include "data/import.h"
#include "infer.h"

#include <bnn/cost.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_INDEX = 10000000 };

/* Where one line stands: words are taken off it from the left. */
typedef struct {
    char *at;
    int number; /* counted from 1 */
} line;

/* The next word of the line and its length, 0 at its end, which a comment may begin. */
static char *next_word(line *l, size_t *length) {
    l->at += strspn(l->at, " \t");
    char *word = l->at;
    *length = *word == '#' ? 0 : strcspn(word, " \t\n");
    l->at += *length;
    return word;
}

static bool next_line(line *l) {
    l->at += strcspn(l->at, "\n");
    if (!*l->at) return false;
    l->at++, l->number++;
    return true;
}

static bool is_number(const char *word, size_t length) {
    char text[64];
    double value;
    if (length == 0 || length >= sizeof text) return false;
    memcpy(text, word, length);
    text[length] = '\0';
    return bnn_import_number(text, &value) && isfinite(value);
}

/* The index of "index:value"; -1: the word is something else. */
static int index_of(const char *word, size_t length) {
    size_t digits = strspn(word, "0123456789");
    if (digits == 0 || digits > 8 || digits >= length || word[digits] != ':' || !is_number(word + digits + 1, length - digits - 1))
        return -1;
    int index = atoi(word);
    return index <= MOST_INDEX ? index : -1;
}

bool bnn_libsvm_recognise(const char *text) {
    line l = {.at = (char *)text};
    size_t length;
    do {
        char *label = next_word(&l, &length), *word;
        if (length == 0) continue; /* an empty line, or a comment */
        if (!is_number(label, length)) return false;
        int n = 0;
        while (word = next_word(&l, &length), length > 0) {
            if (index_of(word, length) < 0) return false;
            n++;
        }
        if (n > 0) return true;
    } while (next_line(&l));
    return false;
}

typedef struct {
    int rows, least, greatest;
} extent;

static bnn_status check_line(const char *path, line *l, extent *e) {
    size_t length;
    char *word = next_word(l, &length);
    int before = -1;
    if (length == 0) return BNN_OK;
    if (!is_number(word, length))
        return bnn_fail(BNN_ERR_DATA, "%s: line %d: the label '%.*s' is not a number", path, l->number, length < 40 ? (int)length : 40,
                        word);
    while (word = next_word(l, &length), length > 0) {
        int index = index_of(word, length), shown = length < 40 ? (int)length : 40;
        if (index < 0) return bnn_fail(BNN_ERR_DATA, "%s: line %d: '%.*s' is no index:value", path, l->number, shown, word);
        if (index <= before)
            return bnn_fail(BNN_ERR_DATA, "%s: line %d: index %d stands behind %d: indices are to grow", path, l->number, index, before);
        if (index < e->least) e->least = index;
        before = index;
    }
    if (before > e->greatest) e->greatest = before;
    if (e->rows == INT_MAX) return bnn_fail(BNN_ERR_DATA, "%s: has more than %d rows", path, e->rows);
    e->rows++;
    return BNN_OK;
}

/* Columns that others had are 0 where no row here names them. */
static void add_known(const bnn_schema *like, extent *e) {
    for (int k = 0; like && k < like->n; k++) {
        const char *name = like->column[k].name;
        size_t digits = *name == 'x' ? strspn(name + 1, "0123456789") : 0;
        if (digits == 0 || digits > 8 || name[1 + digits] || atoi(name + 1) > MOST_INDEX) continue;
        if (atoi(name + 1) < e->least) e->least = atoi(name + 1);
        if (atoi(name + 1) > e->greatest) e->greatest = atoi(name + 1);
    }
}

static bnn_status name_columns(bnn_sheet *s, int first) {
    s->name = calloc((size_t)s->cols, sizeof *s->name), s->twin = malloc((size_t)s->cols * sizeof *s->twin);
    bool done = s->name && s->twin;
    for (int c = 0; done && c < s->cols - 1; c++) done = asprintf(&s->name[c], "x%d", first + c) >= 0;
    if (!done || !(s->name[s->cols - 1] = strdup("y"))) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its columns", s->path);
    for (int c = 0; c < s->cols; c++) s->twin[c] = -1;
    return BNN_OK;
}

/* Ends a word, which the line goes on behind. */
static char *cut(line *l, char *word, char *stop) {
    *stop = *l->at;
    if (*l->at) *l->at++ = '\0';
    return word;
}

static void fill_rows(bnn_sheet *s, int first) {
    static char zero[] = "0";
    line l = {.at = s->text, .number = 1};
    int row = 0;
    for (bool more = true; more;) {
        size_t length;
        char stop, *word = next_word(&l, &length), **cells = s->cell + (size_t)row * (size_t)s->cols;
        if (length == 0) {
            more = next_line(&l);
            continue;
        }
        s->line[row++] = l.number;
        for (int c = 0; c < s->cols; c++) cells[c] = zero;
        cells[s->cols - 1] = cut(&l, word, &stop);
        while ((stop == ' ' || stop == '\t') && (word = next_word(&l, &length), length > 0))
            cells[atoi(word) - first] = strchr(cut(&l, word, &stop), ':') + 1;
        if (stop == '\n')
            l.number++;
        else
            more = next_line(&l);
    }
}

bnn_status bnn_libsvm_read(const bnn_schema *like, bnn_sheet *s) {
    extent e = {.least = 1};
    line l = {.at = s->text, .number = 1};
    do BNN_TRY(check_line(s->path, &l, &e));
    while (next_line(&l));
    add_known(like, &e);
    s->rows = e.rows, s->cols = e.greatest - e.least + 2, s->named = true;
    size_t cells = (size_t)s->rows * (size_t)s->cols;
    BNN_TRY(bnn_memory_check((double)cells * sizeof *s->cell, s->path, "take fewer rows, or fewer features"));
    s->cell = malloc(cells * sizeof *s->cell), s->line = malloc((size_t)s->rows * sizeof *s->line);
    if (!s->cell || !s->line) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %zu cells", s->path, cells);
    BNN_TRY(name_columns(s, e.least));
    fill_rows(s, e.least);
    return BNN_OK;
}
