/* Quotas of control groups, version 1 and 2, of a group and of those above it. */
#include "fuzz.h"
#include "../../ctc_shim/csrc/cpu/processors.h"
#include <sys/stat.h>

static char root[64] = "ctc_shim_groups_XXXXXX", groups[128];

static void put(const char *name, const char *text) {
    char path[256], *slash;
    FILE *file;
    snprintf(path, sizeof path, "%s/%s", root, name);
    for (slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    file = fopen(path, "w");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

static int64_t quota(const char *text) {
    put("groups", text);
    return ctc_shim_quota(groups, root);
}

int main(void) {
    char command[128];
    CHECK(mkdtemp(root) != NULL);
    snprintf(groups, sizeof groups, "%s/groups", root);
    CHECK(ctc_shim_quota("/no/such/file", root) == 0);
    CHECK(quota("0::/\n") == 0);
    put("a/cpu.max", "max 100000\n");
    put("a/b/cpu.max", "350000 100000\n");
    CHECK(quota("0::/a\n") == 0 && quota("0::/a/b\n") == 4);
    put("a/cpu.max", "150000 100000\n"); /* a group above allows less */
    CHECK(quota("0::/a/b\n") == 2 && quota("0::/a\n") == 2 && quota("0::/\n") == 0);
    put("cpu.max", "50000 100000\n"); /* what a container sees of its own group */
    CHECK(quota("0::/a/b\n") == 1 && quota("0::/elsewhere\n") == 1);
    put("cpu.max", "max 100000\n");
    put("cpu/c/cpu.cfs_period_us", "100000\n");
    put("cpu/c/cpu.cfs_quota_us", "-1\n");
    CHECK(quota("3:cpu,cpuacct:/c\n0::/\n") == 0);
    put("cpu/c/cpu.cfs_quota_us", "250000\n");
    CHECK(quota("4:memory:/c\n3:cpu,cpuacct:/c\n") == 3 && quota("3:cpuacct,cpu:/c\n") == 3);
    CHECK(quota("3:cpu:/c/d\n") == 3 && quota("3:cpuset:/c\n2:cpuacct:/c\nnonsense\n") == 0);
    CHECK(ctc_shim_bound() >= 1);
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}
