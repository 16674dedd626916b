/* SPDX-License-Identifier: Apache-2.0
 *
 * The command's frame: help and version everywhere, exit codes of wrong use, one line of complaint,
 * colours only where they belong, and files that are no files.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attune/attune.h"
#include "support.h"

static struct cli_outcome outcome;

static void expect_wrong(const char *word)
{
    cr_expect_eq(outcome.code, 2, "%s: exit %d: %s", word, outcome.code, outcome.err);
    cr_expect(cli_is_one_line(outcome.err), "%s: not one line: %s", word, outcome.err);
    cr_expect_not_null(strstr(outcome.err, word), "%s: not named: %s", word, outcome.err);
    cr_expect_str_empty(outcome.out);
}

Test(frame, help_and_version)
{
    static const char *const commands[] = {"run", "bench", "compare", "info", "picture"};
    char version[64];

    (void)snprintf(version, sizeof version, "attune %d.%d.%d\n", ATTUNE_VERSION_MAJOR,
                   ATTUNE_VERSION_MINOR, ATTUNE_VERSION_PATCH);
    cli_run(&outcome, "--version", NULL);
    cr_expect_eq(outcome.code, 0);
    cr_expect_str_eq(outcome.out, version);
    cli_run(&outcome, "--help", NULL);
    cr_expect_eq(outcome.code, 0);
    cr_expect_str_empty(outcome.err);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        static struct cli_outcome own;
        cr_expect_not_null(strstr(outcome.out, commands[i]));
        cli_run(&own, commands[i], "--help", NULL);
        cr_expect_eq(own.code, 0);
        cr_expect_str_empty(own.err);
        cr_expect_eq(strncmp(own.out, "usage: attune ", 14), 0);
        cli_run(&own, commands[i], "--version", NULL);
        cr_expect_eq(own.code, 0);
        cr_expect_str_eq(own.out, version);
    }
}

Test(frame, wrong_use)
{
    static const char *const lines[][5] = {
        {"frobnicate"},
        {"--frobnicate"},
        {"-x"},
        {"run", "--frobnicate", "f"},
        {"run", "-x", "f"},
        {"run", "f", "--threads"},
        {"run", "f", "--threads", "0"},
        {"run", "f", "--threads", "-1"},
        {"run", "f", "--threads", "two"},
        {"run", "f", "--threads", "1.5"},
        {"run", "f", "--threads", " 1"},
        {"run", "f", "--threads", "+1"},
        {"run", "f", "--threads", ""},
        {"run", "f", "--threads", "99999999999999999999"},
        {"run", "f", "--repeat", "0"},
        {"run", "f", "--repeat", "1e3"},
        {"run", "f", "--check=yes"},
        {"run", "f", "-o"},
        {"run", "f", "-o", ""},
    };

    cli_run(&outcome, NULL);
    expect_wrong("command");
    cli_run(&outcome, "run", NULL);
    expect_wrong("FILE");
    cli_run(&outcome, "run", "f", "g", NULL);
    expect_wrong("FILE");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *const *line = lines[i];
        cli_run(&outcome, line[0], line[1], line[2], line[3], line[4], NULL);
        expect_wrong("--help");
    }
}

Test(frame, an_empty_path_to_write_to)
{
    static const char problem[] = ATTUNE_DATA "/g2p_location.safetensors";
    static const char results[] = ATTUNE_SOURCE "/bench/results/zen5-2c-peers.jsonl";
    static const char *const lines[][5] = {{"run", problem, "-o", ""},
                                           {"picture", problem, "--svg", ""},
                                           {"report", results, "-o", ""},
                                           {"cache", "export", "-o", ""},
                                           {"bench", "--spec", "self:dot,t=8,d=8", "-o", ""}};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *const *line = lines[i];
        cli_run(&outcome, line[0], line[1], line[2], line[3], line[4], NULL);
        cr_expect_eq(outcome.code, 2, "%s: exit %d: %s", line[0], outcome.code, outcome.err);
        cr_expect(cli_is_one_line(outcome.err) && strstr(outcome.err, "empty"), "%s", outcome.err);
    }
}

Test(frame, instruction_set_that_is_none)
{
    (void)setenv("ATTUNE_MAX_ISA", "avx1024", 1);
    cli_run(&outcome, "run", ATTUNE_DATA "/g2p_location.safetensors", NULL);
    expect_wrong("avx1024");
}

/* What is opened must be a file: none of these may hang or be read. */
Test(frame, inputs_that_are_no_files)
{
    struct cli_folder folder;

    cli_folder_make(&folder);
    cr_assert_eq(mkfifo(cli_folder_path(&folder, "fifo"), 0600), 0);
    cr_assert_eq(symlink("loop", cli_folder_path(&folder, "loop")), 0);
    cr_assert_eq(close(open(cli_folder_path(&folder, "empty"), O_CREAT | O_WRONLY, 0600)), 0);
    cli_run(&outcome, "run", folder.path, NULL);
    expect_wrong("directory");
    cli_run(&outcome, "run", cli_folder_path(&folder, "fifo"), NULL);
    expect_wrong("fifo");
    cli_run(&outcome, "run", "/dev/zero", NULL);
    expect_wrong("/dev/zero");
    cli_run(&outcome, "run", "/dev/null", NULL);
    expect_wrong("/dev/null");
    cli_run(&outcome, "run", cli_folder_path(&folder, "loop"), NULL);
    expect_wrong("loop");
    cli_run(&outcome, "run", cli_folder_path(&folder, "missing"), NULL);
    expect_wrong("missing");
    cli_run(&outcome, "run", cli_folder_path(&folder, "empty/under"), NULL);
    expect_wrong("under");
    cli_run(&outcome, "run", cli_folder_path(&folder, "empty"), NULL);
    expect_wrong("header");
    cli_run(&outcome, "run", "", NULL);
    expect_wrong("No such file");
    cli_run(&outcome, "run", cli_folder_path(&folder, "a\nb\033[31m"), NULL);
    expect_wrong("a\\x0ab\\x1b[31m");
    cli_folder_remove(&folder);
}

/* Redirected output has no escape sequences, whatever the environment. */
Test(frame, no_colours_in_files)
{
    (void)setenv("TERM", "xterm-256color", 1);
    (void)unsetenv("NO_COLOR");
    cli_run(&outcome, "run", ATTUNE_DATA "/g2p_location.safetensors", "--check", NULL);
    cr_expect_eq(outcome.code, 0);
    cr_expect_null(strchr(outcome.out, '\033'));
    cli_run(&outcome, "run", "missing", NULL);
    cr_expect_null(strchr(outcome.err, '\033'));
}

Test(frame, full_standard_output)
{
    cli_redirect_output("/dev/full");
    cli_run(&outcome, "--help", NULL);
    cr_expect_eq(outcome.code, 4);
    cr_expect(cli_is_one_line(outcome.err));
    cli_run(&outcome, "run", ATTUNE_DATA "/g2p_location.safetensors", NULL);
    cr_expect_eq(outcome.code, 4);
    cr_expect_not_null(strstr(outcome.err, "No space left"));
    cli_redirect_output(NULL);
}
