/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * pass.h (private): one node of a net, driven hook by hook on rows of normal x: J = sum(c y) + scale penalty.
 *
 * All arrays are guarded. What no hook has written yet (y, cache, pass, and scratch before every hook) is filled with `undefined`.
 */
#ifndef BNN_CHECK_PASS_H
#define BNN_CHECK_PASS_H

#include <bnn/net.h>

/* A net whose input is as its text says, with a prior (of bnn_spec_net_open gauss) and no likelihood. */
typedef struct {
    bnn_prior prior;
    bnn_net *net;
} bnn_spec_net;
bnn_status bnn_spec_net_open(const char *text, bnn_spec_net *out);
bnn_status bnn_spec_net_open_with(const char *text, const char *prior, bnn_spec_net *out);
void bnn_spec_net_close(bnn_spec_net *t);

enum { BNN_MOST_INPUTS = 16 };

typedef struct {
    const bnn_layer *l;
    int n;
    uint64_t row0; /* number of row 0 in the whole batch; preset: 0 */
    size_t d_in[BNN_MOST_INPUTS], d_out;
    bnn_real *x[BNN_MOST_INPUTS], *dx[BNN_MOST_INPUTS]; /* dx[k] and dtheta may be taken away for a while: NULL, not wanted */
    bnn_real *theta, *dtheta, *y, *c, *pass, *dpass, *cache, *scratch;
    double scale, penalty;
    bnn_real undefined; /* preset: NaN */
    bnn_io io;          /* rng, mode and train may be set */

    /* Findings at every hook, if asked for. */
    bool guarded;                  /* look at the sentinels */
    char overrun[96];              /* the first write outside an array, such as "backward writes outside dtheta [6]"; "" if none */
    bool *touched;                 /* entries of scratch that some hook wrote; NULL: not watched */
    uint64_t (*allocations)(void); /* counter of the calling thread; NULL: not watched */
    uint64_t allocated;            /* number of allocations, ... */
    const char *allocator;         /* ... and the hook that made the first */
} bnn_layer_pass;

/* theta: initial values plus 0.3 e, so that no parameter is where it began. */
bnn_status bnn_layer_pass_open(const bnn_net *net, int node, int n, bnn_mode mode, bnn_rng rng, bnn_layer_pass *out);
void bnn_layer_pass_close(bnn_layer_pass *p);
size_t bnn_layer_pass_scratch(const bnn_layer_pass *p); /* reals */

/* The steps of a pass. gradient: dtheta is wanted, and finish runs. rows: forward or backward of rows from .. to of the n, which have the
 * numbers row0 + from .. in the batch. */
void bnn_layer_pass_start(bnn_layer_pass *p, bool gradient);
void bnn_layer_pass_rows(bnn_layer_pass *p, int from, int to, bool backward);
void bnn_layer_pass_finish(bnn_layer_pass *p);
void bnn_layer_pass_penalty(bnn_layer_pass *p);
void bnn_layer_pass_score(bnn_layer_pass *p, double weight); /* of a layer that has the hook, into dtheta */
void bnn_layer_pass_absorb(bnn_layer_pass *p, int n);        /* of a layer that has the hook: rows 0 .. n, which went forward */

/* start, forward in two pieces cut at row `cut`, and penalty without gradients; returns J. */
double bnn_layer_pass_forward(bnn_layer_pass *p, int cut);
/* All hooks; gradients are added to what dx, dtheta and dpass hold. */
void bnn_layer_pass_gradient(bnn_layer_pass *p);
/* Adds what a pass has left: y, dx, dtheta and the penalty. */
void bnn_digest_pass(uint64_t *digest, const bnn_layer_pass *p);
void bnn_layer_pass_zero_gradients(bnn_layer_pass *p);

#endif
