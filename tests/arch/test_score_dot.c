/* SPDX-License-Identifier: Apache-2.0
 *
 * score_dot against sums in float64: shapes around the tile, every fill, split calls and single rows.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

struct dot_case {
    int64_t m, n, d;
    enum test_fill fill;
    enum test_side side;
};

struct dot_operands {
    float *q, *keys; /* keys row by row, for the oracle */
    struct attune_score_dot_args args;
};

static int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

static float *make_panels(const float *keys, const struct dot_case *c, int64_t width)
{
    float *panels = test_floats(round_up(c->n, width) * c->d, c->side);
    memset(panels, 0, (size_t)(round_up(c->n, width) * c->d) * sizeof *panels);
    for (int64_t j = 0; j < c->n; j++)
        for (int64_t t = 0; t < c->d; t++)
            panels[j / width * c->d * width + t * width + j % width] = keys[j * c->d + t];
    return panels;
}

/* Query rows have a stride of their own; the last has no element beyond d. */
static void make_operands(const struct attune_kernel *kernel, const struct dot_case *c,
                          struct dot_operands *o)
{
    const int64_t ldq = c->d + 3, lds = round_up(c->n + 1, ATTUNE_KEY_STEP);
    o->q = test_floats(c->m > 0 ? (c->m - 1) * ldq + c->d : 0, c->side);
    o->keys = test_floats(c->n * c->d, c->side);
    if (c->m > 0) test_fill_floats(o->q, (c->m - 1) * ldq + c->d, c->fill);
    test_fill_floats(o->keys, c->n * c->d, c->fill);
    const float *k = make_panels(o->keys, c, kernel->width);
    const int64_t row = round_up(c->n, kernel->width);
    float *s = test_floats(c->m > 0 ? (c->m - 1) * lds + row : 0, c->side);
    o->args = (struct attune_score_dot_args){.q = o->q, .ldq = ldq, .m = c->m, .k = k, .n = c->n,
                                             .d = c->d, .s = s, .lds = lds};
}

static double dot_oracle(const float *q, const float *k, int64_t d, double *bound)
{
    double sum = 0, size = 0;
    for (int64_t t = 0; t < d; t++) {
        sum += (double)q[t] * (double)k[t];
        size += fabs((double)q[t] * (double)k[t]);
    }
    *bound = (double)(d + 3) * 0x1p-24 * size + (double)d * 0x1p-149;
    return sum;
}

static void check_scores(const struct dot_case *c, const struct dot_operands *o)
{
    for (int64_t i = 0; i < c->m; i++)
        for (int64_t j = 0; j < c->n; j++) {
            double bound;
            const float got = o->args.s[i * o->args.lds + j];
            const double want = dot_oracle(o->q + i * o->args.ldq, o->keys + j * c->d, c->d, &bound);
            if (!test_near(got, want, bound))
                test_case_fail("s[%d][%d] is %.9g, not %.9g +- %.3g", (int)i, (int)j, (double)got,
                               want, bound);
        }
}

/* Each row alone, and where keys reach beyond a step each side of it, must give the same bits. */
static void check_split(const struct attune_kernel *kernel, const struct dot_case *c,
                        const struct dot_operands *o)
{
    float row[2 * ATTUNE_KEY_STEP];
    for (int64_t i = 0; i < c->m; i++)
        for (int64_t j = 0; j < c->n; j += ATTUNE_KEY_STEP) {
            struct attune_score_dot_args args = o->args;
            args.q += i * args.ldq;
            args.m = 1;
            args.k += j * c->d;
            args.n = c->n - j < ATTUNE_KEY_STEP ? c->n - j : ATTUNE_KEY_STEP;
            args.s = row + j;
            args.lds = 2 * ATTUNE_KEY_STEP;
            kernel->run.score_dot(&args);
            if (!test_same_bits(row + j, o->args.s + i * o->args.lds + j, args.n))
                test_case_fail("row %d alone, keys from %d on: other bits", (int)i, (int)j);
        }
}

static void run_case(const struct attune_kernel *kernel, const struct dot_case *c)
{
    struct dot_operands o;
    test_case_begin(kernel, "m %d, n %d, d %d, %s, side %d", (int)c->m, (int)c->n, (int)c->d,
                    test_fill_name(c->fill), (int)c->side);
    make_operands(kernel, c, &o);
    kernel->run.score_dot(&o.args);
    check_scores(c, &o);
    if (c->fill == TEST_NORMAL) check_split(kernel, c, &o);
    test_case_end();
}

void test_score_dot(const struct attune_kernel *kernel)
{
    const int64_t rows = kernel->rows, width = kernel->width, lanes = kernel->lanes;
    const int64_t m[] = {0, 1, 2, 3, rows - 1, rows, rows + 1, 2 * rows + 3};
    const int64_t n[] = {0, 1, width - 1, width, width + 1, 2 * width + 3, ATTUNE_KEY_STEP + 5};
    const int64_t d[] = {0, 1, 3, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 37};
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 7; j++)
            for (int k = 0; k < 8; k++) {
                /* All of m x n at one depth, and every depth at the largest tile but one. */
                if (k != 6 && !(i == 7 && j == 5)) continue;
                if (test_small && (i % 2 == 0 || n[j] > 2 * width + 3)) continue;
                struct dot_case c = {m[i], n[j], d[k], TEST_NORMAL, (enum test_side)((i + j + k) % 2)};
                run_case(kernel, &c);
            }
    for (int fill = 0; fill < TEST_FILLS; fill++)
        for (int side = 0; side < TEST_SIDES; side++) {
            struct dot_case c = {rows + 2, width + 5, lanes + 5, (enum test_fill)fill,
                                 (enum test_side)side};
            run_case(kernel, &c);
        }
}
