/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * mutants.h: the types of tests/mutants, one fault each; those named ..._0 have none.
 */
#ifndef MUTANTS_H
#define MUTANTS_H

#include <bnn/registry.h>

typedef struct {
    bnn_kind kind;
    const bnn_type *type;
} mutant;

extern const mutant mutants[]; /* without a type behind the last */

#endif
