/* SPDX-License-Identifier: Apache-2.0
 *
 * A forecast as text; on the page it is a section of attune report.
 */
#ifndef ATTUNE_BENCH_CLI_FORECAST_H
#define ATTUNE_BENCH_CLI_FORECAST_H

#include <stdio.h>

#include "bench/forecast.h"

/* A table for people, or in Markdown; the note that it is a prediction above it. */
void attune_forecast_print(const struct attune_forecast *forecast, int markdown, FILE *file);

#endif
