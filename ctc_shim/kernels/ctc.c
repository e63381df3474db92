/* Connectionist temporal classification on a CPU: loss and gradient (or posteriors) in one pass over the data.
 *
 * A. Graves et al., "Connectionist temporal classification", ICML 2006: forward variables, equations (6)-(8); backward
 * variables, (9)-(11); gradient, (14)-(16). What must come out is written down in the contract the tests check.
 *
 * One text for C99 and C++11: it is built as a shared library and also pasted into generated C++ (Theano family).
 * Build with -O3 -fopenmp-simd; it is right with any flags except those that break IEEE arithmetic (-ffast-math).
 *
 * How it stays right over any dynamic range without exp or log in the inner loop: a lattice cell is a number
 * m * 2^e, both doubles, e an integer kept per cell (a scale shared by a frame, or by neighbours, loses the cells that
 * matter once a network has collapsed onto the blank). Doubles as exponents are exact to 2^53, cannot overflow here, and
 * their maximum is one instruction everywhere. An impossible cell has m = 0 exactly and a very low e.
 * Two lanes: label[j] is label j, blank[j] the blank before it (blank[S] is the last), so there is no interleaving.
 */
#ifndef CTC_SHIM_KERNEL
#define CTC_SHIM_KERNEL
#if defined(__FAST_MATH__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-fast-math") /* a user's -ffast-math (common in .theanorc) must not reach -inf and NaN here */
#endif
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if !defined(_WIN32)
#include <pthread.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__GNUC__)
#define CTC_SHIM_INLINE static inline __attribute__((always_inline))
#define CTC_SHIM_RESTRICT __restrict__
#define CTC_SHIM_PREFETCH(address) __builtin_prefetch(address)
#else
#define CTC_SHIM_INLINE static inline
#define CTC_SHIM_RESTRICT
#define CTC_SHIM_PREFETCH(address) ((void)0)
#endif
#if defined(_MSC_VER)
#define CTC_SHIM_PRAGMA(text) __pragma(text)
#else
#define CTC_SHIM_PRAGMA(text) _Pragma(#text)
#endif
#if defined(__cplusplus)
#define CTC_SHIM_C extern "C"
#else
#define CTC_SHIM_C
#endif
#if defined(_WIN32)
#define CTC_SHIM_ENTRY CTC_SHIM_C __declspec(dllexport)
#else
#define CTC_SHIM_ENTRY CTC_SHIM_C
#endif

enum {
    CTC_SHIM_LANES = 8,       /* band edges are rounded to this many cells, so that vector loops have no remainder */
    CTC_SHIM_CHUNK = 512,      /* classes of a row handled at a time: stays in L1, and bounds float32 partial sums */
    CTC_SHIM_RENORM = 64,     /* frames between renormalisations: a mantissa grows by at most 3 * sqrt(2) a frame */
    CTC_SHIM_ARRAYS = 6       /* of a lattice row: label m, label e, blank m, blank e, emission m, emission e */
};
static const double CTC_SHIM_NEVER = -1e290;      /* exponent of an impossible cell; T times this is still finite */
static const double CTC_SHIM_LN2 = 0.6931471805599453094;
#if !defined(CTC_SHIM_TABLE_BYTES)
#define CTC_SHIM_TABLE_BYTES 8e5 /* lattice rows kept at once: what L2 holds */
#endif
#if !defined(CTC_SHIM_THREAD_WORK)
#define CTC_SHIM_THREAD_WORK 6e5 /* lattice cells + scores that are worth one more thread */
#endif

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
typedef struct { double low, split, never, half, zero_f32, zero_f64; } ctc_shim_floors;
static const volatile ctc_shim_floors CTC_SHIM_FLOORS = {-900.0, -1e280, -1.4e280, 0.35, -125.5, -1020.5};

/* 2^k for an integer k <= 0, however low: below 2^-900 nothing can matter beside a mantissa in 2^[-32, 140]. */
CTC_SHIM_INLINE double ctc_shim_scale(double k, double floor) { return ctc_shim_pow2(k > floor ? k : floor); }

/* exp(d) = result * 2^*k, result in [0.7, 1.42]; d <= 0, below the floor (-inf) 0 and CTC_SHIM_NEVER. To 2e-10 (the first 9
 * terms of the series) or, when `precise`, 2e-16. */
CTC_SHIM_INLINE double ctc_shim_split_exp(double d, double *k, double floor, double never, double half, int precise) {
    double x = d > floor ? d : floor, p = 1.0 / 40320;
    double n = (x * 1.4426950408889634074 + 6755399441055744.0) - 6755399441055744.0; /* round to nearest */
    double r = (x - n * 0.69314718246459961) - n * -1.904654299957768e-09;            /* n * (24 bits of ln 2) is exact */
    r = r > -half ? r : -half; /* half of ln 2; beyond 2^51 nothing is left of the remainder */
    r = r < half ? r : half;
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
    *k = n > never ? n : CTC_SHIM_NEVER;
    return ctc_shim_keep_f64(p, n > never);
}

/* exp(d) for d <= 0, vectorisable: 0 far down and for -inf, NaN for NaN. */
CTC_SHIM_INLINE double ctc_shim_exp_f64(double d, double zero) {
    double r, p, n = (d * 1.4426950408889634074 + 6755399441055744.0) - 6755399441055744.0;
    r = (d - n * 0.69314718246459961) - n * -1.904654299957768e-09;
    p = 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    return ctc_shim_keep_f64(p * ctc_shim_pow2(n), !(n < zero));
}

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

/* ---- rows of scores: all that depends on the element type ------------------------------------------------------ */

/* softmax(z) of a row is exp(z - maximum) / (ties + rest). Elements equal to the maximum are counted, not summed, so that
 * ln of the sum keeps its digits when a network is confident (rest = 1e-8, over and over, must not drown in 1). */
typedef struct { double maximum, ties, rest; int bad; } ctc_shim_sum;

#define CTC_SHIM_ROWS(REAL, SUFFIX) \
    /* the largest of n scores, NaN left aside */ \
    static REAL ctc_shim_max_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t n) { \
        REAL one = -(REAL)INFINITY, two = n % 2 && row[n - 1] > one ? row[n - 1] : one; /* two: half the latency */ \
        int64_t c, half = n / 2; \
        CTC_SHIM_PRAGMA(omp simd reduction(max : one, two)) \
        for (c = 0; c < half; c++) { \
            one = row[c] > one ? row[c] : one; \
            two = row[half + c] > two ? row[half + c] : two; \
        } \
        return one > two ? one : two; \
    } \
    static int ctc_shim_bad_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t n) { \
        REAL bad = 0; \
        int64_t c; \
        CTC_SHIM_PRAGMA(omp simd reduction(+ : bad)) \
        for (c = 0; c < n; c++) bad += row[c] < (REAL)INFINITY ? (REAL)0 : (REAL)1; \
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
    /* One pass over a row, chunk by chunk. With `exps`: exp(row - reference[chunk]) there. Without `normalize` only the \
     * maximum is looked for. */ \
    static ctc_shim_sum ctc_shim_row_##SUFFIX(const REAL *row, int64_t C, int64_t normalize, REAL *exps, REAL *spare, \
                                              double *reference) { \
        ctc_shim_sum sum = {-INFINITY, 0, 0, 0}; \
        int64_t start, n, chunk = 0; \
        for (start = 0; start < C; start += CTC_SHIM_CHUNK, chunk++) { \
            double best; \
            n = C - start; \
            if (n > CTC_SHIM_CHUNK) n = CTC_SHIM_CHUNK; \
            best = ctc_shim_max_##SUFFIX(row + start, n); \
            if (best > sum.maximum) { \
                sum.rest = sum.maximum == -INFINITY ? 0 : (sum.rest + sum.ties) * exp(sum.maximum - best); \
                sum.ties = 0; \
                sum.maximum = best; \
            } \
            if (exps) reference[chunk] = sum.maximum; \
            if (!normalize || best == -INFINITY || best == INFINITY) sum.bad |= ctc_shim_bad_##SUFFIX(row + start, n); \
            if (!normalize || sum.bad) continue; \
            if (sum.maximum == -INFINITY) { \
                if (exps) memset(exps + start, 0, (size_t)n * sizeof(REAL)); \
            } else { \
                int64_t ahead; \
                for (ahead = start + n; n == CTC_SHIM_CHUNK && ahead < start + 2 * n; ahead += 64 / (int64_t)sizeof(REAL)) \
                    CTC_SHIM_PREFETCH(row + ahead); \
                ctc_shim_exps_##SUFFIX(row + start, n, (REAL)sum.maximum, exps ? exps + start : spare, &sum); \
            } \
        } \
        sum.bad |= sum.rest != sum.rest; \
        return sum; \
    } \
    /* factor * softmax into a row of the gradient */ \
    static void ctc_shim_softmax_##SUFFIX(const REAL *CTC_SHIM_RESTRICT exps, const double *reference, const ctc_shim_sum *sum, \
                                          int64_t C, double factor, REAL *CTC_SHIM_RESTRICT out) { \
        int64_t start, c, chunk = 0; \
        for (start = 0; start < C; start += CTC_SHIM_CHUNK, chunk++) { \
            int64_t stop = C - start < CTC_SHIM_CHUNK ? C : start + CTC_SHIM_CHUNK; \
            double late = reference[chunk] == sum->maximum ? 1 : exp(reference[chunk] - sum->maximum); \
            REAL scale = (REAL)(sum->ties > 0 ? factor * late / (sum->ties + sum->rest) : 0); \
            CTC_SHIM_PRAGMA(omp simd) \
            for (c = start; c < stop; c++) out[c] = exps[c] * scale; \
        } \
    } \
    /* Emissions relative to the largest score, (m, e) of each cell: class by class into `pairs` where there are fewer classes \
     * than cells, else cell by cell. */ \
    static void ctc_shim_emissions_##SUFFIX(const REAL *CTC_SHIM_RESTRICT row, int64_t C, const int32_t *CTC_SHIM_RESTRICT label, \
                                            int64_t start, int64_t stop, double maximum, double *CTC_SHIM_RESTRICT pairs, \
                                            double *CTC_SHIM_RESTRICT m, double *CTC_SHIM_RESTRICT e) { \
        double split = CTC_SHIM_FLOORS.split, never = CTC_SHIM_FLOORS.never, half = CTC_SHIM_FLOORS.half; \
        int64_t j; \
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
    static void ctc_shim_scatter_##SUFFIX(REAL *row, const int32_t *label, int64_t start, int64_t stop, const double *posterior) { \
        int64_t j; \
        for (j = start; j < stop; j++) row[label[j]] += (REAL)posterior[j]; \
    } \
    static void ctc_shim_fill_##SUFFIX(REAL *row, int64_t C, REAL value) { \
        int64_t c; \
        for (c = 0; c < C; c++) row[c] = value; \
    }

CTC_SHIM_ROWS(float, f32)
CTC_SHIM_ROWS(double, f64)

/* ---- the lattice ------------------------------------------------------------------------------------------------ */

/* Six arrays over j, valid from -LANES to width + LANES. */
typedef struct { double *label_m, *label_e, *blank_m, *blank_e, *emission_m, *emission_e; } ctc_shim_cells;

/* What is kept of a frame for the backward pass: the scale of its emissions, its blank's emission, its band. */
typedef struct { double maximum, blank_m, blank_e; int32_t start, stop; } ctc_shim_frame;

/* (m, e) = (am, ae) + (bm, be) */
CTC_SHIM_INLINE void ctc_shim_add(double am, double ae, double bm, double be, double floor, double *m, double *e) {
    double top = ae > be ? ae : be;
    *m = am * ctc_shim_scale(ae - top, floor) + bm * ctc_shim_scale(be - top, floor);
    *e = top;
}

/* One frame of equations (6)-(8). Cells below the band cannot finish any more, cells above cannot be reached yet. */
static void ctc_shim_forward(const ctc_shim_cells *from, const ctc_shim_cells *to, const double *CTC_SHIM_RESTRICT skip,
                             const ctc_shim_frame *frame) {
    const double *CTC_SHIM_RESTRICT lm = from->label_m, *CTC_SHIM_RESTRICT le = from->label_e;
    const double *CTC_SHIM_RESTRICT bm = from->blank_m, *CTC_SHIM_RESTRICT be = from->blank_e;
    const double *CTC_SHIM_RESTRICT ym = to->emission_m, *CTC_SHIM_RESTRICT ye = to->emission_e;
    double *CTC_SHIM_RESTRICT out_lm = to->label_m, *CTC_SHIM_RESTRICT out_le = to->label_e;
    double *CTC_SHIM_RESTRICT out_bm = to->blank_m, *CTC_SHIM_RESTRICT out_be = to->blank_e;
    double blank_m = frame->blank_m, blank_e = frame->blank_e, floor = CTC_SHIM_FLOORS.low;
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES, stop = (int64_t)frame->stop * CTC_SHIM_LANES;
    CTC_SHIM_PRAGMA(omp simd)
    for (j = start; j < stop; j++) {
        double qm, qe, m, e;
        ctc_shim_add(bm[j], be[j], lm[j - 1], le[j - 1], floor, &qm, &qe);
        out_bm[j] = qm * blank_m;
        out_be[j] = qe + blank_e;
        m = skip[j] > 0 ? qm : bm[j]; /* equal neighbours need the blank between them */
        e = skip[j] > 0 ? qe : be[j];
        ctc_shim_add(lm[j], le[j], m, e, floor, &m, &e);
        out_lm[j] = m * ym[j];
        out_le[j] = e + ye[j];
    }
}

/* One frame of (9)-(11), and the posteriors (14) of its states. Here cells[j] is (label j - 1, blank j), which makes it the
 * forward recursion with the neighbour on the other side. Posteriors of labels go to posterior[j - 1]; the blank's sum is
 * returned; both times `factor`. The sum over all paths is total_m * 2^total_e. */
static double ctc_shim_backward(const ctc_shim_cells *from, const ctc_shim_cells *to, const ctc_shim_cells *alpha,
                                const double *CTC_SHIM_RESTRICT skip, const ctc_shim_frame *frame, double total_m, double total_e,
                                double factor, double *CTC_SHIM_RESTRICT posterior) {
    const double *CTC_SHIM_RESTRICT lm = from->label_m, *CTC_SHIM_RESTRICT le = from->label_e;
    const double *CTC_SHIM_RESTRICT bm = from->blank_m, *CTC_SHIM_RESTRICT be = from->blank_e;
    const double *CTC_SHIM_RESTRICT ym = alpha->emission_m, *CTC_SHIM_RESTRICT ye = alpha->emission_e;
    const double *CTC_SHIM_RESTRICT alm = alpha->label_m, *CTC_SHIM_RESTRICT ale = alpha->label_e;
    const double *CTC_SHIM_RESTRICT abm = alpha->blank_m, *CTC_SHIM_RESTRICT abe = alpha->blank_e;
    double *CTC_SHIM_RESTRICT out_lm = to->label_m, *CTC_SHIM_RESTRICT out_le = to->label_e;
    double *CTC_SHIM_RESTRICT out_bm = to->blank_m, *CTC_SHIM_RESTRICT out_be = to->blank_e;
    double blank_m = frame->blank_m, blank_e = frame->blank_e, scale = factor / total_m, blanks = 0, floor = CTC_SHIM_FLOORS.low;
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES, stop = (int64_t)frame->stop * CTC_SHIM_LANES;
    CTC_SHIM_PRAGMA(omp simd reduction(+ : blanks))
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

/* The sum over all paths, as the states of one frame give it: the total of ctc_shim_backward when exponents are beyond 2^53
 * (a class masked with -1e30 is needed on every path). Their rounding then differs from frame to frame. */
static void ctc_shim_frame_total(const ctc_shim_cells *from, const ctc_shim_cells *alpha, const double *skip,
                                 const ctc_shim_frame *frame, double *total_m, double *total_e) {
    int64_t j, stop = (int64_t)frame->stop * CTC_SHIM_LANES;
    double m, e, qm, qe, floor = CTC_SHIM_FLOORS.low;
    *total_m = 0;
    *total_e = CTC_SHIM_NEVER;
    for (j = (int64_t)frame->start * CTC_SHIM_LANES; j < stop; j++) {
        ctc_shim_add(from->blank_m[j], from->blank_e[j], from->label_m[j + 1], from->label_e[j + 1], floor, &qm, &qe);
        ctc_shim_add(alpha->blank_m[j] * qm, alpha->blank_e[j] + qe, *total_m, *total_e, floor, total_m, total_e);
        m = skip[j] > 0 ? qm : from->blank_m[j];
        e = skip[j] > 0 ? qe : from->blank_e[j];
        ctc_shim_add(from->label_m[j], from->label_e[j], m, e, floor, &m, &e);
        ctc_shim_add(alpha->label_m[j - 1] * m, alpha->label_e[j - 1] + e, *total_m, *total_e, floor, total_m, total_e);
    }
}

/* Impossible cells on both sides of a row just computed: its neighbours in time read that far. */
static void ctc_shim_fence(const ctc_shim_cells *row, const ctc_shim_frame *frame) {
    int64_t j, start = ((int64_t)frame->start - 1) * CTC_SHIM_LANES, stop = (int64_t)frame->stop * CTC_SHIM_LANES;
    CTC_SHIM_PRAGMA(omp simd)
    for (j = 0; j < CTC_SHIM_LANES; j++) {
        row->label_m[start + j] = row->blank_m[start + j] = row->label_m[stop + j] = row->blank_m[stop + j] = 0;
        row->label_e[start + j] = row->blank_e[start + j] = row->label_e[stop + j] = row->blank_e[stop + j] = CTC_SHIM_NEVER;
    }
}

/* Mantissas back into [1, 2). Zeros stay zeros and sink. */
static void ctc_shim_renormalise(double *CTC_SHIM_RESTRICT m, double *CTC_SHIM_RESTRICT e, const ctc_shim_frame *frame) {
    int64_t j, start = (int64_t)frame->start * CTC_SHIM_LANES, stop = (int64_t)frame->stop * CTC_SHIM_LANES;
    CTC_SHIM_PRAGMA(omp simd)
    for (j = start; j < stop; j++) {
        uint64_t bits, biased;
        double number;
        memcpy(&bits, &m[j], 8);
        biased = (bits >> 52) | 0x4330000000000000u; /* the exponent's bits as the double 2^52 + exponent */
        memcpy(&number, &biased, 8);
        number -= 4503599627370496.0 + 1023.0;
        m[j] *= ctc_shim_pow2(-number);
        e[j] += number;
    }
}

/* ---- one sequence ----------------------------------------------------------------------------------------------- */

typedef struct {
    const char *logits, *targets, *input_lengths, *target_lengths, *upstream;
    char *loss, *gradient;
    int64_t stride_n, stride_t, stride_c, targets_stride_n, targets_stride_s, input_lengths_stride, target_lengths_stride;
    int64_t gradient_stride_n, gradient_stride_t, upstream_stride;
    int64_t N, T, C, S, blank, normalize, infeasible, mode, item;
    int64_t longest, labels, width, rows, padded; /* most frames, most labels, cells a row, rows of the table, C rounded up */
} ctc_shim_batch;

/* The memory of one thread: made once a call, for the largest sequence of the batch. */
typedef struct {
    ctc_shim_frame *frames;     /* (longest,) */
    double *table;              /* rows + 1 lattice rows; row 0 is the one before the current block */
    double *checkpoints;        /* the first four arrays of the row before each block */
    double *beta;               /* 2 lattice rows */
    double *skip, *pairs, *posterior, *reference;
    char *row, *exps;           /* (padded,) each: a row copied, exponentials */
    int32_t *label, *earliest;
} ctc_shim_scratch;

static int64_t ctc_shim_int(const char *base, int64_t offset) {
    int64_t value;
    memcpy(&value, base + offset, 8);
    return value;
}
static int64_t ctc_shim_frames_of(const ctc_shim_batch *b, int64_t n) { return ctc_shim_int(b->input_lengths, n * b->input_lengths_stride); }
static int64_t ctc_shim_labels_of(const ctc_shim_batch *b, int64_t n) { return ctc_shim_int(b->target_lengths, n * b->target_lengths_stride); }
static int64_t ctc_shim_label_of(const ctc_shim_batch *b, int64_t n, int64_t s) {
    return ctc_shim_int(b->targets, n * b->targets_stride_n + s * b->targets_stride_s);
}

/* U_n: the fewest frames that can spell the target. */
static int64_t ctc_shim_fewest(const ctc_shim_batch *b, int64_t n) {
    int64_t s, S = ctc_shim_labels_of(b, n), fewest = S;
    for (s = 1; s < S; s++) fewest += ctc_shim_label_of(b, n, s) == ctc_shim_label_of(b, n, s - 1);
    return fewest;
}

static ctc_shim_cells ctc_shim_cells_at(double *rows, int64_t width, int64_t index) {
    int64_t lane = width + 2 * CTC_SHIM_LANES;
    double *base = rows + index * CTC_SHIM_ARRAYS * lane + CTC_SHIM_LANES;
    ctc_shim_cells cells;
    cells.label_m = base;
    cells.label_e = base + lane;
    cells.blank_m = base + 2 * lane;
    cells.blank_e = base + 3 * lane;
    cells.emission_m = base + 4 * lane;
    cells.emission_e = base + 5 * lane;
    return cells;
}

static void ctc_shim_clear(const ctc_shim_cells *cells, int64_t width) {
    int64_t j;
    for (j = -CTC_SHIM_LANES; j < width + CTC_SHIM_LANES; j++) {
        cells->label_m[j] = cells->blank_m[j] = cells->emission_m[j] = 0;
        cells->label_e[j] = cells->blank_e[j] = cells->emission_e[j] = CTC_SHIM_NEVER;
    }
}

/* Frame t of sequence n as a contiguous aligned row: in place, or copied. A `padded` row goes on with -inf to a multiple of 16. */
static const void *ctc_shim_scores(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n, int64_t t, int padded) {
    const char *row = b->logits + n * b->stride_n + t * b->stride_t;
    int64_t c;
    if (b->stride_c == b->item && (uintptr_t)row % (uintptr_t)b->item == 0) {
        if (!padded || b->padded == b->C) return row;
        memcpy(w->row, row, (size_t)(b->C * b->item));
        return w->row;
    }
    for (c = 0; c < b->C; c++) memcpy(w->row + c * b->item, row + c * b->stride_c, (size_t)b->item);
    return w->row;
}

/* Emissions of the labels in the band of one frame. */
static void ctc_shim_emissions(const ctc_shim_batch *b, const ctc_shim_scratch *w, const void *row, const ctc_shim_frame *frame,
                               const ctc_shim_cells *cells) {
    int64_t start = (int64_t)frame->start * CTC_SHIM_LANES, stop = (int64_t)frame->stop * CTC_SHIM_LANES;
    double *m = cells->emission_m, *e = cells->emission_e;
    if (b->item == 4) ctc_shim_emissions_f32((const float *)row, b->C, w->label, start, stop, frame->maximum, w->pairs, m, e);
    else ctc_shim_emissions_f64((const double *)row, b->C, w->label, start, stop, frame->maximum, w->pairs, m, e);
    m[start - 1] = 0;
    e[start - 1] = CTC_SHIM_NEVER;
}

/* A whole row of the gradient set to `value`, or to factor * softmax when `sum` is given. */
static void ctc_shim_write_row(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n, int64_t t, double value,
                               const ctc_shim_sum *sum) {
    char *out = b->gradient + n * b->gradient_stride_n + t * b->gradient_stride_t;
    if (!sum && value == 0) memset(out, 0, (size_t)(b->C * b->item));
    else if (b->item == 4) {
        if (sum) ctc_shim_softmax_f32((const float *)w->exps, w->reference, sum, b->C, value, (float *)out);
        else ctc_shim_fill_f32((float *)out, b->C, (float)value);
    } else {
        if (sum) ctc_shim_softmax_f64((const double *)w->exps, w->reference, sum, b->C, value, (double *)out);
        else ctc_shim_fill_f64((double *)out, b->C, value);
    }
}

static void ctc_shim_write_rows(const ctc_shim_batch *b, int64_t n, int64_t start, int64_t stop, double value) {
    for (; b->gradient && start < stop; start++) ctc_shim_write_row(b, NULL, n, start, value, NULL);
}

static void ctc_shim_write_loss(const ctc_shim_batch *b, int64_t n, double loss) {
    if (b->item == 4) ((float *)b->loss)[n] = (float)loss;
    else ((double *)b->loss)[n] = loss;
}

static double ctc_shim_upstream(const ctc_shim_batch *b, int64_t n) {
    float single;
    double value = 1;
    if (b->upstream && b->item == 4) {
        memcpy(&single, b->upstream + n * b->upstream_stride, 4);
        return single;
    }
    if (b->upstream) memcpy(&value, b->upstream + n * b->upstream_stride, 8);
    return value;
}

/* Reads the target, and finds the band of every frame: label j can be reached from frame earliest[j] on, and can still
 * finish until earliest[j] + (T - U). */
static void ctc_shim_prepare(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n, int64_t T, int64_t S, int64_t fewest) {
    int64_t j, t, repeats = 0, low = 0, high = 0, previous = -1;
    for (j = 0; j < b->width; j++) {
        int64_t label = j < S ? ctc_shim_label_of(b, n, j) : b->blank;
        w->skip[j] = j < S && label != previous;
        repeats += j < S && label == previous;
        w->label[j] = (int32_t)label;
        w->earliest[j] = (int32_t)(j + repeats);
        previous = label;
    }
    for (t = 0; t < T; t++) {
        while (high < S && w->earliest[high] <= t) high++;
        while (low < high && w->earliest[low] < t - (T - fewest)) low++;
        w->frames[t].start = (int32_t)(low / CTC_SHIM_LANES);
        w->frames[t].stop = (int32_t)((high + CTC_SHIM_LANES) / CTC_SHIM_LANES);
    }
}

/* Frame t of the lattice into row `slot` of the table, from frame t - 1 in row `before`; `row` holds the frame's scores. */
static void ctc_shim_advance(const ctc_shim_batch *b, const ctc_shim_scratch *w, const void *row, int64_t t, int64_t before,
                             int64_t slot) {
    ctc_shim_cells from = ctc_shim_cells_at(w->table, b->width, before), to = ctc_shim_cells_at(w->table, b->width, slot);
    ctc_shim_emissions(b, w, row, &w->frames[t], &to);
    ctc_shim_forward(&from, &to, w->skip, &w->frames[t]);
    if (t % CTC_SHIM_RENORM == 0) {
        ctc_shim_renormalise(to.label_m, to.label_e, &w->frames[t]);
        ctc_shim_renormalise(to.blank_m, to.blank_e, &w->frames[t]);
    }
    ctc_shim_fence(&to, &w->frames[t]);
}

/* Doubles in the four alpha arrays of a row, and in all six. */
static size_t ctc_shim_alpha_size(const ctc_shim_batch *b) { return (size_t)(4 * (b->width + 2 * CTC_SHIM_LANES)); }
static size_t ctc_shim_row_size(const ctc_shim_batch *b) { return (size_t)(CTC_SHIM_ARRAYS * (b->width + 2 * CTC_SHIM_LANES)); }

/* At the first frame of a block: the row before it becomes row 0 of the table, and is kept to start from again. */
static void ctc_shim_checkpoint(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t block, int64_t slot) {
    size_t bytes = ctc_shim_alpha_size(b) * sizeof(double);
    if (slot > 0) memcpy(w->table, w->table + (size_t)slot * ctc_shim_row_size(b), bytes);
    memcpy(w->checkpoints + (size_t)block * ctc_shim_alpha_size(b), w->table, bytes);
}

/* All frames once: loss terms of the frames, softmax into the gradient, alpha. Returns the last frame's row of the table, 0 at a NaN or
 * +inf. Blocks but the last go through two rows, which stay in L1. `outside`: the part of -ln p that is the same on all paths. */
static int64_t ctc_shim_visit(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n, int64_t T, double upstream,
                              double *outside) {
    double product = 1; /* of the softmax denominators: one log for many frames */
    int64_t t, before, slot = 0, last = b->gradient ? (T - 1) / b->rows * b->rows : T;
    char *exps = b->gradient && b->mode == 0 ? w->exps : NULL;
    *outside = 0;
    for (t = 0; t < T; t++) {
        const void *row = ctc_shim_scores(b, w, n, t, 1);
        ctc_shim_frame *frame = &w->frames[t];
        double blank;
        ctc_shim_sum sum;
        if (b->item == 4) {
            sum = ctc_shim_row_f32((const float *)row, b->padded, b->normalize, (float *)exps, (float *)w->exps, w->reference);
            blank = ((const float *)row)[b->blank];
        } else {
            sum = ctc_shim_row_f64((const double *)row, b->padded, b->normalize, (double *)exps, (double *)w->exps, w->reference);
            blank = ((const double *)row)[b->blank];
        }
        if (sum.bad) return 0;
        frame->maximum = sum.maximum == -INFINITY ? 0 : sum.maximum;
        frame->blank_m = ctc_shim_split_exp(blank - frame->maximum, &frame->blank_e, CTC_SHIM_FLOORS.split, CTC_SHIM_FLOORS.never, CTC_SHIM_FLOORS.half, 1);
        if (!b->normalize) *outside -= frame->maximum;
        else if (sum.ties > 0) product *= sum.ties + sum.rest;
        if (product > 1e250) {
            *outside += log(product);
            product = 1;
        }
        if (b->gradient) {
            int softmax = b->normalize && b->mode == 0;
            ctc_shim_write_row(b, w, n, t, softmax ? upstream : 0, softmax ? &sum : NULL);
        }
        if (b->gradient && t % b->rows == 0) {
            ctc_shim_checkpoint(b, w, t / b->rows, slot);
            slot = 0;
        }
        before = slot;
        slot = t >= last ? t % b->rows + 1 : slot == 1 ? 2 : 1;
        ctc_shim_advance(b, w, row, t, before, slot);
    }
    *outside += log(product);
    return slot;
}

/* Posteriors of frame t added to its row of the gradient. */
static void ctc_shim_deposit(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n, int64_t t, int64_t S, double blanks) {
    char *out = b->gradient + n * b->gradient_stride_n + t * b->gradient_stride_t;
    int64_t start = (int64_t)w->frames[t].start * CTC_SHIM_LANES, stop = (int64_t)w->frames[t].stop * CTC_SHIM_LANES - 1;
    if (stop > S) stop = S;
    if (b->item == 4) {
        ctc_shim_scatter_f32((float *)out, w->label, start, stop, w->posterior);
        ((float *)out)[b->blank] += (float)blanks;
    } else {
        ctc_shim_scatter_f64((double *)out, w->label, start, stop, w->posterior);
        ((double *)out)[b->blank] += blanks;
    }
}

/* All frames backwards, block by block; blocks no longer in the table are computed again from their checkpoint. */
static void ctc_shim_return(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n, int64_t T, int64_t S, double total_m,
                            double total_e, double factor) {
    ctc_shim_cells from = ctc_shim_cells_at(w->beta, b->width, 0), to = ctc_shim_cells_at(w->beta, b->width, 1), swap;
    int64_t t, again, block, last = (T - 1) / b->rows;
    int far = total_e < -4e15;
    ctc_shim_clear(&from, b->width);
    from.blank_m[S] = 1; /* where every path ends: the last blank, after the last frame */
    from.blank_e[S] = 0;
    for (block = last; block >= 0; block--) {
        int64_t start = block * b->rows, stop = block == last ? T : start + b->rows;
        if (block < last) {
            memcpy(w->table, w->checkpoints + (size_t)block * ctc_shim_alpha_size(b), ctc_shim_alpha_size(b) * sizeof(double));
            for (again = start; again < stop; again++)
                ctc_shim_advance(b, w, ctc_shim_scores(b, w, n, again, 0), again, again - start, again - start + 1);
        }
        for (t = stop - 1; t >= start; t--) {
            ctc_shim_cells alpha = ctc_shim_cells_at(w->table, b->width, t - start + 1);
            double blanks;
            if (far) ctc_shim_frame_total(&from, &alpha, w->skip, &w->frames[t], &total_m, &total_e);
            blanks = ctc_shim_backward(&from, &to, &alpha, w->skip, &w->frames[t], total_m, total_e, factor, w->posterior);
            if (t % CTC_SHIM_RENORM == 0) {
                ctc_shim_renormalise(to.label_m, to.label_e, &w->frames[t]);
                ctc_shim_renormalise(to.blank_m, to.blank_e, &w->frames[t]);
            }
            ctc_shim_fence(&to, &w->frames[t]);
            ctc_shim_deposit(b, w, n, t, S, blanks);
            swap = from;
            from = to;
            to = swap;
        }
    }
}

static void ctc_shim_sequence(const ctc_shim_batch *b, const ctc_shim_scratch *w, int64_t n) {
    int64_t T = ctc_shim_frames_of(b, n), S = ctc_shim_labels_of(b, n), fewest = ctc_shim_fewest(b, n), slot;
    double upstream = ctc_shim_upstream(b, n), outside, total_m, total_e, loss;
    ctc_shim_cells cells;
    ctc_shim_write_rows(b, n, T, b->T, 0);
    if (T < fewest || T == 0 || b->C == 0) { /* scores not read: decided by lengths alone */
        int zero = T < fewest ? b->infeasible == 1 : T == 0;
        ctc_shim_write_loss(b, n, zero ? 0 : INFINITY);
        ctc_shim_write_rows(b, n, 0, T, 0);
        return;
    }
    ctc_shim_prepare(b, w, n, T, S, fewest);
    cells = ctc_shim_cells_at(w->table, b->width, 0);
    ctc_shim_clear(&cells, b->width);
    cells.blank_m[0] = 1; /* where every path starts: the first blank, before frame 0 */
    cells.blank_e[0] = 0;
    slot = ctc_shim_visit(b, w, n, T, upstream, &outside);
    if (!slot) {
        ctc_shim_write_loss(b, n, NAN);
        ctc_shim_write_rows(b, n, 0, T, NAN);
        return;
    }
    cells = ctc_shim_cells_at(w->table, b->width, slot);
    ctc_shim_add(cells.blank_m[S], cells.blank_e[S], cells.label_m[S - 1], cells.label_e[S - 1], CTC_SHIM_FLOORS.low, &total_m, &total_e);
    loss = total_m > 0 ? outside - log(total_m) - total_e * CTC_SHIM_LN2 : INFINITY;
    if (loss > (b->item == 4 ? 3.4028235677973366e38 : 1.7976931348623157e308)) { /* -inf on every way to spell the target */
        ctc_shim_write_loss(b, n, INFINITY);
        ctc_shim_write_rows(b, n, 0, T, 0);
        return;
    }
    ctc_shim_write_loss(b, n, b->normalize && loss < 0 ? 0 : loss);
    if (b->gradient) ctc_shim_return(b, w, n, T, S, total_m, total_e, b->mode == 1 ? upstream : -upstream);
}

/* ---- the batch -------------------------------------------------------------------------------------------------- */

static int64_t ctc_shim_error(int64_t *report, int64_t kind, int64_t n, int64_t s, int64_t value) {
    if (report) {
        report[0] = kind;
        report[1] = n;
        report[2] = s;
        report[3] = value;
    }
    return kind;
}

/* Everything that can be wrong with a batch, before anything is written. Fills in the sizes over the batch, and the work. */
static int64_t ctc_shim_check(ctc_shim_batch *b, double *work, int64_t *report) {
    int64_t n, s;
    if (b->C > 0 && (b->blank < -b->C || b->blank >= b->C)) return ctc_shim_error(report, 5, 0, b->C, b->blank);
    if (b->blank < 0) b->blank += b->C;
    b->longest = b->labels = 0;
    *work = 0;
    for (n = 0; n < b->N; n++) {
        int64_t T = ctc_shim_frames_of(b, n), S = ctc_shim_labels_of(b, n);
        if (T < 0 || T > b->T) return ctc_shim_error(report, 1, n, b->T, T);
        if (S < 0 || S > b->S) return ctc_shim_error(report, 2, n, b->S, S);
        for (s = 0; s < S; s++) {
            int64_t label = ctc_shim_label_of(b, n, s);
            if (label < 0 || label >= b->C || label == b->blank) return ctc_shim_error(report, 3, n, s, label);
        }
        if (T > b->longest) b->longest = T;
        if (S > b->labels) b->labels = S;
        *work += (double)T * (double)(b->C + 4 * S);
    }
    if (b->infeasible < 2) return ctc_shim_error(report, 0, 0, 0, 0);
    for (n = 0; n < b->N; n++) {
        int64_t T = ctc_shim_frames_of(b, n), fewest = ctc_shim_fewest(b, n);
        if (T < (b->infeasible == 2 ? fewest : ctc_shim_labels_of(b, n))) return ctc_shim_error(report, 4, n, fewest, T);
    }
    return ctc_shim_error(report, 0, 0, 0, 0);
}

/* The next `bytes` of a block of memory, on a cache line of its own; only counts while there is no block yet. */
static char *ctc_shim_carve(char *block, size_t *used, size_t bytes) {
    char *piece = block ? block + *used : NULL;
    *used += (bytes + 63) / 64 * 64;
    return piece;
}

static size_t ctc_shim_layout(const ctc_shim_batch *b, char *block, ctc_shim_scratch *w) {
    size_t used = 0, width = (size_t)b->width, row = ctc_shim_row_size(b) * sizeof(double);
    size_t blocks = b->gradient ? (size_t)(b->longest / b->rows + 1) : 0;
    w->table = (double *)ctc_shim_carve(block, &used, (size_t)(b->rows + 1) * row);
    w->beta = (double *)ctc_shim_carve(block, &used, b->gradient ? 2 * row : 0);
    w->checkpoints = (double *)ctc_shim_carve(block, &used, blocks * ctc_shim_alpha_size(b) * sizeof(double));
    w->frames = (ctc_shim_frame *)ctc_shim_carve(block, &used, (size_t)b->longest * sizeof(ctc_shim_frame));
    w->skip = (double *)ctc_shim_carve(block, &used, width * sizeof(double));
    w->pairs = (double *)ctc_shim_carve(block, &used, 2 * width * sizeof(double));
    w->posterior = (double *)ctc_shim_carve(block, &used, (width + CTC_SHIM_LANES) * sizeof(double));
    if (block) w->posterior += CTC_SHIM_LANES; /* backward writes posterior[-1] */
    w->label = (int32_t *)ctc_shim_carve(block, &used, width * sizeof(int32_t));
    w->earliest = (int32_t *)ctc_shim_carve(block, &used, width * sizeof(int32_t));
    w->reference = (double *)ctc_shim_carve(block, &used, (size_t)(b->C / CTC_SHIM_CHUNK + 1) * sizeof(double));
    w->exps = ctc_shim_carve(block, &used, (size_t)(b->padded + CTC_SHIM_CHUNK) * (size_t)b->item);
    w->row = ctc_shim_carve(block, &used, (size_t)(b->padded * b->item));
    return used;
}

/* Sequences are taken one by one by whichever thread is free; each is computed in the same way whoever takes it. */
typedef struct { const ctc_shim_batch *batch; ctc_shim_scratch scratch; const int64_t *order; int64_t *next; } ctc_shim_worker;

static int64_t ctc_shim_take(int64_t *next) {
#if defined(_WIN32)
    return (*next)++;
#else
    return __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
#endif
}

static void *ctc_shim_work(void *argument) {
    ctc_shim_worker *worker = (ctc_shim_worker *)argument;
    const ctc_shim_batch *b = worker->batch;
    char *rest = worker->scratch.row + b->C * b->item;
    if (b->item == 4) ctc_shim_fill_f32((float *)rest, b->padded - b->C, -(float)INFINITY);
    else ctc_shim_fill_f64((double *)rest, b->padded - b->C, -INFINITY);
    for (;;) {
        int64_t i = ctc_shim_take(worker->next);
        if (i >= b->N) return NULL;
        ctc_shim_sequence(b, &worker->scratch, worker->order ? worker->order[2 * i + 1] : i);
    }
}

static int ctc_shim_longer(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Pairs (work, n), most work first: the last thread to finish then has little left. */
static void ctc_shim_arrange(const ctc_shim_batch *b, int64_t *order) {
    int64_t n;
    for (n = 0; n < b->N; n++) {
        order[2 * n] = ctc_shim_frames_of(b, n) * (b->C + 4 * ctc_shim_labels_of(b, n));
        order[2 * n + 1] = n;
    }
    qsort(order, (size_t)b->N, 2 * sizeof(int64_t), ctc_shim_longer);
}

/* work() on each of the workers (`size` bytes apart), in a thread of its own but for the first. */
static void ctc_shim_share(void *(*work)(void *), void *workers, size_t size, int64_t threads) {
#if !defined(_WIN32)
    pthread_t *ids = threads > 1 ? (pthread_t *)malloc((size_t)threads * sizeof(pthread_t)) : NULL;
    int64_t i, started = 0;
    for (i = 1; ids && i < threads; i++) started += pthread_create(&ids[started], NULL, work, (char *)workers + (size_t)i * size) == 0;
    work(workers); /* takes all that no other thread takes: a thread that could not start costs only time */
    for (i = 0; i < started; i++) pthread_join(ids[i], NULL);
    free(ids);
#else
    (void)threads;
    (void)size;
    work(workers);
#endif
}

/* A large gradient is often fresh memory, and a page fault every 4 KiB costs more than the arithmetic: ask for huge pages. */
static void ctc_shim_prefer_huge_pages(const ctc_shim_batch *b) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t huge = 1 << 21;
    const int64_t bytes = b->N * b->T * b->C * b->item;
    uintptr_t start = ((uintptr_t)b->gradient + huge - 1) / huge * huge;
    uintptr_t stop = ((uintptr_t)b->gradient + (uintptr_t)bytes) / huge * huge;
    if (b->gradient && bytes >= (1 << 23) && b->gradient_stride_n > 0 && b->gradient_stride_t > 0 && stop > start)
        madvise((void *)start, stop - start, MADV_HUGEPAGE); /* a hint: what it returns does not matter */
#else
    (void)b;
#endif
}

/* CTC_SHIM_THREADS or OMP_NUM_THREADS in the environment, else the processors there are. */
static int64_t ctc_shim_processors(void) {
    static const char *const names[2] = {"CTC_SHIM_THREADS", "OMP_NUM_THREADS"};
    int64_t i, count = 1;
    for (i = 0; i < 2; i++) {
        const char *value = getenv(names[i]);
        if (value && atoi(value) > 0) return atoi(value);
    }
#if !defined(_WIN32)
    count = (int64_t)sysconf(_SC_NPROCESSORS_ONLN);
#endif
    return count;
}

/* Threads worth starting: at most `wanted`, as many as there are processors where the caller leaves it open (0). */
static int64_t ctc_shim_threads(int64_t wanted, double work, int64_t N) {
#if defined(_WIN32)
    wanted = 1;
#endif
    if (wanted <= 0 && work >= 2 * CTC_SHIM_THREAD_WORK) wanted = ctc_shim_processors();
    if (wanted > work / CTC_SHIM_THREAD_WORK) wanted = (int64_t)(work / CTC_SHIM_THREAD_WORK);
    if (wanted > N) wanted = N;
    return wanted < 1 ? 1 : wanted;
}

static int64_t ctc_shim_run(ctc_shim_batch *b, int64_t threads, int64_t *report) {
    double work;
    int64_t i, next = 0, error = ctc_shim_check(b, &work, report);
    size_t bytes, pairs;
    char *memory;
    ctc_shim_worker *workers;
    if (error || b->N <= 0) return error;
    b->padded = b->C < CTC_SHIM_CHUNK ? (b->C + 15) / 16 * 16 : b->C;
    b->width = (b->labels + CTC_SHIM_LANES) / CTC_SHIM_LANES * CTC_SHIM_LANES; /* S + 1 cells, rounded up */
    b->rows = (int64_t)(CTC_SHIM_TABLE_BYTES / (double)(ctc_shim_row_size(b) * sizeof(double)));
    if (b->rows < 16) b->rows = 16;
    if (b->rows > b->longest) b->rows = b->longest;
    if (!b->gradient || b->rows < 2) b->rows = 2;
    threads = ctc_shim_threads(threads, work, b->N);
    {
        ctc_shim_scratch sizes;
        bytes = ctc_shim_layout(b, NULL, &sizes);
    }
    pairs = threads > 1 ? (size_t)b->N * 2 * sizeof(int64_t) : 0;
    memory = (char *)malloc((size_t)threads * (bytes + sizeof(ctc_shim_worker)) + pairs + 64);
    if (!memory) return ctc_shim_error(report, 6, 0, 0, 0);
    workers = (ctc_shim_worker *)(memory + ((64 - (uintptr_t)memory % 64) % 64) + (size_t)threads * bytes + pairs);
    for (i = 0; i < threads; i++) {
        char *block = memory + ((64 - (uintptr_t)memory % 64) % 64);
        workers[i].batch = b;
        workers[i].order = pairs ? (const int64_t *)(block + (size_t)threads * bytes) : NULL;
        workers[i].next = &next;
        ctc_shim_layout(b, block + (size_t)i * bytes, &workers[i].scratch);
    }
    if (pairs) ctc_shim_arrange(b, (int64_t *)workers[0].order);
    ctc_shim_prefer_huge_pages(b);
    ctc_shim_share(ctc_shim_work, workers, sizeof(ctc_shim_worker), threads);
    free(memory);
    return 0;
}

/* Returns 0, or what is wrong with the batch (then nothing was written), with report = kind, n, s or limit, value:
 *   1 input length, 2 target length, 3 label, 4 target does not fit (n, U_n, T_n), 5 blank (0, C, blank), 6 out of memory.
 * logits (N, T, C), targets (N, S), lengths (N,): any strides, in bytes. loss (N,) contiguous. gradient: NULL for the loss
 * alone, or (N, T, C) with contiguous classes, written whole. mode 0: gradient times upstream (N,), 1: posteriors instead.
 * infeasible: 0 inf, 1 zero, 2 raise, 3 as TensorFlow. threads: at most so many, 0: as many as there
 * are processors; results do not depend on it. */
#define CTC_SHIM_DEFINE(REAL, SUFFIX) \
    CTC_SHIM_ENTRY int64_t ctc_shim_##SUFFIX( \
        const REAL *logits, int64_t stride_n, int64_t stride_t, int64_t stride_c, int64_t N, int64_t T, int64_t C, \
        const int64_t *targets, int64_t targets_stride_n, int64_t targets_stride_s, int64_t S, const int64_t *input_lengths, \
        int64_t input_lengths_stride, const int64_t *target_lengths, int64_t target_lengths_stride, int64_t blank, \
        int64_t normalize, int64_t infeasible, REAL *loss, REAL *gradient, int64_t gradient_stride_n, int64_t gradient_stride_t, \
        int64_t mode, const REAL *upstream, int64_t upstream_stride, int64_t threads, int64_t *report) { \
        ctc_shim_batch b; \
        memset(&b, 0, sizeof b); \
        b.logits = (const char *)logits; b.stride_n = stride_n; b.stride_t = stride_t; b.stride_c = stride_c; \
        b.N = N; b.T = T; b.C = C; b.S = S; b.item = (int64_t)sizeof(REAL); \
        b.targets = (const char *)targets; b.targets_stride_n = targets_stride_n; b.targets_stride_s = targets_stride_s; \
        b.input_lengths = (const char *)input_lengths; b.input_lengths_stride = input_lengths_stride; \
        b.target_lengths = (const char *)target_lengths; b.target_lengths_stride = target_lengths_stride; \
        b.blank = blank; b.normalize = normalize; b.infeasible = infeasible; b.mode = mode; \
        b.loss = (char *)loss; b.gradient = (char *)gradient; \
        b.gradient_stride_n = gradient_stride_n; b.gradient_stride_t = gradient_stride_t; \
        b.upstream = (const char *)upstream; b.upstream_stride = upstream_stride; \
        return ctc_shim_run(&b, threads, report); \
    }

#if !defined(CTC_SHIM_WITHOUT_ENTRIES) /* decode.c takes the parts above, and is linked with this file */
CTC_SHIM_DEFINE(float, f32)
CTC_SHIM_DEFINE(double, f64)
#endif
#endif
