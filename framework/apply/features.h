/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * features.h (private): the distance of rows from training rows in what a network's last layer sees.
 */
#ifndef BNN_APPLY_FEATURES_H
#define BNN_APPLY_FEATURES_H

#include <bnn/engine.h>

/* Sets distance[n] of the rows (detect.h says what it is); seed is of draws that are made. */
bnn_status bnn_features_distance(const bnn_engine *fitted, const bnn_data *rows, const bnn_data *train, uint64_t seed, double *distance);

#endif
