/* Cells of the fast path: doubles, each with a power of two.
 *
 * A thread has CTC_K labels and the blanks before them. Powers are taken anew once in a round of R
 * frames; where emissions lie far apart, every CTC_PART frames.
 *
 * A block has several warps where a target needs them. In a round a cell depends on R labels to its
 * left at most. So each warp also computes the last R labels of the warp before, its ghosts, takes
 * them over from it at the start of a round, and needs no barrier in between.
 *
 * What a double cannot hold is found, not prevented: `lost` is set where a cell could lose digits
 * or vanish before powers are taken anew. */
#ifndef CTC_SCALED_H
#define CTC_SCALED_H
#include "lattice.h"

enum {
    /* Bits by which the power of a cell may be lower than that of a cell it gets something from,
     * times the frames until powers are taken anew. What comes through as many cells is then below
     * 2^900. */
    CTC_DECAY = 880,
    CTC_DEEP = 32,             /* bits that a frame may go down where powers last for a round */
    CTC_LOWEST = -960,         /* a cell above 2^this is held exactly */
    CTC_UNREACHED = -(1 << 28) /* the exponent of 0, and the power of cells no path has reached */
};

template <int R> struct ctc_scaled {
    static const int K = CTC_K, WARPS = CTC_WARPS(R);
    int lane, warp, first; /* first: place of the first label; place 0 has none */
    bool mine, lost;       /* mine: not ghosts */
    double label[K], blank[K];
    int of_label[K], of_blank[K]; /* powers of two */
    /* Between powers of two: blank to label, label to the left to label, and to blank. */
    double inward[K], over[K], onward[K];
    bool skip[K]; /* may the blank before the label be left out? */

    CTC_DEVICE ctc_scaled() : lane(threadIdx.x & 31), warp(threadIdx.x / 32), lost(false) {
        first = warp * (32 * K - R) + lane * K;
        mine = warp == 0 || lane * K >= R;
    }

    CTC_DEVICE static int exponent(double cell, int power) {
        return __double2hiint(cell) >> 20 ? ctc_exponent(cell) + power : (int)CTC_UNREACHED;
    }
    /* x * 2^power. Out of the range of a double it is a wrong number: then, `lost` is set. */
    CTC_DEVICE static double moved(double x, int power) {
        const unsigned high = (unsigned)__double2hiint(x);
        return high >> 20
                   ? __hiloint2double((int)(high + ((unsigned)power << 20)), __double2loint(x))
                   : 0;
    }
    /* From one power of two to another. They lie further apart than the decay only where nothing
     * can come through before the next time. */
    CTC_DEVICE static double between(int from, int to) { return ctc_power(from - to); }
    /* The exponent of a cell; of a cell that is 0, the least of those that it waits for. */
    CTC_DEVICE static int awaited(int exponent, int other) {
        return exponent == CTC_UNREACHED ? other : exponent;
    }

    /* Takes the powers of two anew: that of the cell itself, or more where cells that it gets
     * something from are so much larger that this would overflow. `ahead`: bits that emissions can
     * take away until the next time, in so many frames. */
    CTC_DEVICE void rescale(int ahead, int decay) {
        int labels[K], blanks[K], power = CTC_UNREACHED, left, left_power, least = -CTC_UNREACHED;
        CTC_PLACES {
            labels[i] = exponent(label[i], of_label[i]);
            blanks[i] = exponent(blank[i], of_blank[i]);
            power = max(max(labels[i], blanks[i] - decay), power - decay);
        }
        /* Nothing comes further than R labels. */
        CTC_UNROLL for (int d = 1; d * K <= R; d <<= 1) {
            int other = __shfl_up_sync(CTC_ALL_LANES, power, d);
            if (lane >= d) power = max(power, other - K * decay * d);
        }
        left_power = __shfl_up_sync(CTC_ALL_LANES, power, 1);
        left = __shfl_up_sync(CTC_ALL_LANES, labels[K - 1], 1);
        if (lane == 0) left_power = left = CTC_UNREACHED;
        CTC_PLACES {
            int own = max(max(labels[i], blanks[i] - decay), left_power - decay);
            if (i == K - 1) own = power; /* as the next lane has it */
            least = min(least, rescale_pair(i, labels[i], blanks[i], left, own, left_power, decay));
            left = labels[i];
            left_power = own;
        }
        lost |= mine && least < CTC_LOWEST + ahead;
    }
    /* own, of_zero, left: exponents of the label, its blank, and the label to the left. Returns the
     * bits at which digits can get lost. */
    CTC_DEVICE int rescale_pair(int i, int own, int of_zero, int left, int power, int left_power,
                                int decay) {
        const int never = -CTC_UNREACHED, blank_power = max(of_zero, left_power - decay);
        label[i] = moved(label[i], of_label[i] - power);
        blank[i] = moved(blank[i], of_blank[i] - blank_power);
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

    /* Graves et al., equations (6)-(8) and (9)-(11), before the emission of the frame; `before` is
     * the label to the left. */
    CTC_DEVICE double arriving(int i, double before) const {
        return fma(before, over[i], fma(blank[i], inward[i], label[i]));
    }
    CTC_DEVICE double staying(int i, double before) const {
        return fma(before, onward[i], blank[i]);
    }
    CTC_DEVICE double left_of_lane() const {
        return __shfl_up_sync(CTC_ALL_LANES, label[K - 1], 1);
    }

    /* Ghosts take over the cells of the warp before. One barrier: rounds take turns with memory. */
    CTC_DEVICE void take_over(int turn) {
        __shared__ double2 cells[2][WARPS][R];
        __shared__ int2 powers[2][WARPS][R];
        const int last = lane * K - (32 * K - R);
        CTC_PLACES if (last >= 0) {
            cells[turn][warp][last + i] = make_double2(label[i], blank[i]);
            powers[turn][warp][last + i] = make_int2(of_label[i], of_blank[i]);
        }
        __syncthreads();
        CTC_PLACES if (!mine)
            get(i, cells[turn][warp - 1] + lane * K, powers[turn][warp - 1] + lane * K);
    }
    CTC_DEVICE void get(int i, const double2 *cells, const int2 *powers) {
        label[i] = cells[i].x, blank[i] = cells[i].y;
        of_label[i] = powers[i].x, of_blank[i] = powers[i].y;
    }
};
#endif
