/* SPDX-License-Identifier: Apache-2.0
 *
 * The file says who holds it, for a message; whether it is held, the lock alone says. Its holder removes
 * it, so whoever gets the lock looks whether the file still bears the name.
 */
#include "tuner/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuner/atomic_file.h"
#include "tuner/text.h"

#define SUFFIX ".tuning"
enum { TRIES = 100, PID_TEXT = 24 };

/* What we may write a number into: no file of another user's, nor one that has another name too. */
static int is_ours(const struct stat *status)
{
    return S_ISREG(status->st_mode) && status->st_uid == geteuid() && status->st_nlink <= 1 &&
           status->st_size <= PID_TEXT;
}

/* The process that the file names, if there is one of that number. */
static long read_holder(int fd)
{
    char text[PID_TEXT];
    int64_t pid = 0;
    const ssize_t got = pread(fd, text, sizeof text, 0);
    const struct attune_span all = {text, got > 0 ? (size_t)got : 0};
    struct attune_span number, rest;
    (void)attune_span_split(all, '\n', &number, &rest);
    if (!attune_span_integer(number, 1, INT32_MAX, &pid) ||
        (kill((pid_t)pid, 0) != 0 && errno == ESRCH))
        return 0;
    return (long)pid;
}

static void write_holder(int fd)
{
    char text[PID_TEXT];
    const int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* A full disk leaves the holder unnamed. */
    if (ftruncate(fd, 0) == 0)
        (void)attune_write_whole(fd, text, (size_t)length);
}

static int bears_name(const char *path, const struct stat *opened)
{
    struct stat named;
    return lstat(path, &named) == 0 && named.st_dev == opened->st_dev && named.st_ino == opened->st_ino;
}

/* 0 and -1 as attune_claim_take(), or 1: the file was gone by the time that it was locked, look again. */
static int try_take(struct attune_claim *claim, long *holder)
{
    struct stat opened;
    const int fd =
        open(claim->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
    int code = 0;
    if (fd < 0)
        return 0;
    if (fstat(fd, &opened) == 0 && is_ours(&opened)) {
        const int locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (locked && bears_name(claim->path, &opened)) {
            write_holder(fd);
            claim->fd = fd;
            return 0;
        }
        code = locked ? 1 : errno == EWOULDBLOCK ? -1 : 0;
        *holder = code < 0 ? read_holder(fd) : 0;
    }
    (void)close(fd);
    return code;
}

int attune_claim_take(struct attune_claim *claim, const char *cache, long *holder)
{
    const size_t size = strlen(cache) + sizeof SUFFIX;
    int code = 1;
    *claim = (struct attune_claim){-1, malloc(size)};
    *holder = 0;
    if (claim->path == NULL)
        return 0;
    (void)snprintf(claim->path, size, "%s" SUFFIX, cache);
    for (int i = 0; i < TRIES && code == 1; i++)
        code = try_take(claim, holder);
    if (claim->fd < 0)
        attune_claim_drop(claim);
    return code == 1 ? 0 : code;
}

void attune_claim_drop(struct attune_claim *claim)
{
    if (claim->fd >= 0) {
        (void)unlink(claim->path);
        (void)close(claim->fd);
    }
    free(claim->path);
    *claim = (struct attune_claim){-1, NULL};
}
