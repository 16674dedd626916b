/* SPDX-License-Identifier: Apache-2.0
 *
 * attune info: text and JSON tell the same, ceilings show as what they take away, and a problem is
 * explained with the kernels that it would run.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/registry.h"
#include "support.h"

static struct cli_outcome outcome;

/* Standard output as one JSON object on one line. */
static json_t *object(void)
{
    json_error_t error;
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    cr_assert(cli_is_one_line(outcome.out), "%s", outcome.out);
    json_t *parsed = json_loads(outcome.out, JSON_REJECT_DUPLICATES, &error);
    cr_assert(json_is_object(parsed), "%s: %s", error.text, outcome.out);
    return parsed;
}

static int holds(const json_t *list, const char *word)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
        if (strcmp(json_string_value(item), word) == 0)
            return 1;
    return 0;
}

Test(info, every_kernel_is_listed_with_a_verdict)
{
    cli_run(&outcome, "info", "--json", NULL);
    json_t *info = object();
    const json_t *kernels = json_object_get(info, "kernels");
    cr_assert_eq((int)json_array_size(kernels), attune_kernel_count());
    static struct cli_outcome text;
    cli_run(&text, "info", NULL);
    cr_assert_eq(text.code, 0);
    for (int i = 0; i < attune_kernel_count(); i++) {
        const json_t *kernel = json_array_get(kernels, (size_t)i);
        const char *name = json_string_value(json_object_get(kernel, "name"));
        const char *why = json_string_value(json_object_get(kernel, "why_not"));
        cr_expect_str_eq(name, attune_kernel_at(i)->name);
        cr_expect_not_null(strstr(text.out, name));
        cr_expect_eq(json_is_true(json_object_get(kernel, "usable")), why[0] == '\0', "%s", name);
    }
    json_decref(info);
}

Test(info, a_ceiling_masks_and_says_so)
{
    setenv("ATTUNE_MAX_ISA", "scalar", 1);
    cli_run(&outcome, "info", "--json", NULL);
    json_t *info = object();
    const json_t *cpu = json_object_get(info, "cpu"), *kernel;
    const json_t *usable = json_object_get(cpu, "usable"), *feature;
    size_t i;
    cr_expect_str_eq(json_string_value(json_object_get(info, "max_isa")), "scalar");
    json_array_foreach(usable, i, feature)
        cr_expect(holds(json_object_get(cpu, "masked"), json_string_value(feature)));
    json_array_foreach(json_object_get(info, "kernels"), i, kernel) {
        const int scalar =
            strcmp(json_string_value(json_object_get(kernel, "isa")), "scalar") == 0;
        cr_expect_eq(json_is_true(json_object_get(kernel, "usable")), scalar);
    }
    json_decref(info);
}

Test(info, an_unknown_ceiling_is_an_error)
{
    setenv("ATTUNE_MAX_ISA", "avx3", 1);
    cli_run(&outcome, "info", NULL);
    cr_expect_eq(outcome.code, 2);
    cr_expect(cli_is_one_line(outcome.err), "%s", outcome.err);
    cr_expect_not_null(strstr(outcome.err, "avx3"));
    cr_expect_not_null(strstr(outcome.err, "scalar, avx2, avx512, neon"));
    cr_expect_str_empty(outcome.out);
}

static void expect_kernels(const char *problem, const char *operation)
{
    cli_run(&outcome, "info", "--explain", problem, "--threads", "3", "--json", NULL);
    json_t *plan = object();
    const char *kernels = json_string_value(json_object_get(plan, "kernels"));
    cr_expect_not_null(strstr(kernels, operation), "%s: %s", problem, kernels);
    cr_expect_eq(json_integer_value(json_object_get(plan, "threads")), 3);
    cr_expect_gt(json_integer_value(json_object_get(plan, "workspace_size")), 0);
    cr_expect_gt(json_integer_value(json_object_get(json_object_get(plan, "tiles"), "kv_block")), 0);
    cli_run(&outcome, "info", "--explain", problem, NULL);
    cr_expect_eq(outcome.code, 0);
    cr_expect_not_null(strstr(outcome.out, operation));
    json_decref(plan);
}

Test(info, problems_are_explained)
{
    expect_kernels("self:dot,t=64,d=32,h=2,softcap=0.5", "score_dot_");
    expect_kernels("additive,t=16,a=8,e=8", "score_tanh_");
    expect_kernels("recurrent,t=8,c=4,n=4,a=4", "lstm_");
    expect_kernels(ATTUNE_DATA "/g2p_additive.safetensors", "score_tanh_");
}

Test(info, what_cannot_be_explained_is_told)
{
    static const char *const wrong[] = {"self:dot,t=x", "nothing,t=4", "./none.safetensors",
                                        "none.safetensors", "", "self:dot,h=3,g=2,t=4,d=4"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cli_run(&outcome, "info", "--explain", wrong[i], NULL);
        cr_expect_eq(outcome.code, 2, "%s: exit %d", wrong[i], outcome.code);
        cr_expect(cli_is_one_line(outcome.err), "%s: %s", wrong[i], outcome.err);
        cr_expect_str_empty(outcome.out);
    }
    cli_run(&outcome, "info", "stray", NULL);
    cr_expect_eq(outcome.code, 2);
}
