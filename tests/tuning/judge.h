/* SPDX-License-Identifier: Apache-2.0
 *
 * What a tuned cache is worth, measured: judges of what tuning found, on this machine. Their times pass
 * or fail no suite; repeat.sh and heldout.sh run them.
 */
#ifndef ATTUNE_TESTS_TUNING_JUDGE_H
#define ATTUNE_TESTS_TUNING_JUDGE_H

#include <stdint.h>

/* Prints `count` SPECs, one a line: shapes of every mechanism, none a round number on purpose. The same
 * seed makes the same ones everywhere. */
int judge_shapes(uint64_t seed, int count);
/* Do caches agree on a key? Prints a line for each key whose entries differ: both, and how they compare
 * when they meet. Returns an exit code. */
int judge_agreement(int32_t threads, char **caches, int count);
/* Prints a line for each SPEC: the default, what the cache says, and the best single candidate. */
int judge_rivals(int32_t threads, const char *cache, char **specs, int count);

/* A context that reads `cache` alone; NULL: what nothing was tuned for. Exits on failure. */
struct attune_context *judge_context(int32_t threads, const char *cache);

#endif
