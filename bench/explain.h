/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the time of an execution goes, measured: a copy of the plan is executed whose kernels are
 * wrapped in reads of the CPU's counter, and one without the steps before and after the core. The
 * engine itself is not touched and not slowed.
 */
#ifndef ATTUNE_BENCH_EXPLAIN_H
#define ATTUNE_BENCH_EXPLAIN_H

#include "bench/result_file.h"
#include "bench/runner.h"

/* Spends about `seconds`. The parts are named numbers of seconds that add up to the fastest execution;
 * parts that took nothing are left out. Where one kernel does the work of three, `apart` tells what
 * score, softmax and weighted sum take one after the other; else it is empty. One at a time in a
 * process. */
void attune_explain(const struct attune_runner *runner, double seconds, struct attune_pairs *parts,
                    struct attune_pairs *apart);

#endif
