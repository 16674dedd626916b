/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding panels, and their bars: the fastest sample's rate; a tick for the median and through it a
 * line, the 95 % interval of the rounds' medians.
 */
#include "bench/cli/report_panel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/report_page.h"

enum { ROW = ATTUNE_PANEL_ROW };

/* Where names end, where bars begin and end, in per cent of the width. */
static const double bars_left = 33, bars_right = 74;

static int same_panel(const struct attune_result_line *a, const struct attune_result_line *b)
{
    return strcmp(a->machine, b->machine) == 0 && strcmp(a->spec, b->spec) == 0 &&
           strcmp(a->name, b->name) == 0 && !(a->threads < b->threads) &&
           !(a->threads > b->threads);
}

static int compare_panels(const void *left, const void *right)
{
    const struct attune_result_line *a = *(const struct attune_result_line *const *)left;
    const struct attune_result_line *b = *(const struct attune_result_line *const *)right;
    int order = strcmp(a->machine, b->machine);
    if (!order)
        order = (a->threads > b->threads) - (a->threads < b->threads);
    if (!order)
        order = strcmp(a->name, b->name);
    if (!order)
        order = strcmp(a->spec, b->spec);
    return order ? order : (a->min_s > b->min_s) - (a->min_s < b->min_s);
}

/* As the files have them, machine by machine, few threads first. */
static int compare_order(const void *left, const void *right)
{
    const struct attune_panel *a = left, *b = right;
    if (a->machine != b->machine)
        return a->machine < b->machine ? -1 : 1;
    if (a->first->threads < b->first->threads || a->first->threads > b->first->threads)
        return a->first->threads < b->first->threads ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

static int has_peers(const struct attune_result_line **line, int32_t count)
{
    int own = 0, other = 0;
    for (int32_t i = 0; i < count; i++) {
        own |= attune_report_is_own(line[i]);
        other |= !attune_report_is_own(line[i]);
    }
    return own && other;
}

/* The timed results that have a rate, by panel; NULL: no memory. */
static const struct attune_result_line **gather(const struct attune_report *report, int32_t *count)
{
    const struct attune_results *results = &report->results;
    const struct attune_result_line **line =
        calloc((size_t)results->count[ATTUNE_LINE_RESULT] + 1, sizeof(void *));
    *count = 0;
    for (int32_t i = 0; line && i < results->count[ATTUNE_LINE_RESULT]; i++)
        if (attune_report_is_timed(&results->result[i]) && results->result[i].work > 0 &&
            results->result[i].median_s > 0)
            line[(*count)++] = &results->result[i];
    if (line)
        qsort(line, (size_t)*count, sizeof(void *), compare_panels);
    return line;
}

/* Panels of what `line` holds; there is room for `count`. */
static int make_panels(const struct attune_report *report, const struct attune_result_line **line,
                       int32_t count, struct attune_panel *panel)
{
    int panels = 0;
    for (int32_t i = 0, end; i < count; i = end) {
        const struct attune_result_line *first = line[i];
        for (end = i + 1; end < count && same_panel(line[i], line[end]); end++)
            first = line[end] < first ? line[end] : first;
        if (has_peers(line + i, end - i))
            panel[panels++] = (struct attune_panel){
                .row = line + i,
                .first = first,
                .machine = attune_report_machine_of(report, first->machine),
                .rows = end - i < ATTUNE_PANEL_ENGINES ? end - i : ATTUNE_PANEL_ENGINES};
    }
    qsort(panel, (size_t)panels, sizeof *panel, compare_order);
    return panels;
}

int attune_panels_make(const struct attune_report *report, struct attune_panels *panels)
{
    int32_t count;
    *panels = (struct attune_panels){.lines = gather(report, &count)};
    panels->panel = calloc((size_t)count + 1, sizeof *panels->panel);
    if (!panels->lines || !panels->panel)
        return 0;
    panels->count = make_panels(report, panels->lines, count, panels->panel);
    return 1;
}

void attune_panels_free(struct attune_panels *panels)
{
    free(panels->panel);
    free(panels->lines);
    *panels = (struct attune_panels){0};
}

static double bar_end(double rate, double most)
{
    return bars_left + (bars_right - bars_left) * fmin(rate / most, 1);
}

static void draw_name(const struct attune_result_line *result, int y, FILE *file)
{
    const int own = attune_report_is_own(result);
    fprintf(file, "<text class=\"%s\" x=\"0\" y=\"%d\">", own ? "strong" : "", y + 15);
    attune_page_format(file, "%.16s", result->engine);
    fputs("</text>\n", file);
}

static void draw_whisker(const struct attune_result_line *result, double most, int y, FILE *file)
{
    const double median = bar_end(result->work / result->median_s, most);
    if (result->low_s > 0 && result->high_s >= result->low_s)
        fprintf(file, "<line class=\"whisker\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%d\" y2=\"%d\"/>",
                bar_end(result->work / result->high_s, most),
                bar_end(result->work / result->low_s, most), y + 11, y + 11);
    fprintf(file, "<line class=\"whisker\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%d\" y2=\"%d\"/>\n",
            median, median, y + 7, y + 15);
}

static void draw_title(const struct attune_result_line *result, FILE *file)
{
    char median[ATTUNE_PAGE_NUMBER], low[ATTUNE_PAGE_NUMBER], high[ATTUNE_PAGE_NUMBER],
        fastest[ATTUNE_PAGE_NUMBER];
    fputs("<title>", file);
    attune_page_format(file, "%.40s %.40s: fastest %s, median %s", result->engine,
                       result->version ? result->version : "",
                       attune_page_seconds(result->min_s, fastest),
                       attune_page_seconds(result->median_s, median));
    if (result->low_s > 0 && result->high_s > 0)
        attune_page_format(file, " (95 %% interval %s to %s)",
                           attune_page_seconds(result->low_s, low),
                           attune_page_seconds(result->high_s, high));
    if (result->choice)
        attune_page_format(file, "; %.160s", result->choice);
    fputs("</title>", file);
}

static void draw_row(const struct attune_result_line *result, double most, int y, FILE *file)
{
    const double rate = result->work / result->min_s;
    char text[ATTUNE_PAGE_NUMBER];
    draw_name(result, y, file);
    fprintf(file,
            "<rect class=\"bar%s\" x=\"%.2f%%\" y=\"%d\" width=\"%.2f%%\" height=\"14\" rx=\"2\">",
            attune_report_is_own(result) ? " own" : "", bars_left, y + 4,
            fmax(bar_end(rate, most) - bars_left, 0.4));
    draw_title(result, file);
    fputs("</rect>\n", file);
    draw_whisker(result, most, y, file);
    fprintf(file, "<text x=\"100%%\" y=\"%d\" text-anchor=\"end\" class=\"%s\">", y + 15,
            attune_report_is_own(result) ? "strong" : "");
    attune_page_text(file, attune_page_rate(rate, result->work_unit, text));
    fputs("</text>\n", file);
}

/* The roof that binds the case, where the file tells it, as the full length of a bar. */
static double scale_of(const struct attune_panel *panel, int *has_roof)
{
    const double most = panel->row[0]->work / panel->row[0]->min_s, roof = panel->row[0]->roof;
    *has_roof = roof > 0 && most <= roof;
    return *has_roof ? roof : most;
}

int attune_panel_height(const struct attune_panel *panel)
{
    return ROW * panel->rows + 22;
}

void attune_panel_draw(const struct attune_panel *panel, FILE *file)
{
    const struct attune_result_line *first = panel->row[0];
    const int bottom = ROW * panel->rows + 2;
    char text[ATTUNE_PAGE_NUMBER];
    int has_roof;
    const double most = scale_of(panel, &has_roof);
    if (has_roof) {
        fprintf(file,
                "<line class=\"roof\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>"
                "<text class=\"faint\" x=\"%.2f%%\" y=\"%d\" text-anchor=\"end\">",
                bars_right, bars_right, bottom, bars_right, bottom + 14);
        attune_page_format(file, "roof: %.8s %s", first->bound_by ? first->bound_by : "",
                           attune_page_rate(most, first->work_unit, text));
        fputs("</text>\n", file);
    }
    fprintf(file, "<line class=\"axis\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>\n",
            bars_left, bars_left, bottom);
    for (int i = 0; i < panel->rows; i++)
        draw_row(panel->row[i], most, ROW * i, file);
}
