/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "picture.h"

#include <bnn/cost.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bnn_status bnn_picture_room(const char *path, bnn_picture *out) {
    double bytes = (double)out->width * out->height * out->channels;
    BNN_TRY(bnn_memory_check(bytes, path, "take a smaller picture"));
    out->v = malloc((size_t)bytes + 1);
    return out->v ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "%s: out of memory for its pixels", path);
}

/* The pixels of a row, or of a column, that a new one is made of: from `first` on, with these shares. */
typedef struct {
    int first, n;
    double *share; /* [most] */
} reach;

static int most_reach(int from, int to) { return from / to + 3; }

/* Fewer pixels are each the mean of the stretch that they cover; more of them stand between two centres. */
static void find_reach(int from, int to, int i, reach *out) {
    if (to < from) {
        const double a = (double)i * from / to, b = (double)(i + 1) * from / to;
        out->first = (int)a, out->n = 0;
        for (int k = out->first; k < from && k < b; k++) out->share[out->n++] = (fmin(k + 1, b) - fmax(k, a)) / (b - a);
        return;
    }
    const double centre = fmin(fmax((i + 0.5) * from / to - 0.5, 0), from - 1);
    out->first = (int)centre, out->n = out->first + 1 < from ? 2 : 1;
    out->share[0] = 1 - (centre - out->first), out->share[1] = centre - out->first;
}

static double grey(const uint8_t *rgb) { return (299.0 * rgb[0] + 587.0 * rgb[1] + 114.0 * rgb[2]) / 1000; }

/* One channel of a pixel, as the frame wants it. */
static double value_of(const bnn_picture *p, const bnn_picture_frame *f, int channel, int row, int column) {
    const uint8_t *v = p->v + ((size_t)row * (size_t)p->width + (size_t)column) * (size_t)p->channels;
    return p->channels == 1 ? v[0] : f->channels == 1 ? grey(v) : v[channel];
}

/* wide[height of the picture, width in the frame] of a channel: rows as wide as they shall be. */
static void fit_rows(const bnn_picture *p, const bnn_picture_frame *f, int channel, reach *r, double *wide) {
    for (int j = 0; j < f->width; j++) {
        find_reach(p->width, f->width, j, r);
        for (int row = 0; row < p->height; row++) {
            double sum = 0;
            for (int k = 0; k < r->n; k++) sum += r->share[k] * value_of(p, f, channel, row, r->first + k);
            wide[(size_t)row * (size_t)f->width + (size_t)j] = sum;
        }
    }
}

static size_t corner(const bnn_picture_frame *f) {
    return (size_t)((f->frame_height - f->height) / 2) * (size_t)f->frame_width + (size_t)((f->frame_width - f->width) / 2);
}

static void fit_columns(const bnn_picture *p, const bnn_picture_frame *f, reach *r, const double *wide, uint8_t *to) {
    for (int i = 0; i < f->height; i++) {
        find_reach(p->height, f->height, i, r);
        for (int j = 0; j < f->width; j++) {
            double sum = 0;
            for (int k = 0; k < r->n; k++) sum += r->share[k] * wide[(size_t)(r->first + k) * (size_t)f->width + (size_t)j];
            to[(size_t)i * (size_t)f->frame_width + (size_t)j] = (uint8_t)fmin(floor(sum + 0.5), 255);
        }
    }
}

bnn_status bnn_picture_fit(const bnn_picture *p, const bnn_picture_frame *f, uint8_t *to) {
    const size_t plane = (size_t)f->frame_width * (size_t)f->frame_height;
    const int rows = most_reach(p->width, f->width), columns = most_reach(p->height, f->height);
    reach r = {.share = malloc((size_t)(rows > columns ? rows : columns) * sizeof *r.share)};
    double *wide = malloc(((size_t)p->height * (size_t)f->width + 1) * sizeof *wide);
    bnn_status s = r.share && wide ? BNN_OK : bnn_fail(BNN_ERR_MEMORY, "out of memory for a picture of %dx%d", p->width, p->height);
    for (int c = 0; s == BNN_OK && c < f->channels; c++) {
        memset(to + (size_t)c * plane, 0, plane);
        fit_rows(p, f, c, &r, wide);
        fit_columns(p, f, &r, wide, to + (size_t)c * plane + corner(f));
    }
    free(r.share), free(wide);
    return s;
}

/* The pixel whose centre is nearest to that of new pixel i. */
static size_t nearest(int from, int to, int i) { return (size_t)((2 * (int64_t)i + 1) * from / (2 * (int64_t)to)); }

void bnn_picture_fit_labels(const bnn_picture *p, const bnn_picture_frame *f, int void_label, double *y) {
    const size_t n = (size_t)f->frame_width * (size_t)f->frame_height;
    for (size_t i = 0; i < n; i++) y[i] = -1;
    for (int i = 0; i < f->height; i++)
        for (int j = 0; j < f->width; j++) {
            int label = p->v[nearest(p->height, f->height, i) * (size_t)p->width + nearest(p->width, f->width, j)];
            y[corner(f) + (size_t)i * (size_t)f->frame_width + (size_t)j] = label == void_label ? -1 : label;
        }
}
