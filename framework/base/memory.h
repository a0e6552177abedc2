/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * memory.h (private): what memory can still be had, and how often what is asked for will be needed.
 */
#ifndef BNN_MEMORY_H
#define BNN_MEMORY_H

#include <bnn/status.h>

/* Bytes that this process can still be given: what the kernel has available, and what every control group that it is in leaves. Infinite
 * where nothing limits it or nothing is known. /proc and /sys are looked for under root: "" but in tests. */
double bnn_memory_available_in(const char *root);

/* Until it leaves, this thread opens one of `copies` things that will be open together, and bnn_memory_check asks for memory for all of
 * them; 0: it was asked for already. Inside each other copies multiply; fails where they are more than BNN_MOST_TOGETHER. */
enum { BNN_MOST_TOGETHER = 100000 };
bnn_status bnn_memory_enter(int copies, double *before); /* *before is what bnn_memory_leave wants */
void bnn_memory_leave(double before);                    /* only after an enter that did not fail */

#endif
