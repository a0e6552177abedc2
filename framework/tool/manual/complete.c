/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * complete.c: what may stand in place of the last word of a command line, for the shells (bnn.bash, bnn.zsh, bnn.fish): a line `words` and
 * the words, one a line, or a line `files`.
 */
#include "manual.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The words behind `bnn`, the last one being written. */
static struct {
    int n;
    char **word; /* [n] */
} line;

/* Prints kept, candidate and behind, where what is written of the candidate begins it. */
static void offer(const char *kept, size_t n_kept, const char *written, const char *candidate, const char *behind) {
    if (strncmp(candidate, written, strlen(written)) == 0) printf("%.*s%s%s\n", (int)n_kept, kept, candidate, behind);
}

/* "a|b|c" or "[a|b|c]" */
static void offer_choices(const char *kept, size_t n_kept, const char *written, const char *choices) {
    char choice[64];
    for (const char *at = choices + (*choices == '['); *at && *at != ']'; at += strspn(at, "|")) {
        size_t n = strcspn(at, "|]");
        snprintf(choice, sizeof choice, "%.*s", (int)n, at);
        offer(kept, n_kept, written, choice, "");
        at += n;
    }
}

/* ---------------------------------------------------------------- texts of types */

static void offer_types(const char *kept, size_t n_kept, const char *written, bnn_kind kind) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));) offer(kept, n_kept, written, t->name, "");
}

/* The type that stands before ':' or '{' in a text; NULL: none. */
static const bnn_type *find_type(bnn_kind kind, const char *text, size_t n) {
    for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));)
        if (strlen(t->name) == n && strncmp(t->name, text, n) == 0) return t;
    return NULL;
}

/* Where the last option of a list begins: behind the last comma that no brace holds. */
static const char *last_option(const char *options) {
    const char *begin = options;
    int depth = 0;
    for (const char *at = options; *at; at++) {
        depth += (*at == '{') - (*at == '}');
        if (*at == ',' && depth == 0) begin = at + 1;
    }
    return begin;
}

static void complete_spec(const char *kept, const char *text, bnn_kind kind, const char *opening);

/* key=value, the last of a list. */
static void complete_option(const char *kept, const char *text, const bnn_type *type) {
    const char *equals = strchr(text, '=');
    char key[64];
    bnn_option o;
    if (!equals) {
        for (int i = 0; bnn_options_at(type->options, i, &o); i++) offer(kept, (size_t)(text - kept), text, o.name, "=");
        return;
    }
    snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    if (!bnn_options_find(type->options, key, &o)) return;
    const char *value = equals + 1;
    for (int i = 0; o.kind == BNN_OPTION_CHOICE && o.choices[i]; i++) offer(kept, (size_t)(value - kept), value, o.choices[i], "");
    if (o.kind == BNN_OPTION_SPEC) complete_spec(kept, value, o.of, "{");
}

/* The spec text that begins at text, inside of what is kept; opening: what stands between name and options. */
static void complete_spec(const char *kept, const char *text, bnn_kind kind, const char *opening) {
    size_t n = strcspn(text, opening);
    if (!text[n]) {
        offer_types(kept, (size_t)(text - kept), text, kind);
        return;
    }
    const bnn_type *type = find_type(kind, text, n);
    if (type) complete_option(kept, last_option(text + n + 1), type);
}

/* The last statement of a network, behind its label. */
static void complete_net(const char *text) {
    const char *semicolon = strrchr(text, ';'), *begin = semicolon ? semicolon + 1 : text;
    const char *label = strstr(begin, " = ");
    if (label) begin = label + 3;
    complete_spec(text, begin + strspn(begin, " "), BNN_LAYER, ":");
}

/* ---------------------------------------------------------------- options and arguments */

static bool is_file(const char *metavar) {
    static const char *const files[] = {"FILE", "FOLDER", ".h5", "WEIGHTS", "IMAGES", "CSV", "PATH"};
    for (size_t i = 0; metavar && i < sizeof files / sizeof *files; i++)
        if (strstr(metavar, files[i])) return true;
    return false;
}

/* The value of an option, of which `value` is written; kept: the whole word, where the option stands in it, too. */
static void complete_value(const struct argp_option *o, const char *kept, const char *value) {
    if (is_file(o->arg)) {
        puts("files");
        return;
    }
    puts("words");
    for (bnn_kind kind = 0; kind < BNN_N_KINDS; kind++)
        if (strcmp(o->name, bnn_kind_name(kind)) == 0) complete_spec(kept, value, kind, ":");
    if (strcmp(o->name, "net") == 0) complete_net(value);
    if (strchr(o->arg, '|')) offer_choices(kept, (size_t)(value - kept), value, o->arg);
}

/* The option that a word is, "-e", "--engine" or "--engine=..."; NULL: none. */
static const struct argp_option *find_option(const struct argp *argp, const char *word) {
    const struct argp_option *o;
    for (int i = 0; (o = manual_option(argp, i)); i++) {
        size_t n = strlen(o->name);
        if (word[0] == '-' && word[1] == o->key && !word[2]) return o;
        if (strncmp(word, "--", 2) == 0 && strncmp(word + 2, o->name, n) == 0 && strchr("=", word[2 + n])) return o;
    }
    return NULL;
}

/* Says whether this word is the value of the option before it. */
static const struct argp_option *option_before(const struct argp *argp, int i) {
    const char *before = line.word[i - 1];
    const struct argp_option *o = i > 1 && !strchr(before, '=') ? find_option(argp, before) : NULL;
    return o && o->arg && !(o->flags & OPTION_ARG_OPTIONAL) ? o : NULL;
}

static void complete_argument(const struct argp *argp, const char *written) {
    const char *args = argp->args_doc ? argp->args_doc : "", *name = line.word[0];
    int before = 0;
    for (int i = 1; i < line.n - 1; i++) before += *line.word[i] != '-' && !option_before(argp, i);
    bool several = strchr(args, '\n') != NULL, types = strncmp(name, "new-", 4) != 0 && strstr(args, "NAME");
    if (!(several && before == 0) && !types && is_file(args)) {
        puts("files");
        return;
    }
    puts("words");
    for (const char *way = args; several && before == 0 && way; way = strchr(way, '\n') ? strchr(way, '\n') + 1 : NULL) {
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)strcspn(way, " "), way);
        offer("", 0, written, word, "");
    }
    for (bnn_kind kind = 0; types && kind < BNN_N_KINDS; kind++) offer_types("", 0, written, kind);
    if (!several && !types && strchr(args, '|')) offer_choices("", 0, written, args);
}

/* The last word, of a command that has this argp. */
static void complete_word(const struct argp *argp) {
    const char *word = line.word[line.n - 1], *equals = strchr(word, '=');
    const struct argp_option *before = option_before(argp, line.n - 1), *o;
    if (before)
        complete_value(before, word, word);
    else if (strncmp(word, "--", 2) == 0 && equals) {
        o = find_option(argp, word);
        if (o && o->arg) complete_value(o, word, equals + 1);
    } else if (*word == '-') {
        char option[128];
        puts("words");
        for (int i = 0; (o = manual_option(argp, i)); i++) snprintf(option, sizeof option, "--%s", o->name), offer("", 0, word, option, "");
        offer("", 0, word, "--plugin", ""), offer("", 0, word, "--help", "");
    } else
        complete_argument(argp, word);
    tool_leave(0);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    (void)state;
    if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
    line.word[line.n++] = arg;
    return 0;
}

static const struct argp complete_argp = {
    .parser = parse,
    .args_doc = "-- WORD...",
    .doc = "Prints what may stand in place of the last word of `bnn WORD...`: commands, options, and the texts of types with their "
           "options.\v"
           "The first line is `words`, or `files` where a file is asked for. The completion of bash, zsh and fish asks this; `meson "
           "install` puts it where these shells find it.\n\n"
           "Examples:\n  bnn complete -- fit --eng\n  bnn complete -- fit --engine mc_dropout:ga"};

static int run(int argc, char **argv) {
    line.word = calloc((size_t)argc + 1, sizeof *line.word);
    if (!line.word) return tool_refuse("out of memory");
    tool_parse(&complete_argp, argc, argv, NULL);
    if (line.n == 0) return tool_refuse("complete: which words? `bnn complete -- fit --eng`");
    if (line.n == 1) {
        puts("words");
        for (const command *const *c = commands; *c; c++) offer("", 0, line.word[0], (*c)->name, "");
        tool_leave(0);
    }
    for (const command *const *c = commands; *c; c++)
        if (strcmp((*c)->name, line.word[0]) == 0) manual_ask(*c, complete_word);
    return 0;
}

const command command_complete = {.name = "complete", .summary = "what may stand in place of a word, for shells", .run = run};
