/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's roofs, measured: what so many threads can do at most with the instruction sets
 * allowed. Every roof is the best of all its probes in all rounds, so it only rises; run rounds
 * between the samples of the case that is compared with them. Knows nothing of attention problems.
 */
#ifndef ATTUNE_BENCH_ROOFS_H
#define ATTUNE_BENCH_ROOFS_H

#include <stdint.h>

enum attune_level { ATTUNE_L1, ATTUNE_L2, ATTUNE_L3, ATTUNE_DRAM, ATTUNE_LEVELS };

struct attune_roofs {
    double fma;                 /* flop a second, from registers */
    double tanh;                /* score terms a second: best score_tanh kernel on one tile in L1 */
    double read[ATTUNE_LEVELS]; /* bytes a second; at least that of the next level */
};

struct attune_probes;

/* Allocates buffers for `threads` workers and lists the probes that a CPU with `features` can run.
 * NULL when memory is short. The roofs are 0 until the first round. */
struct attune_probes *attune_probes_create(int32_t threads, uint32_t features);
void attune_probes_release(struct attune_probes *probes);
/* Runs every promising probe once; about a tenth of a second. */
void attune_probes_round(struct attune_probes *probes);
/* Lets probes that were given up run again: for when a roof turned out too low to be one. */
void attune_probes_doubt(struct attune_probes *probes);
/* The best so far. */
struct attune_roofs attune_probes_roofs(const struct attune_probes *probes);
/* The nearest level whose caches, of all threads together, hold so many bytes. From now on reads of
 * exactly this footprint are probes of that level too: a working set just over a cache still finds
 * part of it there, and no roof may lie below what the case can get. */
enum attune_level attune_probes_level(struct attune_probes *probes, int64_t bytes);
/* "l1", "l2", "l3", "dram". */
const char *attune_level_word(enum attune_level level);

#endif
