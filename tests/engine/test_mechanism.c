/* SPDX-License-Identifier: Apache-2.0
 *
 * Every mechanism and form through the public API, over random problems with a random choice of all
 * that a problem may have, against the oracle.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

/* The bound of a random problem is about 1e-4; one looser than this would hide a dropped key. */
#define LOOSEST 0.02

static struct attune_context *create_context(int32_t threads)
{
    struct attune_context_options options = {.struct_size = sizeof options, .threads = threads};
    struct attune_context *context;
    cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

static void check(struct attune_context *context, const char *kind, uint64_t seed, struct box *box)
{
    struct box_result result;
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++)
        if (box->args.in[i])
            guard_freeze(&box->input[i]);
    box_run(box, context, &result);
    const char *wrong = compare_with_oracle(box, &result, LOOSEST);
    cr_expect(!wrong, "%s seed %d: %s", kind, (int)seed, wrong);
    box_result_free(&result);
}

/* ATTUNE_TEST_SEED runs one seed alone. */
static void sweep(int kind, const struct generate_options *options, uint64_t first, uint64_t last)
{
    struct attune_context *context = create_context(2);
    const char *only = getenv("ATTUNE_TEST_SEED");
    if (only)
        first = last = strtoull(only, NULL, 10);
    for (uint64_t seed = first; seed <= last; seed++) {
        struct box box;
        generate(&box, &generate_kinds[kind], options, seed);
        generate_poison(&box);
        check(context, generate_kinds[kind].name, seed, &box);
        box_destroy(&box);
    }
    attune_context_release(context);
}

#define RANDOM(number, kind)                                                                       \
    Test(mechanism, kind, .timeout = 300)                                                          \
    {                                                                                              \
        sweep(number, &generate_anything, 1, 60);                                                  \
    }
RANDOM(0, additive)
RANDOM(1, dot)
RANDOM(2, general)
RANDOM(3, concat)
RANDOM(4, self_qkv)
RANDOM(5, self_x)
RANDOM(6, pairwise)
RANDOM(7, convolutional)
RANDOM(8, location)
RANDOM(9, recurrent_scan)
RANDOM(10, recurrent_step)

/* Sizes around the tiles and blocks of the kernels, where the edges are. */
Test(mechanism, edges_of_blocks, .timeout = 300)
{
    static const int64_t sizes[] = {0, 1, 5, 6, 7, 16, 17, 47, 48, 49, 95, 97, 191, 192, 193, 385};
    const int count = sizeof sizes / sizeof sizes[0];
    for (int kind = 0; kind < generate_kind_count; kind++) {
        const int slow = kind == 5 || kind >= 7;
        for (int i = 0; i < count; i++) {
            struct generate_options options = generate_anything;
            options.batch = 1;
            options.t_k = sizes[i];
            options.t_q = slow ? sizes[i] / 4 : sizes[count - 1 - i] / 4;
            sweep(kind, &options, 1000 + (uint64_t)i, 1000 + (uint64_t)i);
        }
    }
}

Test(mechanism, empty_batch, .timeout = 60)
{
    for (int kind = 0; kind < generate_kind_count; kind++) {
        struct generate_options options = generate_anything;
        options.batch = 0;
        sweep(kind, &options, 1, 3);
    }
}
