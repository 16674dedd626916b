/* SPDX-License-Identifier: Apache-2.0
 *
 * Collects cells, then finds the width of each column.
 */
#include "bench/cli/grid.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void attune_grid_add(struct attune_grid *grid, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    char **larger = realloc(grid->cell, (size_t)(grid->count + 1) * sizeof *larger);
    if (!text || !larger) {
        free(text);
        grid->failed = 1;
        grid->cell = larger ? larger : grid->cell;
        return;
    }
    grid->cell = larger;
    grid->cell[grid->count++] = text;
}

static int width_of(const struct attune_grid *grid, int column)
{
    size_t width = grid->markdown ? 3 : 0;
    for (int i = column; i < grid->count; i += grid->columns)
        if (strlen(grid->cell[i]) > width)
            width = strlen(grid->cell[i]);
    return (int)width;
}

static void print_row(const struct attune_grid *grid, int first, const int *width, FILE *file)
{
    for (int c = 0; c < grid->columns; c++) {
        const char *text = grid->cell[first + c];
        const char *before = grid->markdown ? "| " : c > 0 ? "  " : "";
        /* No blanks at the end of a line. */
        const int room = !grid->markdown && grid->left[c] && c + 1 == grid->columns ? 0 : width[c];
        fprintf(file, "%s%*s%s", before, grid->left[c] ? -room : room, text,
                grid->markdown ? " " : "");
    }
    fputs(grid->markdown ? "|\n" : "\n", file);
}

static void print_rule(const struct attune_grid *grid, const int *width, FILE *file)
{
    for (int c = 0; c < grid->columns; c++) {
        fputs(grid->left[c] ? "| -" : "| ", file);
        for (int i = 1; i < width[c]; i++)
            fputc('-', file);
        fputs(grid->left[c] ? " " : ": ", file);
    }
    fputs("|\n", file);
}

int attune_grid_print(struct attune_grid *grid, FILE *file)
{
    int width[ATTUNE_GRID_COLUMNS];
    const int whole = !grid->failed;
    for (int c = 0; c < grid->columns; c++)
        width[c] = width_of(grid, c);
    for (int i = 0; i + grid->columns <= grid->count; i += grid->columns) {
        print_row(grid, i, width, file);
        if (i == 0 && grid->markdown)
            print_rule(grid, width, file);
    }
    for (int i = 0; i < grid->count; i++)
        free(grid->cell[i]);
    free(grid->cell);
    grid->cell = NULL;
    grid->count = grid->failed = 0;
    return whole;
}
