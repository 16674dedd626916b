/* SPDX-License-Identifier: Apache-2.0
 *
 * Work in proportion to what each worker got done before: on cores of different kinds, or where one is
 * throttled, equal shares have all wait for the slowest. Only who computes a piece follows from it,
 * never a bit of a result. Knows neither plans nor clocks.
 */
#ifndef ATTUNE_ENGINE_SHARES_H
#define ATTUNE_ENGINE_SHARES_H

#include <stddef.h>
#include <stdint.h>

struct attune_shares;

/* Bytes of the record of so many workers; it starts as zeros. */
size_t attune_shares_size(int32_t workers);
/* begin[index], for index 0 .. workers: the part of the work, 0 to 1, at which a worker's share begins,
 * and the next one's. Equal shares until every worker has been noted. */
void attune_shares_deal(const struct attune_shares *shares, int32_t workers, float *begin);
/* A worker did this part of the work in so many seconds. Thread-safe, for different workers and runs. */
void attune_shares_note(struct attune_shares *shares, int32_t worker, float part, double seconds);

#endif
