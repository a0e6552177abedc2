/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * launch.h: the parts of a command, started elsewhere: as an array job of Slurm, or by GNU parallel over ssh.
 */
#ifndef BNN_TOOL_LAUNCH_H
#define BNN_TOOL_LAUNCH_H

#include <bnn/status.h>
#include <stdbool.h>

typedef struct {
    int slurm;         /* parts of an array job; 0: none is wanted */
    bool submit;       /* it, at once */
    const char *hosts; /* GNU parallel's file of machines; NULL: it is not wanted */
} tool_launch;

/* Writes the job's script beside the output, named after it, and says how it is submitted, or submits it; or prints the line that starts
 * the parts, of which there are `pieces` at most. line is the whole command line, out its output, threads those that were asked for (0:
 * none were). */
bnn_status tool_launch_start(const tool_launch *launch, const char *line, const char *out, int threads, int pieces);

#endif
