/* exp(z - maximum) as a word, without arithmetic in double. */
#ifndef CTC_EMISSION_H
#define CTC_EMISSION_H
#include "simt.h"

enum {
    CTC_LEAST_FIELD = 23, /* the exponent field of 2^-1000, which stands for all below it */
    CTC_ONE_FIELD = 1023
};

/* To 20 bits, rounded to nearest; 0 for -inf. `maximum` is at least z, and finite. */
CTC_DEVICE unsigned ctc_emission(float z, float maximum) {
    /* d + rest == z - maximum: two-sum */
    const float d = z - maximum, part = z - d;
    const float rest = (z - (d + part)) + (part - maximum);
    const float n = rintf(fmaxf(d, -700.0f) * 1.44269504f);
    float r = fmaf(-n, 0.693145751953125f, d); /* ln 2 in two parts, the first of 16 bits */
    r = fmaf(-n, 1.42860682e-06f, r) + rest;
    const unsigned word =
        ((ctc_bits(ctc_exp2(r * 1.44269504f)) + 4u) >> 3) + ((896u + (unsigned)(int)n) << 20);
    const unsigned least = z > -CTC_INFINITY_FLOAT ? (unsigned)CTC_LEAST_FIELD << 20 : 0;
    return d >= -690.0f ? word : least;
}

/* The same number as a float; 0 below the normal ones. */
CTC_DEVICE float ctc_plain(unsigned word) {
    return word < (897u << 20) ? 0.0f : ctc_float((word - (896u << 20)) << 3);
}
/* What the gradient has beside posteriors, the softmax or exp(z), divided by exp(z - maximum).
 * sum: of all exp(z - maximum) of the frame. */
CTC_DEVICE float ctc_share(const ctc_batch &b, float maximum, float sum) {
    return b.normalize ? ctc_inverse(sum) : b.adds ? expf(maximum) : 0.0f;
}
/* Rounded as an emission is. */
CTC_DEVICE float ctc_rounded(float p) { return ctc_float((ctc_bits(p) + 4u) & ~7u); }
#endif
