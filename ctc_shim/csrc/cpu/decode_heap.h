/* The best of many items. */
#ifndef CTC_SHIM_DECODE_HEAP_H
#define CTC_SHIM_DECODE_HEAP_H
#include "decode_base.h"

CTC_SHIM_INLINE int ctc_shim_better(const ctc_shim_item *a, const ctc_shim_item *b) {
    return a->total > b->total || (a->total == b->total && a->order < b->order);
}

/* Puts `item` into the empty `place` of a heap of n, or further down. */
CTC_SHIM_LOCAL void ctc_shim_sift(ctc_shim_item *heap, int64_t n, int64_t place,
                                  ctc_shim_item item) {
    int64_t child;
    while ((child = 2 * place + 1) < n) {
        child += child + 1 < n && ctc_shim_better(&heap[child], &heap[child + 1]);
        if (!ctc_shim_better(&item, &heap[child])) break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = item;
}

CTC_SHIM_LOCAL void ctc_shim_heapify(ctc_shim_item *heap, int64_t n) {
    int64_t i;
    for (i = n / 2 - 1; i >= 0; i--) ctc_shim_sift(heap, n, i, heap[i]);
}

/* Sorts a heap, best first. */
CTC_SHIM_LOCAL void ctc_shim_sort(ctc_shim_item *heap, int64_t n) {
    for (n--; n > 0; n--) {
        ctc_shim_item worst = heap[0];
        ctc_shim_sift(heap, n, 0, heap[n]);
        heap[n] = worst;
    }
}

/* Adds an item to the best `room` items, which form a heap once there are so many. Returns the
 * branch that was pushed out of the beam, or -1. */
CTC_SHIM_LOCAL int32_t ctc_shim_push(ctc_shim_item *heap, int64_t *n, int64_t room,
                                     ctc_shim_item item) {
    int32_t out;
    if (*n < room) {
        heap[(*n)++] = item;
        if (*n == room) ctc_shim_heapify(heap, room);
        return -1;
    }
    out = heap[0].label < 0 ? heap[0].branch : -1;
    ctc_shim_sift(heap, room, 0, item);
    return out;
}
#endif
