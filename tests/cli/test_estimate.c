/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a run still takes, on times that are made up.
 */
#include <criterion/criterion.h>

#include "bench/cli/estimate.h"

Test(estimate, stands_as_planned_before_anything_is_known)
{
    struct attune_estimate estimate = {0};
    cr_assert_eq(attune_estimate_left(&estimate, 0, 5), 0);
    attune_estimate_expect(&estimate, ATTUNE_PREPARING, 3);
    attune_estimate_expect(&estimate, ATTUNE_MEASURING, 10);
    cr_assert_float_eq(attune_estimate_left(&estimate, 0, 5), 13, 1e-9);
    attune_estimate_begin(&estimate, ATTUNE_PREPARING, 1, 5);
    cr_assert_float_eq(attune_estimate_left(&estimate, 0, 5), 13, 1e-9);
    cr_assert_float_eq(attune_estimate_left(&estimate, 0, 5.5), 12.5, 1e-9);
}

/* Ten inputs that take ten times what was planned, then ten seconds of samples that take ten. */
Test(estimate, slow_preparing_does_not_make_measuring_look_slow)
{
    struct attune_estimate estimate = {0};
    double now = 100;
    attune_estimate_expect(&estimate, ATTUNE_PREPARING, 10);
    attune_estimate_expect(&estimate, ATTUNE_MEASURING, 10);
    for (int i = 0; i < 10; i++, now += 10) {
        attune_estimate_begin(&estimate, ATTUNE_PREPARING, 1, now);
        if (i > 0)
            cr_assert_float_eq(attune_estimate_left(&estimate, 0, now), 200 - now + 10, 1e-9);
    }
    attune_estimate_begin(&estimate, ATTUNE_MEASURING, 10, now);
    for (int i = 0; i <= 10; i++)
        cr_assert_float_eq(attune_estimate_left(&estimate, 0.1 * i, now + i), 10 - i, 1e-9);
}

Test(estimate, a_piece_that_is_slower_than_planned_shows_it)
{
    struct attune_estimate estimate = {0};
    attune_estimate_expect(&estimate, ATTUNE_MEASURING, 20);
    attune_estimate_begin(&estimate, ATTUNE_MEASURING, 10, 0);
    /* A tenth is done after 2 s: 18 s more by its own pace, of which it is a tenth sure. */
    cr_assert_float_eq(attune_estimate_left(&estimate, 0.1, 2), 10 + 1.8 + 0.9 * 8, 1e-9);
    cr_assert_float_eq(attune_estimate_left(&estimate, 0.9, 18), 10 + 0.9 * 2, 1e-9);
    attune_estimate_begin(&estimate, ATTUNE_MEASURING, 10, 20);
    cr_assert_float_eq(attune_estimate_left(&estimate, 0, 20), 20, 1e-9, "the next one's plan, corrected");
    cr_assert_float_eq(attune_estimate_left(&estimate, 1, 60), 0, 1e-9);
}

Test(estimate, is_never_negative)
{
    struct attune_estimate estimate = {0};
    attune_estimate_begin(&estimate, ATTUNE_SURVEYING, 1, 0);
    attune_estimate_begin(&estimate, ATTUNE_SURVEYING, 1, 0);
    cr_assert_geq(attune_estimate_left(&estimate, 0, 100), 0);
}
