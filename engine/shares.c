/* SPDX-License-Identifier: Apache-2.0
 *
 * A moving mean of each worker's speed: a burst of other work on a core is forgotten after some runs, a
 * throttled core is found out within as many.
 */
#include "engine/shares.h"

#include <stdatomic.h>

/* Weight of the newest run in the mean. */
#define NEWEST 0.3f
/* No worker gets less than this part of the fastest one's: it could not show that it has recovered. */
#define LEAST 0.1f

struct attune_shares {
    _Atomic float speed; /* of one worker, in parts a second; 0: not noted yet */
};

size_t attune_shares_size(int32_t workers)
{
    return (size_t)workers * sizeof(struct attune_shares);
}

static float speed_of(const struct attune_shares *shares, int32_t worker)
{
    return atomic_load_explicit(&shares[worker].speed, memory_order_relaxed);
}

void attune_shares_deal(const struct attune_shares *shares, int32_t workers, float *begin)
{
    float fastest = 0;
    int known = 1;
    for (int32_t i = 0; i < workers; i++) {
        const float speed = speed_of(shares, i);
        known = known && speed > 0;
        fastest = speed > fastest ? speed : fastest;
    }
    double sum = 0;
    for (int32_t i = 0; i < workers; i++) {
        const float speed = speed_of(shares, i), least = LEAST * fastest;
        begin[i] = (float)sum; /* scaled below */
        sum += known ? (double)(speed > least ? speed : least) : 1.0;
    }
    for (int32_t i = 0; i < workers; i++)
        begin[i] = (float)((double)begin[i] / sum);
    begin[workers] = 1;
}

void attune_shares_note(struct attune_shares *shares, int32_t worker, float part, double seconds)
{
    if (!(part > 0) || !(seconds > 0))
        return;
    const float speed = (float)((double)part / seconds), before = speed_of(shares, worker);
    const float mean = before > 0 ? before + NEWEST * (speed - before) : speed;
    atomic_store_explicit(&shares[worker].speed, mean, memory_order_relaxed);
}
