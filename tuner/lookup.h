/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plan takes: the tuned choice of its key, that of a near one, or the model's, whichever is
 * first allowed; and why. The only way from a cache to a plan, so everything is checked again here.
 */
#ifndef ATTUNE_TUNER_LOOKUP_H
#define ATTUNE_TUNER_LOOKUP_H

#include "tuner/model.h"

enum attune_origin {
    ATTUNE_ORIGIN_MODEL, /* nothing tuned applies */
    ATTUNE_ORIGIN_TIE,   /* tuned: nothing was surely faster than the model's */
    ATTUNE_ORIGIN_TUNED,
    ATTUNE_ORIGIN_NEAR,  /* tuned for a key within two octaves */
    ATTUNE_ORIGIN_FORCED /* given by the caller: the tuner's candidates */
};

struct attune_lookup {
    const struct attune_cache *cache; /* NULL: nothing tuned is read */
    int32_t same_bits; /* nothing that changes bits is taken from it */
    /* Called once for each step of the decision, in order, with a line of text; NULL: no one asks. */
    void (*trace)(void *user, const char *line);
    void *trace_user;
};

struct attune_answer {
    struct attune_choice choice; /* complete for the core tier */
    enum attune_origin origin;
    const struct attune_cached *entry; /* the one taken, a tie too; NULL: none */
    int32_t missed;                    /* no entry of exactly this key could be taken */
    enum attune_operation missing; /* what no usable kernel is there for; ATTUNE_OP_COUNT: nothing */
};

const char *attune_origin_word(enum attune_origin origin);
/* The core tier. Never fails but by `missing`. */
void attune_lookup_core(const struct attune_lookup *lookup,
                        const struct attune_model_problem *problem, struct attune_answer *answer);
/* The parallel tier: threads and schedule, 0 where they are left to the engine. */
void attune_lookup_parallel(const struct attune_lookup *lookup, const struct attune_key *key,
                            struct attune_answer *answer);
/* A choice completed and checked as one from a cache is. 0, or -1 and *fault: not one to take. */
int attune_lookup_accept(const struct attune_model_problem *problem,
                         const struct attune_choice *choice, struct attune_choice *completed,
                         struct attune_fault *fault);

#endif
