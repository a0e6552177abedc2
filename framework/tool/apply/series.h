/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * series.h: scores of one run on several files.
 */
#ifndef BNN_TOOL_SERIES_H
#define BNN_TOOL_SERIES_H

#include "tool/apply/curves.h"
#include "tool/tool.h"
#include <bnn/metrics.h>
#include <jansson.h>

/* One file: its scores, and how it was shifted, by its title. */
typedef struct {
    const char *file;
    bool shifted;
    bnn_shift_kind kind;
    double strength;
    bnn_metrics metrics;
} tool_series_row;

typedef struct {
    int n;               /* files so far */
    tool_series_row *of; /* [n] owned by the caller, once it was added to */
} tool_series;

/* Adds the rows of a rerun with their scores; file is borrowed. */
bnn_status tool_series_take(tool_series *series, const char *file, const bnn_table *table, const bnn_metrics *metrics);
/* Scores the run of a rerun on all rows of a data file, or, where it has the same rows and splits as the rerun's, on the test rows of that
 * split, with the same draws, and adds them. */
bnn_status tool_series_add(tool_series *series, const tool_rerun *rerun, const char *file);
void tool_series_print(const tool_series *series);   /* a table */
json_t *tool_series_json(const tool_series *series); /* a list */

enum { TOOL_SERIES_CURVES = 9 /* at most */ };
/* Adds a curve of each score against the strength; their numbers are the caller's to free. */
bnn_status tool_series_curves(const tool_series *series, tool_curve curve[TOOL_SERIES_CURVES], int *n, double **numbers);

#endif
