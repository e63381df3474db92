/* Compilers and constants: what every part of the kernel needs. */
#ifndef CTC_SHIM_BASE_H
#define CTC_SHIM_BASE_H

#if defined(__FAST_MATH__) && defined(__GNUC__) && !defined(__clang__)
/* A user's -ffast-math, common in .theanorc, would break -inf and NaN. */
#pragma GCC optimize("no-fast-math")
#endif
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#undef far /* Windows makes words into macros */
#undef near
#else
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#if defined(__GNUC__)
#define CTC_SHIM_INLINE static inline __attribute__((always_inline))
#define CTC_SHIM_RESTRICT __restrict__
#define CTC_SHIM_PREFETCH(address) __builtin_prefetch(address)
/* A function of a header, of which a C file may use only some. */
#define CTC_SHIM_LOCAL static __attribute__((unused))
#else
#define CTC_SHIM_INLINE static inline
#define CTC_SHIM_LOCAL static
#define CTC_SHIM_RESTRICT
#define CTC_SHIM_PREFETCH(address) ((void)0)
#endif
/* A loop that finds extremes by CTC_SHIM_MORE and CTC_SHIM_LESS, which keep the extreme found so
 * far beside a NaN. Clang would start it at the largest finite number, so that -inf is lost; it
 * makes vectors by itself, from version 22 on, of extremes that are said to be such. */
#if defined(__clang__)
#define CTC_SHIM_SIMD(clauses)
#else
#define CTC_SHIM_PRAGMA(text) _Pragma(#text)
#define CTC_SHIM_SIMD(clauses) CTC_SHIM_PRAGMA(omp simd clauses)
#endif
#if defined(__clang__) && __clang_major__ >= 22
#define CTC_SHIM_MORE(x, most) __builtin_elementwise_maxnum(x, most)
#define CTC_SHIM_LESS(x, least) __builtin_elementwise_minnum(x, least)
#else
#define CTC_SHIM_MORE(x, most) ((x) > (most) ? (x) : (most))
#define CTC_SHIM_LESS(x, least) ((x) < (least) ? (x) : (least))
#endif

enum {
    /* Band edges are rounded to this many cells, so that vector loops have no remainder. */
    CTC_SHIM_LANES = 8,
    /* Cells on both sides of a band that the frames before and after read: a band moves at most
     * this far within a group. */
    CTC_SHIM_FENCE = 16,
    /* Classes of a row that are handled at a time: they stay in L1, and float32 sums stay short. */
    CTC_SHIM_CHUNK = 512,
    /* Frames between renormalisations: a mantissa grows by at most 3 * sqrt(2) a frame. */
    CTC_SHIM_GROUP = 16,
    /* Of a lattice row: label m, label e, blank m, blank e, emission m, emission e. */
    CTC_SHIM_ARRAYS = 6
};
/* The exponent of an impossible cell; T times this is still finite. */
static const double CTC_SHIM_NEVER = -1e290;
static const double CTC_SHIM_LN2 = 0.6931471805599453094;
#if !defined(CTC_SHIM_TABLE_BYTES)
#define CTC_SHIM_TABLE_BYTES 8e5 /* of the lattice rows kept at a time: L2 holds them */
#endif
#if !defined(CTC_SHIM_STREAM_BYTES)
#define CTC_SHIM_STREAM_BYTES 3.2e7 /* of a gradient that no cache will hold */
#endif
#if !defined(CTC_SHIM_SIGNAL_WORK)
#define CTC_SHIM_SIGNAL_WORK 1e7 /* lattice cells and scores that take 0.01 to 0.1 s */
#endif
#if !defined(CTC_SHIM_THREAD_WORK)
#define CTC_SHIM_THREAD_WORK 6e5 /* lattice cells and scores that pay for a thread */
#endif
#endif
