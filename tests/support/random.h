/* SPDX-License-Identifier: Apache-2.0
 *
 * A small reproducible generator (SplitMix64): a test names its seed when it fails.
 */
#ifndef ATTUNE_TESTS_RANDOM_H
#define ATTUNE_TESTS_RANDOM_H

#include <stdint.h>

struct test_random {
    uint64_t state;
};

static inline uint64_t random_bits(struct test_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In [low, high]. */
static inline int64_t random_between(struct test_random *random, int64_t low, int64_t high)
{
    return low + (int64_t)(random_bits(random) % (uint64_t)(high - low + 1));
}

static inline int random_chance(struct test_random *random, int percent)
{
    return random_between(random, 0, 99) < percent;
}

/* About normal, mean 0 and variance 1, within 3.5. */
static inline double random_normal(struct test_random *random)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)(random_bits(random) >> 11) * 0x1p-53;
    return sum < -3.5 ? -3.5 : sum > 3.5 ? 3.5 : sum;
}

#endif
