/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * reflection: a fixed random reflection (Householder 1958): mixes all units and keeps distances.
 *
 *   y = x - 2 v (v . x)        x, y [n, D]  v [D], |v| = 1
 *   dx += dy - 2 v (v . dy)
 *
 * v is made of the option `seed` by bind, in double, and belongs to the layer until it is closed.
 */
#include <bnn/layer.h>

#include <math.h>
#include <stdlib.h>

typedef struct {
    int seed;
} conf;

static const bnn_option options[] = {BNN_OPT_INT(conf, seed, "1", 0, 1e9, "chooses the mirror"), {0}};

static bnn_status make_mirror(const bnn_layer *l, int d, double *v) {
    bnn_real *e = malloc((size_t)d * sizeof *e);
    double squares = 0;
    if (!e) return bnn_fail(BNN_ERR_MEMORY, "out of memory for a mirror of %d units", d);
    bnn_rng_normal(bnn_rng_seed((uint64_t)((const conf *)l->object.conf)->seed), 0, 1, d, e);
    for (int i = 0; i < d; i++) squares += (double)e[i] * (double)e[i];
    for (int i = 0; i < d; i++) v[i] = (double)e[i] / sqrt(squares);
    free(e);
    return BNN_OK;
}

static bnn_status bind(bnn_layer *l) {
    BNN_TRY(bnn_layer_needs_vector(l));
    int d = bnn_layer_size_in(l);
    l->derived = malloc((size_t)d * sizeof(double));
    if (!l->derived) return bnn_fail(BNN_ERR_MEMORY, "out of memory for a mirror of %d units", d);
    l->plan = (bnn_plan){.out = l->in[0], .flops_row = 4.0 * d, .back_flops_row = 5.0 * d};
    return make_mirror(l, d, l->derived);
}

static void close(bnn_layer *l) { free(l->derived); }

static double product(const bnn_layer *l, const bnn_real *x) {
    const double *v = l->derived;
    double sum = 0;
    for (int i = 0; i < bnn_layer_size_in(l); i++) sum += v[i] * (double)x[i];
    return sum;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const double *v = l->derived;
    int d = bnn_layer_size_in(l);
    for (int r = 0; r < io->n; r++) {
        const bnn_real *x = io->x[0] + (size_t)r * (size_t)d;
        double twice = 2 * product(l, x);
        for (int i = 0; i < d; i++) io->y[(size_t)r * (size_t)d + (size_t)i] = (bnn_real)((double)x[i] - twice * v[i]);
    }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const double *v = l->derived;
    int d = bnn_layer_size_in(l);
    for (int r = 0; io->dx[0] && r < io->n; r++) {
        const bnn_real *dy = io->dy + (size_t)r * (size_t)d;
        double twice = 2 * product(l, dy);
        for (int i = 0; i < d; i++) io->dx[0][(size_t)r * (size_t)d + (size_t)i] += (bnn_real)((double)dy[i] - twice * v[i]);
    }
}

static const char *const checks[] = {"input:5; reflection", "input:3; dense:4; reflection:seed=7; tanh; dense:2", NULL};

const bnn_layer_type bnn_layer_reflection = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "reflection", .summary = "a fixed random reflection", .reference = "Householder 1958",
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .close = close,
};

BNN_LAYER_PLUGIN(bnn_layer_reflection)
