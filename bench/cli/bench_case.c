/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs one case. A synthetic one is checked against the reference, as much of it as is affordable,
 * a problem file against its own expectations; a wrong result is not timed.
 */
#include "bench/cli/bench_case.h"

#include <math.h>
#include <string.h>

#include "bench/cli/run.h"
#include "bench/cli/spec.h"
#include "engine/synthetic.h"
#include "engine/verify.h"

/* Seconds of float64 reference that a synthetic case may take. */
static const double reference_seconds = 1;

int attune_bench_is_problem(const char *path)
{
    struct attune_safetensors file;
    struct attune_trouble trouble;
    if (attune_safetensors_read(path, &file, &trouble))
        return 1;
    const int found = attune_safetensors_metadata(&file, "attune.problem") != NULL;
    attune_safetensors_free(&file);
    return found;
}

int attune_bench_shape(const char *name, int is_file, struct attune_shape *shape)
{
    struct attune_trouble trouble;
    struct attune_problem_file file;
    struct attune_problem problem;
    int code = is_file ? attune_problem_file_read(name, &file, &trouble)
                       : attune_spec_parse(name, &problem, &trouble);
    if (code)
        return code;
    if (is_file) {
        problem = file.problem;
        attune_problem_file_free(&file);
    }
    const enum attune_status status = attune_shape_resolve(&problem, shape);
    return status == ATTUNE_OK ? 0 : attune_trouble_status(&trouble, status);
}

/* Times a runner whose result is right. */
static int time_case(struct attune_bench *bench, struct attune_runner *runner,
                     struct attune_case *done, struct attune_trouble *trouble)
{
    if (!(done->error <= 1))
        return attune_trouble_set(trouble, ATTUNE_EXIT_CHECK,
                                  "wrong result: the error is %.3g times its bound", done->error);
    const enum attune_status status =
        attune_timing_run(runner, &done->shape, bench->probes, bench->seconds, &done->timing);
    return status == ATTUNE_OK ? 0 : attune_trouble_status(trouble, status);
}

static int run_synthetic(struct attune_bench *bench, const struct attune_problem *problem,
                         const struct attune_args *args, struct attune_case *done,
                         struct attune_trouble *trouble)
{
    struct attune_runner runner;
    enum attune_status status = attune_runner_open(&runner, bench->context, problem, args);
    if (status == ATTUNE_OK)
        status = attune_verify(&done->shape, &runner.args, reference_seconds, &done->error);
    const int code = status == ATTUNE_OK ? time_case(bench, &runner, done, trouble)
                                         : attune_trouble_status(trouble, status);
    attune_runner_close(&runner);
    return code;
}

static int run_spec(struct attune_bench *bench, const char *spec, struct attune_case *done,
                    struct attune_trouble *trouble)
{
    struct attune_problem problem;
    struct attune_args args = {0};
    int code = attune_spec_parse(spec, &problem, trouble);
    if (code)
        return code;
    enum attune_status status = attune_shape_resolve(&problem, &done->shape);
    if (status == ATTUNE_OK)
        status = attune_synthetic_fill(&problem, &args);
    code = status == ATTUNE_OK ? run_synthetic(bench, &problem, &args, done, trouble)
                               : attune_trouble_status(trouble, status);
    attune_synthetic_free(&args);
    return code;
}

/* The largest share of the bound that an output of the file takes; the file is computed as `attune
 * run --check` computes it. */
static int check_file(const struct attune_bench *bench, const struct attune_problem_file *file,
                      double *error, struct attune_trouble *trouble)
{
    struct attune_run run;
    struct attune_run_check checks[ATTUNE_OUTPUT_COUNT];
    int count = 0;
    int code = attune_run_compute(file, &file->problem, bench->threads, 1, &run, trouble);
    if (code)
        return code;
    code = attune_run_compare(file, &run, checks, &count, trouble);
    *error = 0;
    for (int i = 0; i < count; i++)
        *error = fmax(*error, checks[i].share);
    attune_run_free(&run);
    return code;
}

static int run_file(struct attune_bench *bench, const char *path, struct attune_case *done,
                    struct attune_trouble *trouble)
{
    struct attune_problem_file file;
    struct attune_runner runner = {0};
    struct attune_args args = {.struct_size = sizeof args};
    int code = attune_problem_file_read(path, &file, trouble);
    if (code)
        return code;
    memcpy(args.in, file.in, sizeof args.in);
    code = check_file(bench, &file, &done->error, trouble);
    if (!code) {
        enum attune_status status = attune_shape_resolve(&file.problem, &done->shape);
        if (status == ATTUNE_OK)
            status = attune_runner_open(&runner, bench->context, &file.problem, &args);
        code = status == ATTUNE_OK ? time_case(bench, &runner, done, trouble)
                                   : attune_trouble_status(trouble, status);
    }
    attune_runner_close(&runner);
    attune_problem_file_free(&file);
    return code;
}

int attune_bench_run(struct attune_bench *bench, const char *name, int is_file,
                     struct attune_case *done, struct attune_trouble *trouble)
{
    *done = (struct attune_case){.name = name, .threads = bench->threads};
    return is_file ? run_file(bench, name, done, trouble) : run_spec(bench, name, done, trouble);
}
