/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/sized.h"
#include <bnn/data.h>
#include <bnn/number.h>
#include <bnn/shift.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const bnn_shift_names[] = {"rotate", "roll", "blur", "noise", "missing", NULL};

/* ---------------------------------------------------------------- images, one channel at a time */

typedef struct {
    int height, width;
    double strength;
    double *room; /* [height, width] */
} canvas;

static double pixel(const canvas *c, const double *from, int row, int column) {
    bool inside = row >= 0 && row < c->height && column >= 0 && column < c->width;
    return inside ? from[row * c->width + column] : 0;
}

static double between(const canvas *c, const double *from, double row, double column) {
    int r = (int)floor(row), k = (int)floor(column);
    double down = row - r, right = column - k;
    double above = (1 - right) * pixel(c, from, r, k) + right * pixel(c, from, r, k + 1);
    return (1 - down) * above + down * ((1 - right) * pixel(c, from, r + 1, k) + right * pixel(c, from, r + 1, k + 1));
}

/* Cosine and sine of whole quarters without rounding. */
static void turn(double degrees, double *cosine, double *sine) {
    static const int cosines[] = {1, 0, -1, 0};
    double quarters = degrees / 90;
    *cosine = cos(degrees * M_PI / 180), *sine = sin(degrees * M_PI / 180);
    if (quarters != floor(quarters)) return;
    int q = (int)(quarters - 4 * floor(quarters / 4));
    *cosine = cosines[q], *sine = cosines[(q + 3) % 4];
}

/* Each pixel comes from where a turn with the clock leads. Rows count downwards. */
static void rotate(const canvas *c, const double *from, double *to) {
    double cosine, sine, middle_row = (c->height - 1) / 2.0, middle_column = (c->width - 1) / 2.0;
    turn(c->strength, &cosine, &sine);
    for (int r = 0; r < c->height; r++)
        for (int k = 0; k < c->width; k++) {
            double down = r - middle_row, right = k - middle_column;
            to[r * c->width + k] =
                between(c, from, middle_row + cosine * down + sine * right, middle_column + cosine * right - sine * down);
        }
}

static void roll(const canvas *c, const double *from, double *to) {
    int by = (int)fmod(c->strength, c->width);
    for (int r = 0; r < c->height; r++)
        for (int k = 0; k < c->width; k++) to[r * c->width + (k + by + c->width) % c->width] = from[r * c->width + k];
}

static int within(int i, int n) { return i < 0 ? 0 : i >= n ? n - 1 : i; }

/* Along lines of n pixels that are `step` apart; lines begin `next` apart. */
static void blur_lines(double sd, const double *from, double *to, int lines, int next, int n, int step) {
    int reach = (int)ceil(3 * sd);
    for (int line = 0; line < lines; line++)
        for (int i = 0; i < n; i++) {
            double sum = 0, weights = 0;
            for (int j = -reach; j <= reach; j++) {
                double weight = exp(-0.5 * j * j / (sd * sd));
                sum += weight * from[line * next + within(i + j, n) * step], weights += weight;
            }
            to[line * next + i * step] = sum / weights;
        }
}

static void blur(const canvas *c, const double *from, double *to) {
    blur_lines(c->strength, from, c->room, c->height, c->width, c->width, 1);
    blur_lines(c->strength, c->room, to, c->width, 1, c->height, c->width);
}

static bnn_status shift_images(bnn_table *t, const bnn_shift *shift) {
    static void (*const ways[])(const canvas *, const double *, double *) = {rotate, roll, blur};
    const char *name = bnn_shift_names[shift->kind];
    if (t->x_shape.rank != 3) return bnn_fail(BNN_ERR_SHAPE, "%s is of images, but a row of the table is a vector of features", name);
    if (bnn_is_map(t->y_shape) && shift->kind <= BNN_SHIFT_ROLL)
        return bnn_fail(BNN_ERR_OPTION, "%s would leave the maps of classes where they are: blur and noise are for images that have some",
                        name);
    if (shift->kind == BNN_SHIFT_ROLL && shift->strength != floor(shift->strength))
        return bnn_fail(BNN_ERR_OPTION, "roll is by a whole number of pixels, not %g", shift->strength);
    canvas c = {.height = t->x_shape.d[1], .width = t->x_shape.d[2], .strength = shift->strength};
    size_t plane = (size_t)c.height * (size_t)c.width, planes = (size_t)t->n * (size_t)t->x_shape.d[0];
    double *made = malloc(plane * sizeof *made);
    c.room = malloc(plane * sizeof *c.room);
    for (size_t i = 0; made && c.room && i < planes; i++) {
        ways[shift->kind](&c, t->x + i * plane, made);
        memcpy(t->x + i * plane, made, plane * sizeof *made);
    }
    bnn_status s = made && c.room ? BNN_OK : bnn_oom("shifted images");
    free(made), free(c.room);
    return s;
}

/* ---------------------------------------------------------------- columns */

static double sd_of(const bnn_table *t, size_t D, size_t column, double *mean) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < (size_t)t->n; i++) sum += t->x[i * D + column];
    *mean = sum / t->n;
    for (size_t i = 0; i < (size_t)t->n; i++) squares += pow(t->x[i * D + column] - *mean, 2);
    return sqrt(squares / t->n);
}

static bool is_flag(const bnn_table *t, size_t D, size_t column) {
    for (size_t i = 0; i < (size_t)t->n; i++)
        if (t->x[i * D + column] != 0 && t->x[i * D + column] != 1) return false;
    return true;
}

static bnn_status add_noise(bnn_table *t, const bnn_shift *shift) {
    size_t D = (size_t)bnn_shape_size(t->x_shape);
    bool image = t->scale == BNN_SCALE_RANGE;
    double *sd = malloc(D * sizeof *sd), mean;
    bnn_real *noise = malloc(D * sizeof *noise);
    for (size_t j = 0; sd && noise && j < D; j++)
        sd[j] = shift->strength * (image ? t->range : is_flag(t, D, j) ? 0 : sd_of(t, D, j, &mean));
    for (size_t i = 0; sd && noise && i < (size_t)t->n; i++) {
        double *x = t->x + i * D;
        bnn_rng_normal(bnn_rng_seed(shift->seed), i, 1, (int)D, noise);
        for (size_t j = 0; j < D; j++) {
            x[j] += sd[j] * (double)noise[j];
            if (image) x[j] = fmin(fmax(x[j], 0), t->range);
        }
    }
    bnn_status s = sd && noise ? BNN_OK : bnn_oom("noise");
    free(sd), free(noise);
    return s;
}

/* Says whether a column of x is the named one, or a level of it. */
static bool is_of(const char *x_name, const char *name) {
    size_t length = strlen(name);
    return strncmp(x_name, name, length) == 0 && (x_name[length] == '\0' || x_name[length] == '=');
}

/* fill[D] of a column that is missing; found: there is one. */
static bool find_fill(const bnn_table *t, size_t D, const char *name, double *fill) {
    bool found = false;
    for (size_t j = 0; t->x_names && j < D; j++) {
        const char *level = strchr(t->x_names[j], '=');
        fill[j] = NAN;
        if (!is_of(t->x_names[j], name)) continue;
        found = true;
        if (t->x_names[j][strlen(name)] == '\0')
            sd_of(t, D, j, &fill[j]);
        else
            fill[j] = level && strcmp(t->x_names[j] + strlen(name), "=missing") == 0;
    }
    return found;
}

static bnn_status lose_column(bnn_table *t, const bnn_shift *shift) {
    size_t D = (size_t)bnn_shape_size(t->x_shape);
    if (!shift->column) return bnn_fail(BNN_ERR_OPTION, "which column is missing?");
    if (shift->strength > 1) return bnn_fail(BNN_ERR_OPTION, "the share of rows that lack a column is 1 at most, not %g", shift->strength);
    double *fill = malloc(D * sizeof *fill);
    bnn_real *u = malloc(((size_t)t->n + 1) * sizeof *u);
    bnn_status s = fill && u ? BNN_OK : bnn_oom("a missing column");
    if (s == BNN_OK && !find_fill(t, D, shift->column, fill))
        s = bnn_fail(BNN_ERR_DATA, "there is no feature '%s' that could be missing", shift->column);
    if (s == BNN_OK) bnn_rng_uniform(bnn_rng_seed(shift->seed), 0, 1, t->n, u);
    for (size_t i = 0; s == BNN_OK && i < (size_t)t->n; i++)
        for (size_t j = 0; (double)u[i] < shift->strength && j < D; j++)
            if (!isnan(fill[j])) t->x[i * D + j] = fill[j];
    free(fill), free(u);
    return s;
}

/* ---------------------------------------------------------------- all kinds */

static const char mark[] = ", shifted by ";

static bnn_status write_title(const bnn_table *t, const bnn_shift *shift, char **out) {
    char strength[BNN_NUMBER_TEXT];
    bnn_number_print(shift->strength, strength);
    int n = asprintf(out, "%s%s%s %s%s%s", t->title, mark, bnn_shift_names[shift->kind], strength, shift->column ? " of " : "",
                     shift->column ? shift->column : "");
    return n < 0 ? bnn_oom("a title") : BNN_OK;
}

bool bnn_shift_of(const char *title, bnn_shift_kind *kind, double *strength) {
    const char *last = NULL;
    for (const char *p = title; (p = strstr(p, mark)); p += strlen(mark)) last = p + strlen(mark);
    for (int k = 0; last && bnn_shift_names[k]; k++) {
        size_t length = strlen(bnn_shift_names[k]);
        if (strncmp(last, bnn_shift_names[k], length) != 0 || last[length] != ' ') continue;
        *kind = (bnn_shift_kind)k;
        *strength = bnn_number_read(last + length + 1, NULL);
        return true;
    }
    return false;
}

bnn_status bnn_table_shift(bnn_table *table, const bnn_shift *shift) {
    bnn_shift how;
    char *title;
    BNN_TRY(bnn_sized_read("bnn_shift", &how, sizeof how, BNN_UP_TO(bnn_shift, seed), shift));
    BNN_TRY(bnn_table_numbers(table));
    if ((int)how.kind < BNN_SHIFT_ROTATE || how.kind > BNN_SHIFT_MISSING) return bnn_fail(BNN_ERR_OPTION, "there is no such shift");
    if (!isfinite(how.strength) || (how.strength < 0 && how.kind > BNN_SHIFT_ROLL))
        return bnn_fail(BNN_ERR_OPTION, "%s takes a strength of 0 or more, not %g", bnn_shift_names[how.kind], how.strength);
    BNN_TRY(write_title(table, &how, &title));
    bnn_status s = how.strength == 0 && how.kind <= BNN_SHIFT_BLUR ? BNN_OK
                   : how.kind == BNN_SHIFT_NOISE                   ? add_noise(table, &how)
                   : how.kind == BNN_SHIFT_MISSING                 ? lose_column(table, &how)
                                                                   : shift_images(table, &how);
    if (s < 0) {
        free(title);
        return s;
    }
    free(table->title);
    table->title = title;
    return BNN_OK;
}
