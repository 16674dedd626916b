/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an output goes: what its path stands for (a file, a link to one, a pipe, standard output) and
 * the words of a failure, which names the step and the system's reason. Replacing a file as a whole is
 * tuner/atomic_file.c's.
 */
#include "bench/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuner/cache_layers.h"

enum { LINKS_MAX = 40 }; /* as the kernel */

/* What a signal handler has to remove: the output in progress, while there is one. */
static struct attune_atomic_file *volatile in_progress;

void attune_output_abandon(void)
{
    const struct attune_atomic_file *file = in_progress;

    if (file != NULL && file->named)
        (void)unlink(file->temporary);
}

static int refuse(struct attune_trouble *trouble, const char *step, int reason)
{
    return attune_trouble_set(trouble, ATTUNE_EXIT_SYSTEM, "cannot write: %s%s%s", step,
                              step[0] != '\0' ? ": " : "", strerror(reason));
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
        next = attune_path_beside(current, link);
        free(current);
        current = next;
    }
    if (current == NULL)
        return ENOMEM;
    free(current);
    return ELOOP;
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

/* A file, new or in place of `before` (NULL: none), whose permissions it keeps. */
static int open_file(struct attune_output_file *output, const char *path, const struct stat *before,
                     struct attune_trouble *trouble)
{
    char *target = NULL;
    int reason = follow_links(path, &target);
    const char *step = "cannot make a temporary file beside it";

    if (target == NULL)
        return refuse(trouble, step, reason);
    const char *slash = strrchr(target, '/');
    if ((slash != NULL ? slash + 1 : target)[0] == '\0')
        reason = target[0] == '\0' ? ENOENT : EISDIR;
    else
        reason = attune_atomic_open(&output->file, target, 0666);
    free(target);
    if (reason != 0)
        return refuse(trouble, step, reason);
    output->fd = output->file.fd;
    in_progress = &output->file;
    if (before == NULL || fchmod(output->fd, before->st_mode & 0777) == 0)
        return 0;
    reason = errno;
    attune_output_discard(output);
    return refuse(trouble, step, reason);
}

/* Whether tuned choices are read from that file, and written to it, while it is locked. */
static int is_cache(const char *path)
{
    const char *named = attune_cache_environment();
    char *own = attune_cache_user_path(NULL);
    const int found = (named != NULL && attune_output_is_same_file(path, named)) ||
                      (own != NULL && attune_output_is_same_file(path, own));
    free(own);
    return found;
}

int attune_output_open(struct attune_output_file *output, const char *path,
                       struct attune_trouble *trouble)
{
    struct stat status;
    int exists = stat(path, &status) == 0;

    *output = (struct attune_output_file){.fd = -1, .file.fd = -1};
    if (path[0] == '\0')
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "the path to write to is empty");
    if (exists && S_ISDIR(status.st_mode))
        return refuse(trouble, "", EISDIR);
    if (exists && (!S_ISREG(status.st_mode) || attune_output_is_stdout(path)))
        return open_straight(output, path, trouble);
    if (!exists && errno != ENOENT)
        return refuse(trouble, "", errno);
    if (exists && is_cache(path))
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "it holds this machine's tuned choices, which "
                                                            "only attune cache import and forget change");
    /* rename() would replace a file that may not be written to. */
    if (exists && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
        return refuse(trouble, "", errno);
    return open_file(output, path, exists ? &status : NULL, trouble);
}

int attune_output_write(struct attune_output_file *output, const void *data, size_t size,
                        struct attune_trouble *trouble)
{
    int reason = attune_write_whole(output->fd, data, size);

    return reason == 0 ? 0 : refuse(trouble, "", reason);
}

static int commit_straight(struct attune_output_file *output)
{
    int reason = attune_sync_whole(output->fd);

    if (close(output->fd) != 0 && errno != EINTR && reason == 0)
        reason = errno;
    return reason;
}

int attune_output_commit(struct attune_output_file *output, struct attune_trouble *trouble)
{
    const int straight = output->file.target == NULL;
    int reason = straight ? commit_straight(output) : attune_atomic_commit(&output->file);
    const char *step = straight ? "" : output->file.step;

    output->fd = -1;
    in_progress = NULL;
    return reason == 0 ? 0 : refuse(trouble, step, reason);
}

void attune_output_discard(struct attune_output_file *output)
{
    if (output->fd >= 0 && output->file.target == NULL)
        (void)close(output->fd);
    attune_atomic_discard(&output->file);
    in_progress = NULL;
    output->fd = -1;
}

int attune_output_put(const char *path, const void *data, size_t size,
                      struct attune_trouble *trouble)
{
    struct attune_output_file output;
    int code = attune_output_open(&output, path, trouble);

    if (code != 0)
        return code;
    code = attune_output_write(&output, data, size, trouble);
    if (code == 0)
        return attune_output_commit(&output, trouble);
    attune_output_discard(&output);
    return code;
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
