/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * marks.c: texts that people read as numbers or dates, and what to do about them.
 */
#include "data/import.h"
#include "infer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static size_t digits_at(const char *p) { return strspn(p, "0123456789"); }

static bool is_one_of(const char *text, size_t length, const char *const *list) {
    char word[24];
    if (length >= sizeof word) return false;
    snprintf(word, sizeof word, "%.*s", (int)length, text);
    while (*list && bnn_letters_compare(*list, word) != 0) list++;
    return *list;
}

/* ---- dates and times ---- */

static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/* "Z", "+01:00", "+0100", " CET", or nothing. */
static bool is_zone(const char *p) {
    if (!*p || strcmp(p, "Z") == 0) return true;
    if (*p == ' ' && is_upper(p[1])) {
        for (p += 2; is_upper(*p);) p++;
        if (!*p) return true;
    }
    if (*p == ' ') p++;
    if (*p != '+' && *p != '-') return false;
    size_t hours = digits_at(++p);
    if (p[hours] == ':') return hours == 2 && digits_at(p + 3) == 2 && !p[5];
    return (hours == 1 || hours == 2 || hours == 4) && !p[hours];
}

/* "am", "p.m.", with or without a blank before it. */
static bool is_half_of_day(const char *p) {
    p += *p == ' ';
    return is_one_of(p, strlen(p), (const char *const[]){"am", "pm", "a.m.", "p.m.", NULL});
}

/* "9:30", "09:30:05.25Z", "9:30 pm", "9 pm". */
static bool is_time(const char *p) {
    size_t n = digits_at(p);
    if (n < 1 || n > 2) return false;
    if (is_half_of_day(p + n)) return true;
    if (p[n] != ':' || digits_at(p + n + 1) != 2) return false;
    p += n + 3;
    if (*p == ':') {
        if (digits_at(p + 1) != 2) return false;
        p += 3;
        if ((*p == '.' || *p == ',') && is_digit(p[1])) p += 1 + digits_at(p + 1);
    }
    return is_half_of_day(p) || is_zone(p);
}

/* "1h30m", "2 h 5 min": parts of a time, each with its unit. */
static bool is_duration(const char *p) {
    static const char *const units[] = {"d", "day", "days", "h", "hr", "hrs", "hour", "hours", "m", "min", "mins", "s", "sec", "ms", NULL};
    int parts = 0;
    for (; *p; parts++) {
        size_t digits = digits_at(p), letters = 0;
        p += digits, p += *p == ' ';
        while (is_letter(p[letters])) letters++;
        if (digits == 0 || !is_one_of(p, letters, units)) return false;
        p += letters, p += *p == ' ';
    }
    return parts > 1;
}

/* "P3DT4H", "PT1H30M", "P1Y2M", "P2W" of ISO 8601. */
static bool is_iso_duration(const char *p) {
    int parts = 0;
    bool time = false;
    if (*p++ != 'P') return false;
    for (; *p; parts++) {
        if (*p == 'T' && !time) time = true, p++;
        size_t digits = strspn(p, "0123456789.,");
        if (digits == 0 || !p[digits] || !strchr(time ? "HMS" : "YMWD", p[digits])) return false;
        p += digits + 1;
    }
    return parts > 0;
}

static bool ends_date(const char *p) { return !*p || ((*p == 'T' || *p == ' ') && is_time(p + 1)); }

/* Year, month and day in numbers, in any order, by one mark: "2020-01-31", "31.1.2020", "1/31/20"; or "2020-01". */
static bool is_date_of_numbers(const char *p) {
    size_t width[3] = {0};
    int part[3] = {0}, n = 0;
    char mark = '\0';
    for (;; p++) {
        width[n] = digits_at(p);
        if (width[n] < 1 || width[n] > 4 || width[n] == 3) return false;
        for (size_t i = 0; i < width[n]; i++) part[n] = 10 * part[n] + (*p++ - '0');
        if (++n == 3 || !*p || !strchr("-/.", *p) || (mark && *p != mark)) break;
        mark = *p;
    }
    if (n == 2) return width[0] == 4 && width[1] == 2 && mark != '.' && part[1] >= 1 && part[1] <= 12 && !*p;
    bool year_first = width[0] == 4 && width[1] <= 2 && width[2] <= 2, year_last = width[0] <= 2 && width[1] <= 2 && width[2] != 1;
    int a = year_first ? part[1] : part[0], b = year_first ? part[2] : part[1], low = a < b ? a : b, high = a < b ? b : a;
    return n == 3 && (year_first || year_last) && low >= 1 && low <= 12 && high <= 31 && ends_date(p);
}

/* "20200131T120000Z", "2020-W05", "2020-Q1", "Q1 2020", "2020\u5E741\u670831\u65E5". */
static bool is_date_of_one_word(const char *p) {
    size_t n = digits_at(p);
    if (n == 8 && p[8] == 'T') return (digits_at(p + 9) == 6 || digits_at(p + 9) == 4) && is_zone(p + 9 + digits_at(p + 9));
    if ((*p == 'Q' || *p == 'q') && digits_at(p + 1) == 1)
        return (p[2] == ' ' || p[2] == '-' || p[2] == '/') && digits_at(p + 3) == 4 && !p[7];
    if (n != 4) return false;
    if (strncmp(p + 4, "\u5E74", 3) == 0 || strncmp(p + 4, "\uB144", 3) == 0) return is_digit(p[7]) || p[7] == ' ';
    p += 4, p += *p == '-' || *p == ' ';
    if (*p == 'W' || *p == 'Q' || *p == 'q') return digits_at(p + 1) == (*p == 'W' ? 2 : 1) && !p[*p == 'W' ? 3 : 2];
    return false;
}

/* "3 f\u00E9vrier 2021", "3 de febrero de 2021", "14 ao\u00FBt 2019, 9:30": a day, words of any language, a year. */
static bool is_date_around_words(const char *p) {
    size_t day = digits_at(p), letters = 0;
    if (day < 1 || day > 2 || (p[0] - '0') * (day > 1 ? 10 : 1) + (day > 1 ? p[1] - '0' : 0) > 31) return false;
    p += day, p += *p == '.';
    if (*p != ' ' && *p != '-') return false;
    for (; *p && !is_digit(*p); p++) {
        bool letter = is_letter(*p) || (unsigned char)*p >= 0x80;
        if (!letter && !strchr(" .-,", *p)) return false;
        letters += letter;
    }
    int century = digits_at(p) == 4 ? 10 * (p[0] - '0') + p[1] - '0' : 0;
    if (letters < 3 || century < 18 || century > 21) return false;
    p += 4, p += *p == ',';
    return !*p || (*p == ' ' && is_time(p + 1)) || strcmp(p, " \u0433.") == 0;
}

/* "31 Jan 2020", "January 31, 2020", "Jan-20", with or without the day of the week. */
static bool is_date_of_words(const char *p) {
    static const char *const months[] = {"jan",    "feb",       "mar",     "apr",      "may",      "jun",    "jul",     "aug",       "sep",
                                         "oct",    "nov",       "dec",     "january",  "february", "march",  "april",   "june",      "july",
                                         "august", "september", "october", "november", "december", "januar", "februar", "m\u00E4rz", "mai",
                                         "juni",   "juli",      "oktober", "dezember", "okt",      "dez",    NULL};
    static const char *const days[] = {"mon",     "tue",       "wed",      "thu",    "fri",      "sat",    "sun", "monday",
                                       "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", NULL};
    int numbers = 0, month = 0;
    while (*p) {
        size_t n = digits_at(p), letters = 0;
        if (numbers > 0 && month > 0 && is_time(p)) return true;
        while (is_letter(p[letters]) || (unsigned char)p[letters] >= 0x80) letters++;
        if (n > 0)
            numbers += n <= 4 ? 1 : 9;
        else if (is_one_of(p, letters, months))
            month++;
        else if (letters > 0 ? !is_one_of(p, letters, days) : !strchr(" ,.-/", *p))
            return false;
        p += n + letters > 0 ? n + letters : 1;
    }
    return month == 1 && numbers >= 1 && numbers <= 2;
}

/* ---- numbers with something about them ---- */

/* Notations that numbers come in, the likelier before. */
static const struct {
    char decimal, thousands;
} notations[] = {{'.', ','}, {',', '\0'}, {',', '.'}, {'.', ' '}, {'.', '\''}, {',', ' '}, {',', '\''}, {'.', '_'}};

static bool in_other_notation(const char *text, bnn_mark *mark) {
    double first = 0, value;
    bool found = false, clear = true;
    for (size_t i = 0; i < sizeof notations / sizeof *notations; i++) {
        if (!bnn_sheet_number(text, notations[i].decimal, notations[i].thousands, &value) || !isfinite(value)) continue;
        if (found)
            clear = clear && value == first;
        else
            first = value, mark->decimal = notations[i].decimal, mark->thousands = notations[i].thousands, found = true;
    }
    mark->clear = clear;
    return found;
}

/* A number, in whatever notation. */
static bool is_any_number(const char *text) {
    bnn_mark ignored;
    double value;
    return (bnn_import_number(text, &value) && isfinite(value)) || in_other_notation(text, &ignored);
}

/* Copies a part of a text without the blanks around it; false where it is too long for a number. */
static bool cut(const char *from, const char *end, char to[64]) {
    while (from < end && *from == ' ') from++;
    while (end > from && end[-1] == ' ') end--;
    if (end == from || end - from >= 64) return false;
    memcpy(to, from, (size_t)(end - from));
    to[end - from] = '\0';
    return true;
}

static bool has_d_exponent(const char *text) {
    char plain[64];
    double value;
    const char *d = strpbrk(text, "dD");
    if (!d || !(is_digit(d[1]) || ((d[1] == '+' || d[1] == '-') && is_digit(d[2]))) || !cut(text, text + strlen(text), plain)) return false;
    plain[d - text] = 'e';
    return bnn_import_number(plain, &value);
}

static bool has_currency(const char *text) {
    static const char *const signs[] = {"$",      "\u20AC", "\u00A3", "\u00A5", "\u20B9", "\u20BD",  "\u20A9", "\u20BA", "\u20AA", "\u20B4",
                                        "\u0E3F", "US$",    "R$",     "A$",     "AU$",    "C$",      "CA$",    "HK$",    "NZ$",    "S$",
                                        "USD",    "EUR",    "GBP",    "CHF",    "JPY",    "CNY",     "INR",    "AUD",    "CAD",    "NZD",
                                        "SEK",    "NOK",    "DKK",    "PLN",    "CZK",    "HUF",     "BRL",    "MXN",    "ZAR",    "TRY",
                                        "RUB",    "KRW",    "SGD",    "HKD",    "kr",     "z\u0142", "Rs.",    "Rs"};
    char plain[64];
    const char *end = text + strlen(text), *begin = text + (*text == '-' || *text == '+');
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t n = strlen(signs[i]);
        if (strncmp(begin, signs[i], n) == 0 && cut(begin + n, end, plain) && is_any_number(plain)) return true;
        if (end - text > (long)n && strcmp(end - n, signs[i]) == 0 && cut(text, end - n, plain) && is_any_number(plain)) return true;
    }
    return false;
}

static bool has_percent(const char *text) {
    char plain[64];
    size_t n = strlen(text);
    return n > 1 && text[n - 1] == '%' && cut(text, text + n - 1, plain) && is_any_number(plain);
}

/* A number that may have a mark of currency or of percent. */
static bool is_amount(const char *text) { return is_any_number(text) || has_currency(text) || has_percent(text); }

static bool has_other_minus(const char *text) {
    static const char *const signs[] = {"\u2212", "\u2013", "\u2014", "\u2010", "\u2011"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strncmp(text, signs[i], 3) == 0) return is_amount(text + 3);
    size_t n = strlen(text);
    char plain[64];
    return n > 1 && text[n - 1] == '-' && cut(text, text + n - 1, plain) && is_amount(plain);
}

static bool in_quotes(const char *text) {
    char plain[64];
    size_t n = strlen(text);
    return n > 2 && text[0] == '\'' && text[n - 1] == '\'' && cut(text + 1, text + n - 1, plain) && is_amount(plain);
}

static bool in_brackets(const char *text) {
    char plain[64];
    size_t n = strlen(text);
    return n > 2 && text[0] == '(' && text[n - 1] == ')' && cut(text + 1, text + n - 1, plain) && is_amount(plain);
}

/* A number with letters behind it. */
static bool has_unit(const char *text, bnn_mark *mark) {
    static const char *const known[] = {
        "mm",  "cm",  "m",   "km",  "in",  "ft",  "yd",  "mi",  "g",   "kg",   "mg",   "lb",   "lbs",  "oz",    "l",  "ml",  "cl", "dl",
        "s",   "ms",  "us",  "ns",  "min", "h",   "hr",  "hrs", "day", "days", "yr",   "yrs",  "year", "years", "k",  "kw",  "mw", "ma",
        "hz",  "khz", "mhz", "ghz", "pa",  "hpa", "kpa", "bar", "psi", "mph",  "kmh",  "km/h", "m/s",  "kb",    "mb", "gb",  "tb", "hp",
        "bhp", "px",  "db",  "ppm", "m2",  "m3",  "cm2", "cm3", "km2", "kwh",  "kcal", "cal",  "kj",   "mol",   "cc", "cyl", NULL};
    char plain[64];
    const char *p = text + strlen(text);
    while (p > text && !is_digit(p[-1])) p--;
    if (p > text + 1 && is_letter(p[-2])) { /* the 2 of m2 */
        p--;
        while (p > text && !is_digit(p[-1])) p--;
    }
    bool apart = *p == ' ' || strncmp(p, "\u00A0", 2) == 0;
    if (p == text || !cut(text, p, plain) || !is_any_number(plain)) return false;
    p += *p == ' ' ? 1 : apart ? 2 : 0;
    if (!*p || strlen(p) >= sizeof mark->unit || strchr(p, ' ') || *p == '/' || strpbrk(p, "-+<>=:;,.*#&_()\"'")) return false;
    snprintf(mark->unit, sizeof mark->unit, "%s", p);
    mark->known_unit = apart || is_one_of(p, strlen(p), known) || (unsigned char)*p >= 0x80;
    return true;
}

/* "5\u00B11", "5 +- 1", "5+/-1". */
static bool has_error(const char *text) {
    static const char *const signs[] = {"\u00B1", "+/-", "+-"};
    char number[64], error[64];
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const char *at = strstr(text, signs[i]);
        if (at && cut(text, at, number) && is_any_number(number) && cut(at + strlen(signs[i]), text + strlen(text), error))
            return is_any_number(error);
    }
    return false;
}

/* "5'11\"", "48\u00B051\u2032N": whole numbers, each with its mark, where the last may have a quarter of heaven instead. */
static bool has_parts(const char *text) {
    static const char *const marks[] = {"'", "\"", "\u00B0", "\u00BA", "\u2032", "\u2033", "\u2019", "\u201D"};
    enum { MARKS = sizeof marks / sizeof *marks };
    const char *p = text + (*text == '-' || *text == '+');
    int parts = 0;
    while (is_digit(*p)) {
        size_t i = 0;
        p += strspn(p, "0123456789.,");
        while (i < MARKS && strncmp(p, marks[i], strlen(marks[i])) != 0) i++;
        if (i == MARKS) break;
        parts++, p += strlen(marks[i]), p += *p == ' ';
    }
    p += *p && strchr("NSEWO", *p);
    return parts > 0 && !*p;
}

/* "<0.5", ">= 10", "\u22645": of a number it is only known on which side it lies. */
static bool is_bound(const char *text) {
    static const char *const signs[] = {"<=", ">=", "<", ">", "\u2264", "\u2265"};
    char plain[64];
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t n = strlen(signs[i]);
        if (strncmp(text, signs[i], n) == 0) return cut(text + n, text + strlen(text), plain) && is_any_number(plain);
    }
    return false;
}

static bool is_hex(const char *text) {
    const char *p = text + (*text == '-' || *text == '+');
    return p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && p[2] && !p[2 + strspn(p + 2, "0123456789abcdefABCDEF")];
}

static bool is_absent(const char *text) {
    static const char *const words[] = {"-",   "--", "---",  ".",      "none",  "missing", "unknown", "n.a.",    "n/d",   "nil", "nd",
                                        "\\n", "..", "n.d.", "#name?", "#num!", "#null!",  "#value!", "#div/0!", "#ref!", NULL};
    return is_one_of(text, strlen(text), words);
}

static bool is_date(const char *text) {
    return is_date_of_numbers(text) || is_date_of_words(text) || is_date_of_one_word(text) || is_date_around_words(text) || is_time(text) ||
           is_duration(text) || is_iso_duration(text);
}

/* Digits of other scripts, Arabic, Persian, Devanagari and wide ones, and marks. */
static bool has_other_digits(const char *text) {
    static const struct {
        const char *begin;
        unsigned char from, to; /* last byte */
    } digits[] = {{"\xD9", 0xA0, 0xA9}, {"\xDB", 0xB0, 0xB9}, {"\xE0\xA5", 0xA6, 0xAF}, {"\xEF\xBC", 0x90, 0x99}};
    enum { N = sizeof digits / sizeof *digits };
    int found = 0;
    while (*text) {
        size_t i = 0, n = 0;
        for (; i < N; i++) {
            n = strlen(digits[i].begin);
            if (strncmp(text, digits[i].begin, n) == 0 && (unsigned char)text[n] >= digits[i].from &&
                (unsigned char)text[n] <= digits[i].to)
                break;
        }
        if (i == N && !strchr("+-., ", *text) && strncmp(text, "\u066B", 2) != 0 && strncmp(text, "\u066C", 2) != 0) return false;
        found += i < N;
        text += i < N ? n + 1 : (unsigned char)*text >= 0x80 ? 2 : 1;
    }
    return found > 0;
}

bnn_mark bnn_mark_of(const char *text) {
    bnn_mark mark = {.clear = true};
    bool ascii_digits = strpbrk(text, "0123456789");
    if (!ascii_digits && has_other_digits(text)) mark.kind = BNN_MARK_DIGITS;
    if (!ascii_digits && !is_absent(text)) return mark;
    mark.kind = is_absent(text)                  ? BNN_MARK_ABSENT
                : in_other_notation(text, &mark) ? BNN_MARK_NOTATION
                : has_d_exponent(text)           ? BNN_MARK_EXPONENT
                : has_percent(text)              ? BNN_MARK_PERCENT
                : has_currency(text)             ? BNN_MARK_CURRENCY
                : in_brackets(text)              ? BNN_MARK_BRACKETS
                : in_quotes(text)                ? BNN_MARK_QUOTES
                : has_other_minus(text)          ? BNN_MARK_MINUS
                : is_hex(text)                   ? BNN_MARK_HEX
                : *text == '='                   ? BNN_MARK_FORMULA
                : has_error(text)                ? BNN_MARK_ERROR
                : is_bound(text)                 ? BNN_MARK_BOUND
                : has_parts(text)                ? BNN_MARK_PARTS
                : is_date(text)                  ? BNN_MARK_DATE
                : has_unit(text, &mark)          ? BNN_MARK_UNIT
                                                 : BNN_MARK_NONE;
    return mark;
}

/* ---- what to do ---- */

/* "--decimal , --thousands ." */
static void print_notation(char decimal, char thousands, char text[64]) {
    int used = decimal == ',' ? snprintf(text, 64, "--decimal ,%s", thousands ? " " : "") : 0;
    const char *quote = strchr("'_.,", thousands) && thousands != '\'' ? "" : thousands == '\'' ? "\"" : "'";
    if (thousands) snprintf(text + used, 64 - (size_t)used, "--thousands %s%c%s", quote, thousands, quote);
}

static void advise_notation(const bnn_mark *mark, const char *text, char *advice, size_t size) {
    char how[64], value[BNN_NUMBER_TEXT], other[BNN_NUMBER_TEXT];
    double v = 0, w = 0;
    if (bnn_import_number(text, &v)) {
        snprintf(advice, size, "'%.40s' has a decimal point, but numbers are to have a decimal comma: --decimal . reads it", text);
        return;
    }
    bnn_sheet_number(text, mark->decimal, mark->thousands, &v);
    print_notation(mark->decimal, mark->thousands, how);
    if (mark->clear)
        snprintf(advice, size, "'%.40s' is %s with %s", text, bnn_number_print(v, value), how);
    else if (bnn_sheet_number(text, ',', '\0', &w))
        snprintf(advice, size, "'%.40s' is no number as it stands: with %s it is %s, with --decimal , it is %s", text, how,
                 bnn_number_print(v, value), bnn_number_print(w, other));
    else
        snprintf(advice, size, "'%.40s' is no number as it stands: with %s it is %s", text, how, bnn_number_print(v, value));
}

void bnn_mark_advice(const bnn_mark *mark, const char *text, char *advice, size_t size) {
    static const char *const what[] = {
        [BNN_MARK_NONE] = "is not a number",
        [BNN_MARK_NOTATION] = NULL,
        [BNN_MARK_EXPONENT] = "has an exponent of Fortran, which is no number here: write E for D",
        [BNN_MARK_PERCENT] = "is a percentage, which is no number here: take the % away, or leave the column out (--drop)",
        [BNN_MARK_CURRENCY] = "has a mark of currency, and is no number: take it away, or leave the column out (--drop)",
        [BNN_MARK_BRACKETS] = "is a number in brackets: write it with a minus, or leave the column out (--drop)",
        [BNN_MARK_QUOTES] = "is a number in single quotes: take them away",
        [BNN_MARK_MINUS] = "has another minus than -, before the digits: write that one",
        [BNN_MARK_HEX] = "is a hexadecimal number: write it with decimal digits, or leave the column out (--drop)",
        [BNN_MARK_FORMULA] = "is a formula: save the values of the spreadsheet, or leave the column out (--drop)",
        [BNN_MARK_ERROR] = "is a number with its error: give the error a column of its own, or leave the column out (--drop)",
        [BNN_MARK_BOUND] = "is a bound, which is no number here: put a value in its place, or say --na for what is not known",
        [BNN_MARK_PARTS] =
            "is a number in parts, such as degrees and minutes or feet and inches: make one of it, or leave the column out (--drop)",
        [BNN_MARK_DIGITS] = "is a number in other digits than 0 to 9: write it with these, or leave the column out (--drop)",
        [BNN_MARK_UNIT] =
            "is a number with a unit: take the unit away (its place is the name of the column), or leave the column out (--drop)",
        [BNN_MARK_DATE] = "is a date or a time: leave the column out (--drop), carry it through (--id), or split it into numbers such as "
                          "year, month and day",
        [BNN_MARK_ABSENT] = "is not a number"};
    if (mark->kind == BNN_MARK_NOTATION)
        advise_notation(mark, text, advice, size);
    else if (mark->kind == BNN_MARK_ABSENT)
        snprintf(advice, size, "'%.40s' is not a number; if it stands for a missing value, say --na %.40s", text, text);
    else
        snprintf(advice, size, "'%.40s' %s", text, what[mark->kind]);
}

bnn_status bnn_sheet_refuse_number(const bnn_sheet *s, int row, int c, const char *text) {
    char advice[400];
    bnn_mark mark = bnn_mark_of(text);
    if (mark.kind != BNN_MARK_NOTATION && mark.kind != BNN_MARK_ABSENT) mark.kind = BNN_MARK_NONE; /* the column cannot be left out */
    bnn_mark_advice(&mark, text, advice, sizeof advice);
    return bnn_sheet_fail(s, row, c, "%s", advice);
}
