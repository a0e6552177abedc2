/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * minibatch.h: the training rows in minibatches, in an order that a stream shuffles for every epoch; what all engines with stochastic
 * gradients share.
 */
#ifndef BNN_MINIBATCH_H
#define BNN_MINIBATCH_H

#include <bnn/data.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The minibatches of some data. */
typedef struct {
    int rows;                    /* of a full minibatch; at most those of the data */
    int *order;                  /* [n] rows of the data in this epoch's order */
    bnn_real *x, *y;             /* [rows, in], [rows, y_dim] of the minibatch that was taken last */
    size_t in, y_dim;            /* reals of a row */
    double *weight;              /* [rows] of the minibatch that was taken last; NULL: each weighs 1 */
    double total;                /* weight of all rows of the data: N in U/N */
    unsigned augmented;          /* how images are changed: 1 << k of bnn_augmentations[k]; 0: not at all */
    bnn_real *plain_x, *plain_y; /* [rows, in], [rows, y_dim] before that; NULL: they are not changed */
} bnn_minibatch;

/* Bytes that the minibatches of some data take. */
double bnn_minibatch_bytes(const bnn_data *data, int rows);

/* data may have no rows: then there is nothing to take. On failure what was opened is closed as after success. */
bnn_status bnn_minibatch_open(const bnn_data *data, int rows, bnn_minibatch *out);
void bnn_minibatch_close(bnn_minibatch *b); /* frees what is inside */

/* How many make an epoch; the last one may be smaller. */
int bnn_minibatch_count(const bnn_minibatch *b, const bnn_data *data);
/* Epochs in which there are at least so many minibatches, and no fewer than BNN_LEAST_EPOCHS; 1 where there are no rows. */
int bnn_minibatch_epochs(const bnn_minibatch *b, const bnn_data *data, int steps);
/* Epochs that a fit counted in minibatches has at least. */
#define BNN_LEAST_EPOCHS 20
/* Sets the order of an epoch. */
void bnn_minibatch_shuffle(bnn_minibatch *b, const bnn_data *data, bnn_rng rng);
/* Copies the rows of minibatch i into x and y; returns M, the number of them. */
int bnn_minibatch_take(bnn_minibatch *b, const bnn_data *data, int i);

/* Ways to change images, NULL behind the last: "none"; "flip", left and right are exchanged in every second one; "crop", up to a fourth of
 * each side is cut off and the rest brought to the old size; "shift", up to an eighth of each side is shifted over the edge, and the
 * opposite one goes on. Maps of classes are changed with their image, by the nearest pixel, and are void beyond the edge. */
extern const char *const bnn_augmentations[];
/* Sets how images are changed: words of bnn_augmentations with commas between them, in braces or not; NULL: not at all. Refuses other
 * words, and rows that are no images. */
bnn_status bnn_minibatch_augment(bnn_minibatch *b, const bnn_data *data, const char *how);
/* Changes the rows of minibatch i, which was taken last. A row's numbers are those of the stream at its place in the data. */
void bnn_minibatch_change(bnn_minibatch *b, const bnn_data *data, int i, bnn_rng rng);

#ifdef __cplusplus
}
#endif

#endif
