/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simd.h"

#include <bnn/kernels.h>
#include <limits.h>
#include <string.h>

const char *const bnn_simd_names[] = {"base", "avx2", "avx512"};

/* The highest level that this processor has. */
static int highest(void) {
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) return 1;
#endif
    return 0;
}

static int known = -1, most = INT_MAX; /* known: the same number from all threads */

int bnn_simd_level(void) {
    int level = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (level >= 0) return level;
    level = highest();
    if (level > most) level = most;
    __atomic_store_n(&known, level, __ATOMIC_RELAXED);
    return level;
}

void bnn_kernels_limit(const char *set) {
    for (size_t i = 0; i < sizeof bnn_simd_names / sizeof *bnn_simd_names; i++)
        if (strcmp(set, bnn_simd_names[i]) == 0) most = (int)i;
}
