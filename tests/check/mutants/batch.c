/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * batch: units with mean 0 and variance 1 over the batch, times a factor. batch_0 is right, each other type has one fault: has(l, k) in
 * its hooks.
 *
 *   y = w h,   h = (x - m) / sqrt(v + eps)            x, y [n,D]; in training m, v [D] are those of the batch, else the running ones
 *   dx += w (dy - mean(dy) - h mean(dy h)) / sqrt(v + eps)    dw += sum dy h        means over the batch; out of training without them
 *
 * [m | 1 / sqrt(v + eps)] is in the cache of each row. absorb: each running one moves by a tenth of the way to that of the batch.
 * Parameters: scale [D] BIAS, which begins at 1, mean [D] STATE, var [D] STATE.
 */
#include <bnn/layer.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has(const bnn_layer *l, int fault) { return atoi(strrchr(l->object.type->name, '_') + 1) == fault; }

static const double eps = 1e-5;

static bnn_status bind(bnn_layer *l) {
    BNN_TRY(bnn_layer_needs_vector(l));
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0],
                         .n_params = 3,
                         .param = {{.name = "scale", .role = BNN_BIAS, .cols = d, .fan_in = 1},
                                   {.name = "mean", .role = BNN_STATE, .cols = d, .fan_in = 1},
                                   {.name = "var", .role = BNN_STATE, .cols = d, .fan_in = 1}},
                         .cache_row = 2 * d,
                         .flops_row = 8.0 * d,
                         .back_flops_row = 10.0 * d};
    return BNN_OK;
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    int d = bnn_layer_size_in(l);
    (void)rng;
    for (int i = 0; i < 3 * d; i++) theta[i] = i / d != 1;
}

/* Mean and variance of unit i over the first rows. */
static void measure(const bnn_layer *l, const bnn_io *io, int rows, size_t i, double *mean, double *var) {
    size_t d = (size_t)bnn_layer_size_in(l);
    *mean = *var = 0;
    for (size_t r = 0; r < (size_t)rows; r++) *mean += (double)io->x[0][r * d + i] / rows;
    for (size_t r = 0; r < (size_t)rows; r++) *var += pow((double)io->x[0][r * d + i] - *mean, 2) / rows;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t i = 0; i < d; i++) {
        double mean = (double)io->theta[d + i], var = fmax((double)io->theta[2 * d + i], 0);
        if (has(l, 4)) var = 1;
        if (io->train) measure(l, io, io->n, i, &mean, &var);
        const bnn_real m = (bnn_real)mean, factor = (bnn_real)(1 / sqrt(var + eps));
        for (size_t r = 0; r < (size_t)io->n; r++) {
            io->cache[r * 2 * d + i] = m, io->cache[r * 2 * d + d + i] = factor;
            io->y[r * d + i] = io->theta[i] * (io->x[0][r * d + i] - m) * factor;
        }
    }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n, last = has(l, 1) && io->train && n > 64 ? 64 : n;
    for (size_t i = 0; n > 0 && i < d; i++) {
        double factor = (double)io->cache[d + i], m = (double)io->cache[i], sum = 0, along = 0;
        for (size_t r = 0; r < last; r++) {
            double dy = (double)io->dy[r * d + i];
            sum += dy, along += dy * ((double)io->x[0][r * d + i] - m) * factor;
        }
        if (io->dtheta) io->dtheta[i] += (bnn_real)along;
        if (!io->train) sum = along = 0;
        for (size_t r = 0; io->dx[0] && r < n; r++) {
            double h = ((double)io->x[0][r * d + i] - m) * factor, dy = (double)io->dy[r * d + i];
            io->dx[0][r * d + i] += (bnn_real)((double)io->theta[i] * factor * (dy - (sum + h * along) / (double)n));
        }
    }
}

static void absorb(const bnn_layer *l, const bnn_io *io, bnn_real *theta) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t i = 0; io->n > 1 && i < d; i++) {
        double mean, var;
        measure(l, io, has(l, 3) && io->n > 64 ? 64 : io->n, i, &mean, &var);
        if (has(l, 2)) var = sqrt(var);
        if (has(l, 5)) mean = -mean;
        theta[d + i] += (bnn_real)(0.1 * (mean - (double)theta[d + i]));
        theta[2 * d + i] += (bnn_real)(0.1 * (var * io->n / (io->n - 1) - (double)theta[2 * d + i]));
    }
}

#define MUTANT(k)                                                                                                          \
    static const char *const checks_##k[] = {"input:5; batch_" #k, "input:4; dense:3; batch_" #k "; tanh; dense:2", NULL}; \
    static const bnn_layer_type batch_##k = {.type = {BNN_TYPE(bnn_layer_type), .name = "batch_" #k,                       \
                                                      .summary = "units with mean 0 and variance 1", .caps = BNN_COUPLED,  \
                                                      .checks = checks_##k},                                               \
                                             .min_in = 1,                                                                  \
                                             .max_in = 1,                                                                  \
                                             .bind = bind,                                                                 \
                                             .forward = forward,                                                           \
                                             .backward = backward,                                                         \
                                             .init = init,                                                                 \
                                             .absorb = absorb};

MUTANT(0)
MUTANT(1)
MUTANT(2) MUTANT(3) MUTANT(4) MUTANT(5)

#define ENTRY(k) BNN_LAYER_ENTRY(batch_##k)
    BNN_PLUGIN("batch", ENTRY(0), ENTRY(1), ENTRY(2), ENTRY(3), ENTRY(4), ENTRY(5))
