/* Powers of two and exponentials against libm. */
#include "../../ctc_shim/csrc/cpu/lanes.h"
#include "fuzz.h"

static void check_series(void) {
    double r;
    for (r = -0.3466; r < 0.3466; r += 1e-5) {
        CHECK(fabs(ctc_shim_exp_series(r, 1) / exp(r) - 1) < 3e-16);
        CHECK(fabs(ctc_shim_exp_series(r, 0) / exp(r) - 1) < 1e-10);
    }
}

static void check_exponentials(void) {
    const double split = CTC_SHIM_FLOORS.split, never = CTC_SHIM_FLOORS.never;
    const double half = CTC_SHIM_FLOORS.half;
    double d, k, m;
    for (d = 0; d > -700; d -= 0.0137) {
        m = ctc_shim_split_exp(d, &k, split, never, half, 1);
        CHECK(m > 0.7 && m < 1.42 && k == floor(k));
        CHECK(fabs(ldexp(m, (int)k) / exp(d) - 1) < 1e-15);
        CHECK(fabs(ctc_shim_exp_f64(d, CTC_SHIM_FLOORS.zero_f64) / exp(d) - 1) < 1e-15);
        if (d > -85)
            CHECK(fabs(ctc_shim_exp_f32((float)d, (float)CTC_SHIM_FLOORS.zero_f32) /
                           exp((double)(float)d) -
                       1) < 3e-7);
    }
    CHECK(ctc_shim_split_exp(-INFINITY, &k, split, never, half, 1) == 0 && k == CTC_SHIM_NEVER);
    CHECK(ctc_shim_split_exp(-1e30, &k, split, never, half, 1) > 0 && k < -1e30);
    CHECK(ctc_shim_exp_f64(-INFINITY, CTC_SHIM_FLOORS.zero_f64) == 0);
    CHECK(ctc_shim_exp_f32(-200, (float)CTC_SHIM_FLOORS.zero_f32) == 0);
    m = ctc_shim_exp_f64(NAN, CTC_SHIM_FLOORS.zero_f64);
    CHECK(m != m);
}

/* Of vectors: exp(z) / 2^scale, however far the scores are from 0. */
static void check_vectors(double scale, double near) {
#if defined(CTC_SHIM_HAS_LANES)
    const double ln2 = 0.6931471805599453094;
    const ctc_shim_f64 none = {0};
    const ctc_shim_f32 few = {0};
    double z, low = (scale - 1023) * ln2;
    float shallow = (float)((scale - 127) * ln2);
    for (z = 3; z > -80; z -= 0.0137) {
        double above = scale * ln2 + z;
        double wide = ctc_shim_scaled_exp_f64(none + above, none + low,
                                              none + (CTC_SHIM_SHIFT_f64 - scale))[0];
        float narrow = ctc_shim_scaled_exp_f32(few + (float)above, few + shallow,
                                               few + (CTC_SHIM_SHIFT_f32 - (float)scale))[0];
        CHECK(fabs(wide / exp(above - scale * ln2) - 1) < 1e-11);
        CHECK(fabs((double)narrow / exp((double)(float)above - scale * ln2) - 1) < near);
    }
    CHECK(ctc_shim_scaled_exp_f64(none - INFINITY, none + low,
                                  none + (CTC_SHIM_SHIFT_f64 - scale))[0] == 0);
    CHECK(ctc_shim_scaled_exp_f32(few - INFINITY, few + shallow,
                                  few + (CTC_SHIM_SHIFT_f32 - (float)scale))[0] == 0);
#else
    (void)scale, (void)near;
#endif
}

int main(void) {
    int k;
    double e, x;
    for (k = -1022; k <= 1023; k++) CHECK(ctc_shim_pow2(k) == ldexp(1, k));
    CHECK(ctc_shim_scale(-1e290, CTC_SHIM_FLOORS.low) == ldexp(1, -900));
    CHECK(ctc_shim_keep_f64(NAN, 0) == 0 && ctc_shim_keep_f32(3, 1) == 3);
    check_series();
    check_exponentials();
    check_vectors(0, 2e-7);
    check_vectors(-28853, 2e-6); /* ln 2 is rounded, for all classes alike */
    check_vectors(28853, 2e-6);
    for (x = 1e-300; x < 1e300; x *= 1.7) {
        double m = ctc_shim_split(x, &e);
        CHECK(m > 0.7 && m < 1.42 && ldexp(m, (int)e) == x);
    }
    CHECK(ctc_shim_split(0, &e) == 0 && e == CTC_SHIM_NEVER);
    return 0;
}
