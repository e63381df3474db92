/* Numbers of any range: a mantissa and an exponent, as in cpu/lattice.h. */
#ifndef CTC_CELLS_H
#define CTC_CELLS_H
#include "lanes.h"

/* Unrolled, so that cells are registers. */
#define CTC_CELLS _Pragma("unroll") for (int i = 0; i < K; i++)
#define CTC_CELLS_DOWN _Pragma("unroll") for (int i = K - 1; i >= 0; i--)
#define CTC_INFINITY __longlong_as_double(0x7ff0000000000000ll)

enum {
    CTC_RENORM = 64, /* frames between renormalisations */
    CTC_AHEAD = 8    /* frames between the prefetch of scores and their use */
};
/* The exponent of an impossible cell; T times this is still finite. */
#define CTC_NEVER (-1e290)
#define CTC_FIXED 70368744177664.0 /* 2^46: the unit of a class sum */

/* 2^k for an integer k <= 0, however low. */
CTC_DEVICE Double ctc_scale(Double k) { return power_of_two(larger(k, Double(-900.0))); }

/* exp(d) = result * 2^*k for d <= 0, result in [0.7, 1.42]; 0 and CTC_NEVER for -inf. */
CTC_DEVICE Double ctc_split_exp(Double d, Double *k) {
    Double x = larger(d, Double(-1e280));
    /* Rounded to nearest. ln 2 is split in two, so that n times its upper 24 bits is exact. */
    Double n = (x * 1.4426950408889634074 + 6755399441055744.0) - 6755399441055744.0;
    Double r = (x - n * 0.69314718246459961) - n * -1.904654299957768e-09;
    Double p = Double(1.0 / 479001600);
    Mask possible = n > Double(-1.4e280);
    r = select(r > Double(-0.35), r, Double(-0.35));
    r = select(r < Double(0.35), r, Double(0.35));
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
    *k = select(possible, n, Double(CTC_NEVER));
    return select(possible, p, Double(0.0));
}

/* A number m * 2^e in each lane. */
struct ctc_cell {
    Double m, e;
};

CTC_DEVICE ctc_cell ctc_make(Double m, Double e) {
    ctc_cell made = {m, e};
    return made;
}
CTC_DEVICE ctc_cell ctc_none() { return ctc_make(Double(0.0), Double(CTC_NEVER)); }
CTC_DEVICE ctc_cell ctc_add(ctc_cell a, ctc_cell b) {
    Double high = larger(a.e, b.e);
    return ctc_make(a.m * ctc_scale(a.e - high) + b.m * ctc_scale(b.e - high), high);
}
CTC_DEVICE ctc_cell ctc_times(ctc_cell a, ctc_cell b) { return ctc_make(a.m * b.m, a.e + b.e); }
CTC_DEVICE ctc_cell ctc_only(Mask wanted, ctc_cell a) {
    return ctc_make(select(wanted, a.m, Double(0.0)), select(wanted, a.e, Double(CTC_NEVER)));
}
/* Moves the cells up or down by a lane; m * 2^e moves in. */
CTC_DEVICE ctc_cell ctc_up(ctc_cell a, double m, double e) {
    return ctc_make(up(a.m, m), up(a.e, e));
}
CTC_DEVICE ctc_cell ctc_down(ctc_cell a, double m, double e) {
    return ctc_make(down(a.m, m), down(a.e, e));
}
CTC_DEVICE ctc_cell ctc_renormalised(ctc_cell a) {
    Mask alive = a.m > Double(0.0);
    Double k = exponent_of(select(alive, a.m, Double(1.0)));
    return ctc_make(select(alive, a.m * power_of_two(Double(0.0) - k), Double(0.0)),
                    select(alive, a.e + k, Double(CTC_NEVER)));
}
#endif
