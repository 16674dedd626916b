/* SPDX-License-Identifier: Apache-2.0
 *
 * One problem timed through the public API against the machine's roofs, which are measured between
 * its samples: both see the same clock frequency and the same neighbours.
 */
#ifndef ATTUNE_BENCH_TIMING_H
#define ATTUNE_BENCH_TIMING_H

#include "bench/roofs.h"
#include "bench/work.h"
#include "tuner/measure.h"

struct attune_timing {
    char kernels[512]; /* as attune_plan_describe() tells them */
    struct attune_measurement time;
    struct attune_work work;
    struct attune_bound bound; /* the roof that binds, and the work in its unit */
    struct attune_roofs roofs;
    double share; /* of that roof that the fastest sample reaches */
};

/* What executes a problem again and again: a plan, its outputs, workspace and prepared keys. */
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
void attune_runner_close(struct attune_runner *runner);

/* Samples the runner for about `seconds`, with rounds of the probes in between. */
enum attune_status attune_timing_run(struct attune_runner *runner, const struct attune_shape *shape,
                                     struct attune_probes *probes, double seconds,
                                     struct attune_timing *timing);

#endif
