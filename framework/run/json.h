/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * json.h (private): JSON as a text that is whole, or not there.
 */
#ifndef BNN_JSON_H
#define BNN_JSON_H

#include <jansson.h>

/* The text of a value, with jansson's flags; owned. NULL where memory did not suffice, or a text is not UTF-8. */
char *bnn_json_text(const json_t *value, size_t flags);

#endif
