/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mpi.h (private): the ranks that mpirun has started, for a program that was built with MPI (meson setup -Dmpi=enabled). Without it there
 * is never more than one.
 */
#ifndef BNN_RANKS_MPI_H
#define BNN_RANKS_MPI_H

#include <bnn/ranks.h>

/* The ranks of this job, or NULL: the program is built without MPI. `lost` is called, and must not come back, where a message does not
 * arrive; what says why. */
const bnn_ranks *bnn_mpi_start(void (*lost)(const char *what));
/* Waits until all ranks have come to this. */
void bnn_mpi_meet(void);
/* Ends the part of this rank in the job, once all ranks have come to this. */
void bnn_mpi_finish(void);
/* Ends all ranks of the job with a status. */
void bnn_mpi_abort(int status);
/* Messages of sums that this rank has received. */
unsigned long long bnn_mpi_received(void);

#endif
