/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * weights.h: weights of a network that was trained elsewhere, and the run they make (store.h loads them from files of Keras, PyTorch
 * and NumPy).
 */
#ifndef BNN_WEIGHTS_H
#define BNN_WEIGHTS_H

#include <bnn/fit.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One array. */
typedef struct {
    char *name;      /* as a parameter block of a layer: "kernel", "bias" */
    char *path;      /* in the file, for messages */
    bnn_shape shape; /* rank 0: one number */
    double *value;   /* row-major */
    bool transposed; /* it is [out, in] in the file, as PyTorch's weight; of four dimensions it still is [out, in, rows, columns] */
} bnn_weight;

/* The arrays of one layer. */
typedef struct {
    char *name;         /* of the layer, as in the file; of one in a group "GROUP/NAME" */
    int n;              /* arrays */
    bnn_weight *weight; /* [n] */
    char *given;        /* name that its maker gave it, where the file has another one, too; NULL: none */
    double eps;         /* of a batch norm: what its maker adds to variances where nothing else is said; 0: it is none */
} bnn_weights_layer;

/* Owns everything. */
typedef struct {
    char *path;               /* of the file */
    char sha256[65];          /* of it, lower-case hex */
    int n;                    /* layers */
    bnn_weights_layer *layer; /* [n] those that hold weights, in order */
    bnn_scaling scaling;      /* that the file says the network was trained with; x_size 0: none; y_dim 0: of the inputs only */
    char *normalization;      /* the layer of Keras that the scaling of the inputs is from; NULL: none is */
    /* From a run of bnn, else NULL and 0: its likelihood with its own parameters. */
    char *likelihood;
    int n_hyper;   /* own parameters of the likelihood */
    double *hyper; /* [n_hyper] */
    bool by_name;  /* the file has no order of layers: theirs is that of their names, as far as these tell it */
} bnn_weights;
void bnn_weights_free(bnn_weights *weights); /* frees it with all it owns; NULL is allowed */

/* Puts the layers in the order of names, separated by commas: each layer once, by its name, the end of it behind a '/' or '.', or the name
 * that its maker gave it. A layer whose arrays are only numbered is taken for a dense one. */
bnn_status bnn_weights_order(bnn_weights *weights, const char *names);

/* A table without rows, of the width that an `input` statement of the net or the first kernel says, and of targets or classes as the
 * likelihood makes them of the last kernel's columns: for those who have no data, or none with targets. */
bnn_status bnn_weights_table(const bnn_weights *weights, const bnn_config *config, bnn_table **out);

/* The scaling of the weights' file for a table. A file that scales the inputs only leaves targets as they are; a layer of normalization may
 * have one number for all columns, or one for each channel. */
bnn_status bnn_weights_scaling(const bnn_weights *weights, const bnn_table *table, bnn_scaling *out);

/* A complete run of the config's engine and network, one that predicts from one parameter vector. Layers go, in order, to the nodes that
 * have parameters of the same names; where the file has no order, in the only one that names and shapes allow, and several are refused; a
 * bias that is not there is 0, gates keep their initial p. Kernels of convolutions are turned, and so are the rows of a dense kernel behind
 * images where the file's were channels last; a batch norm that learns no more goes into channel_affine, too. The likelihood: that of the config, else of the weights. Its own parameters (a
 * learned noise) are those of the weights where the likelihood is the same, else they are fitted to the rows of data, else (no rows, or
 * none with targets) they stay at their initial values; the run's remark says which. The data have the scaling that the network was trained
 * with. */
bnn_status bnn_weights_run(const bnn_weights *weights, const bnn_config *config, const bnn_data *data, bnn_run **out);

#ifdef __cplusplus
}
#endif

#endif
