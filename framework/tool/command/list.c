/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <argp.h>
#include <stdio.h>
#include <string.h>

static void print_kind(bnn_kind kind) {
    printf("%ss\n", bnn_kind_name(kind));
    for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));) {
        const bnn_plugin *from = bnn_plugin_of(t);
        printf("  %-26s %s", t->name, t->summary);
        if (from) printf(" (plugin %s %s)", from->name, from->version);
        putchar('\n');
    }
}

static void print_plugins(void) {
    const bnn_plugin *p;
    printf("plugins\n");
    for (int i = 0; (p = bnn_plugin_at(i)); i++) {
        printf("  %-26s %s, %s:", p->name, p->version, tool_line(p->path));
        for (int k = 0; k < p->n; k++) printf("%s %s %s", k ? "," : "", bnn_kind_name(p->types[k].kind), p->types[k].type->name);
        printf("\n  %-26s sha256 %s\n", "", p->sha256);
    }
}

/* ---- JSON ---- */

static json_t *types_of(bnn_kind kind) {
    json_t *list = json_array();
    for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));) {
        const bnn_plugin *from = bnn_plugin_of(t);
        json_t *one = json_object();
        tool_json_set(one, "name", tool_json_text(t->name));
        tool_json_set(one, "summary", tool_json_text(t->summary));
        tool_json_set(one, "reference", tool_json_text(t->reference));
        tool_json_set(one, "plugin", tool_json_text(from ? from->name : NULL));
        tool_json_append(list, one);
    }
    return list;
}

static json_t *plugins(void) {
    json_t *list = json_array();
    const bnn_plugin *p;
    for (int i = 0; (p = bnn_plugin_at(i)); i++) {
        json_t *one = json_object(), *types = json_array();
        tool_json_set(one, "name", tool_json_text(p->name));
        tool_json_set(one, "version", tool_json_text(p->version));
        tool_json_set(one, "path", tool_json_text(p->path));
        tool_json_set(one, "sha256", tool_json_text(p->sha256));
        for (int k = 0; k < p->n; k++) {
            json_t *type = json_object();
            tool_json_set(type, "kind", tool_json_text(bnn_kind_name(p->types[k].kind)));
            tool_json_set(type, "name", tool_json_text(p->types[k].type->name));
            tool_json_append(types, type);
        }
        tool_json_set(one, "types", types);
        tool_json_append(list, one);
    }
    return list;
}

/* ---- the command ---- */

typedef struct {
    const char *want;
    bool json;
} request;

enum { JSON = 256 };
static const struct argp_option options[] = {{"json", JSON, NULL, 0, "print JSON: a list for each kind", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case JSON: r->json = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) return ARGP_ERR_UNKNOWN;
        r->want = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static bool is_wanted(const char *want, const char *singular) {
    size_t n = strlen(singular);
    return !want || (strncmp(want, singular, n) == 0 && strcmp(want + n, "s") == 0);
}

static bnn_status print_json(const char *want) {
    json_t *o = json_object();
    for (bnn_kind kind = 0; kind < BNN_N_KINDS; kind++) {
        char name[32];
        snprintf(name, sizeof name, "%ss", bnn_kind_name(kind));
        if (is_wanted(want, bnn_kind_name(kind))) tool_json_set(o, name, types_of(kind));
    }
    if (is_wanted(want, "plugin")) tool_json_set(o, "plugins", plugins());
    return tool_json_answer(o);
}

static void print_lists(const char *want) {
    for (bnn_kind kind = 0; kind < BNN_N_KINDS; kind++)
        if (is_wanted(want, bnn_kind_name(kind))) print_kind(kind);
    if (is_wanted(want, "plugin") && (want || bnn_plugin_at(0))) print_plugins();
}

static int run(int argc, char **argv) {
    request r = {0};
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[layers|engines|likelihoods|priors|optimizers|plugins]",
        .doc = "Lists the types that networks and inference are made of, one line each; and the plugins that some "
               "of them come from.\v"
               "`bnn show NAME` tells all of one type.\n\nExamples:\n  bnn list\n  bnn list engines\n  bnn list engines --json"};
    tool_parse(&argp, argc, argv, &r);
    bool found = is_wanted(r.want, "plugin");
    for (bnn_kind kind = 0; kind < BNN_N_KINDS; kind++) found |= is_wanted(r.want, bnn_kind_name(kind));
    if (!found) return tool_refuse("list: '%s' is not one of layers, engines, likelihoods, priors, optimizers, plugins", r.want);
    if (r.json) return print_json(r.want) < 0 ? tool_fail() : 0;
    print_lists(r.want);
    return 0;
}

const command command_list = {.name = "list", .summary = "list layers, engines, likelihoods, priors, optimizers", .run = run};
