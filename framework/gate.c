/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/gate.h>

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

void bnn_gate_forward(const bnn_layer *l, bnn_io *io, bnn_gate_draw *draw) {
    size_t d = (size_t)bnn_layer_size_in(l), n = (size_t)io->n;
    if (io->mode == BNN_MEAN) {
        memcpy(io->y, io->x[0], n * d * sizeof *io->y);
    } else if (io->mode == BNN_DRAW) {
        for (size_t r = 0; r < n; r++) multiply(d, io->x[0] + r * d, io->pass, io->y + r * d);
    } else {
        draw(l, io, io->row0, io->n, io->cache);
        multiply(n * d, io->x[0], io->cache, io->y);
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
        multiply_add(n * d, io->dy, io->cache, dx);
    }
}
