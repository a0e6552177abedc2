/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/window.h>

const bnn_option bnn_window_options[] = {
    BNN_OPT_INT(bnn_window, size, "2", 0, 1 << 14, "rows and columns of a window; 0: all of the image is one window"),
    BNN_OPT_INT(bnn_window, stride, "0", 0, 1 << 14, "pixels from window to window; 0: size"),
    BNN_OPT_INT(bnn_window, padding, "0", 0, 1 << 14, "pixels beyond each border; less than size"),
    {0}};

static int windows_in(int pixels, int size, const bnn_windows *w) { return (pixels + 2 * w->padding - size) / w->stride + 1; }

bnn_windows bnn_windows_of(const bnn_layer *l) {
    const bnn_window *c = l->object.conf;
    const int *d = l->in[0].d;
    bnn_windows w = {.channels = d[0], .height = d[1], .width = d[2], .padding = c->padding};
    w.tall = c->size > 0 ? c->size : w.height, w.wide = c->size > 0 ? c->size : w.width, w.taps = w.tall * w.wide;
    w.stride = c->stride > 0 ? c->stride : c->size > 0 ? c->size : 1;
    w.rows = windows_in(w.height, w.tall, &w), w.columns = windows_in(w.width, w.wide, &w);
    return w;
}

bnn_status bnn_windows_bind(const bnn_layer *l, bnn_windows *out) {
    const bnn_window *c = l->object.conf;
    char shape[BNN_SHAPE_TEXT];
    BNN_TRY(bnn_layer_needs_image(l));
    bnn_shape_print(l->in[0], shape);
    *out = bnn_windows_of(l);
    if (c->size == 0 && (c->padding > 0 || c->stride > 0))
        return bnn_fail(BNN_ERR_OPTION, "has one window, size 0, which is all of its input of shape %s: leave out 'stride' and 'padding'",
                        shape);
    if (c->size > 0 && c->padding >= c->size)
        return bnn_fail(BNN_ERR_OPTION,
                        "has a padding of %d, which must be less than the size of the windows, %d, on its input of shape %s", c->padding,
                        c->size, shape);
    if (out->tall > out->height + 2 * c->padding || out->wide > out->width + 2 * c->padding)
        return bnn_fail(BNN_ERR_SHAPE, "has windows of %dx%d, which do not fit into its input of shape %s with a padding of %d", c->size,
                        c->size, shape, c->padding);
    return BNN_OK;
}

/* Windows 0 <= i < n whose pixel i stride + offset is one of `pixels`: from *first on, as many as are returned. */
static int windows_with(int offset, int stride, int pixels, int n, int *first) {
    int last = pixels - 1 - offset < 0 ? -1 : (pixels - 1 - offset) / stride;
    *first = offset < 0 ? (-offset + stride - 1) / stride : 0;
    if (last > n - 1) last = n - 1;
    return last < *first ? 0 : last - *first + 1;
}

bnn_window_tap bnn_windows_tap(const bnn_windows *w, int v, int number) {
    int row = v * w->stride - w->padding + number / w->wide, offset = number % w->wide - w->padding;
    bnn_window_tap tap = {0};
    if (row < 0 || row >= w->height) return tap;
    tap.n = windows_with(offset, w->stride, w->width, w->columns, &tap.first);
    if (tap.n > 0) tap.at = (size_t)row * (size_t)w->width + (size_t)(tap.first * w->stride + offset);
    return tap;
}

/* Pixels of a window that begins at `start`, out of `pixels`. */
static int seen(int start, int size, int pixels) {
    int from = start < 0 ? 0 : start, to = start + size > pixels ? pixels : start + size;
    return to - from;
}

int bnn_windows_count(const bnn_windows *w, int v, int u) {
    return seen(v * w->stride - w->padding, w->tall, w->height) * seen(u * w->stride - w->padding, w->wide, w->width);
}
