/* SPDX-License-Identifier: Apache-2.0
 *
 * The library among an application's threads, as one plain main: ThreadSanitizer runs it (Criterion
 * does not start there), and the settings that decide how threads come about (OMP_*, the process's
 * mask, a quota) are put around it. Every result must have the bits that one thread alone computed.
 * drive [LENGTH [KIND]]: the length of the sequences; one kind of problem instead of all.
 */
#include <errno.h>
#include <fenv.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/compare.h"
#include "tests/support/expect.h"
#include "tests/support/generate.h"

enum { CALLERS = 64, SMALL_STACK = 65536 };

/* A problem with the result of one thread. */
struct job {
    struct box box;
    const char *name;
    size_t bytes[ATTUNE_OUTPUT_COUNT];
    char *wanted[ATTUNE_OUTPUT_COUNT];
};

/* What one caller owns. */
struct call {
    struct attune_args args;
    char *prepared;
};

static struct attune_context *open_context(int32_t threads)
{
    struct attune_context_options options = {.struct_size = sizeof options, .threads = threads};
    struct attune_context *context = NULL;
    const enum attune_status status = attune_context_create(&options, &context);
    EXPECT(status == ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

static struct attune_plan *open_plan(struct attune_context *context, const struct job *job)
{
    struct attune_plan *plan = NULL;
    const enum attune_status status = attune_plan_create(context, &job->box.problem, &plan);
    EXPECT(status == ATTUNE_OK, "%s: %s", job->name, attune_error_detail());
    return plan;
}

static void open_call(const struct job *job, const struct attune_plan *plan, struct call *call)
{
    const size_t prepared = attune_plan_prepared_size(plan);
    call->args = job->box.args;
    call->args.workspace_size = attune_plan_workspace_size(plan);
    call->args.workspace = malloc(call->args.workspace_size);
    call->args.prepared = call->prepared = malloc(prepared + 1);
    call->args.prepared_size = prepared;
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        if (job->box.problem.out[o].dtype != ATTUNE_ABSENT)
            call->args.out[o] = calloc(job->bytes[o] + 1, 1);
}

static void close_call(struct call *call)
{
    free(call->args.workspace);
    free(call->prepared);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        free(call->args.out[o]);
}

static enum attune_status run(const struct attune_plan *plan, struct call *call)
{
    enum attune_status status = ATTUNE_OK;
    if (call->args.prepared_size > 0)
        status = attune_plan_prepare(plan, &call->args, call->prepared, call->args.prepared_size);
    return status == ATTUNE_OK ? attune_plan_execute(plan, &call->args) : status;
}

/* Runs a plan of the job and compares. Returns 0 where all is as it should be. */
static int differs(const struct job *job, const struct attune_plan *plan)
{
    struct call call;
    open_call(job, plan, &call);
    int wrong = run(plan, &call) != ATTUNE_OK;
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        if (call.args.out[o])
            wrong |= memcmp(call.args.out[o], job->wanted[o], job->bytes[o]) != 0;
    close_call(&call);
    return wrong;
}

static void open_job(struct job *job, int kind, int64_t length)
{
    struct generate_options options = generate_anything;
    struct attune_context *alone = open_context(1);
    struct call call;
    options.packed = 1;
    options.t_q = options.t_k = length;
    job->name = generate_kinds[kind].name;
    generate(&job->box, &generate_kinds[kind], &options, 5);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        struct attune_tensor shape;
        attune_problem_output_shape(&job->box.problem, (enum attune_output)o, &shape);
        job->bytes[o] = sizeof(float);
        for (int32_t axis = 0; axis < shape.rank; axis++)
            job->bytes[o] *= (size_t)shape.size[axis];
    }
    struct attune_plan *plan = open_plan(alone, job);
    open_call(job, plan, &call);
    EXPECT(run(plan, &call) == ATTUNE_OK, "%s: %s", job->name, attune_error_detail());
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        job->wanted[o] = call.args.out[o];
        call.args.out[o] = NULL;
    }
    close_call(&call);
    attune_plan_release(plan);
    attune_context_release(alone);
}

static void close_job(struct job *job)
{
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        free(job->wanted[o]);
    box_destroy(&job->box);
}

/* ---- Callers of every kind. ---- */

struct shared {
    const struct job *job;
    struct attune_context *context;
    const struct attune_plan *plan; /* NULL: everyone plans for himself */
    int rounds;
    atomic_int wrong;
};

static void *call_often(void *argument)
{
    struct shared *shared = argument;
    struct attune_plan *own = shared->plan ? NULL : open_plan(shared->context, shared->job);
    for (int round = 0; round < shared->rounds; round++)
        shared->wrong += differs(shared->job, shared->plan ? shared->plan : own);
    attune_plan_release(own);
    return NULL;
}

static void run_callers(struct shared *shared, int count, size_t stack, const char *what)
{
    pthread_t caller[CALLERS];
    pthread_attr_t attributes;
    int started = 0;
    pthread_attr_init(&attributes);
    if (stack > 0)
        pthread_attr_setstacksize(&attributes, stack);
    while (started < count && pthread_create(&caller[started], &attributes, call_often, shared) == 0)
        started++;
    EXPECT(started > 0, "no thread can be started");
    for (int i = 0; i < started; i++)
        pthread_join(caller[i], NULL);
    EXPECT(shared->wrong == 0, "%s, %s: %d wrong", shared->job->name, what, shared->wrong);
    pthread_attr_destroy(&attributes);
}

static void many_callers(const struct job *job, struct attune_context *context)
{
    struct attune_plan *plan = open_plan(context, job);
    struct shared one = {.job = job, .plan = plan, .rounds = 2};
    struct shared own = {.job = job, .context = context, .rounds = 2};
    struct shared small = {.job = job, .plan = plan, .rounds = 2};
    run_callers(&one, CALLERS, 0, "one plan in 64 threads");
    run_callers(&own, 6, 0, "a plan in each of 6 threads");
    run_callers(&small, 2, SMALL_STACK, "threads with 64 KiB of stack");
    attune_plan_release(plan);
}

static void in_a_parallel_region(const struct job *job, struct attune_context *context)
{
    struct attune_plan *plan = open_plan(context, job);
    int wrong = 0;
#pragma omp parallel num_threads(4) reduction(+ : wrong)
    for (int round = 0; round < 3; round++)
        wrong += differs(job, plan);
    EXPECT(wrong == 0, "%s: %d wrong in a parallel region", job->name, wrong);
    attune_plan_release(plan);
}

/* The team is here already, or not yet: the child has neither, and its own child the less. */
static void forked(const struct job *job, struct attune_context *context)
{
    struct attune_plan *plan = open_plan(context, job);
    int status = -1;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        alarm(120);
        int wrong = differs(job, plan);
        const pid_t grandchild = fork();
        if (grandchild == 0)
            _exit(differs(job, plan));
        wrong |= waitpid(grandchild, &status, 0) != grandchild || status != 0;
        _exit(wrong);
    }
    EXPECT(waitpid(child, &status, 0) == child && status == 0, "%s: child %#x", job->name,
           (unsigned)status);
    attune_plan_release(plan);
}

/* ---- What is the caller's. ---- */

static atomic_int ticks;

static void on_tick(int number)
{
    (void)number;
    ticks++;
}

/* Interrupted a thousand times a second, without SA_RESTART. */
static void interrupted(const struct job *job, struct attune_context *context)
{
    const struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = on_tick}, before;
    struct attune_plan *plan = open_plan(context, job);
    int wrong = 0;
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int round = 0; round < 20; round++)
        wrong += differs(job, plan);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    EXPECT(wrong == 0, "%s: %d wrong under signals", job->name, wrong);
    attune_plan_release(plan);
}

/* Rounding, traps, flags, flushing of denormals, errno, the mask of CPUs and OpenMP's settings. */
static void untouched(const struct job *job, struct attune_context *context)
{
    cpu_set_t before, after;
    const int threads = omp_get_max_threads();
    sched_getaffinity(0, sizeof before, &before);
    fesetround(FE_DOWNWARD);
    feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept(FE_DIVBYZERO);
#if defined(__x86_64__)
    const unsigned word = __builtin_ia32_stmxcsr() | 0x8040;
    __builtin_ia32_ldmxcsr(word);
#endif
    errno = ENOTTY;
    struct attune_plan *plan = open_plan(context, job);
    struct call call;
    open_call(job, plan, &call);
    errno = ENOTTY;
    const enum attune_status status = run(plan, &call);
    const int kept = errno;
#if defined(__x86_64__)
    EXPECT(__builtin_ia32_stmxcsr() == word, "%s: mode %#x, was %#x", job->name,
           __builtin_ia32_stmxcsr(), word);
    __builtin_ia32_ldmxcsr(0x1f80);
#endif
    EXPECT(fegetround() == FE_DOWNWARD || fegetround() == FE_TONEAREST, "rounding mode");
    fesetround(FE_TONEAREST);
    EXPECT(status == ATTUNE_OK && kept == ENOTTY, "%s: errno %d", job->name, kept);
    sched_getaffinity(0, sizeof after, &after);
    EXPECT(CPU_EQUAL(&before, &after), "%s: the mask of CPUs changed", job->name);
    EXPECT(omp_get_max_threads() == threads, "%s: %d OpenMP threads, were %d", job->name,
           omp_get_max_threads(), threads);
    close_call(&call);
    attune_plan_release(plan);
}

/* A context let go while its plans run. */
static void outlived(const struct job *job, int32_t threads)
{
    struct attune_context *context = open_context(threads);
    struct shared own = {.job = job, .context = context, .rounds = 1};
    run_callers(&own, 4, 0, "plans of a context");
    struct attune_plan *plan = open_plan(context, job);
    attune_context_release(context);
    struct shared one = {.job = job, .plan = plan, .rounds = 2};
    run_callers(&one, 4, 0, "a context released before its plan");
    attune_plan_release(plan);
}

int main(int argc, char **argv)
{
    static const int32_t threads[] = {2, 5, 3};
    const int64_t length = argc > 1 ? atol(argv[1]) : 60;
    const char *only = argc > 2 ? argv[2] : NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int kind = 0; kind < generate_kind_count; kind++) {
        struct job job;
        if (only && strcmp(only, generate_kinds[kind].name) != 0)
            continue;
        open_job(&job, kind, kind >= 9 ? length / 2 : length);
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            struct attune_context *context = open_context(threads[t]);
            if (t == 0)
                forked(&job, context);
            many_callers(&job, context);
            in_a_parallel_region(&job, context);
            interrupted(&job, context);
            untouched(&job, context);
            if (t == 0)
                forked(&job, context);
            attune_context_release(context);
        }
        outlived(&job, 4);
        close_job(&job);
    }
    printf("%d passed, %d failed\n", passed, failed);
    fflush(stdout);
    /* Without what the OpenMP runtimes do at the end of a process: libomp 14 frees there what its sleeping
     * workers still read, and now and then crashes. ThreadSanitizer has its say in _exit as well. */
    _exit(passed == 0 || failed != 0);
}
