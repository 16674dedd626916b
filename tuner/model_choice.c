/* SPDX-License-Identifier: Apache-2.0
 *
 * The default choice: for each operation the first usable kernel that fits the problem, then tiles for
 * them. Whatever a caller has set already stays.
 */
#include <string.h>

#include "tuner/model.h"

/* With so few query rows to a key, bringing keys and values into panels costs more than it saves: on Zen 5
 * up to 24 rows in AVX2, where the tiles of the panels are no larger, and 12 in AVX-512, where they are. */
#define FEW_ROWS 24
#define FEW_ROWS_WIDE 12
/* With 16 lanes panels pay sooner where keys and values come from near: 6 and 8 rows, D = 64, 512 KiB to
 * 2 MiB a head ran 1.15 and 1.3 times as fast in panels, 4 MiB 0.7 times. */
#define FEW_ROWS_WIDE_NEAR 5

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

/* A kernel of panels needs a full tile of rows to pay; few rows take the one with the fewest. Not so the tanh
 * score, whose kernels all take left-over rows one by one, with little to share between rows. */
static const struct attune_kernel *fit_rows(const struct attune_model_problem *problem,
                                            enum attune_operation operation)
{
    const struct attune_kernel *best = NULL, *kernel = NULL;
    while ((kernel = attune_model_next(problem, operation, kernel)) != NULL) {
        if (best != NULL && strcmp(kernel->isa, best->isa) != 0)
            break;
        if (best == NULL || (problem->rows < best->rows && kernel->rows < best->rows))
            best = kernel;
    }
    return best;
}

static const struct attune_kernel *for_type(const struct attune_model_problem *problem,
                                            enum attune_operation operation, int32_t dtype)
{
    const struct attune_kernel *kernel = NULL;
    do
        kernel = attune_model_next(problem, operation, kernel);
    while (kernel != NULL && kernel->dtype != dtype);
    return kernel;
}

/* Whether keys, or values, are read by rows where they lie: as a choice that names a kernel says. */
static int reads_rows(const struct attune_model_problem *problem, const struct attune_choice *choice,
                      enum attune_operation by_rows, enum attune_operation by_panels)
{
    if (choice->kernel[by_rows] != NULL || choice->kernel[by_panels] != NULL)
        return choice->kernel[by_rows] != NULL;
    const struct attune_kernel *kernel = attune_model_next(problem, by_rows, NULL);
    if (kernel == NULL)
        return 0;
    const int64_t bytes = 4 * problem->t_k * (problem->key.d + problem->key.e);
    const int near = bytes <= 2 * problem->topology->l2.size;
    return problem->rows <= (kernel->lanes <= 8 ? FEW_ROWS : near ? FEW_ROWS_WIDE_NEAR : FEW_ROWS_WIDE);
}

/* An operation of the other of the two forms. */
static int is_idle(const struct attune_model_problem *problem, const struct attune_choice *choice,
                   enum attune_operation operation)
{
    switch (operation) {
    case ATTUNE_OP_SCORE_DOT:
    case ATTUNE_OP_SCORE_ROWS:
        return reads_rows(problem, choice, ATTUNE_OP_SCORE_ROWS, ATTUNE_OP_SCORE_DOT) !=
               (operation == ATTUNE_OP_SCORE_ROWS);
    case ATTUNE_OP_WSUM:
    case ATTUNE_OP_WSUM_ROWS:
        return reads_rows(problem, choice, ATTUNE_OP_WSUM_ROWS, ATTUNE_OP_WSUM) !=
               (operation == ATTUNE_OP_WSUM_ROWS);
    default:
        return 0;
    }
}

static const struct attune_kernel *choose_kernel(const struct attune_model_problem *problem,
                                                 enum attune_operation operation)
{
    switch (operation) {
    case ATTUNE_OP_SCORE_DOT:
    case ATTUNE_OP_WSUM:
        return fit_rows(problem, operation);
    case ATTUNE_OP_SCORE_ROWS:
        return for_type(problem, operation, problem->key.dtype_k);
    case ATTUNE_OP_WSUM_ROWS:
        return for_type(problem, operation, problem->key.dtype_v);
    default:
        return attune_model_next(problem, operation, NULL);
    }
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
                    choice->kernel[ATTUNE_OP_WSUM_ROWS] != NULL,
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
        if (choice->kernel[i] != NULL || !attune_operation_serves(operation, problem->key.score) ||
            is_idle(problem, choice, operation))
            continue;
        choice->kernel[i] = choose_kernel(problem, operation);
        if (choice->kernel[i] == NULL)
            return operation;
    }
    choose_tiles(problem, choice);
    return ATTUNE_OP_COUNT;
}
