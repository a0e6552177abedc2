/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/cost.h>
#include <bnn/jobs.h>
#include <bnn/minibatch.h>

#include <math.h>
#include <string.h>

const char *const bnn_augmentations[] = {"none", "flip", "crop", "shift", NULL};
enum { NONE = 1, FLIP = 2, CROP = 4, SHIFT = 8 }; /* bnn_minibatch.augmented: a bit for each */

enum { SHIFTED = 8, CROPPED = 4 }; /* up to this part of a side is shifted over the edge, or cut off */

/* The bit of a word of n characters; 0: it is none. */
static unsigned bit_of(const char *word, size_t n) {
    for (int k = 0; bnn_augmentations[k]; k++)
        if (strlen(bnn_augmentations[k]) == n && strncmp(bnn_augmentations[k], word, n) == 0) return 1u << k;
    return 0;
}

static bnn_status read_words(const char *text, unsigned *out) {
    unsigned all = 0;
    for (const char *at = text + strspn(text, "{},"); *at; at += strspn(at, "{},")) {
        size_t n = strcspn(at, "{},");
        unsigned bit = bit_of(at, n);
        if (!bit) return bnn_fail(BNN_ERR_OPTION, "augment: '%.*s' is none of none, flip, crop, shift", (int)n, at);
        all |= bit, at += n;
    }
    if (all & NONE && all != NONE) return bnn_fail(BNN_ERR_OPTION, "augment: 'none' does not go with others");
    *out = all & ~(unsigned)NONE;
    return BNN_OK;
}

bnn_status bnn_minibatch_augment(bnn_minibatch *b, const bnn_data *data, const char *how) {
    BNN_TRY(read_words(how ? how : "", &b->augmented));
    if (!b->augmented) return BNN_OK;
    if (data->x_shape.rank != 3) return bnn_fail(BNN_ERR_SHAPE, "augment=%s is for images, and a row is a vector", how);
    b->plain_x = bnn_reals_new((size_t)b->rows * b->in);
    b->plain_y = bnn_reals_new((size_t)b->rows * b->y_dim);
    return b->plain_x && b->plain_y ? BNN_OK : bnn_oom("minibatches");
}

/* Where a side of a changed image comes from: pixel i from start + step i, counted from the centre of the first one. */
typedef struct {
    int n;
    double start, step;
} side;

/* Cuts off a share of `cut` of what a side of n pixels may lose; u[2] are uniform: where the rest lies, and how far it is shifted. */
static side draw_side(int n, unsigned augmented, double cut, const bnn_real u[2]) {
    side s = {.n = n, .step = 1};
    if (augmented & CROP) s.step = 1 - cut / CROPPED, s.start = (double)u[0] * (1 - s.step) * n + 0.5 * s.step - 0.5;
    const int most = n / SHIFTED;
    if (augmented & SHIFT) s.start += s.step * (floor((double)u[1] * (2 * most + 1)) - most);
    return s;
}

/* Two neighbours and the share of the second; beyond an edge its pixels go on. */
typedef struct {
    int first, second, nearest; /* nearest: -1 beyond the edge */
    double share;
} place;

static place find(const side *s, int i) {
    const double at = s->start + s->step * i, in = fmin(fmax(at, 0), s->n - 1);
    place p = {.first = (int)in, .nearest = (int)floor(at + 0.5)};
    p.second = p.first + 1 < s->n ? p.first + 1 : p.first, p.share = in - p.first;
    if (p.nearest < 0 || p.nearest >= s->n) p.nearest = -1;
    return p;
}

static double between(double a, double b, double share) { return a + share * (b - a); }

typedef struct {
    const bnn_minibatch *b;
    const bnn_data *data;
    int from; /* place of the minibatch in the order */
    bnn_rng rng;
} changed;

static void change_row(const changed *c, int k) {
    enum { CUT, ROW, COLUMN = ROW + 2, MIRROR = COLUMN + 2, NUMBERS };
    const bnn_minibatch *b = c->b;
    const int channels = c->data->x_shape.d[0], height = c->data->x_shape.d[1], width = c->data->x_shape.d[2];
    const size_t plane = (size_t)height * (size_t)width;
    const bool map = bnn_is_map(c->data->y_shape);
    bnn_real *x = b->x + (size_t)k * b->in, *y = b->y + (size_t)k * b->y_dim, u[NUMBERS];
    const bnn_real *from_x = b->plain_x + (size_t)k * b->in, *from_y = b->plain_y + (size_t)k * b->y_dim;
    bnn_rng_uniform(c->rng, (uint64_t)b->order[c->from + k], 1, NUMBERS, u);
    const side rows = draw_side(height, b->augmented, (double)u[CUT], u + ROW),
               columns = draw_side(width, b->augmented, (double)u[CUT], u + COLUMN);
    const bool mirrored = b->augmented & FLIP && u[MIRROR] < (bnn_real)0.5;
    for (int i = 0; i < height; i++) {
        const place r = find(&rows, i);
        for (int j = 0; j < width; j++) {
            const place q = find(&columns, mirrored ? width - 1 - j : j);
            const size_t to = (size_t)i * (size_t)width + (size_t)j;
            for (int channel = 0; channel < channels; channel++) {
                const bnn_real *one = from_x + (size_t)channel * plane + (size_t)r.first * (size_t)width;
                const bnn_real *two = from_x + (size_t)channel * plane + (size_t)r.second * (size_t)width;
                const double above = between((double)one[q.first], (double)one[q.second], q.share);
                const double below = between((double)two[q.first], (double)two[q.second], q.share);
                x[(size_t)channel * plane + to] = (bnn_real)between(above, below, r.share);
            }
            if (map) y[to] = r.nearest < 0 || q.nearest < 0 ? -1 : from_y[(size_t)r.nearest * (size_t)width + (size_t)q.nearest];
        }
    }
}

static void change_rows(void *context, int first, int n) {
    const changed *c = context;
    const bnn_minibatch *b = c->b;
    const size_t from = (size_t)first, rows = (size_t)n;
    memcpy(b->plain_x + from * b->in, b->x + from * b->in, rows * b->in * sizeof *b->x);
    memcpy(b->plain_y + from * b->y_dim, b->y + from * b->y_dim, rows * b->y_dim * sizeof *b->y);
    for (int k = first; k < first + n; k++) change_row(c, k);
}

void bnn_minibatch_change(bnn_minibatch *b, const bnn_data *data, int i, bnn_rng rng) {
    const int from = i * b->rows, m = data->n - from < b->rows ? data->n - from : b->rows;
    if (b->augmented) bnn_parts_run(m, 1, change_rows, &(changed){.b = b, .data = data, .from = from, .rng = rng});
}
