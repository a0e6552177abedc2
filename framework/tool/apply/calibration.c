/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * calibration.c: how a run is calibrated and what that does, as text and as JSON.
 */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <stdio.h>

static bool is_conformal(const bnn_calibration *c) { return c && bnn_calibration_is_conformal(c->method); }

json_t *tool_json_calibration(const bnn_calibration *c) {
    if (!c) return json_null();
    json_t *o = json_object();
    tool_json_set(o, "method", json_string(bnn_calibration_name(c->method)));
    tool_json_set(o, "rows", json_integer(c->rows));
    tool_json_set(o, "level", is_conformal(c) ? json_real(c->level) : json_null());
    if (c->method == BNN_CALIBRATE_RAPS)
        tool_json_set(o, "penalty", json_real(c->penalty)), tool_json_set(o, "rank", json_integer(c->rank));
    tool_json_set(o, "values", tool_json_numbers(c->value, c->n));
    return o;
}

bnn_status tool_calibration_set(json_t *o, const bnn_calibration *c, const bnn_prediction *p, const bnn_data *rows) {
    bnn_conformity does;
    tool_json_set(o, "calibration", tool_json_calibration(c));
    if (!is_conformal(c)) return BNN_OK;
    BNN_TRY(bnn_calibration_measure(c, p, rows, &does));
    json_t *one = json_object();
    tool_json_set(one, "level", json_real(c->level));
    tool_json_set(one, "coverage", tool_json_number(does.coverage));
    tool_json_set(one, "coverage_se", tool_json_number(does.se));
    tool_json_set(one, p->is_class ? "size" : "width", tool_json_number(does.width));
    if (p->is_class) tool_json_set(one, "empty", tool_json_number(does.empty));
    tool_json_set(o, "conformal", one);
    return BNN_OK;
}

bnn_status tool_calibration_print(const bnn_calibration *c, const bnn_prediction *p, const bnn_data *rows) {
    bnn_conformity does;
    char text[160];
    if (!c) return BNN_OK;
    printf("  calibrated by %s\n", bnn_calibration_print(c, text));
    if (!is_conformal(c)) return BNN_OK;
    BNN_TRY(bnn_calibration_measure(c, p, rows, &does));
    printf("    conformal %-10s hold %.3f (se %.3f) of the targets, mean ", p->is_class ? "sets" : "intervals", does.coverage, does.se);
    if (p->is_class)
        printf("size %.3f, empty %.3f\n", does.width, does.empty);
    else
        printf("width %.5g%s\n", does.width, p->mean_dim > 1 ? " sd" : "");
    return BNN_OK;
}
