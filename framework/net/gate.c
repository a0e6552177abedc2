/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/gate.h>
#include <bnn/jobs.h>

#include <string.h>

bnn_plan bnn_gate_plan(const bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    return (bnn_plan){.out = l->in[0], .pass = d, .cache_row = d, .n_drawn = 1, .drawn = {{.name = "gate", .cols = d}}};
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

/* Gates of their own for all rows, in pieces of so many rows: many are worked on in parallel. */
enum { PIECE = 1 << 14 }; /* units */
typedef struct {
    const bnn_layer *l;
    const bnn_io *io;
    bnn_gate_draw *draw;
    size_t d;
    int rows;
} row_work;

static void run_rows(row_work *w, bnn_status (*job)(void *context, int piece)) {
    w->d = (size_t)bnn_layer_size_in(w->l);
    w->rows = w->d < PIECE ? PIECE / (int)w->d : 1;
    bnn_jobs_run((w->io->n + w->rows - 1) / w->rows, job, w); /* which cannot fail */
}

static int rows_of(const row_work *w, int piece) {
    int left = w->io->n - piece * w->rows;
    return left < w->rows ? left : w->rows;
}

static bnn_status forward_rows(void *context, int piece) {
    const row_work *w = context;
    int first = piece * w->rows, n = rows_of(w, piece);
    size_t at = (size_t)first * w->d;
    w->draw(w->l, w->io, w->io->row0 + (uint64_t)first, n, w->io->cache + at);
    multiply((size_t)n * w->d, w->io->x[0] + at, w->io->cache + at, w->io->y + at);
    return BNN_OK;
}

static bnn_status backward_rows(void *context, int piece) {
    const row_work *w = context;
    size_t at = (size_t)(piece * w->rows) * w->d;
    multiply_add((size_t)rows_of(w, piece) * w->d, w->io->dy + at, w->io->cache + at, w->io->dx[0] + at);
    return BNN_OK;
}

void bnn_gate_forward(const bnn_layer *l, bnn_io *io, bnn_gate_draw *draw) {
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n;
    if (io->mode == BNN_MEAN) {
        memcpy(io->y, io->x[0], n * d * sizeof *io->y);
    } else if (io->mode == BNN_DRAW) {
        for (size_t r = 0; r < n; r++) multiply(d, io->x[0] + r * d, io->pass, io->y + r * d);
    } else {
        run_rows(&(row_work){.l = l, .io = io, .draw = draw}, forward_rows);
    }
}

void bnn_gate_backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n;
    bnn_real *dx = io->dx[0];
    if (!dx) return;
    if (io->mode == BNN_MEAN) {
        for (size_t i = 0; i < n * d; i++) dx[i] += io->dy[i];
    } else if (io->mode == BNN_DRAW) {
        for (size_t r = 0; r < n; r++) multiply_add(d, io->dy + r * d, io->pass, dx + r * d);
    } else {
        run_rows(&(row_work){.l = l, .io = io}, backward_rows);
    }
}
