/* SPDX-License-Identifier: Apache-2.0
 *
 * Candidates on one axis race; those that beat the default are combined and race again; the winner is
 * extended by each of them once more, for a race is short and may have missed one; the last three meet
 * the default in the final.
 */
#include "tuner/tune_key.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tuner/text.h"

/* Faster ones of the first race that are combined with each other, and that extend the best of these; and
 * knobs that are taken away from it. */
enum { COMBINED = 5, EXTENDING = 8, SIMPLER = 4 };
/* A knob that gains less is taken away: another time another one would gain as little. */
#define LEAST_KNOB 1.007
/* Schedules differ by less on a machine that nobody shares than by chance on one that is shared. */
#define LEAST_PARALLEL_GAIN 0.03
/* By effort: of one sample, and of a key; the races end at these parts of it. */
static const double sample_seconds[] = {2e-4, 4e-4, 1e-3}, key_seconds[] = {1, 2, 8};
static const double race_ends[] = {0.3, 0.45, 0.6, 0.75};

/* What the races of a key share. */
struct race {
    struct attune_space *space;
    double begun, limit; /* on the driver's clock */
    int64_t calls;
    double seconds[ATTUNE_SEARCH_CANDIDATES]; /* fastest sample of each candidate in the last race */
    uint8_t ready[ATTUNE_SEARCH_CANDIDATES];  /* whether it can be run */
};

/* Those from `first` on that can be run are appended. */
static int32_t open_from(const struct attune_tune_bench *bench, struct race *race, int32_t first,
                         int32_t *candidates, int32_t count)
{
    for (int32_t i = first; i < race->space->count; i++) {
        race->ready[i] = bench->open(bench->driver.user, i, &race->space->choice[i]) != 0;
        if (race->ready[i])
            candidates[count++] = i;
    }
    return count;
}

/* The candidates that were faster than the default, fastest first. */
static int32_t faster_ones(const double *seconds, const int32_t *candidates, int32_t count,
                           int32_t *faster)
{
    int32_t found = 0;
    for (int32_t i = 0; i < count; i++)
        if (candidates[i] != 0 && seconds[candidates[i]] < seconds[0])
            faster[found++] = candidates[i];
    return found;
}

static int32_t thousandths(double ratio)
{
    const double scaled = floor(1000 * ratio + 0.5);
    return scaled > ATTUNE_CHOICE_RATIO_MAX ? ATTUNE_CHOICE_RATIO_MAX
           : scaled > 0                     ? (int32_t)scaled
                                            : 0;
}

/* What a plan of the key takes from now on. Knobs that the tuner did not vary stay the model's. */
static void enter(const struct attune_choice *winner, int core, enum attune_effort effort,
                  int64_t date, struct attune_tuned *tuned)
{
    const struct attune_search_result *search = &tuned->search;
    struct attune_choice *choice = &tuned->choice;
    memset(choice, 0, sizeof *choice);
    if (search->winner != 0) {
        *choice = *winner;
        choice->kv_split = 0;
        for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++)
            if (!core || !attune_space_varies((enum attune_operation)i))
                choice->kernel[i] = NULL;
    }
    choice->verdict = search->winner != 0 ? ATTUNE_VERDICT_WIN : ATTUNE_VERDICT_TIE;
    choice->effort = (int32_t)effort;
    choice->date = date;
    choice->speedup = thousandths(search->speedup.median);
    choice->low = thousandths(search->speedup.low);
    choice->high = thousandths(search->speedup.high);
    choice->noise = thousandths(search->noise);
}

/* One race; the `number`-th stage of a key's search. */
static int32_t run_race(const struct attune_tune_bench *bench, struct race *race, int32_t number,
                        int32_t *candidates, int32_t count, int32_t keep)
{
    struct attune_search_driver driver = bench->driver;
    driver.until = race->begun + race_ends[number] * race->limit;
    return attune_search_race(&driver, 0, candidates, count, keep, race->calls, race->seconds);
}

/* Combinations of the faster ones on one axis; returns who is left. */
static int32_t combine(const struct attune_tune_bench *bench, const struct attune_model_problem *problem,
                       struct race *race, int32_t *candidates, int32_t left)
{
    struct attune_space *space = race->space;
    int32_t faster[EXTENDING + 1], first = space->count;
    const int32_t better = faster_ones(race->seconds, candidates, left, faster);
    attune_space_combine(problem, faster, better < COMBINED ? better : COMBINED, space);
    left = open_from(bench, race, first, candidates, left);
    left = run_race(bench, race, 1, candidates, left, ATTUNE_SEARCH_FINALISTS);
    first = space->count;
    attune_space_extend(problem, candidates[0], faster, better, space);
    left = open_from(bench, race, first, candidates, left);
    return run_race(bench, race, 2, candidates, left, ATTUNE_SEARCH_FINALISTS);
}

/* The best candidate without one of its knobs, the one that it misses least; the candidate itself where
 * it misses every one. */
static int32_t drop_knob(const struct attune_tune_bench *bench, const struct attune_model_problem *problem,
                         struct race *race, int32_t best)
{
    int32_t simpler[ATTUNE_SPACE_KNOBS], racing[ATTUNE_SPACE_KNOBS + 1], count = 0;
    const int32_t first = race->space->count;
    const int32_t listed = attune_space_simplify(problem, best, race->space, simpler);
    (void)open_from(bench, race, first, racing, 0);
    racing[count++] = best;
    for (int32_t i = 0; i < listed; i++)
        if (race->ready[simpler[i]])
            racing[count++] = simpler[i];
    if (count == 1)
        return best;
    count = run_race(bench, race, 3, racing, count, count);
    for (int32_t i = 0; i < count; i++)
        if (racing[i] != best)
            return race->seconds[racing[i]] <= LEAST_KNOB * race->seconds[best] ? racing[i] : best;
    return best;
}

/* Puts simpler forms of the best before the others; returns how many finalists there are. */
static int32_t simplify(const struct attune_tune_bench *bench, const struct attune_model_problem *problem,
                        struct race *race, int32_t *candidates, int32_t left)
{
    int32_t finalists[SIMPLER + ATTUNE_SEARCH_FINALISTS + 1], count = 0, best = candidates[0];
    for (int32_t i = 0; i < SIMPLER && best != 0; i++) {
        const int32_t simpler = drop_knob(bench, problem, race, best);
        if (simpler == best)
            break;
        best = finalists[count++] = simpler;
    }
    for (int32_t i = 0; i < count / 2; i++) { /* the simplest first */
        const int32_t other = finalists[i];
        finalists[i] = finalists[count - 1 - i];
        finalists[count - 1 - i] = other;
    }
    for (int32_t i = 0; i < left; i++)
        finalists[count++] = candidates[i];
    int32_t kept = 0;
    for (int32_t i = 0; i < count && kept < ATTUNE_SEARCH_FINALISTS; i++) {
        int known = finalists[i] == 0;
        for (int32_t j = 0; j < kept; j++)
            known |= candidates[j] == finalists[i];
        if (!known)
            candidates[kept++] = finalists[i];
    }
    return kept;
}

static void sort_by_preference(const struct attune_model_problem *problem,
                               const struct attune_space *space, int32_t *candidates, int32_t count)
{
    for (int32_t i = 1; i < count; i++)
        for (int32_t at = i; at > 0 && attune_space_compare(problem, space, candidates[at - 1],
                                                            candidates[at]) > 0; at--) {
            const int32_t moved = candidates[at];
            candidates[at] = candidates[at - 1];
            candidates[at - 1] = moved;
        }
}

static void search(const struct attune_tune_bench *bench, const struct attune_model_problem *problem,
                   struct attune_space *space, enum attune_effort effort, struct attune_tuned *tuned)
{
    struct attune_search_driver driver = bench->driver;
    int32_t candidates[ATTUNE_SEARCH_CANDIDATES];
    struct race race = {.space = space, .begun = driver.clock.seconds(driver.clock.user),
                        .limit = key_seconds[effort], .ready = {1}};
    tuned->failed = space->count == 0 || !bench->open(driver.user, 0, &space->choice[0]) ||
                    !driver.check(driver.user, 0);
    if (tuned->failed)
        return;
    race.calls = attune_search_calls(&driver, 0, sample_seconds[effort]);
    candidates[0] = 0;
    int32_t left = open_from(bench, &race, 1, candidates, 1);
    left = run_race(bench, &race, 0, candidates, left,
                    problem != NULL ? EXTENDING + 1 : ATTUNE_SEARCH_FINALISTS);
    if (problem != NULL) {
        left = combine(bench, problem, &race, candidates, left);
        left = simplify(bench, problem, &race, candidates, left);
    }
    sort_by_preference(problem, space, candidates, left);
    driver.until = race.begun + race.limit;
    driver.least_gain = problem == NULL ? LEAST_PARALLEL_GAIN : 0;
    attune_search_final(&driver, 0, candidates, left, race.calls, &tuned->search);
    tuned->candidates = space->count;
    tuned->base = space->choice[0];
    tuned->best = space->choice[tuned->search.best >= 0 ? tuned->search.best : 0];
}

int attune_tune_core(const struct attune_tune_bench *bench,
                     const struct attune_model_problem *problem, int64_t rows, enum attune_effort effort,
                     int64_t date, struct attune_tuned *tuned)
{
    struct attune_space *space = malloc(sizeof *space);
    memset(tuned, 0, sizeof *tuned);
    if (space == NULL)
        return -1;
    attune_space_core(problem, rows, space);
    search(bench, problem, space, effort, tuned);
    enter(&space->choice[tuned->search.winner], 1, effort, date, tuned);
    free(space);
    return 0;
}

int attune_tune_parallel(const struct attune_tune_bench *bench, const struct attune_key *key,
                         enum attune_effort effort, int64_t date, struct attune_tuned *tuned)
{
    struct attune_space *space = malloc(sizeof *space);
    memset(tuned, 0, sizeof *tuned);
    if (space == NULL)
        return -1;
    attune_space_parallel(key, space);
    search(bench, NULL, space, effort, tuned);
    enter(&space->choice[tuned->search.winner], 0, effort, date, tuned);
    free(space);
    return 0;
}

size_t attune_tuned_text(const struct attune_choice *choice, const struct attune_choice *other,
                         char *text, size_t size)
{
    static const char *const schedules[] = {"", "even", "claimed", "weighted"};
    static const struct attune_choice none = {0};
    const struct attune_choice *than = other != NULL ? other : &none;
    const struct {
        const char *name;
        int32_t value, other;
    } knobs[] = {{"strip", choice->strip, than->strip},
                 {"q_block", choice->q_block, than->q_block},
                 {"kv_block", choice->kv_block, than->kv_block},
                 {"threads", choice->threads, than->threads}};
    size_t length = 0;
    attune_text_append(text, size, &length, "%s", "");
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++) {
        const struct attune_kernel *kernel = choice->kernel[i];
        if (kernel != NULL && kernel != than->kernel[i] &&
            attune_space_varies((enum attune_operation)i))
            attune_text_append(text, size, &length, "%s%s %s_%s", length > 0 ? ", " : "",
                               attune_operation_word((enum attune_operation)i), kernel->isa,
                               kernel->variant);
    }
    for (size_t i = 0; i < sizeof knobs / sizeof *knobs; i++)
        if (knobs[i].value > 0 && knobs[i].value != knobs[i].other)
            attune_text_append(text, size, &length, "%s%s %d", length > 0 ? ", " : "", knobs[i].name,
                               knobs[i].value);
    if (choice->schedule != than->schedule)
        attune_text_append(text, size, &length, "%s%s", length > 0 ? ", " : "",
                           schedules[choice->schedule]);
    if (length == 0 && other == NULL)
        attune_text_append(text, size, &length, "threads by the amount of work");
    return length;
}
