/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * dropout: Bernoulli gates with a fixed probability, the approximate posterior of Gal & Ghahramani 2016.
 *
 *   y = x z,   z = 1/(1-p) with probability 1-p, else 0       any shape; p is the probability of DROPPING
 *   dx += dy z
 *
 * One gate for each unit and row (ROWS), or for each unit (DRAW). E[y] = x, so MEAN is the identity.
 * penalty: - K H(p), K units, H(p) = -p log p - (1-p) log(1-p): with the prior's part (see keep) the KL of Gal & Ghahramani 2016, appendix
 * A, up to a constant. The paper prints p for keeping and leaves 1/(1-p) to the weights; here stored weights are M (1-p).
 */
#include <bnn/gate.h>

#include <math.h>

typedef struct {
    double p;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, p, "0.1", 0, 0.999, "probability of dropping a unit"), {0}};

static bnn_status bind(bnn_layer *l) {
    l->plan = bnn_gate_plan(l, 1);
    l->plan.quiet = ((const conf *)l->object.conf)->p == 0;
    l->plan.flops_row = l->plan.back_flops_row = bnn_layer_size_in(l);
    return BNN_OK;
}

static void draw_gates(const bnn_layer *l, const bnn_io *io, uint64_t row0, int rows, bnn_real *z) {
    const conf *c = l->object.conf;
    bnn_rng_mask(io->rng, row0, rows, bnn_layer_size_in(l), c->p, (bnn_real)(1 / (1 - c->p)), z);
}

static void prepare(const bnn_layer *l, bnn_io *io) { bnn_gate_prepare(l, io, draw_gates); }

static void forward(const bnn_layer *l, bnn_io *io) { bnn_gate_forward(l, io, draw_gates); }

static double penalty(const bnn_layer *l, bnn_io *io, double scale) {
    const conf *c = l->object.conf;
    (void)io, (void)scale;
    if (c->p == 0) return 0;
    return bnn_layer_size_in(l) * (c->p * log(c->p) + (1 - c->p) * log1p(-c->p));
}

static double keep(const bnn_layer *l, const bnn_real *theta, bnn_real *dkeep) {
    const conf *c = l->object.conf;
    (void)theta, (void)dkeep;
    return 1 - c->p;
}

static const char *const checks[] = {"input:5; dropout:0.3; dense:3", "input:4; dense:6; relu; dropout:p=0.05; dense:2",
                                     "input:3; dropout:0; dense:2", "input:2x3; dropout:0.5; flatten; dense:2", NULL};

const bnn_layer_type bnn_layer_dropout = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "dropout", .summary = "Bernoulli gates with a fixed probability of dropping",
             .reference = "Gal & Ghahramani 2016, eq. 4; Srivastava et al. 2014", .caps = BNN_STOCHASTIC, .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = bnn_gate_backward,
    .prepare = prepare,
    .penalty = penalty,
    .keep = keep,
};
