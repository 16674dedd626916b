/* SPDX-License-Identifier: Apache-2.0
 *
 * What a README shows of files of results: a picture and a page of Markdown. Each returns 0, having
 * written nothing, where no case has another engine beside Attune.
 */
#ifndef ATTUNE_BENCH_CLI_REPORT_FIGURE_H
#define ATTUNE_BENCH_CLI_REPORT_FIGURE_H

#include <stdio.h>

#include "bench/cli/report_data.h"

int attune_report_figure(const struct attune_report *report, FILE *file);
int attune_report_markdown(const struct attune_report *report, FILE *file);

#endif
