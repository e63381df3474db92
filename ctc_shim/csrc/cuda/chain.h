/* Kernel `chain` of the fast path: forward or backward variables of one sequence.
 *
 * A thread has CTC_K labels and the blanks before them, cells that are doubles, each with a power
 * of two. A frame costs one shuffle, and five operations in double for a label and its blank,
 * without exp, maximum or memory on the way. Powers of two are taken anew every CTC_ROUND frames;
 * where emissions lie far apart, every CTC_HALF.
 *
 * The backward variables are the forward variables of the mirrored target on mirrored frames,
 * stored before the emission of their frame. So one text serves both, in two blocks at the same
 * time.
 *
 * A block has several warps where a target needs them. In a round a cell depends on CTC_ROUND
 * labels to its left at most. So each warp also computes the last CTC_ROUND labels of the warp
 * before, its ghosts, takes them over from it at the start of a round, and needs no barrier in
 * between.
 *
 * What a double cannot hold is found, not prevented: where a cell could lose digits or vanish
 * before powers are taken anew, the sequence is flagged, and the careful path computes it again. */
#ifndef CTC_CHAIN_H
#define CTC_CHAIN_H
#include "finish.h"

enum {
    /* Bits by which the power of a cell may be lower than that of a cell it gets something from.
     * What comes through CTC_ROUND cells in a round is then below 2^900. Twice as many where powers
     * live half a round. */
    CTC_DECAY = 880 / CTC_ROUND,
    CTC_DEEP = 256,            /* bits that a round may go down before powers are taken anew */
    CTC_LOWEST = -960,         /* a cell above 2^this is held exactly */
    CTC_UNREACHED = -(1 << 28) /* the exponent of 0, and the power of cells no path has reached */
};

#define CTC_PLACES CTC_UNROLL for (int i = 0; i < CTC_K; i++)

template <bool BACK> struct ctc_chain {
    const ctc_batch &b;
    const ctc_int n;
    const int lane, warp, T, S;
    const int first; /* place of the first label, counted from 1; 0, S + 1: only a blank, or none */
    double label[CTC_K], blank[CTC_K];
    int of_label[CTC_K], of_blank[CTC_K]; /* powers of two */
    /* Between powers of two: blank to label, label to the left to label, and to blank. */
    double inward[CTC_K], over[CTC_K], onward[CTC_K];
    bool skip[CTC_K]; /* may the blank before the label be left out? */
    bool kept[CTC_K]; /* cells are stored */
    bool mine;        /* not ghosts */
    int powers_of_frames, flags;
    unsigned words[CTC_ROUND][CTC_K]; /* emissions of the frames of this round that are to come, */
    const unsigned *emission;         /* and where those of the next are */
    uint2 of_lane;                    /* of the blank in frame `lane` of this round, */
    const uint2 *frame;               /* and where those of the next are */
    uint2 *row;
    int2 *powers;

    CTC_DEVICE ctc_chain(const ctc_batch &batch, ctc_int sequence)
        : b(batch), n(sequence), lane(threadIdx.x & 31), warp(threadIdx.x / 32),
          T(batch.frames[sequence]), S(batch.counts[sequence]),
          first(warp * (32 * CTC_K - CTC_ROUND) + lane * CTC_K) {
        const int slot = BACK ? S + 1 - first : first,
                  read = min(first, S + 1); /* beyond the row: an emission of 0 */
        const ctc_int begin = n * b.T + (BACK ? T - 1 : 0);
        emission = b.emissions + begin * (b.S + 4) + 1 + (BACK ? S + 1 - read : read);
        frame = (const uint2 *)b.blanks + begin;
        row = (uint2 *)(BACK ? b.beta : b.alpha) + begin * (b.S + 2) + slot;
        powers = (int2 *)(BACK ? b.beta_powers : b.alpha_powers) +
                 n * ((b.T + CTC_HALF - 1) / CTC_HALF) * (b.S + 2) + slot;
        mine = warp == 0 || lane * CTC_K >= CTC_ROUND;
        powers_of_frames = flags = 0;
        CTC_PLACES start(i, first + i);
    }
    CTC_DEVICE void start(int i, int place) {
        kept[i] = mine && place <= S + 1 && b.gradient;
        skip[i] = 2 <= place && place <= S && label_at(place) != label_at(place - 1);
        label[i] = 0;
        blank[i] = place == 1 ? 1 : 0;
        of_label[i] = of_blank[i] = 0;
    }
    CTC_DEVICE int label_at(int place) const {
        return b.labels[n * b.S + (BACK ? S - place : place - 1)];
    }
    CTC_DEVICE static int at(int i) { return BACK ? -i : i; }
    /* Moves a pointer by so many bytes, backwards if BACK. */
    template <class T> CTC_DEVICE static void advance(T **p, ctc_int bytes) {
        *p = (T *)((const char *)*p + (BACK ? -bytes : bytes));
    }

    /* Reads frame r of the next round. */
    CTC_DEVICE void fetch(int r) {
        CTC_PLACES words[r][i] = emission[at(i)];
        advance(&emission, b.emission_step);
    }
    /* Returns what this lane has of the next round; `count` frames are left. */
    CTC_DEVICE uint2 fetch_blanks(int count) {
        uint2 found = lane < CTC_ROUND && lane < count ? frame[at(lane)] : make_uint2(0, 0);
        frame += at(CTC_ROUND);
        return found;
    }

    /* Graves et al., equations (6)-(8) and (9)-(11). */
    CTC_DEVICE void step(int r) {
        double far = __shfl_up_sync(CTC_ALL_LANES, label[CTC_K - 1], 1);
        double of_blanks = ctc_number(__shfl_sync(CTC_ALL_LANES, of_lane.x, r));
        CTC_UNROLL for (int i = CTC_K - 1; i >= 0; i--) {
            double before = i ? label[i - 1] : far;
            double arriving = fma(before, over[i], fma(blank[i], inward[i], label[i]));
            double staying = fma(before, onward[i], blank[i]);
            label[i] = arriving * ctc_number(words[r][i]);
            blank[i] = staying * of_blanks;
            if (kept[i])
                row[at(i)] = BACK ? make_uint2(ctc_word_of(arriving), ctc_word_of(staying))
                                  : make_uint2(ctc_word_of(label[i]), ctc_word_of(blank[i]));
        }
        advance(&row, b.cell_step);
    }
    /* Half a round, from frame FROM of it on; each frame makes room for that of the next round.
     * ALL: both rounds are whole. Else `count` frames are left. */
    template <int FROM, bool ALL> CTC_DEVICE void half(int count) {
        CTC_PLACES if (kept[i]) powers[at(i)] = make_int2(of_label[i], of_blank[i]);
        powers = (int2 *)((char *)powers + b.cell_step);
        CTC_UNROLL for (int r = FROM; r < FROM + CTC_HALF; r++) {
            if (ALL || r < count) step(r);
            if (ALL || r + CTC_ROUND < count) fetch(r);
        }
    }

    CTC_DEVICE static int exponent(double cell, int power) {
        return __double2hiint(cell) >> 20 ? ctc_exponent(cell) + power : (int)CTC_UNREACHED;
    }
    /* From one power of two to another, at most 2 * CTC_DECAY lower. */
    CTC_DEVICE static double between(int from, int to) {
        return __hiloint2double((1023 + max(from - to, -1023)) << 20, 0);
    }
    /* The exponent of a cell; of a cell that is 0, the least of those that it waits for. */
    CTC_DEVICE static int awaited(int exponent, int other) {
        return exponent == CTC_UNREACHED ? other : exponent;
    }

    /* Takes the powers of two anew: that of the cell itself, or more where cells that it gets
     * something from are so much larger that this would overflow. `ahead`: bits that emissions can
     * take away until the next time. */
    CTC_DEVICE void rescale(int ahead, int decay) {
        int labels[CTC_K], blanks[CTC_K], power = CTC_UNREACHED, left, least = -CTC_UNREACHED;
        CTC_PLACES {
            labels[i] = exponent(label[i], of_label[i]);
            blanks[i] = exponent(blank[i], of_blank[i]);
            power = max(max(labels[i], blanks[i] - decay), power - decay);
        }
        CTC_UNROLL for (int d = 1; d < 32; d <<= 1) {
            int other = __shfl_up_sync(CTC_ALL_LANES, power, d);
            if (lane >= d) power = max(power, other - CTC_K * decay * d);
        }
        power = __shfl_up_sync(CTC_ALL_LANES, power, 1);
        left = __shfl_up_sync(CTC_ALL_LANES, labels[CTC_K - 1], 1);
        if (lane == 0) power = left = CTC_UNREACHED;
        CTC_PLACES {
            least = min(least, rescale_pair(i, labels[i], blanks[i], left, power, decay));
            left = labels[i];
            power = of_label[i];
        }
        if (mine && least < CTC_LOWEST + ahead) flags |= BACK ? CTC_AGAIN_GRADIENT : CTC_AGAIN;
    }
    /* own, of_zero, left: exponents of the label, its blank, and the label to the left, which has
     * the power left_power. Returns the bits at which digits can get lost. */
    CTC_DEVICE int rescale_pair(int i, int own, int of_zero, int left, int left_power, int decay) {
        const int never = -CTC_UNREACHED,
                  power = max(max(own, of_zero - decay), left_power - decay),
                  blank_power = max(of_zero, left_power - decay);
        label[i] *= ctc_power(of_label[i] - power);
        blank[i] *= ctc_power(of_blank[i] - blank_power);
        of_label[i] = power;
        of_blank[i] = blank_power;
        inward[i] = between(blank_power, power);
        over[i] = skip[i] ? between(left_power, power) : 0;
        onward[i] = between(left_power, blank_power);
        left = awaited(left, never);
        of_zero = awaited(of_zero, never);
        own = awaited(own, skip[i] ? min(of_zero, left) : of_zero);
        return min(own - power, (of_zero == never ? left : of_zero) - blank_power);
    }

    /* Ghosts take over the cells of the warp before. One barrier: rounds take turns with memory. */
    CTC_DEVICE void meet(int turn) {
        __shared__ double2 cells[2][CTC_WARPS][CTC_ROUND];
        __shared__ int2 shared[2][CTC_WARPS][CTC_ROUND];
        const int last = lane * CTC_K - (32 * CTC_K - CTC_ROUND);
        CTC_PLACES if (last >= 0) {
            cells[turn][warp][last + i] = make_double2(label[i], blank[i]);
            shared[turn][warp][last + i] = make_int2(of_label[i], of_blank[i]);
        }
        __syncthreads();
        CTC_PLACES if (!mine) {
            const double2 cell = cells[turn][warp - 1][lane * CTC_K + i];
            const int2 power = shared[turn][warp - 1][lane * CTC_K + i];
            label[i] = cell.x, blank[i] = cell.y;
            of_label[i] = power.x, of_blank[i] = power.y;
        }
    }

    template <bool ALL> CTC_DEVICE void round(int count) {
        const uint2 next = fetch_blanks(count - CTC_ROUND);
        int depth = (int)(of_lane.y & 0xffff), early, late;
        bool twice;
        powers_of_frames += (int)(of_lane.y >> 16);
        depth = ctc_group_sum<CTC_HALF>(depth);
        early = __shfl_sync(CTC_ALL_LANES, depth, 0);
        late = __shfl_sync(CTC_ALL_LANES, depth, CTC_HALF);
        twice = early + late > CTC_DEEP;
        rescale(twice ? early : early + late, twice ? 2 * CTC_DECAY : CTC_DECAY);
        half<0, ALL>(count);
        if (ALL || count > CTC_HALF) {
            if (twice) rescale(late, 2 * CTC_DECAY);
            half<CTC_HALF, ALL>(count);
        }
        of_lane = next;
    }

    CTC_DEVICE void run() {
        CTC_UNROLL for (int r = 0; r < CTC_ROUND; r++) if (r < T) fetch(r);
        of_lane = fetch_blanks(T);
        for (int t = 0; t < T; t += CTC_ROUND) {
            if (blockDim.x > 32 && t) meet(t / CTC_ROUND & 1);
            if (T - t >= 2 * CTC_ROUND) round<true>(T - t);
            else round<false>(T - t);
        }
        if (flags) atomicOr(b.flags + n, flags);
        if (!BACK) finish();
    }

    /* A path ends in the last label or in the blank after it. */
    CTC_DEVICE void finish() {
        __shared__ ctc_end ends[2];
        CTC_PLACES {
            if (mine && first + i == S) ends[0] = ctc_end_of(label[i], of_label[i]);
            if (mine && first + i == S + 1) ends[1] = ctc_end_of(blank[i], of_blank[i]);
        }
        __syncthreads();
        if (warp == 0) ctc_finish(b, n, ends[0], ends[1], ctc_warp_sum(powers_of_frames));
    }
};
#endif
