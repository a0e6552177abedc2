/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * csv.c: text -> cells -> columns -> table.
 */
#include "base/sized.h"
#include "import.h"
#include <bnn/number.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t\r"
#define MANY_LEVELS 100 /* a text column with more values, most of them different, is an identifier and not a feature */

typedef enum { FEATURE, TARGET, DROPPED } column_role;

typedef struct {
    char *name; /* owned */
    column_role role;
    int place; /* of a target: its number among the targets */
    bool text;
    int n_levels;                               /* of a text or a class */
    char **level;                               /* [n_levels] sorted; the texts are borrowed from the cells */
    int (*compare)(const void *, const void *); /* their order */
} column;

typedef struct {
    const char *path;
    char *text;         /* owned: cells point into it */
    char separators[8]; /* that end a field, beside the end of the line */
    bool blanks;        /* separated by blanks: several count as one */
    int rows, cols;
    char **cell; /* [rows, cols], of the header too until it is taken off */
    size_t used, room;
    int first;      /* row of `cell` where the data begin */
    column *column; /* [cols] */
} sheet;

static void sheet_free(sheet *s) {
    for (int c = 0; s->column && c < s->cols; c++) free(s->column[c].name), free(s->column[c].level);
    free(s->column), free(s->cell), free(s->text);
}

static const char *cell(const sheet *s, int row, int c) { return s->cell[(size_t)(row + s->first) * (size_t)s->cols + (size_t)c]; }

/* ---- text -> cells ---- */

/* Behind the byte order mark and the comment lines a file may begin with. */
static char *body(char *text) {
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3;
    while (*text == '#') text += strcspn(text, "\n"), text += *text == '\n';
    return text;
}

/* The separator that is most frequent outside quotes in the first line that is not blank; blanks if there is none. */
static void guess_separator(sheet *s, const char *text) {
    static const char candidates[] = "\t;,";
    int count[3] = {0}, best = 0;
    bool quoted = false;
    for (const char *p = text + strspn(text, " \r\n"); *p && *p != '\n'; p++) {
        const char *found = strchr(candidates, *p);
        if (*p == '"')
            quoted = !quoted;
        else if (found && !quoted)
            count[found - candidates]++;
    }
    for (int i = 1; i < 3; i++)
        if (count[i] > count[best]) best = i;
    s->blanks = count[best] == 0;
    snprintf(s->separators, sizeof s->separators, "%s", s->blanks ? BLANKS : (const char[]){candidates[best], '\0'});
}

typedef struct {
    char *at;
    int line; /* counted from 1 */
} cursor;

static bool is_blank(const sheet *s, char c) { return c && strchr(BLANKS, c) && (s->blanks || c != s->separators[0]); }

/* "a ""quoted"" field" -> its text, in place. */
static bnn_status quoted_field(const sheet *s, cursor *at, char **field) {
    int from = at->line;
    char *to = *field = at->at + 1, *p = to;
    for (; *p != '"' || p[1] == '"'; p++) {
        if (!*p) return bnn_fail(BNN_ERR_FORMAT, "%s: line %d: a quoted field has no closing quote", s->path, from);
        at->line += *p == '\n';
        p += *p == '"';
        *to++ = *p;
    }
    at->at = p + 1;
    *to = '\0';
    if (*at->at && *at->at != '\n' && !strchr(s->separators, *at->at) && !is_blank(s, *at->at))
        return bnn_fail(BNN_ERR_FORMAT, "%s: line %d: a quoted field goes on behind its closing quote", s->path, at->line);
    return BNN_OK;
}

static void plain_field(const sheet *s, cursor *at, char **field, char **end) {
    char stops[10];
    snprintf(stops, sizeof stops, "%s\n", s->separators);
    *field = at->at;
    at->at += strcspn(at->at, stops);
    *end = at->at;
    while (*end > *field && strchr(BLANKS, (*end)[-1])) --*end;
}

/* One field; *last: its line ends behind it. */
static bnn_status next_field(const sheet *s, cursor *at, char **field, bool *last) {
    char *end = NULL;
    while (is_blank(s, *at->at)) at->at++;
    if (*at->at == '"')
        BNN_TRY(quoted_field(s, at, field));
    else
        plain_field(s, at, field, &end);
    while (is_blank(s, *at->at)) at->at++;
    *last = *at->at == '\n' || !*at->at;
    if (*at->at == '\n') at->line++;
    if (*at->at && (*last || !s->blanks)) at->at++;
    if (end) *end = '\0';
    return BNN_OK;
}

static bnn_status add_cell(sheet *s, char *text) {
    if (s->used == s->room) {
        size_t room = s->room ? 2 * s->room : 1024;
        char **more = realloc(s->cell, room * sizeof *more);
        if (!more) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %zu cells", s->path, room);
        s->cell = more, s->room = room;
    }
    s->cell[s->used++] = text;
    return BNN_OK;
}

static bnn_status read_row(sheet *s, cursor *at) {
    int line = at->line, cols = 0;
    bool last;
    do {
        char *field;
        BNN_TRY(next_field(s, at, &field, &last));
        BNN_TRY(add_cell(s, field));
        cols++;
    } while (!last);
    if (s->rows > 0 && cols != s->cols)
        return bnn_fail(BNN_ERR_FORMAT, "%s: line %d has %d fields, the lines before have %d", s->path, line, cols, s->cols);
    s->cols = cols, s->rows++;
    return BNN_OK;
}

static bnn_status read_cells(sheet *s) {
    BNN_TRY(bnn_import_read(s->path, &s->text));
    cursor at = {.at = body(s->text), .line = 1};
    for (const char *p = s->text; p < at.at; p++) at.line += *p == '\n';
    guess_separator(s, at.at);
    while (*at.at) {
        size_t blank = strspn(at.at, " \r");
        if (at.at[blank] == '\n')
            at.at += blank + 1, at.line++;
        else if (!at.at[blank])
            break;
        else
            BNN_TRY(read_row(s, &at));
    }
    if (s->rows == 0) return bnn_fail(BNN_ERR_FORMAT, "%s: holds no data", s->path);
    return BNN_OK;
}

/* ---- header and names ---- */

static bool is_number(const char *text) {
    double value;
    return bnn_import_number(text, &value);
}

static bool is_missing(const char *text) {
    return !*text || strcmp(text, "?") == 0 || strcasecmp(text, "NA") == 0 || strcasecmp(text, "nan") == 0;
}

static bool numbers_below(const sheet *s, int c) {
    for (int row = 1; row < s->rows; row++)
        if (!is_number(cell(s, row, c)) && !is_missing(cell(s, row, c))) return false;
    return s->rows > 1;
}

/* All texts, none twice: then it is a header even above columns of texts. */
static bool looks_like_names(const sheet *s) {
    for (int c = 0; c < s->cols; c++) {
        if (is_number(cell(s, 0, c))) return false;
        for (int d = 0; d < c; d++)
            if (strcmp(cell(s, 0, c), cell(s, 0, d)) == 0) return false;
    }
    return true;
}

static bool has_header(const sheet *s, bnn_header header) {
    if (header != BNN_HEADER_GUESS) return header == BNN_HEADER_YES;
    for (int c = 0; c < s->cols; c++)
        if (!is_number(cell(s, 0, c)) && !is_missing(cell(s, 0, c)) && numbers_below(s, c)) return true;
    return looks_like_names(s);
}

static bnn_status name_columns(sheet *s, bnn_header header) {
    bool named = has_header(s, header);
    s->column = calloc((size_t)s->cols, sizeof *s->column);
    bool done = s->column;
    for (int c = 0; done && c < s->cols; c++) {
        if (named && *cell(s, 0, c))
            done = (s->column[c].name = strdup(cell(s, 0, c)));
        else
            done = asprintf(&s->column[c].name, "column%d", c + 1) >= 0;
    }
    if (!done) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %d columns", s->path, s->cols);
    s->first = named, s->rows -= named;
    return s->rows > 0 ? BNN_OK : bnn_fail(BNN_ERR_FORMAT, "%s: has a header and no rows", s->path);
}

/* ---- which column is what ---- */

static bnn_status find_column(const sheet *s, const char *wanted, column **out) {
    for (int c = 0; c < s->cols; c++) {
        *out = &s->column[c];
        if (strcmp((*out)->name, wanted) == 0) return BNN_OK;
    }
    double number;
    if (bnn_import_number(wanted, &number) && number == floor(number) && number >= 1 && number <= s->cols) {
        *out = &s->column[(int)number - 1];
        return BNN_OK;
    }
    char known[512] = "";
    for (int c = 0; c < s->cols; c++) bnn_list_add(known, sizeof known, s->column[c].name);
    return bnn_fail(BNN_ERR_NAME, "%s: has no column '%s': there are %s", s->path, wanted, known);
}

static bnn_status set_role(const sheet *s, const char *list, column_role role) {
    char *copy = strdup(list), *rest = copy;
    bnn_status status = copy ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory", s->path);
    int place = 0;
    for (char *name; status == BNN_OK && (name = strsep(&rest, ","));) {
        column *c;
        status = find_column(s, name, &c);
        if (status == BNN_OK && c->role != FEATURE)
            status = bnn_fail(BNN_ERR_NAME, "%s: column '%s' is named twice among targets and left-out columns", s->path, c->name);
        if (status == BNN_OK) c->role = role, c->place = place++;
    }
    free(copy);
    return status;
}

static int count_role(const sheet *s, column_role role) {
    int n = 0;
    for (int c = 0; c < s->cols; c++) n += s->column[c].role == role;
    return n;
}

static bnn_status choose_columns(sheet *s, const bnn_csv_options *o) {
    bool none = o->targets && strcmp(o->targets, "none") == 0;
    if (s->cols < 2 && !none) return bnn_fail(BNN_ERR_FORMAT, "%s: has one column, a table needs features and a target", s->path);
    if (o->drop) BNN_TRY(set_role(s, o->drop, DROPPED));
    if (o->targets && !none) BNN_TRY(set_role(s, o->targets, TARGET));
    if (!o->targets) {
        int c = s->cols - 1;
        while (c > 0 && s->column[c].role == DROPPED) c--;
        s->column[c].role = TARGET;
    }
    return count_role(s, FEATURE) ? BNN_OK : bnn_fail(BNN_ERR_DATA, "%s: no column is left as a feature", s->path);
}

/* ---- kinds and levels ---- */

static bnn_status check_missing(const sheet *s) {
    for (int row = 0; row < s->rows; row++)
        for (int c = 0; c < s->cols; c++)
            if (s->column[c].role != DROPPED && is_missing(cell(s, row, c)))
                return bnn_fail(BNN_ERR_DATA, "%s: row %d, column '%s': value is missing", s->path, row + 1, s->column[c].name);
    return BNN_OK;
}

static bool has_decimal_comma(const char *text) {
    size_t whole = strspn(text, "+-0123456789"), part = whole && text[whole] == ',' ? strspn(text + whole + 1, "0123456789") : 0;
    return part && !text[whole + 1 + part];
}

/* Numbers, or texts; a few texts among numbers are mistakes and not values of their own. */
static bnn_status find_kind(const sheet *s, int c) {
    column *col = &s->column[c];
    int numbers = 0, first = -1;
    double value;
    for (int row = 0; row < s->rows; row++) {
        if (!bnn_import_number(cell(s, row, c), &value))
            first = first < 0 ? row : first;
        else if (isfinite(value))
            numbers++;
        else
            return bnn_fail(BNN_ERR_DATA, "%s: row %d, column '%s': '%s' is not a finite number", s->path, row + 1, col->name,
                            cell(s, row, c));
    }
    col->text = first >= 0;
    if (first >= 0 && has_decimal_comma(cell(s, first, c)))
        return bnn_fail(BNN_ERR_DATA, "%s: row %d, column '%s': '%s' has a decimal comma, numbers need a point", s->path, first + 1,
                        col->name, cell(s, first, c));
    if (first >= 0 && 2 * numbers > s->rows)
        return bnn_fail(BNN_ERR_DATA, "%s: row %d, column '%s': '%.40s' is not a number", s->path, first + 1, col->name, cell(s, first, c));
    return BNN_OK;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int by_size(const void *a, const void *b) {
    double x = bnn_number_read(*(char *const *)a, NULL), y = bnn_number_read(*(char *const *)b, NULL);
    return (x > y) - (x < y);
}

static bnn_status find_levels(const sheet *s, int c) {
    column *col = &s->column[c];
    col->compare = col->text ? by_text : by_size;
    col->level = malloc((size_t)s->rows * sizeof *col->level);
    if (!col->level) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for the values of column '%s'", s->path, col->name);
    for (int row = 0; row < s->rows; row++) col->level[row] = s->cell[(size_t)(row + s->first) * (size_t)s->cols + (size_t)c];
    qsort(col->level, (size_t)s->rows, sizeof *col->level, col->compare);
    for (int row = 0; row < s->rows; row++)
        if (row == 0 || col->compare(&col->level[row], &col->level[col->n_levels - 1]) != 0) col->level[col->n_levels++] = col->level[row];
    if (col->n_levels > MANY_LEVELS && 2 * col->n_levels > s->rows)
        return bnn_fail(BNN_ERR_DATA, "%s: column '%s' has %d different values in %d rows: leave it out, or make it a number", s->path,
                        col->name, col->n_levels, s->rows);
    return BNN_OK;
}

static int level_of(const column *c, const char *text) {
    return (int)((char **)bsearch(&text, c->level, (size_t)c->n_levels, sizeof *c->level, c->compare) - c->level);
}

static bnn_status find_kinds(sheet *s, bool classes) {
    BNN_TRY(check_missing(s));
    for (int c = 0; c < s->cols; c++) {
        column *col = &s->column[c];
        if (col->role == DROPPED) continue;
        BNN_TRY(find_kind(s, c));
        bool is_class = col->role == TARGET && (col->text || classes);
        if (is_class && count_role(s, TARGET) > 1)
            return bnn_fail(BNN_ERR_DATA, "%s: column '%s' holds classes: it must be the only target", s->path, col->name);
        if (is_class || col->text) BNN_TRY(find_levels(s, c));
        if (is_class && col->n_levels < 2)
            return bnn_fail(BNN_ERR_DATA, "%s: column '%s' holds a single class, '%s'", s->path, col->name, col->level[0]);
    }
    return BNN_OK;
}

/* ---- columns -> table ---- */

static void fill_feature(const sheet *s, int c, bnn_table *t, int at) {
    int width = bnn_shape_size(t->x_shape);
    for (int row = 0; row < s->rows; row++) {
        double *x = t->x + (size_t)row * (size_t)width + at;
        if (s->column[c].text)
            x[level_of(&s->column[c], cell(s, row, c))] = 1;
        else
            bnn_import_number(cell(s, row, c), x);
    }
}

static bool name_feature(const column *c, char **names) {
    if (!c->text) return (names[0] = strdup(c->name));
    for (int l = 0; l < c->n_levels; l++)
        if (asprintf(&names[l], "%s=%s", c->name, c->level[l]) < 0) return false;
    return true;
}

static bool fill_target(const sheet *s, int c, bnn_table *t) {
    const column *col = &s->column[c];
    for (int row = 0; row < s->rows; row++) {
        double *y = t->y + (size_t)row * (size_t)t->y_dim + col->place;
        if (t->n_classes)
            *y = level_of(col, cell(s, row, c));
        else
            bnn_import_number(cell(s, row, c), y);
    }
    for (int l = 0; l < t->n_classes; l++)
        if (!(t->class_names[l] = strdup(col->level[l]))) return false;
    return (t->y_names[col->place] = strdup(col->name));
}

static bool fill_table(const sheet *s, bnn_table *t) {
    t->x_names = calloc((size_t)bnn_shape_size(t->x_shape), sizeof *t->x_names);
    t->y_names = t->y_dim ? calloc((size_t)t->y_dim, sizeof *t->y_names) : NULL;
    t->class_names = t->n_classes ? calloc((size_t)t->n_classes, sizeof *t->class_names) : NULL;
    bool done = t->x_names && (t->y_names || !t->y_dim) && (t->class_names || !t->n_classes);
    for (int c = 0, at = 0; done && c < s->cols; c++) {
        const column *col = &s->column[c];
        if (col->role == TARGET) done = fill_target(s, c, t);
        if (col->role != FEATURE) continue;
        done = name_feature(col, t->x_names + at);
        fill_feature(s, c, t, at);
        at += col->text ? col->n_levels : 1;
    }
    return done;
}

static bnn_status make_table(const sheet *s, bnn_table **out) {
    int width = 0, n_classes = 0;
    for (int c = 0; c < s->cols; c++) {
        const column *col = &s->column[c];
        if (col->role == FEATURE) width += col->text ? col->n_levels : 1;
        if (col->role == TARGET) n_classes = col->n_levels;
    }
    BNN_TRY(bnn_table_new(s->rows, bnn_shape_vector(width), count_role(s, TARGET), n_classes, out));
    return fill_table(s, *out) ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for names", s->path);
}

bnn_status bnn_import_csv(const char *path, const bnn_csv_options *options, const bnn_import_about *about, bnn_table **out) {
    bnn_csv_options how;
    *out = NULL;
    BNN_TRY(bnn_sized_read("bnn_csv_options", &how, sizeof how, BNN_UP_TO(bnn_csv_options, header), options));
    sheet s = {.path = path};
    bnn_table *t = NULL;
    bnn_status status = read_cells(&s);
    if (status == BNN_OK) status = name_columns(&s, how.header);
    if (status == BNN_OK) status = choose_columns(&s, &how);
    if (status == BNN_OK) status = find_kinds(&s, how.classes);
    if (status == BNN_OK) status = make_table(&s, &t);
    if (status == BNN_OK) status = bnn_import_describe(t, about, path);
    sheet_free(&s);
    if (status < 0)
        bnn_table_free(t);
    else
        *out = t;
    return status;
}
