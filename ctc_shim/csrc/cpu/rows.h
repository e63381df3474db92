/* ---- scalars -------------------------------------------------------------------------------------------------- */

/* 2^k for an integer k in [-1022, 1023]: k + 1023 lands in the low bits of the sum, the shift makes it the exponent. */
CTC_SHIM_INLINE double ctc_shim_pow2(double k) {
    double shifted = k + 6755399441056767.0; /* 1.5 * 2^52 + 1023 */
    uint64_t bits;
    memcpy(&bits, &shifted, 8);
    bits <<= 52;
    memcpy(&shifted, &bits, 8);
    return shifted;
}

/* x, or 0 when not `wanted`: on the bits, since a compiler makes a branch of a choice between floating-point results. */
CTC_SHIM_INLINE double ctc_shim_keep_f64(double x, int wanted) {
    uint64_t bits;
    memcpy(&bits, &x, 8);
    bits &= wanted ? ~(uint64_t)0 : 0;
    memcpy(&x, &bits, 8);
    return x;
}
CTC_SHIM_INLINE float ctc_shim_keep_f32(float x, int wanted) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits &= wanted ? ~(uint32_t)0 : 0;
    memcpy(&x, &bits, 4);
    return x;
}

/* Bounds that the compiler must not see as constants: it would make branches of the comparisons below, and then the loops
 * do not vectorise. */
typedef struct { double low, split, never, half, shift, zero_f32, zero_f64; } ctc_shim_floors;
static const volatile ctc_shim_floors CTC_SHIM_FLOORS = {-900.0, -1e280, -1.4e280, 0.35, -1000.0, -125.5, -1020.5};

/* 2^k for an integer k <= 0, however low: below 2^-900 nothing can matter beside a mantissa in 2^[-32, 140]. */
CTC_SHIM_INLINE double ctc_shim_scale(double k, double floor) { return ctc_shim_pow2(k > floor ? k : floor); }

/* exp(r) for |r| up to half of ln 2: to 2e-10 (the first 9 terms of the series) or, when `precise`, 2e-16. */
CTC_SHIM_INLINE double ctc_shim_exp_series(double r, int precise) {
    double p = 1.0 / 40320;
    if (precise) {
        p = 1.0 / 479001600;
        p = p * r + 1.0 / 39916800;
        p = p * r + 1.0 / 3628800;
        p = p * r + 1.0 / 362880;
        p = p * r + 1.0 / 40320;
    }
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    return p;
}

/* exp(d) = result * 2^*k, result in [0.7, 1.42]; d <= 0, below the floor (-inf) 0 and CTC_SHIM_NEVER. */
CTC_SHIM_INLINE double ctc_shim_split_exp(double d, double *k, double floor, double never, double half, int precise) {
    double x = d > floor ? d : floor;
    double n = (x * 1.4426950408889634074 + 6755399441055744.0) - 6755399441055744.0; /* round to nearest */
    double r = (x - n * 0.69314718246459961) - n * -1.904654299957768e-09;            /* n * (24 bits of ln 2) is exact */
    r = r > -half ? r : -half; /* half of ln 2; beyond 2^51 nothing is left of the remainder */
    r = r < half ? r : half;
    *k = n > never ? n : CTC_SHIM_NEVER;
    return ctc_shim_keep_f64(ctc_shim_exp_series(r, precise), n > never);
}

/* exp(d) for d <= 0, vectorisable: 0 far down and for -inf, NaN for NaN. */
CTC_SHIM_INLINE double ctc_shim_exp_terms(double d, double zero, int precise) {
    double r, n = (d * 1.4426950408889634074 + 6755399441055744.0) - 6755399441055744.0;
    r = (d - n * 0.69314718246459961) - n * -1.904654299957768e-09;
    return ctc_shim_keep_f64(ctc_shim_exp_series(r, precise) * ctc_shim_pow2(n), !(n < zero));
}
CTC_SHIM_INLINE double ctc_shim_exp_f64(double d, double zero) { return ctc_shim_exp_terms(d, zero, 1); }

CTC_SHIM_INLINE float ctc_shim_exp_f32(float d, float zero) {
    float shifted = d * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the low bits hold round(x / ln 2) */
    float k = shifted - 12582912.0f, power, p;
    float r = (d - k * 0.693359375f) - k * -2.12194440e-4f;
    uint32_t bits;
    memcpy(&bits, &shifted, 4);
    bits = (bits << 23) + 0x3f800000u;
    memcpy(&power, &bits, 4);
    p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r * r + r) + 1.0f;
    return ctc_shim_keep_f32(p * power, !(k < zero));
}

/* x = result * 2^*k for x >= 0, as ctc_shim_split_exp gives exp(d): what probabilities have in its place. */
static double ctc_shim_split(double x, double *k) {
    int exponent;
    double m = frexp(x, &exponent);
    int low = m < 0.70710678118654752;
    *k = m > 0 ? exponent - low : CTC_SHIM_NEVER;
    return m > 0 ? (low ? 2 * m : m) : 0;
}

static const double CTC_SHIM_FAINT = 1e-9; /* 2^-30, of which 16 frames make no 2^-480 */

/* ---- rows of scores: all that depends on the element type ------------------------------------------------------ */

/* Where the call gives probabilities a row holds q = p + epsilon, the scores are z = ln q, and exp(z - maximum) is a plain ratio of q
 * to the largest q, which `maximum` then means (0 where all are 0): `ratios` chooses that in what follows.
 *
 * softmax(z) of a row is exp(z - maximum) / (ties + rest). Elements equal to the maximum are counted, not summed, so that
 * ln of the sum keeps its digits when a network is confident (rest = 1e-8, over and over, must not drown in 1). */
typedef struct { double maximum, ties, rest; int bad; } ctc_shim_sum;

/* A score beside another, exp(z - maximum). */
CTC_SHIM_INLINE double ctc_shim_relative(double z, double maximum, int ratios) { return ratios ? z / maximum : exp(z - maximum); }

#define CTC_SHIM_ROWS(REAL, SUFFIX) \
    /* the largest of n scores, NaN left aside */ \
    static REAL ctc_shim_max_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t n) { \
        REAL one = -(REAL)INFINITY, two = one; /* two: half the latency */ \
        int64_t c, half = n / 2; \
        if (n % 32) { /* halves would not be whole vectors */ \
            CTC_SHIM_PRAGMA(omp simd reduction(max : one)) \
            for (c = 0; c < n; c++) one = row[c] > one ? row[c] : one; \
            return one; \
        } \
        CTC_SHIM_PRAGMA(omp simd reduction(max : one, two)) \
        for (c = 0; c < half; c++) { \
            one = row[c] > one ? row[c] : one; \
            two = row[half + c] > two ? row[half + c] : two; \
        } \
        return one > two ? one : two; \
    } \
    /* is any of them NaN, +inf or below `lowest`? */ \
    static int ctc_shim_bad_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t n, REAL lowest) { \
        REAL bad = 0; \
        int64_t c; \
        CTC_SHIM_PRAGMA(omp simd reduction(+ : bad)) \
        for (c = 0; c < n; c++) bad += (row[c] >= lowest) & (row[c] < (REAL)INFINITY) ? (REAL)0 : (REAL)1; \
        return bad != 0; \
    } \
    /* exp(row - maximum) into out; adds to ties and rest */ \
    static void ctc_shim_exps_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t n, REAL maximum, REAL *CTC_SHIM_RESTRICT out, \
                                       ctc_shim_sum *sum) { \
        REAL ties = 0, rest = 0, zero = (REAL)CTC_SHIM_FLOORS.zero_##SUFFIX; \
        int64_t c; \
        CTC_SHIM_PRAGMA(omp simd reduction(+ : ties, rest)) \
        for (c = 0; c < n; c++) { \
            REAL d = row[c] - maximum, p = ctc_shim_exp_##SUFFIX(d, zero), tie = ctc_shim_keep_##SUFFIX(1, d >= 0); \
            out[c] = p; \
            ties += tie; \
            rest += p - tie; /* exp(0) is 1 exactly; NaN comes through */ \
        } \
        sum->ties += ties; \
        sum->rest += rest; \
    } \
    /* The same from probabilities: row / maximum. A negative one is as bad as NaN, which its logarithm would be. */ \
    static void ctc_shim_ratios_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t n, REAL maximum, REAL *CTC_SHIM_RESTRICT out, \
                                         ctc_shim_sum *sum) { \
        REAL ties = 0, rest = 0, least = 0; \
        int64_t c; \
        CTC_SHIM_PRAGMA(omp simd reduction(+ : ties, rest) reduction(min : least)) \
        for (c = 0; c < n; c++) { \
            REAL p = row[c] / maximum, tie = ctc_shim_keep_##SUFFIX(1, row[c] >= maximum); \
            out[c] = p; \
            ties += tie; \
            rest += p - tie; \
            least = row[c] < least ? row[c] : least; \
        } \
        sum->ties += ties; \
        sum->rest += rest; \
        sum->bad |= least < 0; \
    } \
    /* One pass over a row, chunk by chunk. With `exps`: exp(row - reference[chunk]) there. Without `normalize` only the \
     * maximum is looked for. */ \
    static ctc_shim_sum ctc_shim_row_##SUFFIX(const REAL *row, int64_t C, int64_t normalize, int ratios, REAL *exps, REAL *spare, \
                                              double *reference) { \
        const double nothing = ratios ? 0 : -INFINITY; /* the maximum where no class is possible */ \
        ctc_shim_sum sum = {nothing, 0, 0, 0}; \
        int64_t start, n, chunk = 0; \
        for (start = 0; start < C; start += CTC_SHIM_CHUNK, chunk++) { \
            double best; \
            n = C - start; \
            if (n > CTC_SHIM_CHUNK) n = CTC_SHIM_CHUNK; \
            best = ctc_shim_max_##SUFFIX(row + start, n); \
            if (best > sum.maximum) { \
                sum.rest = sum.maximum == nothing ? 0 : (sum.rest + sum.ties) * ctc_shim_relative(sum.maximum, best, ratios); \
                sum.ties = 0; \
                sum.maximum = best; \
            } \
            if (exps) reference[chunk] = sum.maximum; \
            if (!normalize || best <= nothing || best == INFINITY) sum.bad |= ctc_shim_bad_##SUFFIX(row + start, n, (REAL)nothing); \
            if (!normalize || sum.bad) continue; \
            if (sum.maximum == nothing) { \
                if (exps) memset(exps + start, 0, (size_t)n * sizeof(REAL)); \
            } else { \
                int64_t ahead; \
                for (ahead = start + n; n == CTC_SHIM_CHUNK && ahead < start + 2 * n; ahead += 64 / (int64_t)sizeof(REAL)) \
                    CTC_SHIM_PREFETCH(row + ahead); \
                (ratios ? ctc_shim_ratios_##SUFFIX : ctc_shim_exps_##SUFFIX)( \
                    row + start, n, (REAL)sum.maximum, exps ? exps + start : spare, &sum); \
            } \
        } \
        sum.bad |= sum.rest != sum.rest; \
        return sum; \
    } \
    /* factor * softmax into a row of the gradient */ \
    static void ctc_shim_softmax_##SUFFIX(const REAL *CTC_SHIM_RESTRICT exps, const double *reference, const ctc_shim_sum *sum, \
                                          int64_t C, int ratios, double factor, REAL *CTC_SHIM_RESTRICT out) { \
        int64_t start, c, chunk = 0; \
        for (start = 0; start < C; start += CTC_SHIM_CHUNK, chunk++) { \
            int64_t stop = C - start < CTC_SHIM_CHUNK ? C : start + CTC_SHIM_CHUNK; \
            double late = reference[chunk] == sum->maximum ? 1 : ctc_shim_relative(reference[chunk], sum->maximum, ratios); \
            REAL scale = (REAL)(sum->ties > 0 ? factor * late / (sum->ties + sum->rest) : 0); \
            CTC_SHIM_PRAGMA(omp simd) \
            for (c = start; c < stop; c++) out[c] = exps[c] * scale; \
        } \
    } \
    /* Emissions relative to the largest score, (m, e) of each cell: class by class into `pairs` where there are fewer classes \
     * than cells, else cell by cell. */ \
    static void ctc_shim_emissions_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t C, const int32_t *CTC_SHIM_RESTRICT label, \
                                            int64_t start, int64_t stop, double maximum, int ratios, \
                                            double *CTC_SHIM_RESTRICT pairs, double *CTC_SHIM_RESTRICT m, double *CTC_SHIM_RESTRICT e) { \
        double split = CTC_SHIM_FLOORS.split, never = CTC_SHIM_FLOORS.never, half = CTC_SHIM_FLOORS.half; \
        int64_t j; \
        if (ratios) { \
            for (j = start; j < stop; j++) m[j] = ctc_shim_split(maximum > 0 ? row[label[j]] / maximum : 0, &e[j]); \
            return; \
        } \
        if (C < stop - start) { \
            double *CTC_SHIM_RESTRICT ks = pairs + C; \
            CTC_SHIM_PRAGMA(omp simd) \
            for (j = 0; j < C; j++) pairs[j] = ctc_shim_split_exp(row[j] - maximum, &ks[j], split, never, half, sizeof(REAL) > 4); \
            for (j = start; j < stop; j++) m[j] = pairs[label[j]], e[j] = ks[label[j]]; \
            return; \
        } \
        for (j = start; j < stop; j++) pairs[j] = row[label[j]]; \
        CTC_SHIM_PRAGMA(omp simd) \
        for (j = start; j < stop; j++) m[j] = ctc_shim_split_exp(pairs[j] - maximum, &e[j], split, never, half, sizeof(REAL) > 4); \
    } \
    /* The same in plain doubles; returns the least of them and of `lowest`. */ \
    static double ctc_shim_emit_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t C, const int32_t *CTC_SHIM_RESTRICT label, \
                                         int64_t start, int64_t stop, double maximum, int ratios, double *CTC_SHIM_RESTRICT pairs, \
                                         double lowest, double *CTC_SHIM_RESTRICT y) { \
        double zero = CTC_SHIM_FLOORS.zero_f64, inverse = 1 / (maximum > 0 ? maximum : 1); \
        int64_t j; \
        if (ratios) { \
            for (j = start; j < stop; j++) y[j] = row[label[j]] * inverse; \
        } else if (C < stop - start) { \
            double least = 1; /* of all classes, which is soon told; only where it is very low it matters which are needed */ \
            CTC_SHIM_PRAGMA(omp simd reduction(min : least)) \
            for (j = 0; j < C; j++) { \
                pairs[j] = ctc_shim_exp_terms(row[j] - maximum, zero, sizeof(REAL) > 4); \
                least = pairs[j] < least ? pairs[j] : least; \
            } \
            for (j = start; j < stop; j++) y[j] = pairs[label[j]]; \
            if (least > CTC_SHIM_FAINT) return least; \
        } else { \
            for (j = start; j < stop; j++) pairs[j] = row[label[j]]; \
            CTC_SHIM_PRAGMA(omp simd) \
            for (j = start; j < stop; j++) y[j] = ctc_shim_exp_terms(pairs[j] - maximum, zero, sizeof(REAL) > 4); \
        } \
        CTC_SHIM_PRAGMA(omp simd reduction(min : lowest)) \
        for (j = start; j < stop; j++) lowest = y[j] < lowest ? y[j] : lowest; \
        return lowest; \
    } \
    static void ctc_shim_scatter_##SUFFIX(REAL *row, const int32_t *label, int64_t start, int64_t stop, const double *posterior) { \
        int64_t j; \
        for (j = start; j < stop; j++) row[label[j]] += (REAL)posterior[j]; \
    } \
    static void ctc_shim_shift_##SUFFIX(REAL *CTC_SHIM_RESTRICT row, int64_t C, REAL epsilon) { \
        int64_t c; \
        CTC_SHIM_PRAGMA(omp simd) \
        for (c = 0; c < C; c++) row[c] += epsilon; \
    } \
    /* a gradient by scores into that by probabilities, d score / d p = 1 / (p + epsilon) */ \
    static void ctc_shim_by_probability_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t C, REAL epsilon, \
                                                 REAL *CTC_SHIM_RESTRICT gradient) { \
        int64_t c; \
        CTC_SHIM_PRAGMA(omp simd) \
        for (c = 0; c < C; c++) gradient[c] /= row[c] + epsilon; \
    } \
    static void ctc_shim_fill_##SUFFIX(REAL *row, int64_t C, REAL value) { \
        int64_t c; \
        for (c = 0; c < C; c++) row[c] = value; \
    }

CTC_SHIM_ROWS(float, f32)
CTC_SHIM_ROWS(double, f64)
