/* SPDX-License-Identifier: Apache-2.0
 *
 * Which cache files a process reads, in which order, and what became of each. For each key the first
 * layer that has it wins:
 *
 *     explicit  the file that ATTUNE_CACHE or the context's option names
 *     user      ${XDG_DATA_HOME:-~/.local/share}/attune/DIGEST.cache
 *     system    /etc/attune/DIGEST.cache
 *     shipped   a file, a folder of DIGEST.cache files, or memory, given by the application
 *     builtin   the file that was compiled in, where the build was given one
 *
 * DIGEST is that of the machine's fingerprint. A setuid program looks at no environment: it has neither
 * explicit (but by its own option) nor user layer.
 */
#ifndef ATTUNE_TUNER_CACHE_LAYERS_H
#define ATTUNE_TUNER_CACHE_LAYERS_H

#include "tuner/cache_file.h"

#define ATTUNE_CACHE_SYSTEM_FOLDER "/etc/attune"

struct attune_cache_setup {
    const char *explicit_path; /* NULL: none; "": no explicit, user or system file is read */
    const char *shipped_path;  /* NULL: none */
    const void *shipped_data;  /* NULL: none */
    size_t shipped_size;
    const void *builtin_data;  /* attune_cache_builtin(), NULL: none */
    size_t builtin_size;
};

struct attune_cache_source {
    enum attune_layer layer;
    char *path;       /* NULL: memory */
    int absent;       /* there is no such file; nothing was compiled in */
    int foreign;      /* it holds nothing of this machine */
    int read;         /* its section of this machine was read */
    int entries;      /* choices entered */
    int32_t unusable; /* choices that this CPU or this library cannot take */
    int32_t damaged;  /* lines with a wrong CRC */
    char why[320];    /* why it was not read, or of what it lacks; "" */
};
#define ATTUNE_CACHE_SOURCES_MAX 6

struct attune_cache_sources {
    struct attune_cache_source source[ATTUNE_CACHE_SOURCES_MAX];
    int count;
};

/* ATTUNE_CACHE; NULL where it is not set, is empty, or may not be asked (setuid). */
const char *attune_cache_environment(void);
/* The bytes of what was compiled in; NULL: nothing was. */
const void *attune_cache_builtin(size_t *size);
/* Reads all layers into `cache`. Never fails: what cannot be read is told in `sources`. */
void attune_cache_read_layers(struct attune_cache *cache, const struct attune_cache_setup *setup,
                              struct attune_cache_sources *sources);
void attune_cache_sources_free(struct attune_cache_sources *sources);
/* Where this process writes: the explicit file, else the user's; allocated. NULL: nowhere, *fault says
 * why. *flags are for attune_cache_file_save(). */
char *attune_cache_write_path(const struct attune_cache_setup *setup, int *flags,
                              struct attune_fault *fault);
/* The user's file; allocated. NULL and *fault where the environment has no place for one. */
char *attune_cache_user_path(struct attune_fault *fault);

#endif
