/* SPDX-License-Identifier: Apache-2.0
 *
 * Every result of the files in one table that sorts by a click on a column's head; those that were
 * not timed stand there with their reason.
 */
#include <math.h>
#include <string.h>

#include "bench/cli/report_page.h"
#include "bench/cli/report_sections.h"

enum { MOST_ROWS = 2000 };

static const struct {
    const char *name;
    int is_text;
} columns[] = {
    {"case", 1},     {"engine", 1}, {"threads", 0}, {"set", 1},  {"fastest", 0},
    {"median", 0},   {"95 %", 0},   {"noise", 0},   {"rate", 0}, {"of roof", 0},
    {"bound by", 1}, {"error", 0},  {"remarks", 1},
};

static void put_text(FILE *file, const char *text)
{
    fputs("<td class=\"t\">", file);
    attune_page_text(file, text ? text : "");
    fputs("</td>", file);
}

/* A cell that sorts by `value`; empty where that is none. */
static void put_number(FILE *file, double value, const char *shown)
{
    if (value >= 0 && isfinite(value)) {
        fprintf(file, "<td data-n=\"%.9g\">", value);
        attune_page_text(file, shown);
        fputs("</td>", file);
    } else {
        fputs("<td data-n=\"\"></td>", file);
    }
}

static void put_percent(FILE *file, double share, int digits)
{
    char text[ATTUNE_PAGE_NUMBER];
    snprintf(text, sizeof text, "%.*f %%", digits, 100 * share);
    put_number(file, share, text);
}

static void put_times(FILE *file, const struct attune_result_line *result)
{
    char text[ATTUNE_PAGE_NUMBER], low[ATTUNE_PAGE_NUMBER], high[ATTUNE_PAGE_NUMBER],
        interval[2 * ATTUNE_PAGE_NUMBER + 8];
    const double half = (result->high_s - result->low_s) / 2;
    put_number(file, result->min_s, attune_page_seconds(result->min_s, text));
    put_number(file, result->median_s, attune_page_seconds(result->median_s, text));
    snprintf(interval, sizeof interval, "%s to %s", attune_page_seconds(result->low_s, low),
             attune_page_seconds(result->high_s, high));
    put_number(file, half, interval);
    put_percent(file, result->noise, 1);
    put_number(file, result->work / result->min_s,
               attune_page_rate(result->work / result->min_s, result->work_unit, text));
    put_percent(file, result->share, 1);
}

static void put_remarks(const struct attune_report *report, const struct attune_result_line *result,
                        FILE *file)
{
    const int32_t machine = attune_report_machine_of(report, result->machine);
    fputs("<td class=\"t\">", file);
    if (strcmp(result->outcome, "ok") != 0) {
        fputs("<span class=\"flag\">", file);
        attune_page_format(file, "%.16s: %.120s", result->outcome,
                           result->reason ? result->reason : "no reason given");
        fputs("</span>", file);
    } else if (result->samples > 0 && !result->settled) {
        fputs("<span class=\"flag\">not settled</span>", file);
    }
    if (report->machines > 1)
        attune_page_format(file, " %s", report->machine[machine].name);
    fputs("</td>", file);
}

static void put_row(const struct attune_report *report, const struct attune_result_line *result,
                    FILE *file)
{
    char text[ATTUNE_PAGE_NUMBER], engine[128];
    snprintf(engine, sizeof engine, "%.60s %.60s", result->engine,
             result->version ? result->version : "");
    fputs("<tr title=\"", file);
    attune_page_format(file, "%s; %s", result->spec,
                       result->kernels  ? result->kernels
                       : result->choice ? result->choice
                                        : "");
    fputs("\">", file);
    put_text(file, attune_report_case(result));
    put_text(file, engine);
    snprintf(text, sizeof text, "%.0f", result->threads);
    put_number(file, result->threads, text);
    put_text(file, result->isa);
    put_times(file, result);
    put_text(file, result->bound_by);
    snprintf(text, sizeof text, "%.2f", result->error_over_bound);
    put_number(file, result->error_over_bound, text);
    put_remarks(report, result, file);
    fputs("</tr>\n", file);
}

int attune_report_table(const struct attune_report *report, FILE *file)
{
    const int32_t count = report->results.count[ATTUNE_LINE_RESULT];
    if (count == 0)
        return 0;
    attune_page_section(file, "results", "Every result");
    fputs("<p class=\"sub\">Click a head to sort. Rates are of the fastest sample; the error is in "
          "units of its bound, at most 1 is right.</p>\n<div class=\"scroll tall\" tabindex=\"0\">"
          "<table data-table=\"results\"><thead><tr>",
          file);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        fprintf(file, "<th scope=\"col\"%s><button type=\"button\">%s</button></th>",
                columns[i].is_text ? " class=\"t\"" : "", columns[i].name);
    fputs("</tr></thead><tbody>\n", file);
    for (int32_t i = 0; i < count && i < MOST_ROWS; i++)
        put_row(report, &report->results.result[i], file);
    fputs("</tbody></table></div>\n", file);
    if (count > MOST_ROWS)
        attune_page_format(file, "The first %d of %d results.", MOST_ROWS, count);
    attune_page_section_end(file);
    return 1;
}
