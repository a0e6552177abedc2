/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * metrics.h: scores of a prediction against the targets. A row of weight w counts as w equal rows in each of them.
 */
#ifndef BNN_METRICS_H
#define BNN_METRICS_H

#include <bnn/predict.h>
#include <bnn/remark.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BNN_CALIBRATION_LEVELS 19 /* nominal coverages 0.05, 0.10, ..., 0.95 */
#define BNN_ECE_BINS 15           /* equal width on the largest probability (Guo et al. 2017) */

/* Kinds of answers that scores are of, bits. Scores with a unit are of one target, since several need not have the same. */
enum {
    BNN_SCORE_TARGETS = 1, /* all real targets together */
    BNN_SCORE_TARGET = 2,  /* one real target */
    BNN_SCORE_CLASSES = 4, /* all classes together */
    BNN_SCORE_CLASS = 8,   /* one class against the others */
    BNN_SCORE_MAPS = 16,   /* all classes of maps of classes together */
    BNN_SCORE_MAP = 32     /* one class of such maps against the others */
};

/* Scores of a prediction. Those that are of something else are 0; NaN is one that these rows do not define. */
typedef struct {
    bool is_class; /* targets are classes */
    unsigned of;   /* BNN_SCORE_: what the scores are of */
    int n;         /* rows; of one class those that are of it */
    double weight; /* of these rows; n where each weighs 1 */
    double ll;     /* mean log predictive density or probability per row, nats in the units of y */
    double ll_se;  /* its standard error over rows */
    /* Regression: */
    double rmse;        /* root mean squared error of the mean, units of y */
    double mae;         /* mean absolute error of the mean, units of y */
    double r2;          /* 1 - mean squared error / variance of y; NaN where y is constant */
    double crps;        /* mean continuous ranked probability score, units of y (Gneiting & Raftery 2007) */
    bool crps_gaussian; /* crps is that of a Gaussian with the predictive mean and variance (eq. 21), not of the mixture of draws */
    double coverage[BNN_CALIBRATION_LEVELS]; /* share of rows whose pit lies in the central interval of each level */
    double calibration_error;                /* mean |coverage - level| */
    double coverage_error;                   /* mean coverage - level: below 0 intervals are too narrow on the whole, above 0 too wide */
    double sd_epistemic, sd_aleatoric;       /* of the predictive distribution, root mean square over rows, units of y */

    /* Classes: */
    double accuracy;          /* share of rows whose largest probability is the right class */
    double balanced_accuracy; /* mean recall of the classes that there are */
    double brier;             /* sum over classes, mean over rows: 0..2 */
    double ece;               /* expected calibration error */
    double ece_debiased; /* root of the mean square error of its bins, less what chance adds (Kumar, Liang & Ma 2019); with a minus sign
 where the difference is below 0: nothing beyond chance */
    double mean_entropy, mean_mutual_information; /* over rows, nats */

    /* Scores of one class, and means over the classes that have it: */
    double auc; /* of rows of the class above others by its probability, ties count half (Mann-Whitney) */
    double f1;  /* harmonic mean of precision and recall */
    /* Scores of one class: */
    double precision;  /* share of the rows called so that are of it; NaN where none is called so */
    double recall;     /* share of the rows of it that are called so; NaN where there are none */
    double confidence; /* mean probability of the class in rows called so: what precision should be */

    /* Scores of maps of classes: all shares and means are over pixels that are not void, ll is per pixel, and standard errors are over
     * images, since pixels of an image depend on each other: jackknife, one image left out at a time. An image of weight w counts as w
     * equal ones.
     */
    double pixels; /* that are not void; of one class those that are of it */
    double iou;    /* of one class: pixels of it and called so, over those that are of it or called so, both summed over images;
                      of all: mean over the classes that there are or that are called */
    double iou_se, accuracy_se, brier_se, ece_se; /* standard errors over images */
    /* Mukhoti & Gal 2018 with patches of one pixel. A pixel is certain where the entropy of its probabilities is below the mean over all
     * pixels, to 1/256 of its largest value. */
    double p_accurate_certain;     /* share of certain pixels that are right */
    double p_uncertain_inaccurate; /* share of wrong pixels that are uncertain */
    double pavpu;                  /* share of pixels that are right and certain, or wrong and uncertain */
    double p_accurate_certain_se, p_uncertain_inaccurate_se, pavpu_se; /* standard errors over images */
} bnn_metrics;

double bnn_calibration_level(int i); /* 0.05 (i+1) */
/* Share of pits in the central interval of any level, over all targets. */
double bnn_metrics_coverage(const bnn_prediction *p, const bnn_data *data, double level);
/* Binomial standard error of the coverage of a level where intervals are right; rows: their weight. */
double bnn_coverage_se(double level, double rows);
/* Continuous ranked probability score of N(mean, sd^2) at y, in the units of y (Gneiting & Raftery 2007, eq. 21); 0 is best. */
double bnn_crps_gaussian(double y, double mean, double sd);

/* The class of the largest of n probabilities, the first of equal ones. */
int bnn_prediction_class(const double *p, int n);

/* The prediction must have its targets. Of maps of classes also one that a taker has had. */
bnn_status bnn_metrics_compute(const bnn_prediction *prediction, const bnn_data *data, bnn_metrics *out);
/* Scores of each target, or of each class, as many as bnn_prediction_width says; free() them. */
bnn_status bnn_metrics_each(const bnn_prediction *prediction, const bnn_data *data, bnn_metrics **out);

/* Means over the pixels of one image of a prediction of maps of classes that has its targets; NaN where all are void. */
typedef struct {
    double pixels;                      /* their number: those that are not void */
    double ll;                          /* log probability of the class, nats */
    double accuracy;                    /* share of right ones */
    double confidence;                  /* largest probability */
    double entropy, mutual_information; /* nats */
} bnn_image_scores;
void bnn_metrics_image(const bnn_prediction *prediction, int row, bnn_image_scores *out); /* of one row */

/* Says which scores these rows are too few for. */
bnn_status bnn_metrics_remark(const bnn_metrics *metrics, bnn_remarks *remarks);

/* A score by name. */
typedef struct {
    const char *name, *meaning; /* the meaning ends in the unit, if there is one */
    size_t offset;              /* of a double in bnn_metrics */
    unsigned of;                /* BNN_SCORE_ bits */
} bnn_score;
const bnn_score *bnn_score_at(int i);                                       /* NULL behind the last */
const bnn_score *bnn_score_find(const char *name);                          /* NULL: there is none */
double bnn_score_value(const bnn_score *score, const bnn_metrics *metrics); /* NaN: the rows do not define it */
bool bnn_score_is_coverage(const bnn_score *score);                         /* one of the levels of bnn_metrics.coverage */

#ifdef __cplusplus
}
#endif

#endif
