/* Vectors whose elements belong to different sequences, for side_by_side.h.
 *
 * Arrays hold SIDE numbers for each class or lattice cell, one of each sequence. A vector is as
 * wide as the registers, so loops over `lane` go through the SIDE numbers. */
#ifndef CTC_SHIM_LANES_H
#define CTC_SHIM_LANES_H
#include "scalars.h"

/* Not where vectors on the stack may not be aligned (GCC on Windows), nor with old compilers. */
#if (defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 9)) && !defined(_WIN32)
#define CTC_SHIM_HAS_LANES 1
#endif

#if defined(CTC_SHIM_HAS_LANES)
#if defined(__AVX512F__)
#define CTC_SHIM_VECTOR 64 /* bytes */
#elif defined(__AVX__)
#define CTC_SHIM_VECTOR 32
#else
#define CTC_SHIM_VECTOR 16
#endif
#define CTC_SHIM_SIDE (CTC_SHIM_VECTOR / 4) /* sequences of a pack: a vector of floats */

typedef double ctc_shim_f64 __attribute__((vector_size(CTC_SHIM_VECTOR), may_alias));
typedef uint64_t ctc_shim_bits_f64 __attribute__((vector_size(CTC_SHIM_VECTOR)));
typedef float ctc_shim_f32 __attribute__((vector_size(CTC_SHIM_VECTOR), may_alias));
typedef uint32_t ctc_shim_bits_f32 __attribute__((vector_size(CTC_SHIM_VECTOR)));
typedef float ctc_shim_half __attribute__((vector_size(CTC_SHIM_VECTOR / 2), may_alias));
typedef float ctc_shim_quad __attribute__((vector_size(16), may_alias, aligned(4)));

/* Numbers k and k + 1 of every four, of the first and of the second vector in turn. */
#define CTC_SHIM_PAIRS(k) (k), (k) + CTC_SHIM_SIDE, (k) + 1, (k) + 1 + CTC_SHIM_SIDE
#if CTC_SHIM_VECTOR == 64
#define CTC_SHIM_MIXED(k) \
    CTC_SHIM_PAIRS(k), CTC_SHIM_PAIRS(k + 4), CTC_SHIM_PAIRS(k + 8), CTC_SHIM_PAIRS(k + 12)
#elif CTC_SHIM_VECTOR == 32
#define CTC_SHIM_MIXED(k) CTC_SHIM_PAIRS(k), CTC_SHIM_PAIRS(k + 4)
#else
#define CTC_SHIM_MIXED(k) CTC_SHIM_PAIRS(k)
#endif
#if defined(__clang__)
#define CTC_SHIM_MIX(a, b, k) __builtin_shufflevector(a, b, CTC_SHIM_MIXED(k))
#else
#define CTC_SHIM_MIX(a, b, k) __builtin_shuffle(a, b, (ctc_shim_bits_f32){CTC_SHIM_MIXED(k)})
#endif

/* Transposes the 4 x 4 matrices whose rows are every four numbers of v[0] .. v[3]. */
CTC_SHIM_INLINE void ctc_shim_turn(ctc_shim_f32 *v) {
    ctc_shim_f32 ac = CTC_SHIM_MIX(v[0], v[2], 0), bd = CTC_SHIM_MIX(v[1], v[3], 0);
    ctc_shim_f32 after_ac = CTC_SHIM_MIX(v[0], v[2], 2), after_bd = CTC_SHIM_MIX(v[1], v[3], 2);
    v[0] = CTC_SHIM_MIX(ac, bd, 0);
    v[1] = CTC_SHIM_MIX(ac, bd, 2);
    v[2] = CTC_SHIM_MIX(after_ac, after_bd, 0);
    v[3] = CTC_SHIM_MIX(after_ac, after_bd, 2);
}

/* Numbers c .. c + 3 of the rows 0, 4, 8 ..., which together fill a vector. */
CTC_SHIM_INLINE ctc_shim_f32 ctc_shim_load_quads(const char *const *rows, int64_t c) {
    ctc_shim_quad first = *(const ctc_shim_quad *)(rows[0] + c * 4);
#if CTC_SHIM_VECTOR == 64
    __m512 all = _mm512_castps128_ps512((__m128)first);
    all = _mm512_insertf32x4(all, _mm_loadu_ps((const float *)(rows[4] + c * 4)), 1);
    all = _mm512_insertf32x4(all, _mm_loadu_ps((const float *)(rows[8] + c * 4)), 2);
    return (ctc_shim_f32)_mm512_insertf32x4(all, _mm_loadu_ps((const float *)(rows[12] + c * 4)),
                                            3);
#elif CTC_SHIM_VECTOR == 32
    __m256 all = _mm256_castps128_ps256((__m128)first);
    return (ctc_shim_f32)_mm256_insertf128_ps(all, _mm_loadu_ps((const float *)(rows[4] + c * 4)),
                                              1);
#else
    return (ctc_shim_f32)first;
#endif
}
CTC_SHIM_INLINE void ctc_shim_store_quads(char *const *rows, int64_t c, ctc_shim_f32 x) {
    int64_t i;
    for (i = 0; i < CTC_SHIM_SIDE; i += 4)
        *(ctc_shim_quad *)(rows[i] + c * 4) = ((const ctc_shim_quad *)&x)[i / 4];
}

CTC_SHIM_INLINE ctc_shim_f64 ctc_shim_load(const double *from) {
    return *(const ctc_shim_f64 *)from;
}
/* Numbers i .. of an array of floats or doubles. */
CTC_SHIM_INLINE ctc_shim_f64 ctc_shim_load_as(const void *from, int64_t i, int item) {
    if (item == 8) return ctc_shim_load((const double *)from + i);
    return __builtin_convertvector(*(const ctc_shim_half *)((const float *)from + i), ctc_shim_f64);
}
CTC_SHIM_INLINE void ctc_shim_store(double *to, ctc_shim_f64 x) { *(ctc_shim_f64 *)to = x; }
CTC_SHIM_INLINE void ctc_shim_store_as(void *to, int64_t i, int item, ctc_shim_f64 x) {
    if (item == 8) ctc_shim_store((double *)to + i, x);
    else *(ctc_shim_half *)((float *)to + i) = __builtin_convertvector(x, ctc_shim_half);
}

/* x where the mask is set, else 0. */
CTC_SHIM_INLINE ctc_shim_f64 ctc_shim_where_f64(ctc_shim_bits_f64 mask, ctc_shim_f64 x) {
    return (ctc_shim_f64)((ctc_shim_bits_f64)x & mask);
}
CTC_SHIM_INLINE ctc_shim_f32 ctc_shim_where_f32(ctc_shim_bits_f32 mask, ctc_shim_f32 x) {
    return (ctc_shim_f32)((ctc_shim_bits_f32)x & mask);
}

/* x where the mask is set, else y. */
CTC_SHIM_INLINE ctc_shim_f64 ctc_shim_choose_f64(ctc_shim_bits_f64 mask, ctc_shim_f64 x,
                                                 ctc_shim_f64 y) {
    return (ctc_shim_f64)(((ctc_shim_bits_f64)x & mask) | ((ctc_shim_bits_f64)y & ~mask));
}
CTC_SHIM_INLINE ctc_shim_f32 ctc_shim_choose_f32(ctc_shim_bits_f32 mask, ctc_shim_f32 x,
                                                 ctc_shim_f32 y) {
    return (ctc_shim_f32)(((ctc_shim_bits_f32)x & mask) | ((ctc_shim_bits_f32)y & ~mask));
}

/* x > y ? x : y and x < y ? x : y. GNU C knows no ?: of vectors. */
CTC_SHIM_INLINE ctc_shim_f64 ctc_shim_most_f64(ctc_shim_f64 x, ctc_shim_f64 y) {
#if CTC_SHIM_VECTOR == 64
    return (ctc_shim_f64)_mm512_max_pd((__m512d)x, (__m512d)y);
#elif CTC_SHIM_VECTOR == 32
    return (ctc_shim_f64)_mm256_max_pd((__m256d)x, (__m256d)y);
#elif defined(__SSE2__)
    return (ctc_shim_f64)_mm_max_pd((__m128d)x, (__m128d)y);
#else
    return ctc_shim_choose_f64((ctc_shim_bits_f64)(x > y), x, y);
#endif
}
CTC_SHIM_INLINE ctc_shim_f64 ctc_shim_least_f64(ctc_shim_f64 x, ctc_shim_f64 y) {
#if CTC_SHIM_VECTOR == 64
    return (ctc_shim_f64)_mm512_min_pd((__m512d)x, (__m512d)y);
#elif CTC_SHIM_VECTOR == 32
    return (ctc_shim_f64)_mm256_min_pd((__m256d)x, (__m256d)y);
#elif defined(__SSE2__)
    return (ctc_shim_f64)_mm_min_pd((__m128d)x, (__m128d)y);
#else
    return ctc_shim_choose_f64((ctc_shim_bits_f64)(x < y), x, y);
#endif
}
CTC_SHIM_INLINE ctc_shim_f32 ctc_shim_most_f32(ctc_shim_f32 x, ctc_shim_f32 y) {
#if CTC_SHIM_VECTOR == 64
    return (ctc_shim_f32)_mm512_max_ps((__m512)x, (__m512)y);
#elif CTC_SHIM_VECTOR == 32
    return (ctc_shim_f32)_mm256_max_ps((__m256)x, (__m256)y);
#elif defined(__SSE2__)
    return (ctc_shim_f32)_mm_max_ps((__m128)x, (__m128)y);
#else
    return ctc_shim_choose_f32((ctc_shim_bits_f32)(x > y), x, y);
#endif
}
CTC_SHIM_INLINE ctc_shim_f32 ctc_shim_least_f32(ctc_shim_f32 x, ctc_shim_f32 y) {
#if CTC_SHIM_VECTOR == 64
    return (ctc_shim_f32)_mm512_min_ps((__m512)x, (__m512)y);
#elif CTC_SHIM_VECTOR == 32
    return (ctc_shim_f32)_mm256_min_ps((__m256)x, (__m256)y);
#elif defined(__SSE2__)
    return (ctc_shim_f32)_mm_min_ps((__m128)x, (__m128)y);
#else
    return ctc_shim_choose_f32((ctc_shim_bits_f32)(x < y), x, y);
#endif
}

/* 2^k for integers k, which stop at -1000 and 1000. */
CTC_SHIM_INLINE ctc_shim_f64 ctc_shim_powers(ctc_shim_f64 k) {
    const ctc_shim_f64 far = (ctc_shim_f64){0} + 1000;
    k = ctc_shim_least_f64(ctc_shim_most_f64(k, -far), far);
    k += 6755399441056767.0; /* as in ctc_shim_pow2 */
    return (ctc_shim_f64)((ctc_shim_bits_f64)k << 52);
}

/* The exponents of normal numbers x > 0. */
CTC_SHIM_INLINE ctc_shim_f64 ctc_shim_exponents(ctc_shim_f64 x) {
    ctc_shim_bits_f64 biased = (ctc_shim_bits_f64)x >> 52 | 0x4330000000000000u;
    return (ctc_shim_f64)biased - (4503599627370496.0 + 1023.0);
}

/* exp(z) = result * 2^scale for a scale near the largest z / ln 2: 0 far down, NaN for NaN. `shift`
 * is SHIFT - scale, and `low` where that makes the exponent 0, which stands for 0: the low bits of
 * `power` are the biased exponent. No difference of two scores is rounded: r is found from z alone.
 */
static const float CTC_SHIM_SHIFT_f32 = 12583039.0f;         /* 1.5 * 2^23 + 127 */
static const double CTC_SHIM_SHIFT_f64 = 6755399441056767.0; /* 1.5 * 2^52 + 1023 */
CTC_SHIM_INLINE ctc_shim_f64 ctc_shim_scaled_exp_f64(ctc_shim_f64 z, ctc_shim_f64 low,
                                                     ctc_shim_f64 shift) {
    ctc_shim_f64 power, k, r, p;
    z = ctc_shim_most_f64(low, z);
    power = z * 1.4426950408889634074 + shift;
    k = power - shift;
    r = (z - k * 0.69314718246459961) - k * -1.904654299957768e-09;
    CTC_SHIM_EXP_DOUBLE(p, r);
    return p * (ctc_shim_f64)((ctc_shim_bits_f64)power << 52);
}
CTC_SHIM_INLINE ctc_shim_f32 ctc_shim_scaled_exp_f32(ctc_shim_f32 z, ctc_shim_f32 low,
                                                     ctc_shim_f32 shift) {
    ctc_shim_f32 power, k, r, p;
    z = ctc_shim_most_f32(low, z);
    power = z * 1.44269504f + shift;
    k = power - shift;
    r = (z - k * 0.693359375f) - k * -2.12194440e-4f;
    CTC_SHIM_EXP_FLOAT(p, r);
    return p * (ctc_shim_f32)((ctc_shim_bits_f32)power << 23);
}
#endif
#endif
