/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * option.c: option texts and the spec texts around them, which hold each other: a spec has options, an option may be a spec.
 */
#include "spec.h"

#include <bnn/file.h>
#include <bnn/registry.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

enum { MOST_NESTED = 16 }; /* specs inside of each other */
static bnn_status parse_object(bnn_kind kind, const char *text, int depth, bnn_object *out);

static bnn_status read_spec(const bnn_option *o, const char *value, int depth, bnn_object *out) {
    bnn_object made = {0};
    if (depth == MOST_NESTED) return bnn_fail(BNN_ERR_OPTION, "option '%s': specs are nested more than %d deep", o->name, MOST_NESTED);
    bnn_status s = *value || *o->preset ? parse_object(o->of, value, depth + 1, &made) : BNN_OK;
    if (s < 0) return bnn_note(s, "option '%s'", o->name);
    bnn_object_free(out);
    *out = made;
    return BNN_OK;
}

static bnn_status read_text(const bnn_option *o, const char *value, char **out) {
    char *copy = strdup(value);
    if (!copy) return bnn_fail(BNN_ERR_MEMORY, "option '%s': out of memory", o->name);
    free(*out);
    *out = copy;
    return BNN_OK;
}

static bool is_words(const bnn_option *o) { return o->kind == BNN_OPTION_TEXT && o->choices; }

static bool is_word_of(const bnn_option *o, const char *word) {
    int i = 0;
    while (o->choices[i] && strcmp(o->choices[i], word) != 0) i++;
    return o->choices[i];
}

/* Takes words with commas between them, of which one more may follow (NULL: none), and keeps them in braces where they are several. */
static bnn_status read_words(const bnn_option *o, const char *value, const char *more, char **out) {
    char *text = NULL, *words = NULL;
    const size_t length = strlen(value), braces = length > 1 && value[0] == '{' && value[length - 1] == '}';
    bnn_status s = asprintf(&words, "%.*s%s%s", (int)(length - 2 * braces), value + braces, more ? "," : "", more ? more : "") < 0
                       ? bnn_oom("options")
                       : BNN_OK;
    if (s == BNN_OK) s = asprintf(&text, strchr(words, ',') ? "{%s}" : "%s", words) < 0 ? bnn_oom("options") : BNN_OK;
    int unknown;
    for (char *word, *rest = words; s == BNN_OK && (word = strsep(&rest, ","));)
        if (!is_word_of(o, word)) s = read_choice(o, word, &unknown);
    if (s == BNN_OK) s = read_text(o, text, out);
    free(text), free(words);
    return s;
}

/* depth: of specs around this option. */
static bnn_status set(const bnn_option *o, void *conf, const char *value, int depth) {
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
    case BNN_OPTION_TEXT: return is_words(o) ? read_words(o, value, NULL, field(o, conf)) : read_text(o, value, field(o, conf));
    case BNN_OPTION_SPEC: return read_spec(o, value, depth, field(o, conf));
    case BNN_OPTION_GROUP: break;
    }
    return bnn_fail(BNN_ERR_OPTION, "option '%s' has an unknown kind", o->name);
}

static bnn_status set_named(const bnn_option *table, void *conf, const char *name, const char *value, int depth) {
    bnn_option o;
    if (bnn_options_find(table, name, &o)) return set(&o, conf, value, depth);
    char known[512] = "";
    for (int i = 0; bnn_options_at(table, i, &o); i++) bnn_list_add(known, sizeof known, o.name);
    if (!*known) return bnn_fail(BNN_ERR_OPTION, "unknown option '%s': there are none", name);
    return bnn_fail(BNN_ERR_OPTION, "unknown option '%s': there are %s", name, known);
}

bnn_status bnn_options_set(const bnn_option *table, void *conf, const char *name, const char *value) {
    return set_named(table, conf, name, value, 0);
}

static bool is_owned(const bnn_option *o) { return o->kind == BNN_OPTION_TEXT || o->kind == BNN_OPTION_SPEC; }

void bnn_options_free(const bnn_option *table, void *conf) {
    bnn_option o;
    for (int i = 0; bnn_options_at(table, i, &o); i++) {
        if (o.kind == BNN_OPTION_TEXT) free(*(char **)field(&o, conf));
        if (o.kind == BNN_OPTION_SPEC) bnn_object_free(field(&o, conf));
        if (is_owned(&o)) memset(field(&o, conf), 0, bnn_option_size(o.kind));
    }
}

static bnn_status set_presets(const bnn_option *table, void *conf, int depth) {
    bnn_option o;
    for (int i = 0; bnn_options_at(table, i, &o); i++)
        if (is_owned(&o)) memset(field(&o, conf), 0, bnn_option_size(o.kind));
    for (int i = 0; bnn_options_at(table, i, &o); i++) BNN_TRY(set(&o, conf, o.preset, depth));
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

static bnn_status read_items(const bnn_option *table, char *text, void *conf, int depth) {
    bnn_option o = {0};
    int position = 0;
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
            BNN_TRY(set_named(table, conf, item, sign + 1 + strspn(sign + 1, " \t"), depth));
            bnn_options_find(table, item, &o);
        } else if (keyed && is_words(&o) && is_word_of(&o, item)) {
            BNN_TRY(read_words(&o, *(char **)field(&o, conf), item, field(&o, conf)));
        } else if (keyed) {
            return bnn_fail(BNN_ERR_SYNTAX, "option value '%s' has no name, but comes after a named one", item);
        } else if (!bnn_options_at(table, position++, &o)) {
            return bnn_fail(BNN_ERR_OPTION, "option value '%s' is one too many", item);
        } else {
            BNN_TRY(set(&o, conf, item, depth));
        }
    }
    return BNN_OK;
}

static bnn_status parse_options(const bnn_option *table, const char *text, void *conf, int depth) {
    bnn_status s = set_presets(table, conf, depth);
    if (s == BNN_OK && text && *text) {
        char *copy = strdup(text);
        s = copy ? read_items(table, copy, conf, depth) : bnn_oom("options");
        free(copy);
    }
    if (s < 0) bnn_options_free(table, conf);
    return s;
}

bnn_status bnn_options_parse(const bnn_option *table, const char *text, void *conf) { return parse_options(table, text, conf, 0); }

/* ---- specs ---- */

/* "name:options" or "name{options}" -> the two parts, cut off in place. */
static bnn_status cut(char *text, char **name, char **options) {
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\n", text[length - 1])) text[--length] = '\0';
    *name = text + strspn(text, " \t\n");
    char *mark = strpbrk(*name, ":{");
    *options = *name + strlen(*name);
    if (!mark) return BNN_OK;
    if (*mark == '{') {
        if (text[length - 1] != '}') return bnn_fail(BNN_ERR_SYNTAX, "'%s' lacks the closing brace", *name);
        text[length - 1] = '\0';
    }
    *mark = '\0';
    *options = mark + 1;
    return BNN_OK;
}

static bnn_status make(bnn_kind kind, const char *name, const char *options, int depth, bnn_object *out) {
    const bnn_type *type;
    BNN_TRY(bnn_type_find(kind, name, &type));
    void *conf = calloc(1, type->conf_size ? type->conf_size : 1);
    if (!conf) return bnn_oom("%s '%s'", bnn_kind_name(kind), name);
    bnn_status s = parse_options(type->options, options, conf, depth);
    if (s < 0) {
        free(conf);
        return bnn_note(s, "%s '%s'", bnn_kind_name(kind), name);
    }
    *out = (bnn_object){.type = type, .conf = conf};
    return BNN_OK;
}

static bnn_status parse_object(bnn_kind kind, const char *text, int depth, bnn_object *out) {
    char *copy = strdup(text ? text : ""), *name, *options;
    if (!copy) return bnn_oom("a %s", bnn_kind_name(kind));
    bnn_status s = cut(copy, &name, &options);
    if (s == BNN_OK) s = make(kind, name, options, depth, out);
    free(copy);
    return s;
}

bnn_status bnn_object_parse(bnn_kind kind, const char *text, bnn_object *out) { return parse_object(kind, text, 0, out); }

void bnn_object_free(bnn_object *object) {
    if (object->type) bnn_options_free(object->type->options, object->conf);
    free(object->conf);
    *object = (bnn_object){0};
}

/* The options are cut up in place. */
static bnn_status walk_options(const bnn_option *table, char *text, bnn_spec_visit *visit, void *context) {
    bnn_option o;
    bool balanced = true;
    for (char *item, *sign, *rest = text; (item = next_item(&rest, &balanced));) {
        if (!(sign = equals_sign(item))) continue;
        *sign = '\0';
        if (bnn_options_find(table, item, &o) && o.kind == BNN_OPTION_SPEC) BNN_TRY(bnn_spec_walk(o.of, sign + 1, visit, context));
    }
    return BNN_OK;
}

bnn_status bnn_spec_walk(bnn_kind kind, const char *text, bnn_spec_visit *visit, void *context) {
    char *copy = strdup(text), *name, *options;
    if (!copy) return bnn_oom("a %s", bnn_kind_name(kind));
    bnn_status s = cut(copy, &name, &options);
    if (s == BNN_OK && *name) {
        const bnn_type *type = bnn_type_next(kind, NULL);
        while (type && strcmp(type->name, name) != 0) type = bnn_type_next(kind, type);
        visit(context, kind, name);
        if (type) s = walk_options(type->options, options, visit, context);
    }
    free(copy);
    return s;
}

/* ---- printing ---- */

static void print_object(FILE *out, const bnn_object *object, bool braces);

static void print_value(FILE *out, const bnn_option *o, const void *conf) {
    char number[BNN_NUMBER_TEXT];
    const void *at = const_field(o, conf);
    switch (o->kind) {
    case BNN_OPTION_INT: fprintf(out, "%d", *(const int *)at); break;
    case BNN_OPTION_REAL: fputs(bnn_number_print(*(const double *)at, number), out); break;
    case BNN_OPTION_CHOICE: fputs(o->choices[*(const int *)at], out); break;
    case BNN_OPTION_TEXT: fputs(*(char *const *)at, out); break;
    case BNN_OPTION_SPEC:
        if (((const bnn_object *)at)->type) print_object(out, at, true);
        break;
    case BNN_OPTION_SHAPE: {
        const bnn_shape *s = at;
        for (int i = 0; i < s->rank; i++) fprintf(out, i ? "x%d" : "%d", s->d[i]);
        break;
    }
    case BNN_OPTION_GROUP: break;
    }
}

/* With `before` in front of the first option; false if there is none. */
static bool print_options(FILE *out, const bnn_option *table, const void *conf, const char *before) {
    bnn_option o;
    bool any = false;
    for (int i = 0; bnn_options_at(table, i, &o); i++) {
        if (o.kind == BNN_OPTION_SHAPE && ((const bnn_shape *)const_field(&o, conf))->rank == 0) continue; /* not known: nothing to say */
        fprintf(out, "%s%s=", any ? "," : before, o.name);
        print_value(out, &o, conf);
        any = true;
    }
    return any;
}

static void print_object(FILE *out, const bnn_object *object, bool braces) {
    fputs(object->type->name, out);
    if (print_options(out, object->type->options, object->conf, braces ? "{" : ":") && braces) fputc('}', out);
}

char *bnn_options_print(const bnn_option *table, const void *conf) {
    char *text = NULL;
    FILE *out = bnn_text_open(&text, NULL);
    if (!out) return NULL;
    print_options(out, table, conf, "");
    return bnn_text_close(out, &text);
}

char *bnn_object_print(const bnn_object *object, bool braces) {
    char *text = NULL;
    FILE *out = bnn_text_open(&text, NULL);
    if (!out) return NULL;
    print_object(out, object, braces);
    return bnn_text_close(out, &text);
}
