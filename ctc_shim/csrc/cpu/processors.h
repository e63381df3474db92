/* What an operating system says about its processors. */
#ifndef CTC_SHIM_PROCESSORS_H
#define CTC_SHIM_PROCESSORS_H
#include <stdio.h>

#include "base.h"
#if defined(__linux__)
#include <sched.h>
#endif

/* The processors that the calling thread may run on, now. */
CTC_SHIM_LOCAL int64_t ctc_shim_bound(void) {
    int64_t count = 1;
#if defined(_WIN32)
    DWORD_PTR mine = 0, all = 0; /* 0 where a process is in several groups of processors */
    if (GetProcessAffinityMask(GetCurrentProcess(), &mine, &all) && mine)
        for (count = 0; mine; mine &= mine - 1) count++;
    else count = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
#else
#if defined(__linux__) && defined(CPU_ALLOC)
    size_t most;
    int found = 0;
    for (most = 1024; most <= 65536 && !found; most *= 2) { /* fails where there are more */
        cpu_set_t *set = CPU_ALLOC(most);
        size_t bytes = CPU_ALLOC_SIZE(most);
        if (set && sched_getaffinity(0, bytes, set) == 0) found = CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
    }
    if (found > 0) return found;
#endif
    count = (int64_t)sysconf(_SC_NPROCESSORS_ONLN);
#endif
    return count < 1 ? 1 : count;
}

/* The first numbers of a file, as far as there are any. */
CTC_SHIM_LOCAL void ctc_shim_numbers(const char *path, double *numbers, int wanted) {
    FILE *file = fopen(path, "r");
    int count = 0;
    if (!file) return;
    while (count < wanted && fscanf(file, "%lf", &numbers[count]) == 1) count++;
    fclose(file);
}

/* The quota of a group and of all above it, in processors; `least` where that is less. `group` is
 * shortened. */
CTC_SHIM_LOCAL double ctc_shim_group_quota(const char *mount, int version, char *group,
                                           double least) {
    char path[4096], *end;
    do {
        double both[2] = {0, 0};
        if (version == 2) {
            snprintf(path, sizeof path, "%s%s/cpu.max", mount, group);
            ctc_shim_numbers(path, both, 2); /* "max 100000" without a limit */
        } else {
            snprintf(path, sizeof path, "%s/cpu%s/cpu.cfs_quota_us", mount, group);
            ctc_shim_numbers(path, both, 1); /* -1 without a limit */
            snprintf(path, sizeof path, "%s/cpu%s/cpu.cfs_period_us", mount, group);
            ctc_shim_numbers(path, both + 1, 1);
        }
        if (both[0] > 0 && both[1] > 0 && both[0] / both[1] < least) least = both[0] / both[1];
        end = strrchr(group, '/');
        if (end) *end = 0;
    } while (end);
    return least;
}

/* The quota of the groups that `groups`, as /proc/self/cgroup, lists, rounded up; 0: none. */
CTC_SHIM_LOCAL int64_t ctc_shim_quota(const char *groups, const char *mount) {
    double least = 1e9;
    char line[2048], *controllers, *group;
    FILE *file = fopen(groups, "r");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        controllers = strchr(line, ':');
        group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group) continue;
        *group++ = 0;
        if (!strcmp(controllers, ":")) least = ctc_shim_group_quota(mount, 2, group, least);
        else if (strstr(controllers, ":cpu,") || strstr(controllers, ",cpu,") ||
                 (strlen(controllers) > 3 && !strcmp(strrchr(controllers, 0) - 3, "cpu")))
            least = ctc_shim_group_quota(mount, 1, group, least);
    }
    if (file) fclose(file);
    return least < 1e9 ? (int64_t)ceil(least) : 0;
}
#endif
