/* The loss of the fast path, from the last frame of the forward variables. */
#ifndef CTC_FINISH_H
#define CTC_FINISH_H
#include "emission.h"

/* cell * 2^power */
struct ctc_end {
    double cell;
    int power;
};
CTC_DEVICE ctc_end ctc_end_of(double cell, int power) {
    ctc_end end = {cell, power};
    return end;
}

/* The sum, with a cell in 1 .. 2, or 0. */
CTC_DEVICE ctc_end ctc_sum_of(ctc_end a, ctc_end b) {
    const int high = a.cell > 0 && (a.power > b.power || !(b.cell > 0)) ? a.power : b.power;
    double sum = 0;
    if (a.cell > 0) sum += a.cell * ctc_power(a.power - high);
    if (b.cell > 0) sum += b.cell * ctc_power(b.power - high);
    if (!(sum > 0)) return ctc_end_of(0, 0);
    return ctc_end_of(sum * ctc_power(-ctc_exponent(sum)), high + ctc_exponent(sum));
}

/* -ln of what is the same on all paths: sums, or maxima where scores are ln p already. For a warp.
 * One logarithm in each thread: it costs as much as fifty products. */
CTC_DEVICE double ctc_same_on_all_paths(const ctc_batch &b, ctc_int n) {
    const double *statistics = b.statistics + n * b.T * 2;
    const int T = b.frames[n];
    double product = 1, found = 0;
    int power = 0;
    for (int t = threadIdx.x & 31; t < T; t += 32) {
        if (!b.normalize) {
            found -= statistics[2 * t];
            continue;
        }
        product *= 1 + statistics[2 * t + 1];
        power += ctc_exponent(product);
        product *= ctc_power(-ctc_exponent(product));
    }
    return ctc_warp_sum(found + log(product) + power * CTC_LN2);
}

/* Writes the loss. For a warp. powers_of_frames: what emissions are relative to. */
CTC_DEVICE void ctc_finish(const ctc_batch &b, ctc_int n, ctc_end a, ctc_end c,
                           int powers_of_frames) {
    const ctc_end total = ctc_sum_of(a, c);
    const double loss =
        ctc_same_on_all_paths(b, n) - log(total.cell) + (powers_of_frames - total.power) * CTC_LN2;
    const bool loose = b.flags[n] & CTC_NOT_NORMALIZED;
    if (threadIdx.x) return;
    ((float *)b.loss)[n] = (float)(b.normalize && loss < 0 ? 0 : loss);
    b.totals[n] = total.cell;
    b.total_powers[n] = total.power;
    /* Nothing comes through, or too much. Or terms of either sign cancel: emissions are rounded to
     * 5e-7, and an error in each frame must be small beside the loss. */
    if (!(total.cell > 0) || !(loss < 3e38) || (loose && fabs(loss) < 0.36 * b.frames[n]))
        atomicOr(b.flags + n, CTC_AGAIN);
}
#endif
