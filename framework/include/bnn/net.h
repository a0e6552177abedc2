/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * net.h: text -> nodes -> forward, backward, penalty.
 *
 * A net is immutable after bnn_net_new and shared by all threads; what changes lives in a workspace, one for each thread.
 */
#ifndef BNN_NET_H
#define BNN_NET_H

#include <bnn/layer.h>
#include <bnn/netspec.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A layer in its place. */
typedef struct {
    bnn_layer layer; /* bound */
    int *in;         /* [layer.n_in] node numbers */
    size_t theta;    /* offset of its parameters in the flat vector */
    int gate;        /* node whose keep() governs the prior of this node's weights, or -1 */
    int only_reader; /* the one node that reads this one, or -1 */
    int last_reader; /* the last node that reads this one, or -1 */
    int first_block; /* parameter blocks of the nodes before it */
    bool needs_grad; /* it or a node before it has parameters */
    bool named;      /* the text gives its label; made-up labels are for messages and files only */
} bnn_node;

/* A network: layers in the order in which they run. */
typedef struct {
    int n_nodes;          /* at least 1 */
    bnn_node *node;       /* [n_nodes] in execution order; node 0 is the input */
    int n_theta;          /* parameters of all nodes */
    int n_blocks;         /* parameter blocks of all nodes */
    int first_stochastic; /* nodes before this one do not depend on the noise; n_nodes if none does */
    double flops_row, flops_pass, back_flops_row, back_flops_pass; /* sums over nodes */
} bnn_net;

/* Surroundings of a net, from which comes what its text leaves open. */
typedef struct {
    bnn_shape x_shape;      /* of the data; an `input` statement must agree with it */
    bnn_shape out;          /* with which the likelihood has it end; rank 0: any */
    const bnn_prior *prior; /* borrowed, outlives the net */
} bnn_net_env;

/* Parses a network text (netspec.h) and binds its layers. A misfit is a failure whose sentence names the node and both shapes. */
bnn_status bnn_net_new(const char *text, const bnn_net_env *env, bnn_net **out);
void bnn_net_free(bnn_net *net); /* frees it with all it owns; NULL is allowed */
/* The canonical text, all options written out; parses to the same net. Caller frees; NULL when out of memory. */
char *bnn_net_print(const bnn_net *net);
/* Nodes with a keep hook: those with a probability of dropping. */
int bnn_net_gates(const bnn_net *net);
/* Initial parameters: theta[n_theta]. */
void bnn_net_init(const bnn_net *net, bnn_rng rng, bnn_real *theta);

/* How far back the gradients of a workspace go. */
typedef enum {
    BNN_FORWARD,  /* nowhere: passes forward alone */
    BNN_TO_THETA, /* to the parameters; nodes before the first one that has any are left out */
    BNN_TO_X      /* to the inputs of the network, too */
} bnn_reach;

/* Memory of one thread's passes over up to `rows` rows. */
typedef struct bnn_workspace bnn_workspace;
/* A workspace of passes over at most `rows` rows, with room for gradients that reach so far. The net is borrowed; fails where memory does
 * not suffice:
 */
bnn_status bnn_workspace_new(const bnn_net *net, int rows, bnn_reach reach, bnn_workspace **out); /* makes one */
size_t bnn_workspace_bytes(const bnn_net *net, int rows, bnn_reach reach);                        /* bytes that it takes */
void bnn_workspace_free(bnn_workspace *ws); /* frees it with all it owns; NULL is allowed */

/* For rows that are large each: `lanes` workspaces of a row in one, whose rows go side by side and have gradients[n_theta] of their own.
 * prepare, finish and penalty are made in it as in any other, forward and backward in its lanes. Not for layers whose rows interact. */
bnn_status bnn_workspace_new_lanes(const bnn_net *net, int lanes, size_t n_theta, bnn_workspace **out);
size_t bnn_workspace_lanes_bytes(const bnn_net *net, int lanes, size_t n_theta); /* bytes that it takes */
int bnn_workspace_lanes(const bnn_workspace *ws);                                /* their number; 0 of any other workspace */
/* Lane k in the pass that ws has been prepared for, and where its row adds its gradient, which begins at 0. */
bnn_workspace *bnn_workspace_lane(const bnn_net *net, const bnn_workspace *ws, int k, bnn_real **grad);
/* grad[n_theta] += what the rows in the first lanes have added, in their order. */
void bnn_workspace_gather(const bnn_net *net, bnn_workspace *ws, int lanes, bnn_real *grad);

/* Numbers that a node's prepare hook made for this pass: plan.drawn says what stands where. */
const bnn_real *bnn_workspace_pass(const bnn_workspace *ws, int node);

/* Starts a pass: parameters (borrowed until the pass ends), mode and noise stream; runs every prepare hook. */
void bnn_net_prepare(const bnn_net *net, bnn_workspace *ws, const bnn_real *theta, bnn_mode mode, bool train, bnn_rng rng);

/* f[n, out] of rows row0.. of x[n, in], n <= rows of the workspace; valid until the next call. x is borrowed until backward is done. */
const bnn_real *bnn_net_forward(const bnn_net *net, bnn_workspace *ws, int n, uint64_t row0, const bnn_real *x);
/* Nodes before first_stochastic give the same numbers in every pass with the same parameters: x[n, in] once becomes prefix[n, size], and
 * passes go on from there: */
size_t bnn_net_prefix_size(const bnn_net *net); /* reals of a row that later nodes read of them; 0: nothing is to be gained */
void bnn_net_prefix(const bnn_net *net, bnn_workspace *ws, int n, uint64_t row0, const bnn_real *x, bnn_real *prefix); /* of rows x into
                                                                                                                          prefix */
const bnn_real *bnn_net_forward_after(const bnn_net *net, bnn_workspace *ws, int n, uint64_t row0, const bnn_real *x,
                                      const bnn_real *prefix); /* bnn_net_forward, with those taken from prefix */
/* Where the caller puts dU/df[n, out] before backward. */
bnn_real *bnn_net_df(const bnn_net *net, bnn_workspace *ws);
/* Gradients of the rows of the last forward: dtheta[n_theta] += , or NULL: not wanted. */
void bnn_net_backward(const bnn_net *net, bnn_workspace *ws, bnn_real *dtheta);
/* dU/dx[n, in] of the last backward in a workspace BNN_TO_X, valid until the next one; NULL in any other. */
const bnn_real *bnn_net_dx(const bnn_net *net, const bnn_workspace *ws);
/* In place of backward, after a forward of all rows in BNN_DRAW: nodes with a score hook get weight times their score, the others the
 * gradients of backward. */
void bnn_net_score(const bnn_net *net, bnn_workspace *ws, double weight, bnn_real *dtheta);
/* Ends the pass: finish hooks, then sum of the layers' KL in nats; dtheta += scale times its gradient. dtheta may be NULL. */
double bnn_net_penalty(const bnn_net *net, bnn_workspace *ws, double scale, bnn_real *dtheta);

/* After a pass of training over all rows of a batch, has the layers fold it into their STATE blocks of theta. */
void bnn_net_absorb(const bnn_net *net, const bnn_workspace *ws, bnn_real *theta);
/* The first node with an absorb hook, or -1. */
int bnn_net_stateful(const bnn_net *net);

/* Called in a backward after an AFFINE node has run, with what it saw of the rows: its inputs io->x[0][n, D] and the gradients of its
 * outputs io->dy[n, U]. For engines that need them beside their product (Kronecker-factored curvature). */
typedef void (*bnn_tap)(void *context, int node, const bnn_io *io);
void bnn_workspace_tap(bnn_workspace *ws, bnn_tap tap, void *context); /* in every backward from now on; NULL: none */

#ifdef __cplusplus
}
#endif

#endif
