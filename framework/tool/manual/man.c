/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * man.c: the page bnn(1), made from the commands' own options and texts and from the option tables of all types.
 */
#include "manual.h"

#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- roff */

/* n bytes of a line, so that roff sees no request in them. */
static void put(const char *text, size_t n) {
    if (n > 0 && (*text == '.' || *text == '\'')) fputs("\\&", stdout);
    for (size_t i = 0; i < n; i++) switch (text[i]) {
        case '\\': fputs("\\e", stdout); break;
        case '-': fputs("\\-", stdout); break;
        case '\'': fputs("\\(aq", stdout); break;
        case '`': fputs("\\(ga", stdout); break;
        case '^': fputs("\\(ha", stdout); break;
        case '~': fputs("\\(ti", stdout); break;
        case ',': fputs(i + 1 < n && text[i + 1] != ' ' ? ",\\:" : ",", stdout); break; /* a line may end there */
        default: putchar(text[i]);
        }
}

static void put_text(const char *text) { put(text, strlen(text)); }

/* Paragraphs; lines that begin with two blanks are commands, as they are. */
static void put_paragraphs(const char *text, const char *end) {
    bool as_is = false, begins = true;
    for (size_t n; text < end; text += n + (text + n < end)) {
        n = strcspn(text, "\n\v");
        bool code = n > 2 && text[0] == ' ' && text[1] == ' ';
        if (code != as_is) puts(code ? ".PP\n.nf\n.RS" : ".RE\n.fi\n.PP"), begins = true;
        as_is = code;
        if (n == 0 && !begins) puts(".PP"), begins = true;
        if (n == 0) continue;
        put(text + (code ? 2 : 0), n - (code ? 2 : 0)), putchar('\n');
        begins = false;
    }
    if (as_is) puts(".RE\n.fi");
}

/* ---------------------------------------------------------------- commands */

static const command *const *next = commands; /* the command that is asked now */

static void put_option(const struct argp_option *o) {
    fputs(".TP\n\\fB", stdout);
    if (o->key > ' ' && o->key < 127) printf("\\-%c\\fR, \\fB", o->key);
    put_text("--"), put_text(o->name);
    fputs("\\fR", stdout);
    if (o->arg) putchar('='), fputs("\\fI", stdout), put_text(o->arg), fputs("\\fR", stdout);
    putchar('\n');
    if (o->doc) put_text(o->doc);
    putchar('\n');
}

/* The lines of args_doc, each a way to call the command. */
static void put_usage(const char *name, const char *args) {
    do {
        size_t n = args ? strcspn(args, "\n") : 0;
        printf(".HP\n\\fBbnn ");
        put_text(name);
        fputs("\\fR [\\fIOPTION\\fR...]", stdout);
        if (n > 0) putchar(' '), put(args, n);
        putchar('\n');
        args = args && args[n] ? args + n + 1 : NULL;
    } while (args);
}

static void put_types(void);

/* Writes one command, asks the next, and ends the page behind the last. */
static void put_command(const struct argp *argp) {
    const command *c = *next++;
    const char *doc = argp->doc ? argp->doc : "", *more = strchr(doc, '\v');
    printf(".SS bnn ");
    put_text(c->name), putchar('\n');
    put_usage(c->name, argp->args_doc);
    puts(".PP");
    put_paragraphs(doc, more ? more : doc + strlen(doc));
    const struct argp_option *o;
    for (int i = 0; (o = manual_option(argp, i)); i++) put_option(o);
    if (more) puts(".PP"), put_paragraphs(more + 1, more + strlen(more));
    if (*next) manual_ask(*next, put_command);
    put_types();
    tool_leave(0);
}

/* ---------------------------------------------------------------- types */

static void put_range(const bnn_option *o) {
    char low[BNN_NUMBER_TEXT], high[BNN_NUMBER_TEXT];
    for (int i = 0; o->kind == BNN_OPTION_CHOICE && o->choices[i]; i++) fputs(i ? "|" : " (", stdout), put_text(o->choices[i]);
    if (o->kind == BNN_OPTION_CHOICE) putchar(')');
    bool number = o->kind == BNN_OPTION_INT || o->kind == BNN_OPTION_REAL;
    if (!number || (o->min == 0 && o->max == 0)) return;
    fputs(" (", stdout), put_text(bnn_number_print(o->min, low)), fputs(" to ", stdout), put_text(bnn_number_print(o->max, high));
    putchar(')');
}

static void put_type(const bnn_type *t) {
    bnn_option o;
    printf(".SS ");
    put_text(t->name), putchar('\n');
    put_text(t->summary);
    if (t->reference) fputs(" (", stdout), put_text(t->reference), putchar(')');
    puts(".");
    for (int i = 0; bnn_options_at(t->options, i, &o); i++) {
        fputs(".TP\n\\fB", stdout), put_text(o.name), fputs("\\fR=\\fI", stdout);
        put_text(*o.preset ? o.preset : "\"\""), fputs("\\fR", stdout);
        put_range(&o), putchar('\n');
        put_text(o.help), putchar('\n');
    }
}

static void put_types(void) {
    static const char *const titles[BNN_N_KINDS] = {"LAYERS", "ENGINES", "LIKELIHOODS", "PRIORS", "OPTIMIZERS"};
    puts(".SH TYPES\nTexts name a type and its options, in the order below or as key=value:\n\\fBname:value,key=value\\fR, and inside of "
         "another text "
         "\\fBname{key=value}\\fR.\nBehind each option stand its preset and what it may be.");
    for (bnn_kind kind = 0; kind < BNN_N_KINDS; kind++) {
        printf(".SH %s\n", titles[kind]);
        for (const bnn_type *t = NULL; (t = bnn_type_next(kind, t));) put_type(t);
    }
    puts(".SH ENVIRONMENT\n.TP\n.B BNN_PLUGIN_PATH\nfiles and folders of plugins, separated by colons, that every command loads\n"
         ".TP\n.B BNN_SIMD\nthe most of the instruction set that is used: baseline, avx2 or avx512\n"
         ".SH EXIT STATUS\n0: all is well; 1: a difference or a breach of rules was found; 2: a failure, with one sentence on stderr.");
}

static const struct argp man_argp = {
    .doc = "Writes the page bnn(1) of the manual to standard output, as roff.\v"
           "It is made of what `bnn COMMAND --help` and `bnn show NAME` say; `meson install` puts it where man finds it.\n\n"
           "Examples:\n  bnn man >bnn.1\n  man -l bnn.1"};

static int run(int argc, char **argv) {
    tool_parse(&man_argp, argc, argv, NULL);
    printf(".TH BNN 1 \"\" \"bnn %s\" \"User Commands\"\n.ad l\n", bnn_version());
    puts(".SH NAME\nbnn \\- Bayesian neural networks: fit, predict, compare\n.SH SYNOPSIS\n.B bnn\n.I COMMAND\n[\\fIOPTION\\fR...]\n.SH "
         "COMMANDS\n"
         "Every command takes \\fB\\-\\-help\\fR and \\fB\\-\\-plugin\\fR=\\fIFILE\\fR, the types of which it loads behind those of "
         "BNN_PLUGIN_PATH;\nas often as needed.");
    manual_ask(*next, put_command);
}

const command command_man = {.name = "man", .summary = "the page of the manual, made from the options of commands and types", .run = run};
