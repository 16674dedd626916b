/* SPDX-License-Identifier: Apache-2.0
 *
 * What another machine would do, from what this one did and the roofs of both. Each part of an
 * execution (attune bench --explain) is some work under a roof, and took so many times what the
 * roof allows; on the other machine it takes as many times what the other roof allows:
 *
 *     time there = sum over parts of  time here * (ideal there / ideal here)
 *
 * with the ideal of score and weighted sum the longer of arithmetic and of reading keys and values
 * from the level of memory that holds them on that machine. It knows nothing of a kernel that only
 * the other machine has, nor of memory that its cores share: attune_predict_error() says how far
 * off it is where the answer is known. Measures nothing, prints nothing.
 */
#ifndef ATTUNE_BENCH_PREDICT_H
#define ATTUNE_BENCH_PREDICT_H

#include "bench/result_file.h"

enum attune_roof_kind {
    ATTUNE_ROOF_FMA,
    ATTUNE_ROOF_TANH,
    ATTUNE_ROOF_EXP,
    ATTUNE_ROOF_L1,
    ATTUNE_ROOF_L2,
    ATTUNE_ROOF_L3,
    ATTUNE_ROOF_DRAM,
    ATTUNE_ROOF_KINDS
};

/* A machine as the model sees it: one number of threads and one instruction set. */
struct attune_roof_set {
    double rate[ATTUNE_ROOF_KINDS]; /* units a second; 0: not known */
    double cache[3]; /* bytes that l1, l2, l3 of these threads hold together; 0: not known */
    double threads;
    const char *isa;
};

/* The roofs that a result was measured under. */
void attune_roof_set_here(const struct attune_results *results,
                          const struct attune_result_line *result, struct attune_roof_set *set);
/* What the roof lines of a file say: of the most threads where `threads` is 0, of the instruction
 * set with the highest FMA roof where `isa` is NULL. Returns 0 where there are none. */
int attune_roof_set_there(const struct attune_results *machine, double threads, const char *isa,
                          struct attune_roof_set *set);
/* "fma", "tanh", ... */
const char *attune_roof_word(enum attune_roof_kind kind);

struct attune_prediction {
    double seconds;
    double roof_seconds;         /* what the roof that binds allows there */
    enum attune_roof_kind bound; /* that roof */
};
/* Returns 0 where the result is not timed, or a roof that it needs is not known. */
int attune_predict(const struct attune_result_line *result, const struct attune_roof_set *here,
                   const struct attune_roof_set *there, struct attune_prediction *prediction);

/* The model asked what is known: each of Attune's results predicted from the same case under
 * another setting (threads, instruction set) of the same run. Errors are max(p/m, m/p) - 1. */
struct attune_predict_error {
    int cases;
    double median, worst;
};
void attune_predict_check(const struct attune_results *results, struct attune_predict_error *error);

#endif
