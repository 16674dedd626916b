# SPDX-License-Identifier: Apache-2.0
"""What a result file says about samples, by the rules of bench/results/SCHEMA.md."""
import math
import statistics


def order_interval(values):
    """95 % interval of the median by order statistics; the extremes where there are too few."""
    ordered, n = sorted(values), len(values)
    # The largest k with P(Binomial(n, 1/2) < k) <= 2.5 %.
    k, tail = 0, 0.0
    while k < n // 2:
        tail += math.comb(n, k) / 2.0 ** n
        if tail > 0.025:
            break
        k += 1
    low = max(k - 1, 0)
    return ordered[low], ordered[n - 1 - low]


def noise(rounds):
    """A/A: in every round samples go to A and B in turn. Half the width of the interval of the
    rounds' ratios of minima; None where a round has a single sample."""
    ratios = [min(samples[0::2]) / min(samples[1::2]) for samples in rounds if len(samples) > 1]
    if len(ratios) < 3:
        return None
    low, high = order_interval(ratios)
    return (high - low) / 2


def summary(rounds):
    """Fields of a result line from the samples of each round."""
    minima = [min(samples) for samples in rounds]
    low, high = order_interval([statistics.median(samples) for samples in rounds])
    fastest = min(minima)
    fields = {"min_s": fastest, "median_s": statistics.median(x for r in rounds for x in r),
              "low_s": low, "high_s": high, "samples": sum(map(len, rounds)), "calls": 1,
              # Reached again in two other rounds, within what short disturbances leave.
              "settled": sum(m <= 1.03 * fastest for m in minima) >= 3, "round_s": minima}
    aa = noise(rounds)
    if aa is not None:
        fields["noise"] = aa
    return fields
