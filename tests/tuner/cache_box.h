/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of cache files share: a folder of their own, entries that every CPU can take, and
 * system calls that fail, fall short, or kill when told to.
 */
#ifndef ATTUNE_TESTS_CACHE_BOX_H
#define ATTUNE_TESTS_CACHE_BOX_H

#include <stddef.h>

#include "tuner/cache_layers.h"

/* A new folder under TMPDIR that becomes HOME, XDG_DATA_HOME unset; removed by cache_box_close(). */
struct cache_box {
    char folder[128];
    char file[192]; /* a path in it, no file yet */
};
void cache_box_open(struct cache_box *box);
void cache_box_close(struct cache_box *box);

/* Entry `i`: a scalar kernel and tiles, with `speedup`. */
void cache_box_entry(int i, int speedup, struct attune_key *key, struct attune_choice *choice);
/* A cache that holds entries 0 ... count - 1, as tuned by this process. */
struct attune_cache *cache_box_cache(int count, int speedup);
/* The same written: 1 where attune_cache_file_save() said so. */
int cache_box_save(const char *path, int count, int speedup, struct attune_fault *fault);
/* What a file holds for this machine: entries that can be used, -1 where it cannot be read; the first
 * one's speed-up in *speedup. */
int cache_box_load(const char *path, int *speedup, struct attune_fault *fault);
/* Whole files as bytes. */
char *cache_box_read(const char *path, size_t *size);
void cache_box_write(const char *path, const void *data, size_t size);

enum cache_call { CALL_OPEN, CALL_READ, CALL_WRITE, CALL_FSYNC, CALL_LINKAT, CALL_RENAME, CALLS };
/* From now on the `at`-th such call (0: the next): fails with `error`; or, with error 0, does half of
 * what it is asked to (read, write); or, with error -1, never returns: the process is killed before it,
 * with error -2 after it. Calls of every kind count from 0 again. */
void cache_box_break(enum cache_call call, int at, int error);
/* Calls of a kind since. */
int cache_box_calls(enum cache_call call);

#endif
