/* SPDX-License-Identifier: Apache-2.0
 *
 * score_rows against sums in float64: every element type, shapes around tile and group, every fill,
 * with and without scales, split calls and single rows.
 */
#include <math.h>

#include "kernel_tests.h"

struct rows_case {
    int64_t m, n, d;
    int scaled;
    enum test_fill fill;
    enum test_side side;
};

static int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

/* Query and key rows have strides of their own; the last of each has no element beyond d. */
static void make_operands(const struct attune_kernel *kernel, const struct rows_case *c,
                          struct attune_score_rows_args *args)
{
    const int64_t ldq = c->d + 3, ldk = c->d + (c->n % 2) * 5, lds = round_up(c->n + 1, ATTUNE_KEY_STEP);
    const int64_t queries = c->m > 0 ? (c->m - 1) * ldq + c->d : 0;
    const int64_t keys = c->n > 0 ? (c->n - 1) * ldk + c->d : 0;
    float *q = test_floats(queries, c->side);
    void *k = test_take((size_t)keys * test_typed_size(kernel->dtype), c->side);
    float *scale = c->scaled ? test_floats(c->n, c->side) : NULL;
    test_fill_floats(q, queries, c->fill);
    test_fill_typed(kernel->dtype, k, keys, c->fill);
    if (scale) test_fill_floats(scale, c->n, c->fill);
    float *s = test_floats(c->m > 0 ? (c->m - 1) * lds + round_up(c->n, kernel->width) : 0, c->side);
    *args = (struct attune_score_rows_args){.q = q, .ldq = ldq, .m = c->m, .k = k, .ldk = ldk,
                                            .scale = scale, .n = c->n, .d = c->d, .s = s, .lds = lds};
}

static double rows_oracle(const struct attune_kernel *kernel, const struct attune_score_rows_args *args,
                          int64_t i, int64_t j, double *bound)
{
    const double lanes = kernel->lanes, scale = args->scale ? (double)args->scale[j] : 1;
    double sum = 0, size = 0;
    for (int64_t t = 0; t < args->d; t++) {
        const double product = (double)args->q[i * args->ldq + t] *
                               (double)test_typed_value(kernel->dtype, args->k, j * args->ldk + t);
        sum += product;
        size += fabs(product);
    }
    *bound = ((double)args->d / lanes + log2(lanes) + 3) * 0x1p-24 * size * fabs(scale) +
             (double)(args->d + 1) * 0x1p-149 * (1 + fabs(scale));
    return sum * scale;
}

static void check_scores(const struct attune_kernel *kernel, const struct attune_score_rows_args *args)
{
    for (int64_t i = 0; i < args->m; i++)
        for (int64_t j = 0; j < args->n; j++) {
            double bound;
            const float got = args->s[i * args->lds + j];
            const double want = rows_oracle(kernel, args, i, j, &bound);
            if (!test_near(got, want, bound))
                test_case_fail("s[%d][%d] is %.9g, not %.9g +- %.3g", (int)i, (int)j, (double)got, want,
                               bound);
        }
}

/* Each row alone, and its keys in calls of a step each, must give the same bits. */
static void check_split(const struct attune_kernel *kernel, const struct attune_score_rows_args *whole)
{
    float row[2 * ATTUNE_KEY_STEP];
    for (int64_t i = 0; i < whole->m; i++)
        for (int64_t j = 0; j < whole->n; j += ATTUNE_KEY_STEP) {
            struct attune_score_rows_args args = *whole;
            args.q += i * args.ldq;
            args.m = 1;
            args.k = (const char *)args.k + (size_t)(j * args.ldk) * test_typed_size(kernel->dtype);
            args.scale = args.scale ? args.scale + j : NULL;
            args.n = whole->n - j < ATTUNE_KEY_STEP ? whole->n - j : ATTUNE_KEY_STEP;
            args.s = row;
            kernel->run.score_rows(&args);
            if (!test_same_bits(row, whole->s + i * whole->lds + j, args.n))
                test_case_fail("row %d alone, keys from %d on: other bits", (int)i, (int)j);
        }
}

static void run_case(const struct attune_kernel *kernel, const struct rows_case *c)
{
    struct attune_score_rows_args args;
    test_case_begin(kernel, "m %d, n %d, d %d, scaled %d, %s, side %d", (int)c->m, (int)c->n, (int)c->d,
                    c->scaled, test_fill_name(c->fill), (int)c->side);
    make_operands(kernel, c, &args);
    kernel->run.score_rows(&args);
    check_scores(kernel, &args);
    if (c->fill == TEST_NORMAL) check_split(kernel, &args);
    test_case_end();
}

void test_score_rows(const struct attune_kernel *kernel)
{
    const int64_t rows = kernel->rows, width = kernel->width, lanes = kernel->lanes;
    const int64_t n[] = {0, 1, width - 1, width, width + 1, 2 * width + 3, ATTUNE_KEY_STEP + 5};
    const int64_t d[] = {0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 37, 64, 130, 144};
    for (int64_t m = 0; m <= 2 * rows + 1; m++)
        for (int j = 0; j < 7; j++)
            for (int k = 0; k < 10; k++) {
                /* All of m x n at one depth, and every depth at the largest group but one. */
                if (k != 5 && !(m == 2 * rows - 1 && j == 5)) continue;
                if (test_small && (m % 2 == 0 || n[j] > 2 * width + 3)) continue;
                struct rows_case c = {m, n[j], d[k], (int)((m + j + k) % 2), TEST_NORMAL,
                                      (enum test_side)((m / 2 + j + k) % 2)};
                run_case(kernel, &c);
            }
    for (int fill = 0; fill < TEST_FILLS; fill++)
        for (int side = 0; side < TEST_SIDES; side++)
            for (int scaled = 0; scaled < 2; scaled++) {
                struct rows_case c = {rows + 2, width + 5, lanes + 5, scaled, (enum test_fill)fill,
                                      (enum test_side)side};
                run_case(kernel, &c);
            }
}
