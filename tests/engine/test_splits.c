/* SPDX-License-Identifier: Apache-2.0
 *
 * Few query rows over long keys: the key axis is computed in splits that are merged, against the
 * oracle. A sink counts once, an empty split nothing, a split of one key like any other.
 */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

static void check(struct box *box, struct attune_context *context, int kind, uint64_t seed)
{
    struct box_result result;
    box_run(box, context, &result);
    const char *wrong = compare_with_oracle(box, &result, (double)INFINITY);
    cr_expect(!wrong, "%s seed %d: %s", generate_kinds[kind].name, (int)seed, wrong);
    box_result_free(&result);
}

static void sweep(int64_t t_q, int64_t t_k, int sink)
{
    struct attune_context_options with = {.struct_size = sizeof with, .threads = 3};
    struct attune_context *context;
    cr_assert_eq(attune_context_create(&with, &context), ATTUNE_OK);
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct generate_options options = generate_anything;
            struct box box;
            /* Over one x there are as many queries as keys. */
            if (generate_kinds[kind].mechanism == ATTUNE_RECURRENT ||
                generate_kinds[kind].from_x || generate_kinds[kind].form == ATTUNE_PAIRWISE)
                continue;
            options.t_q = t_q;
            options.t_k = t_k;
            options.batch = 1;
            generate(&box, &generate_kinds[kind], &options, seed);
            if (sink) {
                struct attune_tensor scores;
                cr_assert_eq(attune_problem_output_shape(&box.problem, ATTUNE_OUT_SCORES, &scores),
                             ATTUNE_OK);
                box_input(&box, ATTUNE_IN_SINK, ATTUNE_F32, 1, 1, &scores.size[1]);
                box_set_all(&box, ATTUNE_IN_SINK, log((double)t_k)); /* about half of the weight */
            }
            check(&box, context, kind, seed);
            box_destroy(&box);
        }
    attune_context_release(context);
}

Test(splits, a_sink_counts_once, .timeout = 120)
{
    sweep(1, 3001, 1);
    sweep(2, 2500, 1);
}

/* One more key than a whole number of splits, whatever their size is (it is a multiple of 48). */
Test(splits, the_last_split_has_one_key, .timeout = 120)
{
    sweep(1, 48 * 64 + 1, 0);
    sweep(3, 48 * 48 + 1, 0);
}
