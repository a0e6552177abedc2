/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * blend: a random mixture of two inputs, as of two branches of a residual network (Gastaldi 2017, shake-shake; here for each unit).
 *
 *   y = a + z (b - a),   z ~ uniform(0, 1) for each unit of each row (ROWS) or of one draw (DRAW)          a, b, y: any shape of D units
 *   da += dy (1 - z)    db += dy z
 *
 * z is in the cache (ROWS) or in pass (DRAW). MEAN: z = 1/2. The passes use the same z: no shaking of gradients.
 */
#include <bnn/layer.h>

static bnn_status bind(bnn_layer *l) {
    char first[BNN_SHAPE_TEXT], second[BNN_SHAPE_TEXT];
    int d = bnn_layer_size_in(l);
    if (!bnn_shape_equal(l->in[0], l->in[1]))
        return bnn_fail(BNN_ERR_SHAPE, "input 1 has shape %s, input 0 has %s", bnn_shape_print(l->in[1], second),
                        bnn_shape_print(l->in[0], first));
    l->plan = (bnn_plan){.out = l->in[0], .pass = d, .cache_row = d, .flops_row = 5.0 * d, .back_flops_row = 5.0 * d};
    return BNN_OK;
}

static void prepare(const bnn_layer *l, bnn_io *io) {
    if (io->mode == BNN_DRAW) bnn_rng_uniform(io->rng, 0, 1, bnn_layer_size_in(l), io->pass);
}

static bnn_real share(const bnn_layer *l, const bnn_io *io, size_t i) {
    if (io->mode == BNN_MEAN) return (bnn_real)0.5;
    return io->mode == BNN_DRAW ? io->pass[i % (size_t)bnn_layer_size_in(l)] : io->cache[i];
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t size = (size_t)io->n * (size_t)bnn_layer_size_in(l);
    const bnn_real *a = io->x[0], *b = io->x[1];
    if (io->mode == BNN_ROWS) bnn_rng_uniform(io->rng, io->row0, io->n, bnn_layer_size_in(l), io->cache);
    for (size_t i = 0; i < size; i++) io->y[i] = a[i] + share(l, io, i) * (b[i] - a[i]);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t size = (size_t)io->n * (size_t)bnn_layer_size_in(l);
    for (size_t i = 0; i < size; i++) {
        bnn_real z = share(l, io, i);
        if (io->dx[0]) io->dx[0][i] += io->dy[i] * (1 - z);
        if (io->dx[1]) io->dx[1][i] += io->dy[i] * z;
    }
}

static const char *const checks[] = {"a = input:4; b = tanh(a); blend(a, b)", "a = input:2x3; b = softplus(a); blend(b, a)",
                                     "a = input:5; b = dense:3(a); c = dense:3(a); blend(b, c); dense:2", NULL};

const bnn_layer_type bnn_layer_blend = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "blend", .summary = "a random mixture of two inputs", .reference = "Gastaldi 2017",
             .caps = BNN_STOCHASTIC, .checks = checks},
    .min_in = 2,
    .max_in = 2,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .prepare = prepare,
};

BNN_LAYER_PLUGIN(bnn_layer_blend)
