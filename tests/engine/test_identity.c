/* SPDX-License-Identifier: Apache-2.0
 *
 * What may not change one bit: the number of threads, the other sequences of a batch, which outputs
 * are asked for, what lies where nobody looks, and the caller's floating-point mode.
 */
#include <criterion/criterion.h>
#include <fenv.h>
#include <math.h>
#include <string.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

static struct attune_context *create_context(int32_t threads)
{
    struct attune_context_options options = {.struct_size = sizeof options, .threads = threads};
    struct attune_context *context;
    cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

static void run(struct box *box, struct attune_context *context, struct box_result *result)
{
    char text[1024];
    box_run(box, context, result);
    box_describe(box, text, sizeof text);
    cr_assert_eq(result->status, ATTUNE_OK, "%s\n    %s", result->detail, text);
}

static void expect_same(const struct box *box, const struct box_result *one,
                        const struct box_result *other, const char *what, uint64_t seed)
{
    char text[1024];
    const char *wrong = compare_bits(one, other);
    box_describe(box, text, sizeof text);
    cr_expect(!wrong, "%s, seed %d: %s\n    %s\n    %s", what, (int)seed, wrong, one->kernels,
              text);
}

/* Every third problem is large enough for several blocks of keys and for every worker. */
static struct generate_options sizes(int kind, uint64_t seed)
{
    struct generate_options options = generate_anything;
    const int slow =
        generate_kinds[kind].from_x || generate_kinds[kind].mechanism == ATTUNE_RECURRENT;
    if (seed % 3 == 0) {
        options.t_q = 101;
        options.t_k = slow ? 101 : 450;
    }
    return options;
}

Test(identity, threads, .timeout = 300)
{
    static const int32_t counts[] = {1, 2, 3, 7};
    struct attune_context *context[4];
    for (int c = 0; c < 4; c++)
        context[c] = create_context(counts[c]);
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 12; seed++) {
            const struct generate_options options = sizes(kind, seed);
            struct box box;
            struct box_result first, other;
            generate(&box, &generate_kinds[kind], &options, seed);
            run(&box, context[0], &first);
            for (int c = 1; c < 4; c++) {
                run(&box, context[c], &other);
                expect_same(&box, &first, &other, "threads", seed);
                box_result_free(&other);
            }
            box_result_free(&first);
            box_destroy(&box);
        }
    for (int c = 0; c < 4; c++)
        attune_context_release(context[c]);
}

/* Whether axis 0 of an input counts the sequences of the batch. */
static int has_batch_axis(const struct attune_problem *problem, enum attune_input input)
{
    if (input <= ATTUNE_IN_X || input == ATTUNE_IN_STATE ||
        input == ATTUNE_IN_PREVIOUS_ALIGNMENTS || input == ATTUNE_IN_KEY_LENGTHS ||
        input == ATTUNE_IN_QUERY_LENGTHS || input == ATTUNE_IN_KEY_SCALE ||
        input == ATTUNE_IN_VALUE_SCALE)
        return 1;
    return (input == ATTUNE_IN_MASK || input == ATTUNE_IN_BIAS) && problem->in[input].rank == 4 &&
           problem->in[input].size[0] > 1;
}

/* The problem of sequence b alone, in the same memory; outputs in natural shape. */
static struct box alone(const struct box *box, int64_t b)
{
    struct box one = *box;
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++) {
        struct attune_tensor *tensor = &one.problem.in[i];
        if (tensor->dtype == ATTUNE_ABSENT || !has_batch_axis(&box->problem, (enum attune_input)i))
            continue;
        one.args.in[i] = (const char *)box->args.in[i] +
                         b * tensor->stride[0] * (int64_t)attune_dtype_size(tensor->dtype);
        tensor->size[0] = 1;
    }
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        if (one.problem.out[o].dtype != ATTUNE_ABSENT)
            attune_problem_output(&one.problem, (enum attune_output)o);
    return one;
}

Test(identity, batch_composition, .timeout = 300)
{
    struct attune_context *context = create_context(2);
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 15; seed++) {
            struct generate_options options = sizes(kind, seed);
            struct box box;
            struct box_result all, single;
            options.batch = 3;
            generate(&box, &generate_kinds[kind], &options, seed);
            run(&box, context, &all);
            for (int64_t b = 0; b < 3; b++) {
                struct box one = alone(&box, b);
                struct box_result part = all;
                run(&one, context, &single);
                for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
                    part.count[o] = all.count[o] / 3;
                    if (part.value[o])
                        part.value[o] += b * part.count[o];
                }
                expect_same(&one, &part, &single, "batch", seed);
                box_result_free(&single);
            }
            box_result_free(&all);
            box_destroy(&box);
        }
    attune_context_release(context);
}

Test(identity, outputs_asked_for, .timeout = 300)
{
    struct attune_context *context = create_context(2);
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 12; seed++) {
            struct generate_options options = sizes(kind, seed);
            struct box box;
            struct box_result all, some;
            options.all_outputs = 1;
            generate(&box, &generate_kinds[kind], &options, seed);
            run(&box, context, &all);
            for (unsigned set = 1; set < 15; set += 1 + seed % 3) {
                struct box fewer = box;
                for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
                    if (!(set >> o & 1))
                        memset(&fewer.problem.out[o], 0, sizeof fewer.problem.out[o]);
                run(&fewer, context, &some);
                expect_same(&box, &all, &some, "outputs", seed);
                box_result_free(&some);
            }
            box_result_free(&all);
            box_destroy(&box);
        }
    attune_context_release(context);
}

/* Where rows may attend few of the keys the fused kernel leaves out what the three alone compute and mask:
 * whoever asks for the alignments gets these. Windows that begin and end at every lane of a vector. */
Test(identity, alignments_asked_for_with_limits, .timeout = 300)
{
    struct attune_context *context = create_context(1);
    const int64_t shape[] = {1, 1, 200, 24};
    for (int64_t window = 1; window < 70; window++) {
        struct box box;
        struct box_result shown, fused;
        box_create(&box, ATTUNE_SELF, (uint64_t)window);
        box_input(&box, ATTUNE_IN_Q, ATTUNE_F32, 2, 4, shape);
        box_input(&box, ATTUNE_IN_K, ATTUNE_F32, 1, 4, shape);
        box_input(&box, ATTUNE_IN_V, ATTUNE_F32, 1, 4, shape);
        box.problem.causal = window % 3 ? ATTUNE_TOP_LEFT : ATTUNE_CAUSAL_NONE;
        box.problem.has_window_left = 1;
        box.problem.window_left = window;
        box.problem.has_window_right = box.problem.causal == ATTUNE_CAUSAL_NONE;
        box.problem.window_right = box.problem.has_window_right ? window / 2 : -1;
        box_output(&box, ATTUNE_OUT_OUT);
        box_output(&box, ATTUNE_OUT_LSE);
        run(&box, context, &fused);
        box_output(&box, ATTUNE_OUT_ALIGNMENTS);
        run(&box, context, &shown);
        expect_same(&box, &fused, &shown, "alignments", (uint64_t)window);
        box_result_free(&fused);
        box_result_free(&shown);
        box_destroy(&box);
    }
    attune_context_release(context);
}

Test(identity, nan_behind_the_lengths, .timeout = 300)
{
    struct attune_context *context = create_context(2);
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 25; seed++) {
            const struct generate_options options = sizes(kind, seed);
            struct box box;
            struct box_result before, after;
            generate(&box, &generate_kinds[kind], &options, seed);
            run(&box, context, &before);
            generate_poison(&box);
            run(&box, context, &after);
            expect_same(&box, &before, &after, "padding", seed);
            box_result_free(&before);
            box_result_free(&after);
            box_destroy(&box);
        }
    attune_context_release(context);
}

/* Whether no query of any head attends key j of sequence b: its masked scores are all -inf. */
static int is_unseen(const struct box_result *result, int64_t heads, int64_t t_q, int64_t t_k,
                     int64_t b, int64_t j)
{
    const float *scores = result->value[ATTUNE_OUT_SCORES];
    for (int64_t row = b * heads * t_q; row < (b + 1) * heads * t_q; row++)
        if (!(isinf(scores[row * t_k + j]) && scores[row * t_k + j] < 0))
            return 0;
    return 1;
}

/* Rows of keys and values that nobody attends become `value`. Over x only `value` is free of other
 * uses. */
static int spoil_unseen(struct box *box, const struct box_result *result, double value)
{
    static const enum attune_input inputs[] = {ATTUNE_IN_KEY, ATTUNE_IN_VALUE, ATTUNE_IN_K,
                                               ATTUNE_IN_V};
    struct attune_tensor shape;
    int spoiled = 0;
    cr_assert_eq(attune_problem_output_shape(&box->problem, ATTUNE_OUT_SCORES, &shape), ATTUNE_OK);
    for (int n = 0; n < 4; n++) {
        const struct attune_tensor *tensor = &box->problem.in[inputs[n]];
        int64_t index[ATTUNE_MAX_RANK] = {0};
        if (!box_has(box, inputs[n]) || box_is_shared(box, inputs[n]) ||
            tensor->dtype == ATTUNE_I8 || box->input[inputs[n]].size == 0)
            continue;
        do
            if (is_unseen(result, shape.size[1], shape.size[2], shape.size[3], index[0],
                          index[tensor->rank - 2])) {
                box_set(box, inputs[n], index, value);
                spoiled++;
            }
        while (box_next(tensor, index));
    }
    return spoiled;
}

Test(identity, nan_under_the_mask, .timeout = 300)
{
    struct attune_context *context = create_context(2);
    int spoiled = 0;
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 30; seed++) {
            struct generate_options options = sizes(kind, seed);
            struct box box;
            struct box_result before, after;
            options.all_outputs = 1;
            generate(&box, &generate_kinds[kind], &options, seed);
            box.problem.stage = ATTUNE_MASKED;
            run(&box, context, &before);
            spoiled += spoil_unseen(&box, &before, seed % 2 ? (double)NAN : (double)INFINITY);
            run(&box, context, &after);
            expect_same(&box, &before, &after, "mask", seed);
            box_result_free(&before);
            box_result_free(&after);
            box_destroy(&box);
        }
    cr_expect_gt(spoiled, 1000, "only %d elements were spoiled", spoiled);
    attune_context_release(context);
}

/* NaN in one key that is attended: exactly the rows that attend it, as the oracle says. */
Test(identity, nan_in_attended_data, .timeout = 300)
{
    static const enum attune_input inputs[] = {
        ATTUNE_IN_QUERY, ATTUNE_IN_KEY, ATTUNE_IN_VALUE, ATTUNE_IN_Q,    ATTUNE_IN_K,
        ATTUNE_IN_V,     ATTUNE_IN_X,   ATTUNE_IN_BIAS,  ATTUNE_IN_SINK, ATTUNE_IN_STATE};
    struct attune_context *context = create_context(2);
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 40; seed++) {
            struct box box;
            struct box_result result;
            generate(&box, &generate_kinds[kind], &generate_anything, seed);
            const enum attune_input input = inputs[seed % 10];
            if (box_has(&box, input) && box.input[input].size > 0) {
                int64_t index[ATTUNE_MAX_RANK] = {0};
                for (int axis = 0; axis < box.problem.in[input].rank; axis++)
                    index[axis] =
                        random_between(&box.random, 0, box.problem.in[input].size[axis] - 1);
                if (box.problem.in[input].dtype != ATTUNE_I8)
                    box_set(&box, input, index, (double)NAN);
                run(&box, context, &result);
                const char *wrong = compare_with_oracle(&box, &result, (double)INFINITY);
                cr_expect(!wrong, "%s seed %d, NaN in %s: %s", generate_kinds[kind].name, (int)seed,
                          attune_input_name((int32_t)input), wrong);
                box_result_free(&result);
            }
            box_destroy(&box);
        }
    attune_context_release(context);
}

Test(identity, floating_point_mode, .timeout = 300)
{
    struct attune_context *context[] = {create_context(1), create_context(3)};
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 6; seed++) {
            const struct generate_options options = sizes(kind, seed);
            struct box box;
            struct box_result usual, upward;
            generate(&box, &generate_kinds[kind], &options, seed);
            for (int c = 0; c < 2; c++) {
                run(&box, context[c], &usual);
                fesetround(FE_UPWARD);
                run(&box, context[c], &upward);
                cr_expect_eq(fegetround(), FE_UPWARD, "the caller's rounding mode was changed");
                fesetround(FE_TONEAREST);
                expect_same(&box, &usual, &upward, "rounding mode", seed);
                box_result_free(&usual);
                box_result_free(&upward);
            }
            box_destroy(&box);
        }
    attune_context_release(context[0]);
    attune_context_release(context[1]);
}
