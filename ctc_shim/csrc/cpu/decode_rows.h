/* ---- rows ------------------------------------------------------------------------------------------------------- */

static double ctc_shim_log_p(const ctc_shim_decoder *d, int64_t c) {
    double score = d->decoding->batch.item == 4 ? (double)((const float *)d->row)[c] : ((const double *)d->row)[c];
    return (score - d->shift) - d->rest;
}

/* Makes frame t the one at hand; 0 where a score is NaN or +inf. */
static int ctc_shim_read(ctc_shim_decoder *d, int64_t n, int64_t t) {
    const ctc_shim_batch *b = &d->decoding->batch;
    const void *row = ctc_shim_scores(b, &d->scratch, n, t);
    char *spare = d->scratch.exps;
    ctc_shim_sum sum;
    int normal;
    ctc_shim_fetch(b, &d->scratch, n, t, t + 1);
    sum = b->item == 4 ? ctc_shim_row_f32((const float *)row, b->C, b->normalize, 0, NULL, (float *)spare, NULL)
                       : ctc_shim_row_f64((const double *)row, b->C, b->normalize, 0, NULL, (double *)spare, NULL);
    normal = b->normalize && sum.maximum != -INFINITY;
    d->row = row;
    d->maximum = sum.maximum;
    d->shift = normal ? sum.maximum : 0;
    d->rest = normal ? log(sum.ties + sum.rest) : 0;
    return !sum.bad;
}

#define CTC_SHIM_DECODE_ROWS(REAL, SUFFIX) \
    /* The first class whose score is `value`, the row's maximum. */ \
    static int64_t ctc_shim_find_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t C, REAL value) { \
        int64_t start = 0; \
        int32_t c, at, n; \
        for (; start + 64 < C; start += 64) { \
            int32_t found = 0; \
            CTC_SHIM_PRAGMA(omp simd reduction(+ : found)) \
            for (c = 0; c < 64; c++) found += row[start + c] == value; \
            if (found) break; \
        } \
        at = n = C - start < 64 ? (int32_t)(C - start) : 64; \
        if (n < 16) { /* fewer than a vector */ \
            for (c = 0; c < n - 1 && row[start + c] != value; c++) continue; \
            return start + c; \
        } \
        CTC_SHIM_PRAGMA(omp simd reduction(min : at)) \
        for (c = 0; c < n; c++) { \
            int32_t here = row[start + c] == value ? c : n; \
            at = here < at ? here : at; \
        } \
        return start + (at < n ? at : n - 1); \
    } \
    /* Classes without the blank into best[], best first; at most `room`, and none below `floor`. */ \
    static int64_t ctc_shim_select_##SUFFIX(const REAL *row, int64_t C, int64_t blank, double floor, ctc_shim_item *best, \
                                            int64_t room) { \
        int64_t c, n = 0; \
        REAL least = (REAL)floor; \
        for (c = 0; c < C; c++) { \
            ctc_shim_item item; \
            if (row[c] < least || (n == room && row[c] == least) || c == blank) continue; \
            item.total = row[c]; \
            item.order = c; \
            item.branch = 0; \
            item.label = (int32_t)c; \
            ctc_shim_push(best, &n, room, item); \
            if (n == room) least = (REAL)best[0].total; \
        } \
        if (n < room) ctc_shim_heapify(best, n); \
        ctc_shim_sort(best, n); \
        return n; \
    }

CTC_SHIM_DECODE_ROWS(float, f32)
CTC_SHIM_DECODE_ROWS(double, f64)

/* ---- the best path ---------------------------------------------------------------------------------------------- */

static void ctc_shim_greedy(ctc_shim_decoder *d, int64_t n) {
    const ctc_shim_decoding *g = d->decoding;
    const ctc_shim_batch *b = &g->batch;
    int64_t t, best, previous = -1, length = 0, T = ctc_shim_frames_of(b, n), *out = g->labels + n * b->T;
    double score = 0;
    for (t = 0; t < T; t++) {
        if (!ctc_shim_read(d, n, t)) {
            score = NAN;
            break;
        }
        score += (d->maximum - d->shift) - d->rest;
        if (d->maximum == -INFINITY) continue; /* nothing is possible any more; NaN is worth saying still */
        best = b->item == 4 ? ctc_shim_find_f32((const float *)d->row, b->C, (float)d->maximum)
                            : ctc_shim_find_f64((const double *)d->row, b->C, d->maximum);
        out[length] = best; /* kept if it counts: network outputs are no pattern that a branch could learn */
        length += (best != b->blank) & !(g->merge && best == previous);
        previous = best;
    }
    if (length < T) out[length] = -1; /* what was not kept */
    while (length > 0 && !(score > -INFINITY)) out[--length] = -1;
    g->lengths[n] = length;
    g->scores[n] = score;
}
