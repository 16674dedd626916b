/* SPDX-License-Identifier: Apache-2.0
 *
 * The other end of `attune compare --live`: a process that takes one sample when told to. Lines in,
 * lines out:
 *     (starts with)        attune-serve 1
 *     open SECONDS SPEC    ok CALLS          opens a problem; CALLS executions last about SECONDS
 *     sample CALLS         t SECONDS         of one execution, over so many
 *     close                ok
 * or "error TEXT" instead. Ends at the end of its input.
 */
#ifndef ATTUNE_BENCH_CLI_SERVE_H
#define ATTUNE_BENCH_CLI_SERVE_H

#include "bench/cli/bench.h"

#define ATTUNE_SERVE_GREETING "attune-serve 1"
enum { ATTUNE_SERVE_LINE = 4096 };

/* Serves under the first of the settings, which are listed. Returns an exit code. */
int attune_bench_serve(struct attune_bench *bench);

#endif
