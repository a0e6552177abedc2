/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "json.h"
#include "tool.h"

#include "run/json.h"

#include <bnn/escape.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool lost; /* a part of some value; only the main thread makes values that are printed */

void tool_json_set(json_t *object, const char *name, json_t *value) { lost |= json_object_set_new(object, name, value) < 0; }

void tool_json_append(json_t *list, json_t *value) { lost |= json_array_append_new(list, value) < 0; }

json_t *tool_json_text(const char *text) { return text ? json_string(bnn_is_utf8(text) ? text : tool_line(text)) : json_null(); }

json_t *tool_json_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

bnn_status tool_json_print(json_t *value, size_t flags) {
    char *text = lost ? NULL : bnn_json_text(value, flags);
    if (text) puts(text);
    json_decref(value);
    free(text);
    return text ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "the JSON could not be made: out of memory, or a text is not UTF-8");
}
