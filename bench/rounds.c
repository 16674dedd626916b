/* SPDX-License-Identifier: Apache-2.0
 *
 * The rounds, and what they come to. Rounds, not samples, are the independent observations: samples
 * next to each other share their disturbances.
 */
#include "bench/rounds.h"

#include <math.h>
#include <string.h>

#include "tuner/statistics.h"

enum { LEAST_ROUNDS = 3, MORE_PROBES = 24 };
/* Short samples find the gaps between interruptions. */
static const double longest_sample = 1.5e-3;
static const double confidence = 0.95;
/* A minimum counts as reached again within the first, by this part of the rounds; a noise above the
 * second says that single rounds say nothing. */
static const double reached_within = 0.03, reached_in = 0.25, quiet = 0.05;

struct course {
    struct attune_entry *const *entries;
    int count;
    const struct attune_rounds_options *options;
    double start, planned; /* planned: slots in all */
    double done;           /* slots */
    int stopped;
};

static double now(const struct course *course)
{
    return course->options->clock->seconds(course->options->clock->user);
}

static void step(struct course *course)
{
    const struct attune_rounds_options *options = course->options;
    const double done = course->done < course->planned ? course->done / course->planned : 1;
    if (options->step && options->step(options->user, done))
        course->stopped = 1;
}

static double slot_seconds(const struct attune_rounds_options *options)
{
    return options->seconds / options->rounds;
}

static void prepare(struct course *course, struct attune_entry *entry)
{
    const double sample = fmin(longest_sample, slot_seconds(course->options) / 4);
    entry->samples = entry->rounds = 0;
    const double start = now(course);
    entry->calls = attune_measure_calibrate_on(course->options->clock, entry->run,
                                               entry->argument, sample);
    entry->spent = now(course) - start;
    entry->level = entry->probes
                       ? attune_probes_level(entry->probes, (int64_t)entry->work.bytes)
                       : ATTUNE_L1;
}

/* Probes that several entries share run once a round. */
static void run_probes(const struct course *course)
{
    for (int i = 0; i < course->count; i++) {
        int seen = course->entries[i]->probes == NULL;
        for (int j = 0; j < i && !seen; j++)
            seen = course->entries[j]->probes == course->entries[i]->probes;
        if (!seen)
            attune_probes_round(course->entries[i]->probes);
    }
}

/* Pairs of samples, A and B, until the slot's time is over. */
static void run_slot(struct course *course, struct attune_entry *entry)
{
    const struct attune_rounds_options *options = course->options;
    struct attune_round *round = &entry->round[entry->rounds];
    const int32_t first = entry->samples;
    const int32_t rounds = options->until_settled ? 2 * options->rounds : options->rounds;
    const int32_t most = ATTUNE_MEASURE_SAMPLES / (2 * rounds) * 2; /* pairs fit in any case */
    const double start = now(course);
    *round = (struct attune_round){.first = INFINITY, .second = INFINITY};
    do {
        /* ABBA: neither is always the one that runs on what the other left in the caches. */
        const int swapped = (entry->samples - first) / 2 % 2;
        for (int i = 0; i < 2; i++) {
            const double taken = attune_measure_sample_on(options->clock, entry->run,
                                                          entry->argument, entry->calls);
            double *side = i == swapped ? &round->first : &round->second;
            *side = fmin(*side, taken);
            entry->sample[entry->samples++] = taken;
        }
        step(course);
    } while (!course->stopped && now(course) - start < slot_seconds(options) &&
             entry->samples - first + 2 <= most);
    double sorted[ATTUNE_MEASURE_SAMPLES];
    const int32_t taken = entry->samples - first;
    memcpy(sorted, entry->sample + first, (size_t)taken * sizeof *sorted);
    round->median = attune_statistics_median(sorted, taken);
    round->minimum = sorted[0];
    if (entry->probes)
        round->roofs = attune_probes_latest(entry->probes, (int64_t)entry->work.bytes);
    entry->rounds++;
    entry->spent += now(course) - start;
}

/* An entry whose samples are long leaves rounds out, so that the others get theirs. */
static int has_turn(const struct course *course, const struct attune_entry *entry, int more)
{
    const struct attune_rounds_options *options = course->options;
    const double allowed = (more ? 3 : 1.5) * options->seconds;
    struct attune_figures figures;
    if (entry->rounds == ATTUNE_ROUNDS_MOST || entry->samples + 2 > ATTUNE_MEASURE_SAMPLES)
        return 0;
    if (entry->rounds >= LEAST_ROUNDS && entry->spent > allowed)
        return 0;
    return !more || (attune_rounds_figures(entry, &figures) && !figures.settled);
}

static int out_of_time(const struct course *course, int32_t round)
{
    return course->options->limit > 0 && round >= LEAST_ROUNDS &&
           now(course) - course->start > course->options->limit;
}

/* One round; every other one backwards, so that no entry always follows the same. Returns how many
 * had their turn. */
static int run_round(struct course *course, int32_t round, int more)
{
    int turns = 0;
    for (int i = 0; i < course->count; i++)
        turns += has_turn(course, course->entries[i], more);
    if (turns == 0 || course->stopped || out_of_time(course, round))
        return 0;
    course->planned += more ? course->count : 0; /* not known before whether it would be needed */
    run_probes(course);
    for (int i = 0; i < course->count && !course->stopped; i++) {
        const int at = round % 2 ? course->count - 1 - i : i;
        if (has_turn(course, course->entries[at], more))
            run_slot(course, course->entries[at]);
        course->done++;
    }
    return turns;
}

/* An entry above its roof means that the probes were interrupted, on a machine with other work. */
static void raise_roofs(struct course *course)
{
    struct attune_figures figures;
    for (int i = 0; i < course->count; i++) {
        struct attune_entry *entry = course->entries[i];
        for (int again = 0; again < MORE_PROBES && entry->probes && !course->stopped; again++) {
            if (!attune_rounds_figures(entry, &figures) || figures.share <= 1 ||
                out_of_time(course, LEAST_ROUNDS))
                break;
            attune_probes_doubt(entry->probes);
            attune_probes_round(entry->probes);
            step(course);
        }
    }
}

int attune_rounds_run(struct attune_entry *const *entries, int count,
                      const struct attune_rounds_options *options)
{
    struct course course = {.entries = entries,
                            .count = count,
                            .options = options,
                            .planned = (double)count * options->rounds};
    course.start = now(&course);
    for (int i = 0; i < count && !course.stopped; i++) {
        prepare(&course, entries[i]);
        step(&course);
    }
    for (int32_t round = 0; round < options->rounds; round++)
        if (!run_round(&course, round, 0))
            break;
    for (int32_t round = options->rounds; options->until_settled && round < 2 * options->rounds;
         round++)
        if (!run_round(&course, round, 1))
            break;
    raise_roofs(&course);
    return !course.stopped;
}

static double noise_of(const struct attune_entry *entry)
{
    double ratio[ATTUNE_ROUNDS_MOST];
    for (int32_t i = 0; i < entry->rounds; i++)
        ratio[i] = log(entry->round[i].first / entry->round[i].second);
    const struct attune_interval interval =
        attune_statistics_interval(ratio, entry->rounds, confidence);
    return expm1(0.5 * (interval.high - interval.low));
}

static int has_settled(const struct attune_entry *entry, const struct attune_figures *figures)
{
    int32_t reached = 0;
    for (int32_t i = 0; i < entry->rounds; i++)
        reached += entry->round[i].minimum <= (1 + reached_within) * figures->minimum;
    return entry->rounds >= LEAST_ROUNDS && reached >= LEAST_ROUNDS &&
           reached >= reached_in * entry->rounds && figures->noise <= quiet;
}

int attune_rounds_figures(const struct attune_entry *entry, struct attune_figures *figures)
{
    double sorted[ATTUNE_MEASURE_SAMPLES], medians[ATTUNE_ROUNDS_MOST];
    *figures = (struct attune_figures){0};
    if (entry->rounds == 0)
        return 0;
    memcpy(sorted, entry->sample, (size_t)entry->samples * sizeof *sorted);
    figures->median = attune_statistics_median(sorted, entry->samples);
    figures->minimum = sorted[0];
    for (int32_t i = 0; i < entry->rounds; i++)
        medians[i] = entry->round[i].median;
    const struct attune_interval interval =
        attune_statistics_interval(medians, entry->rounds, confidence);
    figures->low = fmin(interval.low, figures->median);
    figures->high = fmax(interval.high, figures->median);
    figures->noise = noise_of(entry);
    figures->settled = has_settled(entry, figures);
    if (!entry->probes)
        return 1;
    figures->roofs = attune_probes_roofs(entry->probes, (int64_t)entry->work.bytes);
    figures->bound = attune_work_bound(&entry->work, entry->level, &figures->roofs);
    if (figures->bound.roof > 0 && figures->minimum > 0)
        figures->share = figures->bound.amount / figures->minimum / figures->bound.roof;
    return 1;
}

double attune_rounds_roof(const struct attune_entry *entry, const struct attune_figures *figures,
                          int32_t round)
{
    double roof = 0;
    for (int32_t i = round > 0 ? round - 1 : 0; i <= round + 1 && i < entry->rounds; i++)
        roof = fmax(roof, attune_work_roof(figures->bound.unit, entry->level,
                                           &entry->round[i].roofs));
    return roof;
}
