/* SPDX-License-Identifier: Apache-2.0
 *
 * How a timed case is shown: a row of a table for people, or one line of JSON. Knows nothing of how
 * cases are found and run.
 */
#ifndef ATTUNE_BENCH_CLI_REPORT_H
#define ATTUNE_BENCH_CLI_REPORT_H

#include <stdio.h>

#include "bench/timing.h"
#include "engine/shape.h"

struct attune_case {
    const char *name; /* the SPEC or the file */
    struct attune_shape shape;
    int32_t threads;
    struct attune_timing timing;
    double error; /* the largest, over its bound */
};

/* One JSON object and a newline. Returns 0 when memory is short. */
int attune_report_json(const struct attune_case *done, FILE *file);

/* "b=4 t=128 a=256 e=32": what a shape is made of, without what is 1 or follows from the rest.
 * Returns the full length, as snprintf does. */
int attune_report_shape(const struct attune_shape *shape, char *text, size_t size);
/* A table: a row a case, a head above the first, and at the end what the rows refer to: the roofs and the names of
 * the kernels, which would make a row wider than a terminal. */
enum { ATTUNE_TABLE_SETS = 64 };
struct attune_table {
    FILE *file;
    int width;      /* room for shapes, in characters */
    int rows, sets; /* so far; sets: of kernels, each told once */
    char kernels[ATTUNE_TABLE_SETS][sizeof((struct attune_timing *)0)->kernels];
};
void attune_report_row(struct attune_table *table, const struct attune_case *done);
void attune_report_foot(const struct attune_table *table, const struct attune_roofs *roofs,
                        int32_t threads);

#endif
