/* The functions of lane_rows.h for one element type: see float.inc.h. */
/* Copies rows to `to`, where a class has SIDE scores; `epsilon` is added. The row `idle` is
 * contiguous. */
CTC_SHIM_LOCAL void TYPED(ctc_shim_gather_rows)(const ctc_shim_batch *b, const char *idle,
                                                const char *const *rows, const double *epsilon,
                                                REAL *to) {
    const int quads = b->plain && sizeof(REAL) == 4 && b->C >= 4;
    int64_t lane, c, k;
    for (c = 0; quads && c < b->C; c += 4) {
        ctc_shim_f32 v[4];
        if (c > b->C - 4) c = b->C - 4; /* the last block may overlap the one before */
        for (k = 0; k < 4; k++) v[k] = ctc_shim_load_quads(rows + k, c);
        ctc_shim_turn(v);
        for (k = 0; k < 4; k++) *(ctc_shim_f32 *)(void *)(to + (c + k) * CTC_SHIM_SIDE) = v[k];
    }
    for (lane = 0; lane < (quads ? 0 : CTC_SHIM_SIDE); lane++)
        for (c = 0; c < b->C; c++) {
            const int64_t stride = rows[lane] == idle ? b->item : b->stride_c;
            memcpy(to + c * CTC_SHIM_SIDE + lane, rows[lane] + c * stride, sizeof(REAL));
        }
    for (c = 0; b->ratios && c < b->C * CTC_SHIM_SIDE; c += CTC_SHIM_SIDE)
        for (k = 0; k < CTC_SHIM_SIDE; k++) to[c + k] += (REAL)epsilon[k];
}

/* Scores of a frame to e = exp(score) / 2^scale; those of probabilities are p + epsilon, and stay.
 * Sets their sums and, where wanted, the least of them. Marks a lane as refused where scores are
 * not finite or very large. */
CTC_SHIM_LOCAL void TYPED(ctc_shim_exp_rows)(REAL *e, int64_t C, int ratios, double *sums,
                                             double *leasts, double *scales, double *refused) {
    enum { COUNT = sizeof(TYPED(ctc_shim)) / sizeof(REAL), STEP = CTC_SHIM_SIDE / COUNT };
    const REAL limit = ratios ? (REAL)2 : (REAL)2e4,
               magic = sizeof(REAL) == 4 ? (REAL)12582912 : (REAL)6755399441055744,
               bias = sizeof(REAL) == 4 ? 127 : 1023;
    REAL found[5][CTC_SHIM_SIDE] __attribute__((aligned(64)));
    int64_t i, c, k;
    for (i = 0; i < STEP; i++) {
        TYPED(ctc_shim) *at = (TYPED(ctc_shim) *)(void *)e + i, best = {0}, rest = {0}, scale = {0},
                        least = best + 4, low, shift, top[4];
        for (k = 0; k < 4; k++) top[k] = at[(k < C ? k : 0) * STEP];
        for (c = 4; c + 4 <= C; c += 4) /* four of them hide the latency */
            for (k = 0; k < 4; k++) top[k] = TYPED(ctc_shim_most)(at[(c + k) * STEP], top[k]);
        for (; c < C; c++) top[0] = TYPED(ctc_shim_most)(at[c * STEP], top[0]);
        top[0] = TYPED(ctc_shim_most)(TYPED(ctc_shim_most)(top[0], top[1]),
                                      TYPED(ctc_shim_most)(top[2], top[3]));
        if (!ratios) scale = (top[0] * (REAL)1.4426950408889634074 + magic) - magic;
        low = (scale - bias) * (REAL)0.6931471805599453094;
        shift = TYPED(CTC_SHIM_SHIFT) - scale;
        for (c = 0; ratios && c < C; c++) /* no probability is below 0 */
            rest +=
                TYPED(ctc_shim_where)((TYPED(ctc_shim_bits))(at[c * STEP] < 0), best + (REAL)NAN);
        for (c = 0; c < C; c++) {
            TYPED(ctc_shim) p = at[c * STEP];
            if (!ratios) at[c * STEP] = p = TYPED(ctc_shim_scaled_exp)(p, low, shift);
            /* The largest stays apart from the rest: see ctc_shim_sum. */
            rest += TYPED(ctc_shim_least)(best, p);
            best = TYPED(ctc_shim_most)(best, p);
            if (leasts) least = TYPED(ctc_shim_least)(least, p);
        }
        ((TYPED(ctc_shim) *)(void *)found[0])[i] = top[0];
        ((TYPED(ctc_shim) *)(void *)found[1])[i] = scale;
        ((TYPED(ctc_shim) *)(void *)found[2])[i] = best;
        ((TYPED(ctc_shim) *)(void *)found[3])[i] = rest;
        ((TYPED(ctc_shim) *)(void *)found[4])[i] = least;
    }
#pragma omp simd
    for (k = 0; k < CTC_SHIM_SIDE; k++) {
        int good = (found[0][k] <= limit) & (found[0][k] >= -limit) & (found[3][k] >= 0);
        sums[k] = (double)found[2][k] + (double)found[3][k];
        if (leasts) leasts[k] = (double)found[4][k];
        scales[k] = (double)found[1][k];
        refused[k] = good ? refused[k] : 1;
    }
}

/* The emissions y of `cells` cells, whose labels are SIDE for each lane in turn. */
CTC_SHIM_LOCAL void TYPED(ctc_shim_pick)(const REAL *CTC_SHIM_RESTRICT e,
                                         const int32_t *CTC_SHIM_RESTRICT label, int64_t cells,
                                         REAL *CTC_SHIM_RESTRICT y) {
    int64_t j;
#if CTC_SHIM_VECTOR == 64
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for (j = 0; sizeof(REAL) == 4 && j < cells; j += CTC_SHIM_SIDE) {
        __m512i place = _mm512_slli_epi32(_mm512_load_si512(label + j), 4);
        _mm512_store_ps(y + j, _mm512_i32gather_ps(_mm512_add_epi32(place, lane), e, 4));
    }
    if (sizeof(REAL) == 4) return;
#endif
    for (j = 0; j < cells; j++)
        y[j] = e[label[j] * CTC_SHIM_SIDE + (int32_t)((uint32_t)j % CTC_SHIM_SIDE)];
}

/* The emissions y of cells start .. stop - 1, which are in one lane. May write up to y[stop + 7].
 */
CTC_SHIM_LOCAL void TYPED(ctc_shim_pick_band)(const REAL *CTC_SHIM_RESTRICT e, int64_t C,
                                              const int32_t *CTC_SHIM_RESTRICT label, int64_t start,
                                              int64_t stop, double *CTC_SHIM_RESTRICT y) {
    int64_t j;
#if CTC_SHIM_VECTOR == 64
    if (sizeof(REAL) == 4 && C <= 64) { /* all classes are in four registers */
        const __m512i each = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        __m512 classes[4];
        for (j = 0; j < 4; j++) {
            __m512i c = _mm512_add_epi32(each, _mm512_set1_epi32((int)j * 16));
            c = _mm512_min_epi32(c, _mm512_set1_epi32((int)C - 1));
            c = _mm512_mullo_epi32(c, _mm512_set1_epi32(CTC_SHIM_SIDE));
            classes[j] = j && C <= 16 * j
                             ? classes[0]
                             : _mm512_i32gather_ps(c, (const float *)(const void *)e, 4);
        }
        for (j = start; j < stop; j += 16) {
            __m512i at = _mm512_loadu_si512((const void *)(label + j));
            __m512 x = _mm512_permutex2var_ps(classes[0], at, classes[1]);
            if (C > 32)
                x = _mm512_mask_blend_ps(_mm512_test_epi32_mask(at, _mm512_set1_epi32(32)), x,
                                         _mm512_permutex2var_ps(classes[2], at, classes[3]));
            _mm512_storeu_pd(y + j, _mm512_cvtps_pd(_mm512_castps512_ps256(x)));
            _mm512_storeu_pd(y + j + 8, _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)));
        }
        return;
    }
#endif
    (void)C;
    for (j = start; j < stop; j++) y[j] = (double)e[label[j] * CTC_SHIM_SIDE];
}

/* The softmax of a frame, e * factor, into the rows `out`. For probabilities it is divided by them:
 * d score / d p = 1 / (p + epsilon). */
CTC_SHIM_LOCAL void TYPED(ctc_shim_put_rows)(int64_t C, int ratios, const REAL *e,
                                             const double *factors, char *const *out) {
    REAL factor[CTC_SHIM_SIDE] __attribute__((aligned(64)));
    int64_t lane, c, k;
    for (k = 0; k < CTC_SHIM_SIDE; k++) factor[k] = (REAL)factors[k];
    for (c = 0; sizeof(REAL) == 4 && C >= 4 && c < C; c += 4) {
        ctc_shim_f32 v[4];
        if (c > C - 4) c = C - 4;
        for (k = 0; k < 4; k++) {
            ctc_shim_f32 p = *(const ctc_shim_f32 *)(const void *)(e + (c + k) * CTC_SHIM_SIDE);
            v[k] = p * *(const ctc_shim_f32 *)(const void *)factor;
            if (ratios) v[k] /= p;
        }
        ctc_shim_turn(v);
        for (k = 0; k < 4; k++) ctc_shim_store_quads(out + k, c, v[k]);
    }
    if (sizeof(REAL) == 4 && C >= 4) return;
    for (lane = 0; lane < CTC_SHIM_SIDE; lane++)
        for (c = 0; c < C; c++) {
            REAL p = e[c * CTC_SHIM_SIDE + lane], softmax = p * factor[lane];
            ((REAL *)(void *)out[lane])[c] = ratios ? softmax / p : softmax;
        }
}

/* Adds the posteriors of the first counts[lane] labels of each lane to its row. For probabilities
 * they are divided by these, which are the emissions y. */
CTC_SHIM_LOCAL void TYPED(ctc_shim_add_posteriors)(int ratios, const REAL *y, const REAL *posterior,
                                                   const int32_t *label, const int64_t *counts,
                                                   char *const *out) {
    int64_t lane, k;
    for (lane = 0; lane < CTC_SHIM_SIDE; lane++) {
        REAL *row = (REAL *)(void *)out[lane];
        for (k = lane; k < counts[lane] * CTC_SHIM_SIDE; k += CTC_SHIM_SIDE)
            row[label[k]] += ratios ? posterior[k] / y[k] : posterior[k];
    }
}
