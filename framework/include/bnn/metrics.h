/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * metrics.h: scores of a prediction against the targets.
 */
#ifndef BNN_METRICS_H
#define BNN_METRICS_H

#include <bnn/predict.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BNN_CALIBRATION_LEVELS 19 /* nominal coverages 0.05, 0.10, ..., 0.95 */
#define BNN_ECE_BINS 15           /* equal width on the largest probability (Guo et al. 2017) */

/* Scores of a prediction; those of the other kind of target are 0. */
typedef struct {
    bool is_class; /* targets are classes */
    int n;         /* rows */
    double ll;     /* mean log predictive density or probability per row, nats in the units of y */
    double ll_se;  /* its standard error over rows */
    /* Regression: */
    double rmse; /* root mean squared error of the mean, units of y */
    double crps; /* of a Gaussian with the predictive mean and total variance (Gneiting & Raftery 2007, eq. 21) */
    double coverage[BNN_CALIBRATION_LEVELS]; /* share of rows whose pit lies in the central interval of each level */
    double calibration_error;                /* mean |coverage - level| */
    double sd_epistemic, sd_aleatoric;       /* of the predictive distribution, root mean square over rows, units of y */

    /* Classes: */
    double accuracy;                              /* share of rows whose largest probability is the right class */
    double brier;                                 /* sum over classes, mean over rows: 0..2 */
    double ece;                                   /* expected calibration error */
    double mean_entropy, mean_mutual_information; /* over rows, nats */
} bnn_metrics;

double bnn_calibration_level(int i);                                /* 0.05 (i+1) */
double bnn_metrics_coverage(const bnn_prediction *p, double level); /* of a central interval of any level */
/* Continuous ranked probability score of N(mean, sd^2) at y, in the units of y (Gneiting & Raftery 2007, eq. 21); 0 is best. */
double bnn_crps_gaussian(double y, double mean, double sd);

/* The prediction must have its targets. */
bnn_status bnn_metrics_compute(const bnn_prediction *prediction, const bnn_data *data, bnn_metrics *out);

#ifdef __cplusplus
}
#endif

#endif
