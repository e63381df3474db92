/* What a call is given, and what a thread works with. */
#ifndef CTC_SHIM_BATCH_H
#define CTC_SHIM_BATCH_H
#include "../ctc_shim.h"
#include "lattice.h"
#include "signals.h"
#include "rows.h"

typedef struct {
    const char *logits, *targets, *input_lengths, *target_lengths, *upstream;
    char *loss, *gradient;
    int64_t stride_n, stride_t, stride_c, targets_stride_n, targets_stride_s, input_lengths_stride,
        target_lengths_stride;
    int64_t gradient_stride_n, gradient_stride_t, upstream_stride;
    int64_t N, T, C, S, blank, normalize, policy, mode, item;
    int64_t ratios; /* logits hold probabilities, see rows.h */
    double epsilon;
    int64_t longest, labels; /* the most frames and the most labels of a sequence */
    int64_t width, rows;     /* cells in a row of the lattice; rows kept at a time */
    int64_t padded;          /* C rounded up */
    int64_t plain;           /* rows of scores are contiguous and aligned */
    int64_t copies;          /* rows of scores copied at a time; 0: they are read in place */
    int64_t streams;         /* the gradient is written past the caches */
} ctc_shim_batch;

/* Does the gradient contain exp(score), divided by the frame's sum with `normalize`? */
CTC_SHIM_INLINE int ctc_shim_has_exps(const ctc_shim_batch *b) {
    return b->mode == CTC_SHIM_MODE_PYTORCH || (b->normalize && b->mode == CTC_SHIM_MODE_GRADIENT);
}

/* The memory of one thread, for the largest sequence of the batch. */
typedef struct {
    ctc_shim_frame *frames; /* (longest,) */
    double *table;          /* the lattice rows of a block of frames */
    double *carry;          /* a lattice row: alpha after the last frame of a group, normalised */
    double *checkpoints;    /* the first four arrays of the carry before each block */
    double *beta;           /* 3 lattice rows; the last is a carry */
    double *linear;         /* the four arrays of a ctc_shim_linear */
    double *skip, *pairs, *posterior, *reference;
    char *scores, *exps; /* (copies, padded), (padded,): copied rows, exponentials */
    char *e;             /* exponentials of a group of frames: frame_rows.h */
    int32_t *label, *earliest;
    ctc_shim_signal_check *signal_check;
} ctc_shim_scratch;

CTC_SHIM_LOCAL int64_t ctc_shim_int(const char *base, int64_t offset) {
    int64_t value;
    memcpy(&value, base + offset, 8);
    return value;
}
CTC_SHIM_LOCAL int64_t ctc_shim_frames_of(const ctc_shim_batch *b, int64_t n) {
    return ctc_shim_int(b->input_lengths, n * b->input_lengths_stride);
}
CTC_SHIM_LOCAL int64_t ctc_shim_labels_of(const ctc_shim_batch *b, int64_t n) {
    return ctc_shim_int(b->target_lengths, n * b->target_lengths_stride);
}
CTC_SHIM_LOCAL int64_t ctc_shim_label_of(const ctc_shim_batch *b, int64_t n, int64_t s) {
    return ctc_shim_int(b->targets, n * b->targets_stride_n + s * b->targets_stride_s);
}

/* The scores and lattice cells of so many frames. */
CTC_SHIM_LOCAL double ctc_shim_work_of(const ctc_shim_batch *b, int64_t frames) {
    return (double)frames * (double)(b->C + 4 * b->labels);
}

CTC_SHIM_LOCAL double ctc_shim_work_of_sequence(const ctc_shim_batch *b, int64_t n) {
    return (double)ctc_shim_frames_of(b, n) * (double)(b->C + 4 * ctc_shim_labels_of(b, n));
}

/* U_n: the fewest frames that the target fits into. */
CTC_SHIM_LOCAL int64_t ctc_shim_fewest(const ctc_shim_batch *b, int64_t n) {
    int64_t s, S = ctc_shim_labels_of(b, n), fewest = S;
    for (s = 1; s < S; s++) fewest += ctc_shim_label_of(b, n, s) == ctc_shim_label_of(b, n, s - 1);
    return fewest;
}

CTC_SHIM_LOCAL ctc_shim_cells ctc_shim_cells_at(double *rows, int64_t width, int64_t index) {
    int64_t lane = width + 2 * CTC_SHIM_FENCE;
    double *base = rows + index * CTC_SHIM_ARRAYS * lane + CTC_SHIM_FENCE;
    ctc_shim_cells cells;
    cells.label_m = base;
    cells.label_e = base + lane;
    cells.blank_m = base + 2 * lane;
    cells.blank_e = base + 3 * lane;
    cells.emission_m = base + 4 * lane;
    cells.emission_e = base + 5 * lane;
    return cells;
}

CTC_SHIM_LOCAL void ctc_shim_clear(const ctc_shim_cells *cells, int64_t width) {
    int64_t j;
    for (j = -CTC_SHIM_FENCE; j < width + CTC_SHIM_FENCE; j++) {
        cells->label_m[j] = cells->blank_m[j] = cells->emission_m[j] = 0;
        cells->label_e[j] = cells->blank_e[j] = cells->emission_e[j] = CTC_SHIM_NEVER;
    }
}

/* Are the rows of scores contiguous and aligned? */
CTC_SHIM_LOCAL int ctc_shim_plain(const ctc_shim_batch *b) {
    uintptr_t places = (uintptr_t)b->logits | (uintptr_t)b->stride_n | (uintptr_t)b->stride_t;
    return b->stride_c == b->item && places % (uintptr_t)b->item == 0;
}

CTC_SHIM_LOCAL const char *ctc_shim_given(const ctc_shim_batch *b, int64_t n, int64_t t) {
    return b->logits + n * b->stride_n + t * b->stride_t;
}

/* The scores of frame t, or p + epsilon: the row as given, or its copy (ctc_shim_fetch). */
CTC_SHIM_LOCAL const char *ctc_shim_scores(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                           int64_t n, int64_t t) {
    return b->copies ? w->scores + t % b->copies * b->padded * b->item : ctc_shim_given(b, n, t);
}

/* Copies the rows first .. end - 1, at most `copies` of them, where rows are copied. All of them
 * before any is read: a vector read right after it was written in two pieces waits for both. */
CTC_SHIM_LOCAL void ctc_shim_fetch(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n,
                                   int64_t first, int64_t end) {
    int64_t t, c;
    if (!b->copies) return;
    for (t = first; t < end; t++) {
        const char *from = ctc_shim_given(b, n, t);
        char *to = (char *)ctc_shim_scores(b, w, n, t);
        if (b->stride_c == b->item) memcpy(to, from, (size_t)(b->C * b->item));
        else
            for (c = 0; c < b->C; c++)
                memcpy(to + c * b->item, from + c * b->stride_c, (size_t)b->item);
        if (b->ratios && b->item == 4) ctc_shim_shift_f32((float *)to, b->C, (float)b->epsilon);
        else if (b->ratios) ctc_shim_shift_f64((double *)to, b->C, b->epsilon);
    }
}

/* Fills copied rows up to a multiple of 16 with what adds nothing: -inf, or 0 for probabilities. */
CTC_SHIM_LOCAL void ctc_shim_pad(const ctc_shim_batch *b, const ctc_shim_scratch *w) {
    int64_t t, rest = b->padded - b->C;
    for (t = 0; t < b->copies; t++) {
        char *from = (char *)ctc_shim_scores(b, w, 0, t) + b->C * b->item;
        if (b->item == 4) ctc_shim_fill_f32((float *)from, rest, b->ratios ? 0 : -(float)INFINITY);
        else ctc_shim_fill_f64((double *)from, rest, b->ratios ? 0 : -INFINITY);
    }
}

/* Emissions of the labels in the band of a frame. */
CTC_SHIM_LOCAL void ctc_shim_emissions(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                       const void *row, const ctc_shim_frame *frame,
                                       const ctc_shim_cells *cells) {
    int64_t start = (int64_t)frame->start * CTC_SHIM_LANES,
            stop = (int64_t)frame->stop * CTC_SHIM_LANES;
    double *m = cells->emission_m, *e = cells->emission_e;
    if (b->item == 4)
        ctc_shim_emissions_f32((const float *)row, b->C, w->label, start, stop, frame->maximum,
                               (int)b->ratios, w->pairs, m, e);
    else
        ctc_shim_emissions_f64((const double *)row, b->C, w->label, start, stop, frame->maximum,
                               (int)b->ratios, w->pairs, m, e);
    m[start - 1] = 0;
    e[start - 1] = CTC_SHIM_NEVER;
}

/* The same in linear form. Returns the least of them and of the blank's. */
CTC_SHIM_LOCAL double ctc_shim_emissions_linear(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                                const void *row, const ctc_shim_frame *frame,
                                                double blank_y, double *y) {
    int64_t start = (int64_t)frame->start * CTC_SHIM_LANES,
            stop = (int64_t)frame->stop * CTC_SHIM_LANES;
    y[start - 1] = 0;
    if (b->item == 4)
        return ctc_shim_emit_f32((const float *)row, b->C, w->label, start, stop, frame->maximum,
                                 (int)b->ratios, w->pairs, blank_y, y);
    return ctc_shim_emit_f64((const double *)row, b->C, w->label, start, stop, frame->maximum,
                             (int)b->ratios, w->pairs, blank_y, y);
}

/* Sets a row of the gradient to `value`, or to value * softmax where `sum` is given. */
CTC_SHIM_LOCAL void ctc_shim_write_row(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                       int64_t n, int64_t t, double value,
                                       const ctc_shim_sum *sum) {
    char *out = b->gradient + n * b->gradient_stride_n + t * b->gradient_stride_t;
    if (!sum && value == 0) memset(out, 0, (size_t)(b->C * b->item));
    else if (b->item == 4) {
        if (sum)
            ctc_shim_softmax_f32((const float *)w->exps, w->reference, sum, b->C, (int)b->ratios,
                                 (int)b->streams, value, (float *)out);
        else ctc_shim_fill_f32((float *)out, b->C, (float)value);
    } else {
        if (sum)
            ctc_shim_softmax_f64((const double *)w->exps, w->reference, sum, b->C, (int)b->ratios,
                                 (int)b->streams, value, (double *)out);
        else ctc_shim_fill_f64((double *)out, b->C, value);
    }
}

CTC_SHIM_LOCAL void ctc_shim_write_rows(const ctc_shim_batch *b, int64_t n, int64_t start,
                                        int64_t stop, double value) {
    for (; b->gradient && start < stop; start++) ctc_shim_write_row(b, NULL, n, start, value, NULL);
}

CTC_SHIM_LOCAL void ctc_shim_write_loss(const ctc_shim_batch *b, int64_t n, double loss) {
    if (b->item == 4) ((float *)b->loss)[n] = (float)loss;
    else ((double *)b->loss)[n] = loss;
}

CTC_SHIM_LOCAL double ctc_shim_upstream(const ctc_shim_batch *b, int64_t n) {
    float single;
    double value = 1;
    if (b->upstream && b->item == 4) {
        memcpy(&single, b->upstream + n * b->upstream_stride, 4);
        return single;
    }
    if (b->upstream) memcpy(&value, b->upstream + n * b->upstream_stride, 8);
    return value;
}

/* Reads the target, and finds the band of each frame: label j can be reached from frame earliest[j]
 * on, and can reach the end until frame earliest[j] + (T - U). The frames of a group share a band.
 */
CTC_SHIM_LOCAL void ctc_shim_prepare(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n,
                                     int64_t T, int64_t S, int64_t fewest) {
    int64_t j, t, end, repeats = 0, low = 0, high = 0, previous = -1;
    for (j = 0; j < b->width; j++) {
        int64_t label = j < S ? ctc_shim_label_of(b, n, j) : b->blank;
        w->skip[j] = j < S && label != previous;
        repeats += j < S && label == previous;
        w->label[j] = (int32_t)label;
        w->earliest[j] = (int32_t)(j + repeats);
        previous = label;
    }
    for (t = 0; t < T; t = end) {
        end = ctc_shim_group_end(t, T);
        while (high < S && w->earliest[high] < end) high++;
        while (low < high && w->earliest[low] < t - (T - fewest)) low++;
        for (; t < end; t++) {
            w->frames[t].start = (int32_t)(low / CTC_SHIM_LANES);
            w->frames[t].stop = (int32_t)((high + CTC_SHIM_LANES) / CTC_SHIM_LANES);
        }
    }
}

/* Doubles in the four alpha arrays of a row, and in all its arrays. */
CTC_SHIM_LOCAL size_t ctc_shim_alpha_size(const ctc_shim_batch *b) {
    return (size_t)(4 * (b->width + 2 * CTC_SHIM_FENCE));
}
CTC_SHIM_LOCAL size_t ctc_shim_row_size(const ctc_shim_batch *b) {
    return (size_t)(CTC_SHIM_ARRAYS * (b->width + 2 * CTC_SHIM_FENCE));
}
#endif
