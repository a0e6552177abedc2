/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gate.h: what layers share that multiply each unit by a random factor.
 *
 *   y_kr = x_kr z_k                         x, y [n,K,R]; z [n,K] in ROWS, in the cache; z [K] in DRAW, in pass; no z in MEAN: the identity
 *
 * K units are gated, each of R numbers: R = 1 for a factor of each number, R = H W for one of each channel of [C,H,W]. Such a layer plans
 * pass = cache_row = K.
 */
#ifndef BNN_GATE_H
#define BNN_GATE_H

#include <bnn/layer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* z[rows,K] = the factors of the rows from row0 on. */
typedef void bnn_gate_draw(const bnn_layer *l, const bnn_io *io, uint64_t row0, int rows, bnn_real *z);

/* For bind: a plan without parameters and operations, to which the caller adds its own. Every unit is `repeat` numbers that stand behind
 * each other, D = K repeat; pass is the gate of a BNN_DRAW. */
bnn_plan bnn_gate_plan(const bnn_layer *l, int repeat);
/* K and R of a layer that has this plan: */
static inline int bnn_gate_units(const bnn_layer *l) { return l->plan.pass; }
static inline int bnn_gate_repeat(const bnn_layer *l) { return bnn_layer_size_in(l) / l->plan.pass; }
/* For the hooks of these names; draw makes the factors: */
void bnn_gate_prepare(const bnn_layer *l, bnn_io *io, bnn_gate_draw *draw); /* z [K] of a BNN_DRAW into pass */
void bnn_gate_forward(const bnn_layer *l, bnn_io *io, bnn_gate_draw *draw); /* y = x z, with z [n,K] into the cache in BNN_ROWS */
void bnn_gate_backward(const bnn_layer *l, bnn_io *io);                     /* dx += dy z: a hook as it is */

/* The factors of row r of this call; not in MEAN. */
static inline const bnn_real *bnn_gate_row(const bnn_layer *l, const bnn_io *io, size_t r) {
    return io->mode == BNN_DRAW ? io->pass : io->cache + r * (size_t)bnn_gate_units(l);
}

/* Gates whose probability of dropping is learned, by a continuous relaxation (Gal, Hron & Kendall 2017, section 3):
 *   z_k = sigmoid( (log p - log(1-p) + log u_k - log(1-u_k)) / t ),   u ~ U(0,1),  p = sigmoid(p_logit);  the factor is (1-z_k) / (1-p)
 * Such a layer has a bnn_concrete for its conf, and one parameter, p_logit [1] HYPER, which acts as if cut to [-30, 30]. */
typedef struct {
    double p;           /* initial probability of dropping a unit */
    double temperature; /* t */
} bnn_concrete;
/* For bind: the whole plan of units of `repeat` numbers. */
void bnn_concrete_bind(bnn_layer *l, int repeat);
/* Hooks as they are: */
void bnn_concrete_init(const bnn_layer *l, bnn_rng rng, bnn_real *theta);
void bnn_concrete_prepare(const bnn_layer *l, bnn_io *io);
void bnn_concrete_forward(const bnn_layer *l, bnn_io *io);
void bnn_concrete_backward(const bnn_layer *l, bnn_io *io);
double bnn_concrete_penalty(const bnn_layer *l, bnn_io *io, double scale); /* - K H(p): the entropy of units, not of numbers */
double bnn_concrete_keep(const bnn_layer *l, const bnn_real *theta, bnn_real *dkeep);

#ifdef __cplusplus
}
#endif

#endif
