/* SPDX-License-Identifier: Apache-2.0
 *
 * Prepared keys: made once, read by the plan that made them and by others with the same key side; a
 * buffer of another layout, or of none, is refused.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

enum { ADDITIVE = 0, CONCAT = 3, LOCATION = 8 };
static const int preparable[] = {ADDITIVE, CONCAT, LOCATION};

static struct attune_plan *create_plan(struct attune_context *context,
                                       const struct attune_problem *problem)
{
    struct attune_plan *plan;
    cr_assert_eq(attune_plan_create(context, problem, &plan), ATTUNE_OK, "%s",
                 attune_error_detail());
    return plan;
}

static void make(struct box *box, int kind, int64_t t_q, uint64_t seed)
{
    struct generate_options options = generate_anything;
    options.plain = options.packed = 1;
    options.t_q = t_q;
    options.t_k = 33;
    options.batch = 2;
    generate(box, &generate_kinds[kind], &options, seed);
    memset(box->problem.out, 0, sizeof box->problem.out);
    attune_problem_output(&box->problem, ATTUNE_OUT_OUT);
    box->problem.flags |= ATTUNE_PREPARED_KEYS;
}

/* Output [B,(H,)T_q,E] of a plan in fresh memory; T_q is axis rank - 2. */
static float *execute(const struct attune_plan *plan, const struct attune_problem *problem,
                      const struct attune_args *inputs, const void *prepared, size_t prepared_size,
                      struct attune_tensor *shape)
{
    struct attune_args args = *inputs;
    int64_t count = 1;
    attune_problem_output_shape(problem, ATTUNE_OUT_OUT, shape);
    for (int axis = 0; axis < shape->rank; axis++)
        count *= shape->size[axis];
    float *out = calloc((size_t)count + 1, sizeof *out);
    args.out[ATTUNE_OUT_OUT] = out;
    args.workspace_size = attune_plan_workspace_size(plan);
    args.workspace = malloc(args.workspace_size + 1);
    args.prepared = prepared;
    args.prepared_size = prepared_size;
    cr_assert_eq(attune_plan_execute(plan, &args), ATTUNE_OK, "%s", attune_error_detail());
    free(args.workspace);
    return out;
}

static void *prepare(const struct attune_plan *plan, const struct attune_args *inputs, size_t *size)
{
    struct attune_args args = *inputs;
    args.workspace_size = attune_plan_workspace_size(plan);
    args.workspace = malloc(args.workspace_size + 1);
    *size = attune_plan_prepared_size(plan);
    void *prepared = malloc(*size);
    cr_assert_eq(attune_plan_prepare(plan, &args, prepared, *size), ATTUNE_OK, "%s",
                 attune_error_detail());
    free(args.workspace);
    return prepared;
}

/* The problem of query i alone, in the same memory. */
static void narrow(struct attune_problem *problem, struct attune_args *args, int64_t i)
{
    struct attune_tensor *query = &problem->in[ATTUNE_IN_QUERY];
    args->in[ATTUNE_IN_QUERY] = (const char *)args->in[ATTUNE_IN_QUERY] +
                                i * query->stride[1] * (int64_t)attune_dtype_size(query->dtype);
    query->size[1] = 1;
}

/* A decoder: keys prepared by the plan of one step serve all steps, and each gives the bits of its
 * row in the plan of all steps. */
Test(prepared, step_by_step_gives_the_bits_of_the_whole)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
    for (int k = 0; k < 3; k++)
        for (uint64_t seed = 1; seed <= 6; seed++) {
            struct box box;
            struct attune_tensor whole_shape, step_shape;
            size_t size;
            make(&box, preparable[k], 7, seed);
            struct attune_plan *whole = create_plan(context, &box.problem);
            void *prepared = prepare(whole, &box.args, &size);
            float *all = execute(whole, &box.problem, &box.args, prepared, size, &whole_shape);
            const int64_t e = whole_shape.size[whole_shape.rank - 1];
            const int64_t heads = whole_shape.rank == 4 ? whole_shape.size[1] : 1;
            for (int64_t i = 0; i < 7; i++) {
                struct attune_problem problem = box.problem;
                struct attune_args args = box.args;
                narrow(&problem, &args, i);
                struct attune_plan *step = create_plan(context, &problem);
                cr_assert_eq(attune_plan_prepared_size(step), size);
                float *one = execute(step, &problem, &args, prepared, size, &step_shape);
                for (int64_t unit = 0; unit < 2 * heads; unit++)
                    cr_expect_eq(
                        memcmp(one + unit * e, all + (unit * 7 + i) * e, (size_t)e * sizeof *one),
                        0, "%s seed %d step %d", generate_kinds[preparable[k]].name, (int)seed,
                        (int)i);
                free(one);
                attune_plan_release(step);
            }
            free(all);
            free(prepared);
            attune_plan_release(whole);
            box_destroy(&box);
        }
    attune_context_release(context);
}

/* Neither the keys' weights nor, with values of their own, the keys are read again. */
Test(prepared, keys_may_be_gone_afterwards)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct box box;
        struct attune_tensor shape;
        size_t size;
        make(&box, ADDITIVE, 3, seed);
        struct attune_plan *plan = create_plan(context, &box.problem);
        void *prepared = prepare(plan, &box.args, &size);
        float *before = execute(plan, &box.problem, &box.args, prepared, size, &shape);
        struct attune_args args = box.args;
        args.in[ATTUNE_IN_W_KEY] = NULL;
        if (box_has(&box, ATTUNE_IN_VALUE))
            args.in[ATTUNE_IN_KEY] = NULL;
        float *after = execute(plan, &box.problem, &args, prepared, size, &shape);
        int64_t count = 1;
        for (int axis = 0; axis < shape.rank; axis++)
            count *= shape.size[axis];
        cr_expect_eq(memcmp(before, after, (size_t)count * sizeof *before), 0, "seed %d",
                     (int)seed);
        free(before);
        free(after);
        free(prepared);
        attune_plan_release(plan);
        box_destroy(&box);
    }
    attune_context_release(context);
}

static void refuse(const struct attune_plan *plan, const struct attune_args *inputs,
                   const void *prepared, size_t size, const char *what)
{
    struct attune_args args = *inputs;
    static float out[1 << 14];
    args.out[ATTUNE_OUT_OUT] = out;
    args.workspace_size = attune_plan_workspace_size(plan);
    args.workspace = malloc(args.workspace_size + 1);
    args.prepared = prepared;
    args.prepared_size = size;
    cr_expect_eq(attune_plan_execute(plan, &args), ATTUNE_ERROR_PREPARED, "%s: %s", what,
                 attune_error_detail());
    cr_expect(strncmp(attune_error_detail(), "prepared", 8) == 0, "%s: %s", what,
              attune_error_detail());
    free(args.workspace);
}

Test(prepared, wrong_buffers_are_refused)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
    struct box box, other;
    size_t size, other_size;
    make(&box, ADDITIVE, 2, 1);
    make(&other, CONCAT, 2, 5);
    struct attune_plan *plan = create_plan(context, &box.problem);
    struct attune_plan *foreign = create_plan(context, &other.problem);
    char *prepared = prepare(plan, &box.args, &size);
    void *strange = prepare(foreign, &other.args, &other_size);
    refuse(plan, &box.args, NULL, 0, "NULL");
    refuse(plan, &box.args, prepared, size - 1, "short");
    void *zeros = calloc(1, size);
    refuse(plan, &box.args, zeros, size, "zeros");
    void *copy = calloc(1, size + other_size);
    memcpy(copy, strange, other_size);
    refuse(plan, &box.args, copy, size + other_size, "another plan's");
    for (size_t byte = 0; byte < 64; byte++) {
        prepared[byte] ^= 0x10;
        refuse(plan, &box.args, prepared, size, "one bit of the header");
        prepared[byte] ^= 0x10;
    }
    struct attune_args args = box.args;
    args.workspace_size = attune_plan_workspace_size(plan);
    args.workspace = malloc(args.workspace_size + 1);
    cr_expect_eq(attune_plan_prepare(plan, &args, prepared, size - 1), ATTUNE_ERROR_PREPARED);
    cr_expect_eq(attune_plan_prepare(plan, &args, NULL, size), ATTUNE_ERROR_PREPARED);
    args.in[ATTUNE_IN_KEY] = NULL;
    cr_expect_eq(attune_plan_prepare(plan, &args, prepared, size), ATTUNE_ERROR_INVALID);
    cr_expect(strncmp(attune_error_detail(), "key:", 4) == 0, "%s", attune_error_detail());
    free(args.workspace);
    free(copy);
    free(zeros);
    free(strange);
    free(prepared);
    attune_plan_release(plan);
    attune_plan_release(foreign);
    box_destroy(&box);
    box_destroy(&other);
    attune_context_release(context);
}
