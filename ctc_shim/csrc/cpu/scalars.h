/* Powers of two and exponentials that compilers vectorise. */
#ifndef CTC_SHIM_SCALARS_H
#define CTC_SHIM_SCALARS_H
#include "base.h"

/* 2^k for an integer k in [-1022, 1023]. The sum has k + 1023 in its low bits, and the shift makes
 * them the exponent. */
CTC_SHIM_INLINE double ctc_shim_pow2(double k) {
    double shifted = k + 6755399441056767.0; /* 1.5 * 2^52 + 1023 */
    uint64_t bits;
    memcpy(&bits, &shifted, 8);
    bits <<= 52;
    memcpy(&shifted, &bits, 8);
    return shifted;
}

/* x, or 0 when not `wanted`. On the bits, because compilers turn a choice between floating-point
 * results into a branch. */
CTC_SHIM_INLINE double ctc_shim_keep_f64(double x, int wanted) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    bits &= wanted ? ~(uint64_t)0 : 0;
    memcpy(&x, &bits, 8);
    return x;
}
CTC_SHIM_INLINE float ctc_shim_keep_f32(float x, int wanted) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits &= wanted ? ~(uint32_t)0 : 0;
    memcpy(&x, &bits, 4);
    return x;
}

/* Bounds of the comparisons below. They are volatile because a compiler that knows their values
 * turns the comparisons into branches, and then does not vectorise the loops. Exponentials are 0
 * below the last two. */
typedef struct {
    double low, split, never, half, shift, zero_f32, zero_f64;
} ctc_shim_floors;
static const volatile ctc_shim_floors CTC_SHIM_FLOORS = {-900.0,  -1e280,  -1.4e280, 0.35,
                                                         -1000.0, -88.029, -709.09};

/* 2^k for an integer k <= 0, however low. Below 2^-900 nothing matters beside a mantissa between
 * 2^-32 and 2^140. */
CTC_SHIM_INLINE double ctc_shim_scale(double k, double floor) {
    return ctc_shim_pow2(k > floor ? k : floor);
}

/* p = exp(r) for |r| <= ln 2 / 2, numbers or vectors: 1 + r + r^2 times the polynomial of the least
 * relative error, which is 3e-9 of FLOAT, 5e-11 of ROUGH and 4e-18 of DOUBLE. */
#define CTC_SHIM_EXP_FLOAT(p, r) \
    p = r * 1.3814554e-3f + 8.3687449e-3f; \
    p = p * r + 4.1668391e-2f; \
    p = p * r + 1.6666520e-1f; \
    p = p * r + 4.9999993e-1f; \
    p = p * r + 1.0f; \
    p = p * r + 1.0f
#define CTC_SHIM_EXP_ROUGH(p, r) \
    p = r * 1.9790308083395e-4 + 1.39447034372778e-3; \
    p = p * r + 8.33349729707493e-3; \
    p = p * r + 4.166629436960146e-2; \
    p = p * r + 0.16666665867009347; \
    p = p * r + 0.5000000067836785; \
    p = p * r + 1.0; \
    p = p * r + 1.0
#define CTC_SHIM_EXP_DOUBLE(p, r) \
    p = r * 2.499996595337041687e-8 + 2.763030635488147230e-7; \
    p = p * r + 2.755758697754028638e-6; \
    p = p * r + 2.480149294963955644e-5; \
    p = p * r + 1.984126950557379839e-4; \
    p = p * r + 1.388888894375959996e-3; \
    p = p * r + 8.333333333495070598e-3; \
    p = p * r + 4.166666666652973121e-2; \
    p = p * r + 0.1666666666666641136; \
    p = p * r + 0.5000000000000010668; \
    p = p * r + 1.0; \
    p = p * r + 1.0
CTC_SHIM_INLINE double ctc_shim_exp_series(double r, int precise) {
    double p;
    if (precise) {
        CTC_SHIM_EXP_DOUBLE(p, r);
    } else {
        CTC_SHIM_EXP_ROUGH(p, r);
    }
    return p;
}

/* exp(d) = result * 2^*k for d <= 0, result in [0.7, 1.42]. Below the floor, and for -inf, the
 * result is 0 and *k is CTC_SHIM_NEVER. */
CTC_SHIM_INLINE double ctc_shim_split_exp(double d, double *k, double floor, double never,
                                          double half, int precise) {
    double x = d > floor ? d : floor;
    /* Rounded to nearest. ln 2 is split in two, so that n times its upper 24 bits is exact. */
    double n = (x * 1.4426950408889634074 + 6755399441055744.0) - 6755399441055744.0;
    double r = (x - n * 0.69314718246459961) - n * -1.904654299957768e-09;
    r = r > -half ? r : -half; /* for n beyond 2^51, where no digit of the remainder is left */
    r = r < half ? r : half;
    *k = n > never ? n : CTC_SHIM_NEVER;
    return ctc_shim_keep_f64(ctc_shim_exp_series(r, precise), n > never);
}

/* exp(d) for d <= 0: 0 at `zero` and below, NaN for NaN. */
CTC_SHIM_INLINE double ctc_shim_exp_terms(double d, double zero, int precise) {
    double r, n;
    d = d < zero ? zero : d;
    n = (d * 1.4426950408889634074 + 6755399441055744.0) - 6755399441055744.0;
    r = (d - n * 0.69314718246459961) - n * -1.904654299957768e-09;
    return ctc_shim_exp_series(r, precise) * ctc_shim_pow2(n);
}
CTC_SHIM_INLINE double ctc_shim_exp_f64(double d, double zero) {
    return ctc_shim_exp_terms(d, zero, 1);
}
CTC_SHIM_INLINE float ctc_shim_exp_f32(float d, float zero) {
    float shifted, k, r, p, power;
    uint32_t bits;
    d = d < zero ? zero : d;
    shifted = d * 1.44269504f + 12583039.0f; /* 1.5 * 2^23 + 127: the low bits are the exponent */
    k = shifted - 12583039.0f;
    r = (d - k * 0.693359375f) - k * -2.12194440e-4f;
    memcpy(&bits, &shifted, 4);
    bits <<= 23;
    memcpy(&power, &bits, 4);
    CTC_SHIM_EXP_FLOAT(p, r);
    return p * power;
}

/* Copies a cache line past the caches: the line need not be read first. */
CTC_SHIM_INLINE void ctc_shim_stream(void *to, const void *from) {
#if defined(__AVX512F__)
    _mm512_stream_si512((__m512i *)to, _mm512_loadu_si512(from));
#elif defined(__SSE2__)
    int i;
    for (i = 0; i < 4; i++)
        _mm_stream_si128((__m128i *)to + i, _mm_loadu_si128((const __m128i *)from + i));
#else
    memcpy(to, from, 64);
#endif
}

/* Before other threads read what was streamed. */
CTC_SHIM_INLINE void ctc_shim_stream_end(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

/* x = result * 2^*k for x >= 0, in the ranges of ctc_shim_split_exp. For probabilities. */
CTC_SHIM_LOCAL double ctc_shim_split(double x, double *k) {
    int exponent;
    double m = frexp(x, &exponent);
    int low = m < 0.70710678118654752;
    *k = m > 0 ? exponent - low : CTC_SHIM_NEVER;
    return m > 0 ? (low ? 2 * m : m) : 0;
}
#endif
