/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * detection.c: how well scores tell two kinds of rows apart, as text and as JSON.
 */
#include "tool/print/json.h"
#include "tool/tool.h"

#include <stdio.h>

void tool_print_detections(bnn_detection *const of[BNN_ROW_SCORES]) {
    printf("  %-20s %8s %8s %18s %14s\n", "score", "auroc", "se", "average precision", "fpr at 95 %");
    for (int k = 0; k < BNN_ROW_SCORES; k++)
        if (of[k])
            printf("  %-20s %8.4f %8.4f %18.4f %14.4f\n", bnn_row_score_name((bnn_row_score)k), of[k]->auroc, of[k]->auroc_se,
                   of[k]->average_precision, of[k]->fpr_95);
}

static json_t *object_of(const bnn_detection *d, const char *name) {
    json_t *o = json_object(), *curve = json_object();
    tool_json_set(o, "score", json_string(name));
    tool_json_set(o, "auroc", tool_json_number(d->auroc));
    tool_json_set(o, "auroc_se", tool_json_number(d->auroc_se));
    tool_json_set(o, "average_precision", tool_json_number(d->average_precision));
    tool_json_set(o, "fpr_95", tool_json_number(d->fpr_95));
    tool_json_set(curve, "threshold", tool_json_numbers(d->threshold, d->n_points));
    tool_json_set(curve, "fpr", tool_json_numbers(d->fpr, d->n_points));
    tool_json_set(curve, "tpr", tool_json_numbers(d->tpr, d->n_points));
    tool_json_set(curve, "precision", tool_json_numbers(d->precision, d->n_points));
    tool_json_set(o, "curve", curve);
    return o;
}

json_t *tool_json_detections(bnn_detection *const of[BNN_ROW_SCORES]) {
    json_t *list = json_array();
    for (int k = 0; k < BNN_ROW_SCORES; k++)
        if (of[k]) tool_json_append(list, object_of(of[k], bnn_row_score_name((bnn_row_score)k)));
    return list;
}
