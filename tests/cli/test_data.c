/* SPDX-License-Identifier: Apache-2.0
 *
 * The real problems of bench/data under --check, the report's forms, and a planted error.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static struct cli_outcome outcome;
static struct cli_file file;

Test(data, every_file_checks, .timeout = 600)
{
    DIR *dir = opendir(ATTUNE_DATA);
    struct dirent *entry;
    int problems = 0;

    cr_assert_not_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        char path[CLI_PATH];
        if (strstr(entry->d_name, ".safetensors") == NULL ||
            strcmp(entry->d_name, "g2p_model.safetensors") == 0)
            continue;
        (void)snprintf(path, sizeof path, ATTUNE_DATA "/%s", entry->d_name);
        cli_run(&outcome, "run", path, "--check", NULL);
        cr_expect_eq(outcome.code, 0, "%s: exit %d: %s%s", entry->d_name, outcome.code, outcome.out,
                     outcome.err);
        cr_expect_not_null(strstr(outcome.out, "against expected_out: ok"));
        cr_expect_not_null(strstr(outcome.out, "against expected_alignments: ok"));
        cr_expect_not_null(strstr(outcome.out, "against expected_lse: ok"));
        problems++;
    }
    (void)closedir(dir);
    cr_expect_eq(problems, 8);
}

Test(data, weights_are_no_problem)
{
    cli_run(&outcome, "run", ATTUNE_DATA "/g2p_model.safetensors", NULL);
    cr_expect_eq(outcome.code, 2);
    cr_expect_not_null(strstr(outcome.err, "attune.problem"));
    cr_expect(cli_is_one_line(outcome.err));
}

Test(data, json)
{
    json_error_t error;
    json_t *report, *check;

    cli_run(&outcome, "run", ATTUNE_DATA "/minilm_self.safetensors", "--json", "--check",
            "--repeat", "3", "--threads", "1", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    report = json_loads(outcome.out, JSON_REJECT_DUPLICATES, &error);
    cr_assert_not_null(report, "%s", error.text);
    cr_expect_str_eq(json_string_value(json_object_get(report, "mechanism")), "self");
    cr_expect_str_eq(json_string_value(json_object_get(report, "form")), "dot");
    cr_expect_eq(json_integer_value(json_object_get(json_object_get(report, "shape"), "h")), 12);
    cr_expect_eq(json_integer_value(json_object_get(report, "threads")), 1);
    cr_expect_eq(json_integer_value(json_object_get(report, "repeat")), 3);
    cr_expect_gt(json_real_value(json_object_get(report, "min_s")), 0);
    cr_expect_geq(json_real_value(json_object_get(report, "median_s")),
                  json_real_value(json_object_get(report, "min_s")));
    cr_expect_gt(json_string_length(json_object_get(report, "kernels")), 0);
    check = json_object_get(report, "check");
    cr_expect_eq(json_array_size(check), 3);
    for (size_t i = 0; i < json_array_size(check); i++)
        cr_expect(json_is_true(json_object_get(json_array_get(check, i), "ok")));
    json_decref(report);
}

#define Q "'q':{'dtype':'F32','shape':[1,1,2,4],'data_offsets':[0,32]}"
#define K "'k':{'dtype':'F32','shape':[1,1,3,4],'data_offsets':[32,80]}"
#define V "'v':{'dtype':'F32','shape':[1,1,3,1],'data_offsets':[80,92]}"

static void run_small(const char *problem, const char *more, size_t data, float at_end)
{
    struct cli_folder folder;
    char text[1024];

    (void)snprintf(text, sizeof text, Q "," K "," V "%s", more);
    cli_file_problem(&file, problem, text, data);
    if (data > 92)
        memcpy(file.bytes + file.size - 4, &at_end, 4);
    cli_folder_make(&folder);
    cli_file_save(&file, cli_folder_path(&folder, "problem"));
    cli_run(&outcome, "run", cli_folder_path(&folder, "problem"), "--check", NULL);
    cli_folder_remove(&folder);
}

/* Without expectations the float64 reference of the library stands in, and the text says so. */
Test(data, nothing_expected)
{
    run_small("{'mechanism':'self','outputs':['out','lse','alignments','scores']}", "", 92, 0);
    cr_expect_eq(outcome.code, 0, "%s%s", outcome.out, outcome.err);
    cr_expect_not_null(strstr(outcome.out, "float64 reference"));
    cr_expect_not_null(strstr(outcome.out, "no expected_lse in the file"));
}

/* Odd and extreme, and right all the same: strictness must not refuse these. */
Test(data, legal_fields)
{
    static const char *const problems[] = {
        "{'mechanism':'self','form':'dot','outputs':['scores','lse','alignments','out']}",
        "  { 'mechanism' : 'self' }  ",
        "{'outputs':['out'],'mechanism':'self'}",
        "{'mechanism':'s\\u0065lf'}",
        "{'mechanism':'self','score_scale':1,'output_scale':2}",
        "{'mechanism':'self','score_scale':-0.0,'output_scale':0}",
        "{'mechanism':'self','score_scale':-1.5e0}",
        "{'mechanism':'self','score_scale':1e39}",
        "{'mechanism':'self','score_scale':1e-320}",
        "{'mechanism':'self','softcap':0}",
        "{'mechanism':'self','softcap':30.0,'scores':'softcap','outputs':['scores']}",
        "{'mechanism':'self','scores':'raw','outputs':['scores']}",
        "{'mechanism':'self','causal':'none'}",
        "{'mechanism':'self','causal':'top_left','past':1}",
        "{'mechanism':'self','causal':'bottom_right','past':0}",
        "{'mechanism':'self','past':4611686018427387904}",
        "{'mechanism':'self','window_left':-1,'window_right':-1}",
        "{'mechanism':'self','window_left':0,'window_right':9223372036854775807}",
    };

    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        run_small(problems[i], "", 92, 0);
        cr_expect_eq(outcome.code, 0, "%s: exit %d: %s%s", problems[i], outcome.code, outcome.err,
                     outcome.out);
    }
}

/* Nothing to compute is something to answer: no batch, no queries, no keys. */
Test(data, empty)
{
    for (int which = 0; which < 8; which++) {
        int b = which & 1 ? 0 : 1, tq = which & 2 ? 0 : 2, tk = which & 4 ? 0 : 3;
        int q = b * tq * 16, k = q + b * tk * 16, v = k + b * tk * 4;
        struct cli_folder folder;
        char text[1024];
        (void)snprintf(text, sizeof text,
                       "'q':{'dtype':'F32','shape':[%d,1,%d,4],'data_offsets':[0,%d]},"
                       "'k':{'dtype':'F32','shape':[%d,1,%d,4],'data_offsets':[%d,%d]},"
                       "'v':{'dtype':'F32','shape':[%d,1,%d,1],'data_offsets':[%d,%d]}",
                       b, tq, q, b, tk, q, k, b, tk, k, v);
        cli_file_problem(&file,
                         "{'mechanism':'self','outputs':['out','alignments','lse','scores']}", text,
                         (size_t)v);
        cli_folder_make(&folder);
        cli_file_save(&file, cli_folder_path(&folder, "problem"));
        cli_run(&outcome, "run", cli_folder_path(&folder, "problem"), "--check", "-o",
                cli_folder_path(&folder, "result"), NULL);
        cr_expect_eq(outcome.code, 0, "b %d, t_q %d, t_k %d: exit %d: %s%s", b, tq, tk,
                     outcome.code, outcome.err, outcome.out);
        cr_expect_eq(cli_folder_count(&folder), 2);
        cli_folder_remove(&folder);
    }
}

/* A wrong expectation of an output that was not asked for is found all the same. */
Test(data, wrong_expectation)
{
    static const float wrong[] = {1e30f, -1e30f, 0.0f / 0.0f, 1.0f / 0.0f, 3.0f};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        run_small("{'mechanism':'self'}",
                  ",'expected_lse':{'dtype':'F32','shape':[1,1,2],'data_offsets':[92,100]}", 100,
                  wrong[i]);
        cr_expect_eq(outcome.code, 1, "%g: exit %d", (double)wrong[i], outcome.code);
        cr_expect_not_null(strstr(outcome.out, "FAILED"));
        cr_expect_str_empty(outcome.err);
    }
}

/* Tensors need no alignment in the file. */
Test(data, unaligned)
{
    struct cli_folder folder;

    for (int shift = 1; shift < 8; shift++) {
        char mask[512];
        (void)snprintf(mask, sizeof mask,
                       "'mask':{'dtype':'BOOL','shape':[%d,3],'data_offsets':[0,%d]},"
                       "'q':{'dtype':'F32','shape':[1,1,%d,4],'data_offsets':[%d,%d]},"
                       "'k':{'dtype':'F32','shape':[1,1,3,4],'data_offsets':[%d,%d]},"
                       "'v':{'dtype':'F32','shape':[1,1,3,1],'data_offsets':[%d,%d]}",
                       shift, shift * 3, shift, shift * 3, shift * 19, shift * 19, shift * 19 + 48,
                       shift * 19 + 48, shift * 19 + 60);
        cli_file_problem(&file, "{'mechanism':'self'}", mask, (size_t)shift * 19 + 60);
        for (int i = 0; i < shift * 19 + 60; i++) /* 0x3c3c3c3c is 0.0115 */
            file.bytes[file.size - 1 - (size_t)i] = 0x3c;
        cli_folder_make(&folder);
        cli_file_save(&file, cli_folder_path(&folder, "problem"));
        cli_run(&outcome, "run", cli_folder_path(&folder, "problem"), "--check", NULL);
        cr_expect_eq(outcome.code, 0, "shift %d: %s%s", shift, outcome.out, outcome.err);
        cli_folder_remove(&folder);
    }
}
