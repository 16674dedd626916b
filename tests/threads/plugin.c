/* SPDX-License-Identifier: Apache-2.0
 *
 * A plug-in with the library inside it, statically.
 */
#include <stdlib.h>

#include "attune/attune.h"

enum { H = 4, T = 192, D = 32, COUNT = H * T * D };

/* Queries of 0 weigh all keys alike: every row of the result is the mean of the values. */
static int is_mean(const float *out)
{
    for (int i = 0; i < COUNT; i++)
        if (out[i] != 3.0f)
            return 0;
    return 1;
}

static int run(struct attune_context *context)
{
    const int64_t shape[] = {1, H, T, D};
    struct attune_problem problem;
    struct attune_plan *plan = NULL;
    struct attune_args args = {.struct_size = sizeof args};
    float *zero = calloc(COUNT, sizeof *zero), *three = calloc(COUNT, sizeof *three);
    float *out = calloc(COUNT, sizeof *out);
    for (int i = 0; i < COUNT; i++)
        three[i] = 3;
    attune_problem_init(&problem, ATTUNE_SELF);
    for (int i = ATTUNE_IN_Q; i <= ATTUNE_IN_V; i++)
        attune_problem_input(&problem, (enum attune_input)i, ATTUNE_F32, 4, shape);
    attune_problem_output(&problem, ATTUNE_OUT_OUT);
    args.in[ATTUNE_IN_Q] = args.in[ATTUNE_IN_K] = zero;
    args.in[ATTUNE_IN_V] = three;
    args.out[ATTUNE_OUT_OUT] = out;
    int fine = attune_plan_create(context, &problem, &plan) == ATTUNE_OK;
    if (fine) {
        args.workspace_size = attune_plan_workspace_size(plan);
        args.workspace = malloc(args.workspace_size);
        fine = attune_plan_execute(plan, &args) == ATTUNE_OK && is_mean(out);
    }
    attune_plan_release(plan);
    free(args.workspace);
    free(zero);
    free(three);
    free(out);
    return fine;
}

/* 1 when all went well. */
int plugin_run(int threads);
__attribute__((visibility("default"))) int plugin_run(int threads)
{
    const struct attune_context_options options = {.struct_size = sizeof options,
                                                   .threads = threads};
    struct attune_context *context = NULL;
    const int fine = attune_context_create(&options, &context) == ATTUNE_OK && run(context);
    attune_context_release(context);
    return fine;
}
