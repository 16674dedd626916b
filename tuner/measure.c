/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer behind tuner and bench. A sample is a calibrated number of calls, so that the clock's
 * resolution never shows; minimum and median are taken over samples, because on a shared machine
 * the minimum is what the code can do and the median what it does.
 */
#include "tuner/measure.h"

#include <stddef.h>
#include <time.h>

#include "tuner/statistics.h"

enum { MIN_SAMPLES = 5 };

double attune_clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double monotonic(void *user)
{
    (void)user;
    return attune_clock_seconds();
}

const struct attune_clock attune_clock_monotonic = {monotonic, NULL};

double attune_measure_sample_on(const struct attune_clock *clock, attune_measured_fn *run,
                                void *argument, int64_t calls)
{
    const double start = clock->seconds(clock->user);
    for (int64_t i = 0; i < calls; i++)
        run(argument);
    return (clock->seconds(clock->user) - start) / (double)calls;
}

int64_t attune_measure_calibrate_on(const struct attune_clock *clock, attune_measured_fn *run,
                                    void *argument, double sample_seconds)
{
    run(argument);
    int64_t calls = 1;
    for (;;) {
        const double seconds =
            attune_measure_sample_on(clock, run, argument, calls) * (double)calls;
        if (seconds >= sample_seconds || calls >= (INT64_C(1) << 40))
            return calls;
        /* Grow by what is missing plus a tenth, never more than tenfold: the first calls run slower
         * than the rest, and a reading of almost zero says little. */
        const double growth = seconds > 0 ? 1.1 * sample_seconds / seconds : 10;
        const double bounded = growth > 10 ? 10 : growth;
        calls = (int64_t)((double)calls * bounded) + 1;
    }
}

double attune_measure_sample(attune_measured_fn *run, void *argument, int64_t calls)
{
    return attune_measure_sample_on(&attune_clock_monotonic, run, argument, calls);
}

int64_t attune_measure_calibrate(attune_measured_fn *run, void *argument, double sample_seconds)
{
    return attune_measure_calibrate_on(&attune_clock_monotonic, run, argument, sample_seconds);
}

void attune_measure_summarize(double *samples, int32_t count, int64_t calls,
                              struct attune_measurement *result)
{
    result->median = attune_statistics_median(samples, count);
    result->minimum = samples[0];
    result->calls = calls;
    result->samples = count;
}

void attune_measure(attune_measured_fn *run, void *argument, double sample_seconds,
                    double total_seconds, struct attune_measurement *result)
{
    double samples[ATTUNE_MEASURE_SAMPLES];
    const int64_t calls = attune_measure_calibrate(run, argument, sample_seconds);
    const double start = attune_clock_seconds();
    int32_t count = 0;
    while (count < ATTUNE_MEASURE_SAMPLES &&
           (count < MIN_SAMPLES || attune_clock_seconds() - start < total_seconds))
        samples[count++] = attune_measure_sample(run, argument, calls);
    attune_measure_summarize(samples, count, calls, result);
}
