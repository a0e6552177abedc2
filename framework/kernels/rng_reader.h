/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rng_reader.h (private): the words of a stream one after the other, for algorithms that do not know how many they need.
 * Word j is the one at row j / 256, index j mod 256.
 */
#ifndef BNN_RNG_READER_H
#define BNN_RNG_READER_H

#include <bnn/rng.h>

#define RNG_READER_WORDS 256

typedef struct {
    bnn_rng stream;
    uint64_t row; /* the next one to fetch */
    int used;     /* words of the buffer that are gone */
    uint32_t word[RNG_READER_WORDS];
} rng_reader;

static inline void rng_open(rng_reader *r, bnn_rng stream) {
    r->stream = stream;
    r->row = 0;
    r->used = RNG_READER_WORDS;
}

static inline uint32_t rng_next(rng_reader *r) {
    if (r->used == RNG_READER_WORDS) {
        bnn_rng_words(r->stream, r->row++, 1, RNG_READER_WORDS, r->word);
        r->used = 0;
    }
    return r->word[r->used++];
}

#endif
