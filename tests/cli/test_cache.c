/* SPDX-License-Identifier: Apache-2.0
 *
 * attune cache as its users meet it: what is listed, why a problem gets its choice, files that travel,
 * what is forgotten, and exit codes.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "tuner/cache_file.h"

#define SPEC "self:dot,h=2,t=512,d=64"

static struct cli_outcome outcome;
static struct cli_folder folder;

static void set_up(void)
{
    cli_folder_make(&folder);
    (void)setenv("XDG_DATA_HOME", folder.path, 1);
    (void)unsetenv("ATTUNE_CACHE");
    (void)unsetenv("ATTUNE_TUNE");
}

/* The folder of what was imported lies in it: deeper than cli_folder_remove() goes. */
static void tear_down(void)
{
    char command[CLI_PATH];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder.path);
    cr_assert_eq(system(command), 0);
}

TestSuite(cache, .init = set_up, .fini = tear_down);

static void expect(int code, const char *word)
{
    cr_assert_eq(outcome.code, code, "exit %d: %s%s", outcome.code, outcome.out, outcome.err);
    cr_assert_not_null(strstr(code < 2 ? outcome.out : outcome.err, word), "no \"%s\" in: %s%s", word,
                       outcome.out, outcome.err);
    cr_assert(code < 2 ? outcome.err[0] == '\0' : cli_is_one_line(outcome.err), "%s", outcome.err);
}

static json_t *parse_output(void)
{
    json_error_t error;
    cr_assert(cli_is_one_line(outcome.out), "%s", outcome.out);
    json_t *object = json_loads(outcome.out, JSON_REJECT_DUPLICATES, &error);
    cr_assert(json_is_object(object), "%s: %s", error.text, outcome.out);
    return object;
}

/* The key that the command looks SPEC up by. */
static struct attune_key key_of_spec(void)
{
    struct attune_key key;
    struct attune_fault fault = {0};
    cli_run(&outcome, "cache", "inspect", "--why", SPEC, "--json", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    json_t *object = parse_output();
    const json_t *steps = json_object_get(json_object_get(object, "core"), "steps");
    const char *line = json_string_value(json_array_get(steps, 0));
    cr_assert_eq(strncmp(line, "key: ", 5), 0, "%s", line);
    cr_assert_eq(attune_key_parse(line + 5, strlen(line + 5), &key, &fault), 0, "%s", fault.text);
    json_decref(object);
    return key;
}

/* A file of `count` choices for SPEC's key and keys beside it, with this q_block. */
static const char *write_file(const char *name, int count, int q_block)
{
    struct attune_cache *cache = attune_cache_create();
    struct attune_key key = key_of_spec();
    struct attune_fault fault = {0};
    const char *path = cli_folder_path(&folder, name);
    for (int i = 0; i < count; i++, key.class_k += 2) {
        const struct attune_choice choice = {.verdict = ATTUNE_VERDICT_WIN, .speedup = 1250,
                                             .low = 1200, .high = 1300, .strip = 1,
                                             .q_block = q_block, .kv_block = 192};
        cr_assert_eq(attune_cache_put(cache, &key, &choice, ATTUNE_LAYER_TUNED), 0);
    }
    cr_assert_eq(attune_cache_file_save(cache, path, 0, &fault), 1, "%s", fault.text);
    attune_cache_release(cache);
    return path;
}

Test(cache, help_at_each_level_and_wrong_use)
{
    static const char *const commands[] = {"list", "inspect", "verify", "path",
                                           "export", "import", "merge", "forget"};
    char word[64];
    cli_run(&outcome, "cache", "--help", NULL);
    expect(0, "usage: attune cache COMMAND");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        (void)snprintf(word, sizeof word, "  %s ", commands[i]);
        cr_assert_not_null(strstr(outcome.out, word));
        static struct cli_outcome own;
        cli_run(&own, "cache", commands[i], "--help", NULL);
        (void)snprintf(word, sizeof word, "usage: attune cache %s ", commands[i]);
        cr_assert(own.code == 0 && strncmp(own.out, word, strlen(word)) == 0, "%s", own.out);
        cli_run(&own, "cache", commands[i], "--frobnicate", NULL);
        cr_assert(own.code == 2 && cli_is_one_line(own.err), "%s", own.err);
    }
    cli_run(&outcome, "cache", NULL);
    expect(2, "a command must be given");
    cli_run(&outcome, "cache", "frobnicate", NULL);
    expect(2, "frobnicate: no such command");
    cli_run(&outcome, "cache", "forget", NULL);
    expect(2, "what to forget must be given");
    cli_run(&outcome, "cache", "forget", "--all", NULL);
    expect(2, "--all forgets everything: add --yes");
    cli_run(&outcome, "cache", "list", "a", "b", NULL);
    expect(2, "'b' is one operand too many");
    cli_run(&outcome, "cache", "list", "/nonexistent/x", NULL);
    expect(2, "/nonexistent/x: No such file or directory");
}

Test(cache, path_follows_the_environment)
{
    char expected[CLI_PATH];
    (void)snprintf(expected, sizeof expected, "%s/attune/%s.cache\n", folder.path,
                   attune_fingerprint_get()->digest);
    cli_run(&outcome, "cache", "path", NULL);
    cr_assert_str_eq(outcome.out, expected);
    (void)setenv("ATTUNE_CACHE", "/some/where", 1);
    cli_run(&outcome, "cache", "path", NULL);
    cr_assert_str_eq(outcome.out, "/some/where\n");
    (void)unsetenv("ATTUNE_CACHE");
    (void)unsetenv("XDG_DATA_HOME");
    (void)unsetenv("HOME");
    cli_run(&outcome, "cache", "path", NULL);
    expect(2, "neither XDG_DATA_HOME nor HOME names a folder");
}

Test(cache, every_place_that_is_read_is_listed)
{
    static const char *const words[] = {"explicit", "user", "system", "builtin"};
    json_error_t error;
    (void)setenv("ATTUNE_CACHE", cli_folder_path(&folder, "mine"), 1);
    cli_run(&outcome, "cache", "path", "--all", NULL);
    for (int i = 0; i < 4; i++)
        expect(0, words[i]);
    cli_run(&outcome, "cache", "path", "--json", NULL);
    json_t *object = json_loads(outcome.out, JSON_REJECT_DUPLICATES, &error);
    for (size_t i = 0; i < 4; i++)
        cr_assert_str_eq(json_string_value(json_object_get(
                             json_array_get(json_object_get(object, "layers"), i), "layer")),
                         words[i]);
    json_decref(object);
    cli_run(&outcome, "info", NULL);
    expect(0, "builtin      compiled into the library: none is");
    (void)unsetenv("ATTUNE_CACHE");
    (void)unsetenv("XDG_DATA_HOME");
    (void)unsetenv("HOME");
    cli_run(&outcome, "cache", "path", "--all", NULL);
    expect(0, "nowhere: not used: neither XDG_DATA_HOME nor HOME");
    (void)setenv("HOME", "/proc", 1);
    cli_run(&outcome, "cache", "forget", "--missed", NULL);
    cr_assert_eq(outcome.code, 4);
    cr_assert_not_null(strstr(outcome.err, "cannot make the folder /proc/.local: "), "%s", outcome.err);
}

Test(cache, a_file_that_travels)
{
    char digest[64];
    const char *file = write_file("a.cache", 3, 7);
    cli_run(&outcome, "cache", "list", NULL);
    expect(0, "nothing is tuned");
    cli_run(&outcome, "cache", "import", file, "--dry-run", NULL);
    expect(0, "3 of 3 lines would enter ");
    cli_run(&outcome, "cache", "list", NULL);
    expect(0, "nothing is tuned");
    cli_run(&outcome, "cache", "import", file, NULL);
    expect(0, "3 of 3 lines entered ");
    cli_run(&outcome, "cache", "import", file, NULL);
    expect(0, "0 of 3 lines entered ");
    cli_run(&outcome, "cache", "list", NULL);
    expect(0, "win 1.250 core dot ");
    cli_run(&outcome, "cache", "inspect", "--why", SPEC, NULL);
    expect(0, "tuned for exactly this key (user)");
    cr_assert_not_null(strstr(outcome.out, "that is, by tuned: score_dot_"));
    cr_assert_not_null(strstr(outcome.out, " strip 1 q_block 7 kv_block 192"));
    cr_assert_not_null(strstr(outcome.out, "a key is looked up among 3 in "));
    cli_run(&outcome, "info", "--explain", SPEC, NULL);
    expect(0, "q_block 7 rows");
    cli_run(&outcome, "info", NULL);
    (void)snprintf(digest, sizeof digest, "%s.cache: used, 3 entries",
                   attune_fingerprint_get()->digest);
    expect(0, digest);
    cli_run(&outcome, "cache", "export", "-o", cli_folder_path(&folder, "b.cache"), NULL);
    expect(0, "");
    cli_run(&outcome, "cache", "verify", file, cli_folder_path(&folder, "b.cache"), NULL);
    expect(0, "b.cache: sound");
    static struct cli_outcome first;
    cli_run(&first, "cache", "list", cli_folder_path(&folder, "b.cache"), NULL);
    cr_assert_not_null(strstr(first.out, "win 1.250 core dot "));
}

/* Neither what a command is given to read nor the caches that it reads unasked. */
Test(cache, no_output_replaces_a_cache_that_is_read)
{
    const char *mine = write_file("mine.cache", 2, 7), *other = write_file("other.cache", 1, 5);
    const char *named = write_file("named.cache", 1, 5), *link = cli_folder_path(&folder, "link");
    const char *own = NULL;
    cr_assert_eq(symlink(named, link), 0);
    cli_run(&outcome, "cache", "merge", mine, other, "-o", other, NULL);
    expect(2, "the result would replace it");
    cli_run(&outcome, "cache", "import", mine, NULL);
    expect(0, "2 of 2");
    cli_run(&outcome, "cache", "path", NULL);
    outcome.out[strcspn(outcome.out, "\n")] = '\0';
    own = strdup(outcome.out);
    (void)setenv("ATTUNE_CACHE", named, 1);
    const char *const paths[] = {own, named, link};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        cli_run(&outcome, "cache", "export", "-o", paths[i], NULL);
        expect(2, "it holds this machine's tuned choices");
        cli_run(&outcome, "cache", "merge", mine, "-o", paths[i], NULL);
        expect(2, "it holds this machine's tuned choices");
        cli_run(&outcome, "run", ATTUNE_DATA "/g2p_location.safetensors", "-o", paths[i], NULL);
        expect(2, "it holds this machine's tuned choices");
        cli_run(&outcome, "cache", "verify", paths[i], NULL);
        expect(i == 2, i == 2 ? "symbolic link" : "sound");
    }
    cli_run(&outcome, "cache", "merge", mine, other, "-o", cli_folder_path(&folder, "new.cache"), NULL);
    expect(0, "");
    free((char *)(uintptr_t)own);
}

Test(cache, layers_and_what_they_hide_are_shown)
{
    const char *mine = write_file("mine.cache", 2, 7);
    cli_run(&outcome, "cache", "import", mine, NULL);
    expect(0, "2 of 2");
    (void)setenv("ATTUNE_CACHE", write_file("named.cache", 1, 5), 1);
    cli_run(&outcome, "cache", "inspect", NULL);
    expect(0, "not used: the explicit layer has the same key and comes first");
    cr_assert_not_null(strstr(outcome.out, "win 1.250 [1.200, 1.300] of the default's speed"));
    cli_run(&outcome, "cache", "inspect", "--json", NULL);
    json_t *object = parse_output();
    const json_t *entries = json_object_get(object, "entries");
    cr_assert_eq(json_array_size(entries), 3);
    static const int in_force[] = {1, 0, 1};
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(json_is_true(json_object_get(json_array_get(entries, i), "in_force")),
                     in_force[i], "%zu", i);
    cr_assert_eq(json_array_size(json_object_get(object, "sources")), 4);
    json_decref(object);
    cli_run(&outcome, "info", "--explain", SPEC, NULL);
    expect(0, "q_block 5 rows");
    (void)setenv("ATTUNE_TUNE", "off", 1);
    cli_run(&outcome, "cache", "inspect", "--why", SPEC, NULL);
    expect(0, "no choice is taken from a cache");
}

/* One byte of a file changed. */
static void damage(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    cr_assert(file != NULL && fseek(file, at, SEEK_SET) == 0 && fputc('!', file) == '!');
    cr_assert_eq(fclose(file), 0);
}

Test(cache, damage_is_found_and_not_taken_in)
{
    const char *file = write_file("a.cache", 2, 7), *whole = write_file("c.cache", 1, 7);
    damage(file, 400);
    cli_run(&outcome, "cache", "verify", file, NULL);
    expect(1, "a.cache: section 1: 1 lines are damaged");
    cli_run(&outcome, "cache", "verify", file, "--json", NULL);
    expect(1, "\"sound\":false");
    cli_run(&outcome, "cache", "import", file, NULL);
    expect(2, "a.cache: section 1: 1 lines are damaged");
    cli_run(&outcome, "cache", "merge", whole, file, "-o", cli_folder_path(&folder, "out"), NULL);
    expect(2, "a.cache: section 1: lines are damaged or missing");
    cr_assert_neq(access(cli_folder_path(&folder, "out"), F_OK), 0);
    (void)setenv("ATTUNE_CACHE", file, 1);
    cli_run(&outcome, "info", NULL);
    expect(0, "1 damaged lines were left out");
    damage(file, 3);
    cli_run(&outcome, "info", NULL);
    expect(0, "a.cache: not used: not a cache of Attune");
    cli_run(&outcome, "cache", "forget", "core *", NULL);
    expect(2, "a.cache: not a cache of Attune");
    cli_run(&outcome, "tune", "--quick", "--spec", SPEC, "--json", NULL);
    cr_assert_eq(outcome.code, 2, "%s", outcome.err);
    cr_assert_not_null(strstr(outcome.err, "a.cache: not a cache of Attune"));
    cr_assert_null(strstr(outcome.out, "\"speedup\""), "measured for nothing: %s", outcome.out);
}

Test(cache, files_of_other_machines_can_be_joined)
{
    char command[3 * CLI_PATH], other[CLI_PATH];
    struct attune_document doc = {0};
    size_t size;
    const char *file = write_file("a.cache", 2, 7);
    (void)snprintf(other, sizeof other, "%s", cli_folder_path(&folder, "other.cache"));
    struct attune_section *section = attune_document_section(&doc, "cpu=Other:1:2:3 features=");
    cr_assert_eq(attune_section_put(section, "remark hello", ATTUNE_MERGE_BETTER), 1);
    char *text = attune_document_write(&doc, &size, NULL);
    FILE *out = fopen(other, "wb");
    cr_assert(out != NULL && fwrite(text, 1, size, out) == size && fclose(out) == 0);
    free(text);
    attune_document_free(&doc);
    cli_run(&outcome, "cache", "import", other, NULL);
    expect(2, "other.cache: holds nothing of this machine");
    const char *both = cli_folder_path(&folder, "both.cache");
    cli_run(&outcome, "cache", "merge", file, other, "-o", both, NULL);
    expect(0, "");
    (void)snprintf(command, sizeof command, "cat '%s' '%s' | cmp - '%s'", file, other, both);
    cr_assert_eq(system(command), 0, "what merge writes is what cat gives");
    cli_run(&outcome, "cache", "list", both, NULL);
    expect(0, "for another machine, cpu=Other:1:2:3 features=");
    cli_run(&outcome, "cache", "import", both, NULL);
    expect(0, "2 of 2 lines entered");
}

Test(cache, what_is_forgotten)
{
    const char *file = write_file("a.cache", 4, 7);
    struct attune_key key = key_of_spec();
    char text[ATTUNE_KEY_TEXT];
    (void)attune_key_format(&key, text, sizeof text);
    (void)setenv("ATTUNE_CACHE", file, 1);
    cli_run(&outcome, "cache", "forget", text, "--dry-run", NULL);
    expect(0, "1 lines would go from ");
    cr_assert_not_null(strstr(outcome.out, text));
    cli_run(&outcome, "cache", "forget", text, NULL);
    expect(0, "1 lines gone from ");
    cli_run(&outcome, "cache", "forget", text, NULL);
    expect(0, "0 lines gone from ");
    cli_run(&outcome, "cache", "forget", "--stale", "--bars", "--missed", NULL);
    expect(0, "0 lines gone from ");
    cli_run(&outcome, "cache", "forget", "core * tk=1024 *", NULL);
    expect(0, "1 lines gone from ");
    cli_run(&outcome, "cache", "forget", "--all", "--yes", NULL);
    expect(0, "2 lines gone from ");
    cli_run(&outcome, "cache", "verify", NULL);
    expect(0, "a.cache: sound");
}

Test(cache, a_place_that_cannot_be_written_is_the_systems_failure)
{
    const char *file = write_file("a.cache", 1, 7);
    (void)setenv("ATTUNE_CACHE", "/proc/nowhere/x", 1);
    cli_run(&outcome, "cache", "import", file, NULL);
    cr_assert_eq(outcome.code, 4);
    cr_assert_not_null(strstr(outcome.err, "/proc/nowhere/x: its folder: No such file or directory"));
    (void)setenv("ATTUNE_CACHE", "/dev/full", 1);
    cli_run(&outcome, "cache", "import", file, NULL);
    expect(2, "/dev/full: is not a regular file");
    cli_run(&outcome, "cache", "export", "-o", "/dev/full", NULL);
    expect(4, "/dev/full: cannot write: No space left on device");
}
