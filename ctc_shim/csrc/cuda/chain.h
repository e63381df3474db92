/* Kernel `chain` of the fast path: forward or backward variables of one sequence.
 *
 * A thread has one label and the blank before it: two doubles, each with a power of two. A frame
 * costs one shuffle and five operations in double, without exp, maximum or memory on the way.
 * Powers of two are taken anew every CTC_ROUND frames; where emissions lie far apart, every
 * CTC_HALF.
 *
 * The backward variables are the forward variables of the mirrored target on mirrored frames,
 * stored before the emission of their frame. So one text serves both, in two blocks at the same
 * time.
 *
 * A block has several warps where a target needs them. In a round a cell depends on CTC_ROUND cells
 * to its left at most. So each warp also computes the last CTC_ROUND pairs of the warp before, its
 * ghosts, takes them over from it at the start of a round, and needs no barrier in between.
 *
 * What a double cannot hold is found, not prevented: where a cell could lose digits or vanish
 * before powers are taken anew, the sequence is flagged, and the careful chain computes it again.
 */
#ifndef CTC_CHAIN_H
#define CTC_CHAIN_H
#include "finish.h"

enum {
    /* Bits by which the power of a cell may be lower than that of a cell it gets something from.
     * What comes through CTC_ROUND cells in a round is then below 2^900. Twice as many where powers
     * live half a round. */
    CTC_DECAY = 110,
    CTC_DEEP = 500,             /* bits that a round may go down before powers are taken anew */
    CTC_LOWEST = -960,          /* a cell above 2^this is held exactly */
    CTC_UNREACHED = -(1 << 28), /* the power of two of cells that no path has reached */
    CTC_NOTHING = 4096          /* the bits of a cell that is 0 */
};

template <bool BACK> struct ctc_chain {
    const ctc_batch &b;
    const ctc_int n;
    const int lane, warp, warps, T, S;
    const int place; /* the label, counted from 1 on; 0 and S + 1: only a blank, or none */
    const bool mine; /* not a ghost, and in the row */
    const bool kept; /* rows are stored */
    const bool skip; /* may the blank before the label be left out? */
    double label, blank;
    int of_label, of_blank; /* powers of two */
    /* Between powers of two: blank to label, label to the left to label, and to blank. */
    double inward, over, onward;
    int powers_of_frames, flags;
    const unsigned *emission; /* of the next frames to be fetched */
    const uint2 *frame;
    uint2 *row;
    int2 *powers;

    CTC_DEVICE ctc_chain(const ctc_batch &batch, ctc_int sequence)
        : b(batch), n(sequence), lane(threadIdx.x & 31), warp(threadIdx.x / 32),
          warps(blockDim.x / 32), T(batch.frames[sequence]), S(batch.counts[sequence]),
          place(warp * (32 - CTC_ROUND) + lane),
          mine((warp == 0 || lane >= CTC_ROUND) && place <= S + 1), kept(mine && batch.gradient),
          skip(2 <= place && place <= S && label_at(place) != label_at(place - 1)) {
        const int slot = min(BACK ? S + 1 - place : place, S + 1);
        const ctc_int P = b.S + 2, begin = n * b.T + (BACK ? T - 1 : 0);
        /* Threads beyond the row read an emission that is 0. */
        emission = b.emissions + begin * P + max(slot, 0);
        frame = (const uint2 *)b.blanks + begin;
        row = (uint2 *)(BACK ? b.beta : b.alpha) + begin * P + slot;
        powers = (int2 *)(BACK ? b.beta_powers : b.alpha_powers) +
                 n * ((b.T + CTC_HALF - 1) / CTC_HALF) * P + slot;
        label = 0;
        blank = place == 1 ? 1 : 0;
        of_label = of_blank = powers_of_frames = flags = 0;
        inward = over = onward = 0;
    }
    CTC_DEVICE int label_at(int which) const {
        return b.labels[n * b.S + (BACK ? S - which : which - 1)];
    }

    /* Reads the emissions of a round. ALL: it is whole; else `count` frames are left. */
    template <bool ALL> CTC_DEVICE void fetch(int count, unsigned *words, uint2 *of_lane) {
        const int step = BACK ? -(int)(b.S + 2) : (int)(b.S + 2);
        CTC_UNROLL for (int r = 0; r < CTC_ROUND; r++) words[r] =
            ALL || r < count ? emission[r * step] : 0;
        of_lane->x = of_lane->y = 0;
        if (lane < CTC_ROUND && (ALL || lane < count)) *of_lane = frame[BACK ? -lane : lane];
        emission += CTC_ROUND * step;
        frame += BACK ? -CTC_ROUND : CTC_ROUND;
    }

    /* Half a round, from frame FROM of it on: Graves et al., equations (6)-(8), (9)-(11). */
    template <int FROM, bool ALL>
    CTC_DEVICE void half(int count, const unsigned *words, uint2 of_lane) {
        const int step = BACK ? -(int)(b.S + 2) : (int)(b.S + 2);
        if (kept) *powers = make_int2(of_label, of_blank);
        powers += b.S + 2;
        CTC_UNROLL for (int r = FROM; r < FROM + CTC_HALF; r++) {
            if (!ALL && r >= count) break;
            double before = __shfl_up_sync(CTC_ALL_LANES, label, 1);
            double of_blanks = ctc_number(__shfl_sync(CTC_ALL_LANES, of_lane.x, r));
            double arriving = fma(before, over, fma(blank, inward, label));
            double staying = fma(before, onward, blank);
            label = arriving * ctc_number(words[r]);
            blank = staying * of_blanks;
            if (kept)
                row[r * step] = BACK ? make_uint2(ctc_word_of(arriving), ctc_word_of(staying))
                                     : make_uint2(ctc_word_of(label), ctc_word_of(blank));
        }
    }

    /* The power of two of a cell, and the cell divided by it. */
    CTC_DEVICE static int own(double cell, int power) {
        return __double2hiint(cell) >> 20 ? ctc_exponent(cell) + power : (int)CTC_UNREACHED;
    }
    /* Divides a cell by a power. Returns the bits that are left of it, at most 0. */
    CTC_DEVICE static int divide(double *cell, int own, int old, int power) {
        *cell *= own > CTC_UNREACHED / 2 ? ctc_power(old - power) : 0;
        return own > CTC_UNREACHED / 2 ? own - power : (int)CTC_NOTHING;
    }
    /* Does what a cell sends to another one, which is 0, come through? */
    CTC_DEVICE static bool gets_lost(int bits, int from, int to, int ahead) {
        return bits < CTC_NOTHING && bits + from - to - ahead < CTC_LOWEST - 40;
    }
    CTC_DEVICE static double between(int from, int to) {
        return from > CTC_UNREACHED / 2 ? ctc_power(from - to) : 0;
    }

    /* Takes the powers of two anew: that of the cell itself, or more where cells that it gets
     * something from are so much larger that this would overflow. `ahead`: bits that emissions can
     * take away until the next time. */
    CTC_DEVICE void rescale(int ahead, int decay) {
        const int own_label = own(label, of_label), own_blank = own(blank, of_blank);
        int next = max(own_label, own_blank - decay), left, bits, blank_bits, left_bits;
        bool risk;
        CTC_UNROLL for (int d = 1; d < 32; d <<= 1) {
            int other = __shfl_up_sync(CTC_ALL_LANES, next, d);
            if (lane >= d) next = max(next, other - decay * d);
        }
        left = __shfl_up_sync(CTC_ALL_LANES, next, 1);
        left = lane ? left : (int)CTC_UNREACHED;
        bits = divide(&label, own_label, of_label, next);
        of_label = next;
        next = max(own_blank, left - decay);
        blank_bits = divide(&blank, own_blank, of_blank, next);
        of_blank = next;
        left_bits = __shfl_up_sync(CTC_ALL_LANES, bits, 1);
        left_bits = lane ? left_bits : (int)CTC_NOTHING;
        inward = between(of_blank, of_label);
        over = skip ? between(left, of_label) : 0;
        onward = between(left, of_blank);
        risk = min(bits, blank_bits) - ahead < CTC_LOWEST;
        if (bits == CTC_NOTHING && 1 <= place && place <= S)
            risk |= gets_lost(blank_bits, of_blank, of_label, ahead) ||
                    (skip && gets_lost(left_bits, left, of_label, ahead));
        if (blank_bits == CTC_NOTHING && 1 <= place)
            risk |= gets_lost(left_bits, left, of_blank, ahead);
        if (risk && mine) flags |= BACK ? CTC_AGAIN_GRADIENT : CTC_AGAIN;
    }

    /* Ghosts take over the cells of the warp before. One barrier: rounds take turns with memory. */
    CTC_DEVICE void meet(int round) {
        __shared__ double labels[2][CTC_WARPS][CTC_ROUND], blanks[2][CTC_WARPS][CTC_ROUND];
        __shared__ int2 shared[2][CTC_WARPS][CTC_ROUND];
        const int turn = round & 1, last = lane - (32 - CTC_ROUND);
        if (last >= 0) {
            labels[turn][warp][last] = label;
            blanks[turn][warp][last] = blank;
            shared[turn][warp][last] = make_int2(of_label, of_blank);
        }
        __syncthreads();
        if (warp && lane < CTC_ROUND) {
            label = labels[turn][warp - 1][lane];
            blank = blanks[turn][warp - 1][lane];
            of_label = shared[turn][warp - 1][lane].x;
            of_blank = shared[turn][warp - 1][lane].y;
        }
    }

    /* A round: ALL as above. */
    template <bool ALL> CTC_DEVICE void round(int count, const unsigned *words, uint2 of_lane) {
        int depth = (int)(of_lane.y & 0xffff), first, second;
        bool twice;
        powers_of_frames += (int)(of_lane.y >> 16);
        depth += __shfl_xor_sync(CTC_ALL_LANES, depth, 1);
        depth += __shfl_xor_sync(CTC_ALL_LANES, depth, 2);
        first = __shfl_sync(CTC_ALL_LANES, depth, 0);
        second = __shfl_sync(CTC_ALL_LANES, depth, CTC_HALF);
        twice = first + second > CTC_DEEP;
        rescale(twice ? first : first + second, twice ? 2 * CTC_DECAY : CTC_DECAY);
        half<0, ALL>(count, words, of_lane);
        if (ALL || count > CTC_HALF) {
            if (twice) rescale(second, 2 * CTC_DECAY);
            half<CTC_HALF, ALL>(count, words, of_lane);
        }
        row += CTC_ROUND * (BACK ? -(b.S + 2) : b.S + 2);
    }

    CTC_DEVICE void run() {
        unsigned words[CTC_ROUND], next[CTC_ROUND];
        uint2 of_lane, of_lane_next;
        fetch<false>(T, words, &of_lane);
        for (int t = 0; t < T; t += CTC_ROUND) {
            const int count = T - t;
            if (count >= 2 * CTC_ROUND) fetch<true>(0, next, &of_lane_next);
            else fetch<false>(count - CTC_ROUND, next, &of_lane_next);
            if (warps > 1 && t) meet(t / CTC_ROUND);
            if (count >= CTC_ROUND) round<true>(0, words, of_lane);
            else round<false>(count, words, of_lane);
            CTC_UNROLL for (int r = 0; r < CTC_ROUND; r++) words[r] = next[r];
            of_lane = of_lane_next;
        }
        if (flags) atomicOr(b.flags + n, flags);
        if (!BACK)
            ctc_finish(b, n, mine, place, label, of_label, blank, of_blank, powers_of_frames);
    }
};
#endif
