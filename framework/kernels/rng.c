/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rng.c: streams and their fills; the inner loops are in rng_simd.c.
 *
 * Keys come from Philox blocks whose fourth counter word is not 0, which no number of any stream uses. Two of m streams get the same key
 * with a probability of about m^2 2^-65.
 */
#include <bnn/rng.h>

#include "simd.h"
#include <Random123/philox.h>
#include <assert.h>
#include <bnn/bnn.h>
#include <math.h>
#include <stdlib.h>

enum { SEED_BLOCK = 0x53454544, SPLIT_BLOCK = 0x53504c49 };

static uint64_t derive(uint64_t key, uint64_t value, uint32_t purpose) {
    philox4x32_key_t k = {{(uint32_t)key, (uint32_t)(key >> 32)}};
    philox4x32_ctr_t c = {{(uint32_t)value, (uint32_t)(value >> 32), 0, purpose}};
    c = philox4x32_R(10, c, k);
    return c.v[0] | (uint64_t)c.v[1] << 32;
}

bnn_rng bnn_rng_seed(uint64_t seed) { return (bnn_rng){derive(0, seed, SEED_BLOCK)}; }

bnn_rng bnn_rng_split(bnn_rng r, uint64_t tag) { return (bnn_rng){derive(r.key, tag, SPLIT_BLOCK)}; }

void bnn_rng_words(bnn_rng r, uint64_t row0, int rows, int n, uint32_t *out) {
    bnn_rng_simd_of(bnn_simd_level())->words(r, row0, rows, n, out);
}

void bnn_rng_uniform(bnn_rng r, uint64_t row0, int rows, int n, bnn_real *out) {
    bnn_rng_simd_of(bnn_simd_level())->uniform(r, row0, rows, n, out);
}

void bnn_rng_normal(bnn_rng r, uint64_t row0, int rows, int n, bnn_real *out) {
    bnn_rng_simd_of(bnn_simd_level())->normal(r, row0, rows, n, out);
}

void bnn_rng_mask(bnn_rng r, uint64_t row0, int rows, int n, double p, bnn_real on, bnn_real *out) {
    assert(p >= 0 && p <= 1);
    bnn_rng_simd_of(bnn_simd_level())->mask(r, row0, rows, n, (uint64_t)nearbyint(p * 0x1p32), on, out);
}

/* ---------------------------------------------------------------- streams as programs see them */

uint64_t bnn_stream_seed(uint64_t seed) { return bnn_rng_seed(seed).key; }

uint64_t bnn_stream_split(uint64_t stream, uint64_t tag) { return bnn_rng_split((bnn_rng){stream}, tag).key; }

typedef void fill(bnn_rng r, uint64_t row0, int rows, int n, bnn_real *out);

/* The numbers of one row after the other, which are those of all rows at once. */
static bnn_status fill_rows(fill *numbers, uint64_t stream, int rows, int n, double *out) {
    bnn_real *row = malloc((size_t)n * sizeof *row + 1);
    if (!row) return bnn_oom("%d random numbers", n);
    for (int k = 0; k < rows; k++) {
        numbers((bnn_rng){stream}, (uint64_t)k, 1, n, row);
        for (int i = 0; i < n; i++) *out++ = (double)row[i];
    }
    free(row);
    return BNN_OK;
}

bnn_status bnn_stream_uniform(uint64_t stream, int rows, int n, double *out) { return fill_rows(bnn_rng_uniform, stream, rows, n, out); }

bnn_status bnn_stream_normal(uint64_t stream, int rows, int n, double *out) { return fill_rows(bnn_rng_normal, stream, rows, n, out); }
