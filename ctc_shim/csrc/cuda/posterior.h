/* Kernel `posterior` of the fast path: the gradient of the classes that the target needs.
 *
 * W threads share a frame, so a warp has 32 / W frames. They take the same path through the code:
 * threads whose frame is padding repeat the last frame and store nothing. Forward times backward
 * variables, with their powers of two added as integers; divided by their sum over the frame, which
 * also takes away what rounding down has taken from the words. That sum is the same in every frame:
 * where it is not, the sequence is computed again. */
#ifndef CTC_POSTERIOR_H
#define CTC_POSTERIOR_H
#include "emission.h"

/* The sum of a class is an integer, in units of 2^-28, so it does not depend on the order. */
#define CTC_UNIT 268435456.0f

template <class REAL, int W> struct ctc_posterior {
    static const int MOST = W == 32 ? (int)CTC_PLACES_IN_ALL : (int)CTC_SHORT; /* labels */
    const ctc_batch &b;
    const int n, P, T, S, lane, total_power;
    const float total, upstream;
    int *sums;                 /* of classes, in shared memory */
    ctc_int at;                /* n * T + t */
    REAL *row;                 /* of this frame */
    float mass, blanks, share; /* share: of an emission in the softmax */

    CTC_DEVICE ctc_posterior(const ctc_batch &batch, int sequence, int *shared)
        : b(batch), n(sequence), P((int)batch.S + 2), T(batch.frames[n]), S(batch.counts[n]),
          lane(threadIdx.x), total_power(batch.total_powers[n] + 2 * 1023),
          total((float)batch.totals[n]), upstream(ctc_upstream(batch, n)),
          sums(shared + threadIdx.y * MOST) {
        CTC_NO_UNROLL for (int s = lane; s < S; s += W) sums[s] = 0;
        __syncwarp();
    }

    /* alpha * beta * 2^power. What a word of 0 stands for is too small to count. */
    CTC_DEVICE static float joint(unsigned alpha, unsigned beta, int power) {
        return ctc_float(0x3f800000u | (alpha & 0xfffff) << 3) *
               ctc_float(0x3f800000u | (beta & 0xfffff) << 3) *
               ctc_power_float(power + (int)(alpha >> 20) + (int)(beta >> 20));
    }

    /* Adds the posteriors of the frame up by class: label s and the blank before it, s - 1. */
    CTC_DEVICE void add(int t) {
        const int halves = ((int)b.T + CTC_HALF - 1) / CTC_HALF, back = T - 1 - t;
        const uint2 *alpha = (const uint2 *)b.alpha + at * P + lane,
                    *beta = (const uint2 *)b.beta + at * P + lane;
        const int2 *powers = (const int2 *)b.alpha_powers + (n * halves + t / CTC_HALF) * P + lane;
        const int2 *back_powers =
            (const int2 *)b.beta_powers + (n * halves + back / CTC_HALF) * P + lane;
        const int *first = b.first + (ctc_int)n * b.S + lane;
        int s = lane + 1;
        mass = blanks = 0;
        CTC_NO_UNROLL for (; s <= S; s += W) {
            const uint2 before = alpha[1];
            const int2 power = powers[1];
            float p = joint(before.x, beta[1].x, power.x + back_powers[1].x - total_power);
            float q = joint(before.y, beta[0].y, power.y + back_powers[0].y - total_power);
            mass += p + q;
            blanks += q;
            atomicAdd(sums + *first, (int)(fminf(p, 4.0f) * CTC_UNIT + 0.5f));
            alpha += W, beta += W, powers += W, back_powers += W, first += W;
        }
        if (s == S + 1) { /* the last blank */
            float q = joint(alpha[1].y, beta[0].y, powers[1].y + back_powers[0].y - total_power);
            mass += q;
            blanks += q;
        }
        __syncwarp();
        mass = ctc_group_sum<W>(mass);
        blanks = ctc_group_sum<W>(blanks);
    }

    CTC_DEVICE void put(int c, unsigned emission, float posterior) {
        row[c] = (REAL)((ctc_plain(emission) * share - posterior) * upstream);
    }

    /* All threads of a warp have the same `from`, which is less than T. */
    CTC_DEVICE void run(int from) {
        const bool stored = from + (int)threadIdx.y < T;
        const int t = stored ? from + (int)threadIdx.y : T - 1;
        const int *labels = b.labels + (ctc_int)n * b.S + lane;
        const unsigned *emissions;
        float inverse;
        at = n * (int)b.T + t;
        row = (REAL *)b.gradient + n * b.stride_n + t * b.stride_t;
        emissions = b.emissions + at * (P + 2) + 2 + lane;
        add(t);
        inverse = ctc_inverse(mass);
        share = !b.normalize ? 0.0f
                             : ctc_inverse((float)(1 + b.statistics[at * 2 + 1])) *
                                   ctc_power_float(-(int)(b.blanks[at * 2 + 1] >> 16));
        if (!(fabsf(mass - total) < 1e-4f) && lane == 0) atomicOr(b.flags + n, CTC_AGAIN);
        CTC_NO_UNROLL for (int s = lane; s < S; s += W) {
            const int sum = sums[s];
            sums[s] = 0;
            if (stored && sum) put(*labels, *emissions, (float)sum * (inverse / CTC_UNIT));
            labels += W, emissions += W;
        }
        if (stored && lane == 0 && blanks > 0) put(b.blank, b.blanks[at * 2], blanks * inverse);
        __syncwarp(); /* before the next frame adds */
    }
};
#endif
