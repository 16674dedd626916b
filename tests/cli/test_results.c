/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of results: writer and reader against the documented fields, tolerance of what is new,
 * and one clear error for what is wrong.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result_file.h"
#include "support.h"

#define MACHINE                                                                                    \
    "{\"format\":1,\"kind\":\"machine\",\"id\":\"m\",\"hardware\":\"h\",\"time\":\"t\","           \
    "\"cpu\":{},\"caches\":{},\"topology\":{}}\n"
#define RESULT                                                                                     \
    "{\"format\":1,\"kind\":\"result\",\"machine\":\"m\",\"case\":\"c\",\"family\":\"f\","         \
    "\"spec\":\"s\",\"engine\":\"attune\",\"dtype\":\"f32\",\"threads\":1,\"isa\":\"avx2\","       \
    "\"outcome\":\"ok\",\"min_s\":1,\"median_s\":2"

static struct attune_results results;

static enum attune_status parse(const char *text)
{
    attune_results_free(&results);
    return attune_results_parse(text, strlen(text), &results);
}

static char *schema(void)
{
    FILE *file = fopen(ATTUNE_SOURCE "/bench/results/SCHEMA.md", "re");
    cr_assert_not_null(file);
    char *text = calloc(1, 1 << 16);
    cr_assert_gt(fread(text, 1, (1 << 16) - 1, file), 0);
    (void)fclose(file);
    return text;
}

/* 2: documented as required, 1: as optional, 0: not at all; `count` becomes how many there are. */
static int documented(const char *text, enum attune_result_kind kind, const char *name, int *count)
{
    char head[64], bold[64], plain[64], pair[64];
    (void)snprintf(head, sizeof head, "\n## %s\n", attune_line_word(kind));
    (void)snprintf(bold, sizeof bold, "| **`%s`** |", name);
    (void)snprintf(plain, sizeof plain, "| `%s` |", name);
    (void)snprintf(pair, sizeof pair, "`%s`", name);
    const char *from = strstr(text, head);
    int found = 0;
    cr_assert_not_null(from, "no section %s", head);
    *count = 0;
    for (const char *line = strchr(from + strlen(head), '\n'); line && strncmp(line, "\n## ", 4);
         line = strchr(line + 1, '\n')) {
        if (strncmp(line + 1, "| `", 3) != 0 && strncmp(line + 1, "| **`", 5) != 0)
            continue;
        /* The first cell may name two fields. */
        const char *end = strchr(line + 3, '|');
        for (const char *c = line + 1; c < end; c++)
            *count += c[0] == '`' && c[1] != ',' && c[1] != ' ' && c[1] != '*' && c + 1 < end;
        char cell[128];
        (void)snprintf(cell, sizeof cell, "%.*s", (int)(end - line - 1), line + 1);
        if (strncmp(line + 1, bold, strlen(bold)) == 0)
            found = 2;
        else if (strncmp(line + 1, plain, strlen(plain)) == 0 || strstr(cell, pair))
            found = 1;
    }
    return found;
}

Test(results, every_field_is_documented_and_no_other)
{
    char *text = schema();
    for (int kind = 0; kind < ATTUNE_LINE_KINDS; kind++) {
        int required = 0, count = 0, fields = 0;
        const char *name;
        for (; (name = attune_line_field(kind, fields, &required)) != NULL; fields++)
            cr_expect_eq(documented(text, kind, name, &count), 1 + required, "%s: %s is %s",
                         attune_line_word(kind), name,
                         required ? "required, not in bold" : "optional, in bold or missing");
        cr_expect_eq(count, fields, "%s: %d fields in SCHEMA.md, %d in the program",
                     attune_line_word(kind), count, fields);
    }
    free(text);
}

Test(results, what_is_written_is_read)
{
    double seconds[] = {2e-3, 2.5e-3}, roofs[] = {1e9, 2e9};
    const struct attune_result_line line = {
        .machine = "m", .name = "prefill/d64/t16", .family = "prefill", .spec = "self:dot,t=16,d=64",
        .engine = "attune", .dtype = "f32", .threads = 3, .isa = "avx2", .outcome = "ok",
        .min_s = 2e-3, .median_s = 2.25e-3, .low_s = NAN, .high_s = NAN, .noise = 0.0125,
        .samples = 2, .calls = NAN, .settled = 1, .work = 1e6, .work_unit = "flop",
        .bound_by = "fma", .roof = 2e9, .share = 0.25, .pairs = NAN, .arithmetic = NAN,
        .bytes = NAN, .error_over_bound = 0.5,
        .explain = {.at = {{"score", 1e-3}, {"other", 1.25e-3}}, .count = 2},
        .round_s = {seconds, 2}, .round_roof = {roofs, 2}};
    char file[4096];
    char *text = attune_line_text(ATTUNE_LINE_RESULT, &line);
    cr_assert_not_null(text);
    (void)snprintf(file, sizeof file, MACHINE "%s\n", text);
    cr_assert_eq(parse(file), ATTUNE_OK, "%s", attune_error_detail());
    const struct attune_result_line *got = &results.result[0];
    cr_expect_str_eq(got->name, "prefill/d64/t16");
    cr_expect_eq(got->threads, 3);
    cr_expect_eq(got->min_s, 2e-3);
    cr_expect(isnan(got->low_s), "absent numbers are NaN");
    cr_expect_null(got->version, "absent texts are NULL");
    cr_expect_eq(got->settled, 1);
    cr_expect_eq(got->explain.count, 2);
    cr_expect_str_eq(got->explain.at[1].name, "other");
    cr_expect_eq(got->explain.at[1].value, 1.25e-3);
    cr_expect_eq(got->round_roof.count, 2);
    cr_expect_eq(got->round_roof.value[1], 2e9);
    char *again = attune_line_text(ATTUNE_LINE_RESULT, got);
    cr_expect_str_eq(again, text);
    free(again);
    free(text);
    attune_results_free(&results);
}

Test(results, a_line_without_a_required_field_is_not_written)
{
    const struct attune_roof_line line = {.machine = "m", .isa = "avx2", .threads = 1,
                                          .roof = "fma", .unit = NULL, .rate = 1};
    cr_expect_null(attune_line_text(ATTUNE_LINE_ROOF, &line));
}

Test(results, what_is_new_is_passed_over)
{
    cr_assert_eq(parse("{\"format\":1,\"kind\":\"weather\",\"sun\":true}\n" RESULT
                       ",\"colour\":\"red\",\"noise\":null}\n\n" MACHINE
                       "{\"format\":2,\"kind\":\"result\",\"case\":\"later\"}\n"),
                 ATTUNE_OK, "%s", attune_error_detail());
    cr_expect_eq(results.count[ATTUNE_LINE_RESULT], 1);
    cr_expect(isnan(results.result[0].noise));
    cr_expect_eq(results.foreigns, 2);
    cr_expect_str_eq(results.foreign[0].kind, "weather");
    cr_expect_eq(results.foreign[1].format, 2);
    cr_expect_str_eq(results.foreign[1].name, "later");
    cr_expect_eq(results.foreign[1].line, 5);
    attune_results_free(&results);
}

Test(results, files_merge_by_concatenation)
{
    static const char *const names[] = {"example", "other_machine"};
    struct attune_results all = {0};
    for (int i = 0; i < 2; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, ATTUNE_SOURCE "/tests/cli/results/%s.jsonl", names[i]);
        cr_assert_eq(attune_results_read(path, &all), ATTUNE_OK, "%s", attune_error_detail());
        cr_assert_eq(all.count[ATTUNE_LINE_MACHINE], i + 1);
        cr_assert_eq(all.count[ATTUNE_LINE_RESULT], 28 * (i + 1));
        cr_assert_eq(all.count[ATTUNE_LINE_ROOF], 14 * (i + 1));
        cr_assert_eq(all.count[ATTUNE_LINE_LANDSCAPE], i + 1);
    }
    cr_assert_eq(all.landscape[1].points.count, 30);
    cr_assert_eq(attune_results_machine(&all, all.result[40].machine), &all.machine[1]);
    attune_results_free(&all);
}

Test(results, texts_cannot_move_the_cursor)
{
    cr_assert_eq(parse(MACHINE RESULT ",\"reason\":\"a\\u001b[31m\\n\\\\n\\u0085\"}\n"), ATTUNE_OK,
                 "%s", attune_error_detail());
    cr_expect_str_eq(results.result[0].reason, "a      [31m  \\n      ");
    attune_results_free(&results);
}

static const struct {
    const char *text, *word;
} wrong[] = {
    {"", "no line describes a machine"},
    {"hello\n", "line 1"},
    {"[1]\n", "line 1: is not a JSON object"},
    {"{\"a\":1}\n", "line 1: format"},
    {"{\"format\":1}\n", "line 1: kind"},
    {"{\"format\":\"1\",\"kind\":\"machine\"}\n", "line 1: format"},
    {MACHINE "{\"format\":1,\"format\":1}\n", "line 2"},
    {MACHINE RESULT, "line 2"},
    {"{\"format\":1,\"kind\":\"machine\",\"id\":\"m\"}\n", "line 1: hardware: missing"},
    {MACHINE RESULT ",\"noise\":\"much\"}\n", "line 2: noise: is not a number"},
    {MACHINE RESULT ",\"noise\":-1}\n", "line 2: noise"},
    {MACHINE RESULT ",\"noise\":1e999}\n", "line 2"},
    {MACHINE RESULT ",\"settled\":1}\n", "line 2: settled: is not true or false"},
    {MACHINE RESULT ",\"explain\":[1]}\n", "line 2: explain"},
    {MACHINE RESULT ",\"explain\":{\"a\":\"b\"}}\n", "line 2: explain"},
    {MACHINE RESULT ",\"round_s\":{}}\n", "line 2: round_s: is not an array"},
    {MACHINE RESULT ",\"round_s\":[1,null]}\n", "line 2: round_s"},
    {MACHINE RESULT ",\"round_s\":[1,1],\"round_roof\":[1]}\n", "line 2: round_roof"},
    {MACHINE RESULT ",\"bound_by\":\"fma\"}\n", "line 2: work"},
    {MACHINE "{\"format\":1,\"kind\":\"roof\",\"machine\":\"n\",\"isa\":\"\",\"threads\":1,"
             "\"roof\":\"fma\",\"unit\":\"flop\",\"rate\":1}\n",
     "machine: no line describes the machine 'n'"},
    {MACHINE "{\"format\":1,\"kind\":\"landscape\",\"machine\":\"m\",\"key\":\"k\",\"isa\":\"\","
             "\"threads\":1,\"points\":[{\"q_block\":1}]}\n",
     "line 2: points"},
};

Test(results, what_is_wrong_is_named)
{
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_eq(parse(wrong[i].text), ATTUNE_ERROR_INVALID, "%zu: %s", i, wrong[i].text);
        cr_expect_not_null(strstr(attune_error_detail(), wrong[i].word), "%zu: no '%s' in: %s", i,
                           wrong[i].word, attune_error_detail());
    }
    attune_results_free(&results);
}

/* Every prefix of a good file is read or refused; none reads beyond its end. */
Test(results, cut_files_are_refused_or_read)
{
    const char *whole = MACHINE RESULT ",\"round_s\":[1,2],\"explain\":{\"score\":1}}\n";
    for (size_t length = 0; length <= strlen(whole); length++) {
        char *copy = malloc(length + 1);
        memcpy(copy, whole, length);
        attune_results_free(&results);
        const enum attune_status status = attune_results_parse(copy, length, &results);
        cr_expect(status == ATTUNE_OK || status == ATTUNE_ERROR_INVALID);
        free(copy);
    }
    attune_results_free(&results);
}

/* What the command writes is what SCHEMA.md says. */
Test(results, the_command_writes_documented_lines)
{
    static struct cli_outcome outcome;
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *path = cli_folder_path(&folder, "out.jsonl");
    cli_run(&outcome, "bench", "--spec", "self:dot,h=2,t=24,d=16,c=32", "--spec",
            "additive,t=8,a=8", "--seconds", "0.02", "--threads", "1", "--explain", "--label", "here",
            "-o", path, NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    attune_results_free(&results);
    cr_assert_eq(attune_results_read(path, &results), ATTUNE_OK, "%s", attune_error_detail());
    cr_assert_eq(results.count[ATTUNE_LINE_MACHINE], 1);
    cr_assert_eq(results.count[ATTUNE_LINE_RESULT], 2);
    cr_assert_eq(results.foreigns, 0);
    cr_expect_str_eq(results.machine[0].label, "here");
    cr_expect_eq(results.count[ATTUNE_LINE_ROOF] % 7, 0, "seven roofs by instruction set");
    for (size_t i = 0; i < json_array_size(results.lines); i++) {
        const char *key;
        json_t *value, *line = json_array_get(results.lines, i);
        const char *word = json_string_value(json_object_get(line, "kind"));
        json_object_foreach(line, key, value)
        {
            int known = strcmp(key, "format") == 0 || strcmp(key, "kind") == 0, required;
            for (int kind = 0; kind < ATTUNE_LINE_KINDS; kind++)
                for (int f = 0; attune_line_field(kind, f, &required); f++)
                    known |= strcmp(attune_line_word(kind), word) == 0 &&
                             strcmp(attune_line_field(kind, f, &required), key) == 0;
            cr_expect(known, "%s: %s is not documented", word, key);
        }
    }
    const struct attune_result_line *line = &results.result[0];
    double sum = 0;
    for (int32_t i = 0; i < line->explain.count; i++)
        sum += line->explain.at[i].value;
    cr_expect_gt(sum, 0);
    cr_expect_str_eq(line->explain.at[0].name, "projection");
    cr_expect_eq(line->round_s.count, line->round_roof.count);
    cr_expect_leq(line->low_s, line->median_s);
    cr_expect_geq(line->high_s, line->median_s);
    attune_results_free(&results);
    cli_folder_remove(&folder);
}
