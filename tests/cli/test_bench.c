/* SPDX-License-Identifier: Apache-2.0
 *
 * attune bench: what it counts, what it prints, what it refuses. Never how fast anything is.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "bench/work.h"
#include "support.h"

static double field(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    cr_assert(json_is_number(value), "%s is no number", name);
    return json_number_value(value);
}

/* Every line of the output as an object; the caller drops it. */
static json_t *lines(const char *text)
{
    json_t *all = json_array();
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        json_error_t error;
        const char *end = strchr(line, '\n');
        cr_assert_not_null(end, "the last line has no end");
        json_t *object = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, &error);
        cr_assert(json_is_object(object), "no JSON object: %s", error.text);
        json_array_append_new(all, object);
    }
    return all;
}

static void check_line(const json_t *line, const char *spec)
{
    const char *levels[] = {"l1", "l2", "l3", "dram"};
    const json_t *roofs = json_object_get(line, "roofs");
    cr_assert_str_eq(json_string_value(json_object_get(line, "spec")), spec);
    cr_assert_eq(field(line, "threads"), 1);
    cr_assert_gt(json_string_length(json_object_get(line, "kernels")), 0);
    cr_assert_gt(field(line, "min_s"), 0);
    cr_assert_leq(field(line, "min_s"), field(line, "median_s"));
    cr_assert_leq(field(line, "error_over_bound"), 1);
    cr_assert_float_eq(field(line, "share") * field(line, "roof") * field(line, "min_s") /
                           field(line, "work"),
                       1, 1e-6);
    cr_assert_gt(field(roofs, "fma"), 0);
    cr_assert_gt(field(roofs, "tanh"), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_geq(field(roofs, levels[i]), field(roofs, levels[i + 1]));
    cr_assert_gt(field(roofs, "dram"), 0);
    const char *bound_by = json_string_value(json_object_get(line, "bound_by"));
    cr_assert_eq(field(roofs, bound_by), field(line, "roof"));
}

/* Work of problems that arithmetic binds, however fast memory is. */
static const struct {
    const char *spec, *unit;
    double work;
} counted[] = {
    {"self:dot,b=2,h=4,g=2,t=96,d=64,e=32", "flop", 2.0 * (64 + 32) * 2 * 4 * 96 * 96},
    {"self:dot,t=96,d=64,causal=top_left", "flop", 2.0 * 128 * (96 * 97 / 2)},
    {"self:dot,tq=64,tk=96,d=64,causal=bottom_right", "flop", 2.0 * 128 * (64 * 32 + 64 * 65 / 2)},
    {"self:dot,t=96,d=64,window_left=15,window_right=0", "flop", 2.0 * 128 * (16 * 96 - 120)},
    {"multiplicative:general,b=2,t=64,d=48", "flop", 2.0 * 96 * 2 * 64 * 64},
    {"additive,b=3,tq=20,tk=30,a=64,e=8", "tanh", 64.0 * 3 * 20 * 30},
    {"recurrent,t=24,c=16,n=32,a=16", "flop", 8.0 * 32 * 32 * 24 * 24},
};
enum { COUNTED = sizeof counted / sizeof *counted };

Test(bench, counts_only_pairs_that_may_attend)
{
    char *argv[2 * COUNTED + 6] = {"attune", "bench", "--json", "--threads=1", "--seconds=0.02"};
    static struct cli_outcome outcome;
    int count = 5;
    for (int i = 0; i < COUNTED; i++) {
        argv[count++] = "--spec";
        argv[count++] = (char *)counted[i].spec;
    }
    cli_run_argv(&outcome, argv);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    json_t *all = lines(outcome.out);
    cr_assert_eq(json_array_size(all), COUNTED);
    for (int i = 0; i < COUNTED; i++) {
        const json_t *line = json_array_get(all, (size_t)i);
        check_line(line, counted[i].spec);
        cr_assert_str_eq(json_string_value(json_object_get(line, "work_unit")), counted[i].unit,
                         "%s", counted[i].spec);
        cr_assert_eq(field(line, "work"), counted[i].work, "%s", counted[i].spec);
    }
    json_decref(all);
}

Test(bench, one_query_over_many_keys_is_a_matter_of_bytes)
{
    const struct attune_roofs roofs = {
        .fma = 100e9, .tanh = 10e9, .read = {1000e9, 100e9, 50e9, 20e9}};
    const int64_t q[] = {1, 1, 1, 64}, k[] = {1, 1, 4096, 64};
    struct attune_problem problem;
    struct attune_shape shape;
    struct attune_work work;
    const struct attune_args args = {.struct_size = sizeof args};
    attune_problem_init(&problem, ATTUNE_SELF);
    attune_problem_input(&problem, ATTUNE_IN_Q, ATTUNE_F32, 4, q);
    attune_problem_input(&problem, ATTUNE_IN_K, ATTUNE_F32, 4, k);
    attune_problem_input(&problem, ATTUNE_IN_V, ATTUNE_F16, 4, k);
    attune_problem_output(&problem, ATTUNE_OUT_OUT);
    cr_assert_eq(attune_shape_resolve(&problem, &shape), ATTUNE_OK, "%s", attune_error_detail());
    attune_work_count(&shape, &args, &work);
    cr_assert_eq(work.pairs, 4096);
    cr_assert_eq(work.amount, 2.0 * 128 * 4096);
    cr_assert_eq(work.bytes, 4096.0 * 64 * (4 + 2));
    struct attune_bound bound = attune_work_bound(&work, ATTUNE_DRAM, &roofs);
    cr_assert_eq(bound.unit, ATTUNE_BYTE);
    cr_assert_eq(bound.amount, work.bytes);
    cr_assert_eq(bound.roof, 20e9);
    cr_assert_str_eq(bound.name, "dram");
    bound = attune_work_bound(&work, ATTUNE_L1, &roofs);
    cr_assert_eq(bound.unit, ATTUNE_FLOP);
    cr_assert_eq(bound.roof, 100e9);
    /* A window of 16 keys to the left leaves 17 to read, each once. */
    problem.has_window_left = 1;
    problem.window_left = 16;
    problem.has_window_right = 1;
    problem.window_right = 0;
    problem.past = 4095;
    cr_assert_eq(attune_shape_resolve(&problem, &shape), ATTUNE_OK, "%s", attune_error_detail());
    attune_work_count(&shape, &args, &work);
    cr_assert_eq(work.pairs, 17);
    cr_assert_eq(work.bytes, 17.0 * 64 * (4 + 2));
}

Test(bench, real_problems_are_checked_and_timed)
{
    static struct cli_outcome outcome;
    cli_run(&outcome, "bench", "--data", ATTUNE_DATA, "--threads", "1", "--seconds", "0.02",
            "--json", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    cr_assert_not_null(strstr(outcome.err, "g2p_model.safetensors"), "left out in silence");
    json_t *all = lines(outcome.out);
    cr_assert_eq(json_array_size(all), 8);
    cr_assert_not_null(strstr(outcome.out, "minilm_self.safetensors"));
    json_decref(all);
}

Test(bench, a_folder_without_a_problem_is_wrong_use)
{
    static struct cli_outcome outcome;
    struct cli_folder folder;
    cli_folder_make(&folder);
    cr_assert_eq(symlink(ATTUNE_DATA "/g2p_model.safetensors",
                         cli_folder_path(&folder, "model.safetensors")),
                 0);
    cli_run(&outcome, "bench", "--data", cli_folder_path(&folder, "."), NULL);
    cr_assert_eq(outcome.code, 2);
    cr_assert(cli_is_one_line(outcome.err), "%s", outcome.err);
    cr_assert_str_empty(outcome.out);
    cli_folder_remove(&folder);
}

Test(bench, a_table_tells_mechanism_shape_rate_share_and_kernels)
{
    static struct cli_outcome outcome;
    cli_run(&outcome, "bench", "--spec", "additive,b=2,t=16,a=32,e=8", "--threads", "1",
            "--seconds", "0.02", NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    const char *wanted[] = {"mechanism",   "additive", "b=2 t=16 a=32 e=8", "G tanh/s", "% of tanh",
                            "score_tanh_", "fma"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        cr_assert_not_null(strstr(outcome.out, wanted[i]), "no %s in\n%s", wanted[i], outcome.out);
}

Test(bench, wrong_use_is_one_line_and_exit_2)
{
    static struct cli_outcome outcome;
    static const char *const wrong[][2] = {
        {"--spec", "nonsense"}, {"--spec", "self:dot,t=8"},    {"--spec", "self:dot,t=8,d=4,q=1"},
        {"--threads", "0"},     {"--threads", "many"},         {"--seconds", "0"},
        {"--seconds", "nan"},   {"--data", "/does/not/exist"}, {"--json", "operand"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cli_run(&outcome, "bench", "--json", wrong[i][0], wrong[i][1], NULL);
        cr_assert_eq(outcome.code, 2, "%s %s: %d", wrong[i][0], wrong[i][1], outcome.code);
        cr_assert(cli_is_one_line(outcome.err), "%s", outcome.err);
        cr_assert_str_empty(outcome.out);
    }
}
