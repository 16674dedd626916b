/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for a plan's outputs, workspace and prepared keys, and its execution.
 */
#include "bench/runner.h"

#include <stdlib.h>
#include <string.h>

#include "engine/plan.h"
#include "engine/status.h"

static enum attune_status allocate_outputs(struct attune_runner *runner,
                                           const struct attune_problem *problem)
{
    for (int32_t i = 0; i < ATTUNE_OUTPUT_COUNT; i++) {
        struct attune_tensor shape;
        size_t count = 1;
        if (problem->out[i].dtype == ATTUNE_ABSENT)
            continue;
        const enum attune_status status =
            attune_problem_output_shape(problem, (enum attune_output)i, &shape);
        if (status != ATTUNE_OK)
            return status;
        for (int32_t axis = 0; axis < shape.rank; axis++)
            count *= (size_t)shape.size[axis];
        runner->args.out[i] = calloc(count + 1, sizeof(float));
        if (!runner->args.out[i])
            return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for %s", attune_output_name(i));
    }
    return ATTUNE_OK;
}

static enum attune_status allocate_scratch(struct attune_runner *runner)
{
    struct attune_args *args = &runner->args;
    const size_t prepared_size = attune_plan_prepared_size(runner->plan);
    args->workspace_size = attune_plan_workspace_size(runner->plan);
    args->workspace = malloc(args->workspace_size + 1);
    runner->prepared = prepared_size ? malloc(prepared_size) : NULL;
    if (!args->workspace || (prepared_size && !runner->prepared))
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for the workspace");
    args->prepared = runner->prepared;
    args->prepared_size = prepared_size;
    return ATTUNE_OK;
}

enum attune_status attune_runner_open(struct attune_runner *runner, struct attune_context *context,
                                      const struct attune_problem *problem,
                                      const struct attune_args *args)
{
    return attune_runner_open_forced(runner, context, problem, args, NULL);
}

enum attune_status attune_runner_open_forced(struct attune_runner *runner,
                                             struct attune_context *context,
                                             const struct attune_problem *problem,
                                             const struct attune_args *args,
                                             const struct attune_choice *choice)
{
    *runner = (struct attune_runner){.args = {.struct_size = sizeof runner->args}};
    memcpy(runner->args.in, args->in, sizeof args->in);
    enum attune_status status =
        attune_plan_create_forced(context, problem, choice, NULL, &runner->plan);
    if (status == ATTUNE_OK)
        status = allocate_outputs(runner, problem);
    if (status == ATTUNE_OK)
        status = allocate_scratch(runner);
    if (status == ATTUNE_OK && runner->prepared)
        status = attune_plan_prepare(runner->plan, &runner->args, runner->prepared,
                                     runner->args.prepared_size);
    return status == ATTUNE_OK ? attune_plan_execute(runner->plan, &runner->args) : status;
}

void attune_runner_close(struct attune_runner *runner)
{
    attune_plan_release(runner->plan);
    for (int32_t i = 0; i < ATTUNE_OUTPUT_COUNT; i++)
        free(runner->args.out[i]);
    free(runner->args.workspace);
    free(runner->prepared);
    *runner = (struct attune_runner){0};
}

void attune_runner_execute(void *argument)
{
    struct attune_runner *runner = argument;
    const enum attune_status status = attune_plan_execute(runner->plan, &runner->args);
    if (runner->status == ATTUNE_OK)
        runner->status = status;
}
