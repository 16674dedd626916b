/* SPDX-License-Identifier: Apache-2.0
 *
 * The default choice: for each operation the first usable kernel that fits the problem, then tiles for
 * them. Whatever a caller has set already stays.
 */
#include <math.h>
#include <string.h>

#include "arch/cpu.h"
#include "tuner/model.h"

/* With so few query rows to a key, bringing keys into panels costs more than it saves; the sooner it pays,
 * the shorter the keys are and the nearer they come from. Measured on Zen 5, 2 to 16 rows over 48 to 8192
 * keys of D = 32 to 128: rows up to which keys are read where they lie. */
#define NARROW 32
#define MIDDLE 64
#define WIDE 128
#define FEW_ROWS 24
/* Values of other types than float32 would have to be converted into their panels. */
#define FEW_ROWS_TYPED 16
/* Of the tanh score, whose many rows are worth keys that are not there. */
#define FEW_ROWS_TANH 3
/* Rows so few that a fused kernel brings nothing, and neither does one width for scores and sums. */
#define UNFUSED_ROWS 16
/* Keys so few that it brings nothing with 16 lanes (14 to 25 % slower on Zen 5 up to 48 keys). */
#define FUSED_KEYS 96
/* Keys that fill few panels. */
#define SHORT_KEYS 64
/* A panel of another width is taken where it costs so much less, empty lanes included. */
#define LESS_EMPTY 1.12

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

/* The next kernel of an operation and of the instruction set of `first`. */
static const struct attune_kernel *next_alike(const struct attune_model_problem *problem,
                                              const struct attune_kernel *first,
                                              const struct attune_kernel *previous)
{
    const struct attune_kernel *kernel = attune_model_next(problem, first->operation, previous);
    return kernel != NULL && strcmp(kernel->isa, first->isa) == 0 ? kernel : NULL;
}

/* Whether rows attend ever other keys. */
static int is_ragged(const struct attune_model_problem *problem)
{
    return problem->key.mask == ATTUNE_KEY_CAUSAL || problem->key.mask == ATTUNE_KEY_WINDOW;
}

static int64_t bytes_of(const struct attune_model_problem *problem)
{
    return 4 * problem->t_k * (problem->key.d + problem->key.e);
}

/* Whether keys and values come from L2 or close to it. */
static int is_near(const struct attune_model_problem *problem)
{
    return bytes_of(problem) <= 2 * problem->topology->l2.size;
}

/* A kernel of panels needs a full tile of rows to pay: few rows take the one that leaves the fewest of its
 * own empty; where keys are near, one that does them in one tile is as good. Not so the tanh score, whose
 * kernels all take left-over rows one by one, with little to share between rows. */
static const struct attune_kernel *fit_rows(const struct attune_model_problem *problem,
                                            enum attune_operation operation)
{
    const struct attune_kernel *first = attune_model_next(problem, operation, NULL), *best = first;
    if (first == NULL || problem->rows > 2 * (int64_t)first->rows ||
        (first->lanes > 8 && problem->rows <= first->rows && is_near(problem)))
        return first;
    for (const struct attune_kernel *kernel = first; kernel != NULL;
         kernel = next_alike(problem, first, kernel))
        if (round_up(problem->rows, kernel->rows) < round_up(problem->rows, best->rows))
            best = kernel;
    return best;
}

/* Cycles for a lane of a tile: two FMA a cycle, at most 1.4 loads beside them (a tile of 16 x 1, with its 17
 * loads for 16 FMA, ran at 67 % of the peak), and no term sooner than the one before it is through. */
static double cycles_a_lane(const struct attune_kernel *kernel)
{
    const double vectors = (double)kernel->width / kernel->lanes, fma = kernel->rows * vectors;
    const double issue = fmax(fma / 2, (kernel->rows + vectors) / 1.4);
    return fmax(issue, 4) / (fma * kernel->lanes);
}

static double cost_of_width(const struct attune_kernel *kernel, int64_t extent)
{
    return cycles_a_lane(kernel) * (double)round_up(extent, kernel->width);
}

/* `chosen`, or the kernel of its kind whose panels hold `extent` keys or columns at so much less cost, empty
 * lanes included. */
static const struct attune_kernel *fit_width(const struct attune_model_problem *problem,
                                             const struct attune_kernel *chosen, int64_t extent)
{
    const struct attune_kernel *best = chosen, *kernel = NULL;
    while (chosen != NULL && (kernel = next_alike(problem, chosen, kernel)) != NULL)
        if (kernel->terms == chosen->terms &&
            cost_of_width(best, extent) >= (best == chosen ? LESS_EMPTY : 1) * cost_of_width(kernel, extent) &&
            cost_of_width(kernel, extent) < cost_of_width(best, extent))
            best = kernel;
    return best;
}

/* Rows that a kernel should have a full tile of, lest the values pass by too often. */
static int64_t full_rows(const struct attune_model_problem *problem)
{
    const int shared = problem->key.score == ATTUNE_KEY_DOT && problem->t_k >= FUSED_KEYS;
    return problem->rows < 4 ? problem->rows : shared && problem->rows > 4 ? 8 : 4;
}

/* Of the kernels that leave the fewest columns of their panels empty the widest, which needs the fewest
 * passes over the weights, for rows that it has a full tile of. */
static const struct attune_kernel *fit_columns(const struct attune_model_problem *problem,
                                               enum attune_operation operation)
{
    const struct attune_kernel *first = attune_model_next(problem, operation, NULL), *best = NULL;
    for (const struct attune_kernel *kernel = first; kernel != NULL;
         kernel = next_alike(problem, first, kernel)) {
        const int64_t room = round_up(problem->key.e, kernel->width);
        const int64_t least = best != NULL ? round_up(problem->key.e, best->width) : 0;
        if (problem->rows == 1 && kernel->rows == 1 && problem->key.e >= kernel->width)
            return kernel;
        if (kernel->rows >= full_rows(problem) &&
            (best == NULL || room < least || (room == least && kernel->width > best->width)))
            best = kernel;
    }
    return best != NULL ? best : first;
}

static int has_little(const struct attune_model_problem *problem, const struct attune_kernel *panels)
{
    return panels->lanes > 8 &&
           (problem->rows <= UNFUSED_ROWS ||
            (problem->t_k < FUSED_KEYS && problem->key.mask == ATTUNE_KEY_UNMASKED));
}

/* Where exponentials wait for the ports of FMA nothing rides along for free: on Emerald Rapids the three
 * kernels were 1.09 to 1.13 times as fast with 16 lanes. */
static int shares_ports(const struct attune_model_problem *problem, const struct attune_kernel *kernel)
{
    return kernel->lanes > 8 && (problem->traits & ATTUNE_CPU_WIDE_SHARES) != 0;
}

int attune_model_fuses(const struct attune_model_problem *problem, const struct attune_kernel *tile)
{
    return !shares_ports(problem, tile) && !has_little(problem, tile);
}

/* Where rows attend few of the keys: the narrowest panels while there are few of them in all, of which most
 * can be left out (6 to 14 % on Zen 5 up to 60 keys); beyond, those of the fused kernel. */
static const struct attune_kernel *choose_score(const struct attune_model_problem *problem)
{
    const struct attune_kernel *first = fit_rows(problem, ATTUNE_OP_SCORE_DOT), *best = first, *kernel = NULL;
    if (!is_ragged(problem) || problem->rows <= UNFUSED_ROWS)
        return fit_width(problem, first, problem->t_k);
    while (first != NULL && first->lanes > 8 && problem->t_k <= SHORT_KEYS &&
           (kernel = next_alike(problem, first, kernel)) != NULL)
        if (kernel->width < best->width)
            best = kernel;
    return best;
}

static const struct attune_kernel *choose_wsum(const struct attune_model_problem *problem)
{
    const struct attune_kernel *first = fit_rows(problem, ATTUNE_OP_WSUM);
    if (first == NULL || first->lanes < 8 || problem->key.score == ATTUNE_KEY_LSTM)
        return first;
    if (problem->key.score != ATTUNE_KEY_DOT || problem->rows <= UNFUSED_ROWS || has_little(problem, first))
        return fit_columns(problem, ATTUNE_OP_WSUM);
    return fit_width(problem, first, problem->key.e);
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

/* The widest of a type from near, where fewer passes over the weights count; the first from far. */
static const struct attune_kernel *fit_distance(const struct attune_model_problem *problem,
                                                const struct attune_kernel *first)
{
    const struct attune_kernel *best = first, *kernel = first;
    if (first == NULL || !is_near(problem))
        return first;
    while ((kernel = next_alike(problem, first, kernel)) != NULL)
        if (kernel->dtype == first->dtype && kernel->width > best->width)
            best = kernel;
    return best;
}

/* Rows to a key up to which keys are read where they lie. */
static int64_t few_rows(const struct attune_model_problem *problem, const struct attune_kernel *rows)
{
    const int32_t d = problem->key.score == ATTUNE_KEY_DOT ? problem->key.d : WIDE;
    if (rows->lanes < 8)
        return FEW_ROWS;
    if (rows->lanes == 8)
        return d <= 40 ? 5 : d <= 48 ? 12 : FEW_ROWS;
    if (problem->t_k <= 9 * rows->lanes / 8 && !is_ragged(problem)) /* much of a panel would be empty */
        return 4 * problem->t_k > 3 * rows->lanes ? 12 : FEW_ROWS;
    if (problem->key.dtype_k == ATTUNE_PACK_F32)
        return d <= NARROW ? 4 : d <= 48 ? 8 : d <= MIDDLE && is_near(problem) ? 12 : 16;
    if (is_near(problem))
        return d <= NARROW ? 3 : d <= 48 ? 4 : d <= MIDDLE ? 5 : 8;
    return d <= MIDDLE ? 6 : d < WIDE ? 8 : 12;
}

/* Values of float32 lie in place for panels too, whose kernels ask for nothing ahead. With 16 lanes that is
 * better from near (5 to 25 % on Zen 5), and where one panel holds a row, which is then read as it lies. From
 * far they jump from row to row: half as fast; with 8 lanes they are not faster anywhere. */
static int sums_rows(const struct attune_model_problem *problem, const struct attune_kernel *rows)
{
    if (rows->lanes >= 8 && problem->key.dtype_v != ATTUNE_PACK_F32)
        return problem->rows <= FEW_ROWS_TYPED;
    if (rows->lanes == 8 && problem->rows > 4 && problem->key.score == ATTUNE_KEY_DOT &&
        bytes_of(problem) <= problem->topology->l1d.size)
        return 0;
    if (rows->lanes > 8 && problem->key.score != ATTUNE_KEY_LSTM &&
        (is_near(problem) || problem->key.e <= (problem->rows == 1 ? WIDE : MIDDLE)))
        return 0;
    return problem->rows <= few_rows(problem, rows);
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
    return by_rows == ATTUNE_OP_WSUM_ROWS ? sums_rows(problem, kernel)
                                          : problem->rows <= few_rows(problem, kernel);
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

/* Two terms over one division where that is fast. Prepared keys have the same panels for any number of
 * rows. */
static const struct attune_kernel *choose_tanh(const struct attune_model_problem *problem)
{
    const struct attune_kernel *first = attune_model_next(problem, ATTUNE_OP_SCORE_TANH, NULL), *kernel = first;
    while (kernel != NULL && (problem->traits & ATTUNE_CPU_DIVIDES_FAST) != 0 && kernel->terms != 2)
        kernel = next_alike(problem, first, kernel);
    const struct attune_kernel *best = kernel != NULL ? kernel : first;
    for (kernel = best; kernel != NULL && problem->rows <= FEW_ROWS_TANH && !problem->key.prepared;
         kernel = next_alike(problem, first, kernel))
        if (kernel->terms == best->terms && kernel->width < best->width)
            best = kernel; /* few rows have little to share in wide panels */
    return best;
}

static const struct attune_kernel *choose_kernel(const struct attune_model_problem *problem,
                                                 enum attune_operation operation)
{
    switch (operation) {
    case ATTUNE_OP_SCORE_DOT:
        return choose_score(problem);
    case ATTUNE_OP_WSUM:
        return choose_wsum(problem);
    case ATTUNE_OP_SCORE_TANH:
        return choose_tanh(problem);
    case ATTUNE_OP_SCORE_ROWS:
        return for_type(problem, operation, problem->key.dtype_k);
    case ATTUNE_OP_WSUM_ROWS:
        return fit_distance(problem, for_type(problem, operation, problem->key.dtype_v));
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
