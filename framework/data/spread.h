/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * spread.h (private): how a sum over many rows is cut into shards, which of them a rank adds, and features that stay in a file.
 */
#ifndef BNN_DATA_SPREAD_H
#define BNN_DATA_SPREAD_H

#include <bnn/data.h>
#include <bnn/ranks.h>

enum { BNN_SHARD_ROWS = 4224 }; /* at most. Adding a gradient of P numbers is little beside the 6 P flops of each of so many rows. */

int bnn_shards_most(int m); /* shards of m rows or fewer, at most */
/* Rows of all shards of m rows but the last: as even as multiples of the rows of tiles and panels (kernels.c) can be. */
int bnn_shards_length(int m);
/* The first of so many shards that a rank adds; behind the last rank, their number. */
int bnn_shards_first(int shards, const bnn_ranks *ranks, int rank);
/* The rows [*from, *to) of m that this rank adds. */
void bnn_shards_own(int m, const bnn_ranks *ranks, int *from, int *to);

/* A table of zeros whose features stay in a file, with x_file to come. */
bnn_status bnn_table_new_without_x(int n, bnn_shape x_shape, int y_dim, int n_classes, bnn_table **out);
/* x[n, size(x_shape)] of the listed rows of a table whose features stay in a file, which is walked through once. */
bnn_status bnn_x_file_read(const bnn_table *table, int n, const int *rows, double *x);

/* Sums over rows go on from rank to rank, in the order of the rows. Sets sums[n] to those of the ranks before this one; the first one keeps
 * its own. */
void bnn_sums_receive(int n, double *sums);
/* Hands on sums[n] with this rank's rows in them. All ranks end with those of the last one. */
void bnn_sums_hand_on(int n, double *sums);

#endif
