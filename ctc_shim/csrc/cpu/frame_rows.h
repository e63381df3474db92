/* Scores of a group of frames side by side, each frame in a lane of a vector. */
#ifndef CTC_SHIM_FRAME_ROWS_H
#define CTC_SHIM_FRAME_ROWS_H
#include "lane_rows.h"

/* With few classes the softmax of a row is all overhead: short vectors, sums across a vector. Here
 * the sums of the frames are vectors, and one exponential an element serves the softmax and the
 * emissions. Emissions are then as exact as the scores: in float for float scores. So they must
 * come with the sums found here, or a network that is sure of its output would seem to have
 * probabilities above 1. Where a group of frames cannot be crossed with them (linear.h), it is read
 * again row by row. */
CTC_SHIM_LOCAL int ctc_shim_reads_frames(const ctc_shim_batch *b) {
#if defined(CTC_SHIM_HAS_LANES)
    return b->C > 0 && b->C <= CTC_SHIM_SIDE_CLASSES;
#else
    (void)b;
    return 0;
#endif
}

#if !defined(CTC_SHIM_HAS_LANES)
CTC_SHIM_LOCAL double ctc_shim_read_frames(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                           int64_t n, int64_t t, int64_t end, double upstream,
                                           int write) {
    (void)b, (void)w, (void)n, (void)t, (void)end, (void)upstream, (void)write;
    return 0;
}
CTC_SHIM_LOCAL double ctc_shim_emissions_of(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                            int64_t t, const ctc_shim_frame *frame, double *y) {
    (void)b, (void)w, (void)t, (void)frame, (void)y;
    return 0;
}
#else
/* The exponentials of frame t, of which those of a class are SIDE numbers apart. */
CTC_SHIM_LOCAL char *ctc_shim_exps_of(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                      int64_t t) {
    int64_t i = t % CTC_SHIM_GROUP;
    return w->e + (i / CTC_SHIM_SIDE * b->C * CTC_SHIM_SIDE + i % CTC_SHIM_SIDE) * b->item;
}

/* Reads the frames t .. end - 1, a group, as ctc_shim_read does; the softmax goes into the gradient
 * if `write`. Returns the product of the denominators, or 0 where scores are not finite or very
 * large. */
CTC_SHIM_LOCAL double ctc_shim_read_frames(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                           int64_t n, int64_t t, int64_t end, double upstream,
                                           int write) {
    const int softmax = ctc_shim_has_exps(b);
    double product = 1;
    for (; t < end; t += CTC_SHIM_SIDE) {
        char *e = ctc_shim_exps_of(b, w, t), *out[CTC_SHIM_SIDE];
        const char *rows[CTC_SHIM_SIDE];
        ctc_shim_each epsilon, sums, leasts, scales, refused = {0}, factor;
        int64_t i, count = end - t < CTC_SHIM_SIDE ? end - t : (int64_t)CTC_SHIM_SIDE;
        for (i = 0; i < CTC_SHIM_SIDE; i++) {
            rows[i] = ctc_shim_given(b, n, i < count ? t + i : end - 1);
            out[i] = i < count && write
                         ? b->gradient + n * b->gradient_stride_n + (t + i) * b->gradient_stride_t
                         : w->exps;
            epsilon[i] = b->epsilon;
        }
        if (b->item == 4) {
            ctc_shim_gather_rows_f32(b, NULL, rows, epsilon, (float *)(void *)e);
            ctc_shim_exp_rows_f32((float *)(void *)e, b->C, (int)b->ratios, sums, leasts, scales,
                                  refused);
        } else {
            ctc_shim_gather_rows_f64(b, NULL, rows, epsilon, (double *)(void *)e);
            ctc_shim_exp_rows_f64((double *)(void *)e, b->C, (int)b->ratios, sums, leasts, scales,
                                  refused);
        }
        for (i = 0; i < count; i++) {
            ctc_shim_frame *frame = &w->frames[t + i];
            const char *blank = e + (b->blank * CTC_SHIM_SIDE + i) * b->item;
            frame->maximum = b->ratios ? 1 : scales[i] * CTC_SHIM_LN2;
            frame->blank_m = b->item == 4 ? (double)*(const float *)(const void *)blank
                                          : *(const double *)(const void *)blank;
            frame->blank_e = 0;
            frame->least = leasts[i];
            product *= refused[i] > 0 ? 0 : b->normalize ? sums[i] : 1;
        }
        if (!(product > 0)) return 0;
        if (!write) continue;
        if (!softmax) {
            for (i = 0; i < count; i++) memset(out[i], 0, (size_t)(b->C * b->item));
            continue;
        }
        for (i = 0; i < CTC_SHIM_SIDE; i++)
            factor[i] = b->normalize ? upstream / sums[i] : upstream * exp2(scales[i]);
        if (b->item == 4) ctc_shim_put_rows_f32(b->C, 0, (const float *)(void *)e, factor, out);
        else ctc_shim_put_rows_f64(b->C, 0, (const double *)(void *)e, factor, out);
    }
    return product;
}

/* Emissions of the labels in the band of frame t. Returns the least of them and of the blank's, or
 * less where no class is very low. */
CTC_SHIM_LOCAL double ctc_shim_emissions_of(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                            int64_t t, const ctc_shim_frame *frame, double *y) {
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
    const void *e = ctc_shim_exps_of(b, w, t);
    double least = frame->blank_m;
    y[start - 1] = 0;
    if (b->item == 4) ctc_shim_pick_band_f32((const float *)e, b->C, w->label, start, stop, y);
    else ctc_shim_pick_band_f64((const double *)e, b->C, w->label, start, stop, y);
    if (frame->least > CTC_SHIM_FAINT) return frame->least;
    CTC_SHIM_SIMD(reduction(min : least))
    for (j = start; j < stop; j++) least = CTC_SHIM_LESS(y[j], least);
    return least;
}
#endif
#endif
