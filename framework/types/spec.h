/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * spec.h (private): which types a spec text names, whether they are registered or not.
 */
#ifndef BNN_SPEC_H
#define BNN_SPEC_H

#include <bnn/option.h>

/* Called with the kind and the name of a type. */
typedef void bnn_spec_visit(void *context, bnn_kind kind, const char *name);

/* Visits the type that a printed spec text names, then those of the specs in its options. The options of a type that is not registered
 * cannot be told apart: none of them is looked into. */
bnn_status bnn_spec_walk(bnn_kind kind, const char *text, bnn_spec_visit *visit, void *context);

#endif
