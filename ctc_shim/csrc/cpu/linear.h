/* Groups of frames in plain doubles. */
#ifndef CTC_SHIM_LINEAR_H
#define CTC_SHIM_LINEAR_H
#include "lattice.h"

/* Most groups of frames need no exponents in the inner loop. On entering one, each pair of cells
 * (label j, blank j) gets one exponent, scale[j], for all its frames. A cell is then
 * value * 2^scale[j], and a frame costs three multiply-adds a pair.
 *
 * Why nothing is lost: let D be DROP; a group has at most 16 frames. scale[j] is at least the
 * pair's own exponent and at least scale[j - 1] - D, so a value grows by at most 2^D, and a factor
 * of 3, a frame: to 2^826 at the end. On entry no possible cell is below 2^-500, and the group ends
 * before the least emissions of its frames multiply to less than 2^-480. A cell keeps at least what
 * stays in it, so no possible cell falls below 2^-980. All of them stay normal numbers, and what
 * flows into one is lost only where it is below 2^-94 of what is there. Cells that were impossible
 * on entry fill from their left neighbour times 2^D. An impossible cell between possible ones,
 * after a score of -inf, sends the group to the code with an exponent in each cell.
 *
 * Backwards, beta is kept in units of total / 2^scale[j]. Posteriors are plain products, the
 * transitions are those of the forward pass transposed, and a product that underflows is a
 * posterior below 2^-190. Only cells that alpha calls impossible, whose posterior is 0 * beta,
 * could overflow: they stop at a ceiling. */
static const double CTC_SHIM_DROP = 50;
static const double CTC_SHIM_LOWEST = -500;
static const double CTC_SHIM_STEEPEST = 1000;
static const double CTC_SHIM_DEEPEST = -4e15;
static const double CTC_SHIM_BUDGET = 3.2e-145;  /* 2^-480 */
static const double CTC_SHIM_CEILING = 1.07e301; /* 2^1000 */

/* Numbers below 2^-1022 become 0 from here on; ctc_shim_flush_back takes that back. A product that
 * falls below takes an x86 processor over a hundred cycles otherwise. */
CTC_SHIM_INLINE unsigned ctc_shim_flush(void) {
#if defined(__SSE2__)
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8000);
    return before;
#else
    return 0;
#endif
}
CTC_SHIM_INLINE void ctc_shim_flush_back(unsigned before) {
#if defined(__SSE2__)
    _mm_setcsr(before);
#else
    (void)before;
#endif
}

/* The first row of a group, and the factors between neighbours. */
typedef struct {
    double *label, *blank, *step, *skip;
} ctc_shim_linear;

/* 2^k, k between two bounds, which the compiler must not know: see ctc_shim_floors. */
CTC_SHIM_INLINE double ctc_shim_shift(double k, double low, double high) {
    k = k > low ? k : low;
    return ctc_shim_pow2(k < high ? k : high);
}

/* step[j] turns a value of pair j - 1 into the units of pair j. skip[j] is the same for the way
 * past the blank, and 0 where labels repeat. */
CTC_SHIM_LOCAL void ctc_shim_factors(const double *CTC_SHIM_RESTRICT scale,
                                     const double *CTC_SHIM_RESTRICT may_skip,
                                     const ctc_shim_frame *frame, const ctc_shim_linear *linear) {
    double *CTC_SHIM_RESTRICT step = linear->step, *CTC_SHIM_RESTRICT skip = linear->skip;
    double low = CTC_SHIM_FLOORS.shift, high = -low;
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
#pragma omp simd
    for (j = start + 1; j < stop; j++) {
        step[j] = ctc_shim_shift(scale[j - 1] - scale[j], low, high);
        skip[j] = step[j] * may_skip[j];
    }
    step[start] = 1; /* see ctc_shim_enter */
    skip[start] = may_skip[start];
}

/* x[j] becomes the largest of x[start] .. x[j] and `run`. Blocks of LANES first, which do not wait
 * for each other. */
CTC_SHIM_LOCAL void ctc_shim_running_most(double *x, int64_t start, int64_t stop, double run) {
    int64_t block, j;
    for (block = start; block < stop; block += CTC_SHIM_LANES)
        for (j = block + 1; j < block + CTC_SHIM_LANES; j++)
            x[j] = x[j] > x[j - 1] ? x[j] : x[j - 1];
    for (block = start; block < stop; block += CTC_SHIM_LANES) {
        const double last = x[block + CTC_SHIM_LANES - 1];
#pragma omp simd
        for (j = block; j < block + CTC_SHIM_LANES; j++) x[j] = x[j] > run ? x[j] : run;
        run = last > run ? last : run;
    }
}

/* A normalised row in linear form. Returns 0 where the conditions above do not hold. The label
 * below the band is part of it, in the units of the pair it flows into: in the frame before, it
 * could still reach the end. */
CTC_SHIM_LOCAL int ctc_shim_enter(const ctc_shim_cells *carry, const double *may_skip,
                                  const ctc_shim_frame *frame, double *CTC_SHIM_RESTRICT scale,
                                  const ctc_shim_linear *linear) {
    const double *CTC_SHIM_RESTRICT lm = carry->label_m, *CTC_SHIM_RESTRICT le = carry->label_e;
    const double *CTC_SHIM_RESTRICT bm = carry->blank_m, *CTC_SHIM_RESTRICT be = carry->blank_e;
    double *CTC_SHIM_RESTRICT label = linear->label, *CTC_SHIM_RESTRICT blank = linear->blank;
    double run, extreme = 0, holes = 0, low = CTC_SHIM_FLOORS.shift, high = -low; /* counts */
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
#pragma omp simd
    for (j = start; j < stop; j++)
        scale[j] = (le[j] > be[j] ? le[j] : be[j]) + CTC_SHIM_DROP * (double)(int32_t)j;
    run = le[start - 1] + CTC_SHIM_DROP * (double)(start - 1);
    ctc_shim_running_most(scale, start, stop, run);
#pragma omp simd
    for (j = start; j < stop; j++) scale[j] -= CTC_SHIM_DROP * (double)(int32_t)j;
#pragma omp simd reduction(+ : extreme)
    for (j = start; j < stop; j++) {
        double l = ctc_shim_keep_f64(le[j] - scale[j], lm[j] > 0),
               b = ctc_shim_keep_f64(be[j] - scale[j], bm[j] > 0);
        double depth = ctc_shim_keep_f64(scale[j], bm[j] > 0);
        extreme += ctc_shim_keep_f64(1, (l < CTC_SHIM_LOWEST) | (b < CTC_SHIM_LOWEST));
        extreme += ctc_shim_keep_f64(1, depth < CTC_SHIM_DEEPEST);
        label[j] = lm[j] * ctc_shim_shift(le[j] - scale[j], low, high);
        blank[j] = bm[j] * ctc_shim_shift(be[j] - scale[j], low, high);
    }
#pragma omp simd reduction(+ : extreme, holes)
    for (j = start + 1; j < stop; j++) {
        extreme += ctc_shim_keep_f64(1, scale[j] - scale[j - 1] > CTC_SHIM_STEEPEST);
        holes += ctc_shim_keep_f64(1, (bm[j] > 0) & !((bm[j - 1] > 0) & (lm[j - 1] > 0)));
        holes += ctc_shim_keep_f64(1, (lm[j] > 0) & !(bm[j] > 0));
    }
    label[start - 1] = lm[start - 1] * ctc_shim_shift(le[start - 1] - scale[start], low, high);
    scale[start - 1] = 0;
    if (extreme > 0 || holes > 0) return 0;
    ctc_shim_factors(scale, may_skip, frame, linear);
    return 1;
}

/* One frame of equations (6)-(8). */
CTC_SHIM_LOCAL void ctc_shim_forward_linear(const double *CTC_SHIM_RESTRICT label,
                                            const double *CTC_SHIM_RESTRICT blank,
                                            const ctc_shim_cells *to, const ctc_shim_linear *linear,
                                            const ctc_shim_frame *frame, double blank_y) {
    const double *CTC_SHIM_RESTRICT step = linear->step, *CTC_SHIM_RESTRICT skip = linear->skip;
    const double *CTC_SHIM_RESTRICT y = to->emission_m;
    double *CTC_SHIM_RESTRICT out_label = to->label_m, *CTC_SHIM_RESTRICT out_blank = to->blank_m;
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
#pragma omp simd
    for (j = start; j < stop; j++) {
        out_blank[j] = (blank[j] + label[j - 1] * step[j]) * blank_y;
        out_label[j] = (label[j] + blank[j] + label[j - 1] * skip[j]) * y[j];
    }
    out_label[start - 1] = 0;
}

/* Beta of a normalised row in linear form. Here cells[j] holds label j - 1 and blank j, as in
 * ctc_shim_backward. */
CTC_SHIM_LOCAL void ctc_shim_enter_backward(const ctc_shim_cells *carry,
                                            const double *CTC_SHIM_RESTRICT scale,
                                            const ctc_shim_frame *frame, double total_e,
                                            const ctc_shim_linear *linear) {
    const double *CTC_SHIM_RESTRICT lm = carry->label_m, *CTC_SHIM_RESTRICT le = carry->label_e;
    const double *CTC_SHIM_RESTRICT bm = carry->blank_m, *CTC_SHIM_RESTRICT be = carry->blank_e;
    double *CTC_SHIM_RESTRICT label = linear->label, *CTC_SHIM_RESTRICT blank = linear->blank,
                              low = CTC_SHIM_FLOORS.shift, high = -low;
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
#pragma omp simd
    for (j = start; j < stop; j++) {
        label[j] = lm[j] * ctc_shim_shift(le[j] + scale[j - 1] - total_e, low, high);
        blank[j] = bm[j] * ctc_shim_shift(be[j] + scale[j] - total_e, low, high);
    }
    /* The frame after may reach this label. */
    label[stop] = lm[stop] * ctc_shim_shift(le[stop] + scale[stop - 1] - total_e, low, high);
}

/* One frame of equations (9)-(11) and (14): ctc_shim_backward in linear form. */
CTC_SHIM_LOCAL double
ctc_shim_backward_linear(const double *CTC_SHIM_RESTRICT label,
                         const double *CTC_SHIM_RESTRICT blank, double *CTC_SHIM_RESTRICT out_label,
                         double *CTC_SHIM_RESTRICT out_blank, const ctc_shim_cells *alpha,
                         const ctc_shim_linear *linear, const ctc_shim_frame *frame, double blank_y,
                         double factor, double *CTC_SHIM_RESTRICT posterior) {
    const double *CTC_SHIM_RESTRICT step = linear->step, *CTC_SHIM_RESTRICT skip = linear->skip;
    const double *CTC_SHIM_RESTRICT y = alpha->emission_m;
    const double *CTC_SHIM_RESTRICT alpha_label = alpha->label_m,
                                    *CTC_SHIM_RESTRICT alpha_blank = alpha->blank_m;
    double blanks = 0, ceiling = CTC_SHIM_CEILING;
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
#pragma omp simd reduction(+ : blanks)
    for (j = start; j < stop; j++) {
        double b = blank[j] + label[j + 1],
               l = label[j] + blank[j] * step[j] + label[j + 1] * skip[j];
        l = l < ceiling ? l : ceiling;
        blanks += alpha_blank[j] * b;
        posterior[j - 1] = alpha_label[j - 1] * l * factor;
        out_blank[j] = b * blank_y;
        out_label[j] = l * y[j - 1];
    }
    out_label[stop] = 0;
    return blanks * factor;
}

/* A row in linear form back into `carry`, normalised: alpha, whose exponents are `scale` and
 * total_e is 0, or beta, whose exponents are total_e - scale. */
CTC_SHIM_LOCAL void ctc_shim_leave(const double *CTC_SHIM_RESTRICT label,
                                   const double *CTC_SHIM_RESTRICT blank,
                                   const double *CTC_SHIM_RESTRICT scale,
                                   const ctc_shim_frame *frame, double total_e, int backward,
                                   const ctc_shim_cells *carry) {
    double *CTC_SHIM_RESTRICT lm = carry->label_m, *CTC_SHIM_RESTRICT le = carry->label_e;
    double *CTC_SHIM_RESTRICT bm = carry->blank_m, *CTC_SHIM_RESTRICT be = carry->blank_e;
    double never = CTC_SHIM_FLOORS.never, sign = backward ? -1 : 1;
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
#pragma omp simd
    for (j = start; j < stop; j++) {
        lm[j] = label[j];
        bm[j] = blank[j];
        le[j] = label[j] > 0 ? total_e + sign * scale[j - backward] : never;
        be[j] = blank[j] > 0 ? total_e + sign * scale[j] : never;
    }
    ctc_shim_make_ready(carry, frame);
}
#endif
