/* Errors, memory and threads, for loss.c and decode.c. */
#ifndef CTC_SHIM_THREADS_H
#define CTC_SHIM_THREADS_H
#include "signals.h"
#include "system.h"

CTC_SHIM_LOCAL int64_t ctc_shim_report(int64_t *report, int64_t kind, int64_t n, int64_t s,
                                       int64_t value) {
    if (report) {
        report[0] = kind;
        report[1] = n;
        report[2] = s;
        report[3] = value;
    }
    return kind;
}

/* The next `bytes` of a block of memory, from a cache line on. Without a block it only counts. */
CTC_SHIM_LOCAL char *ctc_shim_carve(char *block, size_t *used, size_t bytes) {
    char *piece = block ? block + *used : NULL;
    *used += (bytes + 63) / 64 * 64;
    return piece;
}

CTC_SHIM_LOCAL int64_t ctc_shim_take(int64_t *next) {
    return __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
}

/* Is an axis longer than the kernel counts? Of labels there may be half as many: each may need a
 * second frame. */
CTC_SHIM_LOCAL int ctc_shim_too_large(int64_t T, int64_t C, int64_t S, int64_t *report) {
    const int64_t sizes[3] = {T, C, S};
    int64_t axis, most = CTC_SHIM_LARGEST;
    for (axis = 0; axis < 3; axis++) {
        if (axis == 2) most /= 2;
        if (sizes[axis] > most)
            return ctc_shim_report(report, CTC_SHIM_ERROR_SIZE, axis, most, sizes[axis]) != 0;
    }
    return 0;
}

/* Threads that run work(), and how many of them have not ended. */
typedef struct {
    void *(*work)(void *);
    int64_t running;
    ctc_shim_lock lock;
    ctc_shim_condition ended;
} ctc_shim_thread_group;

typedef struct {
    ctc_shim_thread_group *group;
    void *worker;
    ctc_shim_thread_id id;
} ctc_shim_thread;

CTC_SHIM_LOCAL CTC_SHIM_THREAD_RESULT CTC_SHIM_THREAD_CALL ctc_shim_run_worker(void *argument) {
    ctc_shim_thread *thread = (ctc_shim_thread *)argument;
    ctc_shim_thread_group *group = thread->group;
    group->work(thread->worker);
    ctc_shim_lock_take(&group->lock);
    if (--group->running == 0) ctc_shim_condition_signal(&group->ended);
    ctc_shim_lock_leave(&group->lock);
    return 0;
}

/* Waits for all threads, and handles signals ten times a second. */
CTC_SHIM_LOCAL void ctc_shim_wait_for_all(ctc_shim_thread_group *group, ctc_shim_signals *signals) {
    ctc_shim_lock_take(&group->lock);
    while (group->running > 0) {
        if (ctc_shim_condition_wait(&group->ended, &group->lock)) continue;
        ctc_shim_lock_leave(&group->lock);
        ctc_shim_handle_signals(signals);
        ctc_shim_lock_take(&group->lock);
    }
    ctc_shim_lock_leave(&group->lock);
}

/* Runs work() on each of the workers, which are `size` bytes apart: the first in this thread, the
 * others in threads of their own. */
CTC_SHIM_LOCAL void ctc_shim_share(void *(*work)(void *), void *workers, size_t size,
                                   int64_t threads, ctc_shim_signals *signals) {
    ctc_shim_thread *others =
        threads > 1 ? (ctc_shim_thread *)malloc((size_t)threads * sizeof(ctc_shim_thread)) : NULL;
    ctc_shim_thread_group group;
    int64_t i, started = 0;
    if (!others) {
        work(workers);
        return;
    }
    group.work = work;
    group.running = threads - 1;
    ctc_shim_lock_init(&group.lock);
    ctc_shim_condition_init(&group.ended);
    for (i = 1; i < threads; i++) {
        ctc_shim_thread *thread = &others[started];
        thread->group = &group;
        thread->worker = (char *)workers + (size_t)i * size;
        started += ctc_shim_thread_start(&thread->id, ctc_shim_run_worker, thread);
    }
    ctc_shim_lock_take(&group.lock);
    group.running -= threads - 1 - started;
    ctc_shim_lock_leave(&group.lock);
    work(workers); /* takes what no other thread takes: one that did not start costs time only */
    ctc_shim_wait_for_all(&group, signals);
    for (i = 0; i < started; i++) ctc_shim_thread_join(others[i].id);
    ctc_shim_condition_destroy(&group.ended);
    ctc_shim_lock_destroy(&group.lock);
    free(others);
}

/* The number of threads to use: as many as the work pays for, at most `wanted`, or, where that is
 * 0, the number of processors. */
CTC_SHIM_LOCAL int64_t ctc_shim_threads(int64_t wanted, double work, int64_t N) {
    if (wanted <= 0 && work >= 2 * CTC_SHIM_THREAD_WORK) wanted = ctc_shim_processors();
    if ((double)wanted > work / CTC_SHIM_THREAD_WORK)
        wanted = (int64_t)(work / CTC_SHIM_THREAD_WORK);
    if (wanted > N) wanted = N;
    return wanted < 1 ? 1 : wanted;
}
#endif
