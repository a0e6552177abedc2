/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rng_reader.h"

/* Uniform on 0 .. bound-1: the high half of word * bound, with the words rejected that make some values too frequent (Lemire 2019,
 * Algorithm 5). */
static uint32_t below(rng_reader *r, uint32_t bound) {
    uint64_t m = (uint64_t)rng_next(r) * bound;
    if ((uint32_t)m < bound)
        for (uint32_t least = -bound % bound; (uint32_t)m < least;) m = (uint64_t)rng_next(r) * bound;
    return (uint32_t)(m >> 32);
}

void bnn_rng_permutation(bnn_rng r, int n, int *out) {
    rng_reader words;
    rng_open(&words, r);
    for (int i = 0; i < n; i++) { /* inside-out: out[0..i] is a permutation of 0..i */
        int j = (int)below(&words, (uint32_t)i + 1);
        out[i] = out[j];
        out[j] = i;
    }
}
