/* Fuzzes ctc_shim/csrc/cpu/decode.c: random batches, good and bad, and what must hold whatever the numbers are. Built and run by
 * kernel_fuzz.sh, as kernel_fuzz.c is; every array has exactly its size, so that AddressSanitizer sees any step beyond it. */
#define CTC_SHIM_THREAD_WORK 1.0
#include "../ctc_shim/csrc/cpu/decode.c"
#include "fuzz.h"

static long errors, hypotheses, missing, not_numbers;

static double score(int64_t kind, double scale) {
    double z = scale * ((double)below(2001) / 1000 - 1);
    if (kind == 1 && below(3) == 0) return -INFINITY;
    if (kind == 2 && below(60) == 0) return below(2) ? (double)NAN : (double)INFINITY;
    if (kind == 3) return floor(z); /* ties */
    if (kind == 4 && below(4) == 0) return -1e30;
    return z;
}

#define DEFINE_ROUND(REAL, SUFFIX) \
    static void round_##SUFFIX(void) { \
        int64_t N = below(4), T = below(below(8) ? 12 : 90), C = below(below(8) ? 6 : 90), n, t, c, k, item = (int64_t)sizeof(REAL); \
        int64_t blank = C > 0 ? below(2 * C) - C : 0, width = below(3) ? below(9) : below(2) ? 0 : 40, kind = below(8), bad = below(12); \
        int64_t paths = width ? 1 + below(width) : 1, merge = below(2), normalize = below(2), step = 1 + below(2), report[4], again[4]; \
        double scales[4] = {0, 1, 10, 1e4}, scale = scales[below(4)]; \
        REAL *scores = (REAL *)room(N * T * C * step * item); \
        int64_t *frames = (int64_t *)room(N * 8), *labels = (int64_t *)room(N * paths * T * 8), *lengths = (int64_t *)room(N * paths * 8); \
        double *log_p = (double *)room(N * paths * 8), *second = (double *)room(N * paths * 8); \
        int64_t got, kept = 0; \
        for (c = 0; c < N * T * C * step; c++) scores[c] = (REAL)score(kind, scale); \
        for (n = 0; n < N; n++) frames[n] = C > 0 ? (below(3) ? T : below(T + 1)) : 0; \
        if (N && bad == 0) { \
            frames[below(N)] = below(2) ? -1 - below(9) : T + 1 + below((int64_t)1 << 40); \
            kept = 1; \
        } \
        if (C > 0 && bad == 1) { \
            blank = below(2) ? C + below(5) : -C - 1 - below(5); \
            kept = 5; \
        } \
        for (k = 0; k < N * paths * T; k++) labels[k] = -1; \
        for (k = 0; k < N * paths; k++) lengths[k] = -7; \
        got = ctc_shim_decode_##SUFFIX(scores, T * C * step * item, C * step * item, step * item, N, T, C, frames, 8, blank, normalize, \
                                       width, paths, merge, labels, lengths, log_p, 1, report); \
        CHECK(got == kept && report[0] == kept); \
        if (got) errors++; \
        for (k = 0; k < N * paths; k++) CHECK(got ? lengths[k] == -7 : lengths[k] >= 0 && lengths[k] <= T); \
        if (!got) { \
            ctc_shim_decode_##SUFFIX(scores, T * C * step * item, C * step * item, step * item, N, T, C, frames, 8, blank, normalize, \
                                     width, paths, merge, labels, lengths, second, 3, again); \
            CHECK(memcmp(log_p, second, (size_t)(N * paths * 8)) == 0 || kind == 2); \
        } \
        for (n = 0; !got && n < N; n++) { \
            int nan = 0; \
            for (t = 0; t < frames[n]; t++) \
                for (c = 0; c < C; c++) nan |= !(scores[((n * T + t) * C + c) * step] < (REAL)INFINITY); \
            for (k = 0; k < paths; k++) { \
                const int64_t place = n * paths + k, *path = labels + place * T; \
                const double p = log_p[place]; \
                CHECK(nan == (p != p)); \
                CHECK(nan || p < INFINITY); \
                if (!(p > -INFINITY)) CHECK(lengths[place] == 0); \
                if (normalize && !nan) CHECK(p <= 1e-3); \
                if (k && !nan) CHECK(p <= log_p[place - 1]); /* likeliest first */ \
                for (t = 0; t < T; t++) { \
                    if (t < lengths[place]) CHECK(path[t] >= 0 && path[t] < C && path[t] != (blank + C) % C); \
                    else CHECK(path[t] == -1); \
                    if (merge && width && t && t < lengths[place]) CHECK(path[t] != path[t - 1]); \
                } \
                CHECK(lengths[place] <= frames[n]); \
                not_numbers += nan; \
                missing += p == -INFINITY; \
                hypotheses += p > -INFINITY; \
            } \
        } \
        free(scores); free(frames); free(labels); free(lengths); free(log_p); free(second); \
    }

DEFINE_ROUND(float, f32)
DEFINE_ROUND(double, f64)

int main(int count, char **arguments) {
    long rounds = all_rounds(count, arguments, round_f32, round_f64);
    printf("%ld rounds: %ld errors found as they should; hypotheses: %ld, missing %ld, NaN %ld\n", rounds, errors, hypotheses, missing,
           not_numbers);
    return 0;
}
