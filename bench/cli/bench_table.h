/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of `attune bench`, for people: a row a result, and at the end what rows refer to.
 */
#ifndef ATTUNE_BENCH_CLI_BENCH_TABLE_H
#define ATTUNE_BENCH_CLI_BENCH_TABLE_H

#include <stdio.h>

#include "bench/cli/bench.h"

/* "b=4 t=128 a=256 e=32": what a shape is made of, without what is 1 or follows from the rest.
 * Returns the full length, as snprintf does. */
int attune_report_shape(const struct attune_shape *shape, char *text, size_t size);

enum { ATTUNE_TABLE_SETS = 256, ATTUNE_TABLE_FAMILIES = 64 };
struct attune_table {
    const struct attune_bench *bench;
    FILE *file;
    int width; /* room for names or shapes, in characters */
    int rows, unsettled;
    int sets; /* of kernels, each told once: a row would be wider than a terminal */
    char *kernels[ATTUNE_TABLE_SETS];
    struct {
        const char *family;
        double logarithms; /* of shares */
        int count;
    } families[ATTUNE_TABLE_FAMILIES];
    int family_count;
};
void attune_table_begin(struct attune_table *table, const struct attune_bench *bench, FILE *file);
void attune_table_row(struct attune_table *table, const struct attune_bench_trial *trial);
/* Kernels, means by family and roofs. */
void attune_table_end(struct attune_table *table);

#endif
