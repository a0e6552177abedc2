/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gate: Bernoulli gates with a fixed probability p of dropping. MUTANT 0 is right, each other one has one fault.
 *
 *   y = x z,   z = 1/(1-p) with probability 1-p, else 0          any shape of D units
 *   dx += dy z
 *
 * z is in the cache (ROWS) or in pass (DRAW). penalty: - D H(p).
 */
#include <bnn/layer.h>

#include <math.h>
#include <string.h>

typedef struct {
    double p;
} conf;

static const bnn_option options[] = {{.name = "p",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, p),
                                      .preset = "0.3",
                                      .min = 0,
                                      .max = 0.99,
                                      .help = "probability of dropping a unit"},
                                     {0}};

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0], .pass = d, .cache_row = d, .flops_row = d, .back_flops_row = d};
    return BNN_OK;
}

/* z[rows, D] */
static void draw(const bnn_layer *l, const bnn_io *io, uint64_t row0, int rows, bnn_real *z) {
    const conf *c = l->object.conf;
#if MUTANT == 4
    bnn_rng_mask(io->rng, row0, rows, bnn_layer_size_in(l), 1 - c->p, (bnn_real)(1 / (1 - c->p)), z);
#elif MUTANT == 10
    bnn_rng_mask(io->rng, row0, rows, bnn_layer_size_in(l), 0, (bnn_real)(1 / (1 - c->p)), z);
#elif MUTANT == 5
    bnn_rng_mask(io->rng, row0, rows, bnn_layer_size_in(l), c->p, 1, z);
#else
    bnn_rng_mask(io->rng, row0, rows, bnn_layer_size_in(l), c->p, (bnn_real)(1 / (1 - c->p)), z);
#endif
#if MUTANT == 11
    for (int i = 0; i < rows * bnn_layer_size_in(l); i++) z[i] = z[i - i % bnn_layer_size_in(l) % 2];
#endif
}

static void prepare(const bnn_layer *l, bnn_io *io) {
    if (io->mode == BNN_DRAW) draw(l, io, 0, 1, io->pass);
}

/* z of row r of this call; in MEAN there is none. */
static const bnn_real *gates_of(const bnn_layer *l, const bnn_io *io, size_t r) {
#if MUTANT == 6
    return io->cache + r * (size_t)bnn_layer_size_in(l);
#else
    return io->mode == BNN_DRAW ? io->pass : io->cache + r * (size_t)bnn_layer_size_in(l);
#endif
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
#if MUTANT == 2
    if (io->mode == BNN_ROWS) draw(l, io, 0, io->n, io->cache);
#elif MUTANT == 3
    if (io->mode == BNN_ROWS) draw(l, io, (uint32_t)io->row0, io->n, io->cache);
#elif MUTANT == 6
    if (io->mode != BNN_MEAN) draw(l, io, io->row0, io->n, io->cache);
#elif MUTANT == 7
    if (io->mode != BNN_DRAW) draw(l, io, io->row0, io->n, io->cache);
#else
    if (io->mode == BNN_ROWS) draw(l, io, io->row0, io->n, io->cache);
#endif
    for (size_t r = 0; r < (size_t)io->n; r++) {
        const bnn_real *x = io->x[0] + r * d, *z = gates_of(l, io, r);
        bnn_real *y = io->y + r * d;
#if MUTANT == 7
        for (size_t i = 0; i < d; i++) y[i] = x[i] * z[i];
#else
        for (size_t i = 0; i < d; i++) y[i] = io->mode == BNN_MEAN ? x[i] : x[i] * z[i];
#endif
    }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t r = 0; io->dx[0] && r < (size_t)io->n; r++) {
        const bnn_real *dy = io->dy + r * d, *z = gates_of(l, io, r);
        bnn_real *dx = io->dx[0] + r * d;
#if MUTANT == 8
        for (size_t i = 0; i < d; i++) dx[i] += io->mode == BNN_MEAN || z[i] > 0 ? dy[i] : 0;
#elif MUTANT == 7
        for (size_t i = 0; i < d; i++) dx[i] += dy[i] * z[i];
#else
        for (size_t i = 0; i < d; i++) dx[i] += io->mode == BNN_MEAN ? dy[i] : dy[i] * z[i];
#endif
    }
}

static double penalty(const bnn_layer *l, bnn_io *io, double scale) {
    const conf *c = l->object.conf;
    double units = bnn_layer_size_in(l);
    (void)io, (void)scale;
    if (c->p == 0) return 0;
#if MUTANT == 9
    return 1.1 * units * (c->p * log(c->p) + (1 - c->p) * log1p(-c->p));
#else
    return units * (c->p * log(c->p) + (1 - c->p) * log1p(-c->p));
#endif
}

static double keep(const bnn_layer *l, const bnn_real *theta, bnn_real *dkeep) {
    const conf *c = l->object.conf;
    (void)theta, (void)dkeep;
    return 1 - c->p;
}

static const char *const checks[] = {"input:5; " MUTANT_NAME, "input:2x3; " MUTANT_NAME ":0.2; flatten", NULL};

#if MUTANT == 1
#define CAPS 0
#else
#define CAPS BNN_STOCHASTIC
#endif

static const bnn_layer_type mutant = {
    .type = {BNN_TYPE(bnn_layer_type), .name = MUTANT_NAME, .summary = "Bernoulli gates", .caps = CAPS, .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .prepare = prepare,
    .penalty = penalty,
    .keep = keep,
};

BNN_LAYER_PLUGIN(mutant)
