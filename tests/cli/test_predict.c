/* SPDX-License-Identifier: Apache-2.0
 *
 * Predictions for another machine: the arithmetic by hand, and what compare and report say of them.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/forecast.h"
#include "support.h"

#define EXAMPLE ATTUNE_SOURCE "/tests/cli/results/example.jsonl"
#define OTHER ATTUNE_SOURCE "/tests/cli/results/other_machine.jsonl"

static struct cli_outcome outcome;

static const struct attune_roof_set base = {.rate = {100, 50, 20, 1000, 500, 200, 40},
                                            .cache = {64, 512, 4096},
                                            .threads = 1,
                                            .isa = "avx2"};

/* 1000 flop over 100 pairs and 300 bytes, which lie in L2: 10 s of arithmetic, 0.6 s of reads. */
static struct attune_result_line dense(void)
{
    return (struct attune_result_line){.outcome = "ok",
                                       .engine = "attune",
                                       .spec = "s",
                                       .isa = "avx2",
                                       .arithmetic_unit = "flop",
                                       .arithmetic = 1000,
                                       .pairs = 100,
                                       .bytes = 300,
                                       .min_s = 20,
                                       .threads = 1};
}

static void explain(struct attune_result_line *line, const char *name, double seconds)
{
    line->explain.at[line->explain.count].name = name;
    line->explain.at[line->explain.count++].value = seconds;
}

static struct attune_prediction predict(const struct attune_result_line *line,
                                        const struct attune_roof_set *there)
{
    struct attune_prediction prediction = {0};
    cr_assert(attune_predict(line, &base, there, &prediction), "no prediction");
    return prediction;
}

static void near(double found, double expected)
{
    cr_expect_float_eq(found, expected, 1e-9 * expected, "%.12g, not %.12g", found, expected);
}

Test(predict, the_same_machine_takes_the_same_time)
{
    struct attune_result_line line = dense();
    near(predict(&line, &base).seconds, 20);
    near(predict(&line, &base).roof_seconds, 10);
    cr_expect_eq(predict(&line, &base).bound, ATTUNE_ROOF_FMA);
    explain(&line, "score", 8);
    explain(&line, "softmax", 6);
    explain(&line, "weighted_sum", 4);
    explain(&line, "other", 3);
    near(predict(&line, &base).seconds, 20);
}

Test(predict, each_part_follows_its_own_roof)
{
    struct attune_roof_set there = base;
    struct attune_result_line line = dense();
    explain(&line, "score", 8);
    explain(&line, "softmax", 6);
    explain(&line, "weighted_sum", 4);
    explain(&line, "other", 2);
    there.rate[ATTUNE_ROOF_FMA] = 200;
    near(predict(&line, &there).seconds, 4 + 6 + 2 + 1);
    there.rate[ATTUNE_ROOF_EXP] = 60;
    near(predict(&line, &there).seconds, 4 + 2 + 2 + 1);
    /* The parts need not add up to the fastest sample: they divide it. */
    line.min_s = 40;
    near(predict(&line, &there).seconds, 2 * (4 + 2 + 2 + 1));
}

Test(predict, reads_bind_where_the_cache_is_too_small)
{
    struct attune_roof_set there = base;
    struct attune_result_line line = dense();
    there.rate[ATTUNE_ROOF_FMA] = 1e6; /* arithmetic costs nothing: 300 bytes from L2 take 0.6 s */
    near(predict(&line, &there).seconds, 20 * 0.6 / 10);
    cr_expect_eq(predict(&line, &there).bound, ATTUNE_ROOF_L2);
    there.cache[1] = 299;
    near(predict(&line, &there).seconds, 20 * 1.5 / 10);
    cr_expect_eq(predict(&line, &there).bound, ATTUNE_ROOF_L3);
    there.cache[2] = 299;
    near(predict(&line, &there).roof_seconds, 7.5);
    cr_expect_eq(predict(&line, &there).bound, ATTUNE_ROOF_DRAM);
}

Test(predict, the_tanh_score_has_its_own_roof)
{
    struct attune_roof_set there = base;
    struct attune_result_line line = dense();
    line.arithmetic_unit = "tanh";
    near(predict(&line, &there).roof_seconds, 20);
    there.rate[ATTUNE_ROOF_TANH] = 100;
    near(predict(&line, &there).seconds, 10);
    there.rate[ATTUNE_ROOF_FMA] = 1e9;
    near(predict(&line, &there).seconds, 10);
}

Test(predict, nothing_where_a_roof_is_not_known)
{
    struct attune_roof_set there = base;
    struct attune_prediction prediction;
    struct attune_result_line line = dense();
    there.rate[ATTUNE_ROOF_FMA] = 0;
    cr_expect_not(attune_predict(&line, &base, &there, &prediction));
    cr_expect_not(attune_predict(&line, &there, &base, &prediction));
    line.outcome = "wrong";
    cr_expect_not(attune_predict(&line, &base, &base, &prediction));
}

/* A machine that is twice as fast with two threads in all but one case, which the model cannot
 * know. */
Test(predict, its_error_is_told)
{
    char text[8192];
    int length =
        snprintf(text, sizeof text,
                 "{\"format\":1,\"kind\":\"machine\",\"id\":\"m\",\"hardware\":\"h\",\"time\":"
                 "\"t\",\"cpu\":{},\"caches\":{},\"topology\":{}}\n");
    for (int i = 0; i < 3; i++)
        for (int threads = 1; threads <= 2; threads++)
            length += snprintf(
                text + length, sizeof text - (size_t)length,
                "{\"format\":1,\"kind\":\"result\",\"machine\":\"m\",\"case\":\"c%d\","
                "\"family\":\"f\",\"spec\":\"s%d\",\"engine\":\"attune\",\"dtype\":\"f32\","
                "\"threads\":%d,\"isa\":\"avx2\",\"outcome\":\"ok\",\"min_s\":%g,\"median_s\":"
                "9,\"arithmetic\":1000,\"arithmetic_unit\":\"flop\",\"bytes\":1,\"roofs\":"
                "{\"fma\":%d,\"dram\":1000}}\n",
                i, i, threads,
                threads == 1 ? 4.0
                : i == 2     ? 1.6
                             : 2.0,
                100 * threads);
    struct attune_results results = {0};
    struct attune_predict_error error;
    cr_assert_eq(attune_results_parse(text, (size_t)length, &results), ATTUNE_OK);
    attune_predict_check(&results, &error);
    cr_expect_eq(error.cases, 6);
    cr_expect_float_eq(error.median, 0, 1e-9);
    cr_expect_float_eq(error.worst, 0.25, 1e-9);
    attune_results_free(&results);
}

Test(predict, compare_says_that_it_is_one)
{
    cli_run(&outcome, "compare", EXAMPLE, "--machine", OTHER, NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect(strstr(outcome.out, "A prediction, not a measurement"));
    cr_expect(strstr(outcome.out, "the same model errs by"));
    /* prefill/d64/t512: all roofs there are 1.6 times as high. */
    cr_expect(strstr(outcome.out,
                     "4.92 ms        1      3.07 ms      1.60    84 % of fma   prefill/d64/t512"),
              "%s", outcome.out);
    cli_run(&outcome, "compare", EXAMPLE, "--machine", OTHER, "--markdown", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect(
        strstr(outcome.out, "prefill/d64/t512 | 1 | 4.92 ms | 1 | 3.07 ms | 1.60 | 84 % of fma |"));
}

/* The page in a folder, since it is more than the outcome holds. */
Test(predict, report_marks_it)
{
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *page = cli_folder_path(&folder, "page.html");
    cli_run(&outcome, "report", EXAMPLE, "--machine", OTHER, "-o", page, NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    static char text[1 << 20];
    FILE *file = fopen(page, "r");
    cr_assert_not_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    cr_expect(strstr(text, "card prediction"));
    cr_expect(strstr(text, "A prediction, not a measurement"));
    cr_expect(strstr(text, ">3.07 ms</td><td data-n=\"1.6\">1.60"),
              "no prediction of prefill/d64/t512");
    cli_folder_remove(&folder);
}

static void save(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static void refused(const char *word)
{
    cr_expect_eq(outcome.code, 2, "exit code %d: %s", outcome.code, outcome.err);
    cr_expect(cli_is_one_line(outcome.err), "not one line: %s", outcome.err);
    cr_expect(strstr(outcome.err, word), "does not say '%s': %s", word, outcome.err);
}

Test(predict, what_is_refused)
{
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *file = cli_folder_path(&folder, "a.jsonl"),
               *page = cli_folder_path(&folder, "p.html");
    save(file, "{\"format\":1,\"kind\":\"machine\",\"id\":\"m\",\"hardware\":\"h\",\"time\":\"t\","
               "\"cpu\":{},"
               "\"caches\":{},\"topology\":{}}\n");
    for (int i = 0; i < 2; i++) {
        if (i)
            cli_run(&outcome, "report", EXAMPLE, "-o", page, "--machine", file, NULL);
        else
            cli_run(&outcome, "compare", EXAMPLE, "--machine", file, NULL);
        refused("no roof line of fma");
    }
    save(file, "{}\n");
    cli_run(&outcome, "report", EXAMPLE, "-o", page, "--machine", file, NULL);
    refused("line 1");
    cli_run(&outcome, "report", EXAMPLE, "-o", page, "--machine", cli_folder_path(&folder, "none"),
            NULL);
    refused("none");
    cli_run(&outcome, "compare", EXAMPLE, "--machine", OTHER, "--json", NULL);
    refused("--machine");
    cr_expect_eq(cli_folder_count(&folder), 1, "a page was left behind");
    cli_folder_remove(&folder);
}
