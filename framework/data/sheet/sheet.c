/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sheet.c: a text -> cells, and what their columns are called.
 */
#include "data/import.h"
#include "infer.h"

#include <bnn/number.h>
#include <bnn/remark.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bnn_sheet_free(bnn_sheet *sheet) {
    for (int c = 0; sheet->name && c < sheet->cols; c++) free(sheet->name[c]);
    free(sheet->name), free(sheet->twin), free(sheet->text), free(sheet->cell), free(sheet->line);
    *sheet = (bnn_sheet){0};
}

/* ---- cells as numbers ---- */

static int small(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c; }

int bnn_letters_compare(const char *a, const char *b) {
    while (*a && small(*a) == small(*b)) a++, b++;
    return small(*a) - small(*b);
}

bool bnn_sheet_missing(const char *text, const char *na) {
    static const char *const usual[] = {"?", "NA", "N/A", "#N/A", "<NA>", "nan", "null"};
    if (!*text) return true;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (bnn_letters_compare(text, usual[i]) == 0) return true;
    for (size_t length = strlen(text); na; na = *na ? na + 1 : NULL) {
        size_t n = strcspn(na, ",");
        if (n == length && strncmp(na, text, n) == 0) return true;
        na += n;
    }
    return false;
}

/* Bytes of a mark between thousands; a blank may be one that does not break. 0: there is none. */
static size_t mark_at(const char *p, char mark) {
    if (mark == ' ' && strncmp(p, "\u00A0", 2) == 0) return 2;
    if (mark == ' ' && strncmp(p, "\u202F", 3) == 0) return 3;
    return mark && *p == mark;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Rewrites "1.234,5" as "1234.5"; false where the groups are not of three digits, or the number is too long. */
static bool rewrite(const char *p, char decimal, char thousands, char *to, size_t room) {
    const char *end = to + room - 1;
    int digits = 0;
    bool marked = false;
    for (; *p && *p != decimal && to < end; p++) {
        size_t mark = mark_at(p, thousands);
        if (mark > 0) {
            if (digits < 1 || digits > 3 || (marked ? digits != 3 : to[-digits] == '0') || !is_digit(p[mark])) return false;
            marked = true, digits = 0, p += mark;
        }
        if (*p == '.') return false;
        digits += is_digit(*p);
        if (marked && !is_digit(*p)) break;
        *to++ = *p;
    }
    if (marked && digits != 3) return false;
    for (; *p && to < end; p++) {
        if (*p == '.' && decimal != '.') return false;
        *to++ = *p == decimal ? '.' : *p;
    }
    *to = '\0';
    return !*p;
}

bool bnn_sheet_number(const char *text, char decimal, char thousands, double *value) {
    char plain[64];
    if (decimal == '.' && !thousands) return bnn_import_number(text, value);
    return rewrite(text, decimal, thousands, plain, sizeof plain) && bnn_import_number(plain, value);
}

/* ---- text -> cells ---- */

typedef struct {
    const bnn_csv_options *how;
    bnn_sheet *sheet;
    char *at;
    int at_line; /* counted from 1 */
    char delimiter;
    const char *comment; /* that lines to leave out begin with; NULL: there are none */
    bool stop[256];      /* bytes that end a plain field */
    int first;           /* fields of the first line */
    size_t used, room;   /* of cells */
    int room_of_lines;
    int comments, blanks; /* lines that were left out */
} reader;

static bool is_blank(const reader *r, char c) { return c == ' ' || (c == '\t' && r->delimiter != '\t'); }

static const char *trim_left(const char *p) {
    for (;; p++) {
        if (strncmp(p, "\u00A0", 2) == 0)
            p++;
        else if (*p != ' ' && *p != '\t')
            return p;
    }
}

/* The text from `from` to `end` without the blanks around it. */
static char *trim(char *from, char *end) {
    *end = '\0';
    from += trim_left(from) - from;
    for (;;) {
        if (end > from && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n'))
            end--;
        else if (end > from + 1 && strncmp(end - 2, "\u00A0", 2) == 0)
            end -= 2;
        else
            break;
    }
    *end = '\0';
    return from;
}

/* "a ""quoted"" field" -> its text, in place, up to *end. */
static bnn_status quoted_field(reader *r, char **end) {
    int from = r->at_line;
    char *to = r->at, *p = r->at + 1;
    for (; *p != '"' || p[1] == '"'; p++) {
        if (!*p) return bnn_fail(BNN_ERR_FORMAT, "%s: line %d: a quoted field has no closing quote", r->sheet->path, from);
        r->at_line += *p == '\n';
        p += *p == '"';
        *to++ = *p;
    }
    r->at = p + 1, *end = to;
    while (is_blank(r, *r->at)) r->at++;
    if (r->stop[(unsigned char)*r->at] || (r->delimiter == ' ' && r->at > p + 1)) return BNN_OK;
    return bnn_fail(BNN_ERR_FORMAT, "%s: line %d: a quoted field goes on behind its closing quote", r->sheet->path, r->at_line);
}

/* One field; *last: its line ends behind it. */
static bnn_status next_field(reader *r, char **field, bool *last) {
    while (is_blank(r, *r->at)) r->at++;
    char *begin = r->at, *end = begin;
    if (*begin == '"') {
        BNN_TRY(quoted_field(r, &end));
    } else {
        while (!r->stop[(unsigned char)*r->at]) r->at++;
        end = r->at;
    }
    while (is_blank(r, *r->at)) r->at++;
    *last = *r->at == '\n' || !*r->at;
    r->at_line += *r->at == '\n';
    if (*r->at && (*last || r->delimiter != ' ')) r->at++;
    *field = trim(begin, end);
    return BNN_OK;
}

static bnn_status add_cell(reader *r, char *text) {
    if (r->used == r->room) {
        size_t room = r->room ? 2 * r->room : 1024;
        char **more = realloc(r->sheet->cell, room * sizeof *more);
        if (!more) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %zu cells", r->sheet->path, room);
        r->sheet->cell = more, r->room = room;
    }
    r->sheet->cell[r->used++] = text;
    return BNN_OK;
}

static bnn_status add_line(reader *r, int line) {
    bnn_sheet *s = r->sheet;
    if (s->rows == r->room_of_lines) {
        if (s->rows > INT_MAX / 4) return bnn_fail(BNN_ERR_DATA, "%s: has more than %d rows", s->path, s->rows);
        int room = s->rows ? 2 * s->rows : 256, *more = realloc(s->line, (size_t)room * sizeof *more);
        if (!more) return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for %d rows", s->path, room);
        s->line = more, r->room_of_lines = room;
    }
    s->line[s->rows++] = line;
    return BNN_OK;
}

/* Says whether the last `cols` cells hold nothing, as in lines of commas that spreadsheets leave below a table. */
static bool is_empty_row(const reader *r, int cols) {
    for (int c = 1; c <= cols; c++)
        if (*r->sheet->cell[r->used - (size_t)c]) return false;
    return cols > 1;
}

static bnn_status ragged(const reader *r, int line, int fields, bool hash) {
    return bnn_fail(BNN_ERR_FORMAT, "%s: line %d has %d fields, the lines before have %d%s", r->sheet->path, line, fields, r->sheet->cols,
                    hash ? "; if lines that begin with '#' are comments, say --comment '#'" : "");
}

static bnn_status read_row(reader *r) {
    bnn_sheet *s = r->sheet;
    int line = r->at_line, fields = 0;
    bool last, hash = *r->at == '#';
    do {
        char *field = NULL;
        BNN_TRY(next_field(r, &field, &last));
        BNN_TRY(add_cell(r, field));
        fields++;
    } while (!last);
    if (is_empty_row(r, fields)) {
        r->used -= (size_t)fields, r->blanks++;
        return BNN_OK;
    }
    if (s->rows == 0) r->first = s->cols = fields;
    if (s->rows == 1 && fields == r->first + 1 && r->how->header != BNN_HEADER_NO) s->cols = fields; /* names of rows have none */
    if (fields != s->cols) return ragged(r, line, fields, hash);
    return add_line(r, line);
}

static void skip_line(reader *r) {
    r->at += strcspn(r->at, "\n");
    if (*r->at) r->at++, r->at_line++;
}

static bnn_status read_rows(reader *r) {
    while (*r->at) {
        while (is_blank(r, *r->at)) r->at++;
        if (*r->at == '\n' || !*r->at)
            skip_line(r);
        else if (r->comment && strncmp(r->at, r->comment, strlen(r->comment)) == 0)
            skip_line(r), r->comments++;
        else
            BNN_TRY(read_row(r));
    }
    return r->sheet->rows > 0 ? BNN_OK : bnn_fail(BNN_ERR_FORMAT, "%s: holds no data", r->sheet->path);
}

/* ---- what ends a field ---- */

static const char *delimiter_name(char delimiter, char text[4]) {
    if (delimiter == ' ') return "blanks";
    if (delimiter == '\t') return "tab";
    snprintf(text, 4, "'%c'", delimiter);
    return text;
}

/* How often c stands outside quotes in one line; *at goes on to the next. */
static int count_in_line(const char **at, char c) {
    int count = 0;
    bool quoted = false, begin = true;
    const char *p = *at;
    for (; *p && (quoted || *p != '\n'); p++) {
        if (*p == '"' && (quoted || begin)) quoted = !quoted;
        count += *p == c && !quoted;
        begin = *p == c || *p == ' ' || *p == '"';
    }
    *at = *p ? p + 1 : p;
    return count;
}

/* How often c stands in each of the first lines; 0: not in each alike. The first, which may be a header above rows with names, may have one
 * less. */
static int count_alike(const reader *r, char c) {
    enum { LINES = 50 };
    const char *at = r->at;
    int first = 0, other = 0, lines = 0;
    while (*at && lines < LINES) {
        at += strspn(at, " \n");
        if (!*at) break;
        bool comment = r->comment && strncmp(at, r->comment, strlen(r->comment)) == 0;
        int count = count_in_line(&at, c);
        if (comment) continue;
        if (lines == 0) first = count;
        if (lines == 1) other = count;
        if (lines > 1 && count != other) return 0;
        lines++;
    }
    if (lines == 1) return first;
    return other == first || (first > 0 && other == first + 1) ? other : 0;
}

/* What stands in each line alike; else what is most frequent in the first; else blanks. */
static char guess_delimiter(const reader *r) {
    static const char candidates[] = "\t;|,";
    bool comma = r->how->decimal == ',';
    for (const char *c = candidates; *c; c++)
        if (!(*c == ',' && comma) && count_alike(r, *c) > 0) return *c;
    char best = ' ';
    int most = 0;
    for (const char *c = candidates; *c; c++) {
        const char *line = r->at + strspn(r->at, " \n");
        int count = *c == ',' && comma ? 0 : count_in_line(&line, *c);
        if (count > most && *c != '|') most = count, best = *c;
    }
    return best;
}

/* Excel's first line "sep=;". */
static char announced_delimiter(reader *r) {
    if ((strncmp(r->at, "sep=", 4) != 0 && strncmp(r->at, "SEP=", 4) != 0) || !r->at[4] || (r->at[5] != '\n' && r->at[5])) return '\0';
    char delimiter = r->at[4];
    skip_line(r);
    return delimiter;
}

static bnn_status find_delimiter(reader *r) {
    char text[4], announced = announced_delimiter(r);
    r->delimiter = r->how->delimiter ? r->how->delimiter : announced;
    if (!r->delimiter) {
        r->delimiter = guess_delimiter(r);
        BNN_TRY(
            bnn_remarks_add(r->how->remarks, BNN_REMARK_NOTE, "delimiter", "delimiter: %s (guessed)", delimiter_name(r->delimiter, text)));
    }
    r->stop['\n'] = r->stop['\0'] = r->stop[(unsigned char)r->delimiter] = true;
    if (r->delimiter == ' ') r->stop['\t'] = true;
    return BNN_OK;
}

static bnn_status read_cells(reader *r) {
    bnn_sheet *s = r->sheet;
    r->at = s->text, r->at_line = 1;
    r->comment = r->how->comment ? r->how->comment : s->text[strspn(s->text, " \n")] == '#' ? "#" : NULL;
    BNN_TRY(find_delimiter(r));
    BNN_TRY(read_rows(r));
    if (r->comments)
        BNN_TRY(bnn_remarks_add(r->how->remarks, BNN_REMARK_NOTE, "comments", "comments: %d line%s that begin%s with '%s' left out",
                                r->comments, r->comments == 1 ? "" : "s", r->comments == 1 ? "s" : "", r->comment));
    if (r->blanks) BNN_TRY(bnn_remarks_add(r->how->remarks, BNN_REMARK_NOTE, "blank_rows", "blank rows: %d left out", r->blanks));
    return BNN_OK;
}

/* ---- what ends a line ---- */

/* Where cell c of a row stands, the first line, which may have another length, among the rows. */
static size_t place_of(const reader *r, int row, int c) {
    return row == 0 ? (size_t)c : (size_t)r->first + (size_t)(row - 1) * (size_t)r->sheet->cols + (size_t)c;
}

/* Takes a last column off that nothing stands in: each line ends with a delimiter. */
static bnn_status take_off_last(reader *r) {
    bnn_sheet *s = r->sheet;
    bool shorter = r->first < s->cols;
    if (s->cols < 2 || r->delimiter == ' ' || (!shorter && *s->cell[r->first - 1])) return BNN_OK;
    for (int row = 1; row < s->rows; row++)
        if (*s->cell[place_of(r, row, s->cols - 1)]) return BNN_OK;
    if (s->rows < 2) return BNN_OK;
    size_t to = (size_t)r->first - !shorter;
    for (int row = 1; row < s->rows; row++, to += (size_t)s->cols - 1)
        memmove(&s->cell[to], &s->cell[place_of(r, row, 0)], (size_t)(s->cols - 1) * sizeof *s->cell);
    r->first -= !shorter, s->cols--;
    return bnn_remarks_add(r->how->remarks, BNN_REMARK_NOTE, "trailing_delimiter",
                           "delimiter: each line ends with one, no column is behind it");
}

/* ---- header ---- */

static const char *cell(const bnn_sheet *s, int row, int c) { return s->cell[(size_t)row * (size_t)s->cols + (size_t)c]; }

static bool is_number(const reader *r, const char *text) {
    double value;
    return bnn_sheet_number(text, r->how->decimal, r->how->thousands, &value);
}

static bool numbers_below(const reader *r, int c) {
    const bnn_sheet *s = r->sheet;
    for (int row = 1; row < s->rows; row++)
        if (!is_number(r, cell(s, row, c)) && !bnn_sheet_missing(cell(s, row, c), r->how->na)) return false;
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
static bool looks_like_names(const reader *r) {
    const bnn_sheet *s = r->sheet;
    for (int c = 0; c < s->cols; c++)
        if (is_number(r, cell(s, 0, c))) return false;
    place *sorted = sorted_names(s->cell, s->cols);
    bool twice = !sorted;
    for (int c = 1; !twice && c < s->cols; c++) twice = strcmp(sorted[c - 1].name, sorted[c].name) == 0;
    free(sorted);
    return !twice;
}

/* Years, or 0, 1, 2, ... or 1, 2, 3, ... above numbers that are none of these: a header that is all numbers. */
static bool looks_like_numbers(const reader *r) {
    const bnn_sheet *s = r->sheet;
    double value, before = 0;
    bool years = s->cols > 1, steps = s->cols > 2, fraction = false;
    for (int c = 0; c < s->cols; c++) {
        if (!is_number(r, cell(s, 0, c)) || !bnn_sheet_number(cell(s, 0, c), '.', '\0', &value) || value != floor(value)) return false;
        years = years && value >= 1800 && value <= 2200 && (c == 0 || value > before);
        steps = steps && (c == 0 ? value == 0 || value == 1 : value == before + 1);
        before = value;
    }
    for (int row = 1; (years || steps) && row < s->rows; row++)
        for (int c = 0; c < s->cols; c++) {
            if (!bnn_sheet_number(cell(s, row, c), r->how->decimal, r->how->thousands, &value)) continue;
            fraction = fraction || value != floor(value);
            years = years && !(value >= 1800 && value <= 2200 && value == floor(value));
        }
    return s->rows > 1 && (years || (steps && fraction));
}

static bool has_header(const reader *r, bool *of_numbers) {
    const bnn_sheet *s = r->sheet;
    *of_numbers = false;
    if (r->how->header != BNN_HEADER_GUESS) return r->how->header == BNN_HEADER_YES;
    if (looks_like_numbers(r)) return *of_numbers = true;
    for (int c = 0; c < s->cols; c++)
        if (!is_number(r, cell(s, 0, c)) && !bnn_sheet_missing(cell(s, 0, c), r->how->na) && numbers_below(r, c)) return true;
    return looks_like_names(r);
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
static bnn_status set_names(reader *r, int skip) {
    bnn_sheet *s = r->sheet;
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
    return remark_twins(s, r->how->remarks);
}

static void take_off_header(reader *r) {
    bnn_sheet *s = r->sheet;
    s->rows--;
    memmove(s->cell, s->cell + r->first, (size_t)s->rows * (size_t)s->cols * sizeof *s->cell);
    memmove(s->line, s->line + 1, (size_t)s->rows * sizeof *s->line);
}

static bnn_status remark_header(const reader *r, bool of_numbers) {
    bnn_remarks *remarks = r->how->remarks;
    if (r->how->header != BNN_HEADER_GUESS) return BNN_OK;
    if (of_numbers)
        return bnn_remarks_add(
            remarks, BNN_REMARK_WARNING, "header_of_numbers",
            "header: the first line, which is all numbers, is taken for names (guessed): say --no-header if it holds values");
    return bnn_remarks_add(remarks, BNN_REMARK_NOTE, "header",
                           r->sheet->named ? "header: the first line names the columns (guessed)"
                                           : "header: none, the first line holds values (guessed)");
}

static bnn_status name_columns(reader *r) {
    bnn_sheet *s = r->sheet;
    bool of_numbers = false;
    BNN_TRY(take_off_last(r));
    int skip = s->cols - r->first;
    s->row_names = skip > 0;
    s->named = s->row_names || has_header(r, &of_numbers);
    BNN_TRY(remark_header(r, of_numbers));
    BNN_TRY(set_names(r, skip));
    if (s->named) take_off_header(r);
    return s->rows > 0 ? BNN_OK : bnn_fail(BNN_ERR_FORMAT, "%s: has a header and no rows", s->path);
}

static bnn_status read_sheet(reader *r) {
    BNN_TRY(bnn_text_read(r->sheet->path, r->how->remarks, &r->sheet->text));
    if (!r->how->delimiter && bnn_libsvm_recognise(r->sheet->text)) {
        BNN_TRY(bnn_remarks_add(r->how->remarks, BNN_REMARK_NOTE, "libsvm", "format: rows of libsvm, label and index:value (guessed)"));
        return bnn_libsvm_read(r->sheet);
    }
    BNN_TRY(read_cells(r));
    return name_columns(r);
}

bnn_status bnn_sheet_read(const char *path, const bnn_csv_options *how, bnn_sheet *out) {
    *out = (bnn_sheet){.path = path};
    bnn_csv_options filled = *how;
    if (!filled.decimal) filled.decimal = '.';
    reader r = {.how = &filled, .sheet = out};
    bnn_status s = read_sheet(&r);
    if (s < 0) bnn_sheet_free(out);
    return s;
}
