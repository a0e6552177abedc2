/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * allocations.h: counts allocations, in programs that link allocations.c and ask for it: for bnn_check_options.
 */
#ifndef BNN_ALLOCATIONS_H
#define BNN_ALLOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nothing is counted or filled before. */
void tool_watch_allocations(void);

/* Counter of the calling thread's allocations, of the allocations of all threads that are not freed yet, and what fresh memory is filled
 * with (below 0: nothing); NULL where malloc is another's (sanitizers bring their own). */
extern uint64_t (*const tool_allocations)(void);
extern int64_t (*const tool_live)(void);
extern void (*const tool_poison)(int byte);
extern void (*const tool_list)(bool on);
extern bool (*const tool_listed)(int i, const void **at, size_t *size);

/* Where it is left that an allocation has failed; NULL: nowhere. */
extern bool *tool_out_of_memory;

#endif
