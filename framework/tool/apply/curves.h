/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * curves.h: pages that `--plot` writes: what was measured, one figure below the other.
 */
#ifndef BNN_TOOL_CURVES_H
#define BNN_TOOL_CURVES_H

#include <bnn/bnn.h>

/* One figure: value[n] against at[n]. All borrowed. */
typedef struct {
    const char *name; /* of the figure and of its y axis, a word without blanks that no other curve of the page has */
    const char *x;    /* of its x axis */
    bool from_zero;   /* the y axis starts at 0 */
    int n;
    const double *at, *value;
} tool_curve;

/* Writes n curves as HTML; what is not finite is left out. Fails where gnuplot does. */
bnn_status tool_curves_page(const char *title, const char *heading, int n, const tool_curve *curve, const char *path);

#endif
