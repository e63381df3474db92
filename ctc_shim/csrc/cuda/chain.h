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
 * Forward variables are stored after the emission of their frame, backward ones before it.
 *
 * Rows of the lattice have whole rounds of frames: frames of padding, which change nothing, fill up
 * the last round. A row is indexed by places of the forward direction: label s is at place s. */
#ifndef CTC_CHAIN_H
#define CTC_CHAIN_H
#include "finish.h"

struct alignas(4 * CTC_K) ctc_pack {
    unsigned word[CTC_K];
};

template <int R, bool BACK, bool SECOND> struct ctc_chain {
    static const int K = CTC_K, PARTS = R / CTC_PART, DECAY = CTC_DECAY / R,
                     DECAY_OF_PART = CTC_DECAY / CTC_PART;
    const ctc_batch &b;
    const ctc_int n;
    ctc_scaled<R> cells;
    const int T, S, places, begin; /* begin: place of the first label, counted in this direction */
    const int rounds;              /* of this kernel */
    const bool inside, kept;       /* this thread has places; it stores */
    unsigned words[R][K];          /* emissions of the frames of this round that are to come, */
    const unsigned *emission;      /* and where those of the next are; so for all that follow */
    uint2 of_lane;                 /* of the blank in frame `lane` of this round */
    const uint2 *frame;
    unsigned theirs[SECOND ? R : 1][K]; /* words of the other direction */
    int their_powers[PARTS][K];
    const unsigned *their_row;
    unsigned *row, *powers;
    double near[K], away[K]; /* 2^(power of this cell + of theirs - of the sum), in two parts */
    ctc_end total;
    int depth[PARTS]; /* bits that each part of the round can go down */

    CTC_DEVICE ctc_chain(const ctc_batch &batch, ctc_int sequence)
        : b(batch), n(sequence), T(batch.frames[sequence]), S(batch.counts[sequence]),
          places(ctc_round_up(S + 2, CTC_K)), begin(BACK ? places - 1 - S : 1),
          rounds(rounds_of(SECOND)), inside(cells.first < places),
          kept(inside && cells.mine && batch.gradient) {
        const int done = SECOND ? rounds_of(false) * R : 0,
                  t = BACK ? ctc_round_up(T, R) - 1 - done : done,
                  slot = BACK ? places - K - cells.first : cells.first;
        const ctc_int at = n * b.rows + t, step = b.places;
        emission = b.emissions + at * step + slot;
        row = b.lattice + at * step + slot;
        their_row = row;
        powers = b.powers + (n * (b.rows / CTC_PART) + t / CTC_PART) * step + slot;
        frame = (const uint2 *)b.blanks + at;
        CTC_PLACES {
            const int place = cells.first + i;
            cells.skip[i] =
                begin < place && place < begin + S && label_at(place) != label_at(place - 1);
            cells.label[i] = 0;
            cells.blank[i] = place == begin ? 1 : 0;
            cells.of_label[i] = cells.of_blank[i] = 0;
            CTC_UNROLL for (int r = 0; r < R; r++) words[r][i] = 0;
        }
    }
    /* Forwards has one more round first, backwards then, where the number is odd. */
    CTC_DEVICE int rounds_of(bool second) const {
        return (ctc_round_up(T, R) / R + (BACK == second ? 1 : 0)) / 2;
    }
    CTC_DEVICE int label_at(int place) const {
        return b.labels[n * b.S + (BACK ? places - 2 - place : place - 1)];
    }
    CTC_DEVICE static int at(int i) { return BACK ? K - 1 - i : i; }
    /* Moves a pointer to another frame or round, backwards if BACK. */
    template <class X> CTC_DEVICE void advance(X **p, int steps) const {
        *p += (BACK ? -steps : steps) * b.places;
    }

    /* Reads frame r of the next round. */
    CTC_DEVICE void fetch(int r) {
        if (inside) get(words[r], emission);
        advance(&emission, 1);
        if (!SECOND) return;
        if (kept) get(theirs[SECOND ? r : 0], their_row);
        advance(&their_row, 1);
        if (r % CTC_PART) return;
        if (kept) get((unsigned *)their_powers[r / CTC_PART], powers);
        advance(&powers, 1);
    }
    CTC_DEVICE static void get(unsigned *to, const unsigned *from) {
        const ctc_pack found = *(const ctc_pack *)from;
        CTC_PLACES to[i] = found.word[at(i)];
    }
    CTC_DEVICE void put(unsigned *to, const unsigned *from) const {
        ctc_pack given;
        CTC_PLACES given.word[at(i)] = from[i];
        if (kept) *(ctc_pack *)to = given;
    }
    /* Of the next round: what this lane has of the blanks. */
    CTC_DEVICE uint2 fetch_blanks() {
        const uint2 found =
            cells.lane < R ? frame[BACK ? -cells.lane : cells.lane] : make_uint2(0, 0);
        frame += BACK ? -R : R;
        return found;
    }
    /* After the last round there is no next one: it is read once more. */
    CTC_DEVICE void go_back() {
        advance(&emission, -R);
        frame -= BACK ? -R : R;
        if (!SECOND) return;
        advance(&their_row, -R);
        advance(&powers, -PARTS);
    }

    CTC_DEVICE void step(int r) {
        const double far = cells.left_of_lane(),
                     of_blanks = ctc_number(__shfl_sync(CTC_ALL_LANES, of_lane.x, r));
        unsigned stored[K];
        CTC_UNROLL for (int i = K - 1; i >= 0; i--) {
            const double before = i ? cells.label[i ? i - 1 : 0] : far,
                         arriving = cells.arriving(i, before);
            cells.blank[i] = cells.staying(i, before) * of_blanks;
            cells.label[i] = arriving * ctc_number(words[r][i]);
            const double cell = BACK ? arriving : cells.label[i];
            if (SECOND) /* the last digits of the sum are the posterior in units of 2^-28 */
                stored[i] = (unsigned)__double2loint(fma(
                    cell * near[i], ctc_number(theirs[SECOND ? r : 0][i]) * away[i], 25165824.0));
            else stored[i] = ctc_word_of(cell);
        }
        put(row, stored);
        advance(&row, 1);
    }

    /* A part of a round; each frame makes room for that of the next round. */
    CTC_DEVICE void part(int p) {
        if (SECOND) CTC_PLACES {
                const int power = cells.of_label[i] + their_powers[p][i] - total.power;
                near[i] = ctc_power(power >> 1);
                away[i] = ctc_power(power - (power >> 1));
            }
        else {
            put(powers, (const unsigned *)cells.of_label);
            advance(&powers, 1);
        }
        CTC_UNROLL for (int r = p * CTC_PART; r < (p + 1) * CTC_PART; r++) {
            step(r);
            fetch(r);
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
        if (last) go_back();
        next = fetch_blanks();
        CTC_UNROLL for (int p = 0; p < PARTS; p++) {
            if (deep || p == 0) cells.rescale(deep ? depth[p] : all, deep ? DECAY_OF_PART : DECAY);
            if (p == PARTS - 1) measure(next);
            part(p);
        }
        of_lane = next;
    }

    /* All rounds of this kernel. */
    CTC_DEVICE void run() {
        if (!rounds) return;
        CTC_UNROLL for (int r = 0; r < R; r++) fetch(r);
        of_lane = fetch_blanks();
        measure(of_lane);
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
        CTC_PLACES if (cells.mine && inside) {
            cell[i] = make_double2(cells.label[i], cells.blank[i]);
            power[i] = make_int2(cells.of_label[i], cells.of_blank[i]);
        }
    }
    CTC_DEVICE void load() {
        const ctc_int at = middle(BACK) + cells.first;
        CTC_PLACES if (inside)
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
            if (!inside || !cells.mine) continue;
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
