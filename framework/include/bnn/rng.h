/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rng.h: random numbers as a pure function of an address.
 *
 * A bnn_rng is a value, the key of one Philox4x32-10 stream (Salmon, Moraes, Dror & Shaw 2011; the generator is Random123's, word for
 * word). Copying it is free and sharing it impossible: nothing is advanced. A number is addressed by (stream, row, index), so the noise of
 * row 117 is the same in any batch, chunk, thread or resumed run.
 *
 *   word(r, row, i) = philox4x32_10(counter = {i / 4, row mod 2^32, row / 2^32, 0}, key = r)[i mod 4]
 *
 * uniform: float ((word >> 8) + 1/2) 2^-24 rounded towards zero, double (word + 1/2) 2^-32: open interval (0,1), never 0 nor 1.
 * normal: Box-Muller on consecutive pairs of words, (2j, 2j+1) -> (r cos, r sin).
 *
 * All fills write out[k*n + i] for row = row0 + k, 0 <= k < rows, 0 <= i < n; a value depends on (r, row, i) alone, never on row0, rows or
 * n.
 */
#ifndef BNN_RNG_H
#define BNN_RNG_H

#include <bnn/real.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One stream. */
typedef struct {
    uint64_t key; /* of Philox; made by bnn_rng_seed and bnn_rng_split alone */
} bnn_rng;

/* The root stream of a seed. */
bnn_rng bnn_rng_seed(uint64_t seed);

/* An independent stream for each tag: bnn_rng_split(bnn_rng_split(root, PURPOSE), s). */
bnn_rng bnn_rng_split(bnn_rng r, uint64_t tag);

/* Fills out[rows, n] from row row0 on (see above): */
void bnn_rng_words(bnn_rng r, uint64_t row0, int rows, int n, uint32_t *out);   /* words */
void bnn_rng_uniform(bnn_rng r, uint64_t row0, int rows, int n, bnn_real *out); /* uniform numbers in (0,1) */
void bnn_rng_normal(bnn_rng r, uint64_t row0, int rows, int n, bnn_real *out);  /* standard normal numbers */

/* out = on with probability 1-p, else 0: p is the probability of DROPPING, on is usually 1 or 1/(1-p). Compares a word with p 2^32, so p is
 * met to 2^-32; p = 0 never drops and p = 1 always does. */
void bnn_rng_mask(bnn_rng r, uint64_t row0, int rows, int n, double p, bnn_real on, bnn_real *out);

/* A permutation of 0..n-1 into out (Fisher-Yates on the stream, unbiased). */
void bnn_rng_permutation(bnn_rng r, int n, int *out);

#ifdef __cplusplus
}
#endif

#endif
