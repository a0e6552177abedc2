/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pair: two inputs that meet in noise of two kinds; not a layer of use, but a right one. MUTANT 0 is right, each other one has one fault.
 *
 *   y = a u + b sd e,   u = 0 or 2 for each row (ROWS) or one for all (DRAW), e ~ N(0,1) for each unit          a, b, y: any shape of D
 * units da += dy u    db += dy sd e
 *
 * [u | e] is in the cache (ROWS) or in pass (DRAW). MEAN: y = a.
 */
#include <bnn/layer.h>

typedef struct {
    double sd;
} conf;

static const bnn_option options[] = {{.name = "sd",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, sd),
                                      .preset = "0.5",
                                      .min = 0.1,
                                      .max = 10,
                                      .help = "of the factor of the second input"},
                                     {0}};

static bnn_status bind(bnn_layer *l) {
    char first[BNN_SHAPE_TEXT], second[BNN_SHAPE_TEXT];
    int d = bnn_layer_size_in(l);
#if MUTANT == 1
    (void)first, (void)second;
#elif MUTANT == 2
    (void)first, (void)second;
    if (!bnn_shape_equal(l->in[0], l->in[1])) return bnn_fail(BNN_ERR_SHAPE, "the inputs do not fit");
#else
    if (!bnn_shape_equal(l->in[0], l->in[1]))
        return bnn_fail(BNN_ERR_SHAPE, "input 1 has shape %s, input 0 has %s", bnn_shape_print(l->in[1], second),
                        bnn_shape_print(l->in[0], first));
#endif
    l->plan = (bnn_plan){.out = l->in[0], .pass = d + 1, .cache_row = d + 1, .flops_row = 15.0 * d, .back_flops_row = 4.0 * d};
    return BNN_OK;
}

/* z[1 + D] = [u | e] of a row */
static void draw(const bnn_layer *l, const bnn_io *io, uint64_t row, bnn_real *z) {
    bnn_rng_mask(bnn_rng_split(io->rng, 0), row, 1, 1, 0.5, 2, z);
    bnn_rng_normal(bnn_rng_split(io->rng, 1), row, 1, bnn_layer_size_in(l), z + 1);
}

static void prepare(const bnn_layer *l, bnn_io *io) {
    if (io->mode == BNN_DRAW) draw(l, io, 0, io->pass);
}

static bnn_real *noise_of(const bnn_layer *l, const bnn_io *io, size_t r) {
    return io->mode == BNN_DRAW ? io->pass : io->cache + r * (size_t)(bnn_layer_size_in(l) + 1);
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const conf *c = l->object.conf;
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t r = 0; r < (size_t)io->n; r++) {
        const bnn_real *a = io->x[0] + r * d, *b = io->x[1] + r * d, *z = noise_of(l, io, r), sd = (bnn_real)c->sd;
        if (io->mode == BNN_ROWS) draw(l, io, io->row0 + r, noise_of(l, io, r));
        for (size_t i = 0; i < d; i++) io->y[r * d + i] = io->mode == BNN_MEAN ? a[i] : a[i] * z[0] + b[i] * sd * z[1 + i];
    }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const conf *c = l->object.conf;
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t r = 0; r < (size_t)io->n; r++) {
        const bnn_real *dy = io->dy + r * d, *z = noise_of(l, io, r), sd = (bnn_real)c->sd;
        for (size_t i = 0; io->dx[0] && i < d; i++) io->dx[0][r * d + i] += io->mode == BNN_MEAN ? dy[i] : dy[i] * z[0];
#if MUTANT == 3
        for (size_t i = 0; io->dx[1] && i < d; i++) io->dx[1][r * d + i] += io->mode == BNN_MEAN ? 0 : -dy[i] * sd * z[1 + i];
#else
        for (size_t i = 0; io->dx[1] && i < d; i++) io->dx[1][r * d + i] += io->mode == BNN_MEAN ? 0 : dy[i] * sd * z[1 + i];
#endif
    }
}

static const char *const checks[] = {"a = input:4; b = tanh(a); " MUTANT_NAME "(a, b)",
                                     "a = input:2x3; b = softplus(a); " MUTANT_NAME ":1(b, a)", "a = input:3; " MUTANT_NAME "(a, a)", NULL};

static const bnn_layer_type mutant = {
    .type = {BNN_TYPE(bnn_layer_type), .name = MUTANT_NAME, .summary = "two inputs with noise of two kinds", .caps = BNN_STOCHASTIC,
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .min_in = 2,
    .max_in = 2,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .prepare = prepare,
};

BNN_LAYER_PLUGIN(mutant)
