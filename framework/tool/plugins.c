/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plugins.c: the option --plugin and the variable BNN_PLUGIN_PATH of every subcommand.
 */
#include "tool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLUGIN = 256, MOST_SECONDS = 30 };

static const struct argp_option options[] = {
    {"plugin", PLUGIN, "FILE", 0, "load the types of a plugin, after those that BNN_PLUGIN_PATH lists; as often as needed", -1}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    tool_plugins *p = state->input;
    if (key != PLUGIN) return ARGP_ERR_UNKNOWN;
    p->file[p->n++] = arg;
    return 0;
}

const struct argp tool_plugins_argp = {.options = options, .parser = parse};

/* ---------------------------------------------------------------- loading */

static bnn_status load(void *context, const char *path) {
    void (*const *loads)(const char *path) = context;
    (*loads)(path);
    bnn_status s = bnn_plugin_load(path, NULL);
    (*loads)(NULL);
    return s;
}

static const char variable[] = "BNN_PLUGIN_PATH";

bnn_status tool_plugins_load(const tool_plugins *plugins, void (*loads)(const char *path)) {
    const char *paths = getenv(variable);
    bnn_status s = paths ? bnn_plugin_files(paths, load, &loads, NULL) : BNN_OK;
    if (s < 0) return bnn_note(s, "%s", variable);
    for (int i = 0; s == BNN_OK && i < plugins->n; i++) s = load(&loads, plugins->file[i]);
    return s;
}

static bnn_status pass(void *context, const char *path) {
    (void)context, (void)path;
    return BNN_OK;
}

void tool_plugins_say(void) {
    const char *paths = getenv(variable);
    bnn_remarks *remarks = NULL;
    if (!paths || bnn_remarks_new(&remarks) < 0) return;
    (void)bnn_plugin_files(paths, pass, NULL, remarks); /* loading says what fails */
    tool_print_remarks(remarks, stderr);
    bnn_remarks_free(remarks);
}

static void compare(const char *path, const bnn_plugin_record *record) {
    const bnn_plugin *now;
    for (int i = 0; (now = bnn_plugin_at(i)); i++)
        if (strcmp(now->name, record->name) == 0 && strcmp(now->version, record->version) == 0 && strcmp(now->sha256, record->sha256) != 0)
            fprintf(stderr,
                    "bnn: warning: %s: was made with plugin %s %s of SHA-256 %s, %s has the same version and other bytes (%s): their "
                    "author says that both compute the same\n",
                    tool_line(path), record->name, record->version, record->sha256, tool_line(now->path), now->sha256);
}

void tool_plugins_compare(const char *path) {
    bnn_outline outline;
    if (!bnn_plugin_at(0) || bnn_outline_load(path, &outline) < 0) return;
    for (int i = 0; i < outline.n_plugins; i++) compare(path, &outline.plugin[i]);
    bnn_outline_free(&outline);
}

/* ---------------------------------------------------------------- what a plugin may do as it is loaded */

static const char *loading; /* NULL: nothing */

static void put(const char *text) { (void)!write(STDERR_FILENO, text, strlen(text)); }

/* Says what becomes of the program, by calls alone that a signal allows. */
_Noreturn static void die(const char *how) {
    put("bnn: "), put(loading), put(": as it is loaded it "), put(how), put("\n");
    _exit(2);
}

static void on_signal(int signal) { die(signal == SIGALRM ? "does not come back" : "crashes"); }

static void on_end(void) {
    if (loading) die("ends the program");
}

static const int ends[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};

void tool_plugins_guard(const char *path) {
    static bool listening;
    if (!path && !loading) return;
    if (!listening && atexit(on_end) == 0) listening = true;
    loading = path ? tool_line(path) : NULL;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) signal(ends[i], path ? on_signal : SIG_DFL);
    alarm(path ? MOST_SECONDS : 0);
}
