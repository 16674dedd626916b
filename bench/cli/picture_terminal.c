/* SPDX-License-Identifier: Apache-2.0
 *
 * The heat map of the terminal: blocks of Unicode, or colored cells. Knows nothing of SVG.
 */
#include <math.h>

#include "bench/cli/picture_grid.h"

enum { CELL = 3, MARGIN = 2, STEPS = ATTUNE_PICTURE_STEPS, MOST_ROWS = 64, MOST_COLUMNS = 64 };

/* The dark ramp of the SVG in the 256 colors of terminals; lightness rises with each. */
static const int ramp[STEPS] = {235, 53, 54, 90, 126, 132, 168, 203, 209, 215, 222, 230};

static void print_character(FILE *file, const struct attune_character *character)
{
    fwrite(character->shown, 1, (size_t)character->shown_bytes, file);
}

static void print_spaces(FILE *file, int count)
{
    fprintf(file, "%*s", count > 0 ? count : 0, "");
}

/* At most `most` columns of a text; returns how many it took. */
static int print_text(FILE *file, const char *text, int most)
{
    int width = 0;
    while (*text) {
        const struct attune_character character = attune_character_at(text);
        if (width + character.width > most)
            break;
        print_character(file, &character);
        width += character.width;
        text += character.bytes;
    }
    return width;
}

/* A label and as many spaces as it lacks to `width`. */
static void print_padded(FILE *file, const char *label, int width)
{
    print_spaces(file, width - print_text(file, label, width));
}

static void print_line(FILE *file, const char *text, int width)
{
    if (print_text(file, text, width - 1) < attune_text_width(text, width))
        fputs("…", file);
    putc('\n', file);
}

static void print_cell(FILE *file, double weight, int color)
{
    static const char *const shades[] = {"··", "░░", "▒▒", "▓▓", "██"};
    if (color)
        fprintf(file, "\x1b[48;5;%dm   \x1b[0m", ramp[attune_grid_step(weight)]);
    else
        fprintf(file, "%s ", shades[weight < 0.05 ? 0 : 1 + (int)fmin(3, weight * 4)]);
}

/* The character of a label on a line; one that is not there, past the end. */
static struct attune_character character_on(const char *label, int line)
{
    struct attune_character character = attune_character_at(label);
    for (; *label && line > 0; line--) {
        label += character.bytes;
        character = attune_character_at(label);
    }
    return *label ? character : (struct attune_character){.shown = ""};
}

/* Column labels stand upright, one character a line, under one another: any length fits a cell. */
static void print_column_labels(const struct attune_grid *grid, FILE *file, int margin)
{
    char buffer[24];
    const int lines = attune_grid_column_labels_width(grid);
    for (int line = 0; line < lines; line++) {
        int spaces = margin; /* owed: none at the end of a line */
        for (int64_t column = 0; column < grid->columns; column++) {
            const struct attune_character character =
                character_on(attune_grid_column_label(grid, column, buffer), line);
            if (character.shown_bytes) {
                print_spaces(file, spaces);
                print_character(file, &character);
                spaces = 0;
            }
            spaces += CELL - character.width;
        }
        putc('\n', file);
    }
}

/* The strongest column of a row, in words, for those who cannot tell the shades apart. */
static void print_strongest(const struct attune_grid *grid, FILE *file, int64_t row)
{
    char buffer[24];
    int64_t strongest = 0;
    for (int64_t column = 1; column < grid->columns; column++)
        if (attune_grid_weight(grid, row, column) > attune_grid_weight(grid, row, strongest))
            strongest = column;
    fputs("  ", file);
    print_padded(file, attune_grid_column_label(grid, strongest, buffer),
                 attune_grid_column_labels_width(grid));
    fprintf(file, " %3.0f %%", 100 * attune_grid_weight(grid, row, strongest));
}

static void print_legend(const struct attune_grid *grid, FILE *file, int margin, int color)
{
    putc('\n', file);
    print_spaces(file, margin - 2);
    fputs("0 ", file);
    for (int i = 0; i < (color ? STEPS : 5); i++)
        print_cell(file, 0.99 * i / (color ? STEPS - 1 : 4), color);
    fprintf(file, "%s1   rows: ", color ? " " : "");
    print_text(file, grid->picture->row_axis, ATTUNE_LABEL_MAX);
    fputs(", columns: ", file);
    print_text(file, grid->picture->column_axis, ATTUNE_LABEL_MAX);
    if (grid->row_step > 1 || grid->column_step > 1)
        fprintf(file, "; a cell is %lld x %lld of them", (long long)grid->row_step,
                (long long)grid->column_step);
    putc('\n', file);
}

void attune_picture_terminal(const struct attune_picture *picture, FILE *file, int color, int width)
{
    char buffer[24];
    struct attune_grid grid = attune_grid_of(picture, MOST_ROWS, MOST_COLUMNS);
    const int labels = attune_grid_row_labels_width(&grid), margin = MARGIN + labels + 1;
    if (width > 0) {
        const int room = (width - margin - attune_grid_column_labels_width(&grid) - 8) / CELL;
        grid = attune_grid_of(picture, MOST_ROWS,
                              room < 8 ? 8 : room > MOST_COLUMNS ? MOST_COLUMNS : room);
    }
    print_line(file, picture->title, width > 0 ? width : CELL * MOST_COLUMNS);
    if (picture->subtitle)
        print_line(file, picture->subtitle, width > 0 ? width : CELL * MOST_COLUMNS);
    putc('\n', file);
    print_column_labels(&grid, file, margin + 1);
    for (int64_t row = 0; row < grid.rows; row++) {
        print_spaces(file, MARGIN);
        print_padded(file, attune_grid_row_label(&grid, row, buffer), labels);
        putc(' ', file);
        for (int64_t column = 0; column < grid.columns; column++)
            print_cell(file, attune_grid_weight(&grid, row, column), color);
        if (grid.columns > 0)
            print_strongest(&grid, file, row);
        putc('\n', file);
    }
    print_legend(&grid, file, margin, color);
}
