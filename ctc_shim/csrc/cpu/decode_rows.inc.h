/* The functions of decode_rows.h for one element type: see float.inc.h. */
/* The first class whose score is `value`, the row's maximum. */
CTC_SHIM_LOCAL int64_t TYPED(ctc_shim_find)(const REAL *CTC_SHIM_RESTRICT row, int64_t C,
                                            REAL value) {
    int64_t start = 0;
    int32_t c, at, n;
    for (; start + 64 < C; start += 64) {
        int32_t found = 0;
#pragma omp simd reduction(+ : found)
        for (c = 0; c < 64; c++) found += row[start + c] == value;
        if (found) break;
    }
    at = n = C - start < 64 ? (int32_t)(C - start) : 64;
    if (n < 16) { /* less than a vector */
        for (c = 0; c < n - 1 && row[start + c] != value; c++) continue;
        return start + c;
    }
#pragma omp simd reduction(min : at)
    for (c = 0; c < n; c++) {
        int32_t here = row[start + c] == value ? c : n;
        at = here < at ? here : at;
    }
    return start + (at < n ? at : n - 1);
}

/* Finds the best classes other than the blank, none of them below `floor`. */
CTC_SHIM_LOCAL void TYPED(ctc_shim_select)(const REAL *row, int64_t C, int64_t blank, double floor,
                                           ctc_shim_best *best) {
    int64_t c;
    REAL least = (REAL)floor;
    best->sorted_count = best->recent_count = 0;
    for (c = 0; c < C; c++) {
        ctc_shim_item item;
        if (row[c] < least || (ctc_shim_is_full(best) && row[c] == least) || c == blank) continue;
        item.total = row[c];
        item.order = c;
        ctc_shim_push(best, item);
        if (ctc_shim_is_full(best)) least = (REAL)ctc_shim_worst(best)->total;
    }
    ctc_shim_merge(best);
}
