/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * batchnorm: units with mean 0 and variance 1 over the batch (Ioffe & Szegedy 2015, algorithms 1 and 2, without scale and shift).
 *
 *   y = (x - m) / sqrt(v + eps)             x, y [n,D]; in training m, v [D] are those of the batch, else the running ones
 *   dx += (dy - mean(dy) - y mean(dy y)) / sqrt(v + eps)        means over the batch; out of training dx += dy / sqrt(v + eps)
 *
 * The running ones are a share of the last batch's, whose variance is over n - 1, and the rest of what they were.
 *
 * Parameters: mean [D] STATE, var [D] STATE.
 */
#include <bnn/layer.h>

#include <math.h>

typedef struct {
    double share, eps;
} conf;

static const bnn_option options[] = {{.name = "share",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, share),
                                      .preset = "0.1",
                                      .min = 1e-6,
                                      .max = 1,
                                      .help = "of the last batch in the running mean and variance"},
                                     {.name = "eps",
                                      .kind = BNN_OPTION_REAL,
                                      .offset = offsetof(conf, eps),
                                      .preset = "1e-5",
                                      .min = 1e-12,
                                      .max = 1,
                                      .help = "added to a variance"},
                                     {0}};

static bnn_status bind(bnn_layer *l) {
    BNN_TRY(bnn_layer_needs_vector(l));
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){
        .out = l->in[0],
        .n_params = 2,
        .param = {{.name = "mean", .role = BNN_STATE, .cols = d, .fan_in = 1}, {.name = "var", .role = BNN_STATE, .cols = d, .fan_in = 1}},
        .flops_row = 8.0 * d,
        .back_flops_row = 10.0 * d,
    };
    return BNN_OK;
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    size_t d = (size_t)bnn_layer_size_in(l);
    (void)rng;
    for (size_t i = 0; i < 2 * d; i++) theta[i] = i >= d;
}

/* Of unit i over the batch; var times n. */
static double batch_mean(const bnn_io *io, size_t d, size_t i) {
    double sum = 0;
    for (size_t r = 0; r < (size_t)io->n; r++) sum += (double)io->x[0][r * d + i];
    return sum / io->n;
}

static double batch_squares(const bnn_io *io, size_t d, size_t i, double mean) {
    double sum = 0;
    for (size_t r = 0; r < (size_t)io->n; r++) sum += pow((double)io->x[0][r * d + i] - mean, 2);
    return sum;
}

static double scale_of(const bnn_layer *l, double var) { return 1 / sqrt(fmax(var, 0) + ((const conf *)l->object.conf)->eps); }

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t i = 0; i < d; i++) {
        double mean = io->train ? batch_mean(io, d, i) : (double)io->theta[i];
        double scale = scale_of(l, io->train ? batch_squares(io, d, i, mean) / io->n : (double)io->theta[d + i]);
        for (size_t r = 0; r < (size_t)io->n; r++) io->y[r * d + i] = (bnn_real)(((double)io->x[0][r * d + i] - mean) * scale);
    }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    for (size_t i = 0; io->dx[0] && i < d; i++) {
        double scale = scale_of(l, io->train ? batch_squares(io, d, i, batch_mean(io, d, i)) / io->n : (double)io->theta[d + i]);
        double sum = 0, along = 0;
        for (size_t r = i; io->train && r < (size_t)io->n * d; r += d)
            sum += (double)io->dy[r] / io->n, along += (double)io->dy[r] * (double)io->y[r] / io->n;
        for (size_t r = i; r < (size_t)io->n * d; r += d)
            io->dx[0][r] += (bnn_real)(scale * ((double)io->dy[r] - sum - (double)io->y[r] * along));
    }
}

static void absorb(const bnn_layer *l, const bnn_io *io, bnn_real *theta) {
    size_t d = (size_t)bnn_layer_size_in(l);
    double share = ((const conf *)l->object.conf)->share;
    for (size_t i = 0; io->n > 1 && i < d; i++) {
        double mean = batch_mean(io, d, i), var = batch_squares(io, d, i, mean) / (io->n - 1);
        theta[i] += (bnn_real)(share * (mean - (double)theta[i]));
        theta[d + i] += (bnn_real)(share * (var - (double)theta[d + i]));
    }
}

static const char *const checks[] = {"input:5; batchnorm; dense:3", "input:4; dense:3; batchnorm:share=0.5; tanh; dense:2", NULL};

const bnn_layer_type bnn_layer_batchnorm = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "batchnorm", .summary = "units with mean 0 and variance 1 over the batch",
             .reference = "Ioffe & Szegedy 2015, algorithms 1 and 2", .caps = BNN_COUPLED, .conf_size = sizeof(conf), .options = options,
             .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
    .absorb = absorb,
};

BNN_LAYER_PLUGIN(bnn_layer_batchnorm)
