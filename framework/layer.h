/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * prune.c: a pass in BNN_DRAW without what its gates have dropped.
 *
 * A gate that is shared by all rows and is 0 at a unit takes out a row of the kernel behind it and, through elementwise layers, a column of
 * the kernel before it: with a share p of zeros on both sides a product needs (1-p)^2 of the work. In
 *
 *   affine A -> elementwise -> gate g -> affine B
 *
 * A computes the live columns of its result alone, the elementwise layers and g work on [n, live], and B multiplies by the live rows of its
 * kernel. Sums run over the same terms in the same order without those that are 0, so nothing but the sign of a zero, and the rounding of
 * a product that goes to another kernel for its new size, can differ.
 */
#include "workspace.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_KERNEL 4096      /* smaller products are not worth the copying */
#define LEAST_SHARE (1 / 16.0) /* of zeros in a gate */

static const bnn_layer *layer_of(const bnn_net *net, int i) { return &net->node[i].layer; }
static uint32_t caps_of(const bnn_net *net, int i) { return layer_of(net, i)->object.type->caps; }
static bool is_affine(const bnn_net *net, int i) { return caps_of(net, i) & BNN_AFFINE && layer_of(net, i)->plan.param[0].rows > 0; }

/* A gate whose only reader is an affine node: its dropped units are seen nowhere else. */
static bool is_gate(const bnn_net *net, int i) {
    const bnn_layer *l = layer_of(net, i);
    const bnn_plan *plan = &l->plan;
    int reader = net->node[i].only_reader;
    if (!bnn_layer_vtable(l)->keep || plan->n_drawn != 1 || plan->drawn[0].cols != bnn_layer_size_in(l)) return false;
    return reader >= 0 && is_affine(net, reader) && layer_of(net, reader)->plan.param[0].rows == plan->drawn[0].cols;
}

/* The gate behind node i, looking through elementwise layers, if nobody else reads what stands between; -1: none. */
static int gate_behind(const bnn_net *net, int i) {
    do i = net->node[i].only_reader;
    while (i >= 0 && caps_of(net, i) & BNN_ELEMENTWISE);
    return i >= 0 && is_gate(net, i) ? i : -1;
}

static int gate_before(const bnn_net *net, int affine) { return is_gate(net, net->node[affine].in[0]) ? net->node[affine].in[0] : -1; }

/* Whether the y of this node comes without the units that the gate behind it drops. What is the same in every pass stays whole. */
static bool gives_live(const bnn_net *net, int i) {
    if (i < net->first_stochastic || gate_behind(net, i) < 0) return false;
    return is_affine(net, i) || (caps_of(net, i) & BNN_ELEMENTWISE && gives_live(net, net->node[i].in[0]));
}

/* ---- memory ---- */

static bool is_prunable(const bnn_net *net) {
    for (int i = 1; i < net->n_nodes; i++)
        if (is_gate(net, i) && bnn_param_size(&layer_of(net, net->node[i].only_reader)->plan.param[0]) >= LEAST_KERNEL) return true;
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
        ws->pruned[i].w = w, ws->pruned[i].unit = unit;
        if (is_affine(net, i)) w += layer_of(net, i)->n_theta;
        if (is_gate(net, i)) unit += bnn_layer_size_in(layer_of(net, i));
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

/* Which units a gate keeps; all of them if there is too little to gain. */
static void find_live(const bnn_io *io, int size, bnn_pruned *p) {
    p->size = size, p->live = 0;
    for (int i = 0; i < size; i++)
        if (io->pass[i] != 0) p->unit[p->live++] = i;
    if (p->size - p->live < LEAST_SHARE * p->size || p->live == 0) p->live = p->size;
}

static const bnn_pruned *pruning(const bnn_workspace *ws, int gate) {
    return gate >= 0 && ws->pruned[gate].live < ws->pruned[gate].size ? &ws->pruned[gate] : NULL;
}

BNN_LOOP static void pick(int n, const bnn_real *restrict from, const int *restrict unit, bnn_real *restrict to) {
    for (int i = 0; i < n; i++) to[i] = from[unit[i]];
}

/* Kernel and bias of an affine node between the gates before and after it; NULL: nothing is left out on that side. */
static void pack(const bnn_layer *l, const bnn_real *theta, const bnn_pruned *before, const bnn_pruned *after, bnn_real *w) {
    const int rows = l->plan.param[0].rows, cols = l->plan.param[0].cols, n = before ? before->live : rows, m = after ? after->live : cols;
    for (int i = 0; i <= n; i++, w += m) { /* the bias stands behind the kernel, like one more row */
        if (i == n && l->plan.n_params < 2) break;
        const bnn_real *row = theta + (size_t)(i == n ? rows : before ? before->unit[i] : i) * (size_t)cols;
        if (after)
            pick(m, row, after->unit, w);
        else
            memcpy(w, row, (size_t)m * sizeof *w);
    }
}

void bnn_prune_prepare(const bnn_net *net, bnn_workspace *ws) {
    bool draw = ws->io[0].mode == BNN_DRAW;
    for (int i = 1; i < net->n_nodes; i++) {
        if (!is_gate(net, i)) continue;
        int size = bnn_layer_size_in(layer_of(net, i));
        const bnn_param *kernel = &layer_of(net, net->node[i].only_reader)->plan.param[0];
        if (draw && bnn_param_size(kernel) >= LEAST_KERNEL)
            find_live(&ws->io[i], size, &ws->pruned[i]);
        else
            ws->pruned[i].live = ws->pruned[i].size = size;
    }
    for (int i = 1; i < net->n_nodes; i++) {
        if (!is_affine(net, i)) continue;
        const bnn_pruned *before = pruning(ws, gate_before(net, i)), *after = gives_live(net, i) ? pruning(ws, gate_behind(net, i)) : NULL;
        if (before || after) pack(layer_of(net, i), ws->io[i].theta, before, after, ws->pruned[i].w);
    }
}

/* ---- forward ---- */

static void multiply(const bnn_layer *l, const bnn_io *io, const bnn_pruned *before, const bnn_pruned *after, const bnn_real *w) {
    int in = before ? before->live : l->plan.param[0].rows, out = after ? after->live : l->plan.param[0].cols;
    bnn_affine(io->n, in, out, io->x[0], w, l->plan.n_params > 1 ? w + (size_t)in * (size_t)out : NULL, io->y);
}

BNN_LOOP static void scale_live(int n, const bnn_real *restrict x, const int *restrict unit, const bnn_real *restrict z,
                                bnn_real *restrict y) {
    for (int i = 0; i < n; i++) y[i] = x[i] * z[unit[i]];
}

BNN_LOOP static void scale_picked(int n, const bnn_real *restrict x, const int *restrict unit, const bnn_real *restrict z,
                                  bnn_real *restrict y) {
    for (int i = 0; i < n; i++) y[i] = x[unit[i]] * z[unit[i]];
}

/* y[n, live] = x z; x has all units or, if it comes from a node that gave the live ones alone, those. */
static void gate(const bnn_io *io, const bnn_pruned *p, bool live_only) {
    for (size_t r = 0; r < (size_t)io->n; r++) {
        bnn_real *y = io->y + r * (size_t)p->live;
        if (live_only)
            scale_live(p->live, io->x[0] + r * (size_t)p->live, p->unit, io->pass, y);
        else
            scale_picked(p->live, io->x[0] + r * (size_t)p->size, p->unit, io->pass, y);
    }
}

/* An elementwise layer on n * live numbers: as many whole rows of its own as cover them. */
static void map(const bnn_layer *l, bnn_io *io, const bnn_pruned *after) {
    size_t size = (size_t)bnn_layer_size_in(l), n = (size_t)io->n, rows = (n * (size_t)after->live + size - 1) / size;
    io->n = (int)rows;
    bnn_layer_vtable(l)->forward(l, io);
    io->n = (int)n;
}

bool bnn_prune_forward(const bnn_net *net, bnn_workspace *ws, int i) {
    const bnn_layer *l = layer_of(net, i);
    bnn_io *io = &ws->io[i];
    if (is_gate(net, i)) {
        if (pruning(ws, i)) gate(io, &ws->pruned[i], gives_live(net, net->node[i].in[0]));
        return pruning(ws, i);
    }
    const bnn_pruned *after = gives_live(net, i) ? pruning(ws, gate_behind(net, i)) : NULL;
    if (is_affine(net, i)) {
        const bnn_pruned *before = pruning(ws, gate_before(net, i));
        if (before || after) multiply(l, io, before, after, ws->pruned[i].w);
        return before || after;
    }
    if (after) map(l, io, after);
    return after;
}
