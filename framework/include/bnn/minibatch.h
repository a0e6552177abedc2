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
    int rows;         /* of a full minibatch; at most those of the data */
    int *order;       /* [n] rows of the data in this epoch's order */
    bnn_real *x, *y;  /* [rows, in], [rows, y_dim] of the minibatch that was taken last */
    size_t in, y_dim; /* reals of a row */
    double *weight;   /* [rows] of the minibatch that was taken last; NULL: each weighs 1 */
    double total;     /* weight of all rows of the data: N in U/N */
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

#ifdef __cplusplus
}
#endif

#endif
