/* SPDX-License-Identifier: Apache-2.0
 *
 * Cache files on disk: what is read and what is refused, what is saved, layers. Faults and several
 * writers are test_cache_faults.c's.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

TestSuite(cache_file, .init = set_up, .fini = tear_down, .timeout = 300);

/* As another user where this is root, who may do everything. */
static int in_child(int (*body)(void))
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(99);
        _exit(body());
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

Test(cache_file, what_is_saved_is_loaded_and_merged)
{
    struct attune_fault fault = {0};
    int speedup = 0;
    cr_assert_eq(cache_box_load(box.file, &speedup, &fault), -1);
    cr_assert_eq(fault.system, ENOENT);
    cr_assert_eq(cache_box_save(box.file, 3, 1100, &fault), 1, "%s", fault.text);
    cr_assert_eq(cache_box_load(box.file, &speedup, &fault), 3, "%s", fault.text);
    cr_assert_eq(speedup, 1100);
    cr_assert_eq(cache_box_save(box.file, 3, 1100, &fault), 0, "nothing new");
    cr_assert_eq(cache_box_save(box.file, 1, 1200, &fault), 1);
    cr_assert_eq(cache_box_load(box.file, &speedup, &fault), 3);
    cr_assert_eq(speedup, 1200);
    cr_assert_eq(cache_box_save(box.file, 5, 1300, &fault), 1);
    cr_assert_eq(cache_box_load(box.file, &speedup, &fault), 5);
    struct stat status;
    cr_assert(stat(box.file, &status) == 0 && (status.st_mode & 022) == 0);
}

Test(cache_file, only_what_is_ours_and_plain_is_read)
{
    static const char *const places[] = {"link", "fifo", "folder", "device", "open", "large",
                                         "text", "empty"};
    static const char *const reasons[] = {
        "is a symbolic link", "is not a regular file", "is not a regular file",
        "is not a regular file", "may be written by everyone (mode 0666)",
        "10485760 bytes are more than the 4194304 that a cache may have",
        "not a cache of Attune: its first line is not %attune-cache MAJOR.MINOR",
        "not a cache of Attune: empty"};
    char path[256];
    struct attune_fault fault;
    int speedup;
    cr_assert_eq(cache_box_save(box.file, 1, 1100, NULL), 1);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", box.folder, places[i]);
        if (i == 0)
            cr_assert_eq(symlink(box.file, path), 0);
        else if (i == 1)
            cr_assert_eq(mkfifo(path, 0600), 0);
        else if (i == 2)
            cr_assert_eq(mkdir(path, 0700), 0);
        else if (i == 3)
            strcpy(path, "/dev/zero");
        else
            cache_box_write(path, "to whom it may concern\n", i == 7 ? 0 : 23);
        if (i == 4)
            cr_assert_eq(chmod(path, 0666), 0);
        if (i == 5)
            cr_assert_eq(truncate(path, 10 << 20), 0);
        fault = (struct attune_fault){0};
        cr_assert_eq(cache_box_load(path, &speedup, &fault), -1, "%s", path);
        cr_assert_str_eq(fault.text, reasons[i]);
        if (i == 7)
            continue; /* an empty file is one to write to */
        struct stat before, after;
        cr_assert_eq(lstat(path, &before), 0);
        cr_assert_eq(cache_box_save(path, 1, 1100, &fault), -1, "%s", path);
        cr_assert_str_eq(fault.text, reasons[i]);
        cr_assert(lstat(path, &after) == 0 && before.st_ino == after.st_ino &&
                  before.st_size == after.st_size);
        (void)strcat(path, ".lock");
        cr_assert(i == 6 || access(path, F_OK) != 0, "%s litters", path);
    }
}

static int read_foreign(void)
{
    struct attune_fault fault = {0};
    int speedup;
    return cache_box_load(box.file, &speedup, &fault) == -1 &&
           strncmp(fault.text, "belongs to user 12345, not to user ", 35) == 0;
}

Test(cache_file, a_foreign_owner_is_refused)
{
    struct attune_fault fault = {0};
    int speedup;
    if (geteuid() != 0)
        cr_skip_test("only root can give a file away");
    cr_assert_eq(cache_box_save(box.file, 1, 1100, NULL), 1);
    cr_assert(chmod(box.folder, 0755) == 0 && chmod(box.file, 0644) == 0);
    cr_assert_eq(chown(box.file, 12345, 12345), 0);
    cr_assert_eq(cache_box_load(box.file, &speedup, &fault), -1);
    cr_assert_str_eq(fault.text, "belongs to user 12345, not to user 0 or root");
    cr_assert_eq(in_child(read_foreign), 1);
}

static int write_where_not_allowed(void)
{
    struct attune_fault fault = {0};
    int speedup;
    if (cache_box_load(box.file, &speedup, &fault) != 1)
        return 2;
    const int code = cache_box_save(box.file, 2, 1200, &fault);
    return code == -1 && fault.system == EACCES &&
                   strcmp(fault.text, "its lock file: Permission denied") == 0
               ? 0
               : 3;
}

Test(cache_file, a_folder_that_may_not_be_written_keeps_its_file)
{
    int speedup;
    cr_assert_eq(cache_box_save(box.file, 1, 1100, NULL), 1);
    cr_assert_eq(chmod(box.folder, 0555), 0);
    cr_assert_eq(in_child(write_where_not_allowed), 0);
    cr_assert_eq(chmod(box.folder, 0755), 0);
    cr_assert_eq(cache_box_load(box.file, &speedup, NULL), 1);
}

Test(cache_file, a_full_disk_keeps_the_old_file)
{
    struct attune_fault fault = {0};
    char path[256];
    int speedup = 0;
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", box.folder, "tmpfs", 0, "size=64k") != 0)
        cr_skip_test("only root can mount a small file system");
    cr_assert_eq(cache_box_save(box.file, 3, 1100, &fault), 1, "%s", fault.text);
    (void)snprintf(path, sizeof path, "%s/ballast", box.folder);
    const int fd = open(path, O_WRONLY | O_CREAT, 0600);
    char block[4096] = {0};
    while (write(fd, block, sizeof block) > 0)
        ;
    (void)close(fd);
    cr_assert_eq(cache_box_save(box.file, 60, 1200, &fault), -1);
    cr_assert_eq(fault.system, ENOSPC, "%s", fault.text);
    cr_assert_not_null(strstr(fault.text, "No space left on device"));
    cr_assert_eq(cache_box_load(box.file, &speedup, NULL), 3);
    cr_assert_eq(speedup, 1100);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(cache_box_save(box.file, 20, 1200, &fault), 1, "%s", fault.text);
    cr_assert_eq(umount(box.folder), 0);
}

Test(cache_file, a_newer_major_version_is_left_untouched)
{
    /* CRC-32C of the line, computed elsewhere. */
    static const char newer[] = "%attune-cache 2.0 #f92f387b\nwhatever it says there\n";
    struct attune_cache *cache = cache_box_cache(1, 1100);
    struct attune_fault fault = {0};
    size_t size;
    cache_box_write(box.file, newer, strlen(newer));
    cr_assert_eq(attune_cache_file_save(cache, box.file, ATTUNE_CACHE_TAKE_OVER, &fault), -1);
    cr_assert_str_eq(fault.text, "format 2.0, this library reads 1.x");
    char *data = cache_box_read(box.file, &size);
    cr_assert_str_eq(data, newer);
    free(data);
    /* Garbage in our own place is replaced, a file that the user named is not. */
    cache_box_write(box.file, "garbage", 7);
    cr_assert_eq(attune_cache_file_save(cache, box.file, 0, &fault), -1);
    cr_assert_eq(attune_cache_file_save(cache, box.file, ATTUNE_CACHE_TAKE_OVER, &fault), 1);
    attune_cache_release(cache);
}

Test(cache_file, layers_in_their_order)
{
    struct attune_cache_sources sources;
    struct attune_fault fault = {0};
    char path[256], *user = attune_cache_user_path(&fault);
    struct attune_key key;
    struct attune_choice choice;
    size_t size, compiled_size;
    (void)snprintf(path, sizeof path, "%s/.local/share/attune/%s.cache", box.folder,
                   attune_fingerprint_get()->digest);
    cr_assert_str_eq(user, path);
    struct attune_cache *two = cache_box_cache(2, 1200);
    cr_assert_eq(attune_cache_file_save(two, user, ATTUNE_CACHE_MAKE_FOLDER, &fault), 1, "%s", fault.text);
    cr_assert_eq(cache_box_save(box.file, 1, 1300, &fault), 1);
    (void)snprintf(path, sizeof path, "%s/%s.cache", box.folder, attune_fingerprint_get()->digest);
    cr_assert_eq(cache_box_save(path, 3, 1400, &fault), 1);
    char *data = cache_box_read(path, &size);
    (void)snprintf(path, sizeof path, "%s/compiled", box.folder);
    cr_assert_eq(cache_box_save(path, 5, 1500, &fault), 1);
    char *compiled = cache_box_read(path, &compiled_size);
    const struct attune_cache_setup setup = {box.file, box.folder, data, size, compiled, compiled_size};
    struct attune_cache *cache = attune_cache_create();
    attune_cache_read_layers(cache, &setup, &sources);
    static const struct {
        enum attune_layer layer;
        int entries;
    } expected[] = {{ATTUNE_LAYER_EXPLICIT, 1}, {ATTUNE_LAYER_USER, 2}, {ATTUNE_LAYER_SYSTEM, 0},
                    {ATTUNE_LAYER_SHIPPED, 3}, {ATTUNE_LAYER_SHIPPED, 3},
                    {ATTUNE_LAYER_BUILTIN, 5}};
    cr_assert_eq(sources.count, 6);
    for (int i = 0; i < 6; i++)
        cr_assert(sources.source[i].layer == expected[i].layer &&
                  (i == 2 || (sources.source[i].read && sources.source[i].entries == expected[i].entries)),
                  "%d: %s", i, sources.source[i].why);
    for (int i = 0; i < 5; i++) {
        static const int32_t speedups[] = {1300, 1200, 1400, 1500, 1500};
        cache_box_entry(i, 0, &key, &choice);
        cr_assert_eq(attune_cache_find(cache, &key)->choice.speedup, speedups[i], "%d", i);
    }
    attune_cache_sources_free(&sources);
    attune_cache_release(cache);
    attune_cache_release(two);
    free(compiled);
    free(data);
    free(user);
}

/* What was compiled in is believed no more than a file is. */
Test(cache_file, a_wrong_builtin_cache_is_told_and_left_out)
{
    static const char garbage[] = "not a cache";
    struct attune_cache_sources sources;
    struct attune_fault fault = {0};
    const struct attune_cache_setup setup = {.explicit_path = box.file, .builtin_data = garbage,
                                             .builtin_size = sizeof garbage - 1};
    cr_assert_eq(cache_box_save(box.file, 2, 1300, &fault), 1);
    struct attune_cache *cache = attune_cache_create();
    attune_cache_read_layers(cache, &setup, &sources);
    const struct attune_cache_source *last = &sources.source[sources.count - 1];
    cr_assert_eq(last->layer, ATTUNE_LAYER_BUILTIN);
    cr_assert(!last->read && !last->absent && last->why[0] != '\0');
    cr_assert_eq(attune_cache_count(cache), 2);
    attune_cache_sources_free(&sources);
    attune_cache_release(cache);
}

Test(cache_file, the_machines_own_file_is_read)
{
    char path[256];
    struct attune_cache_sources sources;
    struct attune_fault fault = {0};
    const struct attune_cache_setup setup = {.explicit_path = NULL};
    (void)attune_fingerprint_get(); /* before /etc is another one */
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/etc", "tmpfs", 0, "size=64k,mode=755") != 0)
        cr_skip_test("only root can put another folder in the place of /etc");
    cr_assert_eq(mkdir("/etc/attune", 0755), 0);
    (void)snprintf(path, sizeof path, "/etc/attune/%s.cache", attune_fingerprint_get()->digest);
    cr_assert_eq(cache_box_save(path, 4, 1100, &fault), 1, "%s", fault.text);
    struct attune_cache *cache = attune_cache_create();
    attune_cache_read_layers(cache, &setup, &sources);
    cr_assert(sources.count == 3 && sources.source[0].absent && sources.source[1].read);
    cr_assert(sources.source[1].layer == ATTUNE_LAYER_SYSTEM && sources.source[1].entries == 4);
    cr_assert_eq(attune_cache_count(cache), 4);
    attune_cache_sources_free(&sources);
    attune_cache_release(cache);
    cr_assert_eq(umount("/etc"), 0);
}

Test(cache_file, where_there_is_no_place_for_the_user_it_is_said)
{
    struct attune_fault fault = {0};
    int flags;
    (void)unsetenv("HOME");
    (void)setenv("XDG_DATA_HOME", "relative/path", 1);
    cr_assert_null(attune_cache_user_path(&fault));
    cr_assert_str_eq(fault.text, "neither XDG_DATA_HOME nor HOME names a folder by its whole path; "
                                 "ATTUNE_CACHE may name a file");
    const struct attune_cache_setup none = {.explicit_path = ""};
    cr_assert_null(attune_cache_write_path(&none, &flags, &fault));
}

/* Of damage nothing may come but a load that says so, or fewer entries; all of it is
 * test_cache_text.c's. */
Test(cache_file, truncations_and_flips_on_disk)
{
    struct attune_fault fault;
    size_t size;
    int speedup = 0;
    cr_assert_eq(cache_box_save(box.file, 2, 1100, NULL), 1);
    char *data = cache_box_read(box.file, &size);
    for (size_t cut = 0; cut < size; cut += 7) {
        cache_box_write(box.file, data, cut);
        const int count = cache_box_load(box.file, &speedup, &fault);
        cr_assert(count < 2 || cut + 20 > size, "cut at %zu of %zu: %d", cut, size, count);
    }
    for (size_t bit = 0; bit < 8 * size; bit += 101) {
        data[bit / 8] = (char)(data[bit / 8] ^ 1 << bit % 8);
        cache_box_write(box.file, data, size);
        const int count = cache_box_load(box.file, &speedup, &fault);
        cr_assert(count <= 2 && (count <= 0 || speedup == 1100), "bit %zu", bit);
        data[bit / 8] = (char)(data[bit / 8] ^ 1 << bit % 8);
    }
    free(data);
}

static size_t lines_of(const char *path, enum attune_line_kind kind)
{
    struct attune_document doc;
    size_t count = 0;
    cr_assert_eq(attune_cache_file_parse(path, &doc, NULL), 0);
    for (size_t i = 0; i < doc.sections[0].count; i++)
        count += doc.sections[0].lines[i].kind == kind;
    attune_document_free(&doc);
    return count;
}

Test(cache_file, bars_and_missed_keys_are_saved_and_what_was_read_is_not)
{
    const struct attune_kernel *kernel = attune_kernel_find("wsum_scalar_2x8");
    const struct attune_kernel *other = attune_kernel_find("softmax_scalar_u1");
    struct attune_cache *cache = cache_box_cache(1, 1100);
    struct attune_key key;
    struct attune_choice choice;
    struct attune_missed missed;
    cache_box_entry(7, 1100, &key, &choice);
    cr_assert_eq(attune_cache_put(cache, &key, &choice, ATTUNE_LAYER_SYSTEM), 0);
    cache_box_entry(8, 1100, &key, &choice);
    attune_cache_miss(cache, &key, 5);
    attune_cache_bar(cache, kernel, "wrong", 5, ATTUNE_LAYER_TUNED);
    attune_cache_bar(cache, other, "wrong", 5, ATTUNE_LAYER_SYSTEM);
    cr_assert_eq(attune_cache_file_save(cache, box.file, 0, NULL), 1);
    cr_assert_eq(lines_of(box.file, ATTUNE_LINE_TUNED), 1);
    cr_assert_eq(lines_of(box.file, ATTUNE_LINE_BAR), 1);
    cr_assert_eq(lines_of(box.file, ATTUNE_LINE_MISSED), 1);
    cr_assert(!attune_cache_missed_at(cache, 0, &missed), "they count once");
    attune_cache_unbar(cache, kernel);
    cr_assert_eq(attune_cache_file_save(cache, box.file, 0, NULL), 1);
    cr_assert_eq(lines_of(box.file, ATTUNE_LINE_BAR), 0, "a lifted bar goes");
    cr_assert_eq(attune_cache_file_save(cache, box.file, ATTUNE_CACHE_ALL, NULL), 1);
    cr_assert_eq(lines_of(box.file, ATTUNE_LINE_TUNED), 2);
    cr_assert_eq(lines_of(box.file, ATTUNE_LINE_BAR), 1);
    attune_cache_release(cache);
}
