/* SPDX-License-Identifier: Apache-2.0
 *
 * Probes of the machine's roofs. All arithmetic and all loads are kernels of the registry; here are
 * buffers, sizes, repeats and the clock.
 */
#include "bench/roofs.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "arch/registry.h"
#include "arch/topology.h"
#include "engine/threads.h"
#include "tuner/measure.h"

enum { MAX_PROBES = 160, PAGE = 2 << 20, TILE_STEPS = 4 };

/* One probe takes about this long: short enough to fit between two interruptions, long enough that
 * the hand-off to the threads does not show. */
static const double probe_seconds = 1e-3;
static const double meeting_seconds = 5e-3;
/* A probe that reaches less of the best of its group in its first rounds is not run again. One
 * round proves nothing: a neighbour may have had the core. */
static const double hopeless = 0.5;
enum { TRIALS = 4 };

enum group { GROUP_FMA, GROUP_TANH, GROUP_READ /* + enum attune_level */ };

struct probe {
    const struct attune_kernel *kernel;
    enum group group;
    int64_t floats; /* read: of one thread's buffer. tanh: terms of a row */
    int64_t repeats;
    int32_t rounds;
    double best; /* flop, terms or bytes a second */
};

struct worker {
    float *buffer;
    double start, end, amount;
};

struct attune_probes {
    int32_t threads, count;
    int64_t floats;                  /* of every worker's buffer */
    int64_t capacity[ATTUNE_LEVELS]; /* bytes that all threads' caches of a level hold */
    uint32_t features;
    struct worker *worker;
    struct probe probe[MAX_PROBES];
};

struct run {
    struct attune_probes *probes;
    const struct probe *probe;
    int64_t repeats;
    atomic_int arrived;
};

const char *attune_level_word(enum attune_level level)
{
    static const char *const words[ATTUNE_LEVELS] = {"l1", "l2", "l3", "dram"};
    return words[level];
}

/* Rows of the tile that the tanh probe scores: few, so that rows and one panel stay in L1. */
static int64_t tile_rows(const struct attune_kernel *kernel)
{
    return (int64_t)kernel->rows * TILE_STEPS;
}

/* Scores one panel of keys with a few rows, again and again. The buffer's values lie in (0.5, 1.5),
 * like those of expanded rows, so any division of `buffer` into operands does. */
static double run_tanh(const struct probe *probe, float *buffer, int64_t repeats)
{
    const struct attune_kernel *kernel = probe->kernel;
    const int64_t terms = probe->floats, m = tile_rows(kernel);
    struct attune_score_tanh_args args = {.ldq = terms,
                                          .m = m,
                                          .n = kernel->width,
                                          .a_pad = terms,
                                          .scale = 1,
                                          .lds = ATTUNE_KEY_STEP};
    float *next = buffer;
    args.k = next, next += terms * kernel->width;
    args.q = next, next += terms * m;
    args.fold = next, next += terms;
    args.center = next, next += terms;
    args.s = next;
    for (int64_t i = 0; i < repeats; i++)
        kernel->run.score_tanh(&args);
    return (double)repeats * (double)m * kernel->width * (double)terms;
}

/* Waits for the other workers, so that all probe at the same time: one that slept is woken late
 * where its core is busy. Not for ever: the team may run its workers one after the other. */
static void meet(struct run *run, int32_t workers)
{
    const double limit = attune_clock_seconds() + meeting_seconds;
    atomic_fetch_add(&run->arrived, 1);
    while (atomic_load(&run->arrived) < workers && attune_clock_seconds() < limit)
        ;
}

static void run_worker(void *argument, int32_t index, int32_t workers)
{
    struct run *run = argument;
    const struct probe *probe = run->probe;
    struct worker *worker = &run->probes->worker[index];
    meet(run, workers);
    worker->start = attune_clock_seconds();
    if (probe->group == GROUP_FMA)
        worker->amount = probe->kernel->run.probe_fma(run->repeats);
    else if (probe->group == GROUP_TANH)
        worker->amount = run_tanh(probe, worker->buffer, run->repeats);
    else
        worker->amount = probe->kernel->run.probe_read(worker->buffer, probe->floats, run->repeats);
    worker->end = attune_clock_seconds();
}

static void run_team(struct attune_probes *probes, attune_work_fn *work, void *argument)
{
    const struct attune_team_options options = {.pin = 1};
    attune_team_run(&options, probes->threads, work, argument);
}

/* Seconds from the first worker's start to the last one's end; the probe's best is updated. */
static double run_probe(struct attune_probes *probes, struct probe *probe, int64_t repeats)
{
    struct run run = {.probes = probes, .probe = probe, .repeats = repeats};
    run_team(probes, run_worker, &run);
    double start = INFINITY, end = 0, amount = 0;
    for (int32_t i = 0; i < probes->threads; i++) {
        start = fmin(start, probes->worker[i].start);
        end = fmax(end, probes->worker[i].end);
        amount += probes->worker[i].amount;
    }
    const double seconds = end - start;
    if (seconds > 0.25 * probe_seconds)
        probe->best = fmax(probe->best, amount / seconds);
    return seconds;
}

/* Runs a probe once for long enough. A run that was interrupted looks long with too few repeats, so
 * every round finds them anew, beginning with those of the last. */
static void run_long_enough(struct attune_probes *probes, struct probe *probe)
{
    double seconds = run_probe(probes, probe, probe->repeats);
    while (seconds < 0.5 * probe_seconds && probe->repeats < (INT64_C(1) << 40)) {
        const double growth = fmin(8, fmax(2, probe_seconds / fmax(seconds, 1e-9)));
        probe->repeats = (int64_t)((double)probe->repeats * growth);
        seconds = run_probe(probes, probe, probe->repeats);
    }
    probe->rounds++;
}

static double group_best(const struct attune_probes *probes, enum group group)
{
    double best = 0;
    for (int32_t i = 0; i < probes->count; i++)
        if (probes->probe[i].group == group)
            best = fmax(best, probes->probe[i].best);
    return best;
}

void attune_probes_round(struct attune_probes *probes)
{
    for (int32_t i = 0; i < probes->count; i++) {
        struct probe *probe = &probes->probe[i];
        if (probe->rounds < TRIALS || probe->best >= hopeless * group_best(probes, probe->group))
            run_long_enough(probes, probe);
    }
}

void attune_probes_doubt(struct attune_probes *probes)
{
    for (int32_t i = 0; i < probes->count; i++)
        probes->probe[i].rounds = 0;
}

struct attune_roofs attune_probes_roofs(const struct attune_probes *probes)
{
    struct attune_roofs roofs = {.fma = group_best(probes, GROUP_FMA),
                                 .tanh = group_best(probes, GROUP_TANH)};
    double farther = 0;
    for (int level = ATTUNE_LEVELS - 1; level >= 0; level--) {
        farther = fmax(farther, group_best(probes, GROUP_READ + (enum group)level));
        roofs.read[level] = farther;
    }
    return roofs;
}

static void add_probe(struct attune_probes *probes, const struct attune_kernel *kernel,
                      enum group group, int64_t floats)
{
    if (probes->count < MAX_PROBES)
        probes->probe[probes->count++] =
            (struct probe){.kernel = kernel, .group = group, .floats = floats, .repeats = 1};
}

/* Probes of reads of so many bytes a thread, by every kernel, unless the level has this size. */
static void add_reads(struct attune_probes *probes, enum attune_level level, int64_t bytes)
{
    const enum group group = GROUP_READ + (enum group)level;
    int64_t floats = bytes / (int64_t)sizeof(float) / 64 * 64;
    floats = floats < 256 ? 256 : floats > probes->floats ? probes->floats : floats;
    for (int32_t i = 0; i < probes->count; i++)
        if (probes->probe[i].group == group && probes->probe[i].floats == floats)
            return;
    const struct attune_kernel *kernel = NULL;
    while ((kernel = attune_kernel_next(ATTUNE_OP_PROBE_READ, probes->features, kernel)))
        add_probe(probes, kernel, group, floats);
}

enum attune_level attune_probes_level(struct attune_probes *probes, int64_t bytes)
{
    enum attune_level level = ATTUNE_L1;
    while (level < ATTUNE_DRAM && probes->capacity[level] < bytes)
        level++;
    add_reads(probes, level, bytes / probes->threads);
    return level;
}

/* One panel of keys takes at most half of L1, and whole blocks of terms. */
static void add_tanh(struct attune_probes *probes, int64_t l1)
{
    const struct attune_kernel *kernel = NULL;
    while ((kernel = attune_kernel_next(ATTUNE_OP_SCORE_TANH, probes->features, kernel))) {
        const int64_t bytes = (kernel->width + tile_rows(kernel)) * (int64_t)sizeof(float);
        int64_t terms = l1 / 2 / bytes / ATTUNE_CENTER_STEP * ATTUNE_CENTER_STEP;
        terms = terms < ATTUNE_CENTER_STEP ? ATTUNE_CENTER_STEP : terms > 512 ? 512 : terms;
        add_probe(probes, kernel, GROUP_TANH, terms);
    }
}

static int64_t at_most(int64_t value, int64_t limit)
{
    return value < limit ? value : limit;
}

static int64_t at_least(int64_t value, int64_t limit)
{
    return value > limit ? value : limit;
}

/* Several sizes for each level, a thread: a quarter to three quarters of its share of the caches,
 * yet never so small that the level before holds it; DRAM by four times what L3 holds. */
static void list_probes(struct attune_probes *probes, const struct attune_topology *topology)
{
    const int64_t threads = probes->threads;
    const int64_t l1 = topology->l1d.size, l2 = topology->l2.size;
    const int64_t l3 = probes->capacity[ATTUNE_L3] / threads;
    const struct attune_kernel *kernel = NULL;
    while ((kernel = attune_kernel_next(ATTUNE_OP_PROBE_FMA, probes->features, kernel)))
        add_probe(probes, kernel, GROUP_FMA, 0);
    add_tanh(probes, l1);
    for (int64_t quarters = 1; quarters <= 3; quarters++) {
        add_reads(probes, ATTUNE_L1, l1 * quarters / 4);
        add_reads(probes, ATTUNE_L2, at_least(l2 * quarters / 4, 2 * l1));
        add_reads(probes, ATTUNE_L3, at_least(l3 * quarters / 4, 2 * l2));
    }
    add_reads(probes, ATTUNE_DRAM, probes->floats * (int64_t)sizeof(float));
}

static void find_capacities(struct attune_probes *probes, const struct attune_topology *topology)
{
    const struct attune_cache_level *caches[] = {&topology->l1d, &topology->l2, &topology->l3};
    for (int level = ATTUNE_L1; level <= ATTUNE_L3; level++) {
        const int64_t shared = at_least(caches[level]->shared, 1);
        const int64_t all = at_least(topology->logical / shared, 1);
        const int64_t used =
            level == ATTUNE_L3 ? (probes->threads + shared - 1) / shared : (int64_t)probes->threads;
        probes->capacity[level] = caches[level]->size * at_most(used, all);
    }
    probes->capacity[ATTUNE_DRAM] = INT64_MAX;
}

static void touch_buffer(void *argument, int32_t index, int32_t workers)
{
    struct attune_probes *probes = argument;
    (void)workers;
    for (int64_t i = 0; i < probes->floats; i++)
        probes->worker[index].buffer[i] = 0.5f + (float)(i % 1021) / 1021.0f;
}

static int allocate_buffers(struct attune_probes *probes, const struct attune_topology *topology)
{
    const int64_t share = probes->capacity[ATTUNE_L3] / probes->threads;
    const int64_t affordable =
        topology->memory > 0 ? topology->memory / 8 / probes->threads : 64 * (int64_t)PAGE;
    int64_t bytes = at_most(at_least(4 * share, 16 * (int64_t)PAGE), at_least(affordable, PAGE));
    bytes = (bytes + PAGE - 1) / PAGE * PAGE;
    probes->floats = bytes / (int64_t)sizeof(float);
    probes->worker = calloc((size_t)probes->threads, sizeof *probes->worker);
    if (!probes->worker)
        return 0;
    for (int32_t i = 0; i < probes->threads; i++) {
        probes->worker[i].buffer = aligned_alloc(PAGE, (size_t)bytes);
        if (!probes->worker[i].buffer)
            return 0;
        /* Large pages where there are some: misses of the TLB are no part of a cache's bandwidth.
         */
        (void)madvise(probes->worker[i].buffer, (size_t)bytes, MADV_HUGEPAGE);
    }
    run_team(probes, touch_buffer, probes);
    return 1;
}

struct attune_probes *attune_probes_create(int32_t threads, uint32_t features)
{
    const struct attune_topology *topology = attune_topology_get();
    struct attune_probes *probes = calloc(1, sizeof *probes);
    if (!probes)
        return NULL;
    /* More threads than CPUs reach no more, and the best of them would be waiting. */
    probes->threads = (int32_t)at_least(at_most(threads, topology->allowed), 1);
    probes->features = features;
    find_capacities(probes, topology);
    if (!allocate_buffers(probes, topology)) {
        attune_probes_release(probes);
        return NULL;
    }
    list_probes(probes, topology);
    return probes;
}

void attune_probes_release(struct attune_probes *probes)
{
    if (!probes)
        return;
    for (int32_t i = 0; probes->worker && i < probes->threads; i++)
        free(probes->worker[i].buffer);
    free(probes->worker);
    free(probes);
}
