/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * spatial_dropout: Bernoulli gates that drop whole channels, with a fixed probability (Tompson et al. 2015, section 3.2).
 *
 *   y_cj = x_cj z_c,   z_c = 1/(1-p) with probability 1-p, else 0       x, y [n,C,...]; p is the probability of DROPPING
 *   dx_cj += dy_cj z_c
 *
 * One gate for each channel and row (ROWS), or for each channel (DRAW): the pixels of a channel say nearly the same, so that gates of their
 * own would drop nothing. E[y] = x, so MEAN is the identity. On a vector this is dropout.
 * penalty: - C H(p), C channels, H(p) = -p log p - (1-p) log(1-p), as that of dropout. keep: 1-p.
 */
#include <bnn/gate.h>

#include <math.h>

typedef struct {
    double p;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, p, "0.1", 0, 0.999, "probability of dropping a channel"), {0}};

static double p_of(const bnn_layer *l) { return ((const conf *)l->object.conf)->p; }

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = bnn_gate_plan(l, d / l->in[0].d[0]);
    l->plan.quiet = p_of(l) == 0;
    l->plan.flops_row = l->plan.back_flops_row = d;
    return BNN_OK;
}

static void draw_gates(const bnn_layer *l, const bnn_io *io, uint64_t row0, int rows, bnn_real *z) {
    bnn_rng_mask(io->rng, row0, rows, bnn_gate_units(l), p_of(l), (bnn_real)(1 / (1 - p_of(l))), z);
}

static void prepare(const bnn_layer *l, bnn_io *io) { bnn_gate_prepare(l, io, draw_gates); }

static void forward(const bnn_layer *l, bnn_io *io) { bnn_gate_forward(l, io, draw_gates); }

static double penalty(const bnn_layer *l, bnn_io *io, double scale) {
    double p = p_of(l);
    (void)io, (void)scale;
    return p == 0 ? 0 : bnn_gate_units(l) * (p * log(p) + (1 - p) * log1p(-p));
}

static double keep(const bnn_layer *l, const bnn_real *theta, bnn_real *dkeep) {
    (void)theta, (void)dkeep;
    return 1 - p_of(l);
}

static const char *const checks[] = {"input:3x2x4; spatial_dropout:0.3", "input:4x3; spatial_dropout:0.5; flatten; dense:2",
                                     "input:2x3; spatial_dropout:0; flatten; dense:2", "input:5; spatial_dropout; dense:3", NULL};

const bnn_layer_type bnn_layer_spatial_dropout = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "spatial_dropout", .summary = "Bernoulli gates that drop whole channels",
             .reference = "Tompson et al. 2015, section 3.2; Gal & Ghahramani 2016, eq. 4", .caps = BNN_STOCHASTIC, .conf_size = sizeof(conf),
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
