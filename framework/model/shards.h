/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * shards.h (private): sums over many rows, cut into shards: stretches of rows whose length follows from their number alone. Each has a
 * gradient of its own, which begins at 0, and these are added in double over a binary tree whose shape follows from the number of shards.
 * So a sum keeps its bits wherever its shards are made, and errors of rounding grow with the rows of a shard, not with all of them. Of a
 * set with no more rows than a shard nothing is changed.
 */
#ifndef BNN_SHARDS_H
#define BNN_SHARDS_H

#include "data/spread.h"
#include <bnn/model.h>

typedef struct bnn_shards bnn_shards;

/* Says whether the rows of a batch may go through the network in any pieces. */
bool bnn_shards_may_cut(const bnn_net *net);
/* Rows of m that go through a network together: those of a shard, or all where they may not be cut. */
int bnn_shards_stretch(const bnn_net *net, int m);

/* A workspace for U and its gradient on up to `rows` rows that go together, shard after shard: one shard of them at a time. */
bnn_status bnn_shards_workspace_new(const bnn_model *model, int rows, bnn_workspace **out);
size_t bnn_shards_workspace_bytes(const bnn_model *model, int rows); /* bytes that it takes */

/* Gives a workspace room for the sums of more rows than a shard has, which bnn_workspace_free frees; nothing where there are fewer. A
 * failure frees it with all it owns. */
bnn_status bnn_shards_open(const bnn_model *model, int rows, bnn_workspace **ws);
size_t bnn_shards_bytes(const bnn_model *model, int rows); /* bytes that it takes */

/* The nll of n rows from `from` on, which go through ws; grad[n_theta] += its gradient, or NULL: not wanted. Thread-safe, each with a ws of
 * its own. */
typedef double bnn_rows_nll(const void *context, bnn_workspace *ws, int from, int n, bnn_real *grad);
/* Says whether m rows are cut in this workspace. */
bool bnn_shards_cut(const bnn_workspace *ws, int m);
/* The sum over m rows that are; what the passes of the shards leave for finish is their sum, too. Narrow shards go side by side where there
 * are at least as many as threads, in workspaces that are made when they are needed first and stay; where there is no memory for these, one
 * after the other. */
double bnn_shards_sum(const bnn_model *model, bnn_workspace *ws, int m, bnn_rows_nll *nll, const void *context, bnn_real *grad);

#endif
