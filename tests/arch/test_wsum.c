/* SPDX-License-Identifier: Apache-2.0
 *
 * wsum against sums in float64: panels and rows in place, every fill, split calls and single rows.
 */
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

struct wsum_case {
    int64_t m, n, e;
    int in_place; /* values row by row, as a caller has them */
    enum test_fill fill;
    enum test_side side;
};

struct wsum_operands {
    float *before; /* o before the call */
    int64_t o_size;
    struct attune_wsum_args args;
};

/* The last row or panel holds exactly the columns that there are. */
static void make_values(const struct attune_kernel *kernel, const struct wsum_case *c,
                        struct attune_wsum_args *args)
{
    const int64_t width = kernel->width;
    const int64_t whole = c->e > 0 ? (c->e - 1) / width : 0, last = c->e - whole * width;
    args->ldv = c->in_place ? c->e + 2 : width;
    args->panel_stride = c->in_place ? width : c->n * width + 1;
    const int64_t size = c->n > 0 && c->e > 0
                             ? whole * args->panel_stride + (c->n - 1) * args->ldv + last : 0;
    float *v = test_floats(size, c->side);
    test_fill_floats(v, size, c->fill);
    args->v = v;
}

static void make_operands(const struct attune_kernel *kernel, const struct wsum_case *c,
                          struct wsum_operands *o)
{
    struct attune_wsum_args *args = &o->args;
    *args = (struct attune_wsum_args){.m = c->m, .n = c->n, .e = c->e, .ldp = c->n + 3,
                                      .ldo = c->e + 5};
    make_values(kernel, c, args);
    const int64_t p_size = c->m > 0 ? (c->m - 1) * args->ldp + c->n : 0;
    o->o_size = c->m > 0 ? (c->m - 1) * args->ldo + c->e : 0;
    float *p = test_floats(p_size, c->side), *alpha = test_floats(c->m, c->side);
    test_fill_floats(p, p_size, c->fill == TEST_NAN || c->fill == TEST_INF ? TEST_NORMAL : c->fill);
    test_fill_floats(alpha, c->m, TEST_NORMAL);
    args->p = p;
    args->alpha = alpha;
    args->o = test_floats(o->o_size, c->side);
    o->before = test_floats(o->o_size, c->side);
    test_fill_floats(o->before, o->o_size, TEST_NORMAL);
    memcpy(args->o, o->before, (size_t)o->o_size * sizeof *args->o);
}

static double wsum_oracle(const struct attune_kernel *kernel, const struct wsum_operands *o,
                          int64_t i, int64_t column, double *bound)
{
    const struct attune_wsum_args *args = &o->args;
    const float *v = args->v + column / kernel->width * args->panel_stride + column % kernel->width;
    double sum = (double)args->alpha[i] * (double)o->before[i * args->ldo + column];
    double size = fabs(sum);
    for (int64_t j = 0; j < args->n; j++) {
        const double product = (double)args->p[i * args->ldp + j] * (double)v[j * args->ldv];
        sum += product;
        size += fabs(product);
    }
    *bound = (double)(args->n + 2) * (0x1p-24 * size + 0x1p-149);
    return sum;
}

/* Columns between the rows' ends must not change. */
static void check_sums(const struct attune_kernel *kernel, const struct wsum_operands *o)
{
    const struct attune_wsum_args *args = &o->args;
    for (int64_t at = 0; at < o->o_size; at++) {
        const int64_t i = at / args->ldo, column = at % args->ldo;
        if (column >= args->e) {
            if (!test_same_bits(args->o + at, o->before + at, 1))
                test_case_fail("o[%d][%d] beyond the row was written", (int)i, (int)column);
            continue;
        }
        double bound;
        const double want = wsum_oracle(kernel, o, i, column, &bound);
        if (!test_near(args->o[at], want, bound))
            test_case_fail("o[%d][%d] is %.9g, not %.9g +- %.3g", (int)i, (int)column,
                           (double)args->o[at], want, bound);
    }
}

/* Each row alone, its keys in two calls: the second with alpha 1, which is exact. */
static void check_split(const struct attune_kernel *kernel, const struct wsum_operands *o)
{
    const float one = 1.0f;
    for (int64_t i = 0; i < o->args.m; i++) {
        struct attune_wsum_args args = o->args;
        const int64_t cut = args.n / 2;
        args.m = 1;
        args.p += i * args.ldp;
        args.alpha += i;
        args.o = o->before + i * args.ldo;
        args.n = cut;
        kernel->run.wsum(&args);
        args.p += cut;
        args.v += cut * args.ldv;
        args.n = o->args.n - cut;
        args.alpha = &one;
        kernel->run.wsum(&args);
        if (!test_same_bits(args.o, o->args.o + i * args.ldo, args.e))
            test_case_fail("row %d alone, in two calls: other bits", (int)i);
    }
}

static void run_case(const struct attune_kernel *kernel, const struct wsum_case *c)
{
    struct wsum_operands o;
    test_case_begin(kernel, "m %d, n %d, e %d, %s, %s, side %d", (int)c->m, (int)c->n, (int)c->e,
                    c->in_place ? "rows" : "panels", test_fill_name(c->fill), (int)c->side);
    make_operands(kernel, c, &o);
    kernel->run.wsum(&o.args);
    check_sums(kernel, &o);
    if (c->fill == TEST_NORMAL) check_split(kernel, &o);
    test_case_end();
}

void test_wsum(const struct attune_kernel *kernel)
{
    const int64_t rows = kernel->rows, width = kernel->width, lanes = kernel->lanes;
    for (int64_t m = 0; m <= 2 * rows + 1; m++)
        for (int64_t left = 0; left < (m == rows + 1 ? width : 1); left += left < 9 ? 1 : 5) {
            if (test_small && m != 0 && m != 1 && m != rows && m != rows + 1) continue;
            struct wsum_case c = {m, 5, width + left, (int)(left % 2), TEST_NORMAL,
                                  (enum test_side)((m + left) % 2)};
            run_case(kernel, &c);
        }
    const int64_t e[] = {0, 1, lanes - 1, lanes, lanes + 1, width - 1, width, 2 * width + 3};
    const int64_t n[] = {0, 1, 2, 7, 67};
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 5; j++) {
            if (test_small && (i + j) % 3) continue;
            struct wsum_case c = {rows + 1, n[j], e[i], (i + j) % 2, TEST_NORMAL,
                                  (enum test_side)(j % 2)};
            run_case(kernel, &c);
        }
    for (int fill = 0; fill < TEST_FILLS; fill++)
        for (int side = 0; side < TEST_SIDES; side++) {
            struct wsum_case c = {rows + 2, 6, width + lanes + 1, fill % 2, (enum test_fill)fill,
                                  (enum test_side)side};
            run_case(kernel, &c);
        }
}
