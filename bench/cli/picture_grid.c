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

/* Decodes one character; returns its bytes, 0 for what is no UTF-8. */
static int decode(const unsigned char *text, unsigned *code)
{
    static const unsigned smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned lead = text[0];
    const int bytes = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    *code = bytes == 1 ? lead : bytes ? lead & (0x7fu >> bytes) : 0;
    for (int i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (text[i] & 0x3fu);
    }
    const int is_surrogate = *code >= 0xd800 && *code < 0xe000;
    return *code < smallest[bytes] || *code > 0x10ffff || is_surrogate ? 0 : bytes;
}

/* East Asian characters and pictographs fill two columns, combining marks none. Unicode's table in
 * the coarse: a mistake shifts a label, nothing else. */
static int width_of(unsigned code)
{
    static const struct {
        unsigned first, last;
    } wide[] = {{0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},  {0xf900, 0xfaff},
                {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
    if ((code >= 0x300 && code < 0x370) || (code >= 0x200b && code < 0x2010) || code == 0xfeff)
        return 0;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (code >= wide[i].first && code <= wide[i].last)
            return 2;
    return 1;
}

struct attune_character attune_character_at(const char *text)
{
    unsigned code;
    const int bytes = decode((const unsigned char *)text, &code);
    const int control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
                        code == 0x2029 || (code >= 0x202a && code < 0x202f) ||
                        (code >= 0x2066 && code < 0x206a) || (code & 0xfffe) == 0xfffe;
    if (bytes == 0 || control)
        return (struct attune_character){bytes ? bytes : 1, 1, 1, "?"};
    return (struct attune_character){bytes, bytes, width_of(code), text};
}

int attune_text_width(const char *text, int most)
{
    int width = 0;
    while (*text && width < most) {
        const struct attune_character character = attune_character_at(text);
        width += character.width;
        text += character.bytes;
    }
    return width < most ? width : most;
}
