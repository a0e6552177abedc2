/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * json.h: JSON whose parts cannot get lost: a part that could not be made is remembered, and nothing is printed then.
 */
#ifndef BNN_TOOL_JSON_H
#define BNN_TOOL_JSON_H

#include "tool/tool.h"

#include <jansson.h>

void tool_json_set(json_t *object, const char *name, json_t *value); /* takes value, which may be NULL: one that could not be made */
void tool_json_append(json_t *list, json_t *value);                  /* likewise */
json_t *tool_json_text(const char *text);                            /* null for NULL; what is not UTF-8 is escaped (bnn_escape) */
json_t *tool_json_number(double x);                                  /* null where x is not finite */
json_t *tool_json_numbers(const double *v, int n);                   /* a list of them */

json_t *tool_json_cost(const bnn_cost *cost);
json_t *tool_json_verdicts(const bnn_remarks *verdicts); /* a list; null where nobody has judged */
json_t *tool_json_scores(const bnn_metrics *metrics);
void tool_json_comparison(json_t *object, const bnn_comparison *comparison); /* its settings, and scores and costs of each fit */
json_t *tool_json_detections(bnn_detection *const of[BNN_ROW_SCORES]);       /* a list, with the curves */
void tool_json_played(json_t *object, const bnn_played *played);             /* the agent, and the curves of its runs */
void tool_json_acquisition(json_t *object, const bnn_acquisition *a);        /* the rule, rows counted from 1, and their scores */
json_t *tool_json_calibration(const bnn_calibration *c);                     /* null: there is none */
/* Adds "calibration" and, of a conformal one, "conformal": what it does on these rows. */
bnn_status tool_calibration_set(json_t *object, const bnn_calibration *c, const bnn_prediction *p, const bnn_data *rows);
/* Adds an object "referral"; nothing, if it is not wanted. */
void tool_referral_set(json_t *object, const tool_referral *asked, const bnn_prediction *p);
/* All that `bnn info` says of a file, as an object. */
bnn_status tool_describe(const char *path, json_t **out);

/* Prints and frees an object or a list, which may be NULL, with jansson's flags. Fails where a part of it, or of any other one, could not
 * be made. */
bnn_status tool_json_print(json_t *value, size_t flags);
/* The same, as answers of commands are printed: indented, with 12 digits. */
bnn_status tool_json_answer(json_t *value);

#endif
