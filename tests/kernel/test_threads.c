/* Each item is taken once, whatever the number of threads; memory pieces are aligned. */
#include "fuzz.h"
#include "../../ctc_shim/csrc/cpu/threads.h"

enum { ITEMS = 5000, MOST = 8 };

typedef struct {
    int64_t *next, *taken;
    int64_t count;
} worker;

static void *work(void *argument) {
    worker *w = (worker *)argument;
    int64_t i;
    while ((i = ctc_shim_take(w->next)) < ITEMS) {
        w->taken[i]++;
        w->count++;
    }
    return NULL;
}

int main(void) {
    static int64_t taken[ITEMS];
    int64_t threads, i, report[4];
    ctc_shim_signals signals = ctc_shim_signals_of(NULL);
    size_t used = 0;
    for (threads = 1; threads <= MOST; threads++) {
        worker workers[MOST];
        int64_t next = 0, all = 0;
        memset(taken, 0, sizeof taken);
        for (i = 0; i < threads; i++) {
            workers[i].next = &next;
            workers[i].taken = taken;
            workers[i].count = 0;
        }
        ctc_shim_share(work, workers, sizeof(worker), threads, &signals);
        for (i = 0; i < ITEMS; i++) CHECK(taken[i] == 1);
        for (i = 0; i < threads; i++) all += workers[i].count;
        CHECK(all == ITEMS);
    }
    CHECK(!ctc_shim_carve(NULL, &used, 1) && used == 64 && !ctc_shim_carve(NULL, &used, 65));
    CHECK(used == 192);
    CHECK(ctc_shim_threads(5, 0, 9) == 1 && ctc_shim_threads(5, 1e12, 3) == 3);
    CHECK(ctc_shim_threads(5, 1e12, 9) == 5 && ctc_shim_threads(0, 0, 9) == 1);
    CHECK(ctc_shim_report(report, 3, 5, 7, -9) == 3);
    CHECK(report[0] == 3 && report[1] == 5 && report[2] == 7 && report[3] == -9);
    return 0;
}
