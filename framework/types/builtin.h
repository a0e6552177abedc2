/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * builtin.h: the lists of the types in the library; builtin.c is made by meson from the names in the meson.build files.
 */
#ifndef BNN_BUILTIN_H
#define BNN_BUILTIN_H

#include <bnn/registry.h>

extern const bnn_type *const bnn_builtin_layers[],
    *const bnn_builtin_engines[], *const bnn_builtin_likelihoods[], *const bnn_builtin_priors[], *const bnn_builtin_optimizers[];

#endif
