/* SPDX-License-Identifier: Apache-2.0
 *
 * One key from candidates to entry, on a machine whose speeds are made up from what a candidate
 * names: the best is found, a slow default is replaced, ties name nothing.
 */
#include <criterion/criterion.h>

#include <string.h>

#include "arch/cpu.h"
#include "tests/tuner/machine.h"
#include "tuner/tune_key.h"

/* Seconds of one call of a candidate, by what it names. */
typedef double cost_fn(const struct attune_choice *choice);

struct fake {
    struct machine machine;
    cost_fn *cost;
    int32_t opened;
};

static struct attune_search_driver inner(struct fake *fake)
{
    return machine_driver(&fake->machine);
}

static int open_candidate(void *user, int32_t index, const struct attune_choice *choice)
{
    struct fake *fake = user;
    fake->opened++;
    fake->machine.seconds[index] = fake->cost(choice);
    return 1;
}

static struct attune_tune_bench bench_of(struct fake *fake, cost_fn *cost, enum machine_noise noise,
                                         uint64_t seed)
{
    fake->cost = cost;
    fake->opened = 0;
    machine_start(&fake->machine, noise, seed);
    /* The machine is the first member, so that its callbacks take the fake for it. */
    return (struct attune_tune_bench){.driver = inner(fake), .open = open_candidate};
}

static struct attune_model_problem problem_of(int32_t score, int64_t t)
{
    struct attune_model_problem problem = {
        .topology = attune_topology_get(),
        .features = attune_cpu_detect()->usable,
        .key = {.score = score, .isa = (int32_t)attune_key_isa(attune_cpu_detect()->usable),
                .dtype_q = 1, .dtype_k = 1, .dtype_v = 1, .e = 64, .group = 1,
                .class_q = attune_key_class(t), .class_k = attune_key_class(t)},
        .rows = t,
        .t_k = t,
    };
    problem.key.d = score == ATTUNE_KEY_DOT ? 64 : 0;
    problem.key.a = score != ATTUNE_KEY_DOT ? 64 : 0;
    problem.key.n = score == ATTUNE_KEY_LSTM ? 64 : 0;
    return problem;
}

static double all_alike(const struct attune_choice *choice)
{
    (void)choice;
    return 1e-4;
}

/* The last variant of each operation and instruction set is the fastest, 6 % each; a block of 384 keys
 * too. */
static double last_is_fastest(const struct attune_choice *choice)
{
    double seconds = 1e-4;
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++) {
        const struct attune_kernel *kernel = choice->kernel[i], *next = kernel;
        if (kernel == NULL || !attune_space_varies((enum attune_operation)i))
            continue;
        next = attune_kernel_next((enum attune_operation)i, attune_cpu_detect()->usable, kernel);
        seconds *= next != NULL && strcmp(next->isa, kernel->isa) == 0 ? 1.06 : 1;
    }
    return choice->kv_block == 384 ? seconds : 1.06 * seconds;
}

static double slow_default(const struct attune_choice *choice)
{
    const struct attune_kernel *first =
        attune_kernel_next(ATTUNE_OP_SOFTMAX, attune_cpu_detect()->usable, NULL);
    return choice->kernel[ATTUNE_OP_SOFTMAX] == first ? 1.5e-4 : 1e-4;
}

Test(tune_key, candidates_are_complete_legal_and_different)
{
    for (int32_t score = ATTUNE_KEY_DOT; score <= ATTUNE_KEY_LSTM; score++)
        for (int64_t t = 1; t <= 4096; t *= 8) {
            const struct attune_model_problem problem = problem_of(score, t);
            struct attune_space space;
            struct attune_choice again;
            struct attune_fault fault;
            attune_space_core(&problem, t < 256 ? t : 256, &space);
            cr_assert_gt(space.count, 3);
            cr_assert_lt(space.count, ATTUNE_SEARCH_CANDIDATES, "candidates were cut off");
            for (int32_t i = 0; i < space.count; i++) {
                cr_assert_eq(attune_lookup_accept(&problem, &space.choice[i], &again, &fault), 0, "%s",
                             fault.text);
                for (int32_t j = 0; j < i; j++)
                    cr_assert(memcmp(&space.choice[i], &space.choice[j], sizeof space.choice[i]) != 0);
            }
        }
}

Test(tune_key, equal_candidates_are_a_tie_that_names_nothing)
{
    const struct attune_model_problem problem = problem_of(ATTUNE_KEY_DOT, 512);
    struct attune_choice empty = {0};
    struct attune_tuned tuned;
    struct fake fake;
    const struct attune_tune_bench bench = bench_of(&fake, all_alike, MACHINE_BURSTS, 3);
    attune_tune_core(&bench, &problem, 256, ATTUNE_EFFORT_NORMAL, 77, &tuned);
    cr_assert_not(tuned.failed);
    cr_assert_eq(tuned.choice.verdict, ATTUNE_VERDICT_TIE);
    cr_assert_eq(tuned.choice.date, 77);
    cr_assert_arr_eq(tuned.choice.kernel, empty.kernel, sizeof empty.kernel);
    cr_assert_eq(attune_choice_check(&problem.key, &tuned.choice, problem.features, NULL), 0);
}

Test(tune_key, what_only_helps_together_is_found)
{
    const struct attune_model_problem problem = problem_of(ATTUNE_KEY_DOT, 512);
    struct attune_tuned tuned;
    struct attune_choice completed;
    struct fake fake;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const struct attune_tune_bench bench = bench_of(&fake, last_is_fastest, MACHINE_DRIFT, seed);
        attune_tune_core(&bench, &problem, 256, ATTUNE_EFFORT_NORMAL, 1, &tuned);
        cr_assert_eq(tuned.choice.verdict, ATTUNE_VERDICT_WIN);
        cr_assert_eq(attune_lookup_accept(&problem, &tuned.choice, &completed, NULL), 0);
        const double base = last_is_fastest(&tuned.base);
        cr_assert_lt(last_is_fastest(&completed), base / 1.15, "three of the axes at least, seed %d",
                     (int)seed);
        cr_assert_float_eq(tuned.choice.speedup / 1e3, base / last_is_fastest(&completed), 0.03);
    }
}

Test(tune_key, a_planted_slow_default_is_found_and_replaced)
{
    for (int32_t score = ATTUNE_KEY_DOT; score <= ATTUNE_KEY_LSTM; score++)
        for (enum machine_noise noise = MACHINE_QUIET; noise <= MACHINE_RECORDED; noise++) {
            const struct attune_model_problem problem = problem_of(score, 512);
            struct attune_tuned tuned;
            struct attune_choice completed;
            struct fake fake;
            const struct attune_tune_bench bench = bench_of(&fake, slow_default, noise, 11);
            attune_tune_core(&bench, &problem, 256, ATTUNE_EFFORT_QUICK, 1, &tuned);
            cr_assert_eq(tuned.choice.verdict, ATTUNE_VERDICT_WIN, "score %d, %s", score,
                         machine_noise_name(noise));
            cr_assert_eq(attune_lookup_accept(&problem, &tuned.choice, &completed, NULL), 0);
            cr_assert_float_eq(slow_default(&completed), 1e-4, 1e-9);
        }
}

Test(tune_key, the_same_key_twice_gives_the_same_winner_or_a_tie)
{
    const struct attune_model_problem problem = problem_of(ATTUNE_KEY_TANH, 128);
    struct attune_tuned tuned[2];
    struct fake fake;
    int same = 0;
    for (int trial = 0; trial < 40; trial++) {
        for (int i = 0; i < 2; i++) {
            const struct attune_tune_bench bench =
                bench_of(&fake, last_is_fastest, MACHINE_RECORDED, (uint64_t)(2 * trial + i));
            attune_tune_core(&bench, &problem, 128, ATTUNE_EFFORT_NORMAL, 1, &tuned[i]);
        }
        same += memcmp(tuned[0].choice.kernel, tuned[1].choice.kernel,
                       sizeof tuned[0].choice.kernel) == 0 ||
                tuned[0].choice.verdict == ATTUNE_VERDICT_TIE ||
                tuned[1].choice.verdict == ATTUNE_VERDICT_TIE;
    }
    cr_assert_geq(same, 36, "%d of 40", same);
}

Test(tune_key, a_wrong_default_is_a_failure)
{
    const struct attune_model_problem problem = problem_of(ATTUNE_KEY_DOT, 512);
    struct attune_tuned tuned;
    struct fake fake;
    const struct attune_tune_bench bench = bench_of(&fake, all_alike, MACHINE_QUIET, 1);
    fake.machine.wrong = 1;
    attune_tune_core(&bench, &problem, 256, ATTUNE_EFFORT_NORMAL, 1, &tuned);
    cr_assert(tuned.failed);
}

Test(tune_key, a_key_takes_no_longer_than_its_limit)
{
    const struct attune_model_problem problem = problem_of(ATTUNE_KEY_DOT, 512);
    struct attune_tuned tuned;
    struct fake fake;
    for (enum machine_noise noise = MACHINE_QUIET; noise < MACHINE_NOISES; noise++) {
        const struct attune_tune_bench bench = bench_of(&fake, last_is_fastest, noise, 5);
        attune_tune_core(&bench, &problem, 256, ATTUNE_EFFORT_NORMAL, 1, &tuned);
        cr_assert_lt(fake.machine.now, 2.2, "%s: %g s on the machine's clock",
                     machine_noise_name(noise), fake.machine.now);
    }
}

static double threads_cost(const struct attune_choice *choice)
{
    return choice->threads == 2 ? 1e-4 : 1.3e-4;
}

Test(tune_key, threads_are_found)
{
    struct attune_key key = problem_of(ATTUNE_KEY_DOT, 64).key;
    struct attune_tuned tuned;
    struct fake fake;
    key.tier = ATTUNE_KEY_PARALLEL;
    key.threads = 4;
    const struct attune_tune_bench bench = bench_of(&fake, threads_cost, MACHINE_BURSTS, 2);
    attune_tune_parallel(&bench, &key, ATTUNE_EFFORT_NORMAL, 1, &tuned);
    cr_assert_eq(tuned.choice.verdict, ATTUNE_VERDICT_WIN);
    cr_assert_eq(tuned.choice.threads, 2);
    cr_assert_eq(attune_choice_check(&key, &tuned.choice, ~0u, NULL), 0);
}
