/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the CPU quota of this process's control group and of every group above it: the smallest binds.
 * Knows nothing of CPUs' numbers or places.
 */
#include "quota.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rounded_up(long long quota, long long period)
{
    long long cpus = quota > 0 && period > 0 ? (quota - 1) / period + 1 : 0;
    return cpus > INT_MAX ? 0 : (int)cpus;
}

/* One number of a small file; 0 where it cannot be read. v1 writes -1 for no quota. */
static long long read_number(const char *folder, const char *name)
{
    char path[PATH_MAX];
    long long number = 0;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        return 0;
    }
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        number = fscanf(file, "%lld", &number) == 1 ? number : 0;
        fclose(file);
    }
    return number;
}

/* v2: "max 100000" or "150000 100000" in one file. */
static int quota_v2(const char *folder)
{
    char path[PATH_MAX];
    long long quota = 0, period = 0;
    if (snprintf(path, sizeof path, "%s/cpu.max", folder) >= (int)sizeof path) {
        return 0;
    }
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        quota = fscanf(file, "%lld %lld", &quota, &period) == 2 ? quota : 0;
        fclose(file);
    }
    return rounded_up(quota, period);
}

static int quota_v1(const char *folder)
{
    return rounded_up(read_number(folder, "cpu.cfs_quota_us"),
                      read_number(folder, "cpu.cfs_period_us"));
}

static int smaller(int a, int b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* From the group up to the mount's root. Inside a container the path is often the host's and names
 * nothing here, while the container's own group is mounted as the root: so a folder that is not
 * there is passed over, and the root is always looked at. */
static int quota_upwards(const char *mount, const char *hierarchy, const char *group,
                         int (*quota)(const char *folder))
{
    char folder[PATH_MAX];
    int cpus = 0;
    const int root = snprintf(folder, sizeof folder, "%s%s", mount, hierarchy);
    if (root >= (int)sizeof folder) {
        return 0;
    }
    if (snprintf(folder + root, sizeof folder - (size_t)root, "%s", group) >= (int)sizeof folder - root) {
        folder[root] = '\0';
    }
    for (char *end = folder + strlen(folder); end != NULL && end >= folder + root;
         end = strrchr(folder, '/')) {
        *end = '\0';
        cpus = smaller(cpus, quota(folder));
    }
    return cpus;
}

static int names_cpu(const char *controllers)
{
    size_t length = strcspn(controllers, ",");
    while (length != 3 || strncmp(controllers, "cpu", 3) != 0) {
        if (controllers[length] == '\0') {
            return 0;
        }
        controllers += length + 1;
        length = strcspn(controllers, ",");
    }
    return 1;
}

/* A line "hierarchy:controllers:group"; v2's names no controllers. */
static int quota_of_line(char *line, const char *mount)
{
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    int cpus = 0;
    if (group == NULL) {
        return 0;
    }
    *controllers++ = '\0';
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (*controllers == '\0') {
        cpus = quota_upwards(mount, "", group, quota_v2);
        /* beside v1's in a hybrid set-up */
        return smaller(cpus, quota_upwards(mount, "/unified", group, quota_v2));
    }
    if (names_cpu(controllers)) {
        cpus = quota_upwards(mount, "/cpu", group, quota_v1);
        *--controllers = '/'; /* over the colon */
        cpus = smaller(cpus, quota_upwards(mount, controllers, group, quota_v1));
    }
    return cpus;
}

int attune_quota_cpus(const char *membership, const char *mount)
{
    char *line = NULL;
    size_t room = 0;
    int cpus = 0;
    FILE *file = fopen(membership, "re");
    if (file == NULL) {
        return 0;
    }
    while (getline(&line, &room, file) > 0) {
        cpus = smaller(cpus, quota_of_line(line, mount));
    }
    free(line);
    fclose(file);
    return cpus;
}
