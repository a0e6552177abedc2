/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * test_rng.c: the streams are Random123's Philox word for word, whatever the slicing and the instruction set, and what is made of
 * the words has the distributions it claims. Statistical tests use fixed seeds, so they cannot fail by chance; each was seen to fail on
 * broken code.
 */
#include "helpers.h"
#include "kernels/simd.h"
#include <Random123/philox.h>
#include <bnn/gsl_rng.h>
#include <check.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 1 << 20, SHAPES = 12 };
static const int shape[SHAPES][2] = {{1, 1},  {1, 4},    {1, 13},   {3, 5},    {128, 13}, {37, 1},
                                     {9, 64}, {5, 1027}, {1, 5000}, {2, 4096}, {300, 7},  {7, 256}};
static const uint64_t first_row[] = {0, 117, UINT32_MAX - 1, 0xfedcba9876543210};

static uint32_t word(bnn_rng r, uint64_t row, int i) {
    philox4x32_ctr_t c = {{(uint32_t)i / 4, (uint32_t)row, (uint32_t)(row >> 32), 0}};
    philox4x32_key_t k = {{(uint32_t)r.key, (uint32_t)(r.key >> 32)}};
    return philox4x32_R(10, c, k).v[i % 4];
}

static void *reserve(size_t n, size_t size) {
    void *p = malloc(n * size);
    ck_assert_ptr_nonnull(p);
    return p;
}

static int compare(const void *a, const void *b) {
    const bnn_real x = *(const bnn_real *)a, y = *(const bnn_real *)b;
    return (x > y) - (x < y);
}

/* sqrt(n) sup |F_n - F|; above 2.23 with probability 1e-4. Sorts x. */
static double kolmogorov(int n, bnn_real *x, double (*cdf)(double)) {
    double d = 0;
    qsort(x, (size_t)n, sizeof *x, compare);
    for (int i = 0; i < n; i++) {
        const double f = cdf((double)x[i]);
        d = fmax(d, fmax((i + 1.0) / n - f, f - (double)i / n));
    }
    return d * sqrt(n);
}

static double uniform_cdf(double x) { return x; }

/* The published vectors of Random123 (kat_vectors) whose fourth counter word is 0 are reached through the fills, the others through the
 * reference. */
START_TEST(known_answers) {
    static const uint32_t expect[3][4] = {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
                                          {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                                          {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
    static const philox4x32_ctr_t counter[3] = {{{0, 0, 0, 0}}, {{~0u, ~0u, ~0u, ~0u}}, {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}};
    static const philox4x32_key_t key[3] = {{{0, 0}}, {{~0u, ~0u}}, {{0xa4093822, 0x299f31d0}}};
    for (int i = 0; i < 3; i++) {
        const philox4x32_ctr_t v = philox4x32_R(10, counter[i], key[i]);
        ck_assert_mem_eq(v.v, expect[i], sizeof expect[i]);
    }
    uint32_t w[4];
    bnn_rng_words((bnn_rng){0}, 0, 1, 4, w);
    ck_assert_mem_eq(w, expect[0], sizeof w);
}
END_TEST

/* Every fill of every instruction set that this processor has, at the highest counters too. A guard word follows the last element. */
START_TEST(words_are_random123) {
    const bnn_rng r = {0x299f31d0a4093822};
    uint32_t *w = reserve(10000, sizeof *w);
    for (int level = 0; level <= bnn_simd_level(); level++)
        for (int s = 0; s < SHAPES; s++)
            for (int f = 0; f < 4; f++) {
                const int rows = shape[s][0], n = shape[s][1];
                int wrong = 0; /* Check's own assertions are too slow for every element */
                w[rows * n] = 0xdeadbeef;
                bnn_rng_simd_of(level)->words(r, first_row[f], rows, n, w);
                for (int k = 0; k < rows; k++)
                    for (int i = 0; i < n; i++) wrong += w[k * n + i] != word(r, first_row[f] + (uint64_t)k, i);
                ck_assert_int_eq(wrong, 0);
                ck_assert_uint_eq(w[rows * n], 0xdeadbeef);
            }
    free(w);
}
END_TEST

START_TEST(values_follow_from_words) {
    const bnn_rng r = bnn_rng_seed(3);
    bnn_real *u = reserve(10000, sizeof *u), *z = reserve(10000, sizeof *u), *m = reserve(10000, sizeof *u);
    for (int level = 0; level <= bnn_simd_level(); level++)
        for (int s = 0; s < SHAPES; s++) {
            const bnn_rng_simd *simd = bnn_rng_simd_of(level);
            const int rows = shape[s][0], n = shape[s][1];
            int wrong = 0;
            u[rows * n] = z[rows * n] = m[rows * n] = 77;
            simd->uniform(r, 5, rows, n, u);
            simd->normal(r, 5, rows, n, z);
            simd->mask(r, 5, rows, n, 0x40000000, 4, m);
            for (int k = 0; k < rows; k++)
                for (int i = 0; i < n; i++) {
                    const uint32_t a = word(r, 5 + (uint64_t)k, i & ~1), b = word(r, 5 + (uint64_t)k, i | 1), own = i & 1 ? b : a;
                    double v[3];
                    const uint32_t w[3] = {own, a, b};
                    for (int j = 0; j < 3; j++) {
#if BNN_REAL_IS_DOUBLE
                        v[j] = (w[j] + 0.5) * 0x1p-32;
#else
                        v[j] = ((w[j] >> 8) + 0.5) * 0x1p-24;
                        if (v[j] > 0.5) v[j] -= 0x1p-25; /* towards zero: 25 bits do not fit */
#endif
                    }
                    const double normal = sqrt(-2 * log(v[1])) * (i & 1 ? sin(2 * M_PI * v[2]) : cos(2 * M_PI * v[2]));
                    wrong += (double)u[k * n + i] != v[0];
                    wrong += m[k * n + i] != (bnn_real)(own < 0x40000000 ? 0 : 4);
                    /* log 3.5 ulp, halved by the root, sin or cos 3.5 ulp of 1, two products: 8 ulp of the radius, which is below 8. */
                    wrong += !(fabs((double)z[k * n + i] - normal) <= 8 * 8 * (BNN_REAL_IS_DOUBLE ? 0x1p-53 : 0x1p-24));
                }
            ck_assert_int_eq(wrong, 0);
            ck_assert(u[rows * n] == 77 && z[rows * n] == 77 && m[rows * n] == 77);
        }
    free(u);
    free(z);
    free(m);
}
END_TEST

/* Any row, and any leading part of a row, has the same bits alone as in a larger fill. */
START_TEST(slices_are_equal) {
    enum { ROWS = 40, N = 75 };
    const bnn_rng r = bnn_rng_seed(4);
    static bnn_real all[ROWS * N], part[ROWS * N];
    bnn_rng_normal(r, 1000, ROWS, N, all);
    for (int row = 0; row < ROWS; row++)
        for (int n = 0; n <= N; n++) {
            bnn_rng_normal(r, 1000 + (uint64_t)row, 1, n, part);
            ck_assert(!n || !memcmp(part, all + row * N, (size_t)n * sizeof *part));
        }
    for (int row = 0; row < ROWS; row += 3) {
        bnn_rng_normal(r, 1000 + (uint64_t)row, ROWS - row, N, part);
        ck_assert_mem_eq(part, all + row * N, (size_t)((ROWS - row) * N) * sizeof *part);
    }
}
END_TEST

START_TEST(empty_fills_write_nothing) {
    bnn_real x = 5;
    uint32_t w = 5;
    int p = 5;
    bnn_rng_words(bnn_rng_seed(1), 0, 0, 7, &w);
    bnn_rng_words(bnn_rng_seed(1), 0, 7, 0, &w);
    bnn_rng_normal(bnn_rng_seed(1), 0, 0, 7, &x);
    bnn_rng_uniform(bnn_rng_seed(1), 0, 7, 0, &x);
    bnn_rng_mask(bnn_rng_seed(1), 0, 0, 0, 0.5, 1, &x);
    bnn_rng_permutation(bnn_rng_seed(1), 0, &p);
    ck_assert(x == 5 && w == 5 && p == 5);
}
END_TEST

START_TEST(uniform_is_uniform) {
    bnn_real *x = reserve(MANY, sizeof *x);
    double mean = 0, var = 0;
    int outside = 0;
    bnn_rng_uniform(bnn_rng_seed(11), 0, MANY / 64, 64, x);
    for (int i = 0; i < MANY; i++) {
        outside += !(x[i] > 0 && x[i] < 1);
        mean += (double)x[i] / MANY;
        var += ((double)x[i] - 0.5) * ((double)x[i] - 0.5) / MANY;
    }
    ck_assert_int_eq(outside, 0);
    ck_assert_double_lt(fabs(mean - 0.5) / sqrt(1.0 / 12 / MANY), 4);
    ck_assert_double_lt(fabs(var - 1.0 / 12) / sqrt(1.0 / 180 / MANY), 4);
    ck_assert_double_lt(kolmogorov(MANY, x, uniform_cdf), 2.23);
    free(x);
}
END_TEST

START_TEST(normal_is_normal) {
    enum { BINS = 100 };
    bnn_real *x = reserve(MANY, sizeof *x);
    double m[5] = {0}, lag = 0, chi = 0;
    int count[BINS] = {0};
    bnn_rng_normal(bnn_rng_seed(12), 0, MANY / 16, 16, x);
    for (int i = 0; i < MANY; i++) {
        for (int p = 1; p < 5; p++) m[p] += pow((double)x[i], p) / MANY;
        if (i) lag += (double)x[i] * (double)x[i - 1] / MANY;
        count[(int)fmin(BINS * gsl_cdf_ugaussian_P((double)x[i]), BINS - 1)]++;
    }
    /* Moments 1..4 are 0, 1, 0, 3 with variances 1, 2, 15, 96 over MANY; neighbours (the cos and the sin of a pair among them) are
     * uncorrelated. */
    ck_assert_double_lt(fabs(m[1]) * sqrt(MANY / 1.0), 4);
    ck_assert_double_lt(fabs(m[2] - 1) * sqrt(MANY / 2.0), 4);
    ck_assert_double_lt(fabs(m[3]) * sqrt(MANY / 15.0), 4);
    ck_assert_double_lt(fabs(m[4] - 3) * sqrt(MANY / 96.0), 4);
    ck_assert_double_lt(fabs(lag) * sqrt(MANY), 4);
    for (int b = 0; b < BINS; b++) chi += pow(count[b] - (double)MANY / BINS, 2) / ((double)MANY / BINS);
    ck_assert_double_gt(gsl_cdf_chisq_Q(chi, BINS - 1), 1e-4);
    ck_assert_double_gt(gsl_cdf_chisq_P(chi, BINS - 1), 1e-4);
    ck_assert_double_lt(kolmogorov(MANY, x, gsl_cdf_ugaussian_P), 2.23);
    free(x);
}
END_TEST

START_TEST(mask_meets_its_probability) {
    static const double p[] = {0, 1e-3, 0.1, 0.5, 0.9, 1};
    bnn_real *x = reserve(MANY, sizeof *x);
    for (int j = 0; j < 6; j++) {
        long dropped = 0, other = 0;
        const bnn_real on = p[j] < 1 ? (bnn_real)(1 / (1 - p[j])) : 1;
        bnn_rng_mask(bnn_rng_seed(13), 0, MANY / 128, 128, p[j], on, x);
        for (int i = 0; i < MANY; i++) {
            other += x[i] != 0 && x[i] != on;
            dropped += x[i] == 0;
        }
        ck_assert_int_eq(other, 0);
        ck_assert_double_le(fabs((double)dropped - MANY * p[j]), 4 * sqrt(MANY * p[j] * (1 - p[j])));
    }
    free(x);
}
END_TEST

/* Streams of neighbouring seeds and tags: all keys differ, and their first uniforms are uniform. */
START_TEST(streams_are_distinct) {
    enum { N = 20000 };
    bnn_real *first = reserve(2 * N, sizeof *first);
    uint64_t seen = 0, keys = 0;
    for (int i = 0; i < N; i++) {
        const bnn_rng a = bnn_rng_seed((uint64_t)i), b = bnn_rng_split(bnn_rng_seed(0), (uint64_t)i);
        bnn_rng_uniform(a, 0, 1, 1, first + 2 * i);
        bnn_rng_uniform(b, 0, 1, 1, first + 2 * i + 1);
        ck_assert(a.key != b.key);
        ck_assert(!i || (a.key != seen && b.key != keys));
        seen = a.key;
        keys = b.key;
    }
    ck_assert_double_lt(kolmogorov(2 * N, first, uniform_cdf), 2.23);
    ck_assert(bnn_rng_split(bnn_rng_split(bnn_rng_seed(1), 2), 3).key != bnn_rng_split(bnn_rng_split(bnn_rng_seed(1), 3), 2).key);
    ck_assert(bnn_rng_split(bnn_rng_seed(1), 1ULL << 32).key != bnn_rng_split(bnn_rng_seed(1), 0).key);
    free(first);
}
END_TEST

/* All 24 orders of 4 are equally frequent; a long one is a permutation. */
START_TEST(permutation_is_uniform) {
    enum { TIMES = 240000, N = 100003 };
    int count[256] = {0}, orders = 0;
    double chi = 0;
    for (int i = 0; i < TIMES; i++) {
        int p[4];
        bnn_rng_permutation(bnn_rng_split(bnn_rng_seed(14), (uint64_t)i), 4, p);
        count[p[0] | p[1] << 2 | p[2] << 4 | p[3] << 6]++;
    }
    for (int i = 0; i < 256; i++)
        if (count[i]) orders++, chi += pow(count[i] - TIMES / 24.0, 2) / (TIMES / 24.0);
    ck_assert_int_eq(orders, 24);
    ck_assert_double_gt(gsl_cdf_chisq_Q(chi, 23), 1e-4);
    int *p = reserve(N, sizeof *p), moved = 0, wrong = 0;
    char *there = calloc(N, sizeof *there);
    ck_assert_ptr_nonnull(there);
    bnn_rng_permutation(bnn_rng_seed(15), N, p);
    for (int i = 0; i < N; i++) {
        wrong += p[i] < 0 || p[i] >= N || there[p[i] < 0 || p[i] >= N ? 0 : p[i]]++;
        moved += p[i] != i;
    }
    ck_assert_int_eq(wrong, 0);
    ck_assert_int_gt(moved, N - 10); /* fixed points are Poisson(1) */
    free(p);
    free(there);
}
END_TEST

START_TEST(gsl_draws_from_the_stream) {
    enum { N = 100000 };
    const bnn_rng r = bnn_rng_split(bnn_rng_seed(16), 1);
    gsl_rng *g = gsl_rng_alloc(bnn_gsl_rng_type);
    bnn_gsl_rng_init(g, r);
    for (int j = 0; j < 1000; j++) ck_assert_uint_eq(gsl_rng_get(g), word(r, (uint64_t)j / 256, j % 256));
    gsl_rng *copy = gsl_rng_clone(g);
    ck_assert_uint_eq(gsl_rng_get(g), gsl_rng_get(copy));
    gsl_rng_set(g, 5);
    ck_assert_uint_eq(gsl_rng_get(g), word(bnn_rng_seed(5), 0, 0));
    double chi = 0;
    int count[20] = {0}, outside = 0;
    for (int i = 0; i < N; i++) {
        const double u = gsl_rng_uniform(g);
        outside += !(u >= 0 && u < 1);
        count[(int)(20 * gsl_cdf_gamma_P(gsl_ran_gamma(g, 2.5, 3), 2.5, 3))]++;
    }
    for (int b = 0; b < 20; b++) chi += pow(count[b] - N / 20.0, 2) / (N / 20.0);
    ck_assert_int_eq(outside, 0);
    ck_assert_double_gt(gsl_cdf_chisq_Q(chi, 19), 1e-4);
    gsl_rng_free(copy);
    gsl_rng_free(g);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("rng");
    TCase *words = tcase_create("words"), *statistics = tcase_create("statistics");
    tcase_add_test(words, known_answers);
    tcase_add_test(words, words_are_random123);
    tcase_add_test(words, values_follow_from_words);
    tcase_add_test(words, slices_are_equal);
    tcase_add_test(words, empty_fills_write_nothing);
    tcase_add_test(statistics, uniform_is_uniform);
    tcase_add_test(statistics, normal_is_normal);
    tcase_add_test(statistics, mask_meets_its_probability);
    tcase_add_test(statistics, streams_are_distinct);
    tcase_add_test(statistics, permutation_is_uniform);
    tcase_add_test(statistics, gsl_draws_from_the_stream);
    tcase_set_timeout(words, 60);
    tcase_set_timeout(statistics, 60);
    suite_add_tcase(suite, words);
    suite_add_tcase(suite, statistics);
    return run_suite(suite);
}
