/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gate.h: what layers share that multiply each unit by a random factor.
 *
 *   y = x z                                 x, y [n,D]; z [n,D] in ROWS, in the cache; z [D] in DRAW, in pass; no z in MEAN: the identity
 *
 * Such a layer plans pass = cache_row = D.
 */
#ifndef BNN_GATE_H
#define BNN_GATE_H

#include <bnn/layer.h>

/* z[rows,D] = the factors of the rows from row0 on. */
typedef void bnn_gate_draw(const bnn_layer *l, const bnn_io *io, uint64_t row0, int rows, bnn_real *z);

/* For bind: a plan without parameters and operations, to which the caller adds its own. pass is the gate of a BNN_DRAW. */
bnn_plan bnn_gate_plan(const bnn_layer *l);
/* For the hooks of these names; draw makes the factors: */
void bnn_gate_prepare(const bnn_layer *l, bnn_io *io, bnn_gate_draw *draw); /* z [D] of a BNN_DRAW into pass */
void bnn_gate_forward(const bnn_layer *l, bnn_io *io, bnn_gate_draw *draw); /* y = x z, with z [n,D] into the cache in BNN_ROWS */
void bnn_gate_backward(const bnn_layer *l, bnn_io *io);                     /* dx += dy z: a hook as it is */

/* The factors of row r of this call; not in MEAN. */
static inline const bnn_real *bnn_gate_row(const bnn_layer *l, const bnn_io *io, size_t r) {
    return io->mode == BNN_DRAW ? io->pass : io->cache + r * (size_t)bnn_layer_size_in(l);
}

#endif
