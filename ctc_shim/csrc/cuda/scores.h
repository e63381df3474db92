/* The narrow element types of scores, and integers of two widths. All arithmetic is in double. */
#ifndef CTC_SCORES_H
#define CTC_SCORES_H
#include "cuda_batch.h"

#define CTC_DEVICE __device__ __forceinline__
#define CTC_LN2 0.6931471805599453094

typedef long long ctc_int;

/* CALL(type) for the C++ type of an element type. */
#define CTC_BY_KIND(kind, CALL) \
    switch (kind) { \
        case CTC_F64: CALL(double); break; \
        case CTC_BF16: CALL(ctc_bf16); break; \
        case CTC_F16: CALL(ctc_f16); break; \
        default: CALL(float); \
    }

/* The type of losses and upstream gradients. */
template <class REAL> struct ctc_wide {
    typedef float type;
};
template <> struct ctc_wide<double> {
    typedef double type;
};

union ctc_word {
    float f;
    unsigned u;
};
CTC_DEVICE unsigned ctc_bits(float f) {
    ctc_word word;
    word.f = f;
    return word.u;
}
CTC_DEVICE float ctc_float(unsigned u) {
    ctc_word word;
    word.u = u;
    return word.f;
}

struct ctc_bf16 {
    unsigned short bits;
    CTC_DEVICE explicit ctc_bf16(double x) { /* to nearest, ties to even */
        unsigned u = ctc_bits((float)x);
        bits = x != x ? 0x7fc0 : (unsigned short)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
    }
    CTC_DEVICE operator double() const { return ctc_float((unsigned)bits << 16); }
};

struct ctc_f16 {
    unsigned short bits;
    CTC_DEVICE explicit ctc_f16(double x) {
        unsigned whole = ctc_bits((float)x), u = whole & 0x7fffffff, half;
        if (x != x) half = 0x7e00;
        else if (u >= 0x477ff000) half = 0x7c00; /* from 65520 on */
        /* below 2^-14: adding 0.5f, whose units are 2^-24, rounds */
        else if (u < 0x38800000) half = ctc_bits(ctc_float(u) + 0.5f) - 0x3f000000;
        else half = (u + 0xfff + ((u >> 13) & 1) - 0x38000000) >> 13;
        bits = (unsigned short)(half | (whole >> 16 & 0x8000));
    }
    CTC_DEVICE operator double() const {
        unsigned u = (bits & 0x7fff) << 13, sign = (unsigned)(bits & 0x8000) << 16;
        if (u >= 0x0f800000) return ctc_float(u | 0x7f800000 | sign); /* infinity and NaN */
        return ctc_float(sign | ctc_bits(ctc_float(u) * 5.192296858534828e33f)); /* 2^112 */
    }
};

/* What the gradient of a sequence is multiplied with. */
template <class REAL>
CTC_DEVICE typename ctc_wide<REAL>::type ctc_upstream(const ctc_batch &b, ctc_int n) {
    typedef typename ctc_wide<REAL>::type wide;
    return b.upstream ? ((const wide *)b.upstream)[n * b.upstream_stride] : (wide)1;
}

/* An integer of a caller's array; -1, which is never valid, for one beyond the range of int. */
CTC_DEVICE int ctc_integer(const void *p, bool wide, ctc_int i) {
    ctc_int x = wide ? ((const ctc_int *)p)[i] : ((const int *)p)[i];
    return x == (int)x ? (int)x : -1;
}
#endif
