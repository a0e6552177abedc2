/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/word.h"
#include <bnn/file.h>
#include <bnn/layer.h>
#include <bnn/netspec.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_statement(bnn_statement *s) {
    free(s->label);
    free(s->type);
    free(s->options);
    for (int i = 0; i < s->n_in; i++) free(s->in[i]);
    free(s->in);
    *s = (bnn_statement){0};
}

void bnn_netspec_free(bnn_netspec *spec) {
    for (int i = 0; i < spec->n; i++) free_statement(&spec->s[i]);
    free(spec->s);
    *spec = (bnn_netspec){0};
}

/* The text between begin and end without surrounding blanks, as a new string. */
static char *trimmed(const char *begin, const char *end) {
    while (begin < end && bnn_is_blank(*begin)) begin++;
    while (end > begin && bnn_is_blank(end[-1])) end--;
    return strndup(begin, (size_t)(end - begin));
}

/* The first character of `any` outside braces in [at, end), or end. */
static const char *find_outside(const char *at, const char *end, const char *any) {
    int depth = 0;
    for (; at < end; at++) {
        if (depth == 0 && strchr(any, *at)) return at;
        depth += (*at == '{') - (*at == '}');
    }
    return end;
}

/* "a, b)" -> s->in. `at` stands behind the opening parenthesis. */
static bnn_status read_inputs(const char *at, const char *end, bnn_statement *s) {
    const char *close = find_outside(at, end, ")");
    if (close == end) return bnn_fail(BNN_ERR_SYNTAX, "the list of inputs lacks its closing parenthesis");
    for (const char *p = close + 1; p < end; p++)
        if (!bnn_is_blank(*p)) return bnn_fail(BNN_ERR_SYNTAX, "'%.*s' stands behind the list of inputs", (int)(end - p), p);
    while (at <= close) {
        const char *comma = find_outside(at, close, ",");
        char **in = realloc(s->in, (size_t)(s->n_in + 1) * sizeof *in), *word;
        if (!in) return bnn_oom("the network text");
        s->in = in;
        if (!(word = trimmed(at, comma))) return bnn_oom("the network text");
        s->in[s->n_in++] = word;
        if (!bnn_is_word(word)) return bnn_fail(BNN_ERR_SYNTAX, "'%s' in the list of inputs is not a label", word);
        at = comma + 1;
    }
    return BNN_OK;
}

static bnn_status read_statement(const char *at, const char *end, bnn_statement *s) {
    const char *mark = find_outside(at, end, "=:({");
    if (mark < end && *mark == '=') {
        if (!(s->label = trimmed(at, mark))) return bnn_oom("the network text");
        if (!bnn_is_word(s->label)) return bnn_fail(BNN_ERR_SYNTAX, "'%s' before '=' is not a label: letters, digits and _", s->label);
        at = mark + 1;
        mark = find_outside(at, end, ":(");
    }
    if (!(s->type = trimmed(at, mark))) return bnn_oom("the network text");
    if (!bnn_is_word(s->type)) return bnn_fail(BNN_ERR_SYNTAX, "'%s' is not the name of a layer", s->type);
    const char *options = mark < end && *mark == ':' ? mark + 1 : mark, *list = find_outside(options, end, "(");
    if (!(s->options = trimmed(options, list))) return bnn_oom("the network text");
    return list < end ? read_inputs(list + 1, end, s) : BNN_OK;
}

/* The text with comments blanked out; newlines that end a statement become semicolons. */
static char *without_comments(const char *text) {
    char *copy = strdup(text);
    bool comment = false;
    for (char *p = copy; p && *p; p++) {
        if (*p == '\n') {
            comment = false;
            *p = ';';
        } else if (comment || *p == '#') {
            comment = true;
            *p = ' ';
        }
    }
    return copy;
}

/* Makes room for one more statement. There is always room for a power of two of them: long texts are not copied for every statement. */
static bnn_status make_room(bnn_netspec *spec) {
    if ((spec->n & (spec->n - 1)) != 0) return BNN_OK;
    bnn_statement *s = realloc(spec->s, (spec->n > 0 ? 2 * (size_t)spec->n : 1) * sizeof *s);
    if (!s) return bnn_oom("the network text");
    spec->s = s;
    return BNN_OK;
}

static bnn_status append(bnn_netspec *spec, const char *at, const char *end) {
    BNN_TRY(make_room(spec));
    spec->s[spec->n] = (bnn_statement){0};
    bnn_status status = read_statement(at, end, &spec->s[spec->n++]);
    return status < 0 ? bnn_note(status, "statement %d of the network", spec->n) : BNN_OK;
}

static bool blank(const char *at, const char *end) {
    while (at < end && bnn_is_blank(*at)) at++;
    return at == end;
}

bnn_status bnn_netspec_parse(const char *text, bnn_netspec *out) {
    char *copy = without_comments(text);
    if (!copy) return bnn_oom("the network text");
    bnn_netspec spec = {0};
    bnn_status s = BNN_OK;
    const char *end = copy + strlen(copy);
    for (const char *at = copy; at <= end && s == BNN_OK;) {
        const char *stop = find_outside(at, end, ";");
        if (!blank(at, stop)) s = append(&spec, at, stop);
        at = stop + 1;
    }
    if (s == BNN_OK && spec.n == 0)
        s = bnn_fail(BNN_ERR_SYNTAX, "the network text is empty: expected something like 'dense:50; relu; dense'");
    free(copy);
    if (s < 0)
        bnn_netspec_free(&spec);
    else
        *out = spec;
    return s;
}

char *bnn_netspec_print(const bnn_netspec *spec) {
    char *text = NULL;
    FILE *out = bnn_text_open(&text, NULL);
    if (!out) return NULL;
    for (int i = 0; i < spec->n; i++) {
        const bnn_statement *s = &spec->s[i];
        fprintf(out, "%s%s%s%s%s%s", i ? "; " : "", s->label ? s->label : "", s->label ? " = " : "", s->type,
                *s->options && *s->options != '{' ? ":" : "", s->options);
        for (int k = 0; k < s->n_in; k++) fprintf(out, "%s%s", k ? ", " : "(", s->in[k]);
        if (s->n_in) fputc(')', out);
    }
    return bnn_text_close(out, &text);
}

bnn_status bnn_netspec_insert(bnn_netspec *spec, int i, const char *type, const char *options) {
    bnn_statement new = {.type = strdup(type), .options = strdup(options)};
    if (!new.type || !new.options || make_room(spec) < 0) {
        free_statement(&new);
        return bnn_oom("the network text");
    }
    bnn_statement *s = spec->s;
    memmove(s + i + 1, s + i, (size_t)(spec->n++ - i) * sizeof *s);
    new.n_in = s[i + 1].n_in;
    new.in = s[i + 1].in;
    s[i + 1].n_in = 0;
    s[i + 1].in = NULL;
    s[i] = new;
    return BNN_OK;
}

/* "key=value,..." of the options that both tables have. */
static char *shared_options(const bnn_type *from, const bnn_type *to, const void *conf) {
    char *text = NULL, *all = bnn_options_print(from->options, conf);
    FILE *out = all ? bnn_text_open(&text, NULL) : NULL;
    for (char *at = all, *end; out && at && *at; at = end) {
        const char *stop = find_outside(at, at + strlen(at), ",");
        char key[64];
        bnn_option o;
        end = (char *)stop + (*stop == ',');
        snprintf(key, sizeof key, "%.*s", (int)strcspn(at, "="), at);
        if (bnn_options_find(to->options, key, &o)) fprintf(out, "%.*s,", (int)(stop - at), at);
    }
    free(all);
    return out ? bnn_text_close(out, &text) : NULL;
}

bnn_status bnn_netspec_convert(bnn_netspec *spec, int i, const char *type, const char *options) {
    bnn_statement *s = &spec->s[i];
    const bnn_type *to;
    bnn_object from;
    char *text = NULL;
    if (asprintf(&text, "%s:%s", s->type, s->options) < 0) return bnn_oom("the network text");
    bnn_status status = bnn_object_parse(BNN_LAYER, text, &from);
    free(text);
    BNN_TRY(status);
    status = bnn_type_find(BNN_LAYER, type, &to);
    char *kept = status == BNN_OK ? shared_options(from.type, to, from.conf) : NULL, *name = strdup(type), *both = NULL;
    bnn_object_free(&from);
    if (status == BNN_OK && (!kept || !name || asprintf(&both, "%s%s", kept, options) < 0)) status = bnn_oom("the network text");
    free(kept);
    if (status < 0) {
        free(name);
        return status;
    }
    size_t length = strlen(both);
    if (length > 0 && both[length - 1] == ',') both[length - 1] = '\0';
    free(s->type);
    free(s->options);
    s->type = name;
    s->options = both;
    return BNN_OK;
}

/* The statement that feeds the first input of statement i; -1: the data. */
static int source(const bnn_netspec *spec, int i) {
    if (spec->s[i].n_in == 0) return i - 1;
    for (int k = i - 1; k >= 0; k--)
        if (spec->s[k].label && strcmp(spec->s[k].label, spec->s[i].in[0]) == 0) return k;
    return -1;
}

static const bnn_layer_type *layer_type(const bnn_netspec *spec, int i) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(BNN_LAYER, t));)
        if (strcmp(t->name, spec->s[i].type) == 0) return (const bnn_layer_type *)t;
    return NULL;
}

static bool has_cap(const bnn_netspec *spec, int i, uint32_t cap) {
    const bnn_layer_type *type = layer_type(spec, i);
    return type && type->type.caps & cap;
}

bool bnn_netspec_affine(const bnn_netspec *spec, int i) { return has_cap(spec, i, BNN_AFFINE); }

bool bnn_netspec_convolution(const bnn_netspec *spec, int i) { return has_cap(spec, i, BNN_CONV); }

bool bnn_netspec_gated(const bnn_netspec *spec, int i) {
    const bnn_layer_type *type = NULL;
    do {
        i = source(spec, i);
        type = i >= 0 ? layer_type(spec, i) : NULL;
    } while (type && type->type.caps & BNN_RESHAPE);
    return type && type->keep;
}

static bnn_status gate_before(bnn_netspec *spec, uint32_t cap, const char *type, const char *options) {
    for (int i = 0; i < spec->n; i++)
        if (has_cap(spec, i, cap) && !bnn_netspec_gated(spec, i)) BNN_TRY(bnn_netspec_insert(spec, i++, type, options));
    return BNN_OK;
}

bnn_status bnn_netspec_gate(bnn_netspec *spec, const char *type, const char *options) {
    return gate_before(spec, BNN_AFFINE, type, options);
}

bnn_status bnn_netspec_gate_images(bnn_netspec *spec, const char *type, const char *options) {
    return gate_before(spec, BNN_CONV, type, options);
}
