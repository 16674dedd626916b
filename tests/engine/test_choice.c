/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans and what a cache says: whatever legal choice is in it, results stay within their bounds; who
 * computes a piece changes no bit; and nothing changes bits where the same are asked for.
 */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "engine/plan.h"
#include "engine/tune_case.h"
#include "tests/support/compare.h"
#include "tests/support/generate.h"
#include "tuner/measure.h"
#include "tuner/space.h"

static struct attune_context *create_context(int32_t threads)
{
    struct attune_context_options options = {.struct_size = sizeof options, .threads = threads};
    struct attune_context *context;
    cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

/* A choice that a cache may hold: any usable kernel of each operation, any tiles in their ranges. */
static struct attune_choice wild(struct test_random *random, const struct attune_model_problem *problem)
{
    struct attune_choice choice = {.verdict = ATTUNE_VERDICT_WIN, .speedup = 1100, .low = 1050,
                                   .high = 1200};
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++) {
        const enum attune_operation operation = (enum attune_operation)i;
        const struct attune_kernel *kernel = NULL;
        if (!attune_operation_serves(operation, problem->key.score) || random_chance(random, 20))
            continue;
        while ((kernel = attune_model_next(problem, operation, kernel)) != NULL)
            if (choice.kernel[i] == NULL || random_chance(random, 40))
                choice.kernel[i] = kernel;
    }
    choice.strip = (int32_t)random_between(random, 1, random_chance(random, 50) ? 20 : 256);
    choice.q_block = choice.strip * (int32_t)random_between(random, 1, 1024 / choice.strip);
    choice.kv_block = ATTUNE_KEY_STEP * (int32_t)random_between(random, 1, 32);
    if (problem->key.score != ATTUNE_KEY_LSTM && random_chance(random, 50))
        choice.kv_split = choice.kv_block * (int32_t)random_between(random, 1, 3);
    return choice;
}

/* Enters a wild choice for the core key of the box's problem; 0 where none can be taken. */
static int poison_cache(struct attune_context *context, const struct box *box,
                        struct test_random *random)
{
    struct attune_plan *plan;
    struct attune_choice completed;
    struct attune_fault fault;
    int taken = 0;
    cr_assert_eq(attune_plan_create(context, &box->problem, &plan), ATTUNE_OK);
    for (int tries = 0; tries < 8 && !taken; tries++) {
        const struct attune_choice choice = wild(random, &plan->asked);
        taken = attune_lookup_accept(&plan->asked, &choice, &completed, &fault) == 0;
        if (taken)
            cr_assert_eq(attune_cache_put(context->cache, &plan->asked.key, &choice,
                                          ATTUNE_LAYER_TUNED), 0);
    }
    attune_plan_release(plan);
    return taken;
}

static void expect_right(struct box *box, struct attune_context *context, uint64_t seed)
{
    struct box_result result;
    char text[1024];
    box_run(box, context, &result);
    box_describe(box, text, sizeof text);
    cr_assert_eq(result.status, ATTUNE_OK, "%s\n    %s", result.detail, text);
    const char *wrong = compare_with_oracle(box, &result, 1e-3);
    cr_assert(!wrong, "seed %d: %s\n    %s\n    %s", (int)seed, wrong, result.kernels, text);
    box_result_free(&result);
}

Test(choice, wild_choices_change_no_result, .timeout = 300)
{
    struct generate_options options = generate_anything;
    struct test_random random = {17};
    int taken = 0;
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 18; seed++) {
            struct attune_context *context = create_context(1 + (int32_t)(seed % 3));
            struct box box;
            const int slow = generate_kinds[kind].mechanism == ATTUNE_RECURRENT ||
                             generate_kinds[kind].from_x;
            options.t_q = seed % 3 == 0 ? 61 : -1;
            options.t_k = seed % 3 == 0 ? (slow ? 61 : 433) : -1;
            generate(&box, &generate_kinds[kind], &options, 900 + seed);
            taken += poison_cache(context, &box, &random);
            expect_right(&box, context, seed);
            box_destroy(&box);
            attune_context_release(context);
        }
    cr_assert_gt(taken, generate_kind_count * 9, "only %d choices were taken", taken);
}

Test(choice, the_same_bits_whatever_the_cache_says, .timeout = 300)
{
    struct test_random random = {23};
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 6; seed++) {
            struct attune_context *plain = create_context(2), *poisoned = create_context(2);
            struct box_result expected, result;
            struct box box;
            generate(&box, &generate_kinds[kind], &generate_anything, 40 + seed);
            box_run(&box, plain, &expected);
            (void)poison_cache(poisoned, &box, &random);
            box.problem.flags |= ATTUNE_DETERMINISTIC;
            box_run(&box, poisoned, &result);
            cr_assert_eq(result.status, ATTUNE_OK, "%s", result.detail);
            const char *wrong = compare_bits(&expected, &result);
            cr_assert(!wrong, "kind %d, seed %d: %s", kind, (int)seed, wrong);
            box_result_free(&expected);
            box_result_free(&result);
            box_destroy(&box);
            attune_context_release(plain);
            attune_context_release(poisoned);
        }
}

static void enter_parallel(struct attune_context *context, const struct box *box, int32_t threads,
                           enum attune_schedule schedule)
{
    const struct attune_choice choice = {.verdict = ATTUNE_VERDICT_WIN, .threads = threads,
                                         .schedule = (int32_t)schedule, .speedup = 1100, .low = 1050,
                                         .high = 1200};
    struct attune_plan *plan;
    struct attune_key key;
    cr_assert_eq(attune_plan_create(context, &box->problem, &plan), ATTUNE_OK);
    attune_plan_parallel_key(plan, &key);
    cr_assert_eq(attune_cache_put(context->cache, &key, &choice, ATTUNE_LAYER_TUNED), 0);
    attune_plan_release(plan);
    cr_assert_eq(attune_plan_create(context, &box->problem, &plan), ATTUNE_OK);
    cr_assert_eq(plan->parallel_origin, ATTUNE_ORIGIN_TUNED);
    cr_assert_eq(plan->workers, threads);
    cr_assert_eq(plan->schedule, threads > 1 ? schedule : ATTUNE_SCHEDULE_EVEN);
    attune_plan_release(plan);
}

Test(choice, threads_and_schedules_change_no_bit, .timeout = 300)
{
    struct attune_context *serial = create_context(1), *team = create_context(4);
    struct generate_options options = generate_anything;
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct box_result expected, result;
            struct box box;
            const int slow = generate_kinds[kind].mechanism == ATTUNE_RECURRENT ||
                             generate_kinds[kind].from_x;
            options.t_q = 70;
            options.t_k = slow ? 70 : 210;
            generate(&box, &generate_kinds[kind], &options, 70 + seed);
            box_run(&box, serial, &expected);
            for (int32_t threads = 1; threads <= 4; threads++)
                for (enum attune_schedule schedule = ATTUNE_SCHEDULE_EVEN;
                     schedule <= ATTUNE_SCHEDULE_WEIGHTED; schedule++) {
                    enter_parallel(team, &box, threads, schedule);
                    box_run(&box, team, &result);
                    cr_assert_eq(result.status, ATTUNE_OK, "%s", result.detail);
                    const char *wrong = compare_bits(&expected, &result);
                    cr_assert(!wrong, "kind %d, %d threads, schedule %d: %s", kind, threads, schedule,
                              wrong);
                    box_result_free(&result);
                }
            box_result_free(&expected);
            box_destroy(&box);
        }
    attune_context_release(serial);
    attune_context_release(team);
}

/* ---- A throttled thread. ---- */

/* The engine's clock, which this binary is linked to take from here: real, but while a plan is watched,
 * whose workers each read it once before and once after their part. */
static struct {
    struct attune_plan *plan;
    double now, part_seconds; /* what the part of the running worker takes */
} watched;

double __real_attune_clock_seconds(void);
double __wrap_attune_clock_seconds(void);
double __wrap_attune_clock_seconds(void)
{
    return watched.plan ? (watched.now += watched.part_seconds) : __real_attune_clock_seconds();
}

/* The caller's pool runs one worker after the other; the second needs five times as long for a part. */
static void throttle(void *user, int64_t count, void (*body)(void *argument, int64_t index),
                     void *argument)
{
    (void)user;
    float begin[3];
    attune_shares_deal(watched.plan->shares, 2, begin);
    for (int64_t i = 0; i < count; i++) {
        watched.part_seconds = (i == 1 ? 5 : 1) * (double)(begin[i + 1] - begin[i]);
        body(argument, i);
    }
}

Test(choice, a_throttled_thread_gets_less_to_do)
{
    const int64_t shape[] = {1, 8, 128, 32};
    const struct attune_context_options options = {.struct_size = sizeof options, .threads = 2,
                                                   .parallel_for = throttle};
    struct attune_context *context;
    struct box box;
    cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK);
    box_create(&box, ATTUNE_SELF, 1);
    box_input(&box, ATTUNE_IN_Q, ATTUNE_F32, 1, 4, shape);
    box_input(&box, ATTUNE_IN_K, ATTUNE_F32, 1, 4, shape);
    box_input(&box, ATTUNE_IN_V, ATTUNE_F32, 1, 4, shape);
    box_output(&box, ATTUNE_OUT_OUT);
    enter_parallel(context, &box, 2, ATTUNE_SCHEDULE_WEIGHTED);
    cr_assert_eq(attune_plan_create(context, &box.problem, &watched.plan), ATTUNE_OK);
    struct attune_args args = box.args;
    float *out = calloc(8 * 128 * 32, sizeof *out), begin[3];
    args.out[ATTUNE_OUT_OUT] = out;
    args.workspace_size = attune_plan_workspace_size(watched.plan);
    args.workspace = malloc(args.workspace_size);
    for (int i = 0; i < 30; i++)
        cr_assert_eq(attune_plan_execute(watched.plan, &args), ATTUNE_OK, "%s", attune_error_detail());
    attune_shares_deal(watched.plan->shares, 2, begin);
    cr_assert_float_eq(begin[2] - begin[1], 1.0f / 6, 1e-3, "the second worker has %g",
                       (double)(begin[2] - begin[1]));
    free(args.workspace);
    free(out);
    attune_plan_release(watched.plan);
    watched.plan = NULL;
    box_destroy(&box);
    attune_context_release(context);
}

/* ---- Candidates of the tuner. ---- */

static void check_candidates(struct attune_context *context, const char *what,
                             const struct attune_key *form, int64_t t_q, int64_t t_k)
{
    struct attune_tune_request request = {
        .asked = {.topology = attune_topology_get(), .features = context->features,
                  .bars = context->cache, .key = *form, .rows = t_q * form->group, .t_k = t_k},
        .units = 3};
    struct attune_tune_case timed;
    struct attune_space space;
    request.asked.key.isa = (int32_t)attune_key_isa(context->features);
    request.asked.key.class_q = attune_key_class(t_q);
    request.asked.key.class_k = attune_key_class(t_k);
    cr_assert_eq(attune_tune_case_open(&timed, context, &request), ATTUNE_OK, "%s: %s", what,
                 attune_error_detail());
    attune_space_core(&request.asked, timed.rows, &space);
    cr_assert_gt(space.count, 3);
    for (int32_t i = 0; i < space.count; i++) {
        cr_assert(attune_tune_case_plan(&timed, i, &space.choice[i]), "%s, candidate %d: %s", what, i,
                  attune_error_detail());
        attune_tune_case_run(&timed, i);
        cr_assert(attune_tune_case_check(&timed, i), "%s, candidate %d is wrong", what, i);
    }
    attune_tune_case_close(&timed);
}

Test(choice, every_candidate_of_every_key_is_right, .timeout = 300)
{
    struct attune_context *context = create_context(1);
    struct attune_key dot = {.score = ATTUNE_KEY_DOT, .dtype_q = 1, .dtype_k = 1, .dtype_v = 1, .d = 20,
                             .e = 36, .group = 1};
    struct attune_key tanh = {.score = ATTUNE_KEY_TANH, .dtype_q = 1, .dtype_k = 1, .dtype_v = 1,
                              .a = 21, .e = 36, .group = 1};
    struct attune_key lstm = tanh;
    check_candidates(context, "dot", &dot, 70, 300);
    check_candidates(context, "dot, long", &dot, 300, 3000);
    for (dot.mask = ATTUNE_KEY_CAUSAL; dot.mask <= ATTUNE_KEY_ARBITRARY; dot.mask++)
        check_candidates(context, "dot, masked", &dot, 100, 300);
    dot.mask = ATTUNE_KEY_UNMASKED;
    dot.group = 4;
    check_candidates(context, "decode", &dot, 1, 1000);
    dot.dtype_k = dot.dtype_v = ATTUNE_I8;
    check_candidates(context, "decode, int8", &dot, 1, 500);
    dot.dtype_q = dot.dtype_k = dot.dtype_v = ATTUNE_BF16;
    check_candidates(context, "decode, bfloat16", &dot, 2, 500);
    check_candidates(context, "tanh", &tanh, 70, 200);
    check_candidates(context, "tanh, one row", &tanh, 1, 200);
    tanh.prepared = 1;
    check_candidates(context, "tanh, prepared", &tanh, 1, 200);
    lstm.score = ATTUNE_KEY_LSTM;
    lstm.n = 19;
    check_candidates(context, "lstm", &lstm, 40, 40);
    attune_context_release(context);
}
