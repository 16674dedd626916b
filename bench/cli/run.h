/* SPDX-License-Identifier: Apache-2.0
 *
 * `attune run` between its files: cmd_run.c decides, run_compute.c computes, run_report.c tells.
 */
#ifndef ATTUNE_BENCH_CLI_RUN_H
#define ATTUNE_BENCH_CLI_RUN_H

#include "bench/cli/problem_file.h"
#include "bench/runner.h"
#include "engine/shape.h"

/* A problem from context to results; results live until attune_run_free(). */
struct attune_run {
    struct attune_shape shape;
    struct attune_runner runner; /* its args.out: packed, natural shape */
    int32_t threads;
    char kernels[1024];
    double minimum, median; /* seconds of one execution; 0 where not timed */
};

/* The comparison of one output. */
struct attune_run_check {
    int output;
    int expected; /* against the file's expectation; else the built-in float64 reference */
    double share; /* of the bound; at most 1 is right */
    double largest_error;
    int64_t worst; /* element where the share is largest */
};

/* Computes `problem` once, and `repeat` times more for the clock, with `threads` threads (0: all).
 */
int attune_run_compute(const struct attune_problem_file *file, const struct attune_problem *problem,
                       int64_t threads, int64_t repeat, struct attune_run *run,
                       struct attune_trouble *trouble);
/* Checks every computed output; `checks` has room for ATTUNE_OUTPUT_COUNT. */
int attune_run_compare(const struct attune_problem_file *file, const struct attune_run *run,
                       struct attune_run_check *checks, int *count, struct attune_trouble *trouble);
/* Elements of an output. */
int64_t attune_run_count(const struct attune_run *run, int output);
void attune_run_free(struct attune_run *run);

struct attune_run_report {
    const char *path;
    const char *result; /* NULL: not written */
    const struct attune_run *run;
    const struct attune_run_check *checks;
    int check_count;
    int64_t repeat; /* 0: not timed */
};

int attune_run_check_passed(const struct attune_run_check *check);
void attune_run_print(FILE *stream, const struct attune_run_report *report, int summary);
int attune_run_print_json(FILE *stream, const struct attune_run_report *report,
                          struct attune_trouble *trouble);

#endif
