/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * simd_vector.h (private): vectors of the instruction set this file is compiled for. Only for rng_simd.c and kernels_simd.c.
 *
 * GCC's vector extensions carry the arithmetic; SLEEF the elementary functions; intrinsics only what neither can say.
 */
#ifndef BNN_SIMD_VECTOR_H
#define BNN_SIMD_VECTOR_H

#include <bnn/real.h>
#include <sleef.h>
#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL(n) _Pragma("unroll")
#else
#define UNROLL(n) PRAGMA(GCC unroll n)
#endif
#define PRAGMA(x) _Pragma(#x)
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

#if defined(__AVX512F__)
#define VB 64 /* bytes in a vector */
#define SLEEF_ISA avx512f
#define SLEEF_SHAPE_FLOAT f16
#define SLEEF_SHAPE_DOUBLE d8
#elif defined(__AVX2__)
#define VB 32
#define SLEEF_ISA avx2
#define SLEEF_SHAPE_FLOAT f8
#define SLEEF_SHAPE_DOUBLE d4
#else
#define VB 16
#if defined(__SSE2__)
#define SLEEF_ISA sse2
#elif defined(__aarch64__)
#define SLEEF_ISA advsimd
#endif
#define SLEEF_SHAPE_FLOAT f4
#define SLEEF_SHAPE_DOUBLE d2
#endif

/* SLEEF 3.5's double log of 3.5 ulp reads a constant under a mask that is almost always empty; while no other function has touched that
 * page the suppressed page fault costs 400 cycles a call. The one of 1 ulp has no such load. */
#if BNN_REAL_IS_DOUBLE
typedef int64_t bnn_bits;
#define SIGN_BIT INT64_MIN
#define SLEEF_SHAPE SLEEF_SHAPE_DOUBLE
#define LOG_BOUND _u10
#define SLEEF_SCALAR
#else
typedef int32_t bnn_bits;
#define SIGN_BIT INT32_MIN
#define SLEEF_SHAPE SLEEF_SHAPE_FLOAT
#define LOG_BOUND _u35
#define SLEEF_SCALAR f
#endif

#define VL ((int)(VB / sizeof(bnn_real))) /* reals in a vector */

typedef bnn_real vreal __attribute__((vector_size(VB)));
typedef bnn_bits vbits __attribute__((vector_size(VB)));
typedef uint32_t vu32 __attribute__((vector_size(VB)));
typedef uint64_t vu64 __attribute__((vector_size(VB)));
typedef int64_t vi64 __attribute__((vector_size(VB)));
typedef uint32_t vu32half __attribute__((vector_size(VB / 2)));

INLINE vreal splat(bnn_real x) { return x - (vreal){0}; }

INLINE vreal load(const bnn_real *p) {
    vreal v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(bnn_real *p, vreal v) { memcpy(p, &v, sizeof v); }

#if defined(__AVX2__) && !defined(__AVX512F__)
#if BNN_REAL_IS_DOUBLE
static const int64_t part_mask[8] = {-1, -1, -1, -1};
#define MASKED(f) PASTE(_mm256_##f, _pd)
#else
static const int32_t part_mask[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
#define MASKED(f) PASTE(_mm256_##f, _ps)
#endif
INLINE __m256i first_lanes(int count) { return _mm256_loadu_si256((const __m256i_u *)(part_mask + VL - count)); }
#endif

/* The first count (1 .. VL) reals, zeros after them; memory behind them is not touched. */
INLINE vreal load_part(const bnn_real *p, int count) {
#if defined(__AVX512F__) && BNN_REAL_IS_DOUBLE
    return (vreal)_mm512_maskz_loadu_pd((__mmask8)((1u << count) - 1), p);
#elif defined(__AVX512F__)
    return (vreal)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
#elif defined(__AVX2__)
    return (vreal)MASKED(maskload)(p, first_lanes(count));
#else
    bnn_real part[VL] = {0};
    memcpy(part, p, (size_t)count * sizeof *p);
    return load(part);
#endif
}

INLINE void store_part(bnn_real *p, vreal v, int count) {
#if defined(__AVX512F__) && BNN_REAL_IS_DOUBLE
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << count) - 1), (__m512d)v);
#elif defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)v);
#elif defined(__AVX2__)
    MASKED(maskstore)(p, first_lanes(count), v);
#else
    memcpy(p, &v, (size_t)count * sizeof *p);
#endif
}

/* a0 b0 a1 b1 .. from the first and from the second halves of a and b */
#if VB / (1 + BNN_REAL_IS_DOUBLE) == 64
#define ZIP_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VB / (1 + BNN_REAL_IS_DOUBLE) == 32
#define ZIP_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif VB / (1 + BNN_REAL_IS_DOUBLE) == 16
#define ZIP_LOW 0, 4, 1, 5
#define ZIP_HIGH 2, 6, 3, 7
#else
#define ZIP_LOW 0, 2
#define ZIP_HIGH 1, 3
#endif
INLINE vreal zip_low(vreal a, vreal b) { return __builtin_shufflevector(a, b, ZIP_LOW); }
INLINE vreal zip_high(vreal a, vreal b) { return __builtin_shufflevector(a, b, ZIP_HIGH); }

INLINE vreal choose(vbits mask, vreal yes, vreal no) { return (vreal)((mask & (vbits)yes) | (~mask & (vbits)no)); }

/* yes where a < b, else no; what is not a number is not less. */
INLINE vreal less(vreal a, vreal b, vreal yes, vreal no) {
#if defined(__AVX512F__) && BNN_REAL_IS_DOUBLE
    return (vreal)_mm512_mask_blend_pd(_mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_LT_OQ), (__m512d)no, (__m512d)yes);
#elif defined(__AVX512F__)
    return (vreal)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ), (__m512)no, (__m512)yes);
#else
    return choose((vbits)(a < b), yes, no);
#endif
}

/* SLEEF's function f with the error bound u: _u10 is 1.0 ulp, _u35 is 3.5 ulp. */
#ifdef SLEEF_ISA
#define SLEEF_NAME(f, u) PASTE(PASTE(Sleef_, f), PASTE(SLEEF_SHAPE, PASTE(u, SLEEF_ISA)))
#define DEFINE_UNARY(name, f, u) \
    INLINE vreal name(vreal x) { return (vreal)SLEEF_NAME(f, u)(x); }
#else /* SLEEF has no vectors for this processor: lane by lane */
#define SLEEF_NAME(f, u) PASTE(PASTE(Sleef_, f), PASTE(SLEEF_SCALAR, u))
#define DEFINE_UNARY(name, f, u)                                    \
    INLINE vreal name(vreal x) {                                    \
        for (int i = 0; i < VL; i++) x[i] = SLEEF_NAME(f, u)(x[i]); \
        return x;                                                   \
    }
#endif

#endif
