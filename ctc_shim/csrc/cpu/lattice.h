/* One frame of the lattice, with an exponent in each cell. */
#ifndef CTC_SHIM_LATTICE_H
#define CTC_SHIM_LATTICE_H
#include "scalars.h"

/* Six arrays over j, valid from -FENCE to width + FENCE. A cell is m * 2^e. */
typedef struct {
    double *label_m, *label_e, *blank_m, *blank_e, *emission_m, *emission_e;
} ctc_shim_cells;

/* What is kept of a frame for the backward pass. */
typedef struct {
    double maximum;          /* the scale of its emissions */
    double blank_m, blank_e; /* the blank's emission */
    int32_t start, stop;     /* its band, in units of LANES cells */
    int64_t group;           /* the first frame of its linear group (linear.h), or -1 */
    int64_t beside;          /* its group was read side by side (frame_rows.h) */
    double least;            /* then: the least emission of a class */
} ctc_shim_frame;

/* (m, e) = (am, ae) + (bm, be) */
CTC_SHIM_INLINE void ctc_shim_add(double am, double ae, double bm, double be, double floor,
                                  double *m, double *e) {
    double top = ae > be ? ae : be;
    *m = am * ctc_shim_scale(ae - top, floor) + bm * ctc_shim_scale(be - top, floor);
    *e = top;
}

/* One frame of equations (6)-(8). Cells below the band cannot reach the end any more, and cells
 * above it cannot be reached yet. */
CTC_SHIM_LOCAL void ctc_shim_forward(const ctc_shim_cells *from, const ctc_shim_cells *to,
                                     const double *CTC_SHIM_RESTRICT skip,
                                     const ctc_shim_frame *frame) {
    const double *CTC_SHIM_RESTRICT lm = from->label_m, *CTC_SHIM_RESTRICT le = from->label_e;
    const double *CTC_SHIM_RESTRICT bm = from->blank_m, *CTC_SHIM_RESTRICT be = from->blank_e;
    const double *CTC_SHIM_RESTRICT ym = to->emission_m, *CTC_SHIM_RESTRICT ye = to->emission_e;
    double *CTC_SHIM_RESTRICT out_lm = to->label_m, *CTC_SHIM_RESTRICT out_le = to->label_e;
    double *CTC_SHIM_RESTRICT out_bm = to->blank_m, *CTC_SHIM_RESTRICT out_be = to->blank_e;
    double blank_m = frame->blank_m, blank_e = frame->blank_e, floor = CTC_SHIM_FLOORS.low;
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
#pragma omp simd
    for (j = start; j < stop; j++) {
        double qm, qe, m, e;
        ctc_shim_add(bm[j], be[j], lm[j - 1], le[j - 1], floor, &qm, &qe);
        out_bm[j] = qm * blank_m;
        out_be[j] = qe + blank_e;
        m = skip[j] > 0 ? qm : bm[j]; /* equal labels need the blank between them */
        e = skip[j] > 0 ? qe : be[j];
        ctc_shim_add(lm[j], le[j], m, e, floor, &m, &e);
        out_lm[j] = m * ym[j];
        out_le[j] = e + ye[j];
    }
}

/* One frame of equations (9)-(11), and the posteriors (14) of its states. Here cells[j] holds label
 * j - 1 and blank j, which makes this the forward recursion with the neighbour on the other side.
 * posterior[j - 1] receives the posterior of a label; the sum of the blanks' is returned; both are
 * multiplied by `factor`. The sum over all paths is total_m * 2^total_e. */
CTC_SHIM_LOCAL double ctc_shim_backward(const ctc_shim_cells *from, const ctc_shim_cells *to,
                                        const ctc_shim_cells *alpha,
                                        const double *CTC_SHIM_RESTRICT skip,
                                        const ctc_shim_frame *frame, double total_m, double total_e,
                                        double factor, double *CTC_SHIM_RESTRICT posterior) {
    const double *CTC_SHIM_RESTRICT lm = from->label_m, *CTC_SHIM_RESTRICT le = from->label_e;
    const double *CTC_SHIM_RESTRICT bm = from->blank_m, *CTC_SHIM_RESTRICT be = from->blank_e;
    const double *CTC_SHIM_RESTRICT ym = alpha->emission_m,
                                    *CTC_SHIM_RESTRICT ye = alpha->emission_e;
    const double *CTC_SHIM_RESTRICT alm = alpha->label_m, *CTC_SHIM_RESTRICT ale = alpha->label_e;
    const double *CTC_SHIM_RESTRICT abm = alpha->blank_m, *CTC_SHIM_RESTRICT abe = alpha->blank_e;
    double *CTC_SHIM_RESTRICT out_lm = to->label_m, *CTC_SHIM_RESTRICT out_le = to->label_e;
    double *CTC_SHIM_RESTRICT out_bm = to->blank_m, *CTC_SHIM_RESTRICT out_be = to->blank_e;
    double blank_m = frame->blank_m, blank_e = frame->blank_e, scale = factor / total_m, blanks = 0,
           floor = CTC_SHIM_FLOORS.low;
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
#pragma omp simd reduction(+ : blanks)
    for (j = start; j < stop; j++) {
        double qm, qe, m, e;
        ctc_shim_add(bm[j], be[j], lm[j + 1], le[j + 1], floor, &qm, &qe);
        blanks += abm[j] * qm * ctc_shim_scale(abe[j] + qe - total_e, floor);
        out_bm[j] = qm * blank_m;
        out_be[j] = qe + blank_e;
        m = skip[j] > 0 ? qm : bm[j];
        e = skip[j] > 0 ? qe : be[j];
        ctc_shim_add(lm[j], le[j], m, e, floor, &m, &e);
        posterior[j - 1] = alm[j - 1] * m * scale * ctc_shim_scale(ale[j - 1] + e - total_e, floor);
        out_lm[j] = m * ym[j - 1];
        out_le[j] = e + ye[j - 1];
    }
    return blanks * scale;
}

/* The sum over all paths, computed from the states of one frame. ctc_shim_backward needs it when
 * exponents are beyond 2^53, because every path needs a class masked with -1e30, say: the rounding
 * of exponents then differs from frame to frame. */
CTC_SHIM_LOCAL void ctc_shim_frame_total(const ctc_shim_cells *from, const ctc_shim_cells *alpha,
                                         const double *skip, const ctc_shim_frame *frame,
                                         double *total_m, double *total_e) {
    int64_t j, stop = (int64_t)frame->stop * CTC_SHIM_LANES;
    double m, e, qm, qe, floor = CTC_SHIM_FLOORS.low;
    *total_m = 0;
    *total_e = CTC_SHIM_NEVER;
    for (j = (int64_t)frame->start * CTC_SHIM_LANES; j < stop; j++) {
        ctc_shim_add(from->blank_m[j], from->blank_e[j], from->label_m[j + 1], from->label_e[j + 1],
                     floor, &qm, &qe);
        ctc_shim_add(alpha->blank_m[j] * qm, alpha->blank_e[j] + qe, *total_m, *total_e, floor,
                     total_m, total_e);
        m = skip[j] > 0 ? qm : from->blank_m[j];
        e = skip[j] > 0 ? qe : from->blank_e[j];
        ctc_shim_add(from->label_m[j], from->label_e[j], m, e, floor, &m, &e);
        ctc_shim_add(alpha->label_m[j - 1] * m, alpha->label_e[j - 1] + e, *total_m, *total_e,
                     floor, total_m, total_e);
    }
}

/* Impossible cells on both sides of a new row: the frames before and after it read them. */
CTC_SHIM_LOCAL void ctc_shim_fence(const ctc_shim_cells *row, const ctc_shim_frame *frame) {
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES - CTC_SHIM_FENCE,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
#pragma omp simd
    for (j = 0; j < CTC_SHIM_FENCE; j++) {
        row->label_m[start + j] = row->blank_m[start + j] = row->label_m[stop + j] =
            row->blank_m[stop + j] = 0;
        row->label_e[start + j] = row->blank_e[start + j] = row->label_e[stop + j] =
            row->blank_e[stop + j] = CTC_SHIM_NEVER;
    }
}

/* Brings mantissas back into [1, 2). Zero stays zero, and its exponent falls. */
CTC_SHIM_LOCAL void ctc_shim_renormalise(double *CTC_SHIM_RESTRICT m, double *CTC_SHIM_RESTRICT e,
                                         const ctc_shim_frame *frame) {
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES,
               stop = (int64_t)frame->stop * CTC_SHIM_LANES;
#pragma omp simd
    for (j = start; j < stop; j++) {
        uint64_t bits, biased;
        double number;
        memcpy(&bits, &m[j], 8);
        biased = (bits >> 52) |
                 0x4330000000000000u; /* the exponent's bits as the double 2^52 + exponent */
        memcpy(&number, &biased, 8);
        number -= 4503599627370496.0 + 1023.0;
        m[j] *= ctc_shim_pow2(-number);
        e[j] += number;
    }
}

/* Makes a row ready for the frame before or after it: normalised and fenced. */
CTC_SHIM_LOCAL void ctc_shim_make_ready(const ctc_shim_cells *row, const ctc_shim_frame *frame) {
    ctc_shim_renormalise(row->label_m, row->label_e, frame);
    ctc_shim_renormalise(row->blank_m, row->blank_e, frame);
    ctc_shim_fence(row, frame);
}

/* Frames are handled in groups. Returns the frame after the last of the group of t. */
CTC_SHIM_LOCAL int64_t ctc_shim_group_end(int64_t t, int64_t T) {
    int64_t end = t / CTC_SHIM_GROUP * CTC_SHIM_GROUP + CTC_SHIM_GROUP;
    return end < T ? end : T;
}
#endif
