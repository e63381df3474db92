/* Kernel `rows` of the fast path: all that is computed once for a frame.
 *
 * The threads threadIdx.x of a block share a frame; a warp that has one for itself needs no
 * barrier. V classes of a thread stay in registers, so a row is read once if it has at most
 * V * blockDim.x classes. Softmax and lattice take the same rounded exponentials, so a result is
 * that of scores which differ by the rounding, 5e-7. */
#ifndef CTC_FRAMES_H
#define CTC_FRAMES_H
#include "emission.h"

/* The largest of the numbers that the threads of a frame have. */
template <class T> CTC_DEVICE T ctc_frame_max(T x) {
    __shared__ T shared[32];
    x = ctc_warp_max(x);
    if (blockDim.x == 32) return x;
    __syncthreads(); /* the last round has been read */
    shared[threadIdx.x / 32] = x;
    __syncthreads();
    for (unsigned w = 0; w < blockDim.x / 32; w++) x = max(x, shared[w]);
    return x;
}
CTC_DEVICE double ctc_frame_sum(double x) {
    __shared__ double shared[32];
    x = ctc_warp_sum(x);
    if (blockDim.x == 32) return x;
    shared[threadIdx.x / 32] = x;
    __syncthreads();
    x = 0;
    for (unsigned w = 0; w < blockDim.x / 32; w++) x += shared[w];
    return x;
}
CTC_DEVICE bool ctc_frame_any(bool x) {
    return blockDim.x == 32 ? __any_sync(CTC_ALL_LANES, x) : __syncthreads_or(x);
}

template <class REAL, int V> struct ctc_frame {
    const ctc_batch &b;
    const ctc_int n, at; /* at: n * T + t */
    const REAL *row;
    REAL *out;
    const int C, chunk; /* chunk: classes that all threads hold at a time */
    float z[V], maximum;

    CTC_DEVICE ctc_frame(const ctc_batch &batch, ctc_int sequence, ctc_int t)
        : b(batch), n(sequence), at(sequence * batch.T + t),
          row((const REAL *)batch.logits + sequence * batch.stride_n + t * batch.stride_t),
          out(batch.gradient
                  ? (REAL *)batch.gradient + sequence * batch.stride_n + t * batch.stride_t
                  : 0),
          C((int)batch.C), chunk(V * (int)blockDim.x) {}

    CTC_DEVICE int place(int start, int i) const {
        return start + i * (int)blockDim.x + (int)threadIdx.x;
    }
    CTC_DEVICE void load(int start) {
        CTC_UNROLL for (int i = 0; i < V; i++) z[i] =
            place(start, i) < C ? (float)row[place(start, i)] : -CTC_INFINITY_FLOAT;
    }
    /* The classes from `start` on, which are in registers already where all of them are. */
    CTC_DEVICE void again(int start) {
        if (chunk < C) load(start);
    }
    CTC_DEVICE void fill(float value) {
        for (int c = threadIdx.x; out && c < C; c += blockDim.x) out[c] = (REAL)value;
    }

    /* Finds the maximum. False: the frame has NaN or +inf, or nothing but -inf. */
    CTC_DEVICE bool find_maximum() {
        bool bad = false;
        maximum = -CTC_INFINITY_FLOAT;
        for (int start = 0; start < C; start += chunk) {
            load(start);
            CTC_UNROLL for (int i = 0; i < V; i++) {
                bad |= !(z[i] < CTC_INFINITY_FLOAT);
                maximum = fmaxf(maximum, z[i]);
            }
        }
        maximum = ctc_frame_max(maximum);
        return !ctc_frame_any(bad) && maximum > -CTC_INFINITY_FLOAT;
    }

    /* Sum of exp(z - maximum). Ties are counted apart, so that the rest keeps its digits. */
    CTC_DEVICE double sum() {
        float ties = 0, rest = 0;
        for (int start = 0; start < C; start += chunk) {
            again(start);
            CTC_UNROLL for (int i = 0; i < V; i++) {
                if (z[i] == maximum) ties += 1;
                else rest += ctc_plain(ctc_emission(z[i], maximum));
            }
        }
        return ctc_frame_sum((double)ties + rest);
    }

    /* Of the classes that the target does not need, this is the gradient. */
    CTC_DEVICE void write(float share, float upstream) {
        for (int start = 0; start < C; start += chunk) {
            again(start);
            CTC_UNROLL for (int i = 0; i < V; i++) {
                float p = ctc_plain(ctc_emission(z[i], maximum)) * share;
                if (place(start, i) < C) out[place(start, i)] = (REAL)(p > 0 ? p * upstream : 0.0f);
            }
        }
    }

    /* Gathers the emissions that the lattice needs. Where all of them are small they are taken
     * relative to a lower power of two: only what lies between them counts. */
    CTC_DEVICE void gather() {
        const int S = b.counts[n], *labels = b.labels + n * b.S;
        unsigned *emissions = b.emissions + at * (b.S + 4) + 1;
        const unsigned blank = ctc_emission((float)row[b.blank], maximum);
        int best = (int)(blank >> 20), least = blank ? best : 2047, power, depth;
        for (int s = (int)threadIdx.x - 1; s < S + 3; s += blockDim.x) {
            unsigned word = 0 < s && s <= S ? ctc_emission((float)row[labels[s - 1]], maximum) : 0;
            emissions[s] = word;
            if (word) best = max(best, (int)(word >> 20)), least = min(least, (int)(word >> 20));
        }
        best = ctc_frame_max(best);
        least = -ctc_frame_max(-least);
        power = best && best < CTC_ONE_FIELD - 8 ? CTC_ONE_FIELD - best : 0;
        depth = least > CTC_LEAST_FIELD ? max(CTC_ONE_FIELD - power - least, 0) : CTC_ONE_FIELD;
        for (int s = (int)threadIdx.x - 1; power && s < S + 3; s += blockDim.x)
            if (emissions[s]) emissions[s] += (unsigned)power << 20;
        if (threadIdx.x) return;
        b.blanks[at * 2] = blank ? blank + ((unsigned)power << 20) : 0;
        b.blanks[at * 2 + 1] = (unsigned)power << 16 | (unsigned)depth;
    }

    CTC_DEVICE void run(int t) {
        double total;
        if (b.verdict[n] != CTC_FINE || t >= b.frames[n]) { /* scores are not read */
            fill(b.verdict[n] == CTC_WRONG && t < b.frames[n] ? CTC_NAN_FLOAT : 0.0f);
            return;
        }
        if (!find_maximum()) {
            if (threadIdx.x == 0) atomicOr(b.flags + n, CTC_AGAIN);
            fill(0);
            return;
        }
        total = sum();
        gather();
        if (threadIdx.x == 0) {
            b.statistics[at * 2] = maximum;
            b.statistics[at * 2 + 1] = total - 1;
            if (!b.normalize && maximum + logf((float)total) > 0.01f)
                atomicOr(b.flags + n, CTC_NOT_NORMALIZED);
        }
        if (!out) return;
        if (b.normalize) write(1.0f / (float)total, ctc_upstream(b, n));
        else fill(0);
    }
};
#endif
