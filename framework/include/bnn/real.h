/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * real.h: the number type and the shape of one row.
 */
#ifndef BNN_REAL_H
#define BNN_REAL_H

#include <bnn/config.h> /* made by meson: BNN_REAL_IS_DOUBLE, BNN_VERSION, BNN_ABI */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if BNN_REAL_IS_DOUBLE
typedef double bnn_real;
#else
typedef float bnn_real; /* the precision is part of the ABI: meson -Dreal=double builds the other one */
#endif

#define BNN_MAX_RANK 4 /* dimensions of a shape, at most */

/* The shape of ONE row, row-major, channels first; the batch is never part of a shape. rank 0: not known yet. */
typedef struct {
    int rank;            /* number of dimensions */
    int d[BNN_MAX_RANK]; /* [rank] their sizes, each at least 1 */
} bnn_shape;

/* The shape [n]. */
static inline bnn_shape bnn_shape_vector(int n) {
    bnn_shape vector = {1, {n, 0, 0, 0}};
    return vector;
}

/* The shape [channels x height x width]. */
static inline bnn_shape bnn_shape_image(int channels, int height, int width) {
    bnn_shape image = {3, {channels, height, width, 0}};
    return image;
}

/* Number of reals in one row; 0 for rank 0. */
static inline int bnn_shape_size(bnn_shape s) {
    int n = s.rank > 0;
    for (int i = 0; i < s.rank; i++) n *= s.d[i];
    return n;
}

/* Same rank and same sizes. */
static inline bool bnn_shape_equal(bnn_shape a, bnn_shape b) {
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; i++)
        if (a.d[i] != b.d[i]) return false;
    return true;
}

#define BNN_SHAPE_TEXT 48 /* bytes that hold any shape as text */
/* "[2x4]" into text; returns text. */
const char *bnn_shape_print(bnn_shape s, char text[BNN_SHAPE_TEXT]);

#ifdef __cplusplus
}
#endif

#endif
