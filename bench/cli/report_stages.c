/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the time of an execution goes: a stacked bar a case, from what `attune bench --explain`
 * measured.
 */
#include <math.h>
#include <string.h>

#include "bench/cli/report_chart.h"
#include "bench/cli/report_page.h"
#include "bench/cli/report_sections.h"

enum { MOST_ROWS = 30, MOST_CHARTS = 8, ROW = 34, PARTS = 6 };

/* Parts with a color of their own; what is in none of them is "other". */
static const struct {
    const char *name, *words;
} parts[PARTS] = {
    {"score", " score "},     {"softmax", " softmax "},       {"weighted sum", " weighted_sum "},
    {"packing", " packing "}, {"projection", " projection "}, {"other", ""},
};

static int part_of(const char *name)
{
    char word[40];
    snprintf(word, sizeof word, " %.30s ", name);
    for (int i = 0; i < PARTS - 1; i++)
        if (strcmp(parts[i].words, word) == 0)
            return i;
    return PARTS - 1;
}

static void draw_case(const struct attune_result_line *result, int y, FILE *file)
{
    double total = 0, share[PARTS] = {0}, left = 0;
    char time[ATTUNE_PAGE_NUMBER];
    for (int32_t i = 0; i < result->explain.count; i++) {
        share[part_of(result->explain.at[i].name)] += result->explain.at[i].value;
        total += result->explain.at[i].value;
    }
    fprintf(file, "<text x=\"0\" y=\"%d\">", y + 11);
    attune_page_format(file, "%.44s", attune_report_case(result));
    fprintf(file,
            "</text><text class=\"faint\" x=\"100%%\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
            y + 11, attune_page_seconds(result->min_s, time));
    for (int i = 0; i < PARTS; i++) {
        const double width = 100 * share[i] / total;
        if (!(width > 0))
            continue;
        fprintf(file,
                "<rect class=\"mark s%d\" x=\"%.2f%%\" y=\"%d\" width=\"%.2f%%\" height=\"13\">"
                "<title>%s: %.1f %% (%s)</title></rect>\n",
                i + 1, left, y + 15, width, parts[i].name, width,
                attune_page_seconds(share[i], time));
        left += width;
    }
}

static void draw_key(FILE *file)
{
    fputs("<ul class=\"key\">", file);
    for (int i = 0; i < PARTS; i++)
        fprintf(
            file,
            "<li><svg aria-hidden=\"true\" viewBox=\"0 0 12 12\"><rect class=\"s%d\" width=\"12\" "
            "height=\"12\"/></svg>%s</li>",
            i + 1, parts[i].name);
    fputs("</ul>\n", file);
}

static int is_explained(const struct attune_result_line *result)
{
    double total = 0;
    for (int32_t i = 0; i < result->explain.count; i++)
        total += result->explain.at[i].value;
    return total > 0;
}

static int draw_chart(const struct attune_report *report, int32_t first, int32_t end, FILE *file)
{
    char setting[160];
    int rows = 0, row = 0;
    for (int32_t i = first; i < end; i++)
        rows += is_explained(report->own[i]);
    if (rows == 0)
        return 0;
    const int shown = rows < MOST_ROWS ? rows : MOST_ROWS;
    const struct attune_chart chart = {.file = file, .height = ROW * shown};
    attune_chart_open(&chart, "stages", attune_report_setting(report, report->own[first], setting),
                      NULL, "Stacked bars of what the time of an execution goes to, a bar a case.");
    for (int32_t i = first; i < end && row < shown; i++)
        if (is_explained(report->own[i]))
            draw_case(report->own[i], ROW * row++, file);
    attune_chart_end(&chart);
    draw_key(file);
    attune_chart_close(&chart, rows > shown ? "There are more cases than this chart shows." : NULL);
    return 1;
}

int attune_report_stages(const struct attune_report *report, FILE *file)
{
    int charts = 0, any = 0;
    for (int32_t i = 0; i < report->owns; i++)
        any |= is_explained(report->own[i]);
    if (!any)
        return 0;
    attune_page_section(file, "stages", "Where the time goes");
    fputs("<div class=\"wide\">\n", file);
    for (int32_t i = 0, end; i < report->owns; i = end) {
        for (end = i + 1; end < report->owns &&
                          attune_report_same_setting(report, report->own[i], report->own[end]);)
            end++;
        if (charts < MOST_CHARTS)
            charts += draw_chart(report, i, end, file);
    }
    fputs("</div>\n", file);
    attune_page_section_end(file);
    return 1;
}
