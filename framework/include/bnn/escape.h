/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * escape.h: texts of others, such as the names in a data file, as they can be shown: what would move the cursor, forge a line or turn the
 * direction of writing is spelled out.
 */
#ifndef BNN_ESCAPE_H
#define BNN_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes text as one line of UTF-8 into out[size], which is not text, and returns out: a newline, a return and a tab as \n, \r and \t;
 * every byte of another control character, of a mark that turns the direction of writing or ends a line, and of what is not UTF-8 as \xNN.
 * A backslash stays, so that escaping twice is escaping once: this is for reading, not for a way back. Four bytes for each of text and
 * one more always suffice; what does not fit is left out, by whole characters. */
const char *bnn_escape(const char *text, char *out, size_t size);

bool bnn_is_utf8(const char *text); /* by RFC 3629: no overlong forms, no surrogates */

#ifdef __cplusplus
}
#endif

#endif
