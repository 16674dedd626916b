/* SPDX-License-Identifier: Apache-2.0
 *
 * attune tune and attune selftest as their users meet them: what is said, what is kept, exit codes.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define SPEC "self:dot,h=2,t=24,d=16"

static struct cli_outcome outcome;
static struct cli_folder folder;

static void set_up(void)
{
    cli_folder_make(&folder);
    (void)setenv("ATTUNE_CACHE", cli_folder_path(&folder, "tuned"), 1);
}

static void tear_down(void)
{
    cli_folder_remove(&folder);
}

TestSuite(tune, .init = set_up, .fini = tear_down);

static void expect(int code, const char *word)
{
    cr_assert_eq(outcome.code, code, "exit %d: %s%s", outcome.code, outcome.out, outcome.err);
    cr_assert_not_null(strstr(code == 2 ? outcome.err : outcome.out, word), "no \"%s\" in: %s%s", word,
                       outcome.out, outcome.err);
    cr_assert(code != 2 || cli_is_one_line(outcome.err), "%s", outcome.err);
}

Test(tune, a_second_run_has_nothing_to_do, .timeout = 120)
{
    /* --force: whatever else this machine is doing. */
    cli_run(&outcome, "tune", "--quick", "--force", "--threads", "1", "--spec", SPEC, NULL);
    expect(0, "default");
    cr_assert_not_null(strstr(outcome.err, "1/1 core dot"), "a line a key where nobody watches: %s",
                       outcome.err);
    cli_run(&outcome, "tune", "--quick", "--threads", "1", "--spec", SPEC, NULL);
    expect(0, "nothing to do");
    cr_assert_str_eq(outcome.err, "");
    cli_run(&outcome, "cache", "list", NULL);
    expect(0, "core dot");
}

Test(tune, json_is_one_object, .timeout = 120)
{
    json_error_t error;
    cli_run(&outcome, "tune", "--quick", "--force", "--threads", "1", "--json", "--spec", SPEC, NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    cr_assert(cli_is_one_line(outcome.out), "%s", outcome.out);
    cr_assert_str_eq(outcome.err, "");
    json_t *object = json_loads(outcome.out, JSON_REJECT_DUPLICATES, &error);
    const json_t *keys = json_object_get(object, "keys"), *row = json_array_get(keys, 0);
    cr_assert_eq(json_array_size(keys), 1, "%s", outcome.out);
    cr_assert_str_eq(json_string_value(json_object_get(object, "schema")), "attune-tune/1");
    cr_assert_gt(json_real_value(json_object_get(row, "speedup")), 0.9);
    cr_assert_gt(json_integer_value(json_object_get(row, "candidates")), 3);
    json_decref(object);
}

/* More than a buffer: it is the output that fails, not memory. */
Test(tune, a_full_disk_behind_json_is_told)
{
    const char *said = cli_folder_path(&folder, "said");
    char line[256], text[256] = "";
    (void)snprintf(line, sizeof line, ATTUNE_COMMAND " tune --dry-run --json >/dev/full 2>%s", said);
    const int status = system(line);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 4, "status %d", status);
    FILE *file = fopen(said, "r");
    cr_assert_not_null(file);
    cr_assert_not_null(fgets(text, sizeof text, file));
    (void)fclose(file);
    cr_assert_not_null(strstr(text, "cannot write standard output"), "%s", text);
}

Test(tune, a_dry_run_lists_the_canonical_keys)
{
    int keys = 0;
    cli_run(&outcome, "tune", "--dry-run", "--threads", "2", NULL);
    expect(0, "would be tuned");
    for (const char *at = outcome.out; (at = strstr(at, "would be tuned")) != NULL; at++)
        keys++;
    cr_assert(keys >= 60 && keys <= 140, "%d keys", keys);
    static const char *const words[] = {"core dot", "core tanh", "core lstm", "parallel dot", "i8",
                                        "bf16", "causal", "window", "prepared=1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cr_assert_not_null(strstr(outcome.out, words[i]), "no \"%s\"", words[i]);
    cr_assert_eq(cli_folder_count(&folder), 0, "nothing is written");
}

Test(tune, only_leaves_the_others_out)
{
    cli_run(&outcome, "tune", "--dry-run", "--only", "recurrent", NULL);
    expect(0, "core lstm");
    cr_assert_null(strstr(outcome.out, "dot"), "%s", outcome.out);
    cli_run(&outcome, "tune", "--dry-run", "--only", "decode", NULL);
    expect(0, "tq=1 ");
    cr_assert_null(strstr(outcome.out, "tq=1024"), "%s", outcome.out);
}

Test(tune, a_list_of_specs)
{
    const char *path = cli_folder_path(&folder, "list");
    FILE *file = fopen(path, "w");
    (void)fputs("# mine\n" SPEC "\n\n  additive,t=20,a=12  # another\n", file);
    (void)fclose(file);
    cli_run(&outcome, "tune", "--dry-run", "--threads", "1", "--from", path, NULL);
    expect(0, "core tanh");
    cr_assert_not_null(strstr(outcome.out, "core dot"));
    cli_run(&outcome, "tune", "--dry-run", "--threads", "1", "--from",
            ATTUNE_DATA "/g2p_recurrent.safetensors", NULL);
    expect(0, "core lstm");
    file = fopen(path, "w");
    (void)fputs(SPEC "\nself:dot,t=zero\n", file);
    (void)fclose(file);
    cli_run(&outcome, "tune", "--dry-run", "--from", path, NULL);
    expect(2, "line 2");
}

/* Whether it has begun to measure by then or not: it ends as interrupted, and what it saved can be read. */
Test(tune, an_interruption_keeps_what_is_done, .timeout = 120)
{
    const int status = system("timeout --preserve-status -s INT 1 " ATTUNE_COMMAND
                              " tune --force --threads 1 >/dev/null 2>&1");
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 130, "status %d", status);
    cli_run(&outcome, "cache", "verify", NULL);
    cr_assert_leq(outcome.code, 1, "%s%s", outcome.out, outcome.err);
    cli_run(&outcome, "tune", "--dry-run", "--threads", "1", NULL);
    expect(0, "would be tuned");
}

/* A run that its budget ends says what is left; the next one goes on there. */
Test(tune, what_the_budget_leaves_is_told, .timeout = 120)
{
    json_error_t error;
    cli_run(&outcome, "tune", "--quick", "--force", "--threads", "1", "--budget", "1", NULL);
    expect(0, "keys left when the time was over (--budget)");
    cr_assert_null(strstr(outcome.out, "tie is open"), "who knows what the others would gain: %s",
                   outcome.out);
    cli_run(&outcome, "tune", "--quick", "--threads", "1", "--budget", "1", "--json", NULL);
    cr_assert(outcome.code == 0 || outcome.code == 3, "%s", outcome.err);
    json_t *object = json_loads(outcome.out, JSON_REJECT_DUPLICATES, &error);
    cr_assert_gt(json_integer_value(json_object_get(object, "left")), 0, "%s", outcome.out);
    cr_assert_gt(json_integer_value(json_object_get(object, "known")), 0, "%s", outcome.out);
    json_decref(object);
}

Test(tune, nothing_to_tune_is_said)
{
    cli_run(&outcome, "tune", "--only", "decode", "--spec", SPEC, NULL);
    expect(0, "--only decode leaves all of these problems out");
    cli_run(&outcome, "tune", "--from-missed", NULL);
    expect(0, "no program that ran with ATTUNE_TUNE=record");
    cli_run(&outcome, "tune", "--spec", "self:dot,b=0,t=8,d=8", NULL);
    expect(0, "nothing to compute");
}

Test(tune, a_list_must_hold_something)
{
    static const struct {
        const char *path, *why;
    } lists[] = {{"/", "Is a directory"}, {"/dev/null", "is not a regular file"}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        cli_run(&outcome, "tune", "--from", lists[i].path, NULL);
        expect(2, lists[i].why);
    }
}

Test(tune, wrong_use)
{
    cli_run(&outcome, "tune", "--only", "decode", "--from-missed", NULL);
    expect(2, "--from-missed");
    cli_run(&outcome, "tune", "--only", "fast", NULL);
    expect(2, "prefill");
    cli_run(&outcome, "tune", "--spec", "self:dat,t=4", NULL);
    expect(2, "dat");
    cli_run(&outcome, "tune", "--budget", "0", NULL);
    expect(2, "budget");
    cli_run(&outcome, "tune", "--from", "/nonexistent/list", NULL);
    expect(2, "/nonexistent/list");
    cli_run(&outcome, "tune", "more", NULL);
    expect(2, "more");
    cli_run(&outcome, "selftest", "more", NULL);
    expect(2, "more");
}

Test(tune, a_cache_that_cannot_be_written_is_told)
{
    (void)setenv("ATTUNE_CACHE", "/proc/attune", 1);
    cli_run(&outcome, "tune", "--quick", "--force", "--threads", "1", "--spec", SPEC, NULL);
    cr_assert_eq(outcome.code, 4, "exit %d: %s", outcome.code, outcome.err);
    cr_assert_not_null(strstr(outcome.err, "/proc/attune"), "%s", outcome.err);
}

/* A shell that holds the claim on this machine, as a tuning does, for as long as `line` takes. */
static int beside_another(const char *line)
{
    char all[1024];
    (void)snprintf(all, sizeof all,
                   "exec 9>%s && flock -n 9 && echo $$ >&9 && { %s; } >%s 2>%s 9>&-",
                   cli_folder_path(&folder, "tuned.tuning"), line, cli_folder_path(&folder, "out"),
                   cli_folder_path(&folder, "err"));
    const int status = system(all);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void read_text(const char *name, char text[512])
{
    FILE *file = fopen(cli_folder_path(&folder, name), "r");
    cr_assert_not_null(file);
    text[fread(text, 1, 511, file)] = '\0';
    (void)fclose(file);
}

Test(tune, one_at_a_time, .timeout = 120)
{
    char out[512], err[512];
    cr_assert_eq(beside_another(ATTUNE_COMMAND " tune --quick --spec " SPEC), 3);
    read_text("out", out);
    read_text("err", err);
    cr_assert_str_eq(out, "");
    cr_assert(cli_is_one_line(err), "%s", err);
    cr_assert_not_null(strstr(err, "attune tune: process "), "%s", err);
    cr_assert_not_null(strstr(err, "is tuning on this machine"), "%s", err);
    cr_assert_eq(beside_another(ATTUNE_COMMAND " tune --quick --json --spec " SPEC), 3);
    read_text("out", out);
    json_t *object = json_loads(out, 0, NULL);
    cr_assert_eq(json_array_size(json_object_get(object, "keys")), 0, "%s", out);
    json_decref(object);
    cr_assert_eq(beside_another(ATTUNE_COMMAND " tune --dry-run --spec " SPEC), 0, "measures nothing");
    cr_assert_eq(beside_another(ATTUNE_COMMAND " tune --quick --threads 1 --force --spec " SPEC), 0);
    cr_assert_eq(beside_another(ATTUNE_COMMAND " tune --quick --threads 1 --spec " SPEC), 0,
                 "all is known: nothing is measured");
    cr_assert_eq(beside_another(ATTUNE_COMMAND " cache forget --all --yes"), 0, "the cache is free");
}

/* What a tuning that was killed has left keeps nobody waiting. */
Test(tune, a_killed_one_leaves_no_claim, .timeout = 120)
{
    const int status = system("timeout -s KILL 2 " ATTUNE_COMMAND
                              " tune --quick --force --threads 1 >/dev/null 2>&1");
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 137, "status %d", status);
    cli_run(&outcome, "tune", "--quick", "--force", "--threads", "1", "--spec", SPEC, NULL);
    expect(0, "default");
    cr_assert_neq(access(cli_folder_path(&folder, "tuned.tuning"), F_OK), 0);
}

Test(tune, selftest)
{
    cli_run(&outcome, "selftest", NULL);
    expect(0, "are right");
    cli_run(&outcome, "selftest", "--all", NULL);
    expect(0, "score_dot_scalar_4x4");
    cli_run(&outcome, "selftest", "--json", NULL);
    expect(0, "{\"kernel\":\"");
}
