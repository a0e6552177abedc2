/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * curvature_parts.h: what a structure of curvature.h consists of; private to curvature*.c.
 */
#ifndef BNN_CURVATURE_PARTS_H
#define BNN_CURVATURE_PARTS_H

#include <bnn/curvature.h>

/* One way to keep H and S. */
typedef struct {
    bnn_status (*open)(bnn_curvature *c);                                                                  /* sets n_factor and n_h */
    bnn_status (*build)(bnn_curvature *c, bnn_workspace *ws, const bnn_real *theta, const bnn_data *data); /* from h = 0 */
    bnn_status (*posterior)(bnn_curvature *c, double var, double *log_det, double *determined);            /* with the prec of the blocks */
    bnn_status (*draw)(const bnn_curvature *c, double *z);                                                 /* z[n] normal -> S^1/2 z */
    bnn_status (*outputs)(const bnn_curvature *c, bnn_workspace *ws, int n, const bnn_real *x, double *mean, double *cov);
} bnn_structure_type;

extern const bnn_structure_type bnn_structure_kron;

enum { BNN_CURVATURE_ROWS = 64 }; /* that are worked on at a time */

#endif
