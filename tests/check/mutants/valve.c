/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * valve: Bernoulli gates beside a bent path, with options. valve_0 is right, each other type has one fault: has(l, k) in its hooks.
 *
 *   y = x z + c tanh(x),   z = 1/(1-p) with probability 1-p, else 0          any shape of D units
 *
 * z is in the cache (ROWS) or in pass (DRAW). penalty: - D H(p).
 * Parameters: none; of valve_8 gain [1], WEIGHT: y is multiplied by it.
 */
#include <bnn/layer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has(const bnn_layer *l, int fault) { return atoi(strrchr(l->object.type->name, '_') + 1) == fault; }

typedef struct {
    double p, bend;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, p, "0.3", 0, 0.99, "probability of dropping a unit"),
                                     BNN_OPT_REAL(conf, bend, "0", 0, 10, "share of the hyperbolic tangent"),
                                     {0}};

static double drop(const bnn_layer *l) {
    double p = ((const conf *)l->object.conf)->p;
    return has(l, 3) && p > 0.5 ? 0.5 : has(l, 6) ? 0.98 * p : p;
}

static double bend(const bnn_layer *l) { return has(l, 5) ? 0 : ((const conf *)l->object.conf)->bend; }

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0],
                         .n_params = has(l, 8),
                         .param = {{.name = "gain", .role = BNN_WEIGHT, .cols = 1, .fan_in = 1}},
                         .quiet = has(l, 1) || ((const conf *)l->object.conf)->p <= (has(l, 2) ? 0.1 : 0),
                         .pass = d,
                         .cache_row = d,
                         .flops_row = 8.0 * d,
                         .back_flops_row = 8.0 * d};
    return BNN_OK;
}

static double gain(const bnn_layer *l, const bnn_io *io) { return l->n_theta > 0 ? (double)io->theta[0] : 1; }

/* z[rows, D] */
static void draw(const bnn_layer *l, const bnn_io *io, uint64_t row0, int rows, bnn_real *z) {
    int d = bnn_layer_size_in(l);
    const bnn_real on = (bnn_real)(1 / (1 - ((const conf *)l->object.conf)->p));
    for (int r = 0; r < rows; r++) {
        uint64_t row = row0 + (uint64_t)r;
        bnn_rng_mask(io->rng, has(l, 7) ? row / 2 : row, 1, d, drop(l), on, z + r * d);
        for (int i = 1; has(l, 4) && i < d; i += 2) z[r * d + i] = drop(l) < 0.3 && z[r * d + i - 1] == 0 ? on : z[r * d + i];
    }
}

static void prepare(const bnn_layer *l, bnn_io *io) {
    if (io->mode == BNN_DRAW) draw(l, io, 0, 1, io->pass);
    if (io->mode != BNN_DRAW)
        for (int i = 0; i < bnn_layer_size_in(l); i++) io->pass[i] = 1;
}

static const bnn_real *gates_of(const bnn_layer *l, const bnn_io *io, size_t r) {
    return io->mode == BNN_ROWS ? io->cache + r * (size_t)bnn_layer_size_in(l) : io->pass;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    const bnn_real b = (bnn_real)(bend(l) * gain(l, io)), g = (bnn_real)gain(l, io);
    if (io->mode == BNN_ROWS) draw(l, io, io->row0, io->n, io->cache);
    for (size_t r = 0; r < (size_t)io->n; r++) {
        const bnn_real *x = io->x[0] + r * d, *z = gates_of(l, io, r);
        for (size_t i = 0; i < d; i++) io->y[r * d + i] = g * x[i] * z[i] + b * (bnn_real)tanh((double)x[i]);
    }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t i = 0; i < (size_t)io->n * d; i++) {
        const bnn_real *z = gates_of(l, io, i / d);
        double t = tanh((double)io->x[0][i]);
        if (io->dx[0]) io->dx[0][i] += io->dy[i] * (bnn_real)(gain(l, io) * ((double)z[i % d] + bend(l) * (1 - t * t)));
        if (io->dtheta) io->dtheta[0] += io->dy[i] * (io->x[0][i] * z[i % d] + (bnn_real)(bend(l) * t));
    }
}

static double penalty(const bnn_layer *l, bnn_io *io, double scale) {
    double p = ((const conf *)l->object.conf)->p, sum = 0;
    int d = bnn_layer_size_in(l);
    if (l->n_theta > 0) {
        sum += 0.5 * (double)io->theta[0] * (double)io->theta[0];
        if (io->dtheta) io->dtheta[0] += (bnn_real)scale * io->theta[0];
    }
    return sum + (p == 0 ? 0 : d * (p * log(p) + (1 - p) * log1p(-p)));
}

static double keep(const bnn_layer *l, const bnn_real *theta, bnn_real *dkeep) {
    for (int i = 0; i < l->n_theta; i++) dkeep[i] = 0;
    (void)theta;
    return 1 - ((const conf *)l->object.conf)->p;
}

#define MUTANT(k)                                                                                                           \
    static const char *const checks_##k[] = {"input:5; valve_" #k, "input:2x3; valve_" #k ":0.2,0.5; flatten", NULL};       \
    static const bnn_layer_type valve_##k = {.type = {BNN_TYPE(bnn_layer_type), .name = "valve_" #k,                        \
                                                      .summary = "Bernoulli gates and gains", .caps = BNN_STOCHASTIC,       \
                                                      .conf_size = sizeof(conf), .options = options, .checks = checks_##k}, \
                                             .min_in = 1,                                                                   \
                                             .max_in = 1,                                                                   \
                                             .bind = bind,                                                                  \
                                             .forward = forward,                                                            \
                                             .backward = backward,                                                          \
                                             .prepare = prepare,                                                            \
                                             .penalty = penalty,                                                            \
                                             .keep = keep};

MUTANT(0)
MUTANT(1) MUTANT(2) MUTANT(3) MUTANT(4) MUTANT(5) MUTANT(6) MUTANT(7) MUTANT(8)

#define ENTRY(k) BNN_LAYER_ENTRY(valve_##k)
    BNN_PLUGIN("valve", ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5), ENTRY(6), ENTRY(7), ENTRY(8))
