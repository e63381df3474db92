/* Fuzzes ctc_shim/csrc/cpu/loss.c: random batches, good and bad, and what must hold whatever the
 * numbers are.
 *
 *     cd tests/kernel
 *     gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover kernel_fuzz.c \
 *         ../../ctc_shim/csrc/cpu/processors.c -lm -lpthread
 *     ./a.out 2000 [seed]
 *
 * The same with `g++ -x c++ -std=c++11`. Every array is allocated at exactly its size, so that
 * AddressSanitizer sees any step beyond it. Prints what it counted; a broken invariant aborts with
 * its line. */
#define CTC_SHIM_TABLE_BYTES \
    2e4 /* small: checkpoints and threads come into play in small cases \
         */
#define CTC_SHIM_THREAD_WORK 1.0
#include "../../ctc_shim/csrc/cpu/loss.c"
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

/* What the contract says about the lengths and labels of a batch, written again without the kernel.
 */
static int64_t expected_error(int64_t N, int64_t T, int64_t C, int64_t S, const int64_t *targets,
                              const int64_t *frames, const int64_t *labels, int64_t blank,
                              int64_t policy, int64_t *row) {
    int64_t n, s, fewest;
    *row = 0;
    if (C > 0 ? blank < -C || blank >= C : N > 0 && T > 0) return 5;
    if (blank < 0) blank += C;
    for (n = 0; n < N; n++) {
        *row = n;
        if (frames[n] < 0 || frames[n] > T) return 1;
        if (labels[n] < 0 || labels[n] > S) return 2;
        for (s = 0; s < labels[n]; s++)
            if (targets[n * S + s] < 0 || targets[n * S + s] >= C || targets[n * S + s] == blank)
                return 3;
    }
    for (n = 0; n < N; n++) {
        *row = n;
        for (fewest = labels[n], s = 1; s < labels[n]; s++)
            fewest += targets[n * S + s] == targets[n * S + s - 1];
        if (policy == 2 && frames[n] < fewest) return 4;
        if (policy == 3 && frames[n] < labels[n]) return 4;
    }
    *row = 0;
    return 0;
}

#include "../../ctc_shim/csrc/cpu/float.inc.h"
#define CLOSE 3e-5
#include "kernel_fuzz.inc.h"
#undef CLOSE
#include "../../ctc_shim/csrc/cpu/double.inc.h"
#define CLOSE 1e-9
#include "kernel_fuzz.inc.h"

int main(int count, char **arguments) {
    long rounds = all_rounds(count, arguments, round_f32, round_f64);
    printf("%ld rounds: %ld errors found as they should; rows: %ld finite, %ld infinite, %ld NaN\n",
           rounds, errors, possible, infinite, not_numbers);
    return 0;
}
