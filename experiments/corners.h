/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * corners.h: images for the smoke runs of experiments on images, and how a table of images is split.
 */
#ifndef CORNERS_H
#define CORNERS_H

#include <bnn/bnn.h>
#include <bnn/data.h>

#include <stdlib.h>

enum { CORNERS_SIDE = 12 };

/* Noise and, in one of `classes` (2..4) corners, a light square: which corner it is is the class. A third are test rows. */
static inline bnn_status corners_new(int rows, int classes, uint64_t seed, bnn_table **out) {
    int pixels = CORNERS_SIDE * CORNERS_SIDE, *order = malloc((size_t)rows * sizeof *order);
    int8_t *role = malloc((size_t)rows * sizeof *role);
    if (!order || !role) return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    BNN_TRY(bnn_table_new(rows, bnn_shape_image(1, CORNERS_SIDE, CORNERS_SIDE), 1, classes, out));
    BNN_TRY(bnn_stream_uniform(bnn_stream_seed(seed), rows, pixels, (*out)->x));
    (*out)->scale = BNN_SCALE_RANGE, (*out)->range = 255;
    for (int r = 0; r < rows; r++) {
        double *x = (*out)->x + (size_t)r * (size_t)pixels;
        int corner = r % classes;
        for (int i = 0; i < pixels; i++) x[i] *= 160;
        for (int i = 0; i < 9; i++) x[(2 + i / 3 + corner / 2 * 5) * CORNERS_SIDE + 2 + i % 3 + corner % 2 * 5] += 90;
        (*out)->y[r] = corner, order[r] = r, role[r] = r < rows * 2 / 3 ? BNN_TRAIN : BNN_TEST;
    }
    return bnn_table_set_splits(*out, 1, order, role, "the last third");
}

/* Training and test rows of the first split of a table. */
static inline bnn_status corners_parts(const bnn_table *table, bnn_data **train, bnn_data **test) {
    if (bnn_table_splits(table) < 1) return bnn_fail(BNN_ERR_OPTION, "has no test rows: import them with the training rows");
    BNN_TRY(bnn_data_split(table, 0, BNN_TRAIN, NULL, train));
    return bnn_data_split(table, 0, BNN_TEST, bnn_data_scaling(*train), test);
}

#endif
