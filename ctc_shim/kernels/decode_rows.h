/* ---- rows ------------------------------------------------------------------------------------------------------- */

static double ctc_shim_log_p(const ctc_shim_decoder *d, int64_t c) {
    double score = d->decoding->batch.item == 4 ? (double)((const float *)d->row)[c] : ((const double *)d->row)[c];
    return (score - d->shift) - d->rest;
}

/* Makes frame t the one at hand; 0 where a score is NaN or +inf. */
static int ctc_shim_read(ctc_shim_decoder *d, int64_t n, int64_t t) {
    const ctc_shim_batch *b = &d->decoding->batch;
    const void *row = ctc_shim_scores(b, &d->scratch, n, t, 0);
    char *spare = d->scratch.exps;
    ctc_shim_sum sum = b->item == 4 ? ctc_shim_row_f32((const float *)row, b->C, b->normalize, 0, NULL, (float *)spare, NULL)
                                    : ctc_shim_row_f64((const double *)row, b->C, b->normalize, 0, NULL, (double *)spare, NULL);
    int normal = b->normalize && sum.maximum != -INFINITY;
    d->row = row;
    d->maximum = sum.maximum;
    d->shift = normal ? sum.maximum : 0;
    d->rest = normal ? log(sum.ties + sum.rest) : 0;
    return !sum.bad;
}

#define CTC_SHIM_DECODE_ROWS(REAL, SUFFIX) \
    /* the first class whose score is `value` */ \
    static int64_t ctc_shim_find_##SUFFIX(const REAL *row, int64_t C, REAL value) { \
        int64_t c, start = 0; \
        for (; start + 64 <= C; start += 64) { \
            int32_t found = 0; \
            CTC_SHIM_PRAGMA(omp simd reduction(+ : found)) \
            for (c = start; c < start + 64; c++) found += row[c] == value; \
            if (found) break; \
        } \
        for (c = start; c < C - 1 && row[c] != value; c++) continue; \
        return c; \
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
