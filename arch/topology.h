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
    struct attune_cache_level l1d, l2, l3;
    int32_t logical, cores, packages, numa_nodes; /* of the machine */
    int32_t kinds;   /* kinds of cores (hwloc's cpukinds), 1 where unknown */
    int32_t allowed; /* logical CPUs that this process may use: cpuset, OMP places or mask, CPU quota */
    int32_t allowed_cores; /* cores that those lie on, at most `allowed` */
    int32_t bound_by_user; /* OMP_PROC_BIND, OMP_PLACES or GOMP_CPU_AFFINITY is set: do not pin */
    int64_t memory;  /* bytes */
};

/* Loaded once; thread-safe; where hwloc knows nothing the fields hold defaults (32 KiB, 512 KiB, ...). */
const struct attune_topology *attune_topology_get(void);
/* The kind of the core meant for a worker: 0 for the fastest, and workers of one kind follow each other.
 * With more workers than cores they begin anew. */
int attune_topology_worker_kind(int index);
/* Cores of that kind and of faster ones, among the allowed: 0 beyond the last kind. */
int attune_topology_kind_cores(int kind);
/* Binds the calling thread to the core meant for worker `index` of `count`: a core each while they
 * last, fast kinds first. 0 when bound; not where the user binds, nor under a CPU quota smaller
 * than the set, where every container of the machine would choose the same cores. */
int attune_topology_bind(int index, int count);
/* The worker whose core the calling thread is on at this moment; -1: none's. */
int attune_topology_worker_here(void);
/* Lets the calling thread run on the whole allowed set, whatever it inherited. 0 when done. */
int attune_topology_unbind(void);

#endif
