/* The probabilities of a frame. */
#ifndef CTC_SHIM_DECODE_ROWS_H
#define CTC_SHIM_DECODE_ROWS_H
#include "decode_best.h"

CTC_SHIM_LOCAL double ctc_shim_log_p(const ctc_shim_decoder *d, int64_t c) {
    double score = d->decoding->batch.item == 4 ? (double)((const float *)d->row)[c]
                                                : ((const double *)d->row)[c];
    return (score - d->shift) - d->rest;
}

/* Makes frame t the current one. Returns 0 where a score is NaN or +inf. */
CTC_SHIM_LOCAL int ctc_shim_decode_read(ctc_shim_decoder *d, int64_t n, int64_t t) {
    const ctc_shim_batch *b = &d->decoding->batch;
    const void *row = ctc_shim_scores(b, &d->scratch, n, t);
    char *spare = d->scratch.exps;
    ctc_shim_sum sum;
    int normal;
    ctc_shim_fetch(b, &d->scratch, n, t, t + 1);
    sum = b->item == 4 ? ctc_shim_row_f32((const float *)row, b->C, b->normalize, 0, NULL,
                                          (float *)spare, NULL)
                       : ctc_shim_row_f64((const double *)row, b->C, b->normalize, 0, NULL,
                                          (double *)spare, NULL);
    normal = b->normalize && sum.maximum != -INFINITY;
    d->row = row;
    d->maximum = sum.maximum;
    d->shift = normal ? sum.maximum : 0;
    d->rest = normal ? log(sum.ties + sum.rest) : 0;
    return !sum.bad;
}

/* The work of a frame, as ctc_shim_stops counts it. A branch of a beam takes about as long as 300
 * scores, and so does a frame by itself. */
CTC_SHIM_LOCAL double ctc_shim_frame_work(const ctc_shim_decoder *d) {
    return (double)d->decoding->batch.C + 300.0 * (double)(d->decoding->width + 1);
}

#include "float.inc.h"
#include "decode_rows.inc.h"
#include "double.inc.h"
#include "decode_rows.inc.h"
#endif
