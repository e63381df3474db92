/* What this processor can do. */
#ifndef CTC_SHIM_DISPATCH_H
#define CTC_SHIM_DISPATCH_H
#include "base.h"
#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif

enum { CTC_SHIM_LEVELS = 4 }; /* base, v2, v3, v4: those of the psABI of x86-64 */

/* The words of CPUID and XGETBV that tell the levels apart; all 0 where they are not there. */
typedef struct {
    uint32_t features_c;   /* leaf 1, ECX */
    uint32_t structured_b; /* leaf 7, EBX */
    uint32_t extended_c;   /* leaf 0x80000001, ECX */
    uint32_t kept;         /* XCR0: the registers that the operating system keeps */
} ctc_shim_words;

/* 0 for base, 1 for v2 and so on: what the options in native/sources.py let a compiler use. */
CTC_SHIM_LOCAL int64_t ctc_shim_level_of(ctc_shim_words words) {
    const uint32_t v2 = 1u << 20 | 1u << 23;            /* SSE4.2, POPCNT */
    const uint32_t v3 = 1u << 12 | 1u << 28 | 1u << 29; /* FMA, AVX, F16C */
    const uint32_t v3_b = 1u << 3 | 1u << 5 | 1u << 8;  /* BMI, AVX2, BMI2 */
    const uint32_t lzcnt = 1u << 5;
    /* AVX512F, DQ, CD, BW, VL */
    const uint32_t v4_b = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
    if ((words.features_c & v2) != v2) return 0;
    if ((words.features_c & v3) != v3 || (words.structured_b & v3_b) != v3_b ||
        !(words.extended_c & lzcnt) || (words.kept & 0x06) != 0x06)
        return 1;
    return (words.structured_b & v4_b) == v4_b && (words.kept & 0xe6) == 0xe6 ? 3 : 2;
}

CTC_SHIM_LOCAL int64_t ctc_shim_level(void) {
    ctc_shim_words words = {0, 0, 0, 0};
#if defined(__x86_64__) && defined(__GNUC__)
    uint32_t a, b, c, d;
    if (__get_cpuid_max(0, NULL) >= 7) {
        __cpuid(1, a, b, words.features_c, d);
        __cpuid_count(7, 0, a, words.structured_b, c, d);
    }
    if (__get_cpuid_max(0x80000000u, NULL) >= 0x80000001u)
        __cpuid(0x80000001u, a, b, words.extended_c, d);
    if (words.features_c & 1u << 27) /* OSXSAVE: there is XGETBV */
        __asm__("xgetbv" : "=a"(words.kept), "=d"(d) : "c"(0));
#endif
    return ctc_shim_level_of(words);
}
#endif
