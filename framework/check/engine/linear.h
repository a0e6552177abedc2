/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * linear.h (private): what the rules on linear regression share; linear.c explains them.
 */
#ifndef BNN_CHECK_ENGINE_LINEAR_H
#define BNN_CHECK_ENGINE_LINEAR_H

#include "engine.h"

enum { BNN_LINE = BNN_CASE_IN + 1 }; /* numbers of a line: weights, then the bias */

typedef struct {
    int rows, copies;                            /* rows of each copy */
    double correlation, tau, weight_sd, bias_sd; /* tau in the units of y */
    bool weighed;                                /* rows have weights of 1 to 5 */
} bnn_line_setting;
extern const bnn_line_setting bnn_line_plain;

/* N(mean, cov) is what the lines should follow; sd: of exp(-U) itself, the unit of what has no spread. */
typedef struct {
    double mean[BNN_LINE], cov[BNN_LINE * BNN_LINE], sd[BNN_LINE], log_evidence;
} bnn_line_truth;

/* Fitted engines and the lines of their draws, fit after fit; the last of them stays open. */
typedef struct {
    const bnn_engine_case *k;
    const bnn_line_setting *t;
    bnn_case_rows rows;
    bnn_engine *e;
    bnn_step last;                   /* step */
    int fits, chains, draws, length; /* of all fits; length: draws of one */
    double *line, *values;           /* [draws, LINE]; [draws] room */
} bnn_lines;

bnn_status bnn_lines_open(const bnn_engine_case *k, const bnn_line_setting *t, int fits, int most, bnn_lines *out);
void bnn_lines_close(bnn_lines *l);
/* What the claim says of the lines; count: how often the prior is counted. */
void bnn_lines_expect(const bnn_lines *l, double count, bnn_line_truth *out);
/* Means and covariances. */
void bnn_lines_judge(bnn_checker *c, const bnn_lines *l, const bnn_line_truth *t);

#endif
