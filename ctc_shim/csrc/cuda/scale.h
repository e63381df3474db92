/* Kernel `scale`: gradient = logits * upstream, where logits may hold any numbers. 0 stays 0, even
 * beside an infinite upstream. Both may be the same array. */
#ifndef CTC_SCALE_H
#define CTC_SCALE_H
#include "simt.h"

/* A row of a frame. The threads of a row read several numbers before they store any: that keeps
 * more of them on their way. */
template <class REAL> CTC_DEVICE void ctc_scale_row(const REAL *from, REAL *to, int C,
                                                    typename ctc_wide<REAL>::type upstream) {
    typedef typename ctc_wide<REAL>::type wide;
    enum { AT_ONCE = 4 };
    for (int start = threadIdx.x; start < C; start += AT_ONCE * blockDim.x) {
        wide held[AT_ONCE];
        CTC_UNROLL for (int i = 0; i < AT_ONCE; i++) {
            const int c = start + i * (int)blockDim.x;
            held[i] = c < C ? (wide)from[c] : (wide)0;
        }
        CTC_UNROLL for (int i = 0; i < AT_ONCE; i++) {
            const int c = start + i * (int)blockDim.x;
            if (c < C) to[c] = (REAL)(held[i] == 0 ? held[i] : held[i] * upstream);
        }
    }
}
#endif
