/* SPDX-License-Identifier: Apache-2.0
 *
 * The default choice: for each operation the first usable kernel that fits the problem, then tiles for
 * them. Whatever a caller has set already stays.
 */
#include <string.h>

#include "tuner/model.h"

/* With so few query rows to a key, bringing keys into panels costs more than it saves. */
#define ROWS_LAYOUT_MAX 8

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

/* A PANELS kernel needs a full tile of rows to pay; few rows take the one with the fewest. Not so the tanh
 * score, whose kernels all take left-over rows one by one, with little to share between rows. */
static const struct attune_kernel *fit_rows(const struct attune_model_problem *problem,
                                            enum attune_operation operation, int32_t layout)
{
    const struct attune_kernel *best = NULL, *kernel = NULL;
    while ((kernel = attune_model_next(problem, operation, kernel)) != NULL) {
        if (operation == ATTUNE_OP_SCORE_DOT && kernel->layout != layout)
            continue;
        if (best != NULL && strcmp(kernel->isa, best->isa) != 0)
            break;
        if (best == NULL || (problem->rows < best->rows && kernel->rows < best->rows))
            best = kernel;
    }
    return best;
}

static const struct attune_kernel *choose_kernel(const struct attune_model_problem *problem,
                                                 enum attune_operation operation)
{
    const struct attune_kernel *kernel = NULL;
    switch (operation) {
    case ATTUNE_OP_SCORE_DOT:
        if (problem->rows <= ROWS_LAYOUT_MAX)
            kernel = fit_rows(problem, operation, ATTUNE_ROWS);
        return kernel != NULL ? kernel : fit_rows(problem, operation, ATTUNE_PANELS);
    case ATTUNE_OP_WSUM:
        return fit_rows(problem, operation, ATTUNE_PANELS);
    default:
        return attune_model_next(problem, operation, NULL);
    }
}

enum attune_operation attune_model_score(int32_t score)
{
    static const enum attune_operation operations[] = {ATTUNE_OP_SCORE_DOT, ATTUNE_OP_SCORE_TANH,
                                                       ATTUNE_OP_LSTM};
    return operations[score];
}

static void choose_tiles(const struct attune_model_problem *problem, struct attune_choice *choice)
{
    const struct attune_kernel *score = choice->kernel[attune_model_score(problem->key.score)];
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

enum attune_operation attune_model_complete(const struct attune_model_problem *problem,
                                            struct attune_choice *choice)
{
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++) {
        const enum attune_operation operation = (enum attune_operation)i;
        if (choice->kernel[i] != NULL || !attune_operation_serves(operation, problem->key.score))
            continue;
        choice->kernel[i] = choose_kernel(problem, operation);
        if (choice->kernel[i] == NULL)
            return operation;
    }
    choose_tiles(problem, choice);
    return ATTUNE_OP_COUNT;
}
