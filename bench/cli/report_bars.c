/* SPDX-License-Identifier: Apache-2.0
 *
 * Engines side by side: a card for every case that more than one engine computed in the same run.
 */
#include "bench/cli/report_chart.h"
#include "bench/cli/report_page.h"
#include "bench/cli/report_panel.h"
#include "bench/cli/report_sections.h"

enum { MOST_PANELS = 60 };

static void draw_card(const struct attune_report *report, const struct attune_panel *panel,
                      FILE *file)
{
    const struct attune_chart chart = {.file = file, .height = attune_panel_height(panel)};
    char setting[160], below[256], description[256];
    snprintf(below, sizeof below, "%.120s \xc2\xb7 %s", panel->first->spec,
             attune_report_setting(report, panel->first, setting));
    snprintf(
        description, sizeof description,
        "Bar chart of %d engines, the fastest first: rate of the fastest sample, and of the median "
        "with its 95 %% interval.",
        panel->rows);
    attune_chart_open(&chart, "bars", attune_report_case(panel->first), below, description);
    attune_panel_draw(panel, file);
    attune_chart_end(&chart);
    attune_chart_close(&chart, NULL);
}

static void draw_panels(const struct attune_report *report, const struct attune_panels *panels,
                        FILE *file)
{
    attune_page_section(file, "peers", "Beside other engines");
    fputs("<p class=\"sub\">Same inputs, rounds in turn, every result checked against float64. A "
          "bar is "
          "the rate of the fastest sample, the tick that of the median with its 95 % interval; "
          "longer "
          "is better.</p>\n<div class=\"grid\">\n",
          file);
    for (int i = 0; i < panels->count && i < MOST_PANELS; i++)
        draw_card(report, &panels->panel[i], file);
    fputs("</div>\n", file);
    if (panels->count > MOST_PANELS)
        attune_page_format(file, "Only the first %d of %d panels are drawn.", MOST_PANELS,
                           panels->count);
    attune_page_section_end(file);
}

int attune_report_bars(const struct attune_report *report, FILE *file)
{
    struct attune_panels panels;
    const int drawn = attune_panels_make(report, &panels) && panels.count > 0;
    if (drawn)
        draw_panels(report, &panels, file);
    attune_panels_free(&panels);
    return drawn;
}
