/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * calibrate.h: predictions that are put right after the fit, by rows that were not fitted.
 *
 * p = mean probabilities, m and s^2 = predictive mean and variance, n = rows that are calibrated on.
 *   classes  temperature  p' ~ p^(1/T), T of the largest likelihood, from 1/20 to 20 (Guo et al. 2017)
 *            vector       p'_c ~ p_c^(w_c) exp(b_c), of the largest likelihood under w ~ N(1, 1), b ~ N(0, 1) (Guo et al. 2017)
 *            isotonic     p'_c ~ a function of p_c that rises, by least squares, one class against the others (Zadrozny & Elkan 2002);
 *                         linear between its steps, and from 1/(2n+2) to 1 - 1/(2n+2): of less n rows say nothing
 *   real y   variance     the predictive distribution stretched around its mean so that the mean of (y - m)^2 / s'^2 is 1, by target
 * These change the distribution and its scores. The others leave it alone; conformal intervals and sets take in the new y with probability
 * `level` at least, and (n+1)-th more at most where scores have no ties, whatever the run is worth, if new rows are like those that were
 * calibrated on:
 *   real y   split        m +- q, q a quantile of |y - m| (Lei et al. 2018)
 *            normalised   m +- q s, of |y - m| / s
 *            cqr          [lo - q, hi + q] of the predictive quantiles lo and hi (Romano, Patterson & Candes 2019)
 *   classes  lac          classes of p_c >= 1 - q (Sadinle, Lei & Wasserman 2019)
 *            aps          the most probable classes until their sum passes q, at random at its end (Romano, Sesia & Candes 2020); may be
 * none raps         the same with `penalty` for each rank beyond `rank` (Angelopoulos et al. 2021) q is the ceil((n+1) level)-th smallest
 * score; of several targets each has its own, and its interval the level. Random numbers are those of `seed` and of the row's number in its
 * table. An end of an interval at the distance d from the row's mean moves out
 * to sqrt(d^2 + (z mcse)^2), where mcse is the Monte Carlo error of that mean (predict.h) and z the normal quantile of the level: the noise
 * of the sampler adds its variance. It is nothing of engines without draws, and little of those with enough.
 *
 * Maps of classes take temperature and vector, pixel by pixel, by the likelihood of the pixels whose class is known. They do not take the
 * others: pixels of a picture depend on each other, so that nothing could be promised of them, and isotonic has a step for each.
 */
#ifndef BNN_CALIBRATE_H
#define BNN_CALIBRATE_H

#include <bnn/bnn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ways to calibrate. */
typedef enum {
    BNN_CALIBRATE_TEMPERATURE,
    BNN_CALIBRATE_VECTOR,
    BNN_CALIBRATE_ISOTONIC,
    BNN_CALIBRATE_VARIANCE,
    BNN_CALIBRATE_SPLIT,
    BNN_CALIBRATE_NORMALISED,
    BNN_CALIBRATE_CQR,
    BNN_CALIBRATE_LAC,
    BNN_CALIBRATE_APS,
    BNN_CALIBRATE_RAPS
} bnn_calibration_method;
enum { BNN_CALIBRATIONS = 10 };

const char *bnn_calibration_name(bnn_calibration_method method);          /* "temperature", ... */
bool bnn_calibration_find(const char *name, bnn_calibration_method *out); /* false: there is none of this name */
bool bnn_calibration_is_conformal(bnn_calibration_method method);         /* has a level */

/* How to calibrate. */
typedef struct {
    size_t size;                   /* of this struct */
    bnn_calibration_method method; /* of the kind of the run's targets */
    double level;                  /* of intervals or sets, in (0,1); 0: 0.9 */
    int samples;                   /* draws of the predictions */
    uint64_t seed;                 /* of these, and of the numbers of aps and raps */
    double penalty;                /* of raps, 0 or more; 0 is aps */
    int rank;                      /* of raps: ranks up to it are free */
} bnn_calibrate_options;

/* A calibration that was found: one block, which free() frees. */
struct bnn_calibration {
    bnn_calibration_method method; /* that it is of */
    int dim;                       /* targets, or classes */
    int rows;                      /* n; of maps, pictures */
    double level;                  /* 0: none */
    double penalty;                /* of raps */
    int rank;                      /* of raps */
    uint64_t seed;                 /* of random numbers */
    char data_sha256[65];          /* of the file whose rows they were, "" if not known */
    int split;                     /* of it; -1: none */
    int n;                         /* numbers: */
    double *value;                 /* [n] T; w and b; knots of each class, then x and p' of each knot; sd' / sd by target; q by target */
};

/* Predicts the rows, which must not be among those that were fitted, and calibrates on them. Each row counts once in conformal scores, and
 * as its weight says in the others. Refuses a method for the other kind of targets, rows too few for the level, and a calibrated run. */
bnn_status bnn_calibrate(const bnn_run *run, const bnn_data *rows, const bnn_calibrate_options *options, bnn_calibration **out);
/* The same from a prediction of the rows, which for cqr has the quantiles of bnn_calibration_ends. */
bnn_status bnn_calibration_fit(const bnn_prediction *prediction, const bnn_data *rows, const bnn_calibrate_options *options,
                               bnn_calibration **out);
/* Says what makes a calibration on these rows doubtful: that they are few, a temperature at an end of those that are looked at, and classes
 * without a row. */
bnn_status bnn_calibration_remark(const bnn_calibration *calibration, const bnn_data *rows, bnn_remarks *remarks);
/* Puts a prediction right: probabilities, moments, quantiles, draws of y; the quantiles of bnn_calibration_ends, where it has them, become
 * the ends of the conformal interval. Probabilities have their logp; that of a stretched distribution comes with bnn_run_predict. What is
 * said of draws (mutual information, var_epistemic of classes, mean_mcse, draws that a sink takes) stays that of the run's own. */
bnn_status bnn_calibration_apply(const bnn_calibration *calibration, const bnn_data *rows, bnn_prediction *prediction);
/* Levels of the two quantiles at the ends of the conformal interval; false: the method has none. */
bool bnn_calibration_ends(const bnn_calibration *calibration, double ends[2]);

/* One of n numbers, all of which are 0, for who reads it from somewhere. */
bnn_status bnn_calibration_new(int n, bnn_calibration **out);

/* From now on bnn_run_predict gives calibrated predictions, and files of the run have the calibration; the run takes it. NULL: none. */
void bnn_run_set_calibration(bnn_run *run, bnn_calibration *calibration);
const bnn_calibration *bnn_run_calibration(const bnn_run *run);                        /* NULL: there is none */
const char *bnn_calibration_print(const bnn_calibration *calibration, char text[160]); /* "cqr at level 0.9 on 103 rows"; returns text */
/* Refuses one whose numbers cannot be those of its method, as a file may hold. */
bnn_status bnn_calibration_check(const bnn_calibration *calibration);

/* [n, classes] 1: the class is in the conformal set of the row; NULL: the prediction has no such sets. */
const int8_t *bnn_prediction_set(const bnn_prediction *prediction);

/* The effect of conformal intervals or sets on rows with targets. */
typedef struct {
    double coverage; /* share that holds the target; over all targets */
    double se;       /* binomial standard error of it where the level is right */
    double width;    /* mean width of the intervals in the units of y, of several targets in their sd in training; mean size of the sets */
    double empty;    /* share of sets without a class; 0 of intervals */
} bnn_conformity;
/* Measures a prediction that has been calibrated by a conformal method, with the quantiles of its ends. */
bnn_status bnn_calibration_measure(const bnn_calibration *calibration, const bnn_prediction *prediction, const bnn_data *rows,
                                   bnn_conformity *out);

#ifdef __cplusplus
}
#endif

#endif
