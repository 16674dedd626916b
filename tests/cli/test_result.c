/* SPDX-License-Identifier: Apache-2.0
 *
 * `attune run -o`: what is written, that it is written whole or not at all, and to which of the odd
 * things that a path can name.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define PROBLEM ATTUNE_DATA "/g2p_location.safetensors"
enum { OUT_ELEMENTS = 32 * 256, ALIGNMENT_ELEMENTS = 32 * 12, LSE_ELEMENTS = 32 };
enum { DATA_BYTES = (OUT_ELEMENTS + ALIGNMENT_ELEMENTS + LSE_ELEMENTS) * 4 };

static struct cli_outcome outcome;
static struct cli_folder folder;
static unsigned char result[1 << 18];

static size_t load(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t got;

    cr_assert_geq(fd, 0, "%s", path);
    while ((got = read(fd, result + used, sizeof result - used)) > 0)
        used += (size_t)got;
    (void)close(fd);
    return used;
}

static void expect_member(const json_t *header, const char *name, size_t rank, size_t begin,
                          size_t end)
{
    const json_t *tensor = json_object_get(header, name);
    const json_t *offsets = json_object_get(tensor, "data_offsets");

    cr_assert_not_null(tensor, "%s", name);
    cr_expect_str_eq(json_string_value(json_object_get(tensor, "dtype")), "F32");
    cr_expect_eq(json_array_size(json_object_get(tensor, "shape")), rank);
    cr_expect_eq((size_t)json_integer_value(json_array_get(offsets, 0)), begin);
    cr_expect_eq((size_t)json_integer_value(json_array_get(offsets, 1)), end);
}

/* The whole file: nothing before, between or after its parts, and numbers that attention can give.
 */
static void expect_result(const char *path)
{
    size_t size = load(path), length = 0;
    json_error_t error;
    json_t *header;
    float value;

    for (int i = 7; i >= 0; i--)
        length = length << 8 | result[i];
    cr_assert_eq(size, 8 + length + DATA_BYTES, "%zu bytes", size);
    cr_expect_eq(length % 8, 0);
    header = json_loadb((const char *)result + 8, length, JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(header, "%s", error.text);
    cr_expect_eq(json_object_size(header), 3);
    expect_member(header, "out", 3, 0, OUT_ELEMENTS * 4);
    expect_member(header, "alignments", 4, OUT_ELEMENTS * 4,
                  (OUT_ELEMENTS + ALIGNMENT_ELEMENTS) * 4);
    expect_member(header, "lse", 3, (OUT_ELEMENTS + ALIGNMENT_ELEMENTS) * 4, DATA_BYTES);
    json_decref(header);
    for (size_t i = 0; i < DATA_BYTES / 4; i++) {
        memcpy(&value, result + 8 + length + 4 * i, 4);
        cr_assert(isfinite(value));
    }
}

static void expect_refused(const char *word)
{
    cr_expect_eq(outcome.code, 4, "%s: exit %d: %s", word, outcome.code, outcome.err);
    cr_expect(cli_is_one_line(outcome.err), "%s", outcome.err);
    cr_expect_not_null(strstr(outcome.err, word), "%s not in: %s", word, outcome.err);
}

static void make_folder(void)
{
    cli_folder_make(&folder);
}

static void remove_folder(void)
{
    cli_folder_remove(&folder);
}

TestSuite(result, .init = make_folder, .fini = remove_folder);

Test(result, whole_at_exactly_the_path)
{
    const char *path = cli_folder_path(&folder, "odd name.bin");

    cli_run(&outcome, "run", PROBLEM, "-o", path, NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect_str_empty(outcome.out);
    cr_expect_str_empty(outcome.err);
    expect_result(path);
    cr_expect_eq(cli_folder_count(&folder), 1);
}

Test(result, only_what_was_asked_for)
{
    static struct cli_file file;
    const char *path = cli_folder_path(&folder, "result");

    cli_file_problem(&file, "{'mechanism':'self','outputs':['lse']}",
                     "'q':{'dtype':'F32','shape':[1,1,2,4],'data_offsets':[0,32]},"
                     "'k':{'dtype':'F32','shape':[1,1,3,4],'data_offsets':[32,80]},"
                     "'v':{'dtype':'F32','shape':[1,1,3,1],'data_offsets':[80,92]},"
                     "'expected_out':{'dtype':'F32','shape':[1,1,2,1],'data_offsets':[92,100]}",
                     100);
    cli_file_save(&file, cli_folder_path(&folder, "problem"));
    cli_run(&outcome, "run", cli_folder_path(&folder, "problem"), "-o", path, "--check", NULL);
    cr_expect_eq(outcome.code, 1); /* what it expects of `out` is made up; the result stands */
    (void)load(path);
    cr_expect_null(memmem(result, 100, "\"out\"", 5));
    cr_expect_not_null(memmem(result, 100, "\"lse\"", 5));
}

Test(result, replaces_and_keeps_the_mode)
{
    const char *path = cli_folder_path(&folder, "result");
    struct stat status;

    cr_assert_eq(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
    cr_assert_eq(chmod(path, 0640), 0);
    cli_run(&outcome, "run", PROBLEM, "-o", path, NULL);
    cr_expect_eq(outcome.code, 0);
    expect_result(path);
    cr_assert_eq(stat(path, &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0640);
}

Test(result, follows_symbolic_links)
{
    const char *path = cli_folder_path(&folder, "link");
    struct stat status;

    cr_assert_eq(symlink("second", path), 0);
    cr_assert_eq(symlink(cli_folder_path(&folder, "target"), cli_folder_path(&folder, "second")),
                 0);
    for (int round = 0; round < 2;
         round++) { /* a target that is to be made, and one that is there */
        cli_run(&outcome, "run", PROBLEM, "-o", path, NULL);
        cr_expect_eq(outcome.code, 0, "%s", outcome.err);
        expect_result(cli_folder_path(&folder, "target"));
        cr_assert_eq(lstat(path, &status), 0);
        cr_expect(S_ISLNK(status.st_mode));
        cr_expect_eq(cli_folder_count(&folder), 3);
    }
}

Test(result, refused_by_the_system)
{
    cli_run(&outcome, "run", PROBLEM, "-o", folder.path, NULL);
    expect_refused("directory");
    cli_run(&outcome, "run", PROBLEM, "-o", cli_folder_path(&folder, "no/such"), NULL);
    expect_refused("no/such");
    cli_run(&outcome, "run", PROBLEM, "-o", cli_folder_path(&folder, "trailing/"), NULL);
    expect_refused("trailing/");
    cli_run(&outcome, "run", PROBLEM, "-o", "/dev/full", NULL);
    expect_refused("No space left");
    cli_run(&outcome, "run", PROBLEM, "-o", "/proc/self/result", NULL);
    expect_refused("/proc/self/result");
    cr_assert_eq(symlink("loop", cli_folder_path(&folder, "loop")), 0);
    cli_run(&outcome, "run", PROBLEM, "-o", cli_folder_path(&folder, "loop"), NULL);
    expect_refused("loop");
    cr_expect_eq(cli_folder_count(&folder), 1);
}

/* A limit on file sizes stops the write half way: the old file stays, nothing else is left. */
Test(result, old_file_survives_a_failed_write)
{
    const char *path = cli_folder_path(&folder, "result");
    char line[3 * CLI_PATH];
    int fd = open(path, O_CREAT | O_WRONLY, 0600);

    cr_assert_eq(write(fd, "old", 3), 3);
    (void)close(fd);
    (void)snprintf(line, sizeof line,
                   "trap '' XFSZ; ulimit -f 8; '%s' run '%s' -o '%s' 2>/dev/null", ATTUNE_COMMAND,
                   PROBLEM, path);
    cr_expect_eq(WEXITSTATUS(system(line)), 4);
    cr_expect_eq(load(path), 3);
    cr_expect_eq(memcmp(result, "old", 3), 0);
    cr_expect_eq(cli_folder_count(&folder), 1);
}

Test(result, standard_output)
{
    const char *path = cli_folder_path(&folder, "result");
    char line[3 * CLI_PATH];

    cli_redirect_output(path);
    cli_run(&outcome, "run", PROBLEM, "-o", "/dev/stdout", "--check", NULL);
    cli_redirect_output(NULL);
    cr_expect_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect_not_null(strstr(outcome.err, "against expected_out: ok")); /* not in between */
    expect_result(path);
    (void)snprintf(line, sizeof line, "'%s' run '%s' -o /dev/stdout | cat > '%s'", ATTUNE_COMMAND,
                   PROBLEM, path);
    cr_expect_eq(system(line), 0);
    expect_result(path);
}

Test(result, fifo)
{
    const char *path = cli_folder_path(&folder, "fifo");
    char line[3 * CLI_PATH];
    struct stat status;

    cr_assert_eq(mkfifo(path, 0600), 0);
    (void)snprintf(line, sizeof line, "cat '%s' > '%s' & '%s' run '%s' -o '%s' && wait", path,
                   cli_folder_path(&folder, "copy"), ATTUNE_COMMAND, PROBLEM, path);
    cr_expect_eq(system(line), 0);
    expect_result(cli_folder_path(&folder, "copy"));
    cr_assert_eq(lstat(path, &status), 0);
    cr_expect(S_ISFIFO(status.st_mode));
}

Test(result, reader_that_leaves)
{
    char line[3 * CLI_PATH];

    (void)snprintf(
        line, sizeof line,
        "{ sleep 0.3; '%s' run '%s' -o /dev/stdout; echo $? > '%s'; } 2>'%s' | :", ATTUNE_COMMAND,
        PROBLEM, cli_folder_path(&folder, "code"), cli_folder_path(&folder, "text"));
    cr_expect_eq(system(line), 0);
    cr_assert_eq(load(cli_folder_path(&folder, "code")), 2);
    cr_expect_eq(result[0], '4');
    cr_expect_gt(load(cli_folder_path(&folder, "text")), 0);
    cr_expect_not_null(memmem(result, 4096, "Broken pipe", 11));
}

/* A closed standard output must not become the result's file. */
Test(result, closed_standard_streams)
{
    const char *path = cli_folder_path(&folder, "result");
    char line[3 * CLI_PATH];

    (void)snprintf(line, sizeof line, "'%s' run '%s' -o '%s' <&- >&- 2>&-", ATTUNE_COMMAND, PROBLEM,
                   path);
    cr_expect_eq(system(line), 0);
    expect_result(path);
    (void)snprintf(line, sizeof line, "'%s' run '%s' --check -o '%s' >&- 2>&-", ATTUNE_COMMAND,
                   PROBLEM, path);
    cr_expect_eq(WEXITSTATUS(system(line)), 4);
    expect_result(path);
}

/* Ctrl-C: 130, and neither a result nor a temporary file. */
Test(result, interrupted)
{
    char *const argv[] = {(char *)(uintptr_t) "attune",
                          (char *)(uintptr_t) "run",
                          (char *)(uintptr_t)PROBLEM,
                          (char *)(uintptr_t) "--repeat",
                          (char *)(uintptr_t) "1000000",
                          (char *)(uintptr_t) "-o",
                          (char *)(uintptr_t)cli_folder_path(&folder, "result"),
                          NULL};
    pid_t child = fork();
    int status = 0;

    cr_assert_geq(child, 0);
    if (child == 0) {
        (void)signal(SIGINT, SIG_DFL);
        (void)execv(ATTUNE_COMMAND, argv);
        _exit(127);
    }
    (void)usleep(300000);
    cr_assert_eq(kill(child, SIGINT), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), 130);
    cr_expect_eq(cli_folder_count(&folder), 0);
}

Test(result, never_over_the_problem)
{
    char line[3 * CLI_PATH];

    (void)snprintf(line, sizeof line, "cp '%s' '%s'", PROBLEM, cli_folder_path(&folder, "problem"));
    cr_assert_eq(system(line), 0);
    cr_assert_eq(symlink("problem", cli_folder_path(&folder, "alias")), 0);
    cli_run(&outcome, "run", cli_folder_path(&folder, "problem"), "-o",
            cli_folder_path(&folder, "alias"), NULL);
    cr_expect_eq(outcome.code, 2);
    cr_expect(cli_is_one_line(outcome.err));
    cli_run(&outcome, "run", cli_folder_path(&folder, "problem"), "--check", NULL);
    cr_expect_eq(outcome.code, 0);
}
