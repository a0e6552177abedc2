/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * weights: a Gaussian weight for each unit. MUTANT 0 is right, each other one has one fault.
 *
 *   y = x w,   w ~ N(mu, sd^2),   sd = 1e-12 + log(1 + exp(rho))                     vectors; w [D]
 *
 *   ROWS   y = x mu + x sd e,   e ~ N(0,1) for each row    dsd = sum dy x e    dmu = sum dy x
 *   DRAW   y = x (mu + sd e),   one e                      dsd = e dw          dmu = dw = sum dy x
 *
 * score: d log q(w) of the w of a DRAW.
 * pass = [sd | e | w], each [D]; dpass [D] is dw (DRAW) or dsd (ROWS). penalty: KL(q || the model's prior), in closed form.
 * Parameters: gain_mu [D], gain_rho [D], VARIATIONAL.
 */
#include <bnn/layer.h>

#include <string.h>

enum { MOST_UNITS = 256 };

static bnn_status bind(bnn_layer *l) {
    BNN_TRY(bnn_layer_needs_vector(l));
    int d = bnn_layer_size_in(l);
    if (d > MOST_UNITS) return bnn_fail(BNN_ERR_SHAPE, "takes at most [%d]", MOST_UNITS);
    if (!l->prior || !bnn_prior_vtable(l->prior)->kl_gaussian) return bnn_fail(BNN_ERR_STATE, "the prior has no closed form of its KL");
    l->plan = (bnn_plan){.out = l->in[0],
                         .n_params = 2,
                         .param = {{.name = "gain_mu", .role = BNN_VARIATIONAL, .cols = d, .fan_in = 1},
                                   {.name = "gain_rho", .role = BNN_VARIATIONAL, .cols = d, .fan_in = 1}},
                         .pass = 3 * d,
                         .dpass = d,
                         .n_drawn = 1,
                         .drawn = {{.name = "gain", .cols = d}},
                         .drawn_at = {2 * d},
                         .cache_row = d,
                         .flops_row = 12.0 * d,
                         .flops_pass = 40.0 * d,
                         .back_flops_row = 8.0 * d,
                         .back_flops_pass = 40.0 * d};
    return BNN_OK;
}

static void prepare(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    bnn_real *sd = io->pass, *e = sd + d, *w = e + d;
    bnn_vec_softplus(d, io->theta + d, sd);
    for (size_t i = 0; i < d; i++) sd[i] += (bnn_real)1e-12; /* its logarithm and quotients are finite */
    if (io->mode != BNN_DRAW) return;
    bnn_rng_normal(bnn_rng_split(io->rng, 0), 0, 1, (int)d, e);
    for (size_t i = 0; i < d; i++) w[i] = io->theta[i] + sd[i] * e[i];
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n * d;
    const bnn_real *x = io->x[0], *mu = io->theta, *sd = io->pass, *w = io->mode == BNN_DRAW ? sd + 2 * d : mu;
    bnn_real *e = io->cache;
    for (size_t i = 0; i < n; i++) io->y[i] = x[i] * w[i % d];
    if (io->mode != BNN_ROWS) return;
    bnn_rng_normal(bnn_rng_split(io->rng, 1), io->row0, io->n, (int)d, e);
#if MUTANT == 5
    for (size_t i = 0; i < n; i++) e[i] *= (bnn_real)0.5;
#elif MUTANT == 13
    for (size_t i = 0; i < n; i++)
        if (i % d >= 32) e[i] = e[i - 32];
#endif
    for (size_t i = 0; i < n; i++)
#if MUTANT == 4
        io->y[i] += x[i] * sd[i % d] * sd[i % d] * e[i];
#elif MUTANT == 8
        io->y[i] += x[i] * (sd[i % d] + mu[i % d]) * e[i];
#else
        io->y[i] += x[i] * sd[i % d] * e[i];
#endif
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n * d;
    const bnn_real *x = io->x[0], *dy = io->dy, *mu = io->theta, *sd = io->pass, *w = io->mode == BNN_DRAW ? sd + 2 * d : mu,
                   *e = io->cache;
    bnn_real *dx = io->dx[0], *dmu = io->mode == BNN_DRAW ? io->dpass : io->dtheta;
    for (size_t i = 0; dx && i < n; i++) dx[i] += dy[i] * (w[i % d] + (io->mode == BNN_ROWS ? sd[i % d] * e[i] : 0));
    if (!io->dtheta) return;
    for (size_t i = 0; i < n; i++)
#if MUTANT == 6
        dmu[i % d] = dy[i] * x[i];
#else
        dmu[i % d] += dy[i] * x[i];
#endif
    for (size_t i = 0; io->mode == BNN_ROWS && i < n; i++) io->dpass[i % d] += dy[i] * x[i] * e[i];
}

/* drho[D] += dsd sigmoid(rho) */
static void add_drho(size_t d, const bnn_io *io, const bnn_real *dsd, bnn_real scale) {
    bnn_real slope[MOST_UNITS];
    bnn_vec_sigmoid(d, io->theta + d, slope);
#if MUTANT == 14
    for (size_t i = 0; i < d; i++) slope[i] *= io->theta[d + i] < 6;
#endif
    for (size_t i = 0; i < d; i++) io->dtheta[d + i] += scale * dsd[i] * slope[i];
}

static void finish(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    const bnn_real *e = io->pass + d;
    bnn_real dsd[MOST_UNITS];
    if (io->mode == BNN_MEAN) return;
    for (size_t i = 0; i < d; i++) dsd[i] = io->mode == BNN_DRAW ? io->dpass[i] * e[i] : io->dpass[i];
    for (size_t i = 0; io->mode == BNN_DRAW && i < d; i++)
#if MUTANT == 7
        io->dtheta[i] = io->dpass[i];
#else
        io->dtheta[i] += io->dpass[i];
#endif
    add_drho(d, io, dsd, 1);
}

#if MUTANT != 9
static double penalty(const bnn_layer *l, bnn_io *io, double scale) {
    int d = bnn_layer_size_in(l);
    bnn_real dmu[MOST_UNITS], dsd[MOST_UNITS];
    double kl = bnn_prior_vtable(l->prior)->kl_gaussian(l->prior, &(bnn_prior_block){.weight = true, .rows = 0, .cols = d, .fan_in = 1}, d,
                                                        io->theta, io->pass, dmu, dsd);
    if (io->dtheta) {
        for (int i = 0; i < d; i++)
#if MUTANT == 3
            io->dtheta[i] += dmu[i];
#else
            io->dtheta[i] += (bnn_real)scale * dmu[i];
#endif
        add_drho((size_t)d, io, dsd, (bnn_real)scale);
    }
#if MUTANT == 1
    return 1.1 * kl;
#elif MUTANT == 2
    return scale * kl;
#else
    return kl;
#endif
}
#endif

/* d log q/dmu = e/sd,  d log q/dsd = (e^2 - 1)/sd */
static void score(const bnn_layer *l, bnn_io *io, double scale) {
    size_t d = (size_t)bnn_layer_size_in(l);
    const bnn_real *sd = io->pass, *e = sd + d;
    bnn_real dsd[MOST_UNITS];
    for (size_t i = 0; i < d; i++) {
#if MUTANT == 10
        dsd[i] = (e[i] * e[i] - 1) / (2 * sd[i]);
#else
        dsd[i] = (e[i] * e[i] - 1) / sd[i];
#endif
#if MUTANT == 11
        io->dtheta[i] = (bnn_real)scale * e[i] / sd[i];
#elif MUTANT == 12
        io->dtheta[i] -= (bnn_real)scale * e[i] / sd[i];
#else
        io->dtheta[i] += (bnn_real)scale * e[i] / sd[i];
#endif
    }
    add_drho(d, io, dsd, (bnn_real)scale);
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    int d = bnn_layer_size_in(l);
    bnn_rng_normal(rng, 0, 1, d, theta);
    for (int i = 0; i < d; i++) theta[d + i] = (bnn_real)bnn_softplus_inverse(0.3);
}

static const char *const checks[] = {"input:5; " MUTANT_NAME, "input:4; dense:6; tanh; " MUTANT_NAME "; dense:2", NULL};

static const bnn_layer_type mutant = {
    .type = {BNN_TYPE(bnn_layer_type), .name = MUTANT_NAME, .summary = "a Gaussian weight for each unit", .caps = BNN_STOCHASTIC,
             .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
    .prepare = prepare,
    .finish = finish,
#if MUTANT != 9
    .penalty = penalty,
#endif
    .score = score,
};

BNN_LAYER_PLUGIN(mutant)
