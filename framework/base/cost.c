/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "memory.h"

#include <bnn/cost.h>
#include <bnn/number.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Inside a parallel region this thread is one job among others; outside it, every thread works for this job. */
bnn_stopwatch bnn_stopwatch_start(void) {
    clockid_t cpu = omp_in_parallel() ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID;
    return (bnn_stopwatch){.wall = seconds(CLOCK_MONOTONIC), .cpu = seconds(cpu)};
}

static uint64_t peak_bytes(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

void bnn_stopwatch_stop(bnn_stopwatch since, bnn_cost *cost) {
    bnn_stopwatch now = bnn_stopwatch_start();
    uint64_t peak = peak_bytes();
    cost->seconds_wall += now.wall - since.wall;
    cost->seconds_cpu += now.cpu - since.cpu;
    if (peak > cost->peak_bytes) cost->peak_bytes = peak;
}

void bnn_cost_add(bnn_cost *to, const bnn_cost *from) {
    to->gradients += from->gradients;
    to->forwards += from->forwards;
    to->flops += from->flops;
    to->seconds_wall += from->seconds_wall;
    to->seconds_cpu += from->seconds_cpu;
    if (from->peak_bytes > to->peak_bytes) to->peak_bytes = from->peak_bytes;
}

/* Bytes that can still be had, also under a limit of the address space; infinite: not known. */
static double free_bytes(void) {
    double available = bnn_memory_available_in("");
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return available;
    return fmin(available, fmax(0, (double)limit.rlim_cur - (double)peak_bytes()));
}

/* Things like the one that this thread opens that will be open together. */
static _Thread_local double together = 1;

bnn_status bnn_memory_enter(int copies, double *before) {
    *before = together;
    if (together * copies > BNN_MOST_TOGETHER)
        return bnn_fail(BNN_ERR_OPTION, "%.0f engines would be open together, at most %d are allowed: ask for fewer members or cells",
                        together * copies, BNN_MOST_TOGETHER);
    together *= copies;
    return BNN_OK;
}

void bnn_memory_leave(double before) { together = before; }

/* Bytes that are not worth reading the system's files for, which takes longer than to predict one row. */
enum { FEW_BYTES = 1 << 20 };

bnn_status bnn_memory_check(double bytes, const char *what, const char *way_out) {
    double all = bytes * together, available = all > FEW_BYTES ? free_bytes() : INFINITY;
    char number[64] = "";
    if (all <= available) return BNN_OK;
    if (together > 1) bnn_print(number, sizeof number, " of %.0f engines together", together);
    return bnn_fail(BNN_ERR_MEMORY, "%s%s needs %.3g GB, %.3g GB are free; %s", what, number, all / 1e9, available / 1e9, way_out);
}

bnn_status bnn_time_check(double seconds, const char *what, const char *way_out) {
    enum { MOST_YEARS = 100 };
    double years = seconds / (365.25 * 86400);
    if (years <= MOST_YEARS) return BNN_OK;
    return bnn_fail(BNN_ERR_OPTION, "%s takes about %.3g years of one core, by the count of its operations, at most %d are begun; %s", what,
                    years, MOST_YEARS, way_out);
}

bnn_real *bnn_reals_new(size_t n) {
    size_t bytes = (n * sizeof(bnn_real) + 64) / 64 * 64;
    bnn_real *a = aligned_alloc(64, bytes);
    return a ? memset(a, 0, bytes) : NULL;
}
