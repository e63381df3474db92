/* Fuzzes ctc_shim/csrc/cpu/loss.c: random batches, good and bad, and what must hold whatever the numbers are.
 *
 *     gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover tests/kernel_fuzz.c -o kernel_fuzz -lm -lpthread
 *     ./kernel_fuzz 2000 [seed]
 *
 * The same with `g++ -x c++ -std=c++11`. Every array is allocated at exactly its size, so that AddressSanitizer sees any step
 * beyond it. Prints what it counted; a broken invariant aborts with its line. */
#define CTC_SHIM_TABLE_BYTES 2e4 /* small: checkpoints and threads come into play in small cases */
#define CTC_SHIM_THREAD_WORK 1.0
#include "../ctc_shim/csrc/cpu/loss.c"
#include "fuzz.h"

static long errors, infinite, not_numbers, possible;

static double uniform(void) { return (double)below(1 << 30) / (1 << 30); }

static double score(int64_t kind, double scale) {
    double z = scale * (uniform() + uniform() + uniform() - 1.5);
    if (kind == 1 && below(4) == 0) return -INFINITY;
    if (kind == 2 && below(60) == 0) return NAN;
    if (kind == 3 && below(60) == 0) return INFINITY;
    if (kind == 4 && below(6) == 0) return below(2) ? -1e30 : -3e38;
    if (kind == 5 && below(3) == 0) return -1e9;
    return z;
}

/* What the contract says about the lengths and labels of a batch, written again without the kernel. */
static int64_t expected_error(int64_t N, int64_t T, int64_t C, int64_t S, const int64_t *targets, const int64_t *frames,
                              const int64_t *labels, int64_t blank, int64_t policy, int64_t *row) {
    int64_t n, s, fewest;
    *row = 0;
    if (C > 0 && (blank < -C || blank >= C)) return 5;
    if (blank < 0) blank += C;
    for (n = 0; n < N; n++) {
        *row = n;
        if (frames[n] < 0 || frames[n] > T) return 1;
        if (labels[n] < 0 || labels[n] > S) return 2;
        for (s = 0; s < labels[n]; s++)
            if (targets[n * S + s] < 0 || targets[n * S + s] >= C || targets[n * S + s] == blank) return 3;
    }
    for (n = 0; n < N; n++) {
        *row = n;
        for (fewest = labels[n], s = 1; s < labels[n]; s++) fewest += targets[n * S + s] == targets[n * S + s - 1];
        if (policy == 2 && frames[n] < fewest) return 4;
        if (policy == 3 && frames[n] < labels[n]) return 4;
    }
    *row = 0;
    return 0;
}

#define DEFINE_ROUND(REAL, SUFFIX, CLOSE) \
    static void round_##SUFFIX(void) { \
        int64_t N = below(5), T = below(below(8) ? 14 : 150), C = below(below(8) ? 7 : 70), S = below(below(8) ? 7 : 40), n, t, c, s; \
        int64_t blank = C > 0 ? below(2 * C) - C : 0, normalize = below(2), policy = below(4), mode = below(2), kind = below(10); \
        int64_t bad = below(12), major = below(2), step = below(3) ? 1 : 2, row, kept, got, alone, report[4], second[4]; \
        double scales[5] = {0, 1, 10, 300, 1e4}, scale = scales[below(5)]; \
        int64_t stride_c = step * (int64_t)sizeof(REAL), stride_n = major ? C * stride_c : T * C * stride_c; \
        int64_t stride_t = major ? N * C * stride_c : C * stride_c, size = (int64_t)sizeof(REAL); \
        int64_t out_n = major ? C * size : T * C * size, out_t = major ? N * C * size : C * size; \
        REAL *scores = (REAL *)room(N * T * C * stride_c), *loss = (REAL *)room(N * size), *again = (REAL *)room(N * size); \
        REAL *gradient = (REAL *)room(N * T * C * size), *other = (REAL *)room(N * T * C * size), *up = (REAL *)room(N * size); \
        int64_t *targets = (int64_t *)room(N * S * 8), *frames = (int64_t *)room(N * 8), *labels = (int64_t *)room(N * 8); \
        const REAL *upstream = below(2) ? up : NULL; \
        for (c = 0; c < N * T * C * step; c++) scores[c] = (REAL)score(kind, scale); \
        for (n = 0; n < N; n++) { \
            frames[n] = below(3) ? T : below(T + 1); \
            labels[n] = below(S + 1); \
            if (below(3) && labels[n] > frames[n] / 2) labels[n] = frames[n] / 2; \
            up[n] = (REAL)(below(4) ? uniform() * 4 - 2 : 0); \
            for (s = 0; s < S; s++) { \
                targets[n * S + s] = below(C); \
                if (C > 1 && targets[n * S + s] == (blank + C) % C) targets[n * S + s] = (blank + C + 1) % C; \
            } \
            if (C < 2) labels[n] = 0; \
            for (s = labels[n]; s < S; s++) targets[n * S + s] = below(2) ? -9 : (int64_t)1 << 40; /* padding: never read */ \
        } \
        if (N && bad == 0) frames[below(N)] = below(2) ? -1 - below(9) : T + 1 + below((int64_t)1 << 40); \
        if (N && bad == 1) labels[below(N)] = below(2) ? -1 - below(9) : S + 1 + below((int64_t)1 << 40); \
        if (N * S > 0 && bad == 2) targets[below(N * S)] = below(2) ? -1 - below(99) : C + below((int64_t)1 << 60); \
        if (N * S > 0 && bad == 3) targets[below(N * S)] = (blank + C) % (C ? C : 1); \
        if (bad == 4) blank = below(2) ? C + below(5) : -C - 1 - below(5); \
        for (n = 0; n < N; n++) loss[n] = (REAL)-7; \
        for (c = 0; c < N * T * C; c++) gradient[c] = other[c] = (REAL)-7; \
        kept = expected_error(N, T, C, S, targets, frames, labels, blank, policy, &row); \
        got = ctc_shim_##SUFFIX(scores, stride_n, stride_t, stride_c, N, T, C, targets, S * 8, 8, S, frames, 8, labels, 8, blank, \
                                normalize, policy, loss, gradient, out_n, out_t, mode, upstream, size, 1, report); \
        CHECK(got == kept && report[0] == kept); \
        CHECK(kept == 0 || report[1] == row); \
        alone = ctc_shim_##SUFFIX(scores, stride_n, stride_t, stride_c, N, T, C, targets, S * 8, 8, S, frames, 8, labels, 8, blank, \
                                  normalize, policy, again, NULL, 0, 0, mode, NULL, 0, 3, second); \
        CHECK(alone == got); \
        if (got) { \
            errors++; \
            for (n = 0; n < N; n++) CHECK(loss[n] == (REAL)-7); /* an error leaves everything as it was */ \
            for (c = 0; c < N * T * C; c++) CHECK(gradient[c] == (REAL)-7); \
        } else { \
            ctc_shim_##SUFFIX(scores, stride_n, stride_t, stride_c, N, T, C, targets, S * 8, 8, S, frames, 8, labels, 8, blank, \
                              normalize, policy, again, other, out_n, out_t, mode, upstream, size, 2, second); \
            CHECK(memcmp(loss, again, (size_t)(N * size)) == 0); \
            for (c = 0; c < N * T * C; c++) CHECK(gradient[c] == other[c] || gradient[c] != gradient[c]); \
        } \
        for (n = 0; !got && n < N; n++) { \
            int nan = 0, impossible = loss[n] == (REAL)INFINITY; \
            double times = upstream ? (double)up[n] : 1, want, sum; \
            int64_t fewest = labels[n]; \
            for (s = 1; s < labels[n]; s++) fewest += targets[n * S + s] == targets[n * S + s - 1]; \
            for (t = 0; t < frames[n]; t++) \
                for (c = 0; c < C; c++) nan |= !(scores[(n * stride_n + t * stride_t + c * stride_c) / size] < (REAL)INFINITY); \
            if (frames[n] < fewest) { \
                nan = 0; \
                CHECK(policy == 1 ? loss[n] == 0 : impossible); \
            } \
            CHECK(nan == (loss[n] != loss[n])); \
            if (normalize && !nan) CHECK(loss[n] >= 0); \
            infinite += impossible; \
            not_numbers += nan; \
            possible += !nan && !impossible; \
            for (t = 0; t < T; t++) { \
                const REAL *g = gradient + (n * out_n + t * out_t) / size; \
                for (sum = 0, c = 0; c < C; c++) { \
                    if (t < frames[n] && nan) CHECK(g[c] != g[c]); \
                    else CHECK(g[c] == g[c]); \
                    if (mode == 1 && !upstream && !nan) CHECK(g[c] >= 0); \
                    sum += g[c]; \
                } \
                if (t >= frames[n] || impossible || frames[n] < fewest) CHECK(sum == 0); \
                else if (!nan && C > 0) { \
                    want = mode == 1 ? times : normalize ? 0 : -times; \
                    CHECK(fabs(sum - want) <= CLOSE); \
                } \
            } \
        } \
        /* The same numbers as probabilities: a negative one is as bad as NaN, and no step along p + epsilon changes a softmax. */ \
        if (!got) { \
            const REAL epsilon = (REAL)(below(2) ? 1e-7 : 0); \
            for (c = 0; below(2) && c < N * T * C * step; c++) if (scores[c] < 0) scores[c] = -scores[c]; \
            alone = ctc_shim_probabilities_##SUFFIX( \
                scores, stride_n, stride_t, stride_c, N, T, C, targets, S * 8, 8, S, frames, 8, labels, 8, blank, 1, policy, again, \
                other, out_n, out_t, 0, upstream, size, 1 + below(3), second, epsilon); \
            CHECK(alone == 0); \
            for (n = 0; n < N; n++) { \
                int nan = 0; \
                int64_t fewest = labels[n]; \
                for (s = 1; s < labels[n]; s++) fewest += targets[n * S + s] == targets[n * S + s - 1]; \
                for (t = 0; t < frames[n]; t++) \
                    for (c = 0; c < C; c++) { \
                        REAL q = scores[(n * stride_n + t * stride_t + c * stride_c) / size] + epsilon; \
                        nan |= !(q >= 0 && q < (REAL)INFINITY); \
                    } \
                nan &= frames[n] >= fewest; \
                CHECK(nan == (again[n] != again[n])); \
                CHECK(nan || again[n] >= 0); \
                for (t = 0; t < T && !nan; t++) { \
                    const REAL *g = other + (n * out_n + t * out_t) / size; \
                    double sum = 0; \
                    for (c = 0; c < C; c++) { \
                        REAL q = scores[(n * stride_n + t * stride_t + c * stride_c) / size] + epsilon; \
                        if (t >= frames[n] || frames[n] < fewest || again[n] == (REAL)INFINITY) CHECK(g[c] == 0); \
                        else if (q > (REAL)1e-30) sum += (double)g[c] * q; \
                    } \
                    CHECK(fabs(sum) <= CLOSE); \
                } \
            } \
        } \
        free(scores); free(loss); free(again); free(gradient); free(other); free(up); free(targets); free(frames); free(labels); \
    }

DEFINE_ROUND(float, f32, 3e-5)
DEFINE_ROUND(double, f64, 1e-9)

int main(int count, char **arguments) {
    long rounds = all_rounds(count, arguments, round_f32, round_f64);
    printf("%ld rounds: %ld errors found as they should; rows: %ld finite, %ld infinite, %ld NaN\n", rounds, errors, possible, infinite,
           not_numbers);
    return 0;
}
