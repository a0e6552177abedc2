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
#include <bnn/layer.h>

#include <string.h>

typedef struct {
    int channels, kernel, stride, padding, bias;
} conf;

static const char *const no_yes[] = {"no", "yes", NULL};

static const bnn_option options[] = {
    BNN_OPT_INT(conf, channels, "0", 0, 1 << 20, "channels of the result; 0 at the end of a network: as many as the likelihood needs"),
    BNN_OPT_INT(conf, kernel, "2", 1, 128, "rows and columns of pixels that a pixel becomes"),
    BNN_OPT_INT(conf, stride, "2", 1, 128, "pixels of the result from one pixel's to the next one's"),
    BNN_OPT_INT(conf, padding, "0", 0, 127, "pixels of the result that are cut off at each border; fewer than the kernel has"),
    BNN_OPT_CHOICE(conf, bias, "yes", no_yes, "add a bias to each channel"),
    {0}};

/* The convolution from y to x. */
static bnn_conv conv_of(const bnn_layer *l) {
    const conf *c = l->object.conf;
    const int *out = l->plan.out.d;
    return (bnn_conv){.in = out[0],
                      .height = out[1],
                      .width = out[2],
                      .out = l->in[0].d[0],
                      .kernel = c->kernel,
                      .stride = c->stride,
                      .padding = c->padding,
                      .by_output = true};
}

static bnn_status check(const bnn_layer *l) {
    const conf *c = l->object.conf;
    char shape[BNN_SHAPE_TEXT];
    BNN_TRY(bnn_layer_needs_image(l));
    if (c->channels == 0 && l->out_hint == 0)
        return bnn_fail(BNN_ERR_OPTION, "option 'channels' may be left out only at the end of a network");
    if (c->padding >= c->kernel) return bnn_fail(BNN_ERR_OPTION, "padding=%d must be smaller than kernel=%d", c->padding, c->kernel);
    for (int k = 1; k < 3; k++)
        if ((l->in[0].d[k] - 1.0) * c->stride + c->kernel - 2 * c->padding < 1)
            return bnn_fail(BNN_ERR_SHAPE, "cuts off padding=%d pixels at each border, which leaves nothing of its input of shape %s",
                            c->padding, bnn_shape_print(l->in[0], shape));
    return BNN_OK;
}

/* Pixels of y along a side; more than an int holds stay so many that the network refuses them. */
static int side_of(const conf *c, int length) {
    const double side = (length - 1.0) * c->stride + c->kernel - 2 * c->padding;
    return side < 1 << 28 ? (int)side : 1 << 28;
}

static bnn_status bind(bnn_layer *l) {
    const conf *c = l->object.conf;
    const int *in = l->in[0].d;
    BNN_TRY(check(l));
    const int out = c->channels > 0 ? c->channels : l->out_hint, reads = (c->kernel + c->stride - 1) / c->stride;
    const double cols = (double)out * c->kernel * c->kernel, fan_in = (double)in[0] * reads * reads;
    if (in[0] * cols > 1 << 30) return bnn_fail(BNN_ERR_MEMORY, "has %.3g weights: too many", in[0] * cols);
    l->plan.out = (bnn_shape){3, {out, side_of(c, in[1]), side_of(c, in[2])}};
    const double flops = 2 * cols * bnn_layer_size_in(l);
    l->plan.n_params = c->bias ? 2 : 1;
    l->plan.param[0] = (bnn_param){.name = "kernel", .role = BNN_WEIGHT, .rows = in[0], .cols = (int)cols, .fan_in = (int)fan_in};
    l->plan.param[1] = (bnn_param){.name = "bias", .role = BNN_BIAS, .cols = out, .fan_in = (int)fan_in};
    l->plan.scratch_row = bnn_layer_size_in(l);
    l->plan.flops_row = flops + bnn_shape_size(l->plan.out), l->plan.back_flops_row = 2 * flops;
    return BNN_OK;
}

static size_t pixels_of(bnn_shape s) { return (size_t)s.d[1] * (size_t)s.d[2]; }

static const bnn_real *bias(const bnn_layer *l, const bnn_real *theta) {
    const conf *c = l->object.conf;
    return c->bias ? theta + bnn_param_size(&l->plan.param[0]) : NULL;
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const bnn_conv g = conv_of(l);
    const bnn_real *b = bias(l, io->theta);
    const size_t pixels = pixels_of(l->plan.out);
    for (int plane = 0; plane < io->n * g.in; plane++)
        for (size_t i = 0; i < pixels; i++) io->y[(size_t)plane * pixels + i] = b ? b[plane % g.in] : 0;
    bnn_conv_dx(&g, io->n, io->x[0], io->theta, io->y);
}

/* The convolution's y is dy's way to dx; its own bias is none of ours. */
static void backward(const bnn_layer *l, bnn_io *io) {
    const bnn_conv g = conv_of(l);
    const size_t in = (size_t)io->n * (size_t)bnn_layer_size_in(l), pixels = pixels_of(l->plan.out);
    bnn_real *db = io->dtheta ? (bnn_real *)bias(l, io->dtheta) : NULL;
    if (io->dx[0]) {
        bnn_conv_y(&g, io->n, io->dy, io->theta, NULL, io->scratch);
        for (size_t i = 0; i < in; i++) io->dx[0][i] += io->scratch[i];
    }
    if (io->dtheta) bnn_conv_dw(&g, io->n, io->dy, io->x[0], io->dtheta, NULL);
    for (int plane = 0; db && plane < io->n * g.in; plane++) db[plane % g.in] += (bnn_real)bnn_sum(pixels, io->dy + (size_t)plane * pixels);
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
