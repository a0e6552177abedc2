/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * calibration.h (private): what one way to calibrate consists of.
 */
#ifndef BNN_APPLY_CALIBRATION_H
#define BNN_APPLY_CALIBRATION_H

#include <bnn/calibrate.h>
#include <bnn/data.h>
#include <bnn/predict.h>

enum { BNN_HOTTEST = 20 }; /* temperatures are looked for from the inverse of this up to it */

typedef struct {
    const char *name;
    bool classes, conformal;
    /* Numbers that fit fills at most. */
    size_t (*most)(const bnn_prediction *p);
    /* Sets c->n and c->value, where all else is set. */
    bnn_status (*fit)(const bnn_prediction *p, const bnn_data *rows, bnn_calibration *c);
    bnn_status (*apply)(const bnn_calibration *c, const bnn_data *rows, bnn_prediction *p);
} bnn_calibrator;

extern const bnn_calibrator bnn_calibrator_temperature, bnn_calibrator_vector, bnn_calibrator_isotonic, bnn_calibrator_variance,
    bnn_calibrator_split, bnn_calibrator_normalised, bnn_calibrator_cqr, bnn_calibrator_lac, bnn_calibrator_aps, bnn_calibrator_raps;

/* The target k of a row in the units of y. */
static inline double bnn_target_at(const bnn_data *data, int row, int k) {
    return (double)data->y[row * data->y_dim + k] * data->scaling.y_sd[k] + data->scaling.y_mean[k];
}

static inline double bnn_row_weight(const bnn_data *data, int row) { return data->weight ? data->weight[row] : 1; }

/* Where class c of observation i stands: of a row, or of maps of a pixel of all pixels. */
static inline size_t bnn_class_at(const bnn_prediction *p, size_t i, int c) {
    size_t sites = (size_t)(p->sites > 1 ? p->sites : 1);
    return i / sites * (size_t)p->mean_dim + (size_t)c * sites + i % sites;
}

/* Observations of a prediction: rows, or of maps pixels. */
static inline size_t bnn_observations(const bnn_prediction *p) { return (size_t)p->n * (size_t)(p->sites > 1 ? p->sites : 1); }

/* Sets the probabilities q[classes] of observation i and what follows from them; its mutual information stays. */
void bnn_calibration_set(const bnn_data *rows, bnn_prediction *p, size_t i, const double *q);

#endif
