/* Connectionist temporal classification on a GPU: loss and gradient, deterministic, over any
 * dynamic range.
 *
 * A. Graves et al., "Connectionist temporal classification", ICML 2006: forward variables,
 * equations (6)-(8); backward variables, (9)-(11); gradient, (14)-(16). The arithmetic is that of
 * cpu/loss.c: a lattice cell is m * 2^e, both doubles, with an exponent of its own; labels and
 * blanks lie in two arrays, and blank[j] is before label[j].
 *
 * One warp holds the row of a sequence in registers: each of its 32 lanes has K neighbouring cells,
 * label and blank. A step takes one shuffle and no barrier. Rows are kept at checkpoints and
 * computed again on the way back. Class sums are sums of fixed-point integers, which do not depend
 * on the order of the additions, so results repeat bit by bit.
 *
 * There are three kernels, in this order. `prepare`, a warp for each sequence, checks the integers.
 * `rows`, a warp for each frame, finds the maximum and ln of the sum, and writes upstream * softmax
 * into the gradient. `chain`, a warp for each sequence, runs the recursion and subtracts the
 * posteriors.
 *
 * A target of 32 K labels or more has several strips: the warp goes through all frames for one
 * strip after another, and each strip leaves the cells at its border to the next.
 *
 * The code is written for lane vectors. Under CUDA a lane vector is one value in each thread
 * (lanes.h); tests/warp/ defines them as arrays of 32 and runs this code on a CPU. */
#include "cuda_batch.h"
#include "scores.h"
#if defined(__CUDACC__)
#include "lanes.h"
#endif
#include "cells.h"
#include "warp.h"

/* Checks the integers of a sequence and copies them to working memory. */
CTC_DEVICE void ctc_prepare(const ctc_batch &b, ctc_int n) {
    const void *targets = (const char *)b.targets + n * b.S * (b.wide & 1 ? 8 : 4);
    int T = ctc_integer(b.input_lengths, b.wide & 2, n),
        S = ctc_integer(b.target_lengths, b.wide & 4, n);
    bool wrong = T < 0 || T > b.T || S < 0 || S > b.S;
    double repeats = 0;
    for (int start = 0; !wrong && start < S; start += 32) {
        Int j = lane_index() + start;
        Mask valid = j < S, inner = valid & (j > 0);
        Int label = load_integer(targets, b.wide & 1, j, valid),
            before = load_integer(targets, b.wide & 1, j - 1, inner);
        wrong = any(valid & ((label < 0) | (label >= (int)b.C) | (label == b.blank)));
        repeats += sum(select(inner & (label == before), Double(1.0), Double(0.0)));
        store_int(b.labels + n * b.S, j, valid, label);
    }
    b.frames[n] = T < 0 ? 0 : T < b.T ? T : (int)b.T;
    b.counts[n] = S;
    b.verdict[n] = wrong ? CTC_WRONG : T < S + repeats || (T && !b.C) ? CTC_INFEASIBLE : CTC_FINE;
}

/* exp(d) for d <= 0, with the digits of double for double scores, and of float for others, which
 * saves half of the work in double. */
template <class REAL> CTC_DEVICE Double ctc_softmax(Double d) {
    Double k, p;
    if (sizeof(typename ctc_wide<REAL>::type) == 4) return exp_float(d);
    p = ctc_split_exp(d, &k);
    return p * ctc_scale(k);
}

/* The maximum of a frame and ln of its sum; writes upstream * softmax into its gradient. */
template <class REAL> CTC_DEVICE void ctc_row(const ctc_batch &b, ctc_int n, ctc_int t) {
    const REAL *row = (const REAL *)b.logits + n * b.stride_n + t * b.stride_t;
    REAL *out = b.gradient ? (REAL *)b.gradient + n * b.stride_n + t * b.stride_t : 0;
    double *statistics = b.statistics + (n * b.T + t) * 2;
    double nan = CTC_INFINITY - CTC_INFINITY;
    double upstream =
        b.upstream ? (double)((const typename ctc_wide<REAL>::type *)b.upstream)[n] : 1.0;
    double maximum, inside;
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
    maximum = top(best);
    /* Ties are counted apart, so that ln keeps the digits of a confident frame. */
    for (start = 0; !bad && maximum > -CTC_INFINITY && start < C; start += 32) {
        Double z = load(row, lane_index() + start, lane_index() + start < C, -CTC_INFINITY), k, p;
        Mask tie = z == Double(maximum);
        p = ctc_split_exp(z - maximum, &k);
        ties = ties + select(tie, Double(1.0), Double(0.0));
        rest = rest + select(tie, Double(0.0), p * ctc_scale(k));
    }
    inside = maximum > -CTC_INFINITY ? log(sum(ties)) + log1p(sum(rest) / sum(ties)) : 0.0;
    statistics[0] = maximum;
    statistics[1] = bad ? nan : inside;
    if (!out) return;
    if (!b.normalize || bad || !(maximum > -CTC_INFINITY)) {
        ctc_fill(out, b.C, 0.0); /* `chain` writes NaN where it belongs */
        return;
    }
    for (start = 0; start < C; start += 32) {
        Mask valid = lane_index() + start < C;
        Double z = load(row, lane_index() + start, valid, -CTC_INFINITY),
               p = ctc_softmax<REAL>(z - maximum - inside);
        store(out, lane_index() + start, valid, select(p > Double(0.0), p * upstream, Double(0.0)));
    }
}

#if defined(__CUDACC__)
/* prepare: N warps. rows: N * T warps. chain: N blocks of one warp. */
extern "C" __global__ void ctc_shim_prepare(const ctc_batch b) {
    ctc_int n = (ctc_int)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (n < b.N) ctc_prepare(b, n);
}
#define CTC_ROWS(REAL, SUFFIX) \
    extern "C" __global__ void ctc_shim_rows_##SUFFIX(const ctc_batch b) { \
        ctc_int i = (ctc_int)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32; \
        if (i < b.N * b.T) ctc_row<REAL>(b, i / b.T, i % b.T); \
    }
CTC_ROWS(float, f32)
CTC_ROWS(double, f64)
CTC_ROWS(ctc_bf16, bf16)
CTC_ROWS(ctc_f16, f16)
#define CTC_CHAIN(K) \
    extern "C" __global__ void __launch_bounds__(32) ctc_shim_chain_##K(const ctc_batch b) { \
        ctc_warp<K>(b, blockIdx.x).run(); \
    }
CTC_CHAIN(1)
CTC_CHAIN(2)
CTC_CHAIN(4)
CTC_CHAIN(8)
#endif
