/* SPDX-License-Identifier: Apache-2.0
 *
 * One side of a live comparison: a process of `attune bench --serve`, and talking to it.
 */
#ifndef ATTUNE_BENCH_CLI_LIVE_SIDE_H
#define ATTUNE_BENCH_CLI_LIVE_SIDE_H

#include <stdint.h>
#include <sys/types.h>

#include "bench/cli/command.h"

struct attune_side {
    char name; /* 'A' or 'B', for messages */
    pid_t process;
    FILE *to, *from;
};

/* Starts a command's path, or this command under settings "NAME=VALUE ...", or both with a blank
 * between. Returns 0, or an exit code and *trouble. Stop it in any case. */
int attune_side_start(struct attune_side *side, char name, const char *what, const char *threads,
                      struct attune_trouble *trouble);
void attune_side_stop(struct attune_side *side);
/* Opens a problem; *calls executions last about `seconds`. */
int attune_side_open(struct attune_side *side, const char *spec, double seconds, int64_t *calls,
                     struct attune_trouble *trouble);
/* One sample: *seconds of one execution, over `calls`. */
int attune_side_sample(struct attune_side *side, int64_t calls, double *seconds,
                       struct attune_trouble *trouble);

#endif
