/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/allocations.h"
#include "tool/print/json.h"
#include "tool/tool.h"

#include <bnn/check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON = 256, KIND, RULE, RULES };

typedef struct {
    const char *name, *rule;
    const bnn_plugin *plugin; /* whose types are meant; NULL: no plugin */
    int kind;                 /* -1: any */
    bool json, rules;
} request;

static const struct argp_option options[] = {
    {"kind", KIND, "KIND", 0, "of the type: layer, engine, likelihood, prior or optimizer; needed if the name is one of several kinds", 0},
    {"rule", RULE, "RULE", 0, "only this rule", 0},
    {"rules", RULES, NULL, 0, "print the rules and what they demand", 0},
    {"json", JSON, NULL, 0, "print one JSON object with every verdict", 0},
    {0}};

static int kind_of(const char *name) {
    for (int kind = 0; kind < BNN_N_KINDS; kind++)
        if (strcmp(bnn_kind_name((bnn_kind)kind), name) == 0) return kind;
    exit(tool_refuse("--kind: '%s' is not one of layer, engine, likelihood, prior, optimizer", name));
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case KIND: r->kind = kind_of(arg); return 0;
    case RULE: r->rule = arg; return 0;
    case RULES: r->rules = true; return 0;
    case JSON: r->json = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) return ARGP_ERR_UNKNOWN;
        r->name = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---------------------------------------------------------------- print */

static const char *outcome_name(bnn_outcome o) { return o == BNN_HOLDS ? "ok" : o == BNN_BROKEN ? "FAIL" : "n.a."; }

static void print_rules(bnn_kind kind) {
    for (int i = 0; bnn_check_rule(kind, i); i++) printf("%-18s %s\n", bnn_check_rule(kind, i)->name, bnn_check_rule(kind, i)->demand);
}

static void print_verdict(const bnn_verdict *v) {
    printf("  %-18s %s", v->rule->name, outcome_name(v->outcome));
    if (*v->sentence) putchar(' ');
    if (v->outcome == BNN_BROKEN && *v->spec) printf(" '%s'%s%s:", v->spec, *v->mode ? " in " : "", v->mode);
    printf("%s%s\n", *v->sentence ? " " : "", v->sentence);
}

/* All rules, or those that are broken and a count of the others. */
static void print_text(bnn_kind kind, const bnn_type *type, const bnn_verdicts *verdicts, bool all) {
    int counts[3] = {0};
    for (int i = 0; bnn_check_rule(kind, i); i++) {
        const bnn_verdict *v = bnn_verdicts_of(verdicts, bnn_check_rule(kind, i));
        if (v) counts[v->outcome]++;
    }
    printf("%s %s: %d ok, %d n.a., %d FAIL\n", bnn_kind_name(kind), type->name, counts[BNN_HOLDS], counts[BNN_NOT_APPLICABLE],
           counts[BNN_BROKEN]);
    for (int i = 0; bnn_check_rule(kind, i); i++) {
        const bnn_verdict *v = bnn_verdicts_of(verdicts, bnn_check_rule(kind, i));
        if (v && (all || v->outcome == BNN_BROKEN)) print_verdict(v);
    }
}

static void add(json_t *object, const char *name, const char *text) { tool_json_set(object, name, json_string(text)); }

static json_t *type_object(bnn_kind kind, const bnn_type *type, const bnn_verdicts *verdicts, bool broken) {
    json_t *o = json_object(), *list = json_array();
    add(o, "kind", bnn_kind_name(kind));
    add(o, "name", type->name);
    tool_json_set(o, "ok", json_boolean(!broken));
    for (int i = 0; i < verdicts->n; i++) {
        const bnn_verdict *v = &verdicts->v[i];
        json_t *one = json_object();
        add(one, "rule", v->rule->name);
        add(one, "spec", v->spec);
        add(one, "mode", v->mode);
        add(one, "outcome", v->outcome == BNN_HOLDS ? "ok" : v->outcome == BNN_BROKEN ? "fail" : "not applicable");
        add(one, "sentence", v->sentence);
        tool_json_append(list, one);
    }
    tool_json_set(o, "verdicts", list);
    return o;
}

static bnn_status print_json(json_t *types, bool broken) {
    json_t *o = json_object();
    tool_json_set(o, "ok", json_boolean(!broken));
    tool_json_set(o, "types", types);
    return tool_json_print(o, JSON_INDENT(2));
}

/* ---------------------------------------------------------------- check */

/* Checks and prints one type; *broken becomes true if a rule is. */
static bnn_status check_type(const request *r, bnn_kind kind, const bnn_type *type, json_t *list, bool *broken) {
    bnn_verdicts verdicts;
    bool here = false;
    BNN_TRY(bnn_check(kind, type, &(bnn_check_options){.rule = r->rule, .allocations = tool_allocations}, &verdicts));
    for (int i = 0; i < verdicts.n; i++) here |= verdicts.v[i].outcome == BNN_BROKEN;
    if (r->json)
        tool_json_append(list, type_object(kind, type, &verdicts, here));
    else
        print_text(kind, type, &verdicts, r->name != NULL);
    *broken |= here;
    bnn_verdicts_free(&verdicts);
    return BNN_OK;
}

static bool is_asked_for(const request *r, int kind, const bnn_type *t) {
    bool named = r->plugin ? bnn_plugin_of(t) == r->plugin : !r->name || strcmp(r->name, t->name) == 0;
    return named && (r->kind < 0 || r->kind == kind);
}

static bool has_rule(bnn_kind kind, const char *name) {
    for (int i = 0; bnn_check_rule(kind, i); i++)
        if (!name || strcmp(bnn_check_rule(kind, i)->name, name) == 0) return true;
    return false;
}

/* Every type that was asked for, of the kinds that have the rules; *checked counts them. */
static bnn_status check_all(const request *r, json_t *list, bool *broken, int *checked) {
    for (int kind = 0; kind < BNN_N_KINDS; kind++)
        for (const bnn_type *t = NULL; has_rule((bnn_kind)kind, r->rule) && (t = bnn_type_next((bnn_kind)kind, t));) {
            if (!is_asked_for(r, kind, t)) continue;
            ++*checked;
            BNN_TRY(check_type(r, (bnn_kind)kind, t, list, broken));
        }
    return BNN_OK;
}

/* Nothing was checked: the library says why the first type that was asked for cannot be, or there is none. */
static int refuse(const request *r) {
    bnn_verdicts unused;
    for (int kind = 0; kind < BNN_N_KINDS; kind++)
        for (const bnn_type *t = NULL; (t = bnn_type_next((bnn_kind)kind, t));)
            if (is_asked_for(r, kind, t) && bnn_check((bnn_kind)kind, t, &(bnn_check_options){.rule = r->rule}, &unused) < 0)
                return tool_fail();
    const char *what = r->kind < 0 ? "type" : bnn_kind_name((bnn_kind)r->kind);
    if (r->plugin) return tool_refuse("%s: has no %s", r->name, what);
    return tool_refuse("check: there is no %s '%s': `bnn list` prints those there are", what, r->name);
}

static int list_rules(const request *r) {
    bool any = false;
    for (int kind = 0; kind < BNN_N_KINDS; kind++)
        if ((r->kind < 0 || r->kind == kind) && bnn_check_rule((bnn_kind)kind, 0)) {
            if (r->kind < 0) printf("%srules of %ss:\n", any ? "\n" : "", bnn_kind_name((bnn_kind)kind));
            print_rules((bnn_kind)kind);
            any = true;
        }
    return any ? 0 : tool_refuse("check: there are no rules for %ss yet", bnn_kind_name((bnn_kind)r->kind));
}

/* No name of a type has a dot or a slash. */
static bool is_file(const char *name) { return name && strpbrk(name, "./"); }

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[NAME|FILE.so]",
        .doc = "Runs the conformance rules on a type and prints a line for each rule: ok, FAIL with what was measured, or n.a. "
               "with the reason. Of a file, which is a plugin, on each of its types. Without NAME: on every type of the kinds that have "
               "rules; then only what is broken gets a line. Exit status 0: no rule is broken, 1: a rule is broken, 2: misuse, or a plugin "
               "that cannot be loaded.\v"
               "Examples:\n  bnn check dense\n  bnn check ./swish.so\n  bnn check concrete_dropout --rule moments\n  bnn check --rules"};
    request r = {.kind = -1};
    bool broken = false;
    int checked = 0;
    tool_parse(&argp, argc, argv, &r);
    if (r.rules) return list_rules(&r);
    if (is_file(r.name) && bnn_plugin_load(r.name, &r.plugin) < 0) return tool_fail();
    json_t *list = json_array();
    bnn_status s = check_all(&r, list, &broken, &checked);
    if (s == BNN_OK && checked > 0 && r.json)
        s = print_json(list, broken);
    else
        json_decref(list);
    return s < 0 ? tool_fail() : checked == 0 ? refuse(&r) : broken;
}

const command command_check = {.name = "check", .summary = "test a type against the rules of its kind", .run = run};
