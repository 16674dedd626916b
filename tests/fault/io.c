/* SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into a command: the N-th call of one kind on an output fails, is cut short, or the process
 * dies there. ATTUNE_IO="CALL N WHAT" with CALL open, write, fsync, close or rename, and WHAT a number
 * (the errno), "short" (one byte is written), "before" or "after" (SIGKILL before or after the call).
 * Counted are files opened for writing beyond the standard streams, and folders for fsync.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char wanted[16], what[16];
static int at, seen;

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("ATTUNE_IO");
    if (text && sscanf(text, "%15s %d %15s", wanted, &at, what) != 3)
        abort();
}

/* Whether this call is the one. "before" never returns. */
static int is_it(const char *call, int fd)
{
    if (fd <= STDERR_FILENO || strcmp(call, wanted) != 0 || ++seen != at)
        return 0;
    if (strcmp(what, "before") == 0)
        raise(SIGKILL);
    return 1;
}

static int fails(void)
{
    const int number = atoi(what);
    if (number > 0)
        errno = number;
    return number > 0;
}

static void after(void)
{
    if (strcmp(what, "after") == 0)
        raise(SIGKILL);
}

#define REAL(name) ((__typeof__(&name))(__extension__(void *)dlsym(RTLD_NEXT, #name)))

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = (flags & O_CREAT) ? (mode_t)va_arg(arguments, int) : 0;
    va_end(arguments);
    /* A file without a name has a way of its own, which the tests by strace take: here there is none. */
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    const int it = (flags & (O_WRONLY | O_RDWR)) && is_it("open", 99);
    if (it && fails())
        return -1;
    const int fd = REAL(open)(path, flags, mode);
    if (it)
        after();
    return fd;
}

ssize_t write(int fd, const void *data, size_t size)
{
    const int it = is_it("write", fd);
    if (it && fails())
        return -1;
    const ssize_t written = REAL(write)(fd, data, it && strcmp(what, "short") == 0 ? 1 : size);
    if (it)
        after();
    return written;
}

int fsync(int fd)
{
    const int it = is_it("fsync", fd);
    if (it && fails())
        return -1;
    const int code = REAL(fsync)(fd);
    if (it)
        after();
    return code;
}

int close(int fd)
{
    const int writable = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
    const int it = writable && is_it("close", fd);
    const int code = REAL(close)(fd); /* a failing close closes all the same */
    if (it && fails())
        return -1;
    if (it)
        after();
    return code;
}

int rename(const char *from, const char *to)
{
    const int it = is_it("rename", 99);
    if (it && fails())
        return -1;
    const int code = REAL(rename)(from, to);
    if (it)
        after();
    return code;
}
