/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * detect.h: scores of single rows that say how little a run knows of them, and how well a score tells rows of another kind from the usual
 * ones.
 *
 * Scores are of the run's own draws, whatever its calibration (calibrate.h). Every score is larger for a row that the run knows less of.
 * p = mean probabilities, f_s = outputs under draw s, nats:
 *
 *   classes  max_probability    1 - max_c p_c
 *            entropy            H[p]
 *            mutual_information H[p] - E_s H[p_s]
 *            expected_entropy   E_s H[p_s]
 *            variance           sum_c Var_s[p_sc]
 *            energy             -E_s log sum_c exp f_sc, of networks with an output for each class (Liu et al. 2020, temperature 1)
 *   real y   variance           mean over targets of the predictive variance, in units of the variance of y in training
 *            epistemic_variance the epistemic part of it
 *   both     distance           squared Mahalanobis distance of the inputs of the network's last layer with parameters (those of its last
 *                               hidden layer) to those of the training rows; of classes to the nearest class mean, with one covariance of
 *                               all classes (Lee et al. 2018). Without noise (BNN_MEAN); a mean over at most BNN_DISTANCE_DRAWS draws of
 *                               engines that draw parameters, and over the members of a mixture. The covariance is that of at most
 *                               BNN_DISTANCE_ROWS training rows, evenly spaced, plus a thousandth of its mean variance in every direction,
 *                               so that units which never vary in training have a scale
 */
#ifndef BNN_DETECT_H
#define BNN_DETECT_H

#include <bnn/bnn.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BNN_DISTANCE_DRAWS = 10, BNN_DISTANCE_ROWS = 10000 };

/* Scores of rows. */
typedef enum {
    BNN_ROW_MAX_PROBABILITY,
    BNN_ROW_ENTROPY,
    BNN_ROW_MUTUAL_INFORMATION,
    BNN_ROW_EXPECTED_ENTROPY,
    BNN_ROW_VARIANCE,
    BNN_ROW_EPISTEMIC_VARIANCE,
    BNN_ROW_ENERGY,
    BNN_ROW_DISTANCE
} bnn_row_score;
enum { BNN_ROW_SCORES = 8 };

const char *bnn_row_score_name(bnn_row_score score);           /* "max_probability", "entropy", ... */
bool bnn_row_score_find(const char *name, bnn_row_score *out); /* false: there is none of this name */

/* All scores of some rows. Owns its arrays. */
typedef struct {
    int n;                      /* rows */
    double *of[BNN_ROW_SCORES]; /* [n]; NULL: the score is not of such a run, or was not asked for */
} bnn_row_scores;

/* Predicts the rows and scores them; targets of the rows are not looked at. rows must be scaled by the run's scaling, as bnn_run_predict
 * has it; options are those of the prediction, whose sink is taken, and of maps its taker. A map of classes has the means over all of its
 * pixels, of probabilities and entropies alone. train: the training rows, for the distance; NULL: it is not wanted. The
 * same bits at any number of threads. Refuses a score that is not a number, naming it and the row. */
bnn_status bnn_row_scores_new(const bnn_run *run, const bnn_data *rows, const bnn_data *train, const bnn_predict_options *options,
                              bnn_row_scores **out);
void bnn_row_scores_free(bnn_row_scores *scores); /* with all it owns; NULL is allowed */

/* How well a score tells two kinds of rows apart, where the larger means `out`. Each row counts once, whatever it weighs. */
typedef struct {
    int n_in, n_out;          /* rows of both kinds */
    double auroc;             /* share of pairs, one row of each kind, of which the row `out` has the larger score; ties count half */
    double auroc_se;          /* its standard error (DeLong, DeLong & Clarke-Pearson 1988); NaN where there is one row of a kind */
    double average_precision; /* sum over thresholds of the rise in recall times the precision, rows `out` are positive */
    double fpr_95;            /* least share of rows `in` above a threshold that at least 95 % of the rows `out` reach */
    int n_points;             /* of the curves: one for each distinct score, and the one before the first */
    double *threshold;        /* [n_points] falling: rows with this score or a larger one are called out; the first is infinite */
    double *fpr, *tpr;        /* [n_points] shares of rows in, and of rows out, that are called out */
    double *precision;        /* [n_points] share of rows out among those called out; 1 of none */
} bnn_detection;

/* From scores in[n_in] and out[n_out]. Refuses no rows of a kind, and scores that are not a number; infinite ones are in order. */
bnn_status bnn_detect(int n_in, const double *in, int n_out, const double *out, bnn_detection **detection);
void bnn_detection_free(bnn_detection *detection); /* with all it owns; NULL is allowed */

#ifdef __cplusplus
}
#endif

#endif
