/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * rng_simd.c: Philox4x32-10 in vectors, and the fills of rng.h on top. Compiled once per instruction set (see simd.h).
 *
 * A fill of rows x n is one run over pairs (row, block of four words), laid out row after row, so many short rows are as fast as a long
 * one. Words are made in chunks, whole vectors at a time, transformed in place of the chunk and copied to where they belong; a value
 * therefore never depends on its position.
 */
#include "simd.h"
#include "simd_vector.h"
#include <stdalign.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words 2j and 2j+1 are the low and the high half of a 64-bit lane");

#define NL ((int)(VB / 8))              /* a 32-bit word sits in a 64-bit lane, the shape of the multiplication 32 x 32 -> 64 */
#define NV 4                            /* vectors in flight: hides the latency of the multiplication */
#define STEP (NV * NL)                  /* blocks made together */
#define CHUNK 256                       /* blocks in a chunk, a multiple of every STEP: 4 KiB of words */
#define LOW ((vu64){0} + 0xffffffffULL) /* the word of each lane */

/* Where each lane stands in the run of (row, block) pairs; nb blocks a row. */
typedef struct {
    vi64 block[NV];
    vu64 row[NV];
    int64_t nb, next_block;
    uint64_t next_row; /* STEP = next_row nb + next_block */
} cursor;

static cursor cursor_start(uint64_t row, int nb) {
    alignas(VB) int64_t block[STEP];
    alignas(VB) uint64_t rows[STEP];
    for (int i = 0, b = 0; i < STEP; i++, b++) {
        if (b == nb) b = 0, row++;
        /* The order in which pack below writes: lanes 0, 2, 4, .. then 1, 3, 5, .. */
        int v = i / NL, l = i % NL, lane = 2 * (l % (NL / 2)) + l / (NL / 2);
        block[v * NL + lane] = b;
        rows[v * NL + lane] = row;
    }
    cursor c = {.nb = nb, .next_block = STEP % nb, .next_row = (uint64_t)(STEP / nb)};
    memcpy(c.block, block, sizeof block);
    memcpy(c.row, rows, sizeof rows);
    return c;
}

INLINE void cursor_advance(cursor *c) {
    for (int v = 0; v < NV; v++) {
        c->block[v] += c->next_block;
        c->row[v] += c->next_row;
        vi64 over = c->block[v] >= c->nb;
        c->block[v] -= over & c->nb;
        c->row[v] -= (vu64)over;
    }
}

/* The 64-bit product of the low words of the lanes; high words are ignored. */
INLINE vu64 multiply(vu64 a, uint32_t b) {
#if defined(__AVX512F__)
    return (vu64)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
#elif defined(__AVX2__)
    return (vu64)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(__SSE2__)
    return (vu64)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#else
    return (a & LOW) * b;
#endif
}

/* The words c0..c3 of one vector of blocks, in the low halves of the lanes, to 4 NL words in order. */
INLINE void pack(const vu64 c[4], uint32_t *out) {
    vu64 a = (c[0] & LOW) | (c[1] << 32), b = (c[2] & LOW) | (c[3] << 32);
#if VB == 64
    vu64 even = __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14), odd = __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
#elif VB == 32
    vu64 even = __builtin_shufflevector(a, b, 0, 4, 2, 6), odd = __builtin_shufflevector(a, b, 1, 5, 3, 7);
#else
    vu64 even = __builtin_shufflevector(a, b, 0, 2), odd = __builtin_shufflevector(a, b, 1, 3);
#endif
    memcpy(out, &even, sizeof even);
    memcpy(out + VB / 4, &odd, sizeof odd);
}

/* Four words of each of the next count blocks (a multiple of STEP). Words of lanes carry rubbish in the high halves until pack. */
static void generate(cursor *place, uint64_t key, int count, uint32_t *out) {
    cursor at = *place; /* in registers */
    for (int i = 0; i < count; i += STEP, out += 4 * STEP) {
        vu64 c[NV][4];
        for (int v = 0; v < NV; v++) {
            c[v][0] = (vu64)at.block[v];
            c[v][1] = at.row[v];
            c[v][2] = at.row[v] >> 32;
            c[v][3] = (vu64){0};
        }
        uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
        UNROLL(10)
        for (int round = 0; round < 10; round++, k0 += 0x9E3779B9, k1 += 0xBB67AE85)
            for (int v = 0; v < NV; v++) {
                vu64 p0 = multiply(c[v][0], 0xD2511F53), p1 = multiply(c[v][2], 0xCD9E8D57);
                c[v][0] = (p1 >> 32) ^ c[v][1] ^ k0;
                c[v][2] = (p0 >> 32) ^ c[v][3] ^ k1;
                c[v][1] = p1;
                c[v][3] = p0;
            }
        for (int v = 0; v < NV; v++) pack(c[v], out + 4 * v * NL);
        cursor_advance(&at);
    }
    *place = at;
}

/* Threshold and value of a mask that is made from count words (a multiple of 4 STEP). */
typedef struct {
    uint64_t threshold;
    bnn_real on;
} mask_of;
typedef void transform(const uint32_t *words, int count, void *out, mask_of m);

/* Copies count blocks of elements that start at block *b of row *k to out[rows,n]. Whole blocks are copied; where a row ends inside one,
 * the overhang is overwritten by the next row, so only the very end of out needs care. */
INLINE void scatter(const char *from, size_t size, int count, int n, int nb, size_t total, size_t *k, int *b, char *out) {
    while (count > 0) {
        int blocks = nb - *b < count ? nb - *b : count;
        size_t at = *k * (size_t)n + 4 * (size_t)*b, room = (total - at) / 4;
        int whole = room < (size_t)blocks ? (int)room : blocks;
        for (int i = 0; i < whole; i++) memcpy(out + (at + 4 * (size_t)i) * size, from + 4 * (size_t)i * size, 4 * size);
        if (whole < blocks)
            memcpy(out + (at + 4 * (size_t)whole) * size, from + 4 * (size_t)whole * size, (size_t)(n - 4 * (*b + whole)) * size);
        from += 4 * (size_t)blocks * size;
        count -= blocks;
        *b += blocks;
        if (*b == nb) *b = 0, ++*k;
    }
}

INLINE void fill(bnn_rng r, uint64_t row0, int rows, int n, transform *apply, mask_of m, size_t size, char *out) {
    alignas(VB) uint32_t words[4 * CHUNK];
    alignas(VB) char values[4 * CHUNK * sizeof(bnn_real)];
    if (rows <= 0 || n <= 0) return;
    const int nb = (int)(((unsigned)n + 3) / 4);
    const size_t pairs = (size_t)rows * (size_t)nb, total = (size_t)rows * (size_t)n;
    const bool dense = n % 4 == 0 || rows == 1; /* blocks follow each other without gaps in out */
    cursor c = cursor_start(row0, nb);
    size_t k = 0;
    int b = 0;
    for (size_t p = 0; p < pairs; p += CHUNK) {
        int count = pairs - p < CHUNK ? (int)(pairs - p) : CHUNK, made = (count + STEP - 1) / STEP * STEP;
        generate(&c, r.key, made, words);
        if (dense && 4 * (p + CHUNK) <= total) {
            apply(words, 4 * CHUNK, out + 4 * p * size, m);
        } else {
            if (p && dense) k = p / (size_t)nb, b = (int)(p % (size_t)nb);
            apply(words, 4 * made, values, m);
            scatter(values, size, count, n, nb, total, &k, &b, out);
        }
    }
}

INLINE void as_words(const uint32_t *words, int count, void *out, mask_of m) {
    (void)m;
    memcpy(out, words, (size_t)count * sizeof *words);
}

#if BNN_REAL_IS_DOUBLE

/* (word + 1/2) 2^-32 for the low word of each lane, exactly: 2^52 + word is the bit pattern 0x433... | word. */
INLINE vreal unit(vu64 word) { return ((vreal)((word & LOW) | 0x4330000000000000ULL) - (0x1p52 - 0.5)) * 0x1p-32; }

INLINE vu64 widen(const uint32_t *words) {
    vu32half half;
    memcpy(&half, words, sizeof half);
    return __builtin_convertvector(half, vu64);
}

INLINE void as_uniform(const uint32_t *words, int count, void *out, mask_of m) {
    (void)m;
    for (int i = 0; i < count; i += VL) store((bnn_real *)out + i, unit(widen(words + i)));
}

INLINE void as_mask(const uint32_t *words, int count, void *out, mask_of m) {
    for (int i = 0; i < count; i += VL) {
        vbits keep = (vi64)widen(words + i) >= (int64_t)m.threshold;
        store((bnn_real *)out + i, (vreal)(keep & (vbits)splat(m.on)));
    }
}

/* One vector of word pairs makes two vectors, cos and sin, which are then interleaved. */
INLINE void pairs_of(const uint32_t *words, vreal u[2]) {
    vu64 w;
    memcpy(&w, words, sizeof w);
    u[0] = unit(w);
    u[1] = unit(w >> 32);
}

INLINE void interleave(vreal a, vreal b, bnn_real *out) {
    store(out, zip_low(a, b));
    store(out + VL, zip_high(a, b));
}

#else

/* ((word >> 8) + 1/2) 2^-24 rounded towards zero: (2 (word >> 8) + 1) 2^-25, without its last bit where it has 25. Rounding to nearest
 * would make the largest one 1. */
INLINE vreal unit(vu32 word) {
    vu32 odd = word >> 7 | 1;
    odd &= ~(odd >> 24);
    return __builtin_convertvector((vbits)odd, vreal) * 0x1p-25f;
}

INLINE vu32 load_words(const uint32_t *words) {
    vu32 w;
    memcpy(&w, words, sizeof w);
    return w;
}

INLINE void as_uniform(const uint32_t *words, int count, void *out, mask_of m) {
    (void)m;
    for (int i = 0; i < count; i += VL) store((bnn_real *)out + i, unit(load_words(words + i)));
}

INLINE void as_mask(const uint32_t *words, int count, void *out, mask_of m) {
    if (m.threshold > UINT32_MAX) m = (mask_of){.on = 0};
    for (int i = 0; i < count; i += VL) {
        vbits keep = (vbits)(load_words(words + i) >= (uint32_t)m.threshold);
        store((bnn_real *)out + i, (vreal)(keep & (vbits)splat(m.on)));
    }
}

/* Two vectors of words hold VL pairs. The first words of the pairs go to u[0], the second to u[1]; even lanes are from the first vector,
 * odd lanes from the second, which costs no permutation, and interleave goes back the same way. */
INLINE void pairs_of(const uint32_t *words, vreal u[2]) {
    vu64 a = (vu64)load_words(words), b = (vu64)load_words(words + VL);
    u[0] = unit((vu32)((a & LOW) | b << 32));
    u[1] = unit((vu32)(a >> 32 | (b & ~LOW)));
}

INLINE void interleave(vreal first, vreal second, bnn_real *out) {
    vu64 a = (vu64)first, b = (vu64)second;
    store(out, (vreal)((a & LOW) | b << 32));
    store(out + VL, (vreal)(a >> 32 | (b & ~LOW)));
}

#endif

DEFINE_UNARY(vlog, log, LOG_BOUND)

INLINE vreal vsqrt(vreal x) {
#ifdef SLEEF_ISA
    return (vreal)SLEEF_NAME(sqrt, _)(x);
#else
    for (int i = 0; i < VL; i++) x[i] = (bnn_real)__builtin_sqrt((double)x[i]);
    return x;
#endif
}

/* sin and cos of pi x */
INLINE void vsincospi(vreal x, vreal *s, vreal *c) {
#ifdef SLEEF_ISA
    __typeof__(SLEEF_NAME(sincospi, _u35)(x)) both = SLEEF_NAME(sincospi, _u35)(x);
    *s = (vreal)both.x;
    *c = (vreal)both.y;
#else
    for (int i = 0; i < VL; i++) {
        __typeof__(SLEEF_NAME(sincospi, _u35)(x[i])) both = SLEEF_NAME(sincospi, _u35)(x[i]);
        (*s)[i] = both.x;
        (*c)[i] = both.y;
    }
#endif
}

/* Box & Muller (1958). */
INLINE void as_normal(const uint32_t *words, int count, void *out, mask_of m) {
    (void)m;
    for (int i = 0; i < count; i += 2 * VL) {
        vreal u[2], s, c;
        pairs_of(words + i, u);
        vreal radius = vsqrt(-2 * vlog(u[0]));
        vsincospi(2 * u[1], &s, &c);
        interleave(radius * c, radius * s, (bnn_real *)out + i);
    }
}

static void words(bnn_rng r, uint64_t row0, int rows, int n, uint32_t *out) {
    fill(r, row0, rows, n, as_words, (mask_of){0}, sizeof *out, (char *)out);
}

static void uniform(bnn_rng r, uint64_t row0, int rows, int n, bnn_real *out) {
    fill(r, row0, rows, n, as_uniform, (mask_of){0}, sizeof *out, (char *)out);
}

static void normal(bnn_rng r, uint64_t row0, int rows, int n, bnn_real *out) {
    fill(r, row0, rows, n, as_normal, (mask_of){0}, sizeof *out, (char *)out);
}

static void mask(bnn_rng r, uint64_t row0, int rows, int n, uint64_t threshold, bnn_real on, bnn_real *out) {
    fill(r, row0, rows, n, as_mask, (mask_of){.threshold = threshold, .on = on}, sizeof *out, (char *)out);
}

const bnn_rng_simd PASTE(bnn_rng_simd_, BNN_ISA) = {words, uniform, normal, mask};
