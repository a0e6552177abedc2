/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * layer.h (private): the rules of layers. One file for each theme; layer.c has the table.
 */
#ifndef BNN_CHECK_LAYER_H
#define BNN_CHECK_LAYER_H

#include "case.h"

/* claims.c: what the vtable and the plan say of the layer */
bnn_layer_rule bnn_rule_metadata, bnn_rule_options, bnn_rule_init, bnn_rule_capabilities, bnn_rule_memory, bnn_rule_flops;
/* convolution.c: the part of capabilities that is about CONV */
bnn_layer_rule bnn_check_convolution;
/* text.c: from text to net and back */
bnn_layer_rule bnn_rule_print, bnn_rule_reload, bnn_rule_shapes;
/* memory.c: what hooks read and write */
bnn_layer_rule bnn_rule_bounds, bnn_rule_undefined, bnn_rule_allocations, bnn_rule_finite, bnn_rule_empty;
/* calls.c: one call against others */
bnn_layer_rule bnn_rule_state, bnn_rule_threads, bnn_rule_function, bnn_rule_rows, bnn_rule_row_number;
/* gradient.c */
bnn_layer_rule bnn_rule_gradient, bnn_rule_adds, bnn_rule_unwanted, bnn_rule_penalty;
/* Breaks the verdict unless dtheta and dx, which the pass holds, are those of differences. */
bnn_status bnn_check_differences(bnn_checker *c, const bnn_layer_case *k, bnn_layer_pass *p);
/* noise.c: where there is noise, and where there is none */
bnn_layer_rule bnn_rule_noise, bnn_rule_keep, bnn_rule_limit;
/* moments.c: the distribution of the output and of the gradient */
bnn_layer_rule bnn_rule_moments, bnn_rule_expected_gradient;
/* Says whether y of the pass's one row, in its mode, is linear in the parameters i with spread[i] > 0. kept[n_theta]: room. */
bool bnn_is_linear(bnn_layer_pass *p, const double *spread, bnn_real *kept);
/* Where y of the pass's one row is linear in Gaussian weights: its sd, y_sd[d_out], and the correlations of each of the first units with
 * the next, correlation[pairs]. false: it is not, or there is no memory. Leaves the pass in MEAN. */
bool bnn_implied_law(bnn_layer_pass *p, double *y_sd, int pairs, double *correlation);
/* score.c: the score function of what is drawn */
bnn_layer_rule bnn_rule_score;
/* plan.c: what the plan says of blocks and noise */
bnn_layer_rule bnn_rule_roles, bnn_rule_fan_in, bnn_rule_quiet, bnn_rule_drawn;
/* around/: a layer in other surroundings than its check specs' own */
bnn_layer_rule bnn_rule_training, bnn_rule_sizes, bnn_rule_wide, bnn_rule_values, bnn_rule_joint;
/* absorb.c: what is remembered of batches */
bnn_layer_rule bnn_rule_absorb;
/* kl.c: the value of the penalty */
bnn_layer_rule bnn_rule_kl, bnn_rule_entropy;
/* That of Gaussian weights near the start and far from it; of others nothing is asked. */
bnn_layer_rule bnn_check_kl_by_quadrature;
/* Names the array in which two passes of the same case differ, or NULL. */
const char *bnn_difference_of_passes(const bnn_layer_pass *a, const bnn_layer_pass *b);
/* The drawn block NAME of a block NAME_mu; NULL: there is none. */
const bnn_real *bnn_drawn_of(const bnn_layer_pass *p, const bnn_param *mu);
/* Gaussian weights are known by the names of their blocks: w ~ N(mu, softplus(rho)^2) for blocks NAME_mu and NAME_rho of equal size, both
 * VARIATIONAL. Where NAME_rho of block b begins in theta; -1 if block b is no NAME_mu. */
int bnn_rho_of(const bnn_layer *l, int b);

#endif
