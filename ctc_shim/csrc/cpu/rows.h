/* One row of scores, the classes of a frame: softmax, emissions, gradient. */
#ifndef CTC_SHIM_ROWS_H
#define CTC_SHIM_ROWS_H
#include "lanes.h"

/* Emissions above 2^-30 do not multiply to less than 2^-480 in 16 frames. */
static const double CTC_SHIM_FAINT = 1e-9;

/* A row holds scores z, or, with `ratios`, q = p + epsilon of probabilities p. The scores are then
 * z = ln q, `maximum` is the largest q (0 where all are 0), and exp(z - maximum) is q / maximum.
 *
 * softmax(z) is exp(z - maximum) / (ties + rest). The largest elements are added to `ties`,
 * apart from the rest, so that ln of the sum keeps its digits when a network is confident: a rest
 * of 1e-8 must not be lost beside 1. `bad`: the row has a NaN or +inf. */
typedef struct {
    double maximum, ties, rest;
    int bad;
} ctc_shim_sum;

/* exp(z - maximum) */
CTC_SHIM_INLINE double ctc_shim_relative(double z, double maximum, int ratios) {
    return ratios ? z / maximum : exp(z - maximum);
}

#include "float.inc.h"
#include "rows.inc.h"
#include "double.inc.h"
#include "rows.inc.h"
#endif
