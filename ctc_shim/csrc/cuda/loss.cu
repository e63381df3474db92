/* Connectionist temporal classification on a GPU: loss and gradient, deterministic, over any
 * dynamic range.
 *
 * A. Graves et al., "Connectionist temporal classification", ICML 2006: forward variables,
 * equations (6)-(8); backward variables, (9)-(11); gradient, (14)-(16).
 *
 * The fast path, for scores that are not double, in this order: `prepare` checks the integers;
 * `rows` computes what a frame needs, all frames at once; two kernels `chain` run the recursions,
 * which must go from frame to frame, and find the posteriors; `posterior` writes the gradient of
 * the classes in the target, all frames at once.
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
 * repeat bit by bit. Nothing includes a header of CUDA, and tests/gpu/warp/simt.h runs this text on
 * a CPU. */
#include "chain.h"
#include "frames.h"
#include "posterior.h"
#include "prepare.h"
#include "careful_row.h"
#include "scale.h"

/* For each frame of sequence blockIdx.x that this warp, or this block, has. */
#define CTC_EACH_FRAME(t, first, step, stop) \
    for (int t = blockIdx.y * (step) + (first); t < (stop); t += gridDim.y * (step))

/* N warps. */
extern "C" __global__ void ctc_shim_prepare(const ctc_batch b) {
    ctc_int n = (ctc_int)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    if (n < b.N) ctc_prepare(b, n);
}

/* N by any number of blocks; blockDim.y frames in each. */
#define CTC_ROWS(REAL, KIND, MOST) \
    extern "C" __global__ void __launch_bounds__(MOST ? 32 * CTC_FRAMES : 32 * CTC_ROW_WARPS) \
        ctc_shim_rows_##KIND##_##MOST(const ctc_batch b) { \
        typedef ctc_frame<REAL, MOST> frame; \
        __shared__ unsigned words[MOST ? 32 * CTC_FRAMES * frame::V : 1]; \
        frame of_block(b, blockIdx.x, words); \
        CTC_EACH_FRAME(first, 0, blockDim.y, b.rows) of_block.run(first); \
    }

/* Other blocks may be setting the flag meanwhile: all threads of a block must act on the same
 * value, so callers combine what they read. */
CTC_DEVICE bool ctc_is_careful(const ctc_batch &b, ctc_int n) {
    return b.verdict[n] != CTC_FINE || (b.flags[n] & CTC_AGAIN);
}

/* N by any number of blocks; W threads for a frame. */
#define CTC_POSTERIOR(REAL, KIND, W) \
    extern "C" __global__ void __launch_bounds__(32 * CTC_FRAMES, 4) \
        ctc_shim_posterior_##KIND##_##W(const ctc_batch b) { \
        typedef ctc_posterior<REAL, W> frame; \
        __shared__ int sums[32 * CTC_FRAMES / W * frame::MOST]; \
        const int n = blockIdx.x; \
        if (__any_sync(CTC_ALL_LANES, ctc_is_careful(b, n) || !b.frames[n])) return; \
        frame of_block(b, n, sums); \
        CTC_EACH_FRAME(from, 0, 32 * CTC_FRAMES / W, of_block.T) of_block.run(from); \
    }
#define CTC_FAST(REAL, KIND) \
    CTC_ROWS(REAL, KIND, 32) \
    CTC_ROWS(REAL, KIND, 64) \
    CTC_ROWS(REAL, KIND, 128) \
    CTC_ROWS(REAL, KIND, 0) \
    CTC_POSTERIOR(REAL, KIND, 8) \
    CTC_POSTERIOR(REAL, KIND, 32)
CTC_FAST(float, f32)
CTC_FAST(ctc_bf16, bf16)
CTC_FAST(ctc_f16, f16)

/* `first`: 2 N blocks, a direction each. `second`: as many, if there is a gradient, and N for the
 * losses. Rounds of R frames. */
#define CTC_CHAIN(R) \
    extern "C" __global__ void __launch_bounds__(32 * CTC_WARPS(R)) \
        ctc_shim_chain_first_##R(const ctc_batch b) { \
        const ctc_int n = blockIdx.x / 2; \
        if (__syncthreads_or(ctc_is_careful(b, n))) return; \
        if (blockIdx.x & 1) ctc_first_half<R, true>(b, n); \
        else ctc_first_half<R, false>(b, n); \
    } \
    extern "C" __global__ void __launch_bounds__(32 * CTC_WARPS(R)) \
        ctc_shim_chain_second_##R(const ctc_batch b) { \
        const ctc_int loss = (ctc_int)blockIdx.x - (b.gradient ? 2 * b.N : 0), \
                      n = loss < 0 ? blockIdx.x / 2 : loss; \
        if (__syncthreads_or(ctc_is_careful(b, n))) return; \
        if (loss >= 0) ctc_loss<R>(b, n); \
        else if (blockIdx.x & 1) ctc_second_half<R, true>(b, n); \
        else ctc_second_half<R, false>(b, n); \
    }
CTC_CHAIN(8)
CTC_CHAIN(16)

/* N by any number of blocks; a frame for each warp. */
#define CTC_CAREFUL_ROWS(REAL, KIND) \
    extern "C" __global__ void ctc_shim_careful_rows_##KIND(const ctc_batch b) { \
        const int n = blockIdx.x; \
        if (!(b.flags[n] & (CTC_AGAIN | CTC_AGAIN_GRADIENT))) return; \
        CTC_EACH_FRAME(t, threadIdx.x / 32, CTC_FRAMES, b.T) ctc_row<REAL>(b, n, t); \
    }
CTC_CAREFUL_ROWS(float, f32)
CTC_CAREFUL_ROWS(double, f64)
CTC_CAREFUL_ROWS(ctc_bf16, bf16)
CTC_CAREFUL_ROWS(ctc_f16, f16)

/* N by any number of blocks; blockDim.y frames in each. */
#define CTC_SCALE(REAL, KIND) \
    extern "C" __global__ void ctc_shim_scale_##KIND(const ctc_batch b) { \
        const ctc_int n = blockIdx.x; \
        CTC_EACH_FRAME(t, threadIdx.y, blockDim.y, b.T) { \
            const ctc_int at = n * b.stride_n + t * b.stride_t; \
            ctc_scale_row((const REAL *)b.logits + at, (REAL *)b.gradient + at, (int)b.C, \
                          ctc_upstream<REAL>(b, n)); \
        } \
    }
CTC_SCALE(float, f32)
CTC_SCALE(double, f64)
CTC_SCALE(ctc_bf16, bf16)
CTC_SCALE(ctc_f16, f16)

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
