/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sized.h (private): options of a caller, who may have been built with a shorter or a longer struct of them than the library was.
 */
#ifndef BNN_SIZED_H
#define BNN_SIZED_H

#include <bnn/status.h>
#include <stddef.h>

/* Fills to[known] from the caller's struct, which begins with its size: what that does not cover is 0. A size of 0 stands for the first
 * edition of the struct, its first `edition` bytes. from NULL: all is 0. Refuses a struct that is shorter than the first edition, and one
 * with an option set that this library does not know; what names the struct. */
bnn_status bnn_sized_read(const char *what, void *to, size_t known, size_t edition, const void *from);

/* Bytes of a struct up to the end of a field: of its first edition. */
#define BNN_UP_TO(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

#endif
