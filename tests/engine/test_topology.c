/* SPDX-License-Identifier: Apache-2.0
 *
 * Topology of this machine and of synthetic ones, the allowed set, binding, and CPU quotas from
 * made-up control groups. Every case is a process of its own: the topology is loaded once in each.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/quota.h"
#include "arch/topology.h"

static void sane(const struct attune_topology *topology)
{
    cr_assert_geq(topology->logical, topology->cores);
    cr_assert_geq(topology->cores, topology->packages);
    cr_assert_geq(topology->allowed, 1);
    cr_assert_leq(topology->allowed, topology->logical);
    cr_assert_geq(topology->allowed_cores, 1);
    cr_assert_leq(topology->allowed_cores, topology->allowed);
    cr_assert_geq(topology->kinds, 1);
    cr_assert_gt(topology->l1d.size, 0);
    cr_assert_geq(topology->l2.size, topology->l1d.size);
    cr_assert_gt(topology->l1d.line, 0);
    cr_assert_gt(topology->memory, 0);
}

Test(topology, this_machine)
{
    cpu_set_t before, after;
    sched_getaffinity(0, sizeof before, &before);
    const struct attune_topology *topology = attune_topology_get();
    sched_getaffinity(0, sizeof after, &after);
    sane(topology);
    cr_assert_eq(topology, attune_topology_get());
    cr_assert(CPU_EQUAL(&before, &after), "loading left the caller bound");
}

static void *get(void *result)
{
    *(const struct attune_topology **)result = attune_topology_get();
    return NULL;
}

Test(topology, first_use_from_many_threads)
{
    pthread_t threads[8];
    const struct attune_topology *seen[8];
    for (int i = 0; i < 8; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, get, &seen[i]), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(seen[i], attune_topology_get());
        sane(seen[i]);
    }
}

Test(topology, a_synthetic_machine)
{
    setenv("HWLOC_SYNTHETIC",
           "package:2 [numa(memory=1073741824)] l3:2(size=33554432) l2:4(size=1048576) "
           "l1d:1(size=49152) core:1 pu:2",
           1);
    const struct attune_topology *topology = attune_topology_get();
    sane(topology);
    cr_assert_eq(topology->logical, 32);
    cr_assert_eq(topology->cores, 16);
    cr_assert_eq(topology->packages, 2);
    cr_assert_eq(topology->numa_nodes, 2);
    cr_assert_eq(topology->allowed, 32);
    cr_assert_eq(topology->allowed_cores, 16);
    cr_assert_eq(topology->l1d.size, 49152);
    cr_assert_eq(topology->l1d.shared, 2);
    cr_assert_eq(topology->l2.size, 1048576);
    cr_assert_eq(topology->l3.size, 33554432);
    cr_assert_eq(topology->l3.shared, 8);
    cr_assert_neq(attune_topology_bind(0, 2), 0, "bound to a machine that is not this one");
}

Test(topology, caches_that_hwloc_does_not_know_have_defaults)
{
    setenv("HWLOC_SYNTHETIC", "core:3 pu:1", 1);
    const struct attune_topology *topology = attune_topology_get();
    cr_assert_eq(topology->cores, 3);
    cr_assert_eq(topology->packages, 1);
    cr_assert_eq(topology->l1d.size, 32 << 10);
    cr_assert_eq(topology->l1d.line, 64);
    cr_assert_gt(topology->l2.size, 0);
    cr_assert_eq(topology->l3.size, 0);
}

Test(topology, workers_are_bound_and_released)
{
    const struct attune_topology *topology = attune_topology_get();
    cpu_set_t before, bound, after;
    sched_getaffinity(0, sizeof before, &before);
    cr_assert_neq(attune_topology_bind(-1, 2), 0);
    cr_assert_neq(attune_topology_bind(2, 2), 0);
    for (int i = 0; i < topology->allowed_cores + 1; i++) {
        if (attune_topology_bind(i, topology->allowed_cores + 1) != 0) {
            sched_getaffinity(0, sizeof bound, &bound);
            cr_assert(CPU_EQUAL(&bound, &before), "refused, but moved");
            continue;
        }
        sched_getaffinity(0, sizeof bound, &bound);
        cr_assert_leq(CPU_COUNT(&bound), CPU_COUNT(&before));
        cr_assert_eq(attune_topology_worker_here(), i % topology->allowed_cores);
    }
    if (attune_topology_unbind() == 0) {
        sched_getaffinity(0, sizeof after, &after);
        cr_assert(CPU_EQUAL(&before, &after));
    }
}

static int first_cpu(void)
{
    cpu_set_t mask;
    int cpu = 0;
    sched_getaffinity(0, sizeof mask, &mask);
    while (!CPU_ISSET(cpu, &mask))
        cpu++;
    return cpu;
}

/* A mask and OpenMP's variables take effect as a process begins: so in a command of its own. */
static int allowed_under(const char *environment, int *bound)
{
    char line[1024] = "";
    int allowed = -1;
    snprintf(line, sizeof line, "%s '%s' info --json", environment, ATTUNE_COMMAND);
    FILE *pipe = popen(line, "r");
    cr_assert_not_null(pipe);
    static char text[1 << 16];
    size_t length = fread(text, 1, sizeof text - 1, pipe);
    text[length] = '\0';
    cr_assert_eq(pclose(pipe), 0, "%s", line);
    const char *at = strstr(text, "\"allowed\":");
    cr_assert_not_null(at);
    sscanf(at, "\"allowed\":%d", &allowed);
    *bound = strstr(text, "\"bound_by_user\":true") != NULL;
    return allowed;
}

Test(topology, the_process_mask_cuts_the_allowed_set)
{
    char environment[64];
    int bound;
    snprintf(environment, sizeof environment, "taskset -c %d", first_cpu());
    cr_assert_eq(allowed_under(environment, &bound), 1);
    cr_assert_not(bound);
}

Test(topology, places_of_openmp)
{
    char environment[64];
    int bound, free_cpus = attune_topology_get()->allowed;
    cr_assert_eq(allowed_under("env -u OMP_PLACES", &bound), free_cpus);
    cr_assert_eq(allowed_under("OMP_PROC_BIND=true", &bound), free_cpus,
                 "the main thread is bound by then, the process is not");
    cr_assert(bound);
    snprintf(environment, sizeof environment, "OMP_PLACES='{%d}'", first_cpu());
    cr_assert_eq(allowed_under(environment, &bound), 1);
    cr_assert(bound);
}

/* ---- Quotas. ---- */

static char root[] = "/tmp/attune-quota-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    char *slash = path + sizeof root;
    while ((slash = strchr(slash + 1, '/')) != NULL) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file, "%s", path);
    fputs(text, file);
    fclose(file);
}

static void make_root(void)
{
    cr_assert_not_null(mkdtemp(root));
}

static void remove_root(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", root);
    cr_assert_eq(system(command), 0);
}

static int cpus(const char *membership)
{
    char path[256];
    write_file("membership", membership);
    snprintf(path, sizeof path, "%s/membership", root);
    return attune_quota_cpus(path, root);
}

TestSuite(quota, .init = make_root, .fini = remove_root);

Test(quota, none_where_nothing_says_so)
{
    cr_assert_eq(attune_quota_cpus("/nonexistent", root), 0);
    cr_assert_eq(cpus(""), 0);
    cr_assert_eq(cpus("0::/a/b\n"), 0);
    write_file("a/b/cpu.max", "max 100000\n");
    cr_assert_eq(cpus("0::/a/b\n"), 0);
    cr_assert_eq(cpus("nonsense\n:\n::\n"), 0);
}

Test(quota, version_2_rounds_up_and_ancestors_bind)
{
    write_file("a/b/cpu.max", "250000 100000\n");
    cr_assert_eq(cpus("0::/a/b\n"), 3);
    write_file("a/cpu.max", "100000 100000\n");
    cr_assert_eq(cpus("0::/a/b\n"), 1);
    write_file("a/cpu.max", "max 100000\n");
    write_file("cpu.max", "200000 100000\n");
    cr_assert_eq(cpus("0::/a/b\n"), 2);
    cr_assert_eq(cpus("0::/\n"), 2);
}

Test(quota, a_path_of_the_host_means_the_root_of_the_mount)
{
    write_file("cpu.max", "50000 100000\n");
    cr_assert_eq(cpus("0::/kubepods/pod1/container2\n"), 1);
}

Test(quota, version_1)
{
    write_file("cpu,cpuacct/a/cpu.cfs_quota_us", "350000\n");
    write_file("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    cr_assert_eq(cpus("4:memory:/x\n3:cpu,cpuacct:/a\n0::/\n"), 4);
    write_file("cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    cr_assert_eq(cpus("3:cpu,cpuacct:/a\n"), 0);
    write_file("cpu/cpu.cfs_quota_us", "100000\n");
    write_file("cpu/cpu.cfs_period_us", "100000\n");
    cr_assert_eq(cpus("3:cpu:/a\n"), 1);
    cr_assert_eq(cpus("3:cpuset:/a\n2:cpuacct:/a\n"), 0, "not the cpu controller");
}

Test(quota, unreadable_numbers_are_no_quota)
{
    write_file("a/cpu.max", "x y\n");
    cr_assert_eq(cpus("0::/a\n"), 0);
    write_file("a/cpu.max", "100000 0\n");
    cr_assert_eq(cpus("0::/a\n"), 0);
    write_file("a/cpu.max", "9223372036854775807 1\n");
    cr_assert_eq(cpus("0::/a\n"), 0);
}
