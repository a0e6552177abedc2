/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * infer.c: cells -> schema: what each column is for, and how its texts are read.
 */
#include "data/import.h"
#include "infer.h"

#include <bnn/number.h>
#include <bnn/remark.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MANY_LEVELS 100 /* a text column with more values, most of them different, is an identifier and not a feature */

static bnn_status no_memory(const bnn_inference *in) {
    return bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its columns", in->sheet->path);
}

/* ---- which column is what ---- */

static const char *option_of(int role) {
    return role == BNN_LEFT_OUT ? "left-out" : role == BNN_COLUMN_TARGET ? "target" : role == BNN_COLUMN_ID ? "id" : "weight";
}

static bnn_status find_column(const bnn_sheet *s, const char *wanted, int *out) {
    for (*out = 0; *out < s->cols; ++*out)
        if (strcmp(s->name[*out], wanted) == 0) {
            int twin = s->twin[*out], low = twin < *out ? twin : *out, high = twin < *out ? *out : twin;
            return twin < 0 ? BNN_OK
                            : bnn_fail(BNN_ERR_NAME,
                                       "%s: columns %d and %d are both called '%s': name one by its number, and leave the other out by "
                                       "--drop",
                                       s->path, low + 1, high + 1, s->name[low]);
        }
    double number;
    if (bnn_import_number(wanted, &number) && number == floor(number) && number >= 1 && number <= s->cols) {
        *out = (int)number - 1;
        return BNN_OK;
    }
    char known[512] = "";
    for (int c = 0; c < s->cols; c++) bnn_list_add(known, sizeof known, s->name[c]);
    return bnn_fail(BNN_ERR_NAME, "%s: has no column '%s': there are %s", s->path, wanted, known);
}

static bnn_status set_role(bnn_inference *in, int c, int role) {
    if (in->role[c] != BNN_UNASKED)
        return bnn_fail(BNN_ERR_NAME, "%s: column '%s' is named twice: among %s and %s columns", in->sheet->path, in->sheet->name[c],
                        option_of(in->role[c]), option_of(role));
    in->role[c] = role;
    if (role == BNN_COLUMN_TARGET) in->target[in->n_targets++] = c;
    return BNN_OK;
}

/* Cuts the next name off a list: names with commas stand in quotes, as in the file. */
static char *next_name(char **rest) {
    char *name = *rest, *to = name, *from = name;
    bool quoted = false;
    if (!name) return NULL;
    for (; *from && (quoted || *from != ','); from++) {
        if (*from == '"' && !(quoted && from[1] == '"'))
            quoted = !quoted;
        else
            from += *from == '"', *to++ = *from;
    }
    *rest = *from ? from + 1 : NULL;
    *to = '\0';
    return name;
}

static bnn_status take_column(const bnn_sheet *s, const char *name, bnn_status (*take)(void *context, int column), void *context) {
    int c;
    BNN_TRY(find_column(s, name, &c));
    return take(context, c);
}

bnn_status bnn_sheet_columns(const bnn_sheet *s, const char *list, bnn_status (*take)(void *context, int column), void *context) {
    if (!list) return BNN_OK;
    if (bnn_sheet_find(s, list) >= 0) return take_column(s, list, take, context);
    char *copy = strdup(list), *rest = copy;
    bnn_status status = copy ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its columns", s->path);
    for (char *name; status == BNN_OK && (name = next_name(&rest));) status = take_column(s, name, take, context);
    free(copy);
    return status;
}

typedef struct {
    bnn_inference *in;
    int role;
} assignment;

static bnn_status assign(void *context, int column) {
    const assignment *a = context;
    return set_role(a->in, column, a->role);
}

static bnn_status set_roles(bnn_inference *in, const char *list, int role) {
    return bnn_sheet_columns(in->sheet, list, assign, &(assignment){in, role});
}

/* The role of one column; wanted NULL: of none. */
static bnn_status set_one(bnn_inference *in, const char *wanted, int role) {
    int c;
    if (!wanted) return BNN_OK;
    BNN_TRY(find_column(in->sheet, wanted, &c));
    return set_role(in, c, role);
}

/* The last column, if nobody asks for another. */
static bnn_status take_last(bnn_inference *in) {
    const bnn_sheet *s = in->sheet;
    int c = s->cols - 1;
    while (c > 0 && in->role[c] != BNN_UNASKED) c--;
    if (in->role[c] != BNN_UNASKED) return BNN_OK;
    return set_one(in, s->name[c], BNN_COLUMN_TARGET);
}

static bnn_status leave_row_names(bnn_inference *in) {
    if (in->role[0] != BNN_UNASKED) return BNN_OK;
    in->role[0] = BNN_LEFT_OUT;
    return bnn_remarks_add(in->how->remarks, BNN_REMARK_NOTE, "row_names",
                           "row names: the first column, which the header does not name, is left out (--id row_name carries it through)");
}

static bnn_status make_levels(void *context, int column) {
    bnn_inference *in = context;
    if (in->role[column] != BNN_COLUMN_FEATURE)
        return bnn_fail(BNN_ERR_NAME, "%s: column '%s' is no feature: levels are asked for of features%s", in->sheet->path,
                        in->sheet->name[column], in->role[column] == BNN_COLUMN_TARGET ? ", --classes of the target" : "");
    in->levels[column] = true;
    return BNN_OK;
}

static bnn_status choose_roles(bnn_inference *in) {
    const bnn_csv_options *how = in->how;
    const bnn_sheet *s = in->sheet;
    bool none = how->targets && strcmp(how->targets, "none") == 0;
    if (s->cols < 2 && !none)
        return bnn_fail(BNN_ERR_FORMAT, "%s: has one column, a table needs features and a target%s", s->path,
                        s->delimiter ? ": say what ends a field (--delimiter)" : "");
    BNN_TRY(set_roles(in, how->drop, BNN_LEFT_OUT));
    BNN_TRY(set_roles(in, how->id, BNN_COLUMN_ID));
    BNN_TRY(set_one(in, how->weight, BNN_COLUMN_WEIGHT));
    if (!none) BNN_TRY(how->targets ? set_roles(in, how->targets, BNN_COLUMN_TARGET) : take_last(in));
    if (s->row_names) BNN_TRY(leave_row_names(in));
    int features = 0;
    for (int c = 0; c < s->cols; c++) {
        if (in->role[c] == BNN_UNASKED) in->role[c] = BNN_COLUMN_FEATURE;
        features += in->role[c] == BNN_COLUMN_FEATURE;
    }
    if (features == 0) return bnn_fail(BNN_ERR_DATA, "%s: no column is left as a feature", s->path);
    return bnn_sheet_columns(s, how->levels, make_levels, in);
}

/* ---- what stands in the columns ---- */

static void see_value(bnn_column_facts *f, uint64_t v) {
    v = (v ^ v >> 32) * UINT64_C(0x9E3779B97F4A7C15);
    f->hash = (f->hash ^ v ^ v >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
}

static void see_few(bnn_column_facts *f, double v) {
    int k = 0;
    while (k < f->n_few && k < BNN_FEW && f->few[k] != v) k++;
    if (k < f->n_few) return;
    if (k < BNN_FEW) f->few[k] = v;
    f->n_few++;
}

static bool is_month(int v) { return v >= 190001 && v <= 210012 && v % 100 >= 1 && v % 100 <= 12; }

static unsigned dates_of(double v) {
    static const double second_of_2000 = 946684800, last_of_32_bits = 2147483647, second_of_2100 = 4102444800;
    unsigned as = 0;
    if (v != floor(v) || v < 190001) return 0;
    if (v <= 210012 && is_month((int)v)) as |= BNN_DATE_MONTH;
    if (v <= 21001231 && is_month((int)v / 100) && (int)v % 100 >= 1 && (int)v % 100 <= 31) as |= BNN_DATE_DAY;
    if (v >= second_of_2000 && v <= last_of_32_bits) as |= BNN_DATE_SECONDS;
    if (v >= 1000 * second_of_2000 && v <= 1000 * second_of_2100) as |= BNN_DATE_MILLISECONDS;
    return as;
}

static void see_number(bnn_column_facts *f, double v) {
    uint64_t bits;
    v += 0.0; /* -0 is 0 */
    memcpy(&bits, &v, sizeof bits);
    see_value(f, bits);
    if (f->numbers++ == 0) {
        f->first = f->least = f->greatest = v, f->above = INFINITY;
        f->whole = v == floor(v), f->steps = true, f->dates = dates_of(v);
    } else {
        f->whole = f->whole && v == floor(v), f->steps = f->steps && v == f->last + 1, f->dates &= dates_of(v);
        if (v != f->least && v < f->above) f->above = v > f->least ? v : f->least;
        f->least = v < f->least ? v : f->least, f->greatest = v > f->greatest ? v : f->greatest;
    }
    f->sum += v, f->last = v;
}

static void see_text(bnn_column_facts *f, const char *text, int row) {
    uint64_t h = 1;
    for (const char *p = text; *p; p++) h = (h ^ (unsigned char)*p) * UINT64_C(1099511628211);
    see_value(f, h);
    if (f->texts++ == 0) f->first_text = row;
}

/* Says whether a number is written with digits that it does not have: zeros before it, or more than a double keeps. */
static bool loses_digits(const char *text, double value) {
    enum { MOST_DIGITS = 320 };
    size_t n = strspn(text, "0123456789");
    if (n < 2 || text[n] || (text[0] != '0' && value <= 0x1p53)) return false;
    char exact[MOST_DIGITS];
    bnn_print(exact, sizeof exact, "%.0f", value);
    return strcmp(exact, text) != 0;
}

/* Looks at one cell that is neither left out nor an id. */
static void see_cell(const bnn_inference *in, int row, int c) {
    bnn_column_facts *f = &in->facts[c];
    const char *text = bnn_sheet_cell(in->sheet, row, c);
    double value, plain;
    bool absent = in->how->na && bnn_sheet_missing(text, in->how->na); /* a number may be asked to stand for a missing value */
    bool number = !absent && bnn_sheet_number(text, in->how->decimal, in->how->thousands, &value);
    if (number && isfinite(value)) {
        see_number(f, value);
        if (f->first_code < 0 && loses_digits(text, value)) f->first_code = row;
        if (in->role[c] == BNN_COLUMN_TARGET) see_few(f, value);
        if ((in->how->decimal != '.' || in->how->thousands) && !(bnn_import_number(text, &plain) && plain == value)) f->marked++;
    } else if (bnn_sheet_missing(text, in->how->na)) {
        if (f->missing++ == 0) f->first_missing = row;
        see_value(f, 0);
    } else if (number) {
        if (f->first_infinite < 0) f->first_infinite = row;
    } else {
        see_text(f, text, row);
    }
}

static void find_facts(bnn_inference *in) {
    const bnn_sheet *s = in->sheet;
    for (int c = 0; c < s->cols; c++) {
        in->facts[c] = (bnn_column_facts){.first_text = -1, .first_missing = -1, .first_infinite = -1, .first_code = -1};
    }
    for (int row = 0; row < s->rows; row++)
        for (int c = 0; c < s->cols; c++)
            if (in->role[c] != BNN_LEFT_OUT && in->role[c] != BNN_COLUMN_ID) see_cell(in, row, c);
}

static bool takes_indicator(const bnn_inference *in, int c) {
    return in->how->missing == BNN_MISSING_MEAN && in->role[c] == BNN_COLUMN_FEATURE && in->facts[c].missing > 0;
}

static bnn_status check_missing(const bnn_inference *in) {
    int c = -1;
    for (int k = 0; k < in->sheet->cols; k++) {
        const bnn_column_facts *f = &in->facts[k];
        if (f->missing == in->sheet->rows)
            return bnn_fail(BNN_ERR_DATA, "%s: column '%s' has no values: leave it out (--drop)", in->sheet->path, in->sheet->name[k]);
        if (f->missing > 0 && !takes_indicator(in, k) && (c < 0 || f->first_missing < in->facts[c].first_missing)) c = k;
    }
    if (c < 0 || in->how->missing == BNN_MISSING_DROP) return BNN_OK;
    const char *way = in->role[c] == BNN_COLUMN_FEATURE ? "its row can be left out (--missing drop) or the mean put there (--missing mean)"
                                                        : "its row can be left out (--missing drop)";
    const char *text = bnn_sheet_cell(in->sheet, in->facts[c].first_missing, c);
    return bnn_sheet_fail(in->sheet, in->facts[c].first_missing, c, "value is missing%s%.40s%s: %s", *text ? " (" : "", text,
                          *text ? ")" : "", way);
}

/* How the texts of a column can be meant. */
typedef struct {
    int numbers, dates, units, words; /* cells; numbers beside those that are plain */
    char unit[sizeof((bnn_mark *)0)->unit];
    bool one_unit, known_units;
    int clear; /* row of a number that only one notation reads; -1: none */
} meaning;

static void see_mark(meaning *m, const bnn_mark *mark, int row) {
    if (mark->kind == BNN_MARK_UNIT) {
        if (m->units++ == 0) strcpy(m->unit, mark->unit), m->one_unit = m->known_units = true;
        m->one_unit = m->one_unit && strcmp(m->unit, mark->unit) == 0, m->known_units = m->known_units && mark->known_unit;
    } else if (mark->kind == BNN_MARK_DATE) {
        m->dates++;
    } else if (mark->kind == BNN_MARK_NONE || mark->kind == BNN_MARK_BOUND) { /* "<30" and ">30" may be categories */
        m->words++;
    } else if (mark->kind != BNN_MARK_ABSENT) {
        m->numbers++;
        if (mark->kind == BNN_MARK_NOTATION && mark->clear && m->clear < 0) m->clear = row;
    }
}

/* Looks at the texts of a column, until most of its cells are words. */
static meaning find_meaning(const bnn_inference *in, int c) {
    meaning m = {.clear = -1};
    double value;
    for (int row = in->facts[c].first_text; row < in->sheet->rows && 2 * m.words <= in->sheet->rows; row++) {
        const char *text = bnn_sheet_cell(in->sheet, row, c);
        if (bnn_sheet_number(text, in->how->decimal, in->how->thousands, &value) || bnn_sheet_missing(text, in->how->na)) continue;
        bnn_mark mark = bnn_mark_of(text);
        see_mark(&m, &mark, row);
    }
    if (m.units > 0 && (m.one_unit || m.known_units))
        m.numbers += m.units;
    else
        m.words += m.units;
    return m;
}

static bnn_status refuse_cell(const bnn_inference *in, int row, int c) {
    char advice[400];
    const char *text = bnn_sheet_cell(in->sheet, row, c);
    bnn_mark mark = bnn_mark_of(text);
    if (mark.kind == BNN_MARK_UNIT && !mark.known_unit && in->facts[c].numbers > 0) mark.kind = BNN_MARK_NONE; /* 5o */
    bnn_mark_advice(&mark, text, advice, sizeof advice);
    bool units = row == 0 && mark.kind == BNN_MARK_NONE && in->facts[c].texts == 1 && in->facts[c].numbers > 1;
    bool words = mark.kind == BNN_MARK_NONE && in->facts[c].texts > 1 && !in->sheet->listed;
    return bnn_sheet_fail(in->sheet, row, c, "%s%s", advice,
                          units ? "; if its line is one more header, such as that of units, take it away"
                          : words && in->role[c] == BNN_COLUMN_TARGET  ? "; if the column holds classes, say --classes"
                          : words && in->role[c] == BNN_COLUMN_FEATURE ? "; if the column holds categories, name it in --levels"
                                                                       : "");
}

/* Numbers, or texts; a few texts among numbers are mistakes, and numbers with marks no values of their own. */
static bnn_status check_kind(const bnn_inference *in, int c) {
    const bnn_column_facts *f = &in->facts[c];
    int rows = in->sheet->rows - f->missing;
    if (in->levels[c]) return BNN_OK;
    if (f->first_infinite >= 0)
        return bnn_sheet_fail(in->sheet, f->first_infinite, c, "'%s' is not a finite number",
                              bnn_sheet_cell(in->sheet, f->first_infinite, c));
    if (f->texts == 0 || (in->role[c] == BNN_COLUMN_TARGET && in->how->classes)) return BNN_OK;
    meaning m = find_meaning(in, c);
    int numbers = f->numbers + m.numbers;
    bool wanted = in->role[c] == BNN_COLUMN_WEIGHT || 2 * numbers > rows || 2 * m.dates > rows || (m.words == 0 && numbers + m.dates > 0);
    if (!wanted) return BNN_OK;
    bnn_mark first = bnn_mark_of(bnn_sheet_cell(in->sheet, f->first_text, c));
    bool unclear = first.kind == BNN_MARK_NOTATION && !first.clear && m.clear >= 0;
    return refuse_cell(in, unclear ? m.clear : f->first_text, c);
}

bnn_status bnn_sheet_drop_rows(bnn_sheet *s, const bool *needed, const char *na, bnn_remarks *remarks) {
    int kept = 0, all = s->rows;
    for (int row = 0; row < all; row++) {
        bool whole = true;
        for (int c = 0; whole && c < s->cols; c++) whole = !needed[c] || !bnn_sheet_missing(bnn_sheet_cell(s, row, c), na);
        if (!whole) continue;
        s->line[kept] = s->line[row];
        memmove(&s->cell[(size_t)kept++ * (size_t)s->cols], &s->cell[(size_t)row * (size_t)s->cols], (size_t)s->cols * sizeof *s->cell);
    }
    s->rows = kept;
    if (kept == all) return BNN_OK;
    if (kept == 0) return bnn_fail(BNN_ERR_DATA, "%s: a value is missing in every row", s->path);
    return bnn_remarks_add(remarks, BNN_REMARK_NOTE, "rows_left_out", "rows left out: %d of %d, for a missing value", all - kept, all);
}

static bnn_status drop_rows(const bnn_inference *in) {
    bool *needed = malloc((size_t)in->sheet->cols * sizeof *needed);
    if (!needed) return no_memory(in);
    for (int c = 0; c < in->sheet->cols; c++) needed[c] = in->role[c] != BNN_LEFT_OUT && in->role[c] != BNN_COLUMN_ID;
    bnn_status s = bnn_sheet_drop_rows(in->sheet, needed, in->how->na, in->how->remarks);
    free(needed);
    return s;
}

/* ---- levels ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int by_size(const void *a, const void *b) {
    double x = bnn_number_read(*(char *const *)a, NULL), y = bnn_number_read(*(char *const *)b, NULL);
    return (x > y) - (x < y);
}

/* A level as it is kept: a number is written in one way, as 9 where the file has 9.0. */
static const char *level_text(const bnn_inference *in, const bnn_schema_column *column, const char *text, char number[BNN_NUMBER_TEXT]) {
    double value;
    if (!column->by_size || !bnn_sheet_number(text, in->how->decimal, in->how->thousands, &value)) return text;
    return bnn_number_print(value + 0.0, number);
}

static bnn_status find_levels(const bnn_inference *in, int c, bnn_schema_column *column) {
    bnn_text_set set = {0};
    char number[BNN_NUMBER_TEXT];
    bool done = true;
    for (int row = 0; done && row < in->sheet->rows; row++) {
        const char *text = bnn_sheet_cell(in->sheet, row, c);
        if (!bnn_sheet_missing(text, in->how->na)) done = bnn_text_set_add(&set, level_text(in, column, text, number));
    }
    column->level = bnn_text_set_take(&set, &column->n_levels);
    if (column->n_levels) qsort(column->level, (size_t)column->n_levels, sizeof *column->level, column->by_size ? by_size : by_text);
    if (!done) return no_memory(in);
    if (column->n_levels > MANY_LEVELS && 2 * column->n_levels > in->sheet->rows)
        return bnn_fail(
            BNN_ERR_DATA,
            "%s: column '%s' has %d different values in %d rows: leave it out (--drop), carry it through (--id), or make it a number",
            in->sheet->path, column->name, column->n_levels, in->sheet->rows);
    return BNN_OK;
}

/* ---- schema ---- */

static bnn_status set_target_kind(const bnn_inference *in, const bnn_column_facts *f, bnn_schema_column *column) {
    bool text = f->first_text >= 0;
    column->kind = text || in->how->classes ? BNN_COLUMN_LEVELS : BNN_COLUMN_NUMBER;
    column->by_size = !text && in->how->classes && f->first_code < 0;
    if (column->kind == BNN_COLUMN_LEVELS && in->n_targets > 1)
        return bnn_fail(BNN_ERR_DATA, "%s: column '%s' holds classes: it must be the only target", in->sheet->path, column->name);
    return BNN_OK;
}

/* The unit at the end of a name, as in "area [m2]" or "speed (km/h)"; NULL: there is none, or no memory. */
static char *unit_of(const char *name) {
    size_t n = strlen(name);
    const char *open = n > 2 && name[n - 1] == ']' ? strrchr(name, '[') : n > 2 && name[n - 1] == ')' ? strrchr(name, '(') : NULL;
    return open && open > name && open + 2 < name + n ? strndup(open + 1, (size_t)(name + n - 2 - open)) : NULL;
}

static bnn_status set_column(const bnn_inference *in, int c, bnn_schema_column *column) {
    const bnn_column_facts *f = &in->facts[c];
    *column = (bnn_schema_column){.name = strdup(in->sheet->name[c]), .role = (bnn_column_role)in->role[c], .place = c + 1};
    if (!column->name) return no_memory(in);
    if (column->role == BNN_COLUMN_ID) return column->kind = BNN_COLUMN_TEXT, BNN_OK;
    column->kind = f->first_text >= 0 || in->levels[c] ? BNN_COLUMN_LEVELS : BNN_COLUMN_NUMBER;
    column->by_size = in->levels[c] && f->first_text < 0 && f->first_code < 0 && f->first_infinite < 0;
    if (column->role == BNN_COLUMN_TARGET) BNN_TRY(set_target_kind(in, f, column));
    column->unit = column->kind == BNN_COLUMN_NUMBER ? unit_of(column->name) : NULL;
    column->indicator = takes_indicator(in, c);
    if (column->indicator && f->numbers > 0) column->fill = f->sum / f->numbers;
    if (column->kind == BNN_COLUMN_LEVELS) BNN_TRY(find_levels(in, c, column));
    if (column->role == BNN_COLUMN_TARGET && column->n_levels == 1)
        return bnn_fail(BNN_ERR_DATA, "%s: column '%s' holds a single class, '%s'", in->sheet->path, column->name, column->level[0]);
    return BNN_OK;
}

static bnn_status make_schema(bnn_inference *in) {
    const bnn_sheet *s = in->sheet;
    bnn_schema *schema = in->schema = calloc(1, sizeof *schema);
    if (!schema || !(schema->column = calloc((size_t)s->cols, sizeof *schema->column))) return no_memory(in);
    schema->decimal = in->how->decimal, schema->thousands = in->how->thousands, schema->delimiter = in->how->delimiter;
    schema->header = in->how->header, schema->missing = in->how->missing, schema->cols = s->cols;
    if (in->how->na && !(schema->na = strdup(in->how->na))) return no_memory(in);
    if (in->how->comment && !(schema->comment = strdup(in->how->comment))) return no_memory(in);
    for (int c = 0; c < s->cols; c++)
        if (in->role[c] != BNN_LEFT_OUT && in->role[c] != BNN_COLUMN_TARGET) BNN_TRY(set_column(in, c, &schema->column[schema->n++]));
    for (int k = 0; k < in->n_targets; k++) BNN_TRY(set_column(in, in->target[k], &schema->column[schema->n++]));
    return BNN_OK;
}

static bnn_status infer(bnn_inference *in) {
    if (!in->role || !in->target || !in->levels || !in->facts) return no_memory(in);
    for (int c = 0; c < in->sheet->cols; c++) in->role[c] = BNN_UNASKED;
    BNN_TRY(choose_roles(in));
    find_facts(in);
    BNN_TRY(check_missing(in));
    for (int c = 0; c < in->sheet->cols; c++) BNN_TRY(check_kind(in, c));
    int rows = in->sheet->rows;
    if (in->how->missing == BNN_MISSING_DROP) BNN_TRY(drop_rows(in));
    if (in->sheet->rows < rows) find_facts(in);
    BNN_TRY(make_schema(in));
    return bnn_inference_doubts(in);
}

bnn_status bnn_schema_infer(bnn_sheet *sheet, const bnn_csv_options *how, bnn_schema **out) {
    bnn_csv_options filled = *how;
    if (!filled.decimal) filled.decimal = '.';
    size_t cols = (size_t)sheet->cols;
    bnn_inference in = {.sheet = sheet,
                        .how = &filled,
                        .role = malloc(cols * sizeof *in.role),
                        .target = malloc(cols * sizeof *in.target),
                        .levels = calloc(cols, sizeof *in.levels),
                        .facts = calloc(cols, sizeof *in.facts)};
    bnn_status s = infer(&in);
    free(in.role), free(in.target), free(in.levels), free(in.facts);
    if (s < 0) bnn_schema_free(in.schema), in.schema = NULL;
    *out = in.schema;
    return s;
}
