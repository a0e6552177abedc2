/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <bnn/jobs.h>

#include <omp.h>
#include <stdlib.h>
#include <string.h>

bnn_status bnn_jobs_run(int n, bnn_status (*job)(void *context, int i), void *context) {
    int first = n;
    bnn_status status = BNN_OK;
    char *sentence = NULL;
    if (n == 1) return job(context, 0); /* a region, even of one thread, takes memory: more than a step of a small network needs */
#pragma omp parallel for schedule(dynamic, 1) if (n > 1 && !omp_in_parallel())
    for (int i = 0; i < n; i++) {
        bnn_status s = job(context, i);
        if (s == BNN_OK) continue;
#pragma omp critical(bnn_jobs)
        if (i < first) {
            first = i;
            status = s;
            free(sentence);
            sentence = strdup(bnn_error()); /* sentences belong to threads: this one must outlive its thread's next */
        }
    }
    if (status < 0) bnn_fail(status, "%s", sentence ? sentence : bnn_status_text(status));
    free(sentence);
    return status;
}
