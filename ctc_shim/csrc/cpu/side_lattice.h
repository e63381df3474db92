/* The lattice of SIDE sequences at a time. */
#ifndef CTC_SHIM_SIDE_LATTICE_H
#define CTC_SHIM_SIDE_LATTICE_H
#include "lane_rows.h"
#include "linear.h"

/* The arithmetic is that of linear.h: each pair of cells (label j, blank j) of a sequence has one
 * exponent for STRIDE frames. What holds there for 16 frames holds here for 8. Where it does not
 * hold for a sequence, this sequence alone is refused, and computed by ctc_shim_sequence. Whether
 * it holds depends on the sequence alone, and so do all its results: a group starts every STRIDE
 * frames whatever the lengths, and no lane reads another.
 *
 * Frames beyond the end of a sequence are certain of the blank: such a frame changes nothing. Cells
 * beyond the last blank hold numbers that nothing reads. */
enum { CTC_SHIM_STRIDE = 8 };
static const double CTC_SHIM_LEAST = 3.0549363634996047e-151; /* 2^-500: of a cell, at the start */
static const double CTC_SHIM_CAPPED = 3.351951982485649e+153; /* 2^510: only where alpha is 0 */

#if defined(CTC_SHIM_HAS_LANES)
/* The memory of one thread. Arrays of cells hold SIDE numbers for each pair, and for one more pair
 * on both sides, of zeros: pair j is at (j + 1) * SIDE. */
typedef struct {
    int64_t cells, rows; /* numbers in an array of cells; frames kept at a time */
    char *e;             /* (C, SIDE): exponentials of the scores of a frame */
    char *emissions;     /* (rows, an array of cells) */
    char *posterior;     /* of a frame */
    char *idle, *unused; /* (C,): the row of a frame that is not there; one to write */
    double *table;       /* (rows, 2 arrays of cells): label, blank */
    double *units;       /* 3 arrays for each group of frames: scale, step, skip */
    double *carry;       /* label, blank, scale after the last frame */
    double *checkpoints; /* the carry before each block of rows */
    double *beta;        /* label, blank, scale */
    double *may_skip;
    int32_t *label; /* of each cell; the blank comes first */
} ctc_shim_side;

typedef struct {
    ctc_shim_each T, S, upstream, product, exponent, budget, refused;
    int64_t n[CTC_SHIM_SIDE], end[CTC_SHIM_SIDE]; /* end is T */
    const char *scores[CTC_SHIM_SIDE];            /* of the first frame */
    char *gradient[CTC_SHIM_SIDE];
    int64_t count, frames, labels; /* sequences; the most frames and labels of one */
} ctc_shim_pack;

/* Starts a group of frames: new exponents. The arrays of `units` are scale, step and skip. */
CTC_SHIM_LOCAL void ctc_shim_regroup(const ctc_shim_side *s, ctc_shim_pack *pack, int64_t t,
                                     double *units) {
    const int64_t W = s->cells;
    double *label = s->carry, *blank = label + W, *scale = blank + W;
    int64_t j, i, step = (int64_t)(sizeof(ctc_shim_f64) / sizeof(double));
    for (i = 0; i < CTC_SHIM_SIDE; i += step) {
        const ctc_shim_f64 S = ctc_shim_load(pack->S + i), zero = {0},
                           left = ctc_shim_load(pack->T + i) - (double)t,
                           first = ctc_shim_least_f64(S - 1 - left, S);
        ctc_shim_f64 run = zero + CTC_SHIM_NEVER, at = zero;
        const ctc_shim_bits_f64 refused =
            (ctc_shim_bits_f64)(ctc_shim_load(pack->refused + i) > zero);
        ctc_shim_bits_f64 bad = refused;
        for (j = CTC_SHIM_SIDE + i; j < (pack->labels + 2) * CTC_SHIM_SIDE; j += CTC_SHIM_SIDE) {
            /* Cells that cannot reach the end any more, or lie beyond it, do not count. */
            ctc_shim_bits_f64 live = (ctc_shim_bits_f64)(at >= first) & ~refused;
            ctc_shim_f64 l =
                ctc_shim_where_f64(live & (ctc_shim_bits_f64)(at < S), ctc_shim_load(label + j));
            ctc_shim_f64 k =
                ctc_shim_where_f64(live & (ctc_shim_bits_f64)(at <= S), ctc_shim_load(blank + j));
            ctc_shim_f64 old = ctc_shim_load(scale + j), most = ctc_shim_most_f64(l, k), now, shift;
            now = ctc_shim_choose_f64((ctc_shim_bits_f64)(most > zero),
                                      ctc_shim_exponents(most) + old, zero + CTC_SHIM_NEVER);
            now = ctc_shim_most_f64(now, run - CTC_SHIM_DROP);
            shift = ctc_shim_powers(old - now);
            l *= shift;
            k *= shift;
            bad |= (ctc_shim_bits_f64)(l > zero) & (ctc_shim_bits_f64)(l < CTC_SHIM_LEAST);
            bad |= (ctc_shim_bits_f64)(k > zero) & (ctc_shim_bits_f64)(k < CTC_SHIM_LEAST);
            bad |= (ctc_shim_bits_f64)(run > 0.5 * CTC_SHIM_NEVER) &
                   (ctc_shim_bits_f64)(now - run > CTC_SHIM_STEEPEST);
            shift = ctc_shim_powers(run - now);
            ctc_shim_store(label + j, l);
            ctc_shim_store(blank + j, k);
            ctc_shim_store(scale + j, now);
            ctc_shim_store(units + j, now);
            ctc_shim_store(units + W + j, shift);
            ctc_shim_store(units + 2 * W + j, shift * ctc_shim_load(s->may_skip + j));
            run = now;
            at += 1;
        }
        ctc_shim_store(units + W + j, zero); /* the way to a pair that is not there */
        ctc_shim_store(units + 2 * W + j, zero);
        ctc_shim_store(pack->refused + i, ctc_shim_where_f64(bad, zero + 1));
        ctc_shim_store(pack->budget + i, zero + 1);
    }
}

/* One frame of equations (6)-(8): ctc_shim_forward_linear. The arrays of `row` are label and
 * blank. `item` is the size of the emissions y and of posteriors, a constant. */
CTC_SHIM_INLINE void ctc_shim_side_forward(const ctc_shim_side *s, ctc_shim_pack *pack, int64_t t,
                                           const double *units, const void *y, int item,
                                           const double *from, double *row) {
    const int64_t W = s->cells;
    int64_t j, i, step = (int64_t)(sizeof(ctc_shim_f64) / sizeof(double));
    for (i = 0; i < CTC_SHIM_SIDE; i += step) {
        ctc_shim_f64 blank_y = ctc_shim_load_as(y, i, item), least = blank_y, before = {0}, budget;
        for (j = CTC_SHIM_SIDE + i; j < (pack->labels + 2) * CTC_SHIM_SIDE; j += CTC_SHIM_SIDE) {
            ctc_shim_f64 label = ctc_shim_load(from + j), blank = ctc_shim_load(from + W + j),
                         label_y = ctc_shim_load_as(y, j, item);
            ctc_shim_store(row + W + j, (blank + before * ctc_shim_load(units + W + j)) * blank_y);
            ctc_shim_store(row + j,
                           (label + blank + before * ctc_shim_load(units + 2 * W + j)) * label_y);
            least = ctc_shim_least_f64(least, label_y);
            before = label;
        }
        budget = ctc_shim_load(pack->budget + i);
        ctc_shim_store(
            pack->budget + i,
            ctc_shim_choose_f64((ctc_shim_bits_f64)(ctc_shim_load(pack->T + i) > (double)t),
                                budget * least, budget));
    }
}

/* Ends a group of frames: the products of the sums back to [1, 2), and what the range held. */
CTC_SHIM_LOCAL void ctc_shim_settle(ctc_shim_pack *pack) {
    int64_t i, step = (int64_t)(sizeof(ctc_shim_f64) / sizeof(double));
    for (i = 0; i < CTC_SHIM_SIDE; i += step) {
        ctc_shim_f64 product = ctc_shim_load(pack->product + i), k = ctc_shim_exponents(product),
                     budget = ctc_shim_load(pack->budget + i),
                     refused = ctc_shim_load(pack->refused + i);
        ctc_shim_bits_f64 bad = ~(ctc_shim_bits_f64)(budget > CTC_SHIM_BUDGET);
        ctc_shim_store(pack->product + i, product * ctc_shim_powers(-k));
        ctc_shim_store(pack->exponent + i, ctc_shim_load(pack->exponent + i) + k);
        ctc_shim_store(pack->refused + i, ctc_shim_choose_f64(bad, (ctc_shim_f64){0} + 1, refused));
    }
}

/* Beta * emission of the frame after, in the units of the group before it. */
CTC_SHIM_LOCAL void ctc_shim_change_units(const ctc_shim_side *s, const ctc_shim_pack *pack,
                                          const double *scale) {
    const int64_t W = s->cells;
    double *label = s->beta, *blank = label + W, *old = blank + W;
    int64_t j, step = (int64_t)(sizeof(ctc_shim_f64) / sizeof(double));
    for (j = CTC_SHIM_SIDE; j < (pack->labels + 2) * CTC_SHIM_SIDE; j += step) {
        ctc_shim_f64 now = ctc_shim_load(scale + j),
                     shift = ctc_shim_powers(now - ctc_shim_load(old + j));
        ctc_shim_f64 cap = (ctc_shim_f64){0} + CTC_SHIM_CAPPED;
        ctc_shim_store(label + j, ctc_shim_least_f64(ctc_shim_load(label + j) * shift, cap));
        ctc_shim_store(blank + j, ctc_shim_least_f64(ctc_shim_load(blank + j) * shift, cap));
        ctc_shim_store(old + j, now);
    }
}

/* One frame of equations (9)-(11) and (14): ctc_shim_backward_linear. The first of the posteriors
 * is the blank's. */
CTC_SHIM_INLINE void ctc_shim_side_backward(const ctc_shim_side *s, const ctc_shim_pack *pack,
                                            const double *units, const void *y, int item,
                                            const double *row) {
    const int64_t W = s->cells;
    int64_t j, i, step = (int64_t)(sizeof(ctc_shim_f64) / sizeof(double));
    for (i = 0; i < CTC_SHIM_SIDE; i += step) {
        double *beta_label = s->beta, *beta_blank = beta_label + W;
        ctc_shim_f64 blank_y = ctc_shim_load_as(y, i, item),
                     factor = ctc_shim_load(pack->upstream + i), blanks = {0},
                     label = ctc_shim_load(beta_label + CTC_SHIM_SIDE + i),
                     blank = ctc_shim_load(beta_blank + CTC_SHIM_SIDE + i);
        for (j = CTC_SHIM_SIDE + i; j < (pack->labels + 2) * CTC_SHIM_SIDE; j += CTC_SHIM_SIDE) {
            const int64_t next = j + CTC_SHIM_SIDE;
            ctc_shim_f64 next_label = ctc_shim_load(beta_label + next),
                         next_blank = ctc_shim_load(beta_blank + next), k = blank + label,
                         l = label + next_blank * ctc_shim_load(units + W + next);
            l += next_label * ctc_shim_load(units + 2 * W + next);
            blanks += ctc_shim_load(row + W + j) * k;
            ctc_shim_store_as(s->posterior, j, item, ctc_shim_load(row + j) * l * factor);
            ctc_shim_store(beta_blank + j, k * blank_y);
            ctc_shim_store(beta_label + j, l * ctc_shim_load_as(y, j, item));
            label = next_label;
            blank = next_blank;
        }
        ctc_shim_store_as(s->posterior, i, item, blanks * factor);
    }
}
#endif
#endif
