/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * map_scores.h (private): scores of maps of classes (metrics.h), from what predictions keep of each image.
 */
#ifndef BNN_MAP_SCORES_H
#define BNN_MAP_SCORES_H

#include <bnn/metrics.h>

/* Score all classes together, and each. */
bnn_status bnn_map_scores(const bnn_prediction *p, const bnn_data *data, bnn_metrics *out);
bnn_status bnn_map_scores_each(const bnn_prediction *p, const bnn_data *data, bnn_metrics *each);

#endif
