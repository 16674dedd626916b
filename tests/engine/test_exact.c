/* SPDX-License-Identifier: Apache-2.0
 *
 * Results that are known to the last bit: means of equal scores, a winner far ahead, empty rows,
 * and the same set of attended keys said in different words.
 */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

static struct attune_context *create_context(void)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

static void run(struct box *box, struct attune_context *context, struct box_result *result)
{
    box_run(box, context, result);
    cr_assert_eq(result->status, ATTUNE_OK, "%s", result->detail);
}

static void make_integers(struct box *box, enum attune_input input)
{
    int64_t index[ATTUNE_MAX_RANK] = {0};
    do
        box_set(box, input, index, (double)random_between(&box->random, -100, 100));
    while (box_next(&box->problem.in[input], index));
}

/* One head of self dot with T_k keys; q is `q` everywhere. */
static void create_dot(struct box *box, int64_t t_q, int64_t t_k, int64_t d, int64_t e, double q,
                       uint64_t seed)
{
    const int64_t sizes[3][4] = {{2, 2, t_q, d}, {2, 1, t_k, d}, {2, 1, t_k, e}};
    box_create(box, ATTUNE_SELF, seed);
    for (int i = 0; i < 3; i++)
        box_input(box, (enum attune_input)(ATTUNE_IN_Q + i), ATTUNE_F32, 1, 4, sizes[i]);
    box_set_all(box, ATTUNE_IN_Q, q);
    make_integers(box, ATTUNE_IN_V);
    box_output(box, ATTUNE_OUT_OUT);
    box_output(box, ATTUNE_OUT_ALIGNMENTS);
    box_output(box, ATTUNE_OUT_LSE);
}

/* The float32 mean of integers over keys [0, count): their sum is exact, the division rounds once.
 */
static float mean_of(const struct box *box, enum attune_input input, int64_t b, int64_t c,
                     int64_t count)
{
    double sum = 0;
    for (int64_t j = 0; j < count; j++) {
        const int64_t four[] = {b, 0, j, c}, three[] = {b, j, c};
        sum += box_get(box, input, box->problem.in[input].rank == 4 ? four : three);
    }
    return (float)sum / (float)count;
}

Test(exact, zero_query_gives_the_mean)
{
    static const int64_t t_ks[] = {1, 2, 3, 7, 16, 31, 191, 192, 193, 500, 1000};
    static const int64_t es[] = {1, 8, 17, 64, 130};
    struct attune_context *context = create_context();
    for (int k = 0; k < 11; k++)
        for (int causal = 0; causal < 2; causal++) {
            const int64_t t_k = t_ks[k], e = es[k % 5], t_q = 13;
            struct box box;
            struct box_result result;
            create_dot(&box, t_q, t_k, 5, e, 0, (uint64_t)k);
            box.problem.causal = causal ? ATTUNE_TOP_LEFT : ATTUNE_CAUSAL_NONE;
            run(&box, context, &result);
            for (int64_t row = 0; row < 4 * t_q; row++) {
                const int64_t b = row / t_q / 2, i = row % t_q;
                const int64_t count = causal && i + 1 < t_k ? i + 1 : t_k;
                for (int64_t c = 0; c < e; c++) {
                    const float want = mean_of(&box, ATTUNE_IN_V, b, c, count);
                    cr_expect_eq(result.value[ATTUNE_OUT_OUT][row * e + c], want,
                                 "T_k %d E %d row %d: %.9g, not %.9g", (int)t_k, (int)e, (int)row,
                                 (double)result.value[ATTUNE_OUT_OUT][row * e + c], (double)want);
                }
                for (int64_t j = 0; j < t_k; j++)
                    cr_expect_eq(result.value[ATTUNE_OUT_ALIGNMENTS][row * t_k + j],
                                 j < count ? 1.0f / (float)count : 0.0f);
            }
            box_result_free(&result);
            box_destroy(&box);
        }
    attune_context_release(context);
}

/* Every weight is 1 / T_k, and `out` the mean of the values. */
static void expect_mean(const struct box *box, const struct box_result *result, const char *name,
                        uint64_t seed)
{
    const struct attune_tensor *value = &box->problem.in[ATTUNE_IN_VALUE];
    const int64_t t_k = value->size[value->rank - 2], e = value->size[value->rank - 1];
    const int64_t rows = result->count[ATTUNE_OUT_OUT] / value->size[0] / e;
    for (int64_t i = 0; i < result->count[ATTUNE_OUT_ALIGNMENTS]; i++)
        cr_expect_eq(result->value[ATTUNE_OUT_ALIGNMENTS][i], 1.0f / (float)t_k, "%s seed %d", name,
                     (int)seed);
    for (int64_t i = 0; i < result->count[ATTUNE_OUT_OUT]; i++)
        cr_expect_eq(result->value[ATTUNE_OUT_OUT][i],
                     mean_of(box, ATTUNE_IN_VALUE, i / e / rows, i % e, t_k), "%s seed %d", name,
                     (int)seed);
}

/* Equal scores: by keys that are all the same, or, where keys are made of x or gain a location, by a
 * score vector of zeros. */
Test(exact, equal_scores_give_equal_weights, .timeout = 300)
{
    struct attune_context *context = create_context();
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 8 && generate_kinds[kind].form != ATTUNE_DOT; seed++) {
            struct generate_options options = generate_anything;
            struct box box;
            struct box_result result;
            options.plain = options.packed = options.only_f32 = options.all_outputs = 1;
            options.t_k = seed < 5 ? 11 : 401;
            options.t_q = seed < 5 ? -1 : 41;
            generate(&box, &generate_kinds[kind], &options, seed);
            const int over_x = box_has(&box, ATTUNE_IN_X);
            const int64_t size[] = {box.problem.in[over_x ? ATTUNE_IN_X : ATTUNE_IN_QUERY].size[0],
                                    over_x ? box.problem.in[ATTUNE_IN_X].size[1] : options.t_k, 6};
            box_input(&box, ATTUNE_IN_VALUE, ATTUNE_F32, 1, 3, size);
            make_integers(&box, ATTUNE_IN_VALUE);
            if (over_x || box_has(&box, ATTUNE_IN_PREVIOUS_ALIGNMENTS))
                box_set_all(&box, ATTUNE_IN_SCORE_VECTOR, 0);
            else
                box.problem.in[ATTUNE_IN_KEY].stride[1] = 0;
            run(&box, context, &result);
            expect_mean(&box, &result, generate_kinds[kind].name, seed);
            box_result_free(&result);
            box_destroy(&box);
        }
    attune_context_release(context);
}

Test(exact, a_winner_far_ahead_takes_all)
{
    static const int64_t t_ks[] = {2, 17, 192, 385};
    struct attune_context *context = create_context();
    for (int k = 0; k < 4; k++) {
        const int64_t t_k = t_ks[k], t_q = 9, e = 33;
        struct box box;
        struct box_result result;
        create_dot(&box, t_q, t_k, 4, e, 1, (uint64_t)k);
        box_input(&box, ATTUNE_IN_V, ATTUNE_F32, 1, 4, (const int64_t[]){2, 1, t_k, e});
        box_set_all(&box, ATTUNE_IN_K, 0);
        const int64_t winner = random_between(&box.random, 0, t_k - 1);
        for (int64_t b = 0; b < 2; b++)
            for (int64_t d = 0; d < 4; d++)
                box_set(&box, ATTUNE_IN_K, (const int64_t[]){b, 0, winner, d}, 150);
        run(&box, context, &result);
        for (int64_t i = 0; i < result.count[ATTUNE_OUT_OUT]; i++) {
            const int64_t at[] = {i / (2 * t_q * e), 0, winner, i % e};
            cr_expect_eq(result.value[ATTUNE_OUT_OUT][i], (float)box_get(&box, ATTUNE_IN_V, at));
        }
        for (int64_t i = 0; i < result.count[ATTUNE_OUT_ALIGNMENTS]; i++)
            cr_expect_eq(result.value[ATTUNE_OUT_ALIGNMENTS][i], i % t_k == winner ? 1.0f : 0.0f);
        box_result_free(&result);
        box_destroy(&box);
    }
    attune_context_release(context);
}

static void expect_empty(const struct box_result *result)
{
    for (int64_t i = 0; i < result->count[ATTUNE_OUT_OUT]; i++)
        cr_expect_eq(result->value[ATTUNE_OUT_OUT][i], 0.0f);
    for (int64_t i = 0; i < result->count[ATTUNE_OUT_ALIGNMENTS]; i++)
        cr_expect_eq(result->value[ATTUNE_OUT_ALIGNMENTS][i], 0.0f);
    for (int64_t i = 0; i < result->count[ATTUNE_OUT_LSE]; i++)
        cr_expect(isinf(result->value[ATTUNE_OUT_LSE][i]) && result->value[ATTUNE_OUT_LSE][i] < 0);
}

/* No keys; no length; everything masked; a bias of -inf; each with a sink, which is no key. */
Test(exact, rows_that_attend_nothing)
{
    struct attune_context *context = create_context();
    for (int way = 0; way < 5; way++) {
        struct box box;
        struct box_result result;
        const int64_t t_k = way == 0 ? 0 : 21, two = 2, one = 1;
        box_create(&box, ATTUNE_SELF, 1);
        box_input(&box, ATTUNE_IN_Q, ATTUNE_F32, 1, 4, (const int64_t[]){2, 2, 5, 8});
        box_input(&box, ATTUNE_IN_K, ATTUNE_F32, 1, 4, (const int64_t[]){2, 2, t_k, 8});
        box_input(&box, ATTUNE_IN_V, ATTUNE_F32, 1, 4, (const int64_t[]){2, 2, t_k, 7});
        box_input(&box, ATTUNE_IN_SINK, ATTUNE_F32, 1, 1, &two);
        for (int o = 0; o < 3; o++)
            box_output(&box, (enum attune_output)o);
        if (way == 1)
            box_input(&box, ATTUNE_IN_KEY_LENGTHS, ATTUNE_I32, 0, 1, &two);
        if (way == 2)
            box_input(&box, ATTUNE_IN_QUERY_LENGTHS, ATTUNE_I64, 0, 1, &two);
        if (way == 3) {
            box_input(&box, ATTUNE_IN_MASK, ATTUNE_BOOL, 1, 1, &one);
            box_set_all(&box, ATTUNE_IN_MASK, 0);
        }
        if (way == 4) {
            box_input(&box, ATTUNE_IN_BIAS, ATTUNE_F16, 1, 1, &t_k);
            box_set_all(&box, ATTUNE_IN_BIAS, -INFINITY);
        }
        run(&box, context, &result);
        expect_empty(&result);
        box_result_free(&result);
        box_destroy(&box);
    }
    attune_context_release(context);
}

/* Whatever the weights, the mean of one value is that value, denormal or not. */
Test(exact, the_mean_of_equal_denormals)
{
    static const double values[] = {0x1p-149, 0x1.8p-148, 1e-42, -2e-41};
    struct attune_context *context = create_context();
    for (int n = 0; n < 4; n++) {
        const int64_t t_k = n % 2 ? 500 : 37, e = 21;
        struct box box;
        struct box_result result;
        create_dot(&box, n < 2 ? 4 : 1, t_k, 6, e, 0.3, (uint64_t)n);
        make_integers(&box, ATTUNE_IN_K);
        for (int64_t b = 0; b < 2; b++)
            for (int64_t at = 0; at < t_k * e; at++)
                box_set(&box, ATTUNE_IN_V, (const int64_t[]){b, 0, at / e, at % e},
                        at % e % 5 == 0 ? 0 : values[n]);
        run(&box, context, &result);
        for (int64_t i = 0; i < result.count[ATTUNE_OUT_OUT]; i++) {
            const float want = i % e % 5 == 0 ? 0.0f : (float)values[n];
            cr_expect_eq(result.value[ATTUNE_OUT_OUT][i], want, "%.9g, not %.9g",
                         (double)result.value[ATTUNE_OUT_OUT][i], (double)want);
        }
        box_result_free(&result);
        box_destroy(&box);
    }
    attune_context_release(context);
}

/* A finite bias is no mask, however large: equal scores stay equal. */
Test(exact, the_largest_finite_bias_is_no_mask)
{
    static const double biases[] = {-3e38, -(double)FLT_MAX, 3e38, (double)FLT_MAX};
    struct attune_context *context = create_context();
    for (int n = 0; n < 4; n++) {
        const int64_t t_k = 37, e = 5, one = 1;
        struct box box;
        struct box_result result;
        create_dot(&box, 4, t_k, 6, e, 0, 3);
        box_input(&box, ATTUNE_IN_BIAS, ATTUNE_F32, 1, 1, &one);
        box_set_all(&box, ATTUNE_IN_BIAS, biases[n]);
        run(&box, context, &result);
        for (int64_t i = 0; i < result.count[ATTUNE_OUT_OUT]; i++)
            cr_expect_eq(result.value[ATTUNE_OUT_OUT][i],
                         mean_of(&box, ATTUNE_IN_V, i / (2 * 4 * e), i % e, t_k), "bias %g",
                         biases[n]);
        box_result_free(&result);
        box_destroy(&box);
    }
    attune_context_release(context);
}

/* A mask that lets everything through, or a bias of 0: with one of them in place, saying the
 * positions through it takes no other arithmetic. */
static void add_open_mask(struct box *box, int by_bias)
{
    struct attune_tensor shape;
    attune_problem_output_shape(&box->problem, ATTUNE_OUT_SCORES, &shape);
    box_input(box, by_bias ? ATTUNE_IN_BIAS : ATTUNE_IN_MASK, by_bias ? ATTUNE_F32 : ATTUNE_BOOL, 1,
              4, shape.size);
    box_set_all(box, by_bias ? ATTUNE_IN_BIAS : ATTUNE_IN_MASK, by_bias ? 0 : 1);
}

/* Replaces the causal alignment and the windows of a problem by what they let through. */
static void say_by_mask(struct box *box, const struct box_result *reference, int by_bias)
{
    const enum attune_input input = by_bias ? ATTUNE_IN_BIAS : ATTUNE_IN_MASK;
    int64_t index[ATTUNE_MAX_RANK] = {0}, at = 0;
    do {
        const float score = reference->value[ATTUNE_OUT_SCORES][at++];
        const int attended = !(isinf(score) && score < 0);
        box_set(box, input, index, by_bias ? (attended ? 0 : -INFINITY) : attended);
    } while (box_next(&box->problem.in[input], index));
    box->problem.causal = ATTUNE_CAUSAL_NONE;
    box->problem.past = 0;
    box->problem.has_window_left = box->problem.has_window_right = 0;
    box->problem.window_left = box->problem.window_right = -1;
}

/* Tiles that are skipped, cut or full give the same bits. */
Test(exact, positions_and_masks_agree, .timeout = 300)
{
    struct attune_context *context = create_context();
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 24; seed++) {
            struct generate_options options = generate_anything;
            const int slow =
                generate_kinds[kind].from_x || generate_kinds[kind].mechanism == ATTUNE_RECURRENT;
            struct box box;
            struct box_result by_position, by_mask;
            options.plain = options.packed = options.all_outputs = 1;
            options.batch = 1;
            options.t_q = seed % 2 ? 19 : 70;
            options.t_k = seed % 2 ? 23 : slow ? 70 : 420;
            generate(&box, &generate_kinds[kind], &options, seed);
            struct attune_problem *p = &box.problem;
            p->stage = ATTUNE_MASKED;
            p->causal = (int32_t)(seed % 3);
            p->past = p->causal == ATTUNE_BOTTOM_RIGHT ? 0 : (int64_t)(seed % 5) * 40;
            p->has_window_left = seed % 4 == 0;
            p->window_left = p->has_window_left ? (int64_t)seed * 3 : -1;
            p->has_window_right = p->causal == ATTUNE_CAUSAL_NONE;
            p->window_right = p->has_window_right ? (int64_t)seed : -1;
            add_open_mask(&box, seed % 8 == 7);
            run(&box, context, &by_position);
            say_by_mask(&box, &by_position, seed % 8 == 7);
            run(&box, context, &by_mask);
            const char *wrong = compare_bits(&by_position, &by_mask);
            cr_expect(!wrong, "%s seed %d: %s (%s)", generate_kinds[kind].name, (int)seed, wrong,
                      by_position.kernels);
            box_result_free(&by_position);
            box_result_free(&by_mask);
            box_destroy(&box);
        }
    attune_context_release(context);
}
