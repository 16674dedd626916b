/* SPDX-License-Identifier: Apache-2.0
 *
 * The candidates of a key: the model's choice, and what differs from it on one axis each; then what
 * the good ones among them make together. Knows the registry and legal ranges, not how fast anything is.
 */
#ifndef ATTUNE_TUNER_SPACE_H
#define ATTUNE_TUNER_SPACE_H

#include "tuner/lookup.h"
#include "tuner/search.h"

struct attune_space {
    struct attune_choice choice[ATTUNE_SEARCH_CANDIDATES]; /* complete; [0] is the model's */
    int32_t count;
};

/* Whether candidates differ in this operation's kernel. */
int attune_space_varies(enum attune_operation operation);
/* Core tier: kernels of each operation, instruction sets as a whole, tiles. Rows of the problem that
 * is timed may be fewer than the key's: `rows` of them. */
void attune_space_core(const struct attune_model_problem *problem, int64_t rows,
                       struct attune_space *space);
/* Adds what the first of `ranked`, the faster ones of the space in order, make together: each pair,
 * then more and more of them. */
void attune_space_combine(const struct attune_model_problem *problem, const int32_t *ranked,
                          int32_t count, struct attune_space *space);
/* Adds what candidate `best` makes together with each of them. */
void attune_space_extend(const struct attune_model_problem *problem, int32_t best,
                         const int32_t *ranked, int32_t count, struct attune_space *space);
/* Adds what candidate `index` is without one of its knobs, for each of them, and lists these, those that
 * were there already too: simpler[] holds ATTUNE_SPACE_KNOBS. Returns how many. */
#define ATTUNE_SPACE_KNOBS (ATTUNE_OP_COUNT + 3)
int32_t attune_space_simplify(const struct attune_model_problem *problem, int32_t index,
                              struct attune_space *space, int32_t *simpler);
/* A fixed order of candidates, the one closer to the default first: fewer knobs of its own, then earlier
 * kernels, then smaller tiles. `problem` is NULL in the parallel tier. */
int attune_space_compare(const struct attune_model_problem *problem, const struct attune_space *space,
                         int32_t a, int32_t b);
/* Parallel tier: numbers of threads, those that kinds of cores suggest among them, and schedules; [0]
 * leaves both to the engine. */
void attune_space_parallel(const struct attune_key *key, struct attune_space *space);

#endif
