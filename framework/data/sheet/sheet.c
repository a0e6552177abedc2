/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sheet.c: a text -> cells.
 */
#include "data/import.h"
#include "infer.h"

#include <bnn/remark.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bnn_sheet_free(bnn_sheet *sheet) {
    for (int c = 0; sheet->name && c < sheet->cols; c++) free(sheet->name[c]);
    free(sheet->name), free(sheet->twin), free(sheet->text), free(sheet->cell), free(sheet->line);
    free((bnn_sheet_numbers *)sheet->numbers);
    *sheet = (bnn_sheet){0};
}

/* ---- text -> cells ---- */

typedef struct {
    const bnn_csv_options *how;
    const bnn_schema *like; /* that is read by; NULL: there is none yet */
    bnn_sheet *sheet;
    char *at;
    int at_line; /* counted from 1 */
    char delimiter;
    const char *comment; /* that lines to leave out begin with; NULL: there are none */
    bool stop[256];      /* bytes that end a plain field */
    int first;           /* fields of the first line */
    size_t used, room;   /* of cells */
    int room_of_lines;
    int comments; /* lines that were left out */
    int empty;    /* lines without anything since the last row */
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
    return bnn_fail(BNN_ERR_FORMAT, "%s: line %d: a quoted field goes on behind its closing quote; a quote within it is written twice",
                    r->sheet->path, r->at_line);
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
    const char *way = hash                  ? "; if lines that begin with '#' are comments, say --comment '#'"
                      : r->sheet->rows == 1 ? "; if the first line is a title, take it away"
                                            : "";
    return bnn_fail(BNN_ERR_FORMAT, "%s: line %d has %d field%s, the lines before have %d%s", r->sheet->path, line, fields,
                    fields == 1 ? "" : "s", r->sheet->cols, way);
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
        r->used -= (size_t)fields, s->blanks++;
        return BNN_OK;
    }
    if (fields == 1 && s->rows > 0) s->blanks += r->empty; /* of one column an empty line may be a value that is missing */
    r->empty = 0;
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
            skip_line(r), r->empty++;
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

/* Says whether p may be the mark of decimals of a number: a digit stands behind it, and none or the end of a field before it. */
static bool may_be_decimal(const char *line, const char *p) {
    return p[1] >= '0' && p[1] <= '9' && (p == line || strchr("0123456789+- \t;|", p[-1]));
}

/* Counts c outside quotes in one line; *at goes on to the next. The mark of decimals is a delimiter where no number has it. */
static int count_in_line(const reader *r, const char **at, char c) {
    int count = 0;
    bool quoted = false, begin = true;
    const char *p = *at;
    for (; *p && (quoted || *p != '\n'); p++) {
        if (*p == '"' && (quoted || begin)) quoted = !quoted;
        count += *p == c && !quoted && (c != r->how->decimal || !may_be_decimal(*at, p));
        begin = *p == c || *p == ' ' || *p == '"';
    }
    *at = *p ? p + 1 : p;
    return count;
}

/* Counts c in each of the first lines; 0: not in each alike. The first, which may be a header above rows with names, may have one
 * less. */
static int count_alike(const reader *r, char c) {
    enum { LINES = 50 };
    const char *at = r->at;
    int first = 0, other = 0, lines = 0;
    while (*at && lines < LINES) {
        at += strspn(at, " \n");
        if (!*at) break;
        bool comment = r->comment && strncmp(at, r->comment, strlen(r->comment)) == 0;
        int count = count_in_line(r, &at, c);
        if (comment) continue;
        if (lines == 0) first = count;
        if (lines == 1) other = count;
        if (lines > 1 && count != other) return 0;
        lines++;
    }
    if (lines == 1) return first;
    return other == first || (first > 0 && other == first + 1) ? other : 0;
}

/* Takes what stands in each line alike; else what is most frequent in the first; else blanks. */
static char guess_delimiter(const reader *r) {
    static const char candidates[] = "\t;|,";
    for (const char *c = candidates; *c; c++)
        if (count_alike(r, *c) > 0) return *c;
    char best = ' ';
    int most = 0;
    for (const char *c = candidates; *c; c++) {
        const char *line = r->at + strspn(r->at, " \n");
        int count = count_in_line(r, &line, *c);
        if (count > most && *c != '|') most = count, best = *c;
    }
    return best;
}

/* How many fields of a line are names of the schema, if c ends a field. */
static int count_names(const reader *r, const char *line, char c) {
    int count = 0;
    for (const char *from = line, *end; *from && *from != '\n'; from = *end == c ? end + 1 : end) {
        bool quoted = false;
        for (end = from; *end && *end != '\n' && (quoted || *end != c); end++) quoted ^= *end == '"';
        const char *last = end;
        while (from < last && (*from == ' ' || *from == '"')) from++;
        while (last > from && (last[-1] == ' ' || last[-1] == '"')) last--;
        for (int k = 0; k < r->like->n; k++) {
            const char *name = r->like->column[k].name;
            count += strlen(name) == (size_t)(last - from) && memcmp(name, from, (size_t)(last - from)) == 0;
        }
    }
    return count;
}

/* Finds what parts the names that a schema knows, if anything does; else `guess`. */
static char delimiter_of_names(const reader *r, char guess) {
    static const char candidates[] = "\t;|, ";
    const char *line = r->at + strspn(r->at, " \n");
    char best = guess;
    int most = count_names(r, line, guess);
    for (const char *c = candidates; *c; c++) {
        int count = count_names(r, line, *c);
        if (count > most) most = count, best = *c;
    }
    return best;
}

/* Excel's first line "sep=;", with quotes or without. */
static char announced_delimiter(reader *r) {
    const char *p = r->at + (*r->at == '"');
    if ((strncmp(p, "sep=", 4) != 0 && strncmp(p, "SEP=", 4) != 0) || !p[4]) return '\0';
    char delimiter = p[4];
    p += 5 + (*r->at == '"' && p[5] == '"');
    if (*p && *p != '\n') return '\0';
    skip_line(r);
    return delimiter;
}

static bnn_status find_delimiter(reader *r) {
    char text[4], announced = announced_delimiter(r);
    r->delimiter = r->how->delimiter ? r->how->delimiter : announced;
    if (!r->delimiter) {
        r->delimiter = r->like && r->like->delimiter ? r->like->delimiter : guess_delimiter(r);
        if (r->like) r->delimiter = delimiter_of_names(r, r->delimiter);
        BNN_TRY(
            bnn_remarks_add(r->how->remarks, BNN_REMARK_NOTE, "delimiter", "delimiter: %s (guessed)", delimiter_name(r->delimiter, text)));
    }
    r->sheet->delimiter = r->delimiter;
    r->stop['\n'] = r->stop['\0'] = r->stop[(unsigned char)r->delimiter] = true;
    if (r->delimiter == ' ') r->stop['\t'] = true;
    return BNN_OK;
}

bnn_status bnn_sheet_tell_blanks(const bnn_sheet *s, bnn_remarks *remarks) {
    return s->blanks ? bnn_remarks_add(remarks, BNN_REMARK_NOTE, "blank_rows", "blank rows: %d left out", s->blanks) : BNN_OK;
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
    return bnn_sheet_tell_blanks(s, r->how->remarks);
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

static bnn_status read_sheet(reader *r) {
    BNN_TRY(bnn_text_read(r->sheet->path, r->how->remarks, &r->sheet->text));
    r->sheet->path = bnn_text_name(r->sheet->path);
    if (r->how->format == BNN_TEXT_LIBSVM) return bnn_libsvm_read(r->like, r->sheet);
    if (r->how->format == BNN_TEXT_GUESS && !r->how->delimiter && bnn_libsvm_recognise(r->sheet->text, r->like)) {
        BNN_TRY(bnn_remarks_add(r->how->remarks, BNN_REMARK_NOTE, "libsvm",
                                "format: rows of libsvm, label and index:value (guessed; --format csv reads it as fields)"));
        return bnn_libsvm_read(r->like, r->sheet);
    }
    BNN_TRY(read_cells(r));
    BNN_TRY(take_off_last(r));
    return bnn_sheet_name_columns(r->sheet, r->first, r->how, r->like);
}

/* Refuses marks that cannot be told apart from what they stand between. */
static bnn_status check_marks(const bnn_csv_options *how) {
    static const char never[] = "\"\n\r0123456789+-eE";
    if (how->format == BNN_TEXT_LIBSVM && (how->delimiter || how->comment || how->header != BNN_HEADER_GUESS || how->decimal != '.'))
        return bnn_fail(BNN_ERR_OPTION, "format: rows of libsvm have no delimiter, header, comment or decimal mark to choose");
    if (how->delimiter && strchr(never, how->delimiter))
        return bnn_fail(BNN_ERR_OPTION, "delimiter: '%c' cannot end a field", how->delimiter);
    if (how->decimal != '.' && how->decimal != ',') return bnn_fail(BNN_ERR_OPTION, "decimal: '%c' is neither . nor ,", how->decimal);
    if (how->thousands && (strchr(never, how->thousands) || how->thousands == how->decimal))
        return bnn_fail(BNN_ERR_OPTION, "thousands: '%c' cannot stand between thousands", how->thousands);
    return BNN_OK;
}

bnn_status bnn_sheet_read(const char *path, const bnn_csv_options *how, const bnn_schema *like, bnn_sheet *out) {
    *out = (bnn_sheet){.path = path};
    bnn_csv_options filled = *how;
    if (!filled.decimal) filled.decimal = '.';
    reader r = {.how = &filled, .like = like, .sheet = out};
    bnn_status s = check_marks(&filled);
    if (s == BNN_OK) s = read_sheet(&r);
    if (s < 0) bnn_sheet_free(out);
    return s;
}
