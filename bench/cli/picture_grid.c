/* SPDX-License-Identifier: Apache-2.0
 *
 * Cells, classes and labels of a picture. Knows no terminal and no SVG.
 */
#include "bench/cli/picture_grid.h"

#include <math.h>

struct attune_grid attune_grid_of(const struct attune_picture *picture, int64_t most_rows,
                                  int64_t most_columns)
{
    struct attune_grid grid = {.picture = picture,
                               .row_step = 1 + (picture->rows - 1) / most_rows,
                               .column_step = 1 + (picture->columns - 1) / most_columns};
    grid.rows = (picture->rows + grid.row_step - 1) / grid.row_step;
    grid.columns = (picture->columns + grid.column_step - 1) / grid.column_step;
    return grid;
}

double attune_grid_weight(const struct attune_grid *grid, int64_t row, int64_t column)
{
    const struct attune_picture *picture = grid->picture;
    const int64_t top = row * grid->row_step, left = column * grid->column_step;
    double sum = 0;
    int64_t rows = 0;
    for (; rows < grid->row_step && top + rows < picture->rows; rows++)
        for (int64_t j = left; j < left + grid->column_step && j < picture->columns; j++) {
            const double weight = (double)picture->weights[(top + rows) * picture->stride + j];
            sum += weight > 0 ? fmin(weight, 1) : 0;
        }
    return fmin(sum / (double)rows, 1);
}

int attune_grid_step(double weight)
{
    const int step = (int)(weight * ATTUNE_PICTURE_STEPS);
    return step < ATTUNE_PICTURE_STEPS ? step : ATTUNE_PICTURE_STEPS - 1;
}

static const char *label_of(const char *const *labels, int64_t index, char buffer[24])
{
    if (labels)
        return labels[index];
    snprintf(buffer, 24, "%lld", (long long)index);
    return buffer;
}

const char *attune_grid_row_label(const struct attune_grid *grid, int64_t index, char buffer[24])
{
    return label_of(grid->picture->row_labels, index * grid->row_step, buffer);
}

const char *attune_grid_column_label(const struct attune_grid *grid, int64_t index, char buffer[24])
{
    return label_of(grid->picture->column_labels, index * grid->column_step, buffer);
}

static int longest(const struct attune_grid *grid, attune_label_fn *label, int64_t count)
{
    char buffer[24];
    int most = 1;
    for (int64_t i = 0; i < count; i++) {
        const int width = attune_text_width(label(grid, i, buffer), ATTUNE_LABEL_MAX);
        most = width > most ? width : most;
    }
    return most;
}

int attune_grid_row_labels_width(const struct attune_grid *grid)
{
    return longest(grid, attune_grid_row_label, grid->rows);
}

int attune_grid_column_labels_width(const struct attune_grid *grid)
{
    return longest(grid, attune_grid_column_label, grid->columns);
}
