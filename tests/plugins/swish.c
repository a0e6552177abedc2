/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * swish: an input times its own sigmoid (Ramachandran et al. 2017).
 *
 *   y = x s        s = 1 / (1 + exp(-beta x))        any shape
 *   dx += dy (s + beta y (1 - s))
 */
#include <bnn/layer.h>

#include <math.h>

typedef struct {
    double beta;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, beta, "1", 0.01, 100, "slope of the sigmoid"), {0}};

static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){.out = l->in[0], .flops_row = 4.0 * d, .back_flops_row = 8.0 * d};
    return BNN_OK;
}

static double sigmoid(const bnn_layer *l, bnn_real x) { return 1 / (1 + exp(-((const conf *)l->object.conf)->beta * (double)x)); }

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t size = (size_t)io->n * (size_t)bnn_layer_size_in(l);
    for (size_t i = 0; i < size; i++) io->y[i] = (bnn_real)((double)io->x[0][i] * sigmoid(l, io->x[0][i]));
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t size = (size_t)io->n * (size_t)bnn_layer_size_in(l);
    double beta = ((const conf *)l->object.conf)->beta;
    for (size_t i = 0; io->dx[0] && i < size; i++) {
        double s = sigmoid(l, io->x[0][i]);
        io->dx[0][i] += (bnn_real)((double)io->dy[i] * (s + beta * (double)io->y[i] * (1 - s)));
    }
}

static const char *const checks[] = {"input:5; dense:4; swish", "input:2x3; swish:beta=2", NULL};

const bnn_layer_type bnn_layer_swish = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "swish", .summary = "an input times its own sigmoid",
             .reference = "Ramachandran et al. 2017", .caps = BNN_ELEMENTWISE, .conf_size = sizeof(conf), .options = options,
             .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};

BNN_LAYER_PLUGIN(bnn_layer_swish)
