/* Kernel `posterior` of the fast path: the gradient of the classes that the target needs.
 *
 * A warp has a frame. Forward times backward variables, with their powers of two added as integers;
 * divided by their sum over the frame, which also takes away what rounding down has taken from the
 * words. That sum is the same in every frame: where it is not, the sequence is computed again. */
#ifndef CTC_POSTERIOR_H
#define CTC_POSTERIOR_H
#include "emission.h"

/* The sum of a class is an integer, in units of 2^-28, so it does not depend on the order. */
#define CTC_UNIT 268435456.0f

template <class REAL> struct ctc_posterior {
    const ctc_batch &b;
    const int n, P, T, S, lane, total_power, *first, *labels;
    const float total, upstream;
    int *sums;
    ctc_int at;                /* n * T + t */
    REAL *row;                 /* of this frame */
    float mass, blanks, share; /* share: of an emission in the softmax */

    CTC_DEVICE ctc_posterior(const ctc_batch &batch, int sequence, int *shared)
        : b(batch), n(sequence), P((int)batch.S + 2), T(batch.frames[n]), S(batch.counts[n]),
          lane(threadIdx.x & 31), total_power(batch.total_powers[n] + 2 * 1023),
          first(batch.first + n * batch.S), labels(batch.labels + n * batch.S),
          total((float)batch.totals[n]), upstream(ctc_upstream(batch, n)), sums(shared) {
        for (int s = lane; s < S; s += 32) sums[s] = 0;
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
        const uint2 *alpha = (const uint2 *)b.alpha + at * P,
                    *beta = (const uint2 *)b.beta + at * P;
        const int2 *powers = (const int2 *)b.alpha_powers + (n * halves + t / CTC_HALF) * P;
        const int2 *back_powers = (const int2 *)b.beta_powers + (n * halves + back / CTC_HALF) * P;
        mass = blanks = 0;
        CTC_NO_UNROLL for (int s = lane + 1; s <= S; s += 32) {
            const uint2 before = alpha[s];
            const int2 power = powers[s];
            float p = joint(before.x, beta[s].x, power.x + back_powers[s].x - total_power);
            float q = joint(before.y, beta[s - 1].y, power.y + back_powers[s - 1].y - total_power);
            mass += p + q;
            blanks += q;
            atomicAdd(sums + first[s - 1], (int)(fminf(p, 4.0f) * CTC_UNIT + 0.5f));
        }
        if (lane == 0) { /* the last blank */
            float q =
                joint(alpha[S + 1].y, beta[S].y, powers[S + 1].y + back_powers[S].y - total_power);
            mass += q;
            blanks += q;
        }
        __syncwarp();
        mass = ctc_warp_sum(mass);
        blanks = ctc_warp_sum(blanks);
    }

    CTC_DEVICE void put(int c, unsigned emission, float posterior) {
        row[c] = (REAL)((ctc_plain(emission) * share - posterior) * upstream);
    }

    CTC_DEVICE void run(int t) {
        const unsigned *emissions;
        float inverse;
        if (t >= T) return;
        at = n * (int)b.T + t;
        row = (REAL *)b.gradient + n * b.stride_n + t * b.stride_t;
        emissions = b.emissions + at * (P + 2) + 2;
        add(t);
        inverse = ctc_inverse(mass);
        share = !b.normalize ? 0.0f
                             : ctc_inverse((float)(1 + b.statistics[at * 2 + 1])) *
                                   ctc_power_float(-(int)(b.blanks[at * 2 + 1] >> 16));
        if (!(fabsf(mass - total) < 1e-4f) && lane == 0) atomicOr(b.flags + n, CTC_AGAIN);
        CTC_NO_UNROLL for (int s = lane; s < S; s += 32) {
            const int sum = sums[s];
            sums[s] = 0;
            if (sum) put(labels[s], emissions[s], (float)sum * (inverse / CTC_UNIT));
        }
        if (lane == 0 && blanks > 0) put(b.blank, b.blanks[at * 2], blanks * inverse);
        __syncwarp(); /* before the next frame adds */
    }
};
#endif
