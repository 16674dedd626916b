/* SPDX-License-Identifier: Apache-2.0
 *
 * The one timer: monotonic clock, calibrated repeats, minimum and median of samples. Knows nothing of
 * what it times.
 */
#ifndef ATTUNE_TUNER_MEASURE_H
#define ATTUNE_TUNER_MEASURE_H

#include <stdint.h>

typedef void attune_measured_fn(void *argument);

struct attune_measurement {
    double minimum, median; /* seconds a call */
    int64_t calls;          /* calls a sample */
    int32_t samples;
};

double attune_clock_seconds(void);
/* Warms up, finds how many calls make a sample of at least `sample_seconds`, then takes samples until
 * `total_seconds` have passed (at least 5, at most 1000). */
void attune_measure(attune_measured_fn *run, void *argument, double sample_seconds,
                    double total_seconds, struct attune_measurement *result);

#endif
