/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * type.h (private): what the suites of all kinds ask of the head that every vtable has, and of its option table.
 */
#ifndef BNN_CHECK_TYPE_H
#define BNN_CHECK_TYPE_H

#include "checker.h"

/* Small letters, digits and _, a letter first. */
bool bnn_is_name(const char *name);

/* Name, summary, capabilities (caps: those of the kind) and check specs. */
void bnn_check_head(bnn_checker *c, uint32_t caps);

/* Breaks the verdict unless key=value, added to a check spec, is refused and the sentence names what refuses it, and the option. */
typedef bnn_status bnn_refusal(bnn_checker *c, const char *key, const char *value);

/* Every option takes its preset and its ends, refuses what is beyond them, and leaves the fields of the others alone. */
bnn_status bnn_check_option_table(bnn_checker *c, bnn_refusal *is_named);

/* Value i of an option within its range, as text: numbers below, at and above the middle, or the preset's neighbours where the range is
 * wide; choices. NULL: there is none of this number below BNN_MOST_VALUES. text: room for a number. */
enum { BNN_MOST_VALUES = 3 };
const char *bnn_option_value(const bnn_option *o, int i, char text[BNN_NUMBER_TEXT]);

#endif
