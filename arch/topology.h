/* SPDX-License-Identifier: Apache-2.0
 *
 * Cores, caches and memory as hwloc sees them, and binding. topology.c alone includes hwloc.h.
 */
#ifndef ATTUNE_ARCH_TOPOLOGY_H
#define ATTUNE_ARCH_TOPOLOGY_H

#include <stdint.h>

struct attune_cache_level {
    int64_t size;   /* bytes; 0: not known */
    int32_t line;   /* bytes */
    int32_t ways;   /* 0: not known; -1: fully associative */
    int32_t shared; /* logical CPUs that share one */
};

struct attune_topology {
    struct attune_cache_level l1d, l2, l3; /* of a core of one kind */
    int32_t rank;    /* of that kind among the machine's: higher is faster; 0 where there is one */
    char type[24];   /* as the system calls it, "IntelAtom"; "": it does not, or there is one */
    int32_t logical, cores, packages, numa_nodes; /* of the machine */
    int32_t kinds;   /* kinds of cores, by hwloc's ranking of its cpukinds; 1 where it has none */
    int32_t allowed; /* logical CPUs that this process may use: cpuset, OMP places or mask, CPU quota */
    int32_t allowed_cores; /* cores that those lie on, at most `allowed` */
    int32_t bound_by_user; /* OMP_PROC_BIND, OMP_PLACES or GOMP_CPU_AFFINITY is set: do not pin */
    int64_t memory;  /* bytes */
};

/* Loaded once; thread-safe; where hwloc knows nothing the fields hold defaults (32 KiB, 512 KiB, ...).
 * Caches are those of the fastest kind of core that the process may use. */
const struct attune_topology *attune_topology_get(void);
/* The same with the caches of another kind among the allowed: attune_topology_get() for 0, NULL beyond
 * the last. */
const struct attune_topology *attune_topology_of_kind(int kind);
/* The same with the caches of the machine's fastest kind, allowed or not: all processes see one. */
const struct attune_topology *attune_topology_fastest(void);
/* The kind of the core meant for a worker: 0 for the fastest, and workers of one kind follow each other.
 * With more workers than cores they begin anew. */
int attune_topology_worker_kind(int index);
/* Cores of that kind and of faster ones, among the allowed: 0 beyond the last kind. */
int attune_topology_kind_cores(int kind);
/* Binds the calling thread to the core meant for worker `index` of `count`: a core each while they
 * last, fast kinds first. 0 when bound; not where the user binds, nor under a CPU quota smaller
 * than the set, where every container of the machine would choose the same cores. */
int attune_topology_bind(int index, int count);
/* Binds the calling thread to a core of that kind, on the terms of attune_topology_bind(), and returns
 * what attune_topology_leave() takes to bind it as it was. NULL: it could not be, nothing has changed. */
struct attune_binding *attune_topology_enter(int kind);
void attune_topology_leave(struct attune_binding *before);
/* The worker whose core the calling thread is on at this moment; -1: none's. */
int attune_topology_worker_here(void);
/* Lets the calling thread run on the whole allowed set, whatever it inherited. 0 when done. */
int attune_topology_unbind(void);

#endif
