/* What the 32 lanes of a warp do together: one value in each thread. */
#ifndef CTC_LANES_H
#define CTC_LANES_H
#include "scores.h"

typedef double Double;
typedef int Int;
typedef bool Mask;

CTC_DEVICE Int lane_index() { return threadIdx.x & 31; }
CTC_DEVICE Double select(Mask m, Double a, Double b) { return m ? a : b; }
CTC_DEVICE Double larger(Double a, Double b) { return a > b ? a : b; }
CTC_DEVICE Double up(Double x, double fill) {
    Double y = __shfl_up_sync(0xffffffffu, x, 1);
    return lane_index() == 0 ? fill : y;
}
CTC_DEVICE Double down(Double x, double fill) {
    Double y = __shfl_down_sync(0xffffffffu, x, 1);
    return lane_index() == 31 ? fill : y;
}
CTC_DEVICE double at(Double x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
/* Each lane adds the same pairs, so all lanes have the same bits. */
CTC_DEVICE double sum(Double x) {
    for (int d = 16; d; d >>= 1) x += __shfl_xor_sync(0xffffffffu, x, d);
    return x;
}
CTC_DEVICE double top(Double x) {
    for (int d = 16; d; d >>= 1) x = larger(x, __shfl_xor_sync(0xffffffffu, x, d));
    return x;
}
CTC_DEVICE bool any(Mask m) { return __any_sync(0xffffffffu, m); }
template <class T> CTC_DEVICE Double load(const T *p, Int i, Mask m, double other) {
    return m ? (double)p[i] : other;
}
template <class T> CTC_DEVICE void store(T *p, Int i, Mask m, Double x) {
    if (m) p[i] = (T)x;
}
CTC_DEVICE Int load_int(const int *p, Int i, Mask m) { return m ? p[i] : 0; }
CTC_DEVICE Int load_integer(const void *p, bool wide, Int i, Mask m) {
    return m ? ctc_integer(p, wide, i) : 0;
}
CTC_DEVICE void store_int(int *p, Int i, Mask m, Int x) {
    if (m) p[i] = x;
}
CTC_DEVICE void add_fixed(unsigned long long *p, Int i, Mask m, Double x) {
    if (m) atomicAdd(p + i, (unsigned long long)x);
    __syncwarp();
}
/* Takes sums away: a lane gets the sum, other lanes with the same i get 0. */
CTC_DEVICE Double take_fixed(unsigned long long *p, Int i, Mask m) {
    Double x = m ? (double)atomicExch(p + i, 0ull) : 0;
    __syncwarp();
    return x;
}
CTC_DEVICE Double exp_float(Double x) { return expf((float)x); }
CTC_DEVICE Double from_bits(long long bits) { return __longlong_as_double(bits); }
CTC_DEVICE long long to_bits(Double x) { return __double_as_longlong(x); }
CTC_DEVICE Double power_of_two(Double k) { return from_bits((long long)(k + 1023.0) << 52); }
CTC_DEVICE Double exponent_of(Double x) { return (double)((to_bits(x) >> 52) & 2047) - 1023.0; }
template <class T> CTC_DEVICE void prefetch(const T *p, Int i, Mask m) {
#if defined(CTC_EMULATED)
    if (m) __builtin_prefetch(p + i);
#else
    if (m) asm volatile("prefetch.global.L1 [%0];" ::"l"(p + i));
#endif
}
/* After this, lanes may load what other lanes stored. */
CTC_DEVICE void settle() { __syncwarp(); }
#endif
