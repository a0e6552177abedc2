/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * conv.c: convolutions of images as products whose second operand is never written down.
 *
 * Planes of an image are copied into a buffer with zeros around them, row after row at one pitch, and, where a kernel steps over pixels,
 * apart by phases: planes of every stride-th row and column. There a pixel of the kernel is a shift, the same for all pixels of the result,
 * which stand at that pitch, too:
 *
 *   result[o][pixel] = sum over p = (plane, kernel pixel) of w[o][p] buffer[shift[p] + pixel]
 *
 * So the tiles of products run along pixels (docs/decisions/0011-convolutions.md). Pixels between the rows of a result come out as nonsense
 * and are left behind. The gradient of x is such a sum over dy with the kernel turned round, one for each phase of x; the gradient of the
 * kernel sums products over pixels in lanes. Every element is a sum in an order that follows from the sizes of one image, so neither
 * threads nor the number of images in a call are seen.
 */
#include <bnn/jobs.h>
#include <bnn/kernels.h>

#include "simd.h"
#include <stdalign.h>
#include <string.h>

enum {
    LANES = 16,       /* of the widest vector */
    BUFFER = 1 << 16, /* reals of planes: half of a second cache */
    RESULT = 1 << 15, /* reals of results */
    TOGETHER = 32,    /* planes of a result that are to have room there; half as many of dy, whose sums over pixels then are longer */
    STRETCH = 512,    /* terms of a sum at a time */
    ROW = 32,         /* pixels of a row, for which a plane's share of the buffer should suffice */
    LONGEST_ROW = 1024,
    PIXELS = 1024 /* at a time, of kernels that are plain products */
};
#define PARALLEL_FLOPS 8e6 /* below, sharing costs as much as it saves */

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }
static int up(int a, int b) { return (a + b - 1) / b; }

/* Taps along one side: which pixels of the source a pixel of the result reads there. */
typedef struct {
    int n;            /* pixels of the result */
    int target, step; /* pixel of the target that the first one is, and how far apart they are there */
    int source;       /* pixel of the source that the buffer begins with */
    int taps, tap;    /* of the kernel that are read, and the first of them; `stride` of the sweep apart */
    int reach;        /* pixels of the buffer that follow the n */
} side;

/* One way through a convolution: from x to y, or from dy to one phase of dx. */
typedef struct {
    const bnn_conv *g;
    bool back, add; /* from dy to dx; onto what is in the target */
    int images;
    int planes, height, width; /* of a source image */
    int results, tall, wide;   /* of a target image */
    const bnn_real *source, *w, *b;
    bnn_real *target;
    side down, across;
    int phases;                         /* planes of the buffer for one of the source: phases^2 */
    ptrdiff_t w_plane, w_result, w_tap; /* strides in w */
    /* Cut of the work: */
    int depth;         /* planes of the source in the buffer together */
    int rows, columns; /* of the result in a block */
} sweep;

/* A block of pixels of one image. */
typedef struct {
    int image, row, column, rows, columns;
    int pitch, plane; /* reals from row to row, and from plane to plane of the buffer */
    int pixels;       /* of the result at that pitch, up to whole vectors */
} block;

static size_t area(int height, int width) { return (size_t)height * (size_t)width; }

/* ---------------------------------------------------------------- planning */

static side forward_side(const bnn_conv *g, int length) {
    return (side){.n = bnn_conv_side(g, length), .step = 1, .source = -g->padding, .taps = g->kernel, .reach = (g->kernel - 1) / g->stride};
}

/* Pixels of x in this phase: those that are number u stride + phase - padding. */
static side back_side(const bnn_conv *g, int length, int phase) {
    side s = {.step = g->stride, .tap = phase, .taps = phase < g->kernel ? (g->kernel - 1 - phase) / g->stride + 1 : 0};
    const int first = phase < g->padding ? up(g->padding - phase, g->stride) : 0, beyond = length + g->padding - phase;
    s.reach = s.taps - 1;
    s.target = first * g->stride + phase - g->padding;
    s.source = first - s.reach;
    s.n = beyond > 0 ? smaller(up(beyond, g->stride), bnn_conv_side(g, length) + s.reach) - first : 0;
    return s;
}

/* As many planes as leave room for a part of a row, then as much of a row, and as many rows, as go with them. */
static void cut(sweep *s, int together) {
    const int room = BUFFER / (s->phases * s->phases), least = smaller(s->across.n, ROW) + s->across.reach, tall = 1 + s->down.reach;
    s->depth = s->planes, s->columns = smaller(s->across.n, LONGEST_ROW);
    while (s->depth > 1 && area(s->depth * tall, least) > (size_t)room) s->depth = up(s->depth, 2);
    while (s->columns > 1 && area(s->depth * tall, s->columns + s->across.reach) > (size_t)room) s->columns = up(s->columns, 2);
    const int pitch = s->columns + s->across.reach, fit = room / (s->depth * pitch) - s->down.reach,
              hold = (RESULT / smaller(s->results, together) - LANES) / pitch;
    s->rows = larger(1, smaller(s->down.n, smaller(fit, hold)));
    s->rows = up(s->down.n, up(s->down.n, s->rows));
    s->columns = up(s->across.n, up(s->across.n, s->columns));
}

static sweep sweep_of(const bnn_conv *g, int images, bool back, side down, side across) {
    const int taps = g->kernel * g->kernel, rows = bnn_conv_side(g, g->height), columns = bnn_conv_side(g, g->width);
    const ptrdiff_t w_in = g->by_output ? taps : (ptrdiff_t)taps * g->out, w_out = g->by_output ? (ptrdiff_t)g->in * taps : 1;
    sweep s = {.g = g, .back = back, .add = back, .images = images, .down = down, .across = across, .w_tap = g->by_output ? 1 : g->out};
    s.planes = back ? g->out : g->in, s.height = back ? rows : g->height, s.width = back ? columns : g->width;
    s.results = back ? g->in : g->out, s.tall = back ? g->height : rows, s.wide = back ? g->width : columns;
    s.w_plane = back ? w_out : w_in, s.w_result = back ? w_in : w_out;
    s.phases = back ? 1 : smaller(g->stride, g->kernel);
    cut(&s, TOGETHER);
    return s;
}

static int blocks_of(const sweep *s) { return up(s->down.n, s->rows) * up(s->across.n, s->columns); }

/* Block i of an image. */
static block block_of(const sweep *s, int image, int i) {
    const int in_row = up(s->across.n, s->columns);
    block k = {.image = image, .row = i / in_row * s->rows, .column = i % in_row * s->columns};
    k.rows = smaller(s->rows, s->down.n - k.row), k.columns = smaller(s->columns, s->across.n - k.column);
    k.pitch = k.columns + s->across.reach, k.plane = (k.rows + s->down.reach) * k.pitch;
    k.pixels = up((k.rows - 1) * k.pitch + k.columns, LANES) * LANES;
    return k;
}

/* The place in w, less those of its planes, and in the buffer of tap (i,j) of a plane. */
static void place_tap(const sweep *s, const block *k, int plane, int i, int j, int *unit, int *shift) {
    const int stride = s->g->stride, step = s->back ? stride : 1, y = s->down.tap + i * step, x = s->across.tap + j * step;
    const int down = s->back ? s->down.reach - y / stride : y / stride, across = s->back ? s->across.reach - x / stride : x / stride,
              phase = s->back ? 0 : y % stride * s->phases + x % stride;
    *unit = (int)((y * s->g->kernel + x) * s->w_tap);
    *shift = (plane * s->phases * s->phases + phase) * k->plane + down * k->pitch + across;
}

/* ---------------------------------------------------------------- copies */

/* to[rows,columns] = every `apart`-th pixel of a plane from (row,column) on; 0 where there is none. */
static void copy_plane(const bnn_real *from, int height, int width, int row, int column, int apart, int rows, int columns, bnn_real *to) {
    const int left = smaller(columns, column < 0 ? up(-column, apart) : 0),
              right = larger(left, smaller(columns, up(width - column, apart)));
    for (int r = 0; r < rows; r++, row += apart, to += columns) {
        if (row < 0 || row >= height) {
            memset(to, 0, (size_t)columns * sizeof *to);
            continue;
        }
        const bnn_real *pixel = from + (ptrdiff_t)row * width + column;
        memset(to, 0, (size_t)left * sizeof *to);
        if (apart == 1)
            memcpy(to + left, pixel + left, (size_t)(right - left) * sizeof *to);
        else
            for (int q = left; q < right; q++) to[q] = pixel[(ptrdiff_t)q * apart];
        memset(to + right, 0, (size_t)(columns - right) * sizeof *to);
    }
}

/* Planes first .. first + n of the source, as a block reads them. */
static void fill(const sweep *s, const block *k, int first, int n, bnn_real *buffer) {
    const int apart = s->back ? 1 : s->g->stride, row = s->down.source + k->row * apart, column = s->across.source + k->column * apart;
    const bnn_real *from = s->source + ((size_t)k->image * (size_t)s->planes + (size_t)first) * area(s->height, s->width);
    for (int z = 0; z < n; z++, from += area(s->height, s->width))
        for (int phase = 0; phase < s->phases * s->phases; phase++, buffer += k->plane)
            copy_plane(from, s->height, s->width, row + phase / s->phases, column + phase % s->phases, apart, k->rows + s->down.reach,
                       k->pitch, buffer);
    memset(buffer, 0, LANES * sizeof *buffer); /* what the last vector reads beyond them */
}

BNN_LOOP static void put_row(int n, const bnn_real *restrict from, bnn_real bias, bnn_real *restrict to) {
    for (int q = 0; q < n; q++) to[q] = from[q] + bias;
}

BNN_LOOP static void add_row(int n, const bnn_real *restrict from, bnn_real *restrict to) {
    for (int q = 0; q < n; q++) to[q] += from[q];
}

/* Planes first .. first + n of a block's results go where they belong: into y, or onto dx. */
static void deliver(const sweep *s, const block *k, int first, int n, const bnn_real *result) {
    const int step = s->across.step;
    for (int o = first; o < first + n; o++, result += k->pixels)
        for (int r = 0; r < k->rows; r++) {
            const size_t plane = (size_t)k->image * (size_t)s->results + (size_t)o,
                         row = (size_t)(s->down.target + (k->row + r) * s->down.step);
            bnn_real *to = s->target + plane * area(s->tall, s->wide) + row * (size_t)s->wide + (s->across.target + k->column * step);
            const bnn_real *from = result + r * k->pitch;
            if (!s->add)
                put_row(k->columns, from, s->b ? s->b[o] : 0, to);
            else if (step == 1)
                add_row(k->columns, from, to);
            else
                for (int q = 0; q < k->columns; q++) to[(ptrdiff_t)q * step] += from[q];
        }
}

/* ---------------------------------------------------------------- x to y, dy to dx */

/* The sums over `depth` planes from `plane` on, which are in the buffer, for `n` planes of the result from `first` on. They go on from
 * those of earlier planes. */
static void add_planes(const sweep *s, const block *k, int plane, int depth, int first, int n, const bnn_real *buffer, bnn_real *result) {
    int unit[STRETCH], shift[STRETCH];
    bnn_product g = {.m = n,
                     .n = k->pixels,
                     .ar = s->w_result,
                     .unit = unit,
                     .b = buffer,
                     .shift = shift,
                     .ir = k->pixels,
                     .c = result,
                     .cr = k->pixels};
    g.init = plane > 0 ? result : NULL;
    g.a = s->w + first * s->w_result;
    const int taps = s->down.taps * s->across.taps;
    for (int z = 0, tap = 0; z < depth;) {
        place_tap(s, k, z, tap / s->across.taps, tap % s->across.taps, &unit[g.k], &shift[g.k]);
        unit[g.k++] += (int)((plane + z) * s->w_plane);
        if (++tap == taps) tap = 0, z++;
        if (g.k < STRETCH && z < depth) continue;
        bnn_kernels_simd_of(bnn_simd_level())->shifted(&g);
        g.init = result, g.k = 0;
    }
}

static void run_block(const sweep *s, const block *k) {
    alignas(64) bnn_real buffer[BUFFER + LANES], result[RESULT];
    const int most = larger(8, RESULT / k->pixels / 8 * 8);
    for (int first = 0; first < s->results; first += most) {
        const int n = smaller(most, s->results - first);
        for (int plane = 0; plane < s->planes; plane += s->depth) {
            const int depth = smaller(s->depth, s->planes - plane);
            if (first == 0 || depth < s->planes) fill(s, k, plane, depth, buffer);
            add_planes(s, k, plane, depth, first, n, buffer, result);
        }
        deliver(s, k, first, n, result);
    }
}

static void run_blocks(void *context, int first, int n) {
    const sweep *s = context;
    for (int i = first; i < first + n; i++) {
        const block k = block_of(s, i / blocks_of(s), i % blocks_of(s));
        run_block(s, &k);
    }
}

/* Says whether so many terms for each pixel of y are worth being shared by threads. */
static bool is_shared(const bnn_conv *g, int images) {
    const double pixels = (double)images * bnn_conv_side(g, g->height) * bnn_conv_side(g, g->width);
    return 2 * pixels * g->in * g->kernel * g->kernel * g->out >= PARALLEL_FLOPS && !bnn_jobs_inside();
}

/* A kernel of one pixel has no shifts: products with the image itself. */
static bool is_plain(const bnn_conv *g) { return g->kernel == 1 && g->stride == 1; }

static void run_pixels(void *context, int first, int n) {
    const sweep *s = context;
    const size_t pixels = area(s->height, s->width), blocks = (pixels + PIXELS - 1) / PIXELS;
    for (size_t i = (size_t)first; i < (size_t)(first + n); i++) {
        const size_t image = i / blocks, at = i % blocks * PIXELS;
        bnn_real *const to = s->target + image * (size_t)s->results * pixels + at;
        const int width = pixels - at < PIXELS ? (int)(pixels - at) : PIXELS;
        for (int o = 0; !s->add && o < s->results; o++)
            for (int q = 0; q < width; q++) to[(size_t)o * pixels + (size_t)q] = s->b ? s->b[o] : 0;
        const bnn_product g = {.m = s->results,
                               .n = width,
                               .k = s->planes,
                               .a = s->w,
                               .ar = s->w_result,
                               .ak = s->w_plane,
                               .b = s->source + image * (size_t)s->planes * pixels + at,
                               .br = (ptrdiff_t)pixels,
                               .bk = 1,
                               .init = to,
                               .ir = (ptrdiff_t)pixels,
                               .c = to,
                               .cr = (ptrdiff_t)pixels};
        bnn_kernels_simd_of(bnn_simd_level())->product(&g);
    }
}

static void run(sweep *s) {
    const bool plain = is_plain(s->g);
    const int n = s->images * (plain ? up(s->height * s->width, PIXELS) : blocks_of(s));
    bnn_parts_run(n, is_shared(s->g, s->images) ? 1 : larger(1, n), plain ? run_pixels : run_blocks, s);
}

void bnn_conv_y(const bnn_conv *g, int n, const bnn_real *x, const bnn_real *w, const bnn_real *b, bnn_real *y) {
    sweep s = sweep_of(g, n, false, forward_side(g, g->height), forward_side(g, g->width));
    s.source = x, s.w = w, s.b = b, s.target = y;
    run(&s);
}

void bnn_conv_add(const bnn_conv *g, int n, const bnn_real *x, const bnn_real *w, bnn_real *y) {
    sweep s = sweep_of(g, n, false, forward_side(g, g->height), forward_side(g, g->width));
    s.source = x, s.w = w, s.target = y, s.add = true;
    run(&s);
}

/* ---------------------------------------------------------------- dy to dx of small images */

/* Where y is much smaller than x, most of a sweep over x would meet zeros. There what each tap of the kernel gives all
 * pixels of y, columns[plane, tap][pixel] = sum over o of w[o][plane, tap] dy[o][pixel], is a product, whose rows are then added where they
 * belong. */
typedef struct {
    const bnn_conv *g;
    const bnn_real *dy, *w;
    bnn_real *dx;
    int rows, columns; /* of y */
    int planes;        /* of x, whose columns have room together */
} columns;

static columns columns_of(const bnn_conv *g) {
    columns c = {.g = g, .rows = bnn_conv_side(g, g->height), .columns = bnn_conv_side(g, g->width)};
    const size_t plane = area(g->kernel, g->kernel) * area(c.rows, c.columns);
    c.planes = plane > RESULT ? 0 : smaller(g->in, RESULT / (int)plane);
    return c;
}

/* Says whether the sweeps would go over half as many pixels again as y has, of columns that have room. */
static bool is_small(const columns *c) {
    const bnn_conv *g = c->g;
    return c->planes > 0 && g->kernel > 1 && 2 * area(g->height, g->width + g->kernel - 1) > 3 * area(c->rows, c->columns);
}

/* Adds a tap's row[rows,columns] to the pixels of a plane of dx that it has been read from. */
static void add_tap(const columns *c, const bnn_real *row, int i, int j, bnn_real *plane) {
    const bnn_conv *g = c->g;
    const int left = smaller(c->columns, j < g->padding ? up(g->padding - j, g->stride) : 0),
              right = smaller(c->columns, larger(left, up(g->width + g->padding - j, g->stride)));
    for (int r = 0; r < c->rows; r++, row += c->columns) {
        const int y = r * g->stride + i - g->padding;
        if (y < 0 || y >= g->height) continue;
        bnn_real *to = plane + (ptrdiff_t)y * g->width + (j - g->padding);
        if (g->stride == 1)
            add_row(right - left, row + left, to + left);
        else
            for (int q = left; q < right; q++) to[(ptrdiff_t)q * g->stride] += row[q];
    }
}

static void add_columns(void *context, int first, int n) {
    alignas(64) bnn_real column[RESULT];
    const columns *c = context;
    const bnn_conv *g = c->g;
    const int taps = g->kernel * g->kernel, pixels = c->rows * c->columns;
    for (int image = first; image < first + n; image++)
        for (int plane = 0; plane < g->in; plane += c->planes) {
            const int planes = smaller(c->planes, g->in - plane);
            const bnn_product p = {.m = planes * taps,
                                   .n = pixels,
                                   .k = g->out,
                                   .a = c->w + (ptrdiff_t)plane * taps * (g->by_output ? 1 : g->out),
                                   .ar = g->by_output ? 1 : g->out,
                                   .ak = g->by_output ? (ptrdiff_t)g->in * taps : 1,
                                   .b = c->dy + (size_t)image * (size_t)g->out * (size_t)pixels,
                                   .br = pixels,
                                   .bk = 1,
                                   .c = column,
                                   .cr = pixels};
            bnn_kernels_simd_of(bnn_simd_level())->product(&p);
            bnn_real *to = c->dx + ((size_t)image * (size_t)g->in + (size_t)plane) * area(g->height, g->width);
            for (int t = 0; t < planes * taps; t++)
                add_tap(c, column + t * pixels, t % taps / g->kernel, t % g->kernel, to + (size_t)(t / taps) * area(g->height, g->width));
        }
}

void bnn_conv_dx(const bnn_conv *g, int n, const bnn_real *dy, const bnn_real *w, bnn_real *dx) {
    columns c = columns_of(g);
    if (is_small(&c)) {
        c.dy = dy, c.w = w, c.dx = dx;
        bnn_parts_run(n, is_shared(g, n) ? 1 : larger(1, n), add_columns, &c);
        return;
    }
    for (int phase = 0; phase < g->stride * g->stride; phase++) {
        const side down = back_side(g, g->height, phase / g->stride), across = back_side(g, g->width, phase % g->stride);
        if (down.taps == 0 || across.taps == 0 || down.n <= 0 || across.n <= 0) continue; /* no pixel of y has read these */
        sweep s = sweep_of(g, n, true, down, across);
        s.source = dy, s.w = w, s.target = dx;
        run(&s);
    }
}

/* ---------------------------------------------------------------- the kernel's gradient */

/* Planes of x are worked on by themselves, and so are planes of dy. */
typedef struct {
    sweep s;
    const bnn_real *dy;
    bnn_real *dw, *db;
    int planes, results; /* of x and of dy that a part has, at most */
} gradient;

/* Planes first .. first + n of dy at the pitch of the buffer, with zeros where no pixel is. */
static void fill_dy(const gradient *d, const block *k, int first, int n, bnn_real *to) {
    const sweep *s = &d->s;
    const bnn_real *from = d->dy + ((size_t)k->image * (size_t)s->results + (size_t)first) * area(s->tall, s->wide);
    for (int o = 0; o < n; o++, from += area(s->tall, s->wide), to += k->pixels) {
        memset(to, 0, (size_t)k->pixels * sizeof *to);
        for (int r = 0; r < k->rows; r++)
            memcpy(to + r * k->pitch, from + (size_t)(k->row + r) * (size_t)s->wide + (size_t)k->column, (size_t)k->columns * sizeof *to);
    }
}

/* Adds what a block gives the weights from planes first .. first + depth of x to planes begin .. end of y. */
static void gradient_block(const gradient *d, const block *k, int first, int depth, int begin, int end) {
    alignas(64) bnn_real buffer[BUFFER + LANES], dy[RESULT];
    const sweep *s = &d->s;
    const int most = larger(8, RESULT / k->pixels / 8 * 8), wide = s->g->kernel, taps = wide * wide, all = depth * taps;
    int shift[STRETCH], unit;
    fill(s, k, first, depth, buffer);
    for (int o = begin; o < end; o += most) {
        const int n = smaller(most, end - o);
        fill_dy(d, k, o, n, dy);
        for (int from = 0; from < all; from += STRETCH) {
            const bnn_dots g = {.m = n,
                                .n = smaller(STRETCH, all - from),
                                .k = k->pixels,
                                .a = dy,
                                .ar = k->pixels,
                                .b = buffer,
                                .shift = shift,
                                .c = d->dw + o * s->w_result + (first * taps + from) * s->w_tap,
                                .cr = s->w_result,
                                .cc = s->w_tap};
            for (int t = 0; t < g.n; t++) {
                const int tap = (from + t) % taps;
                place_tap(s, k, (from + t) / taps, tap / wide, tap % wide, &unit, &shift[t]);
            }
            bnn_kernels_simd_of(bnn_simd_level())->dots(&g);
        }
    }
}

static void gradient_parts(void *context, int from, int n) {
    const gradient *d = context;
    const sweep *s = &d->s;
    for (int part = from; part < from + n; part++) {
        const int groups = up(s->results, d->results), begin = part % groups * d->results, end = smaller(s->results, begin + d->results);
        const int first = part / groups * d->planes, last = smaller(s->planes, first + d->planes);
        for (int plane = first; plane < last; plane += s->depth)
            for (int i = 0; i < s->images * blocks_of(s); i++) {
                const block k = block_of(s, i / blocks_of(s), i % blocks_of(s));
                gradient_block(d, &k, plane, smaller(s->depth, last - plane), begin, end);
            }
    }
}

static void gradient_bias(void *context, int from, int n) {
    const gradient *d = context;
    const size_t pixels = area(d->s.tall, d->s.wide);
    for (int o = from; o < from + n; o++)
        for (int image = 0; image < d->s.images; image++)
            d->db[o] += (bnn_real)bnn_sum(pixels, d->dy + ((size_t)image * (size_t)d->s.results + (size_t)o) * pixels);
}

void bnn_conv_dw(const bnn_conv *g, int n, const bnn_real *x, const bnn_real *dy, bnn_real *dw, bnn_real *db) {
    enum { PLANES = 16, PARTS = 4, TILE = 8 }; /* few planes of dy to a part copy x again for each, few of x copy dy */
    gradient d = {.s = sweep_of(g, n, false, forward_side(g, g->height), forward_side(g, g->width)), .dy = dy, .dw = dw, .db = db};
    const bool shared = is_shared(g, n);
    const int stacks = shared ? up(g->in, PLANES) : 1, groups = shared ? up(PARTS, stacks) : 1;
    d.s.source = x;
    d.planes = up(g->in, stacks), d.results = up(up(g->out, groups), TILE) * TILE;
    cut(&d.s, TOGETHER / 2);
    const int parts = up(g->in, d.planes) * up(g->out, d.results);
    if (dw) bnn_parts_run(parts, 1, gradient_parts, &d);
    if (db) bnn_parts_run(g->out, shared ? TILE / 2 : g->out, gradient_bias, &d);
}
