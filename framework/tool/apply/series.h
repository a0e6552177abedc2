/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * series.h: scores of one run on several files.
 */
#ifndef BNN_TOOL_SERIES_H
#define BNN_TOOL_SERIES_H

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
    const char *run;     /* its file */
    int n;               /* files so far */
    tool_series_row *of; /* [n] owned by the caller, once it was added to */
} tool_series;

/* Adds the rows of a rerun with their scores; file is borrowed. */
bnn_status tool_series_take(tool_series *series, const char *file, const bnn_table *table, const bnn_metrics *metrics);
/* Scores the run of a rerun on all rows of a data file, or, where it has the same rows and splits as the rerun's, on the test rows of that
 * split, with the same draws, and adds them. */
bnn_status tool_series_add(tool_series *series, const tool_rerun *rerun, const char *file);
void tool_series_print(const tool_series *series);                        /* a table */
json_t *tool_series_json(const tool_series *series);                      /* a list */
bnn_status tool_series_page(const tool_series *series, const char *path); /* each score against the strength, as HTML */

#endif
