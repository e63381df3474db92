/* The functions of rows.h for one element type: see float.inc.h. */
/* The largest of n scores; NaN is ignored. */
CTC_SHIM_LOCAL REAL TYPED(ctc_shim_max)(const REAL *CTC_SHIM_RESTRICT row, int64_t n) {
    REAL one = -(REAL)INFINITY, two = one; /* two of them halve the latency */
    int64_t c, half = n / 2;
    if (n % 32) { /* the halves would not be whole vectors */
        CTC_SHIM_SIMD(reduction(max : one))
        for (c = 0; c < n; c++) one = CTC_SHIM_MORE(row[c], one);
        return one;
    }
    CTC_SHIM_SIMD(reduction(max : one, two))
    for (c = 0; c < half; c++) {
        one = CTC_SHIM_MORE(row[c], one);
        two = CTC_SHIM_MORE(row[half + c], two);
    }
    return one > two ? one : two;
}

/* Is any of them NaN, +inf or below `lowest`? */
CTC_SHIM_LOCAL int TYPED(ctc_shim_bad)(const REAL *CTC_SHIM_RESTRICT row, int64_t n, REAL lowest) {
    REAL bad = 0;
    int64_t c;
#pragma omp simd reduction(+ : bad)
    for (c = 0; c < n; c++)
        bad += ((row[c] >= lowest) & (row[c] < (REAL)INFINITY)) ? (REAL)0 : (REAL)1;
    return bad != 0;
}

#if defined(CTC_SHIM_HAS_LANES)
/* ctc_shim_exps of whole vectors. Returns how many scores they hold. Prefetches what is read soon:
 * beyond the row lies the next one. */
CTC_SHIM_LOCAL int64_t TYPED(ctc_shim_vector_exps)(const REAL *CTC_SHIM_RESTRICT row, int64_t n,
                                                   REAL maximum, REAL *CTC_SHIM_RESTRICT out,
                                                   ctc_shim_sum *sum) {
    typedef TYPED(ctc_shim) loose __attribute__((aligned(sizeof(REAL))));
    enum { COUNT = sizeof(TYPED(ctc_shim)) / sizeof(REAL), AHEAD = 2 * CTC_SHIM_CHUNK };
    const TYPED(ctc_shim) low = (TYPED(ctc_shim)){0} + (REAL)CTC_SHIM_FLOORS.TYPED(zero),
                          shift = (TYPED(ctc_shim)){0} + TYPED(CTC_SHIM_SHIFT);
    TYPED(ctc_shim) best = {0}, rest = {0};
    REAL bests[COUNT], rests[COUNT];
    double ties = 0, others = 0;
    int64_t c, k;
    for (c = 0; c + COUNT <= n; c += COUNT) {
        TYPED(ctc_shim) p = *(const loose *)(const void *)(row + c) - maximum;
        CTC_SHIM_PREFETCH(row + c + AHEAD);
        p = TYPED(ctc_shim_scaled_exp)(p, low, shift);
        *(loose *)(void *)(out + c) = p;
        rest += TYPED(ctc_shim_least)(best, p);
        best = TYPED(ctc_shim_most)(best, p);
    }
    memcpy(bests, &best, sizeof bests);
    memcpy(rests, &rest, sizeof rests);
#pragma omp simd reduction(+ : ties, others)
    for (k = 0; k < COUNT; k++) {
        ties += (double)bests[k];
        others += (double)rests[k];
    }
    sum->ties += ties;
    sum->rest += others;
    return c;
}
#endif

/* out = exp(row - maximum); adds to ties and rest. */
CTC_SHIM_LOCAL void TYPED(ctc_shim_exps)(const REAL *CTC_SHIM_RESTRICT row, int64_t n, REAL maximum,
                                         REAL *CTC_SHIM_RESTRICT out, ctc_shim_sum *sum) {
    REAL ties = 0, rest = 0, zero = (REAL)CTC_SHIM_FLOORS.TYPED(zero);
    int64_t c, start = 0;
#if defined(CTC_SHIM_HAS_LANES)
    start = TYPED(ctc_shim_vector_exps)(row, n, maximum, out, sum);
#endif
#pragma omp simd reduction(+ : ties, rest)
    for (c = start; c < n; c++) {
        REAL d = row[c] - maximum, p = TYPED(ctc_shim_exp)(d, zero),
             tie = TYPED(ctc_shim_keep)(1, d >= 0);
        out[c] = p;
        ties += tie;
        rest += p - tie; /* exp(0) is exactly 1; NaN stays NaN */
    }
    sum->ties += ties;
    sum->rest += rest;
}

/* The same for probabilities: out = row / maximum. A negative one is bad, as its logarithm is NaN.
 */
CTC_SHIM_LOCAL void TYPED(ctc_shim_ratios)(const REAL *CTC_SHIM_RESTRICT row, int64_t n,
                                           REAL maximum, REAL *CTC_SHIM_RESTRICT out,
                                           ctc_shim_sum *sum) {
    REAL ties = 0, rest = 0, negative = 0;
    int64_t c;
#pragma omp simd reduction(+ : ties, rest, negative)
    for (c = 0; c < n; c++) {
        REAL p = row[c] / maximum, tie = TYPED(ctc_shim_keep)(1, row[c] >= maximum);
        out[c] = p;
        ties += tie;
        rest += p - tie;
        negative += TYPED(ctc_shim_keep)(1, row[c] < 0);
    }
    sum->ties += ties;
    sum->rest += rest;
    sum->bad |= negative > 0;
}

/* One pass over a row, chunk by chunk. Where `exps` is given it receives exp(row -
 * reference[chunk]). Without `normalize` only the maximum is found. */
CTC_SHIM_LOCAL ctc_shim_sum TYPED(ctc_shim_row)(const REAL *row, int64_t C, int64_t normalize,
                                                int ratios, REAL *exps, REAL *spare,
                                                double *reference) {
    const double nothing = ratios ? 0 : -INFINITY; /* the maximum where no class is possible */
    ctc_shim_sum sum = {nothing, 0, 0, 0};
    int64_t start, n, chunk = 0;
    for (start = 0; start < C; start += CTC_SHIM_CHUNK, chunk++) {
        double best;
        n = C - start;
        if (n > CTC_SHIM_CHUNK) n = CTC_SHIM_CHUNK;
        best = TYPED(ctc_shim_max)(row + start, n);
        if (best > sum.maximum) {
            sum.rest = sum.maximum == nothing
                           ? 0
                           : (sum.rest + sum.ties) * ctc_shim_relative(sum.maximum, best, ratios);
            sum.ties = 0;
            sum.maximum = best;
        }
        if (exps) reference[chunk] = sum.maximum;
        if (!normalize || best <= nothing || best == INFINITY)
            sum.bad |= TYPED(ctc_shim_bad)(row + start, n, (REAL)nothing);
        if (!normalize || sum.bad) continue;
        if (sum.maximum == nothing) {
            if (exps) memset(exps + start, 0, (size_t)n * sizeof(REAL));
        } else {
            (ratios ? TYPED(ctc_shim_ratios) : TYPED(ctc_shim_exps))(
                row + start, n, (REAL)sum.maximum, exps ? exps + start : spare, &sum);
        }
    }
    sum.bad |= sum.rest != sum.rest;
    return sum;
}

/* out = factor * in, by ctc_shim_stream. */
CTC_SHIM_LOCAL void TYPED(ctc_shim_stream_scaled)(const REAL *CTC_SHIM_RESTRICT in, REAL factor,
                                                  int64_t n, REAL *CTC_SHIM_RESTRICT out) {
    enum { LINE = 64 / sizeof(REAL) };
    REAL line[LINE];
    int64_t c, k;
    for (c = 0; c < n && (uintptr_t)(out + c) % 64; c++) out[c] = in[c] * factor;
    for (; c + LINE <= n; c += LINE) {
#pragma omp simd
        for (k = 0; k < LINE; k++) line[k] = in[c + k] * factor;
        ctc_shim_stream(out + c, line);
    }
    for (; c < n; c++) out[c] = in[c] * factor;
}

/* A row of the gradient: out = factor * softmax. */
CTC_SHIM_LOCAL void TYPED(ctc_shim_softmax)(const REAL *CTC_SHIM_RESTRICT exps,
                                            const double *reference, const ctc_shim_sum *sum,
                                            int64_t C, int ratios, int streams, double factor,
                                            REAL *CTC_SHIM_RESTRICT out) {
    int64_t start, c, chunk = 0;
    for (start = 0; start < C; start += CTC_SHIM_CHUNK, chunk++) {
        int64_t stop = C - start < CTC_SHIM_CHUNK ? C : start + CTC_SHIM_CHUNK;
        double late = reference[chunk] == sum->maximum
                          ? 1
                          : ctc_shim_relative(reference[chunk], sum->maximum, ratios);
        REAL scale = (REAL)(sum->ties > 0 ? factor * late / (sum->ties + sum->rest) : 0);
        if (streams) TYPED(ctc_shim_stream_scaled)(exps + start, scale, stop - start, out + start);
#pragma omp simd
        for (c = streams ? stop : start; c < stop; c++) out[c] = exps[c] * scale;
    }
}

/* Emissions relative to the largest score, as (m, e) of each cell. Where there are fewer classes
 * than cells they are computed class by class, in `pairs`, else cell by cell. */
CTC_SHIM_LOCAL void TYPED(ctc_shim_emissions)(const REAL *CTC_SHIM_RESTRICT row, int64_t C,
                                              const int32_t *CTC_SHIM_RESTRICT label, int64_t start,
                                              int64_t stop, double maximum, int ratios,
                                              double *CTC_SHIM_RESTRICT pairs,
                                              double *CTC_SHIM_RESTRICT m,
                                              double *CTC_SHIM_RESTRICT e) {
    double split = CTC_SHIM_FLOORS.split, never = CTC_SHIM_FLOORS.never,
           half = CTC_SHIM_FLOORS.half;
    int64_t j;
    if (ratios) {
        for (j = start; j < stop; j++)
            m[j] = ctc_shim_split(maximum > 0 ? row[label[j]] / maximum : 0, &e[j]);
        return;
    }
    if (C < stop - start) {
        double *CTC_SHIM_RESTRICT ks = pairs + C;
#pragma omp simd
        for (j = 0; j < C; j++)
            pairs[j] =
                ctc_shim_split_exp(row[j] - maximum, &ks[j], split, never, half, sizeof(REAL) > 4);
        for (j = start; j < stop; j++) m[j] = pairs[label[j]], e[j] = ks[label[j]];
        return;
    }
    for (j = start; j < stop; j++) pairs[j] = row[label[j]];
#pragma omp simd
    for (j = start; j < stop; j++)
        m[j] = ctc_shim_split_exp(pairs[j] - maximum, &e[j], split, never, half, sizeof(REAL) > 4);
}

/* The same in plain doubles. Returns the least of the emissions and `lowest`. */
CTC_SHIM_LOCAL double TYPED(ctc_shim_emit)(const REAL *CTC_SHIM_RESTRICT row, int64_t C,
                                           const int32_t *CTC_SHIM_RESTRICT label, int64_t start,
                                           int64_t stop, double maximum, int ratios,
                                           double *CTC_SHIM_RESTRICT pairs, double lowest,
                                           double *CTC_SHIM_RESTRICT y) {
    double zero = CTC_SHIM_FLOORS.zero_f64, inverse = 1 / (maximum > 0 ? maximum : 1);
    int64_t j;
    if (ratios) {
        for (j = start; j < stop; j++) y[j] = row[label[j]] * inverse;
    } else if (C < stop - start) {
        double least = 1; /* of all classes; unless it is very low, it does as a bound */
#pragma omp simd
        for (j = 0; j < C; j++)
            pairs[j] = ctc_shim_exp_terms(row[j] - maximum, zero, sizeof(REAL) > 4);
        CTC_SHIM_SIMD(reduction(min : least))
        for (j = 0; j < C; j++) least = CTC_SHIM_LESS(pairs[j], least);
        for (j = start; j < stop; j++) y[j] = pairs[label[j]];
        if (least > CTC_SHIM_FAINT) return least;
    } else {
        for (j = start; j < stop; j++) pairs[j] = row[label[j]];
#pragma omp simd
        for (j = start; j < stop; j++)
            y[j] = ctc_shim_exp_terms(pairs[j] - maximum, zero, sizeof(REAL) > 4);
    }
    CTC_SHIM_SIMD(reduction(min : lowest))
    for (j = start; j < stop; j++) lowest = CTC_SHIM_LESS(y[j], lowest);
    return lowest;
}
CTC_SHIM_LOCAL void TYPED(ctc_shim_scatter)(REAL *row, const int32_t *label, int64_t start,
                                            int64_t stop, const double *posterior) {
    int64_t j;
    for (j = start; j < stop; j++) row[label[j]] += (REAL)posterior[j];
}
CTC_SHIM_LOCAL void TYPED(ctc_shim_shift)(REAL *CTC_SHIM_RESTRICT row, int64_t C, REAL epsilon) {
    int64_t c;
#pragma omp simd
    for (c = 0; c < C; c++) row[c] += epsilon;
}

/* Turns the gradient by scores into that by probabilities: d score / d p = 1 / (p + epsilon). */
CTC_SHIM_LOCAL void TYPED(ctc_shim_by_probability)(const REAL *CTC_SHIM_RESTRICT row, int64_t C,
                                                   REAL epsilon, REAL *CTC_SHIM_RESTRICT gradient) {
    int64_t c;
#pragma omp simd
    for (c = 0; c < C; c++) gradient[c] /= row[c] + epsilon;
}
CTC_SHIM_LOCAL void TYPED(ctc_shim_fill)(REAL *row, int64_t C, REAL value) {
    int64_t c;
    for (c = 0; c < C; c++) row[c] = value;
}
