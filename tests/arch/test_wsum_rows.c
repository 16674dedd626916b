/* SPDX-License-Identifier: Apache-2.0
 *
 * wsum_rows against sums in float64: every element type, shapes around tile and chunk, every fill, with
 * and without scales, split calls and single rows.
 */
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

struct wsum_rows_case {
    int64_t m, n, e;
    int scaled;
    enum test_fill fill;
    enum test_side side;
};

struct wsum_rows_operands {
    float *before; /* o before the call */
    int64_t o_size;
    struct attune_wsum_rows_args args;
};

/* Rows have strides of their own; the last of each has no element beyond its end. */
static void make_operands(const struct attune_kernel *kernel, const struct wsum_rows_case *c,
                          struct wsum_rows_operands *o)
{
    struct attune_wsum_rows_args *args = &o->args;
    *args = (struct attune_wsum_rows_args){.m = c->m, .n = c->n, .e = c->e, .ldp = c->n + 3,
                                           .ldv = c->e + (c->m % 2) * 5, .ldo = c->e + 5};
    const int64_t v_size = c->n > 0 ? (c->n - 1) * args->ldv + c->e : 0;
    const int64_t p_size = c->m > 0 ? (c->m - 1) * args->ldp + c->n : 0;
    const enum test_fill tame = c->fill == TEST_NAN || c->fill == TEST_INF ? TEST_NORMAL : c->fill;
    void *v = test_take((size_t)v_size * test_typed_size(kernel->dtype), c->side);
    float *p = test_floats(p_size, c->side), *alpha = test_floats(c->m, c->side);
    float *scale = c->scaled ? test_floats(c->n, c->side) : NULL;
    test_fill_typed(kernel->dtype, v, v_size, c->fill);
    test_fill_floats(p, p_size, tame);
    test_fill_floats(alpha, c->m, TEST_NORMAL);
    if (scale) test_fill_floats(scale, c->n, tame);
    args->p = p;
    args->v = v;
    args->alpha = alpha;
    args->scale = scale;
    o->o_size = c->m > 0 ? (c->m - 1) * args->ldo + c->e : 0;
    args->o = test_floats(o->o_size, c->side);
    o->before = test_floats(o->o_size, c->side);
    test_fill_floats(o->before, o->o_size, TEST_NORMAL);
    memcpy(args->o, o->before, (size_t)o->o_size * sizeof *args->o);
}

/* One more rounding a term than wsum has, where the scale meets the weight. */
static double wsum_rows_oracle(const struct attune_kernel *kernel, const struct wsum_rows_operands *o,
                               int64_t i, int64_t column, double *bound)
{
    const struct attune_wsum_rows_args *args = &o->args;
    double sum = (double)args->alpha[i] * (double)o->before[i * args->ldo + column];
    double size = fabs(sum);
    for (int64_t j = 0; j < args->n; j++) {
        const double weight = (double)args->p[i * args->ldp + j] *
                              (args->scale ? (double)args->scale[j] : 1);
        const double value =
            (double)test_typed_value(kernel->dtype, args->v, j * args->ldv + column);
        sum += weight * value;
        size += fabs(weight * value) + (args->scale ? 0x1p-126 * fabs(value) : 0);
    }
    *bound = (double)(args->n + 3) * (0x1p-24 * size + 0x1p-149);
    return sum;
}

/* Columns between the rows' ends must not change. */
static void check_sums(const struct attune_kernel *kernel, const struct wsum_rows_operands *o)
{
    const struct attune_wsum_rows_args *args = &o->args;
    for (int64_t at = 0; at < o->o_size; at++) {
        const int64_t i = at / args->ldo, column = at % args->ldo;
        if (column >= args->e) {
            if (!test_same_bits(args->o + at, o->before + at, 1))
                test_case_fail("o[%d][%d] beyond the row was written", (int)i, (int)column);
            continue;
        }
        double bound;
        const double want = wsum_rows_oracle(kernel, o, i, column, &bound);
        if (!test_near(args->o[at], want, bound))
            test_case_fail("o[%d][%d] is %.9g, not %.9g +- %.3g", (int)i, (int)column,
                           (double)args->o[at], want, bound);
    }
}

/* Each row alone, its keys in two calls: the second with alpha 1, which is exact. */
static void check_split(const struct attune_kernel *kernel, const struct wsum_rows_operands *o)
{
    const float one = 1.0f;
    for (int64_t i = 0; i < o->args.m; i++) {
        struct attune_wsum_rows_args args = o->args;
        const int64_t cut = args.n / 2;
        args.m = 1;
        args.p += i * args.ldp;
        args.alpha += i;
        args.o = o->before + i * args.ldo;
        args.n = cut;
        kernel->run.wsum_rows(&args);
        args.p += cut;
        args.v = (const char *)args.v + (size_t)(cut * args.ldv) * test_typed_size(kernel->dtype);
        args.scale = args.scale ? args.scale + cut : NULL;
        args.n = o->args.n - cut;
        args.alpha = &one;
        kernel->run.wsum_rows(&args);
        if (!test_same_bits(args.o, o->args.o + i * args.ldo, args.e))
            test_case_fail("row %d alone, in two calls: other bits", (int)i);
    }
}

static void run_case(const struct attune_kernel *kernel, const struct wsum_rows_case *c)
{
    struct wsum_rows_operands o;
    test_case_begin(kernel, "m %d, n %d, e %d, scaled %d, %s, side %d", (int)c->m, (int)c->n, (int)c->e,
                    c->scaled, test_fill_name(c->fill), (int)c->side);
    make_operands(kernel, c, &o);
    kernel->run.wsum_rows(&o.args);
    check_sums(kernel, &o);
    if (c->fill == TEST_NORMAL) check_split(kernel, &o);
    test_case_end();
}

void test_wsum_rows(const struct attune_kernel *kernel)
{
    const int64_t rows = kernel->rows, width = kernel->width, lanes = kernel->lanes;
    /* Every number of rows with every number of vectors of the widest panel, whole and not. */
    for (int64_t m = 0; m <= 2 * rows + 1; m++)
        for (int64_t vectors = 0; vectors <= 9; vectors++)
            for (int64_t more = 0; more < 2; more++) {
                const int64_t e = vectors * lanes + more * (lanes > 1 ? 1 + vectors % (lanes - 1) : 0);
                if (test_small && (m + vectors + more) % 4) continue;
                struct wsum_rows_case c = {m, 5, e, (int)(vectors % 2), TEST_NORMAL,
                                           (enum test_side)((m + vectors) % 2)};
                run_case(kernel, &c);
            }
    const int64_t e[] = {1, lanes, lanes + 1, 2 * width + 3};
    const int64_t n[] = {0, 1, 2, 15, 16, 17, 64, 131};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 8; j++) {
            if (test_small && (i + j) % 3) continue;
            struct wsum_rows_case c = {rows + 1, n[j], e[i], (i + j) % 2, TEST_NORMAL,
                                       (enum test_side)(j % 2)};
            run_case(kernel, &c);
        }
    for (int fill = 0; fill < TEST_FILLS; fill++)
        for (int side = 0; side < TEST_SIDES; side++)
            for (int scaled = 0; scaled < 2; scaled++) {
                struct wsum_rows_case c = {rows + 2, 21, width + lanes + 1, scaled,
                                           (enum test_fill)fill, (enum test_side)side};
                run_case(kernel, &c);
            }
}
