/* The best of many items, in order.
 *
 * New items go into a short list that is sorted as it grows. It is merged into the long one when
 * it is full, so that an item costs a few moves, and the worst of all is at the end of either. */
#ifndef CTC_SHIM_DECODE_BEST_H
#define CTC_SHIM_DECODE_BEST_H
#include "decode_base.h"

CTC_SHIM_INLINE int ctc_shim_better(const ctc_shim_item *a, const ctc_shim_item *b) {
    return (a->total > b->total) | ((a->total == b->total) & (a->order < b->order));
}

/* How many of n items, which are sorted, are better than `item`. */
CTC_SHIM_LOCAL int64_t ctc_shim_count_better(const ctc_shim_item *items, int64_t n,
                                             const ctc_shim_item *item) {
    const ctc_shim_item *first = items;
    while (n > 0) {
        int64_t half = n / 2;
        int ahead = ctc_shim_better(&first[half], item);
        first += ahead ? half + 1 : 0;
        n = ahead ? n - half - 1 : half;
    }
    return first - items;
}

CTC_SHIM_LOCAL int64_t ctc_shim_rank(const ctc_shim_best *best, const ctc_shim_item *item) {
    return ctc_shim_count_better(best->sorted, best->sorted_count, item) +
           ctc_shim_count_better(best->recent, best->recent_count, item);
}

CTC_SHIM_INLINE int ctc_shim_is_full(const ctc_shim_best *best) {
    return best->sorted_count + best->recent_count == best->room;
}

/* Where the worst item is. There is at least one. */
CTC_SHIM_INLINE const ctc_shim_item *ctc_shim_worst(const ctc_shim_best *best) {
    const ctc_shim_item *sorted = best->sorted + best->sorted_count,
                        *recent = best->recent + best->recent_count;
    if (!best->recent_count) return sorted - 1;
    return best->sorted_count && ctc_shim_better(recent - 1, sorted - 1) ? sorted - 1 : recent - 1;
}

/* Makes all items one sorted list. */
CTC_SHIM_LOCAL void ctc_shim_merge(ctc_shim_best *best) {
    int64_t i = best->sorted_count, j = best->recent_count, to = i + j;
    while (j > 0) { /* from the end on, in place */
        int old = i > 0 && ctc_shim_better(&best->recent[j - 1], &best->sorted[i - 1]);
        best->sorted[--to] = old ? best->sorted[i - 1] : best->recent[j - 1];
        i -= old;
        j -= !old;
    }
    best->sorted_count += best->recent_count;
    best->recent_count = 0;
}

/* Adds an item, which is better than the worst when there is no room. Returns the order of the item
 * that had to go, or -1. */
CTC_SHIM_LOCAL int64_t ctc_shim_push(ctc_shim_best *best, ctc_shim_item item) {
    int64_t place, out = -1;
    if (ctc_shim_is_full(best)) {
        const ctc_shim_item *worst = ctc_shim_worst(best);
        out = worst->order;
        if (best->recent_count && worst + 1 == best->recent + best->recent_count)
            best->recent_count--;
        else best->sorted_count--;
    }
    if (best->recent_count == best->recent_room) ctc_shim_merge(best);
    place = best->recent_count; /* where most belong that come in order */
    if (place && !ctc_shim_better(&best->recent[place - 1], &item))
        place = ctc_shim_count_better(best->recent, place, &item);
    memmove(best->recent + place + 1, best->recent + place,
            (size_t)(best->recent_count - place) * sizeof item);
    best->recent[place] = item;
    best->recent_count++;
    return out;
}
#endif
