/* SPDX-License-Identifier: Apache-2.0
 *
 * What is timed for a key: a small problem that keeps the core as busy as the key's own problems do, on
 * made-up numbers, and plans of candidates for it that share one workspace. Knows nothing of searching.
 */
#ifndef ATTUNE_ENGINE_TUNE_CASE_H
#define ATTUNE_ENGINE_TUNE_CASE_H

#include "engine/plan.h"
#include "tuner/search.h"

/* What is known of the problems behind a key. */
struct attune_tune_request {
    struct attune_model_problem asked;
    int kind; /* of core, among those that the process may use: 0 for the fastest */
    int64_t units;       /* batch entries times key heads */
    int64_t window_left; /* of a windowed mask */
};

/* Memory of an execution: operands, results, workspace. Which physical pages it got decides about
 * conflicts in L2, by up to a fifth of the time; what wins should win in most of several places. */
struct attune_tune_place {
    struct attune_args args;
    const char *key, *value; /* copy 0 */
    char *prepared;
};
enum { ATTUNE_TUNE_PLACES = 8 };

struct attune_tune_case {
    struct attune_context *context; /* held */
    struct attune_problem problem;
    int64_t rows;        /* query rows that share keys, as timed */
    int32_t copies, turn; /* of keys and values, so that caches do not keep them all; the one in use */
    size_t key_step, value_step; /* bytes from one copy to the next */
    size_t prepared_step;
    struct attune_tune_place place[ATTUNE_TUNE_PLACES];
    int32_t places, at; /* the one in use */
    struct attune_plan *plan[ATTUNE_SEARCH_CANDIDATES];
    int starved; /* of memory: what the search found is worth nothing */
};

/* Core tier: one head on one thread of `context`, of a length that takes about a millisecond.
 * Parallel tier: as many heads as there are, on all threads. Close it in any case. */
enum attune_status attune_tune_case_open(struct attune_tune_case *timed,
                                         struct attune_context *context,
                                         const struct attune_tune_request *request);
/* A whole problem, as it is. */
enum attune_status attune_tune_case_open_whole(struct attune_tune_case *timed,
                                               struct attune_context *context,
                                               const struct attune_problem *problem);
void attune_tune_case_close(struct attune_tune_case *timed);

/* The callbacks of a search; `user` is the case. Where there are copies, a run passes the next one
 * twice: from where the others have driven it to, and from the nearest cache that it fits. */
int attune_tune_case_plan(void *user, int32_t index, const struct attune_choice *choice);
/* A plan for the case's problem becomes the case's own; 0: there is not enough memory to run it. */
int attune_tune_case_take(struct attune_tune_case *timed, int32_t index, struct attune_plan *plan);
void attune_tune_case_run(void *user, int32_t index);
/* Goes on in another place, `place` of any size; whether there is more than one. */
int attune_tune_case_move(void *user, int32_t place);
int attune_tune_case_check(void *user, int32_t index);
int attune_tune_case_starved(void *user); /* for the search to end */

#endif
