/* Kernel `posterior` of the fast path: the gradient of the classes that the target needs.
 *
 * A warp has a frame. Forward times backward variables, with their powers of two added as integers;
 * divided by their sum over the frame, which also takes away what rounding down has taken from the
 * words. That sum is the same in every frame: where it is not, the sequence is computed again. */
#ifndef CTC_POSTERIOR_H
#define CTC_POSTERIOR_H
#include "emission.h"

/* The sum of a class is an integer, in units of 2^-30, so it does not depend on the order. */
#define CTC_UNIT 1073741824.0f

template <class REAL> struct ctc_posterior {
    const ctc_batch &b;
    const ctc_int n, P, at; /* at: n * T + t */
    const int S, lane, *first, *labels;
    REAL *row;
    int *sums;
    float mass, blanks, share, upstream, of_power;

    CTC_DEVICE ctc_posterior(const ctc_batch &batch, ctc_int sequence, int t, int *shared)
        : b(batch), n(sequence), P(batch.S + 2), at(sequence * batch.T + t), S(batch.counts[n]),
          lane(threadIdx.x & 31), first(batch.first + n * batch.S),
          labels(batch.labels + n * batch.S),
          row((REAL *)batch.gradient + n * batch.stride_n + t * batch.stride_t), sums(shared),
          mass(0), blanks(0) {}

    /* alpha * beta / total */
    CTC_DEVICE float joint(unsigned alpha, unsigned beta, int power, float inverse) {
        float mantissas = ctc_float(0x3f800000u | (alpha & 0xfffff) << 3) *
                          ctc_float(0x3f800000u | (beta & 0xfffff) << 3);
        power += (int)(alpha >> 20) + (int)(beta >> 20) - 2 * 1023;
        return alpha && beta ? mantissas * ctc_power_float(power) * inverse : 0.0f;
    }

    /* Adds the posteriors of the frame up by class. */
    CTC_DEVICE void add(int t) {
        const int halves = (int)((b.T + CTC_HALF - 1) / CTC_HALF), back = b.frames[n] - 1 - t;
        const uint2 *alpha = (const uint2 *)b.alpha + at * P,
                    *beta = (const uint2 *)b.beta + at * P;
        const int2 *powers = (const int2 *)b.alpha_powers + (n * halves + t / CTC_HALF) * P;
        const int2 *back_powers = (const int2 *)b.beta_powers + (n * halves + back / CTC_HALF) * P;
        const float inverse = 1.0f / (float)b.totals[n];
        const int total = b.total_powers[n];
        for (int s = lane; s < S; s += 32) sums[s] = 0;
        __syncwarp();
        for (int s = lane; s <= S; s += 32) {
            uint2 after = beta[s];
            int2 power = back_powers[s];
            float p = s ? joint(alpha[s].x, after.x, powers[s].x + power.x - total, inverse) : 0.0f;
            float q = joint(alpha[s + 1].y, after.y, powers[s + 1].y + power.y - total, inverse);
            mass += p + q;
            blanks += q;
            if (s) atomicAdd(sums + first[s - 1], (int)(fminf(p, 1.5f) * CTC_UNIT + 0.5f));
        }
        __syncwarp();
        mass = ctc_warp_sum(mass);
        blanks = ctc_warp_sum(blanks);
    }

    CTC_DEVICE void put(int c, unsigned emission, float posterior) {
        float p = b.normalize ? ctc_plain(emission) * of_power * share : 0.0f;
        row[c] = (REAL)((p - posterior) * upstream);
    }

    CTC_DEVICE void run(int t) {
        const unsigned *emissions = b.emissions + at * (b.S + 4) + 2;
        float inverse;
        add(t);
        inverse = 1.0f / mass;
        share = 1.0f / (float)(1 + b.statistics[at * 2 + 1]);
        upstream = ctc_upstream(b, n);
        of_power = ctc_power_float(-(int)(b.blanks[at * 2 + 1] >> 16));
        if (!(fabsf(mass - 1) < 1e-4f) && lane == 0) atomicOr(b.flags + n, CTC_AGAIN);
        for (int s = lane; s < S; s += 32)
            if (first[s] == s && sums[s])
                put(labels[s], emissions[s], (float)sums[s] * (inverse / CTC_UNIT));
        if (lane == 0 && blanks > 0) put(b.blank, b.blanks[at * 2], blanks * inverse);
        __syncwarp(); /* before the next frame adds */
    }
};
#endif
