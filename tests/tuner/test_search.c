/* SPDX-License-Identifier: Apache-2.0
 *
 * The search on machines that do not exist: it finds what is faster, and believes in nothing that is
 * not, whatever the noise.
 */
#include <criterion/criterion.h>

#include "tests/tuner/machine.h"

enum { TRIALS = 400, POOL = 24 };

static int32_t race(struct attune_search_driver *driver, int32_t *finalists, int64_t calls)
{
    int32_t candidates[POOL];
    double seconds[ATTUNE_SEARCH_CANDIDATES];
    for (int32_t i = 0; i < POOL; i++)
        candidates[i] = i;
    const int32_t left = attune_search_race(driver, 0, candidates, POOL, ATTUNE_SEARCH_FINALISTS,
                                            calls, seconds);
    for (int32_t i = 0; i < left; i++)
        finalists[i] = candidates[i];
    return left;
}

/* Race and final, as for a key: candidate 0 is the default. */
static struct attune_search_result search(struct machine *machine)
{
    struct attune_search_driver driver = machine_driver(machine);
    struct attune_search_result result;
    int32_t finalists[ATTUNE_SEARCH_FINALISTS];
    const int64_t calls = attune_search_calls(&driver, 0, 5e-4);
    const int32_t left = race(&driver, finalists, calls);
    attune_search_final(&driver, 0, finalists, left, calls, &result);
    return result;
}

static int false_accepts(enum machine_noise noise)
{
    int accepted = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        struct machine machine;
        machine_start(&machine, noise, (uint64_t)(1000 * noise + trial));
        accepted += search(&machine).winner != 0;
    }
    return accepted;
}

Test(search, equal_candidates_do_not_replace_the_default, .timeout = 120)
{
    for (enum machine_noise noise = MACHINE_QUIET; noise < MACHINE_NOISES; noise++) {
        const int accepted = false_accepts(noise);
        cr_log_info("%s: %d of %d accepted", machine_noise_name(noise), accepted, TRIALS);
        cr_assert_lt(accepted, TRIALS * 5 / 100, "%s: %d of %d accepted", machine_noise_name(noise),
                     accepted, TRIALS);
    }
}

/* One of 24 is 5 % faster; of the traces whose noise is at most 1.5 % it is found in nine of ten. */
Test(search, a_true_gain_of_five_percent_is_found, .timeout = 120)
{
    for (enum machine_noise noise = MACHINE_QUIET; noise <= MACHINE_RECORDED; noise++) {
        int found = 0, fair = 0;
        for (int trial = 0; trial < TRIALS; trial++) {
            struct machine machine;
            machine_start(&machine, noise, (uint64_t)(5000 * noise + trial));
            machine.seconds[1 + trial % (POOL - 1)] /= 1.05;
            const struct attune_search_result result = search(&machine);
            fair += result.noise <= 0.015;
            found += result.noise <= 0.015 && result.winner == 1 + trial % (POOL - 1);
        }
        cr_log_info("%s: %d of %d found", machine_noise_name(noise), found, fair);
        cr_assert_gt(fair, TRIALS / 4, "%s: only %d traces are quiet enough to count",
                     machine_noise_name(noise), fair);
        cr_assert_gt(found, fair * 90 / 100, "%s: %d of %d found", machine_noise_name(noise), found,
                     fair);
    }
}

Test(search, a_planted_slow_default_is_replaced)
{
    for (enum machine_noise noise = MACHINE_QUIET; noise <= MACHINE_RECORDED; noise++) {
        struct machine machine;
        machine_start(&machine, noise, 7);
        machine.seconds[0] *= 1.4;
        const struct attune_search_result result = search(&machine);
        cr_assert_neq(result.winner, 0, "%s", machine_noise_name(noise));
        cr_assert_eq(result.winner, result.best);
        cr_assert(result.speedup.low > 1.25 && result.speedup.high < 1.55, "%s: %g to %g",
                  machine_noise_name(noise), result.speedup.low, result.speedup.high);
    }
}

Test(search, the_same_trace_twice_gives_the_same_winner)
{
    int same = 0;
    for (int trial = 0; trial < 100; trial++) {
        struct attune_search_result result[2];
        for (int i = 0; i < 2; i++) {
            struct machine machine;
            machine_start(&machine, MACHINE_RECORDED, (uint64_t)(2 * trial + i));
            machine.seconds[3] /= 1.08;
            machine.seconds[5] /= 1.04;
            result[i] = search(&machine);
        }
        same += result[0].winner == result[1].winner || result[0].winner == 0 ||
                result[1].winner == 0;
    }
    cr_assert_geq(same, 90, "%d of 100", same);
}

Test(search, a_wrong_candidate_never_wins)
{
    struct machine machine;
    machine_start(&machine, MACHINE_QUIET, 3);
    machine.seconds[4] /= 3;
    machine.wrong = 1u << 4;
    const struct attune_search_result result = search(&machine);
    cr_assert_eq(result.winner, 0);
    cr_assert_eq(result.wrong, 1);
}

Test(search, the_fastest_of_several_wins_its_race)
{
    struct machine machine;
    machine_start(&machine, MACHINE_DRIFT, 11);
    for (int i = 0; i < POOL; i++)
        machine.seconds[i] *= 1 + 0.05 * ((i + 5) % POOL);
    struct attune_search_driver driver = machine_driver(&machine);
    int32_t finalists[ATTUNE_SEARCH_FINALISTS];
    cr_assert_eq(race(&driver, finalists, 5), ATTUNE_SEARCH_FINALISTS);
    cr_assert_eq(finalists[0], POOL - 5);
    cr_assert_eq(finalists[1], POOL - 4);
    cr_assert_eq(finalists[2], POOL - 3);
}

Test(search, a_shaky_machine_is_told_from_a_quiet_one)
{
    for (enum machine_noise noise = MACHINE_QUIET; noise < MACHINE_NOISES; noise++) {
        struct machine machine;
        machine_start(&machine, noise, 5);
        struct attune_search_driver driver = machine_driver(&machine);
        struct attune_search_result result;
        attune_search_final(&driver, 0, NULL, 0, 5, &result);
        cr_assert_eq(result.rounds, ATTUNE_SEARCH_ROUNDS, "nothing to decide");
        if (noise == MACHINE_SHAKY)
            cr_assert_gt(result.deviation, 0.05);
        else
            cr_assert_lt(result.deviation, 0.1, "%s: %g", machine_noise_name(noise),
                         result.deviation);
    }
}

Test(search, a_winner_among_noise_beyond_measure_is_not_believed)
{
    struct machine machine;
    machine_start(&machine, MACHINE_SHAKY, 9);
    machine.seconds[1] /= 2;
    struct attune_search_driver driver = machine_driver(&machine);
    struct attune_search_result result;
    const int32_t finalists[] = {1};
    attune_search_final(&driver, 0, finalists, 1, 1, &result);
    cr_assert_gt(result.deviation, ATTUNE_SEARCH_NOISE_MAX);
    cr_assert_eq(result.winner, 0);
}

Test(search, cancelling_ends_between_rounds_without_a_winner)
{
    struct machine machine;
    machine_start(&machine, MACHINE_QUIET, 1);
    machine.seconds[1] /= 2;
    machine.cancel_after = 200;
    const struct attune_search_result result = search(&machine);
    cr_assert(result.cancelled);
    cr_assert_eq(result.winner, 0);
}

/* However clear the result is by then. */
Test(search, cancelling_in_the_last_round_leaves_no_winner_either)
{
    struct machine machine;
    machine_start(&machine, MACHINE_QUIET, 1);
    machine.seconds[1] /= 2;
    machine.cancel_after = 3 * ATTUNE_SEARCH_ROUNDS - 1;
    struct attune_search_driver driver = machine_driver(&machine);
    struct attune_search_result result;
    const int32_t finalists[] = {1};
    attune_search_final(&driver, 0, finalists, 1, 1, &result);
    cr_assert_eq(result.rounds, ATTUNE_SEARCH_ROUNDS);
    cr_assert_gt(result.speedup.low, 1.5);
    cr_assert(result.cancelled);
    cr_assert_eq(result.winner, 0);
}

Test(search, the_default_as_a_finalist_is_not_run_thrice)
{
    struct machine machine;
    machine_start(&machine, MACHINE_QUIET, 1);
    struct attune_search_driver driver = machine_driver(&machine);
    struct attune_search_result result;
    const int32_t finalists[] = {0};
    attune_search_final(&driver, 0, finalists, 1, 1, &result);
    cr_assert_eq(machine.runs, 2 * ATTUNE_SEARCH_ROUNDS);
    cr_assert_eq(result.best, -1);
}
