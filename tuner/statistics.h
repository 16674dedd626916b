/* SPDX-License-Identifier: Apache-2.0
 *
 * Medians of paired ratios and how sure they are. Free of distributions: timings on a shared machine
 * have bursts and drift, no variance worth the name. Pure arithmetic; knows nothing of clocks.
 */
#ifndef ATTUNE_TUNER_STATISTICS_H
#define ATTUNE_TUNER_STATISTICS_H

#include <stdint.h>

struct attune_interval {
    double median, low, high;
};

/* Sorts `values` in place and returns their median. `count` >= 1. */
double attune_statistics_median(double *values, int32_t count);
/* The median and an interval between two of the values that holds the true median with at least
 * `confidence` (the sign test: exact for independent values of any distribution). Sorts in place.
 * Fewer values than such an interval needs give all of their range. */
struct attune_interval attune_statistics_interval(double *values, int32_t count, double confidence);
/* The median distance of the values from their median. Reorders them. */
double attune_statistics_deviation(double *values, int32_t count);

#endif
