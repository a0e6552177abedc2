/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * lanes.c: passes of rows that are large, such as images, one row to a lane. All lanes share what prepare made once; each has a gradient of
 * its own, which begins at 0, and these are added in the order of the rows. So no bit depends on the number of lanes or of threads.
 */
#include "workspace.h"

#include <bnn/jobs.h>
#include <stdlib.h>
#include <string.h>

bnn_status bnn_workspace_new_lanes(const bnn_net *net, int lanes, size_t n_theta, bnn_workspace **out) {
    bnn_workspace *ws;
    BNN_TRY(bnn_workspace_new(net, 0, BNN_TO_THETA, &ws)); /* prepares, finishes and has the penalty */
    bnn_status s = BNN_OK;
    ws->n_theta = n_theta;
    ws->lane = calloc((size_t)lanes, sizeof(bnn_workspace *));
    ws->row_grad = malloc(((size_t)lanes * n_theta + 1) * sizeof *ws->row_grad);
    if (!ws->lane || !ws->row_grad) s = bnn_oom("gradients of rows");
    for (; s == BNN_OK && ws->n_lanes < lanes; ws->n_lanes += s == BNN_OK)
        s = bnn_workspace_new(net, 1, BNN_TO_THETA, &ws->lane[ws->n_lanes]);
    if (s < 0)
        bnn_workspace_free(ws);
    else
        *out = ws;
    return s;
}

size_t bnn_workspace_lanes_bytes(const bnn_net *net, int lanes, size_t n_theta) {
    return bnn_workspace_bytes(net, 0, BNN_TO_THETA) +
           (size_t)lanes * (bnn_workspace_bytes(net, 1, BNN_TO_THETA) + n_theta * sizeof(bnn_real));
}

int bnn_workspace_lanes(const bnn_workspace *ws) { return ws->n_lanes; }

void bnn_workspace_follow(const bnn_net *net, const bnn_workspace *from, bnn_workspace *ws) {
    for (int i = 0; i < net->n_nodes; i++) {
        const bnn_io *of = &from->io[i];
        bnn_io *io = &ws->io[i];
        io->mode = of->mode, io->train = of->train, io->theta = of->theta, io->rng = of->rng, io->pass = of->pass;
        if (io->dpass) memset(io->dpass, 0, (size_t)net->node[i].layer.plan.dpass * sizeof *io->dpass);
    }
}

bnn_workspace *bnn_workspace_lane(const bnn_net *net, const bnn_workspace *ws, int k, bnn_real **grad) {
    bnn_workspace *lane = ws->lane[k];
    *grad = ws->row_grad + (size_t)k * ws->n_theta;
    memset(*grad, 0, ws->n_theta * sizeof **grad);
    bnn_workspace_follow(net, ws, lane);
    return lane;
}

/* Sums over the first lanes, some numbers of each. */
typedef struct {
    const bnn_workspace *ws;
    int lanes;
    bnn_real *grad;
} gathered;

BNN_LOOP static void add(size_t n, const bnn_real *restrict from, bnn_real *restrict to) {
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

static void add_lanes(void *context, int from, int n) {
    const gathered *g = context;
    for (int k = 0; k < g->lanes; k++) add((size_t)n, g->ws->row_grad + (size_t)k * g->ws->n_theta + from, g->grad + from);
}

void bnn_workspace_gather(const bnn_net *net, bnn_workspace *ws, int lanes, bnn_real *grad) {
    enum { PART = 1 << 15 };
    gathered g = {ws, lanes, grad};
    bnn_parts_run((int)ws->n_theta, PART, add_lanes, &g);
    for (int i = 0; i < net->n_nodes; i++)
        for (int k = 0; ws->io[i].dpass && k < lanes; k++)
            add((size_t)net->node[i].layer.plan.dpass, ws->lane[k]->io[i].dpass, ws->io[i].dpass);
}
