/* SPDX-License-Identifier: Apache-2.0
 *
 * More of what may not change one bit: 64 threads, where the buffers lie, what was computed before.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

enum { LINE = 64, OFFSETS = 9 };

static struct attune_context *open_context(int32_t threads)
{
    struct attune_context_options options = {.struct_size = sizeof options, .threads = threads};
    struct attune_context *context;
    cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

static void make(struct box *box, int kind, int64_t t_q, int64_t t_k, uint64_t seed)
{
    struct generate_options options = generate_anything;
    options.packed = options.all_outputs = 1;
    options.t_q = t_q;
    options.t_k = t_k;
    generate(box, &generate_kinds[kind], &options, seed);
}

static void run(struct box *box, struct attune_context *context, struct box_result *result)
{
    box_run(box, context, result);
    cr_assert_eq(result->status, ATTUNE_OK, "%s", result->detail);
}

static void expect_same(const struct box_result *one, const struct box_result *other, int kind,
                        const char *what)
{
    const char *wrong = compare_bits(one, other);
    cr_expect(!wrong, "%s, %s: %s, %s", generate_kinds[kind].name, what, wrong, one->kernels);
}

/* Prefill, decoding over long keys (which is split), and a few rows of many heads. */
Test(same_bits, sixty_four_threads, .timeout = 300)
{
    static const int64_t lengths[][2] = {{150, 150}, {1, 5000}, {3, 700}};
    struct attune_context *one = open_context(1), *many = open_context(64);
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            struct box box;
            struct box_result alone, together;
            if (generate_kinds[kind].mechanism == ATTUNE_RECURRENT && l == 1)
                continue;
            make(&box, kind, lengths[l][0], lengths[l][1], 3 + l);
            run(&box, one, &alone);
            run(&box, many, &together);
            expect_same(&alone, &together, kind, "64 threads");
            box_result_free(&alone);
            box_result_free(&together);
            box_destroy(&box);
        }
    attune_context_release(one);
    attune_context_release(many);
}

/* ---- Where the buffers lie. ---- */

/* A block whose data begin `offset` bytes behind a cache line. */
struct placed {
    char *block, *data;
};

static struct placed place(size_t size, size_t offset)
{
    struct placed placed = {aligned_alloc(LINE, (size + offset) / LINE * LINE + 2 * LINE), NULL};
    cr_assert_not_null(placed.block);
    placed.data = placed.block + offset;
    return placed;
}

struct copies {
    struct placed in[ATTUNE_INPUT_COUNT], out[ATTUNE_OUTPUT_COUNT], workspace, prepared;
    struct attune_args args;
};

static void copy_in(const struct box *box, const struct attune_plan *plan, size_t step,
                    const struct box_result *shape, struct copies *copies)
{
    memset(copies, 0, sizeof *copies);
    copies->args.struct_size = sizeof copies->args;
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++)
        if (box_has(box, (enum attune_input)i)) {
            const size_t element = attune_dtype_size(box->problem.in[i].dtype);
            copies->in[i] = place(box->input[i].size, (step + (size_t)i) * element % LINE);
            memcpy(copies->in[i].data, box->input[i].data, box->input[i].size);
            copies->args.in[i] = copies->in[i].data;
        }
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        copies->out[o] = place((size_t)shape->count[o] * sizeof(float),
                               (step + (size_t)o) * sizeof(float) % LINE);
        copies->args.out[o] = copies->out[o].data;
    }
    copies->args.workspace_size = attune_plan_workspace_size(plan);
    copies->workspace = place(copies->args.workspace_size, 7 * step % LINE);
    copies->args.workspace = copies->workspace.data;
    copies->args.prepared_size = attune_plan_prepared_size(plan);
    copies->prepared = place(copies->args.prepared_size, 4 * step % LINE);
    copies->args.prepared = copies->prepared.data;
}

static void drop(struct copies *copies)
{
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++)
        free(copies->in[i].block);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        free(copies->out[o].block);
    free(copies->workspace.block);
    free(copies->prepared.block);
}

static void run_placed(const struct box *box, const struct attune_plan *plan, size_t step, int kind,
                       const struct box_result *wanted)
{
    struct copies copies;
    struct box_result got = *wanted;
    copy_in(box, plan, step, wanted, &copies);
    if (copies.args.prepared_size > 0)
        cr_assert_eq(attune_plan_prepare(plan, &copies.args, copies.prepared.data,
                                         copies.args.prepared_size),
                     ATTUNE_OK, "%s", attune_error_detail());
    cr_assert_eq(attune_plan_execute(plan, &copies.args), ATTUNE_OK, "%s", attune_error_detail());
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        got.value[o] = (float *)(void *)copies.out[o].data;
    expect_same(wanted, &got, kind, "placed elsewhere");
    drop(&copies);
}

Test(same_bits, any_alignment_of_the_buffers, .timeout = 300)
{
    struct attune_context *context = open_context(2);
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 4; seed++) {
            struct box box;
            struct box_result wanted;
            struct attune_plan *plan;
            make(&box, kind, seed % 2 ? 19 : 130, seed % 2 ? 23 : 130, seed);
            run(&box, context, &wanted);
            cr_assert_eq(attune_plan_create(context, &box.problem, &plan), ATTUNE_OK);
            for (size_t step = 0; step < OFFSETS; step++)
                run_placed(&box, plan, step, kind, &wanted);
            attune_plan_release(plan);
            box_result_free(&wanted);
            box_destroy(&box);
        }
    attune_context_release(context);
}

/* ---- What was computed before. ---- */

enum { KINDS = 11, MOSTLY = 97 };

/* A problem of a kind, its first results, and plans with their buffers: for one thread and for three. */
struct held {
    struct box box;
    struct box_result first;
    struct attune_plan *plan[2];
    struct copies copies[2];
};

static void hold(struct held *held, int kind, struct attune_context *const context[2])
{
    make(&held->box, kind, 33, 33, 9);
    run(&held->box, context[1], &held->first);
    for (int c = 0; c < 2; c++) {
        cr_assert_eq(attune_plan_create(context[c], &held->box.problem, &held->plan[c]), ATTUNE_OK, "%s",
                     attune_error_detail());
        copy_in(&held->box, held->plan[c], 0, &held->first, &held->copies[c]);
    }
}

static void let_go(struct held *held)
{
    for (int c = 0; c < 2; c++) {
        attune_plan_release(held->plan[c]);
        drop(&held->copies[c]);
    }
    box_result_free(&held->first);
    box_destroy(&held->box);
}

static void compute_again(struct held *held, int c)
{
    struct copies *copies = &held->copies[c];
    if (copies->args.prepared_size > 0)
        cr_assert_eq(attune_plan_prepare(held->plan[c], &copies->args, copies->prepared.data,
                                         copies->args.prepared_size),
                     ATTUNE_OK, "%s", attune_error_detail());
    cr_assert_eq(attune_plan_execute(held->plan[c], &copies->args), ATTUNE_OK, "%s",
                 attune_error_detail());
}

/* Problems of every kind in turn, many times over, with plans kept and, now and then, new ones in new
 * buffers: those have the bits of the first. Most calls are for one thread, since a team's wake-ups
 * would take nine tenths of the time. */
Test(same_bits, after_many_other_calls, .timeout = 3600)
{
    const char *text = getenv("ATTUNE_TEST_CALLS");
    const long calls = text ? atol(text) : 4000;
    struct attune_context *context[2] = {open_context(1), open_context(3)};
    struct held held[KINDS];
    struct box_result last;
    cr_assert_leq(generate_kind_count, KINDS);
    for (int kind = 0; kind < generate_kind_count; kind++)
        hold(&held[kind], kind, context);
    for (long call = 0; call < calls; call++) {
        const int kind = (int)(call * 7 % generate_kind_count);
        if (call % MOSTLY != 0 && call + generate_kind_count < calls) {
            compute_again(&held[kind], call % 16 == 0);
            continue;
        }
        run(&held[kind].box, context[1], &last);
        expect_same(&held[kind].first, &last, kind, "after other calls");
        box_result_free(&last);
    }
    for (int kind = 0; kind < generate_kind_count; kind++)
        let_go(&held[kind]);
    printf("figure: %ld calls, the bits of the first\n", calls);
    attune_context_release(context[0]);
    attune_context_release(context[1]);
}
