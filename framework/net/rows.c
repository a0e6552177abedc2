/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rows.c: a hook of a layer over many rows, cut into parts for all cores. Layers with parameters have products, which cut themselves, or
 * sums over rows; a layer without any does the same to each row whatever rows stand beside it, so no bit depends on the cut.
 */
#include "workspace.h"

#include <bnn/jobs.h>

enum { NUMBERS = 1 << 14 /* that a part reads or writes, about: far more work than handing it out */, MOST_INPUTS = 16 };

static size_t rows_of_a_part(const bnn_layer *l) {
    size_t numbers = (size_t)bnn_layer_size_out(l);
    for (int k = 0; k < l->n_in; k++) numbers += (size_t)bnn_shape_size(l->in[k]);
    return numbers < NUMBERS ? NUMBERS / numbers : 1;
}

static bool is_cut(const bnn_layer *l) {
    const bnn_layer_type *type = bnn_layer_vtable(l);
    return l->n_theta == 0 && l->plan.dpass == 0 && l->n_in <= MOST_INPUTS && !(type->type.caps & BNN_COUPLED) && !type->absorb;
}

size_t bnn_rows_parts(const bnn_layer *l, size_t rows) {
    size_t length = rows_of_a_part(l);
    return is_cut(l) && rows > length ? (rows + length - 1) / length : 1;
}

typedef struct {
    const bnn_layer *l;
    const bnn_io *io;
    void (*hook)(const bnn_layer *, bnn_io *);
    int length;
} cut;

static void run_part(void *context, int from, int n) {
    const cut *c = context;
    const bnn_plan *plan = &c->l->plan;
    const bnn_real *x[MOST_INPUTS];
    bnn_real *dx[MOST_INPUTS];
    size_t first = (size_t)from, out = (size_t)bnn_layer_size_out(c->l);
    bnn_io io = *c->io;
    for (int k = 0; k < c->l->n_in; k++) {
        size_t d = (size_t)bnn_shape_size(c->l->in[k]);
        x[k] = io.x[k] + first * d;
        dx[k] = io.dx[k] ? io.dx[k] + first * d : NULL;
    }
    io.n = n, io.row0 += first;
    io.x = x, io.dx = dx;
    io.y += first * out;
    if (io.dy) io.dy += first * out;
    io.cache += first * (size_t)plan->cache_row;
    io.scratch += first * (size_t)plan->scratch_row + (size_t)(from / c->length) * (size_t)plan->scratch_pass;
    c->hook(c->l, &io);
}

void bnn_rows_run(const bnn_layer *l, bnn_io *io, void (*hook)(const bnn_layer *, bnn_io *)) {
    if (bnn_rows_parts(l, (size_t)io->n) == 1) {
        hook(l, io);
        return;
    }
    cut c = {l, io, hook, (int)rows_of_a_part(l)};
    bnn_parts_run(io->n, c.length, run_part, &c);
}
