/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * spatial_concrete_dropout: gates of whole channels whose probability of dropping is learned (Gal, Hron & Kendall 2017, sections 3
 * and 4.4).
 *
 *   z_c = sigmoid( (log p - log(1-p) + log u_c - log(1-u_c)) / t ),   u_c ~ U(0,1)        x, y [n,C,...]
 *   y_cj = x_cj (1-z_c) / (1-p)                                       p = sigmoid(p_logit) is the probability of DROPPING
 *   dx_cj += dy_cj (1-z_c)/(1-p)    dp_logit += sum dy_cj x_cj (1-z_c)/(1-p) (p - z_c/t)
 *
 * One gate for each channel and row (ROWS), or for each channel (DRAW), the same for all pixels. MEAN is the identity. On a vector this is
 * concrete_dropout.
 * penalty: - C H(p), the entropy of C gates: pixels have none of their own. keep and errata as in concrete_dropout. t = 2/3 as in the
 * authors' code, where E[z] is .145 at p = .1 (.101 at t = .1): smoother gradients for harder gates.
 *
 * Parameters: p_logit [1] HYPER.
 */
#include <bnn/gate.h>

static const bnn_option options[] = {
    BNN_OPT_REAL(bnn_concrete, p, "0.1", 0, 1, "initial probability of dropping a channel"),
    BNN_OPT_REAL(bnn_concrete, temperature, "0.6666666666666666", 0.01, 10, "t of the relaxation; the smaller, the harder the gates"),
    {0}};

static bnn_status bind(bnn_layer *l) {
    bnn_concrete_bind(l, bnn_layer_size_in(l) / l->in[0].d[0]);
    return BNN_OK;
}

static const char *const checks[] = {
    "input:3x2x4; spatial_concrete_dropout", "input:4x3; spatial_concrete_dropout:0.3,temperature=0.5; flatten; dense:2",
    "input:7x1x3; spatial_concrete_dropout:p=0.05; flatten; dense:2", "input:5; spatial_concrete_dropout; dense:3", NULL};

const bnn_layer_type bnn_layer_spatial_concrete_dropout = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "spatial_concrete_dropout",
             .summary = "gates of whole channels with a learned probability of dropping",
             .reference = "Gal, Hron & Kendall 2017, sections 3 and 4.4", .caps = BNN_STOCHASTIC, .conf_size = sizeof(bnn_concrete),
             .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = bnn_concrete_forward,
    .backward = bnn_concrete_backward,
    .init = bnn_concrete_init,
    .prepare = bnn_concrete_prepare,
    .penalty = bnn_concrete_penalty,
    .keep = bnn_concrete_keep,
};
