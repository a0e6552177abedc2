/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * window.h: what layers share that make one pixel of each window of an image.
 *
 *   x [n,C,H,W],  y [n,C,V,U]               V = floor((H + 2 padding - size) / stride) + 1, U likewise of W
 *
 * y_vu sees the pixels (v stride - padding + k, u stride - padding + l), k, l < size, of its channel, as far as they are there: what lies
 * beyond the border is left out. Tap number k wide + l is the pair (k,l): the pixels that it has in one row of windows stand `stride`
 * apart.
 */
#ifndef BNN_WINDOW_H
#define BNN_WINDOW_H

#include <bnn/layer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Options of a layer whose conf is a bnn_window. */
typedef struct {
    int size;    /* rows and columns; 0: all of the image is one window */
    int stride;  /* pixels from window to window; 0: size */
    int padding; /* pixels beyond each border */
} bnn_window;
extern const bnn_option bnn_window_options[]; /* their table */

/* Windows of a layer in its place. */
typedef struct {
    int channels, height, width; /* C, H, W */
    int rows, columns;           /* V, U */
    int tall, wide, taps;        /* rows and columns of a window, and their product */
    int stride, padding;         /* as in bnn_window, never 0 for `stride` */
} bnn_windows;

/* For bind: the windows of a layer whose conf is a bnn_window. Refuses an input that is no image, and windows that do not fit it. */
bnn_status bnn_windows_bind(const bnn_layer *l, bnn_windows *out);
/* The same of a layer that is bound. */
bnn_windows bnn_windows_of(const bnn_layer *l);

/* Pixels of a tap in one row of windows. */
typedef struct {
    int first, n; /* windows first .. first + n - 1 have one each; n = 0: none has */
    size_t at;    /* number of the first one's in the plane [H,W]; the next ones follow `stride` apart */
} bnn_window_tap;
bnn_window_tap bnn_windows_tap(const bnn_windows *w, int v, int tap); /* of tap number `tap` in row v */

int bnn_windows_count(const bnn_windows *w, int v, int u); /* pixels that window (v,u) sees; at least 1 */

#ifdef __cplusplus
}
#endif

#endif
