/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * plugins.c: the option --plugin and the variable BNN_PLUGIN_PATH of every subcommand.
 */
#include "tool.h"

#include <stdlib.h>

enum { PLUGIN = 256 };

static const struct argp_option options[] = {
    {"plugin", PLUGIN, "FILE", 0, "load the types of a plugin, after those that BNN_PLUGIN_PATH lists; as often as needed", -1}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    tool_plugins *p = state->input;
    if (key != PLUGIN) return ARGP_ERR_UNKNOWN;
    p->file[p->n++] = arg;
    return 0;
}

const struct argp tool_plugins_argp = {.options = options, .parser = parse};

bnn_status tool_plugins_load(const tool_plugins *plugins) {
    const char *variable = "BNN_PLUGIN_PATH", *paths = getenv(variable);
    bnn_status s = paths ? bnn_plugin_load_path(paths) : BNN_OK;
    if (s < 0) return bnn_note(s, "%s", variable);
    for (int i = 0; s == BNN_OK && i < plugins->n; i++) s = bnn_plugin_load(plugins->file[i], NULL);
    return s;
}
