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
           a->prefetch == b->prefetch && a->threads == b->threads && a->schedule == b->schedule;
}

static void add(struct attune_space *space, const struct attune_choice *choice)
{
    for (int32_t i = 0; i < space->count; i++)
        if (same_choice(&space->choice[i], choice))
            return;
    if (space->count < ATTUNE_SEARCH_CANDIDATES)
        space->choice[space->count++] = *choice;
}

/* Completes what a candidate leaves open and enters it, where a plan may take it. */
static void propose(const struct attune_model_problem *problem, const struct attune_choice *open,
                    struct attune_space *space)
{
    struct attune_choice candidate = *open, complete;
    candidate.verdict = ATTUNE_VERDICT_WIN;
    if (attune_lookup_accept(problem, &candidate, &complete, NULL) == 0)
        add(space, &complete);
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
        propose(problem, &open, space);
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
            propose(problem, &open, space);
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
            propose(problem, &open, space);
    }
}

static void vary_tile(const struct attune_model_problem *problem, const int32_t *values,
                      int32_t count, size_t member, struct attune_space *space)
{
    for (int32_t i = 0; i < count; i++) {
        struct attune_choice open = {0};
        memcpy(open.kernel, space->choice[0].kernel, sizeof open.kernel);
        memcpy((char *)&open + member, &values[i], sizeof values[i]);
        propose(problem, &open, space);
    }
}

static void vary_tiles(const struct attune_model_problem *problem, int64_t rows,
                       struct attune_space *space)
{
    static const int32_t steps[] = {1, 2, 3, 4, 6, 8}, tiles[] = {1, 2, 3, 4, 6, 8, 12, 16};
    static const int32_t passes[] = {32, 64, 96, 128, 192, 256};
    const int32_t strip = space->choice[0].strip;
    const int32_t tile = attune_choice_score(&space->choice[0], problem->key.score)->rows;
    int32_t values[8], count = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if ((steps[i] - 1) * (int64_t)ATTUNE_KEY_STEP < problem->t_k)
            values[count++] = steps[i] * ATTUNE_KEY_STEP;
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
    propose(problem, &open, space);
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
            propose(problem, &open, space);
        }
    for (int32_t i = 1; i < count; i++) {
        merge(base, i == 1 ? &space->choice[ranked[0]] : &joined, &space->choice[ranked[i]], &open);
        joined = open;
        propose(problem, &open, space);
    }
}

void attune_space_extend(const struct attune_model_problem *problem, int32_t best,
                         const int32_t *ranked, int32_t count, struct attune_space *space)
{
    struct attune_choice open;
    for (int32_t i = 0; i < count; i++) {
        merge(&space->choice[0], &space->choice[ranked[i]], &space->choice[best], &open);
        propose(problem, &open, space);
    }
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
            add(space, &open);
}

void attune_space_parallel(const struct attune_key *key, struct attune_space *space)
{
    const struct attune_choice open = {0};
    int32_t cores;
    space->count = 0;
    add(space, &open);
    add_threads(key, key->threads, space);
    for (int kind = 0; (cores = attune_topology_kind_cores(kind)) > 0; kind++)
        add_threads(key, cores, space);
    for (int32_t threads = 1; threads < key->threads; threads *= 2)
        add_threads(key, threads, space);
}
