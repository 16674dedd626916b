/* SPDX-License-Identifier: Apache-2.0
 *
 * Rounds on a clock of the test's own: what they make of known times. And that explaining where time
 * goes changes no bit.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/spec.h"
#include "bench/explain.h"
#include "bench/rounds.h"
#include "engine/synthetic.h"

static double now;

static double clock_seconds(void *user)
{
    (void)user;
    return now;
}
static const struct attune_clock test_clock = {clock_seconds, NULL};

/* A call takes `base` and, every so often, more. */
struct task {
    double base, disturbance;
    int every, calls;
};

static void run_task(void *argument)
{
    struct task *task = argument;
    now += task->base;
    if (task->every > 0 && ++task->calls % task->every == 0)
        now += task->disturbance;
}

static struct attune_figures measure(struct attune_entry *entry, struct task *task, int *whole,
                                     int (*step)(void *, double))
{
    const struct attune_rounds_options options = {
        .seconds = 1, .rounds = 12, .clock = &test_clock, .step = step};
    struct attune_figures figures;
    *entry = (struct attune_entry){.run = run_task, .argument = task};
    *whole = attune_rounds_run(&entry, 1, &options);
    cr_assert(attune_rounds_figures(entry, &figures));
    return figures;
}

Test(rounds, a_steady_task_settles_without_noise)
{
    static struct attune_entry entry;
    struct task task = {.base = 1e-3};
    int whole;
    const struct attune_figures figures = measure(&entry, &task, &whole, NULL);
    cr_expect_eq(whole, 1);
    cr_expect_eq(entry.rounds, 12);
    cr_expect_float_eq(figures.minimum, 1e-3, 1e-12);
    cr_expect_float_eq(figures.median, 1e-3, 1e-12);
    cr_expect_lt(figures.noise, 1e-9);
    cr_expect_eq(figures.settled, 1);
}

Test(rounds, bursts_leave_the_minimum_alone)
{
    static struct attune_entry entry;
    struct task task = {.base = 1e-3, .disturbance = 5e-3, .every = 7};
    int whole;
    const struct attune_figures figures = measure(&entry, &task, &whole, NULL);
    cr_expect_float_eq(figures.minimum, 1e-3, 1e-12);
    cr_expect_geq(figures.median, figures.minimum);
    cr_expect_leq(figures.low, figures.median);
    cr_expect_geq(figures.high, figures.median);
}

static void run_drifting(void *argument)
{
    struct task *task = argument;
    now += task->base;
    task->base *= 0.999; /* it gets faster and faster */
}

Test(rounds, a_minimum_that_is_never_reached_again_has_not_settled)
{
    static struct attune_entry entry;
    struct task task = {.base = 1e-3};
    struct attune_entry *entries[] = {&entry};
    const struct attune_rounds_options options = {
        .seconds = 1, .rounds = 12, .until_settled = 1, .clock = &test_clock};
    struct attune_figures figures;
    entry = (struct attune_entry){.run = run_drifting, .argument = &task};
    cr_assert_eq(attune_rounds_run(entries, 1, &options), 1);
    cr_assert(attune_rounds_figures(&entry, &figures));
    cr_expect_gt(entry.rounds, 12, "no rounds were added");
    cr_expect_eq(figures.settled, 0);
}

static int stop_at_half(void *user, double done)
{
    (void)user;
    return done >= 0.5;
}

Test(rounds, stopping_keeps_what_is_done)
{
    static struct attune_entry entry;
    struct task task = {.base = 1e-3};
    int whole;
    const struct attune_figures figures = measure(&entry, &task, &whole, stop_at_half);
    cr_expect_eq(whole, 0);
    cr_expect_gt(entry.rounds, 0);
    cr_expect_lt(entry.rounds, 12);
    cr_expect_float_eq(figures.minimum, 1e-3, 1e-12);
}

Test(rounds, long_tasks_leave_rounds_to_the_others)
{
    static struct attune_entry slow, quick;
    struct task slow_task = {.base = 1}, quick_task = {.base = 1e-3};
    struct attune_entry *entries[] = {&slow, &quick};
    const struct attune_rounds_options options = {
        .seconds = 1, .rounds = 12, .clock = &test_clock};
    slow = (struct attune_entry){.run = run_task, .argument = &slow_task};
    quick = (struct attune_entry){.run = run_task, .argument = &quick_task};
    cr_assert_eq(attune_rounds_run(entries, 2, &options), 1);
    cr_expect_eq(quick.rounds, 12);
    cr_expect_lt(slow.rounds, 6);
    cr_expect_geq(slow.rounds, 3);
}

static const char *const explained[] = {
    "self:dot,h=2,t=40,d=24",       "self:dot,h=2,t=24,c=32",
    "self:dot,h=8,g=2,tq=1,tk=6000,d=16,kv=bf16", "additive,t=24,d=16,a=24,e=8",
    "additive,b=2,tq=1,tk=40,d=16,a=24,prepared=1", "convolutional:location,tq=1,tk=40,a=16,f=4,width=5",
    "recurrent,t=12,c=8,n=12,a=8"};

Test(rounds, explaining_names_parts_and_changes_no_bit)
{
    static const char *const names[] = {"projection", "packing", "score",  "mask", "softmax",
                                        "weighted_sum", "tile",   "merge",  "finish", "other"};
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
    for (size_t i = 0; i < sizeof explained / sizeof *explained; i++) {
        struct attune_problem problem;
        struct attune_trouble trouble;
        struct attune_args args;
        struct attune_runner runner;
        struct attune_tensor shape;
        struct attune_pairs parts, apart;
        cr_assert_eq(attune_spec_parse(explained[i], &problem, &trouble), 0, "%s", trouble.text);
        cr_assert_eq(attune_synthetic_fill(&problem, &args), ATTUNE_OK);
        cr_assert_eq(attune_runner_open(&runner, context, &problem, &args), ATTUNE_OK, "%s",
                     attune_error_detail());
        cr_assert_eq(attune_problem_output_shape(&problem, ATTUNE_OUT_OUT, &shape), ATTUNE_OK);
        size_t count = 1;
        for (int32_t axis = 0; axis < shape.rank; axis++)
            count *= (size_t)shape.size[axis];
        float *before = malloc(count * sizeof *before);
        memcpy(before, runner.args.out[ATTUNE_OUT_OUT], count * sizeof *before);
        attune_explain(&runner, 0.001, &parts, &apart);
        cr_expect_gt(parts.count, 2, "%s", explained[i]);
        int scored = 0;
        for (int32_t p = 0; p < parts.count; p++) {
            int known = 0;
            for (size_t n = 0; n < sizeof names / sizeof *names; n++)
                known |= strcmp(parts.at[p].name, names[n]) == 0;
            cr_expect(known, "%s: %s", explained[i], parts.at[p].name);
            cr_expect_gt(parts.at[p].value, 0);
            scored |= strcmp(parts.at[p].name, "score") == 0;
            if (strcmp(parts.at[p].name, "tile") == 0) {
                scored = 1;
                cr_expect_eq(apart.count, 3, "%s: the fused stages are not told", explained[i]);
            }
        }
        cr_expect(scored, "%s: no score", explained[i]);
        attune_runner_execute(&runner);
        cr_expect_eq(memcmp(before, runner.args.out[ATTUNE_OUT_OUT], count * sizeof *before), 0,
                     "%s: other bits", explained[i]);
        free(before);
        attune_runner_close(&runner);
        attune_synthetic_free(&args);
    }
    attune_context_release(context);
}
