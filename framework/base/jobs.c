/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * jobs.c: work on the threads of this process, and with the ranks that it is one of.
 */
#include <bnn/jobs.h>
#include <bnn/ranks.h>

#include "team.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const bnn_ranks alone = {.size = sizeof alone, .n = 1};
static const bnn_ranks *used = &alone; /* a process is one rank, whatever it fits */

void bnn_ranks_use(const bnn_ranks *ranks) { used = ranks ? ranks : &alone; }

const bnn_ranks *bnn_ranks_used(void) { return used; }

bool bnn_jobs_inside(void) { return bnn_team_at_work() || omp_in_parallel(); }

int bnn_jobs_threads(void) { return bnn_jobs_inside() ? 1 : omp_get_max_threads(); }

bnn_status bnn_jobs_run(int n, bnn_status (*job)(void *context, int i), void *context) {
    int first = n;
    bnn_status status = BNN_OK;
    char *sentence = NULL;
    if (n == 1) return job(context, 0); /* a region, even of one thread, takes memory: more than a step of a small network needs */
#pragma omp parallel for schedule(dynamic, 1) if (n > 1 && !bnn_jobs_inside() && used->n == 1)
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

typedef struct {
    int n, length;
    void (*part)(void *context, int from, int count);
    void *context;
} cut;

static void run_part(void *context, int i) {
    const cut *c = context;
    int from = i * c->length;
    c->part(c->context, from, c->n - from < c->length ? c->n - from : c->length);
}

void bnn_parts_run(int n, int length, void (*part)(void *context, int from, int count), void *context) {
    cut c = {.n = n, .length = length, .part = part, .context = context};
    bnn_team_run(n / length + (n % length > 0), bnn_jobs_threads(), run_part, &c);
}
