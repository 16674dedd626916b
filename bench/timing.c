/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the samples of a case and the rounds of probes in turn.
 */
#include "bench/timing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/status.h"

/* Rounds of probes a case, spread over its samples. */
enum { ROUNDS = 8, MORE_ROUNDS = 24 };
/* Short samples find the gaps between interruptions. */
static const double longest_sample = 4e-3;

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
    *runner = (struct attune_runner){.args = {.struct_size = sizeof runner->args}};
    memcpy(runner->args.in, args->in, sizeof args->in);
    enum attune_status status = attune_plan_create(context, problem, &runner->plan);
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

static void execute(void *argument)
{
    struct attune_runner *runner = argument;
    const enum attune_status status = attune_plan_execute(runner->plan, &runner->args);
    if (runner->status == ATTUNE_OK)
        runner->status = status;
}

/* Takes samples until the clock says `until`, at least one. */
static int32_t take_samples(struct attune_runner *runner, int64_t calls, double until,
                            double *samples, int32_t count)
{
    do
        samples[count++] = attune_measure_sample(execute, runner, calls);
    while (count < ATTUNE_MEASURE_SAMPLES && attune_clock_seconds() < until);
    return count;
}

static void find_share(const struct attune_probes *probes, enum attune_level level,
                       struct attune_timing *timing)
{
    timing->roofs = attune_probes_roofs(probes);
    timing->bound = attune_work_bound(&timing->work, level, &timing->roofs);
    if (timing->bound.roof > 0 && timing->time.minimum > 0)
        timing->share = timing->bound.amount / timing->time.minimum / timing->bound.roof;
}

enum attune_status attune_timing_run(struct attune_runner *runner, const struct attune_shape *shape,
                                     struct attune_probes *probes, double seconds,
                                     struct attune_timing *timing)
{
    double samples[ATTUNE_MEASURE_SAMPLES];
    int32_t count = 0;
    *timing = (struct attune_timing){0};
    attune_work_count(shape, &runner->args, &timing->work);
    const enum attune_level level = attune_probes_level(probes, (int64_t)timing->work.bytes);
    attune_plan_describe(runner->plan, timing->kernels, sizeof timing->kernels);

    const double sample = fmin(longest_sample, seconds / (4 * ROUNDS));
    const int64_t calls = attune_measure_calibrate(execute, runner, sample);
    for (int round = 0; round < ROUNDS && count < ATTUNE_MEASURE_SAMPLES; round++) {
        attune_probes_round(probes);
        const double until = attune_clock_seconds() + seconds / ROUNDS;
        count = take_samples(runner, calls, until, samples, count);
    }
    if (runner->status != ATTUNE_OK)
        return runner->status;
    attune_measure_summarize(samples, count, calls, &timing->time);
    find_share(probes, level, timing);
    /* A case above its roof means that the probes were interrupted, on a machine with other work. */
    for (int again = 0; again < MORE_ROUNDS && timing->share > 1; again++) {
        attune_probes_doubt(probes);
        attune_probes_round(probes);
        find_share(probes, level, timing);
    }
    return ATTUNE_OK;
}
