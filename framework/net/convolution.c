/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/convolution.h>

const bnn_option bnn_convolution_options[] = {
    BNN_OPT_INT(bnn_convolution_conf, channels, "0", 0, 1 << 20,
                "channels of the result; 0 at the end of a network: as many as the likelihood needs"),
    BNN_OPT_INT(bnn_convolution_conf, kernel, "3", 1, 128, "rows and columns of pixels that belong to one pixel on the other side"),
    BNN_OPT_INT(bnn_convolution_conf, stride, "1", 1, 128, "pixels from those of one pixel to those of the next"),
    BNN_OPT_INT(bnn_convolution_conf, padding, "0", 0, 127,
                "pixels of zeros around the image, of a transpose those cut off around the result; fewer than the kernel has"),
    {0}};

/* Pixels of y along a side with so many of x; a transpose with more than an int holds stays so large that the network refuses it. */
static int side_of(const bnn_convolution_conf *c, bool transposed, int length) {
    const bnn_conv g = {.kernel = c->kernel, .stride = c->stride, .padding = c->padding};
    const double side = (length - 1.0) * c->stride + c->kernel - 2 * c->padding;
    if (!transposed) return bnn_conv_side(&g, length);
    return side < 1 << 28 ? (int)side : 1 << 28;
}

bnn_convolution bnn_convolution_of(const bnn_layer *l, const bnn_convolution_conf *c, bool transposed) {
    const int *in = l->in[0].d, channels = c->channels > 0 ? c->channels : l->out_hint, taps = c->kernel * c->kernel;
    const int height = side_of(c, transposed, in[1]), width = side_of(c, transposed, in[2]);
    const int reads = (c->kernel + c->stride - 1) / c->stride;
    bnn_convolution g = {.transposed = transposed, .out = {3, {channels, height, width}}};
    g.conv = (bnn_conv){.in = transposed ? channels : in[0],
                        .height = transposed ? height : in[1],
                        .width = transposed ? width : in[2],
                        .out = transposed ? in[0] : channels,
                        .kernel = c->kernel,
                        .stride = c->stride,
                        .padding = c->padding,
                        .by_output = transposed};
    g.rows = transposed ? in[0] : in[0] * taps, g.cols = transposed ? channels * taps : channels;
    g.fan_in = in[0] * (transposed ? reads * reads : taps);
    const double in_pixels = (double)in[1] * in[2], out_pixels = (double)height * width;
    g.flops = 2.0 * g.rows * g.cols * (transposed ? in_pixels : out_pixels) + (transposed ? channels * out_pixels : 0);
    return g;
}

bnn_status bnn_convolution_new(const bnn_layer *l, const bnn_convolution_conf *c, bool transposed, bnn_convolution *out) {
    char shape[BNN_SHAPE_TEXT];
    BNN_TRY(bnn_layer_needs_image(l));
    if (c->channels == 0 && l->out_hint == 0)
        return bnn_fail(BNN_ERR_OPTION, "option 'channels' may be left out only at the end of a network");
    if (c->padding >= c->kernel) return bnn_fail(BNN_ERR_OPTION, "padding=%d must be smaller than kernel=%d", c->padding, c->kernel);
    const double channels = c->channels > 0 ? c->channels : l->out_hint, weights = channels * l->in[0].d[0] * c->kernel * c->kernel;
    if (weights > 1 << 28) return bnn_fail(BNN_ERR_MEMORY, "has %.3g weights: too many", weights);
    for (int k = 1; k < 3; k++)
        if (side_of(c, transposed, l->in[0].d[k]) < 1)
            return bnn_fail(BNN_ERR_SHAPE,
                            transposed ? "has kernel=%d and padding=%d, which leave nothing of its input of shape %s"
                                       : "has kernel=%d and padding=%d, which do not fit its input of shape %s",
                            c->kernel, c->padding, bnn_shape_print(l->in[0], shape));
    *out = bnn_convolution_of(l, c, transposed);
    return BNN_OK;
}

bnn_status bnn_convolution_bind(bnn_layer *l, const bnn_convolution_conf *c, bool transposed, bool bias) {
    bnn_convolution g;
    BNN_TRY(bnn_convolution_new(l, c, transposed, &g));
    l->plan = (bnn_plan){
        .out = g.out,
        .n_params = bias ? 2 : 1,
        .param = {{.name = "kernel", .role = BNN_WEIGHT, .rows = g.rows, .cols = g.cols, .fan_in = g.fan_in},
                  {.name = "bias", .role = BNN_BIAS, .cols = g.out.d[0], .fan_in = g.fan_in}},
        .flops_row = g.flops,
        .back_flops_row = 2 * g.flops,
    };
    return BNN_OK;
}

static size_t pixels_of(const bnn_convolution *g) { return (size_t)g->out.d[1] * (size_t)g->out.d[2]; }

void bnn_convolution_y(const bnn_convolution *g, int n, const bnn_real *x, const bnn_real *w, const bnn_real *b, bnn_real *y) {
    const int planes = g->out.d[0];
    if (!g->transposed) {
        bnn_conv_y(&g->conv, n, x, w, b, y);
        return;
    }
    for (int plane = 0; plane < n * planes; plane++)
        for (size_t i = 0; i < pixels_of(g); i++) y[(size_t)plane * pixels_of(g) + i] = b ? b[plane % planes] : 0;
    bnn_conv_dx(&g->conv, n, x, w, y);
}

void bnn_convolution_dx(const bnn_convolution *g, int n, const bnn_real *dy, const bnn_real *w, bnn_real *dx) {
    if (g->transposed)
        bnn_conv_add(&g->conv, n, dy, w, dx);
    else
        bnn_conv_dx(&g->conv, n, dy, w, dx);
}

void bnn_convolution_dw(const bnn_convolution *g, int n, const bnn_real *x, const bnn_real *dy, bnn_real *dw, bnn_real *db) {
    const int planes = g->out.d[0];
    if (!g->transposed) {
        bnn_conv_dw(&g->conv, n, x, dy, dw, db);
        return;
    }
    bnn_conv_dw(&g->conv, n, dy, x, dw, NULL);
    for (int plane = 0; db && plane < n * planes; plane++)
        db[plane % planes] += (bnn_real)bnn_sum(pixels_of(g), dy + (size_t)plane * pixels_of(g));
}
