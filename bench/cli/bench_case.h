/* SPDX-License-Identifier: Apache-2.0
 *
 * One case of `attune bench`, a SPEC or a problem file: made, computed, checked, timed. Prints
 * nothing.
 */
#ifndef ATTUNE_BENCH_CLI_BENCH_CASE_H
#define ATTUNE_BENCH_CLI_BENCH_CASE_H

#include "bench/cli/command.h"
#include "bench/cli/report.h"

struct attune_bench {
    struct attune_context *context;
    struct attune_probes *probes;
    int32_t threads;
    double seconds; /* of samples a case */
};

/* Whether a file holds a problem; a file that cannot be read counts, so that its run says why. */
int attune_bench_is_problem(const char *path);
/* The shape alone. Returns 0, or the exit code that running it would have. */
int attune_bench_shape(const char *name, int is_file, struct attune_shape *shape);
/* Returns 0 and *done, or fills *trouble: ATTUNE_EXIT_CHECK for a wrong result. */
int attune_bench_run(struct attune_bench *bench, const char *name, int is_file,
                     struct attune_case *done, struct attune_trouble *trouble);

#endif
