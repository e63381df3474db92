/* The best path. */
#ifndef CTC_SHIM_DECODE_GREEDY_H
#define CTC_SHIM_DECODE_GREEDY_H
#include "decode_rows.h"

CTC_SHIM_LOCAL void ctc_shim_greedy(ctc_shim_decoder *d, int64_t n) {
    const ctc_shim_decoding *g = d->decoding;
    const ctc_shim_batch *b = &g->batch;
    int64_t t, best, previous = -1, length = 0, T = ctc_shim_frames_of(b, n),
                     *out = g->labels + n * b->T;
    double score = 0;
    for (t = 0; t < T && !ctc_shim_stops(&d->signal_check, ctc_shim_frame_work(d)); t++) {
        if (!ctc_shim_decode_read(d, n, t)) {
            score = NAN;
            break;
        }
        score += (d->maximum - d->shift) - d->rest;
        if (d->maximum == -INFINITY) continue; /* impossible; look on for NaN */
        best = b->item == 4 ? ctc_shim_find_f32((const float *)d->row, b->C, (float)d->maximum)
                            : ctc_shim_find_f64((const double *)d->row, b->C, d->maximum);
        out[length] = best; /* without a branch, which no processor could predict here */
        length += (best != b->blank) & !(g->merge && best == previous);
        previous = best;
    }
    if (length < T) out[length] = -1; /* the last write may not have counted */
    while (length > 0 && !(score > -INFINITY)) out[--length] = -1;
    g->lengths[n] = length;
    g->scores[n] = score;
}
#endif
