/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * unfinished.h: fits on their way, of a command that makes many, each in a file beside the command's output until it is done.
 */
#ifndef BNN_TOOL_UNFINISHED_H
#define BNN_TOOL_UNFINISHED_H

#include "tool/tool.h"

/* One fit; its file is OUT.fit.ENGINE.SPLIT. */
typedef struct {
    const char *out; /* NULL: nothing is kept */
    int engine, split;
    const tool_job *job;
    const bnn_table *table;
} tool_unfinished;

/* The run that the file holds where going on is asked for, and it is there, else a new one. A file of other work, or one that cannot be
 * read, is no failure: the fit begins anew, and says so. */
bnn_status tool_unfinished_open(const tool_unfinished *u, bool goes_on, const bnn_config *config, const bnn_data *train, bnn_run **run);
/* Writes the run as far as it has come. A failure is said: the work is worth more than its checkpoint. */
void tool_unfinished_save(const tool_unfinished *u, const bnn_run *run);
void tool_unfinished_clear(tool_unfinished u); /* the fit is done, and kept elsewhere */

#endif
