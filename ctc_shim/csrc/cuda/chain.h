/* Kernels `chain` of the fast path: forward and backward variables of a sequence, and posteriors.
 *
 * A frame costs one shuffle, and five operations in double for a label and its blank, without exp,
 * maximum or memory on the way.
 *
 * The backward variables are the forward variables of the mirrored target on mirrored frames. So
 * one text serves both, in two blocks at the same time. The first kernel lets each go through half
 * of the frames, from its end of the sequence to the middle, and stores the variables of labels, as
 * words. There they meet: the sum over all paths is known. In the second kernel each goes on
 * through the other half, where it finds the words of the other, and replaces them by posteriors.
 * Forward variables are stored after the emission of their frame, backward ones before it. */
#ifndef CTC_CHAIN_H
#define CTC_CHAIN_H
#include "finish.h"

template <int R, bool BACK, bool SECOND> struct ctc_chain {
    static const int K = CTC_K, PARTS = R / CTC_PART, DECAY = CTC_DECAY / R,
                     DECAY_OF_PART = CTC_DECAY / CTC_PART;
    const ctc_batch &b;
    const ctc_int n;
    ctc_scaled<R> cells;
    const int T, S, places, begin; /* begin: place of the first label, counted in this direction */
    const int rounds;              /* of this kernel */
    ctc_lattice<R, BACK, SECOND> rows;
    double near[K], away[K]; /* 2^(power of this cell + of theirs - of the sum), in two parts */
    ctc_end total;
    int depth[PARTS]; /* bits that each part of the round can go down */

    CTC_DEVICE ctc_chain(const ctc_batch &batch, ctc_int sequence)
        : b(batch), n(sequence), T(ctc_round_up(batch.frames[sequence], R)),
          S(batch.counts[sequence]), places(ctc_round_up(S + 2, CTC_K)),
          begin(BACK ? places - 1 - S : 1), rounds(rounds_of(SECOND)),
          rows(batch, sequence, start(), cells.first, places, cells.mine) {
        CTC_PLACES {
            const int place = cells.first + i;
            cells.skip[i] =
                begin < place && place < begin + S && label_at(place) != label_at(place - 1);
            cells.label[i] = 0;
            cells.blank[i] = place == begin ? 1 : 0;
            cells.of_label[i] = cells.of_blank[i] = 0;
        }
    }
    /* Forwards has one more round first, backwards then, where the number is odd. */
    CTC_DEVICE int rounds_of(bool second) const { return (T / R + (BACK == second ? 1 : 0)) / 2; }
    /* The first frame of this kernel. */
    CTC_DEVICE int start() const {
        const int done = SECOND ? rounds_of(false) * R : 0;
        return BACK ? T - 1 - done : done;
    }
    CTC_DEVICE int label_at(int place) const {
        return b.labels[n * b.S + (BACK ? places - 2 - place : place - 1)];
    }

    CTC_DEVICE void step(int r) {
        const double far = cells.left_of_lane(),
                     of_blanks = ctc_number(__shfl_sync(CTC_ALL_LANES, rows.of_lane.x, r));
        unsigned stored[K];
        CTC_UNROLL for (int i = K - 1; i >= 0; i--) {
            const double before = i ? cells.label[i ? i - 1 : 0] : far,
                         arriving = cells.arriving(i, before);
            cells.blank[i] = cells.staying(i, before) * of_blanks;
            cells.label[i] = arriving * ctc_number(rows.words[r][i]);
            const double cell = BACK ? arriving : cells.label[i];
            if (SECOND)
                stored[i] = (unsigned)__double2loint(
                    fma(cell * near[i], ctc_number(rows.theirs[SECOND ? r : 0][i]) * away[i],
                        CTC_UNITS));
            else stored[i] = ctc_word_of(cell);
        }
        rows.put_row(stored);
    }

    /* A part of a round; each frame makes room for that of the next round. */
    CTC_DEVICE void part(int p) {
        if (SECOND) CTC_PLACES {
                const int power = cells.of_label[i] + rows.their_powers[p][i] - total.power;
                near[i] = ctc_power(power >> 1);
                away[i] = ctc_power(power - (power >> 1));
            }
        else rows.put_powers(cells.of_label);
        CTC_UNROLL for (int r = p * CTC_PART; r < (p + 1) * CTC_PART; r++) {
            step(r);
            rows.fetch(r);
        }
    }

    CTC_DEVICE void measure(uint2 next) {
        const int bits = ctc_group_sum<CTC_PART>((int)(next.y & 0xffff));
        CTC_UNROLL for (int p = 0; p < PARTS; p++) depth[p] =
            __shfl_sync(CTC_ALL_LANES, bits, p * CTC_PART);
    }

    CTC_DEVICE void round(bool last) {
        int all = 0;
        uint2 next;
        bool deep;
        CTC_UNROLL for (int p = 0; p < PARTS; p++) all += depth[p];
        deep = all > CTC_DEEP * R;
        if (last) rows.go_back();
        next = rows.fetch_blanks();
        CTC_UNROLL for (int p = 0; p < PARTS; p++) {
            if (deep || p == 0) cells.rescale(deep ? depth[p] : all, deep ? DECAY_OF_PART : DECAY);
            if (p == PARTS - 1) measure(next);
            part(p);
        }
        rows.of_lane = next;
    }

    /* All rounds of this kernel. */
    CTC_DEVICE void run() {
        if (!rounds) return;
        CTC_UNROLL for (int r = 0; r < R; r++) rows.fetch(r);
        rows.of_lane = rows.fetch_blanks();
        measure(rows.of_lane);
        for (int i = 0; i < rounds; i++) {
            if (blockDim.x > 32 && i) cells.take_over(i & 1);
            round(i + 1 == rounds);
        }
    }

    /* The cells in the middle, in places of this direction. */
    CTC_DEVICE ctc_int middle(bool back) const { return (n * 2 + back) * b.places; }
    CTC_DEVICE void save() const {
        double2 *cell = (double2 *)b.middle + middle(BACK) + cells.first;
        int2 *power = (int2 *)b.middle_powers + middle(BACK) + cells.first;
        CTC_PLACES if (cells.mine && rows.inside) {
            cell[i] = make_double2(cells.label[i], cells.blank[i]);
            power[i] = make_int2(cells.of_label[i], cells.of_blank[i]);
        }
    }
    CTC_DEVICE void load() {
        const ctc_int at = middle(BACK) + cells.first;
        CTC_PLACES if (rows.inside)
            cells.get(i, (const double2 *)b.middle + at, (const int2 *)b.middle_powers + at);
    }

    /* Finds the sum over all paths: each goes from a cell of this direction to one of the other. */
    CTC_DEVICE void meet() {
        const double2 *cell = (const double2 *)b.middle + middle(!BACK) + places - 1 - cells.first;
        const int2 *power =
            (const int2 *)b.middle_powers + middle(!BACK) + places - 1 - cells.first;
        double far;
        cells.rescale(0, DECAY);
        far = cells.left_of_lane();
        total = ctc_end_of(0, 0);
        CTC_PLACES {
            const double before = i ? cells.label[i ? i - 1 : 0] : far;
            if (!rows.inside || !cells.mine) continue;
            total = ctc_sum_of(total, ctc_product_of(cells.arriving(i, before), cells.of_label[i],
                                                     cell[-i].x, power[-i].x));
            if (cells.first + i) /* a blank lies before its label in either direction */
                total =
                    ctc_sum_of(total, ctc_product_of(cells.staying(i, before), cells.of_blank[i],
                                                     cell[1 - i].y, power[1 - i].y));
        }
        total = ctc_sum_of_block(total);
    }

    /* At its end, each direction has the sum over all paths once more, and by itself. */
    CTC_DEVICE void check() const {
        __shared__ ctc_end ends[2];
        CTC_PLACES if (cells.mine) {
            const int place = cells.first + i - S;
            if (place == begin - 1) ends[0] = ctc_end_of(cells.label[i], cells.of_label[i]);
            if (place == begin) ends[1] = ctc_end_of(cells.blank[i], cells.of_blank[i]);
        }
        __syncthreads();
        const ctc_end found = ctc_sum_of(ends[0], ends[1]);
        const double ratio = found.cell / total.cell * ctc_power(found.power - total.power);
        if (!(fabs(ratio - 1) < 1e-6)) atomicOr(b.flags + n, CTC_AGAIN);
    }
};

template <int R, bool BACK> CTC_DEVICE void ctc_first_half(const ctc_batch &b, ctc_int n) {
    ctc_chain<R, BACK, false> chain(b, n);
    chain.run();
    chain.save();
    if (chain.cells.lost) atomicOr(b.flags + n, CTC_AGAIN);
}

template <int R, bool BACK> CTC_DEVICE void ctc_second_half(const ctc_batch &b, ctc_int n) {
    ctc_chain<R, BACK, true> chain(b, n);
    chain.load();
    chain.meet();
    if (!(chain.total.cell > 0)) return; /* ctc_loss flags it */
    chain.run();
    chain.check();
    if (chain.cells.lost) atomicOr(b.flags + n, CTC_AGAIN_GRADIENT);
}

template <int R> CTC_DEVICE void ctc_loss(const ctc_batch &b, ctc_int n) {
    ctc_chain<R, false, true> chain(b, n);
    chain.load();
    chain.meet();
    if (chain.cells.lost) atomicOr(b.flags + n, CTC_AGAIN);
    if (chain.cells.warp == 0) ctc_finish(b, n, chain.total);
}
#endif
