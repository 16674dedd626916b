/* SPDX-License-Identifier: Apache-2.0
 *
 * The default choice: of the kernels for scores and for sums, and the tiles that follow from them, those
 * that cost least together; of the other operations the first usable one. Whatever a caller has set already
 * stays.
 */
#include <math.h>
#include <string.h>

#include "arch/cpu.h"
#include "tuner/model.h"

/* What another kernel must cost less than one before it in the list, whose order is that of experience. */
#define LESS 0.997

static int64_t round_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

const struct attune_kernel *attune_model_next(const struct attune_model_problem *problem,
                                              enum attune_operation operation,
                                              const struct attune_kernel *previous)
{
    do
        previous = attune_kernel_next(operation, problem->features, previous);
    while (previous != NULL && problem->bars != NULL && attune_cache_barred(problem->bars, previous));
    return previous;
}

/* Whether rows attend ever other keys. */
static int is_ragged(const struct attune_model_problem *problem)
{
    return problem->key.mask == ATTUNE_KEY_CAUSAL || problem->key.mask == ATTUNE_KEY_WINDOW;
}

/* Where exponentials wait for the ports of FMA nothing rides along for free: on Emerald Rapids the three
 * kernels were 1.09 to 1.13 times as fast with 16 lanes. */
static int shares_ports(const struct attune_model_problem *problem, const struct attune_kernel *kernel)
{
    return kernel->lanes > 8 && (problem->traits & ATTUNE_CPU_WIDE_SHARES) != 0;
}

const struct attune_kernel *attune_choice_score(const struct attune_choice *choice, int32_t score)
{
    static const enum attune_operation operations[] = {ATTUNE_OP_SCORE_DOT, ATTUNE_OP_SCORE_TANH,
                                                       ATTUNE_OP_LSTM};
    const struct attune_kernel *rows = choice->kernel[ATTUNE_OP_SCORE_ROWS];
    return rows != NULL ? rows : choice->kernel[operations[score]];
}

static void choose_tiles(const struct attune_model_problem *problem, struct attune_choice *choice)
{
    const struct attune_kernel *score = attune_choice_score(choice, problem->key.score);
    const int lstm = problem->key.score == ATTUNE_KEY_LSTM;
    const int64_t units = lstm ? round_up(problem->key.n, score->width) : 0;
    const struct attune_model_input input = {
        .topology = problem->topology,
        .width_k = lstm                                 ? 4 * units
                   : problem->key.score == ATTUNE_KEY_TANH ? round_up(problem->key.a, ATTUNE_TERM_STEP)
                                                        : problem->key.d,
        .width_v = problem->key.e,
        .rows = problem->rows,
        .t_k = problem->t_k,
        .ordered = lstm,
        .in_place = choice->kernel[ATTUNE_OP_SCORE_ROWS] != NULL &&
                    (choice->kernel[ATTUNE_OP_WSUM_ROWS] != NULL ||
                     (problem->rows <= ATTUNE_MODEL_DIRECT_ROWS &&
                      problem->key.dtype_v == ATTUNE_PACK_F32)),
        .ragged = is_ragged(problem),
        .apart = problem->key.score == ATTUNE_KEY_DOT && shares_ports(problem, score),
        .state = 3 * units,
    };
    struct attune_tiles tiles;
    attune_model_tiles(&input, score, &tiles);
    if (choice->kv_block == 0)
        choice->kv_block = (int32_t)tiles.kv_block;
    if (choice->strip == 0)
        choice->strip = (int32_t)tiles.strip;
    if (choice->q_block == 0)
        choice->q_block = (int32_t)(tiles.q_block > choice->strip
                                        ? tiles.q_block / choice->strip * choice->strip
                                        : choice->strip);
    if (choice->kv_split == 0)
        choice->kv_split = tiles.kv_split > 0
                               ? (int32_t)round_up(tiles.kv_split, choice->kv_block)
                               : ATTUNE_CHOICE_UNSPLIT;
}

/* ---- Kernels for scores and sums. ---- */

enum { FORMS_MOST = 16 };

/* Kernels that one side of a choice may take. */
struct forms {
    const struct attune_kernel *kernel[FORMS_MOST];
    int32_t count;
};

static void add(struct forms *forms, const struct attune_kernel *kernel)
{
    if (kernel != NULL && forms->count < FORMS_MOST)
        forms->kernel[forms->count++] = kernel;
}

/* All kernels of an operation that read `dtype` (0: any), of the instruction set of the first. */
static void add_alike(const struct attune_model_problem *problem, enum attune_operation operation,
                      int32_t dtype, struct forms *forms)
{
    const struct attune_kernel *first = NULL, *kernel = NULL;
    while ((kernel = attune_model_next(problem, operation, kernel)) != NULL) {
        if (dtype != 0 && kernel->dtype != dtype)
            continue;
        if (first == NULL)
            first = kernel;
        if (strcmp(kernel->isa, first->isa) == 0)
            add(forms, kernel);
    }
}

/* Two terms over one division where that is fast, else the first of the list. Prepared keys have the same
 * panels for any number of rows. */
static void add_tanh(const struct attune_model_problem *problem, struct forms *forms)
{
    struct forms all = {.count = 0};
    add_alike(problem, ATTUNE_OP_SCORE_TANH, 0, &all);
    int32_t first = 0;
    while (first < all.count && (problem->traits & ATTUNE_CPU_DIVIDES_FAST) != 0 && all.kernel[first]->terms != 2)
        first++;
    if (first == all.count)
        first = 0;
    for (int32_t i = first; i < all.count && (i == first || !problem->key.prepared); i++)
        if (all.kernel[i]->terms == all.kernel[first]->terms)
            add(forms, all.kernel[i]);
}

static void list_scores(const struct attune_model_problem *problem, const struct attune_choice *choice,
                        struct forms *forms)
{
    forms->count = 0;
    add(forms, attune_choice_score(choice, problem->key.score));
    if (forms->count > 0)
        return;
    if (problem->key.score == ATTUNE_KEY_TANH) {
        add_tanh(problem, forms);
    } else if (problem->key.score == ATTUNE_KEY_LSTM) {
        add(forms, attune_model_next(problem, ATTUNE_OP_LSTM, NULL));
    } else {
        add_alike(problem, ATTUNE_OP_SCORE_DOT, 0, forms);
        add_alike(problem, ATTUNE_OP_SCORE_ROWS, problem->key.dtype_k, forms);
    }
}

static void list_sums(const struct attune_model_problem *problem, const struct attune_choice *choice,
                      struct forms *forms)
{
    const struct attune_kernel *rows = choice->kernel[ATTUNE_OP_WSUM_ROWS];
    forms->count = 0;
    add(forms, rows != NULL ? rows : choice->kernel[ATTUNE_OP_WSUM]);
    if (forms->count > 0)
        return;
    add_alike(problem, ATTUNE_OP_WSUM, 0, forms);
    add_alike(problem, ATTUNE_OP_WSUM_ROWS, problem->key.dtype_v, forms);
}

/* A kernel that gives the bits of the three, if there is one. */
static const struct attune_kernel *find_tile(const struct attune_model_problem *problem,
                                             const struct attune_choice *choice)
{
    const struct attune_kernel *score = choice->kernel[ATTUNE_OP_SCORE_DOT];
    const struct attune_kernel *wsum = choice->kernel[ATTUNE_OP_WSUM], *tile = NULL;
    if (score == NULL || wsum == NULL || choice->kernel[ATTUNE_OP_SOFTMAX]->terms != 2 ||
        problem->key.mask == ATTUNE_KEY_ARBITRARY)
        return NULL;
    while ((tile = attune_model_next(problem, ATTUNE_OP_TILE, tile)) != NULL)
        if (tile->width == score->width && tile->width == wsum->width)
            break;
    return tile != NULL && !shares_ports(problem, tile) ? tile : NULL;
}

const struct attune_kernel *attune_model_tile(const struct attune_model_problem *problem,
                                              const struct attune_choice *choice)
{
    const struct attune_kernel *tile = find_tile(problem, choice);
    return tile != NULL && attune_model_cycles(problem, choice, tile) < attune_model_cycles(problem, choice, NULL)
               ? tile
               : NULL;
}

/* The choice with both kernels and tiles for them, and what it costs. Where rows attend ever other keys a
 * strip of one tile leaves out most of what they do not, and is worth it where that is much. */
static double try_pair(const struct attune_model_problem *problem, const struct attune_kernel *score,
                       const struct attune_kernel *wsum, struct attune_choice *choice)
{
    choice->kernel[score->operation] = score;
    choice->kernel[wsum->operation] = wsum;
    const int open = choice->strip == 0 && choice->q_block == 0 && is_ragged(problem);
    struct attune_choice narrow = *choice;
    choose_tiles(problem, choice);
    double cycles = attune_model_cycles(problem, choice, attune_model_tile(problem, choice));
    if (open && choice->strip > score->rows) {
        narrow.strip = score->rows;
        choose_tiles(problem, &narrow);
        const double less = attune_model_cycles(problem, &narrow, NULL);
        if (less < LESS * cycles) {
            *choice = narrow;
            cycles = less;
        }
    }
    return cycles;
}

static enum attune_operation choose_pair(const struct attune_model_problem *problem, struct attune_choice *choice)
{
    static const enum attune_operation panels[] = {ATTUNE_OP_SCORE_DOT, ATTUNE_OP_SCORE_TANH, ATTUNE_OP_LSTM};
    const struct attune_choice open = *choice;
    struct forms scores, sums;
    double least = INFINITY;
    list_scores(problem, choice, &scores);
    list_sums(problem, choice, &sums);
    for (int32_t i = 0; i < scores.count; i++)
        for (int32_t j = 0; j < sums.count; j++) {
            struct attune_choice candidate = open;
            const double cycles = try_pair(problem, scores.kernel[i], sums.kernel[j], &candidate);
            if (cycles < LESS * least) {
                least = cycles;
                *choice = candidate;
            }
        }
    return scores.count == 0 ? panels[problem->key.score] : sums.count == 0 ? ATTUNE_OP_WSUM : ATTUNE_OP_COUNT;
}

static int is_of_pair(enum attune_operation operation)
{
    return operation == ATTUNE_OP_SCORE_DOT || operation == ATTUNE_OP_SCORE_ROWS ||
           operation == ATTUNE_OP_SCORE_TANH || operation == ATTUNE_OP_LSTM || operation == ATTUNE_OP_WSUM ||
           operation == ATTUNE_OP_WSUM_ROWS;
}

enum attune_operation attune_model_complete(const struct attune_model_problem *problem,
                                            struct attune_choice *choice)
{
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++) {
        const enum attune_operation operation = (enum attune_operation)i;
        if (choice->kernel[i] != NULL || is_of_pair(operation) ||
            !attune_operation_serves(operation, problem->key.score))
            continue;
        choice->kernel[i] = attune_model_next(problem, operation, NULL);
        if (choice->kernel[i] == NULL)
            return operation;
    }
    return choose_pair(problem, choice);
}
