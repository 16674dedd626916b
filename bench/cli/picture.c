/* SPDX-License-Identifier: Apache-2.0
 *
 * The heat maps. One ramp of STEPS colors a theme, so that a cell is a class in the SVG and a
 * palette entry in the terminal, and the legend shows exactly what the cells use.
 */
#include "bench/cli/picture.h"

#include <math.h>
#include <string.h>

enum { STEPS = 12, CELL = 30, GAP = 2, CHARACTER = 9, TITLE_CHARACTER = 11, LABEL_MAX = 24, ANCHORS = 5 };

/* Anchors of the ramps: pale to deep on a light page, dim to bright on a dark one, so that a strong
 * weight always stands out from the page and lightness alone already tells the order. */
static const unsigned light_ramp[ANCHORS] = {0xf1f4f9, 0xa9d3e8, 0x4a98c9, 0x2a5ba6, 0x221650};
static const unsigned dark_ramp[ANCHORS] = {0x21262f, 0x473a78, 0xa3468c, 0xf0785a, 0xfdeba4};
/* The dark ramp in the 256 colors of terminals. */
static const int terminal_ramp[STEPS] = {235, 236, 54, 55, 91, 127, 163, 168, 204, 209, 215, 229};

static double weight_at(const struct attune_picture *picture, int64_t row, int64_t column)
{
    const double weight = (double)picture->weights[row * picture->stride + column];
    return weight > 0 ? fmin(weight, 1) : 0;
}

static int step_of(double weight)
{
    const int step = (int)(weight * STEPS);
    return step < STEPS ? step : STEPS - 1;
}

/* A label as text of at most LABEL_MAX characters; `buffer` holds a number where there are none. */
static const char *label_of(const char *const *labels, int64_t index, char buffer[24])
{
    if (labels)
        return labels[index];
    snprintf(buffer, 24, "%lld", (long long)index);
    return buffer;
}

/* Bytes of the UTF-8 character at `text`: malformed ones count as one byte. */
static int character_bytes(const char *text)
{
    int bytes = 1;
    while (((unsigned char)text[bytes] & 0xc0) == 0x80)
        bytes++;
    return bytes;
}

static int characters(const char *text)
{
    int count = 0;
    for (; *text && count < LABEL_MAX; text += character_bytes(text))
        count++;
    return count;
}

static int longest(const char *const *labels, int64_t count)
{
    char buffer[24];
    int most = 1;
    for (int64_t i = 0; i < count; i++) {
        const int length = characters(label_of(labels, i, buffer));
        most = length > most ? length : most;
    }
    return most;
}

/* The character of a label at a position, a space beyond its end. */
static void print_character(FILE *file, const char *label, int position)
{
    while (*label && position-- > 0)
        label += character_bytes(label);
    if (*label)
        fprintf(file, "%.*s", character_bytes(label), label);
    else
        putc(' ', file);
}

static void print_padded(FILE *file, const char *label, int width)
{
    for (int i = 0; i < width; i++)
        print_character(file, label, i);
}

static void print_cell(FILE *file, double weight, int color)
{
    static const char *const shades[] = {"··", "░░", "▒▒", "▓▓", "██"};
    if (color)
        fprintf(file, "\x1b[48;5;%dm   \x1b[0m", terminal_ramp[step_of(weight)]);
    else
        fprintf(file, "%s ", shades[weight < 0.05 ? 0 : 1 + (int)fmin(3, weight * 4)]);
}

/* Column labels stand upright, one character a line, under one another: any length fits a cell. */
static void print_column_labels(const struct attune_picture *picture, FILE *file, int margin)
{
    char buffer[24];
    const int lines = longest(picture->column_labels, picture->columns);
    for (int line = 0; line < lines; line++) {
        fprintf(file, "%*s", margin, "");
        for (int64_t column = 0; column < picture->columns; column++) {
            print_character(file, label_of(picture->column_labels, column, buffer), line);
            fputs(column + 1 < picture->columns ? "  " : "\n", file);
        }
    }
}

/* The strongest column of a row, in words, for those who cannot tell the shades apart. */
static void print_strongest(const struct attune_picture *picture, FILE *file, int64_t row)
{
    char buffer[24];
    int64_t strongest = 0;
    for (int64_t column = 1; column < picture->columns; column++)
        if (weight_at(picture, row, column) > weight_at(picture, row, strongest))
            strongest = column;
    fprintf(file, "  %s %3.0f %%\n", label_of(picture->column_labels, strongest, buffer),
            100 * weight_at(picture, row, strongest));
}

void attune_picture_terminal(const struct attune_picture *picture, FILE *file, int color)
{
    char buffer[24];
    const int labels = longest(picture->row_labels, picture->rows);
    fprintf(file, "%s\n", picture->title);
    if (picture->subtitle)
        fprintf(file, "%s\n", picture->subtitle);
    putc('\n', file);
    print_column_labels(picture, file, labels + 4);
    for (int64_t row = 0; row < picture->rows; row++) {
        fputs("  ", file);
        print_padded(file, label_of(picture->row_labels, row, buffer), labels);
        putc(' ', file);
        for (int64_t column = 0; column < picture->columns; column++)
            print_cell(file, weight_at(picture, row, column), color);
        if (picture->columns > 0)
            print_strongest(picture, file, row);
        else
            putc('\n', file);
    }
    fprintf(file, "\n%*s0 ", labels + 3, "");
    for (int i = 0; i < (color ? STEPS : 5); i++)
        print_cell(file, 0.99 * i / (color ? STEPS - 1 : 4), color);
    fprintf(file, "%s1   rows: %s, columns: %s\n", color ? " " : "", picture->row_axis,
            picture->column_axis);
}

/* Text of at most LABEL_MAX characters (`whole`: all of it) with what XML reserves escaped; bytes
 * that XML does not allow become a question mark. */
static void print_xml(FILE *file, const char *text, int whole)
{
    for (int i = 0; *text && (whole || i < LABEL_MAX); i++) {
        const int bytes = character_bytes(text);
        if (*text == '&')
            fputs("&amp;", file);
        else if (*text == '<')
            fputs("&lt;", file);
        else if (*text == '>')
            fputs("&gt;", file);
        else if (*text == '"')
            fputs("&quot;", file);
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            putc('?', file);
        else
            fprintf(file, "%.*s", bytes, text);
        text += bytes;
    }
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

static void print_theme(FILE *file, const char *page, const char *ink, const char *faint,
                        const unsigned *ramp)
{
    fprintf(file, ".page{fill:%s}.ink{fill:%s}.faint{fill:%s}", page, ink, faint);
    for (int step = 0; step < STEPS; step++)
        fprintf(file, ".w%d{fill:#%06x}", step, ramp_color(ramp, step));
}

/* Where things stand, in pixels. */
struct frame {
    int left, top, width, height, slanted;
};

static struct frame frame_of(const struct attune_picture *picture)
{
    const int above = longest(picture->column_labels, picture->columns);
    const int title = TITLE_CHARACTER * (int)strlen(picture->title);
    struct frame frame = {.slanted = above > 3};
    frame.left = 40 + CHARACTER * longest(picture->row_labels, picture->rows);
    frame.top = 96 + (frame.slanted ? 7 * above : 0);
    frame.width = frame.left + CELL * (int)picture->columns + 28;
    frame.width += frame.slanted ? 4 * above : 0;
    frame.width = frame.width < frame.left + 340 ? frame.left + 340 : frame.width;
    frame.width = frame.width < title + 60 ? title + 60 : frame.width;
    frame.height = frame.top + CELL * (int)picture->rows + 62;
    return frame;
}

static void svg_head(const struct attune_picture *picture, const struct frame *frame, FILE *file)
{
    fprintf(
        file,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
        "viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"title desc\">\n<title id=\"title\">",
        frame->width, frame->height, frame->width, frame->height);
    print_xml(file, picture->title, 1);
    fputs("</title>\n<desc id=\"desc\">Heat map of attention weights between 0 and 1. Rows are ",
          file);
    print_xml(file, picture->row_axis, 1);
    fputs(", columns are ", file);
    print_xml(file, picture->column_axis, 1);
    fputs("; the stronger the color of a cell, the more the row attends to the column.</desc>\n"
          "<style>text{font:15px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}"
          ".name{font:600 19px system-ui,sans-serif}.small{font:13px system-ui,sans-serif}",
          file);
    print_theme(file, "#ffffff", "#1c2330", "#5b6472", light_ramp);
    fputs("@media(prefers-color-scheme:dark){", file);
    print_theme(file, "#12151b", "#e8ebf1", "#a2abb9", dark_ramp);
    fputs("}</style>\n", file);
    fprintf(file, "<rect class=\"page\" width=\"%d\" height=\"%d\" rx=\"12\"/>\n", frame->width,
            frame->height);
    fputs("<text class=\"name ink\" x=\"24\" y=\"36\">", file);
    print_xml(file, picture->title, 1);
    fputs("</text>\n", file);
    if (!picture->subtitle)
        return;
    fputs("<text class=\"small faint\" x=\"24\" y=\"57\">", file);
    print_xml(file, picture->subtitle, 1);
    fputs("</text>\n", file);
}

static void svg_labels(const struct attune_picture *picture, const struct frame *frame, FILE *file)
{
    char buffer[24];
    for (int64_t row = 0; row < picture->rows; row++) {
        fprintf(file, "<text class=\"ink\" x=\"%d\" y=\"%d\" text-anchor=\"end\">",
                frame->left - 10, frame->top + CELL * (int)row + CELL / 2 + 5);
        print_xml(file, label_of(picture->row_labels, row, buffer), 0);
        fputs("</text>\n", file);
    }
    for (int64_t column = 0; column < picture->columns; column++) {
        const int x = frame->left + CELL * (int)column + CELL / 2, y = frame->top - 10;
        if (frame->slanted)
            fprintf(file, "<text class=\"ink\" transform=\"translate(%d,%d)rotate(-50)\">", x, y);
        else
            fprintf(file, "<text class=\"ink\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">", x, y);
        print_xml(file, label_of(picture->column_labels, column, buffer), 0);
        fputs("</text>\n", file);
    }
}

static void svg_cells(const struct attune_picture *picture, const struct frame *frame, FILE *file)
{
    char row_buffer[24], column_buffer[24];
    for (int64_t row = 0; row < picture->rows; row++)
        for (int64_t column = 0; column < picture->columns; column++) {
            const double weight = weight_at(picture, row, column);
            fprintf(
                file,
                "<rect class=\"w%d\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\"><title>",
                step_of(weight), frame->left + CELL * (int)column + GAP / 2,
                frame->top + CELL * (int)row + GAP / 2, CELL - GAP, CELL - GAP);
            print_xml(file, label_of(picture->row_labels, row, row_buffer), 0);
            fputs(" attends to ", file);
            print_xml(file, label_of(picture->column_labels, column, column_buffer), 0);
            fprintf(file, ": %.3f</title></rect>\n", weight);
        }
}

static void svg_legend(const struct attune_picture *picture, const struct frame *frame, FILE *file)
{
    const int y = frame->top + CELL * (int)picture->rows + 26;
    int x = frame->left;
    fprintf(file, "<text class=\"small faint\" x=\"%d\" y=\"%d\" text-anchor=\"end\">0</text>\n",
            x - 6, y + 11);
    for (int step = 0; step < STEPS; step++, x += 12)
        fprintf(file, "<rect class=\"w%d\" x=\"%d\" y=\"%d\" width=\"12\" height=\"14\"/>\n", step,
                x, y);
    fprintf(file, "<text class=\"small faint\" x=\"%d\" y=\"%d\">1 \xc2\xa0 ", x + 6, y + 11);
    print_xml(file, picture->row_axis, 1);
    fputs(" \xe2\x86\x92 ", file);
    print_xml(file, picture->column_axis, 1);
    fputs("</text>\n", file);
}

void attune_picture_svg(const struct attune_picture *picture, FILE *file)
{
    const struct frame frame = frame_of(picture);
    svg_head(picture, &frame, file);
    svg_labels(picture, &frame, file);
    svg_cells(picture, &frame, file);
    svg_legend(picture, &frame, file);
    fputs("</svg>\n", file);
}
