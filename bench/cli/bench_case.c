/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens a case and makes it ready to be measured. A synthetic one is checked against the reference, as
 * much of it as is affordable, a problem file against its own expectations; a wrong result is not
 * timed.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/bench.h"
#include "bench/cli/run.h"
#include "bench/cli/spec.h"
#include "engine/plan.h"
#include "engine/synthetic.h"
#include "engine/verify.h"

static int describe(const struct attune_bench_case *one, struct attune_problem *problem,
                    struct attune_trouble *trouble)
{
    struct attune_problem_file file;
    if (one->source == ATTUNE_BENCH_SPEC)
        return attune_spec_parse(one->spec, problem, trouble);
    const int code = attune_problem_file_read(one->spec, &file, trouble);
    if (code == 0) {
        *problem = file.problem;
        attune_problem_file_free(&file);
    }
    return code;
}

double attune_bench_case_bytes(const struct attune_bench_case *one)
{
    struct attune_problem problem;
    struct attune_trouble trouble;
    double bytes = 0;
    if (one->source == ATTUNE_BENCH_KERNEL || describe(one, &problem, &trouble))
        return 0;
    for (int32_t i = 0; i < ATTUNE_INPUT_COUNT; i++) {
        double elements = problem.in[i].dtype != ATTUNE_ABSENT;
        for (int32_t axis = 0; elements > 0 && axis < problem.in[i].rank; axis++)
            elements *= (double)problem.in[i].size[axis];
        bytes += elements * (double)attune_dtype_size(problem.in[i].dtype);
    }
    return bytes;
}

int attune_bench_describe_case(struct attune_bench_case *one, struct attune_trouble *trouble)
{
    if (one->source == ATTUNE_BENCH_KERNEL)
        return 0;
    const int code = describe(one, &one->problem, trouble);
    if (code)
        return code;
    const enum attune_status status = attune_shape_resolve(&one->problem, &one->shape);
    return status == ATTUNE_OK ? 0 : attune_trouble_status(trouble, status);
}

int attune_bench_open_case(struct attune_bench_case *one, struct attune_trouble *trouble)
{
    int code = 0;
    one->args = (struct attune_args){.struct_size = sizeof one->args};
    if (one->source == ATTUNE_BENCH_KERNEL)
        return 0;
    if (one->source == ATTUNE_BENCH_FILE) {
        code = attune_problem_file_read(one->spec, &one->file, trouble);
        if (code)
            return code;
        one->problem = one->file.problem;
        memcpy(one->args.in, one->file.in, sizeof one->args.in);
    } else {
        code = attune_spec_parse(one->spec, &one->problem, trouble);
    }
    if (code)
        return code;
    enum attune_status status = attune_shape_resolve(&one->problem, &one->shape);
    if (status == ATTUNE_OK && one->source == ATTUNE_BENCH_SPEC)
        status = attune_synthetic_fill(&one->problem, &one->args);
    return status == ATTUNE_OK ? 0 : attune_trouble_status(trouble, status);
}

void attune_bench_close_case(struct attune_bench_case *one)
{
    if (one->source == ATTUNE_BENCH_SPEC)
        attune_synthetic_free(&one->args);
    else if (one->source == ATTUNE_BENCH_FILE)
        attune_problem_file_free(&one->file);
    memset(&one->file, 0, sizeof one->file);
}

/* The largest share of the bound that an output of the file takes; the file is computed as `attune
 * run --check` computes it. */
static int check_file(const struct attune_bench_case *one, int32_t threads, double *error,
                      struct attune_trouble *trouble)
{
    struct attune_run run;
    struct attune_run_check checks[ATTUNE_OUTPUT_COUNT];
    int count = 0;
    int code = attune_run_compute(&one->file, &one->file.problem, threads, 1, &run, trouble);
    if (code)
        return code;
    code = attune_run_compare(&one->file, &run, checks, &count, trouble);
    *error = 0;
    for (int i = 0; i < count; i++)
        *error = fmax(*error, checks[i].share);
    attune_run_free(&run);
    return code;
}

static void describe_plan(struct attune_bench_trial *trial)
{
    const struct attune_plan *plan = trial->runner.plan;
    const struct {
        const char *name;
        int64_t value;
    } tiles[] = {{"strip", plan->tiles.strip},
                 {"q_block", plan->tiles.q_block},
                 {"kv_block", plan->tiles.kv_block},
                 {"kv_split", plan->tiles.kv_split}};
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        trial->tiles.at[i].name = tiles[i].name;
        trial->tiles.at[i].value = (double)tiles[i].value;
        trial->tiles.count++;
    }
    attune_plan_describe(plan, trial->kernels, sizeof trial->kernels);
    trial->choice = attune_origin_word(plan->origin);
    trial->tuned = plan->context->tune != ATTUNE_TUNE_OFF;
    attune_work_count(&trial->of->shape, &trial->runner.args, &trial->entry->work);
    trial->entry->run = attune_runner_execute;
    trial->entry->argument = &trial->runner;
}

static int open_problem(struct attune_bench_trial *trial, double check,
                        struct attune_trouble *trouble)
{
    struct attune_bench_case *one = trial->of;
    enum attune_status status = attune_runner_open(&trial->runner, trial->setting->context,
                                                   &one->problem, &one->args);
    int code = 0;
    if (status == ATTUNE_OK && check > 0 && one->source == ATTUNE_BENCH_SPEC)
        status = attune_verify(&one->shape, &trial->runner.args, check, &trial->error);
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    if (one->source == ATTUNE_BENCH_FILE)
        code = check_file(one, trial->setting->threads, &trial->error, trouble);
    if (code)
        return code;
    if (trial->error > 1)
        return attune_trouble_set(trouble, ATTUNE_EXIT_CHECK,
                                  "wrong result: the error is %.3g times its bound", trial->error);
    describe_plan(trial);
    return 0;
}

static int open_kernel(struct attune_bench_trial *trial, struct attune_trouble *trouble)
{
    if (attune_kernel_case_open(&trial->single, trial->of->kernel) < 0)
        return attune_trouble_memory(trouble, "operands of a kernel");
    trial->entry->run = attune_kernel_case_run;
    trial->entry->argument = &trial->single;
    trial->entry->work = trial->single.work;
    snprintf(trial->kernels, sizeof trial->kernels, "%s", trial->of->kernel->name);
    trial->choice = attune_origin_word(ATTUNE_ORIGIN_FORCED);
    return 0;
}

int attune_bench_open_trial(struct attune_bench_trial *trial, double check,
                            struct attune_trouble *trouble)
{
    trial->error = NAN;
    trial->entry = calloc(1, sizeof *trial->entry);
    if (!trial->entry)
        return attune_trouble_memory(trouble, "samples");
    trial->entry->probes = trial->setting->probes;
    return trial->of->source == ATTUNE_BENCH_KERNEL ? open_kernel(trial, trouble)
                                                    : open_problem(trial, check, trouble);
}

void attune_bench_close_trial(struct attune_bench_trial *trial)
{
    attune_runner_close(&trial->runner);
    attune_kernel_case_close(&trial->single);
    free(trial->entry);
    trial->entry = NULL;
}
