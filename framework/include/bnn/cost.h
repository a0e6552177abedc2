/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * cost.h: what a result cost, and whether a job fits before it starts.
 */
#ifndef BNN_COST_H
#define BNN_COST_H

#include <bnn/real.h>
#include <bnn/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Cost of a fit or a prediction. */
typedef struct {
    uint64_t gradients;  /* evaluations on one batch each, */
    uint64_t forwards;   /* with and without a gradient */
    double flops;        /* counted from shapes */
    double seconds_wall; /* elapsed */
    double seconds_cpu;  /* of the threads that did this work */
    uint64_t peak_bytes; /* the largest memory the process has held */
} bnn_cost;

/* The only place of the library that reads a clock; times never reach a result. */
typedef struct {
    double wall, cpu; /* seconds since some moment in the past */
} bnn_stopwatch;
bnn_stopwatch bnn_stopwatch_start(void);                      /* now */
void bnn_stopwatch_stop(bnn_stopwatch since, bnn_cost *cost); /* adds the times, raises the peak */

/* to += from (the peak is the larger one). */
void bnn_cost_add(bnn_cost *to, const bnn_cost *from);

/* Refuses a job that cannot fit: "WHAT needs 9.1 GB, 6.0 GB are free; WAY_OUT". Free is what the kernel, the limits of the process and those
 * of its control groups leave. Engines that a holder opens together are asked for at once (bnn_holder_open). */
bnn_status bnn_memory_check(double bytes, const char *what, const char *way_out);

/* About how fast one core is: what predicted times are made of. */
#define BNN_FLOPS_A_SECOND 20e9 /* in the products of small networks */
#define BNN_SECONDS_A_PASS 4e-6 /* of a gradient on no rows */

/* Refuses a job that cannot end: "WHAT takes about 9.1e+04 years of one core, ...; WAY_OUT". The seconds are those of one core; no more
 * than a century of them is begun. */
bnn_status bnn_time_check(double seconds, const char *what, const char *way_out);

/* n reals that are 0, at an address that vectors like; for free. NULL: there is no memory. */
bnn_real *bnn_reals_new(size_t n);

#ifdef __cplusplus
}
#endif

#endif
