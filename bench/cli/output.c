/* SPDX-License-Identifier: Apache-2.0
 *
 * Atomic replacement of a file: temporary beside it, fsync, rename, fsync of the folder. Every
 * failure names the step and the system's reason; short writes and interruptions are gone on from.
 */
#include "bench/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40, NAMES_MAX = 100 }; /* as the kernel; names tried for the temporary */

/* What a signal handler has to remove. Written only while `abandon_armed` is 0. */
static char abandon_path[PATH_MAX];
static volatile sig_atomic_t abandon_armed;

void attune_output_abandon(void)
{
    if (abandon_armed)
        (void)unlink(abandon_path);
}

static int refuse(struct attune_trouble *trouble, const char *step, int reason)
{
    return attune_trouble_set(trouble, ATTUNE_EXIT_SYSTEM, "cannot write: %s%s%s", step,
                              step[0] != '\0' ? ": " : "", strerror(reason));
}

/* Length of the folder part of a path, its last slash included. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? (size_t)(slash - path) + 1 : 0;
}

/* `name` as seen from the folder of `path`; allocated, NULL without memory. */
static char *beside(const char *path, const char *name)
{
    size_t folder = name[0] == '/' ? 0 : folder_length(path);
    size_t length = strlen(name);
    char *joined = malloc(folder + length + 1);

    if (joined != NULL) {
        memcpy(joined, path, folder);
        memcpy(joined + folder, name, length + 1);
    }
    return joined;
}

/* Follows symbolic links by hand, since realpath() refuses one whose target does not exist yet.
 * Returns 0 and an allocated *target, or an errno. */
static int follow_links(const char *path, char **target)
{
    char link[PATH_MAX];
    char *current = strdup(path);

    for (int i = 0; i < LINKS_MAX && current != NULL; i++) {
        struct stat status;
        ssize_t length;
        char *next;
        if (lstat(current, &status) != 0 || !S_ISLNK(status.st_mode)) {
            *target = current;
            return 0;
        }
        length = readlink(current, link, sizeof link - 1);
        if (length < 0) {
            int reason = errno;
            free(current);
            return reason;
        }
        link[length] = '\0';
        next = beside(current, link);
        free(current);
        current = next;
    }
    if (current == NULL)
        return ENOMEM;
    free(current);
    return ELOOP;
}

/* A temporary with a short name of its own, so that a target with the longest legal name still
 * works. */
static int create_temporary(struct attune_output_file *output, mode_t mode)
{
    int reason = EEXIST;

    for (unsigned i = 0; i < NAMES_MAX && reason == EEXIST; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, ".attune-%ld-%u.tmp", (long)getpid(), i);
        free(output->temporary);
        output->temporary = beside(output->target, name);
        if (output->temporary == NULL)
            return ENOMEM;
        if (strlen(output->temporary) >= sizeof abandon_path)
            return ENAMETOOLONG;
        (void)strcpy(abandon_path, output->temporary);
        output->fd =
            open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        reason = output->fd >= 0 ? 0 : errno;
    }
    abandon_armed = reason == 0;
    return reason;
}

static int open_straight(struct attune_output_file *output, const char *path,
                         struct attune_trouble *trouble)
{
    /* A reader that leaves is a failed write with a message, not a silent death. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (attune_output_is_stdout(path)) {
        /* A duplicate keeps the offset of a redirection; opening the path anew would begin at 0. */
        (void)fflush(stdout);
        output->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    } else {
        do
            output->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        while (output->fd < 0 && errno == EINTR);
    }
    return output->fd >= 0 ? 0 : refuse(trouble, "", errno);
}

int attune_output_open(struct attune_output_file *output, const char *path,
                       struct attune_trouble *trouble)
{
    struct stat status;
    int exists = stat(path, &status) == 0;
    int reason;

    *output = (struct attune_output_file){.fd = -1};
    if (exists && S_ISDIR(status.st_mode))
        return refuse(trouble, "", EISDIR);
    if (exists && (!S_ISREG(status.st_mode) || attune_output_is_stdout(path)))
        return open_straight(output, path, trouble);
    if (!exists && errno != ENOENT)
        return refuse(trouble, "", errno);
    /* rename() would replace a file that may not be written to. */
    if (exists && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
        return refuse(trouble, "", errno);
    reason = follow_links(path, &output->target);
    if (reason == 0 && output->target[folder_length(output->target)] == '\0')
        reason = output->target[0] == '\0' ? ENOENT : EISDIR;
    if (reason == 0)
        reason = create_temporary(output, 0666);
    if (reason == 0 && exists && fchmod(output->fd, status.st_mode & 0777) != 0)
        reason = errno;
    if (reason == 0)
        return 0;
    attune_output_discard(output);
    return refuse(trouble, "cannot make a temporary file beside it", reason);
}

int attune_output_write(struct attune_output_file *output, const void *data, size_t size,
                        struct attune_trouble *trouble)
{
    const char *from = data;

    while (size > 0) {
        /* Linux writes at most 0x7ffff000 bytes a call whatever is asked. */
        ssize_t written = write(output->fd, from, size < (1u << 30) ? size : (1u << 30));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return refuse(trouble, "", written == 0 ? EIO : errno);
        from += written;
        size -= (size_t)written;
    }
    return 0;
}

/* The rename is durable once the folder is. Some file systems cannot sync one: no failure. */
static int sync_folder(const char *target)
{
    char *folder = beside(target, ".");
    int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int reason = 0;

    free(folder);
    if (fd < 0)
        return 0;
    if (fsync(fd) != 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT))
        reason = errno;
    (void)close(fd);
    return reason;
}

int attune_output_commit(struct attune_output_file *output, struct attune_trouble *trouble)
{
    int reason = 0;

    if (fsync(output->fd) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
        reason = errno;
    /* Network file systems report a full disk here. */
    if (close(output->fd) != 0 && errno != EINTR && reason == 0)
        reason = errno;
    output->fd = -1;
    if (reason == 0 && output->target != NULL) {
        if (rename(output->temporary, output->target) != 0)
            reason = errno;
        else
            abandon_armed = 0;
    }
    if (reason != 0) {
        attune_output_discard(output);
        return refuse(trouble, "", reason);
    }
    if (output->target != NULL)
        reason = sync_folder(output->target);
    free(output->temporary);
    output->temporary = NULL;
    attune_output_discard(output);
    return reason == 0 ? 0 : refuse(trouble, "its folder", reason);
}

void attune_output_discard(struct attune_output_file *output)
{
    if (output->fd >= 0)
        (void)close(output->fd);
    if (output->temporary != NULL && abandon_armed)
        (void)unlink(output->temporary);
    abandon_armed = 0;
    free(output->temporary);
    free(output->target);
    *output = (struct attune_output_file){.fd = -1};
}

int attune_output_is_same_file(const char *a, const char *b)
{
    struct stat at_a, at_b;

    return stat(a, &at_a) == 0 && stat(b, &at_b) == 0 && at_a.st_dev == at_b.st_dev &&
           at_a.st_ino == at_b.st_ino;
}

int attune_output_is_stdout(const char *path)
{
    struct stat file, out;

    return stat(path, &file) == 0 && fstat(STDOUT_FILENO, &out) == 0 && file.st_dev == out.st_dev &&
           file.st_ino == out.st_ino;
}
