/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that appears whole or not at all: written without a name, or under a temporary one beside its
 * place, synced, renamed over it, and the folder synced. Knows nothing of what is written, nor how a
 * failure is told. A writer that was killed leaves at worst a temporary, which a later writer of the
 * same folder removes.
 */
#ifndef ATTUNE_TUNER_ATOMIC_FILE_H
#define ATTUNE_TUNER_ATOMIC_FILE_H

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

struct attune_atomic_file {
    int fd;
    char *target;
    char *temporary;             /* beside it */
    volatile sig_atomic_t named; /* `temporary` is there: what a signal handler may unlink */
    const char *step;            /* what failed, for a message; "" where the reason says it all */
};

/* Each returns 0 or an errno, with file->step set, after leaving nothing behind. `target` is not
 * resolved: a symbolic link there would be replaced. `mode` is cut by the umask. */
int attune_atomic_open(struct attune_atomic_file *file, const char *target, mode_t mode);
/* Goes on after interruptions and short writes. */
int attune_atomic_write(struct attune_atomic_file *file, const void *data, size_t size);
/* On failure the old file, if any, is untouched. Closes in any case. */
int attune_atomic_commit(struct attune_atomic_file *file);
/* Gives it up. Harmless after a commit. */
void attune_atomic_discard(struct attune_atomic_file *file);

/* write() and fsync() of all of it, for any descriptor: 0 or an errno. What cannot be synced (a pipe, a
 * device) is no failure. */
int attune_write_whole(int fd, const void *data, size_t size);
int attune_sync_whole(int fd);
/* `name` as seen from the folder of `path`; allocated, NULL without memory. */
char *attune_path_beside(const char *path, const char *name);

#endif
