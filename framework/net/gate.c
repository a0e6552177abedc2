/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/gate.h>
#include <bnn/jobs.h>

#include <string.h>

bnn_plan bnn_gate_plan(const bnn_layer *l, int repeat) {
    int units = bnn_layer_size_in(l) / repeat;
    return (bnn_plan){.out = l->in[0], .pass = units, .cache_row = units, .n_drawn = 1, .drawn = {{.name = "gate", .cols = units}}};
}

void bnn_gate_prepare(const bnn_layer *l, bnn_io *io, bnn_gate_draw *draw) {
    if (io->mode == BNN_DRAW) draw(l, io, 0, 1, io->pass);
}

BNN_LOOP static void multiply(size_t n, const bnn_real *restrict x, const bnn_real *restrict z, bnn_real *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] * z[i];
}

BNN_LOOP static void multiply_add(size_t n, const bnn_real *restrict dy, const bnn_real *restrict z, bnn_real *restrict dx) {
    for (size_t i = 0; i < n; i++) dx[i] += dy[i] * z[i];
}

BNN_LOOP static void scale(size_t n, const bnn_real *restrict x, bnn_real z, bnn_real *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] * z;
}

BNN_LOOP static void scale_add(size_t n, const bnn_real *restrict dy, bnn_real z, bnn_real *restrict dx) {
    for (size_t i = 0; i < n; i++) dx[i] += dy[i] * z;
}

/* y = x z of `units` units of `repeat` numbers each. */
static void gate(size_t units, size_t repeat, const bnn_real *x, const bnn_real *z, bnn_real *y) {
    if (repeat == 1) {
        multiply(units, x, z, y);
        return;
    }
    for (size_t k = 0; k < units; k++, x += repeat, y += repeat) scale(repeat, x, z[k], y);
}

/* dx += dy z */
static void gate_add(size_t units, size_t repeat, const bnn_real *dy, const bnn_real *z, bnn_real *dx) {
    if (repeat == 1) {
        multiply_add(units, dy, z, dx);
        return;
    }
    for (size_t k = 0; k < units; k++, dy += repeat, dx += repeat) scale_add(repeat, dy, z[k], dx);
}

/* Gates of their own for all rows: many are worked on in parallel. */
enum { PIECE = 1 << 14 }; /* units at a time */

typedef struct {
    const bnn_layer *l;
    const bnn_io *io;
    bnn_gate_draw *draw;
    size_t d, units, repeat;
} row_work;

static void run_rows(row_work *w, void (*rows)(void *context, int first, int n)) {
    w->d = (size_t)bnn_layer_size_in(w->l), w->units = (size_t)bnn_gate_units(w->l), w->repeat = (size_t)bnn_gate_repeat(w->l);
    bnn_parts_run(w->io->n, w->d < PIECE ? PIECE / (int)w->d : 1, rows, w);
}

static void forward_rows(void *context, int first, int n) {
    const row_work *w = context;
    size_t at = (size_t)first * w->d;
    bnn_real *z = w->io->cache + (size_t)first * w->units;
    w->draw(w->l, w->io, w->io->row0 + (uint64_t)first, n, z);
    gate((size_t)n * w->units, w->repeat, w->io->x[0] + at, z, w->io->y + at);
}

static void backward_rows(void *context, int first, int n) {
    const row_work *w = context;
    size_t at = (size_t)first * w->d;
    gate_add((size_t)n * w->units, w->repeat, w->io->dy + at, w->io->cache + (size_t)first * w->units, w->io->dx[0] + at);
}

void bnn_gate_forward(const bnn_layer *l, bnn_io *io, bnn_gate_draw *draw) {
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n, units = (size_t)bnn_gate_units(l), repeat = (size_t)bnn_gate_repeat(l);
    if (io->mode == BNN_MEAN) {
        memcpy(io->y, io->x[0], n * d * sizeof *io->y);
    } else if (io->mode == BNN_DRAW) {
        for (size_t r = 0; r < n; r++) gate(units, repeat, io->x[0] + r * d, io->pass, io->y + r * d);
    } else {
        run_rows(&(row_work){.l = l, .io = io, .draw = draw}, forward_rows);
    }
}

void bnn_gate_backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n, units = (size_t)bnn_gate_units(l), repeat = (size_t)bnn_gate_repeat(l);
    bnn_real *dx = io->dx[0];
    if (!dx) return;
    if (io->mode == BNN_MEAN) {
        for (size_t i = 0; i < n * d; i++) dx[i] += io->dy[i];
    } else if (io->mode == BNN_DRAW) {
        for (size_t r = 0; r < n; r++) gate_add(units, repeat, io->dy + r * d, io->pass, dx + r * d);
    } else {
        run_rows(&(row_work){.l = l, .io = io}, backward_rows);
    }
}
