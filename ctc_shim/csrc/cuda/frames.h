/* Kernel `rows` of the fast path: all that is computed once for a frame.
 *
 * Up to MOST classes: W threads share a frame, 8 or 16, so a warp has several and needs no barrier.
 * MOST is 0: any number, and all threads of a block share a frame. V classes of a thread stay in
 * registers, so a row is read once if it has at most V times as many classes as it has threads.
 * Softmax and lattice take the same rounded exponentials, so a result is that of scores which
 * differ by the rounding, 5e-7.
 *
 * The frames of a warp take the same path through the code, because threads exchange numbers: a
 * frame that is padding or beyond the last one is computed too, and its results are not stored.
 * Where W threads share a frame, a block has a multiple of CTC_ROUND frames: the padding that fills
 * up a round of the lattice is in the block of the last frame. */
#ifndef CTC_FRAMES_H
#define CTC_FRAMES_H
#include "emission.h"

/* Of the numbers that the threads of a frame have. */
template <int W, class T> CTC_DEVICE T ctc_frame_max(T x) {
    __shared__ T shared[32];
    if (W) return ctc_group_max<W ? W : 32>(x);
    x = ctc_group_max<32>(x);
    if (blockDim.x == 32) return x;
    __syncthreads(); /* the last round has been read */
    shared[threadIdx.x / 32] = x;
    __syncthreads();
    return ctc_group_max<32>(shared[min(threadIdx.x & 31, blockDim.x / 32 - 1)]);
}
template <int W> CTC_DEVICE double ctc_frame_sum(double x) {
    __shared__ double shared[32];
    if (W) return ctc_group_sum<W ? W : 32>(x);
    x = ctc_group_sum<32>(x);
    if (blockDim.x == 32) return x;
    shared[threadIdx.x / 32] = x;
    __syncthreads();
    return ctc_group_sum<32>((threadIdx.x & 31) < blockDim.x / 32 ? shared[threadIdx.x & 31] : 0);
}
template <int W> CTC_DEVICE bool ctc_frame_any(bool x) {
    if (W) return ctc_group_any<W ? W : 32>(x);
    return blockDim.x == 32 ? __any_sync(CTC_ALL_LANES, x) : __syncthreads_or(x);
}

template <class REAL, int MOST> struct ctc_frame {
    static const int V = MOST > 32 ? 8 : MOST ? 4 : 16, W = MOST / V;
    const ctc_batch &b;
    const ctc_int n;
    const int T, S, verdict, *labels;
    const float upstream;
    const int C, chunk;  /* chunk: classes that all threads hold at a time */
    unsigned *words;     /* W: of all classes of this frame, in shared memory */
    ctc_int at, lattice; /* n * T + t; n * rows + t */
    const REAL *row;     /* of this frame */
    REAL *out;
    int readable, writable; /* classes: C, or 0 */
    float z[V], maximum;    /* scores; after `sum`, exponentials where all are held */

    CTC_DEVICE ctc_frame(const ctc_batch &batch, ctc_int sequence, unsigned *shared)
        : b(batch), n(sequence), T(batch.frames[n]), S(batch.counts[n]), verdict(batch.verdict[n]),
          labels(batch.labels + n * batch.S), upstream(ctc_upstream<float>(batch, n)),
          C((int)batch.C), chunk(V * width()), words(shared + threadIdx.y * (V * W)) {}

    CTC_DEVICE static int width() { return W ? W : (int)blockDim.x; }
    /* Loops over chunks go to here; there is one where W threads share a frame. */
    CTC_DEVICE int end() const { return W ? 1 : C; }
    CTC_DEVICE int place(int start, int i) const { return start + i * width() + (int)threadIdx.x; }
    CTC_DEVICE void load(int start) {
        CTC_UNROLL for (int i = 0; i < V; i++) z[i] =
            place(start, i) < readable ? (float)row[place(start, i)] : -CTC_INFINITY_FLOAT;
    }
    CTC_DEVICE void fill(float value) {
        for (int c = threadIdx.x; c < writable; c += width()) out[c] = (REAL)value;
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
        maximum = ctc_frame_max<W>(maximum);
        return !ctc_frame_any<W>(bad) && maximum > -CTC_INFINITY_FLOAT;
    }

    /* exp(z - maximum) as `gather` has it, or, where there are many classes, nearly so. */
    CTC_DEVICE float exponential(int i) {
        unsigned word;
        if (!W) return ctc_rounded(ctc_exp2((z[i] - maximum) * 1.44269504f));
        word = ctc_emission(z[i], maximum);
        words[place(0, i)] = word;
        return ctc_plain(word);
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
        return ctc_frame_sum<W>((double)ties + rest);
    }

    /* Of the classes that the target does not need, this is the gradient. */
    template <bool HELD> CTC_DEVICE void write(float share) {
        CTC_NO_UNROLL for (int start = 0; start < end(); start += chunk) {
            if (!HELD) load(start);
            CTC_UNROLL for (int i = 0; i < V; i++) {
                const float p = (HELD ? z[i] : exponential(i)) * share;
                if (place(start, i) < writable)
                    out[place(start, i)] = (REAL)(p > 0 ? p * upstream : 0.0f);
            }
        }
    }

    CTC_DEVICE unsigned word_of(int c) {
        return W ? words[c] : readable ? ctc_emission((float)row[c], maximum) : 0;
    }

    /* Gathers the emissions that the lattice needs. Where all of them are small they are taken
     * relative to a lower power of two: only what lies between them counts. A frame of padding has
     * a blank of 1 and no label: it changes nothing. */
    CTC_DEVICE void gather(bool stored) {
        unsigned *emissions = b.emissions + lattice * b.places, *to = emissions + threadIdx.x;
        const int *from = labels + threadIdx.x - 1;
        const unsigned blank = readable ? word_of(b.blank) : (unsigned)CTC_ONE_FIELD << 20;
        int best = (int)(blank >> 20), least = blank ? best : 2047, power = 0, depth;
        bool small;
        CTC_NO_UNROLL for (int s = 1 + (int)threadIdx.x; s <= S; s += width()) {
            const unsigned word = word_of(from[1]);
            if (stored) to[1] = word;
            from += width(), to += width();
            best = max(best, (int)(word >> 20));
            least = min(least, word ? (int)(word >> 20) : 2047);
        }
        if (stored && threadIdx.x < 3) { /* beside the labels */
            const int empty = threadIdx.x ? S + (int)threadIdx.x : 0;
            if (empty < b.places) emissions[empty] = 0;
        }
        small = !ctc_frame_any<W>(best >= CTC_ONE_FIELD - 8);
        if (W ? __any_sync(CTC_ALL_LANES, small) : small) {
            best = ctc_frame_max<W>(best);
            power = small && best ? CTC_ONE_FIELD - best : 0;
            for (int s = 1 + (int)threadIdx.x; s <= S; s += width())
                if (stored && power && emissions[s]) emissions[s] += (unsigned)power << 20;
        }
        least = -ctc_frame_max<W>(-least);
        depth = least > CTC_LEAST_FIELD ? max(CTC_ONE_FIELD - power - least, 0) : CTC_ONE_FIELD;
        if (!stored || threadIdx.x) return;
        b.blanks[lattice * 2] = blank ? blank + ((unsigned)power << 20) : 0;
        b.blanks[lattice * 2 + 1] = (unsigned)power << 16 | (unsigned)depth;
    }

    /* All threads of a block have the same `first`. */
    CTC_DEVICE void run(int first) {
        const int t = first + (int)threadIdx.y;
        const bool held = W || C <= chunk, in_lattice = t < ctc_round_up(T, CTC_ROUND);
        bool stored;
        double total;
        float share;
        at = (int)(n * b.T) + t;
        lattice = n * b.rows + t;
        row = (const REAL *)b.logits + n * b.stride_n + t * b.stride_t;
        out = (REAL *)b.gradient + n * b.stride_n + t * b.stride_t;
        readable = t < T ? C : 0; /* scores of padding are not read */
        writable = b.gradient && t < b.T ? C : 0;
        if (verdict != CTC_FINE || first >= T) {
            if (!W && verdict == CTC_FINE && in_lattice) gather(true);
            fill(verdict == CTC_WRONG && t < T ? CTC_NAN_FLOAT : 0.0f);
            return;
        }
        stored = find_maximum();
        if (!stored && t < T && threadIdx.x == 0) atomicOr(b.flags + n, CTC_AGAIN);
        if (!W && !stored) {
            fill(0);
            return;
        }
        if (!stored) {
            maximum = 0;
            CTC_UNROLL for (int i = 0; i < V; i++) z[i] = -CTC_INFINITY_FLOAT;
        }
        total = held ? sum<true>() : sum<false>();
        if (W) __syncwarp();
        gather(in_lattice);
        if (W) __syncwarp(); /* before the next frame's words */
        if (stored && threadIdx.x == 0) {
            b.statistics[at * 2] = maximum;
            b.statistics[at * 2 + 1] = total - 1;
            if (!b.normalize && maximum + logf((float)total) > 0.01f)
                atomicOr(b.flags + n, CTC_NOT_NORMALIZED);
        }
        if (!b.gradient) return;
        share = stored ? ctc_share(b, maximum, (float)total) : 0;
        if (!b.normalize && !b.adds && !W) fill(0);
        else if (held) write<true>(share);
        else write<false>(share);
    }
};
#endif
