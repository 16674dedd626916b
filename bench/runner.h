/* SPDX-License-Identifier: Apache-2.0
 *
 * What executes a problem again and again through the public API: a plan, its outputs, workspace and
 * prepared keys. Measures nothing.
 */
#ifndef ATTUNE_BENCH_RUNNER_H
#define ATTUNE_BENCH_RUNNER_H

#include "attune/attune.h"

struct attune_runner {
    struct attune_plan *plan;
    struct attune_args args;
    void *prepared;
    enum attune_status status; /* of the first execution that failed */
};

/* Plans, prepares keys where the problem says so, and executes once. `args` needs inputs and
 * outputs only, which stay the caller's. Close it in any case. */
enum attune_status attune_runner_open(struct attune_runner *runner, struct attune_context *context,
                                      const struct attune_problem *problem,
                                      const struct attune_args *args);
/* The same with kernels and tiles of the caller's choice, as the tuner tries them. */
struct attune_choice;
enum attune_status attune_runner_open_forced(struct attune_runner *runner,
                                             struct attune_context *context,
                                             const struct attune_problem *problem,
                                             const struct attune_args *args,
                                             const struct attune_choice *choice);
void attune_runner_close(struct attune_runner *runner);
/* One execution; an attune_measured_fn. */
void attune_runner_execute(void *runner);

#endif
