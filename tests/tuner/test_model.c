/* SPDX-License-Identifier: Apache-2.0
 *
 * The model: what it chooses is what costs least by its own count, and the count grows with what there is to
 * do. Whether it is right about a machine is measured elsewhere.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "arch/cpu.h"
#include "tuner/model.h"

static struct attune_model_problem problem_of(int32_t score, int32_t mask, int32_t dtype, int64_t rows,
                                              int64_t t_k, int32_t width)
{
    const uint32_t usable = attune_cpu_detect()->usable;
    struct attune_model_problem problem = {
        .topology = attune_topology_get(), .features = usable,
        .traits = attune_cpu_traits(attune_cpu_detect()),
        .key = {.score = score, .mask = mask, .isa = (int32_t)attune_key_isa(usable), .dtype_q = ATTUNE_PACK_F32,
                .dtype_k = dtype, .dtype_v = dtype, .e = width, .group = 1,
                .class_q = attune_key_class(rows), .class_k = attune_key_class(t_k)},
        .rows = rows, .t_k = t_k};
    problem.key.d = score == ATTUNE_KEY_DOT ? width : 0;
    problem.key.a = score != ATTUNE_KEY_DOT ? width : 0;
    problem.key.n = score == ATTUNE_KEY_LSTM ? 32 : 0;
    return problem;
}

static double cost(const struct attune_model_problem *problem, const struct attune_choice *choice)
{
    return attune_model_cycles(problem, choice, attune_model_tile(problem, choice));
}

static struct attune_choice complete(const struct attune_model_problem *problem, const struct attune_kernel *score,
                                     const struct attune_kernel *wsum)
{
    struct attune_choice choice = {.strip = 0};
    if (score != NULL)
        choice.kernel[score->operation] = score;
    if (wsum != NULL)
        choice.kernel[wsum->operation] = wsum;
    cr_assert_eq(attune_model_complete(problem, &choice), ATTUNE_OP_COUNT);
    return choice;
}

/* Of the default's instruction set, and of the type that the rows have. */
static int is_rival(const struct attune_kernel *kernel, const struct attune_kernel *chosen, int32_t dtype)
{
    return strcmp(kernel->isa, chosen->isa) == 0 && (kernel->dtype == 0 || kernel->dtype == dtype);
}

static void expect_least(const struct attune_model_problem *problem)
{
    static const enum attune_operation scores[] = {ATTUNE_OP_SCORE_DOT, ATTUNE_OP_SCORE_ROWS};
    static const enum attune_operation sums[] = {ATTUNE_OP_WSUM, ATTUNE_OP_WSUM_ROWS};
    const struct attune_choice model = complete(problem, NULL, NULL);
    const struct attune_kernel *chosen = attune_choice_score(&model, ATTUNE_KEY_DOT), *score, *wsum;
    const double least = cost(problem, &model);
    for (int i = 0; i < 4; i++)
        for (score = NULL; (score = attune_model_next(problem, scores[i / 2], score)) != NULL;)
            for (wsum = NULL; (wsum = attune_model_next(problem, sums[i % 2], wsum)) != NULL;) {
                if (!is_rival(score, chosen, problem->key.dtype_k) || !is_rival(wsum, chosen, problem->key.dtype_v))
                    continue;
                const struct attune_choice rival = complete(problem, score, wsum);
                cr_expect_geq(cost(problem, &rival), 0.99 * least, "%s and %s over %d rows, %d keys", score->name,
                              wsum->name, (int)problem->rows, (int)problem->t_k);
            }
}

Test(model, takes_the_pair_that_costs_least)
{
    static const int64_t sizes[] = {1, 3, 17, 64, 300, 5000};
    static const int32_t types[] = {ATTUNE_PACK_F32, ATTUNE_PACK_BF16, ATTUNE_PACK_I8};
    for (int i = 0; i < 6 * 6 * 9; i++) {
        const struct attune_model_problem problem =
            problem_of(ATTUNE_KEY_DOT, i / 3 % 3, types[i % 3], sizes[i / 9 % 6], sizes[i / 54], 24 + 16 * (i % 7));
        expect_least(&problem);
    }
}

Test(model, cost_grows_with_the_work)
{
    for (int32_t score = ATTUNE_KEY_DOT; score <= ATTUNE_KEY_LSTM; score++)
        for (int32_t mask = ATTUNE_KEY_UNMASKED; mask <= ATTUNE_KEY_ARBITRARY; mask++) {
            double before = 0;
            for (int64_t t = 1; t <= 4096; t *= 2) {
                const struct attune_model_problem problem = problem_of(score, mask, ATTUNE_PACK_F32, t, t, 64);
                const struct attune_choice choice = complete(&problem, NULL, NULL);
                const double cycles = cost(&problem, &choice);
                cr_expect(cycles > (t < 32 ? 1 : 1.4) * before && cycles < 1e12, "score %d, mask %d, %d rows and keys: %g after %g",
                          score, mask, (int)t, cycles, before);
                before = cycles;
            }
        }
}

/* Half of the pairs are attended by none, and few of the rest lie in a tile with them. */
Test(model, causal_rows_cost_less)
{
    for (int64_t t = 64; t <= 4096; t *= 4) {
        const struct attune_model_problem all = problem_of(ATTUNE_KEY_DOT, ATTUNE_KEY_UNMASKED, ATTUNE_PACK_F32, t, t, 64);
        const struct attune_model_problem half = problem_of(ATTUNE_KEY_DOT, ATTUNE_KEY_CAUSAL, ATTUNE_PACK_F32, t, t, 64);
        const struct attune_choice of_all = complete(&all, NULL, NULL), of_half = complete(&half, NULL, NULL);
        cr_expect_lt(cost(&half, &of_half), 0.95 * cost(&all, &of_all), "%d", (int)t);
    }
}

/* The bits of a fused kernel are those of the three only at its own width, with two chains. */
Test(model, a_tile_has_the_width_of_both)
{
    for (int64_t t = 16; t <= 1024; t *= 2) {
        const struct attune_model_problem problem =
            problem_of(ATTUNE_KEY_DOT, ATTUNE_KEY_UNMASKED, ATTUNE_PACK_F32, t, t, 64);
        const struct attune_kernel *score = NULL, *wsum;
        while ((score = attune_model_next(&problem, ATTUNE_OP_SCORE_DOT, score)) != NULL)
            for (wsum = NULL; (wsum = attune_model_next(&problem, ATTUNE_OP_WSUM, wsum)) != NULL;) {
                struct attune_choice choice = complete(&problem, score, wsum);
                const struct attune_kernel *tile = attune_model_tile(&problem, &choice);
                cr_expect(tile == NULL || (tile->width == score->width && tile->width == wsum->width));
                for (const struct attune_kernel *softmax = NULL;
                     (softmax = attune_model_next(&problem, ATTUNE_OP_SOFTMAX, softmax)) != NULL;) {
                    choice.kernel[ATTUNE_OP_SOFTMAX] = softmax;
                    cr_expect(softmax->terms == 2 || attune_model_tile(&problem, &choice) == NULL);
                }
            }
    }
}

Test(model, splits_are_whole_blocks_that_two_share)
{
    for (int64_t t_k = 1; t_k < 20000; t_k += 97)
        for (int32_t width = 32; width <= 256; width *= 2) {
            const struct attune_model_problem problem =
                problem_of(ATTUNE_KEY_DOT, ATTUNE_KEY_UNMASKED, ATTUNE_PACK_F32, 1, t_k, width);
            const struct attune_choice choice = complete(&problem, NULL, NULL);
            if (choice.kv_split == ATTUNE_CHOICE_UNSPLIT) {
                cr_expect_leq(t_k, 6 * ATTUNE_KEY_STEP);
                continue;
            }
            const int64_t splits = (t_k + choice.kv_split - 1) / choice.kv_split, half = splits / 2 * choice.kv_split;
            cr_expect_eq(choice.kv_split % choice.kv_block, 0);
            cr_expect_eq(choice.kv_block % ATTUNE_KEY_STEP, 0);
            cr_expect_gt(splits, 1);
            cr_expect(5 * half >= 2 * t_k && 3 * half <= 2 * t_k + 3 * ATTUNE_KEY_STEP, "%d keys in splits of %d", (int)t_k,
                      choice.kv_split);
        }
}
