/* Kernel `posterior` of the fast path: the gradient of the classes that the target needs.
 *
 * W threads share a frame, so a warp has 32 / W frames. They take the same path through the code:
 * threads whose frame is padding repeat the last frame and store nothing. `chain` has left the
 * posteriors of the labels; what they leave of the sum over all paths is that of the blank. */
#ifndef CTC_POSTERIOR_H
#define CTC_POSTERIOR_H
#include "emission.h"

template <class REAL, int W> struct ctc_posterior {
    static const int MOST =
        W == 32 ? CTC_MOST_PLACES(CTC_SHORT_ROUND) : (int)CTC_SHORT; /* labels */
    const ctc_batch &b;
    const int n, T, S, lane;
    const float unit, upstream;
    int *sums;   /* of classes, in shared memory */
    REAL *row;   /* of this frame */
    float share; /* of an emission in the softmax */

    /* Words of the lattice were rounded down, by .72 * 2^-21 of a posterior in the mean. */
    CTC_DEVICE ctc_posterior(const ctc_batch &batch, int sequence, int *shared)
        : b(batch), n(sequence), T(batch.frames[n]), S(batch.counts[n]), lane(threadIdx.x),
          unit((float)((1 + 3.43e-7) * CTC_UNIT / batch.totals[n])),
          upstream(ctc_upstream<float>(batch, n)), sums(shared + threadIdx.y * MOST) {
        CTC_NO_UNROLL for (int s = lane; s < S; s += W) sums[s] = 0;
        __syncwarp();
    }

    /* Adds the posteriors of a frame up by class, as integers, whose sum does not depend on the
     * order. Returns the sum of all. */
    CTC_DEVICE int add(const unsigned *posteriors) {
        const int *first = b.first + (ctc_int)n * b.S;
        int all = 0;
        CTC_NO_UNROLL for (int s = lane; s < S; s += W) {
            const int found = (int)posteriors[s];
            all += found;
            if (found) atomicAdd(sums + first[s], found);
        }
        __syncwarp();
        return ctc_group_sum<W>(all);
    }

    CTC_DEVICE void put(int c, unsigned emission, float posterior) {
        row[c] = (REAL)((ctc_plain(emission) * share - posterior) * upstream);
    }

    /* All threads of a warp have the same `from`, which is less than T. */
    CTC_DEVICE void run(int from) {
        const bool stored = from + (int)threadIdx.y < T;
        const int t = stored ? from + (int)threadIdx.y : T - 1,
                  *labels = b.labels + (ctc_int)n * b.S;
        const ctc_int at = n * (ctc_int)b.rows + t, first = at * b.places + 1;
        const float sum = (float)add(b.lattice + first) * unit;
        const double *statistics = b.statistics + (n * b.T + t) * 2;
        row = (REAL *)b.gradient + n * b.stride_n + t * b.stride_t;
        share = ctc_share(b, (float)statistics[0], (float)(1 + statistics[1])) *
                ctc_power_float(-(int)(b.blanks[at * 2 + 1] >> 16));
        CTC_NO_UNROLL for (int s = lane; s < S; s += W) {
            const int found = sums[s];
            sums[s] = 0;
            if (stored && found) put(labels[s], b.emissions[first + s], (float)found * unit);
        }
        if (stored && lane == 0 && b.blanks[at * 2])
            put(b.blank, b.blanks[at * 2], fmaxf(1 - sum, 0.0f));
        __syncwarp(); /* before the next frame adds */
    }
};
#endif
