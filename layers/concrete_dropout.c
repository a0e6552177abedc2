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
 *
 * Parameters: p_logit [1] HYPER.
 */
#include <bnn/gate.h>

#include <math.h>
#include <string.h>

typedef struct {
    double p, temperature;
} conf;

static const bnn_option options[] = {
    BNN_OPT_REAL(conf, p, "0.1", 0, 1, "initial probability of dropping a unit"),
    BNN_OPT_REAL(conf, temperature, "0.1", 0.01, 10, "t of the relaxation; the smaller, the harder the gates"),
    {0}};

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = bnn_gate_plan(l, 1);
    l->plan.n_params = 1;
    l->plan.param[0] = (bnn_param){.name = "p_logit", .role = BNN_HYPER, .cols = 1, .fan_in = 1};
    l->plan.scratch_pass = d;
    l->plan.flops_row = 30.0 * d, l->plan.back_flops_row = 8.0 * d;
    return BNN_OK;
}

static double logit_of(const bnn_real *theta) { return fmin(fmax((double)theta[0], -30), 30); }

/* g[rows,D] = (1-z)/(1-p) */
static void draw_gates(const bnn_layer *l, const bnn_io *io, uint64_t row0, int rows, bnn_real *g) {
    const conf *c = l->object.conf;
    const double a = logit_of(io->theta);
    const bnn_real slope = (bnn_real)(-1 / c->temperature), shift = (bnn_real)a * slope, scale = (bnn_real)(1 / bnn_sigmoid(-a)), one = 1;
    size_t n = (size_t)rows * bnn_layer_size_in(l);
    bnn_rng_uniform(io->rng, row0, rows, bnn_layer_size_in(l), g);
    for (size_t i = 0; i < n; i++) g[i] /= one - g[i];
    bnn_vec_log(n, g, g);
    for (size_t i = 0; i < n; i++) g[i] = shift + slope * g[i];
    bnn_vec_sigmoid(n, g, g);
    for (size_t i = 0; i < n; i++) g[i] *= scale;
}

static void prepare(const bnn_layer *l, bnn_io *io) { bnn_gate_prepare(l, io, draw_gates); }

static void forward(const bnn_layer *l, bnn_io *io) { bnn_gate_forward(l, io, draw_gates); }

/* Adds the part of one row's units in dp_logit: da[D] += dy x g (p - (1 - (1-p) g)/t) */
static void backward_logit(size_t d, const bnn_real *restrict dy, const bnn_real *restrict x, const bnn_real *restrict g, bnn_real constant,
                           bnn_real slope, bnn_real *restrict da) {
    for (size_t i = 0; i < d; i++) da[i] += dy[i] * x[i] * g[i] * (constant + slope * g[i]);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const conf *c = l->object.conf;
    const double a = logit_of(io->theta), p = bnn_sigmoid(a), q = bnn_sigmoid(-a);
    size_t d = (size_t)bnn_layer_size_in(l);
    bnn_real *da = io->scratch;
    double sum = 0;
    bnn_gate_backward(l, io);
    if (io->mode == BNN_MEAN || !io->dtheta) return;
    memset(da, 0, d * sizeof *da);
    for (size_t r = 0; r < (size_t)io->n; r++)
        backward_logit(d, io->dy + r * d, io->x[0] + r * d, bnn_gate_row(l, io, r), (bnn_real)(p - 1 / c->temperature),
                       (bnn_real)(q / c->temperature), da);
    for (size_t i = 0; i < d; i++) sum += da[i];
    io->dtheta[0] += (bnn_real)sum;
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    const conf *c = l->object.conf;
    (void)rng;
    theta[0] = (bnn_real)fmin(fmax(log(c->p) - log1p(-c->p), -30), 30);
}

static double penalty(const bnn_layer *l, bnn_io *io, double scale) {
    double a = logit_of(io->theta), p = bnn_sigmoid(a), q = bnn_sigmoid(-a), units = bnn_layer_size_in(l);
    if (io->dtheta) io->dtheta[0] += (bnn_real)(scale * units * a * p * q);
    return -units * (p * bnn_softplus(-a) + q * bnn_softplus(a));
}

static double keep(const bnn_layer *l, const bnn_real *theta, bnn_real *dkeep) {
    double a = logit_of(theta), q = bnn_sigmoid(-a);
    (void)l;
    dkeep[0] = (bnn_real)(-q * bnn_sigmoid(a));
    return q;
}

static const char *const checks[] = {"input:5; concrete_dropout; dense:3", "input:4; dense:6; tanh; concrete_dropout:p=0.05; dense:2",
                                     "input:3; concrete_dropout:0.3,temperature=0.5; dense:2",
                                     "input:2x3; concrete_dropout:0.5,0.67; flatten; dense:2", NULL};

const bnn_layer_type bnn_layer_concrete_dropout = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "concrete_dropout", .summary = "gates with a learned probability of dropping",
             .reference = "Gal, Hron & Kendall 2017, section 3", .caps = BNN_STOCHASTIC, .conf_size = sizeof(conf), .options = options,
             .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
    .prepare = prepare,
    .penalty = penalty,
    .keep = keep,
};
