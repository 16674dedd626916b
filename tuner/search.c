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
/* Finalists so close to the fastest are as good as it. */
#define ALIKE 0.01
/* Candidates so many times slower than the fastest so far are out after their first sample. */
#define HOPELESS 1.6

enum { FIRST = 2, SLOTS = FIRST + ATTUNE_SEARCH_FINALISTS }; /* the default, itself again, finalists */
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

/* Every second round, so that candidates run in both orders there, goes to another place, whose caches
 * one run makes warm. */
static void move_on(const struct attune_search_driver *driver, int32_t round, int32_t candidate)
{
    if (round % 2 == 0 && driver->move != NULL && driver->move(driver->user, round / 2))
        driver->run(driver->user, candidate);
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
        for (int32_t i = 0; i < stage_rounds[stage] && !is_over(driver); i++, round++) {
            move_on(driver, round, candidates[0]);
            for (int32_t turn = 0; turn < count; turn++) {
                const int32_t one = candidates[in_turn(round, turn, count)];
                seconds[one] = fmin(seconds[one], sample(driver, one, calls));
            }
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
        move_on(driver, final->rounds, final->racer[0]);
        for (int32_t turn = 0; turn < final->count; turn++) {
            const int32_t slot = in_turn(final->rounds, turn, final->count);
            final->seconds[slot][final->rounds] = sample(driver, final->racer[slot], calls);
        }
    }
}

/* Times of one slot over those of another, round by round. */
static void ratios(const struct final *final, int32_t over, int32_t slot, double *ratio)
{
    for (int32_t i = 0; i < final->rounds; i++)
        ratio[i] = final->seconds[slot][i] > 0 ? final->seconds[over][i] / final->seconds[slot][i] : 1;
}

static void judge_noise(const struct final *final, struct attune_search_result *result)
{
    double ratio[ATTUNE_SEARCH_ROUNDS_MAX];
    ratios(final, 0, 1, ratio);
    const struct attune_interval itself =
        attune_statistics_interval(ratio, final->rounds, CONFIDENCE);
    result->noise = 0.5 * (itself.high - itself.low);
    result->deviation = attune_statistics_deviation(ratio, final->rounds);
    result->rounds = final->rounds;
}

/* The first finalist, in the order in which they were given, that is as good as the best: the lucky one
 * of several equals would be another one each time. */
static int32_t prefer(const struct final *final, const int *sure, int32_t best, double noise)
{
    double ratio[ATTUNE_SEARCH_ROUNDS_MAX];
    for (int32_t slot = FIRST; slot < best; slot++) {
        ratios(final, slot, best, ratio);
        if (sure[slot] == sure[best] &&
            attune_statistics_median(ratio, final->rounds) <= 1 + fmax(ALIKE, noise))
            return slot;
    }
    return best;
}

/* Returns whether more rounds could still change the verdict. */
static int judge(const struct final *final, double least_gain, struct attune_search_result *result)
{
    const double gain = fmax(least_gain, 2 * result->noise);
    struct attune_interval speedup[SLOTS];
    int sure[SLOTS], open = 0;
    int32_t best = -1;
    result->best = -1;
    result->winner = final->racer[0];
    for (int32_t slot = FIRST; slot < final->count; slot++) {
        double ratio[ATTUNE_SEARCH_ROUNDS_MAX];
        ratios(final, 0, slot, ratio);
        speedup[slot] = attune_statistics_interval(ratio, final->rounds,
                                                   1 - (1 - CONFIDENCE) / (final->count - FIRST));
        sure[slot] = speedup[slot].low > 1 + gain;
        open |= !sure[slot] && speedup[slot].median > 1 + least_gain;
        if (best < 0 || sure[slot] > sure[best] ||
            (sure[slot] == sure[best] && speedup[slot].median > speedup[best].median))
            best = slot;
    }
    if (best < 0)
        return 0;
    best = prefer(final, sure, best, result->noise);
    result->best = final->racer[best];
    result->speedup = speedup[best];
    result->winner = sure[best] ? result->best : final->racer[0];
    return open;
}

void attune_search_final(const struct attune_search_driver *driver, int32_t base,
                         const int32_t *finalists, int32_t count, int64_t calls,
                         struct attune_search_result *result)
{
    const double least_gain = driver->least_gain > 0 ? driver->least_gain : LEAST_GAIN;
    struct final final = {.racer = {base, base}, .count = FIRST};
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
        open = judge(&final, least_gain, result) && !is_over(driver);
    }
    result->cancelled = is_cancelled(driver);
    if (result->cancelled || final.rounds < ATTUNE_SEARCH_ROUNDS ||
        !(result->deviation <= ATTUNE_SEARCH_NOISE_MAX))
        result->winner = base;
}
