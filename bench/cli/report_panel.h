/* SPDX-License-Identifier: Apache-2.0
 *
 * One case that several engines computed in the same run: found in the results, and drawn as bars.
 * The page, the README's table and its picture all show these.
 */
#ifndef ATTUNE_BENCH_CLI_REPORT_PANEL_H
#define ATTUNE_BENCH_CLI_REPORT_PANEL_H

#include <stdio.h>

#include "bench/cli/report_data.h"

enum { ATTUNE_PANEL_ENGINES = 16, ATTUNE_PANEL_ROW = 24 };

struct attune_panel {
    const struct attune_result_line *const *row; /* the fastest first */
    const struct attune_result_line *first;      /* in the files */
    int32_t machine;
    int rows;
};

struct attune_panels {
    struct attune_panel
        *panel; /* machine by machine, few threads first, then as the files have them */
    int count;
    const struct attune_result_line **lines;
};

/* All cases with Attune and another engine; 0 when memory is short. Free in any case. */
int attune_panels_make(const struct attune_report *report, struct attune_panels *panels);
void attune_panels_free(struct attune_panels *panels);

/* What goes inside an SVG as wide as its place and attune_panel_height() high. */
int attune_panel_height(const struct attune_panel *panel);
void attune_panel_draw(const struct attune_panel *panel, FILE *file);

#endif
