/* SPDX-License-Identifier: Apache-2.0
 *
 * The one team of the process: the only file that includes omp.h. OpenMP makes the threads, in a
 * parallel region that a thread of our own enters and stays in, so that the pool is nobody else's;
 * inside it they wait for work here, because OpenMP's runtime would spin for milliseconds. Knows
 * nothing of what a worker does.
 *
 * The caller works too, in place of the thread that is meant for the core it is on: nothing moves,
 * and no thread needs a core that a waiting caller holds. On two cores an empty run for two costs
 * 0.5 to 1 us that way, and 5 (median 24) where the caller hands all over and sleeps.
 */
#include "engine/threads.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arch/cpu.h"
#include "arch/topology.h"

/* More workers than this share threads. */
#define TEAM_LIMIT 1024
/* How long a thread without work looks for it before it sleeps: about what two wake-ups cost. */
#define SPIN_NANOSECONDS 50000

/* What a thread waits on; a cache line each. */
struct post {
    _Alignas(64) _Atomic uint32_t posted; /* counts the jobs given to this thread */
    _Atomic uint32_t sleeping;
    uint32_t seen; /* jobs taken: the thread's own */
    int pinned;
};

struct job {
    attune_work_fn *work; /* NULL: leave the region */
    void *argument;
    int32_t workers, lanes; /* lanes: threads that share the workers, the caller among them */
    int32_t caller;         /* the lane that the caller takes; -1: none */
    int pin, spin;
};

static _Atomic int busy;   /* somebody runs, starts or grows the team */
static _Atomic int forked; /* a child process has none of the threads */
static struct post posts[TEAM_LIMIT];
static struct job job;
static _Atomic uint32_t pending, caller_sleeping;
static _Atomic int64_t last_brief; /* when brief work last met a sleeping team */
/* Written under `busy`. */
static int started, exhausted;
static int32_t team_size;
/* The leader's orders: the size of its next region, and the size it got. */
static _Atomic uint32_t wanted_size, ready_size;

/* ---- Waiting. ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Looks until the word is no longer `value`, or the time is over. */
static int spin_while(_Atomic uint32_t *word, uint32_t value)
{
    const int64_t end = nanoseconds() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != value) {
                return 1;
            }
            attune_cpu_relax();
        }
    } while (nanoseconds() < end);
    return 0;
}

/* Returns when the word is no longer `value`. The store to `sleeping` and the waker's to the word
 * are sequentially consistent: one of the two sees the other. */
static void wait_while(_Atomic uint32_t *word, uint32_t value, _Atomic uint32_t *sleeping, int spin)
{
    if (spin && spin_while(word, value)) {
        return;
    }
    atomic_store(sleeping, 1);
    while (atomic_load(word) == value) {
        futex_wait(word, value);
    }
    atomic_store(sleeping, 0);
}

/* ---- The threads of the team. ---- */

/* Rounding to nearest, denormals, no traps; the flags of the caller come back with its mode. */
static void run_lane(const struct job *todo, int32_t lane)
{
    const struct attune_cpu_mode mode = attune_cpu_mode_enter();
    for (int32_t worker = lane; worker < todo->workers; worker += todo->lanes) {
        todo->work(todo->argument, worker, todo->workers);
    }
    attune_cpu_mode_leave(&mode);
}

/* Threads are numbered like lanes; the one that the caller stands in for is left out. They wake as
 * a tree over their ranks, so that no one makes all the system calls. */
static int32_t thread_of_rank(int32_t rank)
{
    return job.caller >= 0 && rank >= job.caller ? rank + 1 : rank;
}

static void wake_rank(int32_t rank)
{
    if (rank < job.lanes - (job.caller >= 0)) {
        struct post *post = &posts[thread_of_rank(rank)];
        atomic_fetch_add(&post->posted, 1);
        if (atomic_load(&post->sleeping) != 0) {
            futex_wake(&post->posted);
        }
    }
}

static void place_thread(struct post *post, int32_t thread)
{
    if (job.pin != post->pinned) {
        post->pinned = job.pin;
        (void)(job.pin ? attune_topology_bind(thread, team_size) : attune_topology_unbind());
    }
}

static void serve(int32_t thread)
{
    struct post *post = &posts[thread];
    int leave = 0, spin = 0;
    post->pinned = 0;
    while (!leave) {
        wait_while(&post->posted, post->seen, &post->sleeping, spin);
        post->seen++;
        int32_t rank = thread - (job.caller >= 0 && thread > job.caller);
        wake_rank(2 * rank + 1);
        wake_rank(2 * rank + 2);
        leave = job.work == NULL;
        spin = job.spin;
        if (!leave) {
            place_thread(post, thread);
            run_lane(&job, thread);
        }
        if (atomic_fetch_sub(&pending, 1) == 1 && atomic_load(&caller_sleeping) != 0) {
            futex_wake(&pending);
        }
    }
}

static void *lead(void *unused)
{
    (void)unused;
    omp_set_dynamic(0);
    attune_topology_unbind(); /* it has the mask of whoever called first */
    for (uint32_t size = 0;;) {
        static _Atomic uint32_t sleeping;
        wait_while(&wanted_size, size, &sleeping, 0);
        size = atomic_load(&wanted_size);
#pragma omp parallel num_threads((int)size)
        {
#pragma omp single nowait
            {
                atomic_store(&ready_size, (uint32_t)omp_get_num_threads());
                futex_wake(&ready_size);
            }
            serve(omp_get_thread_num());
        }
    }
    return NULL;
}

/* ---- Starting and growing. ---- */

static void mark_forked(void)
{
    atomic_store(&forked, 1);
}

/* The stack that OpenMP gives its threads, so that a trial asks for as much. */
static size_t openmp_stack_size(void)
{
    const char *text = getenv("OMP_STACKSIZE");
    char *end = NULL;
    unsigned long long size = text != NULL ? strtoull(text, &end, 10) : 0;
    int shift = 10;
    if (size == 0 || size > 1u << 30) {
        return 0;
    }
    end += strspn(end, " ");
    shift = *end == 'B' || *end == 'b' ? 0 : *end == 'M' || *end == 'm' ? 20 : shift;
    shift = *end == 'G' || *end == 'g' ? 30 : shift;
    return (size_t)size << shift;
}

static void *wait_for_release(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* How many threads, up to `count`, can be alive at once. OpenMP's runtime exits the process when it
 * cannot start one, so it is tried first. */
static int32_t probe_threads(int32_t count)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *threads = malloc((size_t)count * sizeof *threads);
    pthread_attr_t attributes;
    size_t stack = openmp_stack_size();
    int32_t alive = 0;
    if (threads == NULL || pthread_attr_init(&attributes) != 0) {
        free(threads);
        return 0;
    }
    if (stack != 0) {
        (void)pthread_attr_setstacksize(&attributes, stack);
    }
    pthread_mutex_lock(&gate);
    while (alive < count &&
           pthread_create(&threads[alive], &attributes, wait_for_release, &gate) == 0) {
        alive++;
    }
    pthread_mutex_unlock(&gate);
    for (int32_t i = 0; i < alive; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_attr_destroy(&attributes);
    free(threads);
    return alive;
}

/* Code that threads stand in must stay mapped. -z nodelete does that for the shared library, this
 * for a static one inside a plug-in. What it needs (OpenMP's runtime) stays with it. */
static void stay_loaded(void)
{
    Dl_info where;
    if (dladdr((void *)(uintptr_t)lead, &where) != 0 && where.dli_fname != NULL) {
        (void)dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

/* The application's signals are for its own threads; faults and profiling stay where they arise. */
static int start_leader(void)
{
    sigset_t blocked, previous;
    pthread_attr_t attributes;
    pthread_t leader;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGILL);
    sigdelset(&blocked, SIGTRAP);
    sigdelset(&blocked, SIGPROF);
    if (pthread_attr_init(&attributes) != 0) {
        return 0;
    }
    stay_loaded();
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &blocked, &previous);
    int status = pthread_create(&leader, &attributes, lead, NULL);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    pthread_attr_destroy(&attributes);
    return status == 0 && pthread_atfork(NULL, NULL, mark_forked) == 0;
}

static void wait_for_team(int spin)
{
    uint32_t left = 0;
    while ((left = atomic_load(&pending)) != 0) {
        wait_while(&pending, left, &caller_sleeping, spin);
    }
}

/* Sends the threads home; the leader then waits for the size of the next region. */
static void disband(void)
{
    job = (struct job){.lanes = team_size, .caller = -1};
    atomic_store(&pending, (uint32_t)team_size);
    wake_rank(0);
    wait_for_team(0);
    team_size = 0;
}

/* Makes the team `size` threads large, or as large as can be, once. Twice as many threads as it
 * needs are tried: those that just ended may still count against a limit. */
static void grow(int32_t size)
{
    int32_t alive = probe_threads(2 * (size - team_size)) / 2;
    exhausted = alive < size - team_size;
    size = team_size + alive;
    if (size < 2 || size == team_size) {
        return;
    }
    if (!started && !(started = start_leader())) {
        exhausted = 1;
        return;
    }
    if (team_size > 0) {
        disband();
    }
    atomic_store(&ready_size, 0);
    atomic_store(&wanted_size, (uint32_t)size);
    futex_wake(&wanted_size);
    while (atomic_load(&ready_size) == 0) {
        futex_wait(&ready_size, 0);
    }
    team_size = (int32_t)atomic_load(&ready_size);
    exhausted = exhausted || team_size < size; /* OMP_THREAD_LIMIT */
}

/* ---- Running. ---- */

static void run_serial(int32_t workers, attune_work_fn *work, void *argument)
{
    const struct job alone = {.work = work, .argument = argument, .workers = workers, .lanes = 1};
    run_lane(&alone, 0);
}

static void run_index(void *argument, int64_t index)
{
    const struct job *todo = argument;
    run_lane(todo, (int32_t)index);
}

/* The lane whose core the caller is on. */
static int32_t lane_here(int32_t lanes, int pin)
{
    const int here = pin ? attune_topology_worker_here() : 0;
    return here >= 0 && here < lanes ? here : 0;
}

/* Under `busy`. */
static void run_team(int32_t lanes, int pin, int32_t workers, attune_work_fn *work, void *argument)
{
    const struct attune_topology *topology = attune_topology_get();
    job = (struct job){
        .work = work,
        .argument = argument,
        .workers = workers,
        .lanes = lanes,
        .caller = lane_here(lanes, pin),
        .pin = pin,
        .spin = lanes <= topology->allowed,
    };
    atomic_store(&pending, (uint32_t)lanes - 1);
    wake_rank(0);
    run_lane(&job, job.caller);
    wait_for_team(job.spin);
}

static int try_team(const struct attune_team_options *options, int32_t workers,
                    attune_work_fn *work, void *argument)
{
    if (atomic_load(&forked) != 0 || omp_in_parallel() ||
        atomic_exchange_explicit(&busy, 1, memory_order_acquire) != 0) {
        return 0;
    }
    int32_t lanes = workers < TEAM_LIMIT ? workers : TEAM_LIMIT;
    if (lanes > team_size && !exhausted) {
        grow(lanes);
    }
    lanes = lanes < team_size ? lanes : team_size;
    if (lanes > 1) {
        run_team(lanes, options->pin != 0, workers, work, argument);
    }
    atomic_store_explicit(&busy, 0, memory_order_release);
    return lanes > 1;
}

void attune_team_run(const struct attune_team_options *options, int32_t workers,
                     attune_work_fn *work, void *argument)
{
    const int saved = errno;
    if (workers <= 1 || options->alone) {
        run_serial(workers, work, argument);
    } else if (options->parallel_for != NULL) {
        struct job todo = {.work = work, .argument = argument, .workers = workers,
                           .lanes = workers};
        options->parallel_for(options->parallel_for_user, workers, run_index, &todo);
    } else if (!try_team(options, workers, work, argument)) {
        run_serial(workers, work, argument);
    }
    errno = saved;
}

int attune_team_is_awake(const struct attune_team_options *options, int32_t workers, int64_t alone)
{
    const int32_t lanes = workers < TEAM_LIMIT ? workers : TEAM_LIMIT;
    uint32_t asleep = 0;
    if (lanes <= 1 || options->parallel_for != NULL)
        return 1;
    const int32_t here = lane_here(lanes, options->pin != 0);
    for (int32_t lane = 0; lane < lanes; lane++)
        asleep |= lane != here ? atomic_load_explicit(&posts[lane].sleeping, memory_order_relaxed) : 0;
    if (asleep == 0)
        return 1;
    const int64_t now = nanoseconds();
    return now - atomic_exchange_explicit(&last_brief, now, memory_order_relaxed) < SPIN_NANOSECONDS + alone;
}

int attune_serial_begin(void)
{
    int previous = omp_get_max_threads();
    omp_set_num_threads(1);
    return previous;
}

void attune_serial_end(int previous)
{
    omp_set_num_threads(previous);
}
