/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * jobs.h: independent pieces of work on all cores, as many threads as OpenMP would take (OMP_NUM_THREADS, omp_set_num_threads): bnn_jobs_run
 * of bnn.h, and short parts in a row.
 */
#ifndef BNN_JOBS_H
#define BNN_JOBS_H

#include <bnn/bnn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Tells whether the caller is inside a job or a part, so that what it cuts runs serially. */
bool bnn_jobs_inside(void);

/* Threads that bnn_parts_run would take here for many parts: 1 inside a job or a part. */
int bnn_jobs_threads(void);

/* Cuts 0..n-1 into parts of `length`, the last one maybe shorter, and runs part(context, from, count) for each, once, in parallel, under
 * the same rules. For many short parts in a row that cannot fail. */
void bnn_parts_run(int n, int length, void (*part)(void *context, int from, int count), void *context);

#ifdef __cplusplus
}
#endif

#endif
