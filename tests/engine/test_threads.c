/* SPDX-License-Identifier: Apache-2.0
 *
 * The team: every worker once, and nothing of the caller's or of the application's changed by it.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/topology.h"
#include "engine/threads.h"

#define MOST 3000

static const struct attune_team_options plain = {.pin = 1};
static _Atomic int calls[MOST];
static _Atomic int strange;
static _Atomic int threads_seen;

static void count(void *argument, int32_t worker, int32_t workers)
{
    calls[worker]++;
    strange += workers != *(int32_t *)argument || worker < 0 || worker >= workers;
    errno = EDOM;
}

static void run_and_check(const struct attune_team_options *options, int32_t workers)
{
    for (int i = 0; i < MOST; i++)
        calls[i] = 0;
    attune_team_run(options, workers, count, &workers);
    for (int i = 0; i < MOST; i++)
        cr_assert_eq(calls[i], i < workers, "worker %d of %d: %d times", i, workers, calls[i]);
    cr_assert_eq(strange, 0);
}

Test(threads, every_worker_runs_once)
{
    static const int32_t sizes[] = {0, 1, 2, 3, 2, 4, 7, 1, 16, 5, 33, 2, 200, 1025, MOST, 3};
    const struct attune_team_options free_threads = {.pin = 0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        run_and_check(&plain, sizes[i]);
        run_and_check(&free_threads, sizes[i]);
    }
    for (int i = 0; i < 2000; i++)
        run_and_check(i % 3 ? &plain : &free_threads, 2 + i % 5);
}

static void wait_for_others(void *argument, int32_t worker, int32_t workers)
{
    (void)argument;
    (void)worker;
    struct timespec start, now;
    threads_seen++;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (threads_seen < workers && now.tv_sec < start.tv_sec + 20);
}

Test(threads, workers_run_at_the_same_time)
{
    attune_team_run(&plain, 4, wait_for_others, NULL);
    cr_assert_eq(threads_seen, 4);
    struct timespec start, now;
    threads_seen = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    attune_team_run(&plain, 4, wait_for_others, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    cr_assert_lt(now.tv_sec - start.tv_sec, 15, "one after the other");
}

/* ---- The floating-point mode. ---- */

static volatile float one = 1, three = 3, smallest = FLT_MIN;

static void look_at_mode(void *argument, int32_t worker, int32_t workers)
{
    (void)argument;
    (void)worker;
    (void)workers;
    strange += fegetround() != FE_TONEAREST;
    strange += smallest / 4 == 0;
    strange += one / three != 0x1.555556p-2f;
    volatile float overflow = FLT_MAX;
    overflow *= 2; /* traps where the caller's exceptions are not masked */
}

/* The mode word of this thread: rounding, flushing, traps and flags. */
static unsigned mode_word(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr();
#else
    unsigned long word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return (unsigned)word;
#endif
}

static void flush_denormals(void)
{
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#else
    __asm__ volatile("msr fpcr, %0" : : "r"(1ul << 24));
#endif
}

static void pool(void *user, int64_t todo, void (*body)(void *argument, int64_t index),
                 void *argument)
{
    *(int64_t *)user += todo;
    for (int64_t i = todo - 1; i >= 0; i--)
        body(argument, i);
}

Test(threads, mode_is_the_default_inside_and_the_callers_outside)
{
    int64_t pooled = 0;
    const struct attune_team_options ways[] = {
        {.pin = 1}, {.pin = 0}, {.parallel_for = pool, .parallel_for_user = &pooled}};
    flush_denormals();
    fesetround(FE_UPWARD);
    feenableexcept(FE_OVERFLOW);
    for (size_t way = 0; way < 3; way++)
        for (int32_t workers = 1; workers < 6; workers++) {
            const unsigned before = mode_word();
            attune_team_run(&ways[way], workers, look_at_mode, NULL);
            cr_assert_eq(mode_word(), before);
            cr_assert_eq(smallest / 4, 0); /* flushed again */
        }
    cr_assert_eq(strange, 0);
    cr_assert_eq(pooled, 2 + 3 + 4 + 5, "a single worker needs no pool");
}

Test(threads, errno_and_affinity_are_the_callers)
{
    cpu_set_t before, after;
    sched_getaffinity(0, sizeof before, &before);
    for (int32_t workers = 1; workers < 9; workers++) {
        errno = ENOTTY;
        run_and_check(&plain, workers);
        cr_assert_eq(errno, ENOTTY);
        sched_getaffinity(0, sizeof after, &after);
        cr_assert(CPU_EQUAL(&before, &after));
    }
}

/* ---- OpenMP of the application. ---- */

Test(threads, settings_of_openmp_are_the_callers)
{
    omp_set_num_threads(3);
    omp_set_dynamic(0);
    run_and_check(&plain, 4);
    cr_assert_eq(omp_get_max_threads(), 3);
    int previous = attune_serial_begin();
    cr_assert_eq(omp_get_max_threads(), 1);
    int inner = attune_serial_begin();
    attune_serial_end(inner);
    cr_assert_eq(omp_get_max_threads(), 1);
    attune_serial_end(previous);
    cr_assert_eq(omp_get_max_threads(), 3);
    cpu_set_t masks[3], caller;
    sched_getaffinity(0, sizeof caller, &caller);
#pragma omp parallel num_threads(3)
    sched_getaffinity(0, sizeof masks[0], &masks[omp_get_thread_num()]);
    for (int i = 0; i < 3; i++)
        cr_assert(CPU_EQUAL(&masks[i], &caller), "the team's binding leaked into thread %d", i);
}

static void record_thread(void *argument, int32_t worker, int32_t workers)
{
    (void)workers;
    ((pthread_t *)argument)[worker] = pthread_self();
}

Test(threads, alone_is_in_the_caller)
{
    const struct attune_team_options alone = {.pin = 1, .alone = 1};
    pthread_t ran[7];
    attune_team_run(&plain, 4, record_thread, ran);
    attune_team_run(&alone, 7, record_thread, ran);
    for (int i = 0; i < 7; i++)
        cr_assert(pthread_equal(ran[i], pthread_self()), "worker %d", i);
    run_and_check(&alone, 5);
}

/* An hour of work by the caller alone before makes any call one that soon follows; an hour less than none
 * makes none. */
Test(threads, a_team_falls_asleep_and_is_asked_for_again)
{
    const int64_t hour = INT64_C(3600000000000);
    run_and_check(&plain, 4);
    for (int i = 0; i < 5000 && attune_team_is_awake(&plain, 4, -hour); i++)
        usleep(1000);
    cr_assert_not(attune_team_is_awake(&plain, 4, -hour), "it never sleeps");
    cr_assert(attune_team_is_awake(&plain, 4, hour), "work came a moment ago");
    cr_assert(attune_team_is_awake(&plain, 1, -hour), "one worker waits for nobody");
    run_and_check(&plain, 4);
}

Test(threads, serial_inside_a_parallel_region)
{
    pthread_t ran[2][4];
    int foreign = 0;
#pragma omp parallel num_threads(2) reduction(+ : foreign)
    {
        pthread_t *mine = ran[omp_get_thread_num()];
        attune_team_run(&plain, 4, record_thread, mine);
        for (int i = 0; i < 4; i++)
            foreign += !pthread_equal(mine[i], pthread_self());
    }
    cr_assert_eq(foreign, 0);
}

static void nest(void *argument, int32_t worker, int32_t workers)
{
    int32_t inner = 5;
    (void)argument;
    (void)worker;
    (void)workers;
    attune_team_run(&plain, inner, count, &inner);
}

Test(threads, a_team_inside_the_team)
{
    attune_team_run(&plain, 4, nest, NULL);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(calls[i], 4);
}

static void *run_often(void *failures)
{
    for (int i = 0; i < 300; i++) {
        pthread_t ran[6];
        memset(ran, 0, sizeof ran);
        attune_team_run(&plain, 2 + i % 5, record_thread, ran);
        for (int j = 0; j < 2 + i % 5; j++)
            *(int *)failures += ran[j] == 0;
    }
    return NULL;
}

Test(threads, many_callers_at_once, .timeout = 40)
{
    pthread_t callers[6];
    int failures[6] = {0};
    for (int i = 0; i < 6; i++)
        cr_assert_eq(pthread_create(&callers[i], NULL, run_often, &failures[i]), 0);
    for (int i = 0; i < 6; i++) {
        pthread_join(callers[i], NULL);
        cr_assert_eq(failures[i], 0);
    }
}

/* ---- Processes. ---- */

static void expect_exit_0(pid_t child)
{
    int status = -1;
    cr_assert_gt(child, 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
}

Test(threads, a_forked_child_runs_alone, .timeout = 60)
{
    run_and_check(&plain, 4);
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (child == 0) {
            pthread_t ran[4];
            alarm(30);
            attune_team_run(&plain, 4, record_thread, ran);
            int foreign = 0;
            for (int j = 0; j < 4; j++)
                foreign += !pthread_equal(ran[j], pthread_self());
            _exit(foreign);
        }
        expect_exit_0(child);
        run_and_check(&plain, 4);
    }
}

Test(threads, a_child_forked_before_the_team_has_its_own, .timeout = 60)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        attune_team_run(&plain, 4, wait_for_others, NULL);
        _exit(threads_seen != 4);
    }
    expect_exit_0(child);
}

/* OpenMP's runtime would exit with 1 here. The superuser is not limited: so as nobody. */
Test(threads, too_few_threads_are_no_failure, .timeout = 60)
{
    for (rlim_t limit = 1; limit < 9; limit++) {
        pid_t child = fork();
        if (child == 0) {
            const struct rlimit few = {limit, limit};
            alarm(30);
            if (getuid() == 0 && setuid(65534 - (uid_t)limit) != 0)
                _exit(2);
            if (setrlimit(RLIMIT_NPROC, &few) != 0)
                _exit(3);
            int32_t workers = 6;
            for (int i = 0; i < 20; i++)
                attune_team_run(&plain, workers, count, &workers);
            for (int i = 0; i < workers; i++)
                strange += calls[i] != 20;
            _exit(strange != 0);
        }
        expect_exit_0(child);
    }
}

static void *handler_thread;
static void on_signal(int number)
{
    (void)number;
    handler_thread = (void *)pthread_self();
}

Test(threads, signals_go_to_the_applications_threads)
{
    run_and_check(&plain, 4);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    struct timespec moment = {0, 50000000};
    nanosleep(&moment, NULL);
    cr_assert_null(handler_thread, "a thread of the team took it");
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    cr_assert_eq(handler_thread, (void *)pthread_self());
}

/* Idle threads must sleep: the team costs nothing while nobody computes. */
Test(threads, idle_threads_use_no_time)
{
    run_and_check(&plain, 4);
    struct timespec moment = {0, 20000000}, before, after;
    nanosleep(&moment, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    moment.tv_nsec = 300000000;
    nanosleep(&moment, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double used = (double)(after.tv_sec - before.tv_sec) +
                  1e-9 * (double)(after.tv_nsec - before.tv_nsec);
    cr_assert_lt(used, 0.02, "%g s", used);
}

/* The shared library, unloaded while its threads wait. */
Test(threads, survives_dlclose, .timeout = 60)
{
    void *library = dlopen(ATTUNE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    cr_assert_not_null(library, "%s", dlerror());
#define FUNCTION(name) __typeof__(&name) name##_ = (__typeof__(&name))dlsym(library, #name)
    FUNCTION(attune_context_create);
    FUNCTION(attune_context_release);
    FUNCTION(attune_problem_init);
    FUNCTION(attune_problem_input);
    FUNCTION(attune_problem_output);
    FUNCTION(attune_plan_create);
    FUNCTION(attune_plan_release);
    FUNCTION(attune_plan_workspace_size);
    FUNCTION(attune_plan_execute);
    const struct attune_context_options options = {.struct_size = sizeof options, .threads = 4};
    const int64_t size[4] = {1, 8, 256, 32};
    struct attune_context *context;
    struct attune_plan *plan;
    struct attune_problem problem;
    attune_problem_init_(&problem, ATTUNE_SELF);
    attune_problem_input_(&problem, ATTUNE_IN_Q, ATTUNE_F32, 4, size);
    attune_problem_input_(&problem, ATTUNE_IN_K, ATTUNE_F32, 4, size);
    attune_problem_input_(&problem, ATTUNE_IN_V, ATTUNE_F32, 4, size);
    attune_problem_output_(&problem, ATTUNE_OUT_OUT);
    cr_assert_eq(attune_context_create_(&options, &context), ATTUNE_OK);
    cr_assert_eq(attune_plan_create_(context, &problem, &plan), ATTUNE_OK);
    float *data = calloc(8 * 256 * 32, sizeof *data), *out = calloc(8 * 256 * 32, sizeof *out);
    struct attune_args args = {.struct_size = sizeof args};
    args.in[ATTUNE_IN_Q] = args.in[ATTUNE_IN_K] = args.in[ATTUNE_IN_V] = data;
    args.out[ATTUNE_OUT_OUT] = out;
    args.workspace_size = attune_plan_workspace_size_(plan);
    args.workspace = malloc(args.workspace_size);
    cr_assert_eq(attune_plan_execute_(plan, &args), ATTUNE_OK);
    attune_plan_release_(plan);
    attune_context_release_(context);
    cr_assert_eq(dlclose(library), 0);
    struct timespec moment = {0, 100000000};
    nanosleep(&moment, NULL);
    free(args.workspace);
    free(out);
    free(data);
}
