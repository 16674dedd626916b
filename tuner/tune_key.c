/* SPDX-License-Identifier: Apache-2.0
 *
 * Candidates on one axis race; those that beat the default are combined, and all that is left races
 * again; the last three meet the default in the final.
 */
#include "tuner/tune_key.h"

#include <math.h>
#include <string.h>

#include "tuner/text.h"

/* Faster ones of the first race that are combined with each other. */
enum { COMBINED = 5 };
/* By effort: of one sample, and of a key; the races end at these parts of it. */
static const double sample_seconds[] = {2e-4, 4e-4, 1e-3}, key_seconds[] = {1, 2, 8};
static const double first_race = 0.35, second_race = 0.55;

static int32_t open_from(const struct attune_tune_bench *bench, const struct attune_space *space,
                         int32_t first, int32_t *candidates, int32_t count)
{
    for (int32_t i = first; i < space->count; i++)
        if (bench->open(bench->driver.user, i, &space->choice[i]))
            candidates[count++] = i;
    return count;
}

/* The candidates that were faster than the default, fastest first. */
static int32_t faster_ones(const double *seconds, const int32_t *candidates, int32_t count,
                           int32_t *faster)
{
    int32_t found = 0;
    for (int32_t i = 0; i < count && found < COMBINED; i++)
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

/* Race, combination where there is one, second race, final. */
static void search(const struct attune_tune_bench *bench, const struct attune_model_problem *problem,
                   struct attune_space *space, enum attune_effort effort, struct attune_tuned *tuned)
{
    struct attune_search_driver timed = bench->driver, *driver = &timed;
    const double begun = driver->clock.seconds(driver->clock.user), limit = key_seconds[effort];
    int32_t candidates[ATTUNE_SEARCH_CANDIDATES], faster[COMBINED];
    double seconds[ATTUNE_SEARCH_CANDIDATES];
    int32_t count = open_from(bench, space, 0, candidates, 0);
    tuned->failed = count == 0 || candidates[0] != 0 || !driver->check(driver->user, 0);
    if (tuned->failed)
        return;
    const int64_t calls = attune_search_calls(driver, 0, sample_seconds[effort]);
    driver->until = begun + first_race * limit;
    int32_t left = attune_search_race(driver, 0, candidates, count, COMBINED + 1, calls, seconds);
    if (problem != NULL) {
        const int32_t first = space->count;
        const int32_t better = faster_ones(seconds, candidates, left, faster);
        attune_space_combine(problem, faster, better, space);
        left = open_from(bench, space, first, candidates, left);
    }
    driver->until = begun + second_race * limit;
    left = attune_search_race(driver, 0, candidates, left, ATTUNE_SEARCH_FINALISTS, calls, seconds);
    driver->until = begun + limit;
    attune_search_final(driver, 0, candidates, left, calls, &tuned->search);
    tuned->candidates = space->count;
    tuned->base = space->choice[0];
    tuned->best = space->choice[tuned->search.best >= 0 ? tuned->search.best : 0];
}

void attune_tune_core(const struct attune_tune_bench *bench,
                      const struct attune_model_problem *problem, int64_t rows,
                      enum attune_effort effort, int64_t date, struct attune_tuned *tuned)
{
    struct attune_space space;
    memset(tuned, 0, sizeof *tuned);
    attune_space_core(problem, rows, &space);
    search(bench, problem, &space, effort, tuned);
    enter(&space.choice[tuned->search.winner], 1, effort, date, tuned);
}

void attune_tune_parallel(const struct attune_tune_bench *bench, const struct attune_key *key,
                          enum attune_effort effort, int64_t date, struct attune_tuned *tuned)
{
    struct attune_space space;
    memset(tuned, 0, sizeof *tuned);
    attune_space_parallel(key, &space);
    search(bench, NULL, &space, effort, tuned);
    enter(&space.choice[tuned->search.winner], 0, effort, date, tuned);
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
    return length;
}
