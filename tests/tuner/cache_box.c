/* SPDX-License-Identifier: Apache-2.0
 *
 * The file tests' box. The system calls defined here take the place of the C library's in this
 * program, the library under test included (it is linked statically).
 */
#include "cache_box.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    enum cache_call call;
    int at, error, armed;
    int calls[CALLS];
} plan;

void cache_box_break(enum cache_call call, int at, int error)
{
    memset(&plan, 0, sizeof plan);
    plan.call = call, plan.at = at, plan.error = error, plan.armed = 1;
}

int cache_box_calls(enum cache_call call)
{
    return plan.calls[call];
}

static int is_due(enum cache_call call)
{
    const int due = plan.armed && plan.call == call && plan.calls[call] == plan.at;
    plan.calls[call]++;
    if (due && plan.error == -1)
        (void)raise(SIGKILL);
    return due;
}

static long finish(int due, long result)
{
    if (due && plan.error == -2)
        (void)raise(SIGKILL);
    return result;
}

static int fails(int due)
{
    if (!due || plan.error <= 0)
        return 0;
    errno = plan.error;
    return 1;
}

ssize_t write(int fd, const void *data, size_t size)
{
    const int due = is_due(CALL_WRITE);
    if (fails(due))
        return -1;
    return finish(due, syscall(SYS_write, fd, data, due && plan.error == 0 ? (size + 1) / 2 : size));
}

ssize_t read(int fd, void *data, size_t size)
{
    const int due = is_due(CALL_READ);
    if (fails(due))
        return -1;
    return finish(due, syscall(SYS_read, fd, data, due && plan.error == 0 && size > 100 ? 100 : size));
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const int mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(arguments, int) : 0;
    va_end(arguments);
    const int due = is_due(CALL_OPEN);
    return fails(due) ? -1 : (int)finish(due, syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int fsync(int fd)
{
    const int due = is_due(CALL_FSYNC);
    return fails(due) ? -1 : (int)finish(due, syscall(SYS_fsync, fd));
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    const int due = is_due(CALL_LINKAT);
    return fails(due) ? -1
                      : (int)finish(due, syscall(SYS_linkat, from_folder, from, to_folder, to, flags));
}

int rename(const char *from, const char *to)
{
    const int due = is_due(CALL_RENAME);
    return fails(due) ? -1 : (int)finish(due, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

void cache_box_open(struct cache_box *box)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(box->folder, sizeof box->folder, "%.90s/attune-tuner-XXXXXX",
                   base != NULL && base[0] != '\0' ? base : "/tmp");
    cr_assert_not_null(mkdtemp(box->folder), "%s", box->folder);
    (void)snprintf(box->file, sizeof box->file, "%s/some.cache", box->folder);
    (void)setenv("HOME", box->folder, 1);
    (void)unsetenv("XDG_DATA_HOME");
    (void)unsetenv("ATTUNE_CACHE");
}

void cache_box_close(struct cache_box *box)
{
    char command[256];
    plan.armed = 0;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", box->folder);
    cr_assert_eq(system(command), 0);
}

void cache_box_entry(int i, int speedup, struct attune_key *key, struct attune_choice *choice)
{
    *key = (struct attune_key){.dtype_q = 1, .dtype_k = 1, .dtype_v = 1, .d = 1 + i, .e = 64,
                               .group = 1, .class_q = 20, .class_k = 20};
    *choice = (struct attune_choice){.verdict = ATTUNE_VERDICT_WIN, .speedup = speedup,
                                     .low = speedup - 1, .high = speedup + 1, .date = 1795690000,
                                     .strip = 8, .q_block = 64, .kv_block = ATTUNE_KEY_STEP};
    choice->kernel[ATTUNE_OP_SCORE_DOT] = attune_kernel_find("score_dot_scalar_4x4");
    choice->kernel[ATTUNE_OP_WSUM] = attune_kernel_find("wsum_scalar_4x4");
}

struct attune_cache *cache_box_cache(int count, int speedup)
{
    struct attune_cache *cache = attune_cache_create();
    for (int i = 0; i < count; i++) {
        struct attune_key key;
        struct attune_choice choice;
        cache_box_entry(i, speedup, &key, &choice);
        cr_assert_eq(attune_cache_put(cache, &key, &choice, ATTUNE_LAYER_TUNED), 0);
    }
    return cache;
}

int cache_box_save(const char *path, int count, int speedup, struct attune_fault *fault)
{
    struct attune_cache *cache = cache_box_cache(count, speedup);
    const int code = attune_cache_file_save(cache, path, 0, fault);
    attune_cache_release(cache);
    return code;
}

static int take_speedup(void *user, const struct attune_cached *entry)
{
    *(int *)user = entry->choice.speedup;
    return 1;
}

int cache_box_load(const char *path, int *speedup, struct attune_fault *fault)
{
    struct attune_document doc;
    int32_t unusable = 0;
    int count = -1;
    if (attune_cache_file_parse(path, &doc, fault) == 0) {
        struct attune_cache *cache = attune_cache_create();
        const struct attune_section *section =
            attune_document_find(&doc, attune_fingerprint_get()->text);
        count = section != NULL
                    ? attune_cache_enter(cache, section, ATTUNE_LAYER_USER, &unusable, fault)
                    : 0;
        (void)attune_cache_each(cache, take_speedup, speedup);
        attune_cache_release(cache);
    }
    attune_document_free(&doc);
    return count;
}

char *cache_box_read(const char *path, size_t *size)
{
    const int fd = open(path, O_RDONLY);
    struct stat status;
    cr_assert(fd >= 0 && fstat(fd, &status) == 0, "%s", path);
    char *data = malloc((size_t)status.st_size + 1);
    *size = (size_t)syscall(SYS_read, fd, data, (size_t)status.st_size);
    cr_assert_eq(*size, (size_t)status.st_size);
    data[*size] = '\0';
    (void)close(fd);
    return data;
}

void cache_box_write(const char *path, const void *data, size_t size)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    cr_assert_geq(fd, 0, "%s", path);
    for (size_t done = 0; done < size;) {
        const long wrote = syscall(SYS_write, fd, (const char *)data + done, size - done);
        cr_assert_gt(wrote, 0);
        done += (size_t)wrote;
    }
    (void)close(fd);
}
