/* The loss of the fast path, and sums over paths. */
#ifndef CTC_FINISH_H
#define CTC_FINISH_H
#include "scaled.h"

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

CTC_DEVICE ctc_end ctc_product_of(double a, int power, double b, int other) {
    const int i = ctc_exponent(a), j = ctc_exponent(b);
    return ctc_end_of(a * ctc_power(-i) * (b * ctc_power(-j)), power + i + other + j);
}

/* Of the threads of a block; all get the same bits. */
CTC_DEVICE ctc_end ctc_sum_of_block(ctc_end x) {
    __shared__ ctc_end sums[32];
    CTC_NO_UNROLL for (int d = 16; d; d >>= 1) {
        const double cell = __shfl_xor_sync(CTC_ALL_LANES, x.cell, d);
        x = ctc_sum_of(x, ctc_end_of(cell, __shfl_xor_sync(CTC_ALL_LANES, x.power, d)));
    }
    if (blockDim.x == 32) return x;
    sums[threadIdx.x / 32] = x;
    __syncthreads();
    x = sums[0];
    CTC_NO_UNROLL for (int i = 1; i < (int)blockDim.x / 32; i++) x = ctc_sum_of(x, sums[i]);
    return x;
}

/* -ln of what is the same on all paths: sums, or maxima where scores are ln p already, and the
 * powers that emissions are relative to. For a warp. One logarithm in each thread: it costs as much
 * as fifty products. */
CTC_DEVICE double ctc_same_on_all_paths(const ctc_batch &b, ctc_int n) {
    const double *statistics = b.statistics + n * b.T * 2;
    const unsigned *blanks = b.blanks + n * b.rows * 2;
    const int T = b.frames[n];
    double product = 1, found = 0;
    int power = 0;
    for (int t = threadIdx.x & 31; t < T; t += 32) {
        power += (int)(blanks[2 * t + 1] >> 16);
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

/* Writes the loss. For a warp. total: the sum over all paths. */
CTC_DEVICE void ctc_finish(const ctc_batch &b, ctc_int n, ctc_end total) {
    const double loss = ctc_same_on_all_paths(b, n) - log(total.cell) - total.power * CTC_LN2;
    const bool loose = b.flags[n] & CTC_NOT_NORMALIZED;
    if (threadIdx.x) return;
    ((float *)b.loss)[n] = (float)(b.normalize && loss < 0 ? 0 : loss);
    b.totals[n] = total.cell;
    /* Nothing comes through, or too much. Or terms of either sign cancel: emissions are rounded to
     * 5e-7, and an error in each frame must be small beside the loss. */
    if (!(total.cell > 0) || !(loss < 3e38) || (loose && fabs(loss) < 0.36 * b.frames[n]))
        atomicOr(b.flags + n, CTC_AGAIN);
}
#endif
