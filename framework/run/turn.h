/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * turn.h: arrays of a file that stand in another order than the numbers of the block that takes them: kernels of convolutions, rows of a
 * dense layer behind images whose channels are last, statistics of a batch norm that learns no more.
 */
#ifndef BNN_RUN_TURN_H
#define BNN_RUN_TURN_H

#include <bnn/weights.h>

/* The numbers of a block in their order, the last digit fastest, by steps in the array. */
typedef struct {
    bnn_shape shape;  /* of the block that they make */
    int extent[4];    /* numbers of each digit */
    size_t stride[4]; /* step in the array */
    bool turned;      /* the order is another than that of the array */
} bnn_turn;

/* How a block of a layer takes an array: a convolution's kernel [rows, columns, in, out], as Keras has it, or, where it was called weight,
 * PyTorch's [out, in, rows, columns], of a transposed one [rows, columns, out, in] and [in, out, rows, columns]; any other as it is. */
bnn_turn bnn_turn_of(const bnn_weight *array, const bnn_layer *l, const bnn_param *p);
/* The same of a node's layer, whose input may be an image [C,H,W] that a flatten has made a vector: where the network of the file had its
 * channels last, which a kernel of Keras says, the rows of a dense kernel are in the order (row, column, channel). */
bnn_turn bnn_turn_in(const bnn_weights *w, const bnn_weight *array, const bnn_net *net, int node, const bnn_param *p);
size_t bnn_turn_place(const bnn_turn *turn, size_t i); /* in the array, of number i of the block */

#endif
