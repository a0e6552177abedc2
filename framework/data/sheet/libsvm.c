/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * libsvm.c: sparse rows "label index:value index:value ..." -> cells: a column for each index, 0 where a row has none, and the label last,
 * empty where a row has none; a file without labels has no such column.
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

/* The index in "x12"; -1: the name is another. */
static int index_in_name(const char *name) {
    size_t digits = *name == 'x' ? strspn(name + 1, "0123456789") : 0;
    if (digits == 0 || digits > 8 || name[1 + digits] || atoi(name + 1) > MOST_INDEX) return -1;
    return atoi(name + 1);
}

/* Says whether a schema is that of rows of libsvm, as far as names tell. */
static bool has_indices(const bnn_schema *like) {
    for (int k = 0; like && k < like->n; k++)
        if (like->column[k].role == BNN_COLUMN_FEATURE && index_in_name(like->column[k].name) < 0) return false;
    return like;
}

static bool is_query(const char *word, size_t length) { return length > 4 && strncmp(word, "qid:", 4) == 0; }

/* "12:", whatever stands behind it, or the query of a ranking. */
static bool has_key(const char *word, size_t length) {
    size_t digits = strspn(word, "0123456789");
    return (digits > 0 && digits < length && word[digits] == ':') || is_query(word, length);
}

/* Says whether the rest of a line is one of such a row, if not a right one: two indices and values stand for a label that is none. */
static bool is_like_row(line *l, char *word, size_t length, bool labelled) {
    int right = 0;
    for (; length > 0; word = next_word(l, &length)) {
        if (!has_key(word, length)) return false;
        right += index_of(word, length) >= 0;
    }
    return right > (labelled ? 0 : 1);
}

bool bnn_libsvm_recognise(const char *text, const bnn_schema *like) {
    line l = {.at = (char *)text};
    bool bare = has_indices(like);
    size_t length;
    do {
        char *word = next_word(&l, &length);
        if (length == 0) continue; /* an empty line, or a comment */
        bool labelled = is_number(word, length);
        if (!labelled && !bare && has_key(word, length)) return false;
        if (labelled || !bare) word = next_word(&l, &length);
        if (length > 0) return is_like_row(&l, word, length, labelled || bare);
    } while (next_line(&l));
    return false;
}

typedef struct {
    int rows, labels, least, greatest;
} extent;

static bnn_status check_line(const char *path, line *l, extent *e) {
    size_t length;
    char *word = next_word(l, &length);
    int before = -1;
    if (length == 0) return BNN_OK;
    if (is_number(word, length))
        e->labels++, word = next_word(l, &length);
    else if (index_of(word, length) < 0)
        return bnn_fail(BNN_ERR_DATA, "%s: line %d: the label '%.*s' is not a number", path, l->number, length < 40 ? (int)length : 40,
                        word);
    for (; length > 0; word = next_word(l, &length)) {
        int index = index_of(word, length), shown = length < 40 ? (int)length : 40;
        if (is_query(word, length))
            return bnn_fail(BNN_ERR_DATA, "%s: line %d: '%.*s' is the query of a ranking, which is not read: take it away", path, l->number,
                            shown, word);
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
        int index = index_in_name(like->column[k].name);
        if (index < 0) continue;
        if (index < e->least) e->least = index;
        if (index > e->greatest) e->greatest = index;
    }
}

/* Features x1, x2, ... and, where rows have labels, y. */
static bnn_status name_columns(bnn_sheet *s, const extent *e) {
    s->name = calloc((size_t)s->cols, sizeof *s->name), s->twin = malloc((size_t)s->cols * sizeof *s->twin);
    bool done = s->name && s->twin;
    for (int c = 0; done && c < s->cols; c++) {
        s->twin[c] = -1;
        done = asprintf(&s->name[c], e->least + c <= e->greatest ? "x%d" : "y", e->least + c) >= 0;
    }
    return done ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its columns", s->path);
}

/* Ends a word, which the line goes on behind. */
static char *cut(line *l, char *word, char *stop) {
    *stop = *l->at;
    if (*l->at) *l->at++ = '\0';
    return word;
}

/* Fills the cells of one row from its first word on; returns what ended its last one. */
static char fill_row(line *l, char *word, size_t length, const extent *e, char **cells) {
    static char zero[] = "0", none[] = "";
    char stop;
    for (int c = 0; c <= e->greatest - e->least; c++) cells[c] = zero;
    if (e->labels > 0) cells[e->greatest - e->least + 1] = none;
    do {
        int index = index_of(word, length);
        char *text = cut(l, word, &stop);
        cells[index < 0 ? e->greatest - e->least + 1 : index - e->least] = index < 0 ? text : strchr(text, ':') + 1;
    } while ((stop == ' ' || stop == '\t') && (word = next_word(l, &length), length > 0));
    return stop;
}

static void fill_rows(bnn_sheet *s, const extent *e) {
    line l = {.at = s->text, .number = 1};
    int row = 0;
    for (bool more = true; more;) {
        size_t length;
        char *word = next_word(&l, &length);
        if (length == 0) {
            more = next_line(&l);
            continue;
        }
        s->line[row] = l.number;
        if (fill_row(&l, word, length, e, s->cell + (size_t)row++ * (size_t)s->cols) == '\n')
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
    if (e.rows == 0) return bnn_fail(BNN_ERR_FORMAT, "%s: holds no data", s->path);
    add_known(like, &e);
    s->rows = e.rows, s->cols = e.greatest - e.least + 1 + (e.labels > 0), s->named = true;
    size_t cells = (size_t)s->rows * (size_t)s->cols;
    BNN_TRY(bnn_memory_check((double)cells * sizeof *s->cell, s->path, "take fewer rows, or fewer features"));
    s->cell = malloc(cells * sizeof *s->cell), s->line = malloc((size_t)s->rows * sizeof *s->line);
    if (!s->cell || !s->line) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %zu cells", s->path, cells);
    BNN_TRY(name_columns(s, &e));
    fill_rows(s, &e);
    return BNN_OK;
}
