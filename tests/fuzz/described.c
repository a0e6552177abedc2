/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * described.c: a plugin that describes itself as the target plugin.c says.
 */
#include <bnn/plugin.h>

__attribute__((visibility("default"))) const bnn_plugin_descriptor *described;

__attribute__((visibility("default"))) const bnn_plugin_descriptor *bnn_plugin_describe(void);
const bnn_plugin_descriptor *bnn_plugin_describe(void) { return described; }
