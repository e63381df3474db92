/* Errors, memory and threads, for loss.c and decode.c. */
#ifndef CTC_SHIM_THREADS_H
#define CTC_SHIM_THREADS_H
#include "signals.h"

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
#if defined(_WIN32)
    return (*next)++;
#else
    return __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
#endif
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

#if !defined(_WIN32)
/* Threads that run work(), and how many of them have not ended. */
typedef struct {
    void *(*work)(void *);
    int64_t running;
    pthread_mutex_t lock;
    pthread_cond_t ended;
} ctc_shim_thread_group;

typedef struct {
    ctc_shim_thread_group *group;
    void *worker;
    pthread_t id;
} ctc_shim_thread;

CTC_SHIM_LOCAL void *ctc_shim_run_worker(void *argument) {
    ctc_shim_thread *thread = (ctc_shim_thread *)argument;
    ctc_shim_thread_group *group = thread->group;
    group->work(thread->worker);
    pthread_mutex_lock(&group->lock);
    if (--group->running == 0) pthread_cond_signal(&group->ended);
    pthread_mutex_unlock(&group->lock);
    return NULL;
}

/* Waits for all threads, and handles signals ten times a second. */
CTC_SHIM_LOCAL void ctc_shim_wait_for_all(ctc_shim_thread_group *group, ctc_shim_signals *signals) {
    pthread_mutex_lock(&group->lock);
    while (group->running > 0) {
        struct timespec until;
        int late;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        late = pthread_cond_timedwait(&group->ended, &group->lock, &until) != 0;
        if (!late) continue;
        pthread_mutex_unlock(&group->lock);
        ctc_shim_handle_signals(signals);
        pthread_mutex_lock(&group->lock);
    }
    pthread_mutex_unlock(&group->lock);
}
#endif

/* Runs work() on each of the workers, which are `size` bytes apart: the first in this thread, the
 * others in threads of their own. */
CTC_SHIM_LOCAL void ctc_shim_share(void *(*work)(void *), void *workers, size_t size,
                                   int64_t threads, ctc_shim_signals *signals) {
#if !defined(_WIN32)
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
    pthread_mutex_init(&group.lock, NULL);
    pthread_cond_init(&group.ended, NULL);
    for (i = 1; i < threads; i++) {
        ctc_shim_thread *thread = &others[started];
        thread->group = &group;
        thread->worker = (char *)workers + (size_t)i * size;
        started += pthread_create(&thread->id, NULL, ctc_shim_run_worker, thread) == 0;
    }
    pthread_mutex_lock(&group.lock);
    group.running -= threads - 1 - started;
    pthread_mutex_unlock(&group.lock);
    work(workers); /* takes what no other thread takes: one that did not start costs time only */
    ctc_shim_wait_for_all(&group, signals);
    for (i = 0; i < started; i++) pthread_join(others[i].id, NULL);
    pthread_cond_destroy(&group.ended);
    pthread_mutex_destroy(&group.lock);
    free(others);
#else
    (void)threads;
    (void)size;
    (void)signals;
    work(workers);
#endif
}

/* The number of threads to use: as many as the work pays for, at most `wanted`, or, where that is
 * 0, the number of processors. */
CTC_SHIM_LOCAL int64_t ctc_shim_threads(int64_t wanted, double work, int64_t N) {
#if defined(_WIN32)
    wanted = 1;
#endif
    if (wanted <= 0 && work >= 2 * CTC_SHIM_THREAD_WORK) wanted = ctc_shim_processors();
    if ((double)wanted > work / CTC_SHIM_THREAD_WORK)
        wanted = (int64_t)(work / CTC_SHIM_THREAD_WORK);
    if (wanted > N) wanted = N;
    return wanted < 1 ? 1 : wanted;
}
#endif
