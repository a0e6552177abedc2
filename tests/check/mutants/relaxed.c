/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * relaxed: gates whose probability of dropping is learned, by a continuous relaxation. relaxed_0 is right, each other type has one fault:
 * has(l, k) in its hooks.
 *
 *   z = sigmoid( (log p - log(1-p) + log u - log(1-u)) / t ),   u ~ U(0,1)        any shape of D units
 *   y = x (1-z) / (1-p)                                                           p = sigmoid(a)
 *   dx += dy (1-z)/(1-p)    da += sum dy x (1-z)/(1-p) (p - z/t)
 *
 * (1-z)/(1-p) is in the cache (ROWS) or in pass (DRAW). penalty: - D H(p). Parameters: a [1] HYPER.
 */
#include <bnn/layer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has(const bnn_layer *l, int fault) { return atoi(strrchr(l->object.type->name, '_') + 1) == fault; }

static const double t = 0.2;

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0],
                         .n_params = 1,
                         .param = {{.name = "a", .role = BNN_HYPER, .cols = 1, .fan_in = 1}},
                         .pass = d,
                         .n_drawn = 1,
                         .drawn = {{.name = "gate", .cols = d}},
                         .cache_row = d,
                         .flops_row = 25.0 * d,
                         .back_flops_row = 8.0 * d};
    return BNN_OK;
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    (void)l, (void)rng;
    theta[0] = -1;
}

/* The logit that the noise is drawn with. */
static double logit_of(const bnn_layer *l, const bnn_io *io) {
    double a = fmin(fmax((double)io->theta[0], -30), 30);
    return has(l, 1) && a > 0 ? 0 : a; /* p is at most 1/2 */
}

/* g[D] = (1-z)/(1-p) of a row */
static void draw(const bnn_layer *l, const bnn_io *io, uint64_t row, bnn_real *g) {
    int d = bnn_layer_size_in(l);
    double a = logit_of(l, io);
    bnn_rng_uniform(io->rng, row, 1, d, g);
    for (int i = d - 1; (has(l, 3) || (has(l, 4) && io->mode == BNN_DRAW)) && i >= 0; i--) g[i] = g[i % 10];
    for (int i = 0; i < d; i++) {
        double u = (double)g[i];
        g[i] = (bnn_real)(bnn_sigmoid(-(a + log(u / (1 - u))) / t) / bnn_sigmoid(-a));
    }
}

static void prepare(const bnn_layer *l, bnn_io *io) {
    if (io->mode == BNN_DRAW) draw(l, io, 0, io->pass);
    for (int i = 0; io->mode != BNN_DRAW && i < bnn_layer_size_in(l); i++) io->pass[i] = 1;
}

static bnn_real *gates_of(const bnn_layer *l, const bnn_io *io, size_t r) {
    return io->mode == BNN_ROWS ? io->cache + r * (size_t)bnn_layer_size_in(l) : io->pass;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t r = 0; r < (size_t)io->n; r++) {
        bnn_real *g = gates_of(l, io, r);
        if (io->mode == BNN_ROWS) draw(l, io, io->row0 + r, g);
        for (size_t i = 0; i < d; i++) io->y[r * d + i] = io->x[0][r * d + i] * g[i];
    }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    double a = logit_of(l, io), p = bnn_sigmoid(a), da = 0;
    for (size_t i = 0; i < (size_t)io->n * d; i++) {
        double g = (double)gates_of(l, io, i / d)[i % d], z = 1 - g * bnn_sigmoid(-a);
        if (io->dx[0]) io->dx[0][i] += io->dy[i] * (bnn_real)g;
        da += (double)io->dy[i] * (double)io->x[0][i] * g * (p - z / t);
    }
    bool stays = (double)io->theta[0] != a && io->theta[0] > 0;
    if (io->dtheta && io->mode != BNN_MEAN && !stays) io->dtheta[0] += (bnn_real)da;
}

static double penalty(const bnn_layer *l, bnn_io *io, double scale) {
    double d = bnn_layer_size_in(l), a = fmin(fmax((double)io->theta[0], -30), 30);
    if (has(l, 2)) a = fmin(fmax(a, -5), 5);
    double p = bnn_sigmoid(a), q = bnn_sigmoid(-a);
    if (io->dtheta && a == (double)io->theta[0]) io->dtheta[0] += (bnn_real)(scale * d * a * p * q);
    return -d * (p * bnn_softplus(-a) + q * bnn_softplus(a));
}

static double keep(const bnn_layer *l, const bnn_real *theta, bnn_real *dkeep) {
    double a = fmin(fmax((double)theta[0], -30), 30);
    (void)l;
    dkeep[0] = (bnn_real)(-bnn_sigmoid(a) * bnn_sigmoid(-a));
    return bnn_sigmoid(-a);
}

#define MUTANT(k)                                                                                                                    \
    static const char *const checks_##k[] = {"input:5; relaxed_" #k, "input:2x3; relaxed_" #k "; flatten; dense:2", NULL};           \
    static const bnn_layer_type relaxed_##k = {.type = {BNN_TYPE(bnn_layer_type), .name = "relaxed_" #k, .summary = "relaxed gates", \
                                                        .caps = BNN_STOCHASTIC, .checks = checks_##k},                               \
                                               .min_in = 1,                                                                          \
                                               .max_in = 1,                                                                          \
                                               .bind = bind,                                                                         \
                                               .forward = forward,                                                                   \
                                               .backward = backward,                                                                 \
                                               .init = init,                                                                         \
                                               .prepare = prepare,                                                                   \
                                               .penalty = penalty,                                                                   \
                                               .keep = keep};

MUTANT(0)
MUTANT(1)
MUTANT(2)
MUTANT(3)
MUTANT(4)

#define ENTRY(k) BNN_LAYER_ENTRY(relaxed_##k)
BNN_PLUGIN("relaxed", ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4))
