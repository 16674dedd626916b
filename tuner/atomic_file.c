/* SPDX-License-Identifier: Apache-2.0
 *
 * Atomic replacement. O_TMPFILE where the file system has it (and /proc, through which a file gets its
 * name): then a temporary name exists from link to rename only. Whoever writes holds a flock on the
 * temporary, so that a later writer can tell a leftover from one in use.
 */
#include "tuner/atomic_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX ".attune-"
#define SUFFIX ".tmp"
enum {
    NAMES_MAX = 100,         /* names tried for a temporary */
    LEFTOVER_SECONDS = 60,   /* younger ones may be about to be locked by their writer */
    FOLDER_ENTRIES_MAX = 20000, /* looked through for leftovers: a larger folder is left alone */
    WRITE_MAX = 1 << 30      /* Linux writes at most 0x7ffff000 bytes a call whatever is asked */
};

char *attune_path_beside(const char *path, const char *name)
{
    const char *slash = name[0] == '/' ? NULL : strrchr(path, '/');
    const size_t folder = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    const size_t length = strlen(name);
    char *joined = malloc(folder + length + 1);

    if (joined != NULL) {
        memcpy(joined, path, folder);
        memcpy(joined + folder, name, length + 1);
    }
    return joined;
}

int attune_write_whole(int fd, const void *data, size_t size)
{
    const char *from = data;

    while (size > 0) {
        const ssize_t written = write(fd, from, size < WRITE_MAX ? size : WRITE_MAX);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written == 0 ? EIO : errno;
        from += written;
        size -= (size_t)written;
    }
    return 0;
}

static int is_temporary(const char *name)
{
    const size_t length = strlen(name), suffix = strlen(SUFFIX);

    return strncmp(name, PREFIX, strlen(PREFIX)) == 0 && length > suffix &&
           strcmp(name + length - suffix, SUFFIX) == 0;
}

/* A writer that lives holds the lock from just after the file's birth on. */
static void remove_leftover(int folder, const char *name)
{
    const int fd = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat status;

    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_mtime + LEFTOVER_SECONDS < time(NULL) && flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(folder, name, 0);
    (void)close(fd);
}

static void remove_leftovers(const char *folder)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;

    if (directory == NULL)
        return;
    for (int i = 0; i < FOLDER_ENTRIES_MAX && (entry = readdir(directory)) != NULL; i++)
        if (is_temporary(entry->d_name))
            remove_leftover(dirfd(directory), entry->d_name);
    (void)closedir(directory);
}

/* A short name of its own, so that a target with the longest legal name still works. */
static int choose_name(struct attune_atomic_file *file, unsigned attempt)
{
    char name[64];

    (void)snprintf(name, sizeof name, PREFIX "%ld-%u" SUFFIX, (long)getpid(), attempt);
    free(file->temporary);
    file->temporary = attune_path_beside(file->target, name);
    return file->temporary == NULL ? ENOMEM : strlen(file->temporary) < PATH_MAX ? 0 : ENAMETOOLONG;
}

static int create_named(struct attune_atomic_file *file, mode_t mode)
{
    int reason = EEXIST;

    for (unsigned i = 0; i < NAMES_MAX && (reason == EEXIST || reason == EINTR); i++) {
        reason = choose_name(file, i);
        if (reason != 0)
            return reason;
        file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        reason = file->fd >= 0 ? 0 : errno;
    }
    file->named = reason == 0;
    return reason;
}

static int create_unnamed(struct attune_atomic_file *file, const char *folder, mode_t mode)
{
    if (access("/proc/self/fd", X_OK) != 0)
        return ENOTSUP;
    file->fd = open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, mode);
    return file->fd >= 0 ? 0 : errno;
}

int attune_atomic_open(struct attune_atomic_file *file, const char *target, mode_t mode)
{
    int reason = ENOMEM;
    *file = (struct attune_atomic_file){.fd = -1, .step = ""};
    file->target = strdup(target);
    char *folder = attune_path_beside(target, ".");

    if (file->target != NULL && folder != NULL) {
        remove_leftovers(folder);
        reason = create_unnamed(file, folder, mode);
        if (reason != 0)
            reason = create_named(file, mode);
    }
    free(folder);
    if (reason == 0) {
        (void)flock(file->fd, LOCK_EX | LOCK_NB);
        return 0;
    }
    attune_atomic_discard(file);
    file->step = "cannot make a temporary file beside it";
    return reason;
}

int attune_atomic_write(struct attune_atomic_file *file, const void *data, size_t size)
{
    file->step = "";
    return attune_write_whole(file->fd, data, size);
}

/* Gives an unnamed file its temporary name: link() cannot replace, rename() can. */
static int give_name(struct attune_atomic_file *file)
{
    char self[64];
    int reason = EEXIST;

    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", file->fd);
    for (unsigned i = 0; i < NAMES_MAX && reason == EEXIST; i++) {
        reason = choose_name(file, i);
        if (reason != 0)
            return reason;
        reason = linkat(AT_FDCWD, self, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
    }
    file->named = reason == 0;
    return reason;
}

/* The rename is durable once the folder is. Some file systems cannot sync one: no failure. */
static int sync_folder(const char *target)
{
    char *folder = attune_path_beside(target, ".");
    const int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int reason = 0;

    free(folder);
    if (fd < 0)
        return 0;
    if (fsync(fd) != 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT))
        reason = errno;
    (void)close(fd);
    return reason;
}

int attune_sync_whole(int fd)
{
    while (fsync(fd) != 0)
        if (errno != EINTR)
            return errno == EINVAL || errno == ENOTSUP || errno == EROFS ? 0 : errno;
    return 0;
}

int attune_atomic_commit(struct attune_atomic_file *file)
{
    int reason = attune_sync_whole(file->fd);

    file->step = "";
    if (reason == 0 && !file->named)
        reason = give_name(file);
    /* Network file systems report a full disk at close. The second descriptor keeps the lock until the
     * temporary is gone. */
    const int lock = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    if (close(file->fd) != 0 && errno != EINTR && reason == 0)
        reason = errno;
    file->fd = lock;
    if (reason == 0 && rename(file->temporary, file->target) != 0)
        reason = errno;
    if (reason == 0) {
        file->named = 0;
        reason = sync_folder(file->target);
        file->step = reason != 0 ? "its folder" : "";
    }
    const char *step = file->step;
    attune_atomic_discard(file);
    file->step = step;
    return reason;
}

void attune_atomic_discard(struct attune_atomic_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    if (file->named && file->temporary != NULL)
        (void)unlink(file->temporary);
    file->named = 0;
    free(file->temporary);
    free(file->target);
    *file = (struct attune_atomic_file){.fd = -1, .step = ""};
}
