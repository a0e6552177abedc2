/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ess.h (private): how many independent draws those of Markov chains are worth, as diagnose.h defines it, for the mean of one quantity.
 */
#ifndef BNN_ESS_H
#define BNN_ESS_H

#include <bnn/status.h>
#include <stdbool.h>
#include <stddef.h>

enum { BNN_ESS_FEWEST = 16 }; /* draws of a chain that is cut in halves: shorter ones say nothing */

/* Arrays for chains of n draws. */
typedef struct {
    size_t padded; /* a power of 2, at least 2 n: correlations do not wrap around */
    double *wave;  /* [padded] */
    double *rho;   /* [n] */
    double *mean;  /* [chains] */
} bnn_ess_room;

bnn_status bnn_ess_room_open(size_t chains, size_t n, bnn_ess_room *out);
void bnn_ess_room_close(bnn_ess_room *room); /* one of zeros is closed, too */

bool bnn_ess_is_constant(size_t n, const double *x);
bool bnn_ess_is_finite(size_t n, const double *x);

/* Counts the effective draws in x[chains, n], which is finite and not constant. */
double bnn_ess_effective(const bnn_ess_room *room, size_t chains, size_t n, const double *x);

/* The two halves of every chain as chains of their own, to[2 chains, n/2]; of an odd number the draw in the middle is left out. */
void bnn_ess_split(size_t chains, size_t n, const double *x, double *to);

/* Monte Carlo standard error of the mean of x[chains, n], which is finite and not constant: sd / sqrt(ESS), the ESS of halved chains, which
 * halves[chains * n] and a room for 2 chains of n/2 + 1 draws serve. */
double bnn_ess_mcse(const bnn_ess_room *room, size_t chains, size_t n, const double *x, double *halves);

#endif
