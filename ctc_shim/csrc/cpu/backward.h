/* Backwards through one sequence: posteriors into the gradient. */
#ifndef CTC_SHIM_BACKWARD_H
#define CTC_SHIM_BACKWARD_H
#include "forward.h"

/* Adds the posteriors of frame t to its row of the gradient, and completes that row. */
CTC_SHIM_LOCAL void ctc_shim_deposit(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n,
                                     int64_t t, int64_t S, double blanks) {
    char *out = b->gradient + n * b->gradient_stride_n + t * b->gradient_stride_t;
    int64_t start = (int64_t)w->frames[t].start * CTC_SHIM_LANES,
            stop = (int64_t)w->frames[t].stop * CTC_SHIM_LANES - 1;
    const void *row = !b->ratios ? NULL
                      : b->plain ? ctc_shim_given(b, n, t)
                                 : ctc_shim_scores(b, w, n, t);
    double epsilon = b->plain ? b->epsilon : 0; /* copies contain it */
    if (stop > S) stop = S;
    if (b->item == 4) {
        ctc_shim_scatter_f32((float *)out, w->label, start, stop, w->posterior);
        ((float *)out)[b->blank] += (float)blanks;
        if (row)
            ctc_shim_by_probability_f32((const float *)row, b->C, (float)epsilon, (float *)out);
    } else {
        ctc_shim_scatter_f64((double *)out, w->label, start, stop, w->posterior);
        ((double *)out)[b->blank] += blanks;
        if (row) ctc_shim_by_probability_f64((const double *)row, b->C, epsilon, (double *)out);
    }
}

/* The frames t .. start of a group in linear form, from carry to carry. */
CTC_SHIM_LOCAL void ctc_shim_return_linear(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                           int64_t n, int64_t start, int64_t t, int64_t base,
                                           int64_t S, double total_m, double total_e,
                                           double factor) {
    ctc_shim_cells carry = ctc_shim_cells_at(w->beta, b->width, 2);
    ctc_shim_linear linear = ctc_shim_linear_at(b, w);
    const double *scale = ctc_shim_slot(b, w, start, base).label_e;
    double *label = linear.label, *blank = linear.blank;
    const unsigned before = ctc_shim_flush();
    ctc_shim_factors(scale, w->skip, &w->frames[start], &linear);
    ctc_shim_enter_backward(&carry, scale, &w->frames[start], total_e, &linear);
    for (; t >= start; t--) {
        ctc_shim_cells alpha = ctc_shim_slot(b, w, t, base),
                       to = ctc_shim_cells_at(w->beta, b->width, t & 1);
        double blanks = ctc_shim_backward_linear(
            label, blank, to.label_m, to.blank_m, &alpha, &linear, &w->frames[t],
            ctc_shim_blank_linear(&w->frames[t]), factor / total_m, w->posterior);
        ctc_shim_deposit(b, w, n, t, S, blanks);
        label = to.label_m;
        blank = to.blank_m;
    }
    ctc_shim_leave(label, blank, scale, &w->frames[start], total_e, 1, &carry);
    ctc_shim_flush_back(before);
}

/* The same with an exponent in each cell. */
CTC_SHIM_LOCAL void ctc_shim_return_split(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                          int64_t n, int64_t start, int64_t t, int64_t base,
                                          int64_t S, double total_m, double total_e,
                                          double factor) {
    ctc_shim_cells carry = ctc_shim_cells_at(w->beta, b->width, 2), from = carry;
    int far = total_e < CTC_SHIM_DEEPEST;
    for (; t >= start; t--) {
        ctc_shim_cells alpha = ctc_shim_slot(b, w, t, base),
                       to = ctc_shim_cells_at(w->beta, b->width, t & 1);
        double blanks;
        if (far) ctc_shim_frame_total(&from, &alpha, w->skip, &w->frames[t], &total_m, &total_e);
        blanks = ctc_shim_backward(&from, &to, &alpha, w->skip, &w->frames[t], total_m, total_e,
                                   factor, w->posterior);
        ctc_shim_fence(&to, &w->frames[t]);
        ctc_shim_deposit(b, w, n, t, S, blanks);
        from = to;
    }
    ctc_shim_carry_on(b, &from, &carry, &w->frames[start]);
}

/* A group forwards once more, in the same way as before. */
CTC_SHIM_LOCAL void ctc_shim_cross_again(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                         int64_t n, int64_t t, int64_t end, int64_t base,
                                         int split) {
    if (w->frames[t].beside && !split) {
        ctc_shim_read_frames(b, w, n, t, end, 0, 0);
        ctc_shim_cross_linear(b, w, n, t, end, base, 1);
    } else {
        ctc_shim_fetch(b, w, n, t, end);
        ctc_shim_cross(b, w, n, t, end, base, split);
    }
}

/* All frames backwards, block by block. Blocks no longer in the table are computed again from their
 * checkpoints. */
CTC_SHIM_LOCAL void ctc_shim_return(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n,
                                    int64_t T, int64_t S, double total_m, double total_e,
                                    double factor) {
    ctc_shim_cells beta = ctc_shim_cells_at(w->beta, b->width, 2);
    int64_t t, start, base, last = (T - 1) / b->rows * b->rows;
    int split = total_e < CTC_SHIM_DEEPEST; /* exponents beyond 2^53 are rounded: see linear.h */
    ctc_shim_clear(&beta, b->width);
    beta.blank_m[S] = 1; /* every path ends at the last blank, after the last frame */
    beta.blank_e[S] = 0;
    for (base = last; base >= 0; base -= b->rows) {
        int64_t stop = base == last ? T : base + b->rows;
        if (base < last || split) {
            memcpy(w->carry, w->checkpoints + (size_t)(base / b->rows) * ctc_shim_alpha_size(b),
                   ctc_shim_alpha_size(b) * sizeof(double));
            for (t = base; t < stop; t = ctc_shim_group_end(t, stop)) {
                ctc_shim_cross_again(b, w, n, t, ctc_shim_group_end(t, stop), base, split);
            }
        }
        for (t = stop - 1; t >= base; t = start - 1) {
            int linear = w->frames[t].group >= 0;
            if (ctc_shim_stops(w->signal_check, ctc_shim_work_of(b, CTC_SHIM_GROUP))) return;
            start = linear ? w->frames[t].group : t / CTC_SHIM_GROUP * CTC_SHIM_GROUP;
            while (!linear && w->frames[start].group >= 0)
                start++; /* after the linear part of the group */
            if (b->ratios && !b->plain) ctc_shim_fetch(b, w, n, start, t + 1);
            (linear ? ctc_shim_return_linear : ctc_shim_return_split)(b, w, n, start, t, base, S,
                                                                      total_m, total_e, factor);
        }
    }
}
#endif
