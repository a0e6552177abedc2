/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cells.c: one cell as a number, or as a value that is missing; a number as a cell; sentences on a cell.
 */
#include "data/import.h"
#include "infer.h"

#include <math.h>
#include <string.h>

bnn_status bnn_sheet_fail(const bnn_sheet *s, int row, int c, const char *format, ...) {
    char sentence[1024];
    va_list args;
    va_start(args, format);
    bnn_print_list(sentence, sizeof sentence, format, args);
    va_end(args);
    if (s->line[row] == row + 1 + s->named)
        return bnn_fail(BNN_ERR_DATA, "%s: row %d, column '%s': %s", s->path, row + 1, s->name[c], sentence);
    return bnn_fail(BNN_ERR_DATA, "%s: row %d (line %d), column '%s': %s", s->path, row + 1, s->line[row], s->name[c], sentence);
}

static int small(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c; }

int bnn_letters_compare(const char *a, const char *b) {
    while (*a && small(*a) == small(*b)) a++, b++;
    return small(*a) - small(*b);
}

/* "-12.5e3" with so few digits that one rounding gives the nearest double (Clinger 1990): whole / 10^k and whole * 10^k are exact up to
 * 2^53 and 10^22. False for everything else, which may be a number as well. */
static bool read_short(const char *p, double *value) {
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    enum { MOST_DIGITS = 18, MOST_POWER = 22 };
    bool negative = *p == '-', point = false;
    uint64_t whole = 0;
    int digits = 0, exponent = 0, e = 0;
    p += *p == '-' || *p == '+';
    for (; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        whole = 10 * whole + (uint64_t)(*p - '0');
        exponent -= point;
        if (++digits > MOST_DIGITS) return false;
    }
    if (digits > 0 && (*p == 'e' || *p == 'E')) {
        bool below = *++p == '-';
        p += *p == '-' || *p == '+';
        if (*p < '0' || *p > '9') return false;
        for (; *p >= '0' && *p <= '9' && e < 1000; p++) e = 10 * e + (*p - '0');
        exponent += below ? -e : e;
    }
    if (*p || digits == 0 || whole > UINT64_C(1) << 53 || exponent < -MOST_POWER || exponent > MOST_POWER) return false;
    double size = exponent < 0 ? (double)whole / power[-exponent] : (double)whole * power[exponent];
    *value = negative ? -size : size;
    return true;
}

bool bnn_import_number(const char *text, double *value) {
    char *end;
    if (read_short(text, value)) return true;
    const char *p = text + (*text == '-' || *text == '+');
    if (!*p || !strchr("0123456789.iInN", *p) || strpbrk(p, "xX")) return false;
    *value = bnn_number_read(text, &end);
    return *end == '\0';
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
    if (mark == ' ' && (strncmp(p, "\u202F", 3) == 0 || strncmp(p, "\u2009", 3) == 0)) return 3;
    return mark && *p == mark;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The digits between marks so far: groups of three, or of two before a last one of three, as in India. */
typedef struct {
    int digits; /* of the group so far */
    int width;  /* of those between two marks; 0: there was none */
    bool marked;
} groups;

/* Says whether a mark may end the group so far, which begins at first. */
static bool end_group(groups *g, const char *first) {
    bool fits = !g->marked     ? g->digits >= 1 && g->digits <= 3 && *first != '0'
                : g->width > 0 ? g->digits == g->width
                               : g->digits == 2 || g->digits == 3;
    if (g->marked) g->width = g->digits;
    g->marked = true, g->digits = 0;
    return fits;
}

/* Rewrites "1.234,5" as "1234.5"; false where the groups are not of three digits, or the number is too long. */
static bool rewrite(const char *p, char decimal, char thousands, char *to, size_t room) {
    const char *end = to + room - 1;
    groups g = {0};
    for (; *p && *p != decimal && to < end; p++) {
        size_t mark = mark_at(p, thousands);
        if (mark > 0) {
            if (!is_digit(p[mark]) || !end_group(&g, to - g.digits)) return false;
            p += mark;
        }
        if (*p == '.') return false;
        g.digits += is_digit(*p);
        if (g.marked && !is_digit(*p)) break;
        *to++ = *p;
    }
    if (g.marked && g.digits != 3) return false;
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

enum { DIGITS = 17, EXACT_DIGITS = 15 }; /* that every double has, and that any decimal keeps */

const char *bnn_sheet_print(const bnn_sheet_numbers *n, int row, char decimal, char text[BNN_NUMBER_TEXT]) {
    size_t at = (size_t)row * n->stride;
    double x = n->number[at];
    if (isnan(x) || (n->absent && n->absent[at] != 0)) return "";
    bnn_print(text, BNN_NUMBER_TEXT, "%.*g", EXACT_DIGITS, x);
    if (bnn_number_read(text, NULL) != x) bnn_print(text, BNN_NUMBER_TEXT, "%.*g", DIGITS, x);
    char *point = strchr(text, '.');
    if (point) *point = decimal;
    return text;
}

bool bnn_sheet_empty(const bnn_sheet *s, int c, const char *na) {
    char number[BNN_NUMBER_TEXT];
    bool numbers = s->numbers && s->numbers[c].number;
    for (int row = 0; row < s->rows; row++)
        if (!bnn_sheet_missing(numbers ? bnn_sheet_print(&s->numbers[c], row, '.', number) : bnn_sheet_cell(s, row, c), na)) return false;
    return true;
}
