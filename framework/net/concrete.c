/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * concrete.c: gates whose probability of dropping is learned.
 */
#include <bnn/gate.h>

#include <math.h>
#include <string.h>

void bnn_concrete_bind(bnn_layer *l, int repeat) {
    int d = bnn_layer_size_in(l), units = d / repeat;
    l->plan = bnn_gate_plan(l, repeat);
    l->plan.n_params = 1;
    l->plan.param[0] = (bnn_param){.name = "p_logit", .role = BNN_HYPER, .cols = 1, .fan_in = 1};
    l->plan.scratch_pass = units;
    l->plan.flops_row = d + 29.0 * units, l->plan.back_flops_row = 4.0 * d + 4.0 * units;
}

static double logit_of(const bnn_real *theta) { return fmin(fmax((double)theta[0], -30), 30); }

/* g[rows,K] = (1-z)/(1-p) */
static void draw_gates(const bnn_layer *l, const bnn_io *io, uint64_t row0, int rows, bnn_real *g) {
    const bnn_concrete *c = l->object.conf;
    const double a = logit_of(io->theta);
    const bnn_real slope = (bnn_real)(-1 / c->temperature), shift = (bnn_real)a * slope, scale = (bnn_real)(1 / bnn_sigmoid(-a)), one = 1;
    size_t n = (size_t)rows * (size_t)bnn_gate_units(l);
    bnn_rng_uniform(io->rng, row0, rows, bnn_gate_units(l), g);
    for (size_t i = 0; i < n; i++) g[i] /= one - g[i];
    bnn_vec_log(n, g, g);
    for (size_t i = 0; i < n; i++) g[i] = shift + slope * g[i];
    bnn_vec_sigmoid(n, g, g);
    for (size_t i = 0; i < n; i++) g[i] *= scale;
}

void bnn_concrete_prepare(const bnn_layer *l, bnn_io *io) { bnn_gate_prepare(l, io, draw_gates); }

void bnn_concrete_forward(const bnn_layer *l, bnn_io *io) { bnn_gate_forward(l, io, draw_gates); }

/* Adds the part of one row's units in dp_logit: da[K] += dy x g (p - (1 - (1-p) g)/t) */
static void backward_logit(size_t units, const bnn_real *restrict dy, const bnn_real *restrict x, const bnn_real *restrict g,
                           bnn_real constant, bnn_real slope, bnn_real *restrict da) {
    for (size_t i = 0; i < units; i++) da[i] += dy[i] * x[i] * g[i] * (constant + slope * g[i]);
}

/* The same of units of `repeat` numbers. */
static void backward_repeated(size_t units, size_t repeat, const bnn_real *dy, const bnn_real *x, const bnn_real *g, bnn_real constant,
                              bnn_real slope, bnn_real *da) {
    for (size_t k = 0; k < units; k++)
        da[k] += (bnn_real)bnn_sum_products(repeat, dy + k * repeat, x + k * repeat) * g[k] * (constant + slope * g[k]);
}

void bnn_concrete_backward(const bnn_layer *l, bnn_io *io) {
    const bnn_concrete *c = l->object.conf;
    const double a = logit_of(io->theta), p = bnn_sigmoid(a), q = bnn_sigmoid(-a);
    const bnn_real constant = (bnn_real)(p - 1 / c->temperature), slope = (bnn_real)(q / c->temperature);
    size_t d = (size_t)bnn_layer_size_in(l), units = (size_t)bnn_gate_units(l), repeat = (size_t)bnn_gate_repeat(l);
    bnn_real *da = io->scratch;
    double sum = 0;
    bnn_gate_backward(l, io);
    if (io->mode == BNN_MEAN || !io->dtheta) return;
    memset(da, 0, units * sizeof *da);
    for (size_t r = 0; r < (size_t)io->n; r++) {
        const bnn_real *dy = io->dy + r * d, *x = io->x[0] + r * d, *g = bnn_gate_row(l, io, r);
        if (repeat == 1)
            backward_logit(units, dy, x, g, constant, slope, da);
        else
            backward_repeated(units, repeat, dy, x, g, constant, slope, da);
    }
    for (size_t k = 0; k < units; k++) sum += da[k];
    io->dtheta[0] += (bnn_real)sum;
}

void bnn_concrete_init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    const bnn_concrete *c = l->object.conf;
    (void)rng;
    theta[0] = (bnn_real)fmin(fmax(log(c->p) - log1p(-c->p), -30), 30);
}

double bnn_concrete_penalty(const bnn_layer *l, bnn_io *io, double scale) {
    double a = logit_of(io->theta), p = bnn_sigmoid(a), q = bnn_sigmoid(-a), units = bnn_gate_units(l);
    if (io->dtheta) io->dtheta[0] += (bnn_real)(scale * units * a * p * q);
    return -units * (p * bnn_softplus(-a) + q * bnn_softplus(a));
}

double bnn_concrete_keep(const bnn_layer *l, const bnn_real *theta, bnn_real *dkeep) {
    double a = logit_of(theta), q = bnn_sigmoid(-a);
    (void)l;
    dkeep[0] = (bnn_real)(-q * bnn_sigmoid(a));
    return q;
}
