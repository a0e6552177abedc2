/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * workspace.h (private): the memory of one thread's passes, and the part of a pass that leaves out what a gate has dropped.
 */
#ifndef BNN_WORKSPACE_H
#define BNN_WORKSPACE_H

#include <bnn/net.h>

/* State of one node in this pass (prune.c). */
typedef struct {
    int live, size;    /* of a gate: units that it keeps, and all of them, 0 where it runs as it is; live < size: the others are left out */
    int *unit;         /* [live] their numbers */
    bnn_real *w;       /* of an affine node: kernel times the gate before it, and bias, without the rows and columns that are left out */
    bool affine, gate; /* what the node is */
    int before, behind; /* the gate that an affine node reads, the one behind a node that gives live units only; -1: none */
} bnn_pruned;

struct bnn_workspace {
    int rows;
    bnn_real *block;   /* everything below points into it */
    size_t length;     /* of block */
    bnn_real *scratch; /* shared by all nodes */
    size_t scratch_length;
    bnn_io *io;         /* [n_nodes] */
    const bnn_real **x; /* the io's pointers to inputs, one after the other */
    bnn_real **dx;
    bnn_real **own_y;   /* [n_nodes] the node's own room for y; io.y may be lent */
    bnn_pruned *pruned; /* [n_nodes], or NULL: nothing is ever left out */
    bool scored;        /* score hooks take the place of backward where there are any */
    bnn_tap tap;        /* or NULL */
    void *tap_context;
    bnn_workspace **lane; /* [n_lanes] of a row each, which go through them side by side; NULL: rows go through this one */
    int n_lanes;
    bnn_real *row_grad; /* [n_lanes, n_theta] of the rows in the lanes */
    size_t n_theta;
    struct bnn_shards *shards; /* one block of memory of model/shards.c; NULL: no rows are cut into shards */
    bnn_workspace **beside; /* [n_beside] of shards that go beside one in this, each with room for a gradient in row_grad; or NULL */
    int n_beside;
};

/* Lets a workspace pass rows beside those of another, by what that has prepared; its dpass begins at 0. */
void bnn_workspace_follow(const bnn_net *net, const bnn_workspace *from, bnn_workspace *ws);

/* Makes room, if a pass without gradients can leave anything out of this network. */
bnn_status bnn_prune_new(const bnn_net *net, bnn_workspace *ws);
void bnn_prune_free(bnn_workspace *ws);
/* After all prepare hooks of a pass. */
void bnn_prune_prepare(const bnn_net *net, bnn_workspace *ws);
/* The forward of node i on the io's rows; false: nothing is left out there, the layer's own hook is to run. */
bool bnn_prune_forward(const bnn_net *net, bnn_workspace *ws, int i);

/* Runs a hook over the rows of an io, in parts where nothing depends on the cut (rows.c); each part has scratch of its own. */
void bnn_rows_run(const bnn_layer *l, bnn_io *io, void (*hook)(const bnn_layer *, bnn_io *));
size_t bnn_rows_parts(const bnn_layer *l, size_t rows); /* at least 1 */

#endif
