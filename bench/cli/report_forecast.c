/* SPDX-License-Identifier: Apache-2.0
 *
 * Predictions, plainly marked: on the page, in the terminal, in Markdown.
 */
#include "bench/cli/forecast.h"
#include "bench/cli/report_page.h"
#include "bench/cli/report_sections.h"

enum { MOST_ROWS = 500, NAME = 30 };

static void put_row(const struct attune_forecast_row *row, FILE *file)
{
    const double here = row->from->min_s, there = row->prediction.seconds;
    const double share = row->prediction.roof_seconds / there;
    char text[ATTUNE_PAGE_NUMBER];
    fputs("<tr><td class=\"t\">", file);
    attune_page_text(file, attune_report_case(row->from));
    fprintf(file, "</td><td data-n=\"%.9g\">%.0f</td><td data-n=\"%.9g\">%s</td>",
            row->from->threads, row->from->threads, here, attune_page_seconds(here, text));
    fprintf(file, "<td data-n=\"%.9g\">%.0f</td><td class=\"t\">", row->there.threads,
            row->there.threads);
    attune_page_format(file, "%.16s", row->there.isa);
    fprintf(file, "</td><td data-n=\"%.9g\">%s</td>", there, attune_page_seconds(there, text));
    fprintf(file,
            "<td data-n=\"%.9g\">%.2f\xc3\x97</td><td data-n=\"%.9g\">%.0f %%</td>"
            "<td class=\"t\">%s</td></tr>\n",
            here / there, here / there, share, 100 * share,
            attune_roof_word(row->prediction.bound));
}

int attune_report_forecast(const struct attune_report *report, FILE *file)
{
    static const char *const heads[] = {"case",          "threads here", "measured here",
                                        "threads there", "set there",    "predicted",
                                        "speed-up",      "of roof",      "bound by"};
    const struct attune_forecast *forecast = report->forecast;
    if (!forecast)
        return 0;
    attune_page_section(file, "forecast", "What another CPU would do");
    fputs("<div class=\"card prediction\" data-card=\"prediction\"><h3>", file);
    attune_page_text(file, forecast->name);
    fputs("</h3><p class=\"sub\">", file);
    attune_page_text(file, forecast->note);
    fputs(
        "</p><div class=\"scroll tall\" tabindex=\"0\"><table data-table=\"forecast\"><thead><tr>",
        file);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        fprintf(file, "<th scope=\"col\"%s><button type=\"button\">%s</button></th>",
                i == 0 || i == 4 || i == 8 ? " class=\"t\"" : "", heads[i]);
    fputs("</tr></thead><tbody>\n", file);
    for (int i = 0; i < forecast->rows && i < MOST_ROWS; i++)
        put_row(&forecast->row[i], file);
    fputs("</tbody></table></div></div>\n", file);
    attune_page_section_end(file);
    return 1;
}

static void print_row(const struct attune_forecast_row *row, int markdown, FILE *file)
{
    const double here = row->from->min_s, there = row->prediction.seconds;
    char from[ATTUNE_PAGE_NUMBER], to[ATTUNE_PAGE_NUMBER];
    if (markdown) {
        fputs("| ", file);
        attune_markdown_cell(file, attune_report_case(row->from));
        fprintf(file, " | %.0f | %s | %.0f | %s | %.2f | %.0f %% of %s |\n", row->from->threads,
                attune_page_seconds(here, from), row->there.threads, attune_page_seconds(there, to),
                here / there, 100 * row->prediction.roof_seconds / there,
                attune_roof_word(row->prediction.bound));
        return;
    }
    fprintf(file, "%7.0f  %11s  %7.0f  %11s  %8.2f  %4.0f %% of %-5s ", row->from->threads,
            attune_page_seconds(here, from), row->there.threads, attune_page_seconds(there, to),
            here / there, 100 * row->prediction.roof_seconds / there,
            attune_roof_word(row->prediction.bound));
    attune_plain_text(file, attune_report_case(row->from), NAME);
    putc('\n', file);
}

void attune_forecast_print(const struct attune_forecast *forecast, int markdown, FILE *file)
{
    putc('\n', file);
    if (markdown)
        attune_markdown_cell(file, forecast->note);
    else
        attune_plain_text(file, forecast->note, ATTUNE_FORECAST_NOTE);
    fputs("\n\n", file);
    if (markdown)
        fputs("| case | threads here | measured here | threads there | predicted | speed-up | of "
              "roof |\n"
              "|---|--:|--:|--:|--:|--:|--:|\n",
              file);
    else
        fprintf(file, "%7s  %11s  %7s  %11s  %8s  %s\n", "threads", "measured", "there",
                "predicted", "speed-up", "of roof there  case");
    for (int i = 0; i < forecast->rows; i++)
        print_row(&forecast->row[i], markdown, file);
}
