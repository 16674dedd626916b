/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of files that are no words: line breaks, terminal sequences, bytes that are no UTF-8. Whatever
 * is said of such a file stays on its line, moves no cursor, and is JSON where JSON is asked for.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/text.h"
#include "support.h"
#include "tuner/text.h"

static struct cli_folder folder;
static struct cli_outcome outcome;
static const char *const names[] = {"a\033[31m\nb", "a\xff\xc2\x9b" "31mb"};

static void set_up(void)
{
    cli_folder_make(&folder);
}

static void tear_down(void)
{
    cli_folder_remove(&folder);
}

TestSuite(names, .init = set_up, .fini = tear_down, .timeout = 120);

static int is_tame(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if ((*c < 0x20 && *c != '\n') || *c == 0x7f || *c == 0x9b)
            return 0;
    return 1;
}

static void copy(const char *from, const char *to)
{
    char bytes[4096];
    FILE *source = fopen(from, "rb"), *target = fopen(to, "wb");
    cr_assert(source && target, "%s", from);
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, source)) > 0;)
        cr_assert_eq(fwrite(bytes, 1, got, target), got);
    (void)fclose(source);
    cr_assert_eq(fclose(target), 0);
}

/* The name with `suffix` in the folder: a copy of `like`, or one line of junk. */
static const char *make(const char *name, const char *suffix, const char *like)
{
    char whole[64];
    (void)snprintf(whole, sizeof whole, "%s%s", name, suffix);
    const char *path = cli_folder_path(&folder, whole);
    if (like != NULL) {
        copy(like, path);
        return path;
    }
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    (void)fputs("junk\n", file);
    cr_assert_eq(fclose(file), 0);
    return path;
}

/* Runs a line in which "@" stands for the path. */
static void run_line(const char *line, const char *path)
{
    char words[128], *argv[12] = {NULL};
    int count = 1;
    (void)snprintf(words, sizeof words, "%s", line);
    argv[0] = (char[]){"attune"};
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " "))
        argv[count++] = strcmp(word, "@") == 0 ? (char *)(uintptr_t)path : word;
    cli_run_argv(&outcome, argv);
    cr_expect(is_tame(outcome.out), "%s: %s", line, outcome.out);
    cr_expect(is_tame(outcome.err), "%s: %s", line, outcome.err);
    cr_expect(outcome.code <= 2, "%s: exit %d, %s", line, outcome.code, outcome.err);
    cr_expect(outcome.code < 2 || cli_is_one_line(outcome.err) || strchr(outcome.err, '\n')[1] == '\0',
              "%s: %s", line, outcome.err);
    json_t *object = strstr(line, "--json") != NULL ? json_loads(outcome.out, 0, NULL) : json_null();
    cr_expect_not_null(object, "%s: no JSON: %s", line, outcome.out);
    json_decref(object);
}

Test(names, of_problems_and_results)
{
    static const char *const of_problem[] = {
        "run @",
        "run @ --check --json",
        "picture @",
        "info --explain @",
        "info --json --explain @",
        "cache inspect --why @",
        "cache inspect --json --why @",
        "tune --dry-run --from @",
    };
    static const char *const of_results[] = {"compare @ @", "compare --json @ @", "compare --csv @ @",
                                             "report --markdown @", "report -o - @"};
    static const char *const of_junk[] = {
        "run @",         "picture @",      "compare @ @",   "report @",       "info --explain @",
        "cache verify @", "cache import @", "cache merge @ @", "tune --from @", "bench --from @",
        "bench --data @", "bench @",        "@",             "cache @",       "cache verify --json @"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        const char *path = make(names[n], ".safetensors", ATTUNE_DATA "/g2p_location.safetensors");
        for (size_t i = 0; i < sizeof of_problem / sizeof *of_problem; i++)
            run_line(of_problem[i], path);
        path = make(names[n], ".jsonl", ATTUNE_SOURCE "/tests/cli/results/example.jsonl");
        for (size_t i = 0; i < sizeof of_results / sizeof *of_results; i++)
            run_line(of_results[i], path);
        path = make(names[n], "", NULL);
        for (size_t i = 0; i < sizeof of_junk / sizeof *of_junk; i++)
            run_line(of_junk[i], path);
    }
    run_line("bench --list --data @", folder.path);
}

Test(names, of_caches)
{
    static const char *const lines[] = {"info",
                                        "info --json",
                                        "cache list",
                                        "cache list --json",
                                        "cache path --all",
                                        "cache path --all --json",
                                        "cache verify",
                                        "cache verify --json",
                                        "cache inspect --why self:dot,t=4,d=8",
                                        "cache inspect --json --why self:dot,t=4,d=8"};
    (void)setenv("ATTUNE_VERBOSE", "1", 1);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (int junk = 0; junk < 2; junk++) {
            (void)setenv("ATTUNE_CACHE",
                         junk ? make(names[n], "", NULL) : cli_folder_path(&folder, names[n]), 1);
            if (!junk) {
                (void)setenv("ATTUNE_TUNE", "record", 1);
                run_line("info --explain self:dot,t=4,d=8", "");
                (void)unsetenv("ATTUNE_TUNE");
            }
            for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
                run_line(lines[i], "");
        }
}

Test(names, texts)
{
    static const struct {
        const char *text, *json, *plain;
    } texts[] = {
        {"plain", "plain", "plain"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\033[31m\n", "\033[31m\n", "?[31m?"},
        {"\xff\xc2\x9b\x9b\x7f", "????", "\xff\xc2???"},
        {"\xc3", "?", "\xc3"},
        {"\x80\xe2\x82", "???", "?\xe2\x82"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char plain[64];
        json_t *string = attune_text_json(texts[i].text);
        cr_expect_str_eq(json_string_value(string), texts[i].json);
        json_decref(string);
        (void)snprintf(plain, sizeof plain, "%s", texts[i].text);
        attune_text_make_plain(plain);
        cr_expect_str_eq(plain, texts[i].plain, "%zu", i);
    }
    json_t *none = attune_text_json(NULL);
    cr_expect(json_is_null(none));
    json_decref(none);
}
