/* SPDX-License-Identifier: Apache-2.0
 *
 * Timing wrappers around a plan's kernels. They need the originals and a place for their sums, which
 * are this file's static state: a kernel's signature has no room for them.
 */
#include "bench/explain.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "arch/cpu.h"
#include "engine/plan.h"
#include "tuner/measure.h"

enum part { PACKING, SCORE, MASK, SOFTMAX, WEIGHTED_SUM, TILE, MERGE, FINISH, PARTS };
static const char *const part_names[PARTS] = {"packing",      "score", "mask",  "softmax",
                                              "weighted_sum", "tile",  "merge", "finish"};
enum { THREADS_MOST = 1024, LEAST_RUNS = 3 };

struct tally {
    double ticks[PARTS];
    char pad[64]; /* threads do not share a line */
};

static struct {
    struct attune_kernel_choice original;
    uint64_t cost; /* of reading the counter twice */
    atomic_int threads;
    struct tally tally[THREADS_MOST];
    struct attune_plan core, wrapped, unfused; /* too large for a stack */
} state;

static _Thread_local int slot = -1;

static void add(enum part part, uint64_t start)
{
    const uint64_t taken = attune_cpu_ticks() - start;
    if (slot < 0)
        slot = atomic_fetch_add(&state.threads, 1);
    if (slot < THREADS_MOST && taken > state.cost)
        state.tally[slot].ticks[part] += (double)(taken - state.cost);
}

#define WRAP(member, part)                                                                         \
    static void timed_##member(const struct attune_##member##_args *args)                          \
    {                                                                                              \
        const uint64_t start = attune_cpu_ticks();                                                 \
        state.original.member(args);                                                               \
        add(part, start);                                                                          \
    }
#define WRAP_ANSWER(member, part)                                                                  \
    static int timed_##member(const struct attune_##member##_args *args)                           \
    {                                                                                              \
        const uint64_t start = attune_cpu_ticks();                                                 \
        const int answer = state.original.member(args);                                            \
        add(part, start);                                                                          \
        return answer;                                                                             \
    }
#define WRAP_CONVERT(dtype)                                                                        \
    static void timed_convert_##dtype(const struct attune_pack_values_args *args)                  \
    {                                                                                              \
        const uint64_t start = attune_cpu_ticks();                                                 \
        state.original.convert[ATTUNE_PACK_##dtype](args);                                         \
        add(PACKING, start);                                                                       \
    }
/* EACH(member, part, X for a kernel without an answer, Y for one with it) */
#define KERNELS(X, Y)                                                                              \
    X(pack_keys, PACKING) X(pack_values, PACKING) X(expand_rows, PACKING)                          \
    X(expand_panels, PACKING) X(score_dot, SCORE) X(score_rows, SCORE) X(score_tanh, SCORE)        \
    X(score_direct, SCORE) X(lstm, SCORE) Y(adjust, MASK) X(softmax, SOFTMAX)                      \
    X(wsum, WEIGHTED_SUM) X(wsum_rows, WEIGHTED_SUM) X(tile, TILE) X(merge, MERGE)                 \
    X(finish, FINISH) X(weights, FINISH)
KERNELS(WRAP, WRAP_ANSWER)
WRAP_CONVERT(F32)
WRAP_CONVERT(F16)
WRAP_CONVERT(BF16)
WRAP_CONVERT(I8)

static void wrap_kernels(struct attune_kernel_choice *kernel)
{
    state.original = *kernel;
#define TAKE(member, part) kernel->member = kernel->member ? timed_##member : NULL;
    KERNELS(TAKE, TAKE)
#undef TAKE
    attune_pack_values_fn *const converts[] = {NULL, timed_convert_F32, timed_convert_F16,
                                               timed_convert_BF16, timed_convert_I8};
    for (int dtype = ATTUNE_PACK_F32; dtype <= ATTUNE_PACK_I8; dtype++)
        kernel->convert[dtype] = kernel->convert[dtype] ? converts[dtype] : NULL;
}

/* The core alone: what the steps computed is still in the workspace from the whole execution before.
 * The projection of the output stays, so that the core writes where it did, but has no rows. */
static void drop_steps(struct attune_plan *plan, const struct attune_plan *original)
{
    if (original->out_projection) {
        plan->out_projection = &plan->steps[original->out_projection - original->steps];
        plan->out_projection->b = 0;
    }
    plan->step_count = 0;
}

static void find_cost(void)
{
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 1000; i++) {
        const uint64_t start = attune_cpu_ticks(), taken = attune_cpu_ticks() - start;
        least = taken < least ? taken : least;
    }
    state.cost = least;
}

/* Plans in turn, the fastest execution of each. */
enum trial_kind { WHOLE, CORE, WRAPPED, UNFUSED, TRIALS };
struct trial {
    const struct attune_plan *plan;
    double seconds;
    double part[PARTS]; /* of the fastest, seconds of one thread */
};

static void run_once(struct trial *trial, const struct attune_args *args, int32_t threads)
{
    memset(state.tally, 0, sizeof state.tally);
    const uint64_t from = attune_cpu_ticks();
    const double start = attune_clock_seconds();
    (void)attune_plan_execute(trial->plan, args);
    const double seconds = attune_clock_seconds() - start;
    const double ticks = (double)(attune_cpu_ticks() - from);
    if (seconds >= trial->seconds || !(ticks > 0))
        return;
    trial->seconds = seconds;
    for (int part = 0; part < PARTS; part++) {
        double sum = 0;
        for (int i = 0; i < THREADS_MOST && i < atomic_load(&state.threads); i++)
            sum += state.tally[i].ticks[part];
        trial->part[part] = sum / ticks * seconds / threads;
    }
}

static void add_part(struct attune_pairs *parts, const char *name, double seconds)
{
    if (seconds > 0) {
        parts->at[parts->count].name = name;
        parts->at[parts->count++].value = seconds;
    }
}

/* The wrapped core takes a little longer than the core; its parts are scaled to it. */
static void tell(const struct trial *trials, struct attune_pairs *parts)
{
    const struct trial *whole = &trials[WHOLE], *core = &trials[CORE], *wrapped = &trials[WRAPPED];
    const double core_seconds = fmin(core->seconds, whole->seconds);
    const double scale = core_seconds / wrapped->seconds;
    double rest = core_seconds;
    parts->count = 0;
    if (core->plan->step_count != whole->plan->step_count || whole->plan->out_projection)
        add_part(parts, "projection", whole->seconds - core_seconds);
    for (int part = 0; part < PARTS; part++) {
        add_part(parts, part_names[part], scale * wrapped->part[part]);
        rest -= scale * wrapped->part[part];
    }
    add_part(parts, "other", rest);
}

static void copy_plan(struct attune_plan *copy, const struct attune_plan *plan)
{
    *copy = *plan;
    if (plan->out_projection)
        copy->out_projection = &copy->steps[plan->out_projection - plan->steps];
}

void attune_explain(const struct attune_runner *runner, double seconds, struct attune_pairs *parts,
                    struct attune_pairs *apart)
{
    copy_plan(&state.core, runner->plan);
    drop_steps(&state.core, runner->plan);
    copy_plan(&state.wrapped, &state.core);
    find_cost();
    wrap_kernels(&state.wrapped.kernel);
    /* A plan's memory suffices for the three kernels that its fused one stands in for. */
    copy_plan(&state.unfused, &state.wrapped);
    state.unfused.kernel.tile = NULL;
    const int fused = runner->plan->kernel.tile != NULL;
    struct trial trials[TRIALS] = {[WHOLE] = {.plan = runner->plan, .seconds = INFINITY},
                                   [CORE] = {.plan = &state.core, .seconds = INFINITY},
                                   [WRAPPED] = {.plan = &state.wrapped, .seconds = INFINITY},
                                   [UNFUSED] = {.plan = &state.unfused, .seconds = INFINITY}};
    const double until = attune_clock_seconds() + seconds;
    for (int run = 0; run < LEAST_RUNS || attune_clock_seconds() < until; run++)
        for (int i = 0; i < TRIALS - !fused; i++)
            run_once(&trials[i], &runner->args, runner->plan->workers);
    tell(trials, parts);
    apart->count = 0;
    for (int part = SCORE; fused && part <= WEIGHTED_SUM; part++)
        add_part(apart, part_names[part], trials[UNFUSED].part[part]);
}
