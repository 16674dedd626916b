/* SPDX-License-Identifier: Apache-2.0
 *
 * The one timer: monotonic clock, calibrated repeats, minimum and median of samples. Knows nothing
 * of what it times.
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

#define ATTUNE_MEASURE_SAMPLES 1000 /* at most so many samples enter a measurement */

/* Where the time comes from: the machine's monotonic clock, or a test's. */
struct attune_clock {
    double (*seconds)(void *user);
    void *user;
};
extern const struct attune_clock attune_clock_monotonic;

double attune_clock_seconds(void);
/* The parts of a measurement, for those who interleave several. Calls once to warm up, then returns
 * how many calls make a sample of at least `sample_seconds`. */
int64_t attune_measure_calibrate(attune_measured_fn *run, void *argument, double sample_seconds);
/* One sample: `calls` calls; returns seconds a call. */
double attune_measure_sample(attune_measured_fn *run, void *argument, int64_t calls);
/* The same two on a clock of the caller's choice. */
int64_t attune_measure_calibrate_on(const struct attune_clock *clock, attune_measured_fn *run,
                                    void *argument, double sample_seconds);
double attune_measure_sample_on(const struct attune_clock *clock, attune_measured_fn *run,
                                void *argument, int64_t calls);
/* Minimum and median of samples, which are sorted in place. `count` >= 1. */
void attune_measure_summarize(double *samples, int32_t count, int64_t calls,
                              struct attune_measurement *result);

/* All of it: warms up, calibrates, then takes samples until `total_seconds` have passed (at least
 * 5, at most ATTUNE_MEASURE_SAMPLES). */
void attune_measure(attune_measured_fn *run, void *argument, double sample_seconds,
                    double total_seconds, struct attune_measurement *result);

#endif
