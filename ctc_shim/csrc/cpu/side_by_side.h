/* Short sequences side by side: a vector holds the same cell of SIDE sequences. */
#ifndef CTC_SHIM_SIDE_BY_SIDE_H
#define CTC_SHIM_SIDE_BY_SIDE_H
#include "sequence.h"
#include "side_pack.h"

#if !defined(CTC_SHIM_HAS_LANES)
CTC_SHIM_LOCAL void ctc_shim_side_by_side(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                          const ctc_shim_side *s, const int64_t *members,
                                          int64_t count) {
    (void)s;
    for (; count > 0; count--) ctc_shim_sequence(b, w, *members++);
}
#else
/* The rows of frame t in the gradient. */
CTC_SHIM_LOCAL void ctc_shim_side_rows(const ctc_shim_batch *b, const ctc_shim_side *s,
                                       const ctc_shim_pack *pack, int64_t t, char **rows) {
    int64_t i;
    for (i = 0; i < CTC_SHIM_SIDE; i++)
        rows[i] = t < pack->end[i] ? pack->gradient[i] + t * b->gradient_stride_t : s->unused;
}

/* Reads frame t: its emissions y are kept, the softmax goes into the gradient if `write`. */
CTC_SHIM_LOCAL void ctc_shim_side_read(const ctc_shim_batch *b, const ctc_shim_side *s,
                                       ctc_shim_pack *pack, int64_t t, void *y, int write) {
    const int softmax = ctc_shim_has_exps(b), ratios = (int)b->ratios;
    const int64_t cells = (pack->labels + 2) * CTC_SHIM_SIDE;
    void *e = s->e;
    ctc_shim_each epsilon, sums, scales, factors;
    const char *rows[CTC_SHIM_SIDE];
    char *out[CTC_SHIM_SIDE];
    int64_t i;
    for (i = 0; i < CTC_SHIM_SIDE; i++) {
        rows[i] = t < pack->end[i] ? pack->scores[i] + t * b->stride_t : s->idle;
        epsilon[i] = t < pack->end[i] ? b->epsilon : 0;
    }
    if (b->item == 4) {
        ctc_shim_gather_rows_f32(b, s->idle, rows, epsilon, (float *)e);
        ctc_shim_exp_rows_f32((float *)e, b->C, ratios, sums, NULL, scales, pack->refused);
        ctc_shim_pick_f32((const float *)e, s->label, cells, (float *)y);
    } else {
        ctc_shim_gather_rows_f64(b, s->idle, rows, epsilon, (double *)e);
        ctc_shim_exp_rows_f64((double *)e, b->C, ratios, sums, NULL, scales, pack->refused);
        ctc_shim_pick_f64((const double *)e, s->label, cells, (double *)y);
    }
    for (i = 0; i < CTC_SHIM_SIDE; i++) {
        if (b->normalize) pack->product[i] *= sums[i];
        else {
            pack->exponent[i] -= scales[i];
            if (softmax) sums[i] = exp2(-scales[i]); /* of exp(score), which is not e */
        }
        factors[i] = softmax ? -pack->upstream[i] / sums[i] : 0;
    }
    if (!write) return;
    ctc_shim_side_rows(b, s, pack, t, out);
    if (b->item == 4) ctc_shim_put_rows_f32(b->C, ratios, (const float *)e, factors, out);
    else ctc_shim_put_rows_f64(b->C, ratios, (const double *)e, factors, out);
}

/* The frames t .. end - 1, a group, from carry to carry; `base` is the first frame of the block.
 * The softmax goes into the gradient if `write`. */
CTC_SHIM_LOCAL void ctc_shim_side_cross(const ctc_shim_batch *b, const ctc_shim_side *s,
                                        ctc_shim_pack *pack, int64_t t, int64_t end, int64_t base,
                                        int write) {
    const int64_t W = s->cells, first = t;
    double *units = s->units + (t - base) / CTC_SHIM_STRIDE * 3 * W, *row = s->carry;
    int64_t i;
    for (; t < end; t++)
        ctc_shim_side_read(b, s, pack, t, s->emissions + (t - base) * W * b->item, write);
    ctc_shim_regroup(s, pack, first, units);
    for (t = first; t < end; t++) {
        const void *y = s->emissions + (t - base) * W * b->item;
        const double *from = row;
        if (b->gradient) row = s->table + 2 * (t - base) * W; /* else in place */
        if (b->item == 4) ctc_shim_side_forward(s, pack, t, units, y, 4, from, row);
        else ctc_shim_side_forward(s, pack, t, units, y, 8, from, row);
    }
    for (i = 0; b->gradient && i < 2; i++)
        memcpy(s->carry + i * W + CTC_SHIM_SIDE, row + i * W + CTC_SHIM_SIDE,
               (size_t)((pack->labels + 1) * CTC_SHIM_SIDE) * sizeof(double));
    ctc_shim_settle(pack);
}

/* The losses, after all frames; `units` are those of the last group. Leaves beta after the last
 * frame. A sequence with little left of its range is refused: beta is its inverse. */
CTC_SHIM_LOCAL void ctc_shim_side_finish(const ctc_shim_batch *b, const ctc_shim_side *s,
                                         ctc_shim_pack *pack, const double *units) {
    const int64_t W = s->cells;
    int64_t i;
    memset(s->beta, 0, 2 * (size_t)W * sizeof(double));
    memcpy(s->beta + 2 * W, units, (size_t)W * sizeof(double));
    for (i = 0; i < pack->count; i++) {
        int64_t last = ((int64_t)pack->S[i] + 1) * CTC_SHIM_SIDE + i;
        double total = s->carry[W + last] + s->carry[last - CTC_SHIM_SIDE] * units[W + last];
        double exponent, loss;
        if (!(total >= CTC_SHIM_LEAST) || pack->refused[i] > 0) {
            pack->refused[i] = 1;
            continue;
        }
        s->beta[W + last] = 1 / total;
        /* Split, because the units depend on the longest of the pack. */
        loss = log(ctc_shim_split(pack->product[i] / total, &exponent));
        loss += (exponent + pack->exponent[i] - units[last]) * CTC_SHIM_LN2;
        ctc_shim_write_loss(b, pack->n[i], b->normalize && loss < 0 ? 0 : loss);
    }
}

/* Frame t backwards; its posteriors go into the gradient. y: its emissions. */
CTC_SHIM_LOCAL void ctc_shim_side_step_back(const ctc_shim_batch *b, const ctc_shim_side *s,
                                            const ctc_shim_pack *pack, int64_t t, const void *y,
                                            const double *units, const double *row) {
    const int ratios = (int)b->ratios;
    char *out[CTC_SHIM_SIDE];
    int64_t i, counts[CTC_SHIM_SIDE];
    ctc_shim_side_rows(b, s, pack, t, out);
    for (i = 0; i < CTC_SHIM_SIDE; i++) counts[i] = t < pack->end[i] ? (int64_t)pack->S[i] + 1 : 0;
    if (b->item == 4) {
        ctc_shim_side_backward(s, pack, units, y, 4, row);
        ctc_shim_add_posteriors_f32(ratios, (const float *)y, (const float *)s->posterior, s->label,
                                    counts, out);
    } else {
        ctc_shim_side_backward(s, pack, units, y, 8, row);
        ctc_shim_add_posteriors_f64(ratios, (const double *)y, (const double *)s->posterior,
                                    s->label, counts, out);
    }
}

/* All frames backwards, block by block, as in ctc_shim_return. */
CTC_SHIM_LOCAL void ctc_shim_side_return(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                         const ctc_shim_side *s, ctc_shim_pack *pack) {
    const int64_t W = s->cells, last = (pack->frames - 1) / s->rows;
    int64_t block, t, first;
    for (block = last; block >= 0; block--) {
        int64_t base = block * s->rows, stop = block == last ? pack->frames : base + s->rows;
        if (block < last) {
            memcpy(s->carry, s->checkpoints + block * 3 * W, 3 * (size_t)W * sizeof(double));
            for (t = base; t < stop; t += CTC_SHIM_STRIDE)
                ctc_shim_side_cross(b, s, pack, t, t + CTC_SHIM_STRIDE, base, 0);
        }
        for (t = stop - 1; t >= base; t = first - 1) {
            const double *units = s->units + (t - base) / CTC_SHIM_STRIDE * 3 * W;
            if (ctc_shim_stops(w->signal_check,
                               ctc_shim_work_of(b, CTC_SHIM_SIDE * CTC_SHIM_STRIDE)))
                return;
            ctc_shim_change_units(s, pack, units);
            for (first = t / CTC_SHIM_STRIDE * CTC_SHIM_STRIDE; t >= first; t--)
                ctc_shim_side_step_back(b, s, pack, t, s->emissions + (t - base) * W * b->item,
                                        units, s->table + 2 * (t - base) * W);
        }
    }
}

/* Losses and gradients of at most SIDE short sequences. */
CTC_SHIM_LOCAL void ctc_shim_side_by_side(const ctc_shim_batch *b, const ctc_shim_scratch *w,
                                          const ctc_shim_side *s, const int64_t *members,
                                          int64_t count) {
    const int64_t W = s->cells;
    int64_t i, t, base = 0;
    ctc_shim_pack pack;
    ctc_shim_assemble(b, s, members, count, &pack);
    memset(s->carry, 0, 3 * (size_t)W * sizeof(double));
    for (i = 0; i < CTC_SHIM_SIDE; i++) s->carry[W + CTC_SHIM_SIDE + i] = 1; /* the first blank */
    for (t = 0; t < pack.frames; t += CTC_SHIM_STRIDE) {
        int64_t end = t + CTC_SHIM_STRIDE < pack.frames ? t + CTC_SHIM_STRIDE : pack.frames;
        if (ctc_shim_stops(w->signal_check, ctc_shim_work_of(b, CTC_SHIM_SIDE * CTC_SHIM_STRIDE)))
            return;
        base = t / s->rows * s->rows;
        if (t == base && b->gradient)
            memcpy(s->checkpoints + t / s->rows * 3 * W, s->carry, 3 * (size_t)W * sizeof(double));
        ctc_shim_side_cross(b, s, &pack, t, end, base, b->gradient != NULL);
    }
    ctc_shim_side_finish(b, s, &pack,
                         s->units + (pack.frames - 1 - base) / CTC_SHIM_STRIDE * 3 * W);
    if (b->gradient) ctc_shim_side_return(b, w, s, &pack);
    for (i = 0; i < count; i++) {
        if (pack.refused[i] > 0) ctc_shim_sequence(b, w, members[i]);
        else ctc_shim_write_rows(b, members[i], (int64_t)pack.T[i], b->T, 0);
    }
}
#endif
#endif
