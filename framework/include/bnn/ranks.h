/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ranks.h: several processes that make one fit. All of them run the same calls with the same numbers, but of a sum over more rows than
 * a shard has (docs/determinism.md) each adds the shards of one stretch of rows, and the first rank ends with the sum and hands it to all.
 * The bits are those of one process. How numbers travel is the caller's: the program does it by MPI.
 */
#ifndef BNN_RANKS_H
#define BNN_RANKS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The ranks 0..n-1 of a job, seen from one of them. A call that cannot do its work does not come back. They come from one thread at a
 * time, on all ranks in the same order. */
typedef struct {
    size_t size;   /* sizeof(bnn_ranks) */
    int n, rank;   /* ranks; this one */
    void *context; /* of the calls */
    /* Sends `length` numbers to another rank, which receives as many: */
    void (*send)(void *context, int to, const double *number, size_t length);
    /* Takes numbers in the order in which the other rank sent them: */
    void (*receive)(void *context, int from, double *number, size_t length);
    /* Gives all ranks the numbers of the first one: */
    void (*broadcast)(void *context, double *number, size_t length);
} bnn_ranks;

/* Fits of this process are from now on made together with other ranks; NULL: by this process alone, as from its start. To be called while
 * no fit is open, or when all that is left is to predict. ranks is borrowed. Jobs (jobs.h) run one after another while there are several
 * ranks, so that sums are added in the same order on all of them; threads help within each. */
void bnn_ranks_use(const bnn_ranks *ranks);

/* Those in use; n is 1 where this process is alone. */
const bnn_ranks *bnn_ranks_used(void);

#ifdef __cplusplus
}
#endif

#endif
