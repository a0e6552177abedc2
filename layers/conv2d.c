/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conv2d: a two-dimensional convolution of images, channels first.
 *
 *   y_orq = b_o + sum over c, i, j of W_cijo x_c,rs+i-p,qs+j-p       x [n,C,H,W]  W [C,K,K,O]  b [O]  y [n,O,R,Q]
 *   R = (H + 2p - K) / s + 1, rounded down; Q likewise of W. x is 0 beyond its border. K kernel, s stride, p padding.
 *   dx_c,rs+i-p,qs+j-p += W_cijo dy_orq    dW_cijo += x_c,rs+i-p,qs+j-p dy_orq    db_o += dy_orq      summed over what the left side lacks
 *
 * Parameters: kernel [C K K,O] WEIGHT, bias [O] BIAS.
 */
#include <bnn/convolution.h>

typedef struct {
    bnn_convolution_conf convolution;
    int bias;
} conf;

static const char *const no_yes[] = {"no", "yes", NULL};

static const bnn_option options[] = {BNN_OPT_GROUP(conf, convolution, bnn_convolution_options, NULL),
                                     BNN_OPT_CHOICE(conf, bias, "yes", no_yes, "add a bias to each channel"),
                                     {0}};

static bnn_status bind(bnn_layer *l) {
    const conf *c = l->object.conf;
    return bnn_convolution_bind(l, &c->convolution, false, c->bias);
}

static bnn_convolution convolution_of(const bnn_layer *l) {
    return bnn_convolution_of(l, &((const conf *)l->object.conf)->convolution, false);
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const bnn_convolution g = convolution_of(l);
    bnn_convolution_y(&g, io->n, io->x[0], io->theta, bnn_layer_bias(l, io->theta), io->y);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const bnn_convolution g = convolution_of(l);
    if (io->dx[0]) bnn_convolution_dx(&g, io->n, io->dy, io->theta, io->dx[0]);
    if (io->dtheta) bnn_convolution_dw(&g, io->n, io->x[0], io->dy, io->dtheta, (bnn_real *)bnn_layer_bias(l, io->dtheta));
}

static const char *const checks[] = {"input:2x5x6; conv2d:3,padding=1; flatten; dense:2",
                                     "input:3x4x3; conv2d:2,kernel=1; flatten; dense:2",
                                     "input:1x7x18; conv2d:1,5,padding=4,bias=no; flatten; dense:1",
                                     "input:2x8x7; conv2d:3,3,stride=2,padding=2; tanh; conv2d:2,kernel=2; flatten; dense:2",
                                     "input:1x1x9; conv2d:7,kernel=3,stride=3,padding=1; flatten; dense:1",
                                     NULL};

const bnn_layer_type bnn_layer_conv2d = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "conv2d", .summary = "two-dimensional convolution of images, channels first",
             .caps = BNN_CONV, .conf_size = sizeof(conf), .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
