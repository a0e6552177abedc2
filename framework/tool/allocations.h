/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * allocations.h: counts allocations, in programs that link allocations.c: for bnn_check_options.allocations.
 */
#ifndef BNN_ALLOCATIONS_H
#define BNN_ALLOCATIONS_H

#include <stdint.h>

/* Counter of the calling thread's allocations; NULL where they cannot be counted (sanitizers bring their own malloc). */
extern uint64_t (*const tool_allocations)(void);

#endif
