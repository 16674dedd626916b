/* SPDX-License-Identifier: Apache-2.0
 *
 * The present piece is judged by its own pace as far as it has got, and by its plan for the rest.
 */
#include "bench/cli/estimate.h"

#include <math.h>

void attune_estimate_expect(struct attune_estimate *estimate, enum attune_work_sort sort,
                            double seconds)
{
    estimate->of[sort].ahead += seconds;
}

void attune_estimate_begin(struct attune_estimate *estimate, enum attune_work_sort sort,
                           double seconds, double now)
{
    if (estimate->plan > 0) {
        estimate->of[estimate->sort].planned += estimate->plan;
        estimate->of[estimate->sort].taken += now - estimate->begun;
    }
    estimate->of[sort].ahead = fmax(estimate->of[sort].ahead - seconds, 0);
    estimate->sort = sort;
    estimate->plan = seconds;
    estimate->begun = now;
}

/* Seconds that one planned second of a sort takes. */
static double pace(const struct attune_estimate *estimate, int sort)
{
    return estimate->of[sort].planned > 0 ? estimate->of[sort].taken / estimate->of[sort].planned : 1;
}

double attune_estimate_left(const struct attune_estimate *estimate, double part, double now)
{
    double left = 0;
    for (int sort = 0; sort < ATTUNE_WORK_SORTS; sort++)
        left += estimate->of[sort].ahead * pace(estimate, sort);
    if (!(estimate->plan > 0))
        return left;
    const double elapsed = now - estimate->begun;
    const double planned = fmax(estimate->plan * pace(estimate, (int)estimate->sort) - elapsed, 0);
    const double paced = part > 0 ? elapsed / part - elapsed : planned;
    return left + part * paced + (1 - part) * planned;
}
