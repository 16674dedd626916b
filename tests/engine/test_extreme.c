/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers from the ends of float32: tiny, huge, denormal, -0, in any input of any mechanism. Where
 * the problem is so badly conditioned that its bound says nothing, nothing is said; elsewhere the
 * oracle decides.
 */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

/* Multiplies some elements of an input, or all of them, by a power of ten. */
static void stretch(struct box *box, enum attune_input input, struct test_random *random)
{
    static const double factors[] = {1e-42, 1e-38, 1e-20, 1e-8, -0.0, 0,
                                     30,    1e3,   1e6,   1e12, 1e19, 1e30};
    const double factor = factors[random_between(random, 0, 11)];
    const int all = random_chance(random, 40);
    int64_t index[ATTUNE_MAX_RANK] = {0};
    if (!box_has(box, input) || box->problem.in[input].dtype != ATTUNE_F32 ||
        box->input[input].size == 0 || box_is_shared(box, input))
        return;
    do
        if (all || random_chance(random, 10))
            box_set(box, input, index, box_get(box, input, index) * factor);
    while (box_next(&box->problem.in[input], index));
}

/* Any finite scale and softcap is legal, also those that float32 cannot hold. */
static void stretch_fields(struct attune_problem *problem, struct test_random *random)
{
    if (random_chance(random, 20)) {
        problem->has_score_scale = 1;
        problem->score_scale = pow(10, (double)random_between(random, -60, 60));
    }
    if (random_chance(random, 20) && problem->softcap > 0)
        problem->softcap = pow(10, (double)random_between(random, -60, 60));
    if (random_chance(random, 20)) {
        problem->has_output_scale = 1;
        problem->output_scale = pow(10, (double)random_between(random, -60, 60));
    }
}

static void sweep(int kind)
{
    struct attune_context *context;
    const char *only = getenv("ATTUNE_TEST_SEED");
    const char *most = getenv("ATTUNE_TEST_SEEDS");
    const uint64_t first = only ? strtoull(only, NULL, 10) : 1;
    const uint64_t last = only ? first : most ? strtoull(most, NULL, 10) : 80;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK, "%s", attune_error_detail());
    for (uint64_t seed = first; seed <= last; seed++) {
        struct test_random random = {seed};
        struct box box;
        struct box_result result;
        generate(&box, &generate_kinds[kind], &generate_anything, seed);
        for (int input = 0; input < ATTUNE_INPUT_COUNT; input++)
            if (random_chance(&random, 25))
                stretch(&box, (enum attune_input)input, &random);
        stretch_fields(&box.problem, &random);
        box_run(&box, context, &result);
        const char *wrong = compare_with_oracle(&box, &result, (double)INFINITY);
        cr_expect(!wrong, "%s seed %d: %s", generate_kinds[kind].name, (int)seed, wrong);
        box_result_free(&result);
        box_destroy(&box);
    }
    printf("figure: %s: %d random problems, largest error %.3f of its bound\n",
           generate_kinds[kind].name, (int)(last - first + 1), compare_worst());
    attune_context_release(context);
}

/* An infinity in the data is no mask: what it meets becomes what the formulas say. */
Test(extreme, infinities, .timeout = 3600)
{
    static const enum attune_input inputs[] = {ATTUNE_IN_QUERY, ATTUNE_IN_KEY, ATTUNE_IN_VALUE,
                                               ATTUNE_IN_Q,     ATTUNE_IN_K,   ATTUNE_IN_V,
                                               ATTUNE_IN_X,     ATTUNE_IN_SINK};
    struct attune_context *context;
    int met = 0;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK, "%s", attune_error_detail());
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 80; seed++) {
            const enum attune_input input = inputs[seed % 8];
            int64_t index[ATTUNE_MAX_RANK] = {0};
            struct box box;
            struct box_result result;
            generate(&box, &generate_kinds[kind], &generate_anything, seed);
            const struct attune_tensor *tensor = &box.problem.in[input];
            if (box_has(&box, input) && tensor->dtype != ATTUNE_I8) {
                for (int axis = 0; axis < tensor->rank; axis++)
                    index[axis] = random_between(&box.random, 0, tensor->size[axis] - 1);
                box_set(&box, input, index, seed % 16 < 8 ? INFINITY : -INFINITY);
                box_run(&box, context, &result);
                const char *wrong = compare_with_oracle(&box, &result, (double)INFINITY);
                cr_expect(!wrong, "%s seed %d: %s", generate_kinds[kind].name, (int)seed, wrong);
                box_result_free(&result);
                met++;
            }
            box_destroy(&box);
        }
    cr_expect_gt(met, 150, "only %d problems met an infinity", met);
    attune_context_release(context);
}

/* A bias of -FLT_MAX, or a sink, that leaves no weight must not loosen the bound of its row either. */
Test(extreme, the_bound_beside_a_bias_of_minus_flt_max)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK, "%s", attune_error_detail());
    for (uint64_t seed = 1; seed <= 12; seed++) {
        const int64_t t_k = 30, heads = 2;
        struct box box;
        struct box_result result;
        box_create(&box, ATTUNE_SELF, seed);
        box_input(&box, ATTUNE_IN_Q, ATTUNE_F32, 1, 4, (const int64_t[]){2, heads, 5, 8});
        box_input(&box, ATTUNE_IN_K, ATTUNE_F32, 1, 4, (const int64_t[]){2, heads, t_k, 8});
        box_input(&box, ATTUNE_IN_V, ATTUNE_F32, 1, 4, (const int64_t[]){2, heads, t_k, 7});
        box_input(&box, ATTUNE_IN_BIAS, ATTUNE_F32, 1, 1, &t_k);
        for (int64_t j = 0; j < t_k; j += 3)
            box_set(&box, ATTUNE_IN_BIAS, &j, seed % 2 ? -(double)FLT_MAX : -65504.0);
        if (seed % 3 == 0) {
            box_input(&box, ATTUNE_IN_SINK, ATTUNE_F32, 1, 1, &heads);
            box_set_all(&box, ATTUNE_IN_SINK, -(double)FLT_MAX);
        }
        for (int output = 0; output < ATTUNE_OUT_SCORES; output++)
            box_output(&box, (enum attune_output)output);
        box_run(&box, context, &result);
        const char *wrong = compare_with_oracle(&box, &result, 1e-4);
        cr_expect(!wrong, "seed %d: %s", (int)seed, wrong);
        box_result_free(&result);
        box_destroy(&box);
    }
    attune_context_release(context);
}

/* Sizes beyond one tile in every axis; and weights whose product float32 does not hold, or not all of
 * its bits, while alignments make up for it. */
static void check_location(struct attune_context *context, uint64_t seed, double weight, double previous)
{
    const int64_t b = 2, t_k = 70, a = 77, f = 37, width = 31;
    struct box box;
    struct box_result result;
    box_create(&box, ATTUNE_CONVOLUTIONAL, seed);
    box.problem.form = ATTUNE_LOCATION;
    box_input(&box, ATTUNE_IN_QUERY, ATTUNE_F32, 1, 3, (const int64_t[]){b, 3, a});
    box_input(&box, ATTUNE_IN_KEY, ATTUNE_F32, 1, 3, (const int64_t[]){b, t_k, a});
    box_input(&box, ATTUNE_IN_VALUE, ATTUNE_F32, 1, 3, (const int64_t[]){b, t_k, 9});
    box_input(&box, ATTUNE_IN_SCORE_VECTOR, ATTUNE_F32, 0.3, 1, &a);
    box_input(&box, ATTUNE_IN_LOCATION_KERNEL, ATTUNE_F32, weight, 3, (const int64_t[]){f, 1, width});
    box_input(&box, ATTUNE_IN_W_LOCATION, ATTUNE_F32, weight, 2, (const int64_t[]){a, f});
    box_input(&box, ATTUNE_IN_PREVIOUS_ALIGNMENTS, ATTUNE_F32, previous, 2, (const int64_t[]){b, t_k});
    for (int output = 0; output < ATTUNE_OUT_SCORES; output++)
        box_output(&box, (enum attune_output)output);
    box_run(&box, context, &result);
    const char *wrong = compare_with_oracle(&box, &result, 0.02);
    cr_expect(!wrong, "weights of %g, seed %d: %s", weight, (int)seed, wrong);
    box_result_free(&result);
    box_destroy(&box);
}

Test(extreme, location_weights, .timeout = 120)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK, "%s", attune_error_detail());
    for (uint64_t seed = 1; seed <= 4; seed++) {
        check_location(context, seed, 0.3, 0.3);
        check_location(context, seed, 1e20, 1e-41);
        check_location(context, seed, 1e-20, 1e38);
    }
    attune_context_release(context);
}

#define EXTREME(number, kind)                                                                      \
    Test(extreme, kind, .timeout = 3600)                                                           \
    {                                                                                              \
        sweep(number);                                                                             \
    }
EXTREME(0, additive)
EXTREME(1, dot)
EXTREME(2, general)
EXTREME(3, concat)
EXTREME(4, self_qkv)
EXTREME(5, self_x)
EXTREME(6, pairwise)
EXTREME(7, convolutional)
EXTREME(8, location)
EXTREME(9, recurrent_scan)
EXTREME(10, recurrent_step)
