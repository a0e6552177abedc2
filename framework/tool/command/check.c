/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/check/watch.h"
#include "tool/print/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON = 256, KIND, LIMIT, RULE, RULES };

typedef struct {
    tool_request of;
    bool json, rules;
} request;

static const struct argp_option options[] = {
    {"kind", KIND, "KIND", 0, "of the type: layer, engine, likelihood, prior or optimizer; needed if the name is one of several kinds", 0},
    {"limit", LIMIT, "SECONDS", 0, "that one rule may take on one check spec in one mode, of processors or of waiting (default: 20)", 0},
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
    case KIND: r->of.kind = kind_of(arg); return 0;
    case LIMIT: r->of.limit = (double)tool_number("--limit", arg, 1, 1000000); return 0;
    case RULE: r->of.rule = arg; return 0;
    case RULES: r->rules = true; return 0;
    case JSON: r->json = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) return ARGP_ERR_UNKNOWN;
        r->of.name = arg;
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
static void print_text(const tool_checked *type, bool all) {
    const bnn_verdicts *verdicts = &type->verdicts;
    bnn_kind kind = type->kind;
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

static bool is_broken(const tool_checked *type) {
    for (int i = 0; i < type->verdicts.n; i++)
        if (type->verdicts.v[i].outcome == BNN_BROKEN) return true;
    return false;
}

static json_t *type_object(const tool_checked *type) {
    json_t *o = json_object(), *list = json_array();
    add(o, "kind", bnn_kind_name(type->kind));
    add(o, "name", type->name);
    tool_json_set(o, "ok", json_boolean(!is_broken(type)));
    for (int i = 0; i < type->verdicts.n; i++) {
        const bnn_verdict *v = &type->verdicts.v[i];
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

static bnn_status print_json(const tool_findings *findings) {
    json_t *o = json_object(), *types = json_array();
    bool broken = false;
    for (int i = 0; i < findings->n; i++) {
        broken |= is_broken(&findings->type[i]);
        tool_json_append(types, type_object(&findings->type[i]));
    }
    tool_json_set(o, "ok", json_boolean(!broken));
    tool_json_set(o, "types", types);
    return tool_json_answer(o);
}

/* ---------------------------------------------------------------- check */

static int list_rules(const request *r) {
    bool any = false;
    for (int kind = 0; kind < BNN_N_KINDS; kind++)
        if ((r->of.kind < 0 || r->of.kind == kind) && bnn_check_rule((bnn_kind)kind, 0)) {
            if (r->of.kind < 0) printf("%srules of %ss:\n", any ? "\n" : "", bnn_kind_name((bnn_kind)kind));
            print_rules((bnn_kind)kind);
            any = true;
        }
    return any ? 0 : tool_refuse("check: there are no rules for %ss yet", bnn_kind_name((bnn_kind)r->of.kind));
}

/* Says what else is to be said of plugins; returns the exit status. */
static int conclude(const request *r, const tool_findings *findings) {
    const char *of = tool_is_file(r->of.name) ? r->of.name : "plugins";
    bool broken = false;
    int status = 0;
    if (*findings->clash)
        fprintf(
            stderr,
            "bnn: warning: %s: what is checked stands in its place, and other commands refuse the plugin until it has a name of its own\n",
            findings->clash);
    if (*findings->printed) fprintf(stderr, "bnn: warning: %s: printed as it was checked: \"%s\"\n", tool_line(of), findings->printed);
    for (int i = 0; i < findings->n; i++) {
        const tool_checked *type = &findings->type[i];
        broken |= is_broken(type);
        if (type->ended == 0) continue;
        status = tool_refuse("%s '%s' has ended the process that it was checked in: %d time%s", bnn_kind_name(type->kind), type->name,
                             type->ended, type->ended == 1 ? "" : "s");
    }
    if (*findings->unloaded) status = tool_refuse("%s", findings->unloaded);
    return status ? status : broken;
}

static int check(const request *r) {
    tool_findings findings;
    tool_plugins_say();
    bnn_status s = tool_watch(&r->of, &findings);
    if (s == BNN_OK && r->json) s = print_json(&findings);
    for (int i = 0; s == BNN_OK && !r->json && i < findings.n; i++) print_text(&findings.type[i], r->of.name != NULL);
    int status = s < 0 ? tool_fail() : conclude(r, &findings);
    tool_findings_free(&findings);
    return status;
}

static int run(int argc, char **argv) {
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[NAME|FILE.so]",
        .doc = "Runs the conformance rules on a type and prints a line for each rule: ok, FAIL with what was measured, or n.a. "
               "with the reason. Of a file, which is a plugin, on each of its types. Without NAME: on every type of the kinds that have "
               "rules; then only what is broken gets a line. Rules run in a process of their own: one that crashes, "
               "ends the process or does not come back is a FAIL that names the hook, and the others are still run. Exit status 0: no rule "
               "is broken, 1: a rule is broken, 2: misuse, a plugin that cannot be loaded, or a type that has ended the process.\v"
               "Examples:\n  bnn check dense\n  bnn check ./swish.so\n  bnn check concrete_dropout --rule moments\n  bnn check --rules"};
    tool_plugins plugins;
    request r = {.of = {.plugins = &plugins, .kind = -1, .limit = 20}};
    tool_parse_alone(&argp, argc, argv, &r, &plugins);
    int status = r.rules ? list_rules(&r) : check(&r);
    free(plugins.file);
    return status;
}

const command command_check = {.name = "check", .summary = "test a type against the rules of its kind", .run = run};
