/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * norm2d: channels with mean 0 and variance 1 within each image: group norm (Wu & He 2018), instance norm (Ulyanov et al. 2016), layer norm
 * (Ba et al. 2016), filter response norm (Singh & Krishnan 2020).
 *
 *   h = (x - m) / sqrt(v + eps)             x [n,C,H,W]; m, v over all M = C/G H W numbers of a group of C/G channels of one image
 *   y = scale_c h + shift_c                 y [n,C,H,W]
 *   dx += (g - mean(g) - h mean(g h)) / sqrt(v + eps),   g = scale_c dy, means over the group
 *   dscale_c += sum dy h    dshift_c += sum dy
 *
 * Groups G: 0 is one for each channel (instance norm), 1 one for all (layer norm). centre=no leaves m out: m = 0 and v = mean(x^2), there
 * is no mean(g) in dx, and with groups=0 this is filter response norm. Its threshold max(y, tau) = max(y - tau, 0) + tau is relu behind the
 * shift, and a tau that the bias of what reads it takes up.
 * Statistics are those of one image, so that rows do not interact: U is a sum over rows, as engines that sample need it, and a batch may be
 * cut anywhere.
 *
 * Parameters: scale [C] BIAS, which begins at 1, shift [C] BIAS.
 */
#include <bnn/norm.h>

#include <math.h>

typedef struct {
    int groups, centre;
    double eps;
} conf;

static const char *const no_yes[] = {"no", "yes", NULL};

static const bnn_option options[] = {
    BNN_OPT_INT(conf, groups, "0", 0, 1 << 20, "groups of channels that share mean and variance; 0: one for each channel"),
    BNN_OPT_CHOICE(conf, centre, "yes", no_yes, "subtract the mean; no: filter response norm"),
    BNN_OPT_REAL(conf, eps, "1e-5", 1e-12, 1, "added to a variance"),
    {0}};

static int groups_of(const bnn_layer *l) {
    const conf *c = l->object.conf;
    return c->groups > 0 ? c->groups : bnn_norm_channels(l);
}

static bnn_status bind(bnn_layer *l) {
    const conf *c = l->object.conf;
    char shape[BNN_SHAPE_TEXT];
    BNN_TRY(bnn_layer_needs_image(l));
    int d = bnn_layer_size_in(l), groups = groups_of(l);
    bnn_shape_print(l->in[0], shape);
    if (bnn_norm_channels(l) % groups != 0)
        return bnn_fail(BNN_ERR_SHAPE, "has %d groups, into which the %d channels of its input of shape %s cannot be divided", groups,
                        bnn_norm_channels(l), shape);
    if (d == groups && c->centre)
        return bnn_fail(BNN_ERR_SHAPE,
                        "has groups of one number on its input of shape %s, of which nothing is left without its mean: take "
                        "fewer groups",
                        shape);
    l->plan = bnn_norm_plan(l);
    l->plan.cache_row = 2 * groups, l->plan.scratch_pass = d / groups;
    l->plan.flops_row = 7.0 * d, l->plan.back_flops_row = 12.0 * d;
    return BNN_OK;
}

static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    (void)rng;
    bnn_norm_init(l, theta);
}

/* Mean and factor of the n numbers x, which come to y without their mean. */
static bnn_norm measure(const conf *c, size_t n, const bnn_real *x, bnn_real *y) {
    bnn_norm m = {.mean = c->centre ? bnn_sum(n, x) / (double)n : 0, .factor = 1};
    bnn_norm_forward(m, n, x, 1, 0, y);
    m.factor = 1 / sqrt(bnn_sum_squares(n, y) / (double)n + c->eps);
    return m;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const conf *c = l->object.conf;
    size_t plane = bnn_norm_plane(l), channels = (size_t)bnn_norm_channels(l), groups = (size_t)groups_of(l), share = channels / groups;
    for (size_t g = 0; g < (size_t)io->n * groups; g++) {
        const bnn_real *x = io->x[0] + g * share * plane;
        bnn_real *y = io->y + g * share * plane;
        const bnn_norm m = measure(c, share * plane, x, y);
        io->cache[2 * g] = (bnn_real)m.mean, io->cache[2 * g + 1] = (bnn_real)m.factor;
        for (size_t k = 0; k < share; k++, x += plane, y += plane) {
            size_t channel = g % groups * share + k;
            bnn_norm_forward(m, plane, x, io->theta[channel], io->theta[channels + channel], y);
        }
    }
}

/* dtheta +=, and the means a of g and b of g h over the group whose first channel is this. */
static void sum_group(const bnn_layer *l, bnn_io *io, size_t channel, size_t share, const bnn_real *dy, const bnn_real *h, double *a,
                      double *b) {
    size_t plane = bnn_norm_plane(l), channels = (size_t)bnn_norm_channels(l);
    *a = *b = 0;
    for (size_t k = 0; k < share; k++, dy += plane, h += plane, channel++) {
        double sum = bnn_sum(plane, dy), along = bnn_sum_products(plane, dy, h);
        *a += (double)io->theta[channel] * sum, *b += (double)io->theta[channel] * along;
        if (io->dtheta) io->dtheta[channel] += (bnn_real)along, io->dtheta[channels + channel] += (bnn_real)sum;
    }
    *a /= (double)(share * plane), *b /= (double)(share * plane);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const conf *c = l->object.conf;
    size_t plane = bnn_norm_plane(l), channels = (size_t)bnn_norm_channels(l), groups = (size_t)groups_of(l), share = channels / groups;
    bnn_real *h = io->scratch;
    for (size_t g = 0; g < (size_t)io->n * groups; g++) {
        const bnn_norm m = {.mean = io->cache[2 * g], .factor = io->cache[2 * g + 1]};
        const bnn_real *dy = io->dy + g * share * plane;
        size_t first = g % groups * share;
        double a, b;
        bnn_norm_forward(m, share * plane, io->x[0] + g * share * plane, 1, 0, h);
        sum_group(l, io, first, share, dy, h, &a, &b);
        for (size_t k = 0; io->dx[0] && k < share; k++)
            bnn_norm_backward(m, plane, h + k * plane, dy + k * plane, io->theta[first + k], c->centre ? a : 0, b,
                              io->dx[0] + (g * share + k) * plane);
    }
}

static const char *const checks[] = {"input:4x3x2; norm2d:groups=2", "input:3x1x5; norm2d; flatten; dense:2",
                                     "input:7x3x3; norm2d:centre=no", "input:13x1x2; norm2d:1,eps=0.01; tanh; flatten; dense:1", NULL};

const bnn_layer_type bnn_layer_norm2d = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "norm2d", .summary = "channels with mean 0 and variance 1 within each image",
             .reference = "Wu & He 2018; Ulyanov, Vedaldi & Lempitsky 2016; Singh & Krishnan 2020, section 3.1", .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
};
