/* The order in which the sequences of a batch are computed. */
#ifndef CTC_SHIM_ORDER_H
#define CTC_SHIM_ORDER_H
#include "side_pack.h"

enum { CTC_SHIM_BUCKETS = 256 }; /* sequences are sorted into so many, by work */

/* The sequences in the order of work: `alone` of them one by one, then the short ones side by side,
 * in packs. The most work comes first: threads then finish at nearly the same time, and sequences
 * of a pack are about as long as each other. */
typedef struct {
    int64_t *n;
    int64_t N, alone;
} ctc_shim_order;

/* `spare`: memory of N numbers. */
CTC_SHIM_LOCAL void ctc_shim_arrange(const ctc_shim_batch *b, double most, int64_t *spare,
                                     ctc_shim_order *order) {
    int64_t places[2 * CTC_SHIM_BUCKETS] = {0}, n, i, next = 0;
    for (n = 0; n < b->N; n++) {
        double share = most > 0 ? ctc_shim_work_of_sequence(b, n) / most : 0;
        spare[n] = (int64_t)((1 - share) * (CTC_SHIM_BUCKETS - 1)) +
                   (ctc_shim_is_short(b, n) ? CTC_SHIM_BUCKETS : 0);
        places[spare[n]]++;
    }
    for (i = 0; i < 2 * CTC_SHIM_BUCKETS; i++) {
        int64_t count = places[i];
        if (i == CTC_SHIM_BUCKETS) order->alone = next;
        places[i] = next;
        next += count;
    }
    for (n = 0; n < b->N; n++) order->n[places[spare[n]]++] = n;
}

CTC_SHIM_LOCAL int64_t ctc_shim_pieces(const ctc_shim_order *order) {
    return order->alone + (order->N - order->alone + CTC_SHIM_SIDE - 1) / CTC_SHIM_SIDE;
}
#endif
