/* SPDX-License-Identifier: Apache-2.0
 *
 * The README's picture: the first panels of the first machine as one SVG, for light and dark pages.
 */
#include "bench/cli/report_figure.h"

#include "bench/cli/report_page.h"
#include "bench/cli/report_panel.h"

enum { COLUMNS = 2, MOST_PANELS = 6, WIDTH = 400, GAP = 28, HEAD = 40, PAGE = 20 };

static const char style[] =
    "<style>:root{--page:#fff;--ink:#1c2330;--faint:#566070;--own:#0b63b6;--peer:#aab4c1}"
    "@media(prefers-color-scheme:dark){:root{--page:#12151b;--ink:#e8ebf1;--faint:#a2abb9;"
    "--own:#63b0ff;--peer:#5b6778}}text{font:11px system-ui,sans-serif;fill:var(--ink)}"
    ".name{font:600 13px system-ui,sans-serif}.strong{font-weight:600}.faint{fill:var(--faint)}"
    ".page{fill:var(--page)}.bar{fill:var(--peer)}.own{fill:var(--own)}.whisker{stroke:var(--ink);"
    "stroke-width:1.25}.axis{stroke:var(--faint)}.roof{stroke:var(--faint);stroke-width:1.5}</"
    "style>\n";

/* The panels of one machine and the fewest threads that it has. */
static int chosen(const struct attune_panels *panels)
{
    int count = 0;
    while (count < panels->count && count < MOST_PANELS &&
           panels->panel[count].machine == panels->panel[0].machine &&
           !(panels->panel[count].first->threads > panels->panel[0].first->threads))
        count++;
    return count;
}

static int row_height(const struct attune_panels *panels, int count, int row)
{
    int height = 0;
    for (int i = row * COLUMNS; i < (row + 1) * COLUMNS && i < count; i++)
        if (attune_panel_height(&panels->panel[i]) > height)
            height = attune_panel_height(&panels->panel[i]);
    return HEAD + height + GAP;
}

static void draw_panel(const struct attune_panel *panel, int x, int y, FILE *file)
{
    fprintf(file, "<text class=\"name\" x=\"%d\" y=\"%d\">", x, y + 12);
    attune_page_text(file, attune_report_case(panel->first));
    fprintf(file, "</text><text class=\"faint\" x=\"%d\" y=\"%d\">", x, y + 28);
    attune_page_format(file, "%.70s", panel->first->spec);
    fprintf(file, "</text>\n<svg x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\">\n", x, y + HEAD,
            WIDTH, attune_panel_height(panel));
    attune_panel_draw(panel, file);
    fputs("</svg>\n", file);
}

static void draw_all(const struct attune_report *report, const struct attune_panels *panels,
                     FILE *file)
{
    const int count = chosen(panels), width = 2 * PAGE + COLUMNS * WIDTH + (COLUMNS - 1) * GAP;
    int height = PAGE, y = PAGE;
    for (int row = 0; row * COLUMNS < count; row++)
        height += row_height(panels, count, row);
    fprintf(
        file,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
        "viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"title desc\">\n<title id=\"title\">",
        width, height, width, height);
    attune_page_format(file, "Attune beside other engines on %s",
                       report->machine[panels->panel[0].machine].name);
    fprintf(file,
            "</title>\n<desc id=\"desc\">Bar charts of %d cases on %.0f thread%s: the rate of the "
            "fastest sample of each engine, and of its median with the 95 %% interval.</desc>\n%s"
            "<rect class=\"page\" width=\"%d\" height=\"%d\" rx=\"12\"/>\n",
            count, panels->panel[0].first->threads, panels->panel[0].first->threads > 1 ? "s" : "",
            style, width, height);
    for (int i = 0; i < count; i++) {
        draw_panel(&panels->panel[i], PAGE + i % COLUMNS * (WIDTH + GAP), y, file);
        if (i % COLUMNS == COLUMNS - 1)
            y += row_height(panels, count, i / COLUMNS);
    }
    fputs("</svg>\n", file);
}

int attune_report_figure(const struct attune_report *report, FILE *file)
{
    struct attune_panels panels;
    const int drawn = attune_panels_make(report, &panels) && panels.count > 0;
    if (drawn)
        draw_all(report, &panels, file);
    attune_panels_free(&panels);
    return drawn;
}
