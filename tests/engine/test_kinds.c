/* SPDX-License-Identifier: Apache-2.0
 *
 * Kinds of cores on a machine that hwloc is told of: CPU 0 of this one stands for a slow core, CPU 1 for
 * a fast one with other caches. What each kind is called, tuned for and looked up by. Where this machine
 * has no CPU 1 to bind to, what needs one is skipped.
 */
#include <criterion/criterion.h>

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/plan.h"
#include "tests/support/describe.h"
#include "engine/tune.h"
#include "tuner/fingerprint.h"

/* They are in files: a changed digest loses what was tuned. */
enum { FAST_KIND = 0x44f3ad5c, SLOW_KIND = 0x36f397a0 };

static char folder[] = "/tmp/attune-kinds-XXXXXX", path[64];

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/file", folder);
    setenv("HWLOC_XMLFILE", ATTUNE_SOURCE "/tests/engine/hybrid_two.xml", 1);
    setenv("HWLOC_THISSYSTEM", "1", 1);
    setenv("ATTUNE_CACHE", path, 1);
    setenv("ATTUNE_TUNE", "read", 1);
}

static void tear_down(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(kinds, .init = set_up, .fini = tear_down);

/* All threads of this process, before it reads the topology. Returns 0 where there is no such CPU to use. */
static int confine_to(int cpu)
{
    cpu_set_t set;
    DIR *tasks = opendir("/proc/self/task");
    int fine = tasks != NULL;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    for (struct dirent *task; fine && (task = readdir(tasks)) != NULL;)
        if (task->d_name[0] != '.')
            fine = sched_setaffinity((pid_t)atoi(task->d_name), sizeof set, &set) == 0;
    if (tasks != NULL)
        (void)closedir(tasks);
    return fine;
}

static void confine_to_slow(void)
{
    if (!confine_to(0))
        cr_skip_test("there is no CPU 0 to use");
}

static void need_both(void)
{
    struct attune_binding *fast = attune_topology_enter(0), *slow = attune_topology_enter(1);
    const int both = fast != NULL && slow != NULL;
    attune_topology_leave(slow);
    attune_topology_leave(fast);
    if (!both)
        cr_skip_test("threads cannot be bound to two CPUs here");
}

static struct attune_context *open_context(int32_t threads)
{
    const struct attune_context_options options = {.struct_size = sizeof options, .threads = threads};
    struct attune_context *context;
    cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

static struct attune_plan *plan_of(struct attune_context *context, const struct attune_problem *problem)
{
    struct attune_plan *plan;
    cr_assert_eq(attune_plan_create(context, problem, &plan), ATTUNE_OK, "%s", attune_error_detail());
    return plan;
}

Test(kinds, each_has_its_caches_and_its_name)
{
    need_both();
    const struct attune_topology *fast = attune_topology_of_kind(0), *slow = attune_topology_of_kind(1);
    cr_assert_eq(fast, attune_topology_get());
    cr_assert_null(attune_topology_of_kind(2));
    cr_assert_null(attune_topology_of_kind(-1));
    cr_assert_eq(fast->kinds, 2);
    cr_assert_eq(fast->l1d.size, 49152);
    cr_assert_eq(slow->l1d.size, 32768);
    cr_assert_eq(fast->l2.size, 1310720);
    cr_assert_eq(slow->l2.size, 2097152);
    cr_assert_eq(slow->allowed, fast->allowed);
    cr_assert_str_eq(fast->type, "IntelCore");
    cr_assert_str_eq(slow->type, "IntelAtom");
    cr_assert_eq(attune_fingerprint_kind(fast), FAST_KIND);
    cr_assert_eq(attune_fingerprint_kind(slow), SLOW_KIND);
}

Test(kinds, a_process_of_slow_cores_is_on_the_same_machine)
{
    confine_to_slow();
    cr_assert_eq(attune_topology_get()->l2.size, 2097152);
    cr_assert_eq(attune_topology_fastest()->l2.size, 1310720);
    cr_assert_null(attune_topology_of_kind(1));
    cr_assert_eq(attune_fingerprint_kind(attune_topology_get()), SLOW_KIND);
    cr_assert_not_null(strstr(attune_fingerprint_get()->text, "l2=1310720/"),
                       "its cache file is that of the fast cores' too: %s", attune_fingerprint_get()->text);
}

/* So that processes of fast and of slow cores have parallel keys of their own. */
Test(kinds, the_topology_says_which_cores_are_allowed)
{
    char line[32] = "";
    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        const uint32_t fast = confine_to(1) ? attune_fingerprint_get()->topology : 0;
        (void)snprintf(line, sizeof line, "%08x", (unsigned)fast);
        _exit(write(pipes[1], line, 8) != 8);
    }
    cr_assert_eq(read(pipes[0], line, 8), 8);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    const uint32_t fast = (uint32_t)strtoul(line, NULL, 16);
    if (fast == 0)
        cr_skip_test("there is no CPU 1 to use");
    confine_to_slow();
    cr_assert_eq(attune_topology_get()->allowed_cores, 1);
    cr_assert_neq(attune_fingerprint_get()->topology, fast);
}

Test(kinds, a_machine_of_one_kind_has_the_keys_it_always_had)
{
    const struct attune_problem problem = describe_self(2, 24, 16);
    char text[ATTUNE_KEY_TEXT];
    unsetenv("HWLOC_XMLFILE");
    setenv("HWLOC_SYNTHETIC", "package:1 [numa(memory=1073741824)] l3:1 l2:4 l1d:1 core:1 pu:2", 1);
    struct attune_context *context = open_context(4);
    struct attune_plan *plan = plan_of(context, &problem);
    (void)attune_key_format(&plan->asked.key, text, sizeof text);
    cr_assert_null(strstr(text, "kind="), "%s", text);
    cr_assert_eq(plan->asked.key.cores, 0);
    cr_assert_eq(attune_topology_fastest()->l1d.size, attune_topology_get()->l1d.size);
    cr_assert_null(attune_context_enter_kind(context, 0), "nothing is bound for it");
    attune_plan_release(plan);
    attune_context_release(context);
}

/* Which of them is the faster nobody knows. */
Test(kinds, without_a_ranking_they_are_one)
{
    setenv("HWLOC_CPUKINDS_RANKING", "none", 1);
    cr_assert_eq(attune_topology_get()->kinds, 1);
    cr_assert_null(attune_topology_of_kind(1));
    cr_assert_eq(attune_fingerprint_kind(attune_topology_get()), 0);
    cr_assert_eq(attune_topology_kind_cores(0), attune_topology_get()->allowed_cores);
}

/* The kernels are those of the fastest kind however many threads there are: so the same bits. */
Test(kinds, the_key_does_not_depend_on_the_number_of_threads)
{
    const struct attune_problem problem = describe_self(2, 300, 16);
    struct attune_key first = {0};
    need_both();
    for (int32_t threads = 1; threads <= 4; threads++) {
        struct attune_context *context = open_context(threads);
        struct attune_plan *plan = plan_of(context, &problem);
        cr_assert_eq(plan->asked.key.cores, FAST_KIND);
        cr_assert_eq(plan->asked.topology, attune_topology_get());
        first = threads == 1 ? plan->asked.key : first;
        cr_assert(attune_key_equal(&plan->asked.key, &first));
        attune_plan_release(plan);
        attune_context_release(context);
    }
}

struct told {
    char key[8][ATTUNE_KEY_TEXT], base[8][128];
    int keys;
    int bound[8][2]; /* allocations made while bound to CPU 0 or 1 alone, by the key that was begun */
};

/* Memory that notes where the thread that asks for it may run. */
static void *allocate(void *user, size_t alignment, size_t size)
{
    struct told *told = user;
    cpu_set_t mask;
    (void)sched_getaffinity(0, sizeof mask, &mask);
    for (int cpu = 0; cpu < 2 && told->keys < 8; cpu++)
        told->bound[told->keys][cpu] += CPU_COUNT(&mask) == 1 && CPU_ISSET(cpu, &mask);
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void release(void *user, void *pointer)
{
    (void)user;
    free(pointer);
}

static int note(void *user, const struct attune_tune_progress *progress)
{
    struct told *told = user;
    if (progress->event == ATTUNE_TUNE_BARRED || progress->event == ATTUNE_TUNE_BEGUN || told->keys == 8)
        return 0;
    (void)snprintf(told->key[told->keys], sizeof told->key[0], "%s", progress->key);
    (void)snprintf(told->base[told->keys++], sizeof told->base[0], "%s", progress->base);
    return 0;
}

static int has(const char *text, uint32_t kind)
{
    char word[16];
    (void)snprintf(word, sizeof word, "kind=%08x", (unsigned)kind);
    return strstr(text, word) != NULL;
}

/* Core keys, on both kinds of cores, in a process that may use both. */
static void tune_both(struct told *told, int count, int dry)
{
    const struct attune_problem problems[] = {describe_self(2, 200, 16), describe_self(2, 100, 16)};
    const struct attune_tune_options options = {.struct_size = sizeof options, .dry_run = dry,
                                                .force = 1, .progress = note, .user = told};
    const struct attune_allocator allocator = {allocate, release, told};
    const struct attune_context_options how = {.struct_size = sizeof how, .threads = 1,
                                               .allocator = &allocator};
    struct attune_context *context;
    *told = (struct told){.keys = 0};
    cr_assert_eq(attune_context_create(&how, &context), ATTUNE_OK, "%s", attune_error_detail());
    cr_assert_eq(attune_tune(context, problems, count, &options), ATTUNE_OK, "%s", attune_error_detail());
    attune_context_release(context);
}

Test(kinds, tuning_takes_one_kind_after_the_other)
{
    struct told told;
    need_both();
    tune_both(&told, 2, 1);
    cr_assert_eq(told.keys, 4);
    for (int i = 0; i < 4; i++)
        cr_assert(has(told.key[i], i < 2 ? FAST_KIND : SLOW_KIND), "%d: %s", i, told.key[i]);
}

Test(kinds, where_nothing_may_be_bound_the_fastest_alone_is_tuned)
{
    struct told told;
    setenv("OMP_PLACES", "{0},{1}", 1);
    tune_both(&told, 2, 1);
    cr_assert_eq(told.keys, 2);
}

/* Each key is measured on a core of its kind, beside what the model takes for that kind's caches. */
static int kept_apart(const struct told *told)
{
    return told->keys == 2 && has(told->key[0], FAST_KIND) && has(told->key[1], SLOW_KIND) &&
           told->bound[0][1] > 0 && told->bound[0][0] == 0 && told->bound[1][0] > 0 &&
           told->bound[1][1] == 0 && strcmp(told->base[0], told->base[1]) != 0;
}

/* A process of both kinds tunes; this one, of the slow kind alone, takes what was found for it. */
Test(kinds, what_was_tuned_for_a_kind_is_found_by_its_processes, .timeout = 120)
{
    const struct attune_problem problem = describe_self(2, 200, 16);
    const pid_t child = fork();
    int ended = -1;
    cr_assert_geq(child, 0);
    if (child == 0) {
        struct told told;
        cpu_set_t before, after;
        (void)sched_getaffinity(0, sizeof before, &before);
        if (attune_topology_of_kind(1) == NULL)
            _exit(77);
        tune_both(&told, 1, 0);
        (void)sched_getaffinity(0, sizeof after, &after);
        struct attune_context *context = open_context(2);
        struct attune_plan *plan = plan_of(context, &problem);
        const int fast = plan->origin == ATTUNE_ORIGIN_TUNED || plan->origin == ATTUNE_ORIGIN_TIE;
        attune_plan_release(plan);
        attune_context_release(context);
        _exit(!CPU_EQUAL(&before, &after) ? 2 : !kept_apart(&told) ? 3 : fast ? 0 : 4);
    }
    cr_assert_eq(waitpid(child, &ended, 0), child);
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 77)
        cr_skip_test("threads cannot be bound to two CPUs here");
    cr_assert(WIFEXITED(ended) && WEXITSTATUS(ended) == 0,
              "exit code 2: the caller was left bound; 3: kinds were mixed up; 4: not found: %d",
              WEXITSTATUS(ended));
    confine_to_slow();
    struct attune_context *context = open_context(1);
    struct attune_plan *plan = plan_of(context, &problem);
    cr_assert_eq(plan->asked.key.cores, SLOW_KIND);
    cr_assert(plan->origin == ATTUNE_ORIGIN_TUNED || plan->origin == ATTUNE_ORIGIN_TIE, "%s",
              attune_origin_word(plan->origin));
    attune_plan_release(plan);
    attune_context_release(context);
}

/* What programs on slow cores missed is tuned on a slow core, and nothing else is. */
Test(kinds, missed_keys_are_tuned_on_their_kind)
{
    const struct attune_problem problem = describe_self(2, 24, 16);
    struct told told = {.keys = 0};
    const struct attune_tune_options options = {.struct_size = sizeof options, .dry_run = 1,
                                                .missed = 1, .progress = note, .user = &told};
    need_both();
    struct attune_context *context = open_context(1);
    struct attune_plan *plan = plan_of(context, &problem);
    struct attune_key key = plan->asked.key;
    key.cores = SLOW_KIND;
    attune_cache_miss(context->cache, &key, 1);
    key.cores = 0xabcdef; /* of another machine */
    attune_cache_miss(context->cache, &key, 1);
    attune_plan_release(plan);
    cr_assert_eq(attune_tune(context, NULL, 0, &options), ATTUNE_OK, "%s", attune_error_detail());
    cr_assert_eq(told.keys, 1);
    cr_assert(has(told.key[0], SLOW_KIND), "%s", told.key[0]);
    attune_context_release(context);
}

/* The best on a fast core says nothing of a slow one. */
Test(kinds, kinds_are_no_neighbours)
{
    struct attune_key one = {.dtype_q = 1, .dtype_k = 1, .dtype_v = 1, .d = 64, .e = 64, .group = 1,
                             .class_q = 12, .class_k = 12, .cores = FAST_KIND};
    struct attune_key other = one;
    cr_assert_eq(attune_key_distance(&one, &other), 0);
    other.cores = SLOW_KIND;
    cr_assert_eq(attune_key_distance(&one, &other), -1);
    cr_assert_not(attune_key_equal(&one, &other));
}

Test(kinds, the_selftest_checks_on_each)
{
    need_both();
    cpu_set_t before, after;
    struct attune_context *context = open_context(1);
    (void)sched_getaffinity(0, sizeof before, &before);
    cr_assert_eq(attune_selftest(context, NULL, NULL), 0);
    (void)sched_getaffinity(0, sizeof after, &after);
    cr_assert(CPU_EQUAL(&before, &after), "the caller was left bound");
    attune_context_release(context);
}
