/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <bnn/engine.h>
#include <argp.h>
#include <stdio.h>
#include <string.h>

static void print_range(const bnn_option *o) {
    char low[BNN_NUMBER_TEXT], high[BNN_NUMBER_TEXT];
    if (o->kind == BNN_OPTION_CHOICE) {
        for (int i = 0; o->choices[i]; i++) printf("%s%s", i ? "|" : " (", o->choices[i]);
        putchar(')');
    } else if ((o->kind == BNN_OPTION_INT || o->kind == BNN_OPTION_REAL) && (o->min != 0 || o->max != 0)) {
        printf(" (%s .. %s)", bnn_number_print(o->min, low), bnn_number_print(o->max, high));
    }
}

/* Where an engine is known to fail; NULL: nothing is said of it. */
static const char *failures_of(bnn_kind kind, const bnn_type *t) { return kind == BNN_ENGINE ? ((const bnn_engine_type *)t)->fails : NULL; }

static void print_type(bnn_kind kind, const bnn_type *t) {
    printf("%s %s: %s\n", bnn_kind_name(kind), t->name, t->summary);
    const bnn_plugin *from = bnn_plugin_of(t);
    if (from) printf("  plugin: %s %s, %s\n", from->name, from->version, tool_line(from->path));
    if (t->reference) printf("  reference: %s\n", t->reference);
    if (failures_of(kind, t)) printf("  fails: %s\n", tool_line(failures_of(kind, t)));
    if (t->options) printf("  options, in this order or as key=value:\n");
    bnn_option o;
    for (int i = 0; bnn_options_at(t->options, i, &o); i++) {
        printf("    %-12s = %s", o.name, *o.preset ? o.preset : "(empty)");
        print_range(&o);
        printf("\n        %s\n", o.help);
    }
    for (int i = 0; t->checks[i]; i++) printf("%s%s\n", i ? "            " : "  examples: ", t->checks[i]);
}

/* ---- JSON ---- */

static json_t *option_object(const bnn_option *o) {
    bool ranged = (o->kind == BNN_OPTION_INT || o->kind == BNN_OPTION_REAL) && (o->min != 0 || o->max != 0);
    json_t *one = json_object(), *choices = json_array();
    tool_json_set(one, "name", tool_json_text(o->name));
    tool_json_set(one, "preset", tool_json_text(o->preset));
    tool_json_set(one, "help", tool_json_text(o->help));
    tool_json_set(one, "min", ranged ? tool_json_number(o->min) : json_null());
    tool_json_set(one, "max", ranged ? tool_json_number(o->max) : json_null());
    for (int i = 0; o->kind == BNN_OPTION_CHOICE && o->choices[i]; i++) tool_json_append(choices, tool_json_text(o->choices[i]));
    tool_json_set(one, "choices", choices);
    return one;
}

static json_t *type_object(bnn_kind kind, const bnn_type *t) {
    const bnn_plugin *from = bnn_plugin_of(t);
    json_t *o = json_object(), *options = json_array(), *examples = json_array();
    bnn_option option;
    tool_json_set(o, "kind", tool_json_text(bnn_kind_name(kind)));
    tool_json_set(o, "name", tool_json_text(t->name));
    tool_json_set(o, "summary", tool_json_text(t->summary));
    tool_json_set(o, "reference", tool_json_text(t->reference));
    tool_json_set(o, "fails", tool_json_text(failures_of(kind, t)));
    tool_json_set(o, "plugin", tool_json_text(from ? from->name : NULL));
    for (int i = 0; bnn_options_at(t->options, i, &option); i++) tool_json_append(options, option_object(&option));
    tool_json_set(o, "options", options);
    for (int i = 0; t->checks[i]; i++) tool_json_append(examples, tool_json_text(t->checks[i]));
    tool_json_set(o, "examples", examples);
    return o;
}

/* ---- the command ---- */

typedef struct {
    const char *want;
    bool json;
} request;

enum { JSON = 256 };
static const struct argp_option options[] = {{"json", JSON, NULL, 0, "print JSON: a list of the types of that name", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    request *r = state->input;
    switch (key) {
    case JSON: r->json = true; return 0;
    case ARGP_KEY_NO_ARGS: tool_misuse(state, "a NAME is needed: `bnn list` prints those there are"); return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) return ARGP_ERR_UNKNOWN;
        r->want = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int run(int argc, char **argv) {
    request r = {0};
    const struct argp argp = {.options = options,
                              .parser = parse,
                              .args_doc = "NAME",
                              .doc = "Tells all of a layer, engine, likelihood, prior or optimizer: what it is, where it comes from, its "
                                     "options with defaults and ranges.\v"
                                     "Examples:\n  bnn show concrete_dropout\n  bnn show mc_dropout"};
    tool_parse(&argp, argc, argv, &r);
    json_t *list = json_array();
    bool found = false;
    for (bnn_kind kind = 0; kind < BNN_N_KINDS; kind++)
        for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));) {
            if (strcmp(t->name, r.want) != 0) continue;
            found = true;
            if (r.json)
                tool_json_append(list, type_object(kind, t));
            else
                print_type(kind, t);
        }
    if (found && r.json) return tool_json_print(list, JSON_INDENT(2)) < 0 ? tool_fail() : 0;
    json_decref(list);
    return found ? 0
                 : tool_refuse("show: there is no layer, engine, likelihood, prior or optimizer '%s': `bnn list` prints those there are",
                               r.want);
}

const command command_show = {.name = "show", .summary = "all of one type: options, defaults, reference", .run = run};
