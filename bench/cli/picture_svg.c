/* SPDX-License-Identifier: Apache-2.0
 *
 * The heat map as an SVG that needs nothing but itself: light and dark pages, a title for each
 * cell, a description for screen readers. Knows nothing of terminals.
 */
#include "bench/cli/picture_grid.h"

enum {
    STEPS = ATTUNE_PICTURE_STEPS,
    MOST = 96, /* rows or columns of cells */
    CELL = 30, /* pixels; less where SIDE pixels would not take them all */
    CELL_LEAST = 8,
    SIDE = 900,
    LINE = 18,           /* of labels */
    TITLED = 4096,       /* cells that have a title each */
    CHARACTER = 9,       /* pixels of one of a label */
    SMALL_CHARACTER = 8, /* of a subtitle or the legend */
    NAME = 19,           /* font sizes of the title */
    NAME_LEAST = 12,
    PAGE = 24,   /* margin */
    SWATCH = 12, /* of the legend */
    ANCHORS = 5
};

/* Anchors of the ramps: pale to deep on a light page, dim to bright on a dark one, so that a strong
 * weight always stands out from the page and lightness alone already tells the order. */
static const unsigned light_ramp[ANCHORS] = {0xf1f4f9, 0xa9d3e8, 0x4a98c9, 0x2a5ba6, 0x221650};
static const unsigned dark_ramp[ANCHORS] = {0x21262f, 0x473a78, 0xa3468c, 0xf0785a, 0xfdeba4};

/* Where things stand, in pixels. */
struct frame {
    int left, top, width, height, cell, slanted;
    int every_row, every_column; /* labels that there is room for */
};

/* Text of at most `most` columns with what XML reserves escaped, and an ellipsis where it is cut.
 */
static void print_xml(FILE *file, const char *text, int most)
{
    const int cut = attune_text_width(text, most + 1) > most;
    for (int width = 0; *text;) {
        const struct attune_character character = attune_character_at(text);
        width += character.width;
        if (width > most - cut)
            break;
        if (*text == '&')
            fputs("&amp;", file);
        else if (*text == '<')
            fputs("&lt;", file);
        else if (*text == '>')
            fputs("&gt;", file);
        else if (*text == '"')
            fputs("&quot;", file);
        else
            fwrite(character.shown, 1, (size_t)character.shown_bytes, file);
        text += character.bytes;
    }
    if (cut)
        fputs("\xe2\x80\xa6", file);
}

static unsigned ramp_color(const unsigned *ramp, int step)
{
    const double position = (double)step * (ANCHORS - 1) / (STEPS - 1);
    const int anchor = position >= ANCHORS - 1 ? ANCHORS - 2 : (int)position;
    const double part = position - anchor;
    unsigned color = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        const double from = ramp[anchor] >> shift & 0xff, to = ramp[anchor + 1] >> shift & 0xff;
        color |= (unsigned)(from + part * (to - from) + 0.5) << shift;
    }
    return color;
}

/* A selector that is valid in this picture alone. */
static void print_selector(const struct attune_picture *picture, FILE *file, const char *selector)
{
    fprintf(file, "%s%s%s%s", picture->scope ? "#" : "", picture->scope ? picture->scope : "",
            picture->scope ? " " : "", selector);
}

static void print_theme(const struct attune_picture *picture, FILE *file,
                        const char *const fills[3], const unsigned *ramp)
{
    static const char *const selectors[] = {".page", ".ink", ".faint"};
    char selector[16];
    for (int i = 0; i < 3; i++) {
        print_selector(picture, file, selectors[i]);
        fprintf(file, "{fill:%s}", fills[i]);
    }
    for (int step = 0; step < STEPS; step++) {
        snprintf(selector, sizeof selector, ".w%d", step);
        print_selector(picture, file, selector);
        fprintf(file, "{fill:#%06x}", ramp_color(ramp, step));
    }
}

static void print_style(const struct attune_picture *picture, FILE *file)
{
    static const char *const light[] = {"#ffffff", "#1c2330", "#5b6472"};
    static const char *const dark[] = {"#12151b", "#e8ebf1", "#a2abb9"};
    static const char *const fonts[][2] = {
        {"text", "{font:15px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}"},
        {".name", "{font:600 19px system-ui,sans-serif}"},
        {".small", "{font:13px system-ui,sans-serif}"},
    };
    fputs("<style>", file);
    for (int i = 0; i < 3; i++) {
        print_selector(picture, file, fonts[i][0]);
        fputs(fonts[i][1], file);
    }
    print_theme(picture, file, light, light_ramp);
    fputs("@media(prefers-color-scheme:dark){", file);
    print_theme(picture, file, dark, dark_ramp);
    fputs("}</style>\n", file);
}

static int legend_width(const struct attune_grid *grid)
{
    const struct attune_picture *picture = grid->picture;
    const int blocks = grid->row_step > 1 || grid->column_step > 1 ? 32 : 0;
    return STEPS * SWATCH + 24 +
           SMALL_CHARACTER * (3 + attune_text_width(picture->row_axis, ATTUNE_LABEL_MAX) +
                              attune_text_width(picture->column_axis, ATTUNE_LABEL_MAX) + blocks);
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static struct frame frame_of(const struct attune_grid *grid)
{
    const int above = attune_grid_column_labels_width(grid);
    const int most = larger((int)grid->rows, larger((int)grid->columns, 1));
    const int fitting = SIDE / most;
    struct frame frame = {.slanted = above > 3};
    frame.cell = fitting > CELL ? CELL : larger(fitting, CELL_LEAST);
    frame.every_row = (LINE + frame.cell - 1) / frame.cell;
    frame.every_column =
        ((frame.slanted ? LINE : CHARACTER * above + 4) + frame.cell - 1) / frame.cell;
    frame.left = PAGE + 16 + CHARACTER * attune_grid_row_labels_width(grid);
    frame.top = (grid->picture->subtitle ? 96 : 76) + (frame.slanted ? 7 * above : 0);
    frame.width = frame.left + PAGE +
                  larger(frame.cell * (int)grid->columns + (frame.slanted ? 4 * above : 0),
                         legend_width(grid));
    frame.height = frame.top + frame.cell * (int)grid->rows + 62;
    return frame;
}

/* The title as large as the page is wide for it: bold letters are 0.6 of their size on average. */
static void print_name(const struct attune_picture *picture, const struct frame *frame, FILE *file)
{
    const int room = frame->width - 2 * PAGE;
    const int letters = larger(attune_text_width(picture->title, room), 1);
    int size = room * 10 / (6 * letters);
    size = size > NAME ? NAME : larger(size, NAME_LEAST);
    fprintf(file, "<text class=\"name ink\" x=\"%d\" y=\"36\" style=\"font-size:%dpx\">", PAGE,
            size);
    print_xml(file, picture->title, room * 10 / (6 * size));
    fputs("</text>\n", file);
    if (!picture->subtitle)
        return;
    fprintf(file, "<text class=\"small faint\" x=\"%d\" y=\"57\">", PAGE);
    print_xml(file, picture->subtitle, room / SMALL_CHARACTER);
    fputs("</text>\n", file);
}

static void print_head(const struct attune_grid *grid, const struct frame *frame, FILE *file)
{
    const struct attune_picture *picture = grid->picture;
    const char *scope = picture->scope ? picture->scope : "", *dash = picture->scope ? "-" : "";
    if (picture->scope) /* HTML knows what an svg is */
        fprintf(file, "<svg id=\"%s\" ", scope);
    else
        fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" ", file);
    fprintf(file,
            "width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
            "aria-labelledby=\"%s%stitle %s%sdesc\">\n<title id=\"%s%stitle\">",
            frame->width, frame->height, frame->width, frame->height, scope, dash, scope, dash,
            scope, dash);
    print_xml(file, picture->title, 512);
    fprintf(
        file,
        "</title>\n<desc id=\"%s%sdesc\">Heat map of attention weights between 0 and 1. Rows are ",
        scope, dash);
    print_xml(file, picture->row_axis, 512);
    fputs(", columns are ", file);
    print_xml(file, picture->column_axis, 512);
    fputs("; the stronger the color of a cell, the more the row attends to the column.", file);
    if (grid->row_step > 1 || grid->column_step > 1)
        fprintf(file, " A cell stands for %lld rows and %lld columns.", (long long)grid->row_step,
                (long long)grid->column_step);
    fputs("</desc>\n", file);
    print_style(picture, file);
    fprintf(file, "<rect class=\"page\" width=\"%d\" height=\"%d\" rx=\"12\"/>\n", frame->width,
            frame->height);
}

static void print_labels(const struct attune_grid *grid, const struct frame *frame, FILE *file)
{
    char buffer[24];
    const int cell = frame->cell;
    for (int64_t row = 0; row < grid->rows; row += frame->every_row) {
        fprintf(file, "<text class=\"ink\" x=\"%d\" y=\"%d\" text-anchor=\"end\">",
                frame->left - 10, frame->top + cell * (int)row + cell / 2 + 5);
        print_xml(file, attune_grid_row_label(grid, row, buffer), ATTUNE_LABEL_MAX);
        fputs("</text>\n", file);
    }
    for (int64_t column = 0; column < grid->columns; column += frame->every_column) {
        const int x = frame->left + cell * (int)column + cell / 2, y = frame->top - 10;
        if (frame->slanted)
            fprintf(file, "<text class=\"ink\" transform=\"translate(%d,%d)rotate(-50)\">", x, y);
        else
            fprintf(file, "<text class=\"ink\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">", x, y);
        print_xml(file, attune_grid_column_label(grid, column, buffer), ATTUNE_LABEL_MAX);
        fputs("</text>\n", file);
    }
}

static void print_cell(const struct attune_grid *grid, const struct frame *frame, int64_t row,
                       int64_t column, FILE *file)
{
    char buffer[24];
    const int gap = frame->cell < LINE ? 1 : 2, cell = frame->cell;
    const double weight = attune_grid_weight(grid, row, column);
    fprintf(file, "<rect class=\"w%d\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"%d\"",
            attune_grid_step(weight), frame->left + cell * (int)column + gap / 2,
            frame->top + cell * (int)row + gap / 2, cell - gap, cell - gap, cell / 7);
    if (grid->rows * grid->columns > TITLED) {
        fputs("/>\n", file);
        return;
    }
    fputs("><title>", file);
    print_xml(file, attune_grid_row_label(grid, row, buffer), ATTUNE_LABEL_MAX);
    fputs(" attends to ", file);
    print_xml(file, attune_grid_column_label(grid, column, buffer), ATTUNE_LABEL_MAX);
    fprintf(file, ": %.3f</title></rect>\n", weight);
}

static void print_legend(const struct attune_grid *grid, const struct frame *frame, FILE *file)
{
    const int y = frame->top + frame->cell * (int)grid->rows + 26;
    int x = frame->left;
    fprintf(file, "<text class=\"small faint\" x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n",
            x - 6, y + 11);
    for (int step = 0; step < STEPS; step++, x += SWATCH)
        fprintf(file, "<rect class=\"w%d\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"14\"/>\n", step,
                x, y, SWATCH);
    fprintf(file, "<text class=\"small faint\" x=\"%d\" y=\"%d\">1 \xc2\xa0 ", x + 6, y + 11);
    print_xml(file, grid->picture->row_axis, ATTUNE_LABEL_MAX);
    fputs(" \xe2\x86\x92 ", file);
    print_xml(file, grid->picture->column_axis, ATTUNE_LABEL_MAX);
    if (grid->row_step > 1 || grid->column_step > 1)
        fprintf(file, ", a cell is %lld \xc3\x97 %lld of them", (long long)grid->row_step,
                (long long)grid->column_step);
    fputs("</text>\n", file);
}

void attune_picture_svg(const struct attune_picture *picture, FILE *file)
{
    const struct attune_grid grid = attune_grid_of(picture, MOST, MOST);
    const struct frame frame = frame_of(&grid);
    print_head(&grid, &frame, file);
    print_name(picture, &frame, file);
    print_labels(&grid, &frame, file);
    for (int64_t row = 0; row < grid.rows; row++)
        for (int64_t column = 0; column < grid.columns; column++)
            print_cell(&grid, &frame, row, column, file);
    print_legend(&grid, &frame, file);
    fputs("</svg>\n", file);
}
