/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * jobs.h: independent pieces of work on all cores.
 */
#ifndef BNN_JOBS_H
#define BNN_JOBS_H

#include <bnn/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs job(context, 0..n-1), each once, in parallel; a call from inside a job runs serially (the outermost cut wins). Jobs may not depend
 * on each other. All jobs are run; of those that fail, the one with the lowest index gives status and sentence, so the outcome is the same
 * at any number of threads. */
bnn_status bnn_jobs_run(int n, bnn_status (*job)(void *context, int i), void *context);

#ifdef __cplusplus
}
#endif

#endif
