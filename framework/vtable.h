/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * vtable.h (private): vtables that come from outside, made of another version of the headers maybe.
 */
#ifndef BNN_VTABLE_H
#define BNN_VTABLE_H

#include <bnn/registry.h>

/* Whether this library can call the vtable (registry.h, bnn_types_add); the sentence says what is missing. */
bnn_status bnn_vtable_check(bnn_kind kind, const bnn_type *type);

/* Of a vtable that is shorter than this library's: *copy, owned, with NULL for the hooks that it does not have. Else *copy stays. */
bnn_status bnn_vtable_extend(bnn_kind kind, const bnn_type *type, bnn_type **copy);

#endif
