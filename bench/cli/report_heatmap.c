/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tuner measured for a key: rows are query blocks, columns key blocks, a cell how much
 * slower than the fastest it was.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/report_chart.h"
#include "bench/cli/report_page.h"
#include "bench/cli/report_sections.h"

enum { MOST_MAPS = 24, MOST_SIDE = 24, CELL = 30, STEPS = 8, LEFT = 14 };

struct map {
    double rows[MOST_SIDE], columns[MOST_SIDE], seconds[MOST_SIDE][MOST_SIDE];
    int row_count, column_count, left_out;
    double fastest;
};

/* Where `value` is, or was put, in ascending order; -1: no room. */
static int place_of(double values[MOST_SIDE], int *count, double value)
{
    int i = 0;
    while (i < *count && values[i] < value)
        i++;
    if (i < *count && !(values[i] > value))
        return i;
    if (*count == MOST_SIDE)
        return -1;
    memmove(values + i + 1, values + i, (size_t)(*count - i) * sizeof *values);
    values[i] = value;
    ++*count;
    return i;
}

/* Two passes: the sides first, since a new one moves the others. */
static void fill_map(struct map *map, const struct attune_points *points)
{
    *map = (struct map){.fastest = INFINITY};
    for (int32_t i = 0; i < points->count; i++) {
        place_of(map->rows, &map->row_count, points->point[i].q_block);
        place_of(map->columns, &map->column_count, points->point[i].kv_block);
    }
    for (int32_t i = 0; i < points->count; i++) {
        const struct attune_point *point = &points->point[i];
        const int row = place_of(map->rows, &map->row_count, point->q_block);
        const int column = place_of(map->columns, &map->column_count, point->kv_block);
        if (row < 0 || column < 0 || !(point->seconds > 0)) {
            map->left_out++;
            continue;
        }
        /* Other knobs may differ between points of one cell: the best of them stands for it. */
        double *cell = &map->seconds[row][column];
        *cell = *cell > 0 ? fmin(*cell, point->seconds) : point->seconds;
        map->fastest = fmin(map->fastest, point->seconds);
    }
}

/* The deeper, the faster: half a per cent is the first step, twice the time the last. */
static int step_of(double slowdown)
{
    static const double edges[STEPS - 1] = {1.005, 1.02, 1.05, 1.1, 1.2, 1.4, 1.8};
    int step = STEPS - 1;
    while (step > 0 && slowdown > edges[STEPS - 1 - step])
        step--;
    return step;
}

static double column_left(const struct map *map, int column)
{
    return LEFT + (100.0 - LEFT) * column / map->column_count;
}

static void draw_cell(const struct map *map, int row, int column, FILE *file)
{
    const double seconds = map->seconds[row][column], slowdown = seconds / map->fastest;
    const double left = column_left(map, column), width = column_left(map, column + 1) - left;
    const int y = CELL * row, step = seconds > 0 ? step_of(slowdown) : 0;
    char time[ATTUNE_PAGE_NUMBER];
    if (!(seconds > 0))
        return;
    fprintf(
        file,
        "<rect class=\"cell h%d\" x=\"%.2f%%\" y=\"%d\" width=\"%.2f%%\" height=\"%d\" rx=\"3\">"
        "<title>",
        step, left, y, width, CELL);
    attune_page_format(file, "q block %.0f, kv block %.0f: %s, %.3f times the fastest",
                       map->rows[row], map->columns[column], attune_page_seconds(seconds, time),
                       slowdown);
    fputs("</title></rect>", file);
    if (map->column_count <= 9)
        fprintf(file,
                "<text class=\"%s\" x=\"%.2f%%\" y=\"%d\" text-anchor=\"middle\" "
                "pointer-events=\"none\">%.2f</text>",
                step >= 4 ? "d" : "", left + width / 2, y + CELL / 2 + 4, fmin(slowdown, 99));
    putc('\n', file);
}

/* A ring around the tiles named, where they were measured. */
static void draw_ring(const struct map *map, const struct attune_pairs *tiles, const char *class,
                      FILE *file)
{
    const double q = attune_pairs_find(tiles, "q_block"), kv = attune_pairs_find(tiles, "kv_block");
    for (int row = 0; row < map->row_count; row++)
        for (int column = 0; column < map->column_count; column++)
            if (!(map->rows[row] < q) && !(map->rows[row] > q) && q > 0 && kv > 0 &&
                !(map->columns[column] < kv) && !(map->columns[column] > kv))
                fprintf(file,
                        "<rect class=\"%s\" x=\"%.2f%%\" y=\"%d\" width=\"%.2f%%\" height=\"%d\" "
                        "rx=\"3\" pointer-events=\"none\"/>\n",
                        class, column_left(map, column), CELL * row,
                        column_left(map, column + 1) - column_left(map, column), CELL);
}

static void draw_sides(const struct map *map, FILE *file)
{
    const int bottom = CELL * map->row_count;
    for (int row = 0; row < map->row_count; row++)
        fprintf(file,
                "<text class=\"faint\" x=\"%d%%\" dx=\"-6\" y=\"%d\" text-anchor=\"end\">%.0f"
                "</text>\n",
                LEFT, CELL * row + CELL / 2 + 4, map->rows[row]);
    for (int column = 0; column < map->column_count; column++)
        fprintf(file,
                "<text class=\"faint\" x=\"%.2f%%\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n",
                (column_left(map, column) + column_left(map, column + 1)) / 2, bottom + 15,
                map->columns[column]);
    fprintf(file,
            "<text class=\"faint\" x=\"100%%\" y=\"%d\" text-anchor=\"end\">kv block, across; "
            "q block, down</text>\n",
            bottom + 31);
}

static void draw_map(const struct attune_report *report,
                     const struct attune_landscape_line *landscape, FILE *file)
{
    const int32_t machine = attune_report_machine_of(report, landscape->machine);
    char below[256], caption[256], time[ATTUNE_PAGE_NUMBER];
    struct map map;
    fill_map(&map, &landscape->points);
    if (!(map.fastest < INFINITY))
        return;
    const struct attune_chart chart = {.file = file, .height = CELL * map.row_count + 34};
    snprintf(below, sizeof below, "%.60s%s%.0f thread%s, %.16s",
             report->machines > 1 ? report->machine[machine].name : "",
             report->machines > 1 ? ", " : "", landscape->threads,
             landscape->threads > 1 ? "s" : "", landscape->isa);
    snprintf(
        caption, sizeof caption,
        "Times the fastest, which took %s. Solid ring: the tuner's choice; dashed: the untuned "
        "model's.%s",
        attune_page_seconds(map.fastest, time), map.left_out ? " Some points found no room." : "");
    attune_chart_open(
        &chart, "heatmap", landscape->spec ? landscape->spec : landscape->key, below,
        "Heat map of the time by query block and key block; the deeper the color, the "
        "faster.");
    for (int row = 0; row < map.row_count; row++)
        for (int column = 0; column < map.column_count; column++)
            draw_cell(&map, row, column, file);
    draw_ring(&map, &landscape->model, "ring model", file);
    draw_ring(&map, &landscape->chosen, "ring", file);
    draw_sides(&map, file);
    attune_chart_end(&chart);
    attune_chart_close(&chart, caption);
}

int attune_report_heatmap(const struct attune_report *report, FILE *file)
{
    const int32_t count = report->results.count[ATTUNE_LINE_LANDSCAPE];
    if (count == 0)
        return 0;
    attune_page_section(file, "landscape", "What the tuner saw");
    fputs("<div class=\"grid\">\n", file);
    for (int32_t i = 0; i < count && i < MOST_MAPS; i++)
        draw_map(report, &report->results.landscape[i], file);
    fputs("</div>\n", file);
    if (count > MOST_MAPS)
        attune_page_format(file, "Only the first %d of %d are drawn.", MOST_MAPS, count);
    attune_page_section_end(file);
    return 1;
}
