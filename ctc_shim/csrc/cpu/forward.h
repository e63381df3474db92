/* Forwards through one sequence. */
#ifndef CTC_SHIM_FORWARD_H
#define CTC_SHIM_FORWARD_H
#include "frame_rows.h"
#include "linear.h"

CTC_SHIM_LOCAL ctc_shim_linear ctc_shim_linear_at(const ctc_shim_batch *b,
                                                  const ctc_shim_scratch *w) {
    ctc_shim_cells cells = ctc_shim_cells_at(w->linear, b->width, 0);
    ctc_shim_linear linear;
    linear.label = cells.label_m;
    linear.blank = cells.blank_m;
    linear.step = cells.emission_m;
    linear.skip = cells.emission_e;
    return linear;
}

CTC_SHIM_LOCAL double ctc_shim_blank_linear(const ctc_shim_frame *frame) {
    return frame->blank_m * ctc_shim_scale(frame->blank_e, CTC_SHIM_FLOORS.low);
}

/* The row of frame t in the table. Rows from frame `base` on are kept; with a base of -1 two rows,
 * which stay in L1, are used in turn. Exponents lie apart, behind all rows: most rows have none,
 * and then touch half of the memory. */
CTC_SHIM_LOCAL ctc_shim_cells ctc_shim_slot(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                            int64_t t, int64_t base) {
    const int64_t lane = b->width + 2 * CTC_SHIM_FENCE, row = base < 0 ? t & 1 : t - base;
    double *numbers = w->table + row * 3 * lane + CTC_SHIM_FENCE;
    double *exponents = numbers + b->rows * 3 * lane;
    ctc_shim_cells cells;
    cells.label_m = numbers;
    cells.blank_m = numbers + lane;
    cells.emission_m = numbers + 2 * lane;
    cells.label_e = exponents;
    cells.blank_e = exponents + lane;
    cells.emission_e = exponents + 2 * lane;
    return cells;
}

/* The frames from t on in linear form, as far as possible. Returns the first frame not done. Frames
 * read side by side are done all, or none of them. */
CTC_SHIM_LOCAL int64_t ctc_shim_cross_linear(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                             int64_t n, int64_t t, int64_t end, int64_t base,
                                             int beside) {
    ctc_shim_cells carry = ctc_shim_cells_at(w->carry, b->width, 0),
                   to = ctc_shim_slot(b, w, t, base);
    ctc_shim_linear linear = ctc_shim_linear_at(b, w);
    double *scale = to.label_e; /* a row in linear form has no exponents of its own */
    double *label = linear.label, *blank = linear.blank, budget = 1;
    int64_t group = t;
    if (!ctc_shim_enter(&carry, w->skip, &w->frames[t], scale, &linear)) return t;
    for (; t < end; t++) {
        ctc_shim_frame *frame = &w->frames[t];
        double blank_y = ctc_shim_blank_linear(frame);
        to = ctc_shim_slot(b, w, t, base);
        budget *= beside ? ctc_shim_emissions_of(b, w, t, frame, to.emission_m)
                         : ctc_shim_emissions_linear(b, w, ctc_shim_scores(b, w, n, t), frame,
                                                     blank_y, to.emission_m);
        if (!(budget > CTC_SHIM_BUDGET)) break;
        ctc_shim_forward_linear(label, blank, &to, &linear, frame, blank_y);
        frame->group = group;
        frame->beside = beside;
        label = to.label_m;
        blank = to.blank_m;
    }
    if (beside && t < end) return group;
    if (t > group) ctc_shim_leave(label, blank, scale, &w->frames[group], 0, 0, &carry);
    return t;
}

/* Copies alpha or beta of a row to `carry`, ready for the next group. */
CTC_SHIM_LOCAL void ctc_shim_carry_on(const ctc_shim_batch *b, const ctc_shim_cells *row,
                                      const ctc_shim_cells *carry, const ctc_shim_frame *frame) {
    const size_t bytes = ctc_shim_alpha_size(b) / 4 * sizeof(double);
    memcpy(carry->label_m - CTC_SHIM_FENCE, row->label_m - CTC_SHIM_FENCE, bytes);
    memcpy(carry->label_e - CTC_SHIM_FENCE, row->label_e - CTC_SHIM_FENCE, bytes);
    memcpy(carry->blank_m - CTC_SHIM_FENCE, row->blank_m - CTC_SHIM_FENCE, bytes);
    memcpy(carry->blank_e - CTC_SHIM_FENCE, row->blank_e - CTC_SHIM_FENCE, bytes);
    ctc_shim_make_ready(carry, frame);
}

/* The frames t .. end - 1 of a group with an exponent in each cell. */
CTC_SHIM_LOCAL void ctc_shim_cross_split(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                         int64_t n, int64_t t, int64_t end, int64_t base) {
    ctc_shim_cells carry = ctc_shim_cells_at(w->carry, b->width, 0), from = carry, to;
    for (; t < end; t++) {
        ctc_shim_frame *frame = &w->frames[t];
        to = ctc_shim_slot(b, w, t, base);
        ctc_shim_emissions(b, w, ctc_shim_scores(b, w, n, t), frame, &to);
        ctc_shim_forward(&from, &to, w->skip, frame);
        ctc_shim_fence(&to, frame);
        frame->group = -1;
        frame->beside = 0;
        from = to;
    }
    ctc_shim_carry_on(b, &from, &carry, &w->frames[end - 1]);
}

/* The frames t .. end - 1 of a group, from carry to carry. */
CTC_SHIM_LOCAL void ctc_shim_cross(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n,
                                   int64_t t, int64_t end, int64_t base, int split) {
    while (t < end) {
        int64_t reached = split ? t : ctc_shim_cross_linear(b, w, n, t, end, base, 0);
        if (reached == t) ctc_shim_cross_split(b, w, n, t, end, base);
        t = reached == t ? end : reached;
    }
}

/* The carry before frame 0: every path starts at the first blank. */
CTC_SHIM_LOCAL void ctc_shim_start(const ctc_shim_batch *b, const ctc_shim_scratch *w) {
    ctc_shim_cells carry = ctc_shim_cells_at(w->carry, b->width, 0);
    ctc_shim_clear(&carry, b->width);
    carry.blank_m[0] = 1;
    carry.blank_e[0] = 0;
}

/* Keeps the carry where a block of the table starts. Returns the base of the block where its rows
 * are kept, which are those of the last block, else -1. */
CTC_SHIM_LOCAL int64_t ctc_shim_checkpoint(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                           int64_t t, int64_t T) {
    size_t size = ctc_shim_alpha_size(b);
    if (!b->gradient) return -1;
    if (t % b->rows == 0)
        memcpy(w->checkpoints + (size_t)(t / b->rows) * size, w->carry, size * sizeof(double));
    return t / b->rows == (T - 1) / b->rows ? t / b->rows * b->rows : -1;
}

/* Reads the scores of frame t: the scale of its emissions, the blank's emission, and the softmax
 * into the gradient. Returns the denominator of the softmax, or 0 at a NaN or +inf. `outside` sums
 * up the part of -ln p that is the same on all paths. */
CTC_SHIM_LOCAL double ctc_shim_read(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n,
                                    int64_t t, double upstream, double *outside) {
    const void *row = ctc_shim_scores(b, w, n, t);
    const int softmax = b->gradient && ctc_shim_has_exps(b), ratios = (int)b->ratios;
    const int64_t sums = b->normalize || softmax;
    char *exps = softmax ? w->exps : NULL;
    ctc_shim_frame *frame = &w->frames[t];
    double blank;
    ctc_shim_sum sum;
    if (b->item == 4) {
        sum = ctc_shim_row_f32((const float *)row, b->padded, sums, ratios, (float *)exps,
                               (float *)w->exps, w->reference);
        blank = ((const float *)row)[b->blank];
    } else {
        sum = ctc_shim_row_f64((const double *)row, b->padded, sums, ratios, (double *)exps,
                               (double *)w->exps, w->reference);
        blank = ((const double *)row)[b->blank];
    }
    if (sum.bad) return 0;
    frame->maximum = sum.maximum == -INFINITY ? 0 : sum.maximum;
    if (ratios)
        frame->blank_m = ctc_shim_split(sum.maximum > 0 ? blank / sum.maximum : 0, &frame->blank_e);
    else
        frame->blank_m =
            ctc_shim_split_exp(blank - frame->maximum, &frame->blank_e, CTC_SHIM_FLOORS.split,
                               CTC_SHIM_FLOORS.never, CTC_SHIM_FLOORS.half, 1);
    if (!b->normalize) {
        sum.ties = sum.ties > 0;
        sum.rest = 0;
        upstream *= softmax ? exp(frame->maximum) : 1;
        *outside -= frame->maximum;
    }
    if (b->gradient) ctc_shim_write_row(b, w, n, t, softmax ? upstream : 0, softmax ? &sum : NULL);
    return b->normalize && sum.ties > 0 ? sum.ties + sum.rest : 1;
}

/* The frames t .. end - 1 of a group row by row: see ctc_shim_visit. */
CTC_SHIM_LOCAL double ctc_shim_visit_rows(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                          int64_t n, int64_t t, int64_t end, int64_t base,
                                          double upstream, double *outside) {
    double product = 1;
    int64_t first = t;
    ctc_shim_fetch(b, w, n, t, end);
    for (; t < end; t++) {
        double denominator = ctc_shim_read(b, w, n, t, upstream, outside);
        if (denominator == 0) return 0;
        product *= denominator;
    }
    ctc_shim_cross(b, w, n, first, end, base, 0);
    return product;
}

/* The same side by side; 0 where that does not do. */
CTC_SHIM_LOCAL double ctc_shim_visit_frames(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                            int64_t n, int64_t t, int64_t end, int64_t base,
                                            double upstream, double *outside) {
    double product;
    if (!ctc_shim_reads_frames(b)) return 0;
    product = ctc_shim_read_frames(b, w, n, t, end, upstream, b->gradient != NULL);
    if (product == 0 || ctc_shim_cross_linear(b, w, n, t, end, base, 1) < end) return 0;
    for (; !b->normalize && t < end; t++) *outside -= w->frames[t].maximum;
    return product;
}

/* All frames forwards: loss terms, softmax into the gradient, alpha. Returns 0 at a NaN or +inf. */
CTC_SHIM_LOCAL int ctc_shim_visit(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n,
                                  int64_t T, double upstream, double *outside) {
    double product = 1, factor; /* of the softmax denominators: one log for many frames */
    int64_t first, end, base;
    *outside = 0;
    ctc_shim_start(b, w);
    for (first = 0; first < T; first = end) {
        end = ctc_shim_group_end(first, T);
        if (ctc_shim_stops(w->signal_check, ctc_shim_work_of(b, end - first))) return 0;
        base = ctc_shim_checkpoint(b, w, first, T);
        factor = ctc_shim_visit_frames(b, w, n, first, end, base, upstream, outside);
        if (factor == 0) factor = ctc_shim_visit_rows(b, w, n, first, end, base, upstream, outside);
        if (factor == 0) return 0;
        product *= factor;
        if (product > 1e100 || product < 1e-100) {
            *outside += log(product);
            product = 1;
        }
    }
    *outside += log(product);
    return 1;
}
#endif
