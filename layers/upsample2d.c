/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * upsample2d: images with a whole number of times the rows and columns.
 *
 *   y_cvu = sum a_vi a_uj x_cij             x [n,C,H,W]  y [n,C,fH,fW]
 *   dx_cij += sum a_vi a_uj dy_cvu
 *
 * nearest: a_vi = 1 for i = floor(v / f), else 0. bilinear: pixels are small squares whose centres are joined by straight lines: row v lies
 * at (v + 1/2)/f - 1/2, and a_vi = max(0, 1 - distance); beyond the outermost centres the image is constant ("half-pixel centres", corners
 * not aligned).
 */
#include <bnn/layer.h>

#include <string.h>

typedef struct {
    int factor, kind;
} conf;

enum { NEAREST, BILINEAR };
static const char *const kinds[] = {"nearest", "bilinear", NULL};

static const bnn_option options[] = {
    BNN_OPT_INT(conf, factor, "2", 1, 64, "rows and columns of y for each of x"),
    BNN_OPT_CHOICE(conf, kind, "nearest", kinds, "nearest: copies; bilinear: straight lines between centres"),
    {0}};

static bnn_status bind(bnn_layer *l) {
    const conf *c = l->object.conf;
    BNN_TRY(bnn_layer_needs_image(l));
    const int *d = l->in[0].d;
    double out = (double)bnn_layer_size_in(l) * c->factor * c->factor;
    l->plan = (bnn_plan){.out = bnn_shape_image(d[0], c->factor * d[1], c->factor * d[2]),
                         .scratch_pass = d[2] + 2,
                         .flops_row = 4 * out,
                         .back_flops_row = 4 * out};
    return BNN_OK;
}

/* One of the f rows (or columns) that a row becomes: 1 - weight of the row itself, and weight of the one before (-1) or behind it (1). */
typedef struct {
    int side;
    bnn_real weight;
} phase;

static phase phase_of(const conf *c, int k) {
    double away = (k + 0.5) / c->factor - 0.5;
    return (phase){away < 0 ? -1 : 1, (bnn_real)(c->kind == NEAREST ? 0 : away < 0 ? -away : away)};
}

/* The row beside row i; at the border the row itself. */
static size_t beside(int i, int side, int rows) { return (size_t)(i + side < 0 || i + side >= rows ? i : i + side); }

/* between[0 .. W+1]: the mixture of two rows of x, with the outermost pixels twice. */
BNN_LOOP static void mix(size_t width, bnn_real weight, const bnn_real *restrict row, const bnn_real *restrict other,
                         bnn_real *restrict between) {
    for (size_t j = 0; j < width; j++) between[j + 1] = (1 - weight) * row[j] + weight * other[j];
    between[0] = between[1], between[width + 1] = between[width];
}

BNN_LOOP static void stretch(size_t width, size_t factor, phase p, const bnn_real *restrict between, bnn_real *restrict y) {
    const bnn_real *other = between + p.side;
    for (size_t j = 0; j < width; j++) y[j * factor] = (1 - p.weight) * between[j + 1] + p.weight * other[j + 1];
}

static void forward(const bnn_layer *l, bnn_io *io) {
    const conf *c = l->object.conf;
    const int rows = l->in[0].d[1];
    size_t width = (size_t)l->in[0].d[2], factor = (size_t)c->factor, planes = (size_t)io->n * (size_t)l->in[0].d[0];
    const bnn_real *x = io->x[0];
    bnn_real *y = io->y;
    for (size_t p = 0; p < planes; p++, x += (size_t)rows * width)
        for (int v = 0; v < rows * c->factor; v++, y += width * factor) {
            int i = v / c->factor;
            phase down = phase_of(c, v % c->factor);
            mix(width, down.weight, x + (size_t)i * width, x + beside(i, down.side, rows) * width, io->scratch);
            for (int k = 0; k < c->factor; k++) stretch(width, factor, phase_of(c, k), io->scratch, y + k);
        }
}

/* The transpose of stretch, and that of mix. */
BNN_LOOP static void gather(size_t width, size_t factor, phase p, const bnn_real *restrict dy, bnn_real *restrict between) {
    for (size_t j = 0; j < width; j++) between[j + 1] += (1 - p.weight) * dy[j * factor];
    for (size_t j = 0; p.weight > 0 && j < width; j++) between[(int)j + 1 + p.side] += p.weight * dy[j * factor];
}

BNN_LOOP static void add_share(size_t width, bnn_real share, const bnn_real *restrict between, bnn_real *restrict dx) {
    for (size_t j = 0; j < width; j++) dx[j] += share * between[j + 1];
}

static void backward(const bnn_layer *l, bnn_io *io) {
    const conf *c = l->object.conf;
    const int rows = l->in[0].d[1];
    size_t width = (size_t)l->in[0].d[2], factor = (size_t)c->factor, planes = (size_t)io->n * (size_t)l->in[0].d[0];
    const bnn_real *dy = io->dy;
    bnn_real *dx = io->dx[0], *between = io->scratch;
    for (size_t p = 0; dx && p < planes; p++, dx += (size_t)rows * width)
        for (int v = 0; v < rows * c->factor; v++, dy += width * factor) {
            int i = v / c->factor;
            phase down = phase_of(c, v % c->factor);
            memset(between, 0, (width + 2) * sizeof *between);
            for (int k = 0; k < c->factor; k++) gather(width, factor, phase_of(c, k), dy + k, between);
            between[1] += between[0], between[width] += between[width + 1];
            add_share(width, 1 - down.weight, between, dx + (size_t)i * width);
            if (down.weight > 0) add_share(width, down.weight, between, dx + beside(i, down.side, rows) * width);
        }
}

static const char *const checks[] = {"input:3x2x4; upsample2d", "input:2x3x4; upsample2d:kind=bilinear",
                                     "input:7x1x5; upsample2d:3,bilinear", "input:1x3x2; upsample2d:4,bilinear; flatten; dense:2", NULL};

const bnn_layer_type bnn_layer_upsample2d = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "upsample2d", .summary = "images with a whole number of times the rows and columns",
             .conf_size = sizeof(conf), .options = options, .checks = checks},
    .min_in = 1,
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
};
