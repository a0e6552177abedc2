/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tool/print/json.h"
#include "tool/tool.h"

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

json_t *tool_json_numbers(const double *v, int n) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++) tool_json_append(list, tool_json_number(v[i]));
    return list;
}

json_t *tool_json_cost(const bnn_cost *c) {
    json_t *o = json_object();
    tool_json_set(o, "gradients", json_integer((json_int_t)c->gradients));
    tool_json_set(o, "forwards", json_integer((json_int_t)c->forwards));
    tool_json_set(o, "flops", tool_json_number(c->flops));
    tool_json_set(o, "seconds_wall", tool_json_number(c->seconds_wall));
    tool_json_set(o, "seconds_cpu", tool_json_number(c->seconds_cpu));
    tool_json_set(o, "peak_bytes", json_integer((json_int_t)c->peak_bytes));
    return o;
}

json_t *tool_json_scores(const bnn_metrics *m) {
    json_t *o = json_object();
    tool_json_set(o, "rows", json_integer(m->n));
    tool_json_set(o, "ll", tool_json_number(m->ll));
    if (m->of & BNN_SCORE_MAPS) tool_json_set(o, "iou", tool_json_number(m->iou)), tool_json_set(o, "pavpu", tool_json_number(m->pavpu));
    if (m->is_class) {
        tool_json_set(o, "accuracy", tool_json_number(m->accuracy));
        tool_json_set(o, "brier", tool_json_number(m->brier));
        tool_json_set(o, "ece", tool_json_number(m->ece));
    } else {
        tool_json_set(o, "rmse", tool_json_number(m->rmse));
        tool_json_set(o, "crps", tool_json_number(m->crps));
        tool_json_set(o, "coverage_90", tool_json_number(m->coverage[17]));
        tool_json_set(o, "calibration_error", tool_json_number(m->calibration_error));
    }
    return o;
}

json_t *tool_json_verdicts(const bnn_remarks *verdicts) {
    json_t *list = verdicts ? json_array() : json_null();
    for (int i = 0; i < bnn_remarks_count(verdicts); i++) {
        json_t *one = json_object();
        tool_json_set(one, "code", tool_json_text(bnn_remark_code(verdicts, i)));
        tool_json_set(one, "sentence", tool_json_text(bnn_remark_sentence(verdicts, i)));
        tool_json_set(one, "severity", json_string(bnn_severity_name(bnn_remark_severity(verdicts, i))));
        tool_json_append(list, one);
    }
    return list;
}

bnn_status tool_json_print(json_t *value, size_t flags) {
    char *text = lost ? NULL : bnn_json_text(value, flags);
    if (text) puts(text);
    json_decref(value);
    free(text);
    return text ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "the JSON could not be made: out of memory, or a text is not UTF-8");
}

bnn_status tool_json_answer(json_t *value) { return tool_json_print(value, JSON_INDENT(2) | JSON_REAL_PRECISION(12)); }
