/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * ranks.c: a command that several processes run together (mpirun). All do the same; the first one decides, prints and writes.
 */
#include "model/shards.h"
#include "ranks/mpi.h"
#include "tool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const bnn_ranks *ranks;    /* NULL: one process */
static int own_error = -1;        /* where a rank that is silent says how it failed */
static unsigned long long before; /* messages of sums, when the ranks met */

/* Comes at every end of the program. Ranks that fail mostly fail of the same: the first one says it and ends the job, and the others
 * leave it the time to. */
static void leave(int status, void *nothing) {
    enum { SECONDS = 3 };
    (void)nothing;
    fflush(NULL);
    if (status < 2 || ranks->n == 1) {
        bnn_mpi_finish();
        return;
    }
    if (ranks->rank > 0) {
        signal(SIGTERM, SIG_DFL); /* of mpirun, which is to end this wait */
        sleep(SECONDS);
        dprintf(own_error, "bnn: rank %d: %s\n", ranks->rank, *bnn_error() ? bnn_error() : "has failed");
    }
    bnn_mpi_abort(status);
}

static void lose(const char *what) { exit(tool_refuse("the ranks have lost one another: %s", what)); }

void tool_ranks_open(void) {
    ranks = bnn_mpi_start(lose);
    if (!ranks) return;
    on_exit(leave, NULL);
    if (ranks->rank == 0) return;
    own_error = dup(STDERR_FILENO);
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) exit(2);
}

int tool_ranks_count(void) { return ranks ? ranks->n : 1; }

bool tool_ranks_first(void) { return !ranks || ranks->rank == 0; }

void tool_ranks_share(bool together) { bnn_ranks_use(together ? ranks : NULL); }

void tool_ranks_meet(void) {
    if (ranks) bnn_mpi_meet();
    before = bnn_mpi_received();
}

static const char other[] =
    "has other numbers than the first rank: ranks take the same program, data and files, and the same instructions, "
    "which BNN_SIMD=avx2 gives to unlike processors";

bnn_status tool_ranks_agree(int n, const double *state, bool *decision) {
    double number[TOOL_RANKS_STATE + 1];
    memcpy(number, state, (size_t)n * sizeof *number);
    number[n] = *decision;
    ranks->broadcast(ranks->context, number, (size_t)n + 1);
    *decision = number[n] != 0;
    for (int i = 0; i < n; i++)
        if (memcmp(&number[i], &state[i], sizeof *state) != 0) return bnn_fail(BNN_ERR_STATE, "%s", other);
    return BNN_OK;
}

bnn_status tool_ranks_agree_on_data(const bnn_table *table) {
    enum { DIGITS = sizeof table->sha256 - 1 };
    double of_first[DIGITS / sizeof(double)], same, unlike = 0;
    if (tool_ranks_count() == 1) return BNN_OK;
    memcpy(of_first, table->sha256, DIGITS);
    ranks->broadcast(ranks->context, of_first, sizeof of_first / sizeof *of_first);
    same = memcmp(of_first, table->sha256, DIGITS) == 0;
    if (ranks->rank > 0) ranks->send(ranks->context, 0, &same, 1);
    for (int rank = 1; rank < ranks->n && ranks->rank == 0; rank++) {
        ranks->receive(ranks->context, rank, &same, 1);
        if (same == 0 && unlike == 0) unlike = rank;
    }
    ranks->broadcast(ranks->context, &unlike, 1);
    return unlike == 0 ? BNN_OK : bnn_fail(BNN_ERR_STATE, "rank %.0f: %s", unlike, other);
}

void tool_ranks_doubt(const char *engine) {
    if (tool_ranks_count() == 1 || ranks->rank > 0 || bnn_mpi_received() > before) return;
    fprintf(
        stderr,
        "bnn: warning: engine '%s' has made a step without a sum over more than %d rows, which is what ranks share: so far all %d of them "
        "do the same work\n",
        engine, BNN_SHARD_ROWS, ranks->n);
}
