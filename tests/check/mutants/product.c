/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * product: an affine map to U units, in plain loops. MUTANT 0 is right, each other one has one fault.
 *
 *   y = x W + b                             x [n,D]  W [D,U]  b [U]  y [n,U]
 *   dx += dy W^T    dW += x^T dy    db += sum over rows of dy
 *
 * Parameters: kernel [D,U] WEIGHT, bias [U] BIAS.
 */
#include <bnn/layer.h>

enum { U = 3 };

static bnn_status bind(bnn_layer *l) {
    BNN_TRY(bnn_layer_needs_vector(l));
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan) {
        .out = bnn_shape_vector(U), .n_params = 2,
        .param = {{.name = "kernel", .role = BNN_WEIGHT, .rows = d, .cols = U, .fan_in = MUTANT == 4 ? U : d},
                  {.name = "bias", .role = BNN_BIAS, .cols = U, .fan_in = d}},
#if MUTANT == 2
        .flops_row = 1.0 * d * U,
#else
        .flops_row = 2.0 * d * U,
#endif
        .back_flops_row = 4.0 * d * U
    };
    return BNN_OK;
}

#if MUTANT == 5
/* The units begin as one. */
static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    int d = bnn_layer_size_in(l);
    for (int i = 0; i < l->n_theta; i++) theta[i] = 0;
    for (int j = 0; j < U; j++) {
        bnn_real column[64];
        bnn_rng_normal(rng, 0, 1, d < 64 ? d : 64, column);
        for (int i = 0; i < d; i++) theta[i * U + j] = column[i % 64];
    }
}
#endif

/* Where W[i][j] stands. */
static size_t at(const bnn_layer *l, size_t i, size_t j) {
#if MUTANT == 1
    return j * (size_t)bnn_layer_size_in(l) + i;
#else
    (void)l;
    return i * U + j;
#endif
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t r = 0; r < (size_t)io->n; r++)
        for (size_t j = 0; j < U; j++) {
            bnn_real sum = io->theta[d * U + j];
            for (size_t i = 0; i < d; i++) sum += io->x[0][r * d + i] * io->theta[at(l, i, j)];
            io->y[r * U + j] = sum;
        }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t r = 0; r < (size_t)io->n; r++)
        for (size_t j = 0; j < U; j++) {
            const bnn_real dy = io->dy[r * U + j];
            if (io->dtheta) io->dtheta[d * U + j] += dy;
            for (size_t i = 0; i < d; i++) {
                if (io->dtheta) io->dtheta[at(l, i, j)] += dy * io->x[0][r * d + i];
                if (io->dx[0]) io->dx[0][r * d + i] += dy * io->theta[at(l, i, j)];
            }
        }
}

static const char *const checks[] = {"input:5; " MUTANT_NAME, "input:2; tanh; " MUTANT_NAME, NULL};

#if MUTANT == 3
#define CAPS BNN_AFFINE | BNN_RESHAPE
#else
#define CAPS BNN_AFFINE
#endif

static const bnn_layer_type mutant = {
    .type = {BNN_TYPE(bnn_layer_type), .name = MUTANT_NAME, .summary = "an affine map to three units", .caps = CAPS, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
#if MUTANT == 5
    .init = init,
#endif
};

BNN_LAYER_PLUGIN(mutant)
