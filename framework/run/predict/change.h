/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * change.h (private): predictions that are changed before anything is made of them, as those of a calibrated run are.
 */
#ifndef BNN_PREDICT_CHANGE_H
#define BNN_PREDICT_CHANGE_H

#include <bnn/predict.h>

/* Changes rows of a prediction, some at a time, in their order: before scores of maps are summed and before a taker has them. */
typedef struct {
    /* rows: a prediction of the rows [from, from + rows->n) of the data. A failure ends the prediction. */
    bnn_status (*change)(void *context, int from, bnn_prediction *rows);
    void *context; /* handed to change */
} bnn_changer;

/* bnn_predict, changed. Not for what all draws of a row are needed for: quantiles, crps and draws of y are not changed. NULL: none. */
bnn_status bnn_predict_changed(const bnn_engine *engine, const bnn_data *data, const bnn_predict_options *options,
                               const bnn_changer *changer, bnn_prediction **out);

#endif
