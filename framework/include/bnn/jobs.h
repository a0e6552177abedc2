/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * jobs.h: independent pieces of work on all cores, as many threads as OpenMP would take (OMP_NUM_THREADS, omp_set_num_threads).
 */
#ifndef BNN_JOBS_H
#define BNN_JOBS_H

#include <bnn/status.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs job(context, 0..n-1), each once, in parallel; a call from inside a job runs serially (the outermost cut wins). Jobs may not depend
 * on each other. All jobs are run; of those that fail, the one with the lowest index gives status and sentence, so the outcome is the same
 * at any number of threads. */
bnn_status bnn_jobs_run(int n, bnn_status (*job)(void *context, int i), void *context);

/* Tells whether the caller is inside a job or a part, so that what it cuts runs serially. */
bool bnn_jobs_inside(void);

/* Cuts 0..n-1 into parts of `length`, the last one maybe shorter, and runs part(context, from, count) for each, once, in parallel, under
 * the same rules. For many short parts in a row that cannot fail. */
void bnn_parts_run(int n, int length, void (*part)(void *context, int from, int count), void *context);

#ifdef __cplusplus
}
#endif

#endif
