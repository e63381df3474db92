/* Sums of probabilities in log space against libm. */
#include "fuzz.h"
#include "../../ctc_shim/csrc/cpu/decode_sums.h"

int main(void) {
    double two[CTC_SHIM_LANES], sum[CTC_SHIM_LANES], d;
    int i;
    CHECK(ctc_shim_padded(0) == 0 && ctc_shim_padded(1) == 8 && ctc_shim_padded(8) == 8);
    for (d = 0; d < 800; d += 0.00731) {
        for (i = 0; i < CTC_SHIM_LANES; i++) {
            sum[i] = i % 2 ? -3.5 : -3.5 - d;
            two[i] = i % 2 ? -3.5 - d : -3.5;
        }
        ctc_shim_log_adds(sum, two, CTC_SHIM_LANES);
        for (i = 0; i < CTC_SHIM_LANES; i++) {
            CHECK(fabs(sum[i] - (-3.5 + log1p(exp(-d)))) < 1e-15);
            CHECK(sum[i] == sum[0]); /* in either order */
        }
    }
    for (i = 0; i < CTC_SHIM_LANES; i++) {
        sum[i] = i % 2 ? -1e300 : -INFINITY;
        two[i] = i < 4 ? -INFINITY : -2;
    }
    ctc_shim_log_adds(sum, two, CTC_SHIM_LANES);
    for (i = 0; i < CTC_SHIM_LANES; i++)
        CHECK(sum[i] == (i >= 4 ? -2 : i % 2 ? -1e300 : -INFINITY));
    return 0;
}
