/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * scores.h: how scores are told, as text and as JSON.
 */
#ifndef BNN_TOOL_SCORES_H
#define BNN_TOOL_SCORES_H

#include <bnn/metrics.h>
#include <jansson.h>

/* Scores of each class are told as text where there are no more classes. */
enum { TOOL_MOST_CLASSES = 20 };

/* Whose rows the scores are of: "training", "test" or "new" (neither of the fit). A score of rows that were fitted says nothing of others.
 */
bnn_status tool_scores_print(const char *rows, const bnn_prediction *p, const bnn_data *data, const bnn_metrics *m);
/* Puts all of them into an object: those of one target or one class into lists of objects, targets and classes. */
bnn_status tool_scores_set(json_t *object, const char *rows, const bnn_prediction *p, const bnn_data *data, const bnn_metrics *m);

/* Those of one target or one class, its name among them. */
json_t *tool_scores_of_one(const char *name, const bnn_metrics *m);

/* The score that engines are compared by first, by name: of classes accuracy, of one target rmse, of several, whose units differ, the
 * calibration error. */
const bnn_score *tool_scores_first(const bnn_metrics *m);

#endif
