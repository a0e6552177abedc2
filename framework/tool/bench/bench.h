/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bench.h: the parts of `bnn bench`.
 */
#ifndef BNN_TOOL_BENCH_H
#define BNN_TOOL_BENCH_H

#include "tool/tool.h"

/* A network on normal data: a fit, or a prediction where rows are to be predicted. */
typedef struct {
    const char *name;
    int n, d, classes; /* training rows, features, classes (0: regression) */
    const char *net, *engine, *likelihood;
    int n_new, samples; /* rows to predict and draws; 0: the fit is what is timed */
    int height, width;  /* of images with d channels, each of whose pixels has a class; 0: rows are vectors */
} bench_job;

typedef struct {
    double rate;  /* of the best round: gradients, or evaluations (rows x draws), a second */
    double flops; /* floating-point operations a second at that rate: declared ones of fits, of predictions those that are needed */
} bench_rate;

/* The data and the run of a job. */
typedef struct {
    const bench_job *job;
    bnn_table *table;
    bnn_data *train, *new_rows;
    bnn_run *run; /* one step made */
} bench_case;
bnn_status bench_open(const bench_job *job, bench_case *out);
void bench_close(bench_case *c);

/* Compares what the job computes with plain loops in double, or with differences of U: refuses to time what is wrong. */
bnn_status bench_check(const bench_case *c);

/* Best of three rounds of `seconds` each. */
bnn_status bench_measure(bench_case *c, double seconds, bench_rate *out);

/* A new run from its start to its end. */
bnn_status bench_whole_fit(bench_case *c, double *seconds);

/* From now on seconds are those of the processor, on all cores together: for a machine that does other things, too. */
void bench_by_processor(void);
double bench_since(bnn_stopwatch started);

/* A convolution of one image, and its numbers. */
typedef struct {
    bnn_conv g;
    bnn_real *x, *w, *y, *dx, *dw; /* y is dy, too */
    double flops, bytes;           /* of each of the three ways through it; bytes of x, y and the kernel, each moved once */
} bench_conv;
bnn_status bench_conv_open(const bnn_conv *g, bench_conv *out);
void bench_conv_close(bench_conv *c);
/* Compares y, and what dx and dw have to do with it, with plain sums. */
bnn_status bench_conv_check(const bench_conv *c);
/* The three ways; c is a bench_conv. */
void bench_conv_y(void *c);
void bench_conv_dx(void *c);
void bench_conv_dw(void *c);

/* Floating-point operations a second of a loop of fused multiply-adds on one core; loading: with the loads of a product's tile beside them.
 */
double bench_peak(bool loading);

/* Bytes a second that one core reads and writes where no cache holds them: a copy, counted on both sides. 0: there was no memory. */
double bench_bandwidth(void);

#endif
