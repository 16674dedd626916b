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

/* A mask or a bias of -inf leaves the last keys alone, or the first: the other splits are empty. */
Test(splits, most_splits_attend_nothing, .timeout = 120)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
    for (int variant = 0; variant < 8; variant++) {
        const int64_t t_q = 1 + variant % 2 * 2, t_k = 48 * 80 + 7, q[] = {1, 1, t_q, 8};
        const int64_t k[] = {1, 1, t_k, 8}, pair[] = {t_q, t_k};
        const int by_bias = variant / 2 % 2, at_end = variant / 4;
        struct box box;
        box_create(&box, ATTUNE_SELF, (uint64_t)variant);
        box_input(&box, ATTUNE_IN_Q, ATTUNE_F32, 1, 4, q);
        box_input(&box, ATTUNE_IN_K, ATTUNE_F32, 1, 4, k);
        box_input(&box, ATTUNE_IN_V, ATTUNE_F32, 1, 4, k);
        box_input(&box, by_bias ? ATTUNE_IN_BIAS : ATTUNE_IN_MASK,
                  by_bias ? ATTUNE_F32 : ATTUNE_BOOL, 1, 2, pair);
        for (int64_t i = 0; i < t_q; i++)
            for (int64_t j = 0; j < t_k; j++) {
                const int seen = at_end ? j >= t_k - 3 : j < 3;
                box_set(&box, by_bias ? ATTUNE_IN_BIAS : ATTUNE_IN_MASK, (const int64_t[]){i, j},
                        by_bias ? (seen ? 0.5 : -(double)INFINITY) : seen);
            }
        for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
            box_output(&box, (enum attune_output)o);
        check(&box, context, 4, (uint64_t)variant);
        box_destroy(&box);
    }
    attune_context_release(context);
}

/* More keys than any kv block has: the state of a scan goes on from block to block. */
Test(splits, a_scan_passes_blocks, .timeout = 120)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
    for (int odd = 0; odd < 2; odd++) {
        const int64_t t = 48 * 18 + odd, n = 3, x[] = {1, t, 2}, in[] = {4 * n, 4};
        const int64_t hh[] = {4 * n, n}, out[] = {2, n}, u = 2, one = 1, zero = 0;
        struct box box;
        box_create(&box, ATTUNE_RECURRENT, 5);
        box_input(&box, ATTUNE_IN_X, ATTUNE_F32, 1, 3, x);
        box_input(&box, ATTUNE_IN_WEIGHT_IH, ATTUNE_F32, 0.5, 2, in);
        box_input(&box, ATTUNE_IN_WEIGHT_HH, ATTUNE_F32, 1.5, 2, hh);
        box_input(&box, ATTUNE_IN_W_RECURRENT, ATTUNE_F32, 1, 2, out);
        box_input(&box, ATTUNE_IN_SCORE_VECTOR, ATTUNE_F32, 2, 1, &u);
        box_input(&box, ATTUNE_IN_QUERY_LENGTHS, ATTUNE_I32, 0, 1, &one);
        box_set(&box, ATTUNE_IN_QUERY_LENGTHS, &zero, 2); /* the oracle scans for every row */
        box_output(&box, ATTUNE_OUT_OUT);
        box_output(&box, ATTUNE_OUT_ALIGNMENTS);
        check(&box, context, 9, (uint64_t)odd);
        box_destroy(&box);
    }
    attune_context_release(context);
}
