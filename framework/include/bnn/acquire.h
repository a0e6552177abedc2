/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * acquire.h: which rows of a pool are worth a target, by what a run does not know of them: active learning.
 *
 *   entropy    H[p] of the mean probabilities; of classes alone
 *   bald       what one target would say of the parameters (Houlsby et al. 2011): of classes H[p] - E_s H[p_s];
 *              of real targets the sum of log(1 + var_epistemic / var_aleatoric) / 2, which is that of a Gaussian
 *   variance   of classes sum_c Var_s[p_sc]; of real targets the epistemic variance, in units of the variance of y in training
 *   batchbald  what the targets of a whole batch would say together, row by row the one that adds most (Kirsch, van Amersfoort & Gal 2019):
 *              of classes H[y_1..y_b] - sum_i E_s H[p_s,i]; of one real target log det(1 + K) / 2 with
 *              K_ij = Cov_s[mu_si, mu_sj] / (sd_i sd_j), the noise's sd. Joint entropies are exact up to BNN_ACQUIRE_CASES cases of the
 *              batch, beyond that means over as many cases that are drawn
 *   random     any
 *
 * The first three take the rows with the largest scores, the first one of equals.
 */
#ifndef BNN_ACQUIRE_H
#define BNN_ACQUIRE_H

#include <bnn/bnn.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BNN_ACQUIRE_CASES = 1000 };

/* Rules by which rows are taken. */
typedef enum { BNN_ACQUIRE_ENTROPY, BNN_ACQUIRE_BALD, BNN_ACQUIRE_VARIANCE, BNN_ACQUIRE_BATCHBALD, BNN_ACQUIRE_RANDOM } bnn_acquire_rule;
extern const char *const bnn_acquire_rule_names[]; /* entropy, bald, variance, batchbald, random, NULL */

/* How rows are taken. */
typedef struct {
    size_t size;           /* of this struct */
    bnn_acquire_rule rule; /* BNN_ACQUIRE_ENTROPY where 0 */
    int samples;           /* draws; 0: 100. Those of batchbald are draws of the parameters, also of engines that predict in closed form */
    uint64_t seed;         /* of draws, and of what is random */
} bnn_acquire_options;

/* Takes n rows of the pool, whose targets are not looked at: chosen[n] are their places in the view, in the order in which they were taken;
 * score[n] (may be NULL) what they were taken for, of batchbald the information of the batch up to there, in nats; of random 0. The same
 * bits at any number of threads. Refuses more rows than there are, and a rule that the run's targets do not have. */
bnn_status bnn_acquire(const bnn_run *run, const bnn_data *pool, const bnn_acquire_options *options, int n, int *chosen, double *score);

#ifdef __cplusplus
}
#endif

#endif
