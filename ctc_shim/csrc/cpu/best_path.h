/* The most likely path through the states of one target: Graves' recursion with maxima.
 *
 * States are those of l' (Graves 2006): 2 j is the blank before label j, 2 j + 1 the label, 2 S the
 * last blank. The operations and their order are those of reference/viterbi.py, so the path is the
 * same to the last tie.
 *
 * Moves are not stored. The cells before each block of about sqrt(T) frames are, and the way back
 * computes a block again, but only the states that its path can pass: a triangle of block x block.
 * So memory is about sqrt(T) (2 S + 1) doubles, and the time is that of one pass. */
#ifndef CTC_SHIM_BEST_PATH_H
#define CTC_SHIM_BEST_PATH_H
#include <float.h>

#include "batch.h"

/* The memory of one thread, for the largest sequence of the batch. The cells of blanks and labels
 * are arrays from -1 on, whose first cell is never reached. */
typedef struct {
    double *blank, *label, *next_blank, *next_label; /* (labels + 1,) */
    double *checkpoints;                             /* (blocks, 2, labels + 1) */
    double *emission, *no_skip; /* (labels,); no_skip: 0 where the blank before may be left out */
    double *shift;              /* (longest,): the maximum of a frame, which is subtracted */
    int64_t *offset;            /* (labels,): bytes from a row of scores to the label's */
    int8_t *moves;              /* (block, block + 1, 2): states back, of blank and label */
    int64_t block;
    ctc_shim_signal_check signal_check;
} ctc_shim_viterbi;

CTC_SHIM_INLINE double ctc_shim_larger(double a, double b) { return b > a ? b : a; }

CTC_SHIM_LOCAL double ctc_shim_score_at(const ctc_shim_batch *b, const char *place) {
    float single;
    double value;
    if (b->item == 4) {
        memcpy(&single, place, 4);
        return single;
    }
    memcpy(&value, place, 8);
    return value;
}

/* The scores of labels first .. end - 1 in frame t. Returns the blank's. */
CTC_SHIM_LOCAL double ctc_shim_path_scores(const ctc_shim_batch *b, const ctc_shim_viterbi *v,
                                           int64_t n, int64_t t, int64_t first, int64_t end) {
    const char *row = ctc_shim_given(b, n, t);
    int64_t j;
    for (j = first; j < end; j++) v->emission[j] = ctc_shim_score_at(b, row + v->offset[j]);
    return ctc_shim_score_at(b, row + b->blank * b->stride_c);
}

CTC_SHIM_LOCAL void ctc_shim_swap(ctc_shim_viterbi *v) {
    double *blank = v->blank, *label = v->label;
    v->blank = v->next_blank;
    v->label = v->next_label;
    v->next_blank = blank;
    v->next_label = label;
}

/* One frame for the blanks and labels 0 .. end - 1. Returns the largest cell. */
CTC_SHIM_LOCAL double ctc_shim_advance(ctc_shim_viterbi *v, double blank_score, int64_t end) {
    const double *CTC_SHIM_RESTRICT blank = v->blank, *CTC_SHIM_RESTRICT label = v->label,
                                    *CTC_SHIM_RESTRICT score = v->emission,
                                    *CTC_SHIM_RESTRICT no_skip = v->no_skip;
    double *CTC_SHIM_RESTRICT next_blank = v->next_blank,
                              *CTC_SHIM_RESTRICT next_label = v->next_label;
    double top = -INFINITY;
    int64_t j;
#pragma omp simd reduction(max : top)
    for (j = 0; j < end; j++) {
        double here = ctc_shim_larger(blank[j], label[j - 1]) + blank_score;
        double best = ctc_shim_larger(label[j], blank[j]);
        double there = ctc_shim_larger(best, label[j - 1] + no_skip[j]) + score[j];
        next_blank[j] = here;
        next_label[j] = there;
        top = ctc_shim_larger(top, ctc_shim_larger(here, there));
    }
    return top;
}

CTC_SHIM_LOCAL void ctc_shim_shift(ctc_shim_viterbi *v, int64_t first, int64_t end, double shift) {
    double *CTC_SHIM_RESTRICT blank = v->blank, *CTC_SHIM_RESTRICT label = v->label;
    int64_t j;
#pragma omp simd
    for (j = first; j < end; j++) {
        blank[j] -= shift;
        label[j] -= shift;
    }
}

/* All frames. Returns the last state, or -1: none can be reached, or the thread must end. */
CTC_SHIM_LOCAL int64_t ctc_shim_path_forward(const ctc_shim_batch *b, ctc_shim_viterbi *v,
                                             int64_t n, int64_t T, int64_t S) {
    const size_t cells = (size_t)(S + 1) * sizeof(double);
    int64_t j, t;
    for (j = -1; j <= S; j++)
        v->blank[j] = v->label[j] = v->next_blank[j] = v->next_label[j] = -INFINITY;
    v->blank[0] = 0; /* before the first frame */
    for (t = 0; t < T; t++) {
        /* One label more can be reached in each frame. The last column is of the blank alone. */
        int64_t end = t + 1 < S + 1 ? t + 1 : S + 1;
        double top, blank_score;
        if (ctc_shim_stops(&v->signal_check, (double)(2 * end))) return -1;
        if (t % v->block == 0) {
            double *kept = v->checkpoints + t / v->block * 2 * (S + 1);
            memcpy(kept, v->blank, cells);
            memcpy(kept + S + 1, v->label, cells);
        }
        blank_score = ctc_shim_path_scores(b, v, n, t, 0, end < S ? end : S);
        top = ctc_shim_advance(v, blank_score, end);
        ctc_shim_swap(v);
        /* The differences keep their digits however low all scores are. */
        v->shift[t] = top > -DBL_MAX ? top : -DBL_MAX;
        ctc_shim_shift(v, 0, end, v->shift[t]);
    }
    if (S > 0 && v->label[S - 1] >= v->blank[S])
        return v->label[S - 1] > -INFINITY ? 2 * S - 1 : -1;
    return v->blank[S] > -INFINITY ? 2 * S : -1;
}

/* The moves of frame t for the labels `low` .. `high`, from the cells before it; then its cells. */
CTC_SHIM_LOCAL void ctc_shim_path_moves(const ctc_shim_batch *b, ctc_shim_viterbi *v, int64_t n,
                                        int64_t t, int64_t S, int64_t low, int64_t high,
                                        int8_t *moves) {
    double blank_score = ctc_shim_path_scores(b, v, n, t, low, high < S ? high + 1 : S);
    int64_t j;
    for (j = low; j <= high; j++) {
        double back = v->label[j - 1], jump = back + v->no_skip[j],
               best = ctc_shim_larger(v->label[j], v->blank[j]);
        moves[2 * (j - low)] = back > v->blank[j];
        moves[2 * (j - low) + 1] = (int8_t)(jump > best ? 2 : v->blank[j] > v->label[j]);
        v->next_blank[j] = ctc_shim_larger(v->blank[j], back) + blank_score;
        v->next_label[j] = ctc_shim_larger(best, jump) + v->emission[j];
    }
    ctc_shim_swap(v);
    ctc_shim_shift(v, low, high + 1, v->shift[t]);
}

/* The states of frames first .. end - 1, of which the last is `state`. Returns the state before. */
CTC_SHIM_LOCAL int64_t ctc_shim_path_block(const ctc_shim_batch *b, ctc_shim_viterbi *v, int64_t n,
                                           int64_t S, int64_t first, int64_t end, int64_t state,
                                           int64_t *states) {
    const double *kept = v->checkpoints + first / v->block * 2 * (S + 1);
    const int64_t row = 2 * (v->block + 1), high = state / 2;
    int64_t t, low = high - (end - first) > 0 ? high - (end - first) : 0;
    memcpy(v->blank + low, kept + low, (size_t)(high - low + 1) * sizeof(double));
    memcpy(v->label + low, kept + S + 1 + low, (size_t)(high - low + 1) * sizeof(double));
    for (t = first; t < end; t++) {
        /* A move goes back by one label at most. */
        int64_t from = high - (end - 1 - t);
        ctc_shim_path_moves(b, v, n, t, S, from > 0 ? from : 0, high, v->moves + (t - first) * row);
    }
    for (t = end - 1; t >= first; t--) {
        int64_t from = high - (end - 1 - t);
        states[t] = state;
        state -= v->moves[(t - first) * row + state - 2 * (from > 0 ? from : 0)];
    }
    return state;
}

/* The states (T,) of sequence n; -1 in padded frames, and where no path can be taken. */
CTC_SHIM_LOCAL void ctc_shim_best_path(const ctc_shim_batch *b, ctc_shim_viterbi *v, int64_t n,
                                       int64_t *states) {
    int64_t j, t, first, T = ctc_shim_frames_of(b, n), S = ctc_shim_labels_of(b, n), state;
    for (t = 0; t < b->T; t++) states[t] = -1;
    if (T == 0 || T < ctc_shim_fewest(b, n) || b->C == 0) return;
    for (j = 0; j < S; j++) {
        int64_t label = ctc_shim_label_of(b, n, j);
        int skips = j > 0 && label != ctc_shim_label_of(b, n, j - 1);
        v->offset[j] = label * b->stride_c;
        v->no_skip[j] = skips ? 0 : -INFINITY;
    }
    v->emission[S] = v->no_skip[S] = -INFINITY; /* there is no label S */
    state = ctc_shim_path_forward(b, v, n, T, S);
    if (state < 0) return;
    for (first = (T - 1) / v->block * v->block; first >= 0; first -= v->block) {
        state = ctc_shim_path_block(b, v, n, S, first, first + v->block < T ? first + v->block : T,
                                    state, states);
    }
}
#endif
