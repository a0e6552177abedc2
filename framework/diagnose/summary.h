/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * summary.h (private): a parameter vector in few numbers that a permutation of units does not change: the norm of each block of weights (of
 * a single weight itself), the mean of the logarithmic variances of each block's prior, and each number of the likelihood.
 */
#ifndef BNN_SUMMARY_H
#define BNN_SUMMARY_H

#include <bnn/model.h>

enum { BNN_SUMMARY_NAME = 128 };

int bnn_summary_count(const bnn_model *model);
void bnn_summary_name(const bnn_model *model, int i, char name[BNN_SUMMARY_NAME]); /* "dense_1 kernel (norm)" */
/* out[i * stride], one number for each. */
void bnn_summary_take(const bnn_model *model, const bnn_real *theta, double *out, size_t stride);

#endif
