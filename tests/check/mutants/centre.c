/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * centre: units less their mean over past batches, plus a bias. MUTANT 0 is right, each other one has one fault.
 *
 *   y = x - m + b        x, y [n,D]    m, b [D]
 *   dx += dy    db += sum dy;    absorb: m += (mean of x - m) / 10
 *
 * Parameters: mean [D] STATE, bias [D] BIAS.
 */
#include <bnn/layer.h>

#include <string.h>

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){
        .out = l->in[0],
        .n_params = 2,
        .param = {{.name = "mean", .role = BNN_STATE, .cols = d, .fan_in = 1}, {.name = "bias", .role = BNN_BIAS, .cols = d, .fan_in = 1}},
        .flops_row = 2.0 * d,
        .back_flops_row = 2.0 * d};
    return BNN_OK;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t i = 0; i < (size_t)io->n * d; i++) io->y[i] = io->x[0][i] - io->theta[i % d] + io->theta[d + i % d];
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t i = 0; i < (size_t)io->n * d; i++) {
        if (io->dx[0]) io->dx[0][i] += io->dy[i];
        if (io->dtheta) io->dtheta[d + i % d] += io->dy[i];
#if MUTANT == 2
        if (io->dtheta) io->dtheta[i % d] -= io->dy[i];
#endif
    }
}

#if MUTANT != 3
static void absorb(const bnn_layer *l, const bnn_io *io, bnn_real *theta) {
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n;
#if MUTANT != 4
    if (n == 0) return;
#endif
    for (size_t i = 0; i < d; i++) {
        double sum = 0;
        for (size_t r = 0; r < n; r++) sum += (double)io->x[0][r * d + i];
#if MUTANT == 5
        (void)theta, (void)sum;
#else
        theta[i] += (bnn_real)(0.1 * (sum / (double)n - (double)theta[i]));
#endif
#if MUTANT == 1
        theta[d + i] += (bnn_real)(0.1 * sum);
#endif
    }
}
#endif

static const char *const checks[] = {"input:5; " MUTANT_NAME, "input:2x3; " MUTANT_NAME "; flatten; dense:2", NULL};

static const bnn_layer_type mutant = {
    .type = {BNN_TYPE(bnn_layer_type), .name = MUTANT_NAME, .summary = "units less their mean over past batches", .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
#if MUTANT != 3
    .absorb = absorb,
#endif
};

BNN_LAYER_PLUGIN(mutant)
