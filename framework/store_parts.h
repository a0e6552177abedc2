/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * store_parts.h: the parts that several kinds of file have in common. Arrays of metrics and costs have n entries, laid out on `dims` (""
 * and n = 1: scalars).
 */
#ifndef BNN_STORE_PARTS_H
#define BNN_STORE_PARTS_H

#include "store_hdf5.h"

#include <bnn/store.h>

/* Makes the group: columns on the dimension epoch. Nothing where the history is empty. */
void bnn_store_put_history(bnn_h5_writer *w, const char *group, const bnn_history *h);
void bnn_store_get_history(bnn_h5_reader *r, const char *group, bnn_history *h);

/* The scores of regression or of classes, into an existing group. */
void bnn_store_put_metrics(bnn_h5_writer *w, const char *group, int n, const bnn_metrics *m, const char *dims);
void bnn_store_get_metrics(bnn_h5_reader *r, const char *group, int n, bnn_metrics *m);

/* Counts into `group`; times and memory, which are no result, into `times`. */
void bnn_store_put_cost(bnn_h5_writer *w, const char *group, const char *times, int n, const bnn_cost *c, const char *dims);
void bnn_store_get_cost(bnn_h5_reader *r, const char *group, const char *times, int n, bnn_cost *c);

/* Makes /provenance. */
void bnn_store_put_provenance(bnn_h5_writer *w, const bnn_provenance *p);

/* Makes the group: moments, scores of each row, the targets. */
void bnn_store_put_prediction(bnn_h5_writer *w, const char *group, const bnn_prediction *p, const bnn_data *data);

#endif
