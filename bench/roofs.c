/* SPDX-License-Identifier: Apache-2.0
 *
 * Which probes there are, which are worth another round, and what they say together. Running one is
 * roofs_run.c's.
 */
#include "bench/roofs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/roofs_run.h"
#include "tuner/measure.h"

/* A probe that reaches less of the best of its group in its first rounds is not run again. One
 * round proves nothing: a neighbour may have had the core. */
static const double hopeless = 0.5;
enum { TRIALS = 4, ARITHMETIC_TRIES = 3, GROUPS = ATTUNE_GROUP_READ + (int)ATTUNE_LEVELS };
/* Footprints that differ by less are one: caches do not tell them apart. */
static const double same_footprint = 0.05;

const char *attune_level_word(enum attune_level level)
{
    static const char *const words[ATTUNE_LEVELS] = {"l1", "l2", "l3", "dram"};
    return words[level];
}

int32_t attune_probes_threads(const struct attune_probes *probes)
{
    return probes->threads;
}

/* The best of a group, of this instruction set where one is named; NULL: none has run. */
static const struct attune_probe *find_best(const struct attune_probes *probes, int group,
                                            const char *isa)
{
    const struct attune_probe *best = NULL;
    for (int32_t i = 0; i < probes->count; i++) {
        const struct attune_probe *probe = &probes->probe[i];
        if ((int)probe->group != group || probe->of_a_case || probe->rounds == 0)
            continue;
        if (isa && strcmp(probe->kernel->isa, isa) != 0)
            continue;
        if (!best || probe->best > best->best)
            best = probe;
    }
    return best;
}

/* The best of probes that compete with `probe`: of its group, and of its footprint where it has a
 * case's. */
static double rival_best(const struct attune_probes *probes, const struct attune_probe *probe)
{
    double best = 0;
    for (int32_t i = 0; i < probes->count; i++) {
        const struct attune_probe *other = &probes->probe[i];
        if (other->group == probe->group && (!probe->of_a_case || other->floats == probe->floats))
            best = fmax(best, other->best);
    }
    return best;
}

/* Arithmetic has few probes and many samples that compare with it: several tries each find the clock at
 * its highest as often. */
static void run_tries(struct attune_probes *probes, struct attune_probe *probe)
{
    double latest = 0;
    for (int i = 0; i < (probe->group < ATTUNE_GROUP_READ ? ARITHMETIC_TRIES : 1); i++) {
        attune_probe_run(probes, probe);
        latest = fmax(latest, probe->latest);
    }
    probe->latest = latest;
}

void attune_probes_round(struct attune_probes *probes)
{
    for (int32_t i = 0; i < probes->count; i++) {
        struct attune_probe *probe = &probes->probe[i];
        if (probe->trials < TRIALS || probe->best >= hopeless * rival_best(probes, probe))
            run_tries(probes, probe);
        else
            probe->latest = 0;
    }
}

void attune_probes_doubt(struct attune_probes *probes)
{
    for (int32_t i = 0; i < probes->count; i++)
        probes->probe[i].trials = 0;
}

static double rate_of(const struct attune_probe *probe, int latest)
{
    return latest ? probe->latest : probe->best;
}

/* What reading at least so many bytes has reached: no footprint is slower than a larger one. */
static double read_rate(const struct attune_probes *probes, int64_t bytes, int latest)
{
    const double least = (1 - same_footprint) * (double)bytes / probes->threads / sizeof(float);
    double best = 0;
    for (int32_t i = 0; i < probes->count; i++) {
        const struct attune_probe *probe = &probes->probe[i];
        if (probe->group >= ATTUNE_GROUP_READ &&
            ((double)probe->floats >= least || probe->floats == probes->floats))
            best = fmax(best, rate_of(probe, latest));
    }
    return best;
}

static double group_rate(const struct attune_probes *probes, int group, int latest)
{
    double best = 0;
    for (int32_t i = 0; i < probes->count; i++)
        if ((int)probes->probe[i].group == group && !probes->probe[i].of_a_case)
            best = fmax(best, rate_of(&probes->probe[i], latest));
    return best;
}

static enum attune_level level_of(const struct attune_probes *probes, int64_t bytes)
{
    enum attune_level level = ATTUNE_L1;
    while (level < ATTUNE_DRAM && probes->capacity[level] < bytes)
        level++;
    return level;
}

static struct attune_roofs roofs_for(const struct attune_probes *probes, int64_t bytes, int latest)
{
    struct attune_roofs roofs = {.fma = group_rate(probes, ATTUNE_GROUP_FMA, latest),
                                 .tanh = group_rate(probes, ATTUNE_GROUP_TANH, latest),
                                 .exp = group_rate(probes, ATTUNE_GROUP_EXP, latest)};
    double farther = 0;
    for (int level = ATTUNE_LEVELS - 1; level >= 0; level--) {
        farther = fmax(farther, group_rate(probes, ATTUNE_GROUP_READ + level, latest));
        if (bytes > 0 && level == (int)level_of(probes, bytes))
            farther = fmax(farther, read_rate(probes, bytes, latest));
        roofs.read[level] = farther;
    }
    return roofs;
}

struct attune_roofs attune_probes_roofs(const struct attune_probes *probes, int64_t bytes)
{
    return roofs_for(probes, bytes, 0);
}

struct attune_roofs attune_probes_latest(const struct attune_probes *probes, int64_t bytes)
{
    return roofs_for(probes, bytes, 1);
}

static struct attune_peak peak_of(const struct attune_probe *probe)
{
    static const char *const words[] = {"fma", "tanh", "exp"};
    static const char *const units[] = {"flop", "tanh", "exp"};
    const int read = probe->group >= ATTUNE_GROUP_READ;
    struct attune_peak peak = {
        .isa = probe->kernel->isa,
        .roof = read ? attune_level_word((enum attune_level)(probe->group - ATTUNE_GROUP_READ))
                     : words[probe->group],
        .unit = read ? "byte" : units[probe->group],
        .probe = probe->kernel->name,
        .rate = probe->best,
        .rounds = probe->rounds};
    double sorted[ATTUNE_PROBE_HISTORY];
    struct attune_measurement summary;
    const int32_t kept =
        probe->rounds < ATTUNE_PROBE_HISTORY ? probe->rounds : ATTUNE_PROBE_HISTORY;
    memcpy(sorted, probe->history, (size_t)kept * sizeof *sorted);
    attune_measure_summarize(sorted, kept, probe->repeats, &summary);
    peak.median = summary.median;
    return peak;
}

int attune_probes_peaks(const struct attune_probes *probes,
                        struct attune_peak peaks[ATTUNE_PEAKS_MOST])
{
    const char *isa = NULL;
    int count = 0;
    for (int i = 0; i < attune_kernel_count(); i++) {
        if (isa && strcmp(attune_kernel_at(i)->isa, isa) == 0)
            continue;
        isa = attune_kernel_at(i)->isa;
        for (int group = 0; group < GROUPS && count < ATTUNE_PEAKS_MOST; group++) {
            const struct attune_probe *best = find_best(probes, group, isa);
            if (best)
                peaks[count++] = peak_of(best);
        }
    }
    return count;
}

/* Returns 0 when memory is short. */
static int add_probe(struct attune_probes *probes, const struct attune_probe *probe)
{
    if (probes->count == probes->room) {
        const int32_t room = probes->room > 0 ? 2 * probes->room : 128;
        struct attune_probe *larger = realloc(probes->probe, (size_t)room * sizeof *larger);
        if (!larger)
            return 0;
        probes->probe = larger;
        probes->room = room;
    }
    probes->probe[probes->count++] = *probe;
    return 1;
}

/* Probes by every kernel of an operation. */
static int add_kernels(struct attune_probes *probes, enum attune_operation operation,
                       const struct attune_probe *like)
{
    const struct attune_kernel *kernel = NULL;
    int added = 1;
    while (added && (kernel = attune_kernel_next(operation, probes->features, kernel))) {
        struct attune_probe probe = *like;
        probe.kernel = kernel;
        added = add_probe(probes, &probe);
    }
    return added;
}

/* Reads of so many bytes a thread, unless the level has about this size. */
static int add_reads(struct attune_probes *probes, enum attune_level level, int64_t bytes,
                     int of_a_case)
{
    struct attune_probe like = {.group = ATTUNE_GROUP_READ + (enum attune_probe_group)level,
                                .of_a_case = of_a_case,
                                .repeats = 1};
    like.floats = bytes / (int64_t)sizeof(float) / 64 * 64;
    like.floats = like.floats < 256              ? 256
                  : like.floats > probes->floats ? probes->floats
                                                 : like.floats;
    for (int32_t i = 0; i < probes->count; i++)
        if (probes->probe[i].group == like.group &&
            fabs((double)(probes->probe[i].floats - like.floats)) <=
                same_footprint * (double)like.floats)
            return 1;
    return add_kernels(probes, ATTUNE_OP_PROBE_READ, &like);
}

/* Far beyond the caches before it a level gives what its own probes reach, whatever is read. */
enum attune_level attune_probes_level(struct attune_probes *probes, int64_t bytes)
{
    const enum attune_level level = level_of(probes, bytes);
    if (level == ATTUNE_L1 || bytes < 4 * probes->capacity[level - 1])
        (void)add_reads(probes, level, bytes / probes->threads, 1);
    return level;
}

/* One panel of keys takes at most half of L1, and whole blocks of terms. */
static int add_scores(struct attune_probes *probes, int64_t l1)
{
    const struct attune_kernel *kernel = NULL;
    int added = 1;
    while (added &&
           (kernel = attune_kernel_next(ATTUNE_OP_SCORE_TANH, probes->features, kernel))) {
        const int64_t bytes = (kernel->width + (int64_t)kernel->rows * ATTUNE_PROBE_TILE_STEPS) *
                              (int64_t)sizeof(float);
        int64_t terms = l1 / 2 / bytes / ATTUNE_CENTER_STEP * ATTUNE_CENTER_STEP;
        terms = terms < ATTUNE_CENTER_STEP ? ATTUNE_CENTER_STEP : terms > 512 ? 512 : terms;
        const struct attune_probe probe = {
            .kernel = kernel, .group = ATTUNE_GROUP_TANH, .floats = terms, .repeats = 1};
        added = add_probe(probes, &probe);
    }
    return added;
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
static int list_probes(struct attune_probes *probes, const struct attune_topology *topology)
{
    const int64_t l1 = topology->l1d.size, l2 = topology->l2.size;
    const int64_t l3 = probes->capacity[ATTUNE_L3] / probes->threads;
    struct attune_probe like = {.group = ATTUNE_GROUP_FMA, .repeats = 1};
    int added = add_kernels(probes, ATTUNE_OP_PROBE_FMA, &like);
    like.group = ATTUNE_GROUP_TANH;
    added = added && add_kernels(probes, ATTUNE_OP_PROBE_TANH, &like) && add_scores(probes, l1);
    like.group = ATTUNE_GROUP_EXP;
    added = added && add_kernels(probes, ATTUNE_OP_PROBE_EXP, &like);
    for (int64_t quarters = 1; quarters <= 3; quarters++)
        added = added && add_reads(probes, ATTUNE_L1, l1 * quarters / 4, 0) &&
                add_reads(probes, ATTUNE_L2, at_least(l2 * quarters / 4, 2 * l1), 0) &&
                add_reads(probes, ATTUNE_L3, at_least(l3 * quarters / 4, 2 * l2), 0);
    if (l3 / 4 > 8 * l2) /* of so much a guest of the machine holds but a part */
        added = added && add_reads(probes, ATTUNE_L3, 8 * l2, 0);
    return added &&
           add_reads(probes, ATTUNE_DRAM, probes->floats * (int64_t)sizeof(float), 0);
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
    if (!attune_probe_allocate(probes, topology) || !list_probes(probes, topology)) {
        attune_probes_release(probes);
        return NULL;
    }
    return probes;
}

void attune_probes_release(struct attune_probes *probes)
{
    if (!probes)
        return;
    for (int32_t i = 0; probes->worker && i < probes->threads; i++)
        free(probes->worker[i].buffer);
    free(probes->worker);
    free(probes->probe);
    free(probes);
}
