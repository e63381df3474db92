/* The loss of the fast path, from the last frame of the forward variables. */
#ifndef CTC_FINISH_H
#define CTC_FINISH_H
#include "emission.h"

/* -ln of what is the same on all paths: sums, or maxima where scores are ln p already. Threads of a
 * warp. One logarithm for each: it costs as much as fifty products. */
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

CTC_DEVICE void ctc_write_finished(const ctc_batch &b, ctc_int n, double total, int power,
                                   int powers_of_frames) {
    const double same = ctc_same_on_all_paths(b, n),
                 loss = same - log(total) + (powers_of_frames - power) * CTC_LN2;
    const bool loose = b.flags[n] & CTC_NOT_NORMALIZED;
    if (threadIdx.x) return;
    ((float *)b.loss)[n] = (float)(b.normalize && loss < 0 ? 0 : loss);
    b.totals[n] = total;
    b.total_powers[n] = power;
    /* Nothing comes through, or too much. Or terms of either sign cancel: emissions are rounded to
     * 5e-7, and an error in each frame must be small beside the loss. */
    if (!(total > 0) || !(loss < 3e38) || (loose && fabs(loss) < 0.36 * b.frames[n]))
        atomicOr(b.flags + n, CTC_AGAIN);
}

/* Adds the two cells in which a path may end. All threads of a block; those that are `mine` have
 * the label and the blank of a place. */
CTC_DEVICE void ctc_finish(const ctc_batch &b, ctc_int n, bool mine, int place, double label,
                           int of_label, double blank, int of_blank, int powers_of_frames) {
    __shared__ double ends[2];
    __shared__ int powers[2];
    const int S = b.counts[n];
    if (mine && place == S) ends[0] = label, powers[0] = of_label;
    if (mine && place == S + 1) ends[1] = blank, powers[1] = of_blank;
    __syncthreads();
    if (threadIdx.x >= 32) return;
    double total;
    int high = ends[0] > 0 && (powers[0] > powers[1] || !(ends[1] > 0)) ? powers[0] : powers[1];
    total = (ends[0] > 0 ? ends[0] * ctc_power(powers[0] - high) : 0) +
            (ends[1] > 0 ? ends[1] * ctc_power(powers[1] - high) : 0);
    high += total > 0 ? ctc_exponent(total) : 0;
    total *= total > 0 ? ctc_power(-ctc_exponent(total)) : 0;
    ctc_write_finished(b, n, total, high, ctc_warp_sum(powers_of_frames));
}
#endif
