/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * factor: Gaussian factors with a learned variance. MUTANT 0 is right, each other one has one fault.
 *
 *   y = x (1 + sd e),   e ~ N(0,1),   sd^2 = alpha = log(1 + exp(a))           any shape of D units
 *   dx += dy (1 + sd e)    da += sum dy x e sigmoid(a) / (2 sd)
 *
 * e is in the cache (ROWS) or in pass (DRAW). keep: 1/(1 + alpha). Parameters: a [1] HYPER.
 */
#include <bnn/layer.h>

#include <math.h>
#include <string.h>

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0],
                         .n_params = 1,
                         .param = {{.name = "a", .role = BNN_HYPER, .cols = 1, .fan_in = 1}},
                         .pass = d,
                         .cache_row = d,
                         .flops_row = 15.0 * d,
                         .back_flops_row = 5.0 * d};
    return BNN_OK;
}

static double sd_of(const bnn_real *theta) {
#if MUTANT == 2
    return 0.01 + sqrt(bnn_softplus((double)theta[0]));
#else
    return sqrt(bnn_softplus((double)theta[0]));
#endif
}

static void prepare(const bnn_layer *l, bnn_io *io) {
    if (io->mode == BNN_DRAW) bnn_rng_normal(io->rng, 0, 1, bnn_layer_size_in(l), io->pass);
}

static const bnn_real *noise_of(const bnn_layer *l, const bnn_io *io, size_t r) {
    return io->mode == BNN_DRAW ? io->pass : io->cache + r * (size_t)bnn_layer_size_in(l);
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    const bnn_real sd = (bnn_real)sd_of(io->theta);
    if (io->mode == BNN_ROWS) bnn_rng_normal(io->rng, io->row0, io->n, (int)d, io->cache);
    for (size_t r = 0; r < (size_t)io->n; r++)
        for (size_t i = 0; i < d; i++) io->y[r * d + i] = io->x[0][r * d + i] * (io->mode == BNN_MEAN ? 1 : 1 + sd * noise_of(l, io, r)[i]);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    const bnn_real sd = (bnn_real)sd_of(io->theta);
    double dsd = 0;
    for (size_t r = 0; r < (size_t)io->n; r++)
        for (size_t i = 0; i < d; i++) {
            size_t at = r * d + i;
            const bnn_real e = io->mode == BNN_MEAN ? 0 : noise_of(l, io, r)[i];
            if (io->dx[0]) io->dx[0][at] += io->dy[at] * (1 + sd * e);
            dsd += (double)io->dy[at] * (double)io->x[0][at] * (double)e;
        }
    double root = sqrt(bnn_softplus((double)io->theta[0]));
    if (io->dtheta && root > 0) io->dtheta[0] += (bnn_real)(dsd * bnn_sigmoid((double)io->theta[0]) / (2 * root));
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    (void)l, (void)rng;
    theta[0] = (bnn_real)bnn_softplus_inverse(0.2);
}

static double keep(const bnn_layer *l, const bnn_real *theta, bnn_real *dkeep) {
    double a = (double)theta[0], k = 1 / (1 + bnn_softplus(a));
    (void)l;
#if MUTANT == 1
    dkeep[0] = (bnn_real)(-2 * k * k * bnn_sigmoid(a));
#else
    dkeep[0] = (bnn_real)(-k * k * bnn_sigmoid(a));
#endif
    return k;
}

static const char *const checks[] = {"input:5; " MUTANT_NAME, "input:2x3; " MUTANT_NAME "; flatten; dense:2", NULL};

static const bnn_layer_type mutant = {
    .type = {BNN_TYPE(bnn_layer_type), .name = MUTANT_NAME, .summary = "Gaussian factors with a learned variance", .caps = BNN_STOCHASTIC,
             .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
    .prepare = prepare,
    .keep = keep,
};

BNN_LAYER_PLUGIN(mutant)
