/* SPDX-License-Identifier: Apache-2.0
 *
 * `attune compare` between its files: cmd_compare.c decides, compare_text.c and compare_data.c tell of
 * files, live.c runs two commands in turn.
 */
#ifndef ATTUNE_BENCH_CLI_COMPARE_H
#define ATTUNE_BENCH_CLI_COMPARE_H

#include <stdio.h>

#include "bench/cli/command.h"
#include "bench/compare.h"

/* Tables for people. Return 0 when memory is short. */
int attune_compare_text(const struct attune_comparison *comparison, int markdown, FILE *file);
/* One JSON object; a line of CSV for each cell. */
int attune_compare_json(const struct attune_comparison *comparison, FILE *file);
int attune_compare_csv(const struct attune_comparison *comparison, FILE *file);

struct attune_live {
    const char *side[2];    /* a command's path, or settings "NAME=VALUE ..." */
    const char *const *names; /* cases, patterns; none: the quick suite */
    int name_count;
    const char *threads;
    const char *from;       /* a file of cases, NULL: none */
    const char *const *specs;
    int spec_count;
    double effect;          /* a smaller difference is none, as a part of 1 */
    int launches;           /* pairs of processes */
    double seconds;         /* a case and launch */
    int json;
};
/* What live cases came to: counts by verdict, and the largest significant slow-down. */
struct attune_live_outcome {
    int cases, same, faster, slower;
    double worst; /* 0.05: 5 % slower */
};
/* Returns 0, or an exit code and *trouble. */
int attune_live_run(const struct attune_live *live, struct attune_live_outcome *outcome,
                    struct attune_trouble *trouble);

#endif
