/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conv_transpose2d: the transpose of a two-dimensional convolution, which makes images larger (Zeiler et al. 2010; Dumoulin & Visin 2016,
 * section 4).
 *
 *   y_o,rs+i-p,qs+j-p = b_o + sum over c, r, q, i, j of W_coij x_crq     x [n,C,R,Q]  W [C,O,K,K]  b [O]  y [n,O,H,W]
 *   H = (R - 1) s + K - 2p; W likewise of Q. K kernel, s stride, p padding.
 *   dx_crq += W_coij dy_o,rs+i-p,qs+j-p    dW_coij += x_crq dy_o,rs+i-p,qs+j-p    db_o += dy_o..      summed over what the left side lacks
 *
 * So forward is the gradient in x of conv2d from O channels to C, backward its forward. With K = s each pixel becomes a square of its own.
 *
 * Parameters: kernel [C,O K K] WEIGHT, bias [O] BIAS.
 */
#include <bnn/convolution.h>

typedef struct {
    bnn_convolution_conf convolution;
    int bias;
} conf;

static const char *const no_yes[] = {"no", "yes", NULL};

static const bnn_option options[] = {BNN_OPT_GROUP(conf, convolution, bnn_convolution_options, BNN_PRESETS("kernel", "2", "stride", "2")),
                                     BNN_OPT_CHOICE(conf, bias, "yes", no_yes, "add a bias to each channel"),
                                     {0}};

static bnn_status bind(bnn_layer *l) {
    const conf *c = l->object.conf;
    return bnn_convolution_bind(l, &c->convolution, true, c->bias);
}

static bnn_convolution convolution_of(const bnn_layer *l) {
    return bnn_convolution_of(l, &((const conf *)l->object.conf)->convolution, true);
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

static const char *const checks[] = {
    "input:2x3x4; conv_transpose2d:3; flatten; dense:2", "input:3x4x3; conv_transpose2d:2,kernel=3,stride=2,padding=1; flatten; dense:1",
    "input:1x3x2; conv_transpose2d:2,kernel=1,stride=3,bias=no; tanh; conv_transpose2d:1,3,1,2; flatten; dense:2",
    "input:2x2x5; conv_transpose2d:1,kernel=5,stride=1,padding=1; flatten; dense:1", NULL};

const bnn_layer_type bnn_layer_conv_transpose2d = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "conv_transpose2d", .summary = "transpose of a two-dimensional convolution: larger images",
             .reference = "Zeiler et al. 2010; Dumoulin & Visin 2016, section 4", .caps = BNN_CONV, .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
