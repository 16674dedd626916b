/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits, exactly at their edge: a length one beyond, a ceiling of the instruction set, pinning that
 * was asked for and then not.
 */
#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>

#include "engine/threads.h"
#include "tests/support/box.h"
#include "tests/support/generate.h"

Test(limits, lengths_at_and_beyond_the_axis)
{
    static const enum attune_input inputs[] = {ATTUNE_IN_KEY_LENGTHS, ATTUNE_IN_QUERY_LENGTHS};
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (int n = 0; n < 2; n++)
            for (int beyond = 0; beyond < 2; beyond++) {
                struct generate_options options = generate_anything;
                struct box box;
                struct box_result result;
                const int64_t batch = 2, last = 1, length = 9;
                options.plain = 1;
                options.batch = batch;
                options.t_q = options.t_k = length;
                generate(&box, &generate_kinds[kind], &options, 3);
                box_input(&box, inputs[n], n ? ATTUNE_I64 : ATTUNE_I32, 0, 1, &batch);
                box_set(&box, inputs[n], &last, (double)(length + beyond));
                box_run(&box, context, &result);
                cr_expect_eq(result.status, beyond ? ATTUNE_ERROR_INVALID : ATTUNE_OK, "%s: %s",
                             generate_kinds[kind].name, result.detail);
                cr_expect(!beyond || strstr(result.detail, attune_input_name((int32_t)inputs[n])),
                          "%s", result.detail);
                box_result_free(&result);
                box_destroy(&box);
            }
    attune_context_release(context);
}

/* No kernel of a plan is above the ceiling of its context. */
Test(limits, a_ceiling_holds_for_every_kernel)
{
    static const char *const words[] = {"scalar", "avx2", "neon"};
    static const char *const above[][3] = {
        {"_avx2_", "_avx512_", "_neon_"}, {"_avx512_", "_neon_", "_avx512_"}, {"_avx2_", "_avx512_", "_avx2_"}};
    for (int w = 0; w < 3; w++) {
        const struct attune_context_options options = {.struct_size = sizeof options,
                                                       .max_isa = words[w]};
        struct attune_context *context;
        cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK, "%s",
                     attune_error_detail());
        for (int kind = 0; kind < generate_kind_count; kind++) {
            struct box box;
            struct box_result result;
            generate(&box, &generate_kinds[kind], &generate_anything, 6);
            box_run(&box, context, &result);
            for (int i = 0; i < 3; i++)
                cr_expect_null(strstr(result.kernels, above[w][i]), "max_isa %s: %s", words[w],
                               result.kernels);
            box_result_free(&result);
            box_destroy(&box);
        }
        attune_context_release(context);
    }
}

/* An axis of stride 0 takes no memory, so that a description may have 2^61 keys of one element: what a
 * plan makes of it may not wrap. */
Test(limits, sizes_of_intermediate_results)
{
    for (int prepared = 0; prepared < 2; prepared++) {
        const int64_t query[] = {1, 1, 1}, key[] = {1, INT64_MAX / 4, 1}, one = 1;
        struct attune_context *context;
        struct attune_plan *plan;
        struct attune_problem problem;
        cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
        attune_problem_init(&problem, ATTUNE_ADDITIVE);
        attune_problem_input(&problem, ATTUNE_IN_QUERY, ATTUNE_F32, 3, query);
        attune_problem_input(&problem, ATTUNE_IN_KEY, ATTUNE_F32, 3, key);
        attune_problem_input(&problem, ATTUNE_IN_SCORE_VECTOR, ATTUNE_F32, 1, &one);
        problem.in[ATTUNE_IN_KEY].dtype = prepared ? ATTUNE_F32 : ATTUNE_BF16;
        memset(problem.in[ATTUNE_IN_KEY].stride, 0, sizeof problem.in[ATTUNE_IN_KEY].stride);
        attune_problem_output(&problem, ATTUNE_OUT_LSE);
        problem.flags = prepared ? ATTUNE_PREPARED_KEYS : 0;
        cr_expect_eq(attune_plan_create(context, &problem, &plan), ATTUNE_ERROR_OVERFLOW, "%s",
                     attune_error_detail());
        cr_expect_null(plan);
        attune_context_release(context);
    }
}

/* ---- Pinning. ---- */

enum { WORKERS = 4 };

static void note_mask(void *argument, int32_t worker, int32_t workers)
{
    (void)workers;
    sched_getaffinity(0, sizeof(cpu_set_t), &((cpu_set_t *)argument)[worker]);
}

Test(limits, pinned_and_then_not)
{
    const struct attune_team_options pinned = {.pin = 1}, unpinned = {.pin = 0};
    cpu_set_t whole, mask[WORKERS];
    sched_getaffinity(0, sizeof whole, &whole);
    for (int round = 0; round < 3; round++) {
        attune_team_run(&pinned, WORKERS, note_mask, mask);
        attune_team_run(&unpinned, WORKERS, note_mask, mask);
        for (int i = 0; i < WORKERS; i++)
            cr_expect(CPU_EQUAL(&mask[i], &whole), "worker %d is still bound", i);
    }
}
