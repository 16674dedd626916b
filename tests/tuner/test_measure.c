/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer: how often it calls, and what it makes of samples. Never how long anything takes.
 */
#include <criterion/criterion.h>

#include "tuner/measure.h"

static void count_call(void *argument)
{
    ++*(int64_t *)argument;
}

Test(measure, clock_never_goes_back)
{
    double before = attune_clock_seconds();
    for (int i = 0; i < 1000; i++) {
        const double now = attune_clock_seconds();
        cr_assert_geq(now, before);
        before = now;
    }
}

Test(measure, a_sample_makes_the_calls_asked_for)
{
    int64_t calls = 0;
    cr_assert_geq(attune_measure_sample(count_call, &calls, 17), 0);
    cr_assert_eq(calls, 17);
}

Test(measure, calibration_warms_up_and_finds_at_least_one_call)
{
    int64_t calls = 0;
    cr_assert_eq(attune_measure_calibrate(count_call, &calls, 0), 1);
    cr_assert_eq(calls, 2);
    calls = 0;
    cr_assert_gt(attune_measure_calibrate(count_call, &calls, 1e-3), 1);
}

Test(measure, median_of_odd_and_even_counts)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {7};
    struct attune_measurement result;
    attune_measure_summarize(odd, 3, 11, &result);
    cr_assert_eq(result.minimum, 1);
    cr_assert_eq(result.median, 3);
    cr_assert_eq(result.calls, 11);
    cr_assert_eq(result.samples, 3);
    attune_measure_summarize(even, 4, 1, &result);
    cr_assert_eq(result.minimum, 1);
    cr_assert_eq(result.median, 2.5);
    attune_measure_summarize(one, 1, 1, &result);
    cr_assert_eq(result.minimum, 7);
    cr_assert_eq(result.median, 7);
}

Test(measure, a_measurement_takes_at_least_five_samples)
{
    int64_t calls = 0;
    struct attune_measurement result;
    attune_measure(count_call, &calls, 1e-6, 0, &result);
    cr_assert_geq(result.samples, 5);
    cr_assert_leq(result.minimum, result.median);
    cr_assert_geq(calls, result.calls * result.samples);
}
