/* SPDX-License-Identifier: Apache-2.0
 *
 * The arguments of one execution: every wrong pointer, length and size gets an error that names it,
 * and nothing is written; one plan runs in many threads at once.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

/* A plan with its memory, ready to execute. */
struct ready {
    struct box box;
    struct attune_context *context;
    struct attune_plan *plan;
    float *out[ATTUNE_OUTPUT_COUNT];
    int64_t count[ATTUNE_OUTPUT_COUNT];
    struct attune_args args;
};

static void make_ready(struct ready *ready, int kind, uint64_t seed)
{
    struct generate_options options = generate_anything;
    options.packed = options.all_outputs = options.plain = 1;
    generate(&ready->box, &generate_kinds[kind], &options, seed);
    const enum attune_input first =
        box_has(&ready->box, ATTUNE_IN_X) ? ATTUNE_IN_X : ATTUNE_IN_QUERY;
    const int64_t *batch = ready->box.problem.in[first].size;
    if (!box_has(&ready->box, ATTUNE_IN_Q)) {
        box_input(&ready->box, ATTUNE_IN_KEY_LENGTHS, ATTUNE_I32, 0, 1, batch);
        box_input(&ready->box, ATTUNE_IN_QUERY_LENGTHS, ATTUNE_I64, 0, 1, batch);
        box_set_all(&ready->box, ATTUNE_IN_KEY_LENGTHS, 1);
        box_set_all(&ready->box, ATTUNE_IN_QUERY_LENGTHS, 1);
    }
    cr_assert_eq(attune_context_create(NULL, &ready->context), ATTUNE_OK);
    cr_assert_eq(attune_plan_create(ready->context, &ready->box.problem, &ready->plan), ATTUNE_OK,
                 "%s", attune_error_detail());
    ready->args = ready->box.args;
    ready->args.workspace_size = attune_plan_workspace_size(ready->plan);
    ready->args.workspace = malloc(ready->args.workspace_size + 1);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        struct attune_tensor shape;
        attune_problem_output_shape(&ready->box.problem, (enum attune_output)o, &shape);
        ready->count[o] = 1;
        for (int axis = 0; axis < shape.rank; axis++)
            ready->count[o] *= shape.size[axis];
        ready->out[o] = malloc((size_t)ready->count[o] * sizeof(float) + 4);
        memset(ready->out[o], 0xa5, (size_t)ready->count[o] * sizeof(float));
        ready->args.out[o] = ready->out[o];
    }
}

static void drop(struct ready *ready)
{
    free(ready->args.workspace);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        free(ready->out[o]);
    attune_plan_release(ready->plan);
    attune_context_release(ready->context);
    box_destroy(&ready->box);
}

static int is_untouched(const struct ready *ready)
{
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        for (size_t i = 0; i < (size_t)ready->count[o] * sizeof(float); i++)
            if (((unsigned char *)ready->out[o])[i] != 0xa5)
                return 0;
    return 1;
}

static void refuse(const struct ready *ready, const struct attune_args *args,
                   enum attune_status status, const char *name)
{
    cr_expect_eq(attune_plan_execute(ready->plan, args), status, "%s: %s", name,
                 attune_error_detail());
    cr_expect(strncmp(attune_error_detail(), name, strlen(name)) == 0, "%s: \"%s\"", name,
              attune_error_detail());
    cr_expect(is_untouched(ready), "%s: something was written", name);
}

Test(args, pointers)
{
    for (int kind = 0; kind < generate_kind_count; kind++) {
        struct ready ready;
        make_ready(&ready, kind, 7);
        for (int i = 0; i < ATTUNE_INPUT_COUNT; i++) {
            struct attune_args args = ready.args;
            const int given = box_has(&ready.box, (enum attune_input)i);
            args.in[i] = given ? NULL : ready.args.workspace;
            refuse(&ready, &args, ATTUNE_ERROR_INVALID, attune_input_name(i));
            if (!given || attune_dtype_size(ready.box.problem.in[i].dtype) == 1)
                continue;
            args.in[i] = (const char *)ready.args.in[i] + 1;
            refuse(&ready, &args, ATTUNE_ERROR_INVALID, attune_input_name(i));
        }
        for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
            struct attune_args args = ready.args;
            args.out[o] = NULL;
            refuse(&ready, &args, ATTUNE_ERROR_INVALID, attune_output_name(o));
            args.out[o] = (char *)ready.args.out[o] + 1;
            refuse(&ready, &args, ATTUNE_ERROR_INVALID, attune_output_name(o));
        }
        struct attune_args args = ready.args;
        args.in[ATTUNE_INPUT_SLOTS - 1] = &args;
        refuse(&ready, &args, ATTUNE_ERROR_INVALID, "in[47]");
        args = ready.args;
        args.out[ATTUNE_OUTPUT_SLOTS - 1] = ready.args.workspace;
        refuse(&ready, &args, ATTUNE_ERROR_INVALID, "out");
        drop(&ready);
    }
}

Test(args, overlap)
{
    struct ready ready;
    make_ready(&ready, 1, 3);
    struct attune_args args = ready.args;
    args.out[ATTUNE_OUT_LSE] = args.out[ATTUNE_OUT_OUT];
    refuse(&ready, &args, ATTUNE_ERROR_INVALID, "lse");
    args = ready.args;
    args.out[ATTUNE_OUT_OUT] = (void *)(uintptr_t)args.in[ATTUNE_IN_KEY];
    refuse(&ready, &args, ATTUNE_ERROR_INVALID, "out");
    args = ready.args;
    args.out[ATTUNE_OUT_OUT] = (void *)(((uintptr_t)args.workspace + 3) / 4 * 4);
    refuse(&ready, &args, ATTUNE_ERROR_INVALID, "out");
    drop(&ready);
}

Test(args, lengths)
{
    static const enum attune_input inputs[] = {ATTUNE_IN_KEY_LENGTHS, ATTUNE_IN_QUERY_LENGTHS};
    static const double bad[] = {-1, 22, 2147483647.0, -2147483648.0};
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (int n = 0; n < 2 && generate_kinds[kind].form != ATTUNE_DOT; n++)
            for (int i = 0; i < 4; i++) {
                struct ready ready;
                make_ready(&ready, kind, 5);
                const int64_t last = ready.box.problem.in[inputs[n]].size[0] - 1;
                box_set(&ready.box, inputs[n], &last, bad[i]);
                refuse(&ready, &ready.args, ATTUNE_ERROR_INVALID,
                       attune_input_name((int32_t)inputs[n]));
                drop(&ready);
            }
}

Test(args, sizes_and_structs)
{
    struct ready ready;
    make_ready(&ready, 3, 2);
    struct attune_args args = ready.args;
    args.workspace_size--;
    refuse(&ready, &args, ATTUNE_ERROR_WORKSPACE, "workspace");
    args = ready.args;
    args.workspace = NULL;
    refuse(&ready, &args, ATTUNE_ERROR_WORKSPACE, "workspace");
    args = ready.args;
    args.struct_size = 0;
    refuse(&ready, &args, ATTUNE_ERROR_INVALID, "struct_size");
    args.struct_size = SIZE_MAX;
    refuse(&ready, &args, ATTUNE_ERROR_INVALID, "struct_size");
    cr_expect_eq(attune_plan_execute(ready.plan, NULL), ATTUNE_ERROR_INVALID);
    cr_expect_eq(attune_plan_execute(NULL, &ready.args), ATTUNE_ERROR_INVALID);
    cr_expect_eq(attune_plan_execute(ready.plan, &ready.args), ATTUNE_OK, "%s",
                 attune_error_detail());
    cr_expect(!is_untouched(&ready));
    drop(&ready);
}

Test(args, descriptions_of_nothing)
{
    struct attune_context *context;
    struct attune_plan *plan = (struct attune_plan *)&plan;
    struct attune_problem problem;
    struct attune_tensor shape;
    memset(&problem, 0, sizeof problem);
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
    cr_expect_eq(attune_plan_create(context, NULL, &plan), ATTUNE_ERROR_INVALID);
    cr_expect_null(plan);
    cr_expect_eq(attune_plan_create(context, &problem, &plan), ATTUNE_ERROR_INVALID);
    cr_expect_null(plan);
    cr_expect_eq(attune_plan_create(NULL, &problem, &plan), ATTUNE_ERROR_INVALID);
    cr_expect_eq(attune_plan_create(context, &problem, NULL), ATTUNE_ERROR_INVALID);
    cr_expect_eq(attune_problem_output_shape(NULL, ATTUNE_OUT_OUT, &shape), ATTUNE_ERROR_INVALID);
    cr_expect_eq(attune_problem_output_shape(&problem, (enum attune_output)9, &shape),
                 ATTUNE_ERROR_INVALID);
    cr_expect_eq(attune_problem_output_shape(&problem, ATTUNE_OUT_OUT, NULL), ATTUNE_ERROR_INVALID);
    attune_plan_release(NULL);
    attune_context_release(NULL);
    attune_context_release(context);
}

Test(args, names_and_texts)
{
    for (int i = -3; i < 64; i++) {
        cr_expect_eq(attune_input_name(i) != NULL, i >= 0 && i < ATTUNE_INPUT_COUNT);
        cr_expect_eq(attune_output_name(i) != NULL, i >= 0 && i < ATTUNE_OUTPUT_COUNT);
        cr_expect_eq(attune_mechanism_name(i) != NULL,
                     i >= ATTUNE_ADDITIVE && i <= ATTUNE_RECURRENT);
        cr_expect_eq(attune_form_name(i) != NULL, i >= ATTUNE_DOT && i <= ATTUNE_LOCATION);
        cr_expect_eq(attune_dtype_name(i) != NULL, i >= ATTUNE_F32 && i <= ATTUNE_I64);
        cr_expect_eq(attune_dtype_size(i) != 0, i >= ATTUNE_F32 && i <= ATTUNE_I64);
        cr_expect_not_null(attune_status_string((enum attune_status)i));
    }
    cr_expect_eq(attune_version(),
                 ATTUNE_VERSION_MAJOR << 16 | ATTUNE_VERSION_MINOR << 8 | ATTUNE_VERSION_PATCH);
}

/* ---- one plan, many threads ---- */

enum { RUNNERS = 5, ROUNDS = 20 };

struct runner {
    const struct ready *ready;
    pthread_t thread;
    int differences;
};

static void *run_often(void *argument)
{
    struct runner *runner = argument;
    const struct ready *ready = runner->ready;
    const size_t bytes = (size_t)ready->count[0] * sizeof(float);
    struct attune_args args = ready->args;
    float *out[ATTUNE_OUTPUT_COUNT];
    args.workspace = malloc(args.workspace_size);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        args.out[o] = out[o] = malloc((size_t)ready->count[o] * sizeof(float) + 4);
    for (int round = 0; round < ROUNDS; round++) {
        memset(out[0], 0, bytes);
        if (attune_plan_execute(ready->plan, &args) != ATTUNE_OK ||
            memcmp(out[0], ready->out[0], bytes) != 0)
            runner->differences++;
    }
    free(args.workspace);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        free(out[o]);
    return NULL;
}

Test(args, one_plan_in_many_threads, .timeout = 120)
{
    for (int kind = 0; kind < generate_kind_count; kind++) {
        struct ready ready;
        struct runner runners[RUNNERS] = {0};
        make_ready(&ready, kind, 11);
        cr_assert_eq(attune_plan_execute(ready.plan, &ready.args), ATTUNE_OK, "%s",
                     attune_error_detail());
        for (int r = 0; r < RUNNERS; r++) {
            runners[r].ready = &ready;
            cr_assert_eq(pthread_create(&runners[r].thread, NULL, run_often, &runners[r]), 0);
        }
        for (int r = 0; r < RUNNERS; r++) {
            pthread_join(runners[r].thread, NULL);
            cr_expect_eq(runners[r].differences, 0, "%s", generate_kinds[kind].name);
        }
        drop(&ready);
    }
}
