/* SPDX-License-Identifier: Apache-2.0
 *
 * One probe and how it is run: between roofs.c, which chooses and compares probes, and roofs_run.c,
 * which runs one on a team. No others need it.
 */
#ifndef ATTUNE_BENCH_ROOFS_RUN_H
#define ATTUNE_BENCH_ROOFS_RUN_H

#include "arch/registry.h"
#include "arch/topology.h"
#include "bench/roofs.h"

enum { ATTUNE_PROBE_PAGE = 2 << 20, ATTUNE_PROBE_HISTORY = 64, ATTUNE_PROBE_TILE_STEPS = 4 };

enum attune_probe_group {
    ATTUNE_GROUP_FMA,
    ATTUNE_GROUP_TANH,
    ATTUNE_GROUP_EXP,
    ATTUNE_GROUP_READ /* + enum attune_level */
};

struct attune_probe {
    const struct attune_kernel *kernel;
    enum attune_probe_group group;
    int32_t of_a_case; /* reads the footprint of a case: no measure of the level itself */
    int64_t floats;    /* read: of one thread's buffer. score_tanh: terms of a row */
    int64_t repeats;
    int32_t rounds, trials; /* trials: rounds since it was last doubted */
    double best, latest;    /* flop, terms or bytes a second */
    double history[ATTUNE_PROBE_HISTORY];
};

struct attune_probe_worker {
    float *buffer;
    double start, end, amount;
};

struct attune_probes {
    int32_t threads, count, room;
    int64_t floats;                  /* of every worker's buffer */
    int64_t capacity[ATTUNE_LEVELS]; /* bytes that all threads' caches of a level hold */
    uint32_t features;
    struct attune_probe_worker *worker;
    struct attune_probe *probe;
};

/* Buffers of every worker, first touched by it. Returns 0 when memory is short. */
int attune_probe_allocate(struct attune_probes *probes, const struct attune_topology *topology);
/* Runs a probe once for long enough, on all workers at the same time. */
void attune_probe_run(struct attune_probes *probes, struct attune_probe *probe);

#endif
