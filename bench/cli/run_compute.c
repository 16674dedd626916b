/* SPDX-License-Identifier: Apache-2.0
 *
 * One problem through the public API, and its results against expectations under the reference's
 * bound. Prints nothing.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/run.h"
#include "engine/reference.h"
#include "tuner/measure.h"

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

static int take_times(struct attune_run *run, int64_t repeat, struct attune_trouble *trouble)
{
    double *seconds = calloc((size_t)repeat, sizeof *seconds);
    enum attune_status status = ATTUNE_OK;

    if (seconds == NULL)
        return attune_trouble_memory(trouble, "times of the repetitions");
    for (int64_t i = 0; i < repeat && status == ATTUNE_OK; i++) {
        double start = attune_clock_seconds();
        status = attune_plan_execute(run->runner.plan, &run->runner.args);
        seconds[i] = attune_clock_seconds() - start;
    }
    qsort(seconds, (size_t)repeat, sizeof *seconds, by_value);
    run->minimum = seconds[0];
    run->median = (seconds[(repeat - 1) / 2] + seconds[repeat / 2]) / 2;
    free(seconds);
    return status == ATTUNE_OK ? 0 : attune_trouble_status(trouble, status);
}

static int compute(const struct attune_problem_file *file, const struct attune_problem *problem,
                   int64_t threads, struct attune_run *run, struct attune_trouble *trouble)
{
    struct attune_context_options options = {.struct_size = sizeof options,
                                             .threads = (int32_t)threads};
    struct attune_args args = {.struct_size = sizeof args};
    struct attune_context *context = NULL;
    enum attune_status status = attune_shape_resolve(problem, &run->shape);

    memcpy(args.in, file->in, sizeof args.in);
    if (status == ATTUNE_OK)
        status = attune_context_create(&options, &context);
    if (status == ATTUNE_OK) {
        run->threads = attune_context_threads(context);
        status = attune_runner_open(&run->runner, context, problem, &args);
    }
    attune_context_release(context); /* the plan keeps it */
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    (void)attune_plan_describe(run->runner.plan, run->kernels, sizeof run->kernels);
    return 0;
}

int attune_run_compute(const struct attune_problem_file *file, const struct attune_problem *problem,
                       int64_t threads, int64_t repeat, struct attune_run *run,
                       struct attune_trouble *trouble)
{
    int code;

    memset(run, 0, sizeof *run);
    code = compute(file, problem, threads, run, trouble);
    if (code == 0 && repeat > 0)
        code = take_times(run, repeat, trouble);
    if (code != 0)
        attune_run_free(run);
    return code;
}

int64_t attune_run_count(const struct attune_run *run, int output)
{
    const struct attune_tensor *tensor = &run->shape.problem.out[output];
    int64_t count = 1;

    for (int32_t axis = 0; axis < tensor->rank; axis++)
        count *= tensor->size[axis];
    return count;
}

void attune_run_free(struct attune_run *run)
{
    attune_runner_close(&run->runner);
    memset(run, 0, sizeof *run);
}

/* Takes the file's expectation in the place of the reference's value. One that was rounded to
 * float32 may be off by that rounding: half an ulp, or half the smallest denormal. */
static void take_expected(const struct attune_safetensor *expected, double *value, double *bound)
{
    if (strcmp(expected->type, "F64") == 0) {
        memcpy(value, expected->data, expected->bytes);
        return;
    }
    for (int64_t i = 0; i < expected->count; i++) {
        value[i] = ((const float *)expected->data)[i];
        if (isfinite(value[i]))
            bound[i] += fabs(value[i]) * 0x1p-24 + 0x1p-150;
    }
}

int attune_run_compare(const struct attune_problem_file *file, const struct attune_run *run,
                       struct attune_run_check *checks, int *count, struct attune_trouble *trouble)
{
    struct attune_reference reference = {.value = {NULL}};
    enum attune_status status = attune_reference_run(&run->shape, &run->runner.args, &reference);

    *count = 0;
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    for (int i = 0; i < ATTUNE_OUTPUT_COUNT; i++) {
        struct attune_run_check *check = &checks[*count];
        if (run->runner.args.out[i] == NULL)
            continue;
        *check = (struct attune_run_check){.output = i, .expected = file->expected[i] != NULL};
        if (check->expected)
            take_expected(file->expected[i], reference.value[i], reference.bound[i]);
        check->share = attune_reference_compare(run->runner.args.out[i], reference.value[i],
                                                reference.bound[i], reference.count[i],
                                                &check->largest_error, &check->worst);
        ++*count;
    }
    attune_reference_free(&reference);
    return 0;
}
