/* Rows of the careful path: maximum and ln of the sum of a frame, and softmax, in double. */
#ifndef CTC_CAREFUL_ROW_H
#define CTC_CAREFUL_ROW_H
#include "warp.h"

/* exp(d) for d <= 0, with the digits of double for double scores, and of float for others, which
 * saves half of the work in double. */
template <class REAL> CTC_DEVICE Double ctc_softmax(Double d) {
    Double k, p;
    if (sizeof(typename ctc_wide<REAL>::type) == 4) return exp_float(d);
    p = ctc_split_exp(d, &k);
    return p * ctc_scale(k);
}

/* The maximum of a frame and ln of its sum; writes upstream * softmax into its gradient, or, where
 * scores are not normalised, 0 or upstream * exp(z). */
template <class REAL> CTC_DEVICE void ctc_row(const ctc_batch &b, ctc_int n, ctc_int t) {
    const REAL *row = (const REAL *)b.logits + n * b.stride_n + t * b.stride_t;
    REAL *out = b.gradient ? (REAL *)b.gradient + n * b.stride_n + t * b.stride_t : 0;
    double *statistics = b.statistics + (n * b.T + t) * 2;
    double nan = CTC_INFINITY - CTC_INFINITY;
    double maximum, inside, share, upstream = ctc_upstream<REAL>(b, n);
    Double best = Double(-CTC_INFINITY), ties = Double(0.0), rest = Double(0.0);
    bool bad = false;
    int start, C = (int)b.C;
    if (b.verdict[n] != CTC_FINE || t >= b.frames[n]) { /* scores are not read */
        if (out) ctc_fill(out, b.C, b.verdict[n] == CTC_WRONG && t < b.frames[n] ? nan : 0.0);
        return;
    }
    for (start = 0; start < C; start += 32) {
        Double z = load(row, lane_index() + start, lane_index() + start < C, -CTC_INFINITY);
        bad |= any(!(z < Double(CTC_INFINITY)));
        best = larger(best, z);
    }
    maximum = bad ? 0 : top(best); /* with NaN, lanes would not agree on it */
    /* Ties are counted apart, so that ln keeps the digits of a confident frame. */
    for (start = 0; !bad && maximum > -CTC_INFINITY && start < C; start += 32) {
        Double z = load(row, lane_index() + start, lane_index() + start < C, -CTC_INFINITY), k, p;
        Mask tie = z == Double(maximum);
        p = ctc_split_exp(z - maximum, &k);
        ties = ties + select(tie, Double(1.0), Double(0.0));
        rest = rest + select(tie, Double(0.0), p * ctc_scale(k));
    }
    inside = !bad && maximum > -CTC_INFINITY ? log(sum(ties)) + log1p(sum(rest) / sum(ties)) : 0.0;
    statistics[0] = maximum;
    statistics[1] = bad ? nan : inside;
    if (!out) return;
    if (!(b.normalize || b.adds) || bad || !(maximum > -CTC_INFINITY)) {
        ctc_fill(out, b.C, 0.0); /* `chain` writes NaN where it belongs */
        return;
    }
    share = b.normalize ? 1 : exp(maximum);
    if (!b.normalize) inside = 0;
    for (start = 0; start < C; start += 32) {
        Mask valid = lane_index() + start < C;
        Double z = load(row, lane_index() + start, valid, -CTC_INFINITY),
               p = ctc_softmax<REAL>(z - maximum - inside) * share;
        store(out, lane_index() + start, valid, select(p > Double(0.0), p * upstream, Double(0.0)));
    }
}
#endif
