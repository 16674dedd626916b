/* SPDX-License-Identifier: Apache-2.0
 *
 * One axis at a time from the model's choice keeps a product of knobs a sum; combining the winners of
 * different axes afterwards finds what only helps together with something else that helps.
 */
#include "tuner/space.h"

#include <string.h>

/* Kernels whose time shows in a whole execution; the others run once a row, or only for odd rows. */
static const enum attune_operation timed[] = {ATTUNE_OP_SCORE_DOT, ATTUNE_OP_SCORE_ROWS,
                                              ATTUNE_OP_SCORE_TANH, ATTUNE_OP_LSTM,
                                              ATTUNE_OP_SOFTMAX, ATTUNE_OP_WSUM,
                                              ATTUNE_OP_WSUM_ROWS};
enum { TIMED = sizeof timed / sizeof *timed };

int attune_space_varies(enum attune_operation operation)
{
    for (int32_t i = 0; i < TIMED; i++)
        if (timed[i] == operation)
            return 1;
    return 0;
}

static int same_choice(const struct attune_choice *a, const struct attune_choice *b)
{
    return memcmp(a->kernel, b->kernel, sizeof a->kernel) == 0 && a->strip == b->strip &&
           a->q_block == b->q_block && a->kv_block == b->kv_block && a->kv_split == b->kv_split &&
           a->threads == b->threads && a->schedule == b->schedule;
}

/* Its number, or that of the one that is the same; -1: there is no room. */
static int32_t add(struct attune_space *space, const struct attune_choice *choice)
{
    for (int32_t i = 0; i < space->count; i++)
        if (same_choice(&space->choice[i], choice))
            return i;
    if (space->count == ATTUNE_SEARCH_CANDIDATES)
        return -1;
    space->choice[space->count] = *choice;
    return space->count++;
}

/* Completes what a candidate leaves open and enters it, where a plan may take it; else -1. */
static int32_t propose(const struct attune_model_problem *problem, const struct attune_choice *open,
                       struct attune_space *space)
{
    struct attune_choice candidate = *open, complete;
    candidate.verdict = ATTUNE_VERDICT_WIN;
    return attune_lookup_accept(problem, &candidate, &complete, NULL) == 0 ? add(space, &complete) : -1;
}

/* Names a kernel, and leaves out one of the operation's other form. */
static void name_kernel(const struct attune_kernel *kernel, struct attune_choice *choice)
{
    const enum attune_operation other = attune_operation_other(kernel->operation);
    choice->kernel[kernel->operation] = kernel;
    if (other != ATTUNE_OP_COUNT)
        choice->kernel[other] = NULL;
}

/* Of the default's instruction set: others come as a whole, for where a fused kernel stands in for
 * several nobody would notice that one of these is a slow one. */
static int is_of_default(const struct attune_kernel *kernel, const struct attune_model_problem *problem,
                         const struct attune_space *space)
{
    return strcmp(kernel->isa,
                  attune_choice_score(&space->choice[0], problem->key.score)->isa) == 0;
}

/* Every other kernel of the operation with the default's other kernels; the tiles follow it. */
static void vary_kernel(const struct attune_model_problem *problem, enum attune_operation operation,
                        struct attune_space *space)
{
    const struct attune_kernel *kernel = NULL;
    while ((kernel = attune_model_next(problem, operation, kernel)) != NULL) {
        struct attune_choice open = {0};
        if (!is_of_default(kernel, problem, space))
            continue;
        memcpy(open.kernel, space->choice[0].kernel, sizeof open.kernel);
        name_kernel(kernel, &open);
        (void)propose(problem, &open, space);
    }
}

/* Scores and weighted sums in panels of one width, which is what the fused kernels take, or both by
 * rows. */
static void vary_pairs(const struct attune_model_problem *problem, enum attune_operation score_form,
                       enum attune_operation wsum_form, struct attune_space *space)
{
    const struct attune_kernel *score = NULL, *wsum;
    while ((score = attune_model_next(problem, score_form, score)) != NULL)
        for (wsum = NULL; (wsum = attune_model_next(problem, wsum_form, wsum)) != NULL;) {
            struct attune_choice open = {0};
            if (!is_of_default(score, problem, space) || !is_of_default(wsum, problem, space) ||
                (score_form == ATTUNE_OP_SCORE_DOT && score->width != wsum->width))
                continue;
            memcpy(open.kernel, space->choice[0].kernel, sizeof open.kernel);
            name_kernel(score, &open);
            name_kernel(wsum, &open);
            (void)propose(problem, &open, space);
        }
}

/* What the model would take if the CPU had no wider instruction set than another usable one. */
static void vary_instruction_set(const struct attune_model_problem *problem,
                                 struct attune_space *space)
{
    const enum attune_operation score =
        attune_choice_score(&space->choice[0], problem->key.score)->operation;
    const struct attune_kernel *kernel = NULL;
    while ((kernel = attune_model_next(problem, score, kernel)) != NULL) {
        struct attune_model_problem narrow = *problem;
        struct attune_choice open = {0};
        narrow.features = kernel->requires;
        if (attune_model_complete(&narrow, &open) == ATTUNE_OP_COUNT)
            (void)propose(problem, &open, space);
    }
}

static void vary_tile(const struct attune_model_problem *problem, const int32_t *values,
                      int32_t count, size_t member, struct attune_space *space)
{
    for (int32_t i = 0; i < count; i++) {
        struct attune_choice open = {0};
        memcpy(open.kernel, space->choice[0].kernel, sizeof open.kernel);
        memcpy((char *)&open + member, &values[i], sizeof values[i]);
        (void)propose(problem, &open, space);
    }
}

static void vary_tiles(const struct attune_model_problem *problem, int64_t rows,
                       struct attune_space *space)
{
    static const int32_t steps[] = {1, 2, 3, 4, 6, 8}, tiles[] = {1, 2, 3, 4, 6, 8, 12, 16};
    static const int32_t passes[] = {32, 64, 96, 128, 192, 256};
    const int32_t strip = space->choice[0].strip;
    const int32_t tile = attune_choice_score(&space->choice[0], problem->key.score)->rows;
    const int64_t most_keys = attune_key_class_floor(problem->key.class_k + 1) - 1;
    int32_t values[8], count = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) { /* one that holds all keys is enough */
        const int64_t kv_block = steps[i] * (int64_t)ATTUNE_KEY_STEP;
        if (kv_block < most_keys || (kv_block - ATTUNE_KEY_STEP < problem->t_k &&
                                     space->choice[0].kv_block < most_keys))
            values[count++] = (int32_t)kv_block;
    }
    vary_tile(problem, values, count, offsetof(struct attune_choice, kv_block), space);
    count = 0;
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++)
        if (tiles[i] * tile <= ATTUNE_CHOICE_STRIP_MAX && (tiles[i] - 1) * (int64_t)tile < rows)
            values[count++] = tiles[i] * tile;
    vary_tile(problem, values, count, offsetof(struct attune_choice, strip), space);
    count = 0;
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        if (passes[i] >= strip && passes[i] <= rows)
            values[count++] = passes[i] / strip * strip;
    vary_tile(problem, values, count, offsetof(struct attune_choice, q_block), space);
}

void attune_space_core(const struct attune_model_problem *problem, int64_t rows,
                       struct attune_space *space)
{
    const struct attune_choice open = {0};
    space->count = 0;
    (void)propose(problem, &open, space);
    if (space->count == 0)
        return;
    vary_instruction_set(problem, space);
    if (problem->key.score == ATTUNE_KEY_DOT) {
        vary_pairs(problem, ATTUNE_OP_SCORE_DOT, ATTUNE_OP_WSUM, space);
        vary_pairs(problem, ATTUNE_OP_SCORE_ROWS, ATTUNE_OP_WSUM_ROWS, space);
    }
    for (int32_t i = 0; i < TIMED; i++)
        vary_kernel(problem, timed[i], space);
    vary_tiles(problem, rows, space);
}

/* `a`'s knob where it has one of its own, else `b`'s; 0 where neither has: it follows from the others. */
static int32_t either(int32_t base, int32_t a, int32_t b)
{
    return a != 0 && a != base ? a : b != 0 && b != base ? b : 0;
}

/* The default with every knob that either differs in; where both do, `a`'s. */
static void merge(const struct attune_choice *base, const struct attune_choice *a,
                  const struct attune_choice *b, struct attune_choice *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->kernel, base->kernel, sizeof out->kernel);
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++)
        if (b->kernel[i] != NULL && b->kernel[i] != base->kernel[i])
            name_kernel(b->kernel[i], out);
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++)
        if (a->kernel[i] != NULL && a->kernel[i] != base->kernel[i])
            name_kernel(a->kernel[i], out);
    out->strip = either(base->strip, a->strip, b->strip);
    out->q_block = either(base->q_block, a->q_block, b->q_block);
    out->kv_block = either(base->kv_block, a->kv_block, b->kv_block);
    if (out->strip > 0 && out->q_block > 0)
        out->q_block = out->q_block > out->strip ? out->q_block / out->strip * out->strip : out->strip;
}

void attune_space_combine(const struct attune_model_problem *problem, const int32_t *ranked,
                          int32_t count, struct attune_space *space)
{
    const struct attune_choice *base = &space->choice[0];
    struct attune_choice open, joined;
    for (int32_t i = 0; i < count; i++)
        for (int32_t j = i + 1; j < count; j++) {
            merge(base, &space->choice[ranked[i]], &space->choice[ranked[j]], &open);
            (void)propose(problem, &open, space);
        }
    for (int32_t i = 1; i < count; i++) {
        merge(base, i == 1 ? &space->choice[ranked[0]] : &joined, &space->choice[ranked[i]], &open);
        joined = open;
        (void)propose(problem, &open, space);
    }
}

void attune_space_extend(const struct attune_model_problem *problem, int32_t best,
                         const int32_t *ranked, int32_t count, struct attune_space *space)
{
    struct attune_choice open;
    for (int32_t i = 0; i < count; i++) {
        merge(&space->choice[0], &space->choice[ranked[i]], &space->choice[best], &open);
        (void)propose(problem, &open, space);
    }
}

/* ---- Simpler ones. ---- */

/* The kernel that stands for an operation, in either of its forms. */
static const struct attune_kernel *stands_for(const struct attune_choice *choice, int32_t operation)
{
    const enum attune_operation other = attune_operation_other((enum attune_operation)operation);
    const struct attune_kernel *kernel = choice->kernel[operation];
    return kernel != NULL || other == ATTUNE_OP_COUNT ? kernel : choice->kernel[other];
}

static int is_own(const struct attune_choice *base, const struct attune_choice *choice, int32_t operation)
{
    return choice->kernel[operation] != NULL && choice->kernel[operation] != base->kernel[operation] &&
           attune_space_varies((enum attune_operation)operation);
}

/* The choice with only those tiles named that do not follow from its kernels. */
static void name_tiles(const struct attune_model_problem *problem, const struct attune_choice *choice,
                       struct attune_choice *open)
{
    struct attune_choice follows = {0};
    *open = *choice;
    memcpy(follows.kernel, choice->kernel, sizeof follows.kernel);
    (void)attune_model_complete(problem, &follows);
    open->strip = choice->strip != follows.strip ? choice->strip : 0;
    open->q_block = choice->q_block != follows.q_block ? choice->q_block : 0;
    open->kv_block = choice->kv_block != follows.kv_block ? choice->kv_block : 0;
    open->kv_split = 0;
}

static void list_simpler(const struct attune_model_problem *problem, const struct attune_choice *open,
                         struct attune_space *space, int32_t *simpler, int32_t *count)
{
    const int32_t index = propose(problem, open, space);
    if (index >= 0)
        simpler[(*count)++] = index;
}

int32_t attune_space_simplify(const struct attune_model_problem *problem, int32_t index,
                              struct attune_space *space, int32_t *simpler)
{
    const struct attune_choice base = space->choice[0], choice = space->choice[index];
    struct attune_choice open, less;
    int32_t *const tiles[] = {&less.strip, &less.q_block, &less.kv_block};
    int32_t count = 0;
    name_tiles(problem, &choice, &open);
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++) {
        if (!is_own(&base, &choice, i))
            continue;
        less = open;
        name_kernel(stands_for(&base, i), &less);
        list_simpler(problem, &less, space, simpler, &count);
    }
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        less = open;
        if (*tiles[i] == 0)
            continue;
        *tiles[i] = 0;
        list_simpler(problem, &less, space, simpler, &count);
    }
    return count;
}

static int32_t count_knobs(const struct attune_model_problem *problem, const struct attune_choice *base,
                           const struct attune_choice *choice)
{
    struct attune_choice open = *choice;
    int32_t count = 0;
    if (problem == NULL)
        return (choice->threads != base->threads) + (choice->schedule != base->schedule);
    name_tiles(problem, choice, &open);
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++)
        count += is_own(base, choice, i);
    return count + (open.strip != 0) + (open.q_block != 0) + (open.kv_block != 0);
}

int attune_space_compare(const struct attune_model_problem *problem, const struct attune_space *space,
                         int32_t a, int32_t b)
{
    const struct attune_choice *base = &space->choice[0], *x = &space->choice[a], *y = &space->choice[b];
    const int32_t of_x[] = {count_knobs(problem, base, x), x->threads, x->schedule, x->kv_block, x->strip,
                            x->q_block};
    const int32_t of_y[] = {count_knobs(problem, base, y), y->threads, y->schedule, y->kv_block, y->strip,
                            y->q_block};
    if (of_x[0] != of_y[0])
        return of_x[0] < of_y[0] ? -1 : 1;
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++) /* the registry lists kernels in one array */
        if (x->kernel[i] != y->kernel[i])
            return x->kernel[i] != NULL && (y->kernel[i] == NULL || x->kernel[i] < y->kernel[i]) ? -1 : 1;
    for (size_t i = 1; i < sizeof of_x / sizeof *of_x; i++)
        if (of_x[i] != of_y[i])
            return of_x[i] < of_y[i] ? -1 : 1;
    return 0;
}

/* Every schedule that makes a difference with so many threads. */
static void add_threads(const struct attune_key *key, int32_t threads, struct attune_space *space)
{
    struct attune_choice open = {.threads = threads};
    if (threads < 1 || threads > key->threads)
        return;
    for (open.schedule = ATTUNE_SCHEDULE_EVEN; open.schedule <= ATTUNE_SCHEDULE_WEIGHTED;
         open.schedule++)
        if (open.schedule == ATTUNE_SCHEDULE_EVEN ||
            (threads > 1 && (open.schedule == ATTUNE_SCHEDULE_CLAIMED ||
                             attune_topology_worker_kind(threads - 1) > 0)))
            (void)add(space, &open);
}

void attune_space_parallel(const struct attune_key *key, struct attune_space *space)
{
    const struct attune_choice open = {0};
    int32_t cores;
    space->count = 0;
    (void)add(space, &open);
    add_threads(key, key->threads, space);
    for (int kind = 0; (cores = attune_topology_kind_cores(kind)) > 0; kind++)
        add_threads(key, cores, space);
    for (int32_t threads = 1; threads < key->threads; threads *= 2)
        add_threads(key, threads, space);
}
