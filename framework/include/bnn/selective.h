/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * selective.h: what is gained by withholding the answers that are least certain.
 *
 * Rows are kept in the order of their uncertainty, the most certain first. Coverage is the share that is kept, risk the mean loss of those:
 * the share of wrong classes, or the mean squared error. Rows of equal uncertainty are kept in no order: inside such a group the risk is
 * the expected one. Each row counts once, whatever it weighs.
 *   aurc   mean over k = 1..n of the risk of k rows (Geifman, Uziel & El-Yaniv 2019)
 *   excess aurc less that of the order by the losses themselves, the best there is
 */
#ifndef BNN_SELECTIVE_H
#define BNN_SELECTIVE_H

#include <bnn/detect.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Risk against coverage. Owns its arrays. */
typedef struct {
    int n;             /* rows */
    bool is_share;     /* all losses are 0 or 1: risks are shares, which have bounds */
    double aurc;       /* mean risk over all coverages */
    double excess;     /* of it, more than the best order has */
    int n_points;      /* groups of rows of equal uncertainty */
    double *threshold; /* [n_points] rising: rows up to this uncertainty are kept */
    double *coverage;  /* [n_points] share of rows that are kept; the last is 1 */
    double *risk;      /* [n_points] mean loss of those */
} bnn_selection;

/* From uncertainty[n] and loss[n], n >= 1. Refuses what is not a number, losses below 0 and such that are infinite. */
bnn_status bnn_selection_new(int n, const double *uncertainty, const double *loss, bnn_selection **out);
void bnn_selection_free(bnn_selection *selection); /* with all it owns; NULL is allowed */

/* Rows that are kept, the others being referred to someone who knows. */
typedef struct {
    int kept;         /* rows */
    double threshold; /* the largest uncertainty among them; NaN of none */
    double risk;      /* their mean loss; NaN of none */
    double bound;     /* that the risk of rows like these stays below, with the confidence that was asked for; NaN: losses are no shares */
} bnn_referral;

/* Refers so large a share of the rows, in [0,1), the least certain ones, rounded so that no more are. The bound is that of Clopper &
 * Pearson 1934 for a share that was chosen beforehand; confidence in (0,1). */
bnn_status bnn_refer_share(const bnn_selection *selection, double share, double confidence, bnn_referral *out);
/* Refers as few rows as a risk below this, in (0,1), can be promised with for the others: selection with guaranteed risk (Geifman &
 * El-Yaniv 2017, algorithm 1), whose bound holds although the share is chosen by these same rows. All are referred where it cannot be
 * promised. */
bnn_status bnn_refer_to_risk(const bnn_selection *selection, double risk, double confidence, bnn_referral *out);

/* The upper limit of Clopper & Pearson for a probability of which `wrong` in n trials were seen, which it exceeds with probability 1 -
 * confidence at most. */
double bnn_share_bound(double wrong, int n, double confidence);

/* loss[n] of a prediction with targets: 1 where the most probable class is wrong, else 0; the squared error of the mean in the units of y,
 * of several targets the mean of each in units of its variance in training; of a map of classes the share of its pixels that are wrong,
 * of those whose class is known, of which it has one at least. */
bnn_status bnn_prediction_losses(const bnn_prediction *prediction, const bnn_data *data, double *loss);
/* uncertainty[n] of a prediction by one of the scores of detect.h that need no more than it; of a map of classes the mean over its pixels
 * whose class is known, so that it needs targets. */
bnn_status bnn_prediction_uncertainty(const bnn_prediction *prediction, const bnn_data *data, bnn_row_score score, double *uncertainty);

#ifdef __cplusplus
}
#endif

#endif
