/* SPDX-License-Identifier: Apache-2.0
 *
 * The alignment that the reader asked for: what all this computes, on real data.
 */
#include "bench/cli/report_page.h"
#include "bench/cli/report_sections.h"

int attune_report_alignment(const struct attune_report *report, FILE *file)
{
    if (!report->picture)
        return 0;
    attune_page_section(file, "alignment", "What attention looks at");
    fputs(
        "<p class=\"sub\">Computed just now from a problem file: which row attends to which "
        "column, "
        "and how much.</p>\n<figure class=\"card\" data-chart=\"alignment\"><div class=\"picture\" "
        "tabindex=\"0\">",
        file);
    fputs(report->picture, file);
    fputs("</div>\n<p class=\"readout\" aria-live=\"polite\"></p></figure>\n", file);
    attune_page_section_end(file);
    return 1;
}
