/* Fuzzes ctc_shim/csrc/cpu/decode.c: random batches, good and bad, and what must hold whatever the
 * numbers are. Built and run by kernel_fuzz.sh, as kernel_fuzz.c is; every array has exactly its
 * size, so that AddressSanitizer sees any step beyond it. */
#define CTC_SHIM_THREAD_WORK 1.0
#include "../../ctc_shim/csrc/cpu/decode.c"
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

#include "../../ctc_shim/csrc/cpu/float.inc.h"
#include "decode_fuzz.inc.h"
#include "../../ctc_shim/csrc/cpu/double.inc.h"
#include "decode_fuzz.inc.h"

int main(int count, char **arguments) {
    long rounds = all_rounds(count, arguments, round_f32, round_f64);
    printf("%ld rounds: %ld errors found as they should; hypotheses: %ld, missing %ld, NaN %ld\n",
           rounds, errors, hypotheses, missing, not_numbers);
    return 0;
}
