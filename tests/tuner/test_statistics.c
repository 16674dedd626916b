/* SPDX-License-Identifier: Apache-2.0
 *
 * Medians and their intervals: against hand-counted cases, and how often they hold the true median.
 */
#include <criterion/criterion.h>

#include <math.h>

#include "tests/support/random.h"
#include "tuner/statistics.h"

static const double almost = 1e-12;

static void fill_ranks(double *values, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        values[(i * 7) % count] = i + 1; /* 7 shares no factor with the counts used here */
}

Test(statistics, median_of_odd_and_even_counts)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {7};
    cr_assert_eq(attune_statistics_median(odd, 3), 3);
    cr_assert_eq(attune_statistics_median(even, 4), 2.5);
    cr_assert_eq(attune_statistics_median(one, 1), 7);
}

/* With 10 values P(at most 1 below the median) = 11/1024 <= 0.025 < P(at most 2) = 56/1024. */
Test(statistics, interval_takes_the_ranks_of_the_sign_test)
{
    double values[26];
    fill_ranks(values, 10);
    struct attune_interval interval = attune_statistics_interval(values, 10, 0.95);
    cr_assert_eq(interval.low, 2);
    cr_assert_eq(interval.median, 5.5);
    cr_assert_eq(interval.high, 9);
    fill_ranks(values, 26);
    interval = attune_statistics_interval(values, 26, 0.95);
    cr_assert_eq(interval.low, 8);
    cr_assert_eq(interval.high, 19);
}

Test(statistics, too_few_values_give_all_of_their_range)
{
    double values[] = {3, 1, 2};
    const struct attune_interval interval = attune_statistics_interval(values, 3, 0.95);
    cr_assert_eq(interval.low, 1);
    cr_assert_eq(interval.high, 3);
}

Test(statistics, interval_holds_the_median_as_often_as_it_says)
{
    struct test_random random = {1};
    const double confidences[] = {0.9, 0.95, 0.99};
    for (int i = 0; i < 3; i++) {
        int missed = 0;
        for (int trial = 0; trial < 4000; trial++) {
            double values[52];
            for (int j = 0; j < 52; j++) /* skewed: the median of exp(x) is exp(0) */
                values[j] = exp(2 * random_normal(&random));
            const struct attune_interval interval =
                attune_statistics_interval(values, 52, confidences[i]);
            missed += interval.low > 1 || interval.high < 1;
        }
        const double share = missed / 4000.0, allowed = 1 - confidences[i];
        cr_assert_leq(share, 1.3 * allowed + 0.002, "missed %g at %g", share, confidences[i]);
        cr_assert_geq(share, 0.2 * allowed, "missed %g only: the interval is too wide", share);
    }
}

Test(statistics, a_thousand_values_do_not_underflow)
{
    double values[2000];
    for (int i = 0; i < 2000; i++)
        values[i] = i;
    const struct attune_interval interval = attune_statistics_interval(values, 2000, 0.95);
    /* Half of the width is 1.96 standard deviations of the binomial: 44. */
    cr_assert_float_eq(interval.low, 1000 - 44, 3);
    cr_assert_float_eq(interval.high, 1000 + 43, 3);
}

Test(statistics, deviation_is_the_median_distance_from_the_median)
{
    double values[] = {1, 1, 2, 2, 4, 6, 9};
    cr_assert_float_eq(attune_statistics_deviation(values, 7), 1, almost);
}
