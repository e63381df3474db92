/* Connectionist temporal classification on a GPU: loss and gradient, deterministic, over any
 * dynamic range.
 *
 * A. Graves et al., "Connectionist temporal classification", ICML 2006: forward variables,
 * equations (6)-(8); backward variables, (9)-(11); gradient, (14)-(16).
 *
 * The fast path, for scores that are not double, in this order: `prepare` checks the integers;
 * `rows` computes what a frame needs, all frames at once; `chain` runs the recursions, which must
 * go from frame to frame; `posterior` brings both together, all frames at once.
 *
 * The careful path has the arithmetic of cpu/loss.c: a cell is m * 2^e, both doubles, with an
 * exponent of its own, and serves any scores and any number of labels. `careful_rows`, then
 * `careful`, a warp for each sequence: its rows are kept at checkpoints and computed again on the
 * way back. A target of 32 K labels or more has several strips: the warp goes through all frames
 * for one strip after another, and each strip leaves the cells at its border to the next. It
 * computes double scores, and the sequences that the fast path has flagged; for all others its
 * blocks leave at once.
 *
 * Class sums are sums of integers, which do not depend on the order of the additions, so results
 * repeat bit by bit. Nothing includes a header of CUDA, and tests/warp/simt.h runs this text on a
 * CPU. */
#include "chain.h"
#include "frames.h"
#include "posterior.h"
#include "prepare.h"
#include "careful_row.h"

/* For each frame of sequence blockIdx.x that this warp, or this block, has. */
#define CTC_EACH_FRAME(t, first, step) \
    for (int t = blockIdx.y * (step) + (first); t < b.T; t += gridDim.y * (step))

/* N warps. */
extern "C" __global__ void ctc_shim_prepare(const ctc_batch b) {
    ctc_int n = (ctc_int)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (n < b.N) ctc_prepare(b, n);
}

/* N by any number of blocks; blockDim.y frames in each. */
#define CTC_ROWS(REAL, KIND, V) \
    extern "C" __global__ void __launch_bounds__(V == 16 ? 32 * CTC_ROW_WARPS : 256) \
        ctc_shim_rows_##KIND##_##V(const ctc_batch b) { \
        ctc_frame<REAL, V> frame(b, blockIdx.x); \
        CTC_EACH_FRAME(t, threadIdx.y, blockDim.y) frame.run(t); \
    }

/* Other blocks may be setting the flag meanwhile: all threads of a block must act on the same
 * value, so callers combine what they read. */
CTC_DEVICE bool ctc_is_careful(const ctc_batch &b, ctc_int n) {
    return b.verdict[n] != CTC_FINE || (b.flags[n] & CTC_AGAIN);
}

/* N by any number of blocks; a frame for each warp. */
#define CTC_POSTERIOR(REAL, KIND) \
    extern "C" __global__ void __launch_bounds__(32 * CTC_FRAMES, 4) \
        ctc_shim_posterior_##KIND(const ctc_batch b) { \
        __shared__ int sums[CTC_FRAMES][CTC_PLACES_IN_ALL]; \
        const int n = blockIdx.x, warp = threadIdx.x / 32; \
        if (__any_sync(CTC_ALL_LANES, ctc_is_careful(b, n))) return; \
        ctc_posterior<REAL> posterior(b, n, sums[warp]); \
        CTC_EACH_FRAME(t, warp, CTC_FRAMES) posterior.run(t); \
    }
#define CTC_FAST(REAL, KIND) \
    CTC_ROWS(REAL, KIND, 1) \
    CTC_ROWS(REAL, KIND, 2) \
    CTC_ROWS(REAL, KIND, 4) \
    CTC_ROWS(REAL, KIND, 16) \
    CTC_POSTERIOR(REAL, KIND)
CTC_FAST(float, f32)
CTC_FAST(ctc_bf16, bf16)
CTC_FAST(ctc_f16, f16)

/* N blocks; 2 N where there is a gradient. */
extern "C" __global__ void __launch_bounds__(32 * CTC_WARPS) ctc_shim_chain(const ctc_batch b) {
    const bool back = b.gradient && (blockIdx.x & 1);
    const ctc_int n = b.gradient ? blockIdx.x / 2 : blockIdx.x;
    if (__syncthreads_or(ctc_is_careful(b, n))) return;
    if (back) ctc_chain<true>(b, n).run();
    else ctc_chain<false>(b, n).run();
}

/* N by any number of blocks; a frame for each warp. */
#define CTC_CAREFUL_ROWS(REAL, KIND) \
    extern "C" __global__ void ctc_shim_careful_rows_##KIND(const ctc_batch b) { \
        const int n = blockIdx.x; \
        if (!(b.flags[n] & (CTC_AGAIN | CTC_AGAIN_GRADIENT))) return; \
        CTC_EACH_FRAME(t, threadIdx.x / 32, CTC_FRAMES) ctc_row<REAL>(b, n, t); \
    }
CTC_CAREFUL_ROWS(float, f32)
CTC_CAREFUL_ROWS(double, f64)
CTC_CAREFUL_ROWS(ctc_bf16, bf16)
CTC_CAREFUL_ROWS(ctc_f16, f16)

/* N blocks of a warp. */
#define CTC_CAREFUL(K) \
    extern "C" __global__ void __launch_bounds__(32) ctc_shim_careful_##K(const ctc_batch b) { \
        const int n = blockIdx.x; \
        if (b.verdict[n] == CTC_FINE && !(b.flags[n] & (CTC_AGAIN | CTC_AGAIN_GRADIENT))) return; \
        ctc_warp<K>(b, n).run(); \
    }
CTC_CAREFUL(1)
CTC_CAREFUL(2)
CTC_CAREFUL(4)
CTC_CAREFUL(8)
