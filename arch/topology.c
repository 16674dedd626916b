/* SPDX-License-Identifier: Apache-2.0
 *
 * hwloc's view of the machine, loaded once: the only file that includes hwloc.h. It owns the set of
 * CPUs that the process may use and which core each worker is meant for. Knows nothing of teams.
 */
#include "topology.h"

#include <hwloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quota.h"

/* OpenMP's own list of places, where a runtime is linked in: with OMP_PROC_BIND or OMP_PLACES set,
 * the runtime binds the main thread as it is loaded, and then it alone knows the process's mask. */
extern int omp_get_num_places(void) __attribute__((weak));
extern int omp_get_place_num_procs(int place) __attribute__((weak));
extern void omp_get_place_proc_ids(int place, int *ids) __attribute__((weak));

/* More kinds than these count as the last of them. */
enum { KINDS_MAX = 8 };

static struct attune_topology machine;           /* as the first allowed kind sees it */
static struct attune_topology views[KINDS_MAX];  /* as the other allowed kinds do, by their number */
static struct attune_topology fastest;           /* as the machine's fastest does */
static int allowed_kinds;
static hwloc_topology_t topology;   /* NULL: hwloc knows nothing */
static hwloc_bitmap_t allowed_set;  /* logical CPUs */
static hwloc_bitmap_t *worker_sets; /* one for each allowed core, in the order of workers */
static int *worker_kinds;           /* likewise: 0 for the fastest */
static int worker_set_count;
static int *worker_of_cpu; /* by the system's number of a logical CPU; -1: none */
static int cpu_limit;
static int quota_binds; /* the quota is smaller than the set */
static pthread_once_t load_once = PTHREAD_ONCE_INIT;

static int is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value != NULL && *value != '\0';
}

static int add_places(hwloc_bitmap_t set)
{
    int places = omp_get_num_places != NULL ? omp_get_num_places() : 0;
    for (int i = 0; i < places; i++) {
        int count = omp_get_place_num_procs(i);
        int *ids = count > 0 ? malloc((size_t)count * sizeof *ids) : NULL;
        if (ids != NULL) {
            omp_get_place_proc_ids(i, ids);
            for (int j = 0; j < count; j++) {
                hwloc_bitmap_set(set, (unsigned)ids[j]);
            }
            free(ids);
        }
    }
    return places > 0;
}

/* The control group's cpuset, cut by OpenMP's places or by the process's mask: that of all threads
 * together, for one that is pinned says nothing of the others. */
static void find_allowed(void)
{
    hwloc_bitmap_t mask = hwloc_bitmap_alloc();
    allowed_set = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topology));
    if (mask == NULL || allowed_set == NULL || !hwloc_topology_is_thissystem(topology)) {
        hwloc_bitmap_free(mask);
        return;
    }
    int known = machine.bound_by_user && add_places(mask);
    known = known || hwloc_get_proc_cpubind(topology, getpid(), mask, 0) == 0;
    if (known && hwloc_bitmap_intersects(allowed_set, mask)) {
        hwloc_bitmap_and(allowed_set, allowed_set, mask);
    }
    hwloc_bitmap_free(mask);
}

struct ranked_core {
    hwloc_obj_t core;
    int rank, kind; /* hwloc's efficiency, and its number of the kind: -1 where it has none */
};

/* Fast kinds first (hwloc counts efficiency upwards with speed), then neighbours. */
static int compare_cores(const void *left, const void *right)
{
    const struct ranked_core *a = left, *b = right;
    if (a->rank != b->rank) {
        return a->rank > b->rank ? -1 : 1;
    }
    return a->core->logical_index < b->core->logical_index ? -1 : 1;
}

static struct ranked_core rank_core(hwloc_obj_t core)
{
    struct ranked_core ranked = {core, 0, hwloc_cpukinds_get_by_cpuset(topology, core->cpuset, 0)};
    if (ranked.kind >= 0) {
        hwloc_cpukinds_get_info(topology, (unsigned)ranked.kind, NULL, &ranked.rank, NULL, NULL, 0);
    }
    return ranked;
}

/* All of the machine, sorted: cores as objects, or logical CPUs where hwloc sees no cores. */
static struct ranked_core *list_cores(int *count)
{
    hwloc_obj_type_t type = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE
                                                                                  : HWLOC_OBJ_PU;
    *count = hwloc_get_nbobjs_by_type(topology, type);
    struct ranked_core *cores = *count > 0 ? malloc((size_t)*count * sizeof *cores) : NULL;
    for (int i = 0; cores != NULL && i < *count; i++) {
        cores[i] = rank_core(hwloc_get_obj_by_type(topology, type, (unsigned)i));
    }
    if (cores != NULL) {
        qsort(cores, (size_t)*count, sizeof *cores, compare_cores);
    }
    return cores;
}

/* The cache of that level above a core. */
static void read_cache(hwloc_const_bitmap_t place, hwloc_obj_type_t type,
                       struct attune_cache_level *level)
{
    int index = hwloc_bitmap_first(place);
    hwloc_obj_t pu = index >= 0 ? hwloc_get_pu_obj_by_os_index(topology, (unsigned)index) : NULL;
    hwloc_obj_t cache = pu != NULL ? hwloc_get_ancestor_obj_by_type(topology, type, pu) : NULL;
    if (cache == NULL || cache->attr->cache.size == 0) {
        return;
    }
    level->size = (int64_t)cache->attr->cache.size;
    level->line = cache->attr->cache.linesize > 0 ? (int32_t)cache->attr->cache.linesize : 64;
    level->ways = cache->attr->cache.associativity;
    level->shared = hwloc_bitmap_weight(cache->cpuset);
}

static void default_caches(struct attune_topology *view)
{
    view->l1d = (struct attune_cache_level){32 << 10, 64, 8, 1};
    view->l2 = (struct attune_cache_level){512 << 10, 64, 8, 1};
    view->l3 = (struct attune_cache_level){0, 64, 0, 0};
}

/* What differs from kind to kind, as it is at a core. */
static void read_kind(hwloc_const_bitmap_t place, const struct ranked_core *core,
                      struct attune_topology *view)
{
    struct hwloc_info_s *infos = NULL;
    unsigned count = 0;
    default_caches(view);
    read_cache(place, HWLOC_OBJ_L1CACHE, &view->l1d);
    read_cache(place, HWLOC_OBJ_L2CACHE, &view->l2);
    read_cache(place, HWLOC_OBJ_L3CACHE, &view->l3);
    if (machine.kinds < 2) {
        return;
    }
    view->rank = core->rank;
    view->type[0] = '\0';
    if (core->kind >= 0) {
        hwloc_cpukinds_get_info(topology, (unsigned)core->kind, NULL, NULL, &count, &infos, 0);
    }
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(infos[i].name, "CoreType") == 0) {
            snprintf(view->type, sizeof view->type, "%s", infos[i].value);
        }
    }
}

/* The cores of the allowed set, in order, are the workers'; and what each kind of them looks like. */
static void order_workers(const struct ranked_core *cores, int count)
{
    worker_sets = calloc((size_t)count, sizeof *worker_sets);
    worker_kinds = calloc((size_t)count, sizeof *worker_kinds);
    const struct ranked_core *last = NULL;
    for (int i = 0; worker_sets != NULL && worker_kinds != NULL && i < count; i++) {
        if (!hwloc_bitmap_intersects(cores[i].core->cpuset, allowed_set)) {
            continue;
        }
        hwloc_bitmap_t set = hwloc_bitmap_dup(cores[i].core->cpuset);
        if (set == NULL) {
            break;
        }
        hwloc_bitmap_and(set, set, allowed_set);
        if ((last == NULL || last->rank != cores[i].rank) && allowed_kinds < KINDS_MAX) {
            read_kind(set, &cores[i], allowed_kinds > 0 ? &views[allowed_kinds] : &machine);
            allowed_kinds++;
        }
        last = &cores[i];
        worker_kinds[worker_set_count] = allowed_kinds - 1;
        worker_sets[worker_set_count++] = set;
    }
}

static void order_cores(void)
{
    int count = 0;
    struct ranked_core *cores = list_cores(&count);
    machine.kinds = 1;
    for (int i = 1; cores != NULL && i < count; i++) {
        machine.kinds += cores[i].rank != cores[i - 1].rank;
    }
    if (cores != NULL) {
        order_workers(cores, count);
        read_kind(cores[0].core->cpuset, &cores[0], &fastest);
    }
    machine.allowed_cores = worker_set_count > 0 ? worker_set_count : machine.allowed;
    free(cores);
}

/* So that asking for the worker of a CPU searches nothing. */
static void index_workers(void)
{
    int last = hwloc_bitmap_last(allowed_set);
    worker_of_cpu = last >= 0 ? malloc(((size_t)last + 1) * sizeof *worker_of_cpu) : NULL;
    cpu_limit = worker_of_cpu != NULL ? last + 1 : 0;
    for (int i = 0; i < cpu_limit; i++) {
        worker_of_cpu[i] = -1;
    }
    for (int i = 0; i < worker_set_count; i++) {
        int cpu = hwloc_bitmap_first(worker_sets[i]);
        for (; cpu >= 0 && cpu < cpu_limit; cpu = hwloc_bitmap_next(worker_sets[i], cpu)) {
            worker_of_cpu[cpu] = i;
        }
    }
}

static int32_t count_objects(hwloc_obj_type_t type, int32_t fallback)
{
    int count = hwloc_get_nbobjs_by_type(topology, type);
    return count > 0 ? count : fallback;
}

static void read_topology(void)
{
    machine.logical = count_objects(HWLOC_OBJ_PU, machine.logical);
    machine.cores = count_objects(HWLOC_OBJ_CORE, machine.logical);
    machine.packages = count_objects(HWLOC_OBJ_PACKAGE, 1);
    machine.numa_nodes = count_objects(HWLOC_OBJ_NUMANODE, 1);
    machine.memory = (int64_t)hwloc_get_root_obj(topology)->total_memory;
    find_allowed();
    if (allowed_set == NULL) {
        machine.allowed = machine.logical;
        return;
    }
    machine.allowed = hwloc_bitmap_weight(allowed_set);
    order_cores();
    index_workers();
}

static void set_defaults(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    default_caches(&machine);
    default_caches(&fastest);
    machine.logical = online > 0 ? (int32_t)online : 1;
    machine.cores = machine.allowed = machine.allowed_cores = machine.logical;
    machine.packages = machine.numa_nodes = machine.kinds = 1;
    machine.bound_by_user = is_set("OMP_PROC_BIND") || is_set("OMP_PLACES") ||
                            is_set("GOMP_CPU_AFFINITY");
}

/* A synthetic or imported topology stands for another machine: its own set is all that counts. */
static void apply_quota(void)
{
    int this_machine = topology == NULL || hwloc_topology_is_thissystem(topology);
    int quota = this_machine ? attune_quota_cpus("/proc/self/cgroup", "/sys/fs/cgroup") : 0;
    quota_binds = quota > 0 && quota < machine.allowed;
    machine.allowed = quota_binds ? quota : machine.allowed;
    if (machine.allowed_cores > machine.allowed) {
        machine.allowed_cores = machine.allowed;
    }
}

/* A kind's own rank, type and caches, and all that is the machine's. */
static void complete_view(struct attune_topology *view)
{
    const struct attune_topology own = *view;
    *view = machine;
    view->l1d = own.l1d;
    view->l2 = own.l2;
    view->l3 = own.l3;
    view->rank = own.rank;
    memcpy(view->type, own.type, sizeof own.type);
}

static void load(void)
{
    set_defaults();
    if (hwloc_topology_init(&topology) == 0) {
        /* The machine whole: what of it is allowed is asked separately. */
        hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
        if (hwloc_topology_load(topology) == 0) {
            read_topology();
        } else {
            hwloc_topology_destroy(topology);
            topology = NULL;
        }
    }
    apply_quota();
    complete_view(&fastest);
    for (int i = 1; i < allowed_kinds; i++) {
        complete_view(&views[i]);
    }
}

const struct attune_topology *attune_topology_get(void)
{
    pthread_once(&load_once, load);
    return &machine;
}

const struct attune_topology *attune_topology_of_kind(int kind)
{
    attune_topology_get();
    return kind == 0 ? &machine : kind > 0 && kind < allowed_kinds ? &views[kind] : NULL;
}

const struct attune_topology *attune_topology_fastest(void)
{
    attune_topology_get();
    return &fastest;
}

int attune_topology_worker_kind(int index)
{
    attune_topology_get();
    return worker_set_count > 0 && index >= 0 ? worker_kinds[index % worker_set_count] : 0;
}

int attune_topology_kind_cores(int kind)
{
    attune_topology_get();
    int cores = 0, last = worker_set_count > 0 ? worker_kinds[worker_set_count - 1] : 0;
    while (kind <= last && cores < worker_set_count && worker_kinds[cores] <= kind) {
        cores++;
    }
    return cores < machine.allowed_cores ? cores : kind <= last ? machine.allowed_cores : 0;
}

static int bind_to(hwloc_const_bitmap_t set)
{
    return hwloc_topology_is_thissystem(topology)
               ? hwloc_set_cpubind(topology, set, HWLOC_CPUBIND_THREAD)
               : -1;
}

int attune_topology_bind(int index, int count)
{
    attune_topology_get();
    if (machine.bound_by_user || quota_binds || worker_set_count == 0 || index < 0 ||
        index >= count) {
        return -1;
    }
    return bind_to(worker_sets[index % worker_set_count]);
}

struct attune_binding *attune_topology_enter(int kind)
{
    const int worker = kind > 0 ? attune_topology_kind_cores(kind - 1) : 0;
    hwloc_bitmap_t before = NULL;
    if (attune_topology_of_kind(kind) == NULL || topology == NULL ||
        (before = hwloc_bitmap_alloc()) == NULL) {
        return NULL;
    }
    if (hwloc_get_cpubind(topology, before, HWLOC_CPUBIND_THREAD) != 0 ||
        attune_topology_bind(worker, worker + 1) != 0) {
        hwloc_bitmap_free(before);
        return NULL;
    }
    return (struct attune_binding *)before;
}

void attune_topology_leave(struct attune_binding *before)
{
    hwloc_bitmap_t set = (hwloc_bitmap_t)before;
    if (set != NULL) {
        (void)bind_to(set);
        hwloc_bitmap_free(set);
    }
}

int attune_topology_worker_here(void)
{
    attune_topology_get();
    int cpu = sched_getcpu();
    return cpu >= 0 && cpu < cpu_limit ? worker_of_cpu[cpu] : -1;
}

int attune_topology_unbind(void)
{
    attune_topology_get();
    return machine.bound_by_user || allowed_set == NULL ? -1 : bind_to(allowed_set);
}
