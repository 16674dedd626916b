/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's roofs, measured: what so many threads can do at most with the instruction sets
 * allowed. Every roof is the best of all its probes in all rounds, so it only rises; run rounds
 * between the samples of the cases that are compared with them. Knows nothing of attention problems.
 */
#ifndef ATTUNE_BENCH_ROOFS_H
#define ATTUNE_BENCH_ROOFS_H

#include <stdint.h>

enum attune_level { ATTUNE_L1, ATTUNE_L2, ATTUNE_L3, ATTUNE_DRAM, ATTUNE_LEVELS };

struct attune_roofs {
    double fma;                 /* flop a second, from registers */
    double tanh;                /* score terms a second: from registers, or of one tile in L1 */
    double exp;                 /* exponentials a second, from registers */
    double read[ATTUNE_LEVELS]; /* bytes a second; at least that of the next level */
};

/* The best probe of one roof among those of one instruction set. */
struct attune_peak {
    const char *isa, *roof, *unit, *probe;
    double rate, median; /* of the rounds */
    int32_t rounds;
};
enum { ATTUNE_PEAKS_MOST = 64 };

struct attune_probes;

/* Allocates buffers for `threads` workers and lists the probes that a CPU with `features` can run.
 * NULL when memory is short. The roofs are 0 until the first round. */
struct attune_probes *attune_probes_create(int32_t threads, uint32_t features);
void attune_probes_release(struct attune_probes *probes);
/* Runs every promising probe once; about a tenth of a second. */
void attune_probes_round(struct attune_probes *probes);
/* Lets probes that were given up run again: for when a roof turned out too low to be one. */
void attune_probes_doubt(struct attune_probes *probes);

/* The nearest level whose caches, of all threads together, hold so many bytes. From now on reads of
 * this footprint are probed too: a working set just over a cache still finds part of it there, and no
 * roof may lie below what the case can get. */
enum attune_level attune_probes_level(struct attune_probes *probes, int64_t bytes);
/* The roofs for a case that reads so many bytes: the best so far, or those of the last round alone. */
struct attune_roofs attune_probes_roofs(const struct attune_probes *probes, int64_t bytes);
struct attune_roofs attune_probes_latest(const struct attune_probes *probes, int64_t bytes);
/* Every roof by instruction set; returns how many there are. */
int attune_probes_peaks(const struct attune_probes *probes,
                        struct attune_peak peaks[ATTUNE_PEAKS_MOST]);
/* Threads that the probes really run. */
int32_t attune_probes_threads(const struct attune_probes *probes);
/* "l1", "l2", "l3", "dram". */
const char *attune_level_word(enum attune_level level);

#endif
