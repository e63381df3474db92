/* Errors, memory and threads, for loss.c and decode.c. */
#ifndef CTC_SHIM_THREADS_H
#define CTC_SHIM_THREADS_H
#include "base.h"

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

/* Runs work() on each of the workers, which are `size` bytes apart: the first in this thread, the
 * others in threads of their own. */
CTC_SHIM_LOCAL void ctc_shim_share(void *(*work)(void *), void *workers, size_t size,
                                   int64_t threads) {
#if !defined(_WIN32)
    pthread_t *ids = threads > 1 ? (pthread_t *)malloc((size_t)threads * sizeof(pthread_t)) : NULL;
    int64_t i, started = 0;
    for (i = 1; ids && i < threads; i++)
        started +=
            pthread_create(&ids[started], NULL, work, (char *)workers + (size_t)i * size) == 0;
    work(workers); /* takes what no other thread takes: one that did not start costs time only */
    for (i = 0; i < started; i++) pthread_join(ids[i], NULL);
    free(ids);
#else
    (void)threads;
    (void)size;
    work(workers);
#endif
}

/* CTC_SHIM_THREADS or OMP_NUM_THREADS from the environment, else the number of processors. */
CTC_SHIM_LOCAL int64_t ctc_shim_processors(void) {
    static const char *const names[2] = {"CTC_SHIM_THREADS", "OMP_NUM_THREADS"};
    int64_t i, count = 1;
    for (i = 0; i < 2; i++) {
        const char *value = getenv(names[i]);
        if (value && atoi(value) > 0) return atoi(value);
    }
#if !defined(_WIN32)
    count = (int64_t)sysconf(_SC_NPROCESSORS_ONLN);
#endif
    return count;
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
