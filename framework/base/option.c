/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/option.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *bnn_shape_print(bnn_shape s, char text[BNN_SHAPE_TEXT]) {
    int used = snprintf(text, BNN_SHAPE_TEXT, "[");
    for (int i = 0; i < s.rank; i++) used += snprintf(text + used, BNN_SHAPE_TEXT - (size_t)used, i ? "x%d" : "%d", s.d[i]);
    snprintf(text + used, BNN_SHAPE_TEXT - (size_t)used, "]");
    return text;
}

size_t bnn_option_size(bnn_option_kind kind) {
    switch (kind) {
    case BNN_OPTION_INT:
    case BNN_OPTION_CHOICE: return sizeof(int);
    case BNN_OPTION_REAL: return sizeof(double);
    case BNN_OPTION_TEXT: return sizeof(char *);
    case BNN_OPTION_SHAPE: return sizeof(bnn_shape);
    }
    return 0;
}

const bnn_option *bnn_options_find(const bnn_option *table, const char *name) {
    for (const bnn_option *o = table; o && o->name; o++)
        if (strcmp(o->name, name) == 0) return o;
    return NULL;
}

static void *field(const bnn_option *o, void *conf) { return (char *)conf + o->offset; }
static const void *const_field(const bnn_option *o, const void *conf) { return (const char *)conf + o->offset; }
static bool limited(const bnn_option *o) { return o->min != 0 || o->max != 0; }

static bnn_status refuse(const bnn_option *o, const char *value, const char *expected) {
    return bnn_fail(BNN_ERR_OPTION, "option '%s': '%s' is not %s", o->name, value, expected);
}

static bnn_status read_number(const bnn_option *o, const char *value, bool whole, double *out) {
    char low[BNN_NUMBER_TEXT], high[BNN_NUMBER_TEXT], expected[128];
    double x;
    const char *noun = whole ? "a whole number" : "a number";
    bool ok = bnn_number_parse(value, &x) && (!whole || (x == floor(x) && fabs(x) <= 2147483647.0));
    if (ok && (!limited(o) || (x >= o->min && x <= o->max))) {
        *out = x;
        return BNN_OK;
    }
    if (!limited(o)) return refuse(o, value, noun);
    snprintf(expected, sizeof expected, "%s from %s to %s", noun, bnn_number_print(o->min, low), bnn_number_print(o->max, high));
    return refuse(o, value, expected);
}

static bnn_status read_choice(const bnn_option *o, const char *value, int *out) {
    char expected[256] = "one of";
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], value) == 0) {
            *out = i;
            return BNN_OK;
        }
        size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s %s", i ? "," : "", o->choices[i]);
    }
    return refuse(o, value, expected);
}

static bnn_status read_shape(const bnn_option *o, const char *value, bnn_shape *out) {
    bnn_shape s = {0};
    const char *at = value;
    while (*at) {
        char *end;
        long d = strtol(at, &end, 10);
        bool last = *end == '\0';
        if (end == at || d < 1 || d > 1 << 24 || s.rank == BNN_MAX_RANK || (!last && (*end != 'x' || end[1] == '\0')))
            return refuse(o, value, "a shape such as 13 or 3x32x32");
        s.d[s.rank++] = (int)d;
        at = last ? end : end + 1;
    }
    *out = s;
    return BNN_OK;
}

static bnn_status set(const bnn_option *o, void *conf, const char *value) {
    double number;
    switch (o->kind) {
    case BNN_OPTION_INT:
        BNN_TRY(read_number(o, value, true, &number));
        *(int *)field(o, conf) = (int)number;
        return BNN_OK;
    case BNN_OPTION_REAL:
        BNN_TRY(read_number(o, value, false, &number));
        *(double *)field(o, conf) = number;
        return BNN_OK;
    case BNN_OPTION_CHOICE: return read_choice(o, value, field(o, conf));
    case BNN_OPTION_SHAPE: return read_shape(o, value, field(o, conf));
    case BNN_OPTION_TEXT: {
        char *copy = strdup(value), **text = field(o, conf);
        if (!copy) return bnn_fail(BNN_ERR_MEMORY, "option '%s': out of memory", o->name);
        free(*text);
        *text = copy;
        return BNN_OK;
    }
    }
    return bnn_fail(BNN_ERR_OPTION, "option '%s' has an unknown kind", o->name);
}

bnn_status bnn_options_set(const bnn_option *table, void *conf, const char *name, const char *value) {
    const bnn_option *o = bnn_options_find(table, name);
    if (o) return set(o, conf, value);
    char known[512] = "";
    for (o = table; o && o->name; o++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", o->name);
    }
    if (!*known) return bnn_fail(BNN_ERR_OPTION, "unknown option '%s': there are none", name);
    return bnn_fail(BNN_ERR_OPTION, "unknown option '%s': there are %s", name, known);
}

void bnn_options_free(const bnn_option *table, void *conf) {
    for (const bnn_option *o = table; o && o->name; o++)
        if (o->kind == BNN_OPTION_TEXT) {
            char **text = field(o, conf);
            free(*text);
            *text = NULL;
        }
}

static bnn_status set_presets(const bnn_option *table, void *conf) {
    for (const bnn_option *o = table; o && o->name; o++) {
        if (o->kind == BNN_OPTION_TEXT) *(char **)field(o, conf) = NULL;
        BNN_TRY(set(o, conf, o->preset));
    }
    return BNN_OK;
}

/* The next item of a list separated by commas outside braces; cuts it off in place, without surrounding blanks. NULL at the end; *balanced
 * tells of stray braces. */
static char *next_item(char **rest, bool *balanced) {
    char *begin = *rest;
    if (!begin) return NULL;
    int depth = 0;
    char *at = begin;
    for (; *at && (*at != ',' || depth > 0); at++) {
        depth += (*at == '{') - (*at == '}');
        if (depth < 0) *balanced = false;
    }
    if (depth != 0) *balanced = false;
    *rest = *at ? at + 1 : NULL;
    char *end = at;
    while (*begin == ' ' || *begin == '\t') begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t')) end--;
    *end = '\0';
    return begin;
}

/* The '=' that parts key from value: the first one outside braces. */
static char *equals_sign(char *item) {
    for (char *at = item; *at && *at != '{'; at++)
        if (*at == '=') return at;
    return NULL;
}

static bnn_status read_items(const bnn_option *table, char *text, void *conf) {
    const bnn_option *position = table;
    bool keyed = false, balanced = true;
    char *rest = text;
    for (char *item; (item = next_item(&rest, &balanced));) {
        if (!balanced) return bnn_fail(BNN_ERR_SYNTAX, "braces do not match in the options");
        char *sign = equals_sign(item);
        if (sign) {
            char *key_end = sign;
            while (key_end > item && (key_end[-1] == ' ' || key_end[-1] == '\t')) key_end--;
            *key_end = '\0';
            keyed = true;
            BNN_TRY(bnn_options_set(table, conf, item, sign + 1 + strspn(sign + 1, " \t")));
        } else if (keyed) {
            return bnn_fail(BNN_ERR_SYNTAX, "option value '%s' has no name, but comes after a named one", item);
        } else if (!position || !position->name) {
            return bnn_fail(BNN_ERR_OPTION, "option value '%s' is one too many", item);
        } else {
            BNN_TRY(set(position++, conf, item));
        }
    }
    return BNN_OK;
}

bnn_status bnn_options_parse(const bnn_option *table, const char *text, void *conf) {
    bnn_status s = set_presets(table, conf);
    if (s == BNN_OK && text && *text) {
        char *copy = strdup(text);
        s = copy ? read_items(table, copy, conf) : bnn_fail(BNN_ERR_MEMORY, "out of memory for options");
        free(copy);
    }
    if (s < 0) bnn_options_free(table, conf);
    return s;
}

static void print_value(FILE *out, const bnn_option *o, const void *conf) {
    char number[BNN_NUMBER_TEXT];
    switch (o->kind) {
    case BNN_OPTION_INT: fprintf(out, "%d", *(const int *)const_field(o, conf)); break;
    case BNN_OPTION_REAL: fputs(bnn_number_print(*(const double *)const_field(o, conf), number), out); break;
    case BNN_OPTION_CHOICE: fputs(o->choices[*(const int *)const_field(o, conf)], out); break;
    case BNN_OPTION_TEXT: fputs(*(char *const *)const_field(o, conf), out); break;
    case BNN_OPTION_SHAPE: {
        const bnn_shape *s = const_field(o, conf);
        for (int i = 0; i < s->rank; i++) fprintf(out, i ? "x%d" : "%d", s->d[i]);
    }
    }
}

char *bnn_options_print(const bnn_option *table, const void *conf) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    const char *comma = "";
    for (const bnn_option *o = table; o && o->name; o++) {
        if (o->kind == BNN_OPTION_SHAPE && ((const bnn_shape *)const_field(o, conf))->rank == 0) continue; /* not known: nothing to say */
        fprintf(out, "%s%s=", comma, o->name);
        print_value(out, o, conf);
        comma = ",";
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
