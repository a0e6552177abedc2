/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * concrete_dropout: gates whose probability of dropping is learned, by a continuous relaxation (Gal, Hron & Kendall 2017, section 3).
 *
 *   z = sigmoid( (log p - log(1-p) + log u - log(1-u)) / t ),   u ~ U(0,1)        any shape of D units
 *   y = x (1-z) / (1-p)                                                           p = sigmoid(p_logit) is the probability of DROPPING
 *   dx += dy (1-z)/(1-p)    dp_logit += sum dy x (1-z)/(1-p) (p - z/t)
 *
 * One gate for each unit and row (ROWS), or for each unit (DRAW). MEAN is the identity.
 * penalty: - D H(p), H(p) = p softplus(-a) + (1-p) softplus(a), a = p_logit; its gradient D a p (1-p). With the prior's part (see keep) the
 * KL of eq. 3. Errata: z drops, and 1/t multiplies all four terms (slides have the first two only and call z the keeping gate). E[y] is x
 * only nearly: t biases E[z] upwards below p = 1/2; P(z > 1/2) = p for every t. p_logit acts as if cut to [-30, 30], so 1/(1-p) is finite.
 * The arithmetic is that of gate.h. Before a convolution it is spatial_concrete_dropout: one gate for each channel.
 *
 * Parameters: p_logit [1] HYPER.
 */
#include <bnn/gate.h>

static const bnn_option options[] = {
    BNN_OPT_REAL(bnn_concrete, p, "0.1", 0, 1, "initial probability of dropping a unit"),
    BNN_OPT_REAL(bnn_concrete, temperature, "0.1", 0.01, 10, "t of the relaxation; the smaller, the harder the gates"),
    {0}};

static bnn_status bind(bnn_layer *l) {
    bnn_concrete_bind(l, 1);
    return BNN_OK;
}

static const char *const checks[] = {"input:5; concrete_dropout; dense:3", "input:4; dense:6; tanh; concrete_dropout:p=0.05; dense:2",
                                     "input:3; concrete_dropout:0.3,temperature=0.5; dense:2",
                                     "input:2x3; concrete_dropout:0.5,0.67; flatten; dense:2", NULL};

const bnn_layer_type bnn_layer_concrete_dropout = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "concrete_dropout", .summary = "gates with a learned probability of dropping",
             .reference = "Gal, Hron & Kendall 2017, section 3", .caps = BNN_STOCHASTIC, .conf_size = sizeof(bnn_concrete),
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
