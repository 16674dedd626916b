/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of texts, printed with aligned columns or as Markdown.
 */
#ifndef ATTUNE_BENCH_CLI_GRID_H
#define ATTUNE_BENCH_CLI_GRID_H

#include <stdio.h>

enum { ATTUNE_GRID_COLUMNS = 64 };

struct attune_grid {
    int columns, count; /* cells; the first row is the head */
    char **cell;
    int failed;    /* memory was short: the grid is not whole */
    int markdown;
    char left[ATTUNE_GRID_COLUMNS]; /* columns of words; numbers stand to the right */
};

/* Adds the next cell, row by row. */
void attune_grid_add(struct attune_grid *grid, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints and empties it. Returns 0 when it was not whole. */
int attune_grid_print(struct attune_grid *grid, FILE *file);

#endif
