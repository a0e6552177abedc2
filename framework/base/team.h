/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * team.h: the threads that help with parts, and how they wait for them.
 */
#ifndef BNN_TEAM_H
#define BNN_TEAM_H

#include <stdbool.h>

/* Tells whether the calling thread is at work on a part. */
bool bnn_team_at_work(void);

/* Runs part(context, i) for i < n, each once, on `threads` threads at most; on the calling one alone while
 * the team helps another caller, or from inside a part. */
void bnn_team_run(int n, int threads, void (*part)(void *context, int i), void *context);

#endif
