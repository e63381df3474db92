/* Compilers and constants: what every part of the kernel needs. */
#ifndef CTC_SHIM_BASE_H
#define CTC_SHIM_BASE_H

#if defined(__FAST_MATH__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-fast-math") /* a user's -ffast-math (common in .theanorc) must not reach -inf and NaN here */
#endif
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if !defined(_WIN32)
#include <pthread.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

#if defined(__GNUC__)
#define CTC_SHIM_INLINE static inline __attribute__((always_inline))
#define CTC_SHIM_RESTRICT __restrict__
#define CTC_SHIM_PREFETCH(address) __builtin_prefetch(address)
#define CTC_SHIM_LOCAL static __attribute__((unused))
#else
#define CTC_SHIM_INLINE static inline
#define CTC_SHIM_LOCAL static
#define CTC_SHIM_RESTRICT
#define CTC_SHIM_PREFETCH(address) ((void)0)
#endif
enum {
    CTC_SHIM_LANES = 8,       /* band edges are rounded to this many cells, so that vector loops have no remainder */
    CTC_SHIM_FENCE = 16,      /* cells on both sides of a band that its neighbours in time read: as far as a group moves it */
    CTC_SHIM_CHUNK = 512,      /* classes of a row handled at a time: stays in L1, and bounds float32 partial sums */
    CTC_SHIM_GROUP = 16,      /* frames between renormalisations: a mantissa grows by at most 3 * sqrt(2) a frame */
    CTC_SHIM_ARRAYS = 6       /* of a lattice row: label m, label e, blank m, blank e, emission m, emission e */
};
static const double CTC_SHIM_NEVER = -1e290;      /* exponent of an impossible cell; T times this is still finite */
static const double CTC_SHIM_LN2 = 0.6931471805599453094;
#if !defined(CTC_SHIM_TABLE_BYTES)
#define CTC_SHIM_TABLE_BYTES 8e5 /* lattice rows kept at once: what L2 holds */
#endif
#if !defined(CTC_SHIM_THREAD_WORK)
#define CTC_SHIM_THREAD_WORK 6e5 /* lattice cells + scores that are worth one more thread */
#endif
#endif
