/* Sums of probabilities that are given by their logarithms. */
#ifndef CTC_SHIM_DECODE_SUMS_H
#define CTC_SHIM_DECODE_SUMS_H
#include "scalars.h"

/* ln(1 + e) for 0 <= e <= 1, as 2 artanh(s) of s = e / (2 + e), or ln 2 more than that of
 * s = (e - 1) / (e + 3): |s| stays below 0.172, and the series is right to 2e-16. */
CTC_SHIM_INLINE double ctc_shim_log1p(double e, double half) {
    double upper = ctc_shim_keep_f64(1.0, e > half);
    double s = (e - upper) / (e + 2.0 + upper), q = s * s, p = 1.0 / 21;
    p = p * q + 1.0 / 19;
    p = p * q + 1.0 / 17;
    p = p * q + 1.0 / 15;
    p = p * q + 1.0 / 13;
    p = p * q + 1.0 / 11;
    p = p * q + 1.0 / 9;
    p = p * q + 1.0 / 7;
    p = p * q + 1.0 / 5;
    p = p * q + 1.0 / 3;
    return (s + s * (q * p)) * 2.0 + upper * 0.6931471805599453094;
}

CTC_SHIM_INLINE int64_t ctc_shim_padded(int64_t count) {
    return (count + CTC_SHIM_LANES - 1) / CTC_SHIM_LANES * CTC_SHIM_LANES;
}

/* one[i] = ln(exp(one[i]) + exp(two[i])), for a `count` that is a multiple of CTC_SHIM_LANES: a
 * remainder could be rounded otherwise, and equal candidates would no longer tie. The terms are
 * finite or -inf. */
CTC_SHIM_LOCAL void ctc_shim_log_adds(double *CTC_SHIM_RESTRICT one,
                                      const double *CTC_SHIM_RESTRICT two, int64_t count) {
    const double zero = CTC_SHIM_FLOORS.zero_f64, half = 0.4142135623730950488;
    const double never = CTC_SHIM_FLOORS.never;
    int64_t i;
#pragma omp simd
    for (i = 0; i < count; i++) {
        double high = one[i] > two[i] ? one[i] : two[i], low = one[i] > two[i] ? two[i] : one[i];
        double more = ctc_shim_log1p(ctc_shim_exp_f64(low - high, zero), half);
        one[i] = high + ctc_shim_keep_f64(more, low > never);
    }
}
#endif
