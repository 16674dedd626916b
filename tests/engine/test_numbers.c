/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers at the ends, as rules that need no oracle: what a NaN or an infinity at each place does to
 * each row, a table whose every cell is checked; scores to the ends of float32; a finite bias that is
 * no mask; a million keys; saturated tanh that cancels; tanh near zero.
 */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

enum { ROWS = 5, KEYS = 37, D = 6, E = 19, ROW = 3, KEY = 21, COLUMN = 7 };

static struct attune_context *open_context(void)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

static void add(struct box *box, enum attune_input input, enum attune_dtype dtype, int32_t rank,
                int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t size[] = {a, b, c, d};
    box_input(box, input, dtype, 0.5, rank, size);
}

/* One head; q and k positive, so that an infinity in either gives scores of one sign. */
static void make_dot(struct box *box, enum attune_dtype dtype, uint64_t seed)
{
    static const enum attune_input positive[] = {ATTUNE_IN_Q, ATTUNE_IN_K};
    box_create(box, ATTUNE_SELF, seed);
    add(box, ATTUNE_IN_Q, dtype, 4, 1, 1, ROWS, D);
    add(box, ATTUNE_IN_K, dtype, 4, 1, 1, KEYS, D);
    add(box, ATTUNE_IN_V, dtype, 4, 1, 1, KEYS, E);
    for (int i = 0; i < 2; i++) {
        int64_t index[ATTUNE_MAX_RANK] = {0};
        do
            box_set(box, positive[i], index, 0.25 + fabs(box_get(box, positive[i], index)));
        while (box_next(&box->problem.in[positive[i]], index));
    }
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        box_output(box, (enum attune_output)o);
}

static void run(struct box *box, struct attune_context *context, struct box_result *result)
{
    box_run(box, context, result);
    cr_assert_eq(result->status, ATTUNE_OK, "%s", result->detail);
    cr_assert_eq(result->strays, 0);
}

/* ---- The table. ---- */

/* What a row becomes: the bits of the clean run; NaN in out, lse and every weight; the bits it has
 * where KEY is masked; the sink's alone, since every score is -inf; NaN or an infinity in out's COLUMN
 * and otherwise the clean numbers (not bits: such a row is computed in float64). */
enum row_rule { CLEAN, ALL_NAN, AS_MASKED, SINK_ALONE, COLUMN_NAN, COLUMN_PLUS, COLUMN_MINUS };

/* How KEY is kept from row ROW and the others. */
enum hiding { SEEN, BY_MASK, BY_BIAS, BY_CAUSAL, BY_WINDOW, BY_LENGTH };

static const struct cell {
    const char *place;
    enum attune_input input;
    int64_t index[ATTUNE_MAX_RANK];
    double value;
    enum hiding hiding;
    enum row_rule own, others; /* of row ROW, of the other rows */
} cells[] = {
#define PLUS ((double)INFINITY)
#define MINUS (-(double)INFINITY)
    {"q", ATTUNE_IN_Q, {0, 0, ROW, 2}, (double)NAN, SEEN, ALL_NAN, CLEAN},
    {"q", ATTUNE_IN_Q, {0, 0, ROW, 2}, PLUS, SEEN, ALL_NAN, CLEAN},
    {"q", ATTUNE_IN_Q, {0, 0, ROW, 2}, MINUS, SEEN, SINK_ALONE, CLEAN},
    {"k", ATTUNE_IN_K, {0, 0, KEY, 2}, (double)NAN, SEEN, ALL_NAN, ALL_NAN},
    {"k", ATTUNE_IN_K, {0, 0, KEY, 2}, PLUS, SEEN, ALL_NAN, ALL_NAN},
    {"k", ATTUNE_IN_K, {0, 0, KEY, 2}, MINUS, SEEN, AS_MASKED, AS_MASKED},
    {"v", ATTUNE_IN_V, {0, 0, KEY, COLUMN}, (double)NAN, SEEN, COLUMN_NAN, COLUMN_NAN},
    {"v", ATTUNE_IN_V, {0, 0, KEY, COLUMN}, PLUS, SEEN, COLUMN_PLUS, COLUMN_PLUS},
    {"v", ATTUNE_IN_V, {0, 0, KEY, COLUMN}, MINUS, SEEN, COLUMN_MINUS, COLUMN_MINUS},
    {"bias", ATTUNE_IN_BIAS, {ROW, KEY}, (double)NAN, SEEN, ALL_NAN, CLEAN},
    {"bias", ATTUNE_IN_BIAS, {ROW, KEY}, PLUS, SEEN, ALL_NAN, CLEAN},
    {"bias", ATTUNE_IN_BIAS, {ROW, KEY}, MINUS, SEEN, AS_MASKED, CLEAN},
    {"sink", ATTUNE_IN_SINK, {0}, (double)NAN, SEEN, ALL_NAN, ALL_NAN},
    {"sink", ATTUNE_IN_SINK, {0}, PLUS, SEEN, ALL_NAN, ALL_NAN},
#define HIDDEN(hiding)                                                                             \
    {"k", ATTUNE_IN_K, {0, 0, KEY, 2}, (double)NAN, hiding, CLEAN, CLEAN},                         \
        {"k", ATTUNE_IN_K, {0, 0, KEY, 2}, PLUS, hiding, CLEAN, CLEAN},                            \
        {"k", ATTUNE_IN_K, {0, 0, KEY, 2}, MINUS, hiding, CLEAN, CLEAN},                           \
        {"v", ATTUNE_IN_V, {0, 0, KEY, COLUMN}, (double)NAN, hiding, CLEAN, CLEAN},                \
        {"v", ATTUNE_IN_V, {0, 0, KEY, COLUMN}, PLUS, hiding, CLEAN, CLEAN},                       \
        {"v", ATTUNE_IN_V, {0, 0, KEY, COLUMN}, MINUS, hiding, CLEAN, CLEAN}
    HIDDEN(BY_MASK),
    HIDDEN(BY_BIAS),
    HIDDEN(BY_CAUSAL),
    HIDDEN(BY_WINDOW),
    HIDDEN(BY_LENGTH),
    /* A score hidden by a boolean mask stays hidden whatever its bias says. */
    {"bias", ATTUNE_IN_BIAS, {ROW, KEY}, (double)NAN, BY_MASK, CLEAN, CLEAN},
    {"bias", ATTUNE_IN_BIAS, {ROW, KEY}, PLUS, BY_MASK, CLEAN, CLEAN},
};

static void hide(struct box *box, enum hiding hiding)
{
    struct attune_problem *p = &box->problem;
    const int64_t zero = 0;
    if (hiding == BY_MASK) {
        add(box, ATTUNE_IN_MASK, ATTUNE_BOOL, 2, 1, KEYS, 0, 0);
        box_set_all(box, ATTUNE_IN_MASK, 1);
        box_set(box, ATTUNE_IN_MASK, (const int64_t[]){0, KEY}, 0);
    }
    if (hiding == BY_BIAS)
        for (int64_t row = 0; row < ROWS; row++)
            box_set(box, ATTUNE_IN_BIAS, (const int64_t[]){row, KEY}, MINUS);
    p->causal = hiding == BY_CAUSAL ? ATTUNE_TOP_LEFT : ATTUNE_CAUSAL_NONE;
    p->past = hiding == BY_CAUSAL ? KEY - ROWS : 0; /* the last row sees the keys before KEY */
    if (hiding == BY_WINDOW) {
        p->has_window_right = 1;
        p->window_right = KEY - ROWS;
    }
    if (hiding == BY_LENGTH) {
        add(box, ATTUNE_IN_KEY_LENGTHS, ATTUNE_I32, 1, 1, 0, 0, 0);
        box_set(box, ATTUNE_IN_KEY_LENGTHS, &zero, KEY);
    }
}

static int same(const float *a, const float *b, int64_t count)
{
    return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

static int near(const float *a, const float *b, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-5f * (1 + fabsf(b[i]))))
            return 0;
    return 1;
}

static int is_column(const float *row, const float *clean, enum row_rule rule)
{
    const float got = row[COLUMN];
    const int fits = rule == COLUMN_NAN ? isnan(got) : isinf(got) && (got > 0) == (rule == COLUMN_PLUS);
    return fits && near(row, clean, COLUMN) && near(row + COLUMN + 1, clean + COLUMN + 1, E - COLUMN - 1);
}

static int all_nan(const float *row, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!isnan(row[i]))
            return 0;
    return 1;
}

static int all_zero(const float *row, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (row[i] != 0)
            return 0;
    return 1;
}

/* In scores the place itself may differ: the rules are about out, alignments and lse. */
static int row_obeys(int64_t row, enum row_rule rule, const struct box_result *got,
                     const struct box_result *clean, const struct box_result *masked, float sink)
{
    const struct box_result *like = rule == AS_MASKED ? masked : clean;
    const float *out = got->value[ATTUNE_OUT_OUT] + row * E;
    const float *weights = got->value[ATTUNE_OUT_ALIGNMENTS] + row * KEYS;
    const float *lse = got->value[ATTUNE_OUT_LSE] + row;
    const float *like_out = like->value[ATTUNE_OUT_OUT] + row * E;
    const float *like_weights = like->value[ATTUNE_OUT_ALIGNMENTS] + row * KEYS;
    const float *like_lse = like->value[ATTUNE_OUT_LSE] + row;
    switch (rule) {
    case ALL_NAN: return all_nan(out, E) && all_nan(lse, 1) && all_nan(weights, KEYS);
    case SINK_ALONE: return all_zero(out, E) && all_zero(weights, KEYS) && near(lse, &sink, 1);
    case CLEAN:
    case AS_MASKED:
        return same(out, like_out, E) && same(lse, like_lse, 1) && same(weights, like_weights, KEYS);
    default:
        return is_column(out, like_out, rule) && near(lse, like_lse, 1) &&
               near(weights, like_weights, KEYS);
    }
}

static void check_cell(const struct cell *cell, enum attune_dtype dtype,
                       struct attune_context *context)
{
    static const int64_t first[ATTUNE_MAX_RANK] = {0};
    struct box box;
    struct box_result clean, masked, got;
    make_dot(&box, dtype, 11);
    add(&box, ATTUNE_IN_BIAS, dtype, 2, ROWS, KEYS, 0, 0);
    add(&box, ATTUNE_IN_SINK, dtype, 1, 1, 0, 0, 0);
    hide(&box, cell->hiding);
    run(&box, context, &clean);
    for (int64_t row = 0; row < ROWS; row++)
        box_set(&box, ATTUNE_IN_BIAS, (const int64_t[]){row, KEY}, MINUS);
    run(&box, context, &masked);
    box_destroy(&box);
    make_dot(&box, dtype, 11);
    add(&box, ATTUNE_IN_BIAS, dtype, 2, ROWS, KEYS, 0, 0);
    add(&box, ATTUNE_IN_SINK, dtype, 1, 1, 0, 0, 0);
    hide(&box, cell->hiding);
    const float sink = (float)box_get(&box, ATTUNE_IN_SINK, first);
    box_set(&box, cell->input, cell->input == ATTUNE_IN_SINK ? first : cell->index, cell->value);
    run(&box, context, &got);
    for (int64_t row = 0; row < ROWS; row++)
        cr_expect(row_obeys(row, row == ROW ? cell->own : cell->others, &got, &clean, &masked,
                            sink),
                  "%s = %g, hidden %d, %s: row %d is not as the table says; out %g, lse %g",
                  cell->place, cell->value, (int)cell->hiding, attune_dtype_name((int32_t)dtype),
                  (int)row, (double)got.value[ATTUNE_OUT_OUT][row * E + COLUMN],
                  (double)got.value[ATTUNE_OUT_LSE][row]);
    box_result_free(&clean);
    box_result_free(&masked);
    box_result_free(&got);
    box_destroy(&box);
}

Test(numbers, nan_and_infinity_by_the_table, .timeout = 120)
{
    static const enum attune_dtype types[] = {ATTUNE_F32, ATTUNE_F16, ATTUNE_BF16};
    struct attune_context *context = open_context();
    for (size_t c = 0; c < sizeof cells / sizeof *cells; c++)
        for (size_t t = 0; t < sizeof types / sizeof *types; t++)
            check_cell(&cells[c], types[t], context);
    attune_context_release(context);
}

Test(numbers, fields_that_are_no_numbers)
{
    static const double bad[] = {(double)NAN, PLUS, MINUS};
    struct attune_context *context = open_context();
    for (int field = 0; field < 3; field++)
        for (int i = 0; i < 3; i++) {
            struct box box;
            struct attune_plan *plan;
            make_dot(&box, ATTUNE_F32, 1);
            double *const at[] = {&box.problem.score_scale, &box.problem.output_scale,
                                  &box.problem.softcap};
            static const char *const names[] = {"score_scale:", "output_scale:", "softcap:"};
            box.problem.has_score_scale = box.problem.has_output_scale = 1;
            *at[field] = bad[i];
            cr_expect_eq(attune_plan_create(context, &box.problem, &plan), ATTUNE_ERROR_INVALID);
            cr_expect(strstr(attune_error_detail(), names[field]) == attune_error_detail(), "%s",
                      attune_error_detail());
            box_destroy(&box);
        }
    attune_context_release(context);
}

/* ---- The ends of float32. ---- */

/* q = (big), k = +-big: scores from -3e38 to 3e38. The largest alone decides. */
Test(numbers, scores_to_the_ends_of_float32)
{
    struct attune_context *context = open_context();
    for (int64_t winner = 0; winner < KEYS; winner++) {
        struct box box;
        struct box_result result;
        make_dot(&box, ATTUNE_F32, 5);
        box.problem.has_score_scale = 1;
        box_set_all(&box, ATTUNE_IN_Q, 0);
        box_set_all(&box, ATTUNE_IN_K, 0);
        for (int64_t i = 0; i < ROWS; i++)
            box_set(&box, ATTUNE_IN_Q, (const int64_t[]){0, 0, i, 0}, 1e19);
        for (int64_t j = 0; j < KEYS; j++)
            box_set(&box, ATTUNE_IN_K, (const int64_t[]){0, 0, j, 0},
                    j == winner ? 3e19 : -3e19 + (double)j * 1e17);
        run(&box, context, &result);
        for (int64_t i = 0; i < ROWS; i++)
            for (int64_t e = 0; e < E; e++)
                cr_expect_eq(result.value[ATTUNE_OUT_OUT][i * E + e],
                             (float)box_get(&box, ATTUNE_IN_V, (const int64_t[]){0, 0, winner, e}),
                             "key %d, row %d", (int)winner, (int)i);
        cr_expect_float_eq(result.value[ATTUNE_OUT_LSE][0], 3e38f, 1e32f);
        box_result_free(&result);
        box_destroy(&box);
    }
    attune_context_release(context);
}

/* All keys far down by a finite bias: equal scores, so the mean, and no -inf anywhere. */
Test(numbers, a_finite_bias_is_no_mask)
{
    static const double scores[] = {0, -1e37, -3e38, 1e30};
    struct attune_context *context = open_context();
    for (int s = 0; s < 4; s++) {
        struct box box;
        struct box_result result;
        make_dot(&box, ATTUNE_F32, 6);
        add(&box, ATTUNE_IN_BIAS, ATTUNE_F32, 2, ROWS, KEYS, 0, 0);
        box_set_all(&box, ATTUNE_IN_BIAS, -(double)FLT_MAX);
        box_set_all(&box, ATTUNE_IN_Q, 0);
        box_set_all(&box, ATTUNE_IN_K, 0);
        box_set_all(&box, ATTUNE_IN_V, 5);
        box.problem.has_score_scale = 1;
        for (int64_t i = 0; i < ROWS; i++)
            box_set(&box, ATTUNE_IN_Q, (const int64_t[]){0, 0, i, 0}, scores[s] / 1e19);
        for (int64_t j = 0; j < KEYS; j++)
            box_set(&box, ATTUNE_IN_K, (const int64_t[]){0, 0, j, 0}, 1e19);
        run(&box, context, &result);
        for (int64_t i = 0; i < ROWS * E; i++)
            cr_expect_eq(result.value[ATTUNE_OUT_OUT][i], 5, "%g: %g", scores[s],
                         (double)result.value[ATTUNE_OUT_OUT][i]);
        for (int64_t i = 0; i < ROWS; i++)
            cr_expect(isfinite(result.value[ATTUNE_OUT_LSE][i]) &&
                          result.value[ATTUNE_OUT_LSE][i] < -1e38f,
                      "%g: lse %g", scores[s], (double)result.value[ATTUNE_OUT_LSE][i]);
        for (int64_t i = 0; i < ROWS * KEYS; i++)
            cr_expect_eq(result.value[ATTUNE_OUT_ALIGNMENTS][i], 1.0f / KEYS, "%g", scores[s]);
        box_result_free(&result);
        box_destroy(&box);
    }
    attune_context_release(context);
}

/* Denormal values are averaged, not flushed: 2^20 units each, the mean exact. */
Test(numbers, denormals_are_kept)
{
    struct attune_context *context = open_context();
    for (int scale = 0; scale < 3; scale++) {
        const double unit = ldexp(1, -149 + 2 * scale);
        struct box box;
        struct box_result result;
        make_dot(&box, ATTUNE_F32, 7);
        box_set_all(&box, ATTUNE_IN_Q, 0);
        for (int64_t j = 0; j < KEYS; j++)
            for (int64_t e = 0; e < E; e++)
                box_set(&box, ATTUNE_IN_V, (const int64_t[]){0, 0, j, e}, unit * (double)(e + 1));
        run(&box, context, &result);
        for (int64_t i = 0; i < ROWS * E; i++)
            cr_expect_eq(result.value[ATTUNE_OUT_OUT][i], (float)(unit * (double)(i % E + 1)),
                         "%g", (double)result.value[ATTUNE_OUT_OUT][i]);
        box_result_free(&result);
        box_destroy(&box);
    }
    attune_context_release(context);
}

/* ---- Long rows. ---- */

/* Equal scores and equal values give the value itself, whatever the number of keys; one key with a
 * score far above the others is all there is. */
Test(numbers, a_million_keys, .timeout = 120)
{
    static const int64_t lengths[] = {65537, 1000003};
    struct attune_context *context = open_context();
    for (int l = 0; l < 2; l++) {
        const int64_t t_k = lengths[l], chosen[] = {0, t_k / 3, t_k - 1};
        struct box box;
        struct box_result result;
        box_create(&box, ATTUNE_SELF, 8);
        add(&box, ATTUNE_IN_Q, ATTUNE_F32, 4, 1, 1, 2, 2);
        add(&box, ATTUNE_IN_K, ATTUNE_F32, 4, 1, 1, t_k, 2);
        add(&box, ATTUNE_IN_V, ATTUNE_F32, 4, 1, 1, t_k, 3);
        box_output(&box, ATTUNE_OUT_OUT);
        box_output(&box, ATTUNE_OUT_LSE);
        box_set_all(&box, ATTUNE_IN_Q, 0);
        box_set_all(&box, ATTUNE_IN_V, 3);
        run(&box, context, &result);
        for (int i = 0; i < 6; i++)
            cr_expect_eq(result.value[ATTUNE_OUT_OUT][i], 3, "%.9g",
                         (double)result.value[ATTUNE_OUT_OUT][i]);
        cr_expect_float_eq(result.value[ATTUNE_OUT_LSE][1], log((double)t_k), 1e-5);
        box_result_free(&result);
        box_set_all(&box, ATTUNE_IN_Q, 1);
        box_set_all(&box, ATTUNE_IN_K, -200);
        for (int c = 0; c < 3; c++) {
            box_set(&box, ATTUNE_IN_K, (const int64_t[]){0, 0, chosen[c], 1}, 400);
            box_set(&box, ATTUNE_IN_V, (const int64_t[]){0, 0, chosen[c], 2}, 0.1);
            run(&box, context, &result);
            cr_expect_eq(result.value[ATTUNE_OUT_OUT][5], 0.1f, "key %d: %.9g", (int)chosen[c],
                         (double)result.value[ATTUNE_OUT_OUT][5]);
            box_result_free(&result);
            box_set(&box, ATTUNE_IN_K, (const int64_t[]){0, 0, chosen[c], 1}, -200);
            box_set(&box, ATTUNE_IN_V, (const int64_t[]){0, 0, chosen[c], 2}, 3);
        }
        box_destroy(&box);
    }
    attune_context_release(context);
}

/* ---- tanh. ---- */

/* Both sides far beyond what e^2x can be folded for, their sum small, zero or saturated. */
Test(numbers, saturated_sides_that_cancel, .timeout = 120)
{
    static const double far[] = {8, 11, 20, 44, 60, 88, 1e3, 1e6, 1e20, 3e38};
    struct attune_context *context = open_context();
    for (size_t f = 0; f < sizeof far / sizeof *far; f++)
        for (uint64_t seed = 1; seed <= 8; seed++) {
            struct generate_options options = generate_anything;
            struct box box;
            struct box_result result;
            options.plain = options.packed = options.only_f32 = options.all_outputs = 1;
            generate(&box, &generate_kinds[0], &options, seed);
            if (box_has(&box, ATTUNE_IN_W_QUERY) || box_has(&box, ATTUNE_IN_W_KEY)) {
                box_destroy(&box);
                continue;
            }
            int64_t index[ATTUNE_MAX_RANK] = {0};
            do
                if (random_chance(&box.random, 60))
                    box_set(&box, ATTUNE_IN_QUERY, index, far[f]);
            while (box_next(&box.problem.in[ATTUNE_IN_QUERY], index));
            do
                if (random_chance(&box.random, 60))
                    box_set(&box, ATTUNE_IN_KEY, index,
                            -far[f] + box_get(&box, ATTUNE_IN_KEY, index));
            while (box_next(&box.problem.in[ATTUNE_IN_KEY], index));
            run(&box, context, &result);
            const char *wrong = compare_with_oracle(&box, &result, (double)INFINITY);
            cr_expect(!wrong, "far %g seed %d: %s", far[f], (int)seed, wrong);
            box_result_free(&result);
            box_destroy(&box);
        }
    attune_context_release(context);
}

/* Sides near zero, where what the folded sum is off by would be most of the score, beside one key far out of
 * its range and one between: each pair is as exact as it would be alone. */
Test(numbers, sides_near_zero_beside_a_far_one)
{
    enum { TERMS = 24, FAR_KEY = 5, MIDDLE_KEY = 30 };
    struct attune_context *context = open_context();
    struct box box;
    struct box_result result;
    box_create(&box, ATTUNE_ADDITIVE, 1);
    add(&box, ATTUNE_IN_QUERY, ATTUNE_F32, 3, 1, ROWS, TERMS, 0);
    add(&box, ATTUNE_IN_KEY, ATTUNE_F32, 3, 1, KEYS, TERMS, 0);
    add(&box, ATTUNE_IN_SCORE_VECTOR, ATTUNE_F32, 1, TERMS, 0, 0, 0);
    add(&box, ATTUNE_IN_VALUE, ATTUNE_F32, 3, 1, KEYS, E, 0);
    box_output(&box, ATTUNE_OUT_SCORES);
    for (int64_t t = 0; t < TERMS; t++) {
        for (int64_t i = 0; i < ROWS; i++)
            box_set(&box, ATTUNE_IN_QUERY, (const int64_t[]){0, i, t}, 1e-4 * (double)(i + t + 1));
        for (int64_t j = 0; j < KEYS; j++)
            box_set(&box, ATTUNE_IN_KEY, (const int64_t[]){0, j, t},
                    j == FAR_KEY ? 60 : j == MIDDLE_KEY ? 1 : 1e-4 * (double)(j + 1));
    }
    run(&box, context, &result);
    for (int64_t at = 0; at < ROWS * KEYS; at++) {
        double want = 0, size = 0;
        for (int64_t t = 0; t < TERMS; t++) {
            const double u = box_get(&box, ATTUNE_IN_SCORE_VECTOR, &t);
            const double y = tanh(box_get(&box, ATTUNE_IN_QUERY, (const int64_t[]){0, at / KEYS, t}) +
                                  box_get(&box, ATTUNE_IN_KEY, (const int64_t[]){0, at % KEYS, t}));
            want += u * y;
            size += fabs(u * y);
        }
        const double error = fabs((double)result.value[ATTUNE_OUT_SCORES][at] - want);
        cr_expect_leq(error, 0x1p-20 * size, "row %d, key %d: off by %g of %g", (int)(at / KEYS),
                      (int)(at % KEYS), error, size);
    }
    box_result_free(&result);
    box_destroy(&box);
    attune_context_release(context);
}
