/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gaussian_dropout: multiplicative Gaussian noise with a fixed variance (Srivastava et al. 2014, section 10; Kingma, Salimans & Welling
 * 2015, section 3.1).
 *
 *   y = x z,   z ~ N(1, alpha)              any shape; alpha = p/(1-p) has the first two moments of dropout with probability p
 *   dx += dy z
 *
 * One factor for each unit and row (ROWS), or for each unit (DRAW). MEAN is the identity.
 * keep: 1/(1+alpha) = 1-p. With a Gaussian prior this yields E[w^2 z^2] = w^2 (1+alpha) exactly; the entropy of z is constant.
 * alpha is not learned: the KL of Kingma et al. (eq. 14) is one term for each weight that reads the layer, which a layer does not know, and
 * belongs to an improper log-uniform prior in place of the model's (Hron, Matthews & Ghahramani 2018). concrete_dropout learns its noise.
 */
#include <bnn/gate.h>

#include <math.h>

typedef struct {
    double alpha;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, alpha, "0.1", 0, 100, "variance of the factor; p/(1-p) for the noise of dropout"),
                                     {0}};

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = bnn_gate_plan(l, 1);
    l->plan.flops_row = 15.0 * d, l->plan.back_flops_row = 2.0 * d;
    return BNN_OK;
}

static void draw_factors(const bnn_layer *l, const bnn_io *io, uint64_t row0, int rows, bnn_real *z) {
    const conf *c = l->object.conf;
    const bnn_real sd = (bnn_real)sqrt(c->alpha);
    size_t n = (size_t)rows * bnn_layer_size_in(l);
    bnn_rng_normal(io->rng, row0, rows, bnn_layer_size_in(l), z);
    for (size_t i = 0; i < n; i++) z[i] = 1 + sd * z[i];
}

static void prepare(const bnn_layer *l, bnn_io *io) { bnn_gate_prepare(l, io, draw_factors); }

static void forward(const bnn_layer *l, bnn_io *io) { bnn_gate_forward(l, io, draw_factors); }

static double keep(const bnn_layer *l, const bnn_real *theta, bnn_real *dkeep) {
    const conf *c = l->object.conf;
    (void)theta, (void)dkeep;
    return 1 / (1 + c->alpha);
}

static const char *const checks[] = {"input:5; gaussian_dropout; dense:3", "input:3; gaussian_dropout:0; dense:2",
                                     "input:2x3; gaussian_dropout:alpha=0.5; flatten; dense:2", NULL};

const bnn_layer_type bnn_layer_gaussian_dropout = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "gaussian_dropout", .summary = "multiplicative Gaussian noise with a fixed variance",
             .reference = "Srivastava et al. 2014, section 10; Kingma, Salimans & Welling 2015, section 3.1", .caps = BNN_STOCHASTIC,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = bnn_gate_backward,
    .prepare = prepare,
    .keep = keep,
};
