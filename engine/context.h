/* SPDX-License-Identifier: Apache-2.0
 *
 * What all plans of a context share: limits, memory functions, the team's options. Immutable once
 * created; counted references.
 */
#ifndef ATTUNE_ENGINE_CONTEXT_H
#define ATTUNE_ENGINE_CONTEXT_H

#include <stdatomic.h>

#include "attune/attune.h"
#include "engine/threads.h"
#include "tuner/cache.h"

enum attune_tune_mode {
    ATTUNE_TUNE_READ = 0, /* plans take what was tuned */
    ATTUNE_TUNE_OFF,      /* plans take the model's choice */
    ATTUNE_TUNE_RECORD    /* and keys that were missed are written when the context is released */
};

struct attune_context {
    atomic_int references;
    int32_t threads;
    uint32_t features;    /* ATTUNE_CPU_ bits that plans may use */
    const char *max_isa;  /* the word in force, "" for no ceiling; static storage */
    struct attune_allocator allocator;
    struct attune_team_options team;
    void (*log)(void *user, enum attune_log_level level, const char *message);
    void *log_user;
    struct attune_cache *cache; /* what was tuned; NULL: nothing is read */
    enum attune_tune_mode tune; /* ATTUNE_TUNE */
    int32_t same_bits;          /* ATTUNE_DETERMINISTIC */
    int32_t verbose;            /* ATTUNE_VERBOSE: a line for each plan */
};

void *attune_context_allocate(const struct attune_context *context, size_t size);
void attune_context_free(const struct attune_context *context, void *pointer);
struct attune_context *attune_context_hold(struct attune_context *context);
/* A line for the caller's log, else standard error. */
void attune_context_say(const struct attune_context *context, enum attune_log_level level,
                        const char *line);

#endif
