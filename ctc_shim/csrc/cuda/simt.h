/* What the threads of a warp do together, and bits of numbers: the words of the fast path.
 *
 * This text and what includes it is plain CUDA; tests/gpu/warp/simt.h runs it on a CPU. */
#ifndef CTC_SIMT_H
#define CTC_SIMT_H
#include "scores.h"

#define CTC_UNROLL _Pragma("unroll")
#define CTC_NO_UNROLL _Pragma("unroll 1")
#define CTC_ALL_LANES 0xffffffffu
#define CTC_INFINITY_FLOAT __int_as_float(0x7f800000)
#define CTC_NAN_FLOAT __int_as_float(0x7fffffff)

/* Of this thread in its warp. */
CTC_DEVICE int ctc_lane() { return (int)(threadIdx.y * blockDim.x + threadIdx.x) & 31; }

CTC_DEVICE float ctc_larger(float a, float b) { return fmaxf(a, b); }
CTC_DEVICE int ctc_larger(int a, int b) { return max(a, b); }
/* Over groups of W lanes that lie side by side. */
template <int W, class T> CTC_DEVICE T ctc_group_max(T x) {
    CTC_UNROLL for (int d = W / 2; d; d >>= 1) x =
        ctc_larger(x, __shfl_xor_sync(CTC_ALL_LANES, x, d));
    return x;
}
/* Each lane adds the same pairs, so all lanes have the same bits. */
template <int W, class T> CTC_DEVICE T ctc_group_sum(T x) {
    CTC_UNROLL for (int d = W / 2; d; d >>= 1) x += __shfl_xor_sync(CTC_ALL_LANES, x, d);
    return x;
}
template <class T> CTC_DEVICE T ctc_warp_sum(T x) { return ctc_group_sum<32>(x); }
template <int W> CTC_DEVICE bool ctc_group_any(bool x) {
    unsigned found;
    if (W == 32) return __any_sync(CTC_ALL_LANES, x);
    found = __ballot_sync(CTC_ALL_LANES, x);
    return found >> (ctc_lane() & (32 - W)) & ((1u << (W & 31)) - 1);
}

/* 2^x, to 2 units in the last place. */
CTC_DEVICE float ctc_exp2(float x) {
#if defined(CTC_EMULATED)
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

/* 1 / x, to a unit in the last place. */
CTC_DEVICE float ctc_inverse(float x) {
#if defined(CTC_EMULATED)
    return 1 / x;
#else
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

/* A word stands for the double of which it is the upper half: 11 bits of exponent, 20 of mantissa.
 * Turning it into that double is free. */
CTC_DEVICE double ctc_number(unsigned word) { return __hiloint2double((int)word, 0); }
CTC_DEVICE unsigned ctc_word_of(double x) { return (unsigned)__double2hiint(x); } /* rounds down */
CTC_DEVICE int ctc_round_up(int x, int multiple) {
    return (x + multiple - 1) / multiple * multiple;
}
CTC_DEVICE int ctc_exponent(double x) { return (__double2hiint(x) >> 20) - 1023; }

/* 2^k; 0 where a normal number would be too small, the largest power where it would be too large.
 */
CTC_DEVICE double ctc_power(int k) {
    return __hiloint2double((1023 + min(max(k, -1023), 1023)) << 20, 0);
}
CTC_DEVICE float ctc_power_float(int k) {
    return ctc_float((unsigned)(127 + min(max(k, -127), 127)) << 23);
}

/* A posterior is an integer number of units of 2^-28. It is what adding 1.5 * 2^52 units to it
 * leaves in the lower half of a double. */
#define CTC_UNIT 3.7252902984619140625e-9
#define CTC_UNITS (6755399441055744.0 * CTC_UNIT)

#endif
