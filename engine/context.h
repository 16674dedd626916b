/* SPDX-License-Identifier: Apache-2.0
 *
 * What all plans of a context share: limits, memory functions, the team's options. Immutable once
 * created; counted references.
 */
#ifndef ATTUNE_ENGINE_CONTEXT_H
#define ATTUNE_ENGINE_CONTEXT_H

#include <stdatomic.h>
#include <sys/types.h>

#include "attune/attune.h"
#include "engine/threads.h"
#include "tuner/cache_layers.h"
#include "tuner/claim.h"

enum attune_tune_mode {
    ATTUNE_TUNE_READ = 0, /* plans take what was tuned */
    ATTUNE_TUNE_OFF,      /* plans take the model's choice; bars hold */
    ATTUNE_TUNE_RECORD    /* and keys that were missed are written when the context is released */
};

struct attune_context {
    atomic_int references;
    int32_t threads;
    uint32_t features;    /* ATTUNE_CPU_ bits that plans may use */
    const struct attune_topology *topology; /* as the kind of core that kernels are chosen for sees it */
    uint32_t kind;                          /* attune_fingerprint_kind() of it */
    const char *max_isa;  /* the word in force, "" for no ceiling; static storage */
    struct attune_allocator allocator;
    struct attune_team_options team;
    void (*log)(void *user, enum attune_log_level level, const char *message);
    void *log_user;
    struct attune_cache *cache;           /* what was tuned; bars; keys that were missed */
    struct attune_cache_setup cache_setup; /* explicit_path alone, the context's own */
    struct attune_cache_sources cache_sources;
    enum attune_tune_mode tune; /* ATTUNE_TUNE */
    int32_t same_bits;          /* ATTUNE_DETERMINISTIC */
    int32_t verbose;            /* ATTUNE_VERBOSE: a line for each plan */
    int32_t is_child;           /* the cache belongs to another context */
    pid_t owner;                /* the process that made it */
};

void *attune_context_allocate(const struct attune_context *context, size_t size);
void attune_context_free(const struct attune_context *context, void *pointer);
struct attune_context *attune_context_hold(struct attune_context *context);
/* For the tuner: a context with the cache, and the silence, of `parent`, which must outlive it, for that
 * kind of core (0: the fastest, as contexts are made for). Its own plans take the core tier's choices
 * only where `parent`'s would. */
enum attune_status attune_context_create_child(const struct attune_context_options *options,
                                               const struct attune_context *parent, int kind,
                                               struct attune_context **context);
/* Binds the calling thread to a core of that kind, where the machine has several and the context may
 * pin: attune_topology_leave() takes what it returns, NULL too, which means that nothing is bound. */
struct attune_binding *attune_context_enter_kind(const struct attune_context *context, int kind);
/* context_cache.c: reads the layers; what cannot be read costs speed only. Fails without memory. */
enum attune_status attune_context_open_cache(struct attune_context *context,
                                             const struct attune_context_options *options);
/* Writes what is new where this context writes: 1 written, 0 nothing to write or a context without
 * files, -1 and *fault. */
int attune_context_save_cache(struct attune_context *context, struct attune_fault *fault);
/* The same, as a status with its detail: where it is not ATTUNE_OK nothing could be kept. */
enum attune_status attune_context_try_cache(struct attune_context *context);
/* Claims this machine for measuring, as attune_claim_take() for the file that is written. */
int attune_context_claim(const struct attune_context *context, struct attune_claim *claim, long *holder);
/* Writes what was missed, in record mode, and releases. */
void attune_context_close_cache(struct attune_context *context);
/* A line for the caller's log, else standard error. */
void attune_context_say(const struct attune_context *context, enum attune_log_level level,
                        const char *line);

#endif
