/* SPDX-License-Identifier: Apache-2.0
 *
 * Tuning of one key, from its candidates to what is entered. How a candidate is made ready, run and
 * checked is handed in.
 */
#ifndef ATTUNE_TUNER_TUNE_KEY_H
#define ATTUNE_TUNER_TUNE_KEY_H

#include "tuner/space.h"

struct attune_tune_bench {
    struct attune_search_driver driver; /* candidates by their number */
    /* Makes candidate number `index` ready to run; 0: it cannot be run, for want of memory. */
    int (*open)(void *user, int32_t index, const struct attune_choice *choice);
};

struct attune_tuned {
    struct attune_choice choice; /* as it is entered: a win names its knobs, a tie none */
    struct attune_choice base, best; /* all knobs of the model's choice and of the fastest finalist */
    struct attune_search_result search;
    int32_t candidates;
    int32_t failed; /* the default itself could not be made ready, or was wrong */
};

/* `rows` and `keys`: what is timed of the problem. `date` enters the choice. 0, or -1: no memory for the
 * candidates. */
int attune_tune_core(const struct attune_tune_bench *bench,
                     const struct attune_model_problem *problem, int64_t rows, enum attune_effort effort,
                     int64_t date, struct attune_tuned *tuned);
int attune_tune_parallel(const struct attune_tune_bench *bench, const struct attune_key *key,
                         enum attune_effort effort, int64_t date, struct attune_tuned *tuned);
/* What a choice names, for people: "score_dot avx512_8x48, softmax avx512_u2, strip 8"; only what
 * differs from `other` where that is not NULL. Returns the full length. */
size_t attune_tuned_text(const struct attune_choice *choice, const struct attune_choice *other,
                         char *text, size_t size);

#endif
