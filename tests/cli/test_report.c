/* SPDX-License-Identifier: Apache-2.0
 *
 * attune report: what the page holds and says is missing, that text from files stays text, and what
 * is refused. How a browser takes it is report.sh's.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define EXAMPLE ATTUNE_SOURCE "/tests/cli/results/example.jsonl"
#define OTHER ATTUNE_SOURCE "/tests/cli/results/other_machine.jsonl"
#define MACHINE                                                                                    \
    "{\"format\":1,\"kind\":\"machine\",\"id\":\"m\",\"hardware\":\"h\","                          \
    "\"time\":\"2026-11-26T11:05:00Z\",\"cpu\":{},\"caches\":{},\"topology\":{}}\n"

static struct cli_outcome outcome;

static char *whole(const char *path)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s is not there", path);
    char *text = calloc(1, 4 << 20);
    const size_t size = fread(text, 1, (4 << 20) - 1, file);
    fclose(file);
    cr_assert_gt(size, 0);
    return text;
}

static void save(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static int count(const char *text, const char *what)
{
    int found = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        found++;
    return found;
}

Test(report, every_section_of_the_example)
{
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *page = cli_folder_path(&folder, "page.html");
    cli_run(&outcome, "report", EXAMPLE, "-o", page, "--machine", OTHER, "--picture",
            ATTUNE_DATA "/g2p_additive.safetensors", "--entry", "throughput", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    char *text = whole(page);
    static const struct {
        const char *what;
        int times;
    } expected[] = {
        {"data-card=\"machine\"", 1},
        {"data-chart=\"roofline\"", 4},
        {"data-chart=\"bars\"", 12},
        {"data-chart=\"threads\"", 1},
        {"data-chart=\"lengths\"", 2},
        {"data-chart=\"stages\"", 2},
        {"data-chart=\"heatmap\"", 1},
        {"data-table=\"results\"", 1},
        {"data-card=\"prediction\"", 1},
        {"What is not here", 0},
        {"<script", 1},
        {"</script", 1},
        {"</html>", 1},
        {"http:", 0},
        {"https:", 0},
        {" src=", 0},
        {"data-chart=\"alignment\"", 1},
        {"TH attends to t: 0.962", 1},
        /* The picture's style reaches nothing else. */
        {"}text{", 0},
        {"#picture text{", 1},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        cr_expect_eq(count(text, expected[i].what), expected[i].times, "%s: %d times, not %d",
                     expected[i].what, count(text, expected[i].what), expected[i].times);
    /* Every chart has a name and a description for those who do not see it. */
    cr_expect_eq(count(text, "role=\"img\""), count(text, "<desc"));
    /* prefill/d64/t512 on one thread: 536.9 MFLOP in 4.916 ms, 84 % of the roof. */
    cr_expect_eq(count(text, "fastest 4.92 ms, median 4.98 ms"), 1);
    cr_expect_geq(count(text, "109 GFLOP/s"), 1);
    cr_expect_eq(count(text, "prefill/d64/t512: 109 GFLOP/s, 4.92 ms, 84 % of fma, 256 flop/byte"),
                 1);
    cr_expect_geq(count(text, "width=\"34.44%\""), 1, "a bar of 84 %% of its 41 %%");
    cr_expect_eq(count(text, "q block 168, kv block 384: 4.10 ms, 1.000 times the fastest"), 1);
    free(text);
    cli_folder_remove(&folder);
}

Test(report, several_files_and_machines)
{
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *page = cli_folder_path(&folder, "page.html");
    cli_run(&outcome, "report", EXAMPLE, OTHER, "--title", "A & B", "-o", page, NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    char *text = whole(page);
    cr_expect_eq(count(text, "data-card=\"machine\""), 2);
    cr_expect_eq(count(text, "<title>A &amp; B</title>"), 1);
    cr_expect_eq(count(text, "<h1>A &amp; B</h1>"), 1);
    free(text);
    cli_folder_remove(&folder);
}

Test(report, what_is_missing_is_said)
{
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *page = cli_folder_path(&folder, "page.html"), *file = cli_folder_path(&folder, "a");
    save(file, MACHINE "{\"format\":7,\"kind\":\"fairy tale\"}\n");
    cli_run(&outcome, "report", file, "-o", page, NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    char *text = whole(page);
    static const char *const missing[] = {"rooflines:",
                                          "other engines:",
                                          "scaling over threads:",
                                          "scaling over length:",
                                          "where the time goes:",
                                          "landscape:",
                                          "the table:",
                                          "an alignment",
                                          "what another CPU",
                                          "fairy tale"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        cr_expect_eq(count(text, missing[i]), 1, "does not say that it misses '%s'", missing[i]);
    cr_expect_eq(count(text, "data-chart="), 0);
    free(text);
    cli_folder_remove(&folder);
}

/* Every text of a line in turn tries to become markup, in every section that shows it. */
Test(report, text_stays_text)
{
    static const char evil[] = "</title></desc></text></td><script>alert(1)</script><b x='\\\" y=";
    static const char *const fields[] = {"name",   "family",  "spec", "engine", "version", "isa",
                                         "choice", "kernels", "unit", "bound",  "label",   "key"};
    enum { FIELDS = sizeof fields / sizeof *fields };
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *page = cli_folder_path(&folder, "page.html"), *file = cli_folder_path(&folder, "a");
    static char lines[65536];
    for (int hostile = 0; hostile < FIELDS; hostile++) {
        static const char *const fine[FIELDS] = {"prefill/d64/t64",
                                                 "prefill",
                                                 "self:dot,t=64,d=64",
                                                 "attune",
                                                 "1",
                                                 "avx2",
                                                 "model",
                                                 "k",
                                                 "flop",
                                                 "fma",
                                                 "here",
                                                 "key"};
        const char *value[FIELDS];
        for (int i = 0; i < FIELDS; i++)
            value[i] = i == hostile ? evil : fine[i];
        int length =
            snprintf(lines, sizeof lines,
                     "{\"format\":1,\"kind\":\"machine\",\"id\":\"m\",\"hardware\":\"h\","
                     "\"label\":\"%s\",\"time\":\"%s\",\"cpu\":{\"brand\":\"%s\",\"features\":"
                     "[\"%s\"]},\"caches\":{},\"topology\":{},\"libraries\":{\"%s\":\"%s\"},"
                     "\"system\":{\"kernel\":\"%s\"}}\n"
                     "{\"format\":1,\"kind\":\"roof\",\"machine\":\"m\",\"isa\":\"%s\","
                     "\"threads\":1,\"roof\":\"fma\",\"unit\":\"flop\",\"rate\":1e9}\n"
                     "{\"format\":1,\"kind\":\"landscape\",\"machine\":\"m\",\"key\":\"%s\","
                     "\"isa\":\"%s\",\"threads\":1,\"points\":[{\"q_block\":1,\"kv_block\":2,"
                     "\"seconds\":1}]}\n",
                     value[10], value[10], value[10], value[10], value[10], value[10], value[10],
                     value[5], value[11], value[5]);
        for (int line = 0; line < 6; line++)
            length += snprintf(
                lines + length, sizeof lines - (size_t)length,
                "{\"format\":1,\"kind\":\"result\",\"machine\":\"m\",\"case\":\"%s%s\",\"family\":"
                "\"%s\",\"spec\":\"%s%s\",\"engine\":\"%s\",\"version\":\"%s\",\"dtype\":\"f32\","
                "\"threads\":%d,\"isa\":\"%s\",\"choice\":\"%s\",\"kernels\":\"%s\",\"outcome\":"
                "\"%s\",\"reason\":\"%s\",\"min_s\":1e-3,\"median_s\":2e-3,\"low_s\":1e-3,\"high_"
                "s\":"
                "3e-3,\"samples\":3,\"work\":1e6,\"work_unit\":\"%s\",\"bound_by\":\"%s\",\"roof\":"
                "1e10,"
                "\"share\":0.1,\"arithmetic\":1e6,\"arithmetic_unit\":\"flop\",\"bytes\":1e4,"
                "\"roofs\":"
                "{\"%s\":1e10,\"dram\":1e9},\"explain\":{\"score\":1,\"%s\":2}}\n",
                value[0], line == 3 ? "8" : "", value[1], value[2], line == 3 ? "8" : "",
                line == 1 ? "other" : value[3], value[4], line == 2 ? 2 : 1, value[5], value[6],
                value[7], line == 5 ? "failed" : "ok", evil, value[8], value[9], value[9],
                value[9]);
        save(file, lines);
        cli_run(&outcome, "report", file, "--title", evil, "-o", page, NULL);
        cr_assert_eq(outcome.code, 0, "%s: %s", fields[hostile], outcome.err);
        char *text = whole(page);
        cr_expect_eq(count(text, "<script"), 1, "%s became markup", fields[hostile]);
        cr_expect_eq(count(text, "alert(1)<"), 0, "%s became markup", fields[hostile]);
        cr_expect_eq(count(text, "<b x"), 0, "%s became markup", fields[hostile]);
        cr_expect_gt(count(text, "&lt;script&gt;"), 0, "%s is not shown", fields[hostile]);
        free(text);
    }
    cli_folder_remove(&folder);
}

Test(report, numbers_at_the_edges_of_what_files_may_hold)
{
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *page = cli_folder_path(&folder, "page.html"), *file = cli_folder_path(&folder, "a");
    static char lines[65536];
    static const char *const numbers[] = {"0", "1e-300", "1e300", "1", "3", "1e12"};
    int length = snprintf(lines, sizeof lines, "%s", MACHINE);
    for (int i = 0; i < 36; i++)
        length += snprintf(
            lines + length, sizeof lines - (size_t)length,
            "{\"format\":1,\"kind\":\"result\",\"machine\":\"m\",\"case\":\"c/"
            "t%d\",\"family\":\"f\","
            "\"spec\":\"self:dot,t=%s,d=64\",\"engine\":\"%s\",\"dtype\":\"f32\",\"threads\":%s,"
            "\"isa\":"
            "\"avx2\",\"outcome\":\"ok\",\"min_s\":1e-300,\"median_s\":%s,\"low_s\":%s,\"high_s\":%"
            "s,"
            "\"work\":%s,\"work_unit\":\"flop\",\"share\":%s,\"arithmetic\":%s,\"arithmetic_unit\":"
            "\"flop\",\"bytes\":%s,\"roofs\":{\"fma\":%s,\"l1\":%s,\"dram\":%s},\"explain\":{\"a\":"
            "%s}}\n",
            i % 4, numbers[i % 6], i % 2 ? "attune" : "other", numbers[i / 6],
            i % 6 < 2 ? "1e-300" : numbers[i % 6], numbers[i % 5], numbers[i % 6], numbers[i / 6],
            numbers[(i + 1) % 6], numbers[i % 6], numbers[(i + 2) % 6], numbers[(i + 3) % 6],
            numbers[i / 6], numbers[i % 6], numbers[i % 6]);
    save(file, lines);
    cli_run(&outcome, "report", file, "-o", page, NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    char *text = whole(page);
    cr_expect_eq(count(text, "=\"nan"), 0, "a coordinate is no number");
    cr_expect_eq(count(text, "=\"-nan"), 0, "a coordinate is no number");
    cr_expect_eq(count(text, "=\"inf"), 0, "a coordinate is infinite");
    free(text);
    cli_folder_remove(&folder);
}

static void refused(int code, const char *word)
{
    cr_expect_eq(outcome.code, code, "exit code %d, not %d: %s", outcome.code, code, outcome.err);
    cr_expect(cli_is_one_line(outcome.err), "not one line: %s", outcome.err);
    cr_expect(strstr(outcome.err, word), "does not name '%s': %s", word, outcome.err);
    cr_expect_str_eq(outcome.out, "");
}

Test(report, what_is_refused)
{
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *file = cli_folder_path(&folder, "a.jsonl");
    const char *page = cli_folder_path(&folder, "page.html");
    cli_run(&outcome, "report", NULL);
    refused(2, "at least one file");
    cli_run(&outcome, "report", cli_folder_path(&folder, "absent"), "-o", page, NULL);
    refused(2, "absent");
    save(file, MACHINE "{\"format\":1,\"kind\":\"roof\"}\n");
    cli_run(&outcome, "report", file, "-o", page, NULL);
    refused(2, "line 2: machine");
    save(file, MACHINE);
    cli_run(&outcome, "report", file, "-o", page, "--picture", file, NULL);
    refused(2, "a.jsonl");
    cli_run(&outcome, "report", file, "-o", page, "--entry", "word", NULL);
    refused(2, "--entry");
    cli_run(&outcome, "report", file, "-o", file, NULL);
    refused(2, "would replace it");
    cli_run(&outcome, "report", ATTUNE_SOURCE "/bench/results/zen5-2c-peers.jsonl", "--picture", file,
            "-o", file, NULL);
    refused(2, "would replace it");
    cli_run(&outcome, "report", ATTUNE_SOURCE "/bench/results/zen5-2c-peers.jsonl", "--machine", file,
            "-o", file, NULL);
    refused(2, "would replace it");
    cli_run(&outcome, "report", file, "-o", cli_folder_path(&folder, "no/such/folder"), NULL);
    refused(4, "cannot write");
    cr_expect_eq(cli_folder_count(&folder), 1, "something was left behind");
    cli_folder_remove(&folder);
}

Test(report, tables_and_picture_for_a_readme)
{
    cli_run(&outcome, "report", EXAMPLE, "--markdown", "-o", "-", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect(strstr(outcome.out, "| problem | unit | attune | pytorch | Attune, of the roof |"));
    cr_expect(
        strstr(outcome.out, "| `self:dot,h=8,t=512,d=64` | GFLOP/s | **109** | 81.9 | 84 % |"),
        "%s", outcome.out);
    cr_expect(strstr(outcome.out, "Versions: attune 0.1.0, pytorch 2.13.0."));
    cli_run(&outcome, "report", EXAMPLE, "--figure", "-o", "-", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect_eq(count(outcome.out, "<title>attune 0.1.0: "), 6);
    cr_expect_eq(count(outcome.out, "<svg "), 7);
    cr_expect_eq(count(outcome.out, "</svg>"), 7);
}

Test(report, no_table_without_another_engine)
{
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *file = cli_folder_path(&folder, "a.jsonl"), *out = cli_folder_path(&folder, "out");
    save(file, MACHINE);
    for (int i = 0; i < 2; i++) {
        cli_run(&outcome, "report", file, i ? "--figure" : "--markdown", "-o", out, NULL);
        refused(2, "another engine");
    }
    cr_expect_eq(cli_folder_count(&folder), 1);
    cli_folder_remove(&folder);
}

Test(report, to_standard_output)
{
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *file = cli_folder_path(&folder, "a.jsonl");
    save(file, MACHINE);
    cli_run(&outcome, "report", file, "-o", "-", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect_eq(strncmp(outcome.out, "<!doctype html>", 15), 0);
    cli_folder_remove(&folder);
}
