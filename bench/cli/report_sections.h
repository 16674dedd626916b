/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of the page, one function each in the file of its name. Each writes nothing and returns
 * 0 where its data are not there, -1 where memory is not.
 */
#ifndef ATTUNE_BENCH_CLI_REPORT_SECTIONS_H
#define ATTUNE_BENCH_CLI_REPORT_SECTIONS_H

#include <stdio.h>

#include "bench/cli/report_data.h"

typedef int attune_report_section_fn(const struct attune_report *report, FILE *file);

/* Cards: CPU, caches, memory, system, build, and the roofs measured. */
attune_report_section_fn attune_report_machines;
/* Each case as a point below its machine's roofs. */
attune_report_section_fn attune_report_roofline;
/* Engines side by side, a panel a case. */
attune_report_section_fn attune_report_bars;
/* Speed-up over threads, share of the roof over sequence length. */
attune_report_section_fn attune_report_threads, attune_report_lengths;
/* What the time of an execution goes to. */
attune_report_section_fn attune_report_stages;
/* What the tuner measured. */
attune_report_section_fn attune_report_heatmap;
/* What another machine would do. */
attune_report_section_fn attune_report_forecast;
/* An alignment of real data. */
attune_report_section_fn attune_report_alignment;
/* Every result, sortable. */
attune_report_section_fn attune_report_table;

#endif
