/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pass.c: passes over a network: workspace, forward, backward, penalty.
 */
#include "workspace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Arrays start on cache lines. */
static size_t padded(size_t n) { return (n + 15) / 16 * 16; }

/* Hands out pieces of a block; with a NULL block it only counts. */
static bnn_real *carve(bnn_real *block, size_t *used, size_t n) {
    bnn_real *piece = block ? block + *used : NULL;
    *used += padded(n);
    return piece;
}

/* Lays out all arrays; with io == NULL it only counts. Returns the length of the block. */
static size_t lay_out(const bnn_net *net, size_t rows, bnn_reach reach, bnn_real *block, bnn_io *io, bnn_real **scratch,
                      size_t *scratch_length) {
    size_t used = 0, most_scratch = 0;
    for (int i = 0; i < net->n_nodes; i++) {
        const bnn_plan *plan = &net->node[i].layer.plan;
        size_t out = (size_t)bnn_shape_size(plan->out), parts = bnn_rows_parts(&net->node[i].layer, rows);
        size_t scratch_here = parts * (size_t)plan->scratch_pass + rows * (size_t)plan->scratch_row;
        bool back = reach == BNN_TO_X || (reach == BNN_TO_THETA && net->node[i].needs_grad);
        bnn_real *y = i > 0 ? carve(block, &used, rows * out) : NULL; /* the input lends x as its y */
        bnn_real *dy = back ? carve(block, &used, rows * out) : NULL;
        bnn_real *cache = carve(block, &used, rows * (size_t)plan->cache_row);
        bnn_real *pass = carve(block, &used, (size_t)plan->pass);
        bnn_real *dpass = reach != BNN_FORWARD ? carve(block, &used, (size_t)plan->dpass) : NULL;
        if (io) io[i] = (bnn_io){.y = y, .dy = dy, .cache = cache, .pass = pass, .dpass = dpass};
        most_scratch = scratch_here > most_scratch ? scratch_here : most_scratch;
    }
    *scratch = carve(block, &used, most_scratch);
    *scratch_length = most_scratch;
    return used;
}

size_t bnn_workspace_bytes(const bnn_net *net, int rows, bnn_reach reach) {
    bnn_real *scratch;
    size_t scratch_length;
    return sizeof(bnn_real) * lay_out(net, (size_t)rows, reach, NULL, NULL, &scratch, &scratch_length);
}

const bnn_real *bnn_workspace_pass(const bnn_workspace *ws, int node) { return ws->io[node].pass; }

static int count_inputs(const bnn_net *net) {
    int n = 0;
    for (int i = 0; i < net->n_nodes; i++) n += net->node[i].layer.n_in;
    return n;
}

/* Joins the nodes: x[k] is the y of the source, dx[k] its dy where a gradient is needed there. */
static void join(const bnn_net *net, bnn_workspace *ws) {
    const bnn_real **x = ws->x;
    bnn_real **dx = ws->dx;
    for (int i = 0; i < net->n_nodes; i++) {
        bnn_io *io = &ws->io[i];
        io->x = x;
        io->dx = dx;
        io->scratch = ws->scratch;
        ws->own_y[i] = io->y;
        for (int k = 0; k < net->node[i].layer.n_in; k++) {
            bnn_io *source = &ws->io[net->node[i].in[k]];
            *x++ = source->y;
            *dx++ = (bnn_real *)source->dy;
        }
    }
}

/* Lends y[n, out] of a node to those that read it, in place of its own. */
static void lend(const bnn_net *net, bnn_workspace *ws, int node, const bnn_real *y) {
    ws->io[node].y = (bnn_real *)y; /* not written: its hook does not run */
    for (int i = node + 1; i <= net->node[node].last_reader; i++)
        for (int j = 0; j < net->node[i].layer.n_in; j++)
            if (net->node[i].in[j] == node) ((const bnn_real **)ws->io[i].x)[j] = y;
}

bnn_status bnn_workspace_new(const bnn_net *net, int rows, bnn_reach reach, bnn_workspace **out) {
    bnn_workspace *ws = calloc(1, sizeof *ws);
    if (!ws) return bnn_oom("a workspace");
    ws->rows = rows;
    size_t bytes = bnn_workspace_bytes(net, rows, reach), n_in = (size_t)count_inputs(net) + 1;
    ws->block = aligned_alloc(64, bytes > 0 ? bytes : 64);
    ws->io = calloc((size_t)net->n_nodes, sizeof *ws->io);
    ws->x = calloc(n_in, sizeof *ws->x);
    ws->dx = calloc(n_in, sizeof *ws->dx);
    ws->own_y = calloc((size_t)net->n_nodes, sizeof *ws->own_y);
    bool ok = ws->block && ws->io && ws->x && ws->dx && ws->own_y;
    if (!ok || (reach == BNN_FORWARD && bnn_prune_new(net, ws) < 0)) {
        bnn_workspace_free(ws);
        return bnn_fail(BNN_ERR_MEMORY, "out of memory: a workspace of %d rows takes %.1f MB", rows, (double)bytes / 1e6);
    }
    ws->length = lay_out(net, (size_t)rows, reach, ws->block, ws->io, &ws->scratch, &ws->scratch_length);
    memset(ws->block, 0, bytes);
    join(net, ws);
    *out = ws;
    return BNN_OK;
}

static void free_lanes(bnn_workspace *ws) {
    for (int k = 0; k < ws->n_lanes; k++) bnn_workspace_free(ws->lane[k]);
    free(ws->lane), free(ws->row_grad);
}

static void free_beside(bnn_workspace *ws) {
    for (int k = 0; k < ws->n_beside; k++) bnn_workspace_free(ws->beside[k]);
    free(ws->beside);
}

void bnn_workspace_free(bnn_workspace *ws) {
    if (!ws) return;
    bnn_prune_free(ws);
    free_lanes(ws);
    free_beside(ws);
    free(ws->shards);
    free(ws->block);
    free(ws->io);
    free(ws->x);
    free(ws->dx);
    free(ws->own_y);
    free(ws);
}

void bnn_workspace_tap(bnn_workspace *ws, bnn_tap tap, void *context) {
    ws->tap = tap;
    ws->tap_context = context;
}

/* In debug builds nothing can be read from scratch that the hook did not write. */
static void soil_scratch(bnn_workspace *ws) {
#ifndef NDEBUG
    for (size_t i = 0; i < ws->scratch_length; i++) ws->scratch[i] = (bnn_real)NAN;
#else
    (void)ws;
#endif
}

void bnn_net_prepare(const bnn_net *net, bnn_workspace *ws, const bnn_real *theta, bnn_mode mode, bool train, bnn_rng rng) {
    for (int i = 0; i < net->n_nodes; i++) {
        const bnn_layer *l = &net->node[i].layer;
        const bnn_layer_type *type = bnn_layer_vtable(l);
        bnn_io *io = &ws->io[i];
        io->mode = mode;
        io->train = train;
        io->theta = theta + net->node[i].theta;
        if (l->object.type->caps & BNN_STOCHASTIC) io->rng = bnn_rng_split(rng, (uint64_t)i);
        if (io->dpass) memset(io->dpass, 0, (size_t)l->plan.dpass * sizeof *io->dpass);
        soil_scratch(ws);
        if (type->prepare) type->prepare(l, io);
    }
    if (ws->pruned) bnn_prune_prepare(net, ws);
}

static const bnn_real *run_from(const bnn_net *net, bnn_workspace *ws, int first, int n, uint64_t row0) {
    for (int i = first; i < net->n_nodes; i++) {
        const bnn_layer *l = &net->node[i].layer;
        ws->io[i].n = n;
        ws->io[i].row0 = row0;
        soil_scratch(ws);
        if (!ws->pruned || !bnn_prune_forward(net, ws, i)) bnn_rows_run(l, &ws->io[i], bnn_layer_vtable(l)->forward);
    }
    return ws->io[net->n_nodes - 1].y;
}

const bnn_real *bnn_net_forward(const bnn_net *net, bnn_workspace *ws, int n, uint64_t row0, const bnn_real *x) {
    lend(net, ws, 0, x);
    return run_from(net, ws, 1, n, row0);
}

/* ---- what is the same in every pass ---- */

/* Says whether a node before the first stochastic one is read by that one or a later one. */
static bool is_live(const bnn_net *net, int node) { return net->node[node].last_reader >= net->first_stochastic; }

size_t bnn_net_prefix_size(const bnn_net *net) {
    size_t size = 0;
    for (int i = 1; i < net->first_stochastic && net->first_stochastic < net->n_nodes; i++)
        if (is_live(net, i)) size += (size_t)bnn_layer_size_out(&net->node[i].layer);
    return size;
}

void bnn_net_prefix(const bnn_net *net, bnn_workspace *ws, int n, uint64_t row0, const bnn_real *x, bnn_real *prefix) {
    bnn_net_forward(net, ws, n, row0, x);
    for (int i = 1; i < net->first_stochastic; i++) {
        if (!is_live(net, i)) continue;
        size_t size = (size_t)n * (size_t)bnn_layer_size_out(&net->node[i].layer);
        memcpy(prefix, ws->io[i].y, size * sizeof *prefix);
        prefix += size;
    }
}

const bnn_real *bnn_net_forward_after(const bnn_net *net, bnn_workspace *ws, int n, uint64_t row0, const bnn_real *x,
                                      const bnn_real *prefix) {
    lend(net, ws, 0, x);
    for (int i = 1; i < net->first_stochastic; i++) {
        if (!is_live(net, i)) continue;
        lend(net, ws, i, prefix);
        prefix += (size_t)n * (size_t)bnn_layer_size_out(&net->node[i].layer);
    }
    const bnn_real *f = run_from(net, ws, net->first_stochastic, n, row0);
    for (int i = 1; i < net->first_stochastic; i++) lend(net, ws, i, ws->own_y[i]);
    return f;
}

bnn_real *bnn_net_df(const bnn_net *net, bnn_workspace *ws) { return (bnn_real *)ws->io[net->n_nodes - 1].dy; }

void bnn_net_backward(const bnn_net *net, bnn_workspace *ws, bnn_real *dtheta) {
    int last = net->n_nodes - 1;
    for (int i = 0; i < last; i++)
        if (ws->io[i].dy)
            memset((bnn_real *)ws->io[i].dy, 0,
                   (size_t)ws->io[last].n * (size_t)bnn_layer_size_out(&net->node[i].layer) * sizeof(bnn_real));
    for (int i = last; i > 0; i--) {
        if (!ws->io[i].dy) continue;
        const bnn_layer *l = &net->node[i].layer;
        bool wanted = dtheta && l->n_theta && !(ws->scored && bnn_layer_vtable(l)->score);
        ws->io[i].dtheta = wanted ? dtheta + net->node[i].theta : NULL;
        soil_scratch(ws);
        bnn_rows_run(l, &ws->io[i], bnn_layer_vtable(l)->backward);
        if (ws->tap && l->object.type->caps & BNN_AFFINE) ws->tap(ws->tap_context, i, &ws->io[i]);
    }
}

const bnn_real *bnn_net_dx(const bnn_net *net, const bnn_workspace *ws) {
    (void)net;
    return ws->io[0].dy;
}

void bnn_net_score(const bnn_net *net, bnn_workspace *ws, double weight, bnn_real *dtheta) {
    ws->scored = true;
    bnn_net_backward(net, ws, dtheta);
    ws->scored = false;
    for (int i = 0; i < net->n_nodes; i++) {
        const bnn_layer *l = &net->node[i].layer;
        if (!bnn_layer_vtable(l)->score) continue;
        ws->io[i].dtheta = dtheta + net->node[i].theta;
        soil_scratch(ws);
        bnn_layer_vtable(l)->score(l, &ws->io[i], weight);
    }
}

double bnn_net_penalty(const bnn_net *net, bnn_workspace *ws, double scale, bnn_real *dtheta) {
    double kl = 0;
    for (int i = 0; i < net->n_nodes; i++) {
        const bnn_layer *l = &net->node[i].layer;
        const bnn_layer_type *type = bnn_layer_vtable(l);
        bnn_io *io = &ws->io[i];
        io->dtheta = dtheta && l->n_theta ? dtheta + net->node[i].theta : NULL;
        soil_scratch(ws);
        if (type->finish && io->dtheta) type->finish(l, io);
        if (type->penalty) kl += type->penalty(l, io, scale);
    }
    return kl;
}

void bnn_net_absorb(const bnn_net *net, const bnn_workspace *ws, bnn_real *theta) {
    for (int i = 0; i < net->n_nodes; i++) {
        const bnn_layer *l = &net->node[i].layer;
        if (bnn_layer_vtable(l)->absorb) bnn_layer_vtable(l)->absorb(l, &ws->io[i], theta + net->node[i].theta);
    }
}

int bnn_net_stateful(const bnn_net *net) {
    for (int i = 0; i < net->n_nodes; i++)
        if (bnn_layer_vtable(&net->node[i].layer)->absorb) return i;
    return -1;
}
