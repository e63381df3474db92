/* The heap keeps the best of many items, in order, and names the branch that it pushes out. */
#include "../../../tests/fuzz.h"
#include "decode_heap.h"

enum { MOST = 60 };

static int by_rank(const void *a, const void *b) {
    return ctc_shim_better((const ctc_shim_item *)a, (const ctc_shim_item *)b) ? -1 : 1;
}

int main(void) {
    for (iteration = 0; iteration < 3000; iteration++) {
        ctc_shim_item items[MOST], heap[MOST];
        int64_t count = 1 + below(MOST), room_for = 1 + below(count), n = 0, i, out;
        int32_t branch_of_worst;
        for (i = 0; i < count; i++) {
            items[i].total = (double)below(10);
            items[i].order = i;
            items[i].branch = (int32_t)i;
            items[i].label = (int32_t)below(2) - 1;
        }
        for (i = 0; i < count; i++) {
            if (n == room_for && !ctc_shim_better(&items[i], &heap[0])) continue;
            branch_of_worst = n == room_for && heap[0].label < 0 ? heap[0].branch : -1;
            out = ctc_shim_push(heap, &n, room_for, items[i]);
            CHECK(out == branch_of_worst);
        }
        ctc_shim_sort(heap, n);
        qsort(items, (size_t)count, sizeof items[0], by_rank);
        CHECK(n == room_for);
        for (i = 0; i < n; i++) CHECK(heap[i].order == items[i].order);
    }
    return 0;
}
