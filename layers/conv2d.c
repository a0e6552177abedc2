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
#include <bnn/layer.h>

typedef struct {
    int channels, kernel, stride, padding, bias;
} conf;

static const char *const no_yes[] = {"no", "yes", NULL};

static const bnn_option options[] = {
    BNN_OPT_INT(conf, channels, "0", 0, 1 << 20, "channels of the result; 0 at the end of a network: as many as the likelihood needs"),
    BNN_OPT_INT(conf, kernel, "3", 1, 128, "rows and columns of pixels that a pixel of the result reads"),
    BNN_OPT_INT(conf, stride, "1", 1, 128, "pixels from one to the next"),
    BNN_OPT_INT(conf, padding, "0", 0, 127, "zeros around the image, fewer than the kernel has pixels; kernel/2 keeps the size"),
    BNN_OPT_CHOICE(conf, bias, "yes", no_yes, "add a bias to each channel"),
    {0}};

static bnn_conv conv_of(const bnn_layer *l) {
    const conf *c = l->object.conf;
    const int *in = l->in[0].d;
    return (bnn_conv){.in = in[0],
                      .height = in[1],
                      .width = in[2],
                      .out = l->plan.out.d[0],
                      .kernel = c->kernel,
                      .stride = c->stride,
                      .padding = c->padding};
}

static bnn_status check(const bnn_layer *l) {
    const conf *c = l->object.conf;
    char shape[BNN_SHAPE_TEXT];
    BNN_TRY(bnn_layer_needs_image(l));
    if (c->channels == 0 && l->out_hint == 0)
        return bnn_fail(BNN_ERR_OPTION, "option 'channels' may be left out only at the end of a network");
    if (c->padding >= c->kernel)
        return bnn_fail(BNN_ERR_OPTION, "padding=%d must be smaller than kernel=%d: pixels of nothing but zeros come of it", c->padding,
                        c->kernel);
    for (int k = 1; k < 3; k++)
        if (l->in[0].d[k] + 2 * c->padding < c->kernel)
            return bnn_fail(BNN_ERR_SHAPE,
                            "has a kernel of %dx%d pixels, but its input has shape %s: take a smaller kernel or more padding", c->kernel,
                            c->kernel, bnn_shape_print(l->in[0], shape));
    return BNN_OK;
}

static bnn_status bind(bnn_layer *l) {
    const conf *c = l->object.conf;
    BNN_TRY(check(l));
    l->plan.out = (bnn_shape){3, {c->channels > 0 ? c->channels : l->out_hint}};
    const bnn_conv g = conv_of(l);
    const double rows = (double)g.in * g.kernel * g.kernel;
    if (rows * g.out > 1 << 30) return bnn_fail(BNN_ERR_MEMORY, "has %.3g weights: too many", rows * g.out);
    l->plan.out.d[1] = bnn_conv_side(&g, g.height), l->plan.out.d[2] = bnn_conv_side(&g, g.width);
    const double flops = 2 * rows * bnn_shape_size(l->plan.out);
    l->plan.n_params = c->bias ? 2 : 1;
    l->plan.param[0] = (bnn_param){.name = "kernel", .role = BNN_WEIGHT, .rows = (int)rows, .cols = g.out, .fan_in = (int)rows};
    l->plan.param[1] = (bnn_param){.name = "bias", .role = BNN_BIAS, .cols = g.out, .fan_in = (int)rows};
    l->plan.flops_row = flops, l->plan.back_flops_row = 2 * flops;
    return BNN_OK;
}

static const bnn_real *bias(const bnn_layer *l, const bnn_real *theta) {
    const conf *c = l->object.conf;
    return c->bias ? theta + bnn_param_size(&l->plan.param[0]) : NULL;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const bnn_conv g = conv_of(l);
    bnn_conv_y(&g, io->n, io->x[0], io->theta, bias(l, io->theta), io->y);
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const bnn_conv g = conv_of(l);
    if (io->dx[0]) bnn_conv_dx(&g, io->n, io->dy, io->theta, io->dx[0]);
    if (io->dtheta) bnn_conv_dw(&g, io->n, io->x[0], io->dy, io->dtheta, (bnn_real *)bias(l, io->dtheta));
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
