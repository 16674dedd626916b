/* SPDX-License-Identifier: Apache-2.0
 *
 * Cache files under faults: calls that fail, fall short or are interrupted, a kill at each of them, and
 * writers beside readers. What is left is the old file or the new one, whole.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include "cache_box.h"

static struct cache_box box;

static void set_up(void)
{
    cache_box_open(&box);
}

static void tear_down(void)
{
    cache_box_close(&box);
}

TestSuite(cache_faults, .init = set_up, .fini = tear_down, .timeout = 300);

Test(cache_faults, interrupted_short_and_stale_calls_are_gone_on_from)
{
    static const struct {
        enum cache_call call;
        int error;
    } cases[] = {{CALL_WRITE, EINTR}, {CALL_WRITE, 0}, {CALL_READ, EINTR}, {CALL_READ, 0},
                 {CALL_READ, ESTALE}, {CALL_OPEN, EINTR}, {CALL_FSYNC, EINTR}};
    struct attune_fault fault = {0};
    int speedup = 0;
    cr_assert_eq(cache_box_save(box.file, 2, 1000, NULL), 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cache_box_break(cases[i].call, 0, cases[i].error);
        if (cases[i].call != CALL_OPEN) /* the first open of a save is of the lock */
            cr_assert_eq(cache_box_save(box.file, 2, 1100 + (int)i, &fault), 1, "%zu: %s", i, fault.text);
        else
            cr_assert_eq(cache_box_load(box.file, &speedup, &fault), 2, "%s", fault.text);
        cr_assert_gt(cache_box_calls(cases[i].call), 0);
        cache_box_break(CALL_READ, 0, cases[i].call == CALL_READ ? cases[i].error : 0);
        cr_assert_eq(cache_box_load(box.file, &speedup, &fault), 2, "%zu: %s", i, fault.text);
    }
}

/* The folder holds the file, its lock, and nothing else. */
static int leftovers(void)
{
    char command[256], line[64] = "";
    (void)snprintf(command, sizeof command, "ls -A '%s' | grep -c -v some.cache", box.folder);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(fgets(line, sizeof line, pipe));
    (void)pclose(pipe);
    return atoi(line);
}

static int calls_of_a_save(enum cache_call call)
{
    cache_box_break(CALL_READ, 1 << 30, 0);
    cr_assert_eq(cache_box_save(box.file, 3, 1003, NULL), 1);
    return cache_box_calls(call);
}

/* After a failed or killed save: old or new, and the next save works and cleans up. */
static void expect_old_or_new(const char *what, int call, int at)
{
    int speedup = 0;
    struct attune_fault fault = {0};
    const int count = cache_box_load(box.file, &speedup, &fault);
    cr_assert((count == 3 && speedup == 1000) || (count == 40 && speedup == 1100),
              "%s, call %d.%d: %d entries, %d: %s", what, call, at, count, speedup, fault.text);
}

Test(cache_faults, every_call_that_fails_leaves_the_old_file_or_the_new)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EACCES, ENOMEM, EROFS};
    for (int call = 0; call < CALLS; call++) {
        (void)unlink(box.file);
        cr_assert_eq(cache_box_save(box.file, 2, 1000, NULL), 1);
        const int calls = calls_of_a_save((enum cache_call)call);
        for (int at = 0; at < calls; at++)
            for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
                struct attune_fault fault = {0};
                (void)unlink(box.file);
                cr_assert_eq(cache_box_save(box.file, 3, 1000, NULL), 1);
                cache_box_break((enum cache_call)call, at, errors[e]);
                const int code = cache_box_save(box.file, 40, 1100, &fault);
                cache_box_break(CALL_READ, 1 << 30, 0);
                cr_assert(code == 1 || fault.text[0] != '\0');
                expect_old_or_new("failed", call, at);
                cr_assert_eq(leftovers(), 0, "call %d.%d leaves something behind", call, at);
            }
    }
}

static void kill_at(int call, int at, int when)
{
    int status;
    (void)unlink(box.file);
    cr_assert_eq(cache_box_save(box.file, 3, 1000, NULL), 1);
    const pid_t child = fork();
    if (child == 0) {
        cache_box_break((enum cache_call)call, at, when);
        (void)cache_box_save(box.file, 40, 1100, NULL);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "call %d.%d", call, at);
    expect_old_or_new("killed", call, at);
}

Test(cache_faults, a_kill_at_every_call_leaves_the_old_file_or_the_new)
{
    for (int call = 0; call < CALLS; call++) {
        (void)unlink(box.file);
        cr_assert_eq(cache_box_save(box.file, 2, 1000, NULL), 1);
        const int calls = calls_of_a_save((enum cache_call)call);
        for (int at = 0; at < calls; at++)
            for (int when = -1; when >= -2; when--)
                kill_at(call, at, when);
    }
    /* What was left is old enough to be known as such, and the next writer removes it. */
    char name[256], command[256];
    (void)snprintf(name, sizeof name, "%s/.attune-1-0.tmp", box.folder);
    cache_box_write(name, "half", 4);
    (void)snprintf(command, sizeof command, "touch -d '1 hour ago' '%s'/.attune-*.tmp", box.folder);
    cr_assert_eq(system(command), 0);
    /* One in use is not a leftover. */
    (void)snprintf(name, sizeof name, "%s/.attune-2-0.tmp", box.folder);
    cache_box_write(name, "in use", 6);
    cr_assert_eq(utime(name, &(struct utimbuf){1000, 1000}), 0);
    const int fd = open(name, O_WRONLY);
    cr_assert_eq(flock(fd, LOCK_EX), 0);
    /* Nor is one so young that its writer may not have come to its lock. */
    (void)snprintf(command, sizeof command, "%s/.attune-3-0.tmp", box.folder);
    cache_box_write(command, "young", 5);
    cr_assert_eq(cache_box_save(box.file, 41, 1200, NULL), 1);
    cr_assert_eq(leftovers(), 2, "only the one in use and the young one are left");
    cr_assert(access(name, F_OK) == 0 && access(command, F_OK) == 0);
}

/* A rename may reach the disk before what it renames, and is itself lost without its folder. */
Test(cache_faults, nothing_is_saved_before_file_and_folder_are_on_the_disk)
{
    struct attune_fault fault = {0};
    int speedup = 0;
    cr_assert_eq(cache_box_save(box.file, 3, 1000, NULL), 1);
    cache_box_break(CALL_FSYNC, 0, EIO);
    cr_assert_eq(cache_box_save(box.file, 3, 1100, &fault), -1);
    cr_assert_str_eq(fault.text, "cannot write: Input/output error");
    cr_assert_eq(cache_box_calls(CALL_RENAME), 0);
    cr_assert_eq(cache_box_load(box.file, &speedup, NULL), 3);
    cr_assert_eq(speedup, 1000);
    cache_box_break(CALL_FSYNC, 1, EIO);
    cr_assert_eq(cache_box_save(box.file, 3, 1100, &fault), -1);
    cr_assert_str_eq(fault.text, "cannot write: its folder: Input/output error");
    cr_assert_eq(cache_box_calls(CALL_RENAME), 1);
}

Test(cache_faults, a_writer_waits_for_another_and_says_when_it_is_too_long)
{
    char lock[256];
    struct attune_fault fault = {0};
    (void)snprintf(lock, sizeof lock, "%s.lock", box.file);
    const int fd = open(lock, O_RDWR | O_CREAT, 0600);
    cr_assert_eq(flock(fd, LOCK_EX), 0);
    cr_assert_eq(cache_box_save(box.file, 1, 1100, &fault), -1);
    cr_assert_str_eq(fault.text, "another process has held its lock file for 5 s");
    cr_assert_neq(access(box.file, F_OK), 0);
}

enum { WRITERS = 8, SAVES = 200, KEYS = 20 };

static void write_many(int writer)
{
    for (int i = 0; i < SAVES; i++) {
        struct attune_cache *cache = attune_cache_create();
        struct attune_key key;
        struct attune_choice choice;
        struct attune_fault fault = {0};
        cache_box_entry(writer * KEYS + i % KEYS, 1000 + i, &key, &choice);
        int code = attune_cache_put(cache, &key, &choice, ATTUNE_LAYER_TUNED);
        /* On a loaded machine a writer may be told that its turn did not come. */
        while (code != 1 && (code == 0 || fault.system == EWOULDBLOCK))
            code = attune_cache_file_save(cache, box.file, 0, &fault);
        if (code != 1)
            _exit(1);
        attune_cache_release(cache);
    }
    _exit(0);
}

Test(cache_faults, eight_writers_lose_nothing_and_readers_see_whole_files)
{
    int status, left = WRITERS, before = 0;
    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0)
            write_many(i);
    while (left > 0) {
        struct attune_document doc;
        struct attune_fault fault = {0};
        if (attune_cache_file_parse(box.file, &doc, &fault) == 0) {
            cr_assert(doc.count == 1 && attune_section_whole(&doc.sections[0]));
            cr_assert_geq((int)doc.sections[0].count, before, "entries are never lost");
            before = (int)doc.sections[0].count;
        } else {
            cr_assert_eq(fault.system, ENOENT, "%s", fault.text);
        }
        attune_document_free(&doc);
        (void)usleep(2000);
        if (waitpid(-1, &status, WNOHANG) > 0) {
            cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            left--;
        }
    }
    struct attune_cache_setup setup = {.explicit_path = box.file};
    struct attune_cache_sources sources;
    struct attune_cache *cache = attune_cache_create();
    attune_cache_read_layers(cache, &setup, &sources);
    cr_assert_eq(attune_cache_count(cache), WRITERS * KEYS);
    for (int i = 0; i < WRITERS * KEYS; i++) {
        struct attune_key key;
        struct attune_choice choice;
        cache_box_entry(i, 0, &key, &choice);
        cr_assert_eq(attune_cache_find(cache, &key)->choice.speedup, 1000 + SAVES - KEYS + i % KEYS);
    }
    attune_cache_sources_free(&sources);
    attune_cache_release(cache);
    cr_assert_eq(leftovers(), 0);
}
