/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * distance.h: how far the predictive distributions of two engines are apart on the same rows (Izmailov, Vikram, Hoffman & Wilson 2021,
 * section 4: the distance from Hamiltonian Monte Carlo).
 *
 *   classes  agreement = mean_i [argmax p_i = argmax q_i]        total variation = mean_i sum_c |p_ic - q_ic| / 2
 *   real y   W1 = mean_i integral |F_i^-1(u) - G_i^-1(u)| du, Wasserstein's distance of order 1 of the predictive marginals of y, noise
 *            included, in the units of y; of several targets, whose units may differ, each in its sd on the training rows, their mean
 *
 * W1 is taken of sorted draws of y, a fixed number whatever the number of draws of the engine, so memory is flat. Draw j has the same noise
 * in every engine of a seed: what it adds cancels where predictions agree. (The published code calls its metric W2 and computes W1.)
 */
#ifndef BNN_DISTANCE_H
#define BNN_DISTANCE_H

#include <bnn/predict.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BNN_MARGINAL_DRAWS = 1000 };

/* NAN: not of such targets. */
typedef struct {
    double agreement, total_variation; /* classes; else NAN */
    double wasserstein;                /* real y; else NAN */
} bnn_distance;

/* The predictive marginals of some rows. */
typedef struct bnn_marginals bnn_marginals;

/* For a prediction of these rows with these options, which then takes options.sink = bnn_marginals_sink(m). engine and rows are borrowed
 * until bnn_marginals_finish. */
bnn_status bnn_marginals_open(const bnn_engine *engine, const bnn_data *rows, const bnn_predict_options *options, bnn_marginals **out);
const bnn_sink *bnn_marginals_sink(const bnn_marginals *m); /* NULL of classes: the prediction has all */
/* With the prediction that was made; sorts. */
bnn_status bnn_marginals_finish(bnn_marginals *m, const bnn_prediction *prediction);
void bnn_marginals_free(bnn_marginals *m); /* NULL is allowed */

/* Distance of two that are finished, over the same rows. */
bnn_distance bnn_marginals_distance(const bnn_marginals *a, const bnn_marginals *b);

/* The numbers that a finished one is made of, for files: [n, width, draws] of real y, [n, width] of classes. */
typedef struct {
    int n, width; /* rows; targets, or classes times pixels */
    int draws;    /* BNN_MARGINAL_DRAWS; 0: of classes */
    int sites;    /* pixels of a map of classes, else 1 */
} bnn_marginals_shape;
bnn_marginals_shape bnn_marginals_look(const bnn_marginals *m);   /* how many those of m are */
size_t bnn_marginals_count(bnn_marginals_shape shape);            /* all of them */
void bnn_marginals_copy(const bnn_marginals *m, double *numbers); /* in the order of the shape */
/* Makes one of such numbers, which has the same distances. */
bnn_status bnn_marginals_restore(bnn_marginals_shape shape, const double *numbers, bnn_marginals **out);

#ifdef __cplusplus
}
#endif

#endif
