/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain of a choice: what is taken, in which order, and what never is.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "arch/cpu.h"
#include "tuner/lookup.h"
#include "tuner/measure.h"

static struct attune_cache *cache;

static void open_cache(void)
{
    cache = attune_cache_create();
    cr_assert_not_null(cache);
}

static void close_cache(void)
{
    attune_cache_release(cache);
}

TestSuite(lookup, .init = open_cache, .fini = close_cache);

static struct attune_model_problem problem_of(int64_t t)
{
    return (struct attune_model_problem){
        .topology = attune_topology_get(),
        .features = attune_cpu_detect()->usable,
        .bars = cache,
        .key = {.score = ATTUNE_KEY_DOT, .isa = (int32_t)attune_key_isa(attune_cpu_detect()->usable),
                .dtype_q = 1, .dtype_k = 1, .dtype_v = 1, .d = 64, .e = 64, .group = 1,
                .class_q = attune_key_class(t), .class_k = attune_key_class(t)},
        .rows = t,
        .t_k = t,
    };
}

static struct attune_answer ask(const struct attune_model_problem *problem, int same_bits)
{
    const struct attune_lookup lookup = {.cache = cache, .same_bits = same_bits};
    struct attune_answer answer;
    attune_lookup_core(&lookup, problem, &answer);
    cr_assert_eq(answer.missing, ATTUNE_OP_COUNT);
    return answer;
}

static void enter(const struct attune_key *key, const struct attune_choice *choice)
{
    cr_assert_eq(attune_cache_put(cache, key, choice, ATTUNE_LAYER_USER), 0);
}

/* A choice that the model would not make: its last kernel and a block of its own. */
static struct attune_choice another(const struct attune_model_problem *problem)
{
    const struct attune_kernel *kernel = NULL, *last = NULL;
    while ((kernel = attune_model_next(problem, ATTUNE_OP_WSUM, kernel)) != NULL)
        last = kernel;
    struct attune_choice choice = {.verdict = ATTUNE_VERDICT_WIN, .kv_block = 5 * ATTUNE_KEY_STEP,
                                   .speedup = 1100, .low = 1050, .high = 1200};
    choice.kernel[ATTUNE_OP_WSUM] = last;
    return choice;
}

Test(lookup, nothing_tuned_is_the_model)
{
    const struct attune_model_problem problem = problem_of(512);
    const struct attune_answer answer = ask(&problem, 0);
    struct attune_choice model = {0};
    attune_model_complete(&problem, &model);
    cr_assert_eq(answer.origin, ATTUNE_ORIGIN_MODEL);
    cr_assert(answer.missed);
    cr_assert_arr_eq(answer.choice.kernel, model.kernel, sizeof model.kernel);
    cr_assert_eq(answer.choice.kv_block, model.kv_block);
}

Test(lookup, the_key_itself_goes_before_its_neighbours)
{
    const struct attune_model_problem problem = problem_of(512);
    struct attune_model_problem near = problem;
    near.key.class_k = attune_key_class(800);
    struct attune_choice choice = another(&problem);
    enter(&near.key, &choice);
    struct attune_answer answer = ask(&problem, 0);
    cr_assert_eq(answer.origin, ATTUNE_ORIGIN_NEAR);
    cr_assert(answer.missed, "its own key is still to be tuned");
    cr_assert_neq(answer.choice.kv_block, 5 * ATTUNE_KEY_STEP, "tiles are not borrowed");
    cr_assert_eq(answer.choice.kernel[ATTUNE_OP_WSUM], choice.kernel[ATTUNE_OP_WSUM]);
    choice.kv_block = 2 * ATTUNE_KEY_STEP;
    enter(&problem.key, &choice);
    answer = ask(&problem, 0);
    cr_assert_eq(answer.origin, ATTUNE_ORIGIN_TUNED);
    cr_assert_not(answer.missed);
    cr_assert_eq(answer.choice.kv_block, 2 * ATTUNE_KEY_STEP);
    cr_assert_neq(answer.choice.strip, 0, "what an entry leaves open is the model's");
}

/* Farther away than next door, one alone is not believed: it may have won by a remainder. */
Test(lookup, two_neighbours_must_agree)
{
    const struct attune_model_problem problem = problem_of(512), above = problem_of(1100),
                                      below = problem_of(260);
    struct attune_choice choice = another(&problem);
    enter(&above.key, &choice);
    cr_assert_eq(ask(&problem, 0).origin, ATTUNE_ORIGIN_MODEL, "one alone");
    enter(&below.key, &choice);
    const struct attune_answer answer = ask(&problem, 0);
    cr_assert_eq(answer.origin, ATTUNE_ORIGIN_NEAR);
    cr_assert_eq(answer.choice.kernel[ATTUNE_OP_WSUM], choice.kernel[ATTUNE_OP_WSUM]);
    choice.kernel[ATTUNE_OP_WSUM] = attune_model_next(&problem, ATTUNE_OP_WSUM, NULL);
    enter(&below.key, &choice);
    cr_assert_eq(ask(&problem, 0).origin, ATTUNE_ORIGIN_MODEL, "they disagree");
}

Test(lookup, beyond_two_octaves_is_the_model)
{
    const struct attune_model_problem problem = problem_of(512), far = problem_of(4096);
    const struct attune_choice choice = another(&problem);
    enter(&far.key, &choice);
    cr_assert_eq(ask(&problem, 0).origin, ATTUNE_ORIGIN_MODEL);
}

Test(lookup, a_tie_keeps_the_model)
{
    const struct attune_model_problem problem = problem_of(512);
    const struct attune_choice tie = {.verdict = ATTUNE_VERDICT_TIE, .speedup = 1010, .low = 990,
                                      .high = 1030};
    struct attune_choice model = {0};
    attune_model_complete(&problem, &model);
    enter(&problem.key, &tie);
    const struct attune_answer answer = ask(&problem, 0);
    cr_assert_eq(answer.origin, ATTUNE_ORIGIN_TIE);
    cr_assert_not(answer.missed);
    cr_assert_eq(answer.choice.kv_block, model.kv_block);
}

Test(lookup, what_cannot_be_taken_is_passed_over)
{
    const struct attune_model_problem problem = problem_of(512);
    struct attune_choice choice = another(&problem);
    choice.kv_block = ATTUNE_KEY_STEP + 1;
    enter(&problem.key, &choice);
    cr_assert_eq(ask(&problem, 0).origin, ATTUNE_ORIGIN_MODEL, "not a multiple of the step");
    choice = another(&problem);
    choice.kernel[ATTUNE_OP_LSTM] = attune_kernel_next(ATTUNE_OP_LSTM, ~0u, NULL);
    enter(&problem.key, &choice);
    cr_assert_eq(ask(&problem, 0).origin, ATTUNE_ORIGIN_MODEL, "a kernel of another score");
    choice = another(&problem);
    choice.kernel[ATTUNE_OP_SOFTMAX] = choice.kernel[ATTUNE_OP_WSUM];
    enter(&problem.key, &choice);
    cr_assert_eq(ask(&problem, 0).origin, ATTUNE_ORIGIN_MODEL, "a kernel of another operation");
}

Test(lookup, kernels_beyond_the_features_are_not_taken)
{
    struct attune_model_problem problem = problem_of(512);
    const struct attune_choice choice = {
        .verdict = ATTUNE_VERDICT_WIN,
        .kernel = {[ATTUNE_OP_SOFTMAX] = attune_kernel_next(ATTUNE_OP_SOFTMAX, ~0u, NULL)},
        .speedup = 1100, .low = 1050, .high = 1200};
    problem.features = 0;
    enter(&problem.key, &choice);
    const struct attune_answer answer = ask(&problem, 0);
    cr_assert_eq(answer.origin, ATTUNE_ORIGIN_MODEL);
    cr_assert_str_eq(answer.choice.kernel[ATTUNE_OP_SOFTMAX]->isa, "scalar");
}

Test(lookup, the_same_bits_take_nothing_that_changes_them)
{
    const struct attune_model_problem problem = problem_of(512);
    struct attune_choice choice = another(&problem);
    enter(&problem.key, &choice);
    cr_assert_eq(ask(&problem, 1).origin, ATTUNE_ORIGIN_MODEL);
    const struct attune_choice tiles = {.verdict = ATTUNE_VERDICT_WIN, .strip = 48, .q_block = 96,
                                        .speedup = 1100, .low = 1050, .high = 1200};
    enter(&problem.key, &tiles);
    const struct attune_answer answer = ask(&problem, 1);
    cr_assert_eq(answer.origin, ATTUNE_ORIGIN_TUNED, "strips and blocks of rows change no bit");
    cr_assert_eq(answer.choice.q_block, 96);
}

Test(lookup, barred_kernels_are_nobodys_choice)
{
    const struct attune_model_problem problem = problem_of(512);
    struct attune_choice model = {0}, choice = another(&problem);
    attune_model_complete(&problem, &model);
    attune_cache_bar(cache, model.kernel[ATTUNE_OP_SOFTMAX], "wrong", 0, ATTUNE_LAYER_USER);
    attune_cache_bar(cache, choice.kernel[ATTUNE_OP_WSUM], "wrong", 0, ATTUNE_LAYER_USER);
    enter(&problem.key, &choice);
    const struct attune_answer answer = ask(&problem, 0);
    cr_assert_eq(answer.origin, ATTUNE_ORIGIN_MODEL);
    cr_assert_neq(answer.choice.kernel[ATTUNE_OP_SOFTMAX], model.kernel[ATTUNE_OP_SOFTMAX]);
    cr_assert_null(attune_cache_barred_in(cache, &answer.choice));
}

Test(lookup, prepared_keys_keep_their_panels)
{
    struct attune_model_problem problem = problem_of(64);
    problem.key.score = ATTUNE_KEY_TANH;
    problem.key.d = 0;
    problem.key.a = 64;
    problem.key.prepared = 1;
    struct attune_choice model = {0}, choice = {.verdict = ATTUNE_VERDICT_WIN, .speedup = 1100,
                                                .low = 1050, .high = 1200};
    attune_model_complete(&problem, &model);
    const struct attune_kernel *kernel = NULL;
    while ((kernel = attune_model_next(&problem, ATTUNE_OP_SCORE_TANH, kernel)) != NULL) {
        choice.kernel[ATTUNE_OP_SCORE_TANH] = kernel;
        enter(&problem.key, &choice);
        cr_assert_eq(ask(&problem, 0).origin == ATTUNE_ORIGIN_TUNED,
                     kernel->width == model.kernel[ATTUNE_OP_SCORE_TANH]->width, "%s", kernel->name);
    }
}

static void count_line(void *user, const char *line)
{
    cr_assert_gt(strlen(line), 0);
    ++*(int *)user;
}

Test(lookup, the_chain_is_told)
{
    const struct attune_model_problem problem = problem_of(512);
    int lines = 0;
    const struct attune_lookup lookup = {.cache = cache, .trace = count_line, .trace_user = &lines};
    struct attune_answer answer;
    attune_lookup_core(&lookup, &problem, &answer);
    cr_assert_geq(lines, 3, "the key, that nothing is near, what is taken");
}

Test(lookup, parallel_choices_name_threads)
{
    struct attune_key key = problem_of(512).key;
    const struct attune_lookup lookup = {.cache = cache};
    struct attune_choice choice = {.verdict = ATTUNE_VERDICT_WIN, .threads = 2,
                                   .schedule = ATTUNE_SCHEDULE_CLAIMED, .speedup = 1100, .low = 1050,
                                   .high = 1200};
    struct attune_answer answer;
    key.tier = ATTUNE_KEY_PARALLEL;
    key.threads = 4;
    attune_lookup_parallel(&lookup, &key, &answer);
    cr_assert_eq(answer.choice.threads, 0);
    cr_assert_eq(answer.origin, ATTUNE_ORIGIN_MODEL);
    enter(&key, &choice);
    attune_lookup_parallel(&lookup, &key, &answer);
    cr_assert_eq(answer.origin, ATTUNE_ORIGIN_TUNED);
    cr_assert_eq(answer.choice.threads, 2);
    choice.threads = 5;
    enter(&key, &choice);
    attune_lookup_parallel(&lookup, &key, &answer);
    cr_assert_eq(answer.choice.threads, 0, "more threads than the key has");
}

/* How long a lookup takes is told, not asserted. */
Test(lookup, benchmark)
{
    enum { ENTRIES = 1000, CALLS = 200000 };
    struct attune_model_problem problem = problem_of(512);
    const struct attune_choice tie = {.verdict = ATTUNE_VERDICT_TIE, .speedup = 1000, .low = 1000,
                                      .high = 1000};
    for (int32_t i = 1; i <= ENTRIES; i++) {
        problem.key.d = i;
        enter(&problem.key, &tie);
    }
    double best = 1;
    const struct attune_cached *found = NULL;
    for (int round = 0; round < 10; round++) {
        const double begun = attune_clock_seconds();
        for (int32_t i = 0; i < CALLS / 10; i++) {
            problem.key.d = 1 + i * 37 % ENTRIES;
            found = attune_cache_find(cache, &problem.key);
            cr_assert_not_null(found);
        }
        const double seconds = (attune_clock_seconds() - begun) / (CALLS / 10);
        best = seconds < best ? seconds : best;
    }
    cr_log_info("a lookup among %d entries: %.0f ns", ENTRIES, 1e9 * best);
}
