/* SPDX-License-Identifier: Apache-2.0
 *
 * attune_tune() and attune_selftest() through the public API: events, what is kept, what is known the
 * next time. No case depends on what is fast: `force` keeps what a busy machine gives.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/plan.h"
#include "tests/support/describe.h"

static char folder[] = "/tmp/attune-tune-XXXXXX", path[64];

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/file", folder);
    (void)setenv("XDG_DATA_HOME", folder, 1); /* what this machine's user has tuned is none of ours */
}

static void tear_down(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(tune, .init = set_up, .fini = tear_down);

static struct attune_context *open_context(int32_t threads)
{
    const struct attune_context_options options = {.struct_size = sizeof options, .threads = threads,
                                                   .cache_path = path};
    struct attune_context *context;
    cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

struct events {
    int32_t count[ATTUNE_TUNE_BARRED + 1], keys, stop_at;
};

static int note(void *user, const struct attune_tune_progress *progress)
{
    struct events *events = user;
    cr_assert_eq(progress->struct_size, sizeof *progress);
    cr_assert(progress->event >= 0 && progress->event <= ATTUNE_TUNE_BARRED);
    cr_assert_not_null(progress->key);
    events->count[progress->event]++;
    events->keys = progress->count;
    if (progress->event == ATTUNE_TUNE_WIN || progress->event == ATTUNE_TUNE_TIE) {
        cr_assert_gt(progress->candidates, 1);
        cr_assert(progress->low <= progress->speedup && progress->speedup <= progress->high);
        cr_assert_neq(progress->base[0], '\0');
    }
    return events->stop_at > 0 && events->count[ATTUNE_TUNE_BEGUN] >= events->stop_at;
}

static enum attune_status tune(struct attune_context *context, const struct attune_problem *problems,
                               int32_t count, int32_t effort, struct events *events)
{
    struct attune_tune_options options = {.struct_size = sizeof options, .effort = effort,
                                          .progress = note, .user = events};
    const int32_t stop_at = events->stop_at;
    *events = (struct events){.stop_at = stop_at};
    /* A machine too busy to measure on is no failure of these tests. */
    enum attune_status status = attune_tune(context, problems, count, &options);
    if (events->count[ATTUNE_TUNE_NOISY] > 0 && events->stop_at == 0) {
        *events = (struct events){0};
        options.force = 1;
        status = attune_tune(context, problems, count, &options);
    }
    return status;
}

static int entered(const struct events *events)
{
    return events->count[ATTUNE_TUNE_WIN] + events->count[ATTUNE_TUNE_TIE];
}

Test(tune, what_was_tuned_is_known_the_next_time, .timeout = 120)
{
    const struct attune_problem problems[] = {describe_self(2, 24, 16), describe_self(2, 40, 24), describe_self(2, 24, 16)};
    struct attune_context *context = open_context(1);
    struct events events = {0};
    cr_assert_eq(tune(context, problems, 3, ATTUNE_TUNE_QUICK, &events), ATTUNE_OK, "%s",
                 attune_error_detail());
    cr_assert_eq(events.keys, 2, "the third problem has the first one's key");
    cr_assert_eq(entered(&events), 2);
    cr_assert_eq(tune(context, problems, 3, ATTUNE_TUNE_QUICK, &events), ATTUNE_OK);
    cr_assert_eq(events.count[ATTUNE_TUNE_KNOWN], 2);
    cr_assert_eq(events.count[ATTUNE_TUNE_BEGUN], 0);
    attune_context_release(context);
    context = open_context(1);
    cr_assert_eq(tune(context, problems, 3, ATTUNE_TUNE_QUICK, &events), ATTUNE_OK);
    cr_assert_eq(events.count[ATTUNE_TUNE_KNOWN], 2, "in the next process, from the file");
    struct attune_plan *plan;
    cr_assert_eq(attune_plan_create(context, &problems[0], &plan), ATTUNE_OK);
    cr_assert(plan->origin == ATTUNE_ORIGIN_TUNED || plan->origin == ATTUNE_ORIGIN_TIE);
    attune_plan_release(plan);
    cr_assert_eq(tune(context, problems, 1, ATTUNE_TUNE_NORMAL, &events), ATTUNE_OK);
    cr_assert_eq(events.count[ATTUNE_TUNE_KNOWN], 0, "more effort tunes again");
    attune_context_release(context);
}

Test(tune, two_threads_have_a_key_of_their_own, .timeout = 120)
{
    const struct attune_problem problem = describe_self(2, 24, 16);
    struct attune_context *context = open_context(2);
    struct events events = {0};
    cr_assert_eq(tune(context, &problem, 1, ATTUNE_TUNE_QUICK, &events), ATTUNE_OK, "%s",
                 attune_error_detail());
    cr_assert_eq(events.keys, 2);
    cr_assert_eq(entered(&events), 2);
    attune_context_release(context);
}

Test(tune, a_dry_run_measures_nothing)
{
    const struct attune_problem problems[] = {describe_self(2, 24, 16), describe_self(2, 400, 64)};
    struct attune_context *context = open_context(2);
    struct events events = {0};
    const struct attune_tune_options options = {.struct_size = sizeof options, .dry_run = 1,
                                                .progress = note, .user = &events};
    cr_assert_eq(attune_tune(context, problems, 2, &options), ATTUNE_OK);
    cr_assert_eq(events.count[ATTUNE_TUNE_LISTED], 4);
    cr_assert_eq(events.count[ATTUNE_TUNE_BEGUN], 0);
    attune_context_release(context);
    cr_assert_neq(access(path, F_OK), 0, "nothing is written");
}

Test(tune, stopping_keeps_what_is_done, .timeout = 120)
{
    const struct attune_problem problems[] = {describe_self(2, 24, 16), describe_self(2, 40, 24), describe_self(2, 80, 48)};
    struct attune_context *context = open_context(1);
    struct events events = {0};
    cr_assert_eq(tune(context, problems, 1, ATTUNE_TUNE_QUICK, &events), ATTUNE_OK);
    struct attune_context *other = open_context(1);
    cr_assert_eq(attune_cache_count(other->cache), 1, "a key is saved when it is done, not when all are");
    attune_context_release(other);
    events.stop_at = 1;
    cr_assert_eq(tune(context, problems, 3, ATTUNE_TUNE_QUICK, &events), ATTUNE_ERROR_CANCELLED);
    cr_assert_eq(events.count[ATTUNE_TUNE_KNOWN], 1);
    cr_assert_eq(events.count[ATTUNE_TUNE_BEGUN], 1);
    attune_context_release(context);
    context = open_context(1);
    cr_assert_eq(attune_cache_count(context->cache), 1, "a key that was not finished is not kept");
    attune_context_release(context);
}

Test(tune, missed_keys_are_recorded_and_tuned, .timeout = 120)
{
    const struct attune_problem problem = describe_self(2, 24, 16);
    struct attune_plan *plan;
    setenv("ATTUNE_TUNE", "record", 1);
    struct attune_context *context = open_context(1);
    cr_assert_eq(attune_plan_create(context, &problem, &plan), ATTUNE_OK);
    attune_plan_release(plan);
    attune_context_release(context);
    setenv("ATTUNE_TUNE", "read", 1);
    context = open_context(1);
    struct events events = {0};
    const struct attune_tune_options options = {.struct_size = sizeof options, .missed = 1, .force = 1,
                                                .progress = note, .user = &events};
    cr_assert_eq(attune_tune(context, NULL, 0, &options), ATTUNE_OK, "%s", attune_error_detail());
    cr_assert_eq(events.keys, 1);
    cr_assert_eq(entered(&events), 1);
    cr_assert_eq(attune_plan_create(context, &problem, &plan), ATTUNE_OK);
    cr_assert(plan->origin == ATTUNE_ORIGIN_TUNED || plan->origin == ATTUNE_ORIGIN_TIE);
    attune_plan_release(plan);
    attune_context_release(context);
}

/* The caller's pool takes anything from no time to 8 ms: nothing can be measured on it. */
static void unsteady_for(void *user, int64_t count, void (*body)(void *argument, int64_t index),
                         void *argument)
{
    static uint32_t turn = 1;
    (void)user;
    for (int64_t i = 0; i < count; i++)
        body(argument, i);
    turn = turn * 1664525u + 1013904223u;
    (void)usleep((turn >> 16) % 8000);
}

Test(tune, a_machine_too_unsteady_is_unfit, .timeout = 120)
{
    const struct attune_problem problem = describe_self(2, 200, 64); /* work for two */
    const struct attune_context_options options = {.struct_size = sizeof options, .threads = 2,
                                                   .cache_path = path, .parallel_for = unsteady_for};
    struct attune_tune_options how = {.struct_size = sizeof how, .progress = note, .force = 1};
    struct attune_context *context = open_context(1);
    struct events events = {0};
    how.user = &events;
    cr_assert_eq(attune_tune(context, &problem, 1, &how), ATTUNE_OK, "the core's key, on one thread");
    attune_context_release(context);
    cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK);
    how.force = 0;
    how.effort = ATTUNE_TUNE_QUICK;
    events = (struct events){0};
    cr_assert_eq(attune_tune(context, &problem, 1, &how), ATTUNE_ERROR_UNFIT);
    cr_assert_eq(events.count[ATTUNE_TUNE_KNOWN], 1);
    cr_assert_eq(events.count[ATTUNE_TUNE_NOISY], 1);
    cr_assert_eq(entered(&events), 0, "nothing is saved");
    how.force = 1;
    cr_assert_eq(attune_tune(context, &problem, 1, &how), ATTUNE_OK, "but by force");
    attune_context_release(context);
}

static void count_line(void *user, enum attune_log_level level, const char *message)
{
    (void)level;
    cr_assert_not_null(strstr(message, "taken"), "%s", message);
    ++*(int *)user;
}

Test(tune, verbose_is_a_line_for_each_plan)
{
    int lines = 0;
    const struct attune_context_options options = {.struct_size = sizeof options, .threads = 2,
                                                   .log = count_line, .log_user = &lines};
    const struct attune_problem problem = describe_self(2, 24, 16);
    struct attune_context *context;
    struct attune_plan *plan;
    setenv("ATTUNE_VERBOSE", "1", 1);
    cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(attune_plan_create(context, &problem, &plan), ATTUNE_OK);
        attune_plan_release(plan);
    }
    cr_assert_eq(lines, 3);
    attune_context_release(context);
}

Test(tune, words_of_the_environment_are_checked)
{
    static const char *const variables[] = {"ATTUNE_TUNE", "ATTUNE_DETERMINISTIC", "ATTUNE_VERBOSE"};
    for (int i = 0; i < 3; i++) {
        struct attune_context *context;
        setenv(variables[i], "perhaps", 1);
        cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_ERROR_INVALID);
        cr_assert_not_null(strstr(attune_error_detail(), variables[i]));
        cr_assert_not_null(strstr(attune_error_detail(), "perhaps"));
        unsetenv(variables[i]);
    }
}

Test(tune, wrong_options_are_named)
{
    struct attune_context *context = open_context(1);
    struct attune_tune_options options = {.struct_size = 1};
    cr_assert_eq(attune_tune(NULL, NULL, 0, NULL), ATTUNE_ERROR_INVALID);
    cr_assert_eq(attune_tune(context, NULL, 0, &options), ATTUNE_ERROR_INVALID);
    cr_assert_not_null(strstr(attune_error_detail(), "struct_size"));
    options.struct_size = sizeof options;
    options.effort = 3;
    cr_assert_eq(attune_tune(context, NULL, 0, &options), ATTUNE_ERROR_INVALID);
    cr_assert_not_null(strstr(attune_error_detail(), "effort"));
    options.effort = 0;
    cr_assert_eq(attune_tune(context, NULL, 2, &options), ATTUNE_ERROR_INVALID);
    cr_assert_not_null(strstr(attune_error_detail(), "problems"));
    attune_context_release(context);
}

static void count_kernel(void *user, const char *kernel, double error, const char *detail)
{
    cr_assert_leq(error, 1, "%s: %s", kernel, detail);
    ++*(int *)user;
}

Test(tune, selftest_checks_what_the_context_may_use)
{
    int all = 0, scalar = 0;
    struct attune_context *context = open_context(1);
    cr_assert_eq(attune_selftest(context, count_kernel, &all), 0);
    attune_context_release(context);
    setenv("ATTUNE_MAX_ISA", "scalar", 1);
    context = open_context(1);
    cr_assert_eq(attune_selftest(context, count_kernel, &scalar), 0);
    cr_assert_gt(scalar, 10);
    cr_assert_leq(scalar, all);
    attune_context_release(context);
}

/* A kernel that passes again is freed of its bar; until then no plan takes it. */
Test(tune, bars_come_and_go)
{
    const struct attune_problem problem = describe_self(2, 32, 16);
    struct attune_context *context = open_context(1);
    struct attune_plan *before, *after;
    cr_assert_eq(attune_plan_create(context, &problem, &before), ATTUNE_OK);
    const struct attune_kernel *kernel = before->kernel.row[ATTUNE_OP_WSUM];
    attune_cache_bar(context->cache, kernel, "a test", 1, ATTUNE_LAYER_TUNED);
    cr_assert_eq(attune_plan_create(context, &problem, &after), ATTUNE_OK);
    cr_assert_neq(after->kernel.row[ATTUNE_OP_WSUM], kernel);
    cr_assert_eq(attune_selftest(context, NULL, NULL), 0);
    cr_assert_not(attune_cache_barred(context->cache, kernel));
    attune_plan_release(before);
    attune_plan_release(after);
    attune_context_release(context);
}

/* A kernel that is known to be wrong is not taken because someone wants no tuned choices. */
Test(tune, bars_hold_where_tuning_is_off)
{
    const struct attune_problem problem = describe_self(2, 32, 16);
    struct attune_plan *before, *after;
    struct attune_context *context = open_context(1);
    cr_assert_eq(attune_plan_create(context, &problem, &before), ATTUNE_OK);
    const struct attune_kernel *kernel = before->kernel.row[ATTUNE_OP_WSUM];
    attune_cache_bar(context->cache, kernel, "a test", 1, ATTUNE_LAYER_TUNED);
    cr_assert_eq(attune_cache_save(context, NULL), ATTUNE_OK, "%s", attune_error_detail());
    attune_plan_release(before);
    attune_context_release(context);
    setenv("ATTUNE_TUNE", "off", 1);
    context = open_context(1);
    cr_assert_eq(attune_plan_create(context, &problem, &after), ATTUNE_OK);
    cr_assert_neq(after->kernel.row[ATTUNE_OP_WSUM], kernel);
    cr_assert_eq(after->origin, ATTUNE_ORIGIN_MODEL);
    attune_plan_release(after);
    attune_context_release(context);
}

static const struct attune_kernel *scalar_kernel(enum attune_operation operation)
{
    for (int i = 0; i < attune_kernel_count(); i++)
        if (attune_kernel_at(i)->operation == operation &&
            strcmp(attune_kernel_at(i)->isa, "scalar") == 0)
            return attune_kernel_at(i);
    return NULL;
}

/* A file that names slow kernels, and calls them ten times as fast, is believed until someone measures. */
Test(tune, a_planted_slow_choice_is_found_and_replaced, .timeout = 120)
{
    static const enum attune_operation planted[] = {ATTUNE_OP_SCORE_DOT, ATTUNE_OP_SOFTMAX, ATTUNE_OP_WSUM};
    const struct attune_problem problem = describe_self(2, 200, 64);
    struct attune_choice slow = {.verdict = ATTUNE_VERDICT_WIN, .effort = ATTUNE_EFFORT_QUICK, .date = 1,
                                 .speedup = 10000, .low = 9900, .high = 10100};
    struct attune_context *context = open_context(1);
    struct attune_plan *plan;
    struct events events = {0};
    cr_assert_eq(attune_plan_create(context, &problem, &plan), ATTUNE_OK);
    if (strcmp(plan->kernel.row[ATTUNE_OP_SOFTMAX]->isa, "scalar") == 0)
        cr_skip_test("there is nothing faster here");
    for (int i = 0; i < 3; i++)
        slow.kernel[planted[i]] = scalar_kernel(planted[i]);
    cr_assert_eq(attune_cache_put(context->cache, &plan->asked.key, &slow, ATTUNE_LAYER_TUNED), 0);
    cr_assert_eq(attune_cache_save(context, NULL), ATTUNE_OK);
    attune_plan_release(plan);
    attune_context_release(context);
    context = open_context(1);
    cr_assert_eq(attune_plan_create(context, &problem, &plan), ATTUNE_OK);
    cr_assert_str_eq(plan->kernel.row[ATTUNE_OP_SOFTMAX]->isa, "scalar", "the plant is taken");
    attune_plan_release(plan);
    cr_assert_eq(tune(context, &problem, 1, ATTUNE_TUNE_NORMAL, &events), ATTUNE_OK);
    cr_assert_eq(entered(&events), 1);
    attune_context_release(context);
    context = open_context(1);
    cr_assert_eq(attune_plan_create(context, &problem, &plan), ATTUNE_OK);
    cr_assert_str_neq(plan->kernel.row[ATTUNE_OP_SOFTMAX]->isa, "scalar", "in the next process too");
    attune_plan_release(plan);
    attune_context_release(context);
}
