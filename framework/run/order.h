/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * order.h: the order of layers in a file that does not list them, as far as their names tell it.
 */
#ifndef BNN_RUN_ORDER_H
#define BNN_RUN_ORDER_H

#include <bnn/weights.h>

/* Says whether the numbers in the names are in the order of the layers, as far as they tell one. */
bool bnn_order_agrees(const bnn_weights *w);

/* Says whether the names tell the order of any two layers. */
bool bnn_order_is_told(const bnn_weights *w);

/* Calls found(context, order) for the orders, order[w->n] indices of layers, that the names allow and that may(context, k, before, layer)
 * lets grow: layer at place k behind before (NULL: none). A group of layers is left when all of it stands. found returns false to stop.
 * Returns false where there are too many ways to try. */
typedef struct {
    bool (*may)(void *context, int k, const bnn_weights_layer *before, const bnn_weights_layer *layer);
    bool (*found)(void *context, const int *order);
    void *context;
} bnn_order_hooks;
bnn_status bnn_order_search(const bnn_weights *w, const bnn_order_hooks *hooks, bool *all);

/* Takes a layer whose arrays the file only numbers ("0" a matrix, "1", if any, a vector) for a dense one: kernel and bias. */
bnn_status bnn_weights_layer_dense(bnn_weights_layer *layer);

/* Fails for want of an order: a sentence that names the layers and the way out. order: one that is possible. */
bnn_status bnn_order_refuse(const bnn_weights *w, const int *order, const char *why);

#endif
