/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * register_mutants.c: the program bnn with the layers of tests/mutants among its types, for test_check.sh.
 */
#include <bnn/registry.h>

extern const bnn_type *const mutants[]; /* NULL-terminated */

__attribute__((constructor)) static void add_all(void) {
    for (int i = 0; mutants[i]; i++) (void)bnn_type_add(BNN_LAYER, mutants[i]);
}
