/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs one probe. All arithmetic and all loads are kernels of the registry; here are buffers, repeats
 * and the clock.
 */
#include "bench/roofs_run.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "arch/cpu.h"
#include "engine/threads.h"
#include "tuner/measure.h"

/* One probe takes about this long: short enough to fit between two interruptions, long enough that
 * the hand-off to the threads does not show. */
static const double probe_seconds = 1e-3;
static const double meeting_seconds = 5e-3;

struct run {
    struct attune_probes *probes;
    const struct attune_probe *probe;
    int64_t repeats;
    atomic_int arrived;
};

/* Scores one panel of keys with a few rows, again and again. The buffer's values lie in (0.5, 1.5),
 * like those of expanded rows, so any division of `buffer` into operands does. */
static double run_score(const struct attune_probe *probe, float *buffer, int64_t repeats)
{
    const struct attune_kernel *kernel = probe->kernel;
    const int64_t terms = probe->floats, m = (int64_t)kernel->rows * ATTUNE_PROBE_TILE_STEPS;
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

static double run_kernel(const struct attune_probe *probe, float *buffer, int64_t repeats)
{
    const struct attune_kernel *kernel = probe->kernel;
    switch (kernel->operation) {
    case ATTUNE_OP_PROBE_FMA:
        return kernel->run.probe_fma(repeats);
    case ATTUNE_OP_PROBE_TANH:
        return kernel->run.probe_tanh(repeats);
    case ATTUNE_OP_PROBE_EXP:
        return kernel->run.probe_exp(repeats);
    case ATTUNE_OP_PROBE_READ:
        return kernel->run.probe_read(buffer, probe->floats, repeats);
    default:
        return run_score(probe, buffer, repeats);
    }
}

/* Waits for the other workers, so that all probe at the same time: one that slept is woken late
 * where its core is busy. Not for ever: the team may run its workers one after the other. */
static void meet(struct run *run, int32_t workers)
{
    const double limit = attune_clock_seconds() + meeting_seconds;
    atomic_fetch_add(&run->arrived, 1);
    while (atomic_load(&run->arrived) < workers && attune_clock_seconds() < limit)
        attune_cpu_relax();
}

static void run_worker(void *argument, int32_t index, int32_t workers)
{
    struct run *run = argument;
    struct attune_probe_worker *worker = &run->probes->worker[index];
    meet(run, workers);
    worker->start = attune_clock_seconds();
    worker->amount = run_kernel(run->probe, worker->buffer, run->repeats);
    worker->end = attune_clock_seconds();
}

static void run_team(struct attune_probes *probes, attune_work_fn *work, void *argument)
{
    const struct attune_team_options options = {.pin = 1};
    attune_team_run(&options, probes->threads, work, argument);
}

/* Seconds from the first worker's start to the last one's end; a long enough run counts. */
static double run_once(struct attune_probes *probes, struct attune_probe *probe)
{
    struct run run = {.probes = probes, .probe = probe, .repeats = probe->repeats};
    run_team(probes, run_worker, &run);
    double start = INFINITY, end = 0, amount = 0;
    for (int32_t i = 0; i < probes->threads; i++) {
        start = fmin(start, probes->worker[i].start);
        end = fmax(end, probes->worker[i].end);
        amount += probes->worker[i].amount;
    }
    const double seconds = end - start;
    if (seconds > 0.25 * probe_seconds)
        probe->latest = fmax(probe->latest, amount / seconds);
    return seconds;
}

/* A run that was interrupted looks long with too few repeats, so every round finds them anew,
 * beginning with those of the last. */
void attune_probe_run(struct attune_probes *probes, struct attune_probe *probe)
{
    probe->latest = 0;
    double seconds = run_once(probes, probe);
    while (seconds < 0.5 * probe_seconds && probe->repeats < (INT64_C(1) << 40)) {
        const double growth = fmin(8, fmax(2, probe_seconds / fmax(seconds, 1e-9)));
        probe->repeats = (int64_t)((double)probe->repeats * growth);
        seconds = run_once(probes, probe);
    }
    probe->best = fmax(probe->best, probe->latest);
    probe->history[probe->rounds % ATTUNE_PROBE_HISTORY] = probe->latest;
    probe->rounds++;
    probe->trials++;
}

static void touch_buffer(void *argument, int32_t index, int32_t workers)
{
    struct attune_probes *probes = argument;
    (void)workers;
    for (int64_t i = 0; i < probes->floats; i++)
        probes->worker[index].buffer[i] = 0.5f + (float)(i % 1021) / 1021.0f;
}

int attune_probe_allocate(struct attune_probes *probes, const struct attune_topology *topology)
{
    const int64_t page = ATTUNE_PROBE_PAGE;
    const int64_t share = probes->capacity[ATTUNE_L3] / probes->threads;
    const int64_t wanted = 4 * share > 16 * page ? 4 * share : 16 * page;
    int64_t affordable = topology->memory > 0 ? topology->memory / 8 / probes->threads : 64 * page;
    affordable = affordable > page ? affordable : page;
    int64_t bytes = wanted < affordable ? wanted : affordable;
    bytes = (bytes + page - 1) / page * page;
    probes->floats = bytes / (int64_t)sizeof(float);
    probes->worker = calloc((size_t)probes->threads, sizeof *probes->worker);
    if (!probes->worker)
        return 0;
    for (int32_t i = 0; i < probes->threads; i++) {
        probes->worker[i].buffer = aligned_alloc((size_t)page, (size_t)bytes);
        if (!probes->worker[i].buffer)
            return 0;
        /* Large pages where there are some: misses of the TLB are no part of a cache's bandwidth.
         */
        (void)madvise(probes->worker[i].buffer, (size_t)bytes, MADV_HUGEPAGE);
    }
    run_team(probes, touch_buffer, probes);
    return 1;
}
