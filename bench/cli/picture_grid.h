/* SPDX-License-Identifier: Apache-2.0
 *
 * What both ways of drawing share: a picture cut down to so many cells, the classes of weights, and
 * labels as safe text. Prints nothing but characters.
 */
#ifndef ATTUNE_BENCH_PICTURE_GRID_H
#define ATTUNE_BENCH_PICTURE_GRID_H

#include "bench/cli/picture.h"
#include "bench/text.h"

/* Colors of a ramp: a cell is one of them, and the legend shows exactly those. */
enum { ATTUNE_PICTURE_STEPS = 12, ATTUNE_LABEL_MAX = 24 };

/* Where a picture has too many cells, each stands for a block of them. */
struct attune_grid {
    const struct attune_picture *picture;
    int64_t rows, columns;         /* cells */
    int64_t row_step, column_step; /* rows and columns of the picture that a cell stands for */
};

struct attune_grid attune_grid_of(const struct attune_picture *picture, int64_t most_rows,
                                  int64_t most_columns);
/* What the rows of the cell give on average to all of its columns, so that a row of cells sums to
 * what a row of weights does. Between 0 and 1. */
double attune_grid_weight(const struct attune_grid *grid, int64_t row, int64_t column);
int attune_grid_step(double weight);

/* The label of a cell is that of its first row or column; `buffer` holds a number where there are
 * no labels. */
typedef const char *attune_label_fn(const struct attune_grid *grid, int64_t index, char buffer[24]);
attune_label_fn attune_grid_row_label, attune_grid_column_label;
int attune_grid_row_labels_width(const struct attune_grid *grid);
int attune_grid_column_labels_width(const struct attune_grid *grid);

#endif
