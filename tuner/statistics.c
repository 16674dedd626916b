/* SPDX-License-Identifier: Apache-2.0
 *
 * Order statistics. With n independent values the number of them below the true median is binomial
 * (n, 1/2) whatever they are distributed like, so that the k-th smallest and the k-th largest enclose
 * it unless fewer than k lie on one side.
 */
#include "tuner/statistics.h"

#include <math.h>
#include <stdlib.h>

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double middle(const double *sorted, int32_t count)
{
    const double upper = sorted[count / 2];
    return count % 2 != 0 ? upper : 0.5 * (sorted[count / 2 - 1] + upper);
}

double attune_statistics_median(double *values, int32_t count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return middle(values, count);
}

/* The largest k >= 1 for which values k and n + 1 - k (from 1) enclose the median with the confidence
 * asked for: P(fewer than k below) <= (1 - confidence) / 2. In logarithms: 2^-n underflows early. */
static int32_t rank_of(int32_t count, double confidence)
{
    const double allowed = 0.5 * (1 - confidence);
    double term = -(double)count * log(2.0), below = 0; /* term: log P(exactly k below) */
    int32_t k = 0;
    while (k < count / 2) {
        below += exp(term);
        if (below > allowed)
            break;
        term += log((double)(count - k)) - log((double)(k + 1));
        k++;
    }
    return k > 0 ? k : 1;
}

struct attune_interval attune_statistics_interval(double *values, int32_t count, double confidence)
{
    const double median = attune_statistics_median(values, count);
    const int32_t rank = rank_of(count, confidence);
    return (struct attune_interval){median, values[rank - 1], values[count - rank]};
}

double attune_statistics_deviation(double *values, int32_t count)
{
    const double median = attune_statistics_median(values, count);
    for (int32_t i = 0; i < count; i++)
        values[i] = fabs(values[i] - median);
    return attune_statistics_median(values, count);
}
