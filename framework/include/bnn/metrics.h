/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * metrics.h: scores of a prediction against the targets.
 */
#ifndef BNN_METRICS_H
#define BNN_METRICS_H

#include <bnn/predict.h>

#define BNN_CALIBRATION_LEVELS 19 /* nominal coverages 0.05, 0.10, ..., 0.95 */
#define BNN_ECE_BINS 15           /* equal width on the largest probability (Guo et al. 2017) */

typedef struct {
    bool is_class;
    int n;
    double ll, ll_se; /* mean log predictive density or probability per row, nats in the units of y, and its standard error over rows */
    /* regression */
    double rmse;
    double crps; /* of a Gaussian with the predictive mean and total variance (Gneiting & Raftery 2007, eq. 21) */
    double coverage[BNN_CALIBRATION_LEVELS]; /* share of rows whose pit lies in the central interval of each level */
    double calibration_error;                /* mean |coverage - level| */
    double sd_epistemic, sd_aleatoric;       /* root mean square over rows */
    /* classes */
    double accuracy, brier, ece, mean_entropy, mean_mutual_information; /* brier: sum over classes, mean over rows */
} bnn_metrics;

double bnn_calibration_level(int i);                                /* 0.05 (i+1) */
double bnn_metrics_coverage(const bnn_prediction *p, double level); /* of a central interval of any level */
double bnn_crps_gaussian(double y, double mean, double sd);

/* The prediction must have its targets. */
bnn_status bnn_metrics_compute(const bnn_prediction *prediction, const bnn_data *data, bnn_metrics *out);

#endif
