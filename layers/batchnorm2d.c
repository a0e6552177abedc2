/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * batchnorm2d: channels with mean 0 and variance 1 over all images of a batch (Ioffe & Szegedy 2015, algorithm 2 and section 3.2).
 *
 *   h = (x - m_c) / sqrt(v_c + eps)         x [n,C,H,W]; in training m, v [C] are those of a channel's n H W numbers, else running ones
 *   y = scale_c h + shift_c                 y [n,C,H,W]
 *   dx += scale_c (dy - mean(dy) - h mean(dy h)) / sqrt(v + eps)        means over the batch; out of training without them
 *   dscale_c += sum dy h    dshift_c += sum dy
 *
 * The running ones are a share of the last batch's, whose variance is over n H W - 1, and the rest of what they were. In training the rows
 * of a batch interact: U is no sum over rows, and engines that sample refuse the layer. norm2d has no such memory; channel_affine is what
 * is left of a batch norm that learns no more.
 *
 * Parameters: scale [C] BIAS, which begins at 1, shift [C] BIAS, mean [C] STATE, var [C] STATE.
 */
#include <bnn/norm.h>

#include <math.h>

typedef struct {
    double share, eps;
} conf;

static const bnn_option options[] = {
    BNN_OPT_REAL(conf, share, "0.1", 1e-6, 1,
                 "of the last batch in the running mean and variance (1 - momentum of Keras, momentum of PyTorch)"),
    BNN_OPT_REAL(conf, eps, "1e-5", 1e-12, 1, "added to a variance"),
    {0}};

static bnn_status bind(bnn_layer *l) {
    BNN_TRY(bnn_layer_needs_image(l));
    int d = bnn_layer_size_in(l), channels = bnn_norm_channels(l);
    l->plan = bnn_norm_plan(l);
    l->plan.n_params = 4;
    l->plan.param[2] = (bnn_param){.name = "mean", .role = BNN_STATE, .cols = channels, .fan_in = 1};
    l->plan.param[3] = (bnn_param){.name = "var", .role = BNN_STATE, .cols = channels, .fan_in = 1};
    l->plan.cache_row = 2 * channels, l->plan.scratch_pass = (int)bnn_norm_plane(l);
    l->plan.flops_row = 8.0 * d, l->plan.back_flops_row = 16.0 * d;
    return BNN_OK;
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    int channels = bnn_norm_channels(l);
    (void)rng;
    bnn_norm_init(l, theta);
    for (int c = 0; c < channels; c++) theta[2 * channels + c] = 0, theta[3 * channels + c] = 1;
}

/* Mean and variance of channel c over the batch, into the cache of every row; y of the channel is overwritten. */
static void measure(const bnn_layer *l, bnn_io *io, size_t c) {
    size_t plane = bnn_norm_plane(l), d = (size_t)bnn_layer_size_in(l), width = (size_t)l->plan.cache_row;
    const double n = (double)io->n * (double)plane;
    double sum = 0, squares = 0;
    for (size_t r = 0; r < (size_t)io->n; r++) sum += bnn_sum(plane, io->x[0] + r * d + c * plane);
    const bnn_norm m = {.mean = sum / n, .factor = 1};
    for (size_t r = 0; r < (size_t)io->n; r++) {
        bnn_real *y = io->y + r * d + c * plane;
        bnn_norm_forward(m, plane, io->x[0] + r * d + c * plane, 1, 0, y);
        squares += bnn_sum_squares(plane, y);
    }
    for (size_t r = 0; r < (size_t)io->n; r++)
        io->cache[r * width + 2 * c] = (bnn_real)m.mean, io->cache[r * width + 2 * c + 1] = (bnn_real)(squares / n);
}

/* Those of the batch in training, else the running ones. */
static bnn_norm norm_of(const bnn_layer *l, const bnn_io *io, size_t c) {
    size_t channels = (size_t)bnn_norm_channels(l);
    double var = io->train ? io->cache[2 * c + 1] : io->theta[3 * channels + c];
    return (bnn_norm){.mean = io->train ? io->cache[2 * c] : io->theta[2 * channels + c],
                      .factor = 1 / sqrt(fmax(var, 0) + ((const conf *)l->object.conf)->eps)};
}

static void forward(const bnn_layer *l, bnn_io *io) {
    size_t plane = bnn_norm_plane(l), channels = (size_t)bnn_norm_channels(l), d = channels * plane;
    for (size_t c = 0; io->n > 0 && c < channels; c++) {
        if (io->train) measure(l, io, c);
        const bnn_norm m = norm_of(l, io, c);
        for (size_t at = c * plane; at < (size_t)io->n * d; at += d)
            bnn_norm_forward(m, plane, io->x[0] + at, io->theta[c], io->theta[channels + c], io->y + at);
    }
}

static void backward(const bnn_layer *l, bnn_io *io) {
    size_t plane = bnn_norm_plane(l), channels = (size_t)bnn_norm_channels(l), d = channels * plane, end = (size_t)io->n * d;
    const bnn_real *x = io->x[0], *dy = io->dy;
    bnn_real *h = io->scratch;
    for (size_t c = 0; io->n > 0 && c < channels; c++) {
        const bnn_norm m = norm_of(l, io, c);
        double sum = 0, along = 0, share = io->train ? (double)io->theta[c] / ((double)io->n * (double)plane) : 0;
        for (size_t at = c * plane; at < end; at += d) {
            bnn_norm_forward(m, plane, x + at, 1, 0, h);
            sum += bnn_sum(plane, dy + at), along += bnn_sum_products(plane, dy + at, h);
        }
        if (io->dtheta) io->dtheta[c] += (bnn_real)along, io->dtheta[channels + c] += (bnn_real)sum;
        for (size_t at = c * plane; io->dx[0] && at < end; at += d) {
            bnn_norm_forward(m, plane, x + at, 1, 0, h);
            bnn_norm_backward(m, plane, h, dy + at, io->theta[c], share * sum, share * along, io->dx[0] + at);
        }
    }
}

static void absorb(const bnn_layer *l, const bnn_io *io, bnn_real *theta) {
    size_t channels = (size_t)bnn_norm_channels(l);
    const double share = ((const conf *)l->object.conf)->share, n = (double)io->n * (double)bnn_norm_plane(l);
    bnn_real *mean = theta + 2 * channels, *var = mean + channels;
    for (size_t c = 0; n > 1 && c < channels; c++) {
        mean[c] += (bnn_real)(share * ((double)io->cache[2 * c] - (double)mean[c]));
        var[c] += (bnn_real)(share * ((double)io->cache[2 * c + 1] * n / (n - 1) - (double)var[c]));
    }
}

static const char *const checks[] = {"input:3x2x4; batchnorm2d", "input:7x1x3; batchnorm2d:share=0.5; tanh; flatten; dense:2",
                                     "input:2x3x3; batchnorm2d:eps=0.01; flatten; dense:1", NULL};

const bnn_layer_type bnn_layer_batchnorm2d = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "batchnorm2d", .summary = "channels with mean 0 and variance 1 over a batch of images",
             .reference = "Ioffe & Szegedy 2015, algorithm 2 and section 3.2", .caps = BNN_COUPLED, .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
    .absorb = absorb,
};
