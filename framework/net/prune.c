/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * prune.c: a pass in BNN_DRAW with its gates in the kernels behind them, and without what they have dropped.
 *
 * A gate that is shared by all rows, y = x z, is a factor of the rows of the kernel that reads it: (x diag(z)) W = x (diag(z) W). So the
 * kernel is multiplied once for a draw, and the gate's own pass over the rows is none. Where z is 0 the row of the kernel is left out and,
 * through elementwise layers, a column of the kernel before it: with a share p of zeros on both sides a product needs (1-p)^2 of the work.
 * In
 *
 *   affine A -> elementwise -> gate g -> affine B
 *
 * A computes the live columns of its result alone, the elementwise layers work on [n, live], and B multiplies by the live rows of its
 * kernel. Sums run over the same terms in the same order without those that are 0; only their rounding can differ.
 */
#include "workspace.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_SHARE (1 / 16.0) /* of zeros in a gate: fewer are multiplied like all others, unless a row is a vector shorter without them */

static const bnn_layer *layer_of(const bnn_net *net, int i) { return &net->node[i].layer; }
static uint32_t caps_of(const bnn_net *net, int i) { return layer_of(net, i)->object.type->caps; }
static bool is_affine(const bnn_net *net, int i) { return caps_of(net, i) & BNN_AFFINE && layer_of(net, i)->plan.param[0].rows > 0; }

/* A gate that draws, and whose only reader is an affine node: its dropped units are seen nowhere else. */
static bool is_gate(const bnn_net *net, int i) {
    const bnn_layer *l = layer_of(net, i);
    const bnn_plan *plan = &l->plan;
    int reader = net->node[i].only_reader;
    if (!bnn_layer_vtable(l)->keep || plan->quiet || plan->n_drawn != 1 || plan->drawn[0].cols != bnn_layer_size_in(l)) return false;
    return reader >= 0 && is_affine(net, reader) && layer_of(net, reader)->plan.param[0].rows == plan->drawn[0].cols;
}

/* The gate behind node i, looking through elementwise layers, if nobody else reads what stands between; -1: none. */
static int gate_behind(const bnn_net *net, int i) {
    do i = net->node[i].only_reader;
    while (i >= 0 && caps_of(net, i) & BNN_ELEMENTWISE);
    return i >= 0 && is_gate(net, i) ? i : -1;
}

static int gate_before(const bnn_net *net, int affine) { return is_gate(net, net->node[affine].in[0]) ? net->node[affine].in[0] : -1; }

/* Says whether the y of this node comes without the units that the gate behind it drops. One that is the same in every pass stays whole. */
static bool gives_live(const bnn_net *net, int i) {
    if (i < net->first_stochastic || gate_behind(net, i) < 0) return false;
    return is_affine(net, i) || (caps_of(net, i) & BNN_ELEMENTWISE && gives_live(net, net->node[i].in[0]));
}

/* ---- memory ---- */

static bool is_prunable(const bnn_net *net) {
    for (int i = 1; i < net->n_nodes; i++)
        if (is_gate(net, i)) return true;
    return false;
}

bnn_status bnn_prune_new(const bnn_net *net, bnn_workspace *ws) {
    if (!is_prunable(net)) return BNN_OK;
    size_t reals = 0, units = 0;
    for (int i = 1; i < net->n_nodes; i++) {
        if (is_affine(net, i)) reals += (size_t)layer_of(net, i)->n_theta;
        if (is_gate(net, i)) units += (size_t)bnn_layer_size_in(layer_of(net, i));
    }
    ws->pruned = calloc((size_t)net->n_nodes, sizeof *ws->pruned);
    bnn_real *w = malloc(reals * sizeof *w);
    int *unit = malloc(units * sizeof *unit);
    if (!ws->pruned || !w || !unit) {
        free(w), free(unit);
        return bnn_fail(BNN_ERR_MEMORY, "out of memory");
    }
    ws->pruned[0] = (bnn_pruned){.w = w, .unit = unit}; /* the input needs none: what is to be freed */
    for (int i = 1; i < net->n_nodes; i++) {
        bnn_pruned *p = &ws->pruned[i];
        *p = (bnn_pruned){.w = w, .unit = unit, .affine = is_affine(net, i), .gate = is_gate(net, i)};
        p->before = p->affine ? gate_before(net, i) : -1;
        p->behind = gives_live(net, i) ? gate_behind(net, i) : -1;
        if (p->affine) w += layer_of(net, i)->n_theta;
        if (p->gate) unit += bnn_layer_size_in(layer_of(net, i));
    }
    return BNN_OK;
}

void bnn_prune_free(bnn_workspace *ws) {
    if (!ws->pruned) return;
    free(ws->pruned[0].w);
    free(ws->pruned[0].unit);
    free(ws->pruned);
}

/* ---- one draw ---- */

static int vectors(int reals) { return (reals + 15) / 16; } /* of the widest instructions; the same for all: bits are not to depend on it */

/* Which units a gate keeps; all of them if there is too little to gain. */
static void find_live(const bnn_io *io, int size, bnn_pruned *p) {
    p->size = size, p->live = 0;
    for (int i = 0; i < size; i++)
        if (io->pass[i] != 0) p->unit[p->live++] = i;
    if (p->size - p->live < LEAST_SHARE * p->size && vectors(p->live) == vectors(p->size)) p->live = p->size;
}

/* Finds the units of a gate that is in the kernel behind it in this pass; NULL: there is none, or it is not. */
static const bnn_pruned *folded(const bnn_workspace *ws, int gate) {
    return gate >= 0 && ws->pruned[gate].size > 0 ? &ws->pruned[gate] : NULL;
}

/* Finds the units of the gate behind node i, if y comes without those that it drops; NULL: y is whole. */
static const bnn_pruned *left_out(const bnn_workspace *ws, int i) {
    const bnn_pruned *p = folded(ws, ws->pruned[i].behind);
    return p && p->live < p->size ? p : NULL;
}

BNN_LOOP static void scale(int n, const bnn_real *restrict from, bnn_real z, bnn_real *restrict to) {
    for (int i = 0; i < n; i++) to[i] = z * from[i];
}

BNN_LOOP static void scale_picked(int n, const bnn_real *restrict from, const int *restrict unit, bnn_real z, bnn_real *restrict to) {
    for (int i = 0; i < n; i++) to[i] = z * from[unit[i]];
}

/* Kernel and bias of an affine node between the gates before, of factors z, and after it; NULL: there is none on that side. */
static void pack(const bnn_layer *l, const bnn_real *theta, const bnn_pruned *before, const bnn_real *z, const bnn_pruned *after,
                 bnn_real *w) {
    const int rows = l->plan.param[0].rows, cols = l->plan.param[0].cols, n = before ? before->live : rows, m = after ? after->live : cols;
    for (int i = 0; i < n + (l->plan.n_params > 1); i++, w += m) { /* the bias stands behind the kernel, like one more row */
        const int row = i == n ? rows : before && before->live < rows ? before->unit[i] : i;
        const bnn_real *from = theta + (size_t)row * (size_t)cols, factor = before && i < n ? z[row] : 1;
        if (after)
            scale_picked(m, from, after->unit, factor, w);
        else
            scale(m, from, factor, w);
    }
}

void bnn_prune_prepare(const bnn_net *net, bnn_workspace *ws) {
    for (int i = 1; i < net->n_nodes; i++) {
        if (!ws->pruned[i].gate) continue;
        ws->pruned[i].size = 0;
        if (ws->io[i].mode == BNN_DRAW) find_live(&ws->io[i], bnn_layer_size_in(layer_of(net, i)), &ws->pruned[i]);
    }
    for (int i = 1; i < net->n_nodes; i++) {
        if (!ws->pruned[i].affine) continue;
        const bnn_pruned *before = folded(ws, ws->pruned[i].before), *after = left_out(ws, i);
        if (before || after) pack(layer_of(net, i), ws->io[i].theta, before, ws->io[net->node[i].in[0]].pass, after, ws->pruned[i].w);
    }
}

/* ---- forward ---- */

static void multiply(const bnn_net *net, const bnn_workspace *ws, int i, const bnn_pruned *before, const bnn_pruned *after) {
    const bnn_layer *l = layer_of(net, i);
    const bnn_io *io = &ws->io[i];
    const int in = before ? before->live : l->plan.param[0].rows, out = after ? after->live : l->plan.param[0].cols;
    const bnn_real *w = ws->pruned[i].w, *b = l->plan.n_params > 1 ? w + (size_t)in * (size_t)out : NULL;
    const int gate = net->node[i].in[0];
    const bnn_real *x = before ? ws->io[gate].x[0] : io->x[0];
    if (before && before->live < before->size && !left_out(ws, net->node[gate].in[0]))
        bnn_affine_picked(io->n, in, out, x, before->size, before->unit, w, b, io->y);
    else
        bnn_affine(io->n, in, out, x, w, b, io->y);
}

/* An elementwise layer on n * live numbers: as many whole rows of its own as cover them. */
static void map(const bnn_layer *l, bnn_io *io, const bnn_pruned *after) {
    size_t size = (size_t)bnn_layer_size_in(l), n = (size_t)io->n, rows = (n * (size_t)after->live + size - 1) / size;
    io->n = (int)rows;
    bnn_layer_vtable(l)->forward(l, io);
    io->n = (int)n;
}

bool bnn_prune_forward(const bnn_net *net, bnn_workspace *ws, int i) {
    if (ws->pruned[i].gate) return folded(ws, i);
    const bnn_pruned *after = left_out(ws, i);
    if (ws->pruned[i].affine) {
        const bnn_pruned *before = folded(ws, ws->pruned[i].before);
        if (before || after) multiply(net, ws, i, before, after);
        return before || after;
    }
    if (after) map(layer_of(net, i), &ws->io[i], after);
    return after;
}
