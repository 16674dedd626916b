/* SPDX-License-Identifier: Apache-2.0
 *
 * A problem three ways: as an untuned library computes it, as one with a tuned cache does, and by the
 * fastest of every candidate that the tuner knows for it, which all race on the problem itself.
 */
#include <stdio.h>
#include <string.h>

#include "bench/cli/spec.h"
#include "engine/tune_case.h"
#include "tests/tuning/judge.h"
#include "tuner/space.h"
#include "tuner/tune_key.h"

static const double sample_seconds = 5e-4, race_seconds = 1.0;
enum { DEFAULT, TUNED, FIRST };

struct judge {
    struct attune_context *model, *tuned;
};

struct contest {
    struct attune_tune_case timed;
    struct attune_search_driver driver;
    int64_t calls;
    int32_t candidates[ATTUNE_SEARCH_CANDIDATES], count; /* beside the two plans */
    struct attune_space core, parallel;
};

static const struct attune_choice *choice_of(const struct contest *contest, int32_t index)
{
    const int32_t at = index - FIRST;
    return at < contest->core.count ? &contest->core.choice[at]
                                    : &contest->parallel.choice[at - contest->core.count];
}

/* Every candidate of both tiers, each alone, where a plan may take it. */
static void enter_candidates(struct judge *judge, struct contest *contest, const struct attune_plan *plan)
{
    struct attune_key key;
    contest->parallel.count = 0;
    attune_space_core(&plan->asked, plan->rows < 256 ? plan->rows : 256, &contest->core);
    attune_plan_parallel_key(plan, &key);
    if (judge->model->threads > 1)
        attune_space_parallel(&key, &contest->parallel);
    const int32_t all = contest->core.count + contest->parallel.count;
    for (int32_t i = FIRST; i < FIRST + all && i < ATTUNE_SEARCH_CANDIDATES; i++) {
        const int core = i - FIRST < contest->core.count;
        struct attune_plan *rival;
        if (attune_plan_create_forced(judge->model, &contest->timed.problem,
                                      core ? choice_of(contest, i) : NULL,
                                      core ? NULL : choice_of(contest, i), &rival) == ATTUNE_OK &&
            attune_tune_case_take(&contest->timed, i, rival))
            contest->candidates[contest->count++] = i;
    }
}

static int open_contest(struct judge *judge, struct contest *contest,
                        const struct attune_problem *problem)
{
    struct attune_plan *plan[FIRST];
    memset(contest, 0, sizeof *contest);
    int fine = attune_tune_case_open_whole(&contest->timed, judge->model, problem) == ATTUNE_OK;
    if (fine && attune_plan_create(judge->model, problem, &plan[DEFAULT]) == ATTUNE_OK)
        fine = attune_tune_case_take(&contest->timed, DEFAULT, plan[DEFAULT]);
    if (fine && attune_plan_create(judge->tuned, problem, &plan[TUNED]) == ATTUNE_OK)
        fine = attune_tune_case_take(&contest->timed, TUNED, plan[TUNED]);
    fine = fine && contest->timed.plan[DEFAULT] != NULL && contest->timed.plan[TUNED] != NULL;
    contest->driver = (struct attune_search_driver){
        .run = attune_tune_case_run, .check = attune_tune_case_check, .move = attune_tune_case_move,
        .user = &contest->timed, .clock = attune_clock_monotonic};
    if (fine)
        enter_candidates(judge, contest, contest->timed.plan[DEFAULT]);
    return fine;
}

static int same_plans(const struct attune_plan *a, const struct attune_plan *b)
{
    return memcmp(a->choice.kernel, b->choice.kernel, sizeof a->choice.kernel) == 0 &&
           memcmp(&a->tiles, &b->tiles, sizeof a->tiles) == 0 && a->workers == b->workers &&
           a->schedule == b->schedule;
}

/* The tuned plan against the default. */
static void judge_tuned(struct contest *contest, struct attune_search_result *result)
{
    const int32_t tuned = TUNED;
    *result = (struct attune_search_result){.speedup = {1, 1, 1}};
    if (same_plans(contest->timed.plan[DEFAULT], contest->timed.plan[TUNED]))
        return;
    attune_search_final(&contest->driver, DEFAULT, &tuned, 1, contest->calls, result);
}

/* The best candidate against the tuned plan. */
static void judge_best(struct contest *contest, struct attune_search_result *result)
{
    double seconds[ATTUNE_SEARCH_CANDIDATES];
    struct attune_search_driver driver = contest->driver;
    driver.until = driver.clock.seconds(driver.clock.user) + race_seconds;
    const int32_t left = attune_search_race(&driver, TUNED, contest->candidates, contest->count,
                                            ATTUNE_SEARCH_FINALISTS, contest->calls, seconds);
    attune_search_final(&contest->driver, TUNED, contest->candidates, left, contest->calls, result);
}

static void tell(const struct contest *contest, const char *spec, const struct attune_search_result *tuned,
                 const struct attune_search_result *best)
{
    const struct attune_plan *plan = contest->timed.plan[TUNED];
    char text[ATTUNE_CHOICE_TEXT] = "";
    if (best->best >= 0)
        (void)attune_tuned_text(choice_of(contest, best->best), &contest->core.choice[0], text,
                                sizeof text);
    (void)printf("%s\t%s/%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%s\n", spec,
                 attune_origin_word(plan->origin), attune_origin_word(plan->parallel_origin),
                 tuned->speedup.median, tuned->speedup.low, tuned->speedup.high, tuned->noise,
                 best->speedup.median, best->speedup.low, text);
    (void)fflush(stdout);
}

static int judge_spec(struct judge *judge, const char *spec)
{
    static struct contest contest;
    struct attune_problem problem;
    struct attune_trouble trouble;
    struct attune_search_result tuned, best;
    if (attune_spec_parse(spec, &problem, &trouble) != 0)
        return attune_trouble_report(&trouble, "judge", spec);
    const int fine = open_contest(judge, &contest, &problem);
    if (fine) {
        contest.calls = attune_search_calls(&contest.driver, DEFAULT, sample_seconds);
        judge_tuned(&contest, &tuned);
        judge_best(&contest, &best);
        tell(&contest, spec, &tuned, &best);
    }
    attune_tune_case_close(&contest.timed);
    return fine ? 0 : 4;
}

int judge_rivals(int32_t threads, const char *cache, char **specs, int count)
{
    struct judge judge = {.model = judge_context(threads, NULL), .tuned = judge_context(threads, cache)};
    int code = 0;
    for (int i = 0; i < count && code == 0; i++)
        code = judge_spec(&judge, specs[i]);
    attune_context_release(judge.model);
    attune_context_release(judge.tuned);
    return code;
}
