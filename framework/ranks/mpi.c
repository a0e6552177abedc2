/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mpi.h"

#include <mpi.h>

enum { PIECE = 1 << 27 }; /* numbers of a message, at most: MPI counts them by an int */

static bnn_ranks ranks;
static void (*on_loss)(const char *what);
static unsigned long long received;

static void check(int code) {
    char what[MPI_MAX_ERROR_STRING];
    int length;
    if (code == MPI_SUCCESS) return;
    MPI_Error_string(code, what, &length);
    on_loss(what);
}

static int piece(size_t length) { return length < PIECE ? (int)length : PIECE; }

static void send_to(void *context, int to, const double *number, size_t length) {
    (void)context;
    for (size_t at = 0; at < length; at += PIECE) check(MPI_Send(number + at, piece(length - at), MPI_DOUBLE, to, 0, MPI_COMM_WORLD));
}

static void receive_from(void *context, int from, double *number, size_t length) {
    (void)context;
    for (size_t at = 0; at < length; at += PIECE)
        check(MPI_Recv(number + at, piece(length - at), MPI_DOUBLE, from, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE));
    received++;
}

static void broadcast(void *context, double *number, size_t length) {
    (void)context;
    for (size_t at = 0; at < length; at += PIECE) check(MPI_Bcast(number + at, piece(length - at), MPI_DOUBLE, 0, MPI_COMM_WORLD));
}

const bnn_ranks *bnn_mpi_start(void (*lost)(const char *what)) {
    ranks = (bnn_ranks){.size = sizeof ranks, .send = send_to, .receive = receive_from, .broadcast = broadcast};
    on_loss = lost;
    int level;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks.n);
    MPI_Comm_rank(MPI_COMM_WORLD, &ranks.rank);
    return &ranks;
}

void bnn_mpi_meet(void) { check(MPI_Barrier(MPI_COMM_WORLD)); }

void bnn_mpi_finish(void) { MPI_Finalize(); }

void bnn_mpi_abort(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

unsigned long long bnn_mpi_received(void) { return received; }
