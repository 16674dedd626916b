/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a cache file, and replacing it under a lock. Everything about a path may be hostile: it is
 * opened without following, without waiting, and judged by its descriptor.
 */
#include "tuner/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tuner/atomic_file.h"

enum { STALE_TRIES = 3 };
/* Well below the time that a save holds the lock, so that one who saves without pause leaves gaps that
 * others find. */
#define LOCK_POLL_NS 200000L

/* A link is refused by us, as what is no regular file is. */
static int system_fault(struct attune_fault *fault, const char *step, int reason)
{
    return attune_fault_set(fault, reason == ELOOP ? 0 : reason, "%s%s", step,
                            reason == ELOOP ? "is a symbolic link" : strerror(reason));
}

/* What may be read, and replaced. A group that may write is the administrator's decision. */
static int judge(const struct stat *status, struct attune_fault *fault)
{
    if (!S_ISREG(status->st_mode))
        return attune_fault_set(fault, 0, "is not a regular file");
    if (status->st_uid != geteuid() && status->st_uid != 0)
        return attune_fault_set(fault, 0, "belongs to user %ld, not to user %ld or root",
                                (long)status->st_uid, (long)geteuid());
    if ((status->st_mode & S_IWOTH) != 0)
        return attune_fault_set(fault, 0, "may be written by everyone (mode %04o)",
                                (unsigned)(status->st_mode & 07777));
    if (status->st_size > ATTUNE_CACHE_FILE_MAX)
        return attune_fault_set(fault, 0, "%lld bytes are more than the %d that a cache may have",
                                (long long)status->st_size, ATTUNE_CACHE_FILE_MAX);
    return 0;
}

/* All of it; the size that fstat() saw is a guess. 0 or an errno; EFBIG past the limit. */
static int read_whole(int fd, char *data, size_t capacity, size_t *size)
{
    *size = 0;
    while (*size < capacity) {
        const ssize_t got = read(fd, data + *size, capacity - *size);
        if (got == 0)
            return 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        *size += (size_t)got;
    }
    return EFBIG;
}

static int open_file(const char *path)
{
    int fd;
    do
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* 0, -1 and *fault, or 1: the server forgot the file under our hands (ESTALE), look again. */
static int try_read(const char *path, char **data, size_t *size, struct attune_fault *fault)
{
    struct stat status;
    const int fd = open_file(path);
    int reason = fd >= 0 ? 0 : errno;
    *data = NULL;
    if (reason == 0 && fstat(fd, &status) != 0)
        reason = errno;
    if (reason == 0 && judge(&status, fault) != 0) {
        (void)close(fd);
        return -1;
    }
    if (reason == 0 && (*data = malloc(ATTUNE_CACHE_FILE_MAX + 1)) == NULL)
        reason = ENOMEM;
    if (reason == 0)
        reason = read_whole(fd, *data, ATTUNE_CACHE_FILE_MAX + 1, size);
    if (fd >= 0)
        (void)close(fd);
    if (reason == 0)
        return 0;
    free(*data);
    *data = NULL;
    (void)system_fault(fault, "", reason);
    return reason == ESTALE ? 1 : -1;
}

int attune_cache_file_read(const char *path, char **data, size_t *size, struct attune_fault *fault)
{
    int code = 1;
    for (int i = 0; i < STALE_TRIES && code == 1; i++)
        code = try_read(path, data, size, fault);
    return code == 0 ? 0 : -1;
}

int attune_cache_file_parse(const char *path, struct attune_document *doc,
                            struct attune_fault *fault)
{
    char *data;
    size_t size;
    *doc = (struct attune_document){0};
    if (attune_cache_file_read(path, &data, &size, fault) != 0)
        return -1;
    if (fault != NULL)
        fault->system = 0;
    const int code = attune_document_parse(data, size, doc, fault);
    free(data);
    return code;
}

/* Missing folders on the way to a file, for this user alone. 0, or -1 and *fault: one is not there and
 * cannot be made. */
static int make_folders(const char *path, struct attune_fault *fault)
{
    char *copy = strdup(path);
    int code = copy != NULL ? 0 : system_fault(fault, "", ENOMEM);
    for (char *slash = copy != NULL ? strchr(copy + 1, '/') : NULL; slash != NULL && code == 0;
         slash = strchr(slash + 1, '/')) {
        struct stat status;
        *slash = '\0';
        if (mkdir(copy, 0700) != 0) {
            const int reason = errno;
            if (stat(copy, &status) != 0)
                code = attune_fault_set(fault, reason, "cannot make the folder %.150s: %s; ATTUNE_CACHE "
                                                       "may name a file elsewhere",
                                        copy, strerror(reason));
        }
        *slash = '/';
    }
    free(copy);
    return code;
}

static int64_t milliseconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The descriptor that holds the lock, or -1 and *fault. Where there are no locks (some network file
 * systems) it goes on without one: files are whole all the same, and of two writers the later wins. */
static int take_lock(const char *path, struct attune_fault *fault)
{
    const size_t size = strlen(path) + sizeof ".lock";
    char *name = malloc(size);
    if (name == NULL)
        return system_fault(fault, "", ENOMEM);
    (void)snprintf(name, size, "%s.lock", path);
    const int fd =
        open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
    const int reason = errno;
    free(name);
    if (fd < 0)
        return system_fault(fault, reason == ENOENT ? "its folder: " : "its lock file: ", reason);
    const int64_t end = milliseconds() + 1000 * ATTUNE_CACHE_LOCK_SECONDS;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        if (milliseconds() >= end) {
            (void)close(fd);
            return attune_fault_set(fault, EWOULDBLOCK,
                                    "another process has held its lock file for %d s",
                                    ATTUNE_CACHE_LOCK_SECONDS);
        }
        (void)nanosleep(&(struct timespec){0, LOCK_POLL_NS}, NULL);
    }
    return fd;
}

static int write_document(const char *path, const struct attune_document *doc,
                          struct attune_fault *fault)
{
    struct attune_atomic_file file;
    struct stat before;
    size_t size = 0;
    char *text = attune_document_write(doc, &size, fault);
    if (text == NULL)
        return -1;
    const int exists = lstat(path, &before) == 0 && S_ISREG(before.st_mode);
    int reason = attune_atomic_open(&file, path, 0644);
    /* Nobody but its owner writes a new one, whatever the umask; an old one keeps who may read it. */
    if (reason == 0 && exists)
        (void)fchmod(file.fd, before.st_mode & 0775);
    if (reason == 0)
        reason = attune_atomic_write(&file, text, size);
    if (reason == 0)
        reason = attune_atomic_commit(&file);
    const char *step = file.step;
    attune_atomic_discard(&file);
    free(text);
    if (reason != 0)
        return attune_fault_set(fault, reason, "cannot write: %s%s%s", step,
                                step[0] != '\0' ? ": " : "", strerror(reason));
    return 0;
}

static int update_locked(const char *path, int flags, attune_cache_change *change, void *user,
                         struct attune_fault *fault)
{
    struct attune_document doc = {0};
    struct attune_fault why = {0};
    char *data = NULL;
    size_t size = 0;
    int code = 0;
    if (attune_cache_file_read(path, &data, &size, &why) == 0) {
        code = size > 0 ? attune_document_parse(data, size, &doc, &why) : 0;
        /* What a newer version wrote (-2) is not ours to lose. */
        if (code == -1 && (flags & ATTUNE_CACHE_TAKE_OVER) != 0)
            code = 0;
    } else if (why.system != ENOENT) {
        code = -1;
    }
    free(data);
    if (code != 0 && fault != NULL)
        *fault = why;
    code = code != 0 ? -1 : change(user, &doc, fault);
    if (code == 1 && write_document(path, &doc, fault) != 0)
        code = -1;
    attune_document_free(&doc);
    return code;
}

/* What can never be replaced is refused before a lock file is put beside it. */
static int check_place(const char *path, struct attune_fault *fault)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return 0;
    return S_ISLNK(status.st_mode) ? system_fault(fault, "", ELOOP) : judge(&status, fault);
}

int attune_cache_file_update(const char *path, int flags, attune_cache_change *change, void *user,
                             struct attune_fault *fault)
{
    if (check_place(path, fault) != 0)
        return -1;
    if ((flags & ATTUNE_CACHE_MAKE_FOLDER) != 0 && make_folders(path, fault) != 0)
        return -1;
    const int lock = take_lock(path, fault);
    if (lock < 0)
        return -1;
    const int code = update_locked(path, flags, change, user, fault);
    (void)close(lock);
    return code;
}
