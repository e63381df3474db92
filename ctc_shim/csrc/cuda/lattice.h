/* What `chain` reads and stores in each frame, a round ahead.
 *
 * Rows of the lattice have whole rounds of frames: frames of padding, which change nothing, fill up
 * the last round. A row is indexed by places of the forward direction: label s is at place s. */
#ifndef CTC_LATTICE_H
#define CTC_LATTICE_H
#include "emission.h"

#define CTC_PLACES CTC_UNROLL for (int i = 0; i < CTC_K; i++)

struct alignas(4 * CTC_K) ctc_pack {
    unsigned word[CTC_K];
};

/* R: frames of a round. SECOND: the row has words of the other direction. */
template <int R, bool BACK, bool SECOND> struct ctc_lattice {
    static const int K = CTC_K, PARTS = R / CTC_PART;
    const ctc_batch &b;
    const int lane;
    const bool inside;        /* this thread has places, */
    const bool kept;          /* and stores them */
    unsigned words[R][K];     /* emissions of the frames of this round that are to come, */
    const unsigned *emission; /* and where those of the next are; so for all that follow */
    unsigned theirs[SECOND ? R : 1][K];
    const unsigned *their_row;
    int their_powers[PARTS][K];
    unsigned *powers;
    uint2 of_lane; /* of the blank in frame `lane` of this round */
    const uint2 *frame;
    unsigned *row; /* of the frame that is computed */

    /* From frame t of sequence n on; `first` is the first place of this thread, in its direction.
     */
    CTC_DEVICE ctc_lattice(const ctc_batch &batch, ctc_int n, int t, int first, int places,
                           bool mine)
        : b(batch), lane(threadIdx.x & 31), inside(first < places),
          kept(inside && mine && batch.gradient) {
        const int slot = BACK ? places - K - first : first;
        const ctc_int at = n * b.rows + t, step = b.places;
        emission = b.emissions + at * step + slot;
        row = b.lattice + at * step + slot;
        their_row = row;
        powers = b.powers + (n * (b.rows / CTC_PART) + t / CTC_PART) * step + slot;
        frame = (const uint2 *)b.blanks + at;
        CTC_UNROLL for (int r = 0; r < R; r++) CTC_PLACES words[r][i] = 0;
    }

    CTC_DEVICE static int at(int i) { return BACK ? K - 1 - i : i; }
    /* Moves a pointer to another frame or part, backwards if BACK. The compiler would keep
     * multiples of a member that says how far: 80 registers. */
    template <class X> CTC_DEVICE void advance(X **p, int steps) const {
        *p += (BACK ? -steps : steps) * b.places;
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
    CTC_DEVICE void put_row(const unsigned *from) {
        put(row, from);
        advance(&row, 1);
    }
    CTC_DEVICE void put_powers(const int *from) {
        put(powers, (const unsigned *)from);
        advance(&powers, 1);
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
    /* Of the next round: what this lane has of the blanks. */
    CTC_DEVICE uint2 fetch_blanks() {
        const uint2 found = lane < R ? frame[BACK ? -lane : lane] : make_uint2(0, 0);
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
};
#endif
