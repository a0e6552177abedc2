/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * maps.h (private): what scores of maps of classes are made of: sums over the pixels of each image that are not void. Scores of several
 * images come from their sums, so that no map has to be kept; and the standard error of a score from leaving one image out at a time, since
 * pixels of an image depend on each other.
 */
#ifndef BNN_PREDICT_MAPS_H
#define BNN_PREDICT_MAPS_H

#include <bnn/metrics.h>

enum { BNN_MAP_LEVELS = 256 /* of the entropy of a pixel, from 0 to the log of the number of classes */ };

/* Pixels, as one class sees them. */
typedef struct {
    double is, called, both; /* of the class, called so, both */
    double confidence;       /* sum of its probability where it is called */
} bnn_map_class;

/* All members are doubles: sums are added number by number. */
typedef struct {
    double pixels, ll, right, brier, entropy, information;
    double bin[BNN_ECE_BINS][3];     /* by the largest probability: pixels, its sum, right ones */
    double level[BNN_MAP_LEVELS][2]; /* by the entropy: wrong pixels, right ones */
    bnn_map_class of[];              /* [classes] */
} bnn_map_sums;

/* Doubles of one image. */
static inline size_t bnn_map_sums_length(int classes) {
    return (sizeof(bnn_map_sums) + (size_t)classes * sizeof(bnn_map_class)) / sizeof(double);
}
/* Fills those of the rows of one, which are the rows from `from` on of data and of p. */
bnn_status bnn_map_sums_add(const bnn_prediction *one, const bnn_data *data, int from, bnn_prediction *p);
/* The class of a pixel: that of the largest of so many probabilities, `step` apart; the first of equal ones. */
int bnn_map_class_of(const double *p, int classes, int step);
int bnn_map_level(double entropy, int classes); /* that an entropy in nats falls into */

#endif
