/* SPDX-License-Identifier: Apache-2.0
 *
 * Race and final. The race ranks by minimum, which finds the fast ones in few samples; the final
 * decides by the median of ratios within a round, from which drift cancels. Times of the race, from
 * which the lucky came out, enter no result.
 */
#include "tuner/search.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* A speed-up below this is not worth other bits, whatever the noise. */
#define LEAST_GAIN 0.015
#define CONFIDENCE 0.95
/* Candidates so many times slower than the fastest so far are out after their first sample. */
#define HOPELESS 1.6

enum { SLOTS = ATTUNE_SEARCH_FINALISTS + 2 }; /* the default, itself again, finalists */
static const int32_t stage_rounds[] = {4, 3, 4, 6};
enum { STAGES = sizeof stage_rounds / sizeof *stage_rounds };

/* A candidate as the timer's argument. */
struct racer {
    const struct attune_search_driver *driver;
    int32_t candidate;
};

static void run_racer(void *argument)
{
    const struct racer *racer = argument;
    racer->driver->run(racer->driver->user, racer->candidate);
}

static double sample(const struct attune_search_driver *driver, int32_t candidate, int64_t calls)
{
    struct racer racer = {driver, candidate};
    return attune_measure_sample_on(&driver->clock, run_racer, &racer, calls);
}

static int is_cancelled(const struct attune_search_driver *driver)
{
    return driver->cancelled != NULL && driver->cancelled(driver->user);
}

static int is_over(const struct attune_search_driver *driver)
{
    return is_cancelled(driver) ||
           (driver->until > 0 && driver->clock.seconds(driver->clock.user) >= driver->until);
}

int64_t attune_search_calls(const struct attune_search_driver *driver, int32_t base,
                            double sample_seconds)
{
    struct racer racer = {driver, base};
    return attune_measure_calibrate_on(&driver->clock, run_racer, &racer, sample_seconds);
}

/* Which of `count` comes `turn`-th in a round: every one is first, and behind every other, equally
 * often. */
static int32_t in_turn(int32_t round, int32_t turn, int32_t count)
{
    const int32_t at = (round / 2 + turn) % count;
    return round % 2 != 0 ? count - 1 - at : at;
}

static void sort_by_time(int32_t *candidates, const double *seconds, int32_t count)
{
    for (int32_t i = 1; i < count; i++) {
        const int32_t moved = candidates[i];
        int32_t at = i;
        for (; at > 0 && seconds[candidates[at - 1]] > seconds[moved]; at--)
            candidates[at] = candidates[at - 1];
        candidates[at] = moved;
    }
}

/* Warms each up by one call; the second is its first time. */
static int32_t screen(const struct attune_search_driver *driver, int32_t base, int32_t *candidates,
                      int32_t count, double *seconds)
{
    int32_t left = 0;
    for (int32_t i = 0; i < count && !is_cancelled(driver); i++) {
        driver->run(driver->user, candidates[i]);
        seconds[candidates[i]] = fmin(sample(driver, candidates[i], 1), sample(driver, candidates[i], 1));
    }
    double fastest = seconds[base];
    for (int32_t i = 0; i < count; i++)
        fastest = fmin(fastest, seconds[candidates[i]]);
    for (int32_t i = 0; i < count; i++)
        if (candidates[i] == base || seconds[candidates[i]] <= HOPELESS * fastest)
            candidates[left++] = candidates[i];
    return left;
}

int32_t attune_search_race(const struct attune_search_driver *driver, int32_t base,
                           int32_t *candidates, int32_t count, int32_t keep, int64_t calls,
                           double *seconds)
{
    for (int32_t i = 0; i < ATTUNE_SEARCH_CANDIDATES; i++)
        seconds[i] = INFINITY;
    count = screen(driver, base, candidates, count, seconds);
    if (is_over(driver))
        sort_by_time(candidates, seconds, count); /* on a machine too slow for more */
    else
        for (int32_t i = 0; i < ATTUNE_SEARCH_CANDIDATES; i++)
            seconds[i] = INFINITY;
    for (int32_t stage = 0, round = 0; stage < STAGES && !is_over(driver); stage++) {
        for (int32_t i = 0; i < stage_rounds[stage] && !is_over(driver); i++, round++)
            for (int32_t turn = 0; turn < count; turn++) {
                const int32_t one = candidates[in_turn(round, turn, count)];
                seconds[one] = fmin(seconds[one], sample(driver, one, calls));
            }
        sort_by_time(candidates, seconds, count);
        const int32_t half = (count + 1) / 2;
        count = half > keep ? half : count < keep ? count : keep;
    }
    return count < keep ? count : keep;
}

/* ---- The final. ---- */

struct final {
    int32_t racer[SLOTS];
    int32_t count; /* of racers: the default twice, then finalists */
    double seconds[SLOTS][ATTUNE_SEARCH_ROUNDS_MAX];
    int32_t rounds;
};

/* The rounds without which nothing is decided are run whatever the time. */
static void run_rounds(const struct attune_search_driver *driver, struct final *final, int64_t calls)
{
    const int needed = final->rounds == 0;
    for (int32_t i = 0; i < ATTUNE_SEARCH_ROUNDS; i++, final->rounds++) {
        if (needed ? is_cancelled(driver) : is_over(driver))
            return;
        for (int32_t turn = 0; turn < final->count; turn++) {
            const int32_t slot = in_turn(final->rounds, turn, final->count);
            final->seconds[slot][final->rounds] = sample(driver, final->racer[slot], calls);
        }
    }
}

/* Times of the default over those of a slot, round by round. */
static void ratios(const struct final *final, int32_t slot, double *ratio)
{
    for (int32_t i = 0; i < final->rounds; i++)
        ratio[i] = final->seconds[slot][i] > 0 ? final->seconds[0][i] / final->seconds[slot][i] : 1;
}

static void judge_noise(const struct final *final, struct attune_search_result *result)
{
    double ratio[ATTUNE_SEARCH_ROUNDS_MAX];
    ratios(final, 1, ratio);
    const struct attune_interval itself =
        attune_statistics_interval(ratio, final->rounds, CONFIDENCE);
    result->noise = 0.5 * (itself.high - itself.low);
    result->deviation = attune_statistics_deviation(ratio, final->rounds);
    result->rounds = final->rounds;
}

/* Returns whether more rounds could still change the verdict. */
static int judge(const struct final *final, struct attune_search_result *result)
{
    const double gain = fmax(LEAST_GAIN, 2 * result->noise);
    int open = 0, proven = 0;
    result->best = -1;
    result->winner = final->racer[0];
    for (int32_t slot = 2; slot < final->count; slot++) {
        double ratio[ATTUNE_SEARCH_ROUNDS_MAX];
        ratios(final, slot, ratio);
        const struct attune_interval speedup = attune_statistics_interval(
            ratio, final->rounds, 1 - (1 - CONFIDENCE) / (final->count - 2));
        const int sure = speedup.low > 1 + gain;
        open |= !sure && speedup.median > 1 + LEAST_GAIN;
        if (result->best >= 0 && (sure < proven || (sure == proven && !(speedup.median >
                                                                       result->speedup.median))))
            continue;
        proven = sure;
        result->best = final->racer[slot];
        result->speedup = speedup;
        result->winner = sure ? result->best : final->racer[0];
    }
    return open;
}

void attune_search_final(const struct attune_search_driver *driver, int32_t base,
                         const int32_t *finalists, int32_t count, int64_t calls,
                         struct attune_search_result *result)
{
    struct final final = {.racer = {base, base}, .count = 2};
    *result = (struct attune_search_result){.winner = base, .best = -1, .speedup = {1, 1, 1}};
    for (int32_t i = 0; i < count && final.count < SLOTS; i++) {
        if (finalists[i] == base)
            continue;
        if (driver->check(driver->user, finalists[i]))
            final.racer[final.count++] = finalists[i];
        else
            result->wrong++;
    }
    int open = 1;
    while (open && final.rounds < ATTUNE_SEARCH_ROUNDS_MAX) {
        run_rounds(driver, &final, calls);
        if (final.rounds == 0)
            break;
        judge_noise(&final, result);
        open = judge(&final, result) && !is_over(driver);
    }
    result->cancelled = is_cancelled(driver);
    if (result->cancelled || final.rounds < ATTUNE_SEARCH_ROUNDS ||
        !(result->deviation <= ATTUNE_SEARCH_NOISE_MAX))
        result->winner = base;
}
