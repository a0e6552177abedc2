/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * register_mutants.c: the program bnn with the types of tests/mutants among its own, for test_check.sh.
 */
#include "mutants.h"

__attribute__((constructor)) static void add_all(void) {
    for (int i = 0; mutants[i].type; i++) (void)bnn_type_add(mutants[i].kind, mutants[i].type);
}
