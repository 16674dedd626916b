/* SPDX-License-Identifier: Apache-2.0
 *
 * What tuning is known to have found, in memory: entries by key, kernels that are barred, keys that
 * were asked for and missed. Knows no files (cache_file.h, cache_layers.h bring entries here) and no
 * problems. What comes from files has been checked for this CPU; attune_choice_check() for the limits of
 * a context, and for a key that is only near, is the reader's.
 *
 * Readers never lock: attune_cache_find() may run in any thread while another puts entries. What it
 * returns stays valid and unchanged until the cache is released.
 */
#ifndef ATTUNE_TUNER_CACHE_H
#define ATTUNE_TUNER_CACHE_H

#include "tuner/entry.h"

/* Where an entry comes from; the first that has a key wins. */
enum attune_layer {
    ATTUNE_LAYER_TUNED = 0, /* by this process */
    ATTUNE_LAYER_LOADED,    /* by attune_cache_load_...() */
    ATTUNE_LAYER_EXPLICIT,  /* ATTUNE_CACHE, or the context's option */
    ATTUNE_LAYER_USER,
    ATTUNE_LAYER_SYSTEM,  /* /etc/attune */
    ATTUNE_LAYER_SHIPPED, /* given by the application */
    ATTUNE_LAYER_BUILTIN, /* compiled into this library */
    ATTUNE_LAYER_COUNT
};

struct attune_cached {
    struct attune_key key;
    struct attune_choice choice;
    enum attune_layer layer;
};

#define ATTUNE_CACHE_ENTRIES_MAX 4096 /* of a cache, and of a section of a file; a canonical set has some tens */
#define ATTUNE_CACHE_MISSED_MAX 512   /* keys that a process remembers having missed */
#define ATTUNE_CACHE_REASON 120       /* bytes of why a kernel is barred, its NUL included */

struct attune_bar {
    const struct attune_kernel *kernel;
    char reason[ATTUNE_CACHE_REASON]; /* printable ASCII */
    int64_t date;                     /* seconds since 1970 */
    enum attune_layer layer;
};
struct attune_missed {
    struct attune_key key;
    int64_t count; /* plans that asked */
    int64_t date;  /* of the last one */
};

struct attune_cache;

/* NULL: no memory. */
struct attune_cache *attune_cache_create(void);
void attune_cache_release(struct attune_cache *cache);

/* The entry of exactly this key; NULL: none. */
const struct attune_cached *attune_cache_find(const struct attune_cache *cache,
                                              const struct attune_key *key);
/* The entries at the smallest attune_key_distance() up to ATTUNE_KEY_NEAR, the nearest first and at most
 * `most` of them; of equal distances the first in the order of keys, so that the same cache always answers
 * the same. Returns how many. */
int attune_cache_nearest(const struct attune_cache *cache, const struct attune_key *key, int most,
                         const struct attune_cached **entries, int32_t *distances);
/* Enters a choice; one of an earlier layer stays, one of the same or a later layer is replaced.
 * 0, or -1 when memory is short or the cache is full. */
int attune_cache_put(struct attune_cache *cache, const struct attune_key *key,
                     const struct attune_choice *choice, enum attune_layer layer);
/* Entries in the order of keys, until `each` returns non-zero, which is returned. */
int attune_cache_each(const struct attune_cache *cache,
                      int (*each)(void *user, const struct attune_cached *entry), void *user);
size_t attune_cache_count(const struct attune_cache *cache);

/* A barred kernel failed its check against the reference on this machine. `reason` is cut and made
 * printable. */
void attune_cache_bar(struct attune_cache *cache, const struct attune_kernel *kernel,
                      const char *reason, int64_t date, enum attune_layer layer);
/* Takes the bar away again: the check passed. */
void attune_cache_unbar(struct attune_cache *cache, const struct attune_kernel *kernel);
/* Whether attune_cache_unbar() was the last word on a kernel. */
int attune_cache_lifted(const struct attune_cache *cache, const struct attune_kernel *kernel);
int attune_cache_barred(const struct attune_cache *cache, const struct attune_kernel *kernel);
/* Whether a choice names a barred kernel: that kernel, or NULL. */
const struct attune_kernel *attune_cache_barred_in(const struct attune_cache *cache,
                                                   const struct attune_choice *choice);
/* What is known of bar `index`, 0 ..., copied; 0 past the last. */
int attune_cache_bar_at(const struct attune_cache *cache, int index, struct attune_bar *bar);

/* Counts a key that was asked for and not there. Beyond ATTUNE_CACHE_MISSED_MAX keys, the rest is
 * forgotten, as is one for which a writer does not let go of the cache in some 100 us. */
void attune_cache_miss(struct attune_cache *cache, const struct attune_key *key, int64_t date);
/* Missed key `index`, copied; 0 past the last. */
int attune_cache_missed_at(const struct attune_cache *cache, int index,
                           struct attune_missed *missed);
/* Forgets what attune_cache_miss() counted: it has been written. */
void attune_cache_missed_clear(struct attune_cache *cache);

/* "tuned", "loaded", "explicit", "user", "system", "shipped", "builtin". */
const char *attune_layer_word(enum attune_layer layer);

#endif
