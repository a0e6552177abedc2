/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * layer.h: the layer contract; all that a layer author includes.
 *
 * A layer is a pure function with declared memory. bind says what it needs; after that the layer is immutable, and everything mutable
 * arrives through one bnn_io. Only bind can fail. The other hooks allocate nothing, keep nothing and are called from several threads at
 * once.
 *
 * Sequence of one pass:  prepare (once) -> forward (rows, in pieces of any size) -> backward (the same pieces) -> finish (once) -> penalty
 * (once). Every gradient is added to what is there (+=); the framework zeroes.
 */
#ifndef BNN_LAYER_H
#define BNN_LAYER_H

#include <bnn/bnn.h>
#include <bnn/kernels.h>
#include <bnn/prior.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BNN_MAX_PARAMS 8     /* blocks of parameters of a layer */
#define BNN_MAX_GATE_THETA 8 /* parameters of a layer with a keep hook */

enum {                      /* bnn_type.caps of a layer */
       BNN_STOCHASTIC = 1,  /* y depends on io->rng, except in BNN_MEAN */
       BNN_COUPLED = 2,     /* rows interact in training */
       BNN_KINKED = 4,      /* not differentiable everywhere: finite differences skip the kinks */
       BNN_AFFINE = 8,      /* y = x W + b, with the parameters "kernel" and "bias" */
       BNN_RESHAPE = 16,    /* y is x with another shape: a gate before it gates what comes after it */
       BNN_ELEMENTWISE = 32, /* y[i] = f(x[i]), the same f for every element, without parameters and noise */
       BNN_CONV = 64 /* y is a two-dimensional convolution of x, or its transpose, with the parameters "kernel" and "bias" */
};

/* Needs of a layer, filled by bind. Counts are in bnn_reals. */
typedef struct {
    bnn_shape out;                          /* of one row of y */
    int n_params;                           /* blocks of parameters */
    bnn_param param[BNN_MAX_PARAMS];        /* their order is the layout of theta */
    int pass;                               /* made once per pass by prepare (sampled weights, a shared mask) ... */
    int dpass;                              /* ... and gradients of it, summed by backward, read by finish */
    bool quiet;                             /* of a STOCHASTIC type: with these options it draws nothing (p = 0) */
    int n_drawn;                            /* what a pass in BNN_DRAW draws, for files: ... */
    bnn_param drawn[BNN_MAX_PARAMS];        /* ... blocks of `pass` by name: "gate" of a gate, "kernel" and "bias" of random weights */
    int drawn_at[BNN_MAX_PARAMS];           /* where they begin in pass */
    int cache_row;                          /* kept from forward to backward, for each row */
    int scratch_row, scratch_pass;          /* undefined between calls: for each row of a call; for each call */
    double flops_row, flops_pass;           /* floating-point operations of forward per row, and of prepare per pass */
    double back_flops_row, back_flops_pass; /* of backward per row, and of finish and penalty per pass */
} bnn_plan;

typedef struct bnn_layer_type bnn_layer_type;

/* A layer in its place in a network: immutable after bind. */
typedef struct bnn_layer {
    bnn_object object;      /* type and options */
    const char *label;      /* of the node, for messages */
    int n_in;               /* number of inputs */
    const bnn_shape *in;    /* [n_in] shapes of the inputs */
    int out_hint;           /* units, or channels, that the likelihood needs if this is the last node, else 0 */
    const bnn_prior *prior; /* the model's prior */
    bnn_plan plan;          /* filled by bind */
    int n_theta;            /* sum of the parameter blocks; set after bind */
    void *derived;          /* what bind makes of the options besides the plan; freed by close */
} bnn_layer;

/* One call; all memory is the caller's. D, U: sizes of one row of input and output. */
typedef struct {
    int n;                    /* rows in this call */
    uint64_t row0;            /* index of the first one in the whole batch: noise is addressed by row0 + k */
    bnn_mode mode;            /* where the noise comes from */
    bool train;               /* a pass of training: COUPLED layers take statistics of the batch */
    bnn_rng rng;              /* this node's stream; forward and backward of a pass get the same value */
    const bnn_real *theta;    /* [n_theta] */
    bnn_real *dtheta;         /* [n_theta] += , or NULL */
    const bnn_real *const *x; /* x[k]: [n, D_k] */
    bnn_real *const *dx;      /* dx[k]: [n, D_k] += ; an entry may be NULL: not wanted */
    bnn_real *y;              /* [n, U]: = in forward; as forward left it in backward */
    const bnn_real *dy;       /* [n, U] */
    bnn_real *pass;           /* [plan.pass] made by prepare */
    bnn_real *dpass;          /* [plan.dpass] += in backward, read by finish */
    bnn_real *cache;          /* [n, cache_row] */
    bnn_real *scratch;        /* [scratch_pass + n * scratch_row] */
} bnn_io;

/* Vtable of a layer. Hooks may be called from several threads at once; NULL: the optional hook is not there. */
struct bnn_layer_type {
    bnn_type type; /* name, options, capabilities, check specs */
    int min_in;    /* inputs, at least */
    int max_in;    /* inputs, at most */

    /* REQUIRED: */
    bnn_status (*bind)(bnn_layer *);               /* shapes, parameters, memory, flops; the only hook that may fail */
    void (*forward)(const bnn_layer *, bnn_io *);  /* x, theta, pass -> y, cache */
    void (*backward)(const bnn_layer *, bnn_io *); /* dy -> dx, dtheta, dpass */

    /* OPTIONAL, with a default: */
    void (*init)(const bnn_layer *, bnn_rng, bnn_real *theta); /* WEIGHT ~ N(0, 2/fan_in) (He et al. 2015), all else 0 */

    /* OPTIONAL, without a default: */
    void (*prepare)(const bnn_layer *, bnn_io *); /* theta, rng -> pass */
    void (*finish)(const bnn_layer *, bnn_io *);  /* dpass -> dtheta */
    /* KL of the layer's own posterior in nats, summed, never scaled; adds scale times its gradient to dtheta (NULL: not wanted). Called
     * after finish; pass is still there. */
    double (*penalty)(const bnn_layer *, bnn_io *, double scale);
    /* A gate: the probability of KEEPING a unit. The model takes the prior of the weights that read this node at w/keep with probability
     * keep and at 0 otherwise. dkeep[n_theta], n_theta <= BNN_MAX_GATE_THETA, is set to its gradient. */
    double (*keep)(const bnn_layer *, const bnn_real *theta, bnn_real *dkeep);
    void (*close)(bnn_layer *); /* frees derived; also called after a bind that failed */
    /* For a layer whose noise is all in pass: dtheta += scale times the gradient of log q(pass | theta), the density of what prepare drew
     * in BNN_DRAW. For score-function gradients (model.h), which need no derivative of anything behind the draw. */
    void (*score)(const bnn_layer *, bnn_io *, double scale);
    /* With STATE blocks: folds the batch into them, theta[n_theta], after the forward of all its rows in training. Called by one thread,
     * once a step; passes only read what it leaves. */
    void (*absorb)(const bnn_layer *, const bnn_io *, bnn_real *theta);
};

/* Questions to a layer that is bound: */
static inline const bnn_layer_type *bnn_layer_vtable(const bnn_layer *l) { return (const bnn_layer_type *)l->object.type; } /* its vtable */
static inline int bnn_layer_size_in(const bnn_layer *l) { return bnn_shape_size(l->in[0]); }     /* D of the first input */
static inline int bnn_layer_size_out(const bnn_layer *l) { return bnn_shape_size(l->plan.out); } /* U */

/* The bias behind the kernel, the first of two blocks, in an array [n_theta]; NULL: the layer has a kernel alone. */
static inline const bnn_real *bnn_layer_bias(const bnn_layer *l, const bnn_real *theta) {
    return l->plan.n_params > 1 ? theta + bnn_param_size(&l->plan.param[0]) : NULL;
}

/* A block of this layer as its prior sees it. */
static inline bnn_prior_block bnn_layer_prior_block(const bnn_layer *l, const bnn_param *p) {
    const bool channels = p->rows > 0 && (l->object.type->caps & BNN_CONV) != 0;
    const bnn_prior_block block = {
        l->label, l->object.type->name, p->name, p->role == BNN_WEIGHT, p->rows, p->cols, p->fan_in, channels ? l->in[0].d[0] : p->rows};
    return block;
}

/* Refuses an input that is not a vector, for layers that take vectors; names the node, the shape and the way out. */
bnn_status bnn_layer_needs_vector(const bnn_layer *l);
/* The same for layers that take images, [channels x height x width]. */
bnn_status bnn_layer_needs_image(const bnn_layer *l);

#ifdef __cplusplus
}
#endif

#endif
