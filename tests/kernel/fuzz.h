/* What the fuzzers of the kernels share: a check that aborts with its line, and random numbers that
 * are the same everywhere. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d, iteration %ld: %s\n", __LINE__, iteration, #condition); \
            abort(); \
        } \
    } while (0)

static long iteration;
static uint64_t state = 88172645463325252u;

static inline int64_t below(int64_t n) { /* uniform in [0, n) */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n > 0 ? (int64_t)((state >> 11) % (uint64_t)n) : 0;
}
static inline void *room(int64_t bytes) { return malloc(bytes > 0 ? (size_t)bytes : 1); }

/* Rounds, one element type after the other; the command line names how many, and a seed. Returns
 * how many there were. */
static inline long all_rounds(int count, char **arguments, void (*one)(void), void (*two)(void)) {
    long rounds = count > 1 ? atol(arguments[1]) : 1000;
    if (count > 2) state ^= (uint64_t)atol(arguments[2]) * 0x9e3779b97f4a7c15u;
    for (iteration = 0; iteration < rounds; iteration++) {
        if (iteration % 2) two();
        else one();
    }
    return rounds;
}
