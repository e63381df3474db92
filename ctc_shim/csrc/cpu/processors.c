/* How many processors this process may use: those it is bound to (taskset), and no more than the
 * quota of its control groups (containers). Compiled once, not for each variant. */
#include "processors.h"

#include "../ctc_shim.h"
#include "../export.h"

CTC_SHIM_EXPORT int64_t ctc_shim_processors(void) {
    static const char *const names[2] = {"CTC_SHIM_THREADS", "OMP_NUM_THREADS"};
    static int64_t quota = -1; /* files are read once */
    int64_t i, count = ctc_shim_bound(), most = __atomic_load_n(&quota, __ATOMIC_RELAXED);
    for (i = 0; i < 2; i++) {
        const char *value = getenv(names[i]);
        if (value && atoi(value) > 0) return atoi(value);
    }
    if (most < 0) {
        most = ctc_shim_quota("/proc/self/cgroup", "/sys/fs/cgroup");
        __atomic_store_n(&quota, most, __ATOMIC_RELAXED);
    }
    return most > 0 && most < count ? most : count;
}
