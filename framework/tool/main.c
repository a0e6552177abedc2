/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool.h"

#include <bnn/escape.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Says whether bnn_escape would leave the text as it is. */
static bool is_line(const char *text) {
    char piece[256];
    for (size_t n; *text; text += n) {
        n = strlen(bnn_escape(text, piece, sizeof piece));
        if (strncmp(piece, text, n) != 0) return false;
    }
    return true;
}

const char *tool_line(const char *text) {
    static struct copy {
        struct copy *before;
        char text[];
    } * last; /* whoever prints need not free */
    if (!text || is_line(text)) return text ? text : "";
    size_t room = 4 * strlen(text) + 1;
    struct copy *made = malloc(sizeof *made + room);
    if (!made) exit(tool_refuse("out of memory for a line"));
    bnn_escape(text, made->text, room);
    made->before = last;
    last = made;
    return made->text;
}

int tool_fail(void) {
    fprintf(stderr, "bnn: %s\n", bnn_error());
    return 2;
}

int tool_refuse(const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bnn_fail(BNN_ERR_OPTION, "%s", text);
    return tool_fail();
}

void tool_misuse(const struct argp_state *state, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "%s: %s\n", state->name, tool_line(text));
    exit(2);
}

/* Inputs of the parsers of a command's options: its own, and that of --plugin. */
typedef struct {
    void *command;
    tool_plugins plugins;
} inputs;

/* argp's second line, "Try ...", has nowhere to go: a mistake is one sentence. What getopt says of an unknown option goes to stderr by
 * itself. */
static error_t parse_quietly(int key, char *arg, struct argp_state *state) {
    inputs *in = state->input;
    (void)arg;
    if (key != ARGP_KEY_INIT) return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = in->command;
    state->child_inputs[1] = &in->plugins;
    state->err_stream = NULL;
    return 0;
}

static void (*listening)(const struct argp *argp);

void tool_listen(void (*listener)(const struct argp *argp)) { listening = listener; }

void tool_parse_alone(const struct argp *argp, int argc, char **argv, void *input, tool_plugins *plugins) {
    if (listening) listening(argp);
    const struct argp_child children[] = {{argp, 0, NULL, 0}, {&tool_plugins_argp, 0, NULL, 0}, {0}};
    const struct argp quiet = {.parser = parse_quietly, .children = children};
    inputs in = {.command = input, .plugins.file = calloc((size_t)argc, sizeof(char *))}; /* more than there can be */
    int end = argc;
    error_t failure = in.plugins.file ? argp_parse(&quiet, argc, argv, 0, &end, &in) : ENOMEM;
    if (failure == ENOMEM) exit(tool_refuse("out of memory"));
    if (failure) exit(2);
    if (end < argc) exit(tool_refuse("'%s' is one argument too many: see `%s --help`", argv[end], argv[0]));
    *plugins = in.plugins;
}

void tool_parse(const struct argp *argp, int argc, char **argv, void *input) {
    tool_plugins plugins;
    tool_parse_alone(argp, argc, argv, input, &plugins);
    tool_plugins_say();
    if (tool_plugins_load(&plugins, tool_plugins_guard) < 0) exit(tool_fail());
    free(plugins.file);
}

long long tool_number(const char *option, const char *text, long long min, long long max) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        exit(tool_refuse("%s: '%s' is not a whole number from %lld to %lld", option, text, min, max));
    return value;
}

static void print_help(void) {
    printf("Usage: bnn COMMAND [OPTION...]\nBayesian neural networks: fit, predict, compare.\n\n");
    for (const command *const *c = commands; *c; c++) printf("  %-14s %s\n", (*c)->name, (*c)->summary);
    printf("\n`bnn COMMAND --help` tells all of one command. --version prints the version and the commit.\n\n"
           "Types that are not in the library come from plugins, shared libraries: every command loads those that BNN_PLUGIN_PATH lists\n"
           "(files and folders, separated by colons), then those of its options --plugin FILE. `bnn list plugins` prints them.\n"
           "`bnn new-layer NAME` begins one of your own, and so do new-engine, new-likelihood, new-prior and new-optimizer.\n\n"
           "Exit status: 0 all is well, 1 a difference or a breach of rules was found, 2 a failure, with one sentence on stderr.\n");
}

static int unknown(const char *name) {
    char known[512] = "";
    for (const command *const *c = commands; *c; c++) bnn_list_add(known, sizeof known, (*c)->name);
    return tool_refuse("unknown command '%s': there are %s", name, known);
}

/* Runs a command under the name "bnn NAME", so that its usage and messages say so. */
static int run(const command *c, int argc, char **argv) {
    char name[64];
    snprintf(name, sizeof name, "bnn %s", c->name);
    argv[0] = name;
    if (c->over_ranks) tool_ranks_open();
    return c->run(argc, argv);
}

/* Fails where the printed text has not arrived. */
static int flushed(int status) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    return tool_refuse("standard output cannot be written: %s", strerror(errno));
}

void tool_leave(int status) { exit(flushed(status)); }

int main(int argc, char **argv) {
    argp_err_exit_status = 2;
    signal(SIGXFSZ, SIG_IGN); /* a file size limit becomes a failed write with its sentence */
    if (argc < 2) {
        print_help();
        return 2;
    }
    const char *name = argv[1], *set = getenv("BNN_SIMD");
    if (set) bnn_kernels_limit(set);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) return print_help(), flushed(0);
    if (strcmp(name, "--version") == 0) return printf("bnn %s (%s)\n", bnn_version(), bnn_commit()), flushed(0);
    for (const command *const *c = commands; *c; c++)
        if (strcmp(name, (*c)->name) == 0) return flushed(run(*c, argc - 1, argv + 1));
    return unknown(name);
}
