/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * header.c: whether the first line names the columns, and what they are called.
 */
#include "infer.h"

#include <bnn/remark.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sheet whose first line, of `first` fields, is still among its cells. */
typedef struct {
    bnn_sheet *sheet;
    const bnn_csv_options *how;
    const bnn_schema *like; /* that tells names from values; NULL: nobody knows them */
    int first;
} head;

static bool is_number(const head *h, const char *text) {
    double value;
    return bnn_sheet_number(text, h->how->decimal, h->how->thousands, &value);
}

static bool numbers_below(const head *h, int c) {
    const bnn_sheet *s = h->sheet;
    for (int row = 1; row < s->rows; row++)
        if (!is_number(h, bnn_sheet_cell(s, row, c)) && !bnn_sheet_missing(bnn_sheet_cell(s, row, c), h->how->na)) return false;
    return s->rows > 1;
}

typedef struct {
    const char *name;
    int column;
} place;

static int by_name(const void *a, const void *b) {
    const place *p = a, *q = b;
    int order = strcmp(p->name, q->name);
    return order ? order : p->column - q->column;
}

/* Columns in the order of the given names; NULL: there is no memory. */
static place *sorted_names(char *const *names, int n) {
    place *sorted = malloc((size_t)n * sizeof *sorted);
    for (int c = 0; sorted && c < n; c++) sorted[c] = (place){names[c], c};
    if (sorted) qsort(sorted, (size_t)n, sizeof *sorted, by_name);
    return sorted;
}

/* All texts, none twice: then it is a header even above columns of texts. */
static bool looks_like_names(const head *h) {
    const bnn_sheet *s = h->sheet;
    for (int c = 0; c < s->cols; c++)
        if (is_number(h, bnn_sheet_cell(s, 0, c))) return false;
    place *sorted = sorted_names(s->cell, s->cols);
    bool twice = !sorted;
    for (int c = 1; !twice && c < s->cols; c++) twice = strcmp(sorted[c - 1].name, sorted[c].name) == 0;
    free(sorted);
    return !twice;
}

/* Years, or numbers of equal steps such as 0, 1, 2 or 400, 410, 420, 430, above fractions: a header that is all numbers. */
static bool looks_like_numbers(const head *h) {
    const bnn_sheet *s = h->sheet;
    double value = 0, first = 0, before = 0, step = 0;
    bool years = s->cols > 1, steps = s->cols > 2, fraction = false;
    for (int c = 0; c < s->cols; c++, before = value) {
        if (!bnn_sheet_number(bnn_sheet_cell(s, 0, c), '.', '\0', &value) || value != floor(value)) return false;
        if (c == 0) first = value;
        if (c == 1) step = value - before;
        years = years && value >= 1800 && value <= 2200 && (c == 0 || value > before);
        steps = steps && (c == 0 || (step > 0 && value - before == step));
    }
    steps = steps && (s->cols > 3 || (step == 1 && (first == 0 || first == 1)));
    for (int row = 1; (years || steps) && row < s->rows; row++)
        for (int c = 0; c < s->cols; c++) {
            if (!bnn_sheet_number(bnn_sheet_cell(s, row, c), h->how->decimal, h->how->thousands, &value)) continue;
            fraction = fraction || value != floor(value);
            years = years && !(value >= 1800 && value <= 2200 && value == floor(value));
        }
    return s->rows > 1 && (years || (steps && fraction));
}

static bool has_known_name(const head *h) {
    for (int k = 0; k < h->like->n; k++)
        for (int c = 0; c < h->sheet->cols; c++)
            if (strcmp(bnn_sheet_cell(h->sheet, 0, c), h->like->column[k].name) == 0) return true;
    return false;
}

static bool has_header(const head *h, bool *of_numbers) {
    const bnn_sheet *s = h->sheet;
    *of_numbers = false;
    if (h->how->header != BNN_HEADER_GUESS) return h->how->header == BNN_HEADER_YES;
    if (h->like && has_known_name(h)) return true;
    if (h->like && s->rows == 1) return false;
    if (!h->like && looks_like_numbers(h)) return *of_numbers = true;
    for (int c = 0; c < s->cols; c++)
        if (!is_number(h, bnn_sheet_cell(s, 0, c)) && !bnn_sheet_missing(bnn_sheet_cell(s, 0, c), h->how->na) && numbers_below(h, c))
            return true;
    return looks_like_names(h);
}

/* Gives columns of one name different ones, "a" and "a.2", and makes each know another one of them. */
static bnn_status part_twins(bnn_sheet *s, bool *changed) {
    place *sorted = sorted_names(s->name, s->cols);
    bool done = sorted;
    *changed = false;
    for (int c = 1, first = 0; done && c < s->cols; c++) {
        if (strcmp(sorted[c].name, sorted[first].name) != 0) {
            first = c;
            continue;
        }
        char *name;
        done = asprintf(&name, "%s.%d", sorted[first].name, c - first + 1) >= 0;
        if (!done) break;
        int a = sorted[first].column, b = sorted[c].column;
        if (s->twin[a] < 0) s->twin[a] = b;
        if (s->twin[b] < 0) s->twin[b] = a;
        free(s->name[b]);
        s->name[b] = name, sorted[c].name = sorted[first].name, *changed = true;
    }
    free(sorted);
    return done ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %d columns", s->path, s->cols);
}

static bnn_status remark_twins(const bnn_sheet *s, bnn_remarks *remarks) {
    for (int c = 0; c < s->cols; c++) {
        int twin = s->twin[c];
        if (twin >= 0 && twin < c)
            BNN_TRY(bnn_remarks_add(remarks, BNN_REMARK_WARNING, "same_name",
                                    "columns %d and %d have the same name '%s': column %d is called '%s' here", twin + 1, c + 1,
                                    s->name[twin], c + 1, s->name[c]));
    }
    return BNN_OK;
}

/* Names of the columns: `skip` columns at the left have none in the first line. */
static bnn_status set_names(head *h, int skip) {
    bnn_sheet *s = h->sheet;
    s->name = calloc((size_t)s->cols, sizeof *s->name), s->twin = malloc((size_t)s->cols * sizeof *s->twin);
    bool done = s->name && s->twin;
    for (int c = 0; done && c < s->cols; c++) {
        s->twin[c] = -1;
        if (c < skip)
            done = (s->name[c] = strdup("row_name"));
        else if (s->named && *s->cell[c - skip])
            done = (s->name[c] = strdup(s->cell[c - skip]));
        else
            done = asprintf(&s->name[c], "column%d", c + 1) >= 0;
    }
    if (!done) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %d columns", s->path, s->cols);
    for (bool changed = true; changed;) BNN_TRY(part_twins(s, &changed));
    return remark_twins(s, h->how->remarks);
}

static void take_off_header(head *h) {
    bnn_sheet *s = h->sheet;
    s->rows--;
    memmove(s->cell, s->cell + h->first, (size_t)s->rows * (size_t)s->cols * sizeof *s->cell);
    memmove(s->line, s->line + 1, (size_t)s->rows * sizeof *s->line);
}

static bnn_status remark_header(const head *h, bool of_numbers) {
    bnn_remarks *remarks = h->how->remarks;
    if (h->how->header != BNN_HEADER_GUESS) return BNN_OK;
    if (of_numbers)
        return bnn_remarks_add(
            remarks, BNN_REMARK_WARNING, "header_of_numbers",
            "header: the first line, which is all numbers, is taken for names (guessed): say --no-header if it holds values");
    return bnn_remarks_add(remarks, BNN_REMARK_NOTE, "header",
                           h->sheet->named ? "header: the first line names the columns (guessed)"
                                           : "header: none, the first line holds values (guessed)");
}

/* One text beside empty fields: a title that a spreadsheet has written above its table. */
static bnn_status refuse_title(const head *h) {
    const bnn_sheet *s = h->sheet;
    int texts = 0, at = 0;
    for (int c = 0; c < h->first; c++)
        if (*s->cell[c]) texts++, at = c;
    if (h->how->header != BNN_HEADER_GUESS || h->first < 3 || s->rows < 2 || texts != 1 || is_number(h, s->cell[at])) return BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT, "%s: line %d holds nothing but '%.40s': if it is a title, take it away, else say --header yes or no",
                    s->path, s->line[0], s->cell[at]);
}

bnn_status bnn_sheet_name_columns(bnn_sheet *s, int first, const bnn_csv_options *how, const bnn_schema *like) {
    head h = {.sheet = s, .how = how, .like = like, .first = first};
    bool of_numbers = false;
    BNN_TRY(refuse_title(&h));
    s->row_names = first < s->cols;
    s->named = s->row_names || has_header(&h, &of_numbers);
    BNN_TRY(remark_header(&h, of_numbers));
    BNN_TRY(set_names(&h, s->cols - first));
    if (s->named) take_off_header(&h);
    return s->rows > 0 ? BNN_OK : bnn_fail(BNN_ERR_FORMAT, "%s: has a header and no rows", s->path);
}
