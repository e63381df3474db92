/* Kernel `rows` of the fast path: all that is computed once for a frame.
 *
 * The threads threadIdx.x of a block share a frame; a warp that has one for itself needs no
 * barrier. V classes of a thread stay in registers, so a row is read once if it has at most
 * V * blockDim.x classes. Softmax and lattice take the same rounded exponentials, so a result is
 * that of scores which differ by the rounding, 5e-7. */
#ifndef CTC_FRAMES_H
#define CTC_FRAMES_H
#include "emission.h"

/* The largest of the numbers that the threads of a frame have. ALONE: they are a warp. */
template <bool ALONE, class T> CTC_DEVICE T ctc_frame_max(T x) {
    __shared__ T shared[32];
    x = ctc_warp_max(x);
    if (ALONE || blockDim.x == 32) return x;
    __syncthreads(); /* the last round has been read */
    shared[threadIdx.x / 32] = x;
    __syncthreads();
    return ctc_warp_max(shared[min(threadIdx.x & 31, blockDim.x / 32 - 1)]);
}
template <bool ALONE> CTC_DEVICE double ctc_frame_sum(double x) {
    __shared__ double shared[32];
    x = ctc_warp_sum(x);
    if (ALONE || blockDim.x == 32) return x;
    shared[threadIdx.x / 32] = x;
    __syncthreads();
    return ctc_warp_sum((threadIdx.x & 31) < blockDim.x / 32 ? shared[threadIdx.x & 31] : 0);
}
template <bool ALONE> CTC_DEVICE bool ctc_frame_any(bool x) {
    return ALONE || blockDim.x == 32 ? __any_sync(CTC_ALL_LANES, x) : __syncthreads_or(x);
}

template <class REAL, int V> struct ctc_frame {
    /* A warp has all classes: words of them are kept, and pass from lane to lane. */
    static const bool SMALL = V <= 4;
    const ctc_batch &b;
    const ctc_int n;
    const int T, S, verdict, *labels;
    const float upstream;
    const int C, chunk; /* chunk: classes that all threads hold at a time */
    ctc_int at;         /* n * T + t */
    const REAL *row;    /* of this frame */
    REAL *out;
    float z[V], maximum;           /* scores; after `sum`, exponentials where all are held */
    unsigned words[SMALL ? V : 1]; /* emissions of these classes */

    CTC_DEVICE ctc_frame(const ctc_batch &batch, ctc_int sequence)
        : b(batch), n(sequence), T(batch.frames[n]), S(batch.counts[n]), verdict(batch.verdict[n]),
          labels(batch.labels + n * batch.S), upstream(ctc_upstream(batch, n)), C((int)batch.C),
          chunk(V * width()) {}

    CTC_DEVICE static int width() { return SMALL ? 32 : (int)blockDim.x; }
    /* Loops over chunks go to here; a warp that is alone has one. */
    CTC_DEVICE int end() const { return SMALL ? 1 : C; }
    CTC_DEVICE int place(int start, int i) const { return start + i * width() + (int)threadIdx.x; }
    CTC_DEVICE void load(int start) {
        CTC_UNROLL for (int i = 0; i < V; i++) z[i] =
            place(start, i) < C ? (float)row[place(start, i)] : -CTC_INFINITY_FLOAT;
    }
    CTC_DEVICE void fill(float value) {
        for (int c = threadIdx.x; out && c < C; c += width()) out[c] = (REAL)value;
    }

    /* Finds the maximum. False: the frame has NaN or +inf, or nothing but -inf. */
    CTC_DEVICE bool find_maximum() {
        bool bad = false;
        maximum = -CTC_INFINITY_FLOAT;
        CTC_NO_UNROLL for (int start = 0; start < end(); start += chunk) {
            load(start);
            CTC_UNROLL for (int i = 0; i < V; i++) {
                bad |= !(z[i] < CTC_INFINITY_FLOAT);
                maximum = fmaxf(maximum, z[i]);
            }
        }
        maximum = ctc_frame_max<SMALL>(maximum);
        return !ctc_frame_any<SMALL>(bad) && maximum > -CTC_INFINITY_FLOAT;
    }

    /* exp(z - maximum) as `gather` has it, or, where there are many classes, nearly so. */
    CTC_DEVICE float exponential(int i) {
        if (!SMALL) return ctc_rounded(ctc_exp2((z[i] - maximum) * 1.44269504f));
        words[i] = ctc_emission(z[i], maximum);
        return ctc_plain(words[i]);
    }
    /* HELD: threads hold all classes, and keep their exponentials. Ties are counted apart, so that
     * the rest keeps its digits. */
    template <bool HELD> CTC_DEVICE double sum() {
        float ties = 0, rest = 0;
        CTC_NO_UNROLL for (int start = 0; start < end(); start += chunk) {
            if (!HELD) load(start);
            CTC_UNROLL for (int i = 0; i < V; i++) {
                const bool tie = z[i] == maximum;
                const float p = exponential(i);
                ties += tie ? 1.0f : 0.0f;
                rest += tie ? 0.0f : p;
                if (HELD) z[i] = p;
            }
        }
        return ctc_frame_sum<SMALL>((double)ties + rest);
    }

    /* Of the classes that the target does not need, this is the gradient. */
    template <bool HELD> CTC_DEVICE void write(float share) {
        CTC_NO_UNROLL for (int start = 0; start < end(); start += chunk) {
            if (!HELD) load(start);
            CTC_UNROLL for (int i = 0; i < V; i++) {
                const float p = (HELD ? z[i] : exponential(i)) * share;
                if (place(start, i) < C) out[place(start, i)] = (REAL)(p > 0 ? p * upstream : 0.0f);
            }
        }
    }

    /* The emission of a class. All threads. */
    CTC_DEVICE unsigned word_of(int c) {
        unsigned word = 0;
        if (!SMALL) return ctc_emission((float)row[c], maximum);
        CTC_UNROLL for (int i = 0; i < V; i++) {
            unsigned other = __shfl_sync(CTC_ALL_LANES, words[SMALL ? i : 0], c & 31);
            if (c >> 5 == i) word = other;
        }
        return word;
    }

    /* Gathers the emissions that the lattice needs. Where all of them are small they are taken
     * relative to a lower power of two: only what lies between them counts. */
    CTC_DEVICE void gather() {
        unsigned *emissions = b.emissions + at * ((int)b.S + 4) + 1;
        const unsigned blank = word_of(b.blank);
        int best = (int)(blank >> 20), least = blank ? best : 2047, power = 0, depth;
        CTC_NO_UNROLL for (int start = 1; start <= S; start += width()) {
            const int s = start + (int)threadIdx.x;
            const unsigned word = word_of(s <= S ? labels[s - 1] : b.blank);
            if (s <= S) emissions[s] = word;
            best = max(best, (int)(word >> 20));
            least = min(least, word ? (int)(word >> 20) : 2047);
        }
        if (threadIdx.x < 4) emissions[(int)threadIdx.x + (threadIdx.x < 2 ? -1 : S - 1)] = 0;
        if (!ctc_frame_any<SMALL>(best >= CTC_ONE_FIELD - 8)) {
            best = ctc_frame_max<SMALL>(best);
            power = best ? CTC_ONE_FIELD - best : 0;
            for (int s = (int)threadIdx.x - 1; s < S + 3; s += blockDim.x)
                if (emissions[s]) emissions[s] += (unsigned)power << 20;
        }
        least = -ctc_frame_max<SMALL>(-least);
        depth = least > CTC_LEAST_FIELD ? max(CTC_ONE_FIELD - power - least, 0) : CTC_ONE_FIELD;
        if (threadIdx.x) return;
        b.blanks[at * 2] = blank ? blank + ((unsigned)power << 20) : 0;
        b.blanks[at * 2 + 1] = (unsigned)power << 16 | (unsigned)depth;
    }

    CTC_DEVICE void run(int t) {
        const bool held = SMALL || C <= chunk;
        double total;
        at = (int)(n * b.T) + t;
        row = (const REAL *)b.logits + n * b.stride_n + t * b.stride_t;
        out = b.gradient ? (REAL *)b.gradient + n * b.stride_n + t * b.stride_t : 0;
        if (verdict != CTC_FINE || t >= T) { /* scores are not read */
            fill(verdict == CTC_WRONG && t < T ? CTC_NAN_FLOAT : 0.0f);
            return;
        }
        if (!find_maximum()) {
            if (threadIdx.x == 0) atomicOr(b.flags + n, CTC_AGAIN);
            fill(0);
            return;
        }
        total = held ? sum<true>() : sum<false>();
        gather();
        if (threadIdx.x == 0) {
            b.statistics[at * 2] = maximum;
            b.statistics[at * 2 + 1] = total - 1;
            if (!b.normalize && maximum + logf((float)total) > 0.01f)
                atomicOr(b.flags + n, CTC_NOT_NORMALIZED);
        }
        if (!out) return;
        if (!b.normalize) fill(0);
        else if (held) write<true>(ctc_inverse((float)total));
        else write<false>(ctc_inverse((float)total));
    }
};
#endif
