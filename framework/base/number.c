/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/number.h>
#include <bnn/real.h>

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t plain;

static void make(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

static locale_t plain_locale(void) {
    pthread_once(&once, make);
    return plain;
}

/* Puts the thread into the C locale; returns what to put it back into. */
static locale_t enter(void) { return uselocale(plain_locale()); }

int bnn_print_list(char *text, size_t size, const char *format, va_list list) {
    locale_t before = enter();
    int length = vsnprintf(text, size, format, list);
    uselocale(before);
    return length;
}

int bnn_print(char *text, size_t size, const char *format, ...) {
    va_list list;
    va_start(list, format);
    int length = bnn_print_list(text, size, format, list);
    va_end(list);
    return length;
}

int bnn_print_to(FILE *out, const char *format, ...) {
    locale_t before = enter();
    va_list list;
    va_start(list, format);
    int length = vfprintf(out, format, list);
    va_end(list);
    uselocale(before);
    return length;
}

double bnn_number_read(const char *text, char **end) { return strtod_l(text, end, plain_locale()); }

/* Significant digits of the shortest decimal that reads back as x. One of at most 15 digits is what rounding to 15 gives, but for the zeros
 * at its end; numbers below the smallest normal one have fewer. */
static int count_digits(double x, char text[BNN_NUMBER_TEXT]) {
    int digits = fabs(x) < DBL_MIN ? 1 : DBL_DIG;
    for (; digits < DBL_DECIMAL_DIG; digits++) {
        bnn_print(text, BNN_NUMBER_TEXT, "%.*e", digits - 1, x);
        if (bnn_number_read(text, NULL) == x) break;
    }
    if (digits == DBL_DIG)
        for (const char *end = strchr(text, 'e'); digits > 1 && end[-1] == '0'; end--) digits--;
    return digits;
}

const char *bnn_number_print(double x, char text[BNN_NUMBER_TEXT]) {
    if (isnan(x)) x = NAN;              /* without a sign */
    if (x == floor(x) && fabs(x) < 1e6) /* 10, not 1e+01 */
        bnn_print(text, BNN_NUMBER_TEXT, "%.0f", x);
    else
        bnn_print(text, BNN_NUMBER_TEXT, "%.*g", isfinite(x) ? count_digits(x, text) : 1, x);
    return text;
}

bool bnn_number_parse(const char *text, double *x) {
    char *end;
    errno = 0;
    double value = bnn_number_read(text, &end);
    if (end == text || *end != '\0' || isnan(value) || (errno == ERANGE && isinf(value))) return false;
    *x = value;
    return true;
}

const char *bnn_shape_print(bnn_shape s, char text[BNN_SHAPE_TEXT]) {
    int used = snprintf(text, BNN_SHAPE_TEXT, "[");
    for (int i = 0; i < s.rank; i++) used += snprintf(text + used, BNN_SHAPE_TEXT - (size_t)used, i ? "x%d" : "%d", s.d[i]);
    snprintf(text + used, BNN_SHAPE_TEXT - (size_t)used, "]");
    return text;
}
