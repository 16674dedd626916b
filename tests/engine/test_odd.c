/* SPDX-License-Identifier: Apache-2.0
 *
 * Big and odd shapes: strides beyond 2^31 elements, in address space that is never filled; widths of
 * 1 and of 4096; nothing to compute at all.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

static struct attune_context *open_context(void)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

static void add(struct box *box, enum attune_input input, int32_t rank, int64_t a, int64_t b,
                int64_t c, int64_t d)
{
    const int64_t size[] = {a, b, c, d};
    box_input(box, input, input == ATTUNE_IN_MASK ? ATTUNE_BOOL : ATTUNE_F32, 1, rank, size);
}

static void check(struct box *box, struct attune_context *context, const char *what)
{
    struct box_result result;
    box_run(box, context, &result);
    cr_assert_eq(result.status, ATTUNE_OK, "%s: %s", what, result.detail);
    const char *wrong = compare_with_oracle(box, &result, (double)INFINITY);
    cr_expect(!wrong, "%s: %s", what, wrong);
    box_result_free(&result);
}

/* ---- Strides beyond 2^31 elements. ---- */

enum { T_Q = 4, T_K = 5, D = 3 };
static const int64_t FAR = (INT64_C(1) << 31) + 5;

/* Address space for `rows` rows that lie FAR elements apart. */
static char *reserve(int64_t rows, size_t element, size_t *size)
{
    *size = (size_t)(FAR * (rows + 1)) * element;
    void *map = mmap(NULL, *size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return map == MAP_FAILED ? NULL : map;
}

/* Moves a packed tensor of the box to where its rows, along all axes but the last, are far apart. */
static int spread(struct box *box, enum attune_input input, char **map, size_t *size)
{
    struct attune_tensor *tensor = &box->problem.in[input];
    const int32_t last = tensor->rank - 1;
    const size_t element = attune_dtype_size(tensor->dtype);
    const size_t columns = (size_t)tensor->size[last] * element;
    int64_t rows = 1;
    for (int32_t axis = last - 1; axis >= 0; axis--) {
        tensor->stride[axis] = FAR * rows;
        rows *= tensor->size[axis];
    }
    *map = reserve(rows, element, size);
    if (!*map)
        return 0;
    for (int64_t row = 0; row < rows; row++)
        memcpy(*map + (size_t)(row * FAR) * element, box->input[input].data + (size_t)row * columns,
               columns);
    box->args.in[input] = *map;
    return 1;
}

static void run_spread(enum attune_input input)
{
    struct attune_context *context = open_context();
    struct box box;
    char *map = NULL;
    size_t size = 0;
    box_create(&box, ATTUNE_SELF, 3);
    add(&box, ATTUNE_IN_Q, 4, 1, 1, T_Q, D);
    add(&box, ATTUNE_IN_K, 4, 1, 1, T_K, D);
    add(&box, ATTUNE_IN_V, 4, 1, 1, T_K, D);
    add(&box, ATTUNE_IN_BIAS, 2, T_Q, T_K, 0, 0);
    add(&box, ATTUNE_IN_MASK, 2, T_Q, T_K, 0, 0);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        box_output(&box, (enum attune_output)o);
    if (spread(&box, input, &map, &size)) {
        check(&box, context, attune_input_name((int32_t)input));
        munmap(map, size);
    } else {
        cr_log_warn("no address space: strides beyond 2^31 are not tested");
    }
    box_destroy(&box);
    attune_context_release(context);
}

Test(odd, rows_of_inputs_far_apart)
{
    run_spread(ATTUNE_IN_Q);
    run_spread(ATTUNE_IN_K);
    run_spread(ATTUNE_IN_V);
    run_spread(ATTUNE_IN_BIAS);
    run_spread(ATTUNE_IN_MASK);
}

/* What is projected, convolved or gathered before the core comes from as far: each tensor of each kind of
 * problem in turn, weights among them. */
Test(odd, every_tensor_of_every_kind_far_apart, .timeout = 300)
{
    struct attune_context *context = open_context();
    int spread_out = 0;
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (int32_t input = 0; input < ATTUNE_INPUT_COUNT; input++) {
            struct generate_options options = generate_anything;
            struct box box;
            char *map = NULL, what[96];
            size_t size = 0;
            options.packed = 1;
            options.batch = 2;
            options.t_q = options.t_k = 5;
            generate(&box, &generate_kinds[kind], &options, 3);
            if (box_has(&box, (enum attune_input)input) && box.problem.in[input].rank > 1 &&
                spread(&box, (enum attune_input)input, &map, &size)) {
                (void)snprintf(what, sizeof what, "%s, %s", generate_kinds[kind].name,
                               attune_input_name(input));
                check(&box, context, what);
                munmap(map, size);
                spread_out++;
            }
            box_destroy(&box);
        }
    attune_context_release(context);
    if (spread_out == 0)
        cr_log_warn("no address space: strides beyond 2^31 are not tested");
}

/* The same result, whether packed or with rows far apart. */
static void run_far_output(enum attune_output output)
{
    struct attune_context *context = open_context();
    struct attune_plan *plan;
    struct attune_tensor *tensor;
    struct box box;
    struct box_result packed;
    size_t size = 0;
    box_create(&box, ATTUNE_SELF, 4);
    add(&box, ATTUNE_IN_Q, 4, 1, 1, T_Q, D);
    add(&box, ATTUNE_IN_K, 4, 1, 1, T_K, D);
    add(&box, ATTUNE_IN_V, 4, 1, 1, T_K, D);
    box_output(&box, output);
    box_run(&box, context, &packed);
    cr_assert_eq(packed.status, ATTUNE_OK);
    tensor = &box.problem.out[output];
    attune_problem_output_shape(&box.problem, output, tensor);
    const int32_t axis = output == ATTUNE_OUT_LSE ? 2 : tensor->rank - 2;
    const int64_t rows = tensor->size[axis], columns = packed.count[output] / rows;
    char *map = reserve(rows, sizeof(float), &size);
    if (map) {
        tensor->stride[axis] = FAR;
        tensor->stride[0] = tensor->stride[1] = FAR * rows;
        cr_assert_eq(attune_plan_create(context, &box.problem, &plan), ATTUNE_OK, "%s",
                     attune_error_detail());
        box.args.out[output] = map;
        box.args.workspace_size = attune_plan_workspace_size(plan);
        box.args.workspace = malloc(box.args.workspace_size);
        cr_assert_eq(attune_plan_execute(plan, &box.args), ATTUNE_OK, "%s", attune_error_detail());
        for (int64_t row = 0; row < rows; row++)
            cr_expect_eq(memcmp(map + (size_t)(row * FAR) * sizeof(float),
                                packed.value[output] + row * columns,
                                (size_t)columns * sizeof(float)),
                         0, "%s, row %d", attune_output_name((int32_t)output), (int)row);
        free(box.args.workspace);
        attune_plan_release(plan);
        munmap(map, size);
    }
    box_result_free(&packed);
    box_destroy(&box);
    attune_context_release(context);
}

Test(odd, rows_of_outputs_far_apart)
{
    run_far_output(ATTUNE_OUT_OUT);
    run_far_output(ATTUNE_OUT_ALIGNMENTS);
    run_far_output(ATTUNE_OUT_SCORES);
    run_far_output(ATTUNE_OUT_LSE);
}

/* ---- Widths. ---- */

Test(odd, widths_from_1_to_4096, .timeout = 120)
{
    static const int64_t widths[][2] = {{1, 1}, {1, 4096}, {4096, 1}, {4096, 4096}, {4095, 4097}, {2, 3}};
    struct attune_context *context = open_context();
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (int few = 0; few < 2; few++) {
            struct box box;
            box_create(&box, ATTUNE_SELF, w + 1);
            add(&box, ATTUNE_IN_Q, 4, 1, 1, few ? 1 : 17, widths[w][0]);
            add(&box, ATTUNE_IN_K, 4, 1, 1, 9, widths[w][0]);
            add(&box, ATTUNE_IN_V, 4, 1, 1, 9, widths[w][1]);
            for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
                box_output(&box, (enum attune_output)o);
            check(&box, context, "self dot");
            box_destroy(&box);
            box_create(&box, ATTUNE_ADDITIVE, w + 1);
            add(&box, ATTUNE_IN_QUERY, 3, 1, few ? 1 : 17, widths[w][0], 0);
            add(&box, ATTUNE_IN_KEY, 3, 1, 9, widths[w][0], 0);
            add(&box, ATTUNE_IN_SCORE_VECTOR, 1, widths[w][0], 0, 0, 0);
            add(&box, ATTUNE_IN_VALUE, 3, 1, 9, widths[w][1], 0);
            box_output(&box, ATTUNE_OUT_OUT);
            check(&box, context, "additive");
            box_destroy(&box);
        }
    attune_context_release(context);
}

/* ---- Nothing. ---- */

/* T_k = 0 gives zeros and lse -inf; B or T_q = 0 gives empty results, and every pointer may be NULL. */
Test(odd, extents_of_0, .timeout = 120)
{
    struct attune_context *context = open_context();
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (int which = 0; which < 3; which++)
            for (uint64_t seed = 1; seed <= 6; seed++) {
                struct generate_options options = generate_anything;
                struct box box;
                options.all_outputs = 1;
                if (which == 0)
                    options.batch = 0;
                else if (which == 1)
                    options.t_q = 0;
                else
                    options.t_k = 0;
                generate(&box, &generate_kinds[kind], &options, seed);
                check(&box, context, generate_kinds[kind].name);
                box_destroy(&box);
            }
    attune_context_release(context);
}

/* ---- Strides that nothing is read through. ---- */

static void make(struct box *box, int64_t t_q, int64_t t_k, int64_t d)
{
    box_create(box, ATTUNE_SELF, 42);
    add(box, ATTUNE_IN_Q, 4, 1, 1, t_q, d);
    add(box, ATTUNE_IN_K, 4, 1, 1, t_k, d);
    add(box, ATTUNE_IN_V, 4, 1, 1, t_k, d);
    attune_problem_output(&box->problem, ATTUNE_OUT_OUT);
}

Test(odd, strides_of_axes_of_one_element, .timeout = 60)
{
    struct attune_context *context = open_context();
    const int64_t strides[] = {INT64_MAX, INT64_MAX / 4, 1, 0};
    for (int i = 0; i < 4; i++) {
        struct box box;
        make(&box, 2, 1, 19);
        for (int axis = 0; axis < 3; axis++)
            box.problem.in[ATTUNE_IN_K].stride[axis] = box.problem.in[ATTUNE_IN_V].stride[axis] = strides[i];
        check(&box, context, "one key, at no distance from another");
        box_destroy(&box);
    }
    attune_context_release(context);
}
