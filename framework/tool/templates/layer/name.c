/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * @name@: a learned scale for each unit.
 *
 *   y = x (1 + g)                           x, y: any shape of D units, n rows     g [D]
 *   dg += sum over rows of dy x
 *   dx += dy (1 + g)
 *
 * There is no noise: all modes are the same.
 *
 * Parameters: scale [D], WEIGHT. The model's prior pulls g to 0, where the layer does nothing.
 *
 * Replace the mathematics, keep the shape of the file: options, bind, hooks, checks, vtable, plugin. <bnn/layer.h> is the whole contract.
 */
#include <bnn/layer.h>

/* Options, read from the network text: `@name@:start=0.1` or `@name@:0.1`. The framework parses, checks and prints them by this table. */
typedef struct {
    double start;
} conf;

static const bnn_option options[] = {BNN_OPT_REAL(conf, start, "0", -10, 10, "initial g of every unit"), {0}};

/* bind, REQUIRED: called once, when the network is made. It looks at options and input shapes and fills the plan: the shape of one row of
 * y, the blocks of parameters, and the memory that the hooks will find in bnn_io. All that is not named is 0. Counts are in bnn_reals.
 *   cache_row             from forward to backward, for each row
 *   scratch_row, _pass    undefined between calls: for each row, for each call
 *   pass, dpass           made once per pass by `prepare`; gradients of it, for `finish`
 * It is the only hook that may fail: `return bnn_fail(BNN_ERR_SHAPE, "sentence", ...)`; bnn_layer_needs_vector(l) has the usual one. */
static bnn_status bind(bnn_layer *l) {
    int d = bnn_layer_size_in(l);
    l->plan = (bnn_plan){
        .out = l->in[0],
        .n_params = 1,
        .param = {{.name = "scale", .role = BNN_WEIGHT, .cols = d, .fan_in = 1}},
        .flops_row = 2.0 * d,      /* operations of forward for one row */
        .back_flops_row = 4.0 * d, /* of backward; of what is done once per pass: flops_pass, back_flops_pass */
    };
    return BNN_OK;
}

/* init, optional: first values of theta, all of them, from this stream alone. Left out, WEIGHT blocks are N(0, 2/fan_in), the others 0. */
static void init(const bnn_layer *l, bnn_rng rng, bnn_real *theta) {
    const conf *c = l->object.conf;
    (void)rng; /* nothing is random */
    for (int i = 0; i < l->n_theta; i++) theta[i] = (bnn_real)c->start;
}

/* forward, REQUIRED: sets y (and cache) of io->n rows. Called from several threads at once, on any cut of the rows: row i of y depends on
 * row i of x, on theta and pass, and on nothing else. It allocates nothing and keeps nothing. Noise, of a type with BNN_STOCHASTIC in its
 * caps, comes from io->rng and depends on io->mode: BNN_MEAN   none BNN_ROWS   of its own for every row: bnn_rng_normal(io->rng, io->row0,
 * io->n, d, out) here BNN_DRAW   one for all rows: bnn_rng_normal(io->rng, 0, 1, d, io->pass) in `prepare` */
static void forward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    const bnn_real *x = io->x[0], *g = io->theta, one = 1;
    for (size_t i = 0; i < (size_t)io->n * d; i++) io->y[i] = x[i] * (one + g[i % d]);
}

/* backward, REQUIRED: adds (+=) what dy makes of dx and dtheta (and dpass). Each of them may be NULL: then it is not wanted. */
static void backward(const bnn_layer *l, bnn_io *io) {
    size_t d = (size_t)bnn_layer_size_in(l);
    const bnn_real *x = io->x[0], *g = io->theta, one = 1;
    for (size_t i = 0; i < (size_t)io->n * d; i++) {
        if (io->dtheta) io->dtheta[i % d] += io->dy[i] * x[i];
        if (io->dx[0]) io->dx[0][i] += io->dy[i] * (one + g[i % d]);
    }
}

/* Hooks that this layer does without, all optional:
 *   prepare  (l, io)             theta, rng -> pass, once before the first forward: sampled weights, a mask for all rows
 *   finish   (l, io)             dpass -> dtheta, once after the last backward
 *   penalty  (l, io, scale)      returns the KL of the layer's own posterior: nats, summed, not scaled; adds scale times its gradient to
 *                                dtheta. For blocks of the roles VARIATIONAL and HYPER, which the model's prior leaves alone
 *   keep     (l, theta, dkeep)   of a gate: the probability of keeping a unit
 *   score    (l, io, scale)      adds scale times the gradient of log q(pass | theta) to dtheta
 *   close    (l)                 frees what bind has put into l->derived */

/* Networks that `bnn check` tries this type in: small ones, for each option that changes the code and each kind of shape. */
static const char *const checks[] = {"input:5; @name@; dense:3", "input:2x3; @name@:start=0.5", "input:4; dense:3; @name@:-1; tanh", NULL};

/* caps: BNN_STOCHASTIC where io->rng is used, BNN_KINKED where y has kinks, ... (layer.h). */
const bnn_layer_type bnn_layer_@name@ = {
    .type = {BNN_TYPE(bnn_layer_type), .name = "@name@", .summary = "a learned scale for each unit", .conf_size = sizeof(conf),
             .options = options, .checks = checks},
    .min_in = 1, /* inputs: `add` takes two, for instance */
    .max_in = 1,
    .bind = bind,
    .forward = forward,
    .backward = backward,
    .init = init,
};

BNN_LAYER_PLUGIN(bnn_layer_@name@)
