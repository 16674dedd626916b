/* SPDX-License-Identifier: Apache-2.0
 *
 * Results ordered for showing: which machines there are, which of several results of one case
 * counts, how cases and settings are called. Knows nothing of pages.
 */
#ifndef ATTUNE_BENCH_CLI_REPORT_DATA_H
#define ATTUNE_BENCH_CLI_REPORT_DATA_H

#include "bench/forecast.h"

/* Runs on the same hardware are one machine. */
struct attune_report_machine {
    const struct attune_machine_line *line; /* of the first run */
    int32_t runs;
    char name[96];
};

struct attune_report {
    struct attune_results results;
    struct attune_report_machine *machine;
    int32_t machines;
    /* Timed results of Attune; of several on one machine with the same case and settings the
     * fastest. Ordered by machine, instruction set and threads; within these as the files have
     * them. */
    const struct attune_result_line **own;
    int32_t owns;
    int32_t merged;                         /* results that gave way to a faster one */
    const char *picture;                    /* an alignment as SVG; NULL: none */
    const struct attune_forecast *forecast; /* NULL: none */
};

/* Orders what `results` holds; 0 when memory is short. Free in any case. */
int attune_report_order(struct attune_report *report);
void attune_report_free(struct attune_report *report);

/* Index of the machine that a result was measured on. */
int32_t attune_report_machine_of(const struct attune_report *report, const char *run);
int attune_report_is_timed(const struct attune_result_line *result);
int attune_report_is_own(const struct attune_result_line *result);
/* Whether two of Attune's results stand in one chart: machine, instruction set, threads. */
int attune_report_same_setting(const struct attune_report *report,
                               const struct attune_result_line *a,
                               const struct attune_result_line *b);
/* "AMD EPYC, 2 threads, avx512"; the machine only where there are several. */
const char *attune_report_setting(const struct attune_report *report,
                                  const struct attune_result_line *result, char text[160]);
/* A short name: the suite's, or the spec. */
const char *attune_report_case(const struct attune_result_line *result);
/* A named number, NaN where there is none. */
double attune_pairs_find(const struct attune_pairs *pairs, const char *name);

#endif
