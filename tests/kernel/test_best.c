/* The best of many items stay, in order, and what has to go is named. */
#include "fuzz.h"
#include "../../ctc_shim/csrc/cpu/decode_best.h"

enum { MOST = 300 };

static int by_rank(const void *a, const void *b) {
    return ctc_shim_better((const ctc_shim_item *)a, (const ctc_shim_item *)b) ? -1 : 1;
}

int main(void) {
    for (iteration = 0; iteration < 1000; iteration++) {
        ctc_shim_item items[MOST], sorted[MOST], recent[MOST];
        ctc_shim_best best;
        int64_t count = 1 + below(MOST), i, ties = 1 + below(MOST);
        memset(&best, 0, sizeof best);
        best.room = 1 + below(count);
        best.recent_room = 1 + below(20);
        best.sorted = sorted;
        best.recent = recent;
        for (i = 0; i < count; i++) {
            items[i].total = (double)below(ties);
            items[i].order = i;
        }
        for (i = 0; i < count; i++) {
            int full = ctc_shim_is_full(&best);
            int64_t worst = full ? ctc_shim_worst(&best)->order : -1;
            CHECK(full == (i >= best.room));
            if (full && !ctc_shim_better(&items[i], ctc_shim_worst(&best))) continue;
            CHECK(ctc_shim_push(&best, items[i]) == worst);
        }
        qsort(items, (size_t)count, sizeof items[0], by_rank);
        for (i = 0; i < count; i++)
            CHECK(ctc_shim_rank(&best, &items[i]) == (i < best.room ? i : best.room));
        ctc_shim_merge(&best);
        CHECK(best.sorted_count == best.room);
        for (i = 0; i < best.room; i++) CHECK(sorted[i].order == items[i].order);
    }
    return 0;
}
