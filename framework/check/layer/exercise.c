/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * exercise.c: passes of all nodes of a type in every mode, for the rules of every kind.
 */
#include "layer.h"

static void add(uint64_t *digest, const bnn_real *a, size_t n) { bnn_digest_add(digest, a, n * sizeof *a); }

static bnn_status pass(const bnn_layer_case *k, uint64_t *digest) {
    bnn_layer_pass p;
    BNN_TRY(bnn_case_open(k, BNN_CASE_ROWS, 90, &p));
    p.undefined = 0; /* what stands in arrays of the pass is asked by `undefined` */
    bnn_layer_pass_gradient(&p);
    add(digest, p.y, (size_t)p.n * p.d_out);
    for (int i = 0; i < p.l->n_in; i++) add(digest, p.dx[i], (size_t)p.n * p.d_in[i]);
    if (k->type->score) bnn_layer_pass_score(&p, 0.7);
    add(digest, p.dtheta, (size_t)p.l->n_theta);
    if (k->type->absorb) k->type->absorb(p.l, &p.io, p.theta);
    add(digest, p.theta, (size_t)p.l->n_theta);
    bnn_digest_add(digest, &p.penalty, sizeof p.penalty);
    bnn_layer_pass_close(&p);
    return BNN_OK;
}

bnn_status bnn_exercise_layer(bnn_checker *c, const char *spec, uint64_t *digest) {
    bnn_spec_net net;
    bnn_layer_case k = {.type = (const bnn_layer_type *)c->type, .spec = spec, .net = &net};
    *digest = BNN_DIGEST;
    BNN_TRY(bnn_spec_net_open(spec, &net));
    bnn_status s = BNN_OK;
    for (k.node = 0; k.node < net.net->n_nodes; k.node++)
        for (k.mode = BNN_MEAN; k.mode <= BNN_DRAW && s == BNN_OK; k.mode++)
            if (bnn_layer_vtable(bnn_case_layer(&k)) == k.type && bnn_case_layer(&k)->n_in > 0) s = pass(&k, digest);
    bnn_spec_net_close(&net);
    return s;
}
