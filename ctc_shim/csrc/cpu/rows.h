/* One row of scores, the classes of a frame: softmax, emissions, gradient. */
#ifndef CTC_SHIM_ROWS_H
#define CTC_SHIM_ROWS_H
#include "scalars.h"

static const double CTC_SHIM_FAINT = 1e-9; /* 2^-30, of which 16 frames make no 2^-480 */


/* Where the call gives probabilities a row holds q = p + epsilon, the scores are z = ln q, and exp(z - maximum) is a plain ratio of q
 * to the largest q, which `maximum` then means (0 where all are 0): `ratios` chooses that in what follows.
 *
 * softmax(z) of a row is exp(z - maximum) / (ties + rest). Elements equal to the maximum are counted, not summed, so that
 * ln of the sum keeps its digits when a network is confident (rest = 1e-8, over and over, must not drown in 1). */
typedef struct { double maximum, ties, rest; int bad; } ctc_shim_sum;

/* A score beside another, exp(z - maximum). */
CTC_SHIM_INLINE double ctc_shim_relative(double z, double maximum, int ratios) { return ratios ? z / maximum : exp(z - maximum); }

#define REAL float
#define TYPED(name) name##_f32
#include "rows.inc.h"
#undef REAL
#undef TYPED
#define REAL double
#define TYPED(name) name##_f64
#include "rows.inc.h"
#undef REAL
#undef TYPED
#endif
