/* SPDX-License-Identifier: Apache-2.0
 *
 * Cache files on disk: read without being lured into anything, replaced without losing anything. A
 * reader takes no lock: a file is there whole or not at all. Writers of one file take turns under a
 * flock on FILE.lock, read again what is there, and put theirs into it.
 */
#ifndef ATTUNE_TUNER_CACHE_FILE_H
#define ATTUNE_TUNER_CACHE_FILE_H

#include "tuner/cache_text.h"
#include "tuner/fingerprint.h"

#define ATTUNE_CACHE_LOCK_SECONDS 5 /* how long a writer waits for another */

/* The bytes of a regular file that belongs to this user or to root, that not everyone may write, and
 * that is no larger than ATTUNE_CACHE_FILE_MAX; symbolic links are not followed. 0 and allocated
 * *data, or -1 and *fault: fault->system is ENOENT where there is no file. */
int attune_cache_file_read(const char *path, char **data, size_t *size, struct attune_fault *fault);
/* The same, parsed. */
int attune_cache_file_parse(const char *path, struct attune_document *doc,
                            struct attune_fault *fault);

/* Called with what the file holds (nothing, where there is none): 1 to write the document, 0 to leave
 * the file alone, -1 with *fault to give up. */
typedef int attune_cache_change(void *user, struct attune_document *doc, struct attune_fault *fault);

enum {
    ATTUNE_CACHE_MAKE_FOLDER = 1, /* and the folders above it that are missing, mode 0700 */
    ATTUNE_CACHE_TAKE_OVER = 2,   /* a file that is no cache is replaced: its place is ours */
    ATTUNE_CACHE_ALL = 4          /* attune_cache_file_save(): what was loaded is written too */
};
/* 1 where the file was written, 0 where there was nothing to change, -1 and *fault. */
int attune_cache_file_update(const char *path, int flags, attune_cache_change *change, void *user,
                             struct attune_fault *fault);

/* Puts what this process tuned, barred, freed of its bar and missed into this machine's section of the
 * file; with ATTUNE_CACHE_ALL every entry and bar, and no missed key. 1, 0, -1 as above. */
int attune_cache_file_save(struct attune_cache *cache, const char *path, int flags,
                           struct attune_fault *fault);
/* The text of a file with every entry and bar; allocated, NULL and *fault without memory. */
char *attune_cache_text(struct attune_cache *cache, size_t *size, struct attune_fault *fault);

/* Enters a section's lines into a cache: choices that this CPU can take, bars, and nothing of missed
 * keys. Returns how many choices were entered; *unusable counts the others, and *fault says of the
 * first why. -1: no memory. */
int attune_cache_enter(struct attune_cache *cache, const struct attune_section *section,
                       enum attune_layer layer, int32_t *unusable, struct attune_fault *fault);
/* What an import asks of a document: no line is damaged, and this library can take all that it says of
 * this machine. 0, or -1 and *fault. */
int attune_cache_check_document(const struct attune_document *doc, struct attune_fault *fault);

#endif
