/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * archives.h: weights as others write them, byte by byte.
 */
#ifndef ARCHIVES_H
#define ARCHIVES_H

#include "fuzz.h"

void archives_zip(fuzz_content *c, int n, const fuzz_content *entries, const char *const *names); /* n <= 4 entries, stored, whose checksums
                                                                                                     are right */
void archives_npy(fuzz_content *c, const char *type, const char *turned, const char *shape, int bytes); /* an array of NumPy of so many
                                                                                                           bytes, zeros */
void archives_keras(fuzz_content *c); /* model.weights.h5 of Keras 3, which is also left as keras.h5 (files.h) */

#endif
