/* SPDX-License-Identifier: Apache-2.0
 *
 * The named suite and how cases are chosen from it, specs, lists and kernels.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/cli/spec.h"
#include "bench/result_file.h"
#include "bench/suite.h"
#include "support.h"

static struct cli_outcome outcome;

Test(suite, names_are_unique_and_say_their_family)
{
    for (int i = 0; i < attune_suite_count(); i++) {
        const struct attune_suite_case *of = attune_suite_at(i);
        cr_expect_eq(attune_suite_find(of->name), of, "%s is there twice", of->name);
        cr_expect_eq(strncmp(of->name, of->family, strlen(of->family)), 0, "%s: family %s", of->name,
                     of->family);
        for (int j = 0; j < i; j++)
            cr_expect_str_neq(attune_suite_at(j)->spec, of->spec, "%s and %s are one problem",
                              attune_suite_at(j)->name, of->name);
    }
    cr_expect_null(attune_suite_find("prefill"));
    cr_expect_null(attune_suite_at(attune_suite_count()));
}

Test(suite, every_spec_can_be_planned)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
    for (int i = 0; i < attune_suite_count(); i++) {
        const struct attune_suite_case *of = attune_suite_at(i);
        struct attune_problem problem;
        struct attune_trouble trouble = {0};
        struct attune_plan *plan;
        cr_assert_eq(attune_spec_parse(of->spec, &problem, &trouble), 0, "%s: %s", of->name,
                     trouble.text);
        cr_assert_eq(attune_plan_create(context, &problem, &plan), ATTUNE_OK, "%s: %s", of->name,
                     attune_error_detail());
        attune_plan_release(plan);
    }
    attune_context_release(context);
}

/* What users run, in the smallest suite. */
Test(suite, the_quick_suite_holds_every_family)
{
    for (int i = 0; i < attune_suite_count(); i++) {
        const char *family = attune_suite_at(i)->family;
        int found = strcmp(family, "concat") == 0; /* what additive does */
        for (int j = 0; j < attune_suite_count(); j++)
            found |= attune_suite_at(j)->tier == ATTUNE_TIER_QUICK &&
                     strcmp(attune_suite_at(j)->family, family) == 0;
        cr_expect(found, "no quick case of %s", family);
    }
}

Test(suite, lists)
{
    cli_run(&outcome, "bench", "--list", NULL);
    cr_expect_eq(outcome.code, 0);
    cr_expect_str_empty(outcome.err);
    for (int i = 0; i < attune_suite_count(); i++) {
        cr_expect_not_null(strstr(outcome.out, attune_suite_at(i)->name));
        cr_expect_not_null(strstr(outcome.out, attune_suite_at(i)->spec));
    }
    cli_run(&outcome, "bench", "--list", "--suite", "quick", NULL);
    cr_expect_null(strstr(outcome.out, " full "));
    cr_expect_null(strstr(outcome.out, " standard "));
    cli_run(&outcome, "bench", "--list", "decode/*", "small/b1/t16", NULL);
    cr_expect_not_null(strstr(outcome.out, "decode/mha/i8/t32768"));
    cr_expect_not_null(strstr(outcome.out, "small/b1/t16"));
    cr_expect_null(strstr(outcome.out, "prefill"));
    cli_run(&outcome, "bench", "--list", "--kernel", "softmax_*", NULL);
    cr_expect_not_null(strstr(outcome.out, "kernel/softmax_scalar_u1"));
    cr_expect_null(strstr(outcome.out, "wsum"));
}

static void save(const struct cli_folder *folder, const char *name, const char *text)
{
    FILE *file = fopen(cli_folder_path(folder, name), "we");
    cr_assert_not_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void save_zeros(const struct cli_folder *folder, const char *name, int64_t size)
{
    save(folder, name, "");
    cr_assert_eq(truncate(cli_folder_path(folder, name), (off_t)size), 0);
}

Test(suite, cases_from_a_file)
{
    struct cli_folder folder;
    cli_folder_make(&folder);
    save(&folder, "cases",
         "# comment\n\n  small/b1/t16   # behind\nstep/*\r\nself:dot,t=24,d=16\nsmall/b1/t16\n");
    save(&folder, "wrong", "self:dot,t=24\n");
    save(&folder, "empty", "# nothing\n");
    save(&folder, "two", "self:dot,t=24,d=16 causal=top_left\n");
    save(&folder, "bom", "\xef\xbb\xbfself:dot,t=24,d=16\n");
    save_zeros(&folder, "zeros", 40);
    save_zeros(&folder, "sparse", INT64_C(1) << 31);
    cr_assert_eq(mkfifo(cli_folder_path(&folder, "fifo"), 0600), 0);
    cli_run(&outcome, "bench", "--list", "--from", cli_folder_path(&folder, "cases"), NULL);
    cr_expect_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect_not_null(strstr(outcome.out, "step/b32/t256"));
    cr_expect_not_null(strstr(outcome.out, "self:dot,t=24,d=16"));
    char *first = strstr(outcome.out, "small/b1/t16");
    cr_assert_not_null(first);
    cr_expect_null(strstr(first + 1, "small/b1/t16"), "a case is there twice");
    static const char *const names[] = {"wrong", "empty", "missing", "two",
                                        "bom",   "zeros", "sparse",  "fifo"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int tune = 0; tune < 2; tune++) {
            cli_run(&outcome, tune ? "tune" : "bench", tune ? "--dry-run" : "--list", "--from",
                    cli_folder_path(&folder, names[i]), NULL);
            cr_expect_eq(outcome.code, 2, "%s: %d", names[i], outcome.code);
            cr_expect(cli_is_one_line(outcome.err), "%s: %s", names[i], outcome.err);
            cr_expect_not_null(strstr(outcome.err, names[i]), "%s: %s", names[i], outcome.err);
        }
    cli_run(&outcome, "bench", "--from", cli_folder_path(&folder, "cases"), "-o",
            cli_folder_path(&folder, "cases"), NULL);
    cr_expect_eq(outcome.code, 2);
    cr_expect_not_null(strstr(outcome.err, "would replace"), "%s", outcome.err);
    cli_folder_remove(&folder);
}

Test(suite, wrong_choices_are_one_line_and_exit_2)
{
    static const char *const wrong[][2] = {
        {"--suite", "huge"},    {"nosuch/*", NULL},        {"--kernel", "nosuch_*"},
        {"--threads", "1,,2"},  {"--threads", "1,1025"},   {"--threads", "1,two"},    {"--threads", "1,2,3,4,5,6,7,8,9"},
        {"--isa", "avx3"},      {"--isa", ""},             {"-o", "/does/not/exist/file"},
        {"--from", "/dev/null"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cli_run(&outcome, "bench", "--seconds", "0.01", wrong[i][0], wrong[i][1], NULL);
        cr_expect_eq(outcome.code, strcmp(wrong[i][0], "-o") == 0 ? 4 : 2, "%s: %d", wrong[i][0],
                     outcome.code);
        cr_expect(cli_is_one_line(outcome.err), "%s: %s", wrong[i][0], outcome.err);
        cr_expect_str_empty(outcome.out);
    }
    cli_run(&outcome, "bench", "--kernel", "softmax_*", "--threads", "2", NULL);
    cr_expect_eq(outcome.code, 2);
    cli_run(&outcome, "bench", "--kernel", "softmax_*", "--spec", "self:dot,t=8,d=8", NULL);
    cr_expect_eq(outcome.code, 2);
}

/* Each operation but the probes themselves can be timed alone. */
Test(suite, kernels_alone)
{
    cli_run(&outcome, "bench", "--kernel", "*_scalar_*", "--seconds", "0.01", "--json", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    static const char *const operations[] = {
        "pack_keys",  "pack_values",  "expand_rows", "expand_panels", "score_dot",
        "score_tanh", "score_direct", "adjust",      "softmax",       "wsum",
        "merge",      "finish",       "weights",     "lstm",          "fold",
        "tile",       "score_rows",   "wsum_rows"};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "\"case\":\"kernel/%s_scalar_", operations[i]);
        cr_expect_not_null(strstr(outcome.out, name), "no %s", name);
    }
    cr_expect_null(strstr(outcome.out, "avx"), "another instruction set");
}

Test(suite, settings_multiply)
{
    cli_run(&outcome, "bench", "--spec", "self:dot,t=24,d=16", "--threads", "1,2", "--isa",
            "scalar", "--tuned", "--untuned", "--seconds", "0.01", "--json", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    int lines = 0, untuned = 0;
    for (const char *c = outcome.out; (c = strstr(c, "\"kind\":\"result\"")); c++)
        lines++;
    for (const char *c = outcome.out; (c = strstr(c, "\"tuned\":false")); c++)
        untuned++;
    cr_expect_eq(lines, 4);
    cr_expect_eq(untuned, 2);
    cr_expect_not_null(strstr(outcome.out, "\"isa_asked\":\"scalar\""));
    cr_expect_not_null(strstr(outcome.out, "\"threads_asked\":\"2\""));
}

Test(suite, samples_on_request)
{
    int in[2];
    char got[256] = "";
    cr_assert_eq(pipe(in), 0);
    const char requests[] = "open 0.001 self:dot,t=24,d=16\nsample 3\nopen 0.001 nonsense\n"
                            "sample 3\nfrobnicate\nclose\n";
    cr_assert_eq(write(in[1], requests, sizeof requests - 1), (ssize_t)sizeof requests - 1);
    (void)close(in[1]);
    const int kept = dup(STDIN_FILENO);
    (void)dup2(in[0], STDIN_FILENO);
    cli_run(&outcome, "bench", "--serve", "--threads", "1", NULL);
    (void)dup2(kept, STDIN_FILENO);
    cr_expect_eq(outcome.code, 0);
    long long calls;
    double seconds;
    cr_expect_eq(sscanf(outcome.out,
                        "attune-serve 1\nok %lld\nt %lf\nerror mechanism%255[^\n]\nerror nothing",
                        &calls, &seconds, got),
                 3, "%s", outcome.out);
    cr_expect_gt(calls, 0);
    cr_expect_gt(seconds, 0);
}

Test(suite, landscapes_hold_the_tiles_of_the_plan)
{
    static const char *const specs[] = {"self:dot,t=400,d=16", "additive,t=40,a=16",
                                        "recurrent,t=24,c=8,n=8,a=8",
                                        "additive,b=2,tq=1,tk=300,a=16,prepared=1"};
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *path = cli_folder_path(&folder, "out.jsonl");
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct attune_results results = {0};
        cli_run(&outcome, "bench", "--landscape", "--spec", specs[i], "--seconds", "0.01",
                "--threads", "1", "-o", path, NULL);
        cr_assert_eq(outcome.code, 0, "%s", outcome.err);
        cr_assert_eq(attune_results_read(path, &results), ATTUNE_OK, "%s", attune_error_detail());
        cr_assert_eq(results.count[ATTUNE_LINE_LANDSCAPE], 1);
        const struct attune_landscape_line *line = &results.landscape[0];
        cr_expect_str_eq(line->spec, specs[i]);
        cr_expect_gt(line->points.count, 0);
        cr_expect_eq(line->chosen.count, 2);
        cr_expect_eq(line->model.count, 2);
        for (int32_t p = 0; p < line->points.count; p++)
            cr_expect_gt(line->points.point[p].seconds, 0);
        cr_expect_not_null(strstr(outcome.out, "time over the fastest"));
        attune_results_free(&results);
    }
    cli_folder_remove(&folder);
}

/* Ctrl-C keeps what is done: whatever that is, the file is whole. */
Test(suite, an_interrupted_run_leaves_a_whole_file)
{
    struct cli_folder folder;
    struct attune_results results = {0};
    cli_folder_make(&folder);
    const char *path = cli_folder_path(&folder, "out.jsonl");
    int out[2];
    cr_assert_eq(pipe(out), 0);
    const pid_t child = fork();
    if (child == 0) {
        (void)dup2(out[1], STDOUT_FILENO);
        (void)execl(ATTUNE_COMMAND, "attune", "bench", "--spec", "self:dot,t=24,d=16", "--seconds",
                    "60", "--threads", "1", "-o", path, (char *)NULL);
        _exit(127);
    }
    (void)close(out[1]);
    (void)sleep(2);
    cr_assert_eq(kill(child, SIGINT), 0);
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    (void)close(out[0]);
    cr_assert(WIFEXITED(status));
    cr_expect_eq(WEXITSTATUS(status), 130);
    cr_expect_eq(attune_results_read(path, &results), ATTUNE_OK, "%s", attune_error_detail());
    cr_expect_eq(results.count[ATTUNE_LINE_MACHINE], 1);
    attune_results_free(&results);
    cli_folder_remove(&folder);
}
